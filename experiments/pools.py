"""Where steps are done: in processes of this machine, or on a Ray cluster. Both only take what is ready.

A pool has a number of free places; `submit` takes a step, `finished` gives back what is done. A worker that dies (out
of memory, killed, its node gone) loses nothing but what came after the last checkpoint: its step is done again
elsewhere, and counts as failed when its worker has died three times.
"""

import multiprocessing
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from experiments.steps import Outcome, Step, execute
from store import BadInput

__all__ = ["DEATHS", "Local", "Pool", "RayCluster"]

DEATHS = 3
"""Workers that may die over one step before it counts as failed."""


class Pool(Protocol):
    """Takes steps and gives them back done."""

    def free(self) -> int:
        """How many steps could begin now."""

    def submit(self, step: Step, log: Path) -> None:
        """Begin a step."""

    def finished(self, seconds: float) -> Iterator[tuple[Step, Outcome]]:
        """What has finished, after at most so many seconds."""

    def running(self) -> list[Step]:
        """What is under way."""

    def interrupt(self) -> None:
        """Ask all that is under way to write its checkpoint and stop."""

    def close(self) -> None:
        """Let the workers go."""


def _follow(parent: int) -> None:
    """In a worker: stop in an orderly way when the process that gave the work has gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _ready() -> int:
    return os.getpid()


class Local:
    """A process for each place, with its own device and its share of the threads.

    Args:
        devices: one for each place.
        threads: of each.
    """

    def __init__(self, devices: list[str], threads: int) -> None:
        # Read when a worker imports PyTorch. Threads that spin while they wait are faster on an idle machine, but where
        # something else has one of two cores, a step of a small network took 1 s instead of 7 ms.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        self.devices, self.threads = devices, threads
        self.workers: list[ProcessPoolExecutor | None] = [None] * len(devices)
        self.work: dict[Future[Outcome], tuple[int, Step, Path]] = {}
        self.deaths: dict[str, int] = {}

    def free(self) -> int:
        """How many steps could begin now."""
        return len(self.devices) - len(self.work)

    def running(self) -> list[Step]:
        """What is under way."""
        return [step for _, step, _ in self.work.values()]

    def submit(self, step: Step, log: Path) -> None:
        """Begin a step."""
        taken = {place for place, _, _ in self.work.values()}
        place = next(place for place in range(len(self.devices)) if place not in taken)
        options = replace(step.arguments[0].execution, device=self.devices[place], threads=self.threads)
        self._send(place, step.on(options), log)

    def _send(self, place: int, step: Step, log: Path) -> None:
        worker = self.workers[place]
        if worker is None:  # a place has its own executor, so that a death is one place's
            context = multiprocessing.get_context("spawn")
            worker = ProcessPoolExecutor(1, context, initializer=_follow, initargs=(os.getpid(),))
            self.workers[place] = worker
        self.work[worker.submit(execute, step, log)] = place, step, log

    def finished(self, seconds: float) -> Iterator[tuple[Step, Outcome]]:
        """What has finished, after at most so many seconds."""
        done, _ = wait(self.work, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            place, step, log = self.work.pop(future)
            error = future.exception()
            if error is None:
                yield step, future.result()
            elif isinstance(error, BrokenProcessPool):
                self.workers[place] = None
                self.deaths[step.name] = deaths = self.deaths.get(step.name, 0) + 1
                if deaths < DEATHS:
                    self._send(place, step, log)
                else:
                    yield step, Outcome("failed", f"its worker died {deaths} times; see {log}")
            else:
                yield step, Outcome("failed", f"{type(error).__name__}: {error}")

    def interrupt(self) -> None:
        """Ask all that is under way to write its checkpoint and stop."""
        for worker in self.workers:
            for process in (getattr(worker, "_processes", None) or {}).values():
                if process.is_alive():
                    os.kill(process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Let the workers go."""
        for worker in self.workers:
            if worker is not None:
                worker.shutdown(wait=False, cancel_futures=True)


class RayCluster:
    """Ray's workers: on this machine (``local``), a running cluster (``auto``), or the one at an address.

    The store must be a directory that all nodes share. A step whose worker or node is lost is done again on another.

    Args:
        address: ``local``, ``auto``, or ``HOST:PORT`` of a head node.
        threads: CPUs that a step asks for.
        gpus: GPUs that a step asks for.
    """

    def __init__(self, address: str, threads: int, gpus: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise BadInput("--ray", address, "the package ray (mixinfo[cluster])") from None
        self.ray, self.threads, self.gpus = ray, threads, gpus
        how: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": "ERROR"}
        host = address.partition(":")[0]
        if address == "local":  # nothing listens beyond this machine, and nobody else on it gets in
            how |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        elif host.startswith("127."):
            how["_node_ip_address"] = host
        if not ray.is_initialized():
            try:
                ray.init(**how)
            except ConnectionError as problem:
                found = f"{address}, where no cluster answers ({' '.join(str(problem).split())[:120]})"
                needed = "local, auto, or HOST:PORT of a cluster, and its token in RAY_AUTH_TOKEN where it asks for one"
                raise BadInput("--ray", found, needed) from None
        remote: Any = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=DEATHS - 1)
        self.remote = remote(execute)
        self.work: dict[Any, tuple[Step, Path]] = {}

    def free(self) -> int:
        """How many steps could begin now: Ray queues what the cluster has no place for, so a few more than fit."""
        total = self.ray.cluster_resources()
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
        self.work[self.remote.remote(step.on(replace(where, device=device)), log.resolve())] = step, log

    def finished(self, seconds: float) -> Iterator[tuple[Step, Outcome]]:
        """What has finished, after at most so many seconds."""
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
        self.ray.shutdown()
