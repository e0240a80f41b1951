"""Fixtures that every room's tests share."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from reports.figure_2 import draw_masks
from store.command_line import Options

# A shell's background job ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _one_thread():
    """Small tensors are fastest on one thread, and CPU results are bit-identical only for the same number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(device="cpu", threads=1, store=tmp_path / "runs", out=tmp_path / "out")


@pytest.fixture
def images_npz(tmp_path: Path) -> Path:
    """A tiny data set of 16×16 colour images: two classes of gradients."""
    rng = np.random.default_rng(0)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 2
        ramp = np.linspace(0, 200, 16)[None, :, None, None] * np.ones((count, 1, 16, 3))
        ramp[labels == 1] = ramp[labels == 1].transpose(0, 2, 1, 3)
        return (ramp + rng.uniform(0, 55, ramp.shape)).astype(np.uint8), labels

    train, test = images(40), images(20)
    path = tmp_path / "tiny.npz"
    np.savez(path, train_images=train[0], train_labels=train[1], test_images=test[0], test_labels=test[1])
    return path


@pytest.fixture
def quick_masks(monkeypatch):
    """The report's picture of masks, which no document has a part in and which takes most of a build's time, empty."""
    statistics = draw_masks()[1]
    monkeypatch.setattr("reports.build.draw_masks", lambda: (Figure(figsize=(1, 1)), statistics))


@pytest.fixture
def quick_figures(monkeypatch):
    """Files that say they are figures: matplotlib takes a third of the time of a small job whose networks are there."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: Path(path).write_text("a figure\n"))


@pytest.fixture
def few_draws(monkeypatch):
    """Linear VAEs from 2,000 images in place of 50,000, which take longer than a small network's training."""
    monkeypatch.setattr("vae.train.LINEAR_DRAWS", 2_000)
    monkeypatch.setattr("analysis.mutual_info.rows.DRAWS", 2_000)
