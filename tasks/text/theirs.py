"""Texts and labels of somebody else's function: checked, and put into a task."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from store import BadInput
from tasks.labels import as_labels, checked_labels, counted_classes, one_kind, say_missing
from tasks.task import Task, Text, Texts, text_task

__all__ = ["TEXT_KEYS", "checked_texts", "of_texts"]

TEXT_KEYS = ("train_texts", "train_labels", "test_texts", "test_labels")
"""Texts, and N or N×K labels, as other people's functions name them."""


def of_texts(made: Mapping[str, Any], arrays: Mapping[str, np.ndarray], name: str, needed: str) -> Task:
    """The task of classifying the texts of somebody else's mapping.

    Args:
        made: with texts under their `TEXT_KEYS`.
        arrays: of labels, under theirs.
        name: what the function is called.
        needed: of it, for messages.

    Raises:
        BadInput: texts or labels that are missing, of another type, or not as many.
    """
    if missing := [key for key in TEXT_KEYS if key not in (*made, *arrays)]:
        raise BadInput("--data", f"{name} without {', '.join(missing)}", needed)
    texts = {key: _strings(made[key], key, name) for key in TEXT_KEYS[::2]}
    labels = {
        key: _labels(arrays[key], key, texts[inputs], name)
        for inputs, key in zip(TEXT_KEYS[::2], TEXT_KEYS[1::2], strict=True)
    }
    one_kind(*(targets.numpy() for targets in labels.values()))
    train, test = ((texts[inputs], labels[key]) for inputs, key in (TEXT_KEYS[:2], TEXT_KEYS[2:]))
    return say_missing(text_task(name.rpartition(":")[2], train, test), name)


def checked_texts(task: Task, name: str) -> Task:
    """A task of texts of somebody else's, with labels as ours have them and a digest of its content.

    Raises:
        BadInput: its splits are no `Texts`, their labels are none, or its votes are not of what is scored.
    """
    splits = []
    for split_name, split in (("train", task.train), *task.tests.items()):
        texts = _strings(split.inputs, f"{split_name}_texts", name)
        if not isinstance(split.targets, Tensor):
            got = f"{name}, {split_name}_labels of type {type(split.targets).__name__}"
            raise BadInput("--data", got, "a torch.Tensor")
        array = split.targets.detach().cpu().numpy()
        splits.append(Texts(texts, _labels(array, f"{split_name}_labels", texts, name, bool(task.several))))
        one_kind(splits[0].targets.numpy(), splits[-1].targets.numpy())
    classes = counted_classes(task.classes, splits, name)
    votes = task.votes
    if votes is not None and (not isinstance(votes, Tensor) or votes.shape != (len(splits[1]), classes)):
        got = f"{name}, votes {tuple(votes.shape) if isinstance(votes, Tensor) else type(votes).__name__}"
        raise BadInput("--data", got, f"a tensor {len(splits[1])}×{classes}, a row for each text of {task.scored}")
    return replace(
        task,
        name=str(task.name),
        train=splits[0],
        tests=dict(zip(task.tests, splits[1:], strict=True)),
        modality=Text(),
        classes=classes,
        digest="",
        several=bool(task.several),
    )


def _strings(texts: Any, key: str, name: str) -> tuple[str, ...]:
    """Texts as they are, as a tuple.

    Raises:
        BadInput: none, one string alone, or something in it that is no string of whole characters.
    """
    needed = "a sequence of strings, one at least"
    if isinstance(texts, str | bytes | Mapping) or not hasattr(texts, "__iter__") or not hasattr(texts, "__len__"):
        raise BadInput("--data", f"{name}, {key} of type {type(texts).__name__}", needed)
    made = tuple(str(text) if isinstance(text, str) else text for text in texts)
    if not made:
        raise BadInput("--data", f"{name}, {key} of no texts", needed)
    for place, text in enumerate(made):
        if not isinstance(text, str):
            raise BadInput("--data", f"{name}, {key} with a {type(text).__name__} at place {place:,}", needed)
        try:
            text.encode()
        except UnicodeEncodeError:
            got = f"{name}, {key} with half a surrogate pair at place {place:,}"
            raise BadInput("--data", got, "whole characters") from None
    return made


def _labels(array: np.ndarray, key: str, texts: tuple[str, ...], name: str, several: bool = False) -> Tensor:
    if array.shape[:1] != (len(texts),) or array.ndim > 2:
        got = f"{name}, {key} {array.shape}"
        raise BadInput("--data", got, f"one label or row for each of {len(texts)} texts")
    return as_labels(checked_labels(array, key, several))
