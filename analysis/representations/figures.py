"""The information plane, the layers side by side, and the epochs: each a band or an interval from both sides."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bounds.labelled import GIVEN_LABEL, LABEL
from analysis.representations.profile import LOWER_IMAGE, LOWER_LABEL, UPPER_IMAGE, UPPER_LABEL
from analysis.representations.sentences import intervals, of_test
from figures.panels import wrapped
from figures.style import colour, in_usual_order, label, style

__all__ = ["draw_epochs", "draw_layers", "draw_plane"]

Drawn = tuple[Figure, pd.DataFrame]

COLUMNS = 3
"""Panels beside each other."""

SHARE = 0.75
"""Of H(Y): layers and epochs are shown where I(T;Y) is that."""

ROOM = 1.15
"""The plane ends at so many times the cap of the lower bound on I(T;X|Y): above it nothing is known from below."""


def _facts(rows: pd.DataFrame) -> tuple[float, float]:
    """H(Y), and the cap of InfoNCE within classes."""
    return float(rows.loc[rows["estimator"] == LOWER_LABEL, "cap"].max()), float(
        rows.loc[rows["estimator"] == LOWER_IMAGE, "cap"].max()
    )


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a name for what has no augmentation, or no layer."""
    rows = rows.assign(**{name: None for name in ("augmentation", "layer") if name not in rows})
    names = {"augmentation": "model", "layer": "features"}
    return rows.astype(dict.fromkeys(names, object)).fillna(names)


def _names(sides: pd.DataFrame) -> list[str]:
    return in_usual_order(dict.fromkeys(sides["augmentation"].astype(str)))


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(max(2.9 * columns, 5.2) + 0.4, height * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes[:count]


def draw_plane(networks: pd.DataFrame, title: str) -> Drawn | None:
    """I(T;X|Y) over I(T;Y), a panel a layer and a band an augmentation: along it runs the noise.

    At every level the truth lies in the rectangle of the bounds, means over seeds; the band joins its upper left
    corners, and its lower right ones.

    Args:
        networks: rows of single networks.
        title: above the figure.
    """
    rows = _named(of_test(networks))
    entropy, cap = _facts(rows)
    sides = intervals(rows)
    layers = list(dict.fromkeys(sides["layer"]))
    with style():
        figure, panels = _panels(len(layers), 2.7)
        for axes, layer in zip(panels, layers, strict=True):
            block = sides[sides["layer"] == layer]
            for name in _names(block):
                band = block[block["augmentation"] == name].sort_values("noise")
                left = band[[LOWER_LABEL, UPPER_IMAGE]].to_numpy()
                right = band[[UPPER_LABEL, LOWER_IMAGE]].to_numpy()
                outline = np.concatenate([left, right[::-1]])
                axes.fill(*outline.T, color=colour(name), alpha=0.18, linewidth=0)
                axes.plot(*left.T, color=colour(name), linewidth=1.4, label=label(name))
                axes.plot(*right.T, color=colour(name), linewidth=1.4)
            axes.set_xlim(0, entropy * 1.02)
            axes.set_ylim(0, cap * ROOM)
            axes.axhline(cap, color="#999999", linewidth=0.8, linestyle=":")
            axes.set_title(str(layer), fontsize=9)
            axes.set_xlabel(f"{LABEL}, nats")
            axes.set_ylabel(f"{GIVEN_LABEL}, nats")
        if len(_names(sides)) > 1:
            panels[0].legend(fontsize=7, loc="upper left")
        figure.suptitle(wrapped(title), fontsize=10)
    return figure, sides


def sections(sides: pd.DataFrame, at: float) -> pd.DataFrame:
    """Between what I(T;X|Y) lies where I(T;Y) is ``at``: the band of every line of the plane, cut there.

    Args:
        sides: `intervals`, with several levels of noise.
        at: nats.

    Returns:
        A row for each line, with ``low`` and ``high``, NaN where the line does not reach so far: the lower bound is
        unknown where no upper bound on I(T;Y) is as large, and the upper where no lower is.
    """
    keys = [name for name in ("layer", "augmentation", "split", "epoch") if name in sides]
    rows = []
    for place, line in sides.groupby(keys, sort=False):
        noisiest_first = line.sort_values("noise", ascending=False)
        low, high = (
            _crossing(noisiest_first[x].to_numpy(float), noisiest_first[y].to_numpy(float), at)
            for x, y in ((UPPER_LABEL, LOWER_IMAGE), (LOWER_LABEL, UPPER_IMAGE))
        )
        rows.append(dict(zip(keys, place, strict=True)) | {"low": low, "high": high})
    return pd.DataFrame(rows)


def _crossing(x: np.ndarray, y: np.ndarray, at: float) -> float:
    """y where x first reaches ``at``, between the two levels about it; NaN where it never does, or begins beyond."""
    beyond = np.flatnonzero(x >= at)
    if not len(beyond) or beyond[0] == 0:
        return float("nan")
    stop = beyond[0]
    return float(np.interp(at, x[stop - 1 : stop + 1], y[stop - 1 : stop + 1]))


def draw_layers(networks: pd.DataFrame, title: str, items: str = "images") -> Drawn | None:
    """I(T;X|Y) of every layer, from bound to bound, where I(T;Y) is three quarters of H(Y); None of one layer.

    Test images and as many training images, on which a network that has memorised keeps something else. A layer whose
    bounds on I(T;Y) do not reach so far at any level of the noise has no mark, or none above.

    Args:
        networks: rows of single networks.
        title: above the figure.
        items: what the items are called.
    """
    last = networks[networks["noise"].notna()]
    last = last[last["epoch"].isna()] if "epoch" in last else last
    rows = _named(last)
    if rows["layer"].nunique() < 2 or "split" not in rows:
        return None
    entropy, cap = _facts(rows)
    sides = sections(intervals(rows), SHARE * entropy)
    layers, names = list(dict.fromkeys(sides["layer"])), _names(sides)
    splits = list(dict.fromkeys(sides["split"]))
    with style():
        figure, panels = _panels(len(splits), 2.9)
        for axes, split in zip(panels, splits, strict=True):
            for place, name in enumerate(names):
                own = sides[(sides["augmentation"] == name) & (sides["split"] == split)].set_index("layer")
                own = own.reindex(layers)
                x = np.arange(len(layers)) + (place - (len(names) - 1) / 2) * 0.7 / len(names)
                high = own["high"].fillna(math.inf).clip(upper=cap * ROOM)
                axes.vlines(x, own["low"], high, color=colour(name), linewidth=3, label=label(name))
            axes.set_xticks(range(len(layers)), layers, rotation=30, ha="right", fontsize=8)
            axes.set_ylim(0, cap * ROOM)
            axes.set_title(f"{int(rows.loc[rows['split'] == split, 'n'].max()):,} {split} {items}", fontsize=9)
            axes.set_ylabel(f"{GIVEN_LABEL}, nats")
        if len(names) > 1:
            panels[0].legend(fontsize=7)
        figure.suptitle(wrapped(f"{title}: where I(T;Y) is {SHARE:.0%} of H(Y)"), fontsize=10)
    return figure, sides


def draw_epochs(networks: pd.DataFrame, title: str, items: str = "images") -> Drawn | None:
    """I(T;X|Y) of test images over the training loss, where I(T;Y) is three quarters of H(Y), a panel a layer.

    None where no weights were looked at but the last. Over the training loss, and not the epoch, because an
    augmentation also slows learning down.

    Args:
        networks: rows of single networks, `training_loss` among them.
        title: above the figure.
        items: what the items are called.
    """
    if "epoch" not in networks or not networks.loc[networks["noise"].notna(), "epoch"].notna().any():
        return None
    losses = networks[networks["estimator"] == "training_loss"]
    rows = _named(networks[networks["noise"].notna() & (networks["split"] == "test")])
    if not len(losses):
        return None
    last = losses.groupby("augmentation")["epoch"].max()
    rows["epoch"] = rows["epoch"].fillna(rows["augmentation"].map(last))
    entropy, cap = _facts(rows)
    sides = sections(intervals(rows), SHARE * entropy)
    means = losses.groupby(["augmentation", "epoch"])["value"].mean().rename("training_loss").reset_index()
    sides = sides.merge(means, on=["augmentation", "epoch"])
    layers = list(dict.fromkeys(sides["layer"]))
    with style():
        figure, panels = _panels(len(layers), 2.7)
        for axes, layer in zip(panels, layers, strict=True):
            for name in _names(sides):
                own = sides[(sides["layer"] == layer) & (sides["augmentation"] == name)].sort_values("epoch")
                own = own[own["low"].notna()]
                x, high = own["training_loss"].to_numpy(float), own["high"].fillna(math.inf).clip(upper=cap * ROOM)
                axes.fill_between(x, own["low"], high, color=colour(name), alpha=0.18, linewidth=0)
                for side in (own["low"], high):
                    axes.plot(x, side, ".-", color=colour(name), linewidth=1.2, markersize=4)
                axes.plot([], [], color=colour(name), label=label(name))
            if axes.dataLim.width > 0:  # nothing is drawn of a layer that says too little of the label
                axes.set_xscale("log")
                axes.invert_xaxis()
            axes.set_ylim(0, cap * ROOM)
            axes.set_title(str(layer), fontsize=9)
            axes.set_xlabel(f"cross entropy of training {items}, nats")
            axes.set_ylabel(f"{GIVEN_LABEL}, nats")
        panels[0].legend(fontsize=7)
        figure.suptitle(wrapped(f"{title}: where I(T;Y) is {SHARE:.0%} of H(Y)"), fontsize=10)
    return figure, sides
