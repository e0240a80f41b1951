"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

import pandas as pd

from analysis.bounds.estimators import ESTIMATORS, sign_of
from findings.document import Document
from findings.section import Section
from findings.table import Cell, Table

__all__ = ["SECTIONS"]


def _ground_truth(document: Document) -> Table:
    rows = document.rows
    lines = []
    chosen = [name for name in ESTIMATORS if (rows["estimator"] == name).any()]
    chosen = [name for name in chosen if (rows.loc[rows["quantity"] == "I(Z;X)", "estimator"] == name).any()]
    information = rows[rows["quantity"] == "I(Z;X)"]
    for task, block in information.groupby("task", sort=False):
        bounds = block.set_index("estimator")
        heavy = bounds["heavy_tailed"].eq(True)  # null in records that are older than the flag
        line = [Cell(str(task)), Cell(f"{float(bounds['truth'].iloc[0]):.2f}")]
        for name in chosen:
            there = name in bounds.index and not pd.isna(bounds["value"].get(name))
            text = f"{float(bounds['value'][name]):.2f} ± {float(bounds['standard_error'][name]):.2f}" if there else ""
            text += " †" if there and heavy[name] else ""
            line.append(Cell(text, saturated=there and bool(bounds["saturated"][name])))
        lines.append(line)
    directions = information.dropna(subset="direction").groupby("estimator")["direction"].first()
    head = ["encoder", "true I(Z;X)", *(f"{ESTIMATORS[name].label} (I {sign_of(directions[name])})" for name in chosen)]
    notes = ["nats, mean over replicates ± its standard error; * saturated, † heavy-tailed in most replicates"]
    columns = [name for name in rows if name not in ("augmentation", "seed", "noise", "inputs", "k")]
    return Table("Encoders of one variable", head, lines, rows[columns], notes)


SECTIONS = (
    Section(
        key="ground-truth",
        title="Do the bounds hold?",
        paper="—",
        program="python -m analysis.ground_truth",
        measured="Every estimator on encoders, and pairs of encoders, whose mutual information is known.",
        does_not=(
            "Encoders of known information are simpler than trained ones: a bound that is loose here can be loose "
            "there; that its direction holds is proved, and only checked here."
        ),
        get="python -m analysis.ground_truth",
        cost="six minutes on two CPU cores",
        pictures={
            "ground-truth": (
                "Estimated against true information for every estimator: lower bounds bend off at log N, upper bounds"
                " stay above the diagonal."
            ),
        },
        table=_ground_truth,
    ),
)
"""What the report shows of this analysis."""
