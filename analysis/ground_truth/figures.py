"""Estimates beside known information."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bounds.estimators import ESTIMATORS, INFORMATION, SHARED, names_of
from analysis.bounds.labelled import GIVEN_LABEL, IMAGE, LABEL
from analysis.bounds.outputs import OUTPUT, OUTPUT_GIVEN_LABEL
from analysis.ground_truth.families import FAMILIES
from figures import style

__all__ = ["draw_ground_truth", "draw_with_labels"]


def inks(quantity: str) -> dict[str, tuple[str, str, str]]:
    """Colour, marker and name of each estimator of a quantity that is drawn, upper bounds first."""
    drawn = [ESTIMATORS[name] for name in names_of(quantity, lambda entry: entry.ink)]
    drawn.sort(key=lambda entry: ("upper", "lower", "estimate").index(entry.direction))
    return {entry.name: (*entry.ink, f"{entry.label} ({entry.direction})") for entry in drawn if entry.ink}


def draw_ground_truth(table: pd.DataFrame, n: int, seeds: int) -> Figure:
    """Estimates of one code and of pairs against known information, with InfoNCE's ceiling; and the error on each task.

    Args:
        table: `analysis.ground_truth.summarise`'s rows; tasks of pairs of encoders come last.
        n: images per encoder.
        seeds: replicates.
    """
    tasks = list(dict.fromkeys(table["task"]))
    ceiling = math.log(n)
    with style():
        figure = Figure(figsize=(11, max(4.6, 0.23 * len(tasks) + 1.6)))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        curve = table[table["task"].str.startswith("gaussian-d64-")]
        limit = 1.25 * max(12.0, float(curve["truth"].clip(upper=20).max())) if len(curve) else 12.0
        left.plot([0, limit], [0, limit], color="black", linewidth=1)
        left.annotate("truth", (limit, limit), (-4, -12), textcoords="offset points", ha="right", fontsize=8.5)
        left.axhline(ceiling, color="black", linewidth=1, linestyle=(0, (4, 3)))
        left.annotate(
            f"log N = {ceiling:.2f}, InfoNCE’s ceiling",
            (limit, ceiling),
            (-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8.5,
        )
        for estimator, (ink, marker, name) in inks(INFORMATION).items():
            chosen = curve[(curve["estimator"] == estimator) & (curve["truth"] <= limit)].sort_values("truth")
            left.errorbar(
                chosen["truth"],
                chosen["mean"],
                chosen["spread"],
                fmt=marker + "-",
                color=ink,
                label=name,
                markersize=5,
                linewidth=1,
                capsize=2,
            )
        left.set(xlim=(0, limit), ylim=(0, 1.25 * limit), xlabel="true I(Z;X), nats", ylabel="estimate, nats")
        left.set_title(f"Linear-Gaussian encoders, d = 64, N = {n:,}", fontsize=10)

        right.axvline(0, color="black", linewidth=1)
        pairs = set(table[table["quantity"] == SHARED]["task"])
        for position, task in enumerate(tasks):
            rows = table[table["task"] == task].set_index("estimator")
            for estimator, (ink, marker, _) in inks(SHARED if task in pairs else INFORMATION).items():
                if estimator in rows.index and rows["failed"][estimator] < 1:
                    flagged = max(rows["saturated"][estimator], rows["heavy_tailed"][estimator]) > 0.5
                    face = "white" if flagged else ink
                    right.errorbar(
                        rows["bias"][estimator],
                        position,
                        xerr=rows["spread"][estimator],
                        fmt=marker,
                        color=ink,
                        markerfacecolor=face,
                        markersize=4.5,
                        linewidth=1,
                    )
        if pairs and len(pairs) < len(tasks):
            right.axhline(len(tasks) - len(pairs) - 0.5, color="black", linewidth=0.6)
        labels = [f"{task} ({table[table['task'] == task]['truth'].iloc[0]:.3g})" for task in tasks]
        right.set_yticks(range(len(tasks)), labels, fontsize=8)
        right.set_ylim(len(tasks) - 0.4, -0.6)
        _error_axis(right, 0.1, [-10, -1, -0.1, 0, 0.1, 1, 10, 100, 1000, 100_000])
        right.set_xlim(-200, 3 * max(100.0, float(table["bias"].max())))
        right.set_xlabel("estimate − truth, nats (hollow: flagged as saturated or heavy-tailed)")
        right.set_title("Every encoder (true nats): right of 0 holds for ≤, left for ≥", fontsize=10)
        handles, names = left.get_legend_handles_labels()
        figure.legend(
            handles,
            names,
            loc="outside lower left",
            ncols=2,
            fontsize=8.5,
            title_fontsize=8.5,
            title=f"of I(Z;X); mean and standard deviation over {seeds} replicates",
        )
        if pairs:
            marks = [
                right.plot([], [], marker, color=ink, markersize=5, label=name)[0]
                for ink, marker, name in inks(SHARED).values()
            ]
            figure.legend(
                handles=marks,
                loc="outside lower right",
                ncols=2,
                fontsize=8.5,
                title_fontsize=8.5,
                title="of I(Z_A;Z_B), what two encoders share (the tasks named pair-…)",
            )
    return figure


def _error_axis(axes: Axes, linear: float, ticks: Sequence[float]) -> None:
    """Errors in nats from left to right, linear near 0."""
    axes.set_xscale("symlog", linthresh=linear, linscale=0.6)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])


PANELS = ((LABEL,), (GIVEN_LABEL, OUTPUT_GIVEN_LABEL), (IMAGE, OUTPUT))
"""Quantities of codes with labels, and of answers, that a panel has."""


def draw_with_labels(table: pd.DataFrame, n: int, seeds: int) -> Figure:
    """The error on every task that has labels, a panel for each quantity.

    Args:
        table: `analysis.ground_truth.summarise`'s rows of these quantities; answers come last.
        n: images.
        seeds: replicates.
    """
    tasks = list(dict.fromkeys(table["task"]))
    answers = set(table[table["quantity"] == OUTPUT]["task"])
    with style():
        figure = Figure(figsize=(11, 0.33 * len(tasks) + 2.4))
        for axes, quantities in zip(figure.subplots(1, 3, sharey=True), PANELS, strict=True):
            chosen = table[table["quantity"].isin(quantities)].set_index(["task", "estimator"])
            axes.axvline(0, color="black", linewidth=1)
            for family in FAMILIES:
                ink, marker = family.ink
                for estimator in family.estimators:
                    for position, task in enumerate(tasks):
                        if (task, estimator) not in chosen.index or chosen["failed"][task, estimator] == 1:
                            continue
                        known = chosen.loc[(task, estimator)]
                        flagged = max(known["saturated"], known["heavy_tailed"]) > 0.5
                        axes.errorbar(
                            known["bias"],
                            position + 0.11 * (FAMILIES.index(family) - (len(FAMILIES) - 1) / 2),
                            xerr=known["spread"],
                            fmt=marker,
                            color=ink,
                            markerfacecolor="white" if flagged else ink,
                            markersize=4.5,
                            linewidth=1,
                        )
            for task, truth in chosen["truth"].groupby("task").first().items():
                position = tasks.index(str(task))
                axes.annotate(
                    f"{truth:.2f}", (1.01, position), xycoords=("axes fraction", "data"), va="center", fontsize=8
                )
            if answers and len(answers) < len(tasks):
                axes.axhline(len(tasks) - len(answers) - 0.5, color="black", linewidth=0.6)
            _error_axis(axes, 0.01, [-1, -0.1, -0.01, 0, 0.01, 0.1, 1, 10])
            axes.set_xlim(-10, 3 * max(10.0, float(table["bias"].max())))
            axes.tick_params(axis="x", labelsize=8)
            axes.set_title(", ".join(quantities), fontsize=10)
            if quantities == PANELS[1]:
                words = (
                    "estimate − truth, nats (hollow: flagged as saturated or heavy-tailed); beside each line, the truth"
                )
                axes.set_xlabel(words, fontsize=9)
        axes.set_yticks(range(len(tasks)), tasks, fontsize=8)
        axes.set_ylim(len(tasks) - 0.4, -0.6)
        handles = [
            axes.plot([], [], family.ink[1], color=family.ink[0], markersize=5, label=family.label)[0]
            for family in FAMILIES
        ]
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=3,
            fontsize=8.5,
            title_fontsize=8.5,
            title=f"mean and standard deviation over {seeds} replicates, N = {n:,}",
        )
    return figure
