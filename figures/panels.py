"""One number of several networks: a dot for every seed, and the mean ± standard deviation, a line per augmentation."""

import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.style import colour, label, style

__all__ = ["draw_seeds", "log_ticks", "wrapped"]


def draw_seeds(table: pd.DataFrame, words: str, title: str, lines: Mapping[str, float] | None = None) -> Figure:
    """Draw ``value`` by ``augmentation``.

    Args:
        table: one row per augmentation and seed.
        words: what the number is, under the axis.
        title: above the figure.
        lines: values that networks are held against, by what they are of.
    """
    names = list(dict.fromkeys(table["augmentation"]))
    with style():
        figure = Figure(figsize=(7.2, 0.42 * len(names) + 1.5))
        axes = figure.subplots()
        for position, name in enumerate(names):
            values = table.loc[table["augmentation"] == name, "value"].to_numpy(dtype=float)
            axes.plot(values, np.full(len(values), position), "o", color=colour(name), alpha=0.45, markersize=5)
            if len(values) > 1:
                axes.errorbar(
                    values.mean(),
                    position,
                    xerr=values.std(ddof=1),
                    fmt="|",
                    color=colour(name),
                    markersize=16,
                    markeredgewidth=2,
                    capsize=3,
                )
        for value in (lines or {}).values():
            axes.axvline(value, color="black", linewidth=1, linestyle=":")
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        dotted = "".join(f"\ndotted: {what}" for what in lines or ())
        axes.set_xlabel(f"{words}: dots are seeds, bars mean ± standard deviation{dotted}")
        axes.set_title(wrapped(title), fontsize=10)
    return figure


def wrapped(title: str) -> str:
    """A title in lines that a figure 7.2 inches wide can hold."""
    return textwrap.fill(title, 66)


def log_ticks(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic axis with its ticks at values that were measured, the largest first, where they do not overlap."""
    shown: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not shown or value <= shown[-1] / 1.9:
            shown.append(value)
    axes.set_xscale("log")
    axes.set_xticks(shown, [f"{value:,.0f}" for value in shown])
    axes.set_xticks([], minor=True)
