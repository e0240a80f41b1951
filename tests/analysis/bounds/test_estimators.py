"""The bounds against encoders whose information is known.

Error rates: a mean over 20 replicates is allowed 4.5 of its own standard errors on the wrong side. With 19 degrees of
freedom that is exceeded with probability 1.2e-4 by a bound that is exactly tight, and the seeds are fixed.
"""

import math
from dataclasses import replace

import pytest
import torch

from analysis.bounds import (
    Bound,
    Encoded,
    combine,
    gaussian_marginal,
    index_code,
    infonce,
    infonce_controlled,
    leave_one_out,
    mean_of,
    product_marginal,
    rate,
    sample_codes,
)
from analysis.bounds.estimators import ESTIMATORS, unasked
from analysis.bounds.gaussian import aggregate
from analysis.bounds.product import ROUNDING, log_marginals
from analysis.ground_truth import heteroscedastic, heteroscedastic_information, linear_gaussian
from store import BadInput
from vae.posterior import DiagonalGaussian

TRUTHS = [(d, i) for d in (2, 16, 64) for i in (1.0, 3.0, 6.0, 9.0, 20.0)] + [(64, 70.0)]


def every_bound(posterior: DiagonalGaussian, seed: int) -> dict[str, Bound]:
    encoded = Encoded(posterior, sample_codes(posterior, seed))
    found = [product_marginal(encoded, k=500) if name == "product_marginal" else ESTIMATORS[name].compute(encoded)
             for name in unasked()]  # fmt: skip
    return {bound.estimator: bound for bound in found}


def check_sides(replicates: list[dict[str, Bound]], truth: float) -> dict[str, tuple[float, float]]:
    """Assert that no bound is on the wrong side; return mean and the spread over replicates of each."""
    summary = {}
    for name in replicates[0]:
        values = torch.tensor([found[name].value for found in replicates])
        spread = float(values.std())
        wrong = (truth - values.mean()) if replicates[0][name].direction == "upper" else (values.mean() - truth)
        assert wrong <= 4.5 * spread / math.sqrt(len(values)) + 1e-9, (name, float(values.mean()), truth)
        summary[name] = (float(values.mean()), spread)
    return summary


def check_errors(replicates: list[dict[str, Bound]], low: float, high: float) -> None:
    """Assert that reported standard errors are the spread over replicates, where nothing is saturated."""
    for name in replicates[0]:
        if name == "index_code" or any(found[name].saturated for found in replicates):
            continue  # index_code's error is over codes alone
        spread = torch.tensor([found[name].value for found in replicates]).std()
        reported = torch.tensor([found[name].standard_error for found in replicates]).mean()
        assert low < reported / spread < high, (name, float(reported / spread))


@pytest.mark.parametrize(("d", "information"), TRUTHS)
def test_no_bound_is_on_the_wrong_side_of_a_linear_gaussian_encoder(d, information):
    replicates = [every_bound(linear_gaussian(600, d, information, seed), seed) for seed in range(20)]
    check_sides(replicates, information)
    # the spread of 20 replicates is itself known to 16% (one standard deviation): 4 of them, six estimators
    check_errors(replicates, 0.6, 1.9)


@pytest.mark.endurance
@pytest.mark.parametrize(("d", "information"), TRUTHS)
def test_at_the_size_of_a_test_set(d, information):
    torch.set_num_threads(2)
    replicates = [every_bound(linear_gaussian(10_000, d, information, seed), seed) for seed in range(20)]
    summary = check_sides(replicates, information)
    assert abs(summary["gaussian_marginal"][0] - information) < 0.1
    check_errors(replicates, 0.6, 1.9)


@pytest.mark.parametrize(("d", "information"), TRUTHS)
def test_the_gaussian_marginal_is_within_a_tenth_of_a_nat(d, information):
    # five replicates know the mean to 0.02 nats; 20 are in `make endurance`
    values = [gaussian_marginal(linear_gaussian(10_000, d, information, seed)).value for seed in range(5)]
    assert abs(sum(values) / 5 - information) < 0.1


def test_reported_errors_are_the_spread_over_many_replicates():
    # 200 replicates know the spread to 5%: 0.9 to 1.2 is two and four of those away
    replicates = [every_bound(linear_gaussian(300, 8, 2.5, seed), seed) for seed in range(200)]
    check_errors(replicates, 0.9, 1.2)


@pytest.mark.parametrize(
    ("information", "lower", "upper"), [(3.0, 2.966, 2.991), (9.0, 7.63, 9.67), (20.0, 9.20, 26.5), (70.0, 9.21, 253.6)]
)
def test_the_reference_table_is_reproduced(information, lower, upper):
    found = every_bound(linear_gaussian(10_000, 64, information, 1), 1)
    for name, expected in (("infonce", lower), ("leave_one_out", upper), ("rate", information)):
        # five standard errors, and half a unit of the last digit given
        assert abs(found[name].value - expected) < 5 * found[name].standard_error + 0.05, name
    assert found["infonce"].saturated == found["leave_one_out"].saturated == (information > 10)
    assert found["infonce"].cap == math.log(10_000)


@pytest.mark.parametrize(("s", "truth"), [(0, 70.00), (1, 18.78), (2, 6.255), (3, 2.975), (4, 1.716)])
def test_the_noise_profile_is_reproduced(s, truth):
    q = linear_gaussian(2000, 64, 70.0, 1)
    noisy = DiagonalGaussian(q.mean, (q.log_var.exp() + s**2).log())
    found = every_bound(noisy, 1)
    closed = 32 * math.log1p((1 - math.exp(-140 / 64)) / (math.exp(-140 / 64) + s**2))
    assert closed == pytest.approx(truth, abs=0.005)
    assert found["gaussian_marginal"].value == pytest.approx(truth, abs=5 * found["gaussian_marginal"].standard_error)
    assert found["infonce"].value < truth + 5 * found["infonce"].standard_error
    assert found["leave_one_out"].value > truth - 5 * found["leave_one_out"].standard_error


def test_a_shifted_code_raises_the_rate_and_not_the_marginal_bound():
    rates, marginals = zip(
        *[
            (rate(q).value, gaussian_marginal(q).value)
            for q in (linear_gaussian(10_000, 64, 40.0, 1, shift=shift) for shift in (0.0, 0.3))
        ],
        strict=True,
    )
    assert rates[1] - rates[0] == pytest.approx(0.5 * 64 * 0.3**2, abs=0.3)  # 5 standard errors of the mean shift
    assert marginals[1] == pytest.approx(marginals[0], abs=1e-6)


def test_correlated_codes():
    replicates = [every_bound(linear_gaussian(600, 8, 6.0, seed, correlation=0.6), seed) for seed in range(20)]
    summary = check_sides(replicates, 6.0)
    assert summary["gaussian_marginal"][0] < 6.3
    assert summary["product_marginal"][0] > 7.0  # the total correlation is lost
    # along the principal axes, fixed beforehand, nothing is
    axes = torch.linalg.eigh(torch.full((8, 8), 0.6).double().fill_diagonal_(1.0)).eigenvectors.T
    rotated = []
    for seed in range(20):
        q = linear_gaussian(600, 8, 6.0, seed, correlation=0.6)
        rotated.append({"product_marginal": product_marginal(Encoded(q, sample_codes(q, seed)), rotation=axes)})
    assert check_sides(rotated, 6.0)["product_marginal"][0] < 6.3


def test_heteroscedastic_posteriors():
    truth = heteroscedastic_information(2)
    replicates = [every_bound(heteroscedastic(1500, 2, seed), seed) for seed in range(20)]
    summary = check_sides(replicates, truth)
    assert summary["infonce"][0] == pytest.approx(truth, abs=0.05)
    assert summary["product_marginal"][0] == pytest.approx(truth, abs=0.05)
    assert summary["gaussian_marginal"][0] > truth + 0.1  # q(z) has three peaks


def test_collapsed_dimensions_cost_nothing():
    q = linear_gaussian(2000, 4, 3.0, 1)
    padded = DiagonalGaussian(
        torch.cat([q.mean, torch.zeros(2000, 60).double()], 1),
        torch.cat([q.log_var, torch.zeros(2000, 60).double()], 1),
    )
    assert gaussian_marginal(padded).value == pytest.approx(gaussian_marginal(q).value, abs=1e-3)
    found = every_bound(padded, 1)
    assert found["infonce"].value <= 3.0 + 5 * found["infonce"].standard_error
    assert found["product_marginal"].value >= 3.0 - 5 * found["product_marginal"].standard_error


def test_a_fully_collapsed_code_carries_nothing():
    flat = DiagonalGaussian(torch.zeros(200, 8), torch.zeros(200, 8))
    for name, bound in every_bound(flat, 1).items():
        assert bound.value == pytest.approx(0, abs=1e-6), name
        assert bound.standard_error == pytest.approx(0, abs=1e-6), name
        assert not bound.saturated


def test_duplicate_images_cap_the_index_code_at_the_number_of_distinct_ones():
    one = linear_gaussian(50, 16, 40.0, 1)
    q = DiagonalGaussian(one.mean.repeat(4, 1), one.log_var.repeat(4, 1))
    assert index_code(q).value == pytest.approx(math.log(50), abs=1e-6)
    assert infonce(q).cap == math.log(200)
    assert math.isfinite(leave_one_out(q).value)
    assert math.isfinite(gaussian_marginal(q).value)


def test_few_images_in_many_dimensions():
    replicates = [every_bound(linear_gaussian(360, 64, 20.0, seed), seed) for seed in range(20)]
    summary = check_sides(replicates, 20.0)
    assert summary["gaussian_marginal"][0] < 20.5  # shrunk: an unshrunk covariance costs more than 6 nats here


def test_the_marginal_fitted_on_other_images_is_the_closed_form():
    scored, fit = linear_gaussian(300, 5, 4.0, 1), linear_gaussian(500, 5, 4.0, 2, correlation=0.3)
    mean, covariance = aggregate(fit)
    normal = torch.distributions.MultivariateNormal(mean, covariance)
    values = [
        torch.distributions.kl_divergence(torch.distributions.MultivariateNormal(m, torch.diag(lv.exp())), normal)
        for m, lv in zip(scored.mean, scored.log_var, strict=True)
    ]
    assert gaussian_marginal(Encoded(scored, fit=fit)).value == pytest.approx(
        float(torch.stack(values).mean()), rel=1e-9
    )


def test_the_aggregate_covariance_is_the_moments_when_there_are_many_images():
    q = linear_gaussian(50_000, 6, 4.0, 1, correlation=0.5)
    mean, covariance = aggregate(q)
    torch.testing.assert_close(mean, q.mean.mean(0))
    torch.testing.assert_close(covariance, q.mean.T.cov() + torch.diag(q.log_var.exp().mean(0)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("estimator", [infonce, leave_one_out])
def test_the_jackknife_is_the_recomputation_without_each_image(estimator):
    q = linear_gaussian(60, 3, 2.5, 1)
    codes = sample_codes(q)
    without = []
    for k in range(60):
        rest = torch.arange(60) != k
        without.append(estimator(Encoded(q[rest]).drawn(codes[rest])).value)
    left = torch.tensor(without, dtype=torch.float64)
    expected = math.sqrt(59 / 60 * float((left - left.mean()).square().sum()))
    assert estimator(Encoded(q, codes)).standard_error == pytest.approx(expected, rel=5e-3)


def test_the_control_variate_changes_the_error_and_not_the_mean():
    # 100 replicates: the mean difference is allowed 4.5 of its own standard errors (P < 1e-5)
    plain, controlled = [], []
    for seed in range(100):
        q = linear_gaussian(400, 16, 3.0, seed, correlation=0.2)
        encoded = Encoded(q, sample_codes(q, seed), linear_gaussian(2000, 16, 3.0, 999, correlation=0.2))
        plain.append(infonce(encoded))
        controlled.append(infonce_controlled(encoded))
    values = torch.tensor([[each.value for each in one] for one in (plain, controlled)])
    difference = values[1] - values[0]
    assert abs(difference.mean()) < 4.5 * difference.std() / 10
    assert values[1].std() < values[0].std() / 2
    # and it knows its smaller error: 100 replicates know the spread to 7%, so this is four of those
    reported = torch.tensor([each.standard_error for each in controlled]).mean()
    assert 0.75 < reported / values[1].std() < 1.35
    assert {each.cap for each in controlled} == {None}


def test_the_control_variate_is_used_by_its_rule():
    for information, used in ((2.0, True), (5.0, False), (30.0, False)):
        q = linear_gaussian(500, 16, information, 1)
        plain, controlled = infonce(q), infonce_controlled(q)
        assert (plain.value < math.log(500) - 2) == used
        assert (controlled.value != plain.value) == (controlled.cap is None) == used
        assert controlled.saturated == plain.saturated


def test_the_error_of_a_sum_is_that_of_its_influences():
    q = linear_gaussian(300, 4, 2.0, 1)
    values = q.kl_to_standard_normal()
    one = rate(q)
    nothing = combine("rate_gap", [(1.0, one), (-1.0, one)], "estimate", "nothing")
    assert nothing.value == nothing.standard_error == 0
    twice = combine("rate_gap", [(2.0, one)], "upper", "twice", cap=9.0)
    assert twice.standard_error == pytest.approx(2 * float(values.std()) / math.sqrt(300))
    assert (twice.cap, twice.n, twice.quantity) == (9.0, 300, "twice")
    assert combine("rate_gap", [(1.0, one), (1.0, infonce(q))], "estimate", "").k == 300
    with pytest.raises(ValueError, match="the same images"):
        combine("rate_gap", [(1.0, one), (1.0, rate(q[:200]))], "estimate", "")
    with pytest.raises(ValueError, match="the same images"):
        combine("rate_gap", [(1.0, index_code(q))], "estimate", "")


@pytest.mark.parametrize("estimator", [rate, gaussian_marginal, product_marginal, infonce, leave_one_out])
def test_influences_are_about_zero_and_give_the_error(estimator):
    bound = estimator(linear_gaussian(300, 4, 2.0, 1))
    assert bound.influence.shape == (300,)
    # the product marginal's is of first order
    assert abs(float(bound.influence.mean())) < 1e-3
    expected = float(bound.influence.std()) / math.sqrt(300)
    assert bound.standard_error == pytest.approx(expected, rel=1e-6)


def test_small_groups_give_the_same_bound_a_lower_cap():
    q = linear_gaussian(1200, 8, 2.0, 1)
    whole, parts = infonce(q), infonce(q, k=100)
    assert parts.cap == math.log(100)
    assert (parts.n, parts.k) == (1200, 100)
    assert abs(whole.value - parts.value) < 5 * parts.standard_error + 0.05
    assert leave_one_out(q, k=100).value >= 2.0 - 5 * parts.standard_error


def test_the_order_of_images_does_not_matter():
    q = linear_gaussian(500, 4, 3.0, 1)
    by_class = q[q.mean[:, 0].argsort()]
    # sorted images must not end up in folds and groups of their own
    assert gaussian_marginal(by_class).value == pytest.approx(gaussian_marginal(q).value, abs=0.02)
    assert product_marginal(by_class, k=100).value == pytest.approx(product_marginal(q, k=100).value, abs=0.3)


def test_codes_do_not_repeat_a_users_own_small_seed():
    torch.manual_seed(0)
    mean = torch.randn(2000, 4, dtype=torch.float64)
    q = DiagonalGaussian(mean, torch.zeros_like(mean))
    noise = sample_codes(q, 0) - mean
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), mean.flatten()]))[0, 1]) < 0.06


BAD = {
    "NaN": (lambda m, v: (m.masked_fill(m == m.max(), math.nan), v), "mean: got 1 NaN or infinite values"),
    "infinite": (lambda m, v: (m, v.masked_fill(v == v.max(), math.inf)), "log_var: got .* NaN or infinite values"),
    "no noise": (lambda m, v: (m, v - math.inf), r"log_var: got -inf \(a variance of zero\)"),
    "hardly noise": (lambda m, v: (m, v - 900), "log_var: got values from -9"),
    "shapes": (lambda m, v: (m, v[:, :1]), r"posterior: got mean \(50, 3\) and log_var \(50, 1\)"),
    "one image": (lambda m, v: (m[:1], v[:1]), r"posterior: got arrays \(1, 3\); needs at least 2 images"),
    "one array": (lambda m, v: (m[0], v[0]), "posterior: got"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(
    "estimator",
    [rate, gaussian_marginal, product_marginal, infonce, infonce_controlled, leave_one_out, index_code],
)
def test_bad_posteriors_are_refused(name, estimator):
    q = linear_gaussian(50, 3, 2.0, 1)
    spoil, words = BAD[name]
    with pytest.raises(BadInput, match=words):
        estimator(DiagonalGaussian(*spoil(q.mean, q.log_var)))


def test_codes_that_do_not_fit_are_refused():
    q = linear_gaussian(5000, 16, 80.0, 1)
    small = DiagonalGaussian(1e4 * q.mean, q.log_var - 12)
    rounded = sample_codes(small).float()  # the rounding of float32 at 10⁴ is as large as the noise
    for codes, words in (
        (q.mean, "codes: got mean squared residual 0 "),
        (sample_codes(q)[:100], r"codes: got shape \(100, 16\)"),
        (sample_codes(q).flip(0), "codes: got mean squared residual"),
        (torch.full_like(q.mean, math.nan), "codes: got NaN"),
    ):
        with pytest.raises(BadInput, match=words):
            infonce(Encoded(q, codes))
    with pytest.raises(BadInput, match="codes: got mean squared residual"):
        infonce(Encoded(small, rounded))
    infonce(Encoded(q[:500], sample_codes(q[:500])))


def test_two_images_are_enough():
    for name, bound in every_bound(linear_gaussian(2, 2, 1.0, 1), 1).items():
        assert math.isfinite(bound.value), name
        assert math.isfinite(bound.standard_error), name


def test_a_bound_shows_itself():
    bound = Bound("infonce", 2.25, 0.0312, "lower", math.log(360), False, 360, 360)
    assert repr(bound) == "I(Z;X) ≥ 2.250 ± 0.031 nats (InfoNCE, n = 360, cap 5.89)"
    assert bound._repr_html_() == f"<span>{bound!r}</span>"


def largest_share(influence: torch.Tensor) -> float:
    squares = [(float(x) - float(influence.mean())) ** 2 for x in influence]
    return max(squares) / sum(squares)


@pytest.mark.parametrize(("name", "low", "high"), [("exponential", 0, 7), ("pareto", 90, 100)])
def test_heavy_tails_are_told_from_light_ones(name, low, high):
    # expected of 100 replicates: 0.3 exponential ones flagged (8 or more: 1e-9), 98 Pareto ones (below 90: 1e-5)
    torch.manual_seed(0)
    uniform = 1 - torch.rand(100, 2000, dtype=torch.float64)
    values = -uniform.log() if name == "exponential" else uniform ** (-1 / 1.5)
    found = [mean_of("rate", each) for each in values]
    flagged = [bound.heavy_tailed for bound in found]
    assert low <= sum(flagged) <= high
    limit = 3 * math.log(2000) ** 2 / 2000
    assert flagged == [largest_share(each) > limit for each in values]


def test_a_heavy_tail_is_said_wherever_the_number_goes():
    values = torch.zeros(500, dtype=torch.float64)
    values[7] = 100.0
    heavy, light = mean_of("rate", values), mean_of("rate", torch.arange(500.0, dtype=torch.float64))
    assert heavy.row()["heavy_tailed"] is True
    assert light.row()["heavy_tailed"] is False
    assert "heavy-tailed: its error is too small" in repr(heavy)
    assert "heavy" not in repr(light)
    # a sum has the tail of its own influences: what is subtracted cancels, what is small is lost
    both = [combine("rate_gap", [(1.0, heavy), (weight, light)], "lower", "") for weight in (0.001, -1.0)]
    assert [bound.heavy_tailed for bound in both] == [True, False]
    assert combine("rate_gap", [(1.0, heavy), (-1.0, heavy)], "lower", "").heavy_tailed is False
    assert replace(heavy, influence=None).heavy_tailed is None
    assert mean_of("rate", values[:40]).heavy_tailed is None  # so few that one image may well have most of it


def test_rounding_is_no_heavy_tail():
    values = torch.full((500,), 7.6, dtype=torch.float64)
    values[3] = 7.6 + 1e-15
    assert mean_of("rate", values).heavy_tailed is False


def infonce_per_dimension(posterior: DiagonalGaussian, codes: torch.Tensor) -> list[float]:
    each = zip(posterior.mean.T, posterior.log_var.T, codes.T, strict=True)
    return [
        infonce(Encoded(DiagonalGaussian(mean[:, None], log_var[:, None]), z[:, None])).value
        for mean, log_var, z in each
    ]


def definition_of_log_marginals(codes, mean, variance):
    """(n, d) and (n,), from the formulas, in float64."""
    n = len(codes)
    logs = -0.5 * ((codes[:, None] - mean).square() / variance + (2 * math.pi * variance).log())
    logs[torch.arange(n), torch.arange(n)] = -math.inf
    return logs.logsumexp(1) - math.log(n - 1), -logs.softmax(1).sum((0, 2))


@pytest.mark.parametrize("information", [0.5, 8.0, 40.0, 120.0])
def test_single_precision_moves_a_marginal_by_less_than_it_says(information):
    posterior = linear_gaussian(400, 8, information, 3)
    codes = sample_codes(posterior)
    arguments = codes, posterior.mean, posterior.log_var.exp()
    found, without = log_marginals(*arguments)
    expected, expected_without = definition_of_log_marginals(*arguments)
    assert float((found - expected).abs().max()) < ROUNDING
    assert float((found - expected).sum(1).mean().abs()) < ROUNDING / 10
    assert without == pytest.approx(expected_without, abs=1e-3)


def test_codes_far_from_all_others_go_by_double_precision():
    # 5 and 40 standard deviations out: exp(-800) is no float32, nor is its logarithm's derivative
    posterior = DiagonalGaussian(torch.zeros(300, 2).double(), torch.zeros(300, 2).double())
    codes = torch.randn(300, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    codes[0, 0], codes[1, 1] = 40.0, -5.0
    arguments = codes, posterior.mean, posterior.log_var.exp()
    found, without = log_marginals(*arguments)
    expected, expected_without = definition_of_log_marginals(*arguments)
    assert found == pytest.approx(expected, abs=1e-4)
    assert float(found[0, 0]) == pytest.approx(-800 - 0.5 * math.log(2 * math.pi))
    assert without == pytest.approx(expected_without, abs=1e-3)


@pytest.mark.parametrize("log_var", [-400.0, 400.0])
def test_the_unit_of_codes_does_not_matter_to_single_precision(log_var):
    small = linear_gaussian(200, 3, 4.0, 0)
    factor = math.exp(log_var / 2)
    codes = sample_codes(small)
    one, _ = log_marginals(codes, small.mean, small.log_var.exp())
    other, _ = log_marginals(codes * factor, small.mean * factor, (small.log_var + log_var).exp())
    assert other + log_var / 2 == pytest.approx(one, abs=1e-4)


def test_a_product_marginal_is_saturated_where_a_dimension_is():
    # one dimension of 4 to 8 nats beside one of 1, at log N = 6.4: flagged as the largest InfoNCE of one dimension does
    flags = []
    for information in (4.0, 4.8, 5.4, 6.0, 8.0):
        parts = linear_gaussian(600, 1, information, 1), linear_gaussian(600, 1, 1.0, 2)
        posterior = DiagonalGaussian(*(torch.cat([getattr(q, name) for q in parts], 1) for name in ("mean", "log_var")))
        codes = sample_codes(posterior)
        found = product_marginal(Encoded(posterior, codes))
        assert found.saturated == (max(infonce_per_dimension(posterior, codes)) > math.log(600) - 1)
        flags.append(found.saturated)
    assert flags == sorted(flags)
    assert {True, False} == set(flags)


def test_a_vacuous_product_marginal_says_so():
    # means on the line, 12.5 nats a dimension: leave-one-out compares with images that are nowhere near
    posterior = DiagonalGaussian(torch.randn(400, 8, dtype=torch.float64), torch.full((400, 8), -25.0).double())
    found = product_marginal(posterior)
    assert found.value > 1e5
    assert found.saturated
    assert product_marginal(linear_gaussian(400, 64, 70.0, 1)).saturated is False  # the sum is above log N, no part is


def test_a_rotated_product_marginal_is_saturated_in_its_own_coordinates():
    # one narrow and one wide dimension; along the diagonals the noise is the mean of both, and nothing is narrow
    log_var = torch.tensor([[-15.0, -1.0]], dtype=torch.float64).repeat(600, 1)
    posterior = DiagonalGaussian(torch.randn(600, 2, dtype=torch.float64), log_var)
    diagonals = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / math.sqrt(2)
    assert product_marginal(posterior).saturated
    assert not product_marginal(posterior, rotation=diagonals).saturated
