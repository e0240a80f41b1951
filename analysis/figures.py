"""The figures of the information analyses."""

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures import colour, label, style

__all__ = ["draw_table_1"]


def draw_table_1(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Bars between the lower and the upper bound on I(Z;X), one per augmentation, with the rate and the log N cap.

    Args:
        table: `analysis.table.summarise`'s rows; clean inputs are drawn, or whatever inputs there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it: augmentation, and mean and standard deviation of each bound.
    """
    inputs = "clean" if (table["inputs"] == "clean").any() else table["inputs"].iloc[0]
    chosen = table[(table["inputs"] == inputs)]
    shown = chosen[chosen["estimator"].isin(["rate", "gaussian_marginal", "infonce"])]
    behind = shown[["inputs", "augmentation", "estimator", "mean", "std", "seeds", "cap", "saturated", "n"]]
    names = list(dict.fromkeys(shown["augmentation"]))
    values = {key: rows.set_index("augmentation") for key, rows in shown.groupby("estimator")}
    with style():
        figure = Figure(figsize=(7.2, 0.7 * len(names) + 1.7))
        axes = figure.subplots()
        upper, lower, rate = (values.get(key) for key in ("gaussian_marginal", "infonce", "rate"))
        cap = float(lower["cap"].max()) if lower is not None else math.nan
        for position, name in enumerate(names):
            ink = colour(name)
            if upper is not None and lower is not None:
                low, high = lower["mean"][name], upper["mean"][name]
                axes.barh(position, high - low, left=low, height=0.62, color=ink, alpha=0.28, linewidth=0)
            # one lane each: where bounds nearly meet, their marks must not hide each other
            for lane, bound, marker, face in (
                (-0.17, rate, "D", "white"), (0.0, upper, "<", ink), (0.17, lower, ">", ink),
            ):  # fmt: skip
                if bound is not None:
                    axes.errorbar(
                        bound["mean"][name], position + lane, xerr=np.nan_to_num(bound["std"][name]), fmt=marker,
                        color=ink, markerfacecolor=face, markersize=6, capsize=2, elinewidth=1.2,
                    )  # fmt: skip
        if not math.isnan(cap):
            axes.axvline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"log N = {cap:.2f}, InfoNCE’s ceiling", (cap, 1), (3, -2), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", fontsize=8.5,
            )  # fmt: skip
        active = chosen[chosen["estimator"] == "active_units"].set_index("augmentation")["mean"]
        collapsed = {name for name in names if name in active.index and active[name] < 1}
        ticks = [label(name) + ("\n(code collapsed)" if name in collapsed else "") for name in names]
        axes.set_yticks(range(len(names)), ticks)
        axes.set_ylim(len(names) - 0.4, -0.75)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("nats")
        axes.set_title(title, fontsize=10)
        grey = "#444444"
        handles = [
            axes.plot([], [], "D", color=grey, markerfacecolor="white", label="rate, the published column")[0],
            axes.plot([], [], "<", color=grey, label="R_m: I(Z;X) is at most this")[0],
            axes.plot([], [], ">", color=grey, label="InfoNCE: I(Z;X) is at least this")[0],
            Patch(color=grey, alpha=0.28, linewidth=0, label="between the bounds; bars: ± s.d. over seeds"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5)
    return figure, behind
