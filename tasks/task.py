"""What networks are trained for and scored on: a data set with its splits, what its items are, what is asked of them.

What differs between data sets is said here once, and asked of the task wherever it matters: whether a mirror image is
one of the same class, say, and how many classes there are.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Image", "InMemory", "Task", "classes_of", "image_task", "pixels"]

LEVELS = 255
"""The largest value of an eight-bit pixel."""


def pixels(raw: Tensor) -> Tensor:
    """Images as data sets hold them, uint8, as pixels in [0, 1]; floating-point ones are pixels already."""
    return raw.float() / LEVELS if raw.dtype == torch.uint8 else raw


@dataclass(frozen=True)
class InMemory:
    """A split that is in memory as a whole, on one device, where batches are indexed.

    Args:
        inputs: (N, …), of images (N, C, H, W) uint8.
        targets: (N,) int64 class indices, or (N, K) float32 rows: soft (human, say) or several labels.
    """

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def device(self) -> torch.device:
        """Where both are."""
        return self.inputs.device

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of these items, in their order."""
        return self.inputs[indices], self.targets[indices]

    def only(self, indices: Tensor) -> "InMemory":
        """The split of these items alone."""
        return InMemory(*self.batch(indices))

    def to(self, device: torch.device) -> "InMemory":
        """The same split on ``device``."""
        return InMemory(self.inputs.to(device), self.targets.to(device))


class Image(NamedTuple):
    """Items that are images of one size.

    Args:
        channels: 1 or 3.
        height: in pixels.
        width: in pixels.
        mirrored: whether an image's mirror image is one of the same class, so that training may flip it.
    """

    channels: int
    height: int
    width: int
    mirrored: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height, self.width


@dataclass(frozen=True)
class Task:
    """A data set and what is asked of its items.

    Args:
        name: as tables print it; with the content, it identifies the data in a run.
        train: what networks are trained on.
        tests: what they are scored on, by name, ``"test"``, say; the first is the one that training looks at.
        modality: what the items are.
        classes: how many there are, of which not every one needs to have an item.
        digest: SHA-256 of the content of all splits, which identifies it in a run; computed where it is not given.
    """

    name: str
    train: InMemory
    tests: Mapping[str, InMemory]
    modality: Image
    classes: int
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            sha = hashlib.sha256()
            for split in (self.train, *self.tests.values()):
                for array in (split.inputs, split.targets):
                    sha.update(str((tuple(array.shape), array.dtype)).encode())
                    sha.update(array.cpu().contiguous().numpy().data)
            object.__setattr__(self, "digest", sha.hexdigest())

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape))
        counts = f"{len(self.train):,} training and {len(self.test):,} test images"
        return f"{self.name}: {counts}, {shape}, {self.classes} classes"

    @property
    def scored(self) -> str:
        """The name of the split that networks are scored on: ``"test"``, or a validation fold."""
        return next(iter(self.tests))

    @property
    def test(self) -> InMemory:
        """The split that networks are scored on."""
        return self.tests[self.scored]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.modality.shape

    @property
    def identity(self) -> dict[str, str]:
        """Name and content, as a run's identity carries them."""
        scored = {} if self.scored == "test" else {"scored": self.scored}
        return {"name": self.name, "sha256": self.digest} | scored

    def train_on(self, chosen: Tensor) -> "Task":
        """The same task with the training items of these indices only."""
        return replace(self, train=self.train.only(chosen), digest="")

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation per channel, (C,) each, of the training pixels in [0, 1].

        Computed from a histogram: exact, and no float copy of the data set. A channel that is the same everywhere has
        no spread to divide by: its standard deviation is given as 1, so that it becomes 0.
        """
        levels = torch.arange(LEVELS + 1, dtype=torch.float64) / LEVELS
        counts = torch.zeros(self.shape[0], LEVELS + 1, dtype=torch.float64)
        for images in self.train.inputs.split(max(2**25 // math.prod(self.shape), 1)):
            channels = images.transpose(0, 1).flatten(1).cpu()
            counts += torch.stack([torch.bincount(channel, minlength=LEVELS + 1) for channel in channels])
        counts /= counts.sum(1, keepdim=True)
        mean = counts @ levels
        constant = counts.count_nonzero(1) == 1
        std = torch.where(constant, 1.0, (counts @ levels.square() - mean.square()).sqrt())
        return mean.float(), std.float()

    def to(self, device: torch.device) -> "Task":
        """The same task on ``device``."""
        tests = {name: split.to(device) for name, split in self.tests.items()}
        return replace(self, train=self.train.to(device), tests=tests)


def classes_of(split: InMemory) -> int:
    """How many classes the targets of a split show: one more than the largest index, or the columns of the rows."""
    return split.targets.shape[1] if split.targets.ndim == 2 else int(split.targets.max()) + 1


def image_task(
    name: str,
    train: Sequence[Tensor],
    test: Sequence[Tensor],
    *,
    mirrored: bool = True,
    classes: int = 0,
    scored: str = "test",
) -> Task:
    """A task of classifying images in memory.

    Args:
        name: as tables print it.
        train: images (N, C, H, W) uint8, and their labels: (N,) int64 class indices, or (N, K) float32 rows.
        test: of the images that networks are scored on, likewise.
        mirrored: whether an image's mirror image is one of the same class. A fact of the data set, which the name that
            tables print does not change.
        classes: how many there are at least, where not every class has an image.
        scored: what the images are called that networks are scored on.

    Example:
        >>> images, labels = torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.arange(4)
        >>> image_task("blank", (images, labels), (images[:2], labels[:2]))
        blank: 4 training and 2 test images, 1×8×8, 4 classes
    """
    splits = InMemory(*train), InMemory(*test)
    channels, height, width = splits[0].inputs.shape[1:]
    modality = Image(channels, height, width, mirrored)
    return Task(name, splits[0], {scored: splits[1]}, modality, max(classes, *map(classes_of, splits)))
