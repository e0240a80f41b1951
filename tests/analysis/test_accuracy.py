import base64
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats

from analysis.accuracy import Config, accuracy_conclusions, accuracy_rows, run, text_of
from analysis.table import summarise
from classifiers.scores import scores
from classifiers.train import Settings, classifier_run
from store.command_line import command
from training import DataOptions, load

FAST = Settings(epochs=2, width=2)


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


def words(values, **settings) -> str:
    return " ".join(accuracy_conclusions(summarise(rows_of(values)), SETTINGS | settings).split())


def test_the_job_from_end_to_end(options, capsys):
    config = Config(("none", "fmix"), 2, settings=FAST, execution=replace(options, json=str(options.store) + ".json"))
    result = run(config)
    out = capsys.readouterr().out
    assert "trained  4/4" in out
    assert len([row for row in result.rows if row["seed"] is None]) == 4
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


@pytest.mark.parametrize("soft", [False, True])
def test_rows_hold_the_numbers_of_the_runs_record_with_their_errors(tmp_path, soft):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 3)).astype(np.float32)
    labels = rng.integers(1, 30, (40, 3)).astype(np.float32) if soft else rng.integers(3, size=40)
    np.savez(tmp_path / "logits.npz", logits=logits, labels=labels)
    rows = accuracy_rows(SimpleNamespace(path=tmp_path, result=lambda: {"scored": "test"}), "none", 1)
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
    assert f"MixUp and the baseline (p = {third:.2f})" in text
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
        (["--augmentations", "cutout"], "--augmentation: got 'cutout'"),
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
    assert {row["quantity"] for row in result.rows} == {"validation accuracy", "validation cross entropy"}
    assert "validation fold 1 of 5 images" in result.text
