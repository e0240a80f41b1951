"""Parts of a data set that are the same ones every time and have their share of every class."""

import torch
from torch import Tensor

__all__ = ["stratified"]


def stratified(targets: Tensor, start: float, stop: float, *, several: bool = False, least: int = 0) -> Tensor:
    """Indices of the items between two shares of every class, each class in an order that is always the same.

    Disjoint intervals give disjoint sets, unless every class is to give some.

    Args:
        targets: (N,) class indices, or (N, K) rows, which count for their largest class.
        start: from 0.
        stop: up to 1.
        several: whether rows are several labels an item; each combination of them counts as a class of its own.
        least: that every class gives, where it is too small for its share.
    """
    if several:
        classes = targets.unique(dim=0, return_inverse=True)[1]
    else:
        classes = targets.argmax(1) if targets.ndim == 2 else targets
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    chosen = []
    for number in classes.unique():
        members = order[classes[order] == number]
        first, last = round(start * len(members)), round(stop * len(members))
        chosen.append(members[first : max(last, first + least)])
    return torch.cat(chosen).sort().values
