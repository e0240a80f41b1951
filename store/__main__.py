"""``python -m store list`` and ``python -m store show NAME``: what is in a store."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from store.bad_input import BadInput
from store.command_line import command
from store.runs import list_runs


@dataclass(frozen=True)
class Config:
    """List the runs of a store, or show one whole."""

    action: tyro.conf.Positional[Literal["list", "show"]]
    """list every run, or show one whole record"""
    name: Annotated[str, tyro.conf.Positional] = ""
    """with show: a run's name, path, or any unambiguous part of its directory's name"""
    store: Path = Path("runs")
    """the directory of the runs"""
    json: bool = False
    """print JSON instead of a table"""


def run(config: Config) -> None:
    """Print the listing or the record."""
    if not config.store.is_dir():
        raise BadInput("--store", config.store, "an existing directory of runs")
    rows = list_runs(config.store)
    if config.action == "list":
        if config.json:
            print(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        print(f"{'status':<11}{'kind':<13}{'finished':<27}directory")
        for row in rows:
            directory = Path(row["path"]).name
            print(f"{row['status']:<11}{row['kind']:<13}{row['end'] or '':<27}{directory}")
        print(f"{len(rows)} runs in {config.store}", file=sys.stderr)
        return
    wanted = config.name.rstrip("/")
    found = [row for row in rows if wanted and (wanted in row["path"] or wanted == row["name"])]
    if len(found) != 1:
        known = f"{len(found)} runs" if found else "no run"
        raise BadInput("NAME", f"{config.name!r}, which matches {known}", f"a part of one name in {config.store}")
    print(json.dumps(found[0]["record"], indent=2, ensure_ascii=False))


if __name__ == "__main__":
    command(Config, run, "python -m store")
