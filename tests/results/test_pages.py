"""README.md, results/README.md and docs/ say what the committed records say, and nothing else."""

import importlib
import json
import re

import pytest
from PIL import Image
from rich.cells import cell_len

from findings.sentences import wrapped
from findings.text import laid_out
from results import first_figure, pages
from results.remake import RESULTS

DOCUMENTS = sorted(RESULTS.rglob("result.json"))


@pytest.mark.parametrize("name", list(pages.PAGES))
def test_every_computed_block_is_what_the_records_give(name):
    page = pages.PAGES[name].read_text(encoding="utf-8")
    names = [found["name"] for found in pages.BLOCK.finditer(page)]
    assert names
    assert len(names) == page.count("<!-- computed:")
    for found in pages.BLOCK.finditer(page):
        assert found["text"] == pages.BLOCKS[found["name"]]() + "\n", f"{found['name']}: run results/pages.py"


def test_every_block_is_on_a_page():
    together = "".join(path.read_text(encoding="utf-8") for path in pages.PAGES.values())
    assert len(pages.BLOCKS) > 20
    assert {found["name"] for found in pages.BLOCK.finditer(together)} == set(pages.BLOCKS)


def test_the_first_figure_shows_what_the_records_say(tmp_path):
    shown = pages.first_figure_numbers()
    first_figure.write(shown, tmp_path)
    docs = pages.RESULTS.parent / "docs"
    assert (tmp_path / "rates.csv").read_bytes() == (docs / "rates.csv").read_bytes(), "run results/pages.py"
    with Image.open(docs / "rates.png") as committed, Image.open(tmp_path / "rates.png") as drawn:
        assert committed.size == drawn.size  # fonts differ between machines, and pixels with them


def test_a_drifted_number_is_seen():
    page = pages.PAGES["results/README.md"].read_text(encoding="utf-8")
    found = next(each for each in pages.BLOCK.finditer(page) if each["name"] == "information")
    drifted = page.replace(found["text"], found["text"].replace("±", "+", 1))
    assert pages.computed(drifted) == page


ALLOWED = {
    "5%", "8%",  # levels, and what is simulated of them
    "0.3", "0.1",  # decoder scales
    "4.0",  # a licence's
}  # fmt: skip
"""Numbers that are no measurements."""


@pytest.mark.parametrize("name", list(pages.PAGES))
def test_prose_outside_the_blocks_holds_no_measured_number(name):
    page = pages.BLOCK.sub("", pages.PAGES[name].read_text(encoding="utf-8"))
    page = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    page = re.sub(r"`[^`]*`|\]\([^)]*\)|arXiv [\d.]+|0\.1\.0", "", page)
    # a measured number has decimals, a spread, a percentage or a sign
    measured = set(re.findall(r"[+−-]?\d+\.\d+(?:e-?\d+)?%?|\d+%|±\s*\d+|[+−]\d+", page))
    assert measured <= ALLOWED


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_a_documents_text_is_a_function_of_its_numbers(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    module = importlib.import_module(document["command"].removeprefix("python -m "))
    text, conclusions = module.text_of(document)
    assert document["text"] == text
    assert document["about"]["conclusions"] == conclusions
    assert document["about"]["bottom_line"] == text.bottom_line
    assert (path.parent / "conclusions.txt").read_text(encoding="utf-8") == wrapped(text) + "\n"


SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_a_documents_bottom_line_stands_first_in_five_sentences_at_most(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    line = document["about"]["bottom_line"]
    assert 1 <= len(SENTENCE.split(line)) <= 5
    assert document["text"].startswith(f"Bottom line: {line}")
    assert re.search(r"\d (seeds|folds|replicates)", line)
    # whatever was tested has its p-value or level
    assert re.search(r"p [<=] [\d.]+|\d%", line) or "bounds of two networks separate" in line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.parent.relative_to(RESULTS)))
def test_a_documents_text_fits_into_80_columns_but_for_long_words(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    text, _ = importlib.import_module(document["command"].removeprefix("python -m ")).text_of(document)
    for width in (80, 110):
        assert max(map(cell_len, laid_out(text, width).split("\n"))) <= width
