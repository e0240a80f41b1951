"""The paper's size, with several processes sharing one GPU; prints images a second and the GPU's load.

    python benchmarks/full_size.py --data cifar10 --workers 10 --out full-size
    python benchmarks/full_size.py --job accuracy --data cifar10 --workers 3 --seeds 2 --epochs 200 --out full-size
    python benchmarks/full_size.py --job perception --data cifar10 --workers 3 --human cifar10h.npz --out full-size

``mutual_info`` and ``accuracy`` train and compare; ``perception`` trains the classifiers, and then sums their Grad-CAM
maps, attacks them, and measures their divergence from humans (``--human``), on the whole test set.

A step of the VAEs is far too small to keep a large GPU busy, and most of it is spent starting kernels: so several
processes of a job run at once and take the networks between them (a run directory has a lock). What is kept in
``--out`` is small: the report's documents, the records of all runs, posteriors, logits, sums and verdicts, also in one
``records.tar.gz``; weights and checkpoints stay in ``--store``. Anything after ``--`` is passed on to every job.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

JOBS = {
    "mutual_info": ("vae", ["analysis.mutual_info"]),
    "accuracy": ("classifier", ["analysis.accuracy"]),
    "perception": ("classifier", ["analysis.accuracy", "gradcam.sums", "attacks.sweep", "analysis.human_uncertainty"]),
}
"""Jobs: the kind of run that they train, and the programs, one after the other."""

KEPT = ("mutual-info/*/*.npz", "classifier/*/logits.npz", "gradcam/*/sums.npz", "attacks/*/verdicts.npz")
"""Arrays to keep beside the records: everything that further analyses start from, and no weights."""


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
    parser.add_argument("--human", help="counts and labels of CIFAR-10H, for perception")
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    kind, programs = JOBS[options.job]
    known = set(options.store.glob(f"{kind}/*/result.json"))
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    loads: list[float] = []
    trained, failed = None, []
    for program in programs:
        if program.endswith("human_uncertainty") and not options.human:
            continue
        found, wrong = together(command_of(program, options), program, options, kind, known, loads)
        trained = trained or found
        failed += wrong
        print(f"{program}: after {time.perf_counter() - start:.0f} s", flush=True)
    return keep(options, kind, known, start, trained, loads, failed)


def command_of(program: str, options: argparse.Namespace) -> list[str]:
    """The command line of one program."""
    command = [
        sys.executable, "-m", program, "--data", options.data, "--augmentations", *options.augmentations,
        "--seeds", str(options.seeds), "--epochs", str(options.epochs), "--device", options.device, "--threads", "1",
        "--store", str(options.store), "--out", str(options.out), *options.rest,
    ]  # fmt: skip
    if program == "analysis.mutual_info":
        command += ["--inputs", "clean", "own-augmented", *(["--noise", *options.noise] if options.noise else [])]
    if program == "analysis.human_uncertainty":
        command += ["--human", options.human]
    if options.data_name:
        command += ["--data-name", options.data_name]
    return command


def together(
    command: list[str], program: str, options: argparse.Namespace, kind: str, known: set[Path], loads: list[float]
) -> tuple[float | None, list[Path]]:
    """Run a command in several processes at once; when all networks were there, and the logs of those that failed."""
    start = time.perf_counter()
    workers = {}
    for number in range(options.workers):
        path = options.out / f"{program}-{number}.log"
        with open(path, "w") as log:
            workers[path] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    trained = None
    while any(worker.poll() is None for worker in workers.values()):
        records = set(options.store.glob(f"{kind}/*/result.json")) - known
        if len(records) >= options.seeds * len(options.augmentations) and trained is None:
            trained = time.perf_counter() - start
        load = gpu_load() if trained is None else None
        if load is not None:
            loads.append(load)
        time.sleep(0.5)
    return trained, [path for path, worker in workers.items() if worker.returncode]


def keep(
    options: argparse.Namespace, kind: str, known: set[Path], start: float, trained: float | None, loads: list[float],
    failed: list[Path],
) -> int:  # fmt: skip
    """Put what is small into one archive, and say how fast it went."""
    total = time.perf_counter() - start
    records = sorted(set(options.store.glob(f"{kind}/*/result.json")) - known)
    others = [path for path in options.store.glob("*/*/result.json") if path.parents[1].name != kind]
    for path in [*records, *others, *(path for pattern in KEPT for path in options.store.glob(pattern))]:
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
    if failed:
        print(f"{len(failed)} processes failed; see {failed[0]}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
