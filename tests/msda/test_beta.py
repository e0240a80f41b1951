"""Draws and laws of the mixing weight against scipy."""

import math

import pytest
import torch
from scipy import stats

from msda.beta import beta_cdf, beta_quantile, sample_beta, transfer_beta

ALPHAS = [0.01, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 20.0, 1000.0]


@pytest.mark.parametrize(("a", "b"), [(0.2, 0.2), (1.0, 1.0), (2.0, 2.0), (2.0, 1.0), (1.2, 0.2), (50.0, 3.0)])
def test_draws_follow_their_law(a, b):
    # Kolmogorov-Smirnov; a right law fails at a fresh seed once in 10^4
    drawn = sample_beta(20_000, a, b, generator=torch.Generator().manual_seed(3))
    assert drawn.shape == (20_000,)
    assert stats.kstest(drawn.numpy(), stats.beta(a, b).cdf).pvalue > 1e-4


@pytest.mark.parametrize("a", [1e-4, 1e-2, 1e6])
def test_draws_stay_finite_at_extreme_shapes(a):
    drawn = sample_beta(10_000, a, a, generator=torch.Generator().manual_seed(0))
    assert drawn.isfinite().all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert abs(drawn.mean() - 0.5) < 4 * 0.5 / math.sqrt(10_000)


def test_draws_repeat_with_the_generator_and_with_the_global_one():
    one = sample_beta(5, 0.3, 0.3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(one, sample_beta(5, 0.3, 0.3, generator=torch.Generator().manual_seed(1)))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert torch.equal(one, sample_beta(5, 0.3, 0.3))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_cdf_and_quantile_match_scipy(alpha):
    tail = torch.logspace(-12, -0.31, 100, dtype=torch.float64)
    x = torch.cat([tail, torch.linspace(0, 1, 101, dtype=torch.float64), 1 - tail])
    law = stats.beta(alpha, alpha)
    torch.testing.assert_close(beta_cdf(x, alpha), torch.tensor(law.cdf(x.numpy())), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(beta_quantile(x, alpha), torch.tensor(law.ppf(x.numpy())), rtol=1e-9, atol=1e-10)


def test_cdf_of_the_arcsine_law_is_exact():
    x = torch.logspace(-12, -0.31, 100, dtype=torch.float64)
    torch.testing.assert_close(beta_cdf(x, 0.5), 2 / math.pi * x.sqrt().asin(), rtol=1e-13, atol=0)


def test_quantile_keeps_far_tails():
    probability = torch.logspace(-300, -0.31, 200, dtype=torch.float64)
    for alpha in (2.0, 20.0, 1000.0):
        back = beta_cdf(beta_quantile(probability, alpha), alpha)
        torch.testing.assert_close(back, probability, rtol=1e-9, atol=0)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("target", [0.1, 1.0, 8.0])
def test_transfer_is_the_composition_and_is_symmetric(alpha, target):
    weight = torch.linspace(0, 1, 41, dtype=torch.float64)
    moved = transfer_beta(weight, alpha, target)
    expected = stats.beta(target, target).ppf(stats.beta(alpha, alpha).cdf(weight.numpy()))
    torch.testing.assert_close(moved, torch.tensor(expected), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(moved + moved.flip(0), torch.ones_like(moved))
    assert moved[[0, 20, 40]].tolist() == pytest.approx([0, 0.5, 1])
    assert transfer_beta(weight.float(), alpha, target).dtype == torch.float32
