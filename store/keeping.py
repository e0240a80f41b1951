"""Whether what is in a store is still what was written, and what in it can be deleted."""

from pathlib import Path
from typing import Any

import pandas as pd

from store.runs import digest_of, held, list_runs

__all__ = ["frame", "garbage", "verify"]


def frame(store: Path) -> pd.DataFrame:
    """The runs as a data frame: kind, name, status, end, seconds, path, and the record."""
    rows = list_runs(store)
    for row in rows:
        row["seconds"] = row["record"].get("metrics", {}).get("seconds")
    return pd.DataFrame(rows, columns=["kind", "name", "status", "end", "seconds", "path", "record"])


def verify(store: Path) -> list[dict[str, Any]]:
    """One row per finished run: ``found`` is ``"ok"``, or which of its files is missing or not what was written.

    A record that cannot be read is a row too.
    """
    rows = []
    for row in list_runs(store):
        if row["status"] == "unreadable":
            rows.append({"path": row["path"], "found": row["record"].get("error", "an unreadable record")})
        if row["status"] != "done":
            continue
        directory, wrong = Path(row["path"]), []
        for name, digest in row["record"].get("files", {}).items():
            file = directory / Path(name).name
            if not file.is_file():
                wrong.append(f"{name} is missing")
            elif digest_of(file) != digest:
                wrong.append(f"{name} is not what was written")
        rows.append({"path": row["path"], "found": "; ".join(wrong) or "ok"})
    return rows


def garbage(store: Path, failed: bool = False) -> list[dict[str, Any]]:
    """Files that nothing needs: half-written ones, and checkpoints and parts of finished runs.

    Runs that another process is at are left alone, and so are unfinished ones, which can go on.

    Args:
        store: its root.
        failed: also everything of failed runs, which are then tried again.

    Returns:
        One row per file: path, why it is not needed, and its size in bytes.
    """
    rows = []
    for directory in sorted(path for path in Path(store).glob("*/*") if path.is_dir() and not path.is_symlink()):
        if held(directory):
            continue
        done, given_up = (directory / "result.json").exists(), (directory / "failure.json").exists()
        for file in sorted(directory.iterdir()):
            why = None
            if file.name.startswith(".") and file.name.endswith(".tmp"):
                why = "half written"
            elif done and (file.name == "resume.pt" or file.match(".batch-*.npz")):
                why = "of a finished run"
            elif failed and given_up and not done and file.name != ".lock":
                why = "of a failed run"
            if why and file.is_file():
                rows.append({"path": file.as_posix(), "why": why, "bytes": file.stat().st_size})
    return rows
