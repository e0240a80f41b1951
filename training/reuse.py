"""Do a run once: what is finished is reused, what has failed stays failed until it is forced."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from store import Run
from store.command_line import Options
from training.distributed import Ranks
from training.progress import overall, stage

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
            with overall({}, options.quiet) if options.quiet else nullcontext():
                work()
            return replace(run, fresh=True)
    return run


Key = TypeVar("Key")


def all_once(
    needed: Iterable[Key],
    run_of: Callable[[Key], Run],
    train: Callable[[Key], Run],
    options: Options,
    summary: Callable[[dict[str, Any]], str],
    did: str = "trained",
    what: str = "trained network",
) -> tuple[dict[Key, Run], list[str]]:
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
    runs: dict[Key, Run] = {}
    failures: list[str] = []
    reused = 0
    waiting = [(key, False) for key in needed]
    total, longest = len(waiting), max(len(run_of(key).name) for key, _ in waiting)
    with stage(f"{what}s", total, options.quiet) as settle:
        while waiting:
            key, may_wait = waiting.pop(0)
            run = run_of(key)
            if not may_wait and run.busy():
                waiting.append((key, True))
                continue
            try:
                runs[key] = train(key)
            except Failed as failure:
                failures.append(str(failure))
                options.say(f"failed   {failure}")
                settle(False)
                continue
            settle(runs[key].fresh)
            if not runs[key].fresh:
                reused += 1
            else:
                count = f"{len(runs) + len(failures)}/{total}"
                options.say(f"{did:<8} {count:<7}{run.name:<{longest}}  {summary(runs[key].result())}")
    if reused:
        options.say(f"reused {reused} {what}{'s' if reused > 1 else ''}")
    return runs, failures
