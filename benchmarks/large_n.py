"""Exact passes over all pairs of many rows: one process against workers on a Ray cluster of this machine.

    python benchmarks/large_n.py [--n 10000 30000 100000] [--d 64] [--workers 2]

Ten Gaussian classes, one thread a process. Both give the same bits, or this ends with an error. CPU time is of all
processes that compute; memory is the largest that one of them had of its own at any fifth of a second, and what the
workers share is beside it. The exponent is that of N between two lines, of CPU time in one process.
"""

import argparse
import math
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import torch

from analysis.bounds import sample_codes
from analysis.bounds.class_pairs import ClassPairs, class_pairs
from analysis.bounds.on_ray import RayWorkers
from analysis.bounds.stretches import ALONE
from vae.posterior import DiagonalGaussian

CLASSES = 10


class Watched:
    """The largest memory of its own, in MB, that this process or one of Ray's workers has had, and CPU seconds."""

    def __init__(self, *, workers: bool) -> None:
        self.workers, self.peak, self.shared, self.done = workers, 0.0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Watched":
        self.before, self.began = self._cpu(), time.perf_counter()
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.began
        self.done.set()
        self.thread.join()
        self.cpu = self._cpu() - self.before

    def _processes(self) -> list[psutil.Process]:
        this = psutil.Process()
        if not self.workers:
            return [this]
        return [each for each in this.children(recursive=True) if each.name().startswith("ray::")]

    def _cpu(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self._processes())

    def _watch(self) -> None:
        while not self.done.wait(0.2):
            with suppress(psutil.Error, OSError):
                for each in self._processes():
                    lines = (line.split() for line in Path(f"/proc/{each.pid}/status").read_text().splitlines())
                    kilobytes = {words[0]: int(words[1]) for words in lines if words[0].startswith("Rss")}
                    self.peak = max(self.peak, kilobytes["RssAnon:"] / 1024)
                    self.shared = max(self.shared, kilobytes["RssShmem:"] / 1024)


def classes(n: int, d: int) -> tuple[DiagonalGaussian, torch.Tensor, torch.Tensor]:
    """Codes of Gaussian classes that overlap, with their labels."""
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % CLASSES
    means = torch.randn(CLASSES, d, dtype=torch.float64, generator=stream)
    mean = means[labels] + torch.randn(n, d, dtype=torch.float64, generator=stream)
    posterior = DiagonalGaussian(mean, torch.full_like(mean, 2.0))
    return posterior, sample_codes(posterior), labels


def same(a: ClassPairs, b: ClassPairs) -> bool:
    return (
        torch.equal(a.terms, b.terms)
        and torch.equal(a.without, b.without)
        and torch.equal(a.everyone.infonce_without, b.everyone.infonce_without)
        and torch.equal(a.classmates.leave_one_out_without, b.classmates.leave_one_out_without)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"d = {options.d}, {CLASSES} classes, float64, {options.workers} workers of one thread\n")
    print("| N | one process, s | its CPU, s | exponent | its memory, MB | workers, s | their CPU, s |", end="")
    print(" a worker's memory, MB | shared, MB |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    last: tuple[int, float] | None = None
    with RayWorkers("local", options.workers) as workers:
        class_pairs(*classes(ALONE + 1, 2), workers)  # they begin when they are needed, and import PyTorch then
        for n in options.n:
            arrays = classes(n, options.d)
            with Watched(workers=True) as shared:
                found = class_pairs(*arrays, workers)
            with Watched(workers=False) as alone:
                expected = class_pairs(*arrays)
            if not same(found, expected):
                raise SystemExit(f"N = {n:,}: other bits")
            exponent = "" if last is None else f"{math.log(alone.cpu / last[1]) / math.log(n / last[0]):.2f}"
            cells = [f"{n:,}", f"{alone.seconds:.1f}", f"{alone.cpu:.1f}", exponent, f"{alone.peak:.0f}"]
            cells += [f"{shared.seconds:.1f}", f"{shared.cpu:.1f}", f"{shared.peak:.0f}", f"{shared.shared:.0f}"]
            print("| " + " | ".join(cells) + " |", flush=True)
            last = n, alone.cpu


if __name__ == "__main__":
    main()
