"""Seeds added until all is decided: which looks are taken, what is refused, what is printed and written at each."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from analysis import accuracy, mutual_info, representations
from attacks import sweep
from classifiers.load import ModelOptions
from classifiers.train import Settings
from findings import Result
from findings.decisions import Decision
from gradcam import sums
from store import BadInput
from store.command_line import Options, command
from tasks import DataOptions
from training.until import Unasked, until_decided

FAST = Settings(epochs=1, width=2, batch_size=60)
SMALL = DataOptions("digits", train_images=60)
TWO = ("none", "mixup")


def decision(verdict):
    return Decision("accuracy", TWO, verdict)


@pytest.mark.parametrize(
    ("verdicts", "most", "looks"),
    [
        (["open", "open", "differ", "open", "open"], 20, [3, 5, 8]),
        (["equal"], 20, [3]),
        (["open"] * 5, 20, [3, 5, 8, 12, 20]),
        (["open"] * 5, 8, [3, 5, 8]),
        (["open", "futile"], 12, [3, 5]),
        ([None, None, None, None, None], 5, [3, 5]),  # nothing can be compared
    ],
)
def test_looks_are_taken_until_nothing_is_open_or_there_are_no_more(verdicts, most, looks):
    taken = []

    def once(config):
        taken.append(config.seeds)
        verdict = verdicts[len(taken) - 1]
        return Result([], text=str(config.seeds), decisions=[decision(verdict)] if verdict else [])

    result = until_decided(accuracy.Config(TWO, until="decided", most=most), once)
    assert taken == looks
    assert result.text == str(looks[-1])


def test_without_it_an_analysis_is_done_once():
    assert until_decided(accuracy.Config(TWO, 2), lambda config: Result([], text=str(config.seeds))).text == "2"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"seeds": 3, "until": "decided"}, "--seeds: got 3 beside --until decided; needs one of the two"),
        ({"most": 8}, "--most: got 8; needs --until decided, to which it belongs"),
        ({"margin": 0.0}, "--margin: got 0.0; needs a number above 0"),
        ({"margin": float("nan")}, "--margin: got nan; needs a number above 0"),
        ({"until": "decided", "smoke": True}, "--smoke: got beside --until decided; needs one of the two: a smoke run"),
        ({"until": "decided", "augmentations": ("fmix",)}, "--until: got decided, of fmix alone; needs several"),
        (
            {"until": "decided", "execution": Options(force=True)},
            "--force: got beside --until decided; needs another --store: a look goes on from the one before",
        ),
        ({"until": "decided", "first_seed": 4}, "--first-seed: got 4 beside --until decided; needs 1"),
    ],
)
def test_what_does_not_go_together_is_refused(options, complaint):
    with pytest.raises(BadInput) as refused:
        accuracy.Config(**options)
    assert str(refused.value).startswith(complaint)


@pytest.mark.parametrize("job", [sums, sweep, representations])
def test_one_model_has_no_seeds_to_add(job):
    with pytest.raises(BadInput, match="--until: got decided beside --model"):
        job.Config(until="decided", model=ModelOptions("torchvision:resnet18"))
    with pytest.raises(BadInput, match=r"--margin: got 1.0 beside --model"):
        job.Config(margin=1.0, model=ModelOptions("torchvision:resnet18"))


def test_neither_has_an_encoder(tmp_path):
    with pytest.raises(BadInput, match="--until: got decided beside --posterior"):
        mutual_info.Config(until="decided", posterior=tmp_path / "encoder.npz")


def test_the_usual_number_of_seeds_is_not_asked_for():
    config = accuracy.Config()
    assert config.seeds == 3
    assert isinstance(replace(config, until="decided").seeds, Unasked)
    assert json.dumps(config.seeds) == "3"


def test_the_command_from_end_to_end(options, capsys):
    written = options.store.parent / "found.json"
    arguments = ["--augmentations", *TWO, "--until", "decided", "--most", "5", "--margin", "99", "--train-images", "60"]
    arguments += ["--epochs", "1", "--width", "2", "--batch-size", "60", "--device", "cpu", "--threads", "1"]
    arguments += ["--store", str(options.store), "--out", str(options.out), "--json", str(written)]
    with pytest.raises(SystemExit) as ended:
        command(accuracy.Config, accuracy.run, accuracy.PROGRAM, arguments)
    assert ended.value.code == 0
    document = json.loads(written.read_text(encoding="utf-8"))
    seeds = document["config"]["seeds"]
    assert (document["config"]["until"], document["config"]["most"], seeds in (3, 5)) == ("decided", 5, True)
    assert {row["seed"] for row in document["results"]} == {None, *range(1, seeds + 1)}
    said = capsys.readouterr().out
    assert said.count("Does it pay?") == 1  # the look that is not the last says what is open alone
    assert f"Seeds until decided: {seeds} of at most 5" in said.replace("\n", " ")
    assert "5% over all looks" in document["text"]
    assert "Equal within ±99 points: " in document["text"] or "1 open" in document["text"]


@pytest.mark.usefixtures("quick_figures")
def test_looks_share_their_networks_and_the_document_is_that_of_the_last(options, capsys):
    execution = replace(options, json="-")
    asked = {"data": SMALL, "settings": FAST, "execution": execution}
    result = accuracy.run(accuracy.Config(TWO, until="decided", most=5, margin=1e-9, **asked))
    out, err = capsys.readouterr()
    document = json.loads(out)  # one document, whatever the looks
    seeds = document["config"]["seeds"]
    assert "trained  6/6" in err
    assert ("reused 6 trained networks" in err) == (seeds == 5)
    fixed = accuracy.run(accuracy.Config(TWO, seeds, **asked))
    assert not re.search(r"^trained ", capsys.readouterr().err, re.MULTILINE)
    of_networks = [
        [row for row in one.rows if row["seed"] is not None and row["estimator"] == "accuracy"]
        for one in (result, fixed)
    ]
    assert of_networks[0] == of_networks[1]
    assert "over all looks" not in fixed.text


@pytest.mark.usefixtures("quick_figures")
def test_every_job_that_compares_augmentations_can_add_seeds(options, capsys):
    asked = {"data": SMALL, "settings": FAST, "execution": options, "until": "decided", "most": 3}
    found = {
        "sums": sums.run(sums.Config(TWO, images=8, **asked)),
        "sweep": sweep.run(sweep.Config(TWO, images=8, epsilons=(0.0, 0.1), attacks=("noise", "fgsm"), **asked)),
        "layers": representations.run(
            representations.Config(TWO, images=100, noise=(1.0, 4.0), layers=("in:classify",), **asked)
        ),
    }
    for name, result in found.items():
        assert len(result.decisions) == {"sums": 1, "sweep": 2, "layers": 1}[name]
        assert "Seeds until decided: 3 of at most 3, compared at 3, each time at 1%" in result.text, name
    assert {decision.measure for decision in found["sweep"].decisions} == {
        "uniform noise", "the worst case of all attacks",
    }  # fmt: skip
    capsys.readouterr()


def test_decided_rates_are_those_of_the_first_inputs():
    rows = [
        {"inputs": inputs, "augmentation": name, "noise": None, "estimator": "rate", "quantity": "I(Z;X)",
         "value": value + 5 * (inputs != "clean"), "standard_error": 0.01, "cap": None, "saturated": None, "n": 100,
         "seed": seed, "decoder_scale": 1.0, "under_trained": None, "heavy_tailed": None, "fitted_on": None}
        for inputs in ("clean", "own-augmented")
        for name, mean in (("none", 10.0), ("mixup", 12.0))
        for seed, value in enumerate(mean + np.array([-0.1, 0.0, 0.1]), 1)
    ]  # fmt: skip
    config = {"inputs": ["clean", "own-augmented"], "until": "decided", "margin": None}
    document = {"results": rows, "config": config, "about": {"settings": {}}}
    comparison = mutual_info.comparisons(document)["rate"]
    assert [pair.value for pair in comparison.differences] == [pytest.approx(2.0)]
    assert comparison.looks
    assert comparison.margin == pytest.approx(0.025 * 11)
