"""The paper's size, with several processes sharing one GPU; prints images a second and the GPU's load.

    python benchmarks/full_size.py table-1 --data cifar10 --workers 10
    python benchmarks/full_size.py figure-3 --data cifar10 --workers 3 --seeds 3
    python benchmarks/full_size.py paper --data cifar10 --workers 4 --human cifar10h.npz

Runs ``python -m experiments.run`` with these options; its experiments and options are those here. A step of the
VAEs is far too small to keep a large GPU busy, and most of it is spent starting kernels: hence the processes. What
``--out`` keeps is small: documents, and in ``records.tar.gz`` the records of all runs, posteriors, logits, sums and
verdicts; weights and checkpoints stay in ``--store``.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from store import list_runs

KEPT = ("*/*/result.json", "mutual-info/*/*.npz", "classifier/*/logits.npz", "gradcam/*/sums.npz", "attacks/*/*.npz")
"""Files of runs to keep: everything that further analyses start from, and no weights."""


def gpu_load() -> float | None:
    """Per cent of the last moment in which some kernel ran; None without an NVIDIA GPU."""
    question = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(question, capture_output=True, text=True, check=True).stdout.split()[0])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0], allow_abbrev=False)
    parser.add_argument("experiment", help="of experiments.run, whose other options are passed on to it")
    parser.add_argument("--store", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("full-size"))
    options, rest = parser.parse_known_args()
    where = ["--store", str(options.store), "--out", str(options.out)]
    known = {row["path"] for row in list_runs(options.store) if row["status"] == "done"}
    start = time.perf_counter()
    grid = subprocess.Popen([sys.executable, "-m", "experiments.run", options.experiment, *rest, *where])
    loads = []
    while grid.poll() is None:
        load = gpu_load()
        if load is not None:
            loads.append(load)
        time.sleep(0.5)
    seconds = time.perf_counter() - start

    speeds = defaultdict(list)
    for row in list_runs(options.store):
        if row["status"] == "done" and row["path"] not in known:
            metrics = row["record"]["metrics"]
            speeds[row["kind"]].append((metrics.get("images_per_second"), metrics.get("seconds", 0.0)))
    for kind, found in speeds.items():
        rates = [rate for rate, _ in found if rate]
        each = f", {statistics.mean(rates):,.0f} images/s, each while it trains" if rates else ""
        print(f"{len(found)} {kind}{each}; {sum(took for _, took in found):,.0f} s if one came after the other")
    if loads:
        print(f"share of the time in which a kernel ran: {statistics.mean(loads):.0f}%")
    for path in (path for pattern in KEPT for path in options.store.glob(pattern)):
        kept = options.out / "records" / path.relative_to(options.store)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
    if (options.out / "records").exists():
        shutil.make_archive(str(options.out / "records"), "gztar", options.out / "records")
    print(f"{seconds:.0f} s in all; kept in {options.out}")
    return grid.returncode


if __name__ == "__main__":
    sys.exit(main())
