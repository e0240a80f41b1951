import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from attacks import sweep as module
from attacks.sweep import Config, interval, run, text_of
from classifiers.load import ModelOptions
from classifiers.train import Settings, train
from store import BadInput
from store.command_line import Options, command
from store.keeping import verify
from tasks import DataOptions, load

FAST = Settings(epochs=3, width=2)
ONE = {"attacks": ("fgsm", "pgd", "noise"), "epsilons": (0.0, 0.05, 0.5), "images": 12}
SMALL = ONE | {"settings": FAST}


def test_the_job_from_end_to_end(options, capsys):
    config = Config(("none", "fmix"), 2, **SMALL, execution=replace(options, json=str(options.store) + ".json"))
    result = run(config)
    out = capsys.readouterr().out
    for words in ("swept    4/4", "as published: the last iterate", "robust: broken images", "Checks", "worst case"):
        assert words in out
    assert "twice the steps" in out
    # two curves, three attacks and their worst case, three ε: of four classifiers, and over seeds
    assert len(result.rows) == 2 * 4 * 3 * (4 + 2)
    assert all(file.stat().st_size for file in result.files)
    row = next(row for row in result.rows if row["seed"] == 1)
    low, high = interval(round(12 * (1 - row["value"] / 100)), 12)
    assert (row["low"], row["high"]) == (low, high)
    document = json.loads((options.store.parent / "runs.json").read_text())
    assert len(document["runs"]) == 8  # four trainings and what was made of them
    assert {"attack worst case", "attack worst case share", "attack noise, published"} <= set(document["components"])
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    packed = next(
        each for each in document["verdicts"] if each["seed"] == row["seed"] and each["augmentation"] == "none"
    )
    first = np.frombuffer(zlib.decompress(base64.b64decode(packed["broken"])), np.uint8).reshape(3, 12)
    curve = [
        row["value"] for row in document["results"]
        if (row["augmentation"], row["seed"], row["curve"], row["estimator"]) == ("none", 1, "robust", "pgd")
    ]  # fmt: skip
    assert curve == pytest.approx([100 * (first[1] > place).mean() for place in range(3)])
    again = run(config)
    assert again.text == result.text


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The run of a classifier, to be read."""
    options = Options(device="cpu", threads=1, quiet=True, store=tmp_path_factory.mktemp("store"))
    return train(load(DataOptions()), "none", 1, FAST, options)


def test_a_worst_case_is_of_images_and_not_of_accuracies(one, options):
    config = Config(**ONE, model=ModelOptions(str(one.path)), execution=options)
    result = run(config)
    swept = next(options.store.glob("attacks/*/verdicts.npz"))
    with np.load(swept) as kept:
        assert kept["robust"].shape == (3, 3, 12)
        worst = 100 * (1 - kept["robust"].any(0).mean(1))
        assert sorted(kept["images"].tolist()) == kept["images"].tolist()
    found = [row["value"] for row in result.rows if row["estimator"] == "worst case" and row["curve"] == "robust"]
    assert found[:3] == pytest.approx(worst)
    assert "Tukey" not in result.text  # one classifier is compared with nothing


def test_the_batch_changes_nothing_and_a_stopped_sweep_goes_on(one, options, monkeypatch):
    config = Config(**ONE, attack_batch_size=5, model=ModelOptions(str(one.path)), execution=options)
    real, calls = module._attack, []

    def stop_at_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(module, "_attack", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    run(config)
    assert len(calls) == 4  # the two whole batches were kept
    with np.load(next(options.store.glob("attacks/*/verdicts.npz"))) as kept:
        parts = dict(kept)
    assert not list(options.store.glob("attacks/*/.batch-*"))
    run(replace(config, attack_batch_size=100, execution=replace(options, force=True)))
    with np.load(next(options.store.glob("attacks/*/verdicts.npz"))) as kept:
        for name, values in parts.items():
            np.testing.assert_array_equal(kept[name], values)


def test_a_model_that_returns_probabilities_is_refused(options, tmp_path, monkeypatch):
    (tmp_path / "soft.py").write_text(
        "from torch import nn\n"
        "def make(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes), nn.Softmax(1))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match="--model: got a model that fails “outputs are logits”"):
        run(Config(**ONE, model=ModelOptions("soft:make"), execution=options))
    assert not list(options.store.glob("attacks/*/config.json"))


def test_autoattack_from_outside(one, options, capsys):
    config = Config(**ONE | {"images": 8}, model=ModelOptions(str(one.path)), execution=options)
    run(config)
    assert "AutoAttack" not in capsys.readouterr().out
    for again in range(2):
        run(replace(config, autoattack=6))
        printed = capsys.readouterr().out
        assert "reused 1 sweep" in printed
        assert "AutoAttack breaks hardly more than the sweep" in printed
        assert len(list(options.store.glob("attacks/*/result.json"))) == 2, again


def test_without_an_attack_nothing_is_said_of_one(one, options):
    few = {"attacks": ("fgsm",), "epsilons": (0.0,), "images": 12}
    found = run(Config(model=ModelOptions(str(one.path)), **few, execution=options))
    assert found.text.startswith("Bottom line: No ε above 0 was asked for: nothing is attacked.")
    assert {row["epsilon"] for row in found.rows} == {0.0}


def test_intervals_are_wilsons():
    assert interval(3, 20) == pytest.approx([100 * p for p in binomtest(17, 20).proportion_ci(0.95, "wilson")])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--attacks", "pdg"], "--attacks: got 'pdg'; needs one of fgsm"),
        (["--attacks", "fgsm", "fgsm"], "--attacks: got fgsm fgsm"),
        (["--epsilons", "0", "-0.1"], "--epsilons: got 0.0 -0.1; needs different numbers from 0 to 1e+06, ascending"),
        (["--epsilons", "0.2", "0.1"], "--epsilons: got 0.2 0.1"),
        (["--images", "0"], "--images: got 0"),
        (["--autoattack", "-1"], "--autoattack: got -1"),
        (["--autoattack", "5", "--curves", "published"], "--autoattack: got 5 without the robust curve"),
        (["--images", "1000"], "--images: got 1000; needs at most the 360 there are"),
        (["--attack-batch-size", "0"], "--attack-batch-size: got 0"),
        (["--model", "nowhere"], "--model: got 'nowhere'; needs one of preact-resnet18"),
        (["--augmentations", "cutout"], "--augmentations: got 'cutout'"),
    ],
)
def test_mistakes_are_one_line_exit_2_and_nothing_written(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m attacks.sweep", [*arguments, "--store", str(tmp_path / "runs")])
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


def test_a_sweeps_record_names_the_files_that_are_there(options):
    run(Config(**SMALL, augmentations=("none",), seeds=1, execution=options))
    assert {row["found"] for row in verify(options.store)} == {"ok"}
