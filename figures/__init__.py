"""How every figure of the toolkit looks, and how it is saved with the data behind it."""

from figures.saving import save
from figures.style import COLOURS, LABELS, colour, label, style

__all__ = ["COLOURS", "LABELS", "colour", "label", "save", "style"]
