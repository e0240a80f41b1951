"""The report's tables show what the records hold."""

import json
from dataclasses import replace

import numpy as np
import pytest

from analysis.ablation import measure_of
from analysis.accuracy import accuracy_components
from analysis.mutual_info.section import _information
from analysis.mutual_info.table import UNDER_TRAINED
from findings.document import read_document
from reports.verdicts import judged, tables_of
from results.remake import RESULTS


def test_under_trained_vaes_and_the_linear_one_stand_in_the_reports_table():
    document = read_document(RESULTS / "scales" / "table-1-fashion-mnist" / "result.json", "scales")
    table = _information(document)
    names = [(line[0].text, line[1].text) for line in table.lines]
    assert ("baseline", "1") in names  # better than the linear VAE at this scale, and worse at the others
    assert {("baseline ‡", "0.3"), ("baseline ‡", "0.1")} <= set(names)
    assert [name for name, _ in names].count("linear VAE") == 3
    assert UNDER_TRAINED in table.notes
    assert r"\ddag{}" in table.latex()
    place = list(table.head).index("−ELBO")
    cells = {name: line[place].text for name, line in zip(names, table.lines, strict=True)}
    assert cells["linear VAE", "1"] == "92.1"
    assert cells["baseline", "1"].startswith("78.4 ± ")
    # older records have no such field
    older = [{key: row[key] for key in row if key != "under_trained"} for row in document.results]
    plain = _information(replace(document, results=older))
    assert not any("‡" in line[0].text for line in plain.lines)
    assert UNDER_TRAINED not in plain.notes


def test_classifiers_are_named_with_their_regime_and_vaes_with_their_data():
    def on(folder):
        return read_document(RESULTS / folder / "result.json", folder).on

    assert on("accuracy-cifar-10-jpeg") == "CIFAR-10 (JPEG), 10,000 images × 10 epochs"
    assert on("gradcam-fashion-mnist") == "Fashion-MNIST, 10,000 images × 10 epochs"
    assert on("table-1-digits") == "digits"


def test_accuracies_in_a_regime_are_judged_as_a_size_of_the_training_set():
    document = read_document(RESULTS / "accuracy-cifar-10-jpeg" / "result.json", "accuracy")
    (found,) = tables_of(document, "training size")
    assert found.on == document.on
    assert found.components == "accuracy"
    assert set(found.table["augmentation"]) >= {"none", "mixup", "fmix", "fmix+mixup"}
    judgements = [each for each in judged([document]) if each.claim.measure == "training size"]
    assert len(judgements) == 3
    assert {each.claim.above for each in judgements} == {"fmix+mixup"}
    vaes = read_document(RESULTS / "table-1-digits" / "result.json", "vaes")
    assert tables_of(vaes, "training size") == []


def test_of_texts_nothing_is_judged_that_is_said_of_images():
    document = read_document(RESULTS / "accuracy-cifar-10-jpeg" / "result.json", "accuracy")
    of_texts = replace(document, about=document.about | {"settings": document.settings | {"items": "texts"}})
    assert of_texts.on == "CIFAR-10 (JPEG), 10,000 texts × 10 epochs"
    assert judged([document])
    assert judged([of_texts]) == []


def test_an_ablations_variance_components_are_its_claims():
    path = RESULTS / "ablation-fraction-fashion-mnist" / "result.json"
    document = read_document(path, "ablation")
    tables = tables_of(document, "training size")
    values = sorted({row["setting"] for row in json.loads(path.read_text())["results"]})
    assert [table.components for table in tables] == [measure_of("fraction", value) for value in values]
    # verdicts that all networks share leave the difference without a part of the images
    rng = np.random.default_rng(0)
    shared = rng.random(500) < 0.7
    verdicts = {name: [shared ^ (rng.random(500) < 0.01) for _ in range(3)] for name in tables[0].table["augmentation"]}
    narrow = replace(document, components={tables[0].components: accuracy_components(verdicts)})

    def width(of):
        first = next(each for each in judged([of]) if each.on == tables[0].on and each.claim.below == "none")
        return first.pair.image_error

    assert width(narrow) < width(document)
    assert width(document) == pytest.approx(
        np.hypot(*(tables[0].table.set_index("augmentation")["image_error"][name] for name in ("none", "fmix+mixup")))
    )
