import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from classifiers.load import ModelOptions
from classifiers.train import Settings, train
from gradcam.sums import Config, run, sums_conclusions, text_of
from store.command_line import command
from tasks import DataOptions, load

FAST = Settings(epochs=2, width=2)


def test_the_job_from_end_to_end(options, capsys):
    config = Config(
        ("none", "fmix"), 2, ("conv1", "stage2.1"), images=20, settings=FAST,
        execution=replace(options, json=str(options.store) + ".json"),
    )  # fmt: skip
    result = run(config)
    out = capsys.readouterr().out
    assert "Sums of Grad-CAM maps on digits" in out
    assert "Normalised sum at conv1, predicted class" in out
    # two layers, two classes, three kinds: of four classifiers, and over seeds
    assert len(result.rows) == 2 * 2 * 3 * (4 + 2)
    assert all(file.stat().st_size for file in result.files)
    assert any(file.name == "gradcam-maps.png" for file in result.files)
    assert all(0 < row["value"] <= 64 for row in result.rows if row["estimator"] == "gradcam_normalised")
    document = json.loads((options.store.parent / "runs.json").read_text())
    assert len(document["runs"]) == 8  # four trainings and what was made of them
    assert document["components"]["gradcam_normalised"]["images"] <= 20
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    assert run(config).text == result.text
    assert "reused 4 trained networks" in capsys.readouterr().out


def test_one_model_and_all_its_sums(options):
    one = train(load(DataOptions()), "none", 1, FAST, options)
    result = run(Config(layers=("stage1.0",), model=ModelOptions(str(one.path)), execution=options))
    with np.load(next(options.store.glob("gradcam/*/sums.npz"))) as kept:
        found = kept["sums"]
    assert found.shape == (1, 2, 3, 360)
    value = next(row for row in result.rows if row["seed"] is None and row["estimator"] == "gradcam_raw")["value"]
    assert value == pytest.approx(found[0, 0, 2].mean())
    assert "Tukey" not in result.text


def test_the_published_order_is_a_claim():
    def table(values):
        return pd.DataFrame(
            {"estimator": "gradcam_normalised", "layer": "conv1", "classes": "predicted", "augmentation": name,
             "value": value, "seed": seed, "standard_error": 0.1, "n": 100}
            for name, seeds in values.items() for seed, value in enumerate(seeds, 1)
        )  # fmt: skip

    document = {
        "config": {"layers": ["conv1"], "classes": ["predicted"]}, "about": {"settings": {"shape": [1, 8, 8]}}
    }  # fmt: skip
    sums = table({"none": (30, 31, 32), "mixup": (40, 41, 42), "cutmix": (40, 41, 42)})
    text = sums_conclusions(document, sums)
    assert "MixUp is above the baseline by 10.0 pixels" in text
    assert "the Grad-CAM sum of MixUp is above that of the baseline: holds here (p" in text
    assert "the Grad-CAM sum of the baseline is above that of CutMix: is reversed here (p" in text
    assert "at most the 64 pixels" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layers", "conv1", "conv1"], "--layers: got conv1 conv1"),
        (["--images", "0"], "--images: got 0"),
        (["--images", "361"], "--images: got 361; needs at most the 360"),
        (["--model", "preact-resnet18"], "--weights: got nothing"),
        (["--model", "preact-resnet18", "--weights", "random", "--layers", "conv9"], "--layers: got 'conv9'"),
        (["--model", "preact-resnet18", "--weights", "random", "--layers", "classify"], "--layers: got classify"),
    ],
)
def test_mistakes_are_one_line_exit_2_and_nothing_written(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m gradcam.sums", [*arguments, "--store", str(tmp_path / "runs")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert words in error
    assert not (tmp_path / "runs").exists()


def test_dry_run_of_one_model_does_nothing(options, capsys):
    config = Config(model=ModelOptions("runs/some"), execution=replace(options, dry_run=True))
    assert run(config).rows == []
    assert "to do or to reuse" in capsys.readouterr().out
    assert not options.store.exists()
