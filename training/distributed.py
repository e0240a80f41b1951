"""The processes that train one network together, one per GPU: ``torchrun --nproc-per-node 4 -m classifiers.train …``.

Of the global batch, process r of n takes the r-th n-th, and draws λ, masks, partners, crops and flips from a generator
of its own (the run's seed, "step", the step, "rank", r): partners come from a process's own part. Gradients are
averaged, so a step is that of the whole batch, but for BatchNorm, whose statistics are each process's own (the
evaluation's are the first one's). Batches are full and disjoint: no image is counted twice. The first process alone
holds the run's lock, writes its files and scores the test images. On several machines the store is a directory that all
of them see.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from store import BadInput

__all__ = ["Ranks", "join"]


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; by default it is alone.

    Args:
        rank: from 0; 0 writes.
        world: how many processes there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    @property
    def purpose(self) -> tuple[str | int, ...]:
        """What is added to the seed of a step, so that processes draw differently; nothing for one that is alone."""
        return ("rank", self.rank) if self.world > 1 else ()

    def portion(self, batch: Tensor) -> Tensor:
        """This process's share of a batch whose size the number of processes divides."""
        size = len(batch) // self.world
        return batch[self.rank * size : (self.rank + 1) * size]

    def mean(self, values: Tensor) -> Tensor:
        """The mean over processes of a tensor."""
        if self.world > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.world
        return values

    def agree(self, loss: Tensor, stop: bool) -> tuple[float, bool]:
        """The mean loss, and whether any process was asked to stop, for all to decide alike; waits for the device."""
        if self.world == 1:
            return float(loss.detach()), stop
        seen = self.mean(torch.stack([loss.detach().double(), loss.new_tensor(stop, dtype=torch.double)]))
        return float(seen[0]), bool(seen[1] > 0)

    def share(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self.world > 1:
            box = [value]
            distributed.broadcast_object_list(box)
            return box[0]
        return value


@contextmanager
def join(device: torch.device) -> Iterator[tuple[Ranks, torch.device]]:
    """The processes that ``torchrun`` started, and this one's device; a single process without it.

    Raises:
        BadInput: fewer GPUs than processes on this machine.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(), device
        return
    if device.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise BadInput("--nproc-per-node", local + 1, f"at most the {torch.cuda.device_count()} GPUs that are here")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), world), device
    finally:
        distributed.destroy_process_group()
