"""Somebody else's mixers on texts: those that mix batches of any shape train, those of images alone are one line."""

import json

import pytest

from tests.calls import called

MIXES = """
import torch
from msda import FMix, Mixed, MixUp
from torch import nn
from torch.nn import functional
from torchvision.transforms import v2


def partners(images, generator, partner):
    return torch.randperm(len(images), generator=generator) if partner is None else partner


class ByTorchvision:
    # every second image of those that follow each other, which v2.MixUp mixes with the one before it
    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def __call__(self, images, *, generator=None, partner=None):
        partner = partners(images, generator, partner)
        pairs = torch.stack([images[partner], images], 1).flatten(0, 1)
        mix = v2.MixUp(alpha=self.alpha, num_classes=len(pairs))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            mixed, rows = mix(pairs, torch.arange(len(pairs)))
        return Mixed(mixed[1::2], partner, rows.diagonal()[1::2].contiguous())


def rows(images, *, generator=None, partner=None):
    count, _, height, width = images.shape
    partner = partners(images, generator, partner)
    mask = (torch.arange(height) < height // 2).float()[None, None, :, None].expand(count, 1, height, width)
    return Mixed(mask * images + (1 - mask) * images[partner], partner, mask.mean((1, 2, 3)), mask)


class Smooth(nn.Module):
    def forward(self, images, *, generator=None, partner=None):
        partner = partners(images, generator, partner)
        small = torch.rand(len(images), 1, 4, 4, generator=generator)
        mask = functional.interpolate(small, images.shape[2:], mode="bilinear")
        return Mixed(mask * images + (1 - mask) * images[partner], partner, mask.mean((1, 2, 3)), mask)


class Shares(nn.Module):
    def forward(self, images, *, generator=None, partner=None):
        return FMix()(images, generator=generator, partner=partner)


def half(images, *, generator=None, partner=None):
    partner = partners(images, generator, partner)
    return Mixed((images + images[partner]) / 2, partner, torch.full((len(images),), 0.5))


smooth, shares = Smooth(), Shares()
"""

TEXTS = (
    "--data", "made-up-sentences", "--train-images", "64", "--network", "text-cnn", "--width", "4", "--epochs", "1",
    "--batch-size", "32", "--store", "runs", "--device", "cpu", "--threads", "1", "--quiet",
)  # fmt: skip


@pytest.mark.parametrize("module", ["classifiers.train", "analysis.accuracy"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ByTorchvision", "which ends in ValueError: Expected a batched input with 4 dims, but got 3 dimensions"),
        ("rows", "which ends in ValueError: not enough values to unpack (expected 4, got 3)"),
        ("smooth", "which ends in ValueError: Input and output must have the same number of spatial dimensions"),
        ("mixup+mixes.py:rows", "which ends in ValueError: not enough values to unpack"),
    ],
)
def test_mixers_of_images_alone_are_one_line_where_there_are_texts(here, module, name, words):
    (here / "mixes.py").write_text(MIXES)
    name = name if "+" in name else f"mixes.py:{name}"
    ended = called(module, *TEXTS, "--augmentation" + "s" * (module == "analysis.accuracy"), name)
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1
    assert f"--augmentation: got {name} for texts mixed at embeddings, {words}" in ended.line
    assert ended.line.endswith("; needs a mixer of batches (B, C, L)")
    assert not (here / "runs").exists()


def test_what_fails_with_texts_trains_with_images(here):
    (here / "mixes.py").write_text(MIXES)
    few = ("--data", "npz:d.npz", "--epochs", "1", "--batch-size", "16", "--width", "4", *TEXTS[-7:])
    for name in ("ByTorchvision", "rows", "smooth"):
        assert called("classifiers.train", *few, "--augmentation", f"mixes.py:{name}").status == 0


@pytest.mark.parametrize(
    ("name", "mixed_at"),
    [("half", "embeddings"), ("shares", "embeddings"), ("half+mixes.py:shares", "embeddings"), ("shares", "ids")],
)
def test_mixers_of_any_shape_train_on_texts(here, name, mixed_at):
    (here / "mixes.py").write_text(MIXES)
    name = f"mixes.py:{name}"
    ended = called("classifiers.train", *TEXTS, "--mixed-at", mixed_at, "--augmentation", name)
    assert ended.status == 0, ended
    (path,) = (here / "runs").glob("classifier/*/result.json")
    record = json.loads(path.read_text())
    assert record["config"]["augmentation"] == name
    assert record["config"]["augmentation_source"]
    assert record["items"] == "texts"


def test_a_mixer_without_masks_mixes_no_tokens(here):
    (here / "mixes.py").write_text(MIXES)
    ended = called("classifiers.train", *TEXTS, "--mixed-at", "ids", "--augmentation", "mixes.py:half")
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert "mixes.py:half for texts mixed at ids" in ended.line
    assert ended.line.endswith("; needs masks of 0 and 1, of cutmix or fmix; or --mixed-at embeddings")
