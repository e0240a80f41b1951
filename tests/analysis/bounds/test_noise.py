import math

import pytest
import torch

from analysis.bounds import (
    Encoded,
    aggregate_variance,
    gaussian_marginal,
    infonce,
    rate,
    relative_to_prior,
    sample_codes,
    with_noise,
)
from analysis.ground_truth import linear_gaussian
from analysis.mutual_info.sentences import certified_profile, profile_conclusions
from analysis.mutual_info.table import summarise
from store import BadInput
from tests.cases import rows_of
from vae.posterior import DiagonalGaussian


def noised_information(d: int, information: float, level: float) -> float:
    """Closed form for q(z) = N(0, I) and noise of level² times the identity."""
    variance = math.exp(-2 * information / d)
    return 0.5 * d * math.log((1 + level**2) / (variance + level**2))


@pytest.mark.parametrize("level", [0.5, 1.0, 2.0])
def test_the_bounds_hold_for_the_noised_channel(level):
    truth = noised_information(16, 12.0, level)
    lower, upper = [], []
    for seed in range(10):
        q = with_noise(linear_gaussian(800, 16, 12.0, seed), level)
        lower.append(infonce(Encoded(q, sample_codes(q, seed))).value)
        upper.append(gaussian_marginal(q).value)
    for values, sign in ((lower, 1), (upper, -1)):
        values = torch.tensor(values)
        assert sign * (float(values.mean()) - truth) < 4.5 * float(values.std()) / math.sqrt(10)
    assert sum(upper) / 10 == pytest.approx(truth, abs=0.1)


def test_noise_is_a_sum_of_variables():
    q = linear_gaussian(100_000, 2, 3.0, 1)
    variance = torch.tensor([0.5, 2.0], dtype=torch.float64)
    added = q.sample(torch.Generator().manual_seed(1)) + 1.5 * variance.sqrt() * torch.randn(
        100_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    residual = (added - q.mean).square().mean(0)
    expected = with_noise(q, 1.5, variance).log_var.exp()[0]
    assert ((residual / expected - 1).abs() < 5 * math.sqrt(2 / 100_000)).all()


def test_no_noise_is_no_change():
    q = linear_gaussian(50, 3, 2.0, 1)
    torch.testing.assert_close(with_noise(q, 0.0, aggregate_variance(q)).log_var, q.log_var)
    with pytest.raises(BadInput, match="level: got -1"):
        with_noise(q, -1)


def test_the_aggregate_variance_is_that_of_the_codes():
    q = linear_gaussian(200_000, 3, 2.0, 1, scale=2.0, shift=1.0)
    torch.testing.assert_close(aggregate_variance(q), sample_codes(q).var(0), rtol=0.02, atol=0)


def test_the_rate_with_noise_is_the_kl_to_the_noised_prior():
    q = linear_gaussian(40, 3, 2.0, 1, shift=0.3)
    variance = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    noisy, prior = with_noise(q, 0.7, variance), (1 + 0.49 * variance).sqrt()
    slow = torch.distributions.kl_divergence(
        torch.distributions.Normal(noisy.mean, (0.5 * noisy.log_var).exp()),
        torch.distributions.Normal(torch.zeros(3).double(), prior),
    ).sum(1)
    assert rate(relative_to_prior(q, 0.7, variance)).value == pytest.approx(float(slow.mean()))


def profile(values: dict[float, dict[str, tuple[float, float, float]]], spread: float = 0.01):
    rows = []
    for level, numbers in values.items():
        rows += [row | {"noise": level or None} for row in rows_of(numbers, spread=spread)]
    return summarise(rows)


def test_bounds_are_compared_at_the_same_noise():
    table = profile(
        {
            0.0: {"none": (80, 70.0, 9.2), "mixup": (60, 50.0, 9.2)},
            1.0: {"none": (6, 5.1, 5.0), "mixup": (5, 4.0, 3.9)},
            2.0: {"none": (3, 2.5, 1.0), "mixup": (3, 2.4, 0.9)},
        }
    )
    assert certified_profile(table) == {0.0: [], 1.0: [("none", "mixup")], 2.0: []}
    text = profile_conclusions(table)
    assert "at s = 1, baseline above MixUp" in text
    assert "orders the noised codes, not the encoders" in text


def test_every_code_collapses_under_noise():
    q = linear_gaussian(500, 4, 6.0, 1)
    values = [gaussian_marginal(with_noise(q, level)).value for level in (0.0, 0.5, 1.0, 2.0, 8.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.1
    assert isinstance(with_noise(q, 1.0), DiagonalGaussian)
