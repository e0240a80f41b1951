"""The order of a training set's items in an epoch, which `training.fit` cuts into batches.

Texts of one batch should be of similar length, for the shorter ones are filled up: an order by *buckets* is random, but
for batches of texts that are close in length. Buckets are those of torchtext's ``BucketIterator``, which the reference
code uses: pools of a hundred batches, each sorted by length and cut into batches, whose order is random.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Order", "at_random", "by_length"]

Order = Callable[[torch.Generator], Tensor]
"""From a generator of an epoch to the indices of all items, (N,), on the CPU."""

POOL = 100
"""Batches that are sorted together."""


def at_random(count: int) -> Order:
    """The order in which each of ``count`` items may come at any place."""
    return lambda generator: torch.randperm(count, generator=generator)


def by_length(lengths: Tensor, batch_size: int) -> Order:
    """The order in which items of one batch have similar lengths.

    What is left over when items are cut into batches is at the end, and of any length.

    Args:
        lengths: (N,) of the items.
        batch_size: items of a batch.
    """
    lengths = lengths.cpu()

    def order(generator: torch.Generator) -> Tensor:
        items = torch.randperm(len(lengths), generator=generator)
        whole = len(items) // batch_size * batch_size
        pools = items[:whole].split(POOL * batch_size)
        batches = [batch for pool in pools for batch in pool[lengths[pool].argsort(stable=True)].split(batch_size)]
        shuffled = [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
        return torch.cat([*shuffled, items[whole:]])

    return order
