r"""Whether augmentations differ: seeds are the replicates.

A VAE is trained anew for every seed, so that seeds, and not images, are what a difference between augmentations has to
exceed. Their variance is pooled over augmentations, and all pairs are compared at once (Tukey 1949; Kramer 1956 for
unequal numbers). All networks are scored on the same test images: the comparison is on these images.

Agreement with a published value is shown by equivalence within a margin fixed beforehand (two one-sided tests,
Schuirmann 1987, with Welch's degrees of freedom), never by failing to find a difference.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy import stats

__all__ = ["Comparison", "Difference", "Equivalence", "compare_augmentations", "equivalence"]

LEVEL = 0.05
"""Of Tukey's test over all pairs, and of each one-sided test of equivalence."""

POWER = 0.8
"""With which the detectable difference would be found."""


@dataclass(frozen=True)
class Difference:
    """Of two augmentations' means over seeds, the higher one first.

    Args:
        higher, lower: augmentations.
        value: of the difference.
        low, high: simultaneous 95% interval.
        error: standard deviation of a mean of as many seeds as either has (the harmonic mean of the two numbers).
        groups: augmentations compared.
        freedom: degrees of freedom of the pooled variance.
    """

    higher: str
    lower: str
    value: float
    low: float
    high: float
    error: float
    groups: int
    freedom: int

    @functools.cached_property
    def p(self) -> float:
        """Tukey's, adjusted for all pairs; an integral that takes ten milliseconds."""
        return float(stats.studentized_range.sf(self.value / self.error, self.groups, self.freedom))


@functools.cache
def _critical(groups: int, freedom: int) -> float:
    return float(stats.studentized_range.isf(LEVEL, groups, freedom))


@dataclass(frozen=True)
class Comparison:
    """All pairs of augmentations in one number.

    Args:
        differences: of all pairs, largest first.
        deviation: standard deviation over seeds, pooled over augmentations.
        freedom: its degrees of freedom.
        seeds: per augmentation, the fewest.
        detectable: the true difference that would be found with a power of 80%.
    """

    differences: tuple[Difference, ...]
    deviation: float
    freedom: int
    seeds: int
    detectable: float

    def between(self, one: str, other: str) -> Difference | None:
        """The difference of these two, in whichever order; None where they have not been compared."""
        return next((each for each in self.differences if {each.higher, each.lower} == {one, other}), None)

    def found(self) -> list[Difference]:
        """Differences at the 5% level over all pairs."""
        return [difference for difference in self.differences if difference.low > 0]


def compare_augmentations(table: pd.DataFrame) -> Comparison | None:
    """Tukey's test of all pairs of augmentations.

    Args:
        table: one row per augmentation, with columns ``augmentation``, ``mean``, ``std`` and ``seeds``, of one number.

    Returns:
        None where there is no replication or no spread: one augmentation, one seed each, the same value everywhere.
    """
    rows = table[["augmentation", "mean", "std", "seeds"]].to_dict("records")
    freedom = sum(row["seeds"] - 1 for row in rows)
    if len(rows) < 2 or freedom < 1:
        return None
    variance = sum((row["seeds"] - 1) * row["std"] ** 2 for row in rows if row["seeds"] > 1) / freedom
    if not variance > 0:
        return None
    critical = _critical(len(rows), freedom)
    differences = []
    for place, first in enumerate(rows):
        for second in rows[place + 1 :]:
            higher, lower = (first, second) if first["mean"] >= second["mean"] else (second, first)
            value = higher["mean"] - lower["mean"]
            error = math.sqrt(variance / 2 * (1 / higher["seeds"] + 1 / lower["seeds"]))
            names = higher["augmentation"], lower["augmentation"]
            half = critical * error
            differences.append(
                Difference(*names, value, value - half, value + half, error, len(rows), freedom)
            )  # fmt: skip
    fewest = min(row["seeds"] for row in rows)
    quantile = critical / math.sqrt(2) + float(stats.t.ppf(POWER, freedom))
    return Comparison(
        tuple(sorted(differences, key=lambda difference: -difference.value)), math.sqrt(variance), freedom, fewest,
        quantile * math.sqrt(2 * variance / fewest),
    )  # fmt: skip


@dataclass(frozen=True)
class Equivalence:
    """Of our mean and a published one.

    Args:
        difference: ours less the published one.
        low, high: 90% interval of it, whose lying within ± margin is what the two one-sided tests at 5% ask for.
        margin: that counts as agreement.
        verdict: ``"agrees"``, equivalence is shown; ``"differs"``, a difference is (two-sided, 5%); otherwise
            ``"not distinguishable"``.
    """

    difference: float
    low: float
    high: float
    margin: float
    verdict: Literal["agrees", "differs", "not distinguishable"]


def equivalence(
    ours: tuple[float, float, int], published: tuple[float, float, int], margin: float
) -> Equivalence | None:  # fmt: skip
    """Two one-sided Welch tests.

    Args:
        ours: mean, standard deviation and number of replicates.
        published: likewise.
        margin: largest difference that counts as agreement.

    Returns:
        None with fewer than two replicates on either side, or no spread on both.
    """
    if min(ours[2], published[2]) < 2:
        return None
    parts = [std**2 / n for _, std, n in (ours, published)]
    error = math.sqrt(sum(parts))
    if not error > 0:
        return None
    freedom = error**4 / sum(part**2 / (n - 1) for part, (_, _, n) in zip(parts, (ours, published), strict=True))
    difference = ours[0] - published[0]
    half = float(stats.t.isf(LEVEL, freedom)) * error
    low, high = difference - half, difference + half
    verdict: Literal["agrees", "differs", "not distinguishable"] = "not distinguishable"
    if -margin < low and high < margin:
        verdict = "agrees"
    elif 2 * float(stats.t.sf(abs(difference) / error, freedom)) < LEVEL:
        verdict = "differs"
    return Equivalence(difference, low, high, margin, verdict)
