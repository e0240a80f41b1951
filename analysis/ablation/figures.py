"""Accuracy, or what else is compared, against one option's values."""

import pandas as pd
from matplotlib.figure import Figure

from figures import colour, label, style
from figures.panels import wrapped

__all__ = ["draw_ablation"]


def draw_ablation(table: pd.DataFrame, vary: str, compared: str, title: str, items: str = "images") -> Figure:
    """Accuracy, or what else is compared, against the values of one option, a line per augmentation.

    Args:
        table: ``augmentation``, ``setting``, ``mean``, ``std`` in per cent.
        vary: ``"fraction"``, ``"alpha"`` or ``"decay-power"``.
        compared: what is, in words.
        title: above the figure.
        items: what networks are trained on.
    """
    words = {"fraction": f"share of the training {items}", "alpha": "α", "decay-power": "decay power δ"}
    with style():
        figure = Figure(figsize=(7.0, 3.6))
        axes = figure.subplots()
        names = list(dict.fromkeys(table["augmentation"]))
        ticks = sorted(table["setting"].unique())
        for place, augmentation in enumerate(names):
            rows = table[table["augmentation"] == augmentation].sort_values("setting")
            # side by side, so that error bars do not hide each other
            positions = [ticks.index(value) + 0.08 * (place - (len(names) - 1) / 2) for value in rows["setting"]]
            axes.errorbar(
                positions,
                rows["mean"],
                yerr=rows["std"].fillna(0),
                fmt="o-",
                color=colour(augmentation),
                label=label(augmentation),
                capsize=3,
                markersize=4,
            )
        axes.set_xticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
        axes.set_xlabel(words[vary])
        axes.set_ylabel(f"{compared}, %")
        axes.set_title(wrapped(title), fontsize=10)
        figure.legend(loc="outside lower center", ncols=4, fontsize=8.5)
    return figure
