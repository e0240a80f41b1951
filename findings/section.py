"""What the report has to say about a part of the paper: a section comes from the analysis whose documents it shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas is slow to import, and a trainer's --help needs nothing of it
    from findings.document import Document
    from findings.table import Table

__all__ = ["Section"]


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Args:
        key: in addresses and names of files.
        title: above it.
        paper: which tables and figures of the paper it stands for.
        program: whose documents it shows; empty for one that is made while the report is built.
        measured: what was measured.
        does_not: what the numbers do not mean.
        get: the command that makes its documents.
        cost: how long that takes.
        pictures: alternative texts by the beginning of a picture's name; the first is the section's main one.
        table: of a document.
        wanted: whether a document of the program belongs here.
        further: a second table, or None for documents that have nothing for it.
    """

    key: str
    title: str
    paper: str
    program: str
    measured: str
    does_not: str
    get: str
    cost: str
    pictures: Mapping[str, str] = field(default_factory=dict)
    table: "Callable[[Document], Table] | None" = None
    wanted: "Callable[[Document], bool]" = lambda document: True
    further: "Callable[[Document], Table | None] | None" = None
