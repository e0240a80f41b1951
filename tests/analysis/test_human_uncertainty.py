import hashlib
import json
import urllib.error
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis import human_uncertainty
from analysis.human_uncertainty import MATCHED, Config, run, text_of, uncertainty_conclusions
from analysis.human_uncertainty import labels as human_labels
from analysis.human_uncertainty.labels import check_order, cifar10h, credit, made_up, read_human, votes_of
from analysis.human_uncertainty.section import SECTIONS
from classifiers.load import ModelOptions
from classifiers.train import Settings, train
from findings.document import read_document
from findings.over_seeds import over_seeds
from store import BadInput
from store.command_line import command
from tasks import DataOptions, load

FAST = Settings(epochs=2, width=2)
RESULTS = Path(__file__).parents[2] / "results"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "cifar10h.npz"


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


@pytest.fixture
def human(digits, tmp_path):
    """People who see digits right nine times in ten."""
    rng = np.random.default_rng(0)
    labels = digits.test.targets.numpy()
    p = np.full((len(labels), 10), 0.1 / 9)
    p[np.arange(len(labels)), labels] = 0.9
    counts = np.stack([rng.multinomial(50, row) for row in p])
    path = tmp_path / "human.npz"
    np.savez(path, counts=counts, labels=labels)
    return path, counts, labels


def test_the_job_from_end_to_end(human, options, capsys):
    path, _, _ = human
    config = Config(("none", "fmix"), 2, path, data=DataOptions(), settings=FAST, execution=options)
    result = run(config)
    out = capsys.readouterr().out
    assert "trained  4/4" in out
    assert "Of the paper's statements, FMix is closer to humans than the baseline: " in " ".join(out.split())
    assert "CC BY" not in out  # these counts are nobody's
    assert {row["seed"] for row in result.rows} == {None, 1, 2}
    assert all(file.stat().st_size for file in result.files)
    run(config)
    assert "reused 4 trained networks" in capsys.readouterr().out


def test_the_document_at_matched_accuracy(human, options):
    path, _, _ = human
    config = Config(("none", "mixup"), 3, path, data=DataOptions(), settings=FAST, execution=options)
    result = run(config)
    document = json.loads((options.out / "human-uncertainty-digits" / "result.json").read_text())
    of_networks = {
        (row["estimator"], row["augmentation"], row["seed"]): row for row in document["results"] if row["seed"]
    }
    accuracies = [row["value"] for (estimator, *_), row in of_networks.items() if estimator == "accuracy"]
    q = document["matched"]["accuracy"]
    assert q == pytest.approx(np.mean(accuracies))
    assert document["matched"]["without"] == []
    for estimator, quantity in MATCHED.items():
        for augmentation in ("none", "mixup"):
            for seed in (1, 2, 3):
                matched = of_networks[estimator, augmentation, seed]
                as_it_is = of_networks[estimator.removesuffix("_matched"), augmentation, seed]
                assert (matched["quantity"], matched["units"], matched["n"]) == (quantity, "nats", 360)
                assert 0 < matched["standard_error"] < 1
                # more of the images on which the network is right, and it is nearer to humans
                more = q - of_networks["accuracy", augmentation, seed]["value"]
                assert (matched["value"] - as_it_is["value"]) * more < 0
        assert set(document["components"][estimator]["residuals"]) == {"none", "mixup"}
    assert f"right on {q:.1f}% of the images" in result.text
    assert "KL(human‖model) at matched accuracy (3 seeds, 360 images; Welch's test" in result.text
    assert "KL(human‖model) at matched accuracy after a temperature fitted to the humans (3 seeds" in result.text
    assert "as many mistakes, though not the same ones." in document["about"]["conclusions"]
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    # an older document has neither these rows nor what belongs to them, and nothing is said of them
    older = document | {"results": [row for row in document["results"] if row["estimator"] not in MATCHED]}
    del older["matched"]
    text, conclusions = text_of(older)
    assert "at matched" not in text.lower()
    assert conclusions.endswith("Only networks of like accuracy can be compared for their uncertainty.")


def test_a_committed_document_without_matched_accuracies_reads_as_before():
    document = json.loads((RESULTS / "human-uncertainty-cifar-10-jpeg" / "result.json").read_text())
    assert text_of(document) == (document["text"], document["about"]["conclusions"])


def test_networks_without_a_value_at_matched_accuracy_are_named():
    rows = [
        row for name in human_uncertainty.SHOWN
        for row in rows_of(name, {"none": (0.9, 0.91, 0.92), "mixup": (0.8, 0.81, 0.79)})
    ]  # fmt: skip
    about = {"title": "Human uncertainty"}
    matched = [
        row for name in MATCHED for row in rows_of(name, {"none": (0.9, 0.92), "mixup": (0.8, 0.81, 0.79)})
    ]  # fmt: skip
    some = {"results": [{**row, "quantity": ""} for row in rows + matched], "about": about, "config": {}}
    text, _ = text_of(some | {"matched": {"accuracy": 91.25, "without": [["none", 3]]}})
    assert (
        "as if every network were right on 91.2% of the images, KL(h‖p) in nats is 0.910 ± 0.014 (the baseline)" in text
    )
    assert "That is without the baseline of seed 3: right or wrong on fewer than 10 images." in text
    assert "KL(human‖model) at matched accuracy (2 seeds" in text
    none = {"results": rows, "about": about, "config": {}, "matched": {"accuracy": None, "without": [["none", 1]]}}
    text, conclusions = text_of(none)
    assert "No KL(h‖p) at matched accuracy: it takes two networks that are right and wrong on 10 images each." in text
    assert conclusions.endswith("Only networks of like accuracy can be compared for their uncertainty.")


def test_one_model_and_its_logits_say_the_same(human, digits, options, tmp_path, capsys):
    path, _, _ = human
    one = train(digits, "none", 1, FAST, options)
    document = tmp_path / "found.json"
    config = Config(
        human=path, model=ModelOptions(str(one.path)), data=DataOptions(),
        execution=replace(options, json=str(document)),
    )  # fmt: skip
    by_model = {row["estimator"]: row for row in run(config).rows}
    with np.load(one.path / "logits.npz") as kept:
        np.save(tmp_path / "logits.npy", kept["logits"])
    by_logits = {row["estimator"]: row for row in run(Config(human=path, logits=tmp_path / "logits.npy")).rows}
    for name, row in by_model.items():
        assert by_logits[name]["value"] == pytest.approx(row["value"], rel=1e-5)
    assert "KL(human‖model): " in capsys.readouterr().out
    rows = json.loads(document.read_text())["results"]
    assert {"kl_human_model", "js", "soft_cross_entropy", "ece", "accuracy", "entropy",
            "kl_human_model_temperature_scaled"} <= {row["estimator"] for row in rows}  # fmt: skip
    assert all(row["seed"] is None and row["noise"] is None for row in rows)


def test_without_labels_humans_stand_for_them(human, tmp_path, capsys):
    path, counts, _ = human
    np.savez(path, counts=counts)
    np.save(tmp_path / "logits.npy", np.log(counts + 1.0))
    rows = {row["estimator"]: row for row in run(Config(human=path, logits=tmp_path / "logits.npy")).rows}
    assert "the humans' most frequent class stands for the true one" in capsys.readouterr().out
    assert rows["accuracy"]["value"] == 100


def test_another_order_is_an_error_and_no_number(human, digits, options):
    path, counts, labels = human
    turned = np.roll(counts, 1, 0)
    with pytest.raises(BadInput, match="in another order"):
        check_order(torch.from_numpy(turned), None, digits.test.targets)
    with pytest.raises(BadInput, match="in another order"):
        check_order(torch.from_numpy(counts), torch.from_numpy(np.roll(labels, 1)), digits.test.targets)
    with pytest.raises(BadInput, match="counts of 359 images"):
        check_order(torch.from_numpy(counts[1:]), None, digits.test.targets)
    check_order(torch.from_numpy(counts), torch.from_numpy(labels), digits.test.targets)
    np.savez(path, counts=turned)
    with pytest.raises(BadInput, match="in another order"):
        run(Config(("none",), 1, path, data=DataOptions(), settings=FAST, execution=options))
    assert not options.store.exists()  # nothing was trained for it


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": None}, "without counts"),
        ({"counts": np.ones(4)}, r"with counts \(4,\)"),
        ({"counts": -np.ones((4, 3))}, "negative or fractional"),
        ({"counts": np.full((4, 3), 0.5)}, "negative or fractional"),
        ({"counts": np.full((4, 3), np.nan)}, "negative or fractional"),
        ({"counts": np.array([[1, 0], [0, 0], [1, 1], [0, 0]])}, "nobody labelled image 1 and 1 more"),
        ({"counts": np.array([["a", "b"]])}, "with counts"),
        ({"labels": np.array([0, 1, 2, 3])}, "with labels from 0 to 3"),
        ({"labels": np.array([0, -1, 2, 1])}, "with labels from -1"),
        ({"labels": np.array([0, 1])}, r"with labels \(2,\)"),
        ({"counts": np.array([{}], dtype=object)}, "cannot be read"),
    ],
)
def test_unsuitable_human_labels(tmp_path, change, words):
    arrays = {"counts": np.ones((4, 3), int), "labels": np.zeros(4, int)} | change
    path = tmp_path / "human.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(BadInput, match=words):
        read_human(path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(360), "(360,) float64; needs an .npy of logits"),
        (np.zeros((360, 10), int), "(360, 10) int64"),
        (np.zeros((359, 10)), "(359, 10); needs logits of shape (360, 10)"),
        (np.full((360, 10), np.nan), "logits that are not finite for 360 images, the first 0"),
        (np.full((360, 10), 0.1), "whose rows are probabilities; needs logits"),
        (np.array([{}], dtype=object), "which cannot be read"),
    ],
)
def test_unsuitable_logits_are_one_line_and_exit_2(human, tmp_path, array, words, capsys):
    path, _, _ = human
    np.save(tmp_path / "logits.npy", array, allow_pickle=True)
    arguments = ["--logits", str(tmp_path / "logits.npy"), "--human", str(path)]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m analysis.human_uncertainty", arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert words in error


def test_cifar10h_is_downloaded_checked_and_kept(tmp_path, monkeypatch, capsys):
    counts = np.arange(60).reshape(6, 10)
    np.save(tmp_path / "source.npy", counts)
    monkeypatch.setattr(human_labels, "URL", (tmp_path / "source.npy").as_uri())
    with pytest.raises(BadInput, match="whose counts are not those published"):
        cifar10h(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(human_labels, "SHA256", hashlib.sha256(counts.astype(np.uint8).tobytes()).hexdigest())
    assert cifar10h(tmp_path / "data").tolist() == counts.tolist()
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err
    (tmp_path / "source.npy").unlink()
    kept = cifar10h(tmp_path / "data")  # no second download
    assert kept.tolist() == counts.tolist()
    assert "CC BY-NC-SA 4.0" in credit(kept)
    assert credit(kept + 1) == ""  # others' counts

    def no_network(*_, **__):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(
        BadInput, match=r"cannot be downloaded .*; needs a network connection, or the counts with --human"
    ):
        cifar10h(tmp_path / "elsewhere")


@pytest.mark.skipif(not SHARED.is_file(), reason="needs CIFAR-10H")
def test_facts_of_cifar10h(tmp_path):
    counts, labels = read_human(SHARED)
    content = hashlib.sha256(counts.numpy().astype(np.uint8).tobytes()).hexdigest()
    assert content == human_labels.SHA256
    check_order(counts, None, labels)
    np.save(tmp_path / "logits.npy", np.zeros((10_000, 10)))
    rows = {row["estimator"]: row["value"] for row in run(Config(human=SHARED, logits=tmp_path / "logits.npy")).rows}
    assert rows["kl_human_model"] == pytest.approx(2.1481, abs=5e-5)
    assert np.log(10) - rows["kl_human_model"] == pytest.approx(0.15446, abs=5e-6)  # the humans' mean entropy
    assert float((counts.argmax(1) == labels).double().mean()) == pytest.approx(0.9921)


def rows_of(estimator, values):
    return [
        {"inputs": "clean", "augmentation": name, "noise": None, "estimator": estimator, "value": value,
         "standard_error": 0.001, "cap": None, "saturated": None, "n": 100, "seed": seed}
        for name, seeds in values.items() for seed, value in enumerate(seeds, 1)
    ]  # fmt: skip


def test_words_before_and_after_temperature():
    before = {"none": (0.9, 0.91, 0.92), "mixup": (0.8, 0.81, 0.79), "cutmix": (0.5, 0.51, 0.49)}
    after = {"none": (0.3, 0.31, 0.29), "mixup": (0.302, 0.311, 0.29), "cutmix": (0.4, 0.41, 0.39)}
    rows = rows_of("kl_human_model", before) + rows_of("kl_human_model_temperature_scaled", after)
    rows += rows_of("accuracy", dict.fromkeys(before, (90.0, 90.1, 89.9)))
    text = uncertainty_conclusions(over_seeds(rows))
    first, second = text.split("after a temperature fitted to the humans", 1)
    assert "CutMix is closer to humans than the baseline by 0.410 nats (p < 0.001)" in first
    assert "CutMix is closer to humans than the baseline: holds here (p < 0.001)" in first
    assert "The baseline is closer to humans than CutMix by 0.100 nats" in second
    assert "CutMix is closer to humans than the baseline, after one temperature: is reversed here" in second
    assert "67% (the baseline)" in second
    assert "accuracies are 90.0% (the baseline)" in second


@pytest.mark.parametrize("more", [[], ["--smoke", "--model", "resnet18"]])
def test_other_data_need_human_labels(more, capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, run, human_uncertainty.PROGRAM, ["--data", "digits", *more])
    assert stop.value.code == 2
    assert "--human: got nothing for --data digits" in capsys.readouterr().err


def test_a_smoke_run_of_other_data_says_that_votes_are_made_up(options):
    config = Config(("none", "mixup"), smoke=True, data=DataOptions(), settings=FAST, execution=options)
    result = run(config)
    head = (options.out / "human-uncertainty-digits-smoke" / "result.json").read_text()
    assert "against made-up votes" in result.text
    assert "against made-up votes" in head
    assert "CC BY" not in result.text  # they are nobody's
    assert "At matched accuracy, as if every network were right on " in result.text


def test_made_up_votes_are_nine_in_ten_for_the_label():
    labels = torch.arange(2000) % 10
    votes = made_up(labels, 10)
    assert (votes.sum(1) == 50).all()
    share = votes[torch.arange(2000), labels].double().mean() / 50
    # 100,000 votes: five standard errors, wrong once in 1.7 million
    assert abs(share - 0.9) < 5 * (0.9 * 0.1 / 100_000) ** 0.5
    assert torch.equal(made_up(labels, 10), votes)


RATED = """
from dataclasses import replace

import torch
from tasks import DataOptions, load

def task():
    # of ten raters more than half see a digit as the next one: they agree with the labels for no image
    found = load(DataOptions())
    labels = found.test.targets
    votes = torch.zeros(len(labels), 10, dtype=torch.int64)
    votes[torch.arange(len(labels)), labels] = 4
    votes[torch.arange(len(labels)), (labels + 1) % 10] = 6
    return replace(found, name="rated", votes=votes, digest="")
"""


@pytest.fixture
def rated(tmp_path):
    (tmp_path / "rated.py").write_text(RATED)
    return DataOptions(f"{tmp_path / 'rated.py'}:task")


def test_the_votes_that_data_come_with_are_the_human_labels(rated, options, quick_figures):
    config = Config(("none", "mixup"), 2, data=rated, settings=FAST, execution=options)
    result = run(config)
    directory = options.out / "human-uncertainty-rated"
    document = json.loads((directory / "result.json").read_text())
    assert document["about"]["title"].endswith(", 2 epochs, 2 seeds, against the votes of its raters")
    assert "With the labels of 10 raters an image, every KL is too large" in result.text
    assert "2.0 an image; by 0.0500 if only the classes that were chosen could be" in result.text
    # KL from the logits that were kept: the same votes for every digit of a class
    votes = votes_of(load(rated)).numpy() / 10
    trained = train(load(rated), "none", 1, FAST, options)
    with np.load(trained.path / "logits.npz") as kept:
        logits = kept["logits"].astype(float)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    kl = (0.4 * np.log(0.4) + 0.6 * np.log(0.6)) - (votes * log_p).sum(1).mean()
    row = next(one for one in result.rows if (one["estimator"], one["seed"]) == ("kl_human_model", 1))
    assert row["value"] == pytest.approx(kl, rel=1e-5)
    note = SECTIONS[0].table(read_document(directory / "result.json", "rated")).notes[0]
    assert note.endswith("Human labels: those of the data's own raters")
    assert text_of(document) == (document["text"], document["about"]["conclusions"])
    # of texts nothing is said of images, nor is what the paper says of them judged
    assert "Of the paper's statements" not in result.text  # it says nothing of these two
    document["about"] |= {"settings": document["about"]["settings"] | {"items": "texts"}, "title": "On texts"}
    document["human"] = human_uncertainty._bias(votes_of(load(rated)), "raters", "texts")
    for more in ({}, {"components": None}, {"matched": {"accuracy": None, "without": []}}):
        assert "image" not in text_of(document | more)[0]
    assert "With the labels of 10 raters a text, " in text_of(document)[0]
    # human labels of one's own go before them
    wrong = np.eye(10, dtype=int)[load(rated).test.targets.numpy()]
    np.savez(options.out / "human.npz", counts=wrong)
    own = run(replace(config, human=options.out / "human.npz"))
    assert "With 1 human labels an image" in own.text
    assert "2nd choice" not in own.text  # nobody has made one


@pytest.mark.parametrize(("smoke", "title"), [(True, "against the votes of its raters"), (False, "10 raters an image")])
def test_votes_are_there_in_smoke_runs_and_for_one_model_too(smoke, title, rated, options):
    if smoke:
        config = Config(("none",), smoke=True, data=rated, settings=FAST, execution=options)
    else:
        one = train(load(rated), "none", 1, FAST, options)
        config = Config(model=ModelOptions(str(one.path)), data=rated, execution=options)
    text = run(config).text
    assert title in text
    assert "made-up" not in text


VOTED = """
import torch
from dataclasses import replace

from tasks import DataOptions, load

def task():
    # of four raters three see what a sentence says, and one the other
    found = load(DataOptions("made-up-sentences"))
    labels = found.test.targets
    votes = torch.ones(len(labels), 2, dtype=torch.int64)
    votes[torch.arange(len(labels)), labels] = 3
    return replace(found, name="voted", votes=votes, digest="")
"""
TEXTS = Settings("text-cnn", width=4, epochs=2, learning_rate=1e-2)


@pytest.fixture
def voted(tmp_path):
    (tmp_path / "voted.py").write_text(VOTED)
    return DataOptions(f"{tmp_path / 'voted.py'}:task")


@pytest.mark.parametrize("smoke", [False, True])
def test_one_classifier_of_texts_is_compared_with_the_votes_that_its_texts_have(smoke, voted, options):
    one = train(load(voted), "none", 1, TEXTS, options)
    result = run(Config(model=ModelOptions(str(one.path)), smoke=smoke, data=voted, execution=options))
    assert "With the labels of 4 raters a text, " in result.text
    assert "errors are standard errors over texts" in result.text
    assert "image" not in result.text
    # from the logits that its training has kept, which are not computed again
    kept = run(Config(("none",), 1, data=voted, settings=TEXTS, execution=options))
    for name in ("kl_human_model", "accuracy", "kl_human_model_temperature_scaled"):
        (here,) = (row["value"] for row in result.rows if row["estimator"] == name)
        assert here == pytest.approx(next(row["value"] for row in kept.rows if row["estimator"] == name), rel=1e-4)


def test_what_is_no_classifier_of_these_texts_is_one_line(voted, rated, options, tmp_path):
    of_images = train(load(rated), "none", 1, FAST, options).path
    of_texts = train(load(voted), "none", 1, TEXTS, options).path
    (tmp_path / "three.py").write_text(
        VOTED.replace("votes=votes", "votes=torch.ones(len(labels), 3, dtype=torch.int64), classes=3")
    )
    for model, data, words in (
        ("text-cnn", voted, "text-cnn for texts; needs the directory of a run of classifiers.train, trained on texts"),
        ("runs/gone", voted, "runs/gone for texts; needs the directory of a run of classifiers.train"),
        (of_images, voted, "a run of something else; needs the directory of a finished run of classifiers.train, trai"),
        (of_texts, rated, "a classifier of texts; needs one of images"),
        (of_texts, DataOptions(f"{tmp_path / 'three.py'}:task"), "for 2 classes; needs the data's 3 classes"),
    ):
        with pytest.raises(BadInput, match=f"^--model: got .*{words}"):
            run(Config(model=ModelOptions(str(model)), data=data, execution=options))


def test_logits_alone_are_compared_with_the_votes_of_their_data(rated, options, tmp_path):
    np.save(tmp_path / "logits.npy", np.zeros((360, 10)))
    rows = run(Config(logits=tmp_path / "logits.npy", data=rated, execution=options)).rows
    kl = next(row["value"] for row in rows if row["estimator"] == "kl_human_model")
    assert kl == pytest.approx(np.log(10) + 0.4 * np.log(0.4) + 0.6 * np.log(0.6))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda votes: votes[1:], r"digits with votes \(359, 10\); needs how many raters chose each of 10 classes for"),
        (lambda votes: votes.tolist(), "digits with votes list"),
        (lambda votes: votes - 1, "digits, votes with negative or fractional counts"),
        (lambda votes: votes * 0, "nobody labelled image 0 and 359 more; needs at least one label for every image"),
    ],
)
def test_unsuitable_votes(digits, change, words):
    votes = change(made_up(digits.test.targets, 10))
    with pytest.raises(BadInput, match=words):
        votes_of(replace(digits, votes=votes))


def test_several_labels_are_no_distribution(rated, options, monkeypatch):
    task = replace(load(rated), several=True)
    monkeypatch.setattr(human_uncertainty, "load", lambda *_, **__: task)
    with pytest.raises(BadInput, match="rated, with several labels each; needs one class each"):
        run(Config(("none",), 1, data=rated, settings=FAST, execution=options))
