"""One page and one set of files from everything that has been measured: ``python -m reports.build``.

Reads the documents that jobs have left (``result.json`` beside their figures), puts every published value and statement
beside ours, and writes ``report/index.html``, which holds everything it shows, and under ``report/exhibits`` every
table and figure as PNG, SVG, CSV and LaTeX. Nothing is trained or measured here.
"""

import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from figures import save
from findings.document import Document, read_documents
from findings.published import published
from findings.section import Section
from findings.table import Cell, Table
from reports.figure_2 import draw_masks
from reports.page import Records, check_picture, embedded, render
from reports.sections import MASKS, sections
from reports.verdicts import claims_table, published_table
from store import BadInput, below, list_runs, write_atomically
from store.command_line import Options, command, json_document
from training.job import Job, document_step

__all__ = ["Config", "Report", "run"]

PROGRAM = "python -m reports.build"

SHOWN = (".png", ".svg", ".csv")
"""Suffixes of those of a picture's files that the report hands on."""


@dataclass(frozen=True)
class Config:
    """Build the report from what jobs have measured.

    One page, OUT/report/index.html, comes out, with tables and figures, what the paper has beside what was measured
    here, and which of its statements hold. Nothing is trained.
    """

    results: tuple[Path, ...] = (Path("results"), Path("out"))
    """directories with the documents of jobs; what is in a later one takes the place of the same in an earlier one"""
    execution: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Report:
    """What has been built.

    Args:
        page: the HTML file.
        files: tables and figures.
        documents: it was made from.
        published: published values beside ours.
        claims: the paper's statements.
        damaged: what is wrong with documents that are not in it.
    """

    page: Path
    files: list[Path]
    documents: list[Document]
    published: pd.DataFrame
    claims: pd.DataFrame
    damaged: list[BadInput] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0, or 1 where a document is damaged."""
        return int(bool(self.damaged))

    def __repr__(self) -> str:
        verdicts = Counter(self.published["verdict"]), Counter(self.claims["verdict"])
        return "\n".join(
            [
                f"{len(self.documents)} documents",
                "published values: " + ", ".join(f"{count} {name}" for name, count in verdicts[0].items()),
                "the paper's statements: " + ", ".join(f"{count} {name}" for name, count in verdicts[1].items()),
                str(self.page),
            ]
        )

    def _repr_html_(self) -> str:
        return self.claims.to_html(index=False)


def run(config: Config) -> Report | None:
    """Build the report; None in a dry run."""
    options = config.execution
    if not any(path.is_dir() for path in config.results):
        given = " ".join(map(str, config.results)) or "nothing"
        raise BadInput("--results", given, "directories, one of which is there")
    read, left_out, damaged = read_documents(config.results)
    if damaged and not read:
        raise damaged[0]
    documents = _ordered([document for document in read if _section(document)])
    for path in left_out:
        options.say(f"left out: {path}, which another version has written; run the job again")
    if options.dry_run:
        for section in sections():
            names = [document.directory.as_posix() for document in _of(section, documents)]
            made = "made while building" if section is MASKS else "nothing"
            options.say(f"{section.title}: {', '.join(names) or made}")
        for problem in damaged:
            options.say(f"damaged: {problem}")
        return None
    directory = options.out / "report"
    exhibits = directory / "exhibits"
    for place in (directory / "index.html", exhibits, *sorted(exhibits.glob("*"))):
        below(place, options.out)
    documents, more = _showable(documents)
    damaged += more
    for problem in damaged:
        options.say(f"damaged: {problem}")
    records = Records(documents)
    files: list[Path] = []
    parts = []
    for section in tqdm(sections(), desc="sections", unit="section", disable=None, leave=False):
        blocks = [_block(section, document, records, exhibits, files) for document in _of(section, documents)]
        if section is MASKS:
            blocks = [_masks(section, exhibits, files)]
        parts.append({"section": section, "blocks": blocks})
    beside, stated = published_table(documents), claims_table(documents)
    files += beside.write(exhibits / "published-values") + stated.write(exhibits / "statements")
    page = render(
        parts=parts,
        beside=_shown(beside, records),
        stated=_shown(stated, records),
        records=records,
        commit=_commit(),
        version=metadata.version("mixinfo"),
        built=datetime.now(UTC).strftime("%Y-%m-%d"),
        store=_store(options.store),
        data=_data(documents),
        versions=_versions(documents),
        sources=sorted({(value.source, value.link) for value in published()}),
        commands=sorted({value.command for value in published()}),
    )
    with write_atomically(directory / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    report = Report(directory / "index.html", files, documents, beside.numbers, stated.numbers, damaged)
    rows = report.claims.astype(object).where(report.claims.notna(), None).to_dict("records")
    options.write(json_document(PROGRAM, config, [{str(key): value for key, value in row.items()} for row in rows]))
    options.say(repr(report))
    return report


def _showable(documents: list[Document]) -> tuple[list[Document], list[BadInput]]:
    """The documents that can be shown, and what is wrong with the others: anybody may have written them."""
    fine: list[Document] = []
    damaged: list[BadInput] = []
    for document in documents:
        section, path = _section(document), document.directory / "result.json"
        assert section is not None
        try:
            for name in document.pictures():
                for suffix in SHOWN:
                    if name + suffix in document.files:
                        document.file(name + suffix)
                check_picture(document.file(f"{name}.png"))
            for table in (section.table, section.further):
                if table:
                    table(document)
            published_table([document])
            claims_table([document])
            fine.append(document)
        except BadInput as problem:
            damaged.append(problem)
        except Exception as problem:  # whatever a table makes of numbers that no job has written
            reason = " ".join(str(problem).split())[:120]
            got = f"numbers that cannot be shown ({type(problem).__name__}: {reason})"
            damaged.append(BadInput(str(path), got, "a document that a job has written"))
    return fine, damaged


def _section(document: Document) -> Section | None:
    of_program = (section for section in sections() if section.program == document.program)
    return next((section for section in of_program if section.wanted(document)), None)


def _of(section: Section, documents: list[Document]) -> list[Document]:
    return [document for document in documents if _section(document) is section]


def _ordered(documents: list[Document]) -> list[Document]:
    """What can be compared with the paper first, then more images before fewer; what means nothing last."""

    def place(document: Document) -> tuple[bool, bool, int, int, str]:
        settings = document.settings
        images = int(settings.get("train_images", 0))
        return bool(document.watermark), "CIFAR" not in document.data, -images, -len(document.results), document.name

    return sorted(documents, key=place)


def _block(section: Section, document: Document, records: Records, exhibits: Path, files: list[Path]) -> dict[str, Any]:
    """One document in its section; its exhibits are written beside the page."""
    pictures = []
    for name in document.pictures():
        words = next((text for start, text in section.pictures.items() if name.startswith(start)), name)
        stem = document.name if document.name.startswith(name) else f"{document.name}-{name}"
        for suffix in SHOWN:
            if name + suffix in document.files:
                files.append(_copied(document.file(name + suffix), exhibits / (stem + suffix)))
        data, width, height = embedded(document.file(f"{name}.png"))
        pictures.append({"data": data, "width": width, "height": height, "words": f"{words} {document.title}."})
    table = section.table(document) if section.table else None
    further = section.further(document) if section.further else None
    for shown, name in ((table, "table"), (further, "further")):
        if shown:
            files += shown.write(exhibits / f"{document.name}-{name}")
    return {
        "title": document.title,
        "watermark": document.watermark,
        "pictures": pictures,
        "tables": [_shown(shown, records) for shown in (table, further) if shown],
        "conclusions": document.about.get("conclusions", ""),
        "command": document.about["command"],
        "group": records.open(document.directory.as_posix()),
        "runs": len(document.runs),
    }


def _masks(section: Section, exhibits: Path, files: list[Path]) -> dict[str, Any]:
    figure, statistics = draw_masks()
    files += save(figure, exhibits / "figure-2", statistics)
    data, width, height = embedded(exhibits / "figure-2.png")
    head = list(statistics.columns)
    lines = [
        [Cell(f"{value:.3f}" if isinstance(value, float) else str(value)) for value in row]
        for row in statistics.to_numpy(object)
    ]
    table = Table("Masks of 32×32 pixels, λ uniform, δ = 3", head, lines, statistics)
    files += table.write(exhibits / "figure-2-statistics")
    return {
        "title": "Masks and mixed photographs",
        "watermark": None,
        "tables": [_shown(table, Records([]))],
        "pictures": [{"data": data, "width": width, "height": height, "words": section.pictures["figure-2"]}],
        "conclusions": "The masks that the reference code draws, and with which the published numbers were very likely "
        "obtained, are not those of the paper's text: its frequencies reach one along the last axis and are positive "
        "along the first, so that a mask is a single band, and slants one way.",
        "command": PROGRAM,
        "group": "",
        "runs": 0,
    }


def _shown(table: Table, records: Records) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "head": table.head,
        "notes": table.notes,
        "lines": [
            [(cell, records.open(cell.group), span) for cell in line]
            for line, span in zip(table.lines, _spans([line[0].text for line in table.lines]), strict=True)
        ],
    }


def _spans(names: list[str]) -> list[int]:
    """How many lines each name's cell covers; 0 where the name above still stands.

    Example:
        >>> _spans(["a", "a", "b"])
        [2, 0, 1]
    """
    spans: list[int] = []
    for _, same in groupby(names):
        count = len(list(same))
        spans += [count] + [0] * (count - 1)
    return spans


def _copied(source: Path, target: Path) -> Path:
    with write_atomically(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def _commit() -> str:
    """The commit of the toolkit's own repository, if it is one."""
    home = Path(__file__).resolve().parent.parent
    try:
        words = ["git", "-C", str(home), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _store(store: Path) -> list[tuple[str, int, int]]:
    """Kind, finished runs and others."""
    counts = Counter((row["kind"], row["status"] == "done") for row in list_runs(store))
    return [(kind, counts[kind, True], counts[kind, False]) for kind in sorted({kind for kind, _ in counts})]


def _data(documents: list[Document]) -> list[tuple[str, str]]:
    """Every data set's name and content hash."""
    sets = (run["record"]["data"] for document in documents for run in document.runs)
    return sorted({(data["name"], data["sha256"]) for data in sets})


def _versions(documents: list[Document]) -> list[str]:
    versions = (item for document in documents for item in document.about["versions"].items())
    return sorted({f"{name} {version}" for name, version in versions})


JOB = Job(PROGRAM, lambda config, before: document_step(config, [step for step in before if step.kind == "document"]))


EXAMPLES = ("--results results out", "--results out --dry-run")

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
