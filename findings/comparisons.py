r"""Whether augmentations differ: seeds are the replicates, and the images on which they are scored are sampled too.

A network is trained anew for every seed, so that seeds, and not images alone, are what a difference between
augmentations has to exceed. Augmentations do not spread alike over seeds: a variance pooled over them makes false
claims in up to a quarter of all tables where one spreads ten times as much as the others, so that nothing is pooled.

**The rule**, fixed beforehand and for every number of seeds: Welch's t-test (1947) of every pair of a *family*, which
is what one table or paragraph shows, with Holm's correction (1979) at 5% over the family. For two augmentations with
:math:`s` seeds each, means :math:`m`, standard deviations :math:`S` over seeds,

.. math:: t = \frac{m_A - m_B}{\sqrt{V}}, \quad V = \frac{S_A^2}{s_A} + \frac{S_B^2}{s_B} + V_\text{images},

with Satterthwaite's degrees of freedom (1946) for the seeds' part. The limits of the seeds' part (Student's t) and of
the images' (normal) are taken apart and their squares added: one limit of both is too small where few seeds happen to
lie close together. :math:`V_\text{images}` is the part of the draw of the images, from
scores kept per image (`findings.components`) or, where only standard errors over images are known, the sum of both
squared, which is too large where networks are right about the same images and never too small. Where neither is known,
the interval is about these very images, and nothing is claimed.

Why not another rule: Games-Howell's studentized range makes false claims in up to 11% of tables of three skewed seeds,
9% of five and 6% of twenty, where this one makes 8, 7 and 5%; and at twenty seeds both find one augmentation of four
that differs by a standard deviation in 68% (of six in 56 and 53%). ``python benchmarks/claims.py`` has the simulated
rates of false claims and the power of all three rules.

A *certificate* compares a lower bound of one augmentation with an upper bound of another in the same way, one-sided,
at 99%. Agreement with a published value is shown by equivalence within a margin fixed beforehand (two one-sided tests,
Schuirmann 1987, with Welch's degrees of freedom), never by failing to find a difference.
"""

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from findings.components import Components, components
from findings.power import POWER, limit, needed, predictive, predictive_above, t_above

__all__ = [
    "CONFIDENCE",
    "LEVEL",
    "Comparison",
    "Difference",
    "Equivalence",
    "Excess",
    "as_family",
    "certificates",
    "compare_augmentations",
    "equivalence",
    "excess_of",
    "holm",
    "satterthwaite",
    "skewed",
]

LEVEL = 0.05
"""The level at which a family of differences errs, and each one-sided test of equivalence."""

CONFIDENCE = 0.99
"""The probability that every certificate of a family is right."""

LOOKS = (3, 5, 8, 12, 20)
"""Numbers of seeds at which a comparison that adds seeds until it is decided may look."""

LOOK_LEVEL = LEVEL / len(LOOKS)
"""Level of each of these looks, with which a family errs in at most 5% over all of them, whatever it consists of
(Bonferroni over the looks, which are not so far from independent that much could be won: `benchmarks/claims.py`)."""

SKEWED = {5: (0.18, 0.135), 8: (0.18, 0.135), 12: (0.16, 0.135), 20: (0.125, 0.105), math.inf: (0.105, 0.08)}
"""Simulated share of families with a false claim of a difference, or of equality, for fewer than so many seeds, where
seeds are skewed (exponential, or three in twenty of them failed) and one augmentation spreads up to ten times as much
as the others: the exception to the 5%, to be said beside a claim. Of two augmentations alone, and of more."""

SKEWED_LOOKS = 0.2, 0.165
"""The same where looks are taken until all is decided."""

SKEWED_CERTIFICATE = 0.035
"""Simulated share of families of certificates, whose level is 1%, with a false one where seeds are skewed, at any
number of seeds."""


def satterthwaite(variances: Sequence[ArrayLike], freedoms: Sequence[ArrayLike]) -> tuple[Any, Any]:
    """The sum of independent estimates of variances, and its degrees of freedom (Satterthwaite 1946).

    Args:
        variances: estimates, numbers or arrays of one shape.
        freedoms: of each.

    Returns:
        Sum and degrees of freedom; infinitely many for a sum of 0.
    """
    total = sum(np.asarray(variance, dtype=float) for variance in variances)
    spread = sum(
        np.asarray(variance, dtype=float) ** 2 / np.asarray(freedom, dtype=float)
        for variance, freedom in zip(variances, freedoms, strict=True)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return total, np.where(spread > 0, total**2 / spread, np.inf)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values of a family (Holm 1979): below a level for what may be claimed at it over the whole family.

    Args:
        p: (..., m), of m tests each.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, axis=-1)
    steps = np.arange(values.shape[-1], 0, -1)
    ascending = np.maximum.accumulate(np.take_along_axis(values, order, -1) * steps, axis=-1).clip(max=1)
    adjusted = np.empty_like(ascending)
    np.put_along_axis(adjusted, order, ascending, -1)
    return adjusted


def skewed(seeds: int, pairs: int, looks: bool = False) -> float:
    """The simulated share of families with a false claim where seeds are skewed and spread unequally.

    Args:
        seeds: of each augmentation.
        pairs: in the family.
        looks: whether it is the last of several looks.
    """
    alone, several = SKEWED_LOOKS if looks else next(shares for fewer, shares in SKEWED.items() if seeds < fewer)
    return alone if pairs < 2 else several


def _t_tail(value: float, freedom: float) -> float:
    """The probability that Student's t exceeds ``value``."""
    return float(special.stdtr(freedom, -value))


def _tail(value: float, seed_error: float, freedom: float, image_error: float) -> float:
    """The one-sided p-value: the smallest p whose `findings.power.limit` a difference exceeds; ½ for none above 0."""
    if math.isnan(image_error) or not value > 0:
        return 0.5
    if not seed_error + image_error > 0:
        return 0.0
    if image_error == 0:
        return _t_tail(value / seed_error, freedom)
    from scipy.optimize import brentq  # slow to import

    lowest, highest = -60.0, math.log(0.5)

    def beyond(log_p: float) -> float:
        return limit(math.exp(log_p), seed_error, freedom, image_error) - value

    return math.exp(lowest if beyond(lowest) < 0 else brentq(beyond, lowest, highest))


@dataclass(frozen=True)
class Difference:
    """A difference of two augmentations' means over seeds, the higher one first.

    Args:
        higher, lower: augmentations.
        value: of the difference.
        seed_error: the seeds' part of its standard error.
        freedom: degrees of freedom of that part (Welch).
        seeds: the fewer of both.
        balanced: with how many seeds of both alike the seeds' part would be as large; None for ``seeds``.
        images: on which both were scored; None where it is not known.
        image_error: the images' part of its standard error, of as many degrees of freedom as images.
        images_included: whether that part is known. Without, the difference is about these very images, and nothing is
            claimed of it.
        under_trained: whether one of the two is worse than the linear model of its data; nothing is claimed of it.
        margin: a difference within it counts as none; None where no margin is stated.
        looks: whether the number of seeds is where looking again and again came to an end; p-values and intervals
            then hold over all looks.
        tests: in the family.
        p: adjusted for the family (Holm).
        p_equal: that the difference is not within the margin, adjusted for the family (Holm); 1 without a margin.
        low, high: simultaneous 95% interval (Bonferroni). Where Holm's steps claim a difference that it does not, it
            ends at 0.
        items: what images are called, where they are something else.
    """

    higher: str
    lower: str
    value: float
    seed_error: float
    freedom: float
    seeds: int
    images: int | None = None
    image_error: float = 0.0
    images_included: bool = True
    under_trained: bool = False
    balanced: float | None = None
    margin: float | None = None
    looks: bool = False
    tests: int = 1
    p: float = 1.0
    p_equal: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    items: str = "images"

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return math.hypot(self.seed_error, self.image_error)

    @property
    def level(self) -> float:
        """At which a family of differences like this one is tested, once."""
        return LOOK_LEVEL if self.looks else LEVEL

    @property
    def alone(self) -> float:
        """The two-sided p-value of this pair alone, times what looking several times costs."""
        once = 2 * _tail(self.value, self.seed_error, self.freedom, self.image_error)
        return min(once * LEVEL / self.level, 1.0)

    @property
    def equal_alone(self) -> float:
        """The larger p-value of the two one-sided tests that the difference is within the margin, likewise."""
        if self.margin is None:
            return 1.0
        once = _tail(self.margin - self.value, self.seed_error, self.freedom, self.image_error)
        return min(once * LEVEL / self.level, 1.0)

    @property
    def withheld(self) -> str | None:
        """Why nothing may be claimed of the two, whatever their difference; None where something may."""
        if self.under_trained:
            return "under-trained"
        return None if self.images_included else "images not in the interval"

    @property
    def claimed(self) -> bool:
        """Whether the difference is claimed at 5% over its family."""
        return self.withheld is None and self.p < LEVEL

    @property
    def equal(self) -> bool:
        """Whether the two are shown to be within the margin of each other, at 5% over the family of such tests."""
        return self.withheld is None and self.p_equal < LEVEL

    @property
    def seeds_needed(self) -> float:
        """How many seeds would tell the two apart, within this family and with a power of 80%, were the difference what
        it seems (`findings.power.needed`)."""
        spread = self.seed_error, self.freedom, self.balanced or self.seeds, self.image_error
        return needed(self.value, *spread, self.level / self.tests)

    def chance(self, seeds: int) -> float:
        """The predictive probability that so many seeds decide, a difference or equivalence (`findings.power`)."""
        spread = self.seed_error, self.freedom, self.balanced or self.seeds, self.image_error
        return float(predictive(self.value, *spread, wanted=seeds, level=self.level / self.tests, margin=self.margin))


def as_family(differences: Iterable[Difference]) -> list[Difference]:
    """The same differences as one family: p-values and intervals hold for all of them together."""
    differences = list(differences)
    if not differences:
        return []
    tests = len(differences)
    different = holm([difference.alone for difference in differences])
    equal = holm([difference.equal_alone for difference in differences])
    family = []
    for alone, p, p_equal in zip(differences, different, equal, strict=True):
        half = float(limit(alone.level / 2 / tests, alone.seed_error, alone.freedom, alone.image_error))
        low = alone.value - half
        low = max(low, 0.0) if p < LEVEL else low
        tested = replace(alone, tests=tests, p=float(p), p_equal=float(p_equal))
        family.append(replace(tested, low=low, high=alone.value + half))
    return family


@dataclass(frozen=True)
class Comparison:
    """All pairs of augmentations in one number, a family.

    Args:
        differences: of all pairs, largest first.
        spreads: standard deviation over seeds of each augmentation.
        seeds: per augmentation, the fewest.
        images: on which all were scored; None where it is not known.
        images_included: whether every interval holds the draw of the images.
        detectable: the true difference that would be found with a power of 80% between two augmentations of the mean
            spread.
    """

    differences: tuple[Difference, ...]
    spreads: dict[str, float]
    seeds: int
    images: int | None
    images_included: bool
    detectable: float

    @property
    def looks(self) -> bool:
        """Whether seeds were added until all was decided."""
        return any(pair.looks for pair in self.differences)

    @property
    def items(self) -> str:
        """What networks are scored on: ``"images"``, or what else they classify."""
        return next((pair.items for pair in self.differences), "images")

    @property
    def margin(self) -> float | None:
        """Within which two augmentations count as equal."""
        return next((pair.margin for pair in self.differences), None)

    def between(self, one: str, other: str) -> Difference | None:
        """The difference of these two, in whichever order; None where they have not been compared."""
        return next((pair for pair in self.differences if {pair.higher, pair.lower} == {one, other}), None)

    def found(self) -> list[Difference]:
        """Differences that are claimed at the 5% level over the family."""
        return [difference for difference in self.differences if difference.claimed]


def compare_augmentations(table: pd.DataFrame, components: Components | None = None) -> Comparison | None:
    """All pairs of augmentations in one number, by the rule above.

    Args:
        table: one row per augmentation, with columns ``augmentation``, ``mean``, ``std`` and ``seeds``, of one number;
            optionally ``image_error``, the standard error of the mean over images (0 where the spread over replicates
            already holds the draw of the images, as over folds; NaN unknown), ``n``, images, ``under_trained``,
            true for an augmentation of which nothing may be claimed, ``margin``, within which two count as equal,
            ``looks``, true where seeds were added until all was decided (`findings.decisions`), and ``items``, what
            images are called where they are something else.
        components: variance components from scores kept per image, which go before ``image_error``.

    Returns:
        None where there is no replication or no spread: one augmentation, one seed each, the same value everywhere.
    """
    rows = [row for row in table.to_dict("records") if row["seeds"] > 1]
    differences = []
    for first, second in itertools.combinations(rows, 2):
        higher, lower = (first, second) if first["mean"] >= second["mean"] else (second, first)
        seed_error, freedom = _seed_error(higher, lower)
        image_error = _image_error(higher, lower, components)
        included = not math.isnan(image_error)
        image_error = image_error if included else 0.0
        if not seed_error + image_error > 0:
            continue
        difference = Difference(
            str(higher["augmentation"]),
            str(lower["augmentation"]),
            float(higher["mean"] - lower["mean"]),
            seed_error,
            freedom,
            seeds=int(min(higher["seeds"], lower["seeds"])),
            images=_images(components, higher, lower),
            image_error=image_error,
            images_included=included,
            under_trained=any(bool(row.get("under_trained") or False) for row in (higher, lower)),
            balanced=_balanced(higher, lower),
            margin=None if pd.isna(higher.get("margin")) else float(higher["margin"]),
            looks=bool(higher.get("looks") or False),
            items=str(higher.get("items", "images")),
        )
        differences.append(difference)
    if not differences:
        return None
    family = sorted(as_family(differences), key=lambda difference: -difference.value)
    fewest = min(pair.seeds for pair in family)
    error = math.sqrt(sum(pair.error**2 for pair in family) / len(family))
    return Comparison(
        tuple(family),
        spreads={str(row["augmentation"]): float(row["std"]) for row in rows},
        seeds=fewest,
        images=min((pair.images for pair in family if pair.images is not None), default=None),
        images_included=all(pair.images_included for pair in family),
        detectable=_noncentrality(family[0].level / len(family), 2 * (fewest - 1)) * error,
    )


def _seed_error(a: dict[Any, Any], b: dict[Any, Any]) -> tuple[float, float]:
    """The seeds' part of the standard error of the difference of two means, and its degrees of freedom."""
    variance, freedom = satterthwaite(
        [row["std"] ** 2 / row["seeds"] if row["seeds"] > 1 else 0.0 for row in (a, b)],
        [max(row["seeds"] - 1, 1) for row in (a, b)],
    )
    return math.sqrt(variance), float(freedom)


def _balanced(a: dict[Any, Any], b: dict[Any, Any]) -> float | None:
    """With how many seeds of each the seeds' part of the standard error would be as large as with unlike numbers."""
    together = sum(row["std"] ** 2 / row["seeds"] for row in (a, b))
    return sum(row["std"] ** 2 for row in (a, b)) / together if together > 0 else None


def _image_error(a: dict[Any, Any], b: dict[Any, Any], components: Components | None) -> float:
    """The images' part of the standard error of the difference of two means; NaN where it is not known."""
    if components is not None and {a["augmentation"], b["augmentation"]} <= set(components.augmentations):
        return math.sqrt(components.image_variance(a["augmentation"], b["augmentation"]))
    errors = [row.get("image_error", math.nan) for row in (a, b)]
    return math.nan if any(error is None for error in errors) else math.hypot(*errors)


def _images(components: Components | None, *rows: dict[Any, Any]) -> int | None:
    if components is not None:
        return components.images
    counts = [row.get("n") for row in rows]
    return None if any(count is None or pd.isna(count) for count in counts) else int(min(counts))  # type: ignore[type-var, arg-type]


@functools.cache
def _noncentrality(level: float, freedom: int) -> float:
    """The true difference, in its standard errors, that Welch's test of one pair finds in 80%.

    Args:
        level: of the test, two-sided.
        freedom: its degrees of freedom.
    """
    from scipy.optimize import brentq  # slow to import

    critical = t_above(level / 2, freedom)

    def missing(size: float) -> float:
        below = float(special.nctdtr(freedom, size, critical))  # NaN where it is too small to be computed
        return 1 - (0.0 if math.isnan(below) else below) - POWER

    return float(brentq(missing, 0.0, 10 * critical + 10))


Certificate = tuple[str, str, float]
"""That A's information is above B's at a level of noise: A, B and the level."""


def certificates(lower: pd.DataFrame, upper: pd.DataFrame, confidence: float = CONFIDENCE) -> list[Certificate]:
    """Ordered pairs for which a lower bound of the one is above an upper bound of the other, at every level of noise.

    Welch's test, one-sided, of whether the mean lower bound of A exceeds the mean upper bound of B at the same level:
    seeds are the replicates, and the errors of both bounds over images, which all networks share and which does not
    average out over seeds, are added in full. Holm's correction over all
    ordered pairs and levels. With one seed each, a certificate is about these networks only.

    Args:
        lower, upper: one row per augmentation and level, with columns ``augmentation``, ``level`` (0 without noise),
            ``mean``, ``std``, ``seeds``, ``image_error``, optionally ``looks``; of a lower and of an upper bound.
            After several looks each is taken at a fifth of the level, as all tests are.
        confidence: of all certificates together.

    Returns:
        (A, B, level) for every certified I_A > I_B, in the order of the levels.
    """
    lows, highs = (
        {(row["augmentation"], row["level"]): row for row in table.to_dict("records")} for table in (lower, upper)
    )
    names = [name for name in dict.fromkeys(lower["augmentation"]) if name in set(upper["augmentation"])]
    tested, p = [], []
    for level in sorted(set(lower["level"])):
        for a, b in itertools.permutations(names, 2):
            if (a, level) in lows and (b, level) in highs:
                tested.append((str(a), str(b), float(level)))
                low, high = lows[a, level], highs[b, level]
                images = math.hypot(low["image_error"], high["image_error"])
                p.append(_tail(low["mean"] - high["mean"], *_seed_error(low, high), images))
    if not tested:
        return []
    level = (1 - confidence) / (len(LOOKS) if "looks" in lower and lower["looks"].eq(True).any() else 1)
    return [pair for pair, adjusted in zip(tested, holm(p), strict=True) if adjusted < level]


@dataclass(frozen=True)
class Excess:
    """By how much one mean is above another, which may be below it: a one-sided question.

    Args:
        value: of the difference.
        seed_error, freedom, image_error: as of a `Difference`.
        seeds: the fewer of both.
    """

    value: float
    seed_error: float
    freedom: float
    image_error: float
    seeds: int

    @property
    def p(self) -> float:
        """One-sided; ½ for a difference that is not above 0."""
        return _tail(self.value, self.seed_error, self.freedom, self.image_error)

    def seeds_needed(self, level: float) -> float:
        """How many seeds would show it, one-sided, were it what it seems (`findings.power.needed`)."""
        if self.seeds < 2:
            return math.inf
        return needed(self.value, self.seed_error, self.freedom, self.seeds, self.image_error, 2 * level)

    def chance(self, seeds: int, level: float) -> float:
        """The predictive probability that so many seeds show it, one-sided (`findings.power.predictive_above`)."""
        spread = self.seed_error, self.freedom, self.seeds, self.image_error
        return predictive_above(self.value, *spread, wanted=seeds, level=level) if self.seeds > 1 else 0.0


def excess_of(higher: NDArray[Any], lower: NDArray[Any]) -> Excess:
    """By how much one mean is above another: seeds are the replicates, images are paired.

    Args:
        higher, lower: scores (seeds, images) on the same images, seeds of the two independent of each other.

    Returns:
        With one seed of either it is about the first networks of both alone, and the draw of the images.
    """
    seeds = min(len(higher), len(lower))
    if seeds < 2:
        higher, lower = higher[:1], lower[:1]
    parts = components({"higher": higher, "lower": lower})
    if parts is None:
        difference = np.asarray(higher[0] - lower[0], dtype=float)
        return Excess(
            float(difference.mean()), 0.0, math.inf, float(difference.std(ddof=1)) / math.sqrt(len(difference)), seeds
        )
    rows = [{"std": scores.mean(1).std(ddof=1), "seeds": len(scores)} for scores in (higher, lower)]
    image_error = math.sqrt(parts.image_variance("higher", "lower"))
    return Excess(float(higher.mean() - lower.mean()), *_seed_error(*rows), image_error, seeds)


@dataclass(frozen=True)
class Equivalence:
    """How our mean stands to a published one.

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


Summary = tuple[float, float, int]
"""Mean, standard deviation and number of replicates."""


def equivalence(ours: Summary, published: Summary, margin: float, level: float = LEVEL) -> Equivalence | None:
    """Two one-sided Welch tests.

    Args:
        ours: what was measured here.
        published: what it is compared with.
        margin: largest difference that counts as agreement.
        level: of each test; `LOOK_LEVEL` where our number of seeds is where looks came to an end.

    Returns:
        None with fewer than two replicates on either side, or no spread on both.
    """
    if min(ours[2], published[2]) < 2:
        return None
    both = ours, published
    variance, freedom = satterthwaite([std**2 / n for _, std, n in both], [n - 1 for _, _, n in both])
    error = math.sqrt(variance)
    if not error > 0:
        return None
    difference = ours[0] - published[0]
    half = float(t_above(level, freedom)) * error
    low, high = difference - half, difference + half
    verdict: Literal["agrees", "differs", "not distinguishable"] = "not distinguishable"
    if -margin < low and high < margin:
        verdict = "agrees"
    elif 2 * _t_tail(abs(difference) / error, freedom) < level:
        verdict = "differs"
    return Equivalence(difference, low, high, margin, verdict)
