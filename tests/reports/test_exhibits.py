"""What stands under an exhibit, and above it."""

from dataclasses import replace

import pytest

from findings.document import read_document
from reports.exhibits import bottom_line, first_sentences, headings
from results.remake import RESULTS


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("One. Two. Three.", 2, "One. Two."),
        ("One. Two.", 5, "One. Two."),
        ("", 5, ""),
        ("By 0.82 nats (Li et al. 2020, i.e. theirs). δ = 3 is so. Not this.", 2,
         "By 0.82 nats (Li et al. 2020, i.e. theirs). δ = 3 is so."),
        ("Now:\n- Ah. Be.\n- Ce.\nTwo.", 3, "Now:\n- Ah. Be."),
        ("One. Leads to a list:\n- A.", 2, "One."),
        ("Leads to a list:\n- A.", 1, "Leads to a list:"),
        ("One.\n\nTwo.\nThree.", 2, "One.\nTwo."),
        ("How so? −ELBO falls! It does.", 2, "How so? −ELBO falls!"),
    ],
)  # fmt: skip
def test_a_text_is_cut_between_sentences(text, most, expected):
    assert first_sentences(text, most) == expected


def test_every_document_means_at_most_five_sentences_and_begins_as_its_conclusions_do():
    document = read_document(RESULTS / "table-1-cifar-10-jpeg" / "result.json", "rates")
    without = replace(document, about={key: document.about[key] for key in document.about if key != "bottom_line"})
    cut = bottom_line(without)
    assert 0 < len(cut) < len(document.about["conclusions"]) / 3
    assert document.about["conclusions"].startswith(cut.split("\n")[0])
    said = replace(document, about=document.about | {"bottom_line": "One. Two. Three. Four. Five. Six."})
    assert bottom_line(said) == "One. Two. Three. Four. Five."


def test_two_regimes_of_one_data_set_have_two_headings():
    documents = [
        read_document(RESULTS / folder / "representations-digits" / "result.json", folder)
        for folder in ("all-data", "small-data")
    ]
    assert documents[0].title == documents[1].title
    assert headings(documents) == {
        "all-data": f"{documents[0].title}; 1,437 images × 30 epochs",
        "small-data": f"{documents[0].title}; 300 images × 100 epochs",
    }
    accuracy = read_document(RESULTS / "small-data" / "accuracy-digits" / "result.json", "accuracy")
    assert headings([accuracy]) == {"accuracy": accuracy.title}  # which names its regime
    again = replace(documents[0], name="again")
    assert len(set(headings([*documents, again]).values())) == 3
