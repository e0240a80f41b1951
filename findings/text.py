"""A text in its parts, which is laid out only where a width is known: a bottom line, then tables and paragraphs.

As a string a `Text` is what a document keeps: its tables in `WIDTH` columns, a paragraph or an item of a list a line.
On a terminal it is laid out in the terminal's columns (`printed`), in a notebook as HTML (`as_html`).
"""

import html
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text as Styled
from rich.theme import Theme

from findings.sentences import WIDTH, wrapped

__all__ = ["Block", "Tabular", "Text", "as_html", "laid_out", "printed", "with_paragraph"]

BOTTOM_LINE = "Bottom line:"

UNWRAPPED = 10**6
"""Letters of a line of prose in a document: all of a paragraph."""

BETWEEN = 2
"""Spaces between two columns."""


@dataclass(frozen=True)
class Tabular:
    """A table of a text: cells as they are read, the first one of a line to the left and the others to the right.

    Args:
        head: of the columns, in one line or two; an empty line is left out.
        lines: of cells, as many in each as there are columns.
        caption: above it.
        notes: under it.
        keys: how many of the first columns say what a line is of.
    """

    head: Sequence[Sequence[str]]
    lines: Sequence[Sequence[str]]
    caption: str = ""
    notes: Sequence[str] = ()
    keys: int = 1

    def blocks(self, width: int) -> list[list[int]]:
        """Which columns stand beside each other in so many letters, the first ones in every block.

        Example:
            >>> Tabular([["name", "a", "b", "c"]], [["x", "1.0", "2.0", "3.0"]]).blocks(15)
            [[0, 1, 2], [0, 3]]
        """
        widths = self._widths()
        first = list(range(self.keys))
        blocks = [list(first)]
        for column in range(self.keys, len(widths)):
            needed = sum(widths[of] + BETWEEN for of in blocks[-1]) + widths[column]
            if needed > width and len(blocks[-1]) > self.keys:
                blocks.append(list(first))
            blocks[-1].append(column)
        return blocks

    def _widths(self) -> list[int]:
        return [max(map(cell_len, column)) for column in zip(*self.head, *self.lines, strict=True)]

    def pieces(self, width: int, prose: int) -> Iterator[tuple[str, str]]:
        """Its lines, each with its style: a heading's, or none.

        Args:
            width: of the columns beside each other.
            prose: of caption and notes.
        """
        if self.caption:
            yield wrapped(self.caption, prose), "head"
        widths = self._widths()
        rule = ""
        for block in self.blocks(width):
            rule = "─" * (sum(widths[column] for column in block) + BETWEEN * (len(block) - 1))
            yield rule, ""
            for line in self.head:
                if any(line[column] for column in block):
                    yield _joined(line, block, widths), "head"
            yield rule, ""
            for line in self.lines:
                yield _joined(line, block, widths), ""
        yield rule, ""
        for note in self.notes:
            yield wrapped(note, prose), ""

    def html(self) -> str:
        """The table for a notebook."""
        caption = f'<caption style="text-align: left">{html.escape(self.caption)}</caption>' if self.caption else ""
        head = "".join(_html_line(line, "th") for line in self.head if any(line))
        body = "".join(_html_line(line, "td") for line in self.lines)
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"

    def __str__(self) -> str:
        return "\n".join(line for line, _ in self.pieces(WIDTH, UNWRAPPED))


def _joined(line: Sequence[str], block: Sequence[int], widths: Sequence[int]) -> str:
    first, *others = block
    cells = [line[first] + " " * (widths[first] - cell_len(line[first]))]
    cells += [" " * (widths[column] - cell_len(line[column])) + line[column] for column in others]
    return (" " * BETWEEN).join(cells).rstrip()


def _html_line(line: Sequence[str], cell: str) -> str:
    aligned = ["left", *["right"] * (len(line) - 1)]
    cells = (
        f'<{cell} style="text-align: {side}">{html.escape(text)}</{cell}>'
        for side, text in zip(aligned, line, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


Block = str | Tabular
"""A table, or paragraphs and items of lists, one to a line."""


class Text(str):
    """A text that knows its parts.

    Args:
        bottom_line: what it comes to, in one to five sentences; may be empty.
        details: tables and paragraphs; empty ones are left out.

    Example:
        >>> print(Text("All is decided.", ["One paragraph.", Tabular([["name", "value"]], [["a", "1.00"]])]))
        Bottom line: All is decided.
        <BLANKLINE>
        One paragraph.
        <BLANKLINE>
        ───────────
        name  value
        ───────────
        a      1.00
        ───────────
    """

    bottom_line: str
    details: tuple[Block, ...]

    def __new__(cls, bottom_line: str, details: Sequence[Block]) -> Self:
        """Lay it out as documents keep it."""
        given = tuple(block for block in details if block)
        parts = [f"{BOTTOM_LINE} {bottom_line}"] if bottom_line else []
        text = super().__new__(cls, "\n\n".join([*parts, *map(str, given)]))
        text.bottom_line, text.details = bottom_line, given
        return text

    def __getnewargs__(self) -> Any:
        return self.bottom_line, self.details


def with_paragraph(text: str, paragraph: str) -> Text:
    """A text with one more paragraph at its end."""
    whole = text if isinstance(text, Text) else Text("", [text])
    return Text(whole.bottom_line, [*whole.details, paragraph])


def _pieces(text: str, width: int) -> Iterator[tuple[str, str]]:
    """The lines of a text in so many columns, and their styles; of prose in at most `WIDTH`."""
    whole = text if isinstance(text, Text) else Text("", [text])
    beginning = [f"{BOTTOM_LINE} {whole.bottom_line}"] if whole.bottom_line else []
    for place, block in enumerate([*beginning, *whole.details]):
        if place:
            yield "", ""
        if isinstance(block, Tabular):
            yield from block.pieces(width, min(width, WIDTH))
        else:
            yield wrapped(block, min(width, WIDTH)), ""


def laid_out(text: str, width: int = WIDTH) -> str:
    """A text as it stands in so many columns; one that does not know its parts has its paragraphs wrapped."""
    return "\n".join(line for line, _ in _pieces(text, width))


THEME = Theme({"good": "green", "bad": "red", "open": "yellow", "head": "bold"}, inherit=False)
"""The report's three inks, as the reader's terminal shows them, and what headings are in."""

VERDICTS = (
    r":\s+(?P<good>(holds|agrees)\b)",
    r":\s+(?P<bad>(is\s+reversed|is\s+contradicted|differs)\b)",
    r":\s+(?P<open>(cannot\s+be\s+told|is\s+not\s+contradicted|are\s+equal|not\s+distinguishable)\b)",
    r"(?P<open>\b([Nn]ot\s+told\s+apart|[Nn]othing\s+is\s+decided|saturated|[Ee]qual(?=\s+within)))",
    r"(?P<good>(?<!ot\s)\b[Tt]old\s+apart)",
    r"(\A|\n\n)(?P<head>[A-Z][^\n.?:(─]{2,48}[.?:](?=\s))",
)
"""Words that weigh, and the words that a paragraph begins with."""


def width_of(stream: TextIO) -> int:
    """Columns of a terminal, or what COLUMNS says; `WIDTH` where there is neither."""
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    except (AttributeError, OSError, ValueError):
        return WIDTH


def printed(text: str, stream: TextIO) -> str:
    """A text as it is printed to a stream: in its columns, and on a terminal that wants colours with them."""
    width = width_of(stream)
    console = Console(file=stream, theme=THEME, width=width, highlight=False, markup=False)
    if not console.is_terminal or console.no_color or console.color_system is None:
        return laid_out(text, width)
    styled = Styled("\n").join(Styled(line, style) for line, style in _pieces(text, width))
    for pattern in VERDICTS:
        styled.highlight_regex(pattern)
    with console.capture() as captured:
        console.print(styled, soft_wrap=True)
    return captured.get().removesuffix("\n")


def as_html(text: str) -> str:
    """A text for a notebook: its bottom line, and the rest folded; all of it, where it has no bottom line."""
    whole = text if isinstance(text, Text) else Text("", [text])
    details = "".join(block.html() if isinstance(block, Tabular) else _html_prose(block) for block in whole.details)
    if not whole.bottom_line:
        return details
    folded = f"<details><summary>Tables and sentences</summary>{details}</details>" if details else ""
    return f"<p><strong>{BOTTOM_LINE}</strong> {html.escape(whole.bottom_line)}</p>{folded}"


def _html_prose(block: str) -> str:
    """Paragraphs, and items of lists; what stands in columns of its own keeps them."""
    parts = []
    for line in filter(None, block.split("\n")):
        item = re.match(r"- (.*)", line)
        parts.append(f"<li>{html.escape(item[1])}</li>" if item else f"<p>{html.escape(line)}</p>")
    return "".join(parts)
