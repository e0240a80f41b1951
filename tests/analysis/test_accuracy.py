import base64
import json
import zlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats
from sklearn.metrics import roc_auc_score

from analysis.accuracy import (
    Config,
    accuracy_conclusions,
    accuracy_rows,
    draw,
    joined,
    logits_file,
    read_logits,
    run,
    text_of,
)
from analysis.accuracy.section import SECTIONS
from classifiers.grid import settings_of
from classifiers.train import Settings, classifier_run
from findings.document import read_document
from findings.over_seeds import over_seeds
from store import BadInput, digest_of
from store.command_line import command
from tasks import DataOptions, load
from tasks.metrics import scores

FAST = Settings(epochs=2, width=2, batch_size=256)


def rows_of(values: dict[str, tuple[float, ...]], estimator: str = "accuracy"):
    return [
        {"inputs": "clean", "augmentation": augmentation, "noise": None, "estimator": estimator, "value": value,
         "standard_error": 0.0, "cap": None, "saturated": None, "n": 10_000, "seed": seed}
        for augmentation, seeds in values.items()
        for seed, value in enumerate(seeds, 1)
    ]  # fmt: skip


SETTINGS = {
    "data": "CIFAR-10", "network": "preact-resnet18", "train_images": 50_000, "epochs": 200, "width": 64,
    "policy": "none", "scored": "test",
}  # fmt: skip


def kept_in(directory, **metrics):
    """A run that has written the logits in a directory, and these metrics."""
    record = {
        "scored": "test", "files": {"logits.npz": digest_of(directory / "logits.npz")}, "config": {},
        "data": {"name": "made up"}, "training_images": 10, "metrics": {"accuracy": 0.5} | metrics,
    }  # fmt: skip
    return SimpleNamespace(path=directory, result=lambda: record)


def words(values, **settings) -> str:
    return accuracy_conclusions(over_seeds(rows_of(values)), SETTINGS | settings)


def test_the_job_from_end_to_end(options, capsys):
    config = Config(("none", "fmix"), 2, settings=FAST, execution=replace(options, json=str(options.store) + ".json"))
    result = run(config)
    out = capsys.readouterr().out
    assert "trained  4/4" in out
    assert len([row for row in result.rows if row["seed"] is None]) == 2 * 4
    row = next(row for row in result.rows if row["seed"] == 1)
    assert row["quantity"] == "test accuracy"
    assert row["units"] == "%"
    share = row["value"] / 100
    assert row["standard_error"] == pytest.approx(100 * (share * (1 - share) / 359) ** 0.5)
    for path in result.files:
        assert path.stat().st_size > 0
    document = json.loads((options.store.parent / "runs.json").read_text())
    assert document["schema"] == 1
    assert len(document["results"]) == len(result.rows)
    assert {"quantity", "estimator", "value", "standard_error", "direction", "cap", "saturated", "n", "k", "noise",
            "inputs", "augmentation", "seed", "units"} <= set(document["results"][0])  # fmt: skip
    assert document["components"]["accuracy"]["images"] == 360
    packed = next(each for each in document["verdicts"] if each["seed"] == 1 and each["augmentation"] == "none")
    right = np.unpackbits(np.frombuffer(base64.b64decode(packed["right"]), np.uint8), count=packed["images"])
    assert 100 * right.mean() == pytest.approx(row["value"])
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    assert text_of(document | {"components": None})[1] != text_of(document)[1]
    again = run(config)
    assert "reused 4 trained networks" in capsys.readouterr().out
    assert again.rows == result.rows
    pd.testing.assert_frame_equal(again.table, result.table)


PAIRS = """
import torch
from tasks.task import image_task

def task():
    stream = torch.Generator().manual_seed(0)
    labels = (torch.rand(300, 2, generator=stream) < torch.tensor([0.5, 0.2])).float()
    labels[labels.sum(1) == 0, 0] = 1.0
    images = torch.randint(0, 60, (300, 1, 8, 8), generator=stream, dtype=torch.uint8)
    images[:, :, :4] += (labels[:, 0].view(-1, 1, 1, 1) * 50).to(torch.uint8)
    images[:, :, :, :4] += (labels[:, 1].view(-1, 1, 1, 1) * 25).to(torch.uint8)
    return image_task("pairs", (images[:200], labels[:200]), (images[200:], labels[200:]))
"""


def test_several_labels_are_compared_by_roc_auc(options, tmp_path):
    (tmp_path / "pairs.py").write_text(PAIRS)
    settings = replace(FAST, batch_size=50, objective="binary-cross-entropy", crop=0, flip=False)
    data = DataOptions(f"{tmp_path / 'pairs.py'}:task")
    config = Config(("none", "mixup"), 2, data=data, settings=settings, execution=options)
    result = run(config)
    directory = options.out / "accuracy-pairs"
    document = json.loads((directory / "result.json").read_text())
    row = next(row for row in result.rows if row["seed"] == 1 and row["estimator"] == "roc_auc")
    assert (row["quantity"], row["units"], row["n"], row["augmentation"]) == ("test ROC-AUC", "%", 100, "none")
    record = classifier_run(load(data), "none", 1, settings, options).result()
    assert row["value"] == pytest.approx(100 * record["metrics"]["roc_auc"])
    # the values of single images have the row's mean and its standard error
    packed = next(each for each in document["verdicts"] if each["seed"] == 1 and each["augmentation"] == "none")
    values = 100 * np.frombuffer(zlib.decompress(base64.b64decode(packed["values"])), "<f4")
    assert len(values) == packed["images"] == 100
    assert values.mean() == pytest.approx(row["value"], rel=1e-6)
    assert stats.sem(values) == pytest.approx(row["standard_error"], rel=1e-5)
    assert document["components"]["roc_auc"]["images"] == 100
    # kept logits are those of each label, not less the image's largest
    logits, labels = read_logits(logits_file(directory, "none", 1))
    assert roc_auc_score(labels, logits) == pytest.approx(record["metrics"]["roc_auc"], abs=0.005)
    assert float(((logits > 0) == (labels > 0.5)).double().mean()) == pytest.approx(record["metrics"]["accuracy"])
    # how far training images differ in their share of right decisions is not known
    assert {
        row["standard_error"] for row in result.rows if row["estimator"] == "training_accuracy" and row["seed"]
    } == {None}
    settings = document["about"]["settings"]
    assert (settings["several"], settings["metric"], settings.get("items")) == (True, "roc_auc", None)
    text = document["text"]
    assert document["about"]["title"].startswith("ROC-AUC on pairs: ")
    means = {
        one["augmentation"]: one["value"] for one in result.rows if one["estimator"] == "roc_auc" and not one["seed"]
    }
    assert f"the baseline's ROC-AUC of {means['none']:.2f}%" in text
    assert "ROC-AUC (2 seeds, 100 images; Welch's test" in text
    assert "In accuracy" not in text
    assert text.index("ROC-AUC      accuracy") < text.index("ROC-AUC: the mean over all labels that some of these")
    fewest = min(labels.sum(0).min(), (1 - labels).sum(0).min())
    assert document["rarest"] == fewest < 30
    assert f"others have not, at least {fewest:.0f}, so few that its intervals are too narrow" in text
    assert f"others have not, at least 30{chr(10)}" in text_of(document | {"rarest": 30})[0]
    assert text_of(document) == (text, document["about"]["conclusions"])
    one = joined([document])
    assert (one["text"], one["components"]) == (text, document["components"])
    table = SECTIONS[0].table(read_document(directory / "result.json", "pairs"))
    assert table.head[:3] == ["augmentation", "ROC-AUC, %", "accuracy, %"]


def test_two_classes_have_a_roc_auc_beside_their_accuracy(tmp_path):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 2)).astype(np.float32), rng.integers(2, size=40)
    np.savez(tmp_path / "logits.npz", logits=logits, labels=labels)
    rows = accuracy_rows((kept_in(tmp_path),), "none", 1)
    assert [row["estimator"] for row in rows] == ["accuracy", "cross_entropy", "roc_auc"]
    assert rows[-1]["value"] == pytest.approx(100 * roc_auc_score(labels, logits[:, 1] - logits[:, 0].astype(float)))
    np.savez(tmp_path / "logits.npz", logits=logits, labels=np.zeros(40, np.int64))
    assert [row["estimator"] for row in accuracy_rows((kept_in(tmp_path),), "none", 1)] == ["accuracy", "cross_entropy"]


@pytest.mark.parametrize("several", [False, True])
def test_where_no_label_differs_accuracies_are_compared_and_it_is_said(several, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.tile([1.0, 0.0], (40, 1)).astype(np.float32)
    np.savez(tmp_path / "logits.npz", logits=rng.normal(size=(40, 2)).astype(np.float32), labels=labels)
    found = {"mean_average_precision": 0.5} if several else {}
    trained = kept_in(tmp_path, **found)
    rows = [row for seed in (1, 2) for name in ("none", "fmix") for row in accuracy_rows((trained,), name, seed)]
    settings = settings_of(trained) | SETTINGS
    assert settings.get("several", False) == several
    assert "metric" not in settings
    document = {"results": rows, "config": {}, "about": {"title": "", "settings": settings, "watermark": None}}
    assert ("no ROC-AUC, for there is no label that some of these images have" in text_of(document)[0]) == several


def test_of_texts_no_word_is_about_images(options, quick_figures):
    run(Config(("none", "fmix", "mixup"), 2, settings=FAST, execution=options))
    document = json.loads((options.out / "accuracy-digits" / "result.json").read_text())
    document["about"]["settings"]["items"] = "texts"
    of_texts = joined([document])
    assert "1,437 training texts" in of_texts["about"]["title"]
    assert "(2 seeds, 360 texts; " in of_texts["text"]
    assert "Trained on 1,437 texts for 2 epochs" in of_texts["text"]
    without = of_texts | {"components": None}  # with the standard errors of both added in full
    alone = of_texts | {"results": [row for row in of_texts["results"] if row["seed"] == 1]}
    for one in (of_texts, without, alone):
        assert "image" not in text_of(one)[0]
        assert "image" in text_of(one | {"about": document["about"] | {"settings": SETTINGS}})[0]


def test_blocks_of_seeds_make_the_document_of_one_job(options, quick_figures):
    def document(augmentations, seeds, first, where):
        out = replace(options, out=options.out / where)
        config = Config(augmentations, seeds, first, settings=FAST, execution=out)
        run(config)
        return json.loads((options.out / where / "accuracy-digits" / "result.json").read_text())

    blocks = [
        document(("none",), 2, 1, "a"), document(("fmix", "mixup"), 2, 1, "b"),
        document(("fmix", "none", "mixup"), 1, 3, "c"),
    ]  # fmt: skip
    whole = document(("none", "mixup", "fmix"), 3, 1, "d")
    one = joined(blocks)
    for document_ in (one, whole):
        document_["verdicts"].sort(key=lambda each: (each["augmentation"], each["seed"]))
        document_["about"]["curves"].sort(key=lambda each: (each["augmentation"], each["seed"], each["epoch"]))
    for key in ("text", "components", "verdicts"):
        assert one[key] == whole[key]
    for key in ("title", "conclusions", "curves"):
        assert one["about"][key] == whole["about"][key]
    assert {json.dumps(row) for row in one["results"]} == {json.dumps(row) for row in whole["results"]}
    assert {run["record"]["hash"] for run in one["runs"]} == {run["record"]["hash"] for run in whole["runs"]}
    longer = json.loads(json.dumps(blocks[0]))
    longer["about"]["settings"]["epochs"] = 3
    with pytest.raises(BadInput, match="epochs 3 beside 2; needs documents that differ in seeds and augmentations"):
        joined([blocks[1], longer])


def test_a_document_keeps_logits_curves_and_training_beside_accuracies(options):
    config = Config(("none", "fmix+mixup"), 1, settings=FAST, execution=options)
    directory = options.out / "accuracy-digits"
    result = run(config)
    document = json.loads((directory / "result.json").read_text())
    found = {row["estimator"]: row for row in result.rows if row["seed"] == 1 and row["augmentation"] == "none"}
    record = classifier_run(load(DataOptions()), "none", 1, FAST, options).result()
    assert found["training_accuracy"]["value"] == 100 * record["curve"][-1]["training_accuracy"]
    assert found["training_loss"]["value"] == record["metrics"]["last_epoch"]["loss"]
    assert found["training_accuracy"]["n"] == 1437
    assert [point["epoch"] for point in document["about"]["curves"] if point["augmentation"] == "none"] == [1, 2]
    assert {"learning-curves.png", "learning-curves.csv", "logits-fmix+mixup-seed1.npz"} <= set(document["files"])
    file = logits_file(directory, "none", 1)
    assert document["files"][file.name] == digest_of(file)
    logits, labels = read_logits(file)
    with np.load(classifier_run(load(DataOptions()), "none", 1, FAST, options).path / "logits.npz") as kept:
        exact = torch.from_numpy(kept["logits"]).double()
        assert torch.equal(labels, torch.from_numpy(kept["labels"]))
    torch.testing.assert_close(logits, exact - exact.max(1, keepdim=True).values, rtol=2**-11, atol=1e-6)
    assert 100 * float((logits.argmax(1) == labels).double().mean()) == pytest.approx(
        found["accuracy"]["value"], abs=0.3
    )
    # a document put together elsewhere finds the logits that lie beside it
    assert file in draw(document, directory)


def test_logits_out_of_the_range_of_half_precision_stay_finite(tmp_path):
    from analysis.accuracy import _write_logits

    logits = np.array([[1e30, -1e30, 3.0], [5.0, 4.0, 5.0]], np.float32)
    np.savez(tmp_path / "logits.npz", logits=logits, labels=np.array([0, 2]))
    _write_logits(tmp_path / "out", (kept_in(tmp_path),), "none", 1)
    found, labels = read_logits(logits_file(tmp_path / "out", "none", 1))
    assert torch.isfinite(found).all()
    assert found[1].tolist() == [0.0, -1.0, 0.0]
    assert labels.tolist() == [0, 2]
    assert found[0].argmax() == 0


def test_whether_an_augmentation_pays_is_its_own_family_of_comparisons_with_the_baseline():
    values = {
        "none": (80.0, 80.2, 80.1), "fmix": (82.0, 82.1, 82.3), "mixup": (80.1, 80.3, 80.2),
        "cutmix": (77.0, 77.3, 77.1),
    }  # fmt: skip
    text = words(values, train_images=5_000, epochs=200)
    p = sorted(
        stats.ttest_ind(values[name], values["none"], equal_var=False).pvalue for name in values if name != "none"
    )
    assert 3 * p[0] < 0.05
    assert 2 * p[1] < 0.05
    assert p[2] > 0.05
    assert "Trained on 5,000 images for 200 epochs, beside the baseline's 80.10%" in text
    assert "a family of 3 comparisons with the baseline, 3 seeds" in text
    # Bonferroni's interval of three comparisons, not of all six pairs
    a, b = np.array(values["fmix"]), np.array(values["none"])
    error = (a.var(ddof=1) / 3 + b.var(ddof=1) / 3) ** 0.5
    freedom = error**4 / sum((each.var(ddof=1) / 3) ** 2 / 2 for each in (a, b))
    half = error * stats.t.isf(0.025 / 3, freedom)
    value = a.mean() - b.mean()
    assert f"so that it pays: FMix {value:+.2f} ({value - half:+.2f} to {value + half:+.2f})" in text
    assert "less accurate: CutMix −2.97 (−" in text
    assert "not told apart: MixUp +0.10 (−" in text
    assert "Does it pay" not in words({"mixup": (80.0, 80.2, 80.1), "fmix": (82.0, 82.1, 82.3)})


@pytest.mark.parametrize("soft", [False, True])
def test_rows_hold_the_numbers_of_the_runs_record_with_their_errors(tmp_path, soft):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 3)).astype(np.float32)
    labels = rng.integers(1, 30, (40, 3)).astype(np.float32) if soft else rng.integers(3, size=40)
    np.savez(tmp_path / "logits.npz", logits=logits, labels=labels)
    rows = accuracy_rows((kept_in(tmp_path),), "none", 1)
    record = scores(torch.from_numpy(logits), torch.from_numpy(labels))
    t = labels / labels.sum(1, keepdims=True) if soft else np.eye(3)[labels]
    losses = -(t * special.log_softmax(logits.astype(float), 1)).sum(1)
    right = 100.0 * (logits.argmax(1) == t.argmax(1))
    for row, name, values, factor in zip(rows, ("accuracy", "cross_entropy"), (right, losses), (100, 1), strict=True):
        assert row["value"] == pytest.approx(values.mean())
        assert row["value"] == pytest.approx(factor * record[name])
        assert row["standard_error"] == pytest.approx(stats.sem(values))
        assert row["n"] == 40


def test_a_failed_classifier_is_missing_and_said(options, capsys):
    config = Config(("none", "fmix"), 1, settings=FAST, execution=options)
    failed = classifier_run(load(DataOptions()), "fmix", 1, FAST, options)
    failed.begin()
    failed.fail("the loss became nan", started="2026-01-01T00:00:00+00:00", origin={})
    result = run(config)
    assert result.exit_status == 1
    assert "missing from the table" in capsys.readouterr().out
    assert set(result.table["augmentation"]) == {"none"}


def test_differences_are_welchs_and_holms():
    values = {"none": (90.0, 90.2, 90.1), "fmix": (91.0, 91.1, 91.3), "mixup": (90.1, 90.3, 90.2)}
    text = words(values)
    none, fmix, mixup = values.values()
    first, second, third = (
        stats.ttest_ind(*pair, equal_var=False).pvalue for pair in ((fmix, none), (fmix, mixup), (mixup, none))
    )
    assert 3 * first < 0.01
    assert 2 * second < 0.01
    assert third > 0.05
    assert f"FMix is above the baseline by 1.03 points (p = {3 * first:.3f})" in text
    assert f"FMix is above MixUp by 0.93 points (p = {max(3 * first, 2 * second):.3f})" in text
    assert f"MixUp and the baseline (p = {third:.2f}; " in text
    assert "would be found with a power of 80%" in text


def test_the_two_spectra_are_compared_with_spread_and_n():
    text = words({"fmix": (91.0, 91.2, 91.1), "fmix-reference": (91.05, 91.15, 91.25), "none": (90.0, 90.1, 89.9)})
    assert "91.10 ± 0.10% (n = 3) and 91.15 ± 0.10% (n = 3); difference -0.05 points" in text
    assert "not told apart" in text
    text = words({"fmix": (91.0, 91.2, 91.1), "fmix-reference": (93.0, 93.2, 93.1)})
    assert "difference -2.00 points (-2.23 to -1.77, simultaneous 95%): they differ" in text
    assert "reference code draws" not in words({"fmix": (91.0, 91.2), "none": (90.0, 90.1)})


def test_published_values_stand_beside_only_where_they_are_comparable():
    close = {"fmix+mixup": (96.25, 96.35, 96.3), "none": (95.0, 95.1, 95.2)}
    assert "difference +0.00 (" in words(close)
    assert "margin 0.3 points: agrees" in words(close)
    assert ": differs" in words({"fmix+mixup": (94.25, 94.35, 94.3)} | {"none": (95.0, 95.1, 95.2)})
    text = words(close, data="CIFAR-10 (JPEG)", epochs=10)
    assert "agrees" not in text
    assert "not comparable" in text
    assert "CIFAR-10 (JPEG) instead of CIFAR-10, 10 instead of 200 epochs" in text


def test_one_seed_claims_nothing():
    assert "no difference can be claimed" in words({"none": (90.0,), "fmix": (95.0,)})
    assert words({"none": (90.0,)}) == ""


def test_false_claims_over_many_experiments():
    # five equal augmentations, 3 seeds, 400 experiments: some pair is claimed in at most 5%, within 4 standard errors
    rng = np.random.default_rng(0)
    names = ["none", "mixup", "cutmix", "fmix", "fmix-reference"]
    claimed = 0
    for _ in range(400):
        values = {name: tuple(rng.normal(90, 0.3, 3)) for name in names}
        claimed += " is above " in words(values)
    assert 0 < claimed / 400 < 0.05 + 4 * (0.05 * 0.95 / 400) ** 0.5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--augmentations", "none", "none"], "--augmentations: got none none; needs"),
        (["--augmentations", "cutout"], "--augmentations: got 'cutout'"),
        (["--seeds", "0"], "--seeds: got 0"),
    ],
)
def test_mistakes(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m analysis.accuracy", arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_a_fold_is_not_called_a_test(options):
    config = Config(("none",), 1, data=DataOptions(folds=5, fold=1), settings=FAST, execution=options)
    result = run(config)
    assert {row["quantity"] for row in result.rows} == {
        "validation accuracy", "validation cross entropy", "training accuracy", "training loss",
    }  # fmt: skip
    assert "validation fold 1 of 5 images" in result.text


@pytest.mark.parametrize("texts", [1, 3])
def test_a_linear_model_of_words_stands_beside_networks_of_texts_however_few(texts, tmp_path, options):
    pytest.importorskip("tokenizers")
    folder = tmp_path / "t"
    folder.mkdir()
    rows = [f"{'good' if place % 2 else 'bad'} film,{place % 2}" for place in range(40)]
    (folder / "train.csv").write_text("\n".join(["text,label", *rows]))
    (folder / "test.csv").write_text("\n".join(["text,label", *rows[1 : 1 + texts]]))
    settings = Settings("text-cnn", width=4, epochs=1, batch_size=8)
    result = run(Config(("none",), 1, data=DataOptions(f"csv:{folder}"), settings=settings, execution=options))
    said = "1 text)" if texts == 1 else "over 3 texts)"
    assert said in " ".join(str(result.text.bottom_line).split())
    assert "has accuracy 100.00%" in " ".join(str(result.text.bottom_line).split())
