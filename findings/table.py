"""Numbers laid out: mean ± standard deviation, and tables of a page, a CSV file and a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from figures.style import label
from findings.document import Document
from findings.over_seeds import over_seeds
from store import write_atomically

__all__ = ["Cell", "Column", "Table", "cells_over_seeds", "group_of", "images_in", "plus_minus"]


Digits = int | tuple[str, str]
"""After the point; or the formats of a mean and of its spread where they differ, such as ``(".4g", ".2g")``."""


def plus_minus(mean: float, std: float | None, digits: Digits, *, unit: str = "", n: int | None = None) -> str:
    """A mean over seeds with its standard deviation: ``83.67 ± 0.89``, or ``83.67`` where there is no spread.

    Args:
        mean: over seeds.
        std: over seeds; None or NaN for a single one.
        digits: after the point, or the formats of both.
        unit: that follows at once.
        n: seeds, added as ``(n = 5)``.
    """
    of_mean, of_std = (f".{digits}f",) * 2 if isinstance(digits, int) else digits
    text = f"{mean:{of_mean}}" + ("" if std is None or pd.isna(std) else f" ± {std:{of_std}}") + unit
    return text if n is None else f"{text} (n = {n})"


@dataclass(frozen=True)
class Cell:
    """A number or a word.

    Args:
        text: as shown.
        group: of runs that stand behind it; see `group_of`.
        kind: a verdict's, for its colour.
        saturated: within a nat of its cap.
    """

    text: str
    group: str = ""
    kind: str = ""
    saturated: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        caption: what the numbers are.
        head: of the columns; the first column names the line.
        lines: of cells.
        numbers: the same, one number to a row, unrounded.
        notes: under it.
    """

    caption: str
    head: Sequence[str]
    lines: Sequence[Sequence[Cell]]
    numbers: pd.DataFrame
    notes: Sequence[str] = field(default_factory=tuple)

    def write(self, stem: Path) -> list[Path]:
        """Write ``stem.csv`` and ``stem.tex``, a ``tabular`` for the package booktabs; return their paths."""
        paths = [stem.with_name(stem.name + suffix) for suffix in (".csv", ".tex")]
        with write_atomically(paths[0]) as temporary:
            self.numbers.to_csv(temporary, index=False)
        with write_atomically(paths[1]) as temporary:
            temporary.write_text(self.latex(), encoding="utf-8")
        return paths

    def latex(self) -> str:
        """The table for a paper, special characters escaped."""
        frame = pd.DataFrame([[_words(cell) for cell in line] for line in self.lines], columns=list(self.head))
        aligned = "l" + "r" * (len(self.head) - 1)
        return frame.map(_escaped).rename(columns=_escaped).to_latex(index=False, escape=False, column_format=aligned)


def _words(cell: Cell) -> str:
    return cell.text + (" *" if cell.saturated else "")


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$",
    "ε": r"$\epsilon$", "‖": r"$\Vert$", "−": "$-$", "†": r"\dag{}", "‡": r"\ddag{}", "≈": r"$\approx$",
    "x̂": r"$\hat{x}$", "α": r"$\alpha$", "δ": r"$\delta$", "–": "--", "∞": r"$\infty$",
}  # fmt: skip


def _escaped(text: str) -> str:
    text = text.replace("x̂", "\x00")
    return "".join(_LATEX["x̂"] if letter == "\x00" else _LATEX.get(letter, letter) for letter in text)


@dataclass(frozen=True)
class Column:
    """An estimator in a table: its head and its digits."""

    head: str
    digits: int = 2


def group_of(document: Document, **where: object) -> str:
    """A name for the runs of a document of which all of ``where`` holds; none, for all of them."""
    return "|".join([document.directory.as_posix(), *(f"{key}={value}" for key, value in where.items())])


IDENTIFYING = ("augmentation", "decoder_scale")
"""What tells groups of runs of one document apart."""


def cells_over_seeds(
    document: Document, rows: pd.DataFrame, columns: Mapping[str, Column], by: Sequence[str] = ("augmentation",)
) -> tuple[list[list[Cell]], pd.DataFrame]:
    """Mean ± standard deviation over seeds: a line for each combination of ``by``, a column for each estimator.

    Args:
        document: whose rows they are.
        rows: with ``estimator``, ``value``, ``seed`` and the columns in ``by``, the first of which is ``augmentation``.
        columns: by estimator.
        by: what makes a line.

    Returns:
        The lines, and the numbers: ``by``, ``estimator``, ``mean``, ``std``, ``seeds``, ``saturated``.
    """
    table = over_seeds(rows[rows["estimator"].isin(list(columns))], [*by, "estimator"])
    numbers = table[[*by, "estimator", "mean", "std", "seeds", "saturated"]]
    lines = []
    for place, block in numbers.groupby(list(by), sort=False, dropna=False):
        where = dict(zip(by, place if isinstance(place, tuple) else (place,), strict=True))
        group = group_of(document, **{key: value for key, value in where.items() if key in IDENTIFYING})
        name, *others = where.values()
        line = [Cell(label(str(name))), *(Cell(_plain(other)) for other in others)]
        by_estimator = block.set_index("estimator").to_dict("index")
        for estimator, column in columns.items():
            if (number := by_estimator.get(estimator)) is None:
                line.append(Cell(""))
                continue
            text = plus_minus(number["mean"], number["std"], column.digits)
            line.append(Cell(text, group, saturated=bool(number["saturated"])))
        lines.append(line)
    return lines, numbers


def _plain(name: object) -> str:
    return f"{name:g}" if isinstance(name, float) else str(name)


def images_in(rows: pd.DataFrame, items: str = "images") -> str:
    """How many images, or other items, the rows are of, in words."""
    return f"{int(rows['n'].max()):,} {items}"
