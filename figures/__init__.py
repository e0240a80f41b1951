"""How every figure of the toolkit looks, and how figures, numbers and words are saved."""

from figures.result import Result, publish
from figures.saving import save
from figures.style import COLOURS, LABELS, colour, in_usual_order, label, style

__all__ = ["COLOURS", "LABELS", "Result", "colour", "in_usual_order", "label", "publish", "save", "style"]
