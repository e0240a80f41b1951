"""A working directory with small data and parts of somebody's own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cases import arrays

PARTS = """
import functools

import numpy as np
from msda import CutMix, MaskMixer
from msda.mask import box_masks
from torch import nn

Columns = functools.partial(MaskMixer, box_masks)


def nan(images, *, generator=None, partner=None):
    return CutMix()(images * float("nan"), generator=generator, partner=partner)


def images():
    d = np.load("d.npz")
    return d["train_images"], d["train_labels"], d["test_images"], d["test_labels"]


def net(channels, classes):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""
"""Somebody's own mixer, data set and network, in a file."""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with ``d.npz`` and ``parts.py``, and with the networks of `nets` to be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    np.savez(tmp_path / "d.npz", **arrays())
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "fails.py").write_text("1 / 0\n")
    return tmp_path
