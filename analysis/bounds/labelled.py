r"""What a code says of the label, and of the image beyond the label: I(T;Y), I(T;X|Y) and their sum, I(T;X).

Y – X – T is a Markov chain, so that :math:`I(T;X) = I(T;Y) + I(T;X|Y)` exactly. N images, :math:`N_y` of class y; all
is at *fixed class counts*, :math:`p(y) = N_y / N`: images are independent draws within their class, and a standard
error is over such draws, from influences centred within classes. (With random counts the bounds on I(T;Y) fall short of
the population's by up to about (K − 1)/2N, for I is concave in the p(y) that was drawn; the lower bound remains one.)

- `kernel_classifier`: :math:`H(Y) + E \log r(y|t)` for r the kernel classifier from the *other* images, with class
  means and fixed p(y), mixed with a little of p(y). Lower, at most H(Y): a classifier of other images is a decoder
  (Barber & Agakov 2003). That i's class has one image less can only lower it: log a/(a + b) is concave in the class
  mean a, which is the mean of those with one image less.
- `gaussian_classifier`: the same for r with a Gaussian for each class, or one covariance for all, from nine tenths of
  the images. Lower, at most H(Y): *the headline*, for a Gaussian is known from far fewer images than a density.
- `kernel_mixture`: :math:`E \log \hat p(t_i|y_i) / \hat p(t_i)`, the mixtures of N and of N_y densities with the
  image's own. This is I(T;Y) of the empirical mixtures; I is convex in p(t|y) at fixed p(y) (Cover & Thomas 2006,
  theorem 2.7.4), and the empirical mixtures are p(t|y) in expectation. Upper, and never above H(Y), since
  :math:`\hat p(t) \ge p(y) \hat p(t|y)`. It is the difference of InfoNCE among all and within classes.
- `class_infonce`, `class_leave_one_out`, `class_gaussian`: :math:`\sum_y p(y)` times the bounds of
  `analysis.bounds` on class y alone, lower with the cap :math:`\sum_y p(y) \log N_y`, upper, and upper by R_m of ten
  folds of the class.
- `total`: :math:`I(T;X) \le U(T;X|Y) + U(T;Y)`. Far below R_m where features are clusters, which a Gaussian for each
  class follows and one Gaussian does not. The smaller of U(T;Y) and H(Y) is U(T;Y) itself here; of an estimate that
  can exceed H(Y), the smaller would not be an upper bound in expectation.

The two kernel bounds on I(T;Y) know densities from N images as InfoNCE does: once InfoNCE within classes is saturated,
the upper one is H(Y) whatever the truth, and the lower one may be far below it, even below 0, since the kernel
classifier is then one by the nearest neighbour. They meet where the noise is large enough, or classes are separated.

Of the two lower bounds on I(T;Y) the headline is the Gaussian classifier's, whatever the values are; the kernel
classifier's stands beside it. The larger of two lower bounds is none in expectation:
:math:`E \max(A, B) \ge \max(E A, E B)`, so that chance alone may lift it above the truth.

InfoNCE, leave-one-out and R_m of all images hold at fixed counts too. With :math:`p_y` short for p(t|y), InfoNCE's
mixture is p(t) in expectation; leave-one-out compares an image of class y with
:math:`p + (p - p_y) / (N - 1)`, and :math:`-\sum_y p(y) E_{p_y} \log(\cdot) \ge -E_p \log p`, from
:math:`\log(1 + u) \le u` and :math:`\sum_y p(y) p_y^2 \ge p^2`.

References: Barber & Agakov 2003; Xu et al. 2020, arXiv 2002.10689 (usable information); Kolchinsky & Tracey 2017,
arXiv 1706.02419 (mixtures); Poole et al. 2019, arXiv 1905.06922 (InfoNCE, leave-one-out); Bayle et al. 2020, arXiv
2007.12671 (errors of cross-validation).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.bound import Bound, combine, standard_error
from analysis.bounds.class_pairs import FLOOR, ClassPairs, class_pairs
from analysis.bounds.contrastive import infonce, leave_one_out
from analysis.bounds.encoded import FOLDS, Encoded, shuffled
from analysis.bounds.estimators import Direction, derived, estimator
from analysis.bounds.fitted import gaussian_marginal
from analysis.bounds.gaussian import aggregate, factored, kl_to_factored, kl_to_gaussian, log_gaussian
from analysis.bounds.pairs import Pairs, jackknife, log_ratio
from analysis.bounds.stretches import HERE, Workers
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = [
    "GIVEN_LABEL",
    "IMAGE",
    "LABEL",
    "Labelled",
    "at_fixed_counts",
    "centred_in_classes",
    "check_labels",
    "class_gaussian",
    "class_infonce",
    "class_leave_one_out",
    "frozen_divergences",
    "gaussian_classifier",
    "kernel_classifier",
    "kernel_mixture",
    "labelled_bounds",
    "of_class_gaussians",
    "total",
]

IMAGE, LABEL, GIVEN_LABEL = "I(T;X)", "I(T;Y)", "I(T;X|Y)"
"""What the code of a representation says of its image, of the label, and of the image beyond the label."""

PER_DIMENSION = 3
"""Images for each dimension from which a class has a covariance of its own in the Gaussian classifier; fixed
beforehand."""

EIGEN = 4
"""Levels from which one eigendecomposition takes less time than a Cholesky factor and its inverse for each."""

FEW = 2
"""Dimensions for an image from which a covariance is not written out, but kept as what the images give of it."""

CONDITION = 1e6
"""Between the variances of a Gaussian, beyond which an eigendecomposition would lose digits of the smallest."""


class Labelled(Encoded):
    """A code of N images with class labels, checked once; what several bounds need of it is computed once, on demand.

    With one class only all bounds on I(T;Y) are 0 with the cap 0, and those on I(T;X|Y) are those on I(T;X).

    Args:
        posterior: of N images unseen in training, `analysis.bounds.channel.Channel.posterior` for one.
        labels: (N,) integers, each at least twice; any integers.
        codes: (N, d), one drawn from each image's posterior; drawn from seed 0 where they are not given.
        workers: who compares all pairs: this process, or an `analysis.bounds.on_ray.RayWorkers`.

    Raises:
        BadInput: as `Encoded` and `check_labels`.

    Example:
        >>> labels = torch.arange(500) % 5
        >>> mean = 3 * torch.nn.functional.one_hot(labels).double()
        >>> labelled = Labelled(DiagonalGaussian(mean, torch.zeros_like(mean)), labels)
        >>> kernel_classifier(labelled).cap == kernel_mixture(labelled).cap == labelled.entropy
        True
    """

    quantity = IMAGE

    def __init__(
        self,
        posterior: DiagonalGaussian,
        labels: Tensor | np.ndarray,
        codes: Tensor | None = None,
        *,
        workers: Workers = HERE,
    ) -> None:
        super().__init__(posterior, codes, workers=workers)
        self.labels = check_labels(labels, len(self))
        self.counts = self.labels.bincount()

    def __repr__(self) -> str:
        return f"{super().__repr__()}, {len(self.counts)} classes"

    @cached_property
    def class_pairs(self) -> ClassPairs:
        """What the pass over all pairs leaves, with what it says of classes."""
        return class_pairs(self.posterior, self.codes, self.labels, self.workers)

    @cached_property
    def pairs(self) -> Pairs:
        """The part of it in which classes have no part."""
        return self.class_pairs.everyone

    @cached_property
    def classes(self) -> Sequence[Tensor]:
        """The indices of the images of each class, in order."""
        return self.labels.argsort(stable=True).split(self.counts.tolist())

    @cached_property
    def entropy(self) -> float:
        """H(Y), nats."""
        prior = self.counts.double() / len(self)
        return float(torch.special.entr(prior).sum())

    @cached_property
    def class_cap(self) -> float:
        """The largest value of InfoNCE within classes, nats."""
        return float((self.counts * self.counts.double().log()).sum()) / len(self)

    def drawn(self, codes: Tensor) -> "Labelled":
        """The same with codes that have been drawn here."""
        same = Labelled(self.posterior, self.labels, workers=self.workers)
        same.given = codes
        return same


def check_labels(labels: Tensor | np.ndarray, n: int) -> Tensor:
    """(N,) int64, the classes numbered from 0 in the order of the labels.

    Raises:
        BadInput: not one whole number for each image, or a class of one image.
    """
    array = np.asarray(labels)
    if array.shape != (n,):
        raise BadInput("labels", f"shape {array.shape}", f"one label for each of the {n:,} images")
    if array.dtype.kind not in "iub":
        raise BadInput("labels", f"numbers of type {array.dtype}", "integers")
    names, labels, counts = np.unique(array, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise BadInput("labels", f"one image of class {names[counts.argmin()]}", "at least 2 images of each class")
    return torch.from_numpy(labels.astype(np.int64))


def centred_in_classes(influence: Tensor, labels: Tensor) -> Tensor:
    """(N,): the influence of independent images as one at fixed class counts, so that `standard_error` holds.

    Differences between class means are no sampling error then; N_y − 1 degrees of freedom are left in a class.
    """
    counts = labels.bincount().double()
    count = counts[labels]
    sums = torch.zeros(len(counts), dtype=torch.float64).index_add_(0, labels, influence)
    scale = (count / (count - 1) * (1 - 1 / len(labels))).sqrt()
    return (influence - (sums / counts)[labels]) * scale


def at_fixed_counts(bound: Bound, labelled: Labelled, quantity: str = IMAGE) -> Bound:
    """A bound of a labelled code, from whatever counts its influence is, as one on ``quantity`` at fixed counts."""
    assert bound.influence is not None
    influence = centred_in_classes(bound.influence, labelled.labels)
    return replace(bound, quantity=quantity, influence=influence, standard_error=standard_error(influence))


def _of_terms(
    labelled: Labelled,
    name: str,
    direction: Direction,
    quantity: str,
    terms: Tensor,
    influence: Tensor,
    *,
    cap: float | None = None,
    saturated: bool = False,
    k: int | None = None,
) -> Bound:
    """A bound that is a mean of terms (N,), which depend on each other, with what each image contributes to it."""
    value = float(terms.mean())
    bound = Bound(name, value, 0.0, direction, cap, saturated, len(terms), k, influence=influence)
    return at_fixed_counts(bound, labelled, quantity)


@estimator("kernel_classifier", label="kernel classifier", direction="lower", quantity=LABEL)
def kernel_classifier(labelled: Labelled) -> Bound:
    r"""Lower bound on I(T;Y) by the kernel classifier from the other images, at most H(Y).

    The standard error is the delete-one jackknife at fixed p(y), from the same pass.
    """
    compared = labelled.class_pairs
    count = labelled.counts[labelled.labels].double()
    influence = compared.terms - compared.without * (count - 1) / count
    return _of_terms(
        labelled, "kernel_classifier", "lower", LABEL, compared.terms, influence, cap=labelled.entropy, k=len(labelled)
    )


@estimator("gaussian_classifier", label="Gaussian classifier", direction="lower", quantity=LABEL)
def gaussian_classifier(labelled: Labelled) -> Bound:
    r"""Lower bound on I(T;Y) by a Gaussian for each class from nine tenths of the images, at most H(Y).

    It is :math:`H(Y) + E \log r(y_i|t_i)` for :math:`r(y|t) \propto p(y) \mathcal N(t; m_y, C_y)`, the moments those of
    class y in the *other* folds, mixed with as little of p(y) as the kernel classifier is. For any decoder that has not
    seen the image, :math:`\sum_y p(y)\, E_{p(t|y)} \log r(y|t)/p(y)` is I(T;Y) less a divergence (Barber & Agakov
    2003), Gaussian classes or not. Each class has ten folds, or all have as many as the smallest has images;
    folds count alike and, within each, classes by p(y), so that every fold is such a bound, whatever its size.

    Where the smallest class has fewer than three images for each dimension outside a fold, one covariance is pooled
    over classes: linear discriminant analysis, a lower bound as well. Numbers of images and dimensions decide, never
    values. The cost of a fold is then one Cholesky factor, and otherwise K of them, :math:`K d^3` being at most a third
    of the :math:`N d^2` that the moments cost.

    The standard error is of terms that are independent given the folds' moments, centred within classes: of the value
    about what these very decoders would say of new images, which is at most I(T;Y) for any moments, so that a lower
    limit holds. Neglected is that an image scored by one decoder is in the moments of the others, which is of lower
    order (Bayle et al. 2020). How far other images' moments would move the value is no part of it: of second order
    where classes are the decoder's Gaussians, for none is better then, and of first order where they are not.

    Just below H(Y) a few misread images decide the value. The error is too small then in most data sets, and nearly
    all are flagged as heavy-tailed: of ten Gaussian classes in 16 dimensions with a truth 0.006 nats below, lower
    limits of 97.5% held in 69, 82 and 92% at N = 400, 1,000 and 2,000 (200, 200 and 100 data sets).
    """
    folds = min(FOLDS, int(labelled.counts.min()))
    prior = labelled.counts.double() / len(labelled)
    parts = [images[shuffled(len(images))].tensor_split(folds) for images in labelled.classes]
    terms, weights = torch.empty(2, len(labelled), dtype=torch.float64)
    for number in range(folds):
        others = [labelled.posterior[torch.cat([*of[:number], *of[number + 1 :]])] for of in parts]
        scored = torch.cat([of[number] for of in parts])
        own = labelled.labels[scored]
        logs = _log_classes(labelled.codes[scored], others, pooled=_is_pooled(labelled, folds))
        log_ratio_to_prior = logs.gather(1, own[:, None])[:, 0] - (logs + prior.log()).logsumexp(1)
        terms[scored] = torch.log1p((1 - FLOOR) * torch.expm1(log_ratio_to_prior))
        weights[scored] = labelled.counts[own] / (folds * own.bincount()[own].double())
    means = torch.stack([weights[images] @ terms[images] / len(images) for images in labelled.classes])
    influence = weights * (terms - means[labelled.labels])
    return _of_terms(labelled, "gaussian_classifier", "lower", LABEL, weights * terms, influence, cap=labelled.entropy)


def _is_pooled(labelled: Labelled, folds: int) -> bool:
    """Whether the smallest class has too few images outside its largest fold for a covariance of its own."""
    smallest = int(labelled.counts.min())
    return smallest - math.ceil(smallest / folds) < PER_DIMENSION * labelled.codes.shape[1]


def _log_classes(codes: Tensor, classes: Sequence[DiagonalGaussian], *, pooled: bool) -> Tensor:
    """(N, K): log-densities of codes (N, d) under the Gaussian of each class, up to a number for each code."""
    if not pooled:
        return torch.stack([log_gaussian(codes, *aggregate(images)) for images in classes], 1)
    means = torch.stack([images.mean.mean(0) for images in classes])
    residuals = torch.cat([images.mean - mean for images, mean in zip(classes, means, strict=True)])
    # a class mean takes a degree of freedom, of which `aggregate` knows one; none are left with one image a class
    n, freedom = len(residuals), max(len(residuals) - len(classes), 1)
    within = DiagonalGaussian(residuals * math.sqrt((n - 1) / freedom), torch.cat([q.log_var for q in classes]))
    lower = torch.linalg.cholesky(aggregate(within)[1])
    codes, means = (torch.linalg.solve_triangular(lower, each.T, upper=False).T for each in (codes, means))
    # the expanded square would lose what is far out and narrow
    return -0.5 * torch.cdist(codes, means, compute_mode="donot_use_mm_for_euclid_dist").square()


@estimator("kernel_mixture", label="kernel mixture", direction="upper", quantity=LABEL)
def kernel_mixture(labelled: Labelled) -> Bound:
    r"""Upper bound on I(T;Y) by the mixtures with the image itself, at most H(Y).

    The standard error is that of the difference of two jackknives, InfoNCE among all images and within classes. Where
    the latter is saturated this is H(Y) whatever the truth, as near it as rounding.
    """
    everyone = infonce(labelled).influence
    assert everyone is not None
    classmates, of_classmates = _within(labelled, "infonce")
    terms = math.log(len(labelled)) - log_ratio(labelled.pairs) - classmates
    return _of_terms(
        labelled,
        "kernel_mixture",
        "upper",
        LABEL,
        terms,
        everyone - of_classmates,
        cap=labelled.entropy,
        k=len(labelled),
    )


def _within(labelled: Labelled, name: str) -> tuple[Tensor, Tensor]:
    """Terms and influences (N,) of InfoNCE or leave-one-out among the images of each class."""
    pairs = labelled.class_pairs.classmates
    count = labelled.counts[labelled.labels].double()
    if name == "infonce":
        terms, without = count.log() - log_ratio(pairs), pairs.infonce_without
    else:
        terms, without = (count - 1).log() + pairs.matching - pairs.others, pairs.leave_one_out_without
    influence = torch.empty_like(terms)
    for images in labelled.classes:
        influence[images] = jackknife(terms[images], without[images])
    return terms, influence


def _class_contrastive(labelled: Labelled, name: str, direction: Direction) -> Bound:
    terms, influence = _within(labelled, name.removeprefix("class_"))
    saturated = float(_within(labelled, "infonce")[0].mean()) > labelled.class_cap - 1
    cap = labelled.class_cap if direction == "lower" else None
    k = int(labelled.counts.max())
    return _of_terms(labelled, name, direction, GIVEN_LABEL, terms, influence, cap=cap, saturated=saturated, k=k)


@estimator("class_infonce", label="InfoNCE by class", direction="lower", quantity=GIVEN_LABEL)
def class_infonce(labelled: Labelled) -> Bound:
    r"""Lower bound on I(T;X|Y) by InfoNCE within classes, at most :math:`\sum_y p(y) \log N_y`.

    The standard error is the delete-one jackknife within classes.
    """
    return _class_contrastive(labelled, "class_infonce", "lower")


@estimator("class_leave_one_out", label="leave-one-out by class", direction="upper", quantity=GIVEN_LABEL)
def class_leave_one_out(labelled: Labelled) -> Bound:
    """Upper bound on I(T;X|Y) by leave-one-out within classes, saturated where InfoNCE within classes is."""
    return _class_contrastive(labelled, "class_leave_one_out", "upper")


@estimator("class_gaussian", label="R_m by class", direction="upper", quantity=GIVEN_LABEL)
def class_gaussian(labelled: Labelled) -> Bound:
    r"""Upper bound on I(T;X|Y): :math:`\sum_y p(y) R_{m_y}`, a Gaussian for each class from nine tenths of the others.

    Each tenth of a class is scored by the Gaussian of its other nine, ten folds or as many as there are images. The
    standard error is of a mean of terms that are independent but for the moments, which enter in second order.
    """
    (values,) = frozen_divergences([labelled.posterior], labelled.classes)
    return of_class_gaussians("class_gaussian", values, labelled)


def of_class_gaussians(name: str, values: Tensor, labelled: Labelled) -> Bound:
    """The upper bound on I(T;X|Y) that is the mean of divergences (N,) from Gaussians of classes.

    Of two images alone in their class each is scored by a Gaussian about the other, so that both terms are one number
    of the pair, and centring within the class would leave nothing of its spread. Such pairs are one draw each, and
    their error is the spread over classes: too large, by what differs between classes.
    """
    influence = centred_in_classes(values, labelled.labels)
    pairs = labelled.counts[labelled.labels] == 2
    classes = int(pairs.sum()) // 2
    if classes > 1:
        of_pairs = values[pairs]
        influence[pairs] = math.sqrt((2 * classes - 1) / (classes - 1)) * (of_pairs - of_pairs.mean())
    error = standard_error(influence)
    n, value = len(values), float(values.mean())
    return Bound(name, value, error, "upper", None, False, n, None, GIVEN_LABEL, influence)


def frozen_divergences(posteriors: Sequence[DiagonalGaussian], groups: Sequence[Tensor]) -> Tensor:
    r"""(L, N): KL of the posterior to a Gaussian at each of L levels of noise, one Gaussian convolved with that noise.

    Its mean and covariance, and how far it is shrunk, come from the other folds of the image's group at the first
    level, once; at other levels the variance of the noise that has been added since is added to it.

    Args:
        posteriors: of the same N images, the least noise first.
        groups: indices of images, each of which is in one group: all in one, or one for each class.

    Raises:
        ValueError: posteriors that do not differ by independent noise.
    """
    finest = posteriors[0]
    added = []
    for posterior in posteriors:
        more = posterior.log_var.exp() - finest.log_var.exp()
        added.append(more.mean(0).clamp(min=0))
        allowed = 1e-9 * posterior.log_var.exp().amax(0)
        if not torch.equal(posterior.mean, finest.mean) or bool(((more - added[-1]).abs() > allowed).any()):
            raise ValueError("frozen_divergences: needs posteriors of the same images, with more and more noise added")
    values = torch.empty(len(posteriors), len(finest), dtype=torch.float64)
    for group in groups:
        for fold in shuffled(len(group)).tensor_split(min(FOLDS, len(group))):
            others = torch.ones(len(group), dtype=torch.bool)
            others[fold] = False
            fitted, scored = finest[group[others]], group[fold]
            codes = [each[scored] for each in posteriors]
            if FEW * len(fitted) <= len(added[0]) and len(fitted) > 1:
                gaussian = factored(fitted)
                pairs = zip(codes, added, strict=True)
                values[:, scored] = torch.stack([kl_to_factored(each, gaussian, more) for each, more in pairs])
            else:
                values[:, scored] = _divergences(codes, added, *aggregate(fitted))
    return values


def _divergences(
    posteriors: Sequence[DiagonalGaussian], added: Sequence[Tensor], mean: Tensor, covariance: Tensor
) -> Tensor:
    """(L, N): KL of posteriors of the same means to Gaussians that differ by variances (d,) that have been added.

    Where all dimensions have the same variance added, as `analysis.bounds.channel.Channel` does, the Gaussians have
    their eigenvectors in common, and one decomposition, of the time of `EIGEN` Cholesky factors, serves all levels.
    """
    alike = all(torch.allclose(more, more.mean(), rtol=1e-12, atol=0.0) for more in added)
    if alike and len(posteriors) > EIGEN:
        variances, axes = torch.linalg.eigh(covariance)
        if variances[0] > variances[-1] / CONDITION:
            spread = variances + torch.stack([more.mean() for more in added])[:, None]
            offsets = ((posteriors[0].mean - mean) @ axes).square() @ (1 / spread).T
            precisions = (1 / spread) @ axes.square().T
            traces = [each.log_var.exp() @ precision for each, precision in zip(posteriors, precisions, strict=True)]
            posterior_log_dets = torch.stack([each.log_var.sum(1) for each in posteriors])
            log_dets = spread.log().sum(1, keepdim=True)
            return 0.5 * (torch.stack(traces) + offsets.T - len(mean) + log_dets - posterior_log_dets)
    return torch.stack(
        [kl_to_gaussian(each, mean, covariance + more.diag()) for each, more in zip(posteriors, added, strict=True)]
    )


def total(of_image: Bound, of_label: Bound) -> Bound:
    """Upper bound on I(T;X): that on I(T;X|Y) plus that on I(T;Y), of the same images.

    Args:
        of_image: an upper bound on I(T;X|Y).
        of_label: `kernel_mixture`, which never exceeds H(Y).

    Raises:
        ValueError: bounds on something else.
    """
    if [(each.quantity, each.direction) for each in (of_image, of_label)] != [(GIVEN_LABEL, "upper"), (LABEL, "upper")]:
        raise ValueError(f"total: needs upper bounds on {GIVEN_LABEL} and {LABEL}")
    return combine(f"{of_image.estimator}_total", [(1.0, of_image), (1.0, of_label)], "upper", IMAGE)


derived("class_leave_one_out_total", "leave-one-out by class + I(T;Y)", "upper", quantity=IMAGE)
derived("class_gaussian_total", "R_m by class + I(T;Y)", "upper", quantity=IMAGE)


def labelled_bounds(labelled: Labelled) -> list[Bound]:
    """Every bound of one level: on I(T;Y), on I(T;X|Y), on I(T;X).

    Example:
        >>> labelled = Labelled(DiagonalGaussian(torch.randn(60, 2), torch.zeros(60, 2)), torch.arange(60) % 3)
        >>> sorted({bound.quantity for bound in labelled_bounds(labelled)})
        ['I(T;X)', 'I(T;X|Y)', 'I(T;Y)']
    """
    of_label = kernel_mixture(labelled)
    given = [class_infonce(labelled), class_leave_one_out(labelled), class_gaussian(labelled)]
    of_image = [at_fixed_counts(bound(labelled), labelled) for bound in (infonce, leave_one_out, gaussian_marginal)]
    totals = [total(bound, of_label) for bound in given if bound.direction == "upper"]
    return [kernel_classifier(labelled), gaussian_classifier(labelled), of_label, *given, *of_image, *totals]
