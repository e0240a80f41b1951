"""The documents that jobs leave beside their figures, which the report is made from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from figures.tables import of_networks
from store import BadInput, digest_of, slug
from store.places import is_plain_name

__all__ = ["Document", "read_document", "read_documents"]

NEEDED = {"schema", "command", "config", "results", "about", "files", "runs"}


@dataclass(frozen=True, eq=False)
class Document:
    """What a job found, as it wrote it.

    Args:
        directory: where it lies, with its figures.
        name: that tells it from all others, of letters that a path may have.
        program: ``python -m …``.
        config: the job's configuration.
        about: title, data, settings, conclusions, watermark, versions, command.
        results: the rows.
        failures: why networks are missing.
        files: its figures and tables, with their SHA-256.
        runs: what stands behind the numbers; see `store.evidence`.
        components: of the variance of each measure, `figures.components.Components.as_json`; none in older ones.
    """

    directory: Path
    name: str
    program: str
    config: dict[str, Any]
    about: dict[str, Any]
    results: list[dict[str, Any]]
    failures: list[str]
    files: dict[str, str]
    runs: list[dict[str, Any]]
    components: dict[str, Any]

    @property
    def title(self) -> str:
        """What it is, on which data, at which scale."""
        return str(self.about["title"])

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.about["data"])

    @property
    def settings(self) -> dict[str, Any]:
        """With which published numbers are compared."""
        return dict(self.about["settings"])

    @property
    def on(self) -> str:
        """The data, and of classifiers on how many images and for how long they were trained: their regime."""
        settings = self.settings
        if "scored" not in settings:
            return self.data
        return f"{self.data}, {settings['train_images']:,} images × {settings['epochs']} epochs"

    @property
    def watermark(self) -> str | None:
        """A warning that belongs on everything made from it; None for numbers that mean something."""
        return self.about["watermark"] or (f"PARTIAL: {len(self.failures)} missing" if self.failures else None)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row per number and network, without the means over seeds where there are seeds."""
        return of_networks(self.results)

    def file(self, name: str) -> Path:
        """One of its files.

        Raises:
            BadInput: it is missing, or is not the file that was written.
        """
        path = self.directory / name
        if not path.is_file() or digest_of(path) != self.files[name]:
            found = "another file" if path.is_file() else "nothing"
            raise BadInput(str(path), found, f"the file that {self.directory / 'result.json'} describes; run it again")
        return path

    def pictures(self) -> list[str]:
        """Names of its figures, without suffix, in the order in which they were drawn."""
        return [name.removesuffix(".png") for name in self.files if name.endswith(".png")]


def read_document(path: Path, name: str) -> Document | None:
    """A job's ``result.json``; None for another version's, or another program's.

    Args:
        path: of it.
        name: for the document.

    Raises:
        BadInput: not JSON, or names of files that are paths.
    """
    needed = "the result.json of a job; run the job again"
    if not path.is_file():
        raise BadInput(str(path), "something that is no file", needed)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise BadInput(str(path), f"a file that is not JSON ({str(problem)[:120]})", needed) from None
    if not isinstance(found, dict) or found.get("schema") != 1 or not found.keys() >= NEEDED:
        return None
    for each in found["files"]:  # they become parts of paths that are written
        if not is_plain_name(each):
            raise BadInput(str(path), f"a file called {each!r}", "names of files beside it, without directories")
    rest = {key: found[key] for key in ("config", "about", "results", "files", "runs")}
    return Document(
        path.parent,
        name,
        program=found["command"],
        failures=found.get("failures", []),
        components=found.get("components", {}),
        **rest,
    )


def read_documents(directories: Sequence[Path]) -> tuple[list[Document], list[Path]]:
    """All documents under some directories.

    Of two with the same configuration on the same data, the one in the later directory counts: what a user has
    measured again takes the place of what came with the toolkit.

    Returns:
        The documents, and the files that are left out because another version wrote them.

    Raises:
        BadInput: one of them is damaged.
    """
    found: dict[str, Document] = {}
    names: set[str] = set()
    left_out = []
    for directory in directories:
        for path in sorted(Path(directory).rglob("result.json")):
            name = slug("-".join(path.parent.relative_to(directory).parts)) or slug(Path(directory).name)
            while name in names:
                name += "-again"
            names.add(name)
            document = read_document(path, name)
            if document is None:
                left_out.append(path)
                continue
            asked = {key: value for key, value in document.config.items() if key != "execution"}
            found[json.dumps([document.program, document.data, asked], sort_keys=True)] = document
    return list(found.values()), left_out
