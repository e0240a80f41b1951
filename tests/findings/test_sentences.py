"""A text is lines, which are wrapped where it is printed and nowhere else."""

import math

import pandas as pd
import pytest

from findings.bottom_line import found_sentence, undecided_sentence
from findings.published import compared
from findings.sentences import WIDTH, told_apart, wrapped
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


@pytest.mark.parametrize(
    ("means", "image_error", "config"),
    [
        ((90.0, 95.0, 95.1), 0.2, {}),  # told apart, and not
        ((90.0, 90.1, 90.2), 0.2, {"margin": 5.0}),  # equal
        ((90.0, 90.1, 90.2), 3.0, {}),  # which no number of seeds would tell apart on these images
        ((90.0, 95.0, 95.1), math.nan, {}),  # withheld, for the draw of the images is not known
    ],
)
@pytest.mark.parametrize("n", [400, None])
def test_of_texts_the_same_is_said_as_of_images(means, image_error, config, n):
    names = ("none", "mixup", "fmix")
    rows = [{"augmentation": name, "mean": mean} for name, mean in zip(names, means, strict=True)]
    table = pd.DataFrame([row | {"std": 0.2, "seeds": 3, "image_error": image_error, "n": n} for row in rows])

    def said(*items):
        comparison = compared("accuracy", table, None, config, *items)
        lines = told_apart(comparison, "Accuracy", "points", 2)
        lines += [found_sentence(comparison, "In it", "points", 2), undecided_sentence(comparison, "in it")]
        return "\n".join(lines)

    of_images, of_texts = said(), said("texts")
    assert "text" not in of_images
    assert of_texts == of_images.replace("images", "texts")
    assert ("images" in of_images) == (n is not None or "margin" not in config)
