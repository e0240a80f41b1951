"""Bounds by class and spliced bounds of VAE codes, against loops over images and against codes of known information.

Error rates: seeds are fixed. A mean over R replicates is allowed 4.5 of its own standard errors on the wrong side,
which a bound that is exactly tight exceeds with probability 1.2e-4 (R = 20) and less.
"""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from analysis.bounds import Encoded, gaussian_marginal, leave_one_out, profile, rate, sample_codes, with_noise
from analysis.bounds.encoded import shuffled
from analysis.bounds.estimators import ESTIMATORS, described, names_of
from analysis.bounds.gaussian import aggregate
from analysis.bounds.labelled import Labelled, kernel_mixture
from analysis.bounds.tightened import (
    LabelledCode,
    Labels,
    SplicedCode,
    gaussian_by_class,
    gaussian_spliced,
    leave_one_out_by_class,
    tightened_profile,
)
from results.remake import RESULTS
from store import BadInput
from vae.posterior import DiagonalGaussian

NEW = ("gaussian_by_class", "leave_one_out_by_class", "gaussian_spliced")
USUAL = ("rate", "gaussian_marginal", "infonce", "leave_one_out")


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- by class: classes far apart, I(Z;Y) = H(Y), and within them one Gaussian, I(Z;X|Y) in closed form ---------------

SPREAD = torch.tensor([1.0, 0.5, 0.1]).double()
VARIANCE = torch.tensor([0.1, 0.2, 0.05]).double()
SHARES = (3, 2, 1)
TRUTH = 0.5 * float(torch.log1p(SPREAD / VARIANCE).sum()) - sum(p / 6 * math.log(p / 6) for p in SHARES)


def apart(n: int, seed: int) -> tuple[DiagonalGaussian, Tensor]:
    """Posteriors of n images of three classes that are 60 apart, and their labels."""
    labels = torch.arange(3).repeat_interleave(torch.tensor(SHARES)).repeat(n // 6)
    mean = SPREAD.sqrt() * torch.randn(n, 3, dtype=torch.float64, generator=stream(seed)) + 60 * labels[:, None]
    return DiagonalGaussian(mean, VARIANCE.log().expand(n, 3).clone()), labels


def code_of(n: int, seed: int, *, fit: int = 0) -> LabelledCode:
    posterior, labels = apart(n, seed)
    drawn = sample_codes(posterior, seed)
    if not fit:
        return LabelledCode(Encoded(posterior, drawn), Labels(labels))
    other, of_others = apart(fit, seed + 1000)
    order = torch.randperm(fit, generator=stream(seed))
    return LabelledCode(Encoded(posterior, drawn, other[order]), Labels(labels, of_others[order]))


@pytest.mark.parametrize("fit", [0, 3000])
def test_by_class_is_the_information_of_gaussian_classes(fit):
    found = [gaussian_by_class(code_of(600, seed, fit=fit)) for seed in range(20)]
    values = torch.tensor([bound.value for bound in found])
    error = float(values.std()) / math.sqrt(20)
    assert float(values.mean()) > TRUTH - 4.5 * error
    # one Gaussian for a class of 100 images costs 9/200 nats, and less for others: means and covariances to learn
    assert float(values.mean()) < TRUTH + 4.5 * error + (0.005 if fit else 0.03)
    claimed = sum(bound.standard_error for bound in found) / 20
    assert 0.5 < float(values.std()) / claimed < 1.6
    assert {(bound.quantity, bound.direction, bound.cap) for bound in found} == {("I(Z;X)", "upper", None)}
    # one Gaussian for all is far above
    assert float(gaussian_marginal(Encoded(apart(600, 0)[0])).value) > TRUTH + 1


def test_a_class_is_scored_by_the_gaussian_of_its_images_in_the_fit():
    code = code_of(60, 1, fit=120)
    posterior, labels = apart(60, 1)
    other, of_others = apart(120, 1001)
    expected = 0.0
    for i, label in enumerate(labels.tolist()):
        mean, covariance = aggregate(other[of_others == label])
        own = MultivariateNormal(posterior.mean[i], posterior.log_var[i].exp().diag())
        expected += float(kl_divergence(own, MultivariateNormal(mean, covariance))) / 60
    of_label = kernel_mixture(Labelled(posterior, labels, code.codes)).value
    assert gaussian_by_class(code).value == pytest.approx(expected + of_label, rel=1e-12)


def overlapping(n: int, seed: int) -> tuple[DiagonalGaussian, Tensor]:
    """Heteroscedastic posteriors of images of three classes of different sizes that overlap."""
    labels = torch.arange(3).repeat_interleave(torch.tensor(SHARES)).repeat(n // 6)
    mean = torch.randn(n, 2, dtype=torch.float64, generator=stream(seed)) + labels[:, None]
    return DiagonalGaussian(mean, torch.randn(n, 2, dtype=torch.float64, generator=stream(seed + 1)) - 1), labels


@pytest.mark.parametrize("narrow", [0.0, 4.0, 12.0])
def test_leave_one_out_by_class_is_the_loop_and_never_says_more_than_leave_one_out(narrow):
    posterior, labels = overlapping(60, 3)
    posterior = DiagonalGaussian(posterior.mean, posterior.log_var - narrow)
    codes = sample_codes(posterior, 3)
    code = LabelledCode(Encoded(posterior, codes), Labels(labels))
    logs = -0.5 * (
        (codes[:, None] - posterior.mean).square() * (-posterior.log_var).exp()
        + posterior.log_var
        + math.log(2 * math.pi)
    ).sum(2)
    total, least = 0.0, 0.0
    for i in range(60):
        same, itself = labels == labels[i], torch.arange(60) == i
        count = int(same.sum())
        total += float(logs[i, i] - (logs[i, same & ~itself].logsumexp(0) - math.log(count - 1)))
        total += float(logs[i, same].logsumexp(0) - math.log(count) - logs[i].logsumexp(0) + math.log(60))
        least += math.log((1 - 1 / count) / (1 - 1 / 60))
    bound = leave_one_out_by_class(code)
    assert bound.value == pytest.approx(total / 60, rel=1e-9)
    assert bound.value >= leave_one_out(Encoded(posterior, codes)).value + least / 60 - 1e-9


def test_labels_of_the_fit_are_matched_by_their_names():
    posterior, labels = overlapping(120, 4)
    other, of_others = overlapping(240, 5)
    plain = gaussian_by_class(LabelledCode(Encoded(posterior, fit=other), Labels(labels, of_others)))
    renamed = Labels(7 - 3 * labels, 7 - 3 * of_others)
    again = gaussian_by_class(LabelledCode(Encoded(posterior, fit=other), renamed))
    assert again.value == pytest.approx(plain.value, rel=1e-12)
    more = torch.cat([of_others[:-1], torch.tensor([9])])  # a class that is not scored
    assert gaussian_by_class(LabelledCode(Encoded(posterior, fit=other), Labels(labels, more))).value > 0
    with pytest.raises(BadInput, match="class 2, of which there is no image to fit on"):
        LabelledCode(Encoded(posterior, fit=other), Labels(labels, of_others.clamp(max=1)))
    with pytest.raises(BadInput, match="no labels of the images to fit on"):
        LabelledCode(Encoded(posterior, fit=other), Labels(labels))


# --- spliced: dimensions of two clusters each, of which one Gaussian knows nothing -----------------------------------

DIMENSIONS, CENTRE, WITHIN = 8, 3.0, 0.3
VARIANCES = (0.01, 0.04)
"""Of a posterior, in all dimensions the one or the other."""
SCALE = CENTRE**2 + WITHIN + sum(VARIANCES) / 2


def clusters(n: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images: in each dimension near 3 or near -3."""
    random = stream(seed)
    sign = 2.0 * torch.randint(2, (n, DIMENSIONS), generator=random) - 1
    mean = CENTRE * sign + math.sqrt(WITHIN) * torch.randn(n, DIMENSIONS, dtype=torch.float64, generator=random)
    variance = torch.tensor(VARIANCES).double()[torch.randint(2, (n, DIMENSIONS), generator=random)]
    return DiagonalGaussian(mean, variance.log())


def exactly(level: float) -> tuple[float, float]:
    """I(Z;X) at a level of noise, and KL(q_s ‖ m_s) to the Gaussian of q without noise, convolved; on a grid."""
    extra, grid = level**2 * SCALE, torch.linspace(-80, 80, 400_001, dtype=torch.float64)
    density = torch.zeros_like(grid)
    for variance in VARIANCES:
        width = variance + WITHIN + extra
        for centre in (-CENTRE, CENTRE):
            density += 0.25 * torch.exp(-0.5 * (grid - centre) ** 2 / width) / math.sqrt(2 * math.pi * width)
    step = float(grid[1] - grid[0])
    entropy = float(torch.special.entr(density).sum()) * step
    given = sum(0.5 * math.log(2 * math.pi * math.e * (variance + extra)) for variance in VARIANCES) / 2
    gaussian = 0.5 * math.log(2 * math.pi * math.e * (SCALE + extra))
    return DIMENSIONS * (entropy - given), DIMENSIONS * (gaussian - entropy)


def test_what_the_convolved_gaussian_exceeds_falls_with_noise():
    excess = [exactly(level)[1] for level in (0, 0.1, 0.25, 0.5, 1.0, 2.0)]
    assert excess == sorted(excess, reverse=True)
    assert excess[0] > 5
    assert excess[-1] < 0.01


LEVELS = (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def replicates() -> list[SplicedCode]:
    return [SplicedCode(Encoded(clusters(600, seed), fit=clusters(4000, 500 + seed)), LEVELS) for seed in range(20)]


@pytest.mark.parametrize("level", [0.0, *LEVELS])
def test_the_spliced_bound_is_above_the_information_and_below_r_m(level, replicates):
    truth, excess = exactly(level)
    found = [spliced.bound(level) for spliced in replicates]
    values = torch.tensor([bound.value for bound in found])
    error = float(values.std()) / math.sqrt(20)
    assert float(values.mean()) > truth - 4.5 * error
    plain = torch.tensor([spliced.noisy.frozen(level).value for spliced in replicates])
    assert float(plain.mean()) == pytest.approx(truth + excess, abs=0.1)
    if level < 1:
        assert float((plain - values).mean()) > 0.1 * excess - 4.5 * float((plain - values).std()) / math.sqrt(20)
    claimed = sum(bound.standard_error for bound in found) / 20
    assert 0.4 < float(values.std()) / claimed < 1.6  # a saturated leave-one-out's jackknife is too large
    # an upper limit of 97.5% fails in at most 3 of 20, which has the probability 0.0015 more often if it is tight
    limits = values + 1.96 * torch.tensor([bound.standard_error for bound in found])
    assert int((limits < truth).sum()) <= 3


def test_at_least_so_much_of_the_rate_is_no_information(replicates):
    truth = exactly(0.0)[0]
    rates = torch.tensor([rate(spliced.noisy.encoded).value for spliced in replicates])
    gaps = [spliced.gap() for spliced in replicates]
    values = torch.tensor([bound.value for bound in gaps])
    expected = float(rates.mean()) - truth
    assert float(values.mean()) < expected + 4.5 * float(values.std()) / math.sqrt(20)
    assert {(bound.quantity, bound.direction) for bound in gaps} == {("KL(q(z)‖p(z))", "lower")}
    limits = values - 1.96 * torch.tensor([bound.standard_error for bound in gaps])
    assert int((limits > expected).sum()) <= 3
    assert [bound.value for bound in gaps] == pytest.approx(
        [float(r) - spliced.bound(0.0).value for r, spliced in zip(rates, replicates, strict=True)], rel=1e-5
    )


def test_the_splice_is_its_three_terms():
    posterior, other = clusters(40, 1), clusters(300, 2)
    spliced = SplicedCode(Encoded(posterior, fit=other), (1.0, 2.0))
    mean, covariance = aggregate(other)
    scale = other.log_var.exp().mean(0) + other.mean.var(0, correction=0)

    def frozen(level: float) -> float:
        marginal = MultivariateNormal(mean, covariance + level**2 * scale.diag())
        own = (posterior.log_var.exp() + level**2 * scale).sqrt()
        each = [
            kl_divergence(MultivariateNormal(m, scale_tril=sd.diag()), marginal)
            for m, sd in zip(posterior.mean, own, strict=True)
        ]
        return float(torch.stack(each).mean())

    for level in (0.0, 1.0, 2.0):
        assert spliced.noisy.frozen(level).value == pytest.approx(frozen(level), rel=1e-9)
    assert spliced.noisy.frozen(0.0).value == gaussian_marginal(Encoded(posterior, fit=other)).value
    for at in (1.0, 2.0):
        spliced.excess = {0.0: 5.0, 1.0: 0.0, 2.0: 0.0, at: -1.0}
        coarse = leave_one_out(with_noise(posterior, at, scale)).value
        assert spliced.bound(0.0).value == pytest.approx(frozen(0.0) - frozen(at) + coarse, rel=1e-9)
        assert spliced.bound(at).value == coarse
    spliced.excess = {0.0: 5.0, 1.0: 0.0, 2.0: 1.0}
    assert [spliced.level(level) for level in (0.0, 1.0, 2.0)] == [None, None, None]
    assert spliced.bound(1.0).value == spliced.noisy.frozen(1.0).value


@pytest.mark.parametrize("with_fit", [True, False])
def test_where_to_splice_is_chosen_without_the_scored_images(with_fit):
    posterior, other = clusters(200, 1), clusters(500, 2)
    scored = torch.arange(200) if with_fit else shuffled(200)[40:]
    changed = posterior.mean.clone()
    changed[scored] *= 3.0
    fit = other if with_fit else None
    one, two = (
        SplicedCode(Encoded(DiagonalGaussian(mean, posterior.log_var), fit=fit), (1.0,))
        for mean in (posterior.mean, changed)
    )
    assert one.excess == two.excess
    assert one.bound(0.0).value != two.bound(0.0).value
    assert one.bound(0.0).n == (200 if with_fit else 160)


def test_given_codes_are_compared():
    posterior = clusters(100, 1)
    codes = sample_codes(posterior, 5)
    spliced = SplicedCode(Encoded(posterior, codes))
    torch.testing.assert_close(spliced.noisy.encoded.codes, codes[shuffled(100)[20:]])


# --- as rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", [0, 120])
@pytest.mark.parametrize("asked", [USUAL, (*USUAL, *NEW), ("gaussian_spliced", "rate"), NEW[:1]])
def test_rows_of_other_bounds_are_what_they_were(fit, asked):
    posterior, labels = overlapping(90, 1)
    other, of_others = overlapping(fit or 6, 7)
    encoded = Encoded(posterior, fit=other if fit else None)
    where = {"augmentation": "none", "seed": 1}
    plain, rows = profile(encoded, [name for name in asked if name not in NEW], noise=(1.0, 0.5), **where)
    bounds, found = tightened_profile(encoded, asked, noise=(1.0, 0.5), labels=Labels(labels, of_others), **where)
    assert repr(found[: len(rows)]) == repr(rows)
    assert bounds[: len(plain)] == plain
    names = [name for name in asked if name in NEW]
    more = [*names[:-1], "gaussian_classifier", "kernel_mixture", *names[-1:]] if NEW[0] in asked else names
    if names == [NEW[0]]:
        more = [NEW[0], "gaussian_classifier", "kernel_mixture"]
    expected = [(name, level) for level in (None, 1.0, 0.5) for name in more]
    if "gaussian_spliced" in asked:
        expected.insert(len(more), ("rate_gap_spliced", None))
    assert [(row["estimator"], row["noise"]) for row in found[len(rows) :]] == expected
    for row in found:
        assert row["quantity"] in ("I(Z;X)", "I(Z;Y)", "KL(q(z)‖p(z))")
        assert row["direction"] == ESTIMATORS[row["estimator"]].direction
        assert math.isfinite(row["value"])
        assert row["augmentation"] == "none"


def test_noised_codes_are_those_of_the_profile():
    posterior, labels = overlapping(120, 1)
    encoded = Encoded(posterior)
    rows = tightened_profile(encoded, (*USUAL, *NEW), noise=(1.0,), labels=Labels(labels))[1]
    by_name = {row["estimator"]: row for row in rows if row["noise"] == 1.0}
    # every image is in a class of its own size, and the channel is the same: what the sums have in common agrees
    assert by_name["leave_one_out_by_class"]["n"] == by_name["leave_one_out"]["n"] == 108
    assert by_name["leave_one_out_by_class"]["value"] == pytest.approx(by_name["leave_one_out"]["value"], abs=0.1)
    assert by_name["gaussian_spliced"]["n"] == 96


def test_images_without_labels_are_refused():
    encoded = Encoded(overlapping(60, 1)[0])
    for name in NEW[:2]:
        with pytest.raises(BadInput, match="of images without labels"):
            tightened_profile(encoded, (name,))
        with pytest.raises(BadInput, match="of images without labels"):
            ESTIMATORS[name].compute(encoded)
    assert gaussian_spliced(encoded).value > 0
    assert tightened_profile(encoded, ("gaussian_spliced",))[0]


def test_they_are_computed_when_asked_for_and_said_to_be():
    assert set(NEW) <= set(names_of())
    text = described("bounds")
    assert text.endswith(
        "; with class labels: gaussian_by_class, leave_one_out_by_class; along --noise: gaussian_spliced"
    )
    assert not any(ESTIMATORS[name].unasked or ESTIMATORS[name].far_above for name in NEW)


def test_few_images_are_bounded_or_refused():
    for n in (2, 3, 5, 12):
        posterior = DiagonalGaussian(torch.arange(n)[:, None].double(), torch.zeros(n, 1, dtype=torch.float64))
        labels = torch.zeros(n, dtype=torch.int64)
        rows = tightened_profile(Encoded(posterior, fit=posterior), NEW, labels=Labels(labels, labels))[1]
        assert np.isfinite([row["value"] for row in rows]).all()
    rows = tightened_profile(Encoded(posterior[:3]), ("gaussian_spliced",), noise=(1.0,))[1]
    assert [row["n"] for row in rows] == [2, 2]
    alone = Labels(torch.tensor([0, 0, 1]))
    with pytest.raises(BadInput, match="one image of class 1"):
        tightened_profile(Encoded(posterior[:3]), NEW, labels=alone)


def test_the_recorded_bounds_keep_what_holds_of_every_sample():
    frame = pd.read_csv(RESULTS / "class-wise-vaes" / "class-wise-vaes.csv")
    by = frame.pivot(index=["data", "augmentation", "seed", "noise"], columns="estimator", values="value")
    assert (by["kernel_mixture"] <= math.log(10) + 1e-12).all()
    # classes have 33 images and more
    assert (by["leave_one_out_by_class"] > by["leave_one_out"] + math.log(1 - 1 / 33)).all()
    plain = by.xs(0.0, level="noise")
    assert (plain["rate_gap"] - (plain["rate"] - plain["gaussian_marginal"])).abs().max() < 1e-9
    assert (plain["rate_gap_spliced"] - (plain["rate"] - plain["gaussian_spliced"])).abs().max() < 1e-9
    spliced = frame[frame["estimator"] == "gaussian_spliced"].set_index(by.index.names)["k"].notna()
    unspliced = ~spliced.reindex(plain.assign(noise=0.0).set_index("noise", append=True).index).droplevel("noise")
    assert (plain["gaussian_spliced"] == plain["gaussian_marginal"])[unspliced].all()
    assert set(frame["quantity"]) == {"I(Z;X)", "I(Z;Y)", "KL(q(z)‖p(z))"}
