"""How every figure of the toolkit looks, and how figures are saved."""

from figures.saving import save
from figures.style import COLOURS, LABELS, colour, in_usual_order, label, style

__all__ = ["COLOURS", "LABELS", "colour", "in_usual_order", "label", "save", "style"]
