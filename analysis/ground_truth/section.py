"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from collections.abc import Sequence

import pandas as pd

from analysis.bounds.estimators import ESTIMATORS, INFORMATION, SHARED, sign_of
from analysis.ground_truth.families import FAMILIES
from findings.document import Document
from findings.section import Section
from findings.table import Cell, Table

__all__ = ["SECTIONS"]


def _ground_truth(document: Document) -> Table:
    rows = document.rows
    lines = []
    chosen = [name for name in ESTIMATORS if (rows["estimator"] == name).any()]
    chosen = [name for name in chosen if (rows.loc[rows["quantity"] == INFORMATION, "estimator"] == name).any()]
    information = rows[rows["quantity"] == INFORMATION]
    for task, block in information.groupby("task", sort=False):
        bounds = block.set_index("estimator")
        lines.append([Cell(str(task)), Cell(f"{float(bounds['truth'].iloc[0]):.2f}"), *_cells(bounds, chosen)])
    directions = information.dropna(subset="direction").groupby("estimator")["direction"].first()
    head = ["encoder", "true I(Z;X)", *(f"{ESTIMATORS[name].label} (I {sign_of(directions[name])})" for name in chosen)]
    return Table("Encoders of one variable", head, lines, rows[_columns(rows)], NOTES)


NOTES = ["nats, mean over replicates ± its standard error; * saturated, † heavy-tailed in most replicates"]


def _columns(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows if name not in ("augmentation", "seed", "noise", "inputs", "k")]


def _cells(bounds: pd.DataFrame, chosen: Sequence[str]) -> list[Cell]:
    """The estimators of a task, empty for one that it has not."""
    heavy = bounds["heavy_tailed"].eq(True)  # null in records that are older than the flag
    cells = []
    for name in chosen:
        there = name in bounds.index and not pd.isna(bounds["value"].get(name))
        text = f"{float(bounds['value'][name]):.2f} ± {float(bounds['standard_error'][name]):.2f}" if there else ""
        text += " †" if there and heavy[name] else ""
        cells.append(Cell(text, saturated=there and bool(bounds["saturated"][name])))
    return cells


def _with_labels(document: Document) -> Table | None:
    """A line for each task with labels and quantity, a column for each family of bounds."""
    rows = document.rows[~document.rows["quantity"].isin((INFORMATION, SHARED))]
    if not len(rows):
        return None
    lines = []
    for (task, quantity), block in rows.groupby(["task", "quantity"], sort=False):
        bounds = block.set_index("estimator")
        # a family has at most one of a quantity
        of_families = [next((name for name in each.estimators if name in bounds.index), "") for each in FAMILIES]
        truth = Cell(f"{float(bounds['truth'].iloc[0]):.2f}")
        lines.append([Cell(f"{task}, {quantity}"), truth, *_cells(bounds, of_families)])
    head = ["what is known", "truth", *(family.label for family in FAMILIES)]
    return Table("Codes with labels, and answers", head, lines, rows[_columns(rows)], NOTES)


SECTIONS = (
    Section(
        key="ground-truth",
        title="Do the bounds hold?",
        paper="—",
        program="python -m analysis.ground_truth",
        measured=(
            "Every estimator on encoders, pairs of encoders, codes of images with labels and answers of classifiers, "
            "whose mutual information is known."
        ),
        does_not=(
            "Encoders of known information are simpler than trained ones: a bound that is loose here can be loose "
            "there; that its direction holds is proved, and only checked here."
        ),
        get="python -m analysis.ground_truth",
        cost="a quarter of an hour on two CPU cores",
        pictures={
            "ground-truth": (
                "Estimated against true information for every estimator: lower bounds bend off at log N, upper bounds"
                " stay above the diagonal."
            ),
            "with-labels": (
                "Bounds with labels less the truth: of the label, of the image given the label, and of the image."
            ),
        },
        table=_ground_truth,
        further=_with_labels,
    ),
)
"""What the report shows of this analysis."""
