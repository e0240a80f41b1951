"""What a job found: its numbers, what they allow one to say, and the files that hold both."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from store import digest_of, provenance, write_atomically
from store.command_line import as_text, json_document
from store.places import in_own_directory

__all__ = ["Result", "publish"]


@dataclass(frozen=True)
class Result:
    """What a job found.

    Args:
        rows: as in the ``--json`` document.
        table: the rows summarised.
        text: tables and sentences, as printed.
        files: what was written.
        failures: why networks are missing.
    """

    rows: list[dict[str, Any]]
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    text: str = ""
    files: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0, or 1 when a network is missing."""
        return int(bool(self.failures))

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        pictures = "".join(
            f'<img alt="{file.stem}" style="max-width: 48em" '
            f'src="data:image/png;base64,{base64.b64encode(file.read_bytes()).decode("ascii")}">'
            for file in self.files if file.suffix == ".png" and file.exists()
        )  # fmt: skip
        style = "font-family: monospace; white-space: pre; overflow-x: auto"
        return f'<pre style="{style}">{html.escape(self.text)}</pre>{pictures}'


def _origin() -> dict[str, Any]:
    found = provenance("", 0)
    return {"versions": found["versions"], "command": found["command"]}


def publish(
    result: Result, program: str, config: Any, directory: Path, about: dict[str, Any], runs: list[dict[str, Any]],
    more: Mapping[str, Any] | None = None,
) -> Result:  # fmt: skip
    """Print a result, and write ``rows.csv``, ``conclusions.txt`` and the document ``result.json`` beside its figures.

    The document is what ``--json`` writes, and what the report is made from.

    Args:
        result: with the figures' files.
        program: ``python -m …``.
        config: its configuration, with ``execution``.
        directory: where.
        about: ``title``; ``data``, the data set's name; ``settings``, with which published numbers are compared;
            ``conclusions``, the sentences of the text without its tables; and ``watermark``, None for numbers that
            mean something.
        runs: `store.evidence` behind the numbers.
        more: what else the text is made from, ``components`` of the variance of each measure for one.

    Returns:
        The result with all files.

    Raises:
        BadInput: ``directory`` is reached through a link, or one of the files is one.
    """
    options = config.execution
    written = [in_own_directory(directory / name) for name in ("rows.csv", "conclusions.txt", "result.json")]
    options.say("\n" + result.text + "\n")
    for failure in result.failures:
        options.say(f"missing from the table: {failure}")
    rows, conclusions, whole = written
    with write_atomically(rows) as temporary:
        pd.DataFrame(result.rows).to_csv(temporary, index=False)
    with write_atomically(conclusions) as temporary:
        temporary.write_text(result.text + "\n", encoding="utf-8")
    document = json_document(program, config, result.rows) | {
        "about": about | _origin(),
        "text": result.text,
        "failures": result.failures,
        "files": {file.name: digest_of(file) for file in result.files},
        "runs": runs,
        **(more or {}),
    }
    with write_atomically(whole) as temporary:
        temporary.write_text(as_text(document) + "\n", encoding="utf-8")
    files = result.files + written
    options.write(document)
    for file in files:
        options.say(str(file))
    return replace(result, files=files)
