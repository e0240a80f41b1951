r"""How many seeds a difference of two means takes, and whether more of them are likely to decide it.

A difference :math:`D` of two augmentations' means over :math:`n` seeds has a standard error :math:`S_n` of the seeds'
part, with :math:`\nu` degrees of freedom, and :math:`I` of the images' part. With :math:`N` seeds instead, on the same
images, :math:`S_N^2 = S_n^2\,n/N` and :math:`\nu_N = \nu\,(N-1)/(n-1)`, and what a difference has to exceed at the
one-sided level :math:`a` is :math:`L_N(a) = \sqrt{(t_{a,\nu_N} S_N)^2 + (z_a I)^2}` (`findings.comparisons`).

*Power* is the probability that a true difference is claimed with N seeds: the estimate is normal around it, with
variance :math:`S_N^2 + I^2`, and the square of its standard error, by which the limit is drawn, is spread as
:math:`\chi^2_\nu/\nu`.

The *predictive probability* of a decision (Spiegelhalter, Freedman and Blackburn 1986) does not take the difference for
what it seems: given what was seen, the estimate with N seeds is spread around D as :math:`t_\nu\sqrt{S_n^2 - S_N^2}`,
the truth having no preferred value beforehand. A decision is either a difference, :math:`|D_N| > L_N(a/2)`, or
equivalence within a margin Δ, :math:`|D_N| < \Delta - L_N(a)`.

All functions take arrays as well as numbers.
"""

import bisect
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = [
    "MOST_SEEDS_SAID",
    "POWER",
    "at_seeds",
    "limit",
    "needed",
    "power",
    "predictive",
    "predictive_above",
    "t_above",
]

Array = NDArray[np.float64]

POWER = 0.8
"""The probability with which as many seeds as are said to be needed would find a difference."""

MOST_SEEDS_SAID = 1000
"""Seeds beyond which it is only said that more are needed."""

_PARTS = 256
"""Points at which an expectation over a variance is taken, of equal probability."""


def t_above(p: ArrayLike, freedom: ArrayLike) -> Any:
    """What Student's t exceeds with probability ``p``; without `scipy.stats`, which is slow to import and to call.

    Infinitely many degrees of freedom are the normal distribution's.
    """
    return -special.stdtrit(np.minimum(freedom, 1e10), p)


def limit(p: ArrayLike, seed_error: ArrayLike, freedom: ArrayLike, image_error: ArrayLike) -> Any:
    """What a difference of nothing exceeds with probability ``p``: the limits of its two parts, root of their squares.

    One limit of the whole, with degrees of freedom by Satterthwaite, is too small where few seeds happen to lie close
    together: the images' part, being large beside theirs, then lends them its degrees of freedom.
    """
    return np.hypot(t_above(p, freedom) * seed_error, special.ndtri(p) * image_error)


def at_seeds(seed_error: ArrayLike, freedom: ArrayLike, seeds: float, wanted: ArrayLike) -> tuple[Any, Any]:
    """The seeds' part of the standard error, and its degrees of freedom, with another number of seeds.

    Args:
        seed_error, freedom: with ``seeds`` seeds.
        seeds: of each augmentation, at least 2.
        wanted: another number.
    """
    many = np.asarray(wanted, dtype=float)
    return np.asarray(seed_error) * np.sqrt(seeds / many), np.asarray(freedom) * (many - 1) / (seeds - 1)


def power(value: ArrayLike, seed_error: ArrayLike, freedom: ArrayLike, image_error: ArrayLike, level: float) -> Any:
    """The probability that a true difference is claimed.

    Args:
        value: the true difference, above 0.
        seed_error, freedom: of the seeds' part, as they are on the whole.
        image_error: of the images' part.
        level: of the two-sided test of this difference.
    """
    given = (np.asarray(number, dtype=float) for number in (value, seed_error, freedom, image_error))
    value, seed_error, freedom, image_error = np.broadcast_arrays(*given)
    shares = (np.arange(_PARTS) + 0.5) / _PARTS
    half = np.minimum(freedom, 1e10)[..., None] / 2
    spread = np.sqrt(special.gammaincinv(half, shares) / half)
    needs = limit(level / 2, seed_error[..., None] * spread, freedom[..., None], image_error[..., None])
    with np.errstate(divide="ignore", invalid="ignore"):
        above = (value[..., None] - needs) / np.hypot(seed_error, image_error)[..., None]
    return special.ndtr(above).mean(-1)


def needed(value: float, seed_error: float, freedom: float, seeds: float, image_error: float, level: float) -> float:
    """The fewest seeds with which a difference would be claimed with a power of 80%, were it what it seems.

    Args:
        value: the difference, at least 0.
        seed_error, freedom: of its seeds' part, with ``seeds`` seeds of each augmentation.
        seeds: at least 2.
        image_error: of its images' part, which more seeds leave as it is.
        level: of the two-sided test of this difference.

    Returns:
        A whole number up to `MOST_SEEDS_SAID`; that and one more for any larger; infinite where no number of seeds
        would do on these images.
    """
    if image_error > 0 and special.ndtr(value / image_error + special.ndtri(level / 2)) < POWER:
        return math.inf
    if not value > 0:
        return MOST_SEEDS_SAID + 1

    def enough(count: int) -> bool:
        error, of_freedom = at_seeds(seed_error, freedom, seeds, count)
        return float(power(value, error, of_freedom, image_error, level)) >= POWER

    if not enough(MOST_SEEDS_SAID):
        return MOST_SEEDS_SAID + 1
    return bisect.bisect_left(range(MOST_SEEDS_SAID), True, lo=2, key=enough)  # power grows with seeds


def predictive_above(
    value: float,
    seed_error: float,
    freedom: float,
    seeds: float,
    image_error: float,
    *,
    wanted: int,
    level: float,
) -> float:
    """The probability that more seeds will have shown a difference to be above 0, one-sided, given what was seen.

    Args:
        value: the difference seen, of either sign.
        seed_error, freedom, seeds, image_error, wanted: as `predictive` takes them.
        level: of the one-sided test.
    """
    error, of_freedom = at_seeds(seed_error, freedom, seeds, wanted)
    spread = math.sqrt(max(seed_error**2 - float(error) ** 2, 0.0))
    apart = value - float(limit(level, error, of_freedom, image_error))
    if not spread > 0:
        return float(apart > 0)
    return float(special.stdtr(min(freedom, 1e10), apart / spread))


def predictive(
    value: ArrayLike,
    seed_error: ArrayLike,
    freedom: ArrayLike,
    seeds: float,
    image_error: ArrayLike,
    *,
    wanted: int,
    level: ArrayLike,
    margin: float | None = None,
) -> Any:
    """The probability that a difference will have been decided with more seeds, given what was seen.

    Args:
        value: the difference seen, at least 0.
        seed_error, freedom: of its seeds' part, with ``seeds`` seeds of each augmentation.
        seeds: at least 2.
        image_error: of its images' part.
        wanted: how many seeds there will be.
        level: of the two-sided test of a difference, and of the one-sided ones of equivalence.
        margin: within which there is none; None where none is stated.
    """
    error, of_freedom = at_seeds(seed_error, freedom, seeds, wanted)
    half = np.asarray(level) / 2
    differs = limit(half, error, of_freedom, image_error)
    within = 0.0 if margin is None else np.maximum(margin - limit(2 * half, error, of_freedom, image_error), 0.0)
    spread = np.sqrt(np.maximum(np.square(seed_error) - np.square(error), 0.0))
    freedom = np.minimum(freedom, 1e10)

    def below(size: Any) -> Any:
        """The probability that the estimate will be below a size."""
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = (size - value) / spread
        return np.where(spread > 0, special.stdtr(freedom, apart), np.where(size > value, 1.0, 0.0))

    found = 1 - below(differs) + below(-differs)
    equal = np.where(within > 0, below(within) - below(-within), 0.0)
    return np.where(within >= differs, 1.0, found + equal)
