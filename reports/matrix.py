"""The paper's statements by the data on which they were measured: a word for each verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from findings.document import Document
from findings.published import measures
from reports.verdicts import Stated

__all__ = ["SHORT", "Matrix", "matrix_of", "regime_of"]

SHORT = {
    "holds": "holds",
    "is reversed": "reversed",
    "is contradicted": "refuted",
    "are equal": "equal",
    "differs between layers": "differs",
    "is not contradicted": "not refuted",
    "cannot be told": "cannot tell",
    "images not in the interval": "no verdict",
    "under-trained": "no verdict",
}
"""Verdicts in a word or two."""


@dataclass(frozen=True)
class Matrix:
    """What the page shows.

    Args:
        data: names of the data sets, a column for each.
        groups: what is measured, and the lines about it: ``claim``, ``where`` and ``cells``, one for each data set. A
            cell has a verdict for each regime in which networks were trained: ``word``, ``verdict``, ``regime`` and the
            ``place`` of the statement.
    """

    data: list[str]
    groups: list[tuple[str, list[dict[str, Any]]]]


def matrix_of(stated: Sequence[Stated]) -> Matrix:
    """A line for each statement of the paper, a column for each data set.

    Args:
        stated: `reports.verdicts.statements`, whose places the cells name.
    """
    data = sorted({each.document.data for each in stated if each.document})
    groups = []
    for name, of_measure in groupby(enumerate(stated), key=lambda item: measures()[item[1].claim.measure].name):
        lines = []
        for claim, of_claim in groupby(of_measure, key=lambda item: item[1].claim):
            cells: dict[str, list[dict[str, Any]]] = {each: [] for each in data}
            for place, statement in of_claim:
                if document := statement.document:
                    cells[document.data].append(
                        {
                            "word": SHORT[statement.verdict],
                            "verdict": statement.verdict,
                            "regime": regime_of(statement.on, document),
                            "place": place,
                        }
                    )
            lines.append({"claim": str(claim), "where": claim.where, "cells": list(cells.values())})
        groups.append((name, lines))
    return Matrix(data, groups)


def regime_of(on: str, document: Document) -> str:
    """On how many images and for how long networks were trained, in words.

    Args:
        on: the data with it.
        document: where it was measured.
    """
    if regime := on.removeprefix(document.data).removeprefix(", "):
        return regime
    of_folds = document.settings.get("scored") == "validation"
    return f"{document.settings['train_images']:,} {document.items}" + (", folds" if of_folds else "")
