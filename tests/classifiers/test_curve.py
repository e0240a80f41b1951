"""The learning curve in a classifier's record, and the weights kept on the way."""

import json
from dataclasses import replace

import pytest
import torch

from classifiers import curve
from classifiers.curve import KEPT, SHARES, epochs_of, recorded_curve, scores_of_watched, watched_items, weights_at
from classifiers.load import ModelOptions, load_classifier, load_run, logits_of
from classifiers.train import Settings, train
from store import BadInput, Run
from store.command_line import Options
from tasks import DataOptions, load
from tasks.metrics import scores
from training import Interrupted
from training.reuse import Failed

FAST = Settings(width=4, epochs=8, batch_size=128)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return Options(store=tmp_path_factory.mktemp("curve") / "runs", device="cpu", threads=1)


@pytest.fixture(scope="module")
def trained(digits, options):
    return train(digits, "fmix", 1, FAST, options)


@pytest.mark.parametrize(
    ("epochs", "watched", "kept"),
    [
        (1, [1], [1]),
        (2, [1, 2], [1]),
        (30, [1, 2, 4, 8, 15, 22, 30], [2, 4, 8, 15]),
        (200, [6, 12, 25, 50, 100, 150, 200], [12, 25, 50, 100]),
    ],
)
def test_whole_epochs_each_once(epochs, watched, kept):
    assert epochs_of(SHARES, epochs) == watched
    assert epochs_of(KEPT, epochs) == kept


def test_the_curve_is_in_the_record_and_ends_at_the_last_epoch(digits, trained):
    record = trained.result()
    found = record["curve"]
    assert [point["epoch"] for point in found] == [1, 2, 4, 6, 8]
    assert [point["step"] for point in found] == [epoch * (len(digits.train) // 128) for epoch in (1, 2, 4, 6, 8)]
    assert found[-1]["loss"] == record["metrics"]["last_epoch"]["loss"]
    # there are fewer than 2,000 test digits: the last point is of all of them
    assert found[-1]["accuracy"] == pytest.approx(record["metrics"]["accuracy"])
    assert found[-1]["cross_entropy"] == pytest.approx(record["metrics"]["cross_entropy"], rel=1e-5)
    assert found[-1]["training_accuracy"] > found[0]["training_accuracy"]


def test_weights_of_earlier_epochs_are_what_the_curve_was_of(digits, trained):
    points = {point["epoch"]: point for point in trained.result()["curve"]}
    assert {name for name in trained.result()["files"] if name.endswith(".safetensors")} == {
        "weights.safetensors", "weights-epoch-1.safetensors", "weights-epoch-2.safetensors",
        "weights-epoch-4.safetensors",
    }  # fmt: skip
    for epoch in (1, 2, 4):
        options = ModelOptions(str(trained.path), weights=weights_at(epoch))
        earlier = load_classifier(options, digits, CPU)
        found = scores(logits_of(earlier, digits.test.inputs), digits.test.targets)
        assert found["accuracy"] == pytest.approx(points[epoch]["accuracy"])
        again = scores_of_watched(earlier, watched_items(digits))
        assert again == pytest.approx({name: points[epoch][name] for name in again}, rel=1e-5)


def test_weights_that_were_not_kept_are_one_line(trained):
    with pytest.raises(
        BadInput, match=r"--weights: got weights-epoch-3\.safetensors with .*one of its files: weights-"
    ):
        load_run(trained.path, CPU, weights="weights-epoch-3.safetensors")
    with pytest.raises(BadInput, match="--weights"):
        load_run(trained.path, CPU, weights="logits.npz")
    (trained.path / weights_at(1)).rename(trained.path / "aside")
    with pytest.raises(BadInput, match=r"weights-epoch-1\.safetensors: got no file"):
        load_run(trained.path, CPU, weights=weights_at(1))
    (trained.path / "aside").rename(trained.path / weights_at(1))


def test_watching_changes_nothing_of_the_training(digits, trained, options, monkeypatch, tmp_path):
    monkeypatch.setattr(curve, "scores_of_watched", lambda *_: pytest.fail("looked"))
    monkeypatch.setattr("classifiers.train.epochs_of", lambda shares, epochs: [])
    monkeypatch.setattr("classifiers.train.watched_epochs", lambda task, epochs: [])
    blind = train(digits, "fmix", 1, FAST, replace(options, store=tmp_path / "runs"))
    assert "curve" in blind.result()
    assert blind.result()["curve"] == []
    assert blind.result()["files"]["weights.safetensors"] == trained.result()["files"]["weights.safetensors"]


def test_an_interrupted_training_has_the_same_curve_and_weights(digits, trained, options, monkeypatch, tmp_path):
    elsewhere = replace(options, store=tmp_path / "runs", checkpoint_seconds=0.0)
    real, calls = curve.scores_of_watched, []

    def stops(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise Interrupted("SIGTERM", 15)
        return real(*arguments)

    monkeypatch.setattr("classifiers.train.scores_of_watched", stops)
    with pytest.raises(Interrupted):
        train(digits, "fmix", 1, FAST, elsewhere)
    again = train(digits, "fmix", 1, FAST, elsewhere).result()
    before = trained.result()
    assert json.dumps(again["curve"]) == json.dumps(before["curve"])
    assert again["files"] == before["files"]


def test_logits_that_are_no_numbers_end_the_training_as_diverged(digits, options, monkeypatch, tmp_path):
    def broken(classifier, *_):
        return {"cross_entropy": float("nan")}

    monkeypatch.setattr("classifiers.train.scores_of_watched", broken)
    with pytest.raises(Failed, match="the held-out loss became nan after step"):
        train(digits, "none", 1, replace(FAST, epochs=1), replace(options, store=tmp_path / "runs"))


def test_a_network_that_says_no_numbers(digits, trained):
    classifier = load_run(trained.path, CPU)
    with torch.no_grad():
        next(classifier.network.parameters()).fill_(float("nan"))
    found = scores_of_watched(classifier, watched_items(digits))
    assert found != found or found["cross_entropy"] != found["cross_entropy"]


def test_watched_images_are_random_and_the_same_for_every_network(digits):
    first, second = watched_items(digits), watched_items(digits)
    for kind in ("scored", "training"):
        assert torch.equal(first[kind].inputs, second[kind].inputs)
        split = {"scored": digits.test, "training": digits.train}[kind]
        assert len(first[kind]) == min(2000, len(split))
    assert not torch.equal(first["training"].inputs, digits.train.inputs[:2000])


def test_a_curve_that_somebody_changed_is_refused(options):
    run = train(load(DataOptions()), "none", 7, Settings(epochs=2, width=2), options)
    assert recorded_curve(run) == run.result()["curve"] != []
    for change, words in (
        (lambda curve: curve[0].pop("accuracy"), "learning curve that is none; needs numbers in every point"),
        (lambda curve: curve[-1].update(training_accuracy="a"), "learning curve that is none"),
        (lambda curve: curve[-1].update(step=True), "learning curve that is none"),
        (lambda curve: curve[0].update(accuracy=2), "accuracies outside"),
        (lambda curve: curve.append(3), "learning curve that is none"),
    ):
        record = run.result()
        change(record["curve"])
        changed = Run(options.store / "changed", run.kind, run.name, run.identity)
        changed.path.mkdir(parents=True, exist_ok=True)
        (changed.path / "result.json").write_text(json.dumps(record))
        with pytest.raises(BadInput, match=rf"result\.json: got a.*{words}"):
            recorded_curve(changed)
