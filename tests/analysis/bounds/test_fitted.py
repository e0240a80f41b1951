"""The fitted marginals against encoders whose information is known.

Error rates: seeds are fixed. A mean over 20 replicates is allowed 4.5 of its own standard errors on the wrong side,
which a bound that is exactly tight exceeds with probability 1.2e-4 (19 degrees of freedom). Single bounds are allowed
4.5 of the standard errors that they report: 3.4e-6.
"""

import functools
import math
import sys

import pytest
import torch

from analysis.bounds import (
    Bound,
    Encoded,
    combine,
    flow,
    flow_marginal,
    gaussian_marginal,
    mixture_marginal,
    sample_codes,
)
from analysis.bounds import mixture as mixtures
from analysis.bounds.gaussian import aggregate
from analysis.ground_truth import (
    heteroscedastic,
    heteroscedastic_information,
    linear_gaussian,
    mixture,
    mixture_information,
)
from store import BadInput
from vae.posterior import DiagonalGaussian

REPLICATES = range(1, 21)


def linear(n: int, seed: int) -> DiagonalGaussian:
    return linear_gaussian(n, 3, 2.0, seed)


def peaks(n: int, seed: int) -> DiagonalGaussian:
    return heteroscedastic(n, 2, seed)


SAMPLERS = {"linear": linear, "heteroscedastic": peaks, "mixture": mixture}


def truth_of(task: str) -> tuple[float, float]:
    """I(Z;X) and its standard error."""
    known = {"linear": lambda: (2.0, 0.0), "heteroscedastic": lambda: (heteroscedastic_information(2), 0.0)}
    return known.get(task, mixture_information)()


def gain(posterior: DiagonalGaussian, found: Bound, fit: DiagonalGaussian | None) -> Bound:
    """How much tighter than R_m, with the standard error of the difference."""
    return combine(
        "rate_gap", [(1.0, gaussian_marginal(Encoded(posterior, fit=fit))), (-1.0, found)], "estimate", "gain"
    )


@pytest.fixture(scope="module")
def _one_thread_for_all():
    """As for single tests: what is computed once for several comes before their own fixture."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def replicates(_one_thread_for_all) -> dict[str, list[tuple[DiagonalGaussian, Bound]]]:
    """Mixture marginals of 500 images each, both halves fitted."""
    found = {}
    for task, components in (("linear", (1, 2)), ("heteroscedastic", (1, 9)), ("mixture", (1, 6))):
        posteriors = [SAMPLERS[task](500, seed) for seed in REPLICATES]
        found[task] = [(q, mixture_marginal(Encoded(q, sample_codes(q, seed)), components=components))
                       for seed, q in zip(REPLICATES, posteriors, strict=True)]  # fmt: skip
    return found


@pytest.mark.parametrize("task", SAMPLERS)
def test_the_mixture_is_never_below_the_truth(replicates, task):
    truth, error = truth_of(task)
    values = torch.tensor([found.value for _, found in replicates[task]])
    assert values.mean() >= truth - 4.5 * math.hypot(float(values.std()) / math.sqrt(len(values)), error)


@pytest.mark.parametrize("task", SAMPLERS)
def test_its_reported_error_is_the_spread_over_replicates(replicates, task):
    # the spread of 20 replicates is known to 16% (one standard deviation): four of them, as in test_estimators
    spread = torch.tensor([found.value for _, found in replicates[task]]).std()
    reported = torch.tensor([found.standard_error for _, found in replicates[task]]).mean()
    assert 0.6 < reported / spread < 1.9


@pytest.mark.parametrize(("task", "slack"), [("linear", 0.05), ("heteroscedastic", 0.15), ("mixture", 0.15)])
def test_halves_of_500_images_come_near_the_truth(replicates, task, slack):
    # p parameters from 250 images cost about p/500 nats: 9, 53 and 89 of them; the mean of 20 is known to 0.015 nats
    values = torch.tensor([found.value for _, found in replicates[task]])
    assert values.mean() < truth_of(task)[0] + slack


@pytest.mark.parametrize("task", ["heteroscedastic", "mixture"])
def test_the_mixture_is_tighter_than_the_gaussian_in_every_replicate(replicates, task):
    for posterior, found in replicates[task]:
        difference = gain(posterior, found, None)
        assert difference.value > 5 * difference.standard_error


def test_the_mixture_fitted_on_other_images_is_within_three_hundredths_of_the_truth():
    truth, error = mixture_information()
    fit = mixture(2000, 100)
    found = [mixture_marginal(Encoded(mixture(5000, seed), fit=fit), components=(1, 6)) for seed in range(3)]
    mean = sum(bound.value for bound in found) / 3
    # 15,000 images know the mean to 0.010 nats
    noise = math.hypot(*(bound.standard_error for bound in found)) / 3
    assert truth - 4.5 * math.hypot(noise, error) <= mean <= truth + 0.03 + 2 * noise


@pytest.fixture(scope="module")
def flows(_one_thread_for_all) -> dict[str, tuple[DiagonalGaussian, DiagonalGaussian, Bound]]:
    """Scored posterior, fitted posterior and flow marginal of each task."""
    pytest.importorskip("zuko")
    found = {}
    for task, sampler in SAMPLERS.items():
        scored, fit = sampler(2000, 1), sampler(2000, 2)
        found[task] = (scored, fit, flow_marginal(Encoded(scored, fit=fit), epochs=8))
    return found


@pytest.mark.parametrize("task", SAMPLERS)
def test_the_flow_is_never_below_the_truth(flows, task):
    truth, error = truth_of(task)
    _, _, found = flows[task]
    assert found.value >= truth - 4.5 * math.hypot(found.standard_error, error)


@pytest.mark.parametrize("task", ["heteroscedastic", "mixture"])
def test_the_flow_is_tighter_than_the_gaussian(flows, task):
    scored, fit, found = flows[task]
    difference = gain(scored, found, fit)
    assert difference.value > 0.5 + 5 * difference.standard_error


def test_a_flow_that_finds_nothing_is_hardly_looser_than_the_gaussian(flows):
    scored, fit, found = flows["linear"]
    assert found.value < gaussian_marginal(Encoded(scored, fit=fit)).value + 0.02


def test_flows_of_halves():
    pytest.importorskip("zuko")
    q = heteroscedastic(500, 1, 1)  # one dimension: a flow without networks
    found = flow_marginal(q, epochs=4)
    difference = gain(q, found, None)
    assert difference.value > 5 * difference.standard_error
    assert found.value > heteroscedastic_information(1) - 4.5 * found.standard_error


@pytest.fixture(params=["mixture", "flow"])
def marginal(request):
    if request.param == "mixture":
        return mixture_marginal
    pytest.importorskip("zuko")
    return functools.partial(flow_marginal, epochs=1)


def test_a_bound_is_what_its_formula_says(marginal, monkeypatch):
    # with the density known, the slow way: log q(z|x) − log m(z), the first term's noise taken out by the closed form
    scored, fit = mixture(300, 1), mixture(300, 2)
    codes = sample_codes(scored)
    kept = []
    for module, name in ((mixtures, "_mixture"), (flow, "_flow")):
        learn = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *these, learn=learn: kept.append(learn(*these)) or kept[-1])
    found = marginal(Encoded(scored, codes, fit))
    mean, covariance = aggregate(fit)
    normal = torch.distributions.MultivariateNormal(mean, covariance)
    own = torch.distributions.MultivariateNormal(scored.mean, torch.diag_embed(scored.log_var.exp()))
    (log_density,) = kept
    noise = own.log_prob(codes) - normal.log_prob(codes) - torch.distributions.kl_divergence(own, normal)
    values = own.log_prob(codes) - log_density(codes) - noise
    assert found.value == pytest.approx(float(values.mean()), abs=1e-9)
    assert found.standard_error == pytest.approx(float(values.std()) / math.sqrt(300), rel=1e-9)
    assert (found.direction, found.n, found.cap) == ("upper", 300, None)


@pytest.mark.parametrize("learn", ["mixture", "flow"])
def test_a_density_integrates_to_one(learn):
    q = heteroscedastic(300, 1, 1)
    if learn == "flow":
        zuko = pytest.importorskip("zuko")
        log_density = flow._flow(zuko, q, 2, 0)
    else:
        log_density = mixtures._mixture_of(3, q, 0)
    grid = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    total = torch.trapezoid(log_density(grid[:, None]).exp(), grid)
    assert total == pytest.approx(1, abs=1e-5)


def test_one_component_is_the_gaussian_marginal():
    scored, fit = linear(200, 1), linear(300, 2)
    found = mixture_marginal(Encoded(scored, fit=fit), components=(1,))
    assert found.value == pytest.approx(gaussian_marginal(Encoded(scored, fit=fit)).value, abs=1e-12)
    assert found.estimator == "mixture_marginal"


def test_one_image_far_away_costs_little_more_than_under_the_gaussian(marginal):
    q, fit = linear(300, 1), linear(300, 2)
    sd = aggregate(fit)[1].diagonal().sqrt()
    far = q.mean.clone()
    far[7] = 50 * sd
    q = DiagonalGaussian(far, q.log_var)
    for other in (fit, None):
        found, gaussian = marginal(Encoded(q, fit=other)), gaussian_marginal(Encoded(q, fit=fit))
        assert math.isfinite(found.value)
        assert math.isfinite(found.standard_error)
        assert found.value < gaussian.value + 0.1 + math.log(1000) / len(q)


def test_results_are_reproducible_and_leave_the_users_random_state_alone(marginal):
    scored, fit = mixture(200, 1), mixture(200, 2)
    state = torch.get_rng_state()
    first = marginal(Encoded(scored, fit=fit))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    assert marginal(Encoded(scored, fit=fit)) == first
    assert marginal(Encoded(scored, fit=fit), seed=1) != first


def test_the_scale_and_place_of_codes_do_not_matter(marginal):
    scored, fit = mixture(200, 1), mixture(200, 2)
    scale = torch.tensor([1e-8, 1.0, 1e3, 1e8], dtype=torch.float64)
    values = []
    for size, place in ((torch.ones(4), 0.0), (scale, 100 * scale)):
        moved = [DiagonalGaussian(place + q.mean * size, q.log_var + 2 * size.log()) for q in (scored, fit)]
        codes = place + sample_codes(scored) * size
        values.append(marginal(Encoded(moved[0], codes, moved[1])).value)
    assert values[1] == pytest.approx(values[0], abs=1e-3)  # a flow learns in float32


@pytest.mark.parametrize("n", [2, 3, 45])
def test_few_images_are_enough(marginal, n):
    found = marginal(linear_gaussian(n, 2, 1.0, 1))
    assert math.isfinite(found.value)
    assert math.isfinite(found.standard_error)


def test_degenerate_codes(marginal, recwarn):
    flat = DiagonalGaussian(torch.zeros(100, 3), torch.zeros(100, 3))
    assert marginal(flat).value == pytest.approx(0, abs=0.05)
    one = linear_gaussian(10, 4, 12.0, 1)
    copies = DiagonalGaussian(one.mean.repeat(10, 1), one.log_var.repeat(10, 1))
    assert math.isfinite(marginal(copies).value)  # fewer distinct images than components
    assert not recwarn.list


def test_bad_arguments_are_refused(marginal):
    q = linear(50, 1)
    for call, words in (
        (
            lambda: marginal(Encoded(q, fit=linear_gaussian(50, 2, 1.0, 1))),
            "fit: got 2 dimensions; needs the posterior's 3",
        ),
        (lambda: marginal(Encoded(q, q.mean)), "codes: got mean squared residual 0 "),
        (lambda: marginal(q[:1]), "posterior: got arrays"),
        (lambda: marginal(Encoded(q, fit=DiagonalGaussian(q.mean, q.log_var - math.inf))), "log_var: got -inf"),
    ):
        with pytest.raises(BadInput, match=words):
            call()


def test_bad_settings_are_refused():
    for components in ((), (0, 2)):
        with pytest.raises(BadInput, match="components: got"):
            mixture_marginal(linear(50, 1), components=components)
    with pytest.raises(BadInput, match="epochs: got 0"):
        flow_marginal(linear(50, 1), epochs=0)


def test_a_flow_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "zuko", None)
    with pytest.raises(BadInput) as caught:
        flow_marginal(linear(50, 1))
    assert (
        str(caught.value) == "--bounds: got flow_marginal without the package zuko; needs pip install 'mixinfo[flows]'"
    )
