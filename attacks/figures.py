"""The figure of a sweep."""

import math
import textwrap

import pandas as pd
from matplotlib.figure import Figure

from figures import colour, label, style
from findings.over_seeds import over_seeds

__all__ = ["draw_sweep"]

NAMES = {
    "fgsm": "FGSM",
    "bim": "BIM (10 steps)",
    "pgd": "PGD (40 steps)",
    "noise": "uniform noise",
    "deepfool": "DeepFool",
    "repeated-noise": "repeated noise",
}


def draw_sweep(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Accuracy against ε, a panel per attack: robust curves solid, as published dashed.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        title: above the figure.

    Returns:
        The figure, and mean, standard deviation and number of seeds of every point.
    """
    table = table.fillna({"augmentation": "model"})
    point = ["estimator", "augmentation", "curve", "epsilon"]
    numbers = over_seeds(table, point)[[*point, "mean", "std", "seeds"]]
    attacks, names = list(dict.fromkeys(numbers["estimator"])), list(dict.fromkeys(numbers["augmentation"]))
    columns = min(3, len(attacks))
    sizes = sorted(epsilon for epsilon in numbers["epsilon"].unique() if epsilon > 0)
    zero = sizes[0] / 2 if sizes else 1.0  # where ε = 0 is drawn on a logarithmic axis
    with style():
        rows = math.ceil(len(attacks) / columns)
        figure = Figure(figsize=(2.6 * columns + 0.6, 2.2 * rows + 1.2))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, attack in zip(panels.flat, attacks, strict=False):
            for name in names:
                for curve, dashes in (("published", (0, (3, 2))), ("robust", "-")):
                    chosen = (numbers[point[:3]] == [attack, name, curve]).all(axis=1)
                    points = numbers[chosen].sort_values("epsilon")
                    if not len(points):
                        continue
                    x, y = points["epsilon"].where(points["epsilon"] > 0, zero).to_numpy(), points["mean"].to_numpy()
                    ink = colour(name)
                    axes.plot(x, y, linestyle=dashes, color=ink, linewidth=1.4)
                    if curve == "robust" and points["std"].notna().all():
                        spread = points["std"].to_numpy()
                        axes.fill_between(x, y - spread, y + spread, color=ink, alpha=0.15, linewidth=0)
            axes.set_title(NAMES.get(attack, attack), fontsize=9.5)
            axes.set_xscale("log")
            axes.set_ylim(0, 100)
        for axes in panels.flat[len(attacks) :]:
            axes.set_visible(False)
        for axes in panels[-1]:
            axes.set_xlabel("ε (0 at the left edge)")
        for axes in panels[:, 0]:
            axes.set_ylabel("accuracy, %")
        handles = [panels.flat[0].plot([], [], color=colour(name), label=label(name))[0] for name in names]
        for words, dashes in (("robust", "-"), ("as published", (0, (3, 2)))):
            handles += panels.flat[0].plot([], [], color="#444444", linestyle=dashes, label=words)
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
        figure.suptitle(textwrap.fill(title, 80), fontsize=10, fontweight="bold", x=0.01, ha="left")
    return figure, numbers
