"""Save a figure as PNG and SVG together with the numbers it shows."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from figures.style import style
from store import write_atomically
from store.places import in_own_directory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save"]


def save(figure: "Figure", stem: Path, data: pd.DataFrame, *, watermark: str | None = None) -> list[Path]:
    """Write ``stem.png``, ``stem.svg`` and ``stem.csv``; return their paths.

    Args:
        figure: the figure; `matplotlib.figure.Figure` made directly, so that no window system is involved.
        stem: path without a suffix; its directory is made.
        data: what the figure shows, one row per mark.
        watermark: large grey text across the picture, for figures that must not be mistaken for results.

    Raises:
        BadInput: ``stem``'s directory, or one of the files, is a link.
    """
    paths = [stem.with_name(stem.name + suffix) for suffix in (".png", ".svg", ".csv")]
    for path in paths:
        in_own_directory(path)
    if watermark:
        figure.text(
            0.5,
            0.5,
            watermark,
            fontsize=48,
            color="#b00000",
            alpha=0.22,
            rotation=25,
            ha="center",
            va="center",
            zorder=10,
        )
    for path in paths[:2]:
        with style(), write_atomically(path) as temporary:
            kind = path.suffix[1:]
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            figure.savefig(temporary, format=kind, metadata=metadata)
    with write_atomically(paths[2]) as temporary:
        data.to_csv(temporary, index=False)
    return paths
