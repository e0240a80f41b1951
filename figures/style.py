"""The style sheet, and one colour and one name per augmentation.

The colours are Okabe and Ito's (2008), which remain distinct under the common forms of colour blindness.
"""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["COLOURS", "LABELS", "colour", "in_usual_order", "label", "style"]

COLOURS = {
    "none": "#7f7f7f",
    "mixup": "#0072B2",
    "cutmix": "#D55E00",
    "fmix": "#009E73",
    "fmix-reference": "#56B4E9",
    "fmix+mixup": "#CC79A7",
    "cutmix+mixup": "#E69F00",
    "fmix+cutmix": "#B8A900",
    "linear-vae": "#000000",
}
"""Colour of each augmentation, in every figure."""

RESERVE = ("#332288", "#882255", "#661100", "#E7298A", "#6A3D9A", "#B15928", "#0B5351", "#F781BF")
"""Colours for augmentations of other people's, which no name in `COLOURS` stands for."""

LABELS = {
    "none": "baseline",
    "mixup": "MixUp",
    "cutmix": "CutMix",
    "fmix": "FMix",
    "fmix-reference": "FMix (reference)",
    "linear-vae": "linear VAE",
}
"""Name of each augmentation, in every table and figure."""

_SHEET: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",  # text stays text: searchable, and read by a screen reader
    "svg.hashsalt": "mixinfo",  # the same figure gives the same bytes
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style, off screen, leaving the caller's own settings alone."""
    import matplotlib as mpl  # half a second that a command which draws nothing need not wait for

    with mpl.rc_context(_SHEET):
        yield


def colour(augmentation: str) -> str:
    """The colour of an augmentation; one of `RESERVE`, by its name, for one that is not ours, and black for no name.

    Example:
        >>> colour("mixes.py:ResizeMix") in RESERVE, colour("mixup+none"), colour("the model")
        (True, '#000000', '#000000')
    """
    if augmentation in COLOURS or not augmentation:
        return COLOURS.get(augmentation, "#000000")
    name = ":" in augmentation or " " not in augmentation
    if name and any(mixer not in COLOURS for mixer in augmentation.split("+")):
        return RESERVE[zlib.crc32(augmentation.encode()) % len(RESERVE)]
    return "#000000"


def in_usual_order(augmentations: Iterable[str]) -> list[str]:
    """Each augmentation once: the known ones in the order of `COLOURS`, then the others as they come.

    Example:
        >>> in_usual_order(["fmix", "mine", "none", "fmix"])
        ['none', 'fmix', 'mine']
    """
    names = list(dict.fromkeys(augmentations))
    return [*(name for name in COLOURS if name in names), *(name for name in names if name not in COLOURS)]


def label(augmentation: str) -> str:
    """The name of an augmentation as tables and figures write it.

    Example:
        >>> label("fmix+mixup")
        'FMix+MixUp'
        >>> label("mixes.py:ResizeMix+fmix")
        'ResizeMix+FMix'
    """
    return "+".join(LABELS.get(mixer, mixer.rpartition(":")[2]) for mixer in augmentation.split("+"))
