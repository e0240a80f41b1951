"""The differences behind the paper's statements with their simultaneous intervals: a panel for each measure."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from figures import label, style
from findings.published import measures
from reports.matrix import SHORT
from reports.verdicts import Stated

__all__ = ["differences_of", "draw_differences"]

MARKS = {
    "holds": ("o", "#0a6b3d", "full"),
    "is reversed": ("s", "#a12622", "full"),
    "is contradicted": ("s", "#a12622", "full"),
    "are equal": ("D", "#6b5300", "full"),
}
"""Shape, colour and filling of a decided statement's mark; that of any other is a hollow grey circle."""

OPEN = ("o", "#5b5b63", "none")

PLATE: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
"""Under words, so that no line runs through them."""


def differences_of(stated: Sequence[Stated]) -> dict[str, list[Stated]]:
    """By measure, the statements that have a difference with an interval; what layers keep has bounds instead."""
    found: dict[str, list[Stated]] = {}
    for statement in stated:
        if statement.judged and all(map(math.isfinite, (statement.judged.pair.value, *statement.judged.limits))):
            found.setdefault(statement.claim.measure, []).append(statement)
    return found


def draw_differences(measure: str, statements: Sequence[Stated]) -> tuple[Figure, pd.DataFrame, str]:
    """One panel: for every statement its difference and interval, in the direction in which the paper states it.

    Args:
        measure: of `findings.published`.
        statements: about it, of `differences_of`.

    Returns:
        The figure, its numbers, and what is to be seen in it.
    """
    what = measures()[measure]
    lines: list[dict[str, Any]] = []
    for statement in statements:
        assert statement.judged is not None
        (low, high), pair = statement.judged.limits, statement.judged.pair
        lines.append(
            {
                "above": statement.claim.above,
                "below": statement.claim.below,
                "data": statement.on,
                "difference": statement.judged.sign * pair.value,
                "low": low,
                "high": high,
                "margin": pair.margin,
                "units": what.units,
                "verdict": statement.verdict,
            }
        )
    with style():
        figure = Figure(figsize=(4.6, 0.7 + 0.42 * len(lines)))
        axes = figure.subplots()
        axes.axvline(0, color="black", linewidth=1)
        for place, line in enumerate(lines):
            shape, ink, filled = MARKS.get(line["verdict"], OPEN)
            axes.plot([line["low"], line["high"]], [place, place], color=ink, linewidth=1.6)
            axes.plot(line["difference"], place, shape, color=ink, fillstyle=filled, markersize=6)
            words = f"{label(line['above'])} − {label(line['below'])}: {SHORT[line['verdict']]}"
            over: Any = {
                "xycoords": ("axes fraction", "data"),
                "va": "center",
                "zorder": 5,
                "bbox": PLATE,
                "parse_math": False,
            }
            weight = "bold" if line["verdict"] in MARKS else "normal"
            axes.annotate(words, (0, place - 0.42), fontsize=8, fontweight=weight, **over)
            axes.annotate(line["data"], (1, place - 0.42), fontsize=7, ha="right", color=OPEN[1], **over)
        axes.set_ylim(len(lines) - 0.65, -0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(f"difference, {what.units}")
    numbers = pd.DataFrame(lines)
    return figure, numbers, _seen(what.name, what.units, numbers)


def _seen(name: str, units: str, numbers: pd.DataFrame) -> str:
    """The alternative text: how many intervals lie on which side of 0, and which."""
    above, below = numbers["low"] >= 0, numbers["high"] <= 0
    sides = []
    for chosen, where in ((above, "above 0"), (below, "below 0")):
        listed = [
            f"{label(line['above'])} less {label(line['below'])} on {line['data']}, {line['difference']:+.3g}"
            for line in numbers[chosen].to_dict("records")
        ]
        sides.append(f"{len(listed)} lie {where}" + (f" ({'; '.join(listed)})" if listed else ""))
    crossing = int((~above & ~below).sum())
    equal = int((numbers["verdict"] == "are equal").sum())
    text = f"Differences in {name}, {units}, with simultaneous 95% intervals: of {len(numbers)} {', '.join(sides)}, "
    return (
        text
        + f"{crossing} hold 0"
        + (f", of which {equal} show that the two are equal within the margin." if equal else ".")
    )
