"""The figure of the divergences from human labels."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures import colour, label, style
from figures.panels import wrapped

__all__ = ["draw_human_uncertainty"]


def draw_human_uncertainty(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """KL(human ‖ model) of each augmentation as it is, and after one temperature.

    Args:
        table: `findings.over_seeds.over_seeds`' lines.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    lanes = {
        "kl_human_model": (-0.2, "o", "as it is"),
        "kl_human_model_label_temperature": (0.0, "s", "after a temperature fitted to the true labels"),
        "kl_human_model_temperature_scaled": (0.2, "D", "after a temperature fitted to the humans: the least"),
    }
    numbers = table[table["estimator"].isin(lanes)][["augmentation", "estimator", "mean", "std", "seeds", "n"]]
    names = list(dict.fromkeys(numbers["augmentation"]))
    with style():
        figure = Figure(figsize=(7.2, 0.55 * len(names) + 2.0))
        axes = figure.subplots()
        for estimator, (lane, marker, _) in lanes.items():
            rows = numbers[numbers["estimator"] == estimator].set_index("augmentation")
            for position, name in enumerate(names):
                axes.errorbar(
                    rows["mean"][name],
                    position + lane,
                    xerr=np.nan_to_num(rows["std"][name]),
                    fmt=marker,
                    color=colour(name),
                    markerfacecolor="white" if lane else colour(name),
                    capsize=2,
                    elinewidth=1.2,
                )
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("KL(human‖model) in nats, mean ± standard deviation over seeds")
        axes.set_title(wrapped(title), fontsize=10)
        grey = "#444444"
        handles = [
            axes.plot([], [], marker, color=grey, markerfacecolor="white" if lane else grey, label=words)[0]
            for lane, marker, words in lanes.values()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=1, fontsize=8.5)
    return figure, numbers
