"""The report in short, as blocks of ``docs/report.md``: its first screen, its matrix and its forest plots, as Markdown.

By `results/pages.py`, which writes the pictures beside the page, as ``docs/report/``.
"""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from figures import style
from findings.document import Document, read_documents
from findings.published import measures
from reports.answer import draw_finding, findings_of, open_sentence, pairs_of, rivals_sentence, scale_sentence
from reports.forest import differences_of, draw_differences
from reports.matrix import matrix_of
from reports.page import reduced
from reports.verdicts import Stated, published_table, statements
from store import slug

__all__ = ["ShortReport"]

MARKS = {"holds": "🟢", "is reversed": "🔴", "is contradicted": "🔴", "are equal": "🟡"}
"""Of verdicts, beside their words."""


class ShortReport:
    """The blocks of the page, and its pictures.

    Args:
        results: the directory of the records.
    """

    def __init__(self, results: Path) -> None:
        self.documents: list[Document] = read_documents([results])[0]
        self.stated: Sequence[Stated] = statements(self.documents)
        self.pairs = pairs_of(self.documents)
        self.pictures: dict[str, Figure] = {}

    def answer(self) -> str:
        """Findings with their figures, and what could not be told."""
        parts = []
        for number, finding in enumerate(findings_of(self.stated, self.pairs), 1):
            drawn, _, words = draw_finding(finding)
            parts.append(f"**{number}. {finding.sentence}** {finding.evidence} {finding.explained}".strip())
            parts.append(self._picture(f"finding-{number}", drawn, words))
        parts.append(
            "Each holds for its whole family of comparisons; that one a measure was picked is not corrected for."
        )
        if rivals := rivals_sentence(self.pairs):
            parts.append(f"**MixUp or CutMix?** {rivals}")
        verdicts = list(published_table(self.documents).numbers["verdict"])
        parts.append(f"{open_sentence(self.stated)} {scale_sentence(verdicts)}")
        return "\n\n".join(parts)

    def matrix(self) -> str:
        """Statements by data sets, a verdict for each regime."""
        matrix = matrix_of(self.stated)
        lines = [f"| the paper says | {' | '.join(matrix.data)} |", "| --- |" + " --- |" * len(matrix.data)]
        for name, group in matrix.groups:
            lines.append(f"| **{name.replace('|', chr(92) + '|')}** |" + " |" * len(matrix.data))
            for line in group:
                cells = (
                    "<br>".join(
                        f"{MARKS.get(each['verdict'], '⚪')} {each['word']} <sub>{each['regime']}</sub>"
                        for each in cell
                    )
                    for cell in line["cells"]
                )
                lines.append(f"| {line['claim']} ({line['where']}) | {' | '.join(cells)} |")
        return "\n".join(lines)

    def differences(self) -> str:
        """A forest plot a measure."""
        parts = []
        for measure, alike in differences_of(self.stated).items():
            drawn, _, words = draw_differences(measure, alike)
            title = measures()[measure].name
            parts.append(f"**{title[0].upper()}{title[1:]}**\n\n{self._picture(slug(measure), drawn, words)}")
        return "\n\n".join(parts)

    def _picture(self, name: str, drawn: Figure, words: str) -> str:
        self.pictures[f"{name}.png"] = drawn
        return f"![{words.replace('|', chr(92) + '|')}](report/{name}.png)"

    def write(self, directory: Path) -> None:
        """Write the pictures of the blocks that were made, with as many colours as the report's."""
        directory.mkdir(exist_ok=True)
        for old in directory.glob("*.png"):
            old.unlink()
        for name, drawn in self.pictures.items():
            with style():
                drawn.savefig(directory / name, dpi=130, metadata={"Software": None})
            with Image.open(directory / name) as picture:
                small = reduced(picture)
            small.save(directory / name, optimize=True)
