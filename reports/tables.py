"""Tables of the report: what a page shows, what a CSV file holds, what a paper includes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from figures import label
from findings.document import Document
from store import write_atomically

__all__ = ["Cell", "Column", "Table", "group_of", "over_seeds"]


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


def over_seeds(
    document: Document, rows: pd.DataFrame, columns: Mapping[str, Column], by: Sequence[str] = ("augmentation",)
) -> tuple[list[list[Cell]], pd.DataFrame]:
    """Mean ± standard deviation over seeds: a line for each combination of ``by``, a column for each estimator.

    Args:
        document: whose rows they are.
        rows: with ``estimator``, ``value``, ``seed`` and the columns in ``by``, the first of which is ``augmentation``.
        columns: by estimator.
        by: what makes a line.

    Returns:
        The lines, and the numbers.
    """
    chosen = rows[rows["estimator"].isin(list(columns))]
    filled = chosen.assign(saturated=chosen.get("saturated", pd.Series(index=chosen.index)).eq(True))
    grouped = filled.groupby([*by, "estimator"], sort=False, dropna=False)
    numbers = grouped.agg(
        mean=("value", "mean"), std=("value", "std"), seeds=("value", "size"), saturated=("saturated", "any")
    ).reset_index()
    lines = []
    for place, own in numbers.groupby(list(by), sort=False, dropna=False):
        names = place if isinstance(place, tuple) else (place,)
        where = {key: value for key, value in zip(by, names, strict=True) if key in ("augmentation", "decoder_scale")}
        line = [Cell(label(str(names[0])))] + [Cell(_plain(name)) for name in names[1:]]
        found = own.set_index("estimator")
        for name, column in columns.items():
            if name not in found.index:
                line.append(Cell(""))
                continue
            mean, std = float(found["mean"][name]), float(found["std"][name])
            text = f"{mean:.{column.digits}f}" + ("" if pd.isna(std) else f" ± {std:.{column.digits}f}")
            line.append(Cell(text, group_of(document, **where), saturated=bool(found["saturated"][name])))
        lines.append(line)
    return lines, numbers


def _plain(name: object) -> str:
    return f"{name:g}" if isinstance(name, float) else str(name)
