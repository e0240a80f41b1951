"""Whether what is in a store is still what was written, and what in it can be deleted."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from store.bad_input import BadInput
from store.places import HALF_WRITTEN, below, deletable
from store.runs import digest_of, held, list_runs, read_record

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
        directory, wrong, files = Path(row["path"]), [], row["record"].get("files", {})
        if not isinstance(files, dict):
            rows.append({"path": row["path"], "found": "a record without the names of its files"})
            continue
        for name, digest in files.items():
            file = directory / Path(name).name
            if not file.is_file():
                wrong.append(f"{name} is missing")
            elif digest_of(file) != digest:
                wrong.append(f"{name} is not what was written")
        rows.append({"path": row["path"], "found": "; ".join(wrong) or "ok"})
    return rows


def garbage(store: Path, failed: bool = False) -> list[dict[str, Any]]:
    """Files that nothing needs: half-written ones, and checkpoints and parts of finished runs.

    Runs that another process is at are left alone, and so are unfinished ones, which can go on; and so is whatever is
    not proven to be ours: a directory reached through a link, one without a record of this toolkit's that agrees with
    its place, and in a run's directory what does not bear one of our names.

    Args:
        store: its root.
        failed: also everything of failed runs, which are then tried again.

    Returns:
        One row per file: path, why it is not needed, and its size in bytes.
    """
    rows = []
    for directory in sorted(Path(store).glob("*/*")):
        if not _ours(directory, store) or held(directory):
            continue
        done, given_up = (directory / "result.json").exists(), (directory / "failure.json").exists()
        for file in sorted(directory.iterdir()):
            why = None
            if HALF_WRITTEN.fullmatch(file.name):
                why = "half written"
            elif done and (file.name == "resume.pt" or file.match(".batch-*.npz")):
                why = "of a finished run"
            elif failed and given_up and not done:
                why = "of a failed run"
            if why and deletable(file):
                rows.append({"path": file.as_posix(), "why": why, "bytes": file.stat().st_size})
    return rows


def _ours(directory: Path, store: Path) -> bool:
    """Whether a directory is a run's: below the store without a link, called as a run is, with a record of its kind."""
    try:
        if not below(directory, store).is_dir() or not re.fullmatch(r"[\w+-]*-[0-9a-f]{12}", directory.name, re.ASCII):
            return False
        names = ("result.json", "failure.json", "config.json")
        records = [read_record(below(directory / name, store)) for name in names if (directory / name).exists()]
    except (BadInput, OSError):
        return False
    return bool(records) and all(record.get("kind") == directory.parent.name for record in records)
