"""How often comparisons and certificates claim what is not so, and how often they find what is: simulated.

Families of augmentations whose networks differ from seed to seed: normal, exponential, or contaminated (three seeds in
twenty fail, five standard deviations below the others), where one augmentation spreads 1, 3 or 10 times as much as the
others. The rule is `findings.comparisons`'; beside it stand Tukey's test with one pooled variance, which 0.1.0 used,
and Games-Howell's. A claim is false where the true means are the same, or are in the other order.

``python benchmarks/claims.py`` prints the tables of benchmarks/README.md; `make endurance` holds them against their
limits.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, stats

from findings.comparisons import CONFIDENCE, LEVEL, LOOK_LEVEL, LOOKS, holm, satterthwaite
from findings.decisions import FUTILE
from findings.power import limit, predictive

KINDS = ("normal", "exponential", "contaminated")
RATIOS = (1, 3, 10)
SHARES = (0.1, 0.3, 1, 3)
Array = NDArray[np.float64]


def seeds(
    kind: str, shape: tuple[int, int, int], ratio: float, rng: np.random.Generator, means: Sequence[float] = ()
) -> Array:  # fmt: skip
    """(replicates, augmentations, seeds) with the given means; the first augmentation spreads ``ratio`` times as much.

    One standard deviation is that of the good seeds.
    """
    if kind == "exponential":
        values = rng.exponential(size=shape) - 1
    else:
        values = rng.standard_normal(shape)
        if kind == "contaminated":
            values += 5 * (0.15 - (rng.random(shape) < 0.15))
    values[:, 0] *= ratio
    return values + np.array(means or [0.0] * shape[1])[:, None]


def pairs_of(values: Array) -> tuple[Array, Array, Array]:
    """Difference, its variance and its degrees of freedom of every pair: (replicates, pairs) each."""
    n = values.shape[-1]
    mean, variance = values.mean(-1), values.var(-1, ddof=1) / n
    first, second = map(list, zip(*itertools.combinations(range(values.shape[1]), 2), strict=True))
    total, freedom = satterthwaite([variance[:, first], variance[:, second]], [n - 1, n - 1])
    return mean[:, first] - mean[:, second], total, freedom


def welch_holm(values: Array, level: float = LEVEL) -> NDArray[np.bool_]:
    """(replicates, pairs): which differences the rule claims."""
    difference, variance, freedom = pairs_of(values)
    return holm(2 * stats.t.sf(np.abs(difference) / np.sqrt(variance), freedom)) < level


_curves: dict[tuple[int, float], Callable[[Array], Array]] = {}


def _range_quantile(groups: int, freedom: Array, level: float) -> Array:
    """Of the studentized range, from a table in 1/ν: the integral itself takes ten milliseconds."""
    if (groups, level) not in _curves:
        inverse = np.concatenate([[1e-6], np.linspace(0.005, 0.52, 80)])
        values = [stats.studentized_range.isf(level, groups, 1 / each) for each in inverse]
        _curves[groups, level] = interpolate.PchipInterpolator(inverse, np.log(values))
    return np.exp(_curves[groups, level](1 / freedom))


def games_howell(values: Array, level: float = LEVEL) -> NDArray[np.bool_]:
    """The same of Games-Howell's test."""
    difference, variance, freedom = pairs_of(values)
    critical = _range_quantile(values.shape[1], np.maximum(freedom, 1.95), level)
    return np.abs(difference) * np.sqrt(2 / variance) > critical


def tukey(values: Array, level: float = LEVEL) -> NDArray[np.bool_]:
    """The same of Tukey's, with a pooled variance."""
    groups, n = values.shape[1:]
    error = np.sqrt(values.var(-1, ddof=1).mean(1) / n)[:, None]
    return np.abs(pairs_of(values)[0]) > stats.studentized_range.isf(level, groups, groups * (n - 1)) * error


RULES = {"Welch-Holm": welch_holm, "Games-Howell": games_howell, "Tukey, pooled": tukey}


def rates(claimed: NDArray[np.bool_], values: Array, means: Sequence[float]) -> tuple[float, float]:
    """Share of families with a false claim, and of true differences that are found."""
    first, second = map(np.array, zip(*itertools.combinations(range(len(means)), 2), strict=True))
    truth = np.sign(np.array(means)[first] - np.array(means)[second])
    sign = np.sign(pairs_of(values)[0])
    false = (claimed & (sign != truth)).any(1).mean()  # where nothing differs every claim is false: sign is never 0
    power = (claimed & (sign == truth))[:, truth != 0].mean() if truth.any() else float("nan")
    return float(false), float(power)


def false_claims(
    rule: Callable[[Array], NDArray[np.bool_]], kind: str, n: int, ratio: float, groups: int, replicates: int, seed: int
) -> float:  # fmt: skip
    """Share of families of equal augmentations in which the rule claims a difference."""
    values = seeds(kind, (replicates, groups, n), ratio, np.random.default_rng(seed))
    return float(rule(values).any(1).mean())


def false_looks(kind: str, ratio: float, groups: int, replicates: int, seed: int, level: float = LOOK_LEVEL) -> float:
    """The same where the rule looks at 3, 5, 8, 12 and 20 seeds and stops at the first claim."""
    values = seeds(kind, (replicates, groups, LOOKS[-1]), ratio, np.random.default_rng(seed))
    return float(np.any([welch_holm(values[..., :look], level).any(1) for look in LOOKS], 0).mean())


@dataclass(frozen=True)
class Ended:
    """What ``--until decided`` says of families at the look at which it stops: (replicates, pairs) each.

    Args:
        claimed: 1 where the first of a pair is claimed to be above the second, -1 where below, 0 where neither.
        equal: shown to be within the margin.
        futile: given up.
        open: undecided at the last look.
        seeds: (replicates,), of that look.
    """

    claimed: NDArray[np.int_]
    equal: NDArray[np.bool_]
    futile: NDArray[np.bool_]
    open: NDArray[np.bool_]
    seeds: NDArray[np.int_]


def holm_beyond(value: Array, error: Array, freedom: Array, images: float, level: float) -> NDArray[np.bool_]:
    """Which of a family exceed their limits at a one-sided level of the family, by Holm's steps.

    Where k are left, those beyond the limit of level/k are taken out, until none is: the same as adjusted p-values
    below the level, for which limits would have to be inverted.

    Args:
        value, error, freedom: (replicates, pairs), with standard errors of the seeds' part.
        images: standard error of the images' part.
        level: one-sided.
    """
    beyond = np.zeros(value.shape, dtype=bool)
    going = np.arange(len(value))
    while len(going):
        before = beyond[going].sum(1)
        steps = level / np.maximum(value.shape[1] - before, 1)
        beyond[going] |= value[going] > limit(steps[:, None], error[going], freedom[going], images)
        going = going[beyond[going].sum(1) > before]
    return beyond


def until_decided(
    values: Array,
    margin: float | None = None,
    image_error: float = 0.0,
    *,
    looks: Sequence[int] = LOOKS,
    futile: float = FUTILE,
    level: float = LOOK_LEVEL,
) -> Ended:
    """The rule of `findings.decisions` for families of one measure.

    Args:
        values: (replicates, augmentations, seeds).
        margin: within which two augmentations count as equal.
        image_error: of every augmentation's mean, known exactly.
        looks: numbers of seeds; of one alone it is what is claimed at a number of seeds fixed beforehand.
        futile: predictive probability below which a pair is given up; 0 for never.
        level: of each look.
    """
    pairs, images = values.shape[1] * (values.shape[1] - 1) // 2, math.sqrt(2) * image_error
    claimed, seeds = np.zeros((len(values), pairs), dtype=int), np.zeros(len(values), dtype=int)
    equal, hopeless, open_ = (np.zeros(claimed.shape, dtype=bool) for _ in range(3))
    going = np.arange(len(values))
    for look in looks:
        difference, variance, freedom = pairs_of(values[going, :, :look])
        value, error = np.abs(difference), np.sqrt(variance)
        differs = holm_beyond(value, error, freedom, images, level / 2)
        same = np.zeros_like(differs) if margin is None else holm_beyond(margin - value, error, freedom, images, level)
        undecided = ~differs & ~same
        given_up = np.zeros_like(differs)
        if look < looks[-1] and futile > 0:
            these = value[undecided], error[undecided], freedom[undecided], look, images
            given_up[undecided] = predictive(*these, wanted=looks[-1], level=level / pairs, margin=margin) < futile
        ends = ~(undecided & ~given_up).any(1) | (look == looks[-1])
        at = going[ends]
        claimed[at] = (np.sign(difference) * differs)[ends]
        equal[at], hopeless[at], open_[at] = same[ends], given_up[ends], (undecided & ~given_up)[ends]
        seeds[at] = look
        going = going[~ends]
    return Ended(claimed, equal, hopeless, open_, seeds)


@dataclass(frozen=True)
class Shares:
    """How families end under ``--until decided``.

    Args:
        false: share of families with a claim of a difference that there is not, or in the other order.
        false_equal: of those in which two are said to be equal that are as far apart as the margin, or farther.
        power: share of true differences that are claimed; NaN where there is none.
        power_equal: of pairs nearer than the margin that are said to be equal; NaN where there is none.
        open: share of families of which something is open at the last look.
        seeds: mean number when it stops.
    """

    false: float
    false_equal: float
    power: float
    power_equal: float
    open: float
    seeds: float


def shares_until_decided(
    kind: str,
    ratio: float,
    means: Sequence[float],
    replicates: int,
    seed: int,
    margin: float | None = None,
    image_error: float = 0.0,
    **rule: Any,
) -> Shares:
    """Simulated shares; one standard deviation is that of the good seeds.

    Args:
        kind, ratio, means, replicates, seed: of the simulation, see `seeds`.
        margin, image_error, rule: see `until_decided`.
    """
    rng = np.random.default_rng(seed)
    values = seeds(kind, (replicates, len(means), LOOKS[-1]), ratio, rng, means)
    if image_error:
        values += image_error * rng.standard_normal((replicates, len(means), 1))
    ended = until_decided(values, margin, image_error, **rule)
    first, second = map(np.array, zip(*itertools.combinations(means, 2), strict=True))
    truth = np.sign(first - second)
    near = np.abs(first - second) < (0.0 if margin is None else margin) - 1e-9
    return Shares(
        false=float(((ended.claimed != 0) & (ended.claimed != truth)).any(1).mean()),
        false_equal=float(ended.equal[:, ~near].any(1).mean()),
        power=float((ended.claimed == truth)[:, truth != 0].mean()) if truth.any() else math.nan,
        power_equal=float(ended.equal[:, near].mean()) if near.any() else math.nan,
        open=float(ended.open.any(1).mean()),
        seeds=float(ended.seeds.mean()),
    )


def false_certificates(
    kind: str, n: int, ratio: float, groups: int, replicates: int, seed: int, pooled: bool = False
) -> float:  # fmt: skip
    """Share of families in which a certificate is false, both bounds of every augmentation being exactly the truth.

    The worst case: a gap between the bounds, and levels of noise that share their seeds, only lower it.

    Args:
        pooled: as 0.1.0 did: limits with a pooled variance, by Bonferroni.
    """
    values = seeds(kind, (replicates, groups, n), ratio, np.random.default_rng(seed))
    mean, variance = values.mean(-1), values.var(-1, ddof=1) / n
    if pooled:
        half = stats.t.isf((1 - CONFIDENCE) / (2 * groups), groups * (n - 1)) * np.sqrt(variance.mean(1))
        return float((mean.max(1) - mean.min(1) > 2 * half).mean())
    first, second = map(list, zip(*itertools.permutations(range(groups), 2), strict=True))
    total, freedom = satterthwaite([variance[:, first], variance[:, second]], [n - 1, n - 1])
    p = stats.t.sf((mean[:, first] - mean[:, second]) / np.sqrt(total), freedom)
    return float((holm(p) < 1 - CONFIDENCE).any(1).mean())


def false_with_images(
    n: int, share: float, ratio: float, replicates: int, seed: int, apart: bool = True, level: float = LEVEL
) -> float:
    """Share of families of four equal augmentations with a claim, where the draw of the images counts too.

    A family errs where its smallest p-value is below a sixth of the level. Every augmentation has an error over images
    of its own, known exactly.

    Args:
        n: seeds.
        share: standard error over images, in standard deviations over seeds.
        ratio: of the first augmentation's spread over seeds.
        replicates, seed: of the simulation.
        apart: as the rule does, limits of the seeds' and of the images' part; otherwise one, by Satterthwaite.
        level: of the family.
    """
    rng = np.random.default_rng(seed)
    values = seeds("normal", (replicates, 4, n), ratio, rng) + share * rng.standard_normal((replicates, 4, 1))
    difference, variance, freedom = pairs_of(values)
    tail, images = level / 2 / difference.shape[1], 2 * share**2
    if apart:
        limit = np.hypot(stats.t.isf(tail, freedom) * np.sqrt(variance), stats.norm.isf(tail) * np.sqrt(images))
    else:
        total, together = satterthwaite([variance, np.full_like(variance, images)], [freedom, np.inf])
        limit = stats.t.isf(tail, together) * np.sqrt(total)
    return float((np.abs(difference) > limit).any(1).mean())


def print_until_decided(count: int) -> None:
    """The tables of ``--until decided``."""
    print(f"\nuntil decided: looks at {LOOKS} seeds, each at {LOOK_LEVEL}, given up below {FUTILE}\n")
    print("false differences of equal augmentations, where it stops (at any look)\n")
    header = [f"ratio {ratio}" for ratio in RATIOS] + ["ratio 10, margin 3 sd"]
    print("| augmentations | of | " + " | ".join(header) + " |\n|" + "---|" * 6)
    for groups, kind in itertools.product((2, 4, 6), KINDS):
        equal = [0.0] * groups
        cells = [
            f"{shares_until_decided(kind, ratio, equal, count, 4).false:.3f} "
            f"({false_looks(kind, ratio, groups, count, 4):.3f})"
            for ratio in RATIOS
        ]
        cells.append(f"{shares_until_decided(kind, 10, equal, count, 4, 3.0).false:.3f}")
        print(f"| {groups} | {kind} | " + " | ".join(cells) + " |")
    print("\nfalse equivalences, one (half) of four augmentations being as far from the others as the margin\n")
    cases = [("normal", 1), ("normal", 10), ("exponential", 3), ("exponential", 10)]
    print("| margin, sd | " + " | ".join(f"{kind}, ratio {ratio}" for kind, ratio in cases) + " |\n|" + "---|" * 5)
    for margin in (1.0, 2.0, 4.0, 8.0, 12.0):
        cells = []
        for kind, ratio in cases:
            found = [
                shares_until_decided(kind, ratio, means, count, 4, margin).false_equal
                for means in ([margin, 0.0, 0.0, 0.0], [margin, margin, 0.0, 0.0])
            ]
            cells.append("{:.3f} ({:.3f})".format(*found))
        print(f"| {margin:g} | " + " | ".join(cells) + " |")
    print("\nfalse differences where half of the augmentations differ from the other half\n")
    cells = [f"{groups}, ratio {ratio}" for groups, ratio in itertools.product((4, 6), (1, 10))]
    print("| difference, sd | " + " | ".join(cells) + " |\n|" + "---|" * 5)
    for size in (1.0, 2.0, 3.0):
        cells = []
        for groups, ratio in itertools.product((4, 6), (1, 10)):
            means = [0.0] * (groups // 2) + [size] * (groups // 2)
            cells.append(f"{shares_until_decided('normal', ratio, means, count, 4).false:.3f}")
        print(f"| {size:g} | " + " | ".join(cells) + " |")
    print("\npower: one of four augmentations differs\n")
    rules: list[dict[str, Any]] = [{"looks": LOOKS[-1:], "level": LEVEL}, {"futile": 0.0}, {}]
    header = ["20 seeds, at 5%", "never given up", "until decided", "mean seeds", "open at 20"]
    print("| image error, sd | difference, sd | " + " | ".join(header) + " |\n|" + "---|" * 7)
    for image_error, size in itertools.product((0.0, 0.3, 1.0), (1.0, 2.0, 3.0)):
        means = [0.0, 0.0, 0.0, size]
        once, never, ended = (
            shares_until_decided("normal", 1, means, count, 4, None, image_error, **rule) for rule in rules
        )
        cells = [f"{each.power:.3f}" for each in (once, never, ended)] + [f"{ended.seeds:.1f}", f"{ended.open:.3f}"]
        print(f"| {image_error:g} | {size:g} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=20_000)
    count = parser.parse_args().replicates
    print(f"{count:,} replicates a number; standard error {np.sqrt(0.05 * 0.95 / count):.4f} at .05\n")
    print("| augmentations | seeds | of | spread ratio | " + " | ".join(RULES) + " |\n|" + "---|" * 7)
    for groups, n, kind, ratio in itertools.product((4, 6), (3, 5, 20), KINDS, RATIOS):
        found = [f"{false_claims(rule, kind, n, ratio, groups, count, 1):.3f}" for rule in RULES.values()]
        print(f"| {groups} | {n} | {kind} | {ratio} | " + " | ".join(found) + " |")
    print("\npower: one augmentation differs from equal others (false claims in brackets)\n")
    print("| augmentations | seeds | difference, sd | " + " | ".join(RULES) + " |\n|" + "---|" * 6)
    for groups, n, size in itertools.product((4, 6), (3, 5, 8, 12, 20), (1, 2, 3)):
        means = [0.0] * (groups - 1) + [float(size)]
        values = seeds("normal", (count, groups, n), 1, np.random.default_rng(2), means)
        cells = ["{1:.3f} ({0:.3f})".format(*rates(rule(values), values, means)) for rule in RULES.values()]
        print(f"| {groups} | {n} | {size} | " + " | ".join(cells) + " |")
    print("\npower: half of the augmentations differ from the other half\n")
    print("| augmentations | seeds | difference, sd | " + " | ".join(RULES) + " |\n|" + "---|" * 6)
    for groups, n, size in itertools.product((4, 6), (3, 5, 20), (1, 2, 3)):
        means = [0.0] * (groups // 2) + [float(size)] * (groups // 2)
        values = seeds("normal", (count, groups, n), 1, np.random.default_rng(3), means)
        cells = ["{1:.3f} ({0:.3f})".format(*rates(rule(values), values, means)) for rule in RULES.values()]
        print(f"| {groups} | {n} | {size} | " + " | ".join(cells) + " |")
    print_until_decided(count)
    print("\nwith errors over images, four augmentations, normal seeds: limits apart (one limit by Satterthwaite)\n")
    print(
        "| seeds | spread ratio | " + " | ".join(f"image error {share} sd" for share in SHARES) + " |\n|" + "---|" * 6
    )
    for n, ratio in itertools.product((3, 5, 20), RATIOS):
        found = [
            "{:.3f} ({:.3f})".format(*(false_with_images(n, share, ratio, count, 6, apart) for apart in (True, False)))
            for share in SHARES
        ]
        print(f"| {n} | {ratio} | " + " | ".join(found) + " |")
    print(f"\ncertificates, {CONFIDENCE:.0%}\n")
    print("| augmentations | seeds | of | spread ratio | this rule | pooled limits |\n|" + "---|" * 6)
    for groups, n, kind, ratio in itertools.product((4, 6), (3, 5, 20), KINDS, RATIOS):
        found = [f"{false_certificates(kind, n, ratio, groups, count, 5, pooled):.3f}" for pooled in (False, True)]
        print(f"| {groups} | {n} | {kind} | {ratio} | " + " | ".join(found) + " |")


if __name__ == "__main__":
    main()
