"""Parts of a data set that are the same ones every time and have their share of every class."""

import math

import torch
from torch import Tensor

__all__ = ["stratified"]

GOLDEN = (math.sqrt(5) - 1) / 2
"""Whose multiples fill [0, 1) evenly, but for whole numbers: any ten that follow each other, any hundred."""


def stratified(
    targets: Tensor, start: float, stop: float, *, several: bool = False, components: bool = False, least: int = 0
) -> Tensor:
    """Indices of the items between two shares of every class, each class in an order that is always the same.

    Disjoint intervals give disjoint sets, unless every class is to give some.

    Args:
        targets: (N,) class indices, or (N, K) rows, which count for their largest class.
        start: from 0.
        stop: up to 1.
        several: whether rows are several labels an item; each combination of them counts as a class of its own.
        components: whether rows have one class of every component; each combination of them counts as a class of its
            own, and may have fewer items than there are shares. So that disjoint intervals of one length have about as
            many items nevertheless, one combination's share is rounded up where another's is rounded down.
        least: that every class gives, where it is too small for its share.
    """
    if components:
        classes = _combinations(targets)
    elif several:
        classes = targets.unique(dim=0, return_inverse=True)[1]
    else:
        classes = targets.argmax(1) if targets.ndim == 2 else targets
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    order = order[classes[order].argsort(stable=True)]
    counts = classes.unique(return_counts=True)[1].tolist()
    chosen = []
    for place, members in enumerate(order.split(counts)):
        if components:
            shift = place * GOLDEN % 1
            first, last = (math.ceil(share * len(members) - shift) for share in (start, stop))
        else:
            first, last = round(start * len(members)), round(stop * len(members))
        chosen.append(members[first : max(last, first + least)])
    return torch.cat(chosen).sort().values


def _combinations(rows: Tensor) -> Tensor:
    """The number of each row's combination, (N,), from rows with one 1 for every component.

    One component after the other: to sort whole rows takes ten times as long.
    """
    columns = rows.nonzero()[:, 1].view(len(rows), -1)
    numbers = torch.zeros(len(rows), dtype=torch.int64)
    for column in columns.T.cpu():
        numbers = (numbers * rows.shape[1] + column).unique(return_inverse=True)[1]
    return numbers
