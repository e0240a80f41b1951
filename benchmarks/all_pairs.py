"""The all-pairs pass against the machine's own matrix product, and against the obvious loop.

    python benchmarks/all_pairs.py [--n 10000] [--d 64] [--repeats 7]

Medians of interleaved runs in one process. The matrix product has the pass's own multiply count, N × 2d × N in float64:
in the same row blocks into the same buffer, the harder measure, and in one piece, whose result is N × N. The loop
evaluates `torch.distributions` log-densities a block of codes at a time. Memory is the growth of the process's peak
resident set over one pass, in a process of its own (Linux).
"""

import argparse
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from analysis.bounds import sample_codes
from analysis.bounds.pairs import BLOCK, all_pairs
from analysis.ground_truth import linear_gaussian
from vae.posterior import DiagonalGaussian


def encoder(n: int, d: int, information: float) -> tuple[DiagonalGaussian, torch.Tensor]:
    posterior = linear_gaussian(n, d, information, seed=0)
    return posterior, sample_codes(posterior)


def matrix_product(left: torch.Tensor, right: torch.Tensor, buffer: torch.Tensor) -> None:
    for start in range(0, len(left), len(buffer)):
        rows = left[start : start + len(buffer)]
        torch.mm(rows, right, out=buffer[: len(rows)])


def loop(posterior: DiagonalGaussian, codes: torch.Tensor, rows: int, block: int = 8) -> torch.Tensor:
    """log Σ_{j≠i} q(z_i|x_j) for the first rows, by torch.distributions."""
    normal = torch.distributions.Independent(
        torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_var).exp()), 1
    )
    others = []
    for start in range(0, rows, block):
        logs = normal.log_prob(codes[start : start + block, None])
        logs.diagonal(start).fill_(-math.inf)
        others.append(logs.logsumexp(1))
    return torch.cat(others)[:rows]


def seconds(function, *arguments) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--loop-rows", type=int, default=10_000, help="codes that the loop evaluates")
    parser.add_argument("--memory", action="store_true", help="print the memory of one pass, in MB, and stop")
    options = parser.parse_args()
    n, d = options.n, options.d

    if options.memory:
        posterior, codes = encoder(n, d, 6.0)
        all_pairs(posterior[:300], codes[:300])  # warm-up: the matrix library's own buffers
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the present
        before = status_mb("VmRSS")
        all_pairs(posterior, codes)
        print(round(status_mb("VmHWM") - before))
        return

    left = torch.randn(n, 2 * d, dtype=torch.float64)
    right = torch.randn(2 * d, n, dtype=torch.float64)
    buffer = torch.empty(BLOCK // n, n, dtype=torch.float64)
    print(f"N = {n:,}, d = {d}, float64, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(
        "| true I (nats) | pass (s) | product in blocks (s) | product in one piece (s) | pass / blocks | pass / piece |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    for information in (1.0, 3.0, 6.0, 9.0, 20.0, 70.0):
        posterior, codes = encoder(n, d, information)
        ours, blocks, piece = [], [], []
        for _ in range(options.repeats):
            blocks.append(seconds(matrix_product, left, right, buffer))
            piece.append(seconds(torch.mm, left, right))
            ours.append(seconds(all_pairs, posterior, codes))
        ratios = [statistics.median(a / b for a, b in zip(ours, other, strict=True)) for other in (blocks, piece)]
        cells = [f"{statistics.median(values):.3f}" for values in (ours, blocks, piece)]
        print(f"| {information:g} | " + " | ".join([*cells, *(f"{ratio:.2f}" for ratio in ratios)]) + " |", flush=True)

    posterior, codes = encoder(n, d, 6.0)
    rows = min(options.loop_rows, n)
    expected: list[torch.Tensor] = []
    slow = seconds(lambda: expected.append(loop(posterior, codes, rows))) * n / rows
    fast = statistics.median(seconds(all_pairs, posterior, codes) for _ in range(options.repeats))
    error = ((all_pairs(posterior, codes).others[:rows] - expected[0]) / expected[0]).abs().max()
    print(f"\nloop over torch.distributions: {slow:.1f} s, {slow / fast:.0f} times the pass;")
    print(f"largest relative difference of log Σ_j≠i q(z_i|x_j): {float(error):.1e}")
    command = [sys.executable, __file__, "--memory", "--n", str(n), "--d", str(d)]
    print(f"memory above the inputs: {subprocess.check_output(command, text=True).strip()} MB")


if __name__ == "__main__":
    main()
