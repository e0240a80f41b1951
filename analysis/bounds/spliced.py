r"""The spliced bound: a Gaussian marginal where information is large, corrected where it is small enough to be known.

For a marginal m convolved with the same noise as the code, :math:`U(s) = E\, KL(q_s(t|x) \| m_s)` exceeds I at level s
by :math:`KL(q_s(t) \| m_s)`, which falls with s (data processing: both pass through one channel). So at any
:math:`s_0 \ge s`, and for any upper bound V on the information there,

.. math:: I_s = U(s) - KL(q_s \| m_s) \le U(s) - [U(s_0) - I_{s_0}] \le U(s) - [U(s_0) - V(s_0)].

U is R_m with moments and shrinkage frozen at the profile's least noise, with the same folds at all levels (a marginal
that is fitted anew at each level is not one convolved); V is leave-one-out, tight where InfoNCE is well below its cap.
:math:`s_0`, or that there is none, has to be fixed without the scored images: `splice_level`, on others. The bound has
no cap. Within classes the same holds for the Gaussian of each class.

The standard error is of the sum of the three terms' influences: R_m's terms are independent but for the moments, and
leave-one-out's are its jackknife's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from analysis.bounds.bound import Bound, combine, mean_of
from analysis.bounds.contrastive import leave_one_out
from analysis.bounds.estimators import derived
from analysis.bounds.labelled import (
    GIVEN_LABEL,
    IMAGE,
    Labelled,
    at_fixed_counts,
    class_leave_one_out,
    frozen_divergences,
    of_class_gaussians,
)

__all__ = ["NoiseProfile", "splice_level"]

ROUNDING = 1e-12
"""Nats by which a splice has to gain at least, or it is of float64."""

derived("frozen_gaussian", "R_m, frozen", "upper", quantity=IMAGE)
derived("class_frozen_gaussian", "R_m by class, frozen", "upper", quantity=GIVEN_LABEL)
derived("spliced", "R_m, spliced", "upper", quantity=IMAGE)
derived("class_spliced", "R_m by class, spliced", "upper", quantity=GIVEN_LABEL)
derived("class_frozen_gaussian_total", "R_m by class, frozen, + I(T;Y)", "upper", quantity=IMAGE)
derived("class_spliced_total", "R_m by class, spliced, + I(T;Y)", "upper", quantity=IMAGE)


@dataclass(frozen=True)
class NoiseProfile:
    """The same labelled images at several levels of noise.

    Args:
        levels: the noised code by its level; its posteriors differ by independent Gaussian noise.

    Example:
        >>> import math
        >>> from vae.posterior import DiagonalGaussian
        >>> mean, labels = torch.randn(400, 2, dtype=torch.float64), torch.arange(400) % 2
        >>> codes = {s: DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(s))) for s in (0.1, 1.0)}
        >>> profile = NoiseProfile({s: Labelled(q, labels) for s, q in codes.items()})
        >>> profile.spliced(0.1, 1.0).quantity
        'I(T;X)'
    """

    levels: Mapping[float, Labelled]

    @cached_property
    def all_divergences(self) -> dict[float, Tensor]:
        """By level, KL(q_s(t|x_i) ‖ m_s), m one frozen Gaussian."""
        return self._divergences(by_class=False)

    @cached_property
    def class_divergences(self) -> dict[float, Tensor]:
        """By level, KL(q_s(t|x_i) ‖ m_s), m the frozen Gaussian of the image's class."""
        return self._divergences(by_class=True)

    def _divergences(self, *, by_class: bool) -> dict[float, Tensor]:
        order = sorted(self.levels)
        first = self.levels[order[0]]
        if not all(torch.equal(labelled.labels, first.labels) for labelled in self.levels.values()):
            raise ValueError("NoiseProfile: needs the same images at every level")
        groups = first.classes if by_class else [torch.arange(len(first))]
        values = frozen_divergences([self.levels[level].posterior for level in order], groups)
        return dict(zip(order, values, strict=True))

    def gaussian(self, level: float) -> Bound:
        """Upper bound on I(T;X) at a level by the frozen Gaussian."""
        bound = mean_of("frozen_gaussian", self.all_divergences[level])
        return at_fixed_counts(bound, self.levels[level])

    def class_gaussian(self, level: float) -> Bound:
        """Upper bound on I(T;X|Y) at a level by the frozen Gaussians of classes."""
        return of_class_gaussians("class_frozen_gaussian", self.class_divergences[level], self.levels[level])

    def spliced(self, level: float, at: float | None) -> Bound:
        """Upper bound on I(T;X) at ``level`` from level ``at``, at least as large and fixed without these images.

        Without a level it is that of the frozen Gaussian.
        """
        if at is None:
            return replace(self.gaussian(level), estimator="spliced")
        _check_order(level, at)
        coarse = at_fixed_counts(leave_one_out(self.levels[at]), self.levels[at])
        terms = [(1.0, self.gaussian(level)), (-1.0, self.gaussian(at)), (1.0, coarse)]
        return combine("spliced", terms, "upper", IMAGE)

    def class_spliced(self, level: float, at: float | None) -> Bound:
        """Upper bound on I(T;X|Y) at ``level`` from level ``at``, at least as large and fixed without these images.

        Without a level it is that of the frozen Gaussians of classes.
        """
        if at is None:
            return replace(self.class_gaussian(level), estimator="class_spliced")
        _check_order(level, at)
        coarse = class_leave_one_out(self.levels[at])
        terms = [(1.0, self.class_gaussian(level)), (-1.0, self.class_gaussian(at)), (1.0, coarse)]
        return combine("class_spliced", terms, "upper", GIVEN_LABEL)


def _check_order(level: float, at: float) -> None:
    if at < level:
        raise ValueError(f"a bound at level {level} spliced at {at}: the excess is known to fall with the level only")


def splice_level(others: NoiseProfile, level: float, *, by_class: bool = False) -> float | None:
    r"""Where a splice is the smallest bound on *other* images: at the level that minimises :math:`V(s_0) - U(s_0)`.

    Of the levels from ``level`` on; not splicing counts 0, so that there is a splice only where it gains. It costs
    where leave-one-out at :math:`s_0` is further above the truth than the frozen Gaussian is.

    Args:
        others: of images that are independent of those to be scored, about as many of each class and at the same
            levels: leave-one-out is further above the truth of fewer images.
        level: whose information is to be bounded.
        by_class: for a splice within classes.

    Returns:
        None where every splice is above the frozen Gaussian, which is the bound then.

    Example:
        >>> import math
        >>> from vae.posterior import DiagonalGaussian
        >>> labels = torch.arange(400) % 2
        >>> mean = 3.0 * labels[:, None].double()  # of two points, which no Gaussian is like
        >>> codes = {s: DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(s))) for s in (0.1, 1.0)}
        >>> profile = NoiseProfile({s: Labelled(q, labels) for s, q in codes.items()})
        >>> splice_level(profile, 0.1), splice_level(profile, 0.1, by_class=True)
        (0.1, None)
    """
    gaussian = others.class_gaussian if by_class else others.gaussian
    coarse = class_leave_one_out if by_class else leave_one_out
    levels = sorted(at for at in others.levels if at >= level)
    gains = {at: gaussian(at).value - coarse(others.levels[at]).value for at in levels}
    best = max(gains, key=gains.__getitem__, default=None)
    return best if best is not None and gains[best] > ROUNDING else None
