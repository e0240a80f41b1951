"""Grad-CAM maps laid over images, the paper's Figure 4."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from figures import label, style

__all__ = ["draw_maps"]


def draw_maps(images: np.ndarray, maps: dict[str, np.ndarray], title: str) -> tuple[Figure, pd.DataFrame]:
    """Images, and beside each the maps of every augmentation over it, all on one scale from 0 to 1.

    Args:
        images: (B, C, H, W) in [0, 1].
        maps: by augmentation, (B, H, W) in [0, 1]: positive part divided by its own maximum.
        title: above the figure.

    Returns:
        The figure, and the sum of every map in it.
    """
    rows, columns = len(images), len(maps) + 1
    pictures = images.transpose(0, 2, 3, 1)
    with style():
        figure = Figure(figsize=(1.15 * columns + 0.9, 1.15 * rows + 0.7))
        panels = figure.subplots(rows, columns, squeeze=False)
        shown = None
        for row, picture in enumerate(pictures):
            grey = picture.mean(-1)
            for column, axes in enumerate(panels[row]):
                axes.set_xticks([])
                axes.set_yticks([])
                axes.grid(visible=False)
                for spine in axes.spines.values():
                    spine.set_visible(False)
                if column == 0:
                    axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=1)
                    continue
                name = list(maps)[column - 1]
                axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
                shown = axes.imshow(maps[name][row], cmap="viridis", alpha=0.6, vmin=0, vmax=1)
        for column, name in enumerate(["image", *maps]):
            panels[0, column].set_title(name if column == 0 else label(name).replace(" (", "\n("), fontsize=9)
        if shown is not None:
            bar = figure.colorbar(shown, ax=panels, shrink=0.6, pad=0.02)
            bar.set_label("share of the map's own maximum", fontsize=8.5)
        figure.suptitle(textwrap.fill(title, 60), fontsize=10, fontweight="bold", x=0.01, ha="left")
    numbers = pd.DataFrame(
        [
            {"image": row, "augmentation": name, "sum": float(stack[row].sum())}
            for name, stack in maps.items()
            for row in range(rows)
        ]
    )
    return figure, numbers
