"""A pass over all pairs, cut into stretches of rows that several workers can do.

What a pass leaves is a number for each row, and sums over rows for each column. A stretch is a pure function of what
all share and of its first and last row: it gives its own rows' numbers, and what its rows add to the columns. The
columns are added in the order of the stretches, whoever has done them and in whatever order they came back.

Where a pass is cut depends on N alone, never on the workers. So N images give the same bits on one machine and on any
number of workers that compute with as many threads as it does, on processors of one kind; other numbers of threads, or
processors for which the matrix library has other code, differ by rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["HERE", "Here", "Stretch", "Workers", "cut", "over_rows"]

ALONE = 20_000
"""Rows up to which a pass is one stretch: two seconds of one core in 64 dimensions."""

STRETCHES = 64
"""Of more rows. So many results are few to add, one is lost with a worker, and the last ones of sixteen workers, say,
leave the others idle for a quarter of the time."""

Stretch = Callable[[Any, int, int], tuple[Tensor, Tensor]]
"""From what all share, a first row and the one after the last, vectors of these rows (r, B) and column sums (c, N)."""


class Workers(Protocol):
    """Whoever does stretches: this process (`HERE`), or a cluster (`analysis.bounds.on_ray.RayWorkers`)."""

    def map(
        self, function: Stretch, shared: Any, stretches: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """What the function gives for each stretch, in their order.

        Args:
            function: of a module, so that another process finds it.
            shared: tensors, or dataclasses and tuples of them, the same for all.
            stretches: the first row of each, and the one after its last.
        """


class Here:
    """This process, one stretch after the other."""

    def map(
        self, function: Stretch, shared: Any, stretches: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """What the function gives for each stretch, in their order."""
        for start, stop in stretches:
            yield function(shared, start, stop)


HERE = Here()


def cut(n: int) -> list[tuple[int, int]]:
    """The stretches of N rows: the first row of each, and the one after its last.

    Example:
        >>> cut(10_000), cut(64_000)[:2]
        ([(0, 10000)], [(0, 1000), (1000, 2000)])
    """
    count = STRETCHES if n > ALONE else 1
    return list(pairwise(n * number // count for number in range(count + 1)))


def over_rows(function: Stretch, shared: Any, n: int, workers: Workers) -> tuple[Tensor, Tensor]:
    """Vectors of all rows (r, N), and the sums over them for each column (c, N), of the stretches of N rows."""
    of_rows, columns = [], None
    for rows, sums in workers.map(function, shared, cut(n)):
        of_rows.append(rows)
        columns = sums if columns is None else columns + sums
    assert columns is not None
    return torch.cat(of_rows, 1), columns
