"""The residual VAE: it starts as the linear one, and learns what that lacks."""

from dataclasses import replace

import pytest
import torch

from store import BadInput
from training import DataOptions, load
from vae.curve import inputs_like_its_own, negative_elbo
from vae.encode import encode, load_vae
from vae.linear import fit_linear
from vae.model import vae_of
from vae.residual import ResidualVAE
from vae.train import LINEAR_RATE, Settings, linear_start, normalisation, train, vae_run, warm_up_and_cosine

SIZES = [(1, 8, 8), (1, 12, 9), (1, 15, 40), (1, 16, 16), (1, 28, 28), (3, 32, 32), (3, 33, 47)]


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
    vae.start_from(linear)
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


def test_it_gets_below_the_linear_vae_on_images_it_has_not_seen(digits, options):
    settings = Settings(network="residual", epochs=15, width=16, hidden=32)
    run = train(digits, "none", 1, settings, options)
    vae, config = load_vae(run, torch.device("cpu")), run.identity["config"]
    inputs = inputs_like_its_own(vae, digits.test_images, settings.mixer("none"), config, 1)
    linear = linear_start(vae, digits, settings.mixer("none"), config, 1)
    excess = negative_elbo(vae, inputs, 1.0, 1)[0] - linear.negative_elbo(inputs)
    assert float(excess.mean()) < -0.5
    # at the start it is the linear VAE, but for the noise of the codes
    curve = run.result()["curve"]
    assert curve[0]["negative_elbo"] == pytest.approx(float(linear.negative_elbo(inputs).mean()), abs=0.3)


def test_it_starts_from_the_linear_vae_of_its_own_inputs(digits, options):
    settings = Settings(network="residual", width=4, hidden=8)
    config = vae_run(digits, "mixup", 1, settings, options).identity["config"]
    vae = vae_of(config, *normalisation(digits, config))
    variances = {
        name: float(linear_start(vae, digits, settings.mixer(name), config, 1).eigenvalues.sum())
        for name in ("none", "mixup")
    }
    assert variances["mixup"] == pytest.approx(2 / 3 * variances["none"], rel=0.03)


def test_its_learning_rate_rises_and_falls_and_is_smaller_for_the_linear_maps(digits, options, monkeypatch):
    assert [warm_up_and_cosine(share) for share in (0.0, 0.05, 0.1, 0.55, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    seen = []
    step = torch.optim.Adam.step

    def noted(self, *arguments, **named):
        seen.append([group["lr"] for group in self.param_groups])
        return step(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    train(digits, "none", 1, Settings(network="residual", epochs=1, width=4, hidden=8), options)
    steps = len(digits.train_images) // 64
    assert [first for first, _ in seen] == pytest.approx([2e-3 * warm_up_and_cosine(n / steps) for n in range(steps)])
    assert all(second == pytest.approx(LINEAR_RATE * first) for first, second in seen)


def test_the_network_is_part_of_a_runs_identity_and_of_no_older_run(digits, options):
    ours = vae_run(digits, "none", 1, Settings(), options)
    assert "network" not in ours.identity["config"]
    assert vae_run(digits, "none", 1, Settings(network="residual"), options).hash != ours.hash
    with pytest.raises(BadInput, match="--network: got residual; needs none beside --preset reference"):
        replace(Settings(preset="reference"), network="residual")
