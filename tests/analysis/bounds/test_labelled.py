"""The bounds of labelled representations, against loops over all pairs and against Gaussian classes.

Error rates: seeds are fixed. A mean over R replicates is allowed 4.5 of its own standard errors on the wrong side,
which a bound that is exactly tight exceeds with probability 1.2e-4 (R = 20) and less.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from analysis.bounds import Bound, Encoded, infonce, leave_one_out, pairs, sample_codes
from analysis.bounds import labelled as labelled_module
from analysis.bounds.channel import SHAPES, channel
from analysis.bounds.class_pairs import FLOOR, class_pairs
from analysis.bounds.encoded import shuffled
from analysis.bounds.estimators import ESTIMATORS, label_of
from analysis.bounds.gaussian import aggregate
from analysis.bounds.labelled import (
    Labelled,
    at_fixed_counts,
    class_gaussian,
    class_infonce,
    class_leave_one_out,
    frozen_divergences,
    gaussian_classifier,
    kernel_classifier,
    kernel_mixture,
    labelled_bounds,
    total,
)
from analysis.bounds.outputs import output_bounds
from analysis.bounds.spliced import NoiseProfile, splice_level
from store import BadInput
from vae.posterior import DiagonalGaussian


@dataclass(frozen=True)
class Classes:
    """Gaussian classes with means (K, d), one variance (d,) and sizes in proportion to ``shares``."""

    means: Tensor
    variance: Tensor
    shares: tuple[int, ...]

    def labels(self, n: int) -> Tensor:
        one = torch.arange(len(self.shares)).repeat_interleave(torch.tensor(self.shares))
        assert n % len(one) == 0
        return one.repeat(n // len(one))

    def labelled(self, n: int, level: float, seed: int) -> Labelled:
        stream = torch.Generator().manual_seed(seed)
        labels = self.labels(n)
        noise = torch.randn(n, len(self.variance), dtype=torch.float64, generator=stream)
        features = self.means[labels] + self.variance.sqrt() * noise
        posterior = DiagonalGaussian(features, torch.full_like(features, 2 * math.log(level)))
        return Labelled(posterior, labels).drawn(sample_codes(posterior, seed))

    def given_label(self, level: float) -> float:
        """I(T;X|Y), exactly."""
        return 0.5 * float(torch.log1p(self.variance / level**2).sum())

    @functools.cache  # noqa: B019
    def of_label(self, level: float) -> tuple[float, float]:
        """I(T;Y) and its standard error, from a Monte Carlo with equally many draws of each class as of images."""
        labels = self.labels(sum(self.shares) * (20_000_000 // sum(self.shares) // (100 + len(self.means))))
        noise = torch.randn(
            len(labels), len(self.variance), dtype=torch.float64, generator=torch.Generator().manual_seed(99)
        )
        wide = self.variance + level**2
        codes = self.means[labels] + wide.sqrt() * noise
        prior = torch.tensor(self.shares) / sum(self.shares)
        logs = -0.5 * torch.cdist(codes / wide.sqrt(), self.means / wide.sqrt()).square()
        terms = logs.gather(1, labels[:, None])[:, 0] - (logs + prior.double().log()).logsumexp(1)
        return float(terms.mean()), float(terms.std()) / math.sqrt(len(terms))

    def __hash__(self) -> int:
        return id(self)

    def truth(self, quantity: str, level: float) -> tuple[float, float]:
        value, error = self.of_label(level) if quantity != "I(T;X|Y)" else (0.0, 0.0)
        return value + (self.given_label(level) if quantity != "I(T;Y)" else 0.0), error


def _ten() -> Classes:
    """The classes of the check figures, I(T;X|Y) = 8.646 at s = 1/8 and 1.180 at s = 1/2, the trace d."""
    dimension = torch.arange(16, dtype=torch.float64)
    variance = 0.1476053 * torch.exp(-0.2386407 * dimension)
    means = torch.randn(10, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means *= torch.exp(-0.1029313 * dimension)
    means -= means.mean(0)
    means *= ((16 - variance.sum()) / means.square().mean(0).sum()).sqrt()
    return Classes(means, variance, 10 * (1,))


TEN = _ten()
UNEVEN = Classes(
    torch.tensor([[0.0, 0.0], [1.0, 0.5], [-0.5, 1.5]]).double(), torch.tensor([0.5, 0.2]).double(), (5, 3, 2)
)
"""Three classes that overlap, of different sizes."""


def _wide() -> Classes:
    """Ten classes that overlap in 128 dimensions, of which N = 2,000 tell the kernel bounds nothing at s = 1."""
    means = torch.randn(10, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    means -= means.mean(0)
    means *= (128 * 0.1035 / means.square().mean(0).sum()).sqrt()
    return Classes(means, torch.full((128,), 1 - 0.1035, dtype=torch.float64), 10 * (1,))


WIDE = _wide()


def by_name(bounds: list[Bound]) -> dict[str, Bound]:
    return {f"{bound.estimator} {bound.quantity}": bound for bound in bounds}


# --- loops over all pairs -------------------------------------------------------------------------------------------


def log_density(labelled: Labelled, i: int, j: int) -> float:
    """log q(z_i|x_j), dimension by dimension."""
    total = 0.0
    for z, mean, log_var in zip(
        labelled.codes[i].tolist(),
        labelled.posterior.mean[j].tolist(),
        labelled.posterior.log_var[j].tolist(),
        strict=True,
    ):
        total -= 0.5 * ((z - mean) ** 2 / math.exp(log_var) + log_var + math.log(2 * math.pi))
    return total


def slow_statistics(density: np.ndarray, labels: list[int], prior: dict[int, float], kept: list[int]) -> dict:
    """Every statistic of the images ``kept``, at fixed p(y); NaN where a class has nobody to compare with."""
    terms: dict[str, dict[int, list[float]]] = {}
    for i in kept:
        mates = [j for j in kept if labels[j] == labels[i]]
        own = density[i, i]
        mean = {y: [density[i, j] for j in kept if labels[j] == y and j != i] for y in prior}
        kernel = {y: sum(values) / len(values) if values else math.nan for y, values in mean.items()}
        ratio = kernel[labels[i]] / sum(prior[y] * kernel[y] for y in prior)
        others, classmates = [j for j in kept if j != i], [j for j in mates if j != i]
        found = {
            "kernel_classifier I(T;Y)": math.log((1 - FLOOR) * ratio + FLOOR),
            "infonce I(T;X)": math.log(own / (sum(density[i, j] for j in kept) / len(kept))),
            "leave_one_out I(T;X)": math.log(own / (sum(density[i, j] for j in others) / len(others))),
            "class_infonce I(T;X|Y)": math.log(own / (sum(density[i, j] for j in mates) / len(mates))),
            "class_leave_one_out I(T;X|Y)": math.log(own * len(classmates) / sum(density[i, j] for j in classmates))
            if classmates
            else math.nan,
        }
        found["kernel_mixture I(T;Y)"] = found["infonce I(T;X)"] - found["class_infonce I(T;X|Y)"]
        for name, value in found.items():
            terms.setdefault(name, {}).setdefault(labels[i], []).append(value)
    return {
        name: sum(prior[y] * sum(values) / len(values) for y, values in of_class.items())
        for name, of_class in terms.items()
    }


def slow(labelled: Labelled) -> dict[str, tuple[float, float]]:
    """Value and delete-one standard error at fixed class counts of every bound that compares images."""
    n, labels = len(labelled), labelled.labels.tolist()
    density = np.array([[math.exp(log_density(labelled, i, j)) for j in range(n)] for i in range(n)])
    prior = {y: labels.count(y) / n for y in set(labels)}
    everyone = slow_statistics(density, labels, prior, list(range(n)))
    left = [slow_statistics(density, labels, prior, [i for i in range(n) if i != k]) for k in range(n)]
    result = {}
    for name, value in everyone.items():
        variance = 0.0
        for y in prior:
            of_class = [left[k][name] for k in range(n) if labels[k] == y]
            mean, count = sum(of_class) / len(of_class), len(of_class)
            variance += (count - 1) / count * sum((each - mean) ** 2 for each in of_class)
        result[name] = value, math.sqrt(variance)
    return result


def some(name: str) -> Labelled:
    stream = torch.Generator().manual_seed(3)
    if name == "overlapping":
        return UNEVEN.labelled(30, 0.8, 1)
    if name == "narrow":  # one image has most of the density of many a code
        return UNEVEN.labelled(30, 0.25, 2)
    if name == "one class":
        one = UNEVEN.labelled(20, 0.6, 3)
        return Labelled(one.posterior, torch.zeros(20, dtype=torch.int64))
    if name == "many small classes":
        labels = torch.arange(24) % 6
        mean = torch.randn(24, 3, dtype=torch.float64, generator=stream) + labels[:, None]
        return Labelled(DiagonalGaussian(mean, torch.randn(24, 3, dtype=torch.float64, generator=stream) - 0.5), labels)
    raise KeyError(name)


CASES = ("overlapping", "narrow", "one class", "many small classes")


@pytest.mark.parametrize("block", [10**6, 70])
@pytest.mark.parametrize("name", CASES)
def test_every_bound_is_a_loop_over_pairs_and_its_error_over_images_left_out(name, block, monkeypatch):
    monkeypatch.setattr(pairs, "BLOCK", block)
    labelled = some(name)
    found = by_name(labelled_bounds(labelled))
    for key, (value, error) in slow(labelled).items():
        assert found[key].value == pytest.approx(value, abs=1e-9), key
        if key in ("infonce I(T;X)", "leave_one_out I(T;X)", "kernel_mixture I(T;Y)") and name != "one class":
            continue  # leaving out at fixed p(y) is another reweighting of all images: below, to first order
        # shares below 0.01 enter to first order
        assert found[key].standard_error == pytest.approx(error, rel=5e-3, abs=1e-9), key


def far_out() -> DiagonalGaussian:
    """Standard deviations of 10⁻⁷ beside means up to 1,000, which the expanded square would lose."""
    mean = torch.linspace(-1e3, 1e3, 60, dtype=torch.float64)[:, None].expand(60, 2)
    noise = torch.randn(60, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return DiagonalGaussian(mean + 1e-7 * noise, torch.full((60, 2), -14 * math.log(10), dtype=torch.float64))


POSTERIORS = {
    "overlapping": lambda: some("overlapping").posterior,
    "variances of their own": lambda: some("many small classes").posterior,
    "duplicates": lambda: DiagonalGaussian(torch.zeros(30, 3).double(), torch.zeros(30, 3).double()),
    "far apart": lambda: DiagonalGaussian(
        1e3 * torch.arange(40).double()[:, None].expand(-1, 16).contiguous(), torch.zeros(40, 16).double()
    ),
    "far out and narrow": far_out,
}


@pytest.mark.parametrize("name", POSTERIORS)
def test_the_pass_is_that_without_labels_and_that_within_each_class(name):
    posterior = POSTERIORS[name]()
    labels = torch.arange(len(posterior)) % 3
    codes = sample_codes(posterior)
    found = class_pairs(posterior, codes, labels)
    parts = [(found.everyone, torch.arange(len(posterior)))]
    parts += [(found.classmates, torch.nonzero(labels == y)[:, 0]) for y in range(3)]
    for pairs_found, images in parts:
        expected = pairs.all_pairs(posterior[images], codes[images])
        for field in ("matching", "others", "infonce_without", "leave_one_out_without"):
            torch.testing.assert_close(
                getattr(pairs_found, field)[images], getattr(expected, field), rtol=1e-9, atol=1e-7
            )
    assert torch.isfinite(found.terms).all()
    assert torch.isfinite(found.without).all()


def test_the_error_of_all_images_is_their_jackknife_centred_within_classes():
    labelled = some("overlapping")
    n, labels = len(labelled), labelled.labels
    influences = {}
    for estimator in (infonce, leave_one_out):
        left = []
        for k in range(n):
            rest = torch.arange(n) != k
            left.append(estimator(Encoded(labelled.posterior[rest]).drawn(labelled.codes[rest])).value)
        influences[estimator.__name__] = -(n - 1) * np.array(left)
    left = []
    for k in range(n):
        mates = [j for j in range(n) if labels[j] == labels[k] and j != k]
        left.append(infonce(Encoded(labelled.posterior[mates]).drawn(labelled.codes[mates])).value)
    counts = labelled.counts[labels].numpy()
    influences["kernel_mixture"] = influences["infonce"] + (counts - 1) * np.array(left)
    found = {bound.estimator: bound for bound in labelled_bounds(labelled)}
    for name, influence in influences.items():
        variance = sum(
            float(np.var(influence[labels == y], ddof=1)) * int((labels == y).sum()) / n**2 for y in range(3)
        )
        assert found[name].standard_error == pytest.approx(math.sqrt(variance), rel=5e-3), name


def test_gaussians_by_class_are_torchs_divergence_from_moments_of_other_folds():
    labelled = some("overlapping")
    wider = replace_variance(labelled, 0.9)
    slow_values = torch.zeros(2, len(labelled), dtype=torch.float64)
    for y in range(3):
        images = [i for i in range(len(labelled)) if labelled.labels[i] == y]
        for fold in shuffled(len(images)).tensor_split(min(10, len(images))):
            scored = [images[i] for i in fold]
            mean, covariance = aggregate(labelled.posterior[[i for i in images if i not in scored]])
            for row, posterior in enumerate((labelled.posterior, wider.posterior)):
                more = posterior.log_var[0].exp() - labelled.posterior.log_var[0].exp()
                marginal = MultivariateNormal(mean, covariance + torch.diag(more))
                for i in scored:
                    q = MultivariateNormal(posterior.mean[i], torch.diag(posterior.log_var[i].exp()))
                    slow_values[row, i] = kl_divergence(q, marginal)
    found = frozen_divergences([labelled.posterior, wider.posterior], labelled.classes)
    torch.testing.assert_close(found, slow_values)
    assert class_gaussian(labelled).value == pytest.approx(float(slow_values[0].mean()))
    # each class's own mean, its size as the weight
    by_class = [slow_values[0, labelled.labels == y].mean() * (labelled.labels == y).double().mean() for y in range(3)]
    assert class_gaussian(labelled).value == pytest.approx(float(sum(by_class)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "d", "finest"), [(120, 8, 0.25), (80, 40, 0.25), (80, 40, 1e-5)])
def test_many_levels_of_one_decomposition_are_those_of_a_factor_each(monkeypatch, shape, n, d, finest):
    stream = torch.Generator().manual_seed(d)
    features = torch.randn(n, d, dtype=torch.float64, generator=stream) * torch.logspace(0, -4, d, dtype=torch.float64)
    labels = torch.arange(n) % 3
    noisy = channel(features + 0.01 * torch.randn(n, d, dtype=torch.float64, generator=stream), shape)
    levels = [finest, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    posteriors = [noisy.posterior(features, level) for level in levels]
    groups = Labelled(posteriors[0], labels).classes
    slow_values = torch.cat([frozen_divergences([posteriors[0], each], groups)[1:] for each in posteriors])
    if finest == 0.25:
        monkeypatch.setattr(labelled_module, "kl_to_gaussian", lambda *_: pytest.fail("a factor for each level"))
    found = frozen_divergences(posteriors, groups)
    torch.testing.assert_close(found, slow_values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n", "d", "finest"), [(90, 60, 0.25), (30, 300, 0.25), (9, 20, 0.5), (60, 50, 1e-4)])
def test_few_images_in_many_dimensions_need_no_covariance(monkeypatch, shape, n, d, finest):
    stream = torch.Generator().manual_seed(d)
    features = torch.randn(n, d, dtype=torch.float64, generator=stream) * torch.logspace(0, -3, d, dtype=torch.float64)
    noisy = channel(features + 0.01 * torch.randn(n, d, dtype=torch.float64, generator=stream), shape)
    posteriors = [noisy.posterior(features, level) for level in (finest, 1.0, 4.0)]
    groups = Labelled(posteriors[0], torch.arange(n) % 3).classes
    with monkeypatch.context() as patch:
        patch.setattr(labelled_module, "FEW", math.inf)
        slow_values = frozen_divergences(posteriors, groups)
    monkeypatch.setattr(labelled_module, "aggregate", lambda *_: pytest.fail("a covariance"))
    torch.testing.assert_close(frozen_divergences(posteriors, groups), slow_values, rtol=1e-9, atol=1e-9)


def slow_covariance(residuals: list[list[float]], noise: list[float], freedom: int) -> Tensor:
    """The covariance of residuals in two dimensions, shrunk towards its diagonal, with the noise's variances."""
    n = len(residuals)
    products = [[sum(row[a] * row[b] for row in residuals) / freedom for b in range(2)] for a in range(2)]
    scale = math.sqrt((products[0][0] + noise[0]) * (products[1][1] + noise[1]))
    units = [row[0] * row[1] / scale * (n - 1) / freedom for row in residuals]
    mean = sum(units) / n
    shrink = min(1.0, sum((each - mean) ** 2 for each in units) / n**2 / mean**2)
    off = (1 - shrink) * products[0][1]
    return torch.tensor(
        [[products[0][0] + noise[0], off], [off, products[1][1] + noise[1]]],
        dtype=torch.float64,
    )


def slow_gaussian_classifier(labelled: Labelled, folds: int, pooled: bool) -> tuple[float, float]:
    """Value and standard error, code by code and class by class."""
    n, labels = len(labelled), labelled.labels.tolist()
    means, variances = labelled.posterior.mean.tolist(), labelled.posterior.log_var.exp().tolist()
    images = {y: [i for i in range(n) if labels[i] == y] for y in sorted(set(labels))}
    fold_of = {}
    for of_class in images.values():
        for number, fold in enumerate(shuffled(len(of_class)).tensor_split(folds)):
            fold_of |= {of_class[i]: number for i in fold.tolist()}
    terms: dict[int, list[tuple[float, float]]] = {y: [] for y in images}
    for number in range(folds):
        others = {y: [i for i in images[y] if fold_of[i] != number] for y in images}
        centre = {y: [sum(means[i][a] for i in others[y]) / len(others[y]) for a in range(2)] for y in images}
        residuals = {y: [[means[i][a] - centre[y][a] for a in range(2)] for i in others[y]] for y in images}
        groups = [list(images)] if pooled else [[y] for y in images]
        gaussians = {}
        for group in groups:
            rows = [row for y in group for row in residuals[y]]
            of_group = [i for y in group for i in others[y]]
            noise = [sum(variances[i][a] for i in of_group) / len(of_group) for a in range(2)]
            covariance = slow_covariance(rows, noise, len(rows) - len(group))
            gaussians |= {
                y: MultivariateNormal(torch.tensor(centre[y], dtype=torch.float64), covariance) for y in group
            }
        for y in images:
            scored = [i for i in images[y] if fold_of[i] == number]
            for i in scored:
                density = {z: math.exp(gaussians[z].log_prob(labelled.codes[i])) for z in images}
                mixture = sum(len(images[z]) / n * density[z] for z in images)
                term = math.log((1 - FLOOR) * density[y] / mixture + FLOOR)
                terms[y].append((term, 1 / (folds * len(scored))))
    value = variance = 0.0
    for y, of_class in terms.items():
        prior, count = len(images[y]) / n, len(images[y])
        mean = sum(weight * term for term, weight in of_class)
        value += prior * mean
        variance += prior**2 * count / (count - 1) * sum((weight * (term - mean)) ** 2 for term, weight in of_class)
    return value, math.sqrt(variance)


@pytest.mark.parametrize(
    ("n", "level", "folds", "pooled"),
    # classes of 10, 6 and 4; 15, 9 and 6; 20, 12 and 8: of six and eight folds, not all are alike
    [(20, 0.8, 4, True), (30, 0.3, 6, True), (40, 0.8, 8, False)],
)
def test_the_gaussian_classifier_is_a_loop_over_codes(n, level, folds, pooled):
    labelled = UNEVEN.labelled(n, level, 1)
    found = gaussian_classifier(labelled)
    value, error = slow_gaussian_classifier(labelled, folds, pooled)
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.standard_error == pytest.approx(error, rel=1e-9)


def replace_variance(labelled: Labelled, level: float) -> Labelled:
    mean = labelled.posterior.mean
    return Labelled(DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(level))), labelled.labels)


def test_a_spliced_bound_is_its_three_terms_with_the_error_of_their_sum():
    profile = NoiseProfile({level: replace_variance(UNEVEN.labelled(300, 1.0, 1), level) for level in (0.3, 0.6, 1.0)})
    fine, coarse, tight = profile.gaussian(0.3), profile.gaussian(1.0), leave_one_out(profile.levels[1.0])
    found = profile.spliced(0.3, 1.0)
    assert found.value == pytest.approx(fine.value - coarse.value + tight.value)
    assert (found.quantity, found.direction, found.cap, found.saturated) == ("I(T;X)", "upper", None, False)
    influence = fine.influence - coarse.influence + at_fixed_counts(tight, profile.levels[1.0]).influence
    assert found.standard_error == pytest.approx(float(influence.square().sum().sqrt()) / 300, rel=2e-3)
    classes = profile.class_spliced(0.3, 1.0)
    assert classes.value == pytest.approx(
        profile.class_gaussian(0.3).value
        - profile.class_gaussian(1.0).value
        + class_leave_one_out(profile.levels[1.0]).value
    )
    assert (classes.quantity, classes.estimator) == ("I(T;X|Y)", "class_spliced")
    # at its own level nothing of the Gaussian is left
    assert profile.spliced(0.6, 0.6).value == pytest.approx(leave_one_out(profile.levels[0.6]).value)
    with pytest.raises(ValueError, match="known to fall"):
        profile.spliced(1.0, 0.3)


def slow_gaussian_divergences(profile: NoiseProfile, level: float, groups: list[list[int]]) -> np.ndarray:
    """KL of each image's posterior at a level to the Gaussian of its group's other folds at the least level."""
    finest, noised = (profile.levels[each].posterior for each in (min(profile.levels), level))
    values = np.empty(len(finest))
    for group in groups:
        for fold in shuffled(len(group)).tensor_split(min(10, len(group))):
            scored = [group[i] for i in fold.tolist()]
            others = [i for i in group if i not in scored]
            centre = [float(finest.mean[others, a].mean()) for a in range(2)]
            residuals = [[float(finest.mean[i, a]) - centre[a] for a in range(2)] for i in others]
            covariance = slow_covariance(residuals, finest.log_var[0].exp().tolist(), len(others) - 1)
            covariance += torch.diag(noised.log_var[0].exp() - finest.log_var[0].exp())
            marginal = MultivariateNormal(torch.tensor(centre, dtype=torch.float64), covariance)
            for i in scored:
                of_image = MultivariateNormal(noised.mean[i], torch.diag(noised.log_var[i].exp()))
                values[i] = float(kl_divergence(of_image, marginal))
    return values


def slow_contributions(estimator, labelled: Labelled, groups: list[list[int]]) -> tuple[float, np.ndarray]:
    """The value of InfoNCE or leave-one-out within groups, and what each image contributes, by leaving it out."""

    def value(images: list[int]) -> float:
        return estimator(Encoded(labelled.posterior[images]).drawn(labelled.codes[images])).value

    contributions = np.empty(len(labelled))
    for group in groups:
        for i in group:
            contributions[i] = -(len(group) - 1) * value([j for j in group if j != i])
    return sum(len(group) * value(group) for group in groups) / len(labelled), contributions


def test_every_bound_by_gaussians_and_every_sum_is_its_terms_image_by_image():
    fine, coarse = 0.4, 0.9
    profile = profile_of(UNEVEN, 40, 1, (fine, coarse))
    labelled = profile.levels[fine]
    everyone, classes = [list(range(40))], [images.tolist() for images in labelled.classes]
    terms = {}
    for name, groups in (("all", everyone), ("class", classes)):
        for level in (fine, coarse):
            values = slow_gaussian_divergences(profile, level, groups)
            terms[name, "U", level] = values.mean(), values
            terms[name, "V", level] = slow_contributions(leave_one_out, profile.levels[level], groups)
        terms[name, "I", fine] = slow_contributions(infonce, labelled, groups)
    of_label = [(1, ("all", "I", fine)), (-1, ("class", "I", fine))]
    by_class = [
        (sign, ("class", letter, level))
        for sign, letter, level in ((1, "U", fine), (-1, "U", coarse), (1, "V", coarse))
    ]
    bounds = by_name(labelled_bounds(labelled))
    for found, expected in (
        (bounds["gaussian_marginal I(T;X)"], [(1, ("all", "U", fine))]),
        (bounds["class_gaussian I(T;X|Y)"], by_class[:1]),
        (bounds["class_gaussian_total I(T;X)"], by_class[:1] + of_label),
        (bounds["class_leave_one_out_total I(T;X)"], [(1, ("class", "V", fine)), *of_label]),
        (profile.gaussian(coarse), [(1, ("all", "U", coarse))]),
        (profile.class_gaussian(coarse), [(1, ("class", "U", coarse))]),
        (profile.spliced(fine, coarse), [(sign, ("all", *rest)) for sign, (_, *rest) in by_class]),
        (profile.class_spliced(fine, coarse), by_class),
        (total(profile.class_gaussian(fine), kernel_mixture(labelled)), by_class[:1] + of_label),
        (total(profile.class_spliced(fine, coarse), kernel_mixture(labelled)), by_class + of_label),
    ):
        assert found.value == pytest.approx(sum(sign * terms[key][0] for sign, key in expected)), found.estimator
        contributions = sum(sign * terms[key][1] for sign, key in expected)
        # at fixed class counts; what is left out enters the slower passes beyond first order
        variance = sum(np.var(contributions[images], ddof=1) * len(images) for images in classes) / 40**2
        assert found.standard_error == pytest.approx(math.sqrt(variance), rel=5e-3), found.estimator


def test_the_frozen_gaussians_excess_falls_with_the_noise():
    # with the same fold's Gaussian, KL(q_s‖m_s) = U(s) − I(s): here I is known
    levels = (0.125, 0.25, 0.5, 1.0, 2.0)
    profile = NoiseProfile({level: replace_variance(TEN.labelled(1000, 1.0, 1), level) for level in levels})
    excess = [profile.gaussian(level).value - TEN.truth("I(T;X)", level)[0] for level in levels]
    assert excess == sorted(excess, reverse=True)
    # and at its first level it is today's R_m
    plain = by_name(labelled_bounds(profile.levels[0.125]))["gaussian_marginal I(T;X)"]
    assert profile.gaussian(0.125).value == pytest.approx(plain.value)
    assert profile.gaussian(0.125).standard_error == pytest.approx(plain.standard_error)


def test_noise_that_depends_on_the_image_is_no_convolution():
    labelled = some("many small classes")
    other = DiagonalGaussian(labelled.posterior.mean, labelled.posterior.log_var + 1)
    with pytest.raises(ValueError, match="more and more noise"):
        frozen_divergences([labelled.posterior, other], labelled.classes)


# --- properties -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_order_and_the_names_of_classes_do_not_matter(name):
    labelled = some(name)
    order = torch.randperm(len(labelled), generator=torch.Generator().manual_seed(1))
    renamed = 7 - 3 * labelled.labels[order]
    shuffled_one = Labelled(labelled.posterior[order], renamed).drawn(labelled.codes[order])
    one, other = by_name(labelled_bounds(labelled)), by_name(labelled_bounds(shuffled_one))
    for key, bound in one.items():
        if "gaussian" in key:
            continue  # whose folds are of the images in the order given
        assert other[key].value == pytest.approx(bound.value, abs=1e-10), key
        torch.testing.assert_close(other[key].influence, bound.influence[order], rtol=1e-7, atol=1e-9)


def test_every_bound_says_what_it_is():
    found = labelled_bounds(TEN.labelled(100, 0.5, 1))
    for bound in found:
        assert bound.estimator in ESTIMATORS
        assert bound.direction == ESTIMATORS[bound.estimator].direction
        assert bound.influence.shape == (100,)
        assert abs(float(bound.influence.mean())) < 1e-9
        assert bound.standard_error == pytest.approx(float(bound.influence.std()) / 10, rel=1e-9)
        assert (bound.cap is None) == (bound.direction == "upper" and bound.quantity != "I(T;Y)")
    caps = {key: bound.cap for key, bound in by_name(found).items() if bound.cap is not None}
    assert caps == pytest.approx(
        {
            "kernel_classifier I(T;Y)": math.log(10),
            "gaussian_classifier I(T;Y)": math.log(10),
            "kernel_mixture I(T;Y)": math.log(10),
            "class_infonce I(T;X|Y)": math.log(10),
            "infonce I(T;X)": math.log(100),
        }
    )
    assert "I(T;X|Y) ≤" in repr(class_gaussian(TEN.labelled(100, 0.5, 1)))
    assert label_of("class_gaussian_total") == "R_m by class + I(T;Y)"


def test_saturated_is_said_of_infonce_and_of_leave_one_out():
    flags = {}
    for level in (0.125, 0.3, 1.0):
        flags[level] = {
            key: bound.saturated for key, bound in by_name(labelled_bounds(TEN.labelled(600, level, 1))).items()
        }
    # nats: I(T;X|Y) 8.6, 2.8 and 0.3 with the cap log 60 = 4.1; I(T;X) 10.9, 5.1 and 2.4 with the cap log 600 = 6.4
    compared = ("infonce I(T;X)", "leave_one_out I(T;X)", "class_infonce I(T;X|Y)", "class_leave_one_out I(T;X|Y)")
    assert all(flags[0.125][key] for key in (*compared, "class_leave_one_out_total I(T;X)"))
    assert not any(flags[1.0].values())
    of_label = ("kernel_classifier I(T;Y)", "gaussian_classifier I(T;Y)", "kernel_mixture I(T;Y)")
    for key in (*of_label, "class_gaussian_total I(T;X)"):
        assert not any(flag[key] for flag in flags.values())


@pytest.mark.parametrize("level", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("name", CASES)
def test_no_bound_passes_its_cap_and_no_number_is_infinite(name, level):
    for bound in labelled_bounds(replace_variance(some(name), level)):
        assert math.isfinite(bound.value)
        assert math.isfinite(bound.standard_error)
        assert bound.cap is None or bound.value <= bound.cap + 1e-12


def test_a_sum_needs_upper_bounds_on_the_two_parts():
    labelled = some("overlapping")
    given, of_label = class_gaussian(labelled), kernel_mixture(labelled)
    assert total(given, of_label).value == pytest.approx(given.value + of_label.value)
    for wrong in ((of_label, given), (class_infonce(labelled), of_label), (given, kernel_classifier(labelled))):
        with pytest.raises(ValueError, match="needs upper bounds"):
            total(*wrong)


LEVELS = (0.125, 0.25, 0.5, 1.0, 2.0)


def profile_of(classes: Classes, n: int, seed: int, levels: tuple[float, ...] = LEVELS) -> NoiseProfile:
    return NoiseProfile({level: classes.labelled(n, level, seed) for level in levels})


def test_the_splice_is_where_it_is_smallest_on_the_images_given():
    profile = profile_of(TEN, 400, 1)
    for level in LEVELS:
        excess, by_class = {None: 0.0}, {None: 0.0}
        for at in LEVELS[LEVELS.index(level) :]:
            excess[at] = leave_one_out(profile.levels[at]).value - profile.gaussian(at).value
            by_class[at] = class_leave_one_out(profile.levels[at]).value - profile.class_gaussian(at).value
        assert splice_level(profile, level) == min(excess, key=excess.get)
        assert splice_level(profile, level, by_class=True) == min(by_class, key=by_class.get)
        # ten classes are no Gaussian
        assert splice_level(profile, level) is not None
    assert splice_level(profile, 4.0) is None


def test_there_is_no_splice_where_leave_one_out_is_further_off_than_the_gaussian():
    one = Classes(torch.zeros(1, 3, dtype=torch.float64), torch.ones(3, dtype=torch.float64), (1,))
    profile = profile_of(one, 200, 1, (0.01, 0.05))
    assert splice_level(profile, 0.01) is splice_level(profile, 0.01, by_class=True) is None


def test_a_splice_chosen_on_other_images_loses_little_where_there_is_nothing_to_gain():
    # within ten Gaussian classes, where a splice at 1/4 is half a nat further off than the Gaussian of each class
    truth = TEN.given_label(0.125)
    spliced, plain, fixed = [], [], []
    for seed in range(8):
        scored = profile_of(TEN, 1000, seed, (0.125, 0.25, 0.5, 1.0))
        at = splice_level(profile_of(TEN, 1000, 100 + seed, (0.125, 0.25, 0.5, 1.0)), 0.125, by_class=True)
        plain.append(scored.class_gaussian(0.125).value - truth)
        spliced.append(plain[-1] if at is None else scored.class_spliced(0.125, at).value - truth)
        fixed.append(scored.class_spliced(0.125, 0.25).value - truth)
    assert np.mean(spliced) < np.mean(plain) + 0.1 < np.mean(fixed)


# --- ground truths --------------------------------------------------------------------------------------------------


def check_sides(classes: Classes, level: float, replicates: list[list[Bound]]) -> dict[str, tuple[float, float, float]]:
    """Assert that no bound is on the wrong side; return bias, spread, and reported error over spread."""
    summary = {}
    for bounds in zip(*replicates, strict=True):
        key, quantity = f"{bounds[0].estimator} {bounds[0].quantity}", bounds[0].quantity
        truth, error = classes.truth(quantity, level)
        values = torch.tensor([bound.value for bound in bounds], dtype=torch.float64)
        spread = float(values.std())
        bias = float(values.mean()) - truth
        wrong = bias if bounds[0].direction == "lower" else -bias
        assert wrong <= 4.5 * math.hypot(spread / math.sqrt(len(values)), error) + 1e-9, (key, bias)
        reported = sum(bound.standard_error for bound in bounds) / len(bounds)
        summary[key] = bias, spread, reported / spread if spread > 1e-4 else 1.0
    return summary


@pytest.mark.parametrize("level", [0.125, 0.5])
def test_no_bound_is_on_the_wrong_side_of_ten_gaussian_classes(level):
    replicates = [labelled_bounds(TEN.labelled(400, level, seed)) for seed in range(20)]
    check_sides(TEN, level, replicates)


@pytest.mark.parametrize("n", [400, 600])  # with one covariance, and with one for each class
def test_the_gaussian_classifier_is_just_below_the_truth_of_gaussian_classes(n):
    for level, short in ((0.5, 0.01), (1.0, 0.1)):
        replicates = [[gaussian_classifier(TEN.labelled(n, level, seed))] for seed in range(20)]
        bias, _, ratio = check_sides(TEN, level, replicates)["gaussian_classifier I(T;Y)"]
        assert bias > -short
        if level == 1.0:  # twenty replicates know the spread to 16%
            assert 0.6 < ratio < 1.7
        else:  # 0.006 nats below H(Y), a few misread images are all there is to the error
            assert sum(bound.heavy_tailed for (bound,) in replicates) > 15


def test_the_gaussian_classifier_knows_classes_that_overlap_in_many_dimensions():
    truth, _ = WIDE.truth("I(T;Y)", 1.0)
    assert truth == pytest.approx(1.897, abs=0.005)
    replicates = [[gaussian_classifier(WIDE.labelled(2000, 1.0, seed))] for seed in range(5)]
    # of a t with four degrees of freedom: with probability 0.005 for a bound that is exactly tight
    bias, _, _ = check_sides(WIDE, 1.0, replicates)["gaussian_classifier I(T;Y)"]
    assert bias > -0.1
    # the values are two errors below the truth, so that each passes this with all but a probability of 3e-5
    for (bound,) in replicates:
        assert truth - 0.1 < bound.value < truth + 2 * bound.standard_error
    labelled = WIDE.labelled(2000, 1.0, 0)
    assert kernel_classifier(labelled).value < 0
    assert kernel_mixture(labelled).value == pytest.approx(math.log(10), abs=0.001)


def test_the_gaussian_classifier_of_a_hundred_classes_of_five_images():
    means = 2 * torch.randn(100, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    many = Classes(means, torch.full((8,), 0.3, dtype=torch.float64), 100 * (1,))
    replicates = [[gaussian_classifier(many.labelled(500, 1.0, seed))] for seed in range(20)]
    bias, _, _ = check_sides(many, 1.0, replicates)["gaussian_classifier I(T;Y)"]
    assert bias > -0.3


def test_the_gaussian_classifier_of_more_dimensions_than_images():
    means = torch.randn(4, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    classes = Classes(0.5 * means, torch.ones(60, dtype=torch.float64), 4 * (1,))
    replicates = [[gaussian_classifier(classes.labelled(40, 0.5, seed))] for seed in range(20)]
    bias, _, _ = check_sides(classes, 0.5, replicates)["gaussian_classifier I(T;Y)"]
    assert bias > -0.3


def test_classes_of_different_sizes_with_the_error_that_is_reported():
    level = 1.0
    replicates = [labelled_bounds(UNEVEN.labelled(100, level, seed)) for seed in range(100)]
    for key, (_, _, ratio) in check_sides(UNEVEN, level, replicates).items():
        # 100 replicates know the spread to 7%: 0.75 to 1.35 is three and five of those away
        assert 0.75 < ratio < 1.35, (key, ratio)
    for bounds in zip(*replicates, strict=True):
        truth, _ = UNEVEN.truth(bounds[0].quantity, level)
        sign = 1 if bounds[0].direction == "upper" else -1
        holds = sum(sign * (bound.value - truth) > -1.96 * bound.standard_error for bound in bounds)
        inside = sum(abs(bound.value - truth) < 1.96 * bound.standard_error for bound in bounds)
        # 97.5% and 95%, less four of their own standard errors and a point for the error's own
        assert holds >= 90, (bounds[0], holds)
        tight = abs(sum(bound.value for bound in bounds) / 100 - truth) < bounds[0].standard_error / 3
        assert not tight or inside >= 85, (bounds[0], inside)


def test_the_check_figures_are_met():
    """One data set of N = 2,000, as they are."""
    levels = {level: TEN.labelled(2000, level, 5) for level in (0.125, 0.5)}
    fine, coarse = (by_name(labelled_bounds(levels[level])) for level in (0.125, 0.5))
    assert TEN.truth("I(T;X)", 0.125)[0] == pytest.approx(10.949, abs=0.001)
    assert TEN.truth("I(T;X)", 0.5)[0] == pytest.approx(3.475, abs=0.002)
    for key, expected in (
        ("gaussian_marginal I(T;X)", 21.55),
        ("leave_one_out I(T;X)", 15.1),
        ("class_gaussian_total I(T;X)", 11.03),
        ("infonce I(T;X)", 7.45),
    ):
        assert fine[key].value == pytest.approx(expected, abs=4 * fine[key].standard_error), key
    for key, expected in (
        ("infonce I(T;X)", 3.476),
        ("class_gaussian_total I(T;X)", 3.492),
        ("kernel_classifier I(T;Y)", 2.293),
        ("kernel_mixture I(T;Y)", 2.295),
        ("class_infonce I(T;X|Y)", 1.18),
        ("class_gaussian I(T;X|Y)", 1.199),
    ):
        # the other data set has an error of its own
        assert coarse[key].value == pytest.approx(expected, abs=5.5 * coarse[key].standard_error), key
    profile = NoiseProfile(levels)
    spliced = total(profile.class_spliced(0.125, 0.5), kernel_mixture(levels[0.125]))
    assert spliced.value == pytest.approx(11.03, abs=4 * spliced.standard_error)
    assert spliced.estimator in ESTIMATORS


def test_spliced_bounds_are_above_the_truth():
    apart = Classes(4 * UNEVEN.means, UNEVEN.variance, UNEVEN.shares)
    values: dict[str, list[float]] = {}
    for seed in range(40):
        first = apart.labelled(200, 0.1, seed)
        coarse = replace_variance(first, 0.6)
        profile = NoiseProfile({0.1: first, 0.6: coarse.drawn(sample_codes(coarse.posterior, seed))})
        for bound in (profile.gaussian(0.1), profile.spliced(0.1, 0.6), profile.class_spliced(0.1, 0.6)):
            excess = bound.value - apart.truth(bound.quantity, 0.1)[0]
            values.setdefault(bound.estimator, []).append(excess)
    for name, excess in values.items():
        assert np.mean(excess) > -4.5 * np.std(excess, ddof=1) / math.sqrt(40), name
    # three Gaussians are no Gaussian, which the noise hides; each alone is one
    assert np.mean(values["spliced"]) < np.mean(values["frozen_gaussian"]) - 0.2
    assert np.mean(values["class_spliced"]) < 0.15


def test_separated_clusters_are_their_labels():
    far = Classes(100 * torch.eye(5, dtype=torch.float64), torch.full((5,), 1e-12, dtype=torch.float64), 5 * (1,))
    found = by_name(labelled_bounds(far.labelled(100, 1.0, 1)))
    for key in ("kernel_mixture I(T;Y)", "infonce I(T;X)", "class_gaussian_total I(T;X)"):
        assert found[key].value == pytest.approx(math.log(5), abs=1e-6), key
    for key in ("kernel_classifier I(T;Y)", "gaussian_classifier I(T;Y)"):
        assert math.log(5) - 0.001 < found[key].value < math.log(5), key
    for key in ("class_infonce I(T;X|Y)", "class_leave_one_out I(T;X|Y)", "class_gaussian I(T;X|Y)"):
        assert found[key].value == pytest.approx(0, abs=1e-6), key


def test_features_that_are_a_function_of_the_class_say_nothing_else():
    alone = Classes(UNEVEN.means, torch.zeros(2, dtype=torch.float64), UNEVEN.shares)
    replicates = [labelled_bounds(alone.labelled(50, 1.0, seed)) for seed in range(20)]
    summary = check_sides(alone, 1.0, replicates)
    for key in ("class_infonce I(T;X|Y)", "class_leave_one_out I(T;X|Y)", "class_gaussian I(T;X|Y)"):
        assert summary[key][:2] == pytest.approx((0, 0), abs=1e-9)


def test_features_that_are_independent_of_the_label_say_nothing_of_it():
    same = Classes(torch.zeros(4, 3, dtype=torch.float64), torch.ones(3, dtype=torch.float64), 4 * (1,))
    replicates = [labelled_bounds(same.labelled(200, 1.0, seed)) for seed in range(20)]
    summary = check_sides(same, 1.0, replicates)
    # of four classes of 50 images in 3 dimensions: what is seen of labels that are not there
    assert -0.2 < summary["kernel_classifier I(T;Y)"][0] < 0 < summary["kernel_mixture I(T;Y)"][0] < 0.2
    assert -0.2 < summary["gaussian_classifier I(T;Y)"][0] < 0
    # of twenty limits that fail in 2.5%, three or more do with probability 0.013; these are of a bound below 0
    found = [by_name(bounds)["gaussian_classifier I(T;Y)"] for bounds in replicates]
    assert sum(bound.value > 1.96 * bound.standard_error for bound in found) <= 2


def test_one_class_says_nothing_of_its_label():
    found = by_name(labelled_bounds(some("one class")))
    for key in ("kernel_classifier I(T;Y)", "gaussian_classifier I(T;Y)", "kernel_mixture I(T;Y)"):
        assert (found[key].value, found[key].standard_error, found[key].cap) == pytest.approx((0, 0, 0), abs=1e-12)
    for of_class, of_all in (
        ("class_infonce I(T;X|Y)", "infonce I(T;X)"),
        ("class_leave_one_out I(T;X|Y)", "leave_one_out I(T;X)"),
        ("class_gaussian I(T;X|Y)", "gaussian_marginal I(T;X)"),
    ):
        assert found[of_class].value == pytest.approx(found[of_all].value)
        assert found[of_class].standard_error == pytest.approx(found[of_all].standard_error)


def test_two_images_a_class():
    pair = Classes(UNEVEN.means, UNEVEN.variance, (1, 1, 1))
    replicates = [labelled_bounds(pair.labelled(6, 0.8, seed)) for seed in range(100)]
    check_sides(pair, 0.8, replicates)
    # the cap log 2 is less than a nat: whatever InfoNCE says is near it
    flags = [bound.saturated for bounds in replicates for bound in bounds if bound.estimator == "class_infonce"]
    assert sum(flags) > 90
    for bounds in replicates:
        assert all(math.isfinite(bound.standard_error) for bound in bounds)


def test_a_thousand_classes():
    stream = torch.Generator().manual_seed(1)
    means = 2 * torch.randn(1000, 8, dtype=torch.float64, generator=stream)
    many = Classes(means, torch.full((8,), 0.3, dtype=torch.float64), 1000 * (1,))
    found = by_name([kernel_classifier(one := many.labelled(2000, 1.0, 1)), kernel_mixture(one), class_infonce(one)])
    truth, error = many.truth("I(T;Y)", 1.0)
    lower, upper = found["kernel_classifier I(T;Y)"], found["kernel_mixture I(T;Y)"]
    assert lower.value < truth + 4.5 * math.hypot(lower.standard_error, error)
    assert upper.value > truth - 4.5 * math.hypot(upper.standard_error, error)
    assert lower.cap == upper.cap == pytest.approx(math.log(1000))
    assert found["class_infonce I(T;X|Y)"].cap == pytest.approx(math.log(2))


def test_classes_of_two_have_an_error_too():
    """Their two terms are one number; 30 replicates know the spread to 13%, and classes differ little here."""
    means = 2 * torch.randn(60, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pairs = Classes(means, torch.full((4,), 0.3, dtype=torch.float64), 60 * (1,))
    replicates = [class_gaussian(pairs.labelled(120, 1.0, seed)) for seed in range(30)]
    spread = np.std([bound.value for bound in replicates], ddof=1)
    error = np.mean([bound.standard_error for bound in replicates])
    assert 0.7 < error / spread < 1.7


@pytest.mark.endurance
@pytest.mark.parametrize("level", [0.125, 0.25, 0.5, 1.0, 2.0])
def test_ten_gaussian_classes_at_length(level):
    replicates = [labelled_bounds(TEN.labelled(2000, level, seed)) for seed in range(100)]
    for key, (_, _, ratio) in check_sides(TEN, level, replicates).items():
        # 100 replicates know the spread to 7%; what saturates is heavy-tailed
        assert 0.7 < ratio < 1.4, key


@pytest.mark.endurance
@pytest.mark.parametrize(("n", "level"), [(200, 0.4), (200, 1.0), (1000, 0.4), (1000, 1.0)])
def test_coverage_at_length(n, level):
    replicates = [labelled_bounds(UNEVEN.labelled(n, level, seed)) for seed in range(1000)]
    check_sides(UNEVEN, level, replicates)
    for bounds in zip(*replicates, strict=True):
        truth, _ = UNEVEN.truth(bounds[0].quantity, level)
        sign = 1 if bounds[0].direction == "upper" else -1
        holds = sum(sign * (bound.value - truth) > -1.96 * bound.standard_error for bound in bounds)
        # one-sided 97.5%: four of its own standard errors, 0.5%, and a point for the error's own
        assert holds >= 945, bounds[0].estimator


# --- channels -------------------------------------------------------------------------------------------------------


def features(n: int = 300, d: int = 5, seed: int = 1) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, dtype=torch.float64, generator=stream)
    return torch.randn(n, d, dtype=torch.float64, generator=stream) @ mixing + 3


def information(shape: str, train: Tensor, test: Tensor, level: float = 0.5) -> float:
    """Deterministic: R_m by the Gaussian with the moments of all scored images, which knows units and not axes."""
    posterior = channel(train, shape).posterior(test, level)
    covariance = posterior.mean.T.cov(correction=0) + torch.diag(posterior.log_var.exp()[0])
    return float(0.5 * (torch.logdet(covariance) - posterior.log_var[0].sum()))


def test_the_noise_has_the_scale_of_the_features():
    train = features()
    covariance = train.T.cov(correction=0)
    unit = [channel(train, shape).posterior(train, 1.0).mean.T.cov(correction=0) for shape in SHAPES]
    torch.testing.assert_close(unit[0], covariance / covariance.trace() * 5)
    torch.testing.assert_close(unit[1].diagonal(), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(unit[2], torch.eye(5, dtype=torch.float64), atol=1e-9, rtol=0)
    assert information("whitened", train, train, 0.5) == pytest.approx(2.5 * math.log(1 + 4))


def test_what_each_shape_does_not_notice():
    train, test = features(), features(seed=2)
    rotation = torch.linalg.qr(features(5, 5, 3)).Q
    mixing, scales = features(5, 5, 4), torch.tensor([0.1, 1.0, 2.0, 5.0, 30.0], dtype=torch.float64)
    for name, change, unchanged in (
        ("rotation and scale", lambda x: 7 * x @ rotation - 2, {"isotropic", "whitened"}),
        ("scales", lambda x: x * scales + 1, {"per-dimension", "whitened"}),
        ("affine", lambda x: x @ mixing + 1, {"whitened"}),
    ):
        for shape in SHAPES:
            before, after = information(shape, train, test), information(shape, change(train), change(test))
            assert (abs(after - before) < 1e-8) == (shape in unchanged), (name, shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_constant_dimensions_and_more_dimensions_than_images(shape):
    train = torch.cat([features(), torch.full((300, 2), 0.1, dtype=torch.float64)], 1)
    found = channel(train, shape)
    posterior = found.posterior(train, 0.5)
    assert torch.isfinite(posterior.mean).all()
    # what does not vary says nothing
    plain = information("isotropic" if shape == "isotropic" else shape, train[:, :5], train[:, :5], 0.5)
    if shape != "isotropic":  # whose variance is a mean over dimensions
        assert information(shape, train, train, 0.5) == pytest.approx(plain)
    wide = features(40, 100, 5)
    labels = torch.arange(40) % 2
    for bound in labelled_bounds(Labelled(channel(wide, shape).posterior(features(40, 100, 6), 1.0), labels)):
        assert math.isfinite(bound.value)
        assert math.isfinite(bound.standard_error)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_features_of_every_precision(dtype):
    array = features().numpy().astype(dtype)
    found = channel(array, "whitened").posterior(array, 0.5)
    assert found.mean.dtype == torch.float64
    exact = channel(features(), "whitened").posterior(features(), 0.5)
    torch.testing.assert_close(found.mean, exact.mean, atol=0.05, rtol=0)
    # float16 overflows where a variance is taken in it
    large = (array / np.abs(array).max() * 6e4).astype(dtype)
    assert torch.isfinite(channel(large).posterior(large, 0.5).mean).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: channel(x, "round"), "noise_shape: got 'round'; needs one of isotropic, per-dimension, whitened"),
        (lambda x: channel(x[:, 0]), r"features: got an array \(300,\)"),
        (lambda x: channel(x * math.nan), "features: got 1500 NaN or infinite values"),
        (lambda x: channel(x[:1]), "features: got 1 image"),
        (lambda x: channel(x * 0 + 0.1), "features: got the same for all images"),
        (lambda x: channel(x).posterior(x[:, :4], 1.0), "features: got 4 dimensions; needs the 5 of the channel"),
        (lambda x: channel(x).posterior(x, 0.0), "level: got 0.0; needs a number above 0"),
        (lambda x: Labelled(channel(x).posterior(x, 1.0), torch.zeros(299)), r"labels: got shape \(299,\)"),
        (lambda x: Labelled(channel(x).posterior(x, 1.0), torch.zeros(300)), "labels: got numbers of type float32"),
        (
            lambda x: Labelled(channel(x).posterior(x, 1.0), torch.arange(300) // 299),
            "labels: got one image of class 1; needs at least 2 images of each class",
        ),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(BadInput, match=words):
        call(features())


# --- outputs --------------------------------------------------------------------------------------------------------


def slow_outputs(p: list[list[float]], labels: list[int], kept: list[int]) -> dict[str, float]:
    """The definitions, at p(y) of the images kept."""

    def divergences(images: list[int], itself: bool) -> float:
        total = 0.0
        for i in images:
            others = [j for j in images if itself or j != i]
            for k, share in enumerate(p[i]):
                total += share * math.log(share / (sum(p[j][k] for j in others) / len(others)))
        return total

    classes = [[i for i in kept if labels[i] == y] for y in set(labels)]
    return {
        "plug_in": divergences(kept, True) / len(kept),
        "leave_one_out_outputs": divergences(kept, False) / len(kept),
        "class_plug_in": sum(divergences(images, True) for images in classes) / len(kept),
        "class_leave_one_out_outputs": sum(divergences(images, False) for images in classes) / len(kept),
    }


def logits_of(n: int, outputs: int, seed: int, sharpness: float = 1.5) -> tuple[Tensor, Tensor]:
    labels = torch.arange(n) % 3
    noise = torch.randn(n, outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return sharpness * noise + 2 * torch.nn.functional.one_hot(labels % outputs, outputs), labels


def test_bounds_on_outputs_are_loops_over_images():
    logits, labels = logits_of(24, 4, 1)
    p = (logits / 1.3).softmax(1).tolist()
    expected = slow_outputs(p, labels.tolist(), list(range(24)))
    found = {bound.estimator: bound for bound in output_bounds(logits, labels, 1.3)}
    assert {name: bound.value for name, bound in found.items()} == pytest.approx(expected, abs=1e-12)
    # leaving out one at a time, centred within classes
    left = [slow_outputs(p, labels.tolist(), [i for i in range(24) if i != k]) for k in range(24)]
    for name, tolerance in (("plug_in", 1e-9), ("leave_one_out_outputs", 0.06)):
        influence = -23 * np.array([each[name] for each in left])
        variance = sum(float(np.var(influence[labels == y], ddof=1)) * 8 / 24**2 for y in range(3))
        assert found[name].standard_error == pytest.approx(math.sqrt(variance), rel=tolerance), name
    for name, tolerance in (("class_plug_in", 1e-9), ("class_leave_one_out_outputs", 0.1)):
        variance = 0.0
        for y in range(3):
            of_class = [i for i in range(24) if labels[i] == y]
            values = [slow_outputs(p, [0] * 24, [i for i in of_class if i != k])[name] for k in of_class]
            variance += float(np.var(-7 * np.array(values), ddof=1)) * 8 / 24**2
        assert found[name].standard_error == pytest.approx(math.sqrt(variance), rel=tolerance), name


def test_bounds_on_outputs_are_on_their_sides_by_what_is_stated():
    n, outputs = 30, 3
    many, labels = logits_of(300_000, outputs, 999)
    truth = {bound.estimator: bound.value for bound in output_bounds(many, labels)}
    found = [output_bounds(*logits_of(n, outputs, seed)) for seed in range(200)]
    for bounds in zip(*found, strict=True):
        values = torch.tensor([bound.value for bound in bounds], dtype=torch.float64)
        bias, error = float(values.mean()) - truth[bounds[0].estimator], float(values.std()) / math.sqrt(200)
        name = bounds[0].estimator
        if bounds[0].direction == "lower":
            short = (outputs - 1) / (2 * n) * (3 if name == "class_plug_in" else 1)
            assert -short - 4.5 * error < bias < 4.5 * error, name
        else:
            assert bias > -4.5 * error, name
        reported = sum(bound.standard_error for bound in bounds) / 200
        # 200 replicates know the spread to 5%; ten images a class know their own error badly
        assert 0.85 < reported / float(values.std()) < 1.25, name


def test_outputs_that_are_certain_or_alike():
    labels = torch.arange(60) % 3
    certain = 5000.0 * torch.nn.functional.one_hot(labels, 3).double()
    found = {bound.estimator: bound for bound in output_bounds(certain, labels)}
    assert found["plug_in"].value == pytest.approx(math.log(3))
    assert found["leave_one_out_outputs"].value == pytest.approx(math.log(59 / 19))
    assert found["plug_in"].cap == pytest.approx(math.log(3))
    assert not found["plug_in"].saturated
    assert found["class_plug_in"].value == found["class_leave_one_out_outputs"].value == pytest.approx(0)
    for bound in output_bounds(torch.zeros(60, 4), labels):
        assert bound.value == pytest.approx(0, abs=1e-12)
    # an answer that one image alone gives: far, and finite
    alone = certain.clone()
    alone[0] = torch.tensor([0.0, 0.0, 800.0])
    for bound in output_bounds(alone, labels):
        assert math.isfinite(bound.value)
        assert math.isfinite(bound.standard_error)
    (*_, last) = output_bounds(alone, labels)
    assert last.value == pytest.approx(5000 / 60, rel=0.05)
    assert last.heavy_tailed


def test_outputs_are_checked():
    logits, labels = logits_of(24, 4, 1)
    for call, words in (
        (lambda: output_bounds(logits, labels, 0.0), "temperature: got 0.0"),
        (lambda: output_bounds(logits[0], labels), r"logits: got an array \(4,\)"),
        (lambda: output_bounds(logits * math.inf, labels), "logits: got 96 NaN or infinite values"),
        (lambda: output_bounds(logits, labels[:20]), "labels: got shape"),
    ):
        with pytest.raises(BadInput, match=words):
            call()
