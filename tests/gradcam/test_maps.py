"""Maps against a re-implementation in ten lines, and sums against their definition."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from classifiers import PreActResNet
from classifiers.load import Classifier
from gradcam.maps import check_layer, grad_cam, normalised, sums
from store import BadInput


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    network = PreActResNet(3, 5, width=4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics that are not those of a new network
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return Classifier(network, torch.full((3,), 0.5), torch.full((3,), 0.25), 5).eval()


@pytest.fixture
def batch():
    stream = torch.Generator().manual_seed(0)
    return torch.rand(6, 3, 16, 16, generator=stream), torch.randint(5, (6,), generator=stream)


def slow(classifier, layer, x, classes):
    """Selvaraju et al. 2017, equations 1 and 2 without the ReLU, one image at a time."""
    maps = []
    for image, number in zip(x, classes, strict=True):
        kept = []
        handle = layer.register_forward_hook(lambda _m, _i, output, kept=kept: kept.append(output))
        logit = classifier(image[None])[0, number]
        handle.remove()
        (gradient,) = torch.autograd.grad(logit, kept[0])
        cam = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True)
        maps.append(interpolate(cam, size=x.shape[2:], mode="bilinear", align_corners=False)[0, 0].detach())
    return torch.stack(maps)


@pytest.mark.parametrize("name", ["conv1", "stage1.0", "stage2.1.conv2", "stage4.1", "norm"])
def test_batched_maps_are_the_definitions_one_by_one(classifier, batch, name):
    x, classes = batch
    layer = check_layer(classifier, name, x[:2])
    found = grad_cam(classifier, layer, x, classes)
    assert found.shape == (6, 16, 16)
    assert not found.requires_grad
    torch.testing.assert_close(found, slow(classifier, layer, x, classes), rtol=1e-4, atol=1e-6)


def test_parameters_without_gradients_will_do(classifier, batch):
    x, classes = batch
    expected = grad_cam(classifier, classifier.layer("stage1.0"), x, classes)
    frozen = classifier.requires_grad_(False)
    torch.testing.assert_close(grad_cam(frozen, frozen.layer("stage1.0"), x, classes), expected)


def test_a_closed_form():
    # one channel, one convolution of weight w, mean pooling: the map is w · x times the class's weight over pixels
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2))
    network[0].weight.data.fill_(2.0)
    network[3].weight.data.copy_(torch.tensor([[1.0], [-3.0]]))
    classifier = Classifier(network, torch.zeros(1), torch.ones(1), 2).eval()
    x = torch.rand(4, 1, 6, 6)
    for number, weight in ((0, 1.0), (1, -3.0)):
        found = grad_cam(classifier, classifier.layer("0"), x, torch.full((4,), number))
        torch.testing.assert_close(found, weight / 36 * 2 * x[:, 0])


def test_sums():
    maps = torch.tensor([[[1.0, 2.0], [-4.0, 0.0]], [[-1.0, -2.0], [0.0, -3.0]]])
    found = sums(maps)
    assert found[0, 0] == 1.5  # (1 + 2) / 2
    assert math.isnan(found[0, 1])  # no positive part
    assert found[1].tolist() == [3, 0]
    assert found[2].tolist() == [-1, -6]
    assert normalised(maps)[1].abs().sum() == 0
    torch.testing.assert_close(sums(7 * maps)[0, 0], found[0, 0])  # free of scale
    torch.testing.assert_close(sums(7 * maps)[1:], 7 * found[1:])


class InPlace(nn.Module):
    def __init__(self, inplace: bool):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=inplace)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean((2, 3)))


class Twice(InPlace):
    def forward(self, x):
        return self.head(self.act(self.conv(self.conv(x)[:, :3])).mean((2, 3)))


def test_layers_that_will_not_do(batch):
    x, _ = batch

    def check(network, name):
        return check_layer(Classifier(network, torch.zeros(3), torch.ones(3), 5).eval(), name, x)

    check(InPlace(False), "conv")
    check(InPlace(True), "act")
    with pytest.raises(BadInput, match="--layers: got conv, whose output is changed in place"):
        check(InPlace(True), "conv")
    with pytest.raises(BadInput, match=r"--layers: got head, whose output is \(6, 5\)"):
        check(InPlace(False), "head")
    with pytest.raises(BadInput, match="--layers: got conv, used 2 times"):
        check(Twice(False), "conv")
    with pytest.raises(BadInput, match="--layers: got 'conv9'; needs a layer of the network: conv, act, head"):
        check(InPlace(False), "conv9")


def test_memory_does_not_grow_with_batches(classifier, batch):
    # nothing that a batch made is alive when the next one is
    import gc

    x, classes = batch
    layer = classifier.layer("stage1.0")

    def alive() -> int:
        grad_cam(classifier, layer, x, classes)
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    counts = [alive() for _ in range(12)]
    assert counts[-1] == counts[2]
    assert not layer._forward_hooks
    assert not layer._forward_pre_hooks
