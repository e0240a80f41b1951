"""The first screen says what is decided, and nothing else."""

import json
import re
from dataclasses import replace

import pytest

from findings.document import read_document, read_documents
from reports.answer import draw_finding, findings_of, open_sentence, pairs_of, rivals_sentence, scale_sentence
from reports.build import Config, run
from reports.forest import differences_of, draw_differences
from reports.matrix import matrix_of
from reports.verdicts import statements
from results.remake import RESULTS

APART = {"none": (80.0, 80.2, 79.9), "mixup": (78.0, 78.1, 77.9)}
ALIKE = {"none": (80.0, 84.2, 76.9), "mixup": (79.0, 84.1, 75.9)}


def documents_in(path):
    return read_documents([path])[0]


def found_in(documents):
    return findings_of(statements(documents), pairs_of(documents))


def section(page, key):
    text = page[page.index(f'<section id="{key}"') :]
    return text[: text.index("</section>")]


@pytest.mark.parametrize(
    ("rates", "sentence"),
    [
        (APART, "On CIFAR-10, the rate of the baseline is above that of MixUp, as the paper says."),
        ({"mixup": APART["none"], "none": APART["mixup"]},
         "On CIFAR-10, the rate of MixUp is above that of the baseline: the reverse of what the paper says."),
        ({"none": (80.0, 80.1, 79.9), "mixup": (80.0, 79.9, 80.1)},
         "On CIFAR-10, the baseline and MixUp are equal in rate on x, within ±2 nats, where the paper says that the "
         "rate of the baseline is above that of MixUp."),
        ({"none": APART["none"], "fmix": APART["mixup"]},  # no statement of the paper, but told apart
         "On CIFAR-10, the rate of the baseline is above that of FMix."),
    ],
)  # fmt: skip
def test_a_decided_statement_is_a_finding(rates, sentence, made_up, tmp_path):
    made_up(rates)
    (finding,) = found_in(documents_in(tmp_path / "results"))
    assert finding.sentence == sentence
    assert "3 seeds, 100 images, p" in finding.evidence
    assert re.search(
        r"Difference [+−][\d.]+ nats, simultaneous 95% interval [+−][\d.]+ to [+−][\d.]+;", finding.evidence
    )
    assert finding.explained
    _, numbers, words = draw_finding(finding)
    assert set(numbers["augmentation"]) == set(rates)
    assert numbers.set_index("augmentation")["mean"]["none"] == pytest.approx(sum(rates["none"]) / 3)
    assert words.startswith("Rate on x on CIFAR-10, nats")


def test_what_is_not_decided_is_counted_and_no_finding(made_up, tmp_path):
    made_up(ALIKE)
    documents = documents_in(tmp_path / "results")
    assert found_in(documents) == []
    assert "tested 1 times, on all data and sizes: 0 of these tests are decided, 1 cannot be told." in open_sentence(
        statements(documents)
    )


def test_that_nothing_has_the_papers_size_is_said():
    assert "None of the 2 published values can be compared" in scale_sentence(["not run", "not comparable"])
    assert scale_sentence(["agrees", "not comparable"]).startswith("1 of the 2 published values were measured at")


def test_at_most_one_of_an_analysis_and_the_strongest_first(made_up, tmp_path):
    made_up(APART | {"cutmix": (90.0, 90.1, 89.9)})
    documents = documents_in(tmp_path / "results")
    assert len([each for each in statements(documents) if each.decided]) == 2
    (finding,) = found_in(documents)
    assert finding.names == ("cutmix", "none")  # by far
    human = read_document(RESULTS / "human-uncertainty-cifar-10-jpeg" / "result.json", "human")
    both = found_in([*documents, human])
    assert [each.document.program for each in both] == [documents[0].program, human.program]
    assert [each.p for each in both] == sorted(each.p for each in both)


@pytest.mark.parametrize("how", ["smoke", "partial", "stray"])
def test_what_is_no_result_is_nowhere_among_results(how, made_up, quick_masks, options, tmp_path):
    made_up(ALIKE, "measured")
    path = (
        made_up(APART, "not", data="CIFAR-10 again", watermark="SMOKE RUN" if how == "smoke" else None) / "result.json"
    )
    found = json.loads(path.read_text())
    if how == "partial":
        path.write_text(json.dumps(found | {"failures": ["mixup, seed 4"]}))
    if how == "stray":
        path.write_text(json.dumps(found | {"command": "python -m somebody.else"}))
    report = run(Config((tmp_path / "results",), replace(options, store=tmp_path / "runs")))
    page = report.page.read_text()
    for key in ("answer", "matrix", "differences", "tables"):
        assert "CIFAR-10 again" not in section(page, key), key
    assert "none.</strong>" in section(page, "answer")
    assert not [file for file in report.files if file.name.startswith("finding-")]
    assert "CIFAR-10 again" not in set(report.claims["data"].dropna())
    exhibits = section(page, "mutual-information")
    assert ('class="watermark"' in exhibits) == (how != "stray")
    assert ('data-data="CIFAR-10 again"' in exhibits) == (how != "stray")
    assert exhibits.index('data-data="CIFAR-10"') < exhibits.find('data-data="CIFAR-10 again"') or how == "stray"


def test_names_are_no_formulas(made_up, quick_masks, options, tmp_path):
    name = r"$\frac{$ and $x_$"
    made_up({"none": APART["none"], "mixup": APART["mixup"], name: (70.0, 70.1, 69.9)}, data=name)
    report = run(Config((tmp_path / "results",), replace(options, store=tmp_path / "runs")))
    assert report.damaged == []
    assert f"On {name}, the rate of the baseline" in report.page.read_text()


def test_the_committed_records_answer_the_question():
    documents = documents_in(RESULTS)
    stated, pairs = statements(documents), pairs_of(documents)
    findings = findings_of(stated, pairs)
    assert 3 <= len(findings) <= 5
    assert len({each.document.program for each in findings}) == len(findings)
    for finding in findings:
        if finding.place is not None:
            statement = stated[finding.place]
            assert statement.decided
            assert statement.document is finding.document
        _, numbers, words = draw_finding(finding)
        assert set(finding.names) <= set(numbers["augmentation"])
        assert len(words) > 60
    both = rivals_sentence(pairs)
    counts = [int(count) for count in re.findall(r"\((\d+)\)", both)]
    told, of = int(re.search(r"apart in (\d+)", both)[1]), int(re.search(r"other (\d+) times", both)[1])
    assert told + sum(counts) == of

    matrix = matrix_of(stated)
    cells = [one for _, lines in matrix.groups for line in lines for cell in line["cells"] for one in cell]
    assert sorted(one["place"] for one in cells) == [place for place, each in enumerate(stated) if each.document]
    assert all(one["verdict"] == stated[one["place"]].verdict and one["word"] for one in cells)
    assert len(matrix.groups) == len({name for name, _ in matrix.groups})

    drawn = {measure: draw_differences(measure, alike) for measure, alike in differences_of(stated).items()}
    assert sum(len(numbers) for _, numbers, _ in drawn.values()) == sum(each.judged is not None for each in stated)
    _, numbers, words = drawn["rate"]
    assert (numbers["low"] <= numbers["difference"]).all()
    assert (numbers["difference"] <= numbers["high"]).all()
    assert "CutMix less baseline on CIFAR-10 (JPEG), +1.86" in words
