"""What networks are trained for and scored on: a data set with its splits, what its items are, what is asked of them.

What differs between data sets is said here once, and asked of the task wherever it matters: whether a mirror image is
one of the same class, say, and how many classes there are.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from store import BadInput
from tasks.log_mel import MELS, frames_of, log_mel

__all__ = [
    "Component",
    "Image",
    "InMemory",
    "Ragged",
    "Sound",
    "Split",
    "Task",
    "Text",
    "Texts",
    "Volume",
    "classes_of",
    "image_task",
    "only_images",
    "pixels",
    "text_task",
    "values_of",
]

LEVELS = 255
"""The largest value of an eight-bit pixel, or voxel."""

WORDS = 32 * 1024
"""Tokens that are looked at together, pads among them."""

NOTHING = -1
"""In batches of token ids, what fills up texts that are shorter than the longest."""


def pixels(raw: Tensor) -> Tensor:
    """Images as data sets hold them, uint8, as pixels in [0, 1]; floating-point ones are pixels already."""
    return raw.float() / LEVELS if raw.dtype == torch.uint8 else raw


@dataclass(frozen=True)
class InMemory:
    """A split that is in memory as a whole, on one device, where batches are indexed.

    Args:
        inputs: (N, …), of images (N, C, H, W) uint8, of volumes (N, C, D, H, W) uint8, of sound (N, L) int16.
        targets: (N,) int64 class indices, or (N, K) float32 rows: soft (human, say) or several labels, or one class of
            every component.
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


@dataclass(frozen=True)
class Texts:
    """A split of texts as they are written, which a network's tokenizer makes token ids of (`Ragged`).

    Args:
        inputs: N texts.
        targets: (N,) int64 class indices, or (N, K) float32 rows: soft or several labels.
    """

    inputs: tuple[str, ...]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def only(self, indices: Tensor) -> "Texts":
        """The split of the texts with these indices alone."""
        return Texts(tuple(self.inputs[place] for place in indices.tolist()), self.targets[indices])

    def to(self, device: torch.device) -> "Texts":
        """The split itself: texts are on no device."""
        return self


@dataclass(frozen=True)
class Ragged:
    """A split of texts as token ids, in memory as a whole, on one device, one after the other; none of them is empty.

    Args:
        ids: of all tokens of all texts, int32.
        starts: (N + 1,) int64, where each text begins and the last one ends.
        targets: of N texts, as `Texts` has them.
    """

    ids: Tensor
    starts: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """Where all are."""
        return self.ids.device

    @property
    def lengths(self) -> Tensor:
        """(N,), how many tokens each text has."""
        return self.starts.diff()

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids (B, L) int64 and targets of these texts; L is the longest one's, `NOTHING` fills up the others."""
        starts, lengths = self.starts[indices], self.lengths[indices]
        places = torch.arange(int(lengths.max()), device=self.device)
        there = places < lengths[:, None]
        ids = self.ids[(starts[:, None] + places).clamp(max=len(self.ids) - 1)]
        return torch.where(there, ids.long(), NOTHING), self.targets[indices]

    def only(self, indices: Tensor) -> "Ragged":
        """The split of these texts alone."""
        ids, targets = self.batch(indices)
        lengths = self.lengths[indices]
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        return Ragged(ids[ids != NOTHING].int(), starts, targets)

    def to(self, device: torch.device) -> "Ragged":
        """The same split on ``device``."""
        return Ragged(self.ids.to(device), self.starts.to(device), self.targets.to(device))

    def in_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices (B,) and token ids (B, L) of all texts in batches of similar length."""
        order, lengths = self.lengths.argsort(stable=True), self.lengths
        while len(order):
            longest = int(lengths[order[:1000][-1]])
            size = min(1000, max(1, WORDS // longest))
            yield order[:size], self.batch(order[:size])[0]
            order = order[size:]


Split: TypeAlias = InMemory | Texts | Ragged
"""Items and their targets."""


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

    @property
    def items(self) -> str:
        """What items are called."""
        return "images"

    def values(self, raw: Tensor) -> Tensor:
        """Images (B, C, H, W) as a data set holds them, in [0, 1]."""
        return pixels(raw)


class Text(NamedTuple):
    """Items that are texts."""

    mirrored: bool = False

    @property
    def items(self) -> str:
        """What items are called."""
        return "texts"


class Sound(NamedTuple):
    """Items that are clips of sound of one length, which networks see as log-mel spectrograms (`tasks.log_mel`).

    Args:
        length: samples of a clip.
        rate: samples a second.
        mirrored: whether a clip played backwards is one of the same class; never.
    """

    length: int = 16_000
    rate: int = 16_000
    mirrored: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, M, T) of the spectrogram: M mels and T frames."""
        return 1, MELS, frames_of(self.length)

    @property
    def items(self) -> str:
        """What items are called."""
        return "clips"

    def values(self, raw: Tensor) -> Tensor:
        """Spectrograms (B, 1, M, T) in [0, 1] of clips (B, L), int16 or in [−1, 1], or of magnitudes (B, F, T)."""
        return raw if raw.ndim == 4 else log_mel(raw, self.rate)


class Volume(NamedTuple):
    """Items that are shapes in three dimensions, on a grid of one size; 255 is inside.

    Args:
        channels: usually 1.
        depth: in voxels.
        height: in voxels.
        width: in voxels.
        mirrored: whether a shape's mirror image is one of the same class, so that training may flip it.
    """

    channels: int
    depth: int
    height: int
    width: int
    mirrored: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, D, H, W)."""
        return self.channels, self.depth, self.height, self.width

    @property
    def items(self) -> str:
        """What items are called."""
        return "shapes"

    def values(self, raw: Tensor) -> Tensor:
        """Shapes (B, C, D, H, W) as a data set holds them, in [0, 1]."""
        return pixels(raw)


class Component(NamedTuple):
    """One of several questions that are asked of every item, each with one answer.

    Args:
        name: ``"root"``, say.
        classes: how many answers there are.
    """

    name: str
    classes: int


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
        several: whether rows of targets are several labels an item, each of them there or not.
        votes: (N, K), how many people have chosen each class for each item that networks are scored on, where it is
            known.
        components: the questions that are asked of every item, where they are several: a row of targets then has one 1
            among the columns of each, which lie beside each other in this order, and K is the sum of their classes.
        metrics: names of those by which networks are scored besides the usual ones (`tasks.metrics.FURTHER`).
        component: the one question that is asked, of a data set that asks several.
    """

    name: str
    train: Any
    tests: Mapping[str, Any]
    modality: Image | Text | Sound | Volume
    classes: int
    digest: str = ""
    several: bool = False
    votes: Tensor | None = None
    components: tuple[Component, ...] = ()
    metrics: tuple[str, ...] = ()
    component: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            sha = hashlib.sha256()
            for split in (self.train, *self.tests.values()):
                inputs = split.inputs
                if isinstance(split, Texts):
                    texts = [text.encode("utf-8", "surrogatepass") for text in split.inputs]
                    sha.update(b"".join(texts))
                    inputs = torch.tensor([len(text) for text in texts])
                for array in (inputs, split.targets):
                    sha.update(str((tuple(array.shape), array.dtype)).encode())
                    sha.update(array.cpu().contiguous().numpy().data)
            object.__setattr__(self, "digest", sha.hexdigest())

    def __repr__(self) -> str:
        counts = f"{len(self.train):,} training and {len(self.test):,} test {self.items}"
        shape = "" if isinstance(self.modality, Text) else "×".join(map(str, self.shape)) + ", "
        classes = " + ".join(str(component.classes) for component in self.components) or str(self.classes)
        return f"{self.name}: {counts}, {shape}{classes} {'labels' if self.several else 'classes'}"

    @property
    def items(self) -> str:
        """What items are called: ``"images"`` or ``"texts"``."""
        return self.modality.items

    @property
    def scored(self) -> str:
        """The name of the split that networks are scored on: ``"test"``, or a validation fold."""
        return next(iter(self.tests))

    @property
    def test(self) -> Any:
        """The split that networks are scored on."""
        return self.tests[self.scored]

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, …) of one item where it is mixed: (C, H, W) of images and spectrograms, (C, D, H, W) of volumes.

        Raises:
            BadInput: items are texts, of which each has a length of its own.
        """
        if isinstance(self.modality, Text):
            raise BadInput("--data", f"{self.name}, whose items are {self.items}", "items of one size, images say")
        return self.modality.shape

    def values(self, raw: Tensor) -> Tensor:
        """Items as a split has them, as what is mixed, (B, C, …) in [0, 1]: pixels, spectrograms, voxels.

        Raises:
            BadInput: items are texts, which a network's vectors make numbers of.
        """
        if isinstance(self.modality, Text):
            raise BadInput("--data", f"{self.name}, whose items are {self.items}", "items of one size, images say")
        return self.modality.values(raw)

    @property
    def identity(self) -> dict[str, str]:
        """Name and content, as a run's identity carries them."""
        scored = {} if self.scored == "test" else {"scored": self.scored}
        return {"name": self.name, "sha256": self.digest} | scored

    def train_on(self, chosen: Tensor) -> "Task":
        """The same task with the training items of these indices only."""
        return replace(self, train=self.train.only(chosen), digest="")

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation per channel, (C,) each, of the training items' values in [0, 1].

        Of images and volumes they are computed from a histogram: exact, and no float copy of the data set. A channel
        that is the same everywhere has no spread to divide by: its standard deviation is given as 1, so that it
        becomes 0.
        """
        if isinstance(self.modality, Sound):
            values = [self.modality.values(clips).double().cpu() for clips in self.train.inputs.split(500)]
            whole = torch.cat([one.transpose(0, 1).flatten(1) for one in values], 1)
            mean, std = whole.mean(1), whole.std(1, correction=0)
            return mean.float(), torch.where(std == 0, 1.0, std).float()
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


def values_of(rate: int | None) -> Callable[[Tensor], Tensor]:
    """What makes numbers in [0, 1] of raw items, as `Task.values` does.

    Args:
        rate: of clips of sound, samples a second; None for images and volumes.
    """
    return pixels if rate is None else Sound(rate=rate).values


def only_images(task: Task, what: str, others: tuple[type, ...] = ()) -> Task:
    """The task itself, if its items are images.

    Args:
        task: of which images are needed.
        what: needs them, ``"attacks"``, say.
        others: what items may be beside images: `Sound` and `Volume`, say.

    Raises:
        BadInput: its items are something else.
    """
    if not isinstance(task.modality, (Image, *others)):
        kinds = ", ".join(["images", *(KINDS[other] for other in others)])
        got = f"{task.name}, whose items are {task.items}"
        raise BadInput("--data", got, f"{kinds}: there are no {what} of others")
    return task


KINDS: dict[type, str] = {Sound: "clips of sound", Volume: "volumes"}
"""What items are called that some analyses take beside images."""


def classes_of(split: Split) -> int:
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


def text_task(
    name: str,
    train: tuple[Sequence[str], Tensor],
    test: tuple[Sequence[str], Tensor],
    *,
    classes: int = 0,
    several: bool = False,
    votes: Tensor | None = None,
) -> Task:
    """A task of classifying texts.

    Args:
        name: as tables print it.
        train: texts, and their labels: (N,) int64 class indices, or (N, K) float32 rows.
        test: those that networks are scored on, likewise.
        classes: how many there are at least, where not every class has a text.
        several: whether rows are several labels a text, each of them there or not.
        votes: (N, K), how many people have chosen each class for each text that networks are scored on.

    Example:
        >>> text_task("tiny", (["good", "bad"], torch.tensor([1, 0])), (["fine"], torch.tensor([1])))
        tiny: 2 training and 1 test texts, 2 classes
    """
    splits = Texts(tuple(train[0]), train[1]), Texts(tuple(test[0]), test[1])
    count = max(classes, *map(classes_of, splits))
    return Task(name, splits[0], {"test": splits[1]}, Text(), count, several=several, votes=votes)
