"""What two codes share, against pairs of encoders whose shared information is known.

Error rates: a mean over 20 replicates is allowed 4.5 of its own standard errors on the wrong side, as in
test_estimators.
"""

import math

import pytest
import torch

from analysis.bounds import (
    Bound,
    Encoded,
    EncodedPair,
    bounds_of,
    critics,
    data_processing,
    gaussian_marginal,
    infonce_controlled,
    rate,
    sample_codes,
)
from analysis.bounds.contrastive import contrastive
from analysis.bounds.estimators import SHARED, names_of
from analysis.bounds.gaussian import aggregate
from analysis.bounds.shared import concatenated
from analysis.ground_truth import TASKS, gaussian_pair, linear_gaussian
from store import BadInput
from vae.posterior import DiagonalGaussian

PAIRS = [name for name in TASKS if name.startswith("pair-")]


def every_bound(a: DiagonalGaussian, b: DiagonalGaussian) -> list[Bound]:
    return bounds_of(EncodedPair(a, b), names_of(SHARED))


@pytest.mark.parametrize("name", PAIRS)
def test_no_bound_is_on_the_wrong_side(name):
    task = TASKS[name]
    ((truth, _),) = task.truths().values()
    replicates = [task.bounds(600, seed, names_of(SHARED)) for seed in range(20)]
    for found in zip(*replicates, strict=True):
        values = torch.tensor([bound.value for bound in found])
        error = float(values.std()) / math.sqrt(20)
        if found[0].direction == "upper":
            assert values.mean() >= truth - 4.5 * error - 1e-9, found[0].estimator
        elif found[0].direction == "lower":
            assert values.mean() <= truth + 4.5 * error + 1e-9, found[0].estimator
        # which critic is chosen varies with the fitting, above all when there is nothing to find
        if not any(bound.saturated for bound in found) and found[0].estimator != "critic":
            # 20 replicates know the spread to 16%
            reported = sum(bound.standard_error for bound in found) / 20
            assert 0.5 < reported / float(values.std()) < 1.9, found[0].estimator


def test_the_sides_meet_where_nothing_is_saturated():
    # at N = 2,000 and a true 0.1 of 0.4 nats, within 0.03
    found = {bound.estimator: bound for bound in every_bound(*gaussian_pair(2000, 2, 0.1, 1))}
    assert found["three_term_upper"].value - found["three_term_lower"].value < 0.03
    assert found["three_term_gaussian"].value == pytest.approx(0.1, abs=5 * found["three_term_gaussian"].standard_error)
    assert found["data_processing"].value > 0.3


def test_the_critic_finds_what_is_shared():
    truth = math.log(16)
    found = {bound.estimator: bound.value for bound in TASKS["pair-codebook-m16"].bounds(1000, 1, names_of(SHARED))}
    assert found["critic"] > truth - 0.2  # not Gaussian at all: a mixture critic
    found = {bound.estimator: bound.value for bound in every_bound(*gaussian_pair(5000, 16, 3.0, 1))}
    assert found["critic"] > 2.75
    assert found["three_term_lower"] < 2.75  # the pair of codes carries too much


def test_with_other_images_to_fit_on():
    a, b = gaussian_pair(1000, 4, 1.0, 1)
    fit = gaussian_pair(3000, 4, 1.0, 2)
    pair = EncodedPair(Encoded(a, fit=fit[0]), Encoded(b, fit=fit[1]), quantity="I(Z_A;Z_X)")
    found = bounds_of(pair, names_of(SHARED))
    by = {bound.estimator: bound for bound in found}
    assert {bound.quantity for bound in found} == {"I(Z_A;Z_X)"}
    assert by["critic"].n == 800  # a fifth selects
    for bound in found:
        sign = {"upper": 1, "lower": -1}.get(bound.direction)
        if sign:
            assert sign * (bound.value - 1.0) > -5 * bound.standard_error, bound


def test_the_identity_is_that_of_its_terms():
    a, b = gaussian_pair(300, 3, 0.5, 1)
    both = concatenated(a, b)
    codes = sample_codes(both)
    gaussian = [gaussian_marginal(q).value for q in (a, b, both)]
    lower = [
        infonce_controlled(Encoded(q, z)).value for q, z in zip((a, b, both), (*codes.split(3, 1), codes), strict=True)
    ]
    found = {bound.estimator: bound.value for bound in every_bound(a, b)}
    assert found["three_term_gaussian"] == pytest.approx(gaussian[0] + gaussian[1] - gaussian[2])
    assert found["three_term_lower"] == pytest.approx(lower[0] + lower[1] - gaussian[2])
    assert found["three_term_upper"] == pytest.approx(gaussian[0] + gaussian[1] - lower[2])


@pytest.mark.parametrize(
    ("information", "lower", "upper"), [(1.0, False, False), (3.0, False, True), (8.0, True, True)]
)
def test_a_sum_is_saturated_where_a_part_is(information, lower, upper):
    # log N = 5.7: from below the single codes' InfoNCE enters, from above that of the pair, with twice the information
    names = ("three_term_lower", "three_term_upper", "three_term_gaussian")
    found = bounds_of(
        EncodedPair(linear_gaussian(300, 4, information, 1), linear_gaussian(300, 4, information, 2)), names
    )
    assert [bound.saturated for bound in found] == [lower, upper, False]


def test_the_smaller_of_two_upper_bounds_is_one():
    # two bounds equal in expectation: choosing the smaller on the same images would be too low by 0.56 of their error
    difference = []
    for seed in range(200):
        a, b = linear_gaussian(50, 2, 1.0, seed), linear_gaussian(50, 2, 1.0, 1000 + seed)
        pair = EncodedPair(a, b)
        pair.three_upper = rate(a), rate(b), rate(a)
        chosen = data_processing(pair)
        difference.append(chosen.value - 1.0)
        assert chosen.n == 50
    values = torch.tensor(difference)
    assert values.mean() > -4.5 * values.std() / math.sqrt(200)


def test_a_gaussian_critic_is_the_log_density_ratio():
    q = DiagonalGaussian(torch.randn(4000, 3, dtype=torch.float64), torch.zeros(4000, 3, dtype=torch.float64) - 1)
    q.mean[:, 2] += 0.8 * q.mean[:, 0]
    mean, covariance = aggregate(q)
    critic = list(critics._gaussian_critics(q, 1))[-1]
    a, b = torch.randn(5, 1, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)

    def normal(*part: int) -> torch.distributions.MultivariateNormal:
        return torch.distributions.MultivariateNormal(mean[list(part)], covariance[list(part)][:, list(part)])

    joint = torch.cat([a[:, None].expand(5, 7, 1), b[None].expand(5, 7, 2)], 2)
    expected = normal(0, 1, 2).log_prob(joint) - normal(0).log_prob(a)[:, None] - normal(1, 2).log_prob(b)
    torch.testing.assert_close(critic(a, b)(slice(None)), expected)


def test_a_mixture_critic_is_the_density_ratio_of_the_encoders_themselves():
    a, b = gaussian_pair(50, 2, 0.5, 1)
    critic, floor = list(critics._mixture_critics(concatenated(a, b), 2))[-1], critics.FLOORS[-1]
    codes = sample_codes(concatenated(a, b))[:6]
    expected = torch.empty(6, 6, dtype=torch.float64)
    for i in range(6):
        for j in range(6):
            first = torch.distributions.Normal(a.mean, (0.5 * a.log_var).exp()).log_prob(codes[i, :2]).sum(1).exp()
            second = torch.distributions.Normal(b.mean, (0.5 * b.log_var).exp()).log_prob(codes[j, 2:]).sum(1).exp()
            ratio = (first * second).mean() / (first.mean() * second.mean())
            expected[i, j] = (floor + (1 - floor) * ratio).log()
    torch.testing.assert_close(critic(codes[:, :2], codes[:, 2:])(slice(None)), expected, atol=1e-5, rtol=1e-5)


def test_the_critics_error_is_the_recomputation_without_each_image(monkeypatch):
    a, b = torch.randn(2, 40, 2, dtype=torch.float64)
    b = 0.7 * a + 0.5 * b

    def critic(first, second):
        return lambda rows: -torch.cdist(first[rows], second).square()

    monkeypatch.setattr(critics, "BLOCK", 40 * 7)  # several blocks
    found = contrastive("infonce", [critics.scores_of(critic, a, b)])
    scores = critic(a, b)(slice(None))
    assert found.value == pytest.approx(float((scores.diagonal() - scores.logsumexp(1)).mean()) + math.log(40))
    left = []
    for k in range(40):
        rest = torch.arange(40) != k
        part = scores[rest][:, rest]
        left.append(float((part.diagonal() - part.logsumexp(1)).mean()))
    left = torch.tensor(left, dtype=torch.float64)
    expected = math.sqrt(39 / 40 * float((left - left.mean()).square().sum()))
    assert found.standard_error == pytest.approx(expected, rel=1e-6)


def test_independent_codes_give_a_critic_nothing():
    values = []
    for seed in range(10):
        a, b = linear_gaussian(400, 8, 3.0, seed), linear_gaussian(400, 8, 3.0, 99 - seed)
        (critic,) = bounds_of(EncodedPair(a, b), ("critic",))
        values.append(critic.value)
    assert sum(values) / 10 < 0.02


def test_codes_that_share_their_noise_are_refused():
    a, b = gaussian_pair(1000, 4, 1.0, 1)
    with pytest.raises(BadInput, match=r"codes: got noise that correlates 0\.97"):
        EncodedPair(Encoded(a, sample_codes(a, 3)), Encoded(b, sample_codes(b, 3)))
    EncodedPair(Encoded(a, sample_codes(a, 3)), Encoded(b, sample_codes(b, 4)))
    EncodedPair(Encoded(a, sample_codes(a, 3)), b)


def test_other_images_are_refused():
    a, b = gaussian_pair(100, 2, 1.0, 1)
    with pytest.raises(BadInput, match="--posterior-b: got 99 images; needs the 100 images"):
        EncodedPair(a, b[:99])
    with pytest.raises(BadInput, match="needs at least 8 for a held-out critic"):
        every_bound(a[:4], b[:4])
