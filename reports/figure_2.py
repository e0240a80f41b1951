"""Figure 2 of the paper, for both spectra: masks, and two photographs mixed with them.

The photographs are scikit-learn's samples (``china.jpg`` by Zephyr_p, ``flower.jpg`` by dany13, both CC BY 2.0).
"""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn.functional import interpolate

from figures import colour, label, style
from msda import CutMix, FMix, Mixer, MixUp

__all__ = ["draw_masks", "mask_statistics", "photographs"]

HALF = 1e6
"""α of a Beta distribution that holds λ at one half."""

MIXERS: dict[str, Mixer] = {
    "mixup": MixUp(alpha=HALF),
    "cutmix": CutMix(alpha=HALF),
    "fmix": FMix(alpha=HALF),
    "fmix-reference": FMix(alpha=HALF, spectrum="reference"),
}


def photographs(size: int = 96) -> Tensor:
    """Two photographs, (2, 3, size, size) in [0, 1]."""
    images = [torch.tensor(image).permute(2, 0, 1).float() / 255 for image in load_sample_images().images]
    squares = []
    for image in images:
        side = min(image.shape[1:])
        left = (image.shape[2] - side) // 2
        squares.append(interpolate(image[None, :, :side, left : left + side], size=size, mode="area")[0])
    return torch.stack(squares)


def mask_statistics(count: int = 4000, size: int = 32, seed: int = 1) -> pd.DataFrame:
    """How the masks of the two spectra differ, δ = 3, λ uniform.

    Args:
        count: of masks.
        size: of their side.
        seed: of their draw.

    Returns:
        One row per spectrum: mean number of changes between 0 and 1 along the first axis and along the last one, each
        with its standard error, and the share of masks whose changes along the last axis are at most two a row.
    """
    rows = []
    for spectrum in ("isotropic", "reference"):
        generator = torch.Generator().manual_seed(seed)
        masks = FMix(spectrum=spectrum).masks(count, (size, size), generator=generator)[:, 0]
        first, last = ((masks.diff(dim=axis) != 0).sum((1, 2)).double() for axis in (1, 2))
        most = (masks.diff(dim=2) != 0).sum(2).amax(1)
        rows.append(
            {
                "spectrum": spectrum,
                "masks": count,
                "changes along the first axis": float(first.mean()),
                "error of the first": float(first.std()) / count**0.5,
                "changes along the last axis": float(last.mean()),
                "error of the last": float(last.std()) / count**0.5,
                "at most two changes in every row": float((most <= 2).double().mean()),
            }
        )
    return pd.DataFrame(rows)


def draw_masks(seed: int = 1) -> tuple[Figure, pd.DataFrame]:
    """A row per augmentation: three masks at λ = 0.5, and the photographs mixed with each.

    Args:
        seed: of the masks.

    Returns:
        The figure, and `mask_statistics`.
    """
    images = photographs()
    draws = 3
    batch = images[:1].repeat(draws, 1, 1, 1), images[1:].repeat(draws, 1, 1, 1)
    both, partner = torch.cat(batch), torch.arange(2 * draws).roll(draws)
    with style():
        figure = Figure(figsize=(7.4, 5.0))
        panels = figure.subplots(len(MIXERS), 2 * draws)
        for line, (name, mixer) in zip(panels, MIXERS.items(), strict=True):
            mixed = mixer(both, generator=torch.Generator().manual_seed(seed), partner=partner)
            for draw in range(draws):
                mask = torch.full((96, 96), 0.5) if mixed.mask is None else mixed.mask[draw, 0]
                line[2 * draw].imshow(mask.numpy(), cmap="gray", vmin=0, vmax=1)
                line[2 * draw + 1].imshow(np.moveaxis(mixed.images[draw].clamp(0, 1).numpy(), 0, -1))
            line[0].set_ylabel(label(name).replace(" (", "\n("), color=colour(name), fontweight="bold", fontsize=9.5)
        for axes in panels.flat:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
        for place, axes in enumerate(panels[0]):
            axes.set_title("mixed" if place % 2 else "mask", fontsize=9, fontweight="normal", loc="center")
    return figure, mask_statistics()
