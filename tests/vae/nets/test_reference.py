import pytest
import torch

from vae.encode import encode
from vae.nets import ReferenceVAE


def a_vae(shape=(3, 32, 32), **settings) -> ReferenceVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ReferenceVAE(shape, torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.25), **settings)


@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 12, 9), (1, 15, 40), (1, 16, 16), (1, 28, 28), (3, 32, 32), (3, 33, 47), (1, 64, 64)]
)
def test_any_size_from_8_up_goes_in_and_out(shape):
    vae = a_vae(shape, width=4, hidden=16, latents=5)
    images = torch.randn(3, *shape)
    posterior = vae.encode(images)
    assert posterior.mean.shape == posterior.log_var.shape == (3, 5)
    assert vae.decode(posterior.sample()).shape == images.shape


def test_the_untrained_code_is_the_prior():
    assert a_vae().encode(torch.randn(2, 3, 32, 32)).kl_to_standard_normal().abs().max() == 0


def test_the_encoder_is_the_published_one():
    vae = a_vae()
    convolutions = [layer for layer in vae.features if isinstance(layer, torch.nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == [
        (3, 32),
        (32, 32),
        (32, 64),
        (64, 64),
    ]
    assert {(layer.kernel_size, layer.stride) for layer in convolutions} == {((4, 4), (2, 2))}
    assert vae.mean_head.weight.shape == (64, 256)


def test_the_decoder_is_the_published_one_step_by_step():
    vae = a_vae().eval()
    linear = [layer for layer in vae.decoder if isinstance(layer, torch.nn.Linear)]
    convolutions = [layer for layer in vae.decoder if isinstance(layer, torch.nn.Conv2d)]
    norms = [layer for layer in vae.decoder if isinstance(layer, torch.nn.BatchNorm2d)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(256, 64), (256, 256)]
    assert [layer.out_channels for layer in convolutions] == [64, 32, 32, 3]
    for norm in norms:
        torch.nn.init.normal_(norm.running_mean)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    codes = torch.randn(2, 64)
    x = codes
    for layer in linear:
        x = (x @ layer.weight.T + layer.bias).relu()
    x = x.view(2, 64, 2, 2)
    for stage, (side, layer) in enumerate(zip((5, 9, 17, 33), convolutions, strict=True)):
        x = torch.nn.Upsample(size=side, mode="bilinear")(x)
        x = torch.nn.functional.conv2d(x, layer.weight.contiguous(), layer.bias, padding=1)
        assert x.shape[-1] == side - 1
        if stage < 3:
            x = x.relu()
            mean, var = norms[stage].running_mean[:, None, None], norms[stage].running_var[:, None, None]
            x = (x - mean) / (var + 1e-5).sqrt()
    torch.testing.assert_close(vae.decode(codes), x, atol=1e-4, rtol=1e-4)


def test_the_second_head_is_the_log_standard_deviation_and_free():
    images = torch.randn(2, 3, 32, 32)
    vae = a_vae()
    torch.nn.init.constant_(vae.log_scale_head.bias, 30.0)
    assert torch.equal(vae.encode(images).log_var, torch.full((2, 64), 60.0))


def test_the_convolutions_start_from_xavier_normal():
    weights = [layer.weight.detach() for layer in a_vae().modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(weights) == 8
    for weight in weights:
        outputs, inputs = weight.shape[:2]
        expected = (2 / ((inputs + outputs) * 16)) ** 0.5
        # the standard deviation of n normal numbers is known to 1/√(2n); 5 of those, for 8 layers
        assert abs(weight.std() / expected - 1) < 5 / (2 * weight.numel()) ** 0.5


def test_log_variances_stay_in_their_bound():
    vae = a_vae(log_var_bound=10.0)
    torch.nn.init.normal_(vae.log_scale_head.weight, std=100)
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() <= 10
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() > 9
    vae.log_var_bound = None
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() > 10


def test_every_parameter_gets_a_finite_gradient():
    vae = a_vae((1, 28, 28))
    for head in (vae.mean_head, vae.log_scale_head):
        torch.nn.init.normal_(head.weight, std=0.1)
    images = torch.randn(4, 1, 28, 28)
    posterior = vae.encode(images)
    loss = (vae.decode(posterior.sample()) - images).square().sum() + posterior.kl_to_standard_normal().sum()
    loss.backward()
    for name, parameter in vae.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_an_images_posterior_does_not_depend_on_its_batch():
    vae = a_vae((1, 16, 16), width=4).eval()
    for head in (vae.mean_head, vae.log_scale_head):
        torch.nn.init.normal_(head.weight, std=0.1)
    images = torch.randint(0, 256, (1203, 1, 16, 16), dtype=torch.uint8)
    together, alone = encode(vae, images), encode(vae, images[1200:1201])
    torch.testing.assert_close(together.mean[1200:1201], alone.mean, atol=1e-5, rtol=1e-4)
    assert together.mean.dtype == torch.float64


def test_the_learning_rate_drops_as_published():
    assert [a_vae().schedule(epoch / 100) for epoch in (0, 39, 40, 79, 80, 99)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )
