"""Every estimator at the edges of what `check_posterior` accepts: finite numbers, or a line that names a dimension."""

import math

import pytest
import torch

from analysis.bounds import (
    Bound,
    Encoded,
    EncodedPair,
    bounds_of,
    decompose,
    gap,
    product_marginal,
    profile,
    profile_of_pair,
    rate,
    sample_codes,
    with_noise,
)
from analysis.bounds.encoded import LARGEST, SPACINGS, SPAN, check_spacing
from analysis.bounds.estimators import ESTIMATORS, SHARED, names_of, unasked
from store import BadInput
from vae.posterior import DiagonalGaussian

N = 24
KINDS = ("same", "two points", "normal", "one far")
"""Of means: all alike; ±1 in every dimension at once, so that their covariance is singular; normal; one image apart."""


def extreme(kind: str, scale: float, log_var: float, spread: float, d: int = 3) -> DiagonalGaussian:
    """Means of a kind times ``scale``, log-variances from ``log_var`` to ``log_var + spread`` over the images."""
    stream = torch.Generator().manual_seed(1)
    sign = torch.where(torch.arange(N) % 2 == 0, 1.0, -1.0).double()[:, None].expand(N, d)
    normal = torch.randn(N, d, dtype=torch.float64, generator=stream)
    far = torch.zeros(N, d, dtype=torch.float64)
    far[0, -1] = 1.0
    means = {"same": torch.ones(N, d, dtype=torch.float64), "two points": sign, "normal": normal, "one far": far}[kind]
    steps = torch.linspace(0, 1, N, dtype=torch.float64)[torch.randperm(N, generator=stream), None]
    return DiagonalGaussian(scale * means, log_var + spread * steps.expand(N, d))


GRID = [
    (scale, log_var, spread)
    for scale in (0.0, 1.0, 1e9, 1e108)
    for log_var in (-500.0, -360.0, -75.0, -36.0, 0.0, 36.0, 360.0)
    for spread in (0.0, 140.0)
]


def finite(bound: Bound) -> bool:
    row = bound.row()
    return math.isfinite(row["value"]) and math.isfinite(row["standard_error"]) and len(repr(bound)) < 200


def outcome(compute, *arguments, **named) -> list[Bound]:
    """Bounds, all finite; or none, where a dimension of the posterior or the level of the noise was refused."""
    refused, found = "", []
    try:
        found = compute(*arguments, **named)
    except BadInput as mistake:
        refused = str(mistake)
    assert not refused or "in dimension" in refused or refused.startswith("level: got"), refused
    assert not refused.startswith("codes"), refused
    assert all(finite(bound) for bound in found), found
    return found


def _noised(q: DiagonalGaussian, level: float) -> list[Bound]:
    found, rows = profile(Encoded(q), ("rate", "gaussian_marginal"), noise=(level,))
    assert all(math.isfinite(row["value"]) and math.isfinite(row["standard_error"]) for row in rows)
    return found


def _fitted(q: DiagonalGaussian, fit: DiagonalGaussian) -> list[Bound]:
    return bounds_of(Encoded(q, fit=fit), unasked())


def _paired(a: DiagonalGaussian, b: DiagonalGaussian, estimators: tuple[str, ...] = names_of(SHARED)) -> list[Bound]:
    upper = [ESTIMATORS["rate"].compute(each) for each in (a, b)] if len(a) == len(b) else []
    return bounds_of(EncodedPair(a, b, upper), estimators)


def _decomposed(q: DiagonalGaussian) -> list[Bound]:
    assert all(math.isfinite(row["value"]) for row in decompose(q).rows())
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_every_estimator_is_finite_or_names_a_dimension(kind):
    computed = 0
    for case in GRID:
        q = extreme(kind, *case)
        closed = outcome(bounds_of, q, names_of(keep=lambda each: each.closed_form))
        found = outcome(bounds_of, q, unasked())
        # what has no codes to represent is refused for its range alone
        assert closed or not found
        computed += len(found) == len(unasked())
        for level in (0.5, 1e200):
            outcome(lambda s, q=q: _noised(q, s), level)
        outcome(_decomposed, q)
    assert computed >= len(GRID) // 4


@pytest.mark.parametrize("kind", KINDS)
def test_other_images_to_fit_on_may_be_as_extreme(kind):
    for case, other in zip(GRID, GRID[7:] + GRID[:7], strict=True):
        outcome(_fitted, extreme(kind, *case), extreme("normal", *other))


@pytest.mark.parametrize("kind", KINDS)
def test_so_is_every_estimator_of_a_pair(kind):
    for case, other in zip(GRID, GRID[7:] + GRID[:7], strict=True):
        outcome(_paired, extreme(kind, *case), extreme("normal", *other), names_of(SHARED))


@pytest.mark.parametrize("kind", KINDS)
def test_so_is_the_fitted_mixture(kind):
    for case in GRID[::4]:
        outcome(bounds_of, extreme(kind, *case), ("mixture_marginal",))


def test_the_edges_themselves_are_accepted():
    # ½ (m² + v − log v − 1), at the largest mean and the largest and smallest variances
    for mean, log_var in ((0.0, LARGEST), (0.0, -LARGEST), (1e108, SPAN - LARGEST)):
        q = DiagonalGaussian(torch.full((4, 1), mean, dtype=torch.float64), torch.full((4, 1), float(log_var)).double())
        expected = 0.5 * (mean**2 + math.exp(log_var) - log_var - 1)
        assert rate(q).value == pytest.approx(expected, rel=1e-12)
        assert rate(q).standard_error == pytest.approx(0, abs=1e-9 * expected)


def test_a_variance_of_e_to_the_360_has_a_rate():
    torch.manual_seed(0)
    q = DiagonalGaussian(torch.randn(100, 2).double(), torch.full((100, 2), 360.0).double())
    (found,) = bounds_of(q, ("rate",))
    assert found.value == pytest.approx(math.exp(360), rel=1e-12)
    assert "e+156 ± " in repr(found)


@pytest.mark.parametrize(("mean", "log_var"), [(1.0, -75.0), (1e9, -36.0)])
def test_what_cannot_be_represented_is_named(mean, log_var):
    means, log_vars = torch.zeros(50, 3).double(), torch.zeros(50, 3).double()
    means[7, 2], log_vars[7, 2] = mean, log_var
    q = DiagonalGaussian(means, log_vars)
    for estimators in (("infonce",), ("product_marginal",), unasked()):
        with pytest.raises(BadInput, match=r"^posterior: got a standard deviation of .* in dimension 2 \(image 7\)"):
            bounds_of(q, estimators)
    with pytest.raises(BadInput, match=r"^--posterior-b: got a standard deviation of .* in dimension 2 \(image 7\)"):
        _paired(DiagonalGaussian(torch.zeros_like(means), torch.zeros_like(means)), q)
    # the bounds in closed form need no code
    assert all(finite(bound) for bound in bounds_of(q, ("rate", "gaussian_marginal")))
    # and noise makes the codes representable again
    assert all(finite(bound) for bound in bounds_of(with_noise(q, 1.0), unasked()))


def test_a_code_that_is_just_representable_shows_its_noise():
    spacing = 2.0**-52  # of float64 from 1 to 2
    for factor, accepted in ((1.01, True), (0.99, False)):
        log_var = 2 * math.log(factor * SPACINGS * spacing)
        q = DiagonalGaussian(torch.full((5000, 2), 1.0).double(), torch.full((5000, 2), log_var).double())
        if accepted:
            # 10,000 squares know their mean to 1.4%
            residual = float(((sample_codes(q) - q.mean).square() * math.exp(-log_var)).mean())
            assert residual == pytest.approx(1, abs=0.06)
        else:
            with pytest.raises(BadInput, match=r"of the spacing 2\.2e-16"):
                check_spacing(q)


def test_far_codes_of_narrow_posteriors_lose_no_digits():
    # the same code moved by 10⁶ standard deviations times 10⁶: the one-dimensional bound must not notice
    torch.manual_seed(0)
    near = DiagonalGaussian(torch.randn(400, 2).double() * 1e-6, torch.full((400, 2), -28.0).double())
    noise = (sample_codes(near) - near.mean) * math.exp(14)
    far = DiagonalGaussian(near.mean + 1.0, near.log_var)
    codes = far.mean + noise * math.exp(-14)
    assert product_marginal(Encoded(far, codes)).value == pytest.approx(
        product_marginal(Encoded(near, near.mean + noise * math.exp(-14))).value, abs=1e-4
    )


@pytest.mark.parametrize(
    ("mean", "log_var", "words"),
    [
        (1e200, 0.0, "mean: got 1e[+]200 in dimension 1; needs at most e.250"),
        (0.0, 501.0, "log_var: got values from 0 to 501, in dimension 1"),
        (1e100, -300.0, "posterior: got a mean or standard deviation of 1e[+]100 beside .* in dimension 1"),
    ],
)
def test_beyond_the_range_the_dimension_is_named(mean, log_var, words):
    means, log_vars = torch.zeros(50, 3).double(), torch.zeros(50, 3).double()
    means[7, 1], log_vars[7, 1] = mean, log_var
    with pytest.raises(BadInput, match=words):
        rate(DiagonalGaussian(means, log_vars))


def test_too_much_noise_is_blamed_on_its_level():
    q = extreme("normal", 1.0, 0.0, 0.0)
    for level in (1e120, 1e200, math.inf, math.nan):
        with pytest.raises(BadInput, match="level: got"):
            with_noise(q, level)


def test_the_noise_of_drawn_codes_is_nobodys_mistake():
    # with two numbers a chance correlation of the noise is common, and was refused for codes that nobody gave
    for n, d in ((2, 1), (3, 1), (2, 2)):
        for seed in range(40):
            q = DiagonalGaussian(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), torch.zeros(n, d))
            assert all(finite(bound) for bound in _paired(q, q, ("three_term_gaussian",)))


def test_pairs_and_gaps_have_rows_there_too():
    a, b = extreme("normal", 1.0, 360.0, 0.0), extreme("normal", 1e9, 0.0, 20.0)
    _, rows = profile_of_pair(EncodedPair(a, b), noise=(1.0,))
    assert all(math.isfinite(row["value"]) and math.isfinite(row["standard_error"]) for row in rows)
    assert finite(gap(*bounds_of(a, ("rate", "gaussian_marginal"))))
