"""The paper's size, with several processes sharing one GPU; prints images a second and the GPU's load.

    python benchmarks/full_size.py --data cifar10 --workers 10 --out full-size
    python benchmarks/full_size.py --job accuracy --data cifar10 --workers 3 --seeds 2 --epochs 200 --out full-size

A step of the VAEs is far too small to keep a large GPU busy, and most of it is spent starting kernels: so several
processes of a job run at once and take the networks between them (a run directory has a lock). What is kept in
``--out`` is small: the report, the records of all runs, the posteriors or logits of the test images, also in one
``records.tar.gz``; weights and checkpoints stay in ``--store``. Anything after ``--`` is passed on to the job.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

JOBS = {"mutual_info": "vae", "accuracy": "classifier"}
"""Jobs, and the kind of run that they train."""


def gpu_load() -> float | None:
    """Per cent of the last moment in which some kernel ran; None without an NVIDIA GPU."""
    question = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        return float(subprocess.run(question, capture_output=True, text=True, check=True).stdout.split()[0])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--job", choices=JOBS, default="mutual_info")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--data-name")
    parser.add_argument("--augmentations", nargs="+", default=["none", "mixup", "cutmix", "fmix", "fmix-reference"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--noise", nargs="*", default=["0.5", "1", "2", "4"])
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--store", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("full-size"))
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    command = [
        sys.executable, "-m", f"analysis.{options.job}", "--data", options.data,
        "--augmentations", *options.augmentations, "--seeds", str(options.seeds),
        "--epochs", str(options.epochs), "--device", options.device, "--threads", "1", "--store", str(options.store),
        "--out", str(options.out), *options.rest,
    ]  # fmt: skip
    if options.job == "mutual_info":
        command += ["--inputs", "clean", "own-augmented", *(["--noise", *options.noise] if options.noise else [])]
    if options.data_name:
        command += ["--data-name", options.data_name]
    kind = JOBS[options.job]
    known = set(options.store.glob(f"{kind}/*/result.json"))
    start = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    workers = []
    for number in range(options.workers):
        with open(options.out / f"worker-{number}.log", "w") as log:
            workers.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    loads, trained = [], None
    while any(worker.poll() is None for worker in workers):
        records = set(options.store.glob(f"{kind}/*/result.json")) - known
        if len(records) >= options.seeds * len(options.augmentations) and trained is None:
            trained = time.perf_counter() - start
        load = gpu_load() if trained is None else None
        if load is not None:
            loads.append(load)
        time.sleep(0.5)
    total = time.perf_counter() - start

    records = sorted(set(options.store.glob(f"{kind}/*/result.json")) - known)
    analyses = options.store.glob("mutual-info/*/result.json")
    arrays = [*options.store.glob("mutual-info/*/*.npz"), *(path.with_name("logits.npz") for path in records)]
    for path in [*records, *analyses, *(path for path in arrays if path.exists())]:
        kept = options.out / "records" / path.relative_to(options.store)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, kept)
    if (options.out / "records").exists():
        shutil.make_archive(str(options.out / "records"), "gztar", options.out / "records")
    rates = [json.loads(path.read_text())["metrics"]["images_per_second"] for path in records]
    if records and trained:
        print(f"{len(records)} networks in {trained:.0f} s with {options.workers} processes")
        print(f"images/s, each process while it trains: {statistics.mean(rates):,.0f}; all together: ", end="")
        seconds = [json.loads(path.read_text())["metrics"]["seconds"] for path in records]
        images = sum(rate * second for rate, second in zip(rates, seconds, strict=True))
        print(f"{images / trained:,.0f}")
    if loads:
        print(f"share of the time in which a kernel ran: {statistics.mean(loads):.0f}%")
    print(f"with the analysis {total:.0f} s; kept in {options.out}")
    failed = [number for number, worker in enumerate(workers) if worker.returncode]
    if failed:
        print(f"workers {failed} failed; see {options.out}/worker-{failed[0]}.log", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
