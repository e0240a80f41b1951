"""Stretches of rows as tasks of a Ray cluster.

What all stretches share is put into the cluster's object store once: of N codes in d dimensions, 8 N (4d + 5) bytes, or
8 N (2d + 5) where all images have one noise, 1.1 GB for a million in 64 dimensions. Each node has it once, for its
workers read it where it lies. Beside it a worker holds blocks of max(1,000,000, 16 N) pairs, two arrays of 8 bytes and
three of 1 byte a pair at most (three of 8 where differences are squared one by one), and 30 vectors of N: 0.55 GB for a
million rows, and 0.35 GB for Python and PyTorch themselves. Its results are 48 N bytes, of which
the store keeps two for each worker. This process holds N d numbers of 8 bytes about thirteen times while it makes what
is shared.
"""

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.bounds.stretches import Stretch
from store import BadInput
from training.clusters import DEATHS, Cluster, Gone

__all__ = ["RayWorkers"]


class RayWorkers:
    """A cluster that does stretches, each with as many threads as this process has.

    A stretch whose worker or node is lost is done again on another, three times at most. To be closed, or used in a
    ``with`` statement.

    Args:
        address: ``local`` (on this machine, for as long as it is used), ``auto`` (a running cluster of this machine),
            or ``HOST:PORT`` of a head node.
        workers: of a ``local`` one (None: as many as the cores have threads for).

    Raises:
        BadInput: as `training.clusters.Cluster`, or no place in the cluster for one worker.

    Example:
        >>> from analysis.bounds.labelled import Labelled, labelled_bounds
        >>> with RayWorkers("local", workers=2) as workers:  # doctest: +SKIP
        ...     bounds = labelled_bounds(Labelled(posterior, labels, workers=workers))
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        self.threads = torch.get_num_threads()
        self.cluster = Cluster(address, None if workers is None else workers * self.threads)
        cpus = int(self.cluster.resources.get("CPU", 0))
        self.places = cpus // self.threads
        if not self.places:
            self.close()
            raise BadInput("--ray", f"{address}, a cluster of {cpus} CPUs", f"one for each of {self.threads} threads")

    def map(
        self, function: Stretch, shared: Any, stretches: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """What the function gives for each stretch, in their order; twice as many are begun as there are workers.

        Raises:
            Gone: the cluster does not answer any more, or workers died three times over one stretch.
        """
        ray = self.cluster.ray
        # as an array, a tensor is read where it lies; as a tensor, each worker would have its own copy
        ray.util.register_serializer(Tensor, serializer=Tensor.numpy, deserializer=_tensor)
        put = ray.put(shared)
        ray.util.deregister_serializer(Tensor)
        task = ray.remote(num_cpus=self.threads, max_retries=DEATHS - 1)(_stretch)
        begun: deque[tuple[Any, int, int]] = deque()
        for start, stop in stretches:
            if len(begun) == 2 * self.places:
                yield self._result(*begun.popleft())
            begun.append((task.remote(function, put, start, stop, self.threads), start, stop))
        while begun:
            yield self._result(*begun.popleft())

    def _result(self, reference: Any, start: int, stop: int) -> tuple[Tensor, Tensor]:
        ray = self.cluster.ray
        while not ray.wait([reference], timeout=2)[0]:
            self.cluster.check_there("give the same command again when there is a cluster")
        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError:  # not the cluster's fault
            raise
        except ray.exceptions.RayError as problem:
            words = f"{problem}".strip().partition("\n")[0][:200]
            raise Gone(f"--ray: rows {start:,} to {stop - 1:,} of a pass are lost: {words}") from None

    def close(self) -> None:
        """Leave the cluster."""
        self.cluster.close()

    def __enter__(self) -> "RayWorkers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tensor(array: Any) -> Tensor:
    """The tensor of an array in the object store, into which nobody writes."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that somebody might
        return torch.from_numpy(array)


def _stretch(function: Stretch, shared: Any, start: int, stop: int, threads: int) -> tuple[Tensor, Tensor]:
    """One stretch in a worker."""
    torch.set_num_threads(threads)
    return function(shared, start, stop)
