"""The HTML pages: one with its pictures inside, and one of the records of runs, to which its numbers lead."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from PIL import Image

from findings.document import Document
from store import BadInput
from store.command_line import as_text

__all__ = ["RUNS", "Records", "check_picture", "embedded", "reduced", "render"]

MOST_PIXELS = 50_000_000
"""The most that a picture may have: ours have a few million."""

RUNS = "runs.html"
"""Name of the page of records, beside the report's."""

COLOURS = 96
"""How many a picture on the page has: enough for plots and photographs at this size, in a third of the bytes."""


def check_picture(picture: Path) -> None:
    """Refuse a file that is no PNG of a sensible size.

    Raises:
        BadInput: it is none.
    """
    try:
        with Image.open(picture) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                size = f"{opened.width}×{opened.height} pixels"
                raise BadInput(str(picture), size, f"at most {MOST_PIXELS:,} of them")
            opened.load()
    except BadInput:
        raise
    except Exception as problem:  # Pillow's decoders raise whatever damage makes of them
        reason = " ".join(str(problem).split())[:100]
        raise BadInput(str(picture), f"a file that is no picture ({reason})", "the figure of a job") from None


def reduced(picture: Image.Image) -> Image.Image:
    """A picture with fewer colours."""
    return picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


def embedded(picture: Path) -> tuple[str, int, int]:
    """A PNG as a ``data:`` address of a WebP, with fewer colours; its width and height in pixels."""
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    small = reduced(image).convert("RGB")
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", lossless=True, quality=80, method=6)  # smaller than a lossy one: mostly flat colours
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"), *image.size


class Records:
    """What a number leads to: the runs behind it, on a page of their own, each of them once.

    Args:
        documents: all of them.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = {document.directory.as_posix(): document for document in documents}
        self.groups: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}

    def open(self, group: str) -> str:
        """The address of a group of runs (`findings.table.group_of`); empty for none."""
        if not group:
            return ""
        if group not in self.groups:
            directory, *conditions = group.split("|")
            document = self.documents[directory]
            where = dict(condition.split("=", 1) for condition in conditions)
            records = [
                entry["record"]
                for entry in document.runs
                if all(str(entry.get(key)) == value for key, value in where.items())
            ]
            self.groups[group] = {
                "id": f"group-{len(self.groups)}",
                "title": document.title,
                "where": ", ".join(where.values()),
                "command": document.about["command"],
                "versions": document.about["versions"],
                "runs": [self._run(record) for record in records],
            }
        return f"{RUNS}#{self.groups[group]['id']}"

    def _run(self, record: dict[str, Any]) -> dict[str, Any]:
        key = f"{record['kind']} {record['hash']}"
        if key not in self.runs:
            self.runs[key] = {
                "id": f"run-{len(self.runs)}",
                "name": record["name"],
                "kind": record["kind"],
                # between tags a quotation mark is itself, and a fifth of what it is when it is escaped
                "json": Markup(html.escape(as_text(record), quote=False)),
            }
        return self.runs[key]


def render(template: str, **values: Any) -> str:
    """A page, from its template and the template's values; everything that is not from this package is escaped."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
