"""A mixer, a network and a data set of a user's own files in the workers of a grid, which get nothing but names."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.run import Config, run
from store import list_runs
from tests.calls import ROOT

PARTS = """
import functools

import numpy as np
import torch
from msda import MaskMixer
from torch import nn


def columns(level, spatial, generator):
    place = torch.rand(len(level), 1, spatial[-1], generator=generator, device=level.device)
    return (place < level.view(-1, 1, 1)).expand(-1, *spatial)


Columns = functools.partial(MaskMixer, columns)


def images():
    rng = np.random.default_rng(0)
    return [
        values for count in (80, 40)
        for values in (rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8), np.arange(count) % 4)
    ]


def net(channels, classes):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))
"""

GRID = """
from analysis import accuracy, mutual_info
from classifiers.train import Settings
from gradcam import sums
from tasks import DataOptions
from vae.train import Settings as VaeSettings


def grid(scale):
    common = {"data": DataOptions("parts/parts.py:images"), "execution": scale.execution}
    classifiers = common | {"settings": Settings("parts/parts.py:net", epochs=1, batch_size=16), "seeds": 1}
    yield accuracy.Config(("none", "fmix+parts/parts.py:Columns"), **classifiers)
    yield sums.Config(("HERE/parts/parts.py:Columns",), images=8, layers=("0",), **classifiers)
    yield mutual_info.Config(
        ("HERE/parts/parts.py:Columns",), 1, bounds=("rate",), inputs=("clean", "own-augmented"), decomposition=True,
        settings=VaeSettings(epochs=1, batch_size=16), **common,
    )
"""


@pytest.fixture
def here(tmp_path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "parts.py").write_text(PARTS)
    (tmp_path / "my.py").write_text(GRID.replace("HERE", str(tmp_path)))
    return tmp_path


def check(here: Path) -> None:
    """Everything is done, under names without directories."""
    found = list_runs(here / "runs")
    assert sorted(row["kind"] for row in found) == ["classifier"] * 3 + ["gradcam", "mutual-info"] + ["vae"] * 2
    names = {"none", "parts.py:Columns", "fmix+parts.py:Columns"}
    for row in found:
        assert row["status"] == "done", row
        assert row["record"]["data"]["name"] == "images"
        config = row["record"]["config"]
        if row["kind"] in ("classifier", "vae"):
            assert config["augmentation"] in names
            assert ("augmentation_source" in config) is (config["augmentation"] != "none")
        if row["kind"] == "mutual-info":
            assert list(config["augmentation_sources"]) == config["augmentations"] == ["parts.py:Columns"]
            assert (Path(row["path"]) / "posterior-parts_py-Columns-seed1-own-augmented.npz").is_file()
            assert (Path(row["path"]) / "dimensions-parts_py-Columns-seed1-clean.csv").is_file()
        assert "parts/" not in json.dumps({key: row["record"][key] for key in ("config", "name", "data")})
    documents = {path.parent.name: json.loads(path.read_text()) for path in (here / "out").glob("*/result.json")}
    assert set(documents) == {"accuracy-images", "gradcam-images", "table-1-images"}
    for name, document in documents.items():
        rows = {row["augmentation"] for row in document["results"]}
        assert rows <= names | {"linear-vae"}, name
        assert rows & (names - {"none"}), name
        assert str(here) not in json.dumps(document)
    assert (here / "out" / "accuracy-images" / "logits-fmix+parts_py-Columns-seed1.npz").is_file()


def test_workers_of_this_machine(here, options, monkeypatch, capsys):
    monkeypatch.chdir(here)
    config = Config("my.py:grid", seeds=1, workers=2, execution=options)
    found = run(config)
    assert found.exit_status == 0, found
    check(here)
    capsys.readouterr()
    (here / "my.py").write_text(GRID.replace("parts/parts.py", "./parts/parts.py").replace("HERE/", ""))
    assert run(replace(config, execution=replace(options, dry_run=True))) is None
    said = capsys.readouterr().out
    assert "9 steps: 5 done" in said, said  # all networks, under whatever path their parts are given


@pytest.mark.endurance
def test_workers_of_a_cluster_that_was_started_elsewhere(here, two_nodes):
    cluster, _ = two_nodes
    command = [
        sys.executable, "-m", "experiments.run", "my.py:grid", "--store", "runs", "--out", "out", "--threads", "1",
        "--ray", cluster.address,
    ]  # fmt: skip
    ended = subprocess.run(
        command, cwd=here, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended
    check(here)
