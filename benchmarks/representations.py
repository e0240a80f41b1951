"""What bounding a layer costs: `analysis.representations.profile.profile_of`, one level of noise and the usual ones.

    python benchmarks/representations.py [--n 10000] [--d 64 512 2048] [--levels 1 13]

Ten Gaussian classes whose variances fall from direction to direction, one thread, every bound, nothing spliced: of
training images as many again come on top, with four bounds instead of thirteen. CPU time stands beside wall time, which
other work on the machine lengthens. Memory is the growth of the process's peak resident set over the call (Linux). Each
line is a process of its own; ``--profile`` says which functions its time went to.
"""

import argparse
import cProfile
import pstats
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from analysis.bounds.channel import channel
from analysis.representations import NOISE
from analysis.representations.profile import profile_of

CLASSES = 10


def clusters(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) about a centre for each class, and their labels."""
    centres = 3 * np.random.default_rng(0).normal(size=(CLASSES, d))
    labels = np.arange(n) % CLASSES
    noise = np.random.default_rng(seed).normal(size=(n, d))
    return (centres[labels] + noise) / np.sqrt(np.arange(1, d + 1)), labels


def status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def measured(n: int, d: int, levels: int) -> str:
    """A line of the table."""
    features, labels = clusters(n, d, 1)
    noisy = channel(clusters(n, d, 2)[0])
    noise = NOISE[len(NOISE) // 2 :][:1] if levels == 1 else NOISE[:levels]
    profile_of(features[:300], labels[:300], noisy, noise[:1])  # warm-up: the matrix library's own buffers
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present
    before, wall, cpu = status_mb("VmRSS"), time.perf_counter(), time.process_time()
    profile_of(features, labels, noisy, noise)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = status_mb("VmHWM") - before
    return f"| {d:,} | {levels} | {cpu:.1f} | {cpu / levels:.1f} | {wall:.1f} | {memory:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, nargs="+", default=[64, 512, 2048])
    parser.add_argument("--levels", type=int, nargs="+", default=[1, len(NOISE)])
    parser.add_argument("--profile", action="store_true", help="of the first d and levels: what takes the time")
    parser.add_argument("--line", action="store_true", help="print the line of the first d and levels, and stop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.line or options.profile:
        profiler = cProfile.Profile()
        if options.profile:
            profiler.enable()
        print(measured(options.n, options.d[0], options.levels[0]))
        if options.profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(15)
        return
    print(f"N = {options.n:,}, {CLASSES} classes, one thread, torch {torch.__version__}\n")
    print("| d | levels | CPU, s | CPU a level, s | wall, s | memory, MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    for d in options.d:
        for levels in options.levels:
            command = [
                sys.executable,
                __file__,
                "--line",
                "--n",
                str(options.n),
                "--d",
                str(d),
                "--levels",
                str(levels),
            ]
            print(subprocess.check_output(command, text=True).strip(), flush=True)


if __name__ == "__main__":
    main()
