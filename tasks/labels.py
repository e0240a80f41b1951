"""Arrays of images and labels that anybody may have made: checked, and put into a task."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from tasks.task import Split, Task, classes_of, image_task

__all__ = [
    "KEYS",
    "as_labels",
    "check_arrays",
    "checked_labels",
    "counted_classes",
    "of_arrays",
    "one_kind",
    "say_missing",
]

KEYS = ("train_images", "train_labels", "test_images", "test_labels")
"""Arrays of a data set, N×H×W×C uint8 and N or N×K, as archives and other people's functions name them."""

Arrays = tuple[np.ndarray, np.ndarray]
"""Images N×H×W×C uint8 and their labels."""


def of_arrays(name: str, train: Arrays, test: Arrays, *, mirrored: bool = True, source: str = "") -> Task:
    """The task of classifying the images of two splits.

    Args:
        name: as tables print it.
        train: images and labels.
        test: likewise.
        mirrored: whether an image's mirror image is one of the same class.
        source: by what name the data set was asked for, for a word on classes without training images.
    """
    one_kind(np.asarray(train[1]), np.asarray(test[1]))
    splits = [
        (torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), as_labels(labels)) for images, labels in (train, test)
    ]
    return say_missing(image_task(name, *splits, mirrored=mirrored), source or name)


def say_missing(task: Task, source: str) -> Task:
    """The task itself; on standard error, how many classes that it shows have no training item."""
    labels, shown = task.train.targets, max(map(classes_of, (task.train, *task.tests.values())))
    if labels.ndim == 1 and (missing := shown - len(labels.unique())):
        print(f"{source}: {missing} of {shown} classes have no training {task.items[:-1]}", file=sys.stderr)
    return task


def as_labels(array: np.ndarray) -> Tensor:
    """Rows as float32, indices as int64."""
    return torch.from_numpy(np.asarray(array).astype(np.float32 if np.ndim(array) == 2 else np.int64))


def check_arrays(members: Mapping[str, Any], name: str, needed: str) -> None:
    """Refuse arrays that are missing, of another type, or of shapes that do not fit each other."""
    if missing := [key for key in KEYS if key not in members]:
        raise BadInput("--data", f"{name} without {', '.join(missing)}", needed)
    for split in ("train", "test"):
        images, labels = members[f"{split}_images"], members[f"{split}_labels"]
        if len(images.shape) != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
            raise BadInput("--data", f"{split}_images {images.shape} {images.dtype}", "N×H×W×C uint8 with C 1 or 3")
        if not math.prod(images.shape):
            raise BadInput("--data", f"{split}_images {images.shape}", "at least one image, of at least one pixel")
        if labels.shape[:1] != images.shape[:1] or len(labels.shape) > 2:
            raise BadInput(
                "--data", f"{split}_labels {labels.shape}", f"one label or row for each of {images.shape[0]} images"
            )
    shapes = [members[key].shape[1:] for key in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        words = " and of ".join("×".join(map(str, shape)) for shape in shapes)
        raise BadInput("--data", f"training and test images of {words}", "images of one shape")


def counted_classes(classes: int, splits: Sequence[Split], name: str) -> int:
    """How many classes a task of somebody else's has: as many as it says, or as its labels show.

    Raises:
        BadInput: it says more than its rows have columns.
    """
    columns = [classes_of(split) for split in splits if split.targets.ndim == 2]
    if columns and classes > columns[0]:
        got = f"{name}, a Task of {classes} classes with label rows of {columns[0]} columns"
        raise BadInput("--data", got, "a column for each class")
    return max(classes, *map(classes_of, splits))


MOST_CLASSES = 100_000
"""More, and a label is no class."""


def checked_labels(labels: np.ndarray, name: str, several: bool = False) -> np.ndarray:
    """Class indices (N,), or rows (N, K), as they are; a column of indices (N, 1) is taken as indices.

    Args:
        labels: of all items of a split.
        name: of the array.
        several: whether they are rows of several labels each, 0 and 1, of which an item may have none.

    Raises:
        BadInput: anything else, blaming ``name``: complex or infinite numbers, fractions, rows of nothing.
    """
    if several:
        if (
            labels.ndim != 2
            or not labels.shape[1]
            or labels.dtype.kind not in "biuf"
            or not np.isin(labels, (0, 1)).all()
        ):
            needed = "rows N×K of 0 and 1, of several labels"
            raise BadInput("--data", f"{name} that are not 0 and 1 in rows", needed)
        return labels
    needed = "class indices from 0, or rows N×K of numbers from 0"
    if labels.dtype.kind not in "biuf" or not np.isfinite(labels).all() or not (labels >= 0).all():
        raise BadInput("--data", f"{name} with negative, infinite or non-numeric values", needed)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1:
        if labels.max() >= MOST_CLASSES:
            raise BadInput("--data", f"{name} up to {labels.max():g}", f"classes from 0 to {MOST_CLASSES - 1:,}")
        if not (labels == labels.astype(np.int64)).all():
            raise BadInput("--data", f"{name} with fractions", needed)
        return labels
    if not labels.shape[1] or not labels.any(1).all():
        needed = "rows N×K with something in each, or, of several labels or none each, a Task with several=True"
        raise BadInput("--data", f"{name} with rows of nothing", needed)
    return labels


def one_kind(train: np.ndarray, test: np.ndarray) -> None:
    """Refuse training and test labels that are not of the same classes, as far as their shapes tell."""
    kinds = [labels.shape[1] if labels.ndim == 2 else None for labels in (train, test)]
    if kinds[0] is not None and kinds[1] is not None and kinds[0] != kinds[1]:
        raise BadInput("--data", f"label rows of {kinds[0]} and {kinds[1]} columns", "the same number")
    for width, other in ((kinds[0], test), (kinds[1], train)):
        if width is not None and other.ndim == 1 and other.max() >= width:
            raise BadInput("--data", f"rows of {width} labels beside indices up to {other.max()}", "the same classes")
