import pytest
import torch

from vae import VAE
from vae.encode import encode


def a_vae(shape=(3, 32, 32), **settings) -> VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VAE(shape, torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.25), **settings)


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


def test_the_reference_network_is_the_published_one():
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


def test_log_variances_stay_in_their_bound():
    vae = a_vae(log_var_bound=10.0)
    torch.nn.init.normal_(vae.log_var_head.weight, std=100)
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() <= 10
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() > 9
    vae.log_var_bound = None
    assert vae.encode(torch.randn(4, 3, 32, 32)).log_var.abs().max() > 10


def test_every_parameter_gets_a_finite_gradient():
    vae = a_vae((1, 28, 28))
    for head in (vae.mean_head, vae.log_var_head):
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
    for head in (vae.mean_head, vae.log_var_head):
        torch.nn.init.normal_(head.weight, std=0.1)
    images = torch.randint(0, 256, (1203, 1, 16, 16), dtype=torch.uint8)
    together, alone = encode(vae, images), encode(vae, images[1200:1201])
    torch.testing.assert_close(together.mean[1200:1201], alone.mean, atol=1e-5, rtol=1e-4)
    assert together.mean.dtype == torch.float64
