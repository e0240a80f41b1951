"""Several questions of every item at once: the root, the vowel and the consonant of a grapheme, say.

A row of targets has one 1 among the columns of each component, which lie beside each other in the components' order.
"""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from store import BadInput
from store.bad_input import perhaps
from tasks.task import Component, Task

__all__ = ["blocks", "checked_components", "indices_of", "one_component", "rows_of"]

MORE = ("macro_recall",)
"""Names of the metrics (`tasks.metrics.FURTHER`) that one component is scored by, besides those of all data sets."""


def blocks(components: Sequence[Component]) -> tuple[slice, ...]:
    """The columns of every component.

    Example:
        >>> blocks((Component("root", 3), Component("vowel", 2)))
        (slice(0, 3, None), slice(3, 5, None))
    """
    ends = list(itertools.accumulate((component.classes for component in components), initial=0))
    return tuple(itertools.starmap(slice, itertools.pairwise(ends)))


def rows_of(indices: Tensor, components: Sequence[Component]) -> Tensor:
    """Rows of targets (N, K) float32 from each item's class of every component, (N, H) int64.

    Example:
        >>> rows_of(torch.tensor([[2, 0]]), (Component("root", 3), Component("vowel", 2)))
        tensor([[0., 0., 1., 1., 0.]])
    """
    columns = zip(indices.T, components, strict=True)
    return torch.cat([one_hot(column, component.classes) for column, component in columns], 1).float()


def indices_of(rows: Tensor, components: Sequence[Component]) -> Tensor:
    """Each item's class of every component, (N, H) int64: the largest column, in targets (N, K) or logits.

    Example:
        >>> indices_of(torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.0]]), (Component("root", 3), Component("vowel", 2)))
        tensor([[2, 0]])
    """
    return torch.stack([rows[:, columns].argmax(1) for columns in blocks(components)], 1)


def one_component(task: Task, name: str, argument: str = "--component") -> Task:
    """The task of one of a task's components alone, whose targets are class indices.

    Args:
        task: of several components.
        name: of the one.
        argument: that named it, for messages.

    Raises:
        BadInput: no component is called so, or the task has none.
    """
    known = [component.name for component in task.components]
    if not known:
        raise BadInput(argument, repr(name), f"a data set of several components, which {task.name} is not")
    if name not in known:
        raise BadInput(argument, repr(name), f"a component of {task.name}: {', '.join(known)}{perhaps(name, known)}")
    place = known.index(name)
    columns = blocks(task.components)[place]

    def alone(split: Any) -> Any:
        return replace(split, targets=split.targets[:, columns].argmax(1))

    digest = hashlib.sha256(f"{task.digest} {name} {columns.start} {columns.stop}".encode()).hexdigest()
    return replace(
        task,
        name=f"{task.name} ({name})",
        train=alone(task.train),
        tests={part: alone(split) for part, split in task.tests.items()},
        classes=task.components[place].classes,
        digest=digest,
        votes=None if task.votes is None else task.votes[:, columns],
        components=(),
        metrics=MORE,
        component=name,
    )


def checked_components(task: Task, name: str) -> Task:
    """The task itself, if its components are ones, and its targets are rows of them.

    Args:
        task: somebody else's.
        name: by which it was asked for, for messages.

    Raises:
        BadInput: something else; it says which.
    """
    components = task.components
    for component in components:
        if not (isinstance(component, Component) and isinstance(component.name, str) and component.name.strip()):
            raise BadInput("--data", f"{name}, a Task with the component {component!r}", "Component(name, classes)")
        if not isinstance(component.classes, int) or component.classes < 2:
            got = f"{name}, a Task whose component {component.name} has {component.classes!r} classes"
            raise BadInput("--data", got, "two classes at least")
    names = [component.name for component in components]
    if len(set(names)) != len(names):
        raise BadInput("--data", f"{name}, a Task with the components {', '.join(names)}", "names that differ")
    if not components:
        return task
    if task.several:
        got = f"{name}, a Task of several labels and of components"
        raise BadInput("--data", got, "several=False: of each component, an item has one class")
    width = sum(component.classes for component in components)
    if task.classes != width:
        got = f"{name}, a Task of {task.classes} classes whose components have {width}"
        raise BadInput("--data", got, "as many classes as all components together")
    needed = f"rows of {width} columns with one 1 among those of each of {', '.join(names)}, and 0 elsewhere"
    for part, split in (("train", task.train), *task.tests.items()):
        rows = split.targets
        if rows.ndim != 2 or rows.shape[1] != width:
            raise BadInput("--data", f"{name}, {part} targets of shape {tuple(rows.shape)}", needed)
        ones = torch.stack([(rows[:, columns] == 1).sum(1) for columns in blocks(components)], 1)
        wrong = (ones != 1).any(1) | ((rows != 0) & (rows != 1)).any(1)
        if wrong.any():
            raise BadInput("--data", f"{name}, {part} targets that are no such rows: {int(wrong.sum()):,}", needed)
    return task
