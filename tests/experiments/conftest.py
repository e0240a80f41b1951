"""A grid of a user's own, small enough for tests."""

from pathlib import Path

import pytest

GRID = """
from dataclasses import replace

from analysis import accuracy
from classifiers.train import Settings
from gradcam import sums
from training import DataOptions

SETTINGS = Settings(epochs=EPOCHS, width=2)


def small(scale):
    common = {"seeds": scale.seeds, "data": DataOptions("digits"), "settings": SETTINGS, "execution": scale.execution}
    yield accuracy.Config(("none", "mixup"), **common)
    yield sums.Config(("none", "mixup"), images=8, **common)


def wrong(scale):
    common = {"seeds": 1, "data": DataOptions("digits"), "execution": scale.execution}
    yield accuracy.Config(("none",), settings=SETTINGS, **common)
    yield sums.Config(("fmix",), images=8, settings=replace(SETTINGS, learning_rate=1e9), **common)


def nothing(scale):
    return []


def other(scale):
    yield scale
"""


@pytest.fixture
def grid(tmp_path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(GRID.replace("EPOCHS", "2"))
    return path
