"""What a job found, as it stands in ``result.json``: the document is written, read and joined here.

A job leaves a document beside its figures, which the report is made from: its rows, the sentences they allow, and the
runs behind them.
"""

import base64
import html
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from findings.decisions import Decision, decisions_sentence, finished
from findings.over_seeds import of_networks
from findings.row import oddity
from findings.text import as_html, laid_out, printed
from store import BadInput, digest_of, provenance, slug, write_atomically
from store.command_line import as_text, json_document
from store.places import in_own_directory, is_plain_name

__all__ = [
    "Document",
    "Result",
    "check_joinable",
    "latest",
    "publish",
    "read_document",
    "read_documents",
    "write_conclusions",
]


@dataclass(frozen=True)
class Result:
    """What a job found.

    Args:
        rows: as in the ``--json`` document.
        table: the rows summarised.
        text: what it comes to, tables and sentences, a `findings.text.Text`, or lines as `findings.sentences` has them.
        files: what was written.
        failures: why networks are missing.
        decisions: what became of every pair of augmentations, where seeds are added until all is decided.
    """

    rows: list[dict[str, Any]]
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    text: str = ""
    files: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0, or 1 when a network is missing."""
        return int(bool(self.failures))

    def __repr__(self) -> str:
        return laid_out(self.text)

    def _repr_html_(self) -> str:
        shown = [file for file in self.files if file.suffix == ".png" and file.exists()]
        pictures = "".join(
            f'<img alt="{html.escape(file.stem)}" style="max-width: 48em" '
            f'src="data:image/png;base64,{base64.b64encode(file.read_bytes()).decode("ascii")}">'
            for file in shown
        )
        return f"<div>{as_html(self.text)}{pictures}</div>"


def write_conclusions(path: Path, text: str) -> None:
    """Write a document's text for people, as it is printed where there is no terminal."""
    with write_atomically(path) as temporary:
        temporary.write_text(laid_out(text) + "\n", encoding="utf-8")


def _origin() -> dict[str, Any]:
    origin = provenance("", 0)
    return {"versions": origin["versions"], "command": origin["command"]}


def publish(
    result: Result,
    program: str,
    config: Any,
    directory: Path,
    about: dict[str, Any],
    runs: list[dict[str, Any]],
    more: Mapping[str, Any] | None = None,
) -> Result:
    """Print a result, and write ``rows.csv``, ``conclusions.txt`` and the document ``result.json`` beside its figures.

    The document is what ``--json`` writes, and what the report is made from. The text is laid out where it is printed,
    in the terminal's columns, and in ``conclusions.txt``; in the document a paragraph is one line. At a look that is
    not the last one (`findings.decisions`) only what is decided is printed, and ``--json`` has nothing yet.

    Args:
        result: with the figures' files.
        program: ``python -m …``.
        config: its configuration, with ``execution``.
        directory: where.
        about: ``title``; ``data``, the data set's name; ``settings``, with which published numbers are compared;
            ``conclusions``, the sentences of the text without its tables; and ``watermark``, None for numbers that
            mean something. The text's bottom line is added as ``bottom_line``.
        runs: `store.evidence` behind the numbers.
        more: what else the text is made from, ``components`` of the variance of each measure for one.

    Returns:
        The result with all files.

    Raises:
        BadInput: ``directory`` is reached through a link, or one of the files is one.
    """
    options = config.execution
    written = [in_own_directory(directory / name) for name in ("rows.csv", "conclusions.txt", "result.json")]
    last = finished(config, result.decisions)
    shown = result.text if last else decisions_sentence(result.decisions, asdict(config))
    options.say("\n" + printed(shown, sys.stderr if options.json == "-" else sys.stdout) + "\n")
    for failure in result.failures:
        options.say(f"missing from the table: {failure}")
    rows, conclusions, document_file = written
    with write_atomically(rows) as temporary:
        pd.DataFrame(result.rows).to_csv(temporary, index=False)
    write_conclusions(conclusions, result.text)
    document = json_document(program, config, result.rows) | {
        "about": about | {"bottom_line": getattr(result.text, "bottom_line", "")} | _origin(),
        "text": result.text,
        "failures": result.failures,
        "files": {file.name: digest_of(file) for file in result.files},
        "runs": runs,
        **(more or {}),
    }
    with write_atomically(document_file) as temporary:
        temporary.write_text(as_text(document) + "\n", encoding="utf-8")
    files = result.files + written
    if last:
        options.write(document)
        for file in files:
            options.say(str(file))
    return replace(result, files=files)


NEEDED = {"schema", "command", "config", "results", "about", "files", "runs"}

NAMED = NEEDED | {"failures", "components", "text"}


@dataclass(frozen=True, eq=False)
class Document:
    """What a job found, as it wrote it.

    Args:
        directory: where it lies, with its figures.
        name: that tells it from all others, of letters that a path may have.
        program: ``python -m …``.
        config: the job's configuration.
        about: title, data, settings, bottom_line, conclusions, watermark, versions, command.
        results: the rows.
        failures: why networks are missing.
        files: its figures and tables, with their SHA-256.
        runs: what stands behind the numbers; see `store.evidence`.
        components: of the variance of each measure, `findings.components.Components.as_json`; none in older ones.
        more: what else an analysis keeps, by which its own section of the report is made.
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
    more: dict[str, Any]

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
    def items(self) -> str:
        """What networks were trained and scored on: ``"images"``, or what else they classify."""
        return str(self.about["settings"].get("items", "images"))

    @property
    def on(self) -> str:
        """The data, and of classifiers on how many images and for how long they were trained: their regime."""
        settings = self.settings
        if "scored" not in settings:
            return self.data
        return f"{self.data}, {settings['train_images']:,} {self.items} × {settings['epochs']} epochs"

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
            got = "another file" if path.is_file() else "nothing"
            raise BadInput(str(path), got, f"the file that {self.directory / 'result.json'} describes; run it again")
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
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        raise BadInput(str(path), f"a file that is not JSON ({str(problem)[:120]})", needed) from None
    if not isinstance(content, dict) or content.get("schema") != 1 or not content.keys() >= NEEDED:
        return None
    if (odd := _oddity(content)) is not None:
        raise BadInput(str(path), odd, needed)
    for file in content["files"]:  # they become parts of paths that are written
        if not is_plain_name(file):
            raise BadInput(str(path), f"a file called {file!r}", "names of files beside it, without directories")
    return Document(
        path.parent,
        name,
        program=content["command"],
        failures=content.get("failures", []),
        components=content.get("components", {}),
        more={key: value for key, value in content.items() if key not in NAMED},
        **{key: content[key] for key in ("config", "about", "results", "files", "runs")},
    )


LARGEST = 64 * 2**20
"""Bytes of a document; ours are of a megabyte at most."""


def _no_number(word: str) -> float:
    raise ValueError(f"{word}, which is no number")


def _oddity(content: dict[str, Any]) -> str | None:
    """What about a document is of another type than all that is read from it; None where nothing is."""
    kinds = {"command": str, "config": dict, "about": dict, "results": list, "files": dict, "runs": list}
    shapes: list[tuple[str, Any, type]] = [(key, content[key], kind) for key, kind in kinds.items()]
    shapes += [("failures", content.get("failures", []), list), ("components", content.get("components", {}), dict)]
    about, results = content["about"], content["results"]
    if isinstance(about, dict):
        shapes += [(f"about’s {key}", about.get(key), str) for key in ("title", "data", "command")]
        shapes += [("about’s settings", about.get("settings"), dict), ("about’s versions", about.get("versions"), dict)]
        shapes += [(f"about’s {key}", about.get(key) or "", str) for key in ("bottom_line", "conclusions", "watermark")]
    for name, value, kind in shapes:
        if not isinstance(value, kind):
            return f"{name} of type {type(value).__name__}"
    if not results or not all(isinstance(row, dict) for row in results):
        return "results that are not rows"
    if (odd := next(filter(None, map(oddity, results)), None)) is not None:
        return odd
    if not all(isinstance(digest, str) for digest in content["files"].values()):
        return "files without hashes"
    for run in content["runs"]:
        record = run.get("record") if isinstance(run, dict) else None
        data = record.get("data") if isinstance(record, dict) else None
        if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("name", "sha256")):
            return "runs without their records"
    return None


UNASKED = ("execution", "most")
"""Of a configuration, what does not tell one question from another; nor does an option that older documents lack, as
long as it is off."""


def read_documents(directories: Sequence[Path]) -> tuple[list[Document], list[Path], list[BadInput]]:
    """All documents under some directories.

    Of two with the same configuration on the same data, the one in the later directory counts: what a user has
    measured again takes the place of what came with the toolkit.

    Returns:
        The documents, the files that are left out because another version wrote them, and what is wrong with those that
        are damaged.
    """
    documents: dict[str, Document] = {}
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
            # where seeds are added until all is decided, their number is an answer
            unasked = (*UNASKED, "seeds") if document.config.get("until") else UNASKED
            asked = {key: value for key, value in document.config.items() if key not in unasked and value}
            documents[json.dumps([document.program, document.data, asked], sort_keys=True)] = document
    return list(documents.values()), left_out, damaged


FREE = ("augmentation", "augmentation_source", "augmentations", "augmentation_sources", "seeds", "first_seed")
"""Settings in which documents to be joined may differ."""


def check_joinable(documents: Sequence[Mapping[str, Any]]) -> None:
    """Refuse documents that differ in more than the seeds and augmentations of their networks.

    Raises:
        BadInput: documents of other jobs, settings, data or versions of the analysis.
    """

    for document in documents:
        if document["config"].get("until") is not None:
            raise BadInput("documents", "one whose seeds were added until all was decided", "fixed numbers of seeds")

    def fixed(document: Mapping[str, Any]) -> dict[str, Any]:
        settings = document["about"]["settings"]
        return {"command": document["command"]} | {name: settings[name] for name in settings if name not in FREE}

    first, *others = map(fixed, documents)
    for other in others:
        if (differs := [key for key in first | other if first.get(key) != other.get(key)]) != []:
            got = ", ".join(f"{key} {other.get(key)} beside {first.get(key)}" for key in differs)
            raise BadInput("documents", got, "documents that differ in seeds and augmentations alone")


def latest(items: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The items without those that a later one replaces, which has the same values of ``keys``."""
    return list({tuple(item.get(key) for key in keys): dict(item) for item in items}.values())
