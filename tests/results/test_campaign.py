"""The campaign's blocks: what they ask for can be asked, and what trains ahead trains what the analyses want."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis import accuracy
from classifiers import train as classifiers
from results import campaign
from results.campaign import BLOCKS, RESULTS, Campaign, parts
from store.command_line import parse
from tasks import load
from vae import train as vaes


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    path = tmp_path_factory.mktemp("cifar") / "cifar.npz"
    images, labels = np.zeros((6000, 32, 32, 3), np.uint8), np.arange(6000) % 10
    images[:, 0, 0, 0] = labels
    few = slice(20)
    np.savez_compressed(
        path, train_images=images, train_labels=labels, test_images=images[few], test_labels=labels[few]
    )  # fmt: skip
    return path


@pytest.fixture
def begun(cifar, tmp_path, monkeypatch):
    monkeypatch.setenv("CIFAR10_JPEG", str(cifar))
    return Campaign(tmp_path, 2)


def trained_by(command, data):
    """The run that a trainer's command makes."""
    _, _, module, *arguments = command
    trainer = {"vae.train": vaes, "classifiers.train": classifiers}[module]
    config = parse(trainer.Config, f"python -m {module}", arguments)
    make = classifiers.classifier_run if trainer is classifiers else vaes.vae_run
    return make(data, config.augmentation, config.seed, config.settings, config.execution)


ROWS = ("first", "2", "3", "digits", "5", "small-data", "all-data")  # Fashion-MNIST is not on every machine


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.row in ROWS and "fashion" not in each.data])
def test_what_is_trained_ahead_is_what_the_analysis_wants(block, begun):
    config = begun.config(block)
    data = load(config.data)
    wanted = {part.run_of(data, network).path for part in parts(block, config) for network in part.networks()}
    commands = list(begun.trainings(block))
    assert {trained_by(command, data).path for command in commands} == wanted
    assert len(commands) == len(wanted)


def test_a_block_joins_what_an_earlier_one_has_begun():
    begun = set()
    for block in BLOCKS:
        place = block.folder, tuple(block.data)
        assert block.joins == (place in begun), block
        begun.add(place)


def test_no_network_is_trained_twice_and_the_first_three_seeds_come_first():
    for row in ("small-data", "all-data", "fashion-small-data", "fashion-all-data"):
        blocks = [block for block in BLOCKS if block.row == row]
        each = [
            (name, seed) for block in blocks for seed in range(block.first, block.first + block.seeds)
            for name in block.names
        ]  # fmt: skip
        assert len(each) == len(set(each)) == 6 * 5
        assert {seed for _, seed in each[:12]} == {1, 2, 3}
        assert {name for name, _ in each[:12]} == {"none", "mixup", "cutmix", "fmix"}


def test_a_block_is_put_into_results_with_its_logits_and_joined(digits_block, tmp_path, monkeypatch):
    (first, second), documents = digits_block
    monkeypatch.setattr(campaign, "RESULTS", tmp_path)
    path = campaign.record(first, documents[0])
    assert path == tmp_path / "small" / "accuracy-digits" / "result.json"
    campaign.record(second, documents[1])
    record = json.loads(path.read_text())
    assert record["config"]["seeds"] == 2
    for name in ("logits-none-seed1.npz", "logits-none-seed2.npz", "learning-curves.png"):
        assert name in record["files"]
        assert (path.parent / name).is_file()
    assert record["about"]["title"].endswith("2 seeds")
    bottom_line, text = (path.parent / "conclusions.txt").read_text().split("\n\n", 1)
    assert bottom_line.startswith("Bottom line: ")
    assert text.startswith(record["about"]["title"])


@pytest.fixture
def digits_block(tmp_path):
    blocks, documents = [], []
    for seed in (1, 2):
        what = ("--width", "2", "--epochs", "2")
        block = campaign.Block("small", "small", (), ("none",), 1, what, seed, seed > 1, accuracy.PROGRAM)
        out = tmp_path / f"out{seed}"
        where = ["--threads", "1", "--store", str(tmp_path / "store"), "--out", str(out)]
        accuracy.run(parse(accuracy.Config, accuracy.PROGRAM, [*block.arguments, *where]))
        blocks.append(block)
        documents.append(Path(next(out.glob("*/result.json"))))
    return blocks, documents


def test_an_estimate_says_what_is_missing_and_rests_on_steps(monkeypatch, tmp_path):
    monkeypatch.setattr(campaign, "MEASURED", 2)
    what = ("--width", "2", "--epochs", "2")
    block = campaign.Block("small", "small", (), ("none", "fmix"), 1, what, 1, False, accuracy.PROGRAM)
    text = campaign.estimate(Campaign(tmp_path, 1), block)
    assert text.startswith(
        "row small, digits, none fmix, 1 seed from 1: 2 networks of 44 steps to train, 0.0 core-hours"
    )
    assert text.endswith("by 2 steps")
    vae = next(block for block in BLOCKS if block.row == "digits")
    assert "15 networks of 550 steps to train" in campaign.estimate(Campaign(tmp_path, 1), vae)
    assert (RESULTS / "campaign").is_file()
