r"""Codes of images with labels, and a classifier's answers, whose information is known.

Features are a class's Gaussian, or one of several that it has, under isotropic noise of level s, so that T has a
density that is known. With C the Gaussian an image is from, and v the variances about it,

.. math:: I(T;X|C) = \tfrac12 \sum_j \log(1 + v_j / s^2)

exactly; I(T;C) and I(T;Y) are a long Monte Carlo at the same class counts, with its error, and
:math:`I(T;X) = I(T;C) + I(T;X|C)`, from which :math:`I(T;X|Y) = I(T;X) - I(T;Y)`. Where a class has one Gaussian,
I(T;X|Y) is I(T;X|C), with no error.

- ``classes-s{s}``: ten classes in 16 dimensions;
- ``uneven-s{s}``: three that overlap, half, three and two tenths of the images;
- ``clusters-s{s}``: five far apart, so that :math:`I(T;Y) = \log 5`, and one Gaussian is far from q(t);
- ``crossed-s{s}``: two classes of two Gaussians each, at opposite corners of a square. Both classes have the same mean
  and covariance, and a Gaussian for each knows nothing;
- ``class-only``: features know of the image nothing but the class, I(T;X|Y) = 0;
- ``label-free``: features that are independent of the label, I(T;Y) = 0;
- ``one-class``: there is only one, I(T;Y) = 0 with the cap 0;
- ``thousand-classes``: a thousand, of 2,000 images two each.

``answers-{K}`` are K answers to images of K classes. The logits of an image are one of a few vectors, drawn by its
class, so that I(X;Ŷ) and I(X;Ŷ|Y) are finite sums.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analysis.bounds import Bound, sample_codes
from analysis.bounds.labelled import GIVEN_LABEL, IMAGE, LABEL, Labelled, kernel_mixture, labelled_bounds, total
from analysis.bounds.outputs import OUTPUT, OUTPUT_GIVEN_LABEL
from analysis.bounds.spliced import NoiseProfile, splice_level
from training import generator
from vae.posterior import DiagonalGaussian

__all__ = ["ANSWERS", "CLASSES", "Answers", "Classes"]

MOST_LOGS = 100_000_000
"""Log-densities in the Monte Carlo of I(T;C) and I(T;Y)."""


@dataclass(frozen=True, eq=False)
class Classes:
    """Images whose features are Gaussian about one of the means of their class.

    Args:
        means: (M, d).
        variance: (d,), about a mean.
        shares: of each class among the images, whole numbers.
        classes: (M,), whose mean it is; those of a class are equally frequent. One each when not given.
        levels: of noise in the profile by which bounds are spliced.
    """

    means: Tensor
    variance: Tensor
    shares: Sequence[int]
    classes: Tensor | None = None
    levels: tuple[float, ...] = (0.5, 1.0, 2.0)

    @property
    def class_of(self) -> Tensor:
        """(M,): whose mean it is."""
        return torch.arange(len(self.means)) if self.classes is None else self.classes

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features, the means they are about, and labels, of at most n images in proportion to ``shares``."""
        stream = generator("cpu", seed, "ground truth")
        block = torch.arange(len(self.shares)).repeat_interleave(torch.tensor(self.shares))
        labels = block.repeat(n // len(block))
        # the means in the order of classes, and one of the label's own
        counts = self.class_of.bincount()
        chosen = (torch.rand(len(labels), generator=stream, dtype=torch.float64) * counts[labels]).long()
        about = self.class_of.argsort(stable=True)[(counts.cumsum(0) - counts)[labels] + chosen]
        normal = torch.randn(len(labels), len(self.variance), dtype=torch.float64, generator=stream)
        return self.means[about] + self.variance.sqrt() * normal, about, labels

    def profile(self, n: int, seed: int) -> NoiseProfile:
        """Images with codes at every level."""
        features, _, labels = self.draw(n, seed)
        posteriors = {s: DiagonalGaussian(features, torch.full_like(features, 2 * math.log(s))) for s in self.levels}
        return NoiseProfile({s: Labelled(q, labels, sample_codes(q, seed)) for s, q in posteriors.items()})

    def profiles(self, n: int, seed: int) -> tuple[NoiseProfile, NoiseProfile]:
        """Images to be scored, and as many others on which a splice is chosen."""
        return self.profile(n, seed), self.profile(n, -seed)

    @functools.cache  # noqa: B019
    def truths(self, level: float) -> dict[str, tuple[float, float]]:
        """I(T;Y), I(T;X|Y) and I(T;X) at a level, in nats, with their standard errors."""
        features, about, labels = self.draw(MOST_LOGS // (100 + len(self.means)), 0)
        wide = self.variance + level**2
        codes = sample_codes(DiagonalGaussian(features, torch.full_like(features, 2 * math.log(level))), 0)
        prior = torch.tensor(self.shares, dtype=torch.float64) / sum(self.shares)
        log_share = (prior / self.class_of.bincount()).log()[self.class_of]
        of_label, of_mean = torch.empty(2, len(labels), dtype=torch.float64)
        for part in torch.arange(len(labels)).split(5_000):
            distance = torch.cdist(codes[part] / wide.sqrt(), self.means / wide.sqrt())
            logs = log_share - 0.5 * distance.square()
            marginal = logs.logsumexp(1)
            own = logs.gather(1, about[part, None])[:, 0]
            of_mean[part] = own - log_share[about[part]] - marginal
            classmates = logs.masked_fill(self.class_of != labels[part, None], -math.inf).logsumexp(1)
            of_label[part] = classmates - prior.log()[labels[part]] - marginal
        beyond = 0.5 * float(torch.log1p(self.variance / level**2).sum())
        return {
            quantity: (known + float(terms.mean()), float(terms.std()) / math.sqrt(len(terms)))
            for quantity, known, terms in (
                (LABEL, 0.0, of_label),
                (GIVEN_LABEL, beyond, of_mean - of_label),
                (IMAGE, beyond, of_mean),
            )
        }


def bounds_with_labels(
    profiles: tuple[NoiseProfile, NoiseProfile], level: float, estimators: Sequence[str]
) -> list[Bound]:
    """Bounds at a level on the first profile's images; where they are spliced, the second's decide."""
    scored, others = profiles
    labelled = scored.levels[level]
    bounds, of_label = labelled_bounds(labelled), kernel_mixture(labelled)
    for by_class in (False, True):
        at = splice_level(others, level, by_class=by_class)
        frozen = scored.class_gaussian(level) if by_class else scored.gaussian(level)
        if at is None:
            spliced = replace(frozen, estimator=frozen.estimator.replace("frozen_gaussian", "spliced"))
        else:
            spliced = scored.class_spliced(level, at) if by_class else scored.spliced(level, at)
        bounds += [frozen, spliced, *(total(bound, of_label) for bound in (frozen, spliced) if by_class)]
    bounds.sort(key=lambda bound: (LABEL, GIVEN_LABEL, IMAGE).index(bound.quantity))
    return [bound for bound in bounds if bound.estimator in estimators]


@dataclass(frozen=True, eq=False)
class Answers:
    """Images whose logits are one of a few vectors.

    Args:
        logits: (M, outputs).
        shares: (K, M), how frequent each is in a class; classes are equally frequent.
    """

    logits: Tensor
    shares: Tensor

    def draw(self, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Logits and labels of at most n images, as many of each class."""
        labels = torch.arange(n // len(self.shares) * len(self.shares)) % len(self.shares)
        which = torch.multinomial(self.shares[labels], 1, generator=generator("cpu", seed, "ground truth"))[:, 0]
        return self.logits[which], labels

    def truths(self) -> dict[str, tuple[float, float]]:
        """I(X;Ŷ) and I(X;Ŷ|Y), in nats, exactly."""
        log_p = self.logits.log_softmax(1)
        by_class = self.shares @ log_p.exp()
        conditional = float(self.shares.mean(0) @ torch.special.entr(log_p.exp()).sum(1))
        return {
            OUTPUT: (float(torch.special.entr(by_class.mean(0)).sum()) - conditional, 0.0),
            OUTPUT_GIVEN_LABEL: (float(torch.special.entr(by_class).sum(1).mean()) - conditional, 0.0),
        }


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator("cpu", 0, "classes"))


def _ten() -> Classes:
    """Ten classes, told apart at s = 1/2 and confused at s = 2; each dimension carries less than the last.

    The trace of the covariance of features is d.
    """
    dimension = torch.arange(16, dtype=torch.float64)
    variance = 0.15 * torch.exp(-0.24 * dimension)
    means = _normal(10, 16) * torch.exp(-0.1 * dimension)
    means -= means.mean(0)
    means *= ((16 - variance.sum()) / means.square().mean(0).sum()).sqrt()
    return Classes(means, variance, 10 * (1,), levels=(0.125, 0.25, 0.5, 1.0, 2.0))


def _vector(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def _classes() -> dict[str, tuple[Classes, float]]:
    ten = _ten()
    uneven = Classes(
        _vector(0, 0, 1, 0.5, -0.5, 1.5).view(3, 2), _vector(0.5, 0.2), (5, 3, 2), levels=(0.4, 0.6, 1.0, 2.0)
    )
    clusters = Classes(
        40 * torch.eye(5, dtype=torch.float64), _vector(*5 * [1.0]), 5 * (1,), levels=(0.2, 0.5, 1.0, 2.0)
    )
    corners = 1.5 * _vector(1, 1, -1, -1, 1, -1, -1, 1).view(4, 2)
    crossed = Classes(corners, _vector(0.5, 0.5), (1, 1), torch.tensor([0, 0, 1, 1]))
    levels = {
        "classes": (ten, (0.125, 0.5, 1.0)),
        "uneven": (uneven, (0.4, 1.0)),
        "clusters": (clusters, (0.2, 1.0)),
        "crossed": (crossed, (0.5, 1.0)),
    }
    return {
        **{f"{name}-s{level:g}": (classes, level) for name, (classes, at) in levels.items() for level in at},
        "class-only": (Classes(2 * _normal(4, 3), _vector(0, 0, 0), 4 * (1,)), 1.0),
        "label-free": (Classes(0 * _normal(4, 3), _vector(1, 1, 1), 4 * (1,)), 0.5),
        "one-class": (Classes(_normal(1, 3), _vector(1, 0.5, 0.2), (1,)), 0.5),
        "thousand-classes": (Classes(2 * _normal(1000, 8), _vector(*8 * [0.3]), 1000 * (1,), levels=(1.0,)), 1.0),
    }


def _answers(classes: int) -> Answers:
    """Three vectors of logits for each class, half of whose images have the first, and some of which another's."""
    own = torch.eye(classes, dtype=torch.float64).repeat(3, 1)
    logits = 2 * _normal(3 * classes, classes) + 3 * own
    shares = (0.94 * own.T + 0.06 / classes) * _vector(0.5, 0.3, 0.2).repeat_interleave(classes)
    return Answers(logits, shares)


CLASSES = _classes()
"""Images with labels by the task's name, and the level of noise at which they are scored."""

ANSWERS = {f"answers-{classes}": _answers(classes) for classes in (3, 100)}
"""A classifier's answers by the task's name."""
