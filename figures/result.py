"""What a job found: its numbers, what they allow one to say, and the files that hold both."""

import html
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from store import write_atomically, write_json
from store.command_line import Options

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
        return f"<pre>{html.escape(self.text)}</pre>"


def publish(result: Result, document: dict[str, Any], directory: Path, options: Options) -> Result:
    """Print a result, and write ``rows.csv``, ``conclusions.txt`` and ``result.json`` beside its figures.

    Args:
        result: with the figures' files.
        document: `store.command_line.json_document`'s, which ``--json`` wants too.
        directory: where.
        options: how to say it.

    Returns:
        The result with all files.
    """
    options.say("\n" + result.text + "\n")
    for failure in result.failures:
        options.say(f"missing from the table: {failure}")
    with write_atomically(directory / "rows.csv") as temporary:
        pd.DataFrame(result.rows).to_csv(temporary, index=False)
    with write_atomically(directory / "conclusions.txt") as temporary:
        temporary.write_text(result.text + "\n", encoding="utf-8")
    write_json(directory / "result.json", document)
    files = result.files + [directory / name for name in ("rows.csv", "conclusions.txt", "result.json")]
    options.write(document)
    for file in files:
        options.say(str(file))
    return replace(result, files=files)
