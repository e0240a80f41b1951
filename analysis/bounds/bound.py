"""A number that means what it says: a `Bound` has a direction, an error, a cap, and flags where those fail.

Every estimator here is, to first order, a mean over images; its *influence* is what each image contributes. Two bounds
computed from the same images are correlated, and a sum of them has the standard error of the summed influences, which
is how `combine` gets it: no second pass, no assumption of independence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from analysis.bounds.estimators import Direction, label_of, sign_of
from findings.row import row

__all__ = ["Bound", "combine", "is_heavy_tailed", "mean_of", "standard_error"]

LONG = 1e7
"""Numbers from here on are shown with an exponent."""

ROUNDING = 1e-12
"""A standard error below this, relative to the value and a nat, is of float64 and not of images."""


@dataclass(frozen=True)
class Bound:
    """A number with a direction.

    Args:
        estimator: a name in `analysis.bounds.estimators.ESTIMATORS`.
        value: nats.
        standard_error: of ``value`` over draws of the images, nats.
        direction: ``"upper"`` or ``"lower"`` bound on ``quantity``, in expectation; ``"estimate"`` without guarantee.
        cap: the largest value the estimator can take, nats; None without one.
        saturated: too close to the cap (or computed from a bound that is) to say much about ``quantity``.
        n: images.
        k: images compared with each other; None where images are not compared.
        quantity: what is bounded.
        influence: (n,), what each image contributes to ``value``, about zero; None where only codes are resampled, or
            where images were compared within groups; then nothing is known of heavy tails.

    Example:
        >>> Bound("rate", 83.67, 0.05, "upper", None, False, 10_000, None)
        I(Z;X) ≤ 83.670 ± 0.050 nats (rate, n = 10,000)
        >>> Bound("infonce", 9.2, 0.001, "lower", 9.21, True, 10_000, 10_000)
        I(Z;X) ≥ 9.200 ± 0.001 nats (InfoNCE, n = 10,000, cap 9.21: saturated)
        >>> mean_of("rate", torch.tensor([500.0] + 1999 * [1.0], dtype=torch.float64))
        I(Z;X) ≤ 1.25 ± 0.25 nats (rate, n = 2,000; heavy-tailed: its error is too small)
    """

    estimator: str
    value: float
    standard_error: float
    direction: Direction
    cap: float | None
    saturated: bool
    n: int
    k: int | None
    quantity: str = "I(Z;X)"
    influence: Tensor | None = field(default=None, repr=False, compare=False)

    @property
    def heavy_tailed(self) -> bool | None:
        """Whether a few images decide the value, so that its standard error is too small (see `is_heavy_tailed`).

        None without influence; False where all there is to the influence is rounding.
        """
        if self.influence is None:
            return None
        return is_heavy_tailed(self.influence) if self.standard_error > ROUNDING * (1 + abs(self.value)) else False

    def __repr__(self) -> str:
        digits = 2 if self.standard_error == 0 else min(max(1 - math.floor(math.log10(self.standard_error)), 2), 3)
        notes = f"{label_of(self.estimator)}, n = {self.n:,}"
        if self.cap is not None:
            notes += f", cap {self.cap:.2f}"
        if self.saturated:
            notes += ": saturated"
        if self.heavy_tailed:
            notes += "; heavy-tailed: its error is too small"
        style = f".{digits}f" if abs(self.value) < LONG else ".3e"
        sign, error = sign_of(self.direction), f"{self.standard_error:{style}}"
        return f"{self.quantity} {sign} {self.value:{style}} ± {error} nats ({notes})"

    def _repr_html_(self) -> str:
        return f"<span>{self!r}</span>"

    def row(self, **where: Any) -> dict[str, Any]:
        """The bound as a row of the ``--json`` document: every field, null where it does not apply."""
        return row(
            self.quantity,
            self.estimator,
            self.value,
            units="nats",
            standard_error=self.standard_error,
            direction=self.direction,
            cap=self.cap,
            saturated=self.saturated,
            n=self.n,
            k=self.k,
            heavy_tailed=self.heavy_tailed,
            **{"inputs": "clean"} | where,
        )


def standard_error(influence: Tensor) -> float:
    """The standard error of a mean over images to which each contributes ``influence`` (n,)."""
    n = len(influence)
    centred = influence - influence.mean()
    scale = float(centred.abs().max()) or 1.0  # squares of what float64 can hold may be beyond it
    return scale * math.sqrt(float((centred / scale).square().sum()) / (n * (n - 1)))


def is_heavy_tailed(influence: Tensor) -> bool | None:
    r"""Whether one image has more than a share :math:`3 (\log N)^2 / N` of the sum of squared influences (N,), about 0.

    A standard error from the images drawn is that of the population only if no few of them decide it. The largest of N
    exponentially tailed numbers is about log N standard deviations out, so that its share is of the order of
    :math:`(\log N)^2 / N`; where the variance is infinite, the share does not fall with N. The factor 3 is from
    simulation, 2,000 replicates at N = 360, 800 and 2,000, 500 at 10,000:

    - light tails are flagged seldom: :math:`\chi^2` with one degree of freedom in 0.6 to 1.6%, exponential in at
      most 0.3%, :math:`\chi^2` with four and Gaussian in none;
    - where an image carries half of a Pareto variable of index 1.5 or 1.2, 97.5% upper limits fail in 15 to 38%. Of
      these failures 47 and 68% are flagged at N = 360, 77 and 93% at 800, 98% and more at 2,000, all at 10,000.

    Being unflagged is no promise: in the fewer replicates without a flag, limits hold less often, since it is the large
    values that raise both the flag and the limit.

    And what was not drawn cannot be seen: if one image in a thousand carries all the information, a sample without any
    such image is flagged by nothing.

    Returns:
        None for fewer than 50 images, of which one can hardly have such a share.
    """
    n = len(influence)
    if n < 50:
        return None
    share = 3 * math.log(n) ** 2 / n
    centred = influence - influence.mean()
    squares = (centred / (float(centred.abs().max()) or 1.0)).square()
    return bool(squares.max() > share * squares.sum())


def mean_of(estimator: str, values: Tensor, direction: Direction = "upper", **facts: Any) -> Bound:
    """A bound that is a mean over images of independent ``values`` (n,), nats."""
    value = float(values.mean())
    how: dict[str, Any] = {"cap": None, "saturated": False, "k": None} | facts
    influence = values - value
    return Bound(estimator, value, standard_error(influence), direction, n=len(values), influence=influence, **how)


def combine(
    estimator: str,
    terms: Sequence[tuple[float, Bound]],
    direction: Direction,
    quantity: str,
    *,
    cap: float | None = None,
) -> Bound:
    """A weighted sum of bounds of the same images, with the standard error of the sum.

    Args:
        estimator: of the sum.
        terms: weights and bounds.
        direction: of the sum: the caller's claim.
        quantity: what is bounded.
        cap: of the sum.
    """
    influences = [weight * bound.influence for weight, bound in terms if bound.influence is not None]
    if len(influences) != len(terms) or len({len(influence) for influence in influences}) != 1:
        raise ValueError("combine: needs bounds of the same images, each with its influence")
    influence = torch.stack(influences).sum(0)
    return Bound(
        estimator,
        sum(weight * bound.value for weight, bound in terms),
        standard_error(influence),
        direction,
        cap,
        any(bound.saturated for _, bound in terms),
        len(influence),
        max((bound.k or 0 for _, bound in terms)) or None,
        quantity,
        influence,
    )
