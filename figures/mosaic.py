"""Images in the cells of one set of axes, and which of many images a picture shows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

__all__ = ["first_of_classes", "lay_out"]

GAP = 0.03
"""Of a cell, on each side of its image."""


def first_of_classes(classes: np.ndarray, most: int) -> np.ndarray:
    """Where the first item of every class is, then the second of every class, and so on: at most ``most`` of them.

    Args:
        classes: (N,).
        most: how many are wanted.

    Example:
        >>> first_of_classes(np.array([2, 2, 0, 2]), 3).tolist()
        [2, 0, 1]
    """
    occurrence = pd.Series(classes).groupby(classes).cumcount()
    return np.lexsort((classes, occurrence))[:most]


def lay_out(axes: Axes, images: Mapping[tuple[float, float], np.ndarray]) -> None:
    """Show images in cells as wide and as high as an image, and of the axes nothing else.

    Args:
        axes: whose units become cells, rows counted downwards.
        images: (C, H, W) in [0, 1], all of one shape, by the column and the row of their cell.
    """
    for (column, row), image in images.items():
        shown = image.transpose(1, 2, 0)
        extent = (column + GAP, column + 1 - GAP, row + 1 - GAP, row + GAP)
        shown = shown[..., 0] if len(image) == 1 else shown
        axes.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    columns, rows = zip(*images, strict=True)
    axes.set_xlim(0, max(columns) + 1)
    axes.set_ylim(max(rows) + 1, 0)
    height, width = next(iter(images.values())).shape[1:]
    axes.set_aspect(height / width)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
