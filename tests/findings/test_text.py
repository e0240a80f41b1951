"""A text's tables fit into any width, its words that weigh are coloured on a terminal alone, and files have neither."""

import fcntl
import io
import json
import os
import pickle
import pty
import re
import struct
import termios
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from rich.cells import cell_len

from findings.document import Result, publish
from findings.sentences import WIDTH, wrapped
from findings.text import Tabular, Text, laid_out, printed, width_of, with_paragraph
from store.command_line import Options

NUMBERS = [f"{column}{column}.{column:02d} ± 0.{column:02d}" for column in range(1, 10)]
TABLE = Tabular(
    [["augmentation", *[f"column {column}" for column in range(1, 10)]], ["", *["I(Z;X) ≤"] * 8, ""]],
    [["baseline", *NUMBERS], ["FMix (reference)", *NUMBERS]],
    "A caption that is far longer than forty letters, so that it takes several lines there",
    ["* a note that is far longer than forty letters, too, so that it takes more than one"],
)
PROSE = "What this says. MixUp and FMix are not told apart; the rate of A is above that of B: holds here (p = 0.01)."
TEXT = Text("I(Z;X) lies between 1 and 2 nats (99%, n = 10).", ["A title", TABLE, f"{PROSE}\n- An item <of> a list."])


@pytest.mark.parametrize("width", [40, 60, 80, 120, 400])
def test_a_table_is_broken_into_blocks_that_fit_with_the_first_column_in_each(width):
    lines = laid_out(TEXT, width).split("\n")
    assert max(map(cell_len, lines)) <= width
    blocks = TABLE.blocks(width)
    assert sum(line.startswith("FMix (reference)  ") for line in lines) == len(blocks)
    assert [column for block in blocks for column in block if column] == list(range(1, 10))
    together = " ".join(lines)
    assert all(number in together for number in NUMBERS)


def test_a_table_that_fits_is_one_block_and_an_empty_line_of_the_head_is_left_out():
    assert len(TABLE.blocks(400)) == 1
    plain = Tabular([["name", "value"], ["", ""]], [["a", "1.00"]])
    assert str(plain).split("\n") == ["─" * 11, "name  value", "─" * 11, "a      1.00", "─" * 11]


def test_several_columns_that_say_what_a_line_is_of_are_in_every_block():
    table = Tabular([["name", "noise", "a", "b"]], [["x", "0.5", "1.0", "2.0"]], keys=2)
    assert table.blocks(14) == [[0, 1, 2], [0, 1, 3]]


def test_columns_are_as_wide_as_their_letters_are_shown():
    lines = str(Tabular([["name", "x̂ †"]], [["a", "10.0"], ["b", "9"]])).split("\n")
    assert {cell_len(line) for line in lines} == {len("name  10.0")}


def test_a_text_is_a_string_that_knows_its_parts():
    assert "\n\n".join(["Bottom line: " + TEXT.bottom_line, "A title", str(TABLE), TEXT.details[-1]]) == TEXT
    assert json.loads(json.dumps(TEXT)) == TEXT
    again = pickle.loads(pickle.dumps(TEXT))
    assert (again, again.details) == (TEXT, TEXT.details)
    assert Text("", ["", "One."]) == "One."
    assert with_paragraph("Given.", "A note.") == "Given.\n\nA note."
    assert with_paragraph(TEXT, "A note.").bottom_line == TEXT.bottom_line


def test_a_text_of_a_document_is_wrapped_to_what_is_laid_out_at_its_width():
    assert laid_out(TEXT) == wrapped(str(TEXT))


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 80 columns to write to, and what was written."""
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with os.fdopen(follower, "w") as stream:
        yield stream
    os.close(leader)


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_terminal_gets_its_width_headings_and_verdicts_in_colour(terminal):
    shown = printed(TEXT, terminal)
    assert plain(shown) == laid_out(TEXT, 80)
    assert "\x1b[1mBottom line:\x1b[0m" in shown
    assert "\x1b[1mWhat this says.\x1b[0m" in shown
    assert "\x1b[33mnot told apart\x1b[0m" in shown
    assert "\x1b[32mholds\x1b[0m" in shown
    coloured = re.findall(r"\x1b\[3[1-6]m(.*?)\x1b", shown)
    assert coloured == ["not told apart", "holds"]


def test_no_colour_where_none_is_wanted_or_nobody_sees_it(terminal, monkeypatch):
    assert "\x1b" not in printed(TEXT, io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(TEXT, terminal) == laid_out(TEXT, 80)


def test_the_width_is_the_terminals_or_what_columns_says(terminal, monkeypatch):
    assert width_of(io.StringIO()) == WIDTH
    assert width_of(terminal) == 80
    monkeypatch.setenv("COLUMNS", "57")
    assert width_of(terminal) == 57


def test_prose_is_no_wider_than_is_easy_to_read_on_a_wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert max(map(len, printed(" ".join([PROSE] * 5), io.StringIO()).split("\n"))) <= WIDTH


@dataclass(frozen=True)
class Config:
    """The configuration of a job, as far as a document needs it."""

    execution: Options = field(default_factory=Options)


class Tags(HTMLParser):
    """The tags that are opened, and whether all are closed again."""

    def __init__(self, text):
        super().__init__()
        self.opened, self.still = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.opened.append(tag)
        if tag != "img":
            self.still.append(tag)

    def handle_endtag(self, tag):
        assert self.still.pop() == tag


@pytest.mark.parametrize("columns", [60, 200])
def test_a_result_is_laid_out_where_it_is_printed_and_not_in_its_document(tmp_path, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    published = publish(Result([{"value": 1.0}], text=TEXT), "python -m job", Config(), tmp_path, {}, [])
    assert f"\n{laid_out(TEXT, columns)}\n" in capsys.readouterr().out
    document = json.loads((tmp_path / "result.json").read_text())
    assert document["text"] == TEXT
    assert document["about"]["bottom_line"] == TEXT.bottom_line
    assert (tmp_path / "conclusions.txt").read_text() == laid_out(TEXT) + "\n"
    assert repr(published) == laid_out(TEXT)


def test_a_text_without_parts_is_published_as_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    publish(Result([{"value": 1.0}], text=PROSE), "python -m job", Config(), tmp_path, {}, [])
    assert wrapped(PROSE) in capsys.readouterr().out
    assert json.loads((tmp_path / "result.json").read_text())["about"]["bottom_line"] == ""


def test_a_notebook_gets_the_bottom_line_then_tables_folded_and_everything_escaped():
    shown = Result([], text=Text("a < b & c.", TEXT.details))._repr_html_()
    tags = Tags(shown)
    assert not tags.still
    assert tags.opened.count("table") == 1
    assert tags.opened.count("td") == 2 * 10
    assert "pre" not in tags.opened
    assert shown.index("a &lt; b &amp; c.") < shown.index("<details>") < shown.index("<table>")
    assert "<li>An item &lt;of&gt; a list.</li>" in shown
    assert "<details>" not in Result([], text="No parts.")._repr_html_()
