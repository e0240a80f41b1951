"""Data sets of somebody else's functions, as tasks of ours."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from store.registry import called
from tasks.components import checked_components
from tasks.labels import (
    KEYS,
    as_labels,
    check_arrays,
    checked_labels,
    counted_classes,
    of_arrays,
    one_kind,
    say_missing,
)
from tasks.log_mel import WINDOW
from tasks.task import Image, InMemory, Sound, Task, Text, Texts, Volume
from tasks.text.theirs import TEXT_KEYS, checked_texts, of_texts

__all__ = ["task_of"]


def task_of(dataset: Any, name: str, root: Path, download: bool) -> Task:
    """The task that an object of this name is, or that a function makes.

    Args:
        dataset: a `Task`, or a function of no arguments, or of ``root`` and ``download``, that returns one, or the four
            arrays `tasks.labels.KEYS` as a mapping of these names or a tuple in this order, or texts and labels as a
            mapping of the names `tasks.text.theirs.TEXT_KEYS`.
        name: its own.
        root: where downloads are kept.
        download: whether it may download.

    Raises:
        BadInput: something else, or what it has is no data set of images in uint8, or of texts.
    """
    needed = f"a function that returns a tasks.Task or {', '.join(KEYS)} (or {' and '.join(TEXT_KEYS[::2])})"
    if isinstance(dataset, Task):
        return dataset
    if not callable(dataset):
        raise BadInput("--data", f"{name}, a {type(dataset).__name__}", needed)
    made = called(lambda: _made(dataset, {"root": root, "download": download}), name, "--data", needed)
    if isinstance(made, Task):
        return say_missing(_checked(made, name), name)
    if isinstance(made, tuple | list) and len(made) == len(KEYS):
        made = dict(zip(KEYS, made, strict=True))
    if not isinstance(made, Mapping):
        raise BadInput("--data", f"{name}, which returns a {type(made).__name__}", needed)
    held = {key: made[key] for key in KEYS if key in made}
    arrays = called(lambda: {key: _array(held[key]) for key in held}, name, "--data", needed)
    if set(made) & set(TEXT_KEYS[::2]):
        return of_texts(made, arrays, name, needed)
    check_arrays(arrays, name, needed)
    labels = {key: checked_labels(arrays[key], key) for key in KEYS[1::2]}
    splits = ((arrays[images], labels[key]) for images, key in (KEYS[:2], KEYS[2:]))
    return of_arrays(name.rpartition(":")[2], *splits, source=name)


def _made(function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """What a function returns for those arguments that it has parameters for."""
    known = inspect.signature(function).parameters
    return function(**{key: value for key, value in offered.items() if key in known})


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _checked(task: Task, name: str) -> Task:
    """A task of somebody else's, with labels as ours have them and a digest of its content.

    Raises:
        BadInput: what is no data set of images in uint8 or of texts, or its labels are none.
    """
    _whole(task, name)
    if isinstance(task.modality, Text):
        return checked_texts(task, name)
    named = [("train", task.train), *task.tests.items()]
    splits = [_checked_split(split, split_name, name, task) for split_name, split in named]
    train = splits[0]
    for split in splits[1:]:
        if split.inputs.shape[1:] != train.inputs.shape[1:]:
            words = " and of ".join("×".join(map(str, one.inputs.shape[1:])) for one in (train, split))
            raise BadInput("--data", f"{name}, training and test {task.items} of {words}", f"{task.items} of one shape")
        one_kind(train.targets.numpy(), split.targets.numpy())
    mirrored, shape = bool(task.modality.mirrored), train.inputs.shape[1:]
    modality: Image | Sound | Volume
    if isinstance(task.modality, Sound):
        if shape[0] <= WINDOW // 2:
            needed = f"at least {WINDOW // 2 + 1:,}: half a frame of the transform, and one"
            raise BadInput("--data", f"{name}, clips of {shape[0]:,} samples", needed)
        modality = Sound(shape[0], _rate(task.modality.rate, name))
    elif isinstance(task.modality, Volume):
        channels, depth, height, width = shape
        modality = Volume(channels, depth, height, width, mirrored)
    else:
        channels, height, width = shape
        modality = Image(channels, height, width, mirrored)
    return checked_components(
        replace(
            task,
            name=str(task.name),
            train=train,
            tests=dict(zip(task.tests, splits[1:], strict=True)),
            modality=modality,
            classes=counted_classes(task.classes, splits, name),
            digest="",
            several=bool(task.several),
        ),
        name,
    )


def _rate(rate: object, name: str) -> int:
    if not isinstance(rate, int) or rate < 1:
        raise BadInput("--data", f"{name}, clips with a rate of {rate!r}", "samples a second, a whole number")
    return rate


SHAPES: dict[type, tuple[int, torch.dtype, str]] = {
    Image: (4, torch.uint8, "N×C×H×W torch.uint8"),
    Volume: (5, torch.uint8, "N×C×D×H×W torch.uint8"),
    Sound: (2, torch.int16, "N×L torch.int16"),
}
"""Axes and type of items in memory, and both in words, by what items are."""


def _whole(task: Task, name: str) -> None:
    """Refuse a task that lacks a part, or has something else in its place."""
    kind, called_so = (Texts, "a Texts") if isinstance(task.modality, Text) else (InMemory, "an InMemory")
    parts: tuple[tuple[str, object, Any, str], ...] = (
        ("train", task.train, kind, called_so),
        ("tests", task.tests, Mapping, f"a mapping from names to {kind.__name__}"),
        ("modality", task.modality, Image | Text | Sound | Volume, "an Image, a Text, a Sound or a Volume"),
        ("classes", task.classes, int, "an integer"),
    )
    for member, value, kind_of_it, needed in parts:
        if not isinstance(value, kind_of_it):
            raise BadInput("--data", f"{name}, a Task whose {member} is a {type(value).__name__}", needed)
    wrong = [f"{key!r}" for key, split in task.tests.items() if not (isinstance(key, str) and isinstance(split, kind))]
    if wrong or not task.tests:
        got = f"{name}, a Task whose tests hold {', '.join(wrong) or 'nothing'}"
        raise BadInput("--data", got, f"one {kind.__name__} at least, by a name")


def _checked_split(split: InMemory, split_name: str, name: str, task: Task) -> InMemory:
    items, labels = split.inputs, split.targets
    for kind, value in ((task.items, items), ("labels", labels)):
        if not isinstance(value, Tensor):
            got = f"{name}, {split_name}_{kind} of type {type(value).__name__}"
            raise BadInput("--data", got, "a torch.Tensor")
    axes, dtype, shown = SHAPES[type(task.modality)]
    if items.dtype != dtype or items.ndim != axes or not items.numel():
        got = f"{name}, {split_name}_{task.items} {tuple(items.shape)} {items.dtype}"
        raise BadInput("--data", got, f"{shown} in a Task, of at least one {task.items.removesuffix('s')}")
    if labels.shape[:1] != items.shape[:1] or labels.ndim not in (1, 2):
        got = f"{name}, {split_name}_labels {tuple(labels.shape)}"
        raise BadInput("--data", got, f"one label or row for each of {len(items)} {task.items}")
    checked = checked_labels(labels.cpu().numpy(), f"{split_name}_labels", bool(task.several))
    return InMemory(items.cpu(), as_labels(checked))
