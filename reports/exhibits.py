"""One document in its section of the report: heading, figures, tables, and what it means in a few sentences."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from findings.document import Document
from findings.section import Section
from findings.table import Table
from reports.page import Records, embedded
from store import write_atomically

__all__ = ["SHOWN", "block", "bottom_line", "first_sentences", "headings", "picture", "shown_table"]

SHOWN = (".png", ".svg", ".csv")
"""Suffixes of those of a picture's files that the report hands on."""

SENTENCES = 5
"""What an exhibit means is said in at most so many; the rest is folded."""

_ENDS = re.compile(r"(?<=[.!?])(?<!\bal\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\s[A-Z]\.)\s+(?=[^\W\d_a-z]|[−“\"])")
"""Between two sentences: the second begins with a capital, a Greek letter, a minus sign or a quotation mark."""


def first_sentences(text: str, most: int = SENTENCES) -> str:
    """The first sentences of a text in lines (`findings.sentences`), the items of its lists among them.

    Example:
        >>> print(first_sentences("One. Two (Li et al. 2020). Three:\\n- Ah. Be.\\n- Ce.\\n\\nFour.", 4))
        One. Two (Li et al. 2020). Three:
        - Ah.
    """
    lines: list[str] = []
    left = most
    for line in filter(None, map(str.strip, text.split("\n"))):
        sentences = _ENDS.split(line)[:left]
        if not sentences:
            break
        left -= len(sentences)
        lines.append(" ".join(sentences))
    if lines and lines[-1].endswith(":"):  # it leads to a list that is not there
        *others, last = _ENDS.split(lines.pop())
        lines += [" ".join(others)] if others else [] if lines else [last]
    return "\n".join(lines)


def bottom_line(document: Document) -> str:
    """What a document means, in at most five sentences: its own bottom line, or how its conclusions begin."""
    return first_sentences(document.about.get("bottom_line") or document.about.get("conclusions") or "")


def headings(documents: Sequence[Document]) -> dict[str, str]:
    """A heading for every document by its name, no two alike: of classifiers it names the regime."""
    said = {}
    for document in documents:
        regime = document.on.removeprefix(document.data).removeprefix(", ")
        settings, title = document.settings, document.title
        if regime and f"{settings['train_images']:,} training {document.items}, {settings['epochs']} epochs" in title:
            regime = ""
        said[document.name] = title + (f"; {regime}" if regime else "")
    alike = [heading for heading in said.values() if list(said.values()).count(heading) > 1]
    return {name: f"{heading} [{name}]" if heading in alike else heading for name, heading in said.items()}


def block(
    section: Section, document: Document, heading: str, records: Records, exhibits: Path, files: list[Path]
) -> dict[str, Any]:
    """What the page shows of a document; its exhibits are written beside the page, and added to ``files``."""
    pictures = []
    for name in document.pictures():
        words = next((text for start, text in section.pictures.items() if name.startswith(start)), name)
        stem = document.name if document.name.startswith(name) else f"{document.name}-{name}"
        for suffix in SHOWN:
            if name + suffix in document.files:
                files.append(_copied(document.file(name + suffix), exhibits / (stem + suffix)))
        pictures.append(picture(exhibits / f"{stem}.png", f"{words} {heading}."))
    table = section.table(document) if section.table else None
    further = section.further(document) if section.further else None
    for shown, name in ((table, "table"), (further, "further")):
        if shown:
            files += shown.write(exhibits / f"{document.name}-{name}")
    means, conclusions = bottom_line(document), document.about.get("conclusions") or ""
    return {
        "id": f"exhibit-{document.name}",
        "title": heading,
        "data": document.data,
        "watermark": document.watermark,
        "pictures": pictures,
        "tables": [shown_table(shown, records, heading) for shown in (table, further) if shown],
        "means": means,
        "conclusions": "" if conclusions.split() == means.split() else conclusions,
        "command": document.about["command"],
        "group": records.open(document.directory.as_posix()),
        "runs": len(document.runs),
    }


def picture(path: Path, words: str) -> dict[str, Any]:
    """A PNG on the page, with its words and the names of the files beside the page that belong to it."""
    data, width, height = embedded(path)
    beside = [path.with_suffix(suffix) for suffix in (".svg", ".csv")]
    links = [f"exhibits/{file.name}" for file in beside if file.is_file()]
    return {"data": data, "width": width, "height": height, "words": words, "links": links}


def shown_table(
    table: Table, records: Records, of: str = "", rows: Sequence[dict[str, str]] | None = None
) -> dict[str, Any]:
    """A table as the template takes it.

    Args:
        table: the table.
        records: of the runs that its numbers open.
        of: what it is of, where several have one caption.
        rows: of each line ``id``, ``data`` and ``augmentations``, by which it is found; otherwise a line is found by
            the augmentation in its first cell.
    """
    if rows is None:
        named = table.head[0] == "augmentation"
        names = [line[0].text.removesuffix(" ‡") if named else "" for line in table.lines]
        rows = [{"id": "", "data": "", "augmentations": name} for name in names]
    lines = [
        {**row, "cells": [(cell, records.open(cell.group) if cell.text else "") for cell in line]}
        for row, line in zip(rows, table.lines, strict=True)
    ]
    return {"caption": table.caption, "of": of, "head": table.head, "notes": table.notes, "lines": lines}


def _copied(source: Path, target: Path) -> Path:
    with write_atomically(target) as temporary:
        shutil.copyfile(source, temporary)
    return target
