"""Commands that several test modules call in this process or start in another, and what these leave."""

import importlib
import io
import subprocess
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from store import list_runs
from store.command_line import command

ROOT = Path(__file__).resolve().parents[1]

LOOPBACK = "127.0.0.1"

COMMANDS = (
    "analysis.mutual_info", "analysis.ground_truth", "analysis.accuracy", "analysis.ablation",
    "analysis.human_uncertainty", "attacks.sweep", "gradcam.sums", "vae.train", "classifiers.train",
    "experiments.run", "reports.build", "store.__main__",
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: object
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line of standard error."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


def called(module: str, *arguments: str) -> Ended:
    """Call a command as its command line does; whatever escapes it is in ``status``."""
    room = importlib.import_module(module)
    presets = {"presets": room.from_preset} if module == "classifiers.train" else {}
    records = {"records": room.RECORDS} if hasattr(room, "RECORDS") else {}
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            command(room.Config, room.run, f"python -m {module}", arguments, **presets, **records)
            status: object = "returned"
        except SystemExit as stop:
            status = stop.code
        except BaseException as escaped:
            status = escaped
    return Ended(status, out.getvalue(), err.getvalue())


def workers_of(parent: int) -> list[int]:
    """Processes that multiprocessing has spawned for a grid."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat, line = (path / "stat").read_text(), (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == parent and b"spawn_main" in line:
            found.append(int(path.name))
    return found


def wait_for(condition, process: subprocess.Popen, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def findings(root: Path) -> dict[str, dict]:
    """Metrics and file hashes of every run, without times."""
    found = {}
    for row in list_runs(root / "runs"):
        assert row["status"] == "done", row["path"]
        metrics = {key: value for key, value in row["record"]["metrics"].items() if "second" not in key}
        found[Path(row["path"]).name] = {"metrics": metrics, "files": row["record"]["files"]}
    return found
