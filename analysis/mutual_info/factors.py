r"""What codes keep of known factors: I(Z; root), I(Z; vowel) and so on, of images of which several things are known.

Each component of a task is a label of its own (`analysis.bounds.labelled`): a Gaussian classifier of other images is a
decoder, and gives a lower bound on I(Z;Y); the mixtures of all densities and of those of a class, with the image's own,
an upper bound, which is H(Y) itself where the code has more to say of an image than log N nats. So the sides meet with
noise in the code, where data processing makes every augmentation's code say less, and what is ordered there are the
noised codes. Neither side exceeds H(Y), which is log K where all K classes are equally frequent.

Of `FACTOR_IMAGES` test images, always the same ones: all pairs of them are compared for each factor and level.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from analysis.bounds import Encoded
from analysis.bounds.bound import Bound
from analysis.bounds.labelled import Labelled, gaussian_classifier, kernel_mixture
from analysis.bounds.noise import with_noise
from analysis.bounds.profiles import noise_scale
from analysis.mutual_info.table import name_of
from figures.style import colour, label, style
from findings.comparisons import CONFIDENCE, certificates
from findings.sentences import enumerated
from findings.table import plus_minus
from findings.text import Tabular
from findings.under_trained import networks_of, under_trained
from tasks import Task
from tasks.components import indices_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FACTOR_IMAGES",
    "certified_factors",
    "draw_factors",
    "factor_conclusions",
    "factor_rows",
    "factor_table",
    "factors_of",
]

FACTOR_IMAGES = 4000
"""Test images that are compared, at most."""

LOWER, UPPER = "gaussian_classifier", "kernel_mixture"
"""The two bounds, fixed beforehand."""


def _estimator(factor: str, side: str) -> str:
    return f"{factor}_{side}"


def factor_rows(encoded: Encoded, data: Task, *, noise: Sequence[float] = (), **where: Any) -> list[dict[str, Any]]:
    """Bounds on what a code says of every component of its images, as rows: none where data have no components.

    Args:
        encoded: of the scored images; its ``fit`` decides the scale of the noise.
        data: with the components of the same images.
        noise: levels, in standard deviations of each dimension of q(z).
        where: inputs, augmentation and seed, for the rows.
    """
    if not data.components:
        return []
    classes = indices_of(data.test.targets.cpu(), data.components)
    scale, scored = noise_scale(encoded)
    order = torch.randperm(len(scored), generator=torch.Generator().manual_seed(0))[:FACTOR_IMAGES].sort().values
    chosen, rows = scored[order], []
    for place, component in enumerate(data.components):
        names = classes[chosen, place]
        _, members, counts = names.unique(return_inverse=True, return_counts=True)
        several = counts[members] > 1  # of an image that is alone in its class nothing within it is known
        for level in (0.0, *noise):
            code = with_noise(encoded.posterior[chosen[several]], level, scale)
            labelled = Labelled(code, names[several])
            for bound in (gaussian_classifier(labelled), kernel_mixture(labelled)):
                named = _named(bound, component.name)
                rows.append(named.row(**where, noise=level or None))
    return rows


def _named(bound: Bound, factor: str) -> Bound:
    return replace(bound, quantity=f"I(Z;{factor})", estimator=_estimator(factor, bound.estimator))


def factors_of(table: pd.DataFrame) -> list[str]:
    """The factors that a table has bounds of, in their order."""
    names = table["estimator"].astype(str)
    return list(dict.fromkeys(name.removesuffix(f"_{LOWER}") for name in names if name.endswith(f"_{LOWER}")))


def certified_factors(table: pd.DataFrame) -> list[tuple[str, float, str, str]]:
    """Factors and levels of noise, and pairs (A, B) of augmentations whose codes keep more of the factor there.

    The lower bound of A's exceeds the upper bound of B's, simultaneously over all factors, levels and pairs at 99%
    (`findings.comparisons.certificates`). Under-trained VAEs take no part.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for clean images.
    """
    networks = networks_of(table)
    networks = networks[~networks["augmentation"].isin(under_trained(networks))]
    networks = networks.assign(noise=networks["noise"].fillna(0.0))
    cases = list(itertools.product(factors_of(networks), sorted(set(networks["noise"]))))

    def bounds(side: str) -> pd.DataFrame:
        found = [networks.iloc[:0].assign(level=0.0)]
        for case, (factor, level) in enumerate(cases):
            here = (networks["estimator"] == _estimator(factor, side)) & (networks["noise"] == level)
            found.append(networks[here].assign(level=float(case)))
        return pd.concat(found, ignore_index=True)

    return [(*cases[int(case)], a, b) for a, b, case in certificates(bounds(LOWER), bounds(UPPER))]


def factor_table(table: pd.DataFrame, title: str) -> Tabular | None:
    """What codes keep of every factor without noise and at each level: lower and upper bound, mean ± s.d. over seeds.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for clean images.
        title: above the table.
    """
    factors, networks = factors_of(table), networks_of(table)
    if not factors:
        return None
    networks = networks.assign(noise=networks["noise"].fillna(0.0))
    poor = under_trained(networks)
    head = [["augmentation, noise s", *factors], ["", *("nats" for _ in factors)]]
    lines = []
    for augmentation in dict.fromkeys(networks["augmentation"]):
        own = networks[networks["augmentation"] == augmentation].set_index(["estimator", "noise"])
        for level in sorted(set(networks["noise"])):
            cells = []
            for factor in factors:
                sides = [(_estimator(factor, side), level) for side in (LOWER, UPPER)]
                there = all(side in own.index for side in sides)
                cells.append(" to ".join(_cell(own.loc[side]) for side in sides) if there else "")
            lines.append([f"{name_of(str(augmentation), poor)}, {level:g}", *cells])
    caps = networks[networks["estimator"].isin([_estimator(factor, UPPER) for factor in factors])]
    listed = enumerated(
        [f"{caps.loc[caps['estimator'] == _estimator(one, UPPER), 'cap'].max():.2f} of the {one}" for one in factors]
    )
    n = int(caps["n"].max())
    notes = [
        f"at least, by the Gaussian classifier, and at most, by the kernel mixture, on {n:,} test images; mean ± "
        f"standard deviation over seeds; no bound exceeds H(Y), {listed}; where the upper one is H(Y), it says nothing"
    ]
    return Tabular(head, lines, title, notes)


def _cell(bound: Any) -> str:
    return plus_minus(float(bound["mean"]), float(bound["std"]), 2)


def factor_conclusions(table: pd.DataFrame) -> str:
    """Which augmentations' codes keep more of which factor, as far as it is certified."""
    factors = factors_of(table)
    if not factors:
        return ""
    found = certified_factors(table)
    by: dict[tuple[str, float], list[str]] = {}
    for factor, level, a, b in found:
        by.setdefault((factor, level), []).append(f"{label(a)} above {label(b)}")
    over = f"{CONFIDENCE:.0%} over all factors, levels of noise and pairs"
    head = f"Of known factors, {enumerated(factors)}, each bounded from both sides in what a code says of it"
    if not by:
        return f"{head}, no difference between augmentations is certified ({over})."
    listed = "; ".join(
        f"of the {factor} {f'at s = {level:g}' if level else 'without noise'}, {enumerated(pairs)}"
        for (factor, level), pairs in by.items()
    )
    return f"{head}. Certified at {over}: {listed}. For s above 0 this orders the noised codes, not the encoders."


def draw_factors(table: pd.DataFrame, title: str) -> "tuple[Figure, pd.DataFrame]":
    """A panel for every factor: both bounds against the level of noise, a band an augmentation, with H(Y) above.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for clean images.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    networks = networks_of(table)
    factors, poor = factors_of(networks), under_trained(networks)
    sides = [_estimator(factor, side) for factor in factors for side in (LOWER, UPPER)]
    numbers = networks[networks["estimator"].isin(sides)]
    numbers = numbers.assign(noise=numbers["noise"].fillna(0.0))
    levels = sorted(set(numbers["noise"]))
    names = list(dict.fromkeys(numbers["augmentation"]))
    from matplotlib.figure import Figure  # slow to import

    columns = min(2, len(factors))
    with style():
        figure = Figure(figsize=(7.2, 2.7 * math.ceil(len(factors) / columns) + 0.8))
        panels = figure.subplots(math.ceil(len(factors) / columns), columns, squeeze=False)
        for axes, factor in itertools.zip_longest(panels.flat, factors):
            if factor is None:
                axes.set_visible(False)
                continue
            for number, name in enumerate(names):
                own = numbers[numbers["augmentation"] == name].sort_values("noise")
                low, high = (own[own["estimator"] == _estimator(factor, side)] for side in (LOWER, UPPER))
                x = np.arange(len(levels)) + 0.14 * (number - (len(names) - 1) / 2)
                axes.vlines(x, low["mean"], high["mean"], color=colour(name), linewidth=5, alpha=0.3)
                axes.plot(x, low["mean"], "^", color=colour(name), markersize=4, label=name_of(str(name), poor))
                axes.plot(x, high["mean"], "v", color=colour(name), markersize=4)
            cap = float(numbers.loc[numbers["estimator"] == _estimator(factor, UPPER), "cap"].max())
            axes.axhline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            axes.set_title(f"{factor}: H = {cap:.2f} nats", fontsize=9)
            axes.set_ylim(0, 1.08 * cap)
            axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
            axes.grid(axis="x", visible=False)
            axes.set_xlabel("noise s, in s.d. of each dimension", fontsize=8.5)
        figure.supylabel("I(Z + noise; factor), nats", fontsize=9)
        figure.suptitle(title, fontsize=10)
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=min(len(names), 5), fontsize=8.5,
            title="▼ at most (kernel mixture)   ▲ at least (Gaussian classifier)", title_fontsize=8.5,
        )  # fmt: skip
    return figure, numbers
