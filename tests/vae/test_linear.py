"""The linear VAE, in closed form, against definitions and against what it must not be beaten by."""

import math

import pytest
import torch

from msda import MixUp
from store import BadInput
from vae.linear import LinearVAE, draws_of, fit_linear, linear_vae, moments, snapshots

SCALE = 0.7


def images_of(count: int, seed: int = 0, pixels: int = 12) -> torch.Tensor:
    """Correlated Gaussian images of 1×3×4, with a mean, in float64."""
    stream = torch.Generator().manual_seed(seed)
    root = torch.randn(pixels, pixels, generator=torch.Generator().manual_seed(99), dtype=torch.float64) * 0.6
    values = torch.randn(count, pixels, generator=stream, dtype=torch.float64) @ root + torch.arange(pixels) * 0.3
    return values.view(count, 1, 3, 4)


@pytest.fixture(scope="module")
def images():
    return images_of(4000)


@pytest.fixture(scope="module")
def linear(images):
    return fit_linear(images.split(300), 5, SCALE)


def test_moments_are_those_of_all_images_at_once(images):
    found = moments((images + 50).float().split(300))  # far from zero: single precision would cancel
    assert found.count == 4000
    torch.testing.assert_close(found.mean, (images + 50).flatten(1).mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.covariance, images.flatten(1).T.cov(correction=0), atol=1e-3, rtol=1e-4)
    with pytest.raises(BadInput, match="none"):
        moments([])


def test_the_rate_is_half_the_logarithms_of_the_eigenvalues(images, linear):
    on = linear.eigenvalues > SCALE**2
    assert on.sum() > 0
    expected = 0.5 * (linear.eigenvalues[on] / SCALE**2).log().sum()
    torch.testing.assert_close(linear.encode(images).kl_to_standard_normal().mean(), expected, rtol=1e-6, atol=0)


def test_axes_that_are_off_are_the_prior(images):
    linear = fit_linear([images], 12, 1.5)
    off = linear.eigenvalues <= 1.5**2
    assert 0 < off.sum() < 12
    posterior = linear.encode(images)
    assert (posterior.mean[:, off] == 0).all()
    assert (posterior.log_var[:, off] == 0).all()
    collapsed = fit_linear([images], 3, 100.0)
    assert (collapsed.encode(images).kl_to_standard_normal() == 0).all()
    torch.testing.assert_close(collapsed.decode(torch.randn(2, 3).double()), images.mean(0).expand(2, -1, -1, -1))


def test_the_expected_squared_error_is_that_of_many_codes(linear):
    some = images_of(20, seed=1)
    posterior = linear.encode(some)
    total = torch.zeros(20, dtype=torch.float64)
    for seed in range(4000):
        total += (
            (linear.decode(posterior.sample(torch.Generator().manual_seed(seed))) - some).square().flatten(1).sum(1)
        )
    torch.testing.assert_close(linear.squared_error(some), total / 4000, rtol=0.03, atol=0.05)


def test_the_elbo_is_the_likelihood_where_the_encoder_is_the_exact_posterior(images, linear):
    # the linear VAE's posterior is exact, so that its ELBO is probabilistic PCA's log-likelihood of every image
    weights = linear.axes.T * (linear.eigenvalues - SCALE**2).clamp(min=0).sqrt()
    model = torch.distributions.MultivariateNormal(
        linear.centre, weights @ weights.T + SCALE**2 * torch.eye(12, dtype=torch.float64)
    )
    constant = 12 * (math.log(SCALE) + 0.5 * math.log(2 * math.pi))
    expected = -model.log_prob(images.flatten(1)) - constant
    torch.testing.assert_close(linear.negative_elbo(images), expected, rtol=1e-6, atol=1e-6)


def test_no_other_linear_vae_has_a_lower_elbo_on_the_same_images(images, linear):
    best = linear.negative_elbo(images).mean()
    stream = torch.Generator().manual_seed(3)
    for _ in range(40):
        turned = torch.linalg.qr(
            linear.axes.T + 0.1 * torch.randn(12, 5, generator=stream, dtype=torch.float64)
        )[0].T  # fmt: skip
        values = linear.eigenvalues * (1 + 0.2 * torch.rand(5, generator=stream, dtype=torch.float64))
        shifted = linear.centre + 0.05 * torch.randn(12, generator=stream, dtype=torch.float64)
        for other in (
            LinearVAE(linear.centre, turned, linear.eigenvalues, SCALE, linear.shape),
            LinearVAE(linear.centre, linear.axes, values, SCALE, linear.shape),
            LinearVAE(shifted, linear.axes, linear.eigenvalues, SCALE, linear.shape),
        ):
            assert other.negative_elbo(images).mean() > best


def test_two_scales_from_the_same_moments(images):
    found = moments([images])
    one, other = linear_vae(found, 5, 1.0), linear_vae(found, 5, 0.3)
    torch.testing.assert_close(one.axes, other.axes)
    assert other.encode(images).kl_to_standard_normal().mean() > one.encode(images).kl_to_standard_normal().mean() + 2
    assert other.squared_error(images).mean() < one.squared_error(images).mean()


def test_more_latents_than_pixels_and_fewer_images_than_latents(images):
    wide = fit_linear([images], 20, SCALE)
    assert wide.encode(images).mean.shape == (4000, 20)
    assert (wide.encode(images).mean[:, 12:] == 0).all()
    few = fit_linear([images[:3]], 5, 0.01)
    assert int((few.eigenvalues > 1e-9).sum()) == 2  # three images span two directions
    torch.testing.assert_close(few.decode(few.encode(images[:3]).mean), images[:3], atol=0.01, rtol=0.01)


def test_mixups_inputs_have_two_thirds_of_the_covariance():
    # Var(λ x + (1 − λ) y) = E[λ² + (1 − λ)²] Var x, and λ is uniform at α = 1
    clean = images_of(60_000, seed=5)
    mixed = MixUp(alpha=1.0)(clean, generator=torch.Generator().manual_seed(6)).images
    ratio = moments([mixed]).covariance.trace() / moments([clean]).covariance.trace()
    assert float(ratio) == pytest.approx(2 / 3, abs=0.012)  # four standard errors


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 3, 2, 5)])
def test_the_gram_matrix_gives_the_axes_of_the_covariance(shape):
    stream = torch.Generator().manual_seed(0)
    pixels = math.prod(shape)
    draws = torch.randn(9, pixels, generator=stream) @ torch.randn(pixels, pixels, generator=stream) + 3
    draws = draws.view(9, *shape)  # fewer than there are pixels
    one, other = linear_vae(moments([draws]), 6, SCALE), snapshots(draws, 6, SCALE)
    assert other.shape == shape
    torch.testing.assert_close(one.centre, other.centre, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.eigenvalues, other.eigenvalues, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close((one.axes @ other.axes.T).abs(), torch.eye(6, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(one.negative_elbo(draws), other.negative_elbo(draws), rtol=1e-4, atol=1e-3)


def test_of_few_draws_what_they_do_not_span_is_the_prior():
    draws = torch.randn(4, 1, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    linear = snapshots(draws, 6, 0.01)
    assert int((linear.eigenvalues > 0).sum()) == 3  # about their mean, four draws span three directions
    assert (linear.encode(draws).mean[:, 3:] == 0).all()
    torch.testing.assert_close(linear.decode(linear.encode(draws).mean).float(), draws, atol=0.01, rtol=0.01)


def test_large_inputs_take_the_gram_matrix_and_others_the_covariance(monkeypatch):
    def refused(*_):
        raise AssertionError("the covariance of large inputs")

    large, few = torch.randn(20, 1, 14, 14, 14), torch.randn(20, 1, 4, 4, 4)
    fit_linear(few.split(7), 3, 1.0)
    monkeypatch.setattr("vae.linear.moments", refused)
    linear = fit_linear(large.split(7), 3, 1.0)
    assert linear.axes.shape == (3, 14**3)
    with pytest.raises(AssertionError, match="covariance"):
        fit_linear(few.split(7), 3, 1.0)
    # images of the sizes that networks in stores were started from keep their covariance
    assert [draws_of(shape, 50_000) for shape in ((3, 64, 64), (1, 12, 12, 12))] == [50_000, 50_000]
    assert [draws_of(shape, 50_000) for shape in ((3, 96, 96), (1, 32, 32, 32))] == [4_000, 4_000]
    with pytest.raises(BadInput, match="none"):
        fit_linear([], 3, 1.0)
