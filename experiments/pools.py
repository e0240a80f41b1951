"""Where steps are done: in processes of this machine, or on a Ray cluster (`experiments.cluster`).

A pool has a number of free places; `submit` takes a step, `finished` gives back what is done. A worker that dies (out
of memory, killed, its node gone) loses nothing but what came after the last checkpoint: its step is done again
elsewhere, and counts as failed when its worker has died three times.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from experiments.steps import Outcome, Step, execute
from training.clusters import DEATHS

__all__ = ["Local", "Pool"]


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
    """Let a worker stop in an orderly way when the process that gave the work has gone."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
