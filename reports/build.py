"""One page and one set of files from everything that has been measured: ``python -m reports.build``.

Reads the documents that jobs have left (``result.json`` beside their figures), puts every published value and statement
beside ours, and writes ``report/index.html``, which holds everything it shows, beside it ``report/runs.html`` with the
records of the runs behind the numbers, and under ``report/exhibits`` every table and figure as PNG, SVG, CSV and LaTeX.
Nothing is trained or measured here.
"""

import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from figures import label, save
from findings.document import Document, read_documents
from findings.published import measures, published
from findings.section import Section
from findings.sentences import enumerated
from findings.table import Cell, Table
from reports.answer import Finding, draw_finding, findings_of, open_sentence, pairs_of, rivals_sentence, scale_sentence
from reports.exhibits import SHOWN, block, bottom_line, headings, picture, shown_table
from reports.figure_2 import draw_masks
from reports.forest import differences_of, draw_differences
from reports.matrix import matrix_of
from reports.page import RUNS, Records, check_picture, render
from reports.sections import MASKS, sections
from reports.verdicts import Stated, published_table, statements, table_of_statements
from store import BadInput, below, list_runs, slug, write_atomically
from store.command_line import Options, command, json_document
from training.job import Job, document_step

__all__ = ["Config", "Report", "run"]

PROGRAM = "python -m reports.build"


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
        page: the HTML file; the records of runs lie beside it.
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
    for place in (directory / "index.html", directory / RUNS, exhibits, *sorted(exhibits.glob("*"))):
        below(place, options.out)
    documents, more = _showable(documents)
    damaged += more
    for problem in damaged:
        options.say(f"damaged: {problem}")
    records = Records(documents)
    files: list[Path] = []
    stated = statements(documents)
    pairs = pairs_of(documents)
    findings = [_finding(finding, exhibits, files) for finding in findings_of(stated, pairs)]
    differences = [
        _drawn(f"differences-{slug(measure)}", draw_differences(measure, alike), exhibits, files)
        | {"title": measures()[measure].name}
        for measure, alike in differences_of(stated).items()
    ]
    said, parts = headings(documents), []
    for section in tqdm(sections(), desc="sections", unit="section", disable=None, leave=False):
        blocks = [
            block(section, document, said[document.name], records, exhibits, files)
            for document in _of(section, documents)
        ]
        if section is MASKS:
            blocks = [_masks(section, exhibits, files)]
        measured = [each for each in blocks if not each["watermark"]]
        parts.append({"section": section, "blocks": measured, "marked": [each for each in blocks if each["watermark"]]})
    beside, table = published_table(documents), table_of_statements(stated)
    files += beside.write(exhibits / "published-values") + table.write(exhibits / "statements")
    common: dict[str, Any] = {"version": metadata.version("mixinfo"), "built": datetime.now(UTC).strftime("%Y-%m-%d")}
    matrix = matrix_of(stated)
    page = render(
        "report.html",
        **common,
        findings=findings,
        open=open_sentence(stated),
        rivals=rivals_sentence(pairs),
        scale=scale_sentence(list(beside.numbers["verdict"])),
        matrix=matrix,
        data_in_words=enumerated(matrix.data) if matrix.data else "",
        differences=differences,
        parts=parts,
        beside=shown_table(beside, records, rows=_rows_of_published()),
        stated=shown_table(table, records, rows=_rows_of_statements(stated)),
        commit=_commit(),
        store=_store(options.store),
        data=_data(documents),
        versions=_versions(documents),
        devices=_devices(documents),
        citation=_citation(),
        sources=sorted({(value.source, value.link) for value in published()}),
        commands=sorted({value.command for value in published()}),
    )
    for name, text in (("index.html", page), (RUNS, render("runs.html", **common, records=records))):
        with write_atomically(directory / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    report = Report(directory / "index.html", files, documents, beside.numbers, table.numbers, damaged)
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
            stated = statements([document])
            for finding in findings_of(stated, pairs_of([document])):
                draw_finding(finding)
            for measure, alike in differences_of(stated).items():
                draw_differences(measure, alike)
            headings([document])
            bottom_line(document)
            Records([document]).open(document.directory.as_posix())
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


def _finding(finding: Finding, exhibits: Path, files: list[Path]) -> dict[str, Any]:
    """One finding of the first screen with its figure."""
    at = f"exhibit-{finding.document.name}" if finding.place is None else f"statement-{finding.place}"
    drawn = _drawn(f"finding-{slug(finding.document.name)}", draw_finding(finding), exhibits, files)
    return {"finding": finding, "at": at, "picture": drawn}


def _drawn(name: str, drawn: tuple[Figure, pd.DataFrame, str], exhibits: Path, files: list[Path]) -> dict[str, Any]:
    """A figure made while the report is built, on the page."""
    figure, numbers, words = drawn
    files += save(figure, exhibits / name, numbers)
    return picture(exhibits / f"{name}.png", words)


def _rows_of_statements(stated: Sequence[Stated]) -> list[dict[str, str]]:
    """By what a line of the statements' table is found."""
    return [
        {
            "id": f"statement-{place}",
            "data": statement.document.data if statement.document else "",
            "augmentations": f"{label(statement.claim.above)}|{label(statement.claim.below)}",
        }
        for place, statement in enumerate(stated)
    ]


def _rows_of_published() -> list[dict[str, str]]:
    return [{"id": "", "data": "", "augmentations": label(value.augmentation)} for value in published()]


def _masks(section: Section, exhibits: Path, files: list[Path]) -> dict[str, Any]:
    figure, statistics = draw_masks()
    files += save(figure, exhibits / "figure-2", statistics)
    head = list(statistics.columns)
    lines = [
        [Cell(f"{value:.3f}" if isinstance(value, float) else str(value)) for value in row]
        for row in statistics.to_numpy(object)
    ]
    table = Table("Masks of 32×32 pixels, λ uniform, δ = 3", head, lines, statistics)
    files += table.write(exhibits / "figure-2-statistics")
    return {
        "id": "exhibit-figure-2",
        "title": "Masks and mixed photographs",
        "data": "",
        "watermark": None,
        "tables": [shown_table(table, Records([]))],
        "pictures": [picture(exhibits / "figure-2.png", section.pictures["figure-2"])],
        "means": "The masks that the reference code draws, and with which the published numbers were very likely "
        "obtained, are not those of the paper's text: its frequencies reach one along the last axis and are positive "
        "along the first, so that a mask is a single band, and slants one way.",
        "conclusions": "",
        "command": PROGRAM,
        "group": "",
        "runs": 0,
    }


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


def _devices(documents: list[Document]) -> list[str]:
    """On what the runs were computed, and how many of them."""
    records = {str(run["record"]["hash"]): run["record"] for document in documents for run in document.runs}
    counts = Counter((str(record.get("device")), str(record.get("threads"))) for record in records.values())
    return [f"{count:,} runs on {device}, threads a process: {threads}" for (device, threads), count in counts.items()]


def _citation() -> str:
    """CITATION.cff, where the toolkit's own repository is at hand."""
    path = Path(__file__).resolve().parent.parent / "CITATION.cff"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


JOB = Job(PROGRAM, lambda config, before: document_step(config, [step for step in before if step.kind == "document"]))


EXAMPLES = ("--results results out", "--results out --dry-run")

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
