"""Data sets of graphemes, of which several things are asked at once: root, vowel and consonant.

Handwritten ones are read as they are published; printed ones are rendered from Debian's fonts, and made-up ones from a
few strokes.
"""

import functools
from collections.abc import Callable
from pathlib import Path

from tasks.graphemes.bengali import bengali
from tasks.graphemes.made_up import made_up_graphemes
from tasks.graphemes.printed import printed, printed_factors
from tasks.graphemes.script import MOST_ROOTS
from tasks.task import Task

__all__ = ["BUILT_IN", "PRINTED", "PUBLISHED"]

PUBLISHED: dict[str, Callable[[Path], Task]] = {"bengali": bengali}
"""Functions that read data sets as they are published from the folder they lie in, by the word before it."""

PRINTED: dict[str, Callable[..., Task]] = {
    "bengali-printed": printed,
    "bengali-printed-64": functools.partial(printed, size=64),
    f"bengali-printed-{MOST_ROOTS}": functools.partial(printed, of_roots=MOST_ROOTS, size=64),
    "bengali-printed-factors": printed_factors,
}
"""Functions that render graphemes from Debian's fonts, or from those in a folder, by name."""

BUILT_IN: dict[str, Callable[[], Task]] = {"made-up-graphemes": made_up_graphemes}
"""Functions that need no file, by name."""
