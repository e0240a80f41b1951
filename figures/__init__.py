"""How every figure of the toolkit looks, and how figures are saved.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from figures import colour, label, save, style
    >>> shown = pd.DataFrame({"augmentation": ["none", "fmix"], "accuracy": [94.0, 96.0]})
    >>> with style():
    ...     figure = Figure()
    ...     colours = shown["augmentation"].map(colour)
    ...     bars = figure.subplots().bar(shown["augmentation"].map(label), shown["accuracy"], color=colours)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     print(*(file.name for file in save(figure, Path(directory) / "accuracy", shown)))
    accuracy.png accuracy.svg accuracy.csv
"""

from figures.saving import save
from figures.style import COLOURS, LABELS, colour, in_usual_order, label, style

__all__ = ["COLOURS", "LABELS", "colour", "in_usual_order", "label", "save", "style"]
