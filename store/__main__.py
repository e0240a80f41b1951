"""``python -m store list|show|verify|gc``: what is in a store, whether it is whole, and what can be deleted."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from store.bad_input import BadInput
from store.command_line import command
from store.keeping import garbage, verify
from store.places import below, given
from store.runs import list_runs


@dataclass(frozen=True)
class Config:
    """List the runs of a store, show one whole, compare files with their hashes, or delete what nothing needs."""

    action: tyro.conf.Positional[Literal["list", "show", "verify", "gc"]]
    """list every run; show one whole record; verify that every file of finished runs is what was written; gc: say what
    can be deleted"""
    name: Annotated[str, tyro.conf.Positional] = ""
    """with show: a run's name, path, or any unambiguous part of its directory's name"""
    store: Path = Path("runs")
    """the directory of the runs"""
    failed: bool = False
    """with gc: also failed runs, which are then tried again"""
    delete: bool = False
    """with gc: delete it"""
    json: bool = False
    """print JSON instead of a table"""

    def __post_init__(self) -> None:
        given("--store", self.store)


@dataclass(frozen=True)
class Verified:
    """What was found of runs.

    Args:
        wrong: how many cannot be read, or are not what was written.
    """

    wrong: int

    @property
    def exit_status(self) -> int:
        """0, or 1 when something is wrong."""
        return int(bool(self.wrong))


def run(config: Config) -> Any:
    """Print the listing, the record, or what was found."""
    if not config.store.is_dir():
        raise BadInput("--store", config.store, "an existing directory of runs")
    if (config.failed or config.delete) and config.action != "gc":
        raise BadInput("--failed" if config.failed else "--delete", f"with {config.action}", "gc")
    if config.action == "show":
        return _show(config)
    if config.action == "list":
        rows = list_runs(config.store)
        _print(config, rows, [("status", 10), ("kind", 12), ("end", 26), ("path", 0)])
        print(f"{len(rows)} runs in {config.store}", file=sys.stderr)
        return Verified(sum(row["status"] == "unreadable" for row in rows))
    if config.action == "verify":
        rows = verify(config.store)
        wrong = [row for row in rows if row["found"] != "ok"]
        _print(config, rows if config.json else wrong, [("found", 60), ("path", 0)])
        print(f"{len(rows) - len(wrong)} of {len(rows)} runs are what was written", file=sys.stderr)
        return Verified(len(wrong))
    rows = garbage(config.store, config.failed)
    _print(config, rows, [("why", 18), ("bytes", 12), ("path", 0)])
    if config.delete:
        for row in rows:
            below(Path(row["path"]), config.store).unlink(missing_ok=True)
    size = sum(row["bytes"] for row in rows) / 1e6
    words = "deleted" if config.delete else "can be deleted (--delete)"
    print(f"{len(rows)} files, {size:.1f} MB, {words}", file=sys.stderr)
    return None


def _print(config: Config, rows: list[dict[str, Any]], columns: list[tuple[str, int]]) -> None:
    if config.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if rows:
        print("".join(f"{name:<{width + 1}}" for name, width in columns).rstrip())
    for row in rows:
        shown = {name: row[name] if row[name] is not None else "" for name, _ in columns}
        print(" ".join(f"{_printable(str(shown[name])):<{width}}" for name, width in columns).rstrip())


def _printable(text: str) -> str:
    """Text without what moves a terminal's cursor or changes its colours: names and records may be anybody's."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _show(config: Config) -> Verified:
    rows = list_runs(config.store)
    wanted = config.name.rstrip("/")
    matching = [row for row in rows if wanted and (wanted in row["path"] or wanted == row["name"])]
    if len(matching) != 1:
        known = f"{len(matching)} runs" if matching else "no run"
        raise BadInput("NAME", f"{config.name!r}, which matches {known}", f"a part of one name in {config.store}")
    print(json.dumps(matching[0]["record"], indent=2, ensure_ascii=False))
    return Verified(int(matching[0]["status"] == "unreadable"))


EXAMPLES = ("list --store runs", "show fmix-seed1", "gc --failed --delete")

if __name__ == "__main__":
    command(Config, run, "python -m store", examples=EXAMPLES)
