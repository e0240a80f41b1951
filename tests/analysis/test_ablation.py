import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.ablation import JOB, Config, ablation_conclusions, measure_of, run, text_of
from analysis.ablation.section import SECTIONS
from classifiers.train import Settings
from findings.document import read_document
from reports.verdicts import judged
from store import BadInput
from store.command_line import command
from tasks import DataOptions, load
from tasks.metrics import ROC_AUC

FAST = Settings(epochs=2, width=2)
RESULTS = Path(__file__).parents[2] / "results"


def test_sizes_of_the_training_set(options, capsys):
    config = Config("fraction", (0.1, 0.2), ("none", "fmix"), seeds=2, settings=FAST, execution=options)
    result = run(config)
    records = [json.loads(path.read_text()) for path in options.store.glob("classifier/*/result.json")]
    few, many = (len(load(DataOptions(fraction=share)).train) for share in (0.1, 0.2))
    assert 140 < few < many < 290
    assert sorted(record["training_images"] for record in records) == [few] * 4 + [many] * 4
    assert {row["setting"] for row in result.rows} == {0.1, 0.2}
    document = json.loads((options.out / "ablation-fraction-digits" / "result.json").read_text())
    assert {(run["value"], run["augmentation"], run["seed"]) for run in document["runs"]} == {
        (value, name, seed) for value in (0.1, 0.2) for name in ("none", "fmix") for seed in (1, 2)
    }
    for row in document["results"]:
        if row["seed"] and row["estimator"] == "accuracy":
            (own,) = (
                each["record"] for each in document["runs"]
                if (each["value"], each["augmentation"], each["seed"])
                == (row["setting"], row["augmentation"], row["seed"])
            )  # fmt: skip
            assert row["value"] == pytest.approx(100 * own["metrics"]["accuracy"])
    capsys.readouterr()
    run(config)
    assert "reused 8 trained networks" in capsys.readouterr().out


def test_equal_steps_divide_the_epochs_by_the_share(options, capsys):
    config = Config(
        "fraction", (0.25, 0.5, 1.0), ("none", "mixup"), 2, equal_steps=True, settings=FAST, execution=options
    )
    result = run(config)
    records = [json.loads(path.read_text()) for path in options.store.glob("classifier/*/result.json")]
    epochs = {record["training_images"]: record["config"]["epochs"] for record in records}
    assert [epochs[images] for images in sorted(epochs)] == [9, 4, 2]  # of 5, 11 and 22 steps each, or so
    assert "9 to 2 epochs (equal steps: the fewer images, the more epochs), 2 seeds" in result.text
    assert "over replicates; equal steps: the fewer images, the more epochs" in result.text
    path = options.out / "ablation-fraction-equal-steps-digits" / "result.json"
    document = json.loads(path.read_text())
    assert document["config"]["equal_steps"]
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    # the steps that a grid would take are the same networks, and all of the images those without the option
    capsys.readouterr()
    networks = [step for step in JOB.steps(config, ()) if step.kind == "classifier"]
    assert [step.status for step in networks] == ["done"] * 12
    run(replace(config, values=(1.0,), equal_steps=False))
    assert "reused 4 trained networks" in capsys.readouterr().out


def test_equal_steps_know_the_number_of_epochs_that_is_not_given(options):
    config = Config("fraction", (0.1, 0.4), equal_steps=True, settings=Settings(width=2), execution=options)
    assert [config.settings_on(load(config.data_at(value, None)), value).epochs for value in (0.1, 0.4)] == [330, 82]
    smoke = replace(config, smoke=True)
    assert smoke.settings_on(load(smoke.data_at(0.1, None)), 0.1).epochs == 2


def test_a_document_without_equal_steps_says_nothing_of_them():
    path = RESULTS / "ablation-fraction-fashion-mnist" / "result.json"
    document = json.loads(path.read_text())
    assert "equal_steps" not in document["config"]
    assert "equal steps" not in text_of(document)[0]


LABELLED = """
import torch
from tasks.task import text_task

def task():
    stream = torch.Generator().manual_seed(0)
    labels = (torch.rand(240, 3, generator=stream) < torch.tensor([0.5, 0.3, 0.2])).float()
    words = ("rude", "wrong", "long")
    texts = [" ".join(["so"] + [word for word, there in zip(words, row) if there]) for row in labels.tolist()]
    return text_task("labelled", (texts[:160], labels[:160]), (texts[160:], labels[160:]), several=True)
"""


def test_of_texts_with_several_labels_roc_auc_is_compared_and_nothing_is_said_of_images(options, tmp_path):
    (tmp_path / "labelled.py").write_text(LABELLED)
    data = DataOptions(f"{tmp_path / 'labelled.py'}:task")
    settings = Settings("text-cnn", width=4, epochs=2, batch_size=8)
    more = {"equal_steps": True, "data": data, "settings": settings, "execution": options}
    config = Config("fraction", (0.5, 1.0), ("none", "fmix+mixup"), 2, **more)
    result = run(config)
    document = read_document(options.out / "ablation-fraction-equal-steps-labelled" / "result.json", "labelled")
    assert (document.items, document.settings["metric"]) == ("texts", "roc_auc")
    text, conclusions = text_of({"config": document.config, "about": document.about, "results": document.results})
    assert "ROC-AUC over share on labelled: text-cnn of width 4, 79 to 160 training texts, 4 to 2 epochs" in text
    assert "ROC-AUC at 0.5 of the training texts (2 seeds, 80 texts; " in conclusions
    assert "ROC-AUC in % on the 80 test texts, last epoch" in text
    assert "; equal steps: the fewer texts, the more epochs" in text
    assert "accura" not in text
    assert "image" not in text
    # what is compared is the record's
    records = [run["record"] for run in document.runs if (run["value"], run["augmentation"]) == (1.0, "none")]
    mean = 100 * np.mean([record["metrics"]["roc_auc"] for record in records])
    (row,) = result.table[
        (result.table["setting"] == 1.0) & (result.table["augmentation"] == "none")
        & (result.table["estimator"] == "roc_auc")
    ].to_dict("records")  # fmt: skip
    assert row["mean"] == pytest.approx(mean)
    # and so is the part of the texts in the intervals: the four networks' values of the same 80
    assert {name: one["images"] for name, one in document.components.items()} == {
        measure_of("fraction", value, ROC_AUC): 80 for value in (0.5, 1.0)
    }
    assert judged([document]) == []
    table = SECTIONS[0].table(document)
    assert table.caption == "ROC-AUC over share"
    assert table.notes[0].startswith("ROC-AUC in % on the 80 test texts, last epoch")


def test_of_texts_no_statement_about_images_is_judged():
    document = json.loads((RESULTS / "ablation-fraction-fashion-mnist" / "result.json").read_text())
    assert "the paper's statements" in text_of(document)[0]
    document["about"]["settings"]["items"] = "texts"
    text, _ = text_of(document)
    assert "the paper's statements" not in text
    assert "Accuracy at 0.02 of the training texts (3 seeds, 10,000 texts; " in text
    assert "image" not in text.replace(document["about"]["title"], "")


def test_a_share_too_small_for_a_batch_is_named(options):
    config = Config("fraction", (0.04, 1.0), settings=replace(FAST, batch_size=64), execution=options)
    words = r"^--batch-size: got 64 with a share of 0.04; needs at most the 60 training images, or --values above 0.04$"
    with pytest.raises(BadInput, match=words):
        run(config)


def test_folds_are_held_out_of_the_training_images(options):
    config = Config("decay-power", (1.0, 3.0), cross_validate=2, settings=FAST, execution=options)
    result = run(config)
    assert len(result.table[result.table["estimator"] == "accuracy"]) == 2
    records = [json.loads(path.read_text()) for path in options.store.glob("classifier/*/result.json")]
    assert {record["config"]["decay_power"] for record in records} == {1.0, 3.0}
    assert all(record["scored"] != "test" for record in records)
    assert len({record["data"]["sha256"] for record in records}) == 2
    held_out = [load(DataOptions(folds=2, fold=fold)) for fold in (1, 2)]
    sizes = [len(each.test) for each in held_out]
    assert {row["n"] for row in result.rows if row["seed"]} == set(sizes)
    assert "validation images" in result.text


def test_smoke_is_watermarked_and_small(options, capsys):
    result = run(Config("alpha", smoke=True, settings=Settings(width=2, batch_size=256), execution=options))
    assert "SMOKE RUN" in capsys.readouterr().out
    assert {row["setting"] for row in result.rows} == {0.2, 2.0}
    assert (options.out / "ablation-alpha-digits-smoke" / "result.json").is_file()


def table_of(values):
    return pd.DataFrame(
        {"augmentation": name, "setting": setting, "estimator": "accuracy", "mean": np.mean(each),
         "std": np.std(each, ddof=1), "seeds": len(each), "image_error": 0.1, "n": 10_000}
        for (name, setting), each in values.items()
    )  # fmt: skip


def test_words_about_sizes():
    high, low = (80.0, 80.2, 79.9), (70.0, 70.1, 70.2)
    table = table_of({("none", 0.1): low, ("fmix+mixup", 0.1): high, ("none", 1.0): high, ("fmix+mixup", 1.0): high})
    text = ablation_conclusions(table, "fraction")
    small, whole = text.split("Accuracy at 1 of the training images")
    assert "FMix+MixUp is above the baseline by 9.93 points (p < 0.001)" in small
    assert "FMix+MixUp is more accurate than the baseline: holds here" in small
    assert "FMix+MixUp is more accurate than the baseline: cannot be told here" in whole
    assert "Each of the 2 tests errs in 5% of all cases, one of them in at most 10%." in whole
    assert whole.endswith("they are wider than they need be.")  # nothing is kept of single images


def test_words_about_values():
    table = table_of(
        {("fmix", 0.0): (70.0, 70.1, 70.2), ("fmix", 3.0): (80.0, 80.2, 79.9), ("fmix", 4.0): (80.1, 80.2, 80.0)}
    )
    text = ablation_conclusions(table, "decay-power")
    assert "The largest mean, 80.10%, is at δ = 4" in text
    assert "δ = 3 is above δ = 0 by 9.93 points (p < 0.001)" in text
    assert "δ = 3 is more accurate than δ = 0: holds here (p < 0.001)" in text
    assert "images would, whose draw is the limit: δ = 4 and δ = 3" in text
    assert "Folds share" not in text
    assert "Folds share training images" in ablation_conclusions(table, "decay-power", "folds")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--vary", "fraction", "--values", "0", "1"],
            "--values: got 0.0 for --vary fraction; needs a number above 0 and at most 1",
        ),
        (["--vary", "alpha", "--values", "1", "0.5"], "--values: got 1.0 0.5; needs different numbers, ascending"),
        (["--vary", "alpha", "--values", "-1"], "--values: got -1.0 for --vary alpha; needs a finite number above 0"),
        (["--cross-validate", "1"], "--cross-validate: got 1; needs an integer from 2 to 10"),
        (["--vary", "width"], "--vary"),
        (["--vary", "alpha", "--equal-steps"], "--equal-steps: got --vary alpha; needs --vary fraction"),
        (["--seeds", "0"], "--seeds: got 0"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m analysis.ablation", [*arguments, "--store", str(tmp_path / "runs")])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_trains_nothing(options, capsys):
    config = Config("fraction", (0.5, 1.0), seeds=1, settings=FAST, execution=replace(options, dry_run=True))
    assert run(config).rows == []
    assert "0 classifiers to reuse, 8 to train" in capsys.readouterr().out
    assert not options.store.exists()
