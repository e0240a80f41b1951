"""A text is lines, which are wrapped where it is printed and nowhere else."""

import pytest

from findings.sentences import WIDTH, wrapped
from findings.text import Tabular

PARAGRAPH = "One paragraph of self-supervised words, long enough that no terminal of forty columns can hold it."
ITEM = "- an item of a list, of which the second line and the third begin under the first word of the first line"
TABLE = str(Tabular([["augmentation", *["accuracy"] * 6], ["", *["%"] * 6]], [["FMix", *["12.34 ± 0.56"] * 6]])).split(
    "\n"
)
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
