"""A text is lines, which are wrapped where it is printed and nowhere else."""

import html
import json
from dataclasses import dataclass, field

import pytest

from findings.document import Result, publish
from findings.sentences import WIDTH, wrapped
from findings.table import ruled
from store.command_line import Options

PARAGRAPH = "One paragraph of self-supervised words, long enough that no terminal of forty columns can hold it."
ITEM = "- an item of a list, of which the second line and the third begin under the first word of the first line"
TABLE = ruled([["augmentation", *["accuracy"] * 12], ["", *["%"] * 12], ["FMix", *["12.34 ± 0.56"] * 12]])
TEXT = "\n".join([*TABLE, PARAGRAPH, "", "", ITEM, ITEM, PARAGRAPH])


@pytest.mark.parametrize("width", [1, 20, 40, WIDTH, 1000])
def test_wrapping_keeps_every_word_and_what_is_wrapped_stays(width):
    once = wrapped(TEXT, width)
    assert once.split() == TEXT.split()
    assert wrapped(once, width) == once


def test_no_line_of_a_paragraph_is_longer_than_the_width_and_no_word_is_broken():
    lines = wrapped(PARAGRAPH, 40).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 40
    assert " ".join(lines) == PARAGRAPH
    address = "https://example.org/" + "a-long-path/" * 8
    assert wrapped(f"See {address} for more.", 40).split("\n") == ["See", address, "for more."]


def test_further_lines_of_an_item_hang_under_its_first_word():
    first, *others = wrapped(ITEM, 40).split("\n")
    assert first.startswith("- an item")
    assert len(others) == 2
    assert all(line.startswith("  ") and not line[2].isspace() for line in others)


def test_a_tables_lines_are_never_wrapped():
    assert all(len(line) > 40 for line in TABLE)
    assert wrapped("\n".join(TABLE), 40) == "\n".join(TABLE)


def test_lines_that_fit_and_empty_ones_stay():
    assert wrapped(TEXT, 1000) == TEXT


@dataclass(frozen=True)
class Config:
    """The configuration of a job, as far as a document needs it."""

    execution: Options = field(default_factory=Options)


@pytest.mark.parametrize("columns", [60, 200])
def test_a_result_is_wrapped_where_it_is_printed_and_not_in_its_document(tmp_path, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = f"{TEXT}\n{PARAGRAPH} {PARAGRAPH}"
    published = publish(Result([{"value": 1.0}], text=text), "python -m job", Config(), tmp_path, {}, [])
    assert f"\n{wrapped(text, min(columns, WIDTH))}\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "result.json").read_text())["text"] == text
    assert (tmp_path / "conclusions.txt").read_text() == wrapped(text) + "\n"
    assert repr(published) == wrapped(text)
    assert wrapped(text) in html.unescape(published._repr_html_())
