"""Grids that are killed, and clusters that lose a node: what is left is what an undisturbed grid gives."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from store import list_runs
from store.keeping import verify
from tests.calls import LOOPBACK, ROOT, findings, workers_of

pytestmark = pytest.mark.endurance

GRID = """
from analysis import accuracy
from classifiers.train import Settings
from gradcam import sums
from tasks import DataOptions


def twelve(scale):
    common = {
        "seeds": 3, "data": DataOptions("digits"), "settings": Settings(epochs=EPOCHS, width=4),
        "execution": scale.execution,
    }
    names = ("none", "mixup", "cutmix", "fmix")
    yield accuracy.Config(names, **common)
    yield sums.Config(names, layers=("conv1", "stage1.0", "stage2.0", "stage3.0", "stage4.0"), **common)
"""


def start(grid: Path, root: Path, *more: str) -> subprocess.Popen:
    command = [
        sys.executable, "-m", "experiments.run", f"{grid}:twelve", "--store", str(root / "runs"),
        "--out", str(root / "out"), "--checkpoint-seconds", "0.2", "--threads", "1", *more,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_all(process: subprocess.Popen) -> None:
    """The grid and its workers, at once and without warning."""
    workers = workers_of(process.pid)
    process.kill()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    process.communicate()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.01)


def phase(store: Path) -> str:
    """What a grid is at, from what lies in its store."""

    def begun(kind: str) -> bool:
        return any(not (path.parent / "result.json").exists() for path in store.glob(f"{kind}/*/config.json"))

    if begun("gradcam"):
        return "analysing"
    if begun("classifier"):
        return "training"
    return "starting" if not list(store.glob("*/*/result.json")) else "between steps"


def test_twenty_kills_of_a_grid(tmp_path):
    grid = tmp_path / "grid.py"
    grid.write_text(GRID.replace("EPOCHS", "5"))
    process = start(grid, tmp_path / "undisturbed", "--workers", "2")
    began = time.monotonic()
    assert process.wait() == 0, process.communicate()
    whole = time.monotonic() - began
    disturbed, phases = tmp_path / "disturbed", Counter()
    draw = random.Random(1)
    ends: dict[str, float] = {}
    kills = 0
    while kills < 20:
        process = start(grid, disturbed, "--workers", "2")
        # starting takes some seconds: kills fall into all phases
        end = time.monotonic() + draw.uniform(0.15, 0.9) * whole
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.02)
        if process.poll() is not None:  # it got to the end: the rest of the kills go to grids begun anew
            process.communicate()
            for path in (disturbed / "runs").glob("*/*"):
                if draw.random() < 0.5:
                    for file in path.iterdir():
                        file.unlink()
                    path.rmdir()
                    ends.pop(path.name, None)
            continue
        phases[phase(disturbed / "runs")] += 1
        kill_all(process)
        kills += 1
        for path in (disturbed / "runs").glob("*/*/result.json"):
            modified = path.stat().st_mtime_ns
            assert ends.setdefault(path.parent.name, modified) == modified, "run twice after completion"
    print(f"\ntwenty kills: {dict(phases)}; undisturbed {whole:.0f} s")
    process = start(grid, disturbed, "--workers", "2")
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert len(phases) >= 3, phases
    assert findings(disturbed) == findings(tmp_path / "undisturbed")
    assert {row["found"] for row in verify(disturbed / "runs")} == {"ok"}


def test_two_grids_on_one_store(tmp_path):
    grid = tmp_path / "grid.py"
    grid.write_text(GRID.replace("EPOCHS", "3"))
    both = [start(grid, tmp_path, "--workers", "1", "--out", str(tmp_path / f"out-{number}")) for number in range(2)]
    for process in both:
        _, error = process.communicate()
        assert process.returncode == 0, error
    found = list_runs(tmp_path / "runs")
    assert len(found) == 24
    assert {row["found"] for row in verify(tmp_path / "runs")} == {"ok"}


def trained(store: Path) -> int:
    return len(list(store.glob("classifier/*/result.json")))


def started(root: Path, epochs: int, address: str, until: int) -> subprocess.Popen:
    """A grid on Ray of which so many classifiers are trained."""
    grid = root / "grid.py"
    grid.write_text(GRID.replace("EPOCHS", str(epochs)))
    process = start(grid, root, "--ray", address)
    while trained(root / "runs") < until:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    return process


def listening(process: psutil.Process) -> set[str]:
    """Addresses at which a process or its children take connections."""
    everybody = [process, *process.children(recursive=True)]
    found = [each for one in everybody for each in one.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    return {each.laddr.ip.removeprefix("::ffff:") for each in found}


def test_a_cluster_loses_a_node(tmp_path, two_nodes):
    """One of two nodes goes in mid-grid, and everything still comes to its end."""
    cluster, second = two_nodes
    process = started(tmp_path, 12, cluster.address, 3)
    cluster.remove_node(second)
    _, error = process.communicate()
    assert process.returncode == 0, error
    process = start(tmp_path / "grid.py", tmp_path / "alone", "--workers", "2")
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert findings(tmp_path) == findings(tmp_path / "alone")


def test_a_cluster_whose_head_dies_is_one_line_and_the_same_command_goes_on(tmp_path, two_nodes):
    cluster, _ = two_nodes
    process = started(tmp_path, 20, cluster.address, 2)
    head = cluster.address
    cluster.head_node.kill_gcs_server()
    began = time.monotonic()
    _, error = process.communicate()
    assert time.monotonic() - began < 30
    assert process.returncode == 1, error
    (line,) = [each for each in error.splitlines() if each.startswith("python -m experiments.run:")]
    assert f"got no answer from the cluster's head {head}" in line
    assert "Traceback" not in error
    before = trained(tmp_path / "runs")
    assert before < 12
    process = start(tmp_path / "grid.py", tmp_path, "--workers", "2")
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert trained(tmp_path / "runs") == 12


@pytest.mark.parametrize("wrong", ["token", "port"])
def test_a_cluster_that_does_not_answer_is_one_line(wrong, tmp_path, two_nodes, monkeypatch):
    cluster, _ = two_nodes
    address = cluster.address
    if wrong == "token":
        monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    else:
        address = f"{LOOPBACK}:1"
    (tmp_path / "grid.py").write_text(GRID.replace("EPOCHS", "1"))
    began = time.monotonic()
    process = start(tmp_path / "grid.py", tmp_path, "--ray", address)
    _, error = process.communicate()
    assert time.monotonic() - began < 45  # of which 25 are Ray's, and the rest is Python's and PyTorch's beginning
    assert process.returncode == 2, error
    assert ("does not take the token" if wrong == "token" else "where no cluster answers") in error
    assert error.count("\n") == 1


def test_a_cluster_of_its_own_listens_on_this_machine_alone_and_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = set(Path("/tmp").glob("ray-*")) | set(Path("/tmp").glob("ray"))
    process = started(tmp_path, 2, "local", 1)
    assert listening(psutil.Process(process.pid)) == {LOOPBACK}
    (own,) = {each for each in Path("/tmp").glob("ray-*") if each not in before}
    assert own.stat().st_mode & 0o077 == 0
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert set(Path("/tmp").glob("ray-*")) | set(Path("/tmp").glob("ray")) == before
