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
        BadInput: not JSON, of an absurd size, not of the shape of a document, or with names of files that are paths.
    """
    needed = "the result.json of a job; run the job again"
    if not path.is_file():
        raise BadInput(str(path), "something that is no file", needed)
    if path.stat().st_size > LARGEST:
        raise BadInput(str(path), f"{path.stat().st_size:,} bytes", f"at most {LARGEST:,}")
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise BadInput(str(path), f"a file that is not JSON ({str(problem)[:120]})", needed) from None
    if not isinstance(found, dict) or found.get("schema") != 1 or not found.keys() >= NEEDED:
        return None
    if (odd := _oddity(found)) is not None:
        raise BadInput(str(path), odd, needed)
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


LARGEST = 64 * 2**20
"""Bytes of a document; ours are of a megabyte at most."""


def _no_number(word: str) -> float:
    raise ValueError(f"{word}, which is no number")


def _oddity(found: dict[str, Any]) -> str | None:
    """What about a document is of another type than all that is read from it; None where nothing is."""
    about, results = found["about"], found["results"]
    shapes = [
        ("command", found["command"], str), ("config", found["config"], dict), ("about", about, dict),
        ("results", results, list), ("files", found["files"], dict), ("runs", found["runs"], list),
        ("failures", found.get("failures", []), list), ("components", found.get("components", {}), dict),
    ]  # fmt: skip
    if isinstance(about, dict):
        shapes += [(f"about’s {key}", about.get(key), str) for key in ("title", "data", "command")]
        shapes += [("about’s settings", about.get("settings"), dict), ("about’s versions", about.get("versions"), dict)]
        shapes += [(f"about’s {key}", about.get(key) or "", str) for key in ("conclusions", "watermark")]
    for name, value, kind in shapes:
        if not isinstance(value, kind):
            return f"{name} of type {type(value).__name__}"
    if not results or not all(isinstance(row, dict) for row in results):
        return "results that are not rows"
    for row in results:
        for key, kinds in ROW.items():
            if not isinstance(row.get(key), kinds) or isinstance(row.get(key), bool):
                return f"a row whose {key} is {str(row.get(key))[:40]!r}"
    if not all(isinstance(digest, str) for digest in found["files"].values()):
        return "files without hashes"
    for run in found["runs"]:
        record = run.get("record") if isinstance(run, dict) else None
        data = record.get("data") if isinstance(record, dict) else None
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "sha256")):
            return "runs without their records"
    return None


ROW: dict[str, Any] = {
    "quantity": str, "estimator": str, "value": (int, float, type(None)), "standard_error": (int, float, type(None)),
    "n": (int, type(None)), "augmentation": (str, type(None)), "seed": (int, type(None)),
    "noise": (int, float, type(None)), "inputs": (str, type(None)), "cap": (int, float, type(None)),
}  # fmt: skip
"""Types of what is read of every row."""


def read_documents(directories: Sequence[Path]) -> tuple[list[Document], list[Path], list[BadInput]]:
    """All documents under some directories.

    Of two with the same configuration on the same data, the one in the later directory counts: what a user has
    measured again takes the place of what came with the toolkit.

    Returns:
        The documents, the files that are left out because another version wrote them, and what is wrong with those that
        are damaged.
    """
    found: dict[str, Document] = {}
    names: set[str] = set()
    left_out: list[Path] = []
    damaged: list[BadInput] = []
    for directory in directories:
        for path in sorted(Path(directory).rglob("result.json")):
            name = slug("-".join(path.parent.relative_to(directory).parts)) or slug(Path(directory).name)
            while name in names:
                name += "-again"
            names.add(name)
            try:
                document = read_document(path, name)
            except BadInput as problem:
                damaged.append(problem)
                continue
            except OSError as problem:
                damaged.append(BadInput(str(path), f"{problem.strerror}", "a file that can be read"))
                continue
            if document is None:
                left_out.append(path)
                continue
            asked = {key: value for key, value in document.config.items() if key != "execution"}
            found[json.dumps([document.program, document.data, asked], sort_keys=True)] = document
    return list(found.values()), left_out, damaged
