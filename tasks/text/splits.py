"""Test parts of sets of texts that have none of their own: a fifth of the distinct texts, always the same ones."""

import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from store import BadInput
from tasks.parts import stratified
from tasks.task import Task, text_task

__all__ = ["distinct", "fifth", "say", "split_task"]

SHARE = 0.2
"""Of the texts of every class that is held out."""


def distinct(texts: Sequence[str], targets: Tensor) -> tuple[Tensor, str]:
    """Indices of the texts that are no repetition of one before them, and a clause on how many are, or nothing.

    The same text on both sides of a split would be scored as remembered. Its first label is kept.
    """
    first: dict[str, int] = {}
    repeated = differing = 0
    for place, text in enumerate(texts):
        before = first.setdefault(text, place)
        if before != place:
            repeated += 1
            differing += not torch.equal(targets[before], targets[place])
    clause = f"{repeated:,} repeated texts are left out" if repeated else ""
    clause += f" ({differing:,} of them with another label than the first has)" if differing else ""
    return torch.tensor(list(first.values()), dtype=torch.int64), clause


def fifth(targets: Tensor, source: str, several: bool = False) -> tuple[Tensor, Tensor]:
    """Indices of the training items and of the fifth of every class that is held out.

    Raises:
        BadInput: too few to hold any out.
    """
    ends = ((0, 1 - SHARE), (1 - SHARE, 1))
    train, test = (stratified(targets, start, stop, several=several) for start, stop in ends)
    if not len(test):
        raise BadInput(
            "--data", f"{source}, {len(targets)} distinct texts", "three of a class at least, to hold one out"
        )
    return train, test


def say(source: str, repeated: str, test: int, texts: int) -> None:
    """Say on standard error, in one line, what is left out and held out."""
    held = f"no test part of its own: a fifth of every class is held out, {test:,} of {texts:,} texts"
    print(f"{source}: " + "; ".join(clause for clause in (repeated, held) if clause), file=sys.stderr)


def split_task(
    name: str, source: str, texts: Sequence[str], targets: Tensor, *, classes: int = 0, several: bool = False
) -> Task:
    """A task of distinct texts, a fifth of which is held out.

    Args:
        name: as tables print it.
        source: by what name the data set was asked for, for the line on standard error.
        texts: N of them.
        targets: (N,) class indices or (N, K) rows.
        classes: how many there are at least.
        several: whether rows are several labels a text.

    Raises:
        BadInput: too few texts.
    """
    kept, repeated = distinct(texts, targets)
    train, test = (kept[side] for side in fifth(targets[kept], source, several))
    say(source, repeated, len(test), len(kept))
    sides = [([texts[place] for place in side.tolist()], targets[side]) for side in (train, test)]
    return text_task(name, *sides, classes=classes, several=several)
