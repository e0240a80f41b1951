"""Steps on a Ray cluster (`training.clusters`)."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.steps import Outcome, Step, execute
from training.clusters import DEATHS, Cluster

__all__ = ["RayCluster"]

AFTER = "what is done is kept, and the same command goes on when there is a cluster again"


class RayCluster:
    """Ray's workers: on this machine (``local``), a running cluster (``auto``), or the one at an address.

    The store must be a directory that all nodes share. A step whose worker or node is lost is done again on another.

    Args:
        address: ``local``, ``auto``, or ``HOST:PORT`` of a head node.
        threads: CPUs that a step asks for.
        gpus: GPUs that a step asks for.

    Raises:
        BadInput: as `training.clusters.Cluster`.
    """

    def __init__(self, address: str, threads: int, gpus: int) -> None:
        self.cluster = Cluster(address)
        self.ray, self.threads, self.gpus = self.cluster.ray, threads, gpus
        remote: Any = self.ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=DEATHS - 1)
        self.remote = remote(_execute_in)
        self.work: dict[Any, tuple[Step, Path]] = {}

    def free(self) -> int:
        """How many steps could begin now: Ray queues what the cluster has no place for, so a few more than fit."""
        self.cluster.check_there(AFTER)
        total = self.cluster.resources
        places = int(total.get("GPU", 0) // self.gpus) if self.gpus else int(total.get("CPU", 1) // self.threads)
        return max(places + 2 - len(self.work), 0)

    def running(self) -> list[Step]:
        """What is under way, or waits for a place."""
        return [step for step, _ in self.work.values()]

    def submit(self, step: Step, log: Path) -> None:
        """Begin a step."""
        options = step.arguments[0].execution
        device = "cuda" if self.gpus else "cpu"
        where = replace(options, store=options.store.resolve(), out=options.out.resolve(), threads=self.threads)
        placed = step.on(replace(where, device=device))
        self.work[self.remote.remote(Path.cwd(), placed, log.resolve())] = step, log

    def finished(self, seconds: float) -> Iterator[tuple[Step, Outcome]]:
        """What has finished, after at most so many seconds."""
        self.cluster.check_there(AFTER)
        done, _ = self.ray.wait(list(self.work), num_returns=1, timeout=seconds)
        for reference in done:
            step, log = self.work.pop(reference)
            try:
                yield step, self.ray.get(reference)
            except self.ray.exceptions.TaskCancelledError:
                yield step, Outcome("interrupted", "cancelled")
            except self.ray.exceptions.RayError as problem:
                words = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
                yield step, Outcome("failed", f"{words[:200]}; see {log}")

    def interrupt(self) -> None:
        """Ask all that is under way to write its checkpoint and stop."""
        for reference in self.work:
            self.ray.cancel(reference, force=False)

    def close(self) -> None:
        """Leave the cluster."""
        self.cluster.close()


def _execute_in(directory: Path, step: Step, log: Path) -> Outcome:
    """Do a step in the working directory of whoever gave it, from which ``mixes.py:ResizeMix`` is looked for."""
    with suppress(OSError):  # a node without the directory does what needs nothing that lies in it
        os.chdir(directory)
        if str(directory) not in sys.path:
            sys.path.append(str(directory))
    return execute(step, log)
