"""Learning curves."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from figures import colour, in_usual_order, label, style
from figures.panels import log_ticks
from tasks.metrics import ACCURACY

__all__ = ["draw_learning_curves"]


def draw_learning_curves(curves: pd.DataFrame, title: str, items: str = "images") -> Figure:
    """Accuracy on scored and training items, and the loss that is minimised, over the epochs, a line per classifier.

    Args:
        curves: ``augmentation``, ``seed``, ``epoch``, ``accuracy`` and ``training_accuracy``, shares, and ``loss``.
        title: above the figure.
        items: what they are called.
    """
    words = {
        ACCURACY.name: f"accuracy on scored {items}, %",
        "training_accuracy": f"on training {items}, as they are, %",
        "loss": f"training loss, augmented {items}, nats",
    }
    names = in_usual_order(curves["augmentation"])
    with style():
        figure = Figure(figsize=(9.6, 3.4))
        for axes, (quantity, word) in zip(figure.subplots(1, 3), words.items(), strict=True):
            for (augmentation, _), curve in curves.groupby(["augmentation", "seed"], sort=False):
                values = curve[quantity] * (1 if quantity == "loss" else 100)
                axes.plot(curve["epoch"], values, "o-", color=colour(str(augmentation)), markersize=3, linewidth=1.1)
            log_ticks(axes, curves["epoch"])
            axes.set_xlabel("epochs")
            axes.set_title(word, fontsize=9.5)
        figure.suptitle(textwrap.fill(title, 100), fontsize=10, x=0.01, ha="left")
        handles = [axes.plot([], [], "o-", color=colour(name), label=label(name))[0] for name in names]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure
