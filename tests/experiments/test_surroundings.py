"""What a machine can do to a grid: no room, no permission, a clock that is set back, names that would break out."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import accuracy
from classifiers.train import Settings
from experiments.run import Config, run
from experiments.steps import execute, steps_of
from reports import build
from store import list_runs
from store.keeping import verify
from tasks import DataOptions
from tests.calls import ROOT, findings, wait_for

FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)

MOUNTS = (
    shutil.which("unshare")
    and not subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
)
"""Whether this user may mount in a name space of its own, so that no other process sees it."""


def grid_command(grid: Path, store: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "experiments.run", f"{grid}:small", "--seeds", "1", "--workers", "2", "--threads", "1",
        "--store", str(store), "--out", str(out), "--checkpoint-seconds", "0.05",
    ]  # fmt: skip


def mounted(mount: str, command: list[str], after: str) -> subprocess.CompletedProcess:
    """A command in a mount name space of its own; ``after`` still sees it."""
    script = f'{mount} && {{ "$@"; status=$?; {after}; exit $status; }}'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.endurance
@pytest.mark.skipif(not MOUNTS, reason="needs the right to mount")
def test_a_full_disk_loses_nothing(grid, options, tmp_path):
    undisturbed, full, kept = tmp_path / "undisturbed", tmp_path / "full", tmp_path / "disturbed" / "runs"
    subprocess.run(grid_command(grid, undisturbed / "runs", undisturbed / "out"), cwd=ROOT, check=True)
    size = sum(path.stat().st_size for path in (undisturbed / "runs").rglob("*") if path.is_file())
    full.mkdir()
    done = mounted(
        f"mount -t tmpfs -o size={size // 2} tmpfs {full}",
        grid_command(grid, full / "runs", tmp_path / "out"), f"mkdir -p {kept.parent}; cp -r {full}/runs {kept}",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    statuses = {row["status"] for row in list_runs(kept)}
    assert "failed" not in statuses  # the disk's fault, not the runs'
    assert statuses != {"done"}
    assert {row["found"] for row in verify(kept)} <= {"ok"}
    subprocess.run(grid_command(grid, kept, tmp_path / "out"), cwd=ROOT, check=True)
    assert findings(kept.parent) == findings(undisturbed)


@pytest.mark.skipif(not MOUNTS, reason="needs the right to mount")
def test_a_store_that_cannot_be_written_is_one_line(grid, tmp_path):
    store = tmp_path / "runs"
    store.mkdir()
    done = mounted(
        f"mount --bind {store} {store} && mount -o remount,ro,bind {store}",
        grid_command(grid, store, tmp_path / "out"), ":",
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert done.stderr.count("\n") == 1
    assert "Read-only file system" in done.stderr
    assert not done.stdout
    assert not list(store.iterdir())
    assert not (tmp_path / "out").exists()


@pytest.mark.endurance
@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime")
def test_a_clock_set_back_changes_nothing(grid, options, tmp_path):
    grid.write_text(grid.read_text().replace("epochs=2", "epochs=20"))  # time enough for the clock to be set
    for name in ("undisturbed", "disturbed"):
        offset = tmp_path / name / "offset"
        offset.parent.mkdir()
        offset.write_text("+0")
        environment = os.environ | {
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
        }  # fmt: skip
        store = tmp_path / name / "runs"
        process = subprocess.Popen(
            grid_command(grid, store, tmp_path / name / "out"), cwd=ROOT, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if name == "disturbed":
            wait_for(lambda store=store: list(store.glob("classifier/*/config.json")), process)
            offset.write_text("-36500d")
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
        assert "reused" not in out
    years = {row["end"][:2] for row in list_runs(tmp_path / "disturbed" / "runs")}
    assert "19" in years, "the clock was not set back"
    assert findings(tmp_path / "disturbed") == findings(tmp_path / "undisturbed")
    assert {row["found"] for row in verify(tmp_path / "disturbed" / "runs")} == {"ok"}
    again = run(Config(f"{grid}:small", seeds=1, workers=1, execution=replace(options, store=store)))
    assert not any(step.run and again.outcomes[step.name].fresh for step in again.steps)


def test_a_name_with_a_path_and_html_breaks_out_of_nothing(options, quick_masks, tmp_path):
    name = "../../../<img src=x onerror=alert(1)>/etc"
    options = replace(options, store=tmp_path / "a" / "b" / "runs", out=tmp_path / "a" / "b" / "out")
    config = accuracy.Config(
        ("none", "mixup"), 1, data=DataOptions("digits", data_name=name), settings=Settings(epochs=1, width=2),
        execution=options,
    )  # fmt: skip
    for step in steps_of([config, build.Config((options.out,), execution=options)]):
        outcome = execute(step, options.out / "logs" / "log")
        assert outcome.status == "done", outcome.words
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(options.store) or path.is_relative_to(options.out) for path in written)
    (document,) = options.out.glob("accuracy-*/result.json")
    assert json.loads(document.read_text())["about"]["data"] == name
    page = (options.out / "report" / "index.html").read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page
