"""Twenty minutes of everything on two workers: memory and file descriptors stay where they were."""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from store import list_runs
from tests.calls import ROOT, workers_of

pytestmark = pytest.mark.endurance

MINUTES = float(os.environ.get("MINUTES", 20))

# every round is the same work under another learning rate, so that any stretch of time holds the same mix
GRID = """
from analysis import accuracy, mutual_info
from attacks import sweep
from classifiers.train import Settings
from gradcam import sums
from tasks import DataOptions
from vae.train import Settings as VaeSettings


def rounds(scale):
    for number in range(600):
        common = {
            "seeds": 1, "data": DataOptions("digits"), "execution": scale.execution,
            "settings": Settings(epochs=3, width=4, learning_rate=0.01 + 1e-6 * number),
        }
        names = ("none", "fmix")
        yield accuracy.Config(names, **common)
        yield sums.Config(names, images=20, **common)
        yield sweep.Config(names, images=20, **common)
        yield mutual_info.Config(
            names, 1, data=DataOptions("digits"), execution=scale.execution,
            settings=VaeSettings(epochs=3, learning_rate=1e-3 + 1e-7 * number),
        )
"""


def watched(process: int) -> tuple[float, int]:
    """Resident memory in MiB and open file descriptors."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return resident / 1024, len(list(Path(f"/proc/{process}/fd").iterdir()))


def test_a_long_mix_of_runs_is_flat(tmp_path):
    """Of every process, the last quarter's median memory is at most 5% above the second quarter's; no descriptors more.

    Medians, for files are opened and closed all the time. The first quarter is for imports, caches and the allocator to
    settle.
    """
    grid = tmp_path / "grid.py"
    grid.write_text(GRID)
    command = [
        sys.executable, "-m", "experiments.run", f"{grid}:rounds", "--workers", "2", "--threads", "1",
        "--store", str(tmp_path / "runs"), "--out", str(tmp_path / "out"), "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    began = time.monotonic()
    found: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    while (now := time.monotonic() - began) < 60 * MINUTES:
        assert process.poll() is None, process.communicate()
        for each in (process.pid, *workers_of(process.pid)):
            found[each].append((now / 60 / MINUTES, *watched(each)))
        time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130, error
    done = [row["kind"] for row in list_runs(tmp_path / "runs") if row["status"] == "done"]
    counts = ", ".join(f"{done.count(kind)} {kind}" for kind in sorted(set(done)))
    print(f"\n{MINUTES:g} minutes: {counts}, {len(list((tmp_path / 'out').rglob('result.json')))} documents")
    assert len(found) == 3, "a worker was replaced"
    for number, samples in zip(("grid", "worker 1", "worker 2"), found.values(), strict=True):
        quarters = [[s for s in samples if low <= s[0] < low + 0.25] for low in (0, 0.25, 0.5, 0.75)]
        memory = [statistics.median(s[1] for s in quarter) for quarter in quarters]
        most = [max(s[1] for s in quarter) for quarter in quarters]
        opened = [statistics.median(s[2] for s in quarter) for quarter in quarters]
        print(
            f"{number}: MiB by quarter {' '.join(f'{m:.0f}' for m in memory)}, at most "
            f"{' '.join(f'{m:.0f}' for m in most)}; descriptors {' '.join(f'{o:g}' for o in opened)}"
        )
        assert memory[3] <= 1.05 * memory[1], number
        assert opened[3] <= opened[1], number
