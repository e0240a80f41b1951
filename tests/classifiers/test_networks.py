import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from classifiers import DenseNet, PreActResNet, PyramidNet, WideResNet
from classifiers.nets import VoxelCNN
from classifiers.nets.pyramidnet import ShakeDrop
from store import BadInput

SMALL = {
    "preact": lambda channels, classes: PreActResNet(channels, classes, width=4),
    "wide": lambda channels, classes: WideResNet(channels, classes, depth=10, widen=1),
    "dense": lambda channels, classes: DenseNet(channels, classes, depth=10, growth=4),
    "pyramid": lambda channels, classes: PyramidNet(channels, classes, depth=11, widening=6),
}


@pytest.mark.parametrize(
    ("network", "millions"),
    [(PreActResNet, "11.17"), (WideResNet, "36.5"), (DenseNet, "25.6"), (PyramidNet, "26")],
)
def test_parameter_counts_are_the_published_ones(network, millions):
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in network().parameters())
    digits = len(millions.partition(".")[2])
    assert f"{count / 1e6:.{digits}f}" == millions


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("channels", "classes", "size"), [(1, 10, 28), (3, 100, 32), (3, 7, 64)])
def test_any_channels_classes_and_image_size(name, channels, classes, size):
    network = SMALL[name](channels, classes)
    images = torch.randn(2, channels, size, size)
    logits = network(images)
    assert logits.shape == (2, classes)
    logits.square().sum().backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter
        assert torch.isfinite(value.grad).all(), parameter
    network.eval()
    torch.testing.assert_close(network(images), network(images))


@pytest.mark.parametrize("name", SMALL)
def test_the_first_convolution_and_every_block_have_names(name):
    network = SMALL[name](3, 10)
    assert isinstance(network.get_submodule("conv1"), nn.Conv2d)
    seen = []
    for layer in ("conv1", "stage1.0", "stage2.0", "stage3.0"):
        network.get_submodule(layer).register_forward_hook(lambda module, _, output: seen.append(output.shape[2:]))
    network.eval()(torch.zeros(1, 3, 32, 32))
    assert [shape[0] for shape in seen] == [32, 32, 16, 8]


@pytest.mark.parametrize("name", SMALL)
def test_images_do_not_see_each_other_in_evaluation(name):
    network = SMALL[name](3, 10).eval()
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_initial_outputs_keep_their_scale_through_the_depth(name):
    torch.manual_seed(0)
    network = SMALL[name](3, 10)
    logits = network(torch.randn(64, 3, 32, 32))
    assert 0.02 < float(logits.detach().std()) < 5


def test_a_preactivation_block_is_the_identity_when_its_last_convolution_is_zero():
    block = PreActResNet(3, 10, width=4).get_submodule("stage1.1")
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_a_pyramid_block_pads_its_shortcut_with_zeros():
    network = PyramidNet(3, 10, depth=11, widening=6).eval()
    block = network.get_submodule("stage2.0")
    nn.init.zeros_(block.norm4.weight)
    nn.init.zeros_(block.norm4.bias)
    x = torch.randn(2, block.norm1.num_features, 8, 8)
    out = block(x)
    torch.testing.assert_close(out[:, : x.shape[1]], nn.functional.avg_pool2d(x, 2))
    assert out[:, x.shape[1] :].abs().max() == 0


def test_shakedrop_in_expectation_and_on_the_way_back():
    torch.manual_seed(0)
    shake, draws = ShakeDrop(0.6), 4000
    forward, backward = [], []
    for _ in range(draws):
        x = torch.ones(2, 1, 1, 1, requires_grad=True)
        out = shake(x)
        out.sum().backward()
        forward.append(out.flatten().detach())
        backward.append(x.grad.flatten())
    forward, backward = torch.stack(forward), torch.stack(backward)
    # E = p forward and p + (1 − p) / 2 backward; 4.5 standard errors of 4,000 batches (P < 1e-5)
    for values, expected in ((forward, 0.6), (backward, 0.8)):
        error = float(values.mean(1).std()) / math.sqrt(draws)
        assert abs(float(values.mean()) - expected) < 4.5 * error
    assert ((forward == 1) == (backward == 1)).all()
    shaken = forward[:, 0] != 1
    assert (forward[shaken, 0] != forward[shaken, 1]).all()  # factors differ between images
    assert forward.min() < -0.9
    assert backward.min() > 0
    shake.eval()
    torch.testing.assert_close(shake(torch.ones(2, 1, 1, 1)), torch.full((2, 1, 1, 1), 0.6))


def test_shakedrop_keeps_less_with_depth():
    network = PyramidNet(3, 10, depth=20, widening=6)
    keeps = [module.keep for module in network.modules() if isinstance(module, ShakeDrop)]
    assert keeps == pytest.approx([1 - 0.5 * number / 6 for number in range(1, 7)])


@pytest.mark.parametrize(("network", "depth"), [(WideResNet, 27), (DenseNet, 4), (PyramidNet, 110 + 1)])
def test_an_impossible_depth_is_refused(network, depth):
    with pytest.raises(BadInput, match=f"depth: got {depth}; needs"):
        network(depth=depth)


def test_the_voxel_network_has_the_parameters_and_flops_that_its_docstring_says():
    network = VoxelCNN().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 70_426
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 32, 32, 32))
    assert round(counter.get_total_flops() / 1e9, 3) == 0.198


@pytest.mark.parametrize(
    ("channels", "classes", "sizes"), [(1, 10, (32, 32, 32)), (2, 7, (8, 9, 12)), (1, 3, (4, 4, 4))]
)
def test_the_voxel_network_is_its_slow_twin(channels, classes, sizes):
    network = VoxelCNN(channels, classes, width=4).double().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias)
    shapes = torch.rand(2, channels, *sizes, dtype=torch.float64)
    maps = shapes
    for stage in (1, 2, 3):
        norm, weight = network.get_submodule(f"norm{stage}"), network.get_submodule(f"conv{stage}").weight
        if stage > 1:
            halves = [size // 2 for size in maps.shape[2:]]
            maps = maps[:, :, : 2 * halves[0], : 2 * halves[1], : 2 * halves[2]]
            maps = maps.reshape(*maps.shape[:2], halves[0], 2, halves[1], 2, halves[2], 2).amax((3, 5, 7))
        padded = nn.functional.pad(maps, (1,) * 6)
        # (B, C, D, H, W, 3, 3, 3): what each place and its neighbours hold
        around = padded.unfold(2, 3, 1).unfold(3, 3, 1).unfold(4, 3, 1)
        maps = torch.einsum("bcxyzijk,ocijk->boxyz", around, weight)
        mean, scale = norm.running_mean, norm.weight / (norm.running_var + norm.eps).sqrt()
        maps = (maps - mean.view(-1, 1, 1, 1)) * scale.view(-1, 1, 1, 1) + norm.bias.view(-1, 1, 1, 1)
        maps = maps.clamp(min=0)
    slow = maps.mean((2, 3, 4)) @ network.classify.weight.T + network.classify.bias
    torch.testing.assert_close(network(shapes), slow)


def test_the_voxel_network_begins_with_the_spread_of_he_et_al():
    torch.manual_seed(0)
    weight = VoxelCNN().conv3.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 27)), rel=0.02)


def test_the_voxel_network_trains_in_the_order_of_memory_that_is_the_faster_one():
    network = VoxelCNN(1, 5, width=4)
    seen = []
    network.conv2.register_forward_hook(lambda module, _, output: seen.append(output))
    logits = network(torch.rand(2, 1, 16, 16, 16))
    assert logits.shape == (2, 5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last_3d)
    logits.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
