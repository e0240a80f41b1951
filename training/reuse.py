"""Do a run once: what is finished is reused, what has failed stays failed until it is forced."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from store import Run
from store.command_line import Options
from training.distributed import Ranks

__all__ = ["Failed", "all_once", "once"]


class Failed(RuntimeError):
    """A run that is recorded as failed: its training diverged."""

    exit_status = 3


def once(run: Run, options: Options, work: Callable[[], None], ranks: Ranks | None = None) -> Run:
    """Do ``work`` under the run's lock unless the run is done; return the run, which knows whether it was done now.

    Args:
        run: what is to be done.
        options: ``force`` does again what is there.
        work: writes the run's files, ``result.json`` last.
        ranks: the processes that do it together; the first one holds the lock and looks at what is there.

    Raises:
        Failed: the run is recorded as failed.
    """
    ranks = ranks or Ranks()
    with run.lock() if ranks.main else nullcontext():
        if options.force and ranks.main:
            run.forget()
        status = ranks.share(run.status)
        if status == "done":
            run.result()  # refuses another schema's directory
        elif status == "failed":
            raise Failed(f"{run.path}: {run.failure()['error']} (recorded; --force tries again)")
        else:
            work()
            return replace(run, fresh=True)
    return run


Which = TypeVar("Which")


def all_once(
    needed: Iterable[Which],
    run_of: Callable[[Which], Run],
    train: Callable[[Which], Run],
    options: Options,
    summary: Callable[[dict[str, Any]], str],
    did: str = "trained",
    what: str = "trained network",
) -> tuple[dict[Which, Run], list[str]]:
    """Do what is missing of several runs, training networks above all, saying so.

    Those that another process is at come last, so that two processes with the same command share the work.

    Args:
        needed: what each run is of; any hashable.
        run_of: its run.
        train: does it or finds it done.
        options: where to say it.
        summary: of a finished run's record, a few words.
        did: the verb in the line of a finished run.
        what: a run is called when it is reused.

    Returns:
        The finished runs, and why others failed.
    """
    runs: dict[Which, Run] = {}
    failures: list[str] = []
    reused = 0
    waiting = [(which, False) for which in needed]
    total, longest = len(waiting), max(len(run_of(which).name) for which, _ in waiting)
    while waiting:
        which, may_wait = waiting.pop(0)
        each = run_of(which)
        if not may_wait and each.busy():
            waiting.append((which, True))
            continue
        try:
            runs[which] = train(which)
        except Failed as failure:
            failures.append(str(failure))
            options.say(f"failed   {failure}")
            continue
        if not runs[which].fresh:
            reused += 1
        else:
            count = f"{len(runs) + len(failures)}/{total}"
            options.say(f"{did:<8} {count:<7}{each.name:<{longest}}  {summary(runs[which].result())}")
    if reused:
        options.say(f"reused {reused} {what}{'s' if reused > 1 else ''}")
    return runs, failures
