"""A command called in this process, and small data for it."""

import importlib
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from store.command_line import command

COMMANDS = (
    "analysis.mutual_info", "analysis.ground_truth", "analysis.accuracy", "analysis.ablation",
    "analysis.human_uncertainty", "attacks.sweep", "gradcam.sums", "vae.train", "classifiers.train",
    "experiments.run", "reports.build", "store.__main__",
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: object
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of standard error."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


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


def called(module: str, *arguments: str) -> Ended:
    """Call a command as its command line does; whatever escapes it is in ``status``."""
    room = importlib.import_module(module)
    presets = {"presets": room.from_preset} if module == "classifiers.train" else {}
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            command(room.Config, room.run, f"python -m {module}", arguments, **presets)
            status: object = "returned"
        except SystemExit as stop:
            status = stop.code
        except BaseException as escaped:
            status = escaped
    return Ended(status, out.getvalue(), err.getvalue())


def arrays(classes: int = 4, height: int = 16, width: int = 16, channels: int = 3) -> dict[str, np.ndarray]:
    """Images with a square as bright as their class."""
    rng, found = np.random.default_rng(0), {}
    for part, count in (("train", 80), ("test", 40)):
        labels = np.arange(count) % classes
        images = rng.integers(0, 256, (count, height, width, channels)).astype(np.uint8)
        images[:, :4, :4] = (labels * 255 // (classes - 1))[:, None, None, None]
        found |= {f"{part}_images": images, f"{part}_labels": labels}
    return found


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
