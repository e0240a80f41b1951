"""The paper's statements about classifiers and rates taken to a decision: grids for `experiments.run`.

    python -m experiments.run results/decided.py:digits --until decided --store DIRECTORY --out DIRECTORY

A grid has two regimes, few images for many epochs, where augmentation can pay, and all images; of each accuracies,
Grad-CAM sums, attacks, what layers keep, and divergence from humans where there are human labels of the images; and the
rates of VAEs. Its networks are those of `results/campaign`. What is not about telling augmentations apart (every layer,
the curve as published, the epochs) has a number of seeds of its own. The documents of a regime lie in a folder of its
name under ``--out``; those that are worth keeping go into ``results/`` as they are.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis import accuracy, human_uncertainty, mutual_info, representations
from attacks import sweep
from classifiers.train import Settings
from experiments.paper import Scale
from gradcam import sums
from tasks import DataOptions

FOUR = ("none", "mixup", "cutmix", "fmix")
HYBRID = (*FOUR, "fmix+mixup")
STAGES = ("conv1", "stage1", "stage2", "stage3", "stage4")
NARROW: dict[str, Any] = {"width": 16, "schedule": "cosine"}

NOISE = (0.5, 0.595, 0.707, 0.841, 1, 1.19, 1.41, 1.68, 2, 2.38, 2.83, 3.36, 4, 4.76, 5.66, 6.73, 8)
"""Levels a quarter of an octave apart: two networks are compared where their bounds on I(T;Y) are nearest."""


def _regime(scale: Scale, name: str, data: DataOptions, settings: Settings, images: int | None) -> Iterator[Any]:
    """Everything that is measured of the classifiers of one regime.

    Args:
        scale: of the grid.
        name: the regime's folder.
        data: its images.
        settings: how its classifiers are trained.
        images: how many are attacked (None: all there are).
    """

    def on(folder: str = "") -> dict[str, Any]:
        execution = replace(scale.execution, out=scale.execution.out / name / folder)
        return {"data": data, "settings": settings, "execution": execution}

    yield accuracy.Config(HYBRID, **on())
    if scale.human is not None:
        yield human_uncertainty.Config(FOUR, human=scale.human, **on())
    yield sums.Config(FOUR, layers=("conv1", "stage4"), classes=("predicted",), **on())
    yield sums.Config(FOUR, seeds=1, layers=STAGES, classes=("predicted",), **on("every-stage"))
    yield representations.Config(
        FOUR, layers=("stage3", "in:classify"), noise=NOISE, images=images and 4 * images, **on()
    )
    yield sweep.Config(FOUR, images=images, curves=("robust",), **on())
    few = min(images or 200, 200)
    yield sweep.Config(FOUR, seeds=1, images=few, autoattack=few // 2, **on("as-published"))


def digits(scale: Scale) -> Iterator[Any]:
    """The digits: 300 images for 100 epochs, all 1,437 for 30, and VAEs."""
    small = DataOptions("digits", train_images=300)
    yield from _regime(scale, "small-data", small, Settings(epochs=100, schedule="cosine"), None)
    yield from _regime(scale, "all-data", DataOptions("digits"), Settings(schedule="cosine"), None)
    yield mutual_info.Config(FOUR, data=DataOptions("digits"), execution=scale.execution)


def cifar(scale: Scale) -> Iterator[Any]:
    """CIFAR-10 (JPEG), an .npz at CIFAR10_JPEG: 5,000 images for 200 epochs and all for 30; human labels by --human."""
    path = Path(os.environ.get("CIFAR10_JPEG", "data/cifar10_jpeg/cifar10_jpeg.npz")).resolve()
    data = DataOptions(f"npz:{path}", data_name="CIFAR-10 (JPEG)")
    yield from _regime(scale, "small-data", replace(data, train_images=5000), Settings(epochs=200, **NARROW), 500)
    yield from _regime(scale, "all-data", data, Settings(epochs=30, **NARROW), 500)


def fashion(scale: Scale) -> Iterator[Any]:
    """Fashion-MNIST: 6,000 images for 100 epochs and all for 20."""
    data = DataOptions("fashion-mnist")
    yield from _regime(scale, "small-data", replace(data, train_images=6000), Settings(epochs=100, **NARROW), 500)
    yield from _regime(scale, "all-data", data, Settings(epochs=20, **NARROW), 500)
