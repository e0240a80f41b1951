"""What a command is about to do: how many networks, how many of them are there already, where, and for how long."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store import Run, list_runs
from store.command_line import Options
from training.devices import resolve_device
from training.progress import Overall, in_words, overall

__all__ = ["Plan", "plan_of", "seconds_of", "where"]

NETWORKS = "trained networks"


def seconds_of(store: Path) -> Callable[[str, Mapping[str, Any], int], float | None]:
    """How long a run will take, from past ones of the same kind and network, by how much it has to do.

    Args:
        store: of the past runs.

    Returns:
        A function from kind, configuration and images times epochs to seconds, None where nothing like it was done.
    """
    past: dict[tuple[Any, ...], list[float]] = {}
    for row in list_runs(store):
        record = row["record"]
        seconds = record.get("metrics", {}).get("seconds") if row["status"] == "done" else None
        config = record.get("config", {})
        work = config.get("epochs", 0) * record.get("training_images", 0) or config.get("images") or 0
        if seconds and isinstance(work, int) and work:
            past.setdefault(_like(row["kind"], config), []).append(seconds / work)

    def estimate(kind: str, config: Mapping[str, Any], work: int) -> float | None:
        rates = past.get(_like(kind, config))
        return None if rates is None else work * sum(rates) / len(rates)

    return estimate


def _like(kind: str, config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What decides the time that an image takes; of an analysis only its kind is known beforehand."""
    keys = ("network", "width", "latents", "shape") if kind in ("vae", "classifier") else ()
    return kind, *(str(config.get(key)) for key in keys)


@dataclass(frozen=True)
class Plan:
    """The networks of a command.

    Args:
        what: one of them is called.
        data: on which they are trained, in words.
        networks: how many are wanted.
        missing: of them, how many are to be trained.
        seconds: that training the missing ones takes; None where nothing like them was trained.
    """

    what: str
    data: str
    networks: int
    missing: int
    seconds: float | None

    def __add__(self, other: "Plan") -> "Plan":
        together = None if self.seconds is None or other.seconds is None else self.seconds + other.seconds
        return Plan(self.what, self.data, self.networks + other.networks, self.missing + other.missing, together)

    def say(self, then: str, options: Options) -> None:
        """Say what will be done, where, and for how long; nothing where all networks are there.

        Args:
            then: what is made of the networks, in words.
            options: where it is said.
        """
        if self.missing:
            options.say(f"{self.count()}; then {then}")
            options.say(where(options))
            options.say(self.time())

    def count(self) -> str:
        """How many networks there are, and how many will be trained."""
        there = self.networks - self.missing
        wanted = f"{self.data}: {self.networks} {self.what}{'s' if self.networks > 1 else ''}"
        return f"{wanted}, {f'{there} in the store and {self.missing}' if there else 'all'} to train"

    def time(self) -> str:
        """For how long networks will be trained, where it is known."""
        if self.seconds is None:
            return "how long: not known before the first network"
        return f"how long: {in_words(self.seconds)} of training, by runs like these in the store"

    def progress(self, analysis: str, options: Options, units: int | None = None) -> AbstractContextManager[Overall]:
        """One bar over the networks and what is made of them.

        Args:
            analysis: what one unit of it is called, in the plural; empty where it takes no time.
            options: whether it is shown.
            units: of the analysis; None for one a network.
        """
        stages = {NETWORKS: self.networks} | ({analysis: units or self.networks} if analysis else {})
        each = None if self.seconds is None or not self.missing else self.seconds / self.missing
        return overall(stages, options.quiet, {NETWORKS: each})


def where(options: Options) -> str:
    """The device, and the directories of runs and results."""
    device = resolve_device(options.device)
    count = options.threads or len(os.sched_getaffinity(0))
    threads = f", {count} thread{'s' if count > 1 else ''}" if device.type == "cpu" else ""
    return f"on {device}{threads}; runs in {options.store}, results in {options.out}"


def plan_of(what: str, kind: str, data: str, runs: Iterable[Run], images: int, options: Options) -> Plan:
    """The plan of some networks.

    Args:
        what: one of them is called.
        kind: of their runs.
        data: on which they are trained, in words.
        runs: of all of them.
        images: on which each is trained.
        options: with the store.
    """
    wanted = list(runs)
    missing = [run for run in wanted if run.status != "done" or options.force]
    estimate = seconds_of(options.store) if missing else None
    took = [
        estimate(kind, run.identity["config"], run.identity["config"]["epochs"] * images)
        for run in missing
        if estimate is not None
    ]
    known = [seconds for seconds in took if seconds is not None]
    return Plan(what, data, len(wanted), len(missing), sum(known) if len(known) == len(took) else None)
