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
from tasks.labels import KEYS, as_labels, check_arrays, checked_labels, of_arrays, one_kind
from tasks.task import Image, InMemory, Task, classes_of

__all__ = ["task_of"]


def task_of(found: Any, name: str, root: Path, download: bool) -> Task:
    """The task that an object of this name is, or that a function makes.

    Args:
        found: a `Task`, or a function of no arguments, or of ``root`` and ``download``, that returns one, or the four
            arrays `tasks.labels.KEYS` as a mapping of these names or a tuple in this order.
        name: its own.
        root: where downloads are kept.
        download: whether it may download.

    Raises:
        BadInput: something else, or what it has is no data set of images in uint8.
    """
    needed = f"a function that returns a tasks.Task or {', '.join(KEYS)}"
    if isinstance(found, Task):
        return found
    if not callable(found):
        raise BadInput("--data", f"{name}, a {type(found).__name__}", needed)
    made = called(lambda: _made(found, {"root": root, "download": download}), name, "--data", needed)
    if isinstance(made, Task):
        return _checked(made, name)
    if isinstance(made, tuple | list) and len(made) == len(KEYS):
        made = dict(zip(KEYS, made, strict=True))
    if not isinstance(made, Mapping):
        raise BadInput("--data", f"{name}, which returns a {type(made).__name__}", needed)
    held = {key: made[key] for key in KEYS if key in made}
    arrays = called(lambda: {key: _array(held[key]) for key in held}, name, "--data", needed)
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
        BadInput: what is no data set of images in uint8, or its labels are none.
    """
    splits: dict[str, InMemory] = {}
    for split_name, split in {"train": task.train, **task.tests}.items():
        images, labels = split.inputs, split.targets
        for kind, value in (("images", images), ("labels", labels)):
            if not isinstance(value, Tensor):
                raise BadInput(
                    "--data", f"{name}, {split_name}_{kind} of type {type(value).__name__}", "a torch.Tensor"
                )
        if images.dtype != torch.uint8 or images.ndim != 4 or not images.numel():
            got = f"{name}, {split_name}_images {tuple(images.shape)} {images.dtype}"
            raise BadInput("--data", got, "N×C×H×W torch.uint8 in a Task, of at least one image")
        if labels.shape[:1] != images.shape[:1] or labels.ndim not in (1, 2):
            got = f"{name}, {split_name}_labels {tuple(labels.shape)}"
            raise BadInput("--data", got, f"one label or row for each of {len(images)} images")
        checked = checked_labels(labels.cpu().numpy(), f"{split_name}_labels")
        splits[split_name] = InMemory(images.cpu(), as_labels(checked))
        first = splits["train"]
        if images.shape[1:] != first.inputs.shape[1:]:
            words = " and of ".join("×".join(map(str, part.inputs.shape[1:])) for part in (first, splits[split_name]))
            raise BadInput("--data", f"{name}, training and test images of {words}", "images of one shape")
        one_kind(first.targets.numpy(), splits[split_name].targets.numpy())
    train, *tests = splits.values()
    channels, height, width = train.inputs.shape[1:]
    modality = Image(channels, height, width, bool(task.modality.mirrored))
    size = max(task.classes, *(classes_of(split) for split in splits.values()))
    target = task.target._replace(size=size)
    tests_by_name = dict(zip(task.tests, tests, strict=True))
    return replace(
        task, name=str(task.name), train=train, tests=tests_by_name, modality=modality, target=target, digest=""
    )
