"""Do a run once: what is finished is reused, what has failed stays failed until it is forced."""

from collections.abc import Callable
from contextlib import nullcontext

from store import Run
from store.command_line import Options
from training.ranks import Ranks

__all__ = ["Failed", "once"]


class Failed(RuntimeError):
    """A run that is recorded as failed."""


def once(run: Run, options: Options, work: Callable[[], None], ranks: Ranks | None = None) -> Run:
    """Do ``work`` under the run's lock unless the run is done; return the run.

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
    return run
