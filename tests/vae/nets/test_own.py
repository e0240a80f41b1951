"""The residual VAE: it starts as the linear one, and learns what that lacks."""

import pytest
import torch

from tasks import DataOptions, load
from training import generator
from vae.curve import negative_elbo
from vae.encode import encode, load_vae
from vae.linear import fit_linear
from vae.nets import ResidualVAE, vae_of
from vae.nets.own import LINEAR_RATE, _from_patches, _in_patches
from vae.train import Settings, normalisation, train, vae_run

SIZES = [
    (1, 8, 8), (1, 12, 9), (1, 15, 40), (1, 16, 16), (1, 28, 28), (3, 16, 19), (1, 33, 47),
    (1, 8, 8, 8), (2, 9, 12, 10), (1, 16, 16, 16), (1, 17, 16, 20),
]  # fmt: skip


def a_vae(shape, **settings) -> ResidualVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = {"width": 4, "hidden": 8, "latents": 5} | settings
        return ResidualVAE(shape, torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.25), **settings)


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


@pytest.mark.parametrize("shape", SIZES)
def test_it_starts_as_the_linear_vae(shape):
    images = torch.randn(60, *shape, generator=torch.Generator().manual_seed(0)).cumsum(-1) / 2
    linear = fit_linear([images], 5, 1.0)
    vae = a_vae(shape)
    vae.start(lambda: linear)
    found, expected = encode(vae, images), linear.encode(images)
    assert torch.allclose(found.mean, expected.mean, atol=1e-4)
    assert torch.allclose(found.log_var, expected.log_var, atol=1e-3)
    codes = torch.randn(7, 5)
    assert torch.allclose(vae.decode(codes).double(), linear.decode(codes.double()), atol=1e-4)


@pytest.mark.parametrize("shape", SIZES)
def test_every_pixel_and_every_latent_is_reached_by_the_network(shape):
    vae = a_vae(shape)
    for last in (vae.heads, vae.to_pixels):
        torch.nn.init.normal_(last.weight)
    for linear in (vae.linear_mean, vae.linear_decoder):
        torch.nn.init.zeros_(linear.weight)
    posterior = vae.encode(torch.randn(9, *shape))
    assert (posterior.mean.var(0) > 0).all()
    assert (posterior.log_var.var(0) > 0).all()
    assert (vae.decode(torch.randn(9, 5)).var(0) > 0).all()


def test_log_variances_are_bounded():
    vae = a_vae((1, 8, 8), log_var_bound=10.0)
    torch.nn.init.constant_(vae.linear_log_var, 1e6)
    assert vae.encode(torch.zeros(1, 1, 8, 8)).log_var.max().item() == pytest.approx(10.0)


def test_narrow_posteriors_are_within_the_bound_that_follows_the_decoder_scale(digits):
    images = torch.randn(500, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 3
    for scale, needed in ((1.0, 10.0), (0.01, 10 + 2 * 4.605)):
        bound = Settings(decoder_scale=scale).resolved(digits)["log_var_bound"]
        assert bound == pytest.approx(needed, abs=0.01)
        linear = fit_linear([images], 5, scale)
        vae = a_vae((1, 8, 8), log_var_bound=bound)
        vae.start(lambda linear=linear: linear)
        assert torch.allclose(encode(vae, images[:9]).log_var, linear.encode(images[:9]).log_var, atol=1e-3)
    free = a_vae((1, 8, 8), log_var_bound=None)
    free.start(lambda: linear)
    assert torch.allclose(encode(free, images[:9]).log_var, linear.encode(images[:9]).log_var, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_it_gets_below_the_linear_vae_on_images_it_has_not_seen(digits, options, scale):
    settings = Settings(epochs=15, width=16, hidden=32, decoder_scale=scale)
    run = train(digits, "none", 1, settings, options)
    vae, latents = load_vae(run, torch.device("cpu")), run.identity["config"]["latents"]
    own = settings.pipeline("none", digits, vae.enter)
    held_out = own.each_once(digits.test.inputs, generator("cpu", 1, "curve"), 2000)
    linear = fit_linear(own.draws(digits.train.inputs, generator("cpu", 1, "linear"), 20_000), latents, scale)
    excess = negative_elbo(vae, held_out, 1)[0] - linear.negative_elbo(held_out)
    assert float(excess.mean()) < -0.5 / scale
    # at the start it is the linear VAE, but for the noise of the codes
    first, expected = run.result()["curve"][0]["negative_elbo"], float(linear.negative_elbo(held_out).mean())
    assert first == pytest.approx(expected, rel=0.03)


def test_it_starts_from_the_linear_vae_of_its_own_inputs(digits, options):
    settings = Settings(width=4, hidden=8, epochs=1, learning_rate=1e-12)
    images = torch.eye(64).view(64, 1, 8, 8)
    kept = {}
    for name in ("none", "mixup"):
        run = train(digits, name, 1, settings, options)
        vae = load_vae(run, torch.device("cpu"))
        own = settings.pipeline(name, digits, vae.enter)
        linear = fit_linear(own.draws(digits.train.inputs, generator("cpu", 1, "linear start"), 50_000), 16, 1.0)
        assert torch.allclose(encode(vae, images).log_var, linear.encode(images).log_var, atol=1e-3)
        # eigenvectors of nearly equal eigenvalues may turn, the image of a code's mean does not
        made = vae.decode(vae.encode(images).mean).detach().double()
        assert torch.allclose(made, linear.decode(linear.encode(images).mean), atol=0.02)
        kept[name] = float(linear.eigenvalues.sum())
    assert kept["mixup"] < 0.8 * kept["none"]


def test_its_learning_rate_rises_and_falls_and_is_smaller_for_the_linear_maps(digits, options, monkeypatch):
    vae = a_vae((1, 8, 8))
    assert [vae.schedule(share) for share in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    groups = vae.parameter_groups()
    assert sum(each.numel() for group in groups for each in group["params"]) == sum(
        each.numel() for each in vae.parameters()
    )
    seen = []
    step = torch.optim.Adam.step

    def noted(self, *arguments, **named):
        seen.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    train(digits, "none", 1, Settings(epochs=1, width=4, hidden=8), options)
    steps = len(digits.train) // 64
    assert [first for first, _ in seen] == pytest.approx([2e-3 * vae.schedule(n / steps) for n in range(steps)])
    assert all(second == pytest.approx(LINEAR_RATE * first) for first, second in seen)


def test_a_runs_network_is_the_one_of_its_preset(digits, options):
    for preset, name in (("default", "ResidualVAE"), ("reference", "ReferenceVAE")):
        config = vae_run(digits, "none", 1, Settings(preset=preset), options).identity["config"]
        assert type(vae_of(config, *normalisation(digits, config))).__name__ == name


def test_patches_of_volumes_are_cut_as_those_of_images():
    volumes = torch.arange(2 * 3 * 4 * 6 * 8.0).view(2, 3, 4, 6, 8)
    patches = _in_patches(volumes, 2)
    for item, channel, depth, row, column in ((0, 0, 0, 0, 0), (1, 2, 3, 5, 7), (1, 1, 2, 3, 4), (0, 2, 1, 4, 1)):
        inside = (channel, depth % 2, row % 2, column % 2)
        number = sum(place * size for place, size in zip(inside, (8, 4, 2, 1), strict=True))
        place = patches[item, number, depth // 2, row // 2, column // 2]
        assert place == volumes[item, channel, depth, row, column]
    assert torch.equal(_from_patches(patches, 2), volumes)
    # of volumes that are the same at all depths, those of an image, over and over
    image = torch.randn(1, 3, 8, 8)
    deep = _in_patches(image[:, :, None].expand(-1, -1, 4, -1, -1).contiguous(), 4).view(1, 3, 4, 16, 1, 2, 2)
    flat = torch.nn.functional.pixel_unshuffle(image, 4).view(1, 3, 1, 16, 1, 2, 2)
    assert torch.equal(deep, flat.expand_as(deep))
