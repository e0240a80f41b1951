r"""Upper bounds on I(Z;X) that may be below R_m: class by class where images have labels, and spliced along the noise.

**By class.** For the label Y of the image, Y – X – Z is a Markov chain and :math:`I(Z;X) = I(Z;Y) + I(Z;X|Y)` exactly
(`analysis.bounds.labelled`), so that an upper bound on I(Z;X|Y) plus `kernel_mixture`, at most H(Y), is one on I(Z;X):

- `gaussian_by_class`: :math:`\sum_y p(y) E_{x|y} KL(q(z|x) \| m_y)`, a Gaussian for each class from ``fit`` images of
  that class, or from the other folds of the class. Any :math:`m_y` chosen without the image gives a bound.
- `leave_one_out_by_class`: leave-one-out within classes. It never says more than leave-one-out among all: with a the
  image's own density, S the sum of its classmates' and :math:`T \ge S` that of all others', its term less
  leave-one-out's is :math:`\log \frac{1 + a/S}{1 + a/T} + \log \frac{1 - 1/N_y}{1 - 1/N}`, the first part at least 0.

Beside R_m the first gains the non-Gaussianity that classes explain, and pays for what is not known of I(Z;Y): all of
H(Y) less I(Z;Y) where codes are far apart, since the kernel mixture is H(Y) there. (The mixture :math:`\sum_y p(y) m_y`
as the marginal would pay nothing: KL is convex. A mixture found without labels is `analysis.bounds.mixture_marginal`.)

Both hold at fixed class counts, p(y) = N_y/N, and their standard errors are over images drawn within classes. With
counts drawn at random they bound I(Z;X) at the p(y) that was drawn, which in expectation falls short by at most about
(K − 1)/2N, for I(Z;Y) is concave in p(y).

**Spliced.** :math:`KL(q_s \| m_s)` falls with s for a fixed m that is convolved with the same noise as the code, since
q and m then pass through one channel, the noise, which does not depend on the image (data processing). So at any
:math:`s_0 \ge s`, with :math:`U(s) = E\, KL(q_s(z|x) \| m_s)` and an upper bound V on the information at :math:`s_0`,

.. math:: I_s = U(s) - KL(q_s \| m_s) \le U(s) - KL(q_{s_0} \| m_{s_0}) \le U(s) - [U(s_0) - V(s_0)].

Nothing asks for the same variance in all posteriors: the noise adds :math:`s^2 v` to each, to their mean, and so to the
covariance of m. m is R_m's Gaussian without noise, its moments and how far they are shrunk frozen; V is leave-one-out.
:math:`s_0` is one of the levels of the profile, 0 among them, chosen on *other* images, as is whether to splice at all:
`gaussian_spliced`. The rate exceeds the information by :math:`R - I \ge R(s) - U(s) + [U(s_0) - V(s_0)]`, for R minus
the bound; one mean of paired differences, so that its lower confidence limit certifies it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.bound import Bound, combine, mean_of
from analysis.bounds.contrastive import leave_one_out
from analysis.bounds.encoded import Encoded, as_encoded, bounds_of, check_fit, shuffled
from analysis.bounds.estimators import ESTIMATORS, INFORMATION, derived, estimator, names_of
from analysis.bounds.fitted import rate
from analysis.bounds.gaussian import aggregate, kl_to_gaussian
from analysis.bounds.labelled import (
    GIVEN_LABEL,
    Labelled,
    at_fixed_counts,
    class_gaussian,
    class_leave_one_out,
    gaussian_classifier,
    kernel_mixture,
    total,
)
from analysis.bounds.noise import with_noise
from analysis.bounds.profiles import noise_scale, profile
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = [
    "OF_LABEL",
    "LabelledCode",
    "Labels",
    "SplicedCode",
    "by_class",
    "classes_of_fit",
    "gaussian_by_class",
    "gaussian_spliced",
    "leave_one_out_by_class",
    "of_labels",
    "tightened_profile",
]

OF_LABEL = "I(Z;Y)"
"""What a VAE's code says of the label."""

WITH_LABELS, ALONG_NOISE = "with class labels", "along --noise"
"""Why bounds are not among the usual ones."""

Row = dict[str, Any]


class Labels(NamedTuple):
    """The class of each scored image, (N,), and of each image of the fit; integers."""

    scored: Tensor | np.ndarray
    fit: Tensor | None = None


class LabelledCode(Labelled):
    """A VAE's code of images with labels, and of the images with labels on which the Gaussians of classes are fitted.

    Args:
        encoded: of the scored images.
        labels: of these, and of those of its ``fit`` where it has one.

    Raises:
        BadInput: as `Labelled`; labels that are not one for each image of the fit, or a class without an image there.

    Example:
        >>> labels = torch.arange(500) % 5
        >>> mean = 3 * torch.nn.functional.one_hot(labels).double()
        >>> code = LabelledCode(Encoded(DiagonalGaussian(mean, torch.zeros_like(mean))), Labels(labels))
        >>> gaussian_by_class(code).quantity
        'I(Z;X)'
    """

    quantity = INFORMATION

    def __init__(self, encoded: Encoded, labels: Labels) -> None:
        super().__init__(encoded.posterior, labels.scored)
        self.given, self.fit = encoded.given, encoded.fit
        self.fit_classes = [] if self.fit is None else classes_of_fit(labels, len(self.fit))

    def noised(self, scored: Tensor, level: float, scale: Tensor) -> "LabelledCode":
        """These of the images with noise in the code; those of the fit alike."""
        same = LabelledCode(Encoded(with_noise(self.posterior[scored], level, scale)), Labels(self.labels[scored]))
        if self.fit is not None:
            same.fit, same.fit_classes = check_fit(with_noise(self.fit, level, scale), same.posterior), self.fit_classes
        return same


def classes_of_fit(labels: Labels, n: int) -> list[Tensor]:
    """The indices of the images of the fit of each class that is scored, in the order of the labels.

    Raises:
        BadInput: not a label for each of the n images, or a class without an image among them.
    """
    if labels.fit is None or labels.fit.shape != (n,):
        got = "no labels" if labels.fit is None else f"labels of shape {tuple(labels.fit.shape)}"
        raise BadInput("labels", f"{got} of the images to fit on", f"one for each of the {n:,}")
    classes = []
    for name in np.unique(labels.scored):
        classes.append((labels.fit == name).nonzero()[:, 0])
        if not len(classes[-1]):
            raise BadInput("labels", f"class {int(name)}, of which there is no image to fit on", "the same classes")
    return classes


def _labelled(encoded: Encoded | DiagonalGaussian, name: str) -> LabelledCode:
    if not isinstance(encoded, LabelledCode):
        raise BadInput("--bounds", f"{name} of images without labels", "one class label for each image")
    return encoded


@estimator(
    "gaussian_by_class",
    label="R_m by class + I(Z;Y)",
    column="R_m by class + I(Z;Y)",
    direction="upper",
    noised=True,
    unusual=WITH_LABELS,
)
def gaussian_by_class(encoded: Encoded | DiagonalGaussian) -> Bound:
    r"""Upper bound on I(Z;X): a Gaussian for each class, :math:`\sum_y p(y) R_{m_y}`, and I(Z;Y) by the kernel mixture.

    The moments of a class are shrunk as R_m's are; they are those of its images in the ``fit``, or in ten folds of the
    scored images.
    """
    code = _labelled(encoded, "gaussian_by_class")
    if code.fit is None:
        of_image = class_gaussian(code)
    else:
        values = torch.empty(len(code), dtype=torch.float64)
        for scored, fitted in zip(code.classes, code.fit_classes, strict=True):
            values[scored] = kl_to_gaussian(code.posterior[scored], *aggregate(code.fit[fitted]))
        of_image = at_fixed_counts(mean_of("class_gaussian", values), code, GIVEN_LABEL)
    return _sum("gaussian_by_class", of_image, code)


@estimator(
    "leave_one_out_by_class",
    label="leave-one-out by class + I(Z;Y)",
    column="leave-one-out by class + I(Z;Y)",
    direction="upper",
    noised=True,
    unusual=WITH_LABELS,
)
def leave_one_out_by_class(encoded: Encoded | DiagonalGaussian) -> Bound:
    """Upper bound on I(Z;X) by leave-one-out within classes and the kernel mixture's I(Z;Y)."""
    code = _labelled(encoded, "leave_one_out_by_class")
    return _sum("leave_one_out_by_class", class_leave_one_out(code), code)


def _sum(name: str, of_image: Bound, code: LabelledCode) -> Bound:
    return replace(total(of_image, kernel_mixture(code)), estimator=name, quantity=INFORMATION)


def of_labels(estimators: Iterable[str]) -> list[str]:
    """Those of the estimators that need class labels."""
    return [name for name in estimators if ESTIMATORS[name].unusual == WITH_LABELS]


def by_class(code: LabelledCode, names: Sequence[str]) -> list[Bound]:
    """The bounds on I(Z;X) of these names, and those on I(Z;Y), of which they are made on the upper side."""
    of_label = [gaussian_classifier(code), kernel_mixture(code)]
    return [*bounds_of(code, names), *(replace(bound, quantity=OF_LABEL) for bound in of_label)]


class _Noisy:
    """A code at every level of noise, and R_m's Gaussian, frozen without noise and convolved with it."""

    def __init__(self, encoded: Encoded, levels: Sequence[float], scale: Tensor) -> None:
        self.encoded, self.scale = encoded, scale
        self.levels = {level: self._noised(level) for level in levels}

    def _noised(self, level: float) -> Encoded:
        return Encoded(with_noise(self.encoded.posterior, level, self.scale)) if level else self.encoded

    def frozen(self, level: float) -> Bound:
        """Upper bound on I(Z;X) at a level; without noise it is R_m."""
        posterior = self.levels[level].posterior
        values = torch.empty(len(posterior), dtype=torch.float64)
        for scored, (mean, covariance) in self.encoded.marginals:
            noisy = covariance + torch.diag(level * (level * self.scale))
            values[scored] = kl_to_gaussian(posterior[scored], mean, noisy)
        return mean_of("gaussian_marginal", values)

    def leave_one_out(self, level: float) -> Bound:
        return leave_one_out(self.levels[level])


class SplicedCode:
    """A code along a profile of noise, with the levels at which R_m is spliced chosen on images that are not scored.

    Those are a fifth of the images of ``fit``, at most as many as are scored, with a Gaussian from the others there;
    without ``fit`` a fifth of the images, and the bounds are of the other four. With fewer than ten images to choose
    from, nothing is spliced.

    Args:
        encoded: of N images unseen in training.
        noise: levels, in standard deviations of each dimension of q(z), scaled as `analysis.bounds.profiles.profile`
            scales them.

    Example:
        >>> q = DiagonalGaussian(torch.tensor([[-3.0], [3.0]]).repeat(500, 1), torch.zeros(1000, 1))
        >>> spliced = SplicedCode(Encoded(q), noise=(1.0,))
        >>> spliced.level(0.0), spliced.bound(0.0).value < spliced.noisy.frozen(0.0).value
        (0.0, True)
    """

    def __init__(self, encoded: Encoded, noise: Sequence[float] = ()) -> None:
        levels, (scale, _) = (0.0, *sorted(noise)), noise_scale(encoded)
        images = encoded.posterior if encoded.fit is None else encoded.fit
        order = shuffled(len(images))
        count = max(1, min(len(order) // 5, len(encoded)))
        chosen, rest = images[order[:count]], order[count:]
        fit = None if encoded.fit is None else images[rest]
        if encoded.fit is None:
            same = Encoded(images[rest])
            encoded = same if encoded.given is None else same.drawn(encoded.given[rest])
        self.noisy = _Noisy(encoded, levels, scale)
        # with one image nothing can be compared
        self.other = _Noisy(Encoded(chosen, fit=fit), levels, scale) if count > 1 else None

    @cached_property
    def excess(self) -> dict[float, float]:
        """By level, by how much leave-one-out is above the frozen Gaussian on images that are not scored."""
        if (other := self.other) is None:
            return {}
        return {level: other.leave_one_out(level).value - other.frozen(level).value for level in other.levels}

    def level(self, level: float) -> float | None:
        """Where the bound at ``level`` is spliced; None where nothing is."""
        return _splice_level(self.excess, level)

    def bound(self, level: float) -> Bound:
        """Upper bound on I(Z;X) at one of the levels; the frozen Gaussian's where nothing is spliced."""
        noisy, at = self.noisy, self.level(level)
        terms = [(1.0, noisy.frozen(level))]
        if at is not None:
            terms += [(-1.0, noisy.frozen(at)), (1.0, noisy.leave_one_out(at))]
        return combine("gaussian_spliced", terms, "upper", INFORMATION)

    def gap(self) -> Bound:
        """R less the bound without noise: at least this much of the rate is no information."""
        terms = [(1.0, rate(self.noisy.encoded)), (-1.0, self.bound(0.0))]
        return combine("rate_gap_spliced", terms, "lower", ESTIMATORS["rate_gap"].quantity)


derived(
    "rate_gap_spliced",
    "R − R_m, spliced",
    "lower",
    quantity=ESTIMATORS["rate_gap"].quantity,
    column="R − R_m, spliced",
)


def _splice_level(excess: Mapping[float, float], level: float) -> float | None:
    """Of the levels from ``level`` on the one with the least excess, where that is below 0: no splice counts 0.

    Example:
        >>> excess = {0.0: 9.0, 1.0: -0.1, 2.0: -0.3, 4.0: 0.0}
        >>> _splice_level(excess, 0.0), _splice_level(excess, 4.0)
        (2.0, None)
    """
    best = min((at for at in excess if at >= level), key=excess.__getitem__, default=None)
    return best if best is not None and excess[best] < 0 else None


@estimator("gaussian_spliced", label="R_m, spliced", column="R_m, spliced", direction="upper", unusual=ALONG_NOISE)
def gaussian_spliced(encoded: Encoded | DiagonalGaussian, *, noise: Sequence[float] = ()) -> Bound:
    """Upper bound on I(Z;X) by R_m less what it is known to exceed the information by at a level of noise.

    At which of the levels, or that at none, is chosen on other images (`SplicedCode`). Without levels the choice is
    between R_m and leave-one-out. Where leave-one-out is saturated at the level chosen, so is the bound.
    """
    return SplicedCode(as_encoded(encoded), noise).bound(0.0)


def tightened_profile(
    encoded: Encoded,
    estimators: Sequence[str],
    *,
    noise: Sequence[float] = (),
    labels: Labels | None = None,
    **where: Any,
) -> tuple[list[Bound], list[Row]]:
    """`analysis.bounds.profiles.profile`, with the bounds of this module among the estimators.

    Args:
        encoded: of N images unseen in training.
        estimators: names of those of I(Z;X).
        noise: levels, in standard deviations of each dimension of q(z).
        labels: where images have them.
        where: inputs, augmentation and seed, for the rows.

    Returns:
        The bounds without noise, and all of it as rows; those of other modules first, as they are without these.

    Raises:
        BadInput: bounds by class of images without labels, and as `LabelledCode`.
    """
    further = names_of(keep=lambda entry: entry.unusual)
    plain, rows = profile(encoded, [name for name in estimators if name not in further], noise=noise, **where)
    by_level: dict[float, list[Bound]] = {level: [] for level in (0.0, *noise)}
    if wanted := of_labels(estimators):
        if labels is None:
            raise BadInput("--bounds", f"{wanted[0]} of images without labels", "one class label for each image")
        code = LabelledCode(encoded, labels)
        by_level[0.0] += by_class(code, wanted)
        scale, scored = noise_scale(encoded)
        for level in noise:
            by_level[level] += by_class(code.noised(scored, level, scale), wanted)
    if "gaussian_spliced" in estimators:
        spliced = SplicedCode(encoded, noise)
        for level, bounds in by_level.items():
            bounds.append(spliced.bound(level))
        if "rate" in estimators:
            by_level[0.0].append(spliced.gap())
    plain += by_level[0.0]
    rows += [bound.row(**where, noise=level or None) for level, bounds in by_level.items() for bound in bounds]
    return plain, rows
