"""From the configurations of jobs to the steps that a grid takes: networks, what is asked of each, and documents.

A step is one run of the store, a network or the analysis of one, or a document, which puts runs together. A network
that several jobs need is one step. Steps are pure data for whoever does them: a function's name and its arguments.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from findings.decisions import finished
from store import BadInput, Run, provenance
from store.places import make_directory
from store.runs import now
from training import plan
from training.job import Step, job_of
from training.loop import Interrupted
from training.reuse import Failed

__all__ = ["Outcome", "execute", "particulars", "seconds_of", "steps_of"]


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Args:
        status: ``"done"``, ``"failed"``, ``"interrupted"``, or ``"skipped"``.
        words: the error, in a line; empty when it is done.
        fresh: whether it was done now.
        open: whether it is a document that takes more seeds to be decided.
    """

    status: Literal["done", "failed", "interrupted", "skipped"]
    words: str = ""
    fresh: bool = True
    open: bool = False


def steps_of(configs: Iterable[Any]) -> list[Step]:
    """The steps of some jobs, each once, none before those that it needs.

    Raises:
        BadInput: something that is not a job's configuration.
    """
    steps: dict[str, Step] = {}
    for config in configs:
        for step in job_of(config).steps(config, list(steps.values())):
            steps.setdefault(step.name, step)
    return list(steps.values())


def particulars(steps: Iterable[Step]) -> dict[str, str]:
    """The options in which networks differ from others of the same run name, where there are any, by the step's name.

    Networks of an ablation have one augmentation and seed, and directories that only their hashes tell apart.
    """
    alike: dict[str, dict[str, dict[str, Any]]] = {}
    for step in steps:
        if step.run is not None:
            config = step.arguments[0]
            settings = asdict(config.settings)
            of_texts = settings.pop("text", {})
            alike.setdefault(step.run.name, {})[step.name] = asdict(config.data) | settings | of_texts
    words = {}
    for same in alike.values():
        options = list(same.values())
        differ = [key for key in options[0] if len({str(network[key]) for network in options}) > 1]
        for name, network in same.items():
            if differ:
                words[name] = ", ".join(f"{key.replace('_', ' ')} {network[key]}" for key in differ)
    return words


def seconds_of(store: Path) -> Callable[[Step], float | None]:
    """How long a step will take (`training.plan.seconds_of`); nothing for a document, and for what is done.

    Returns:
        A function from a step to seconds, None where nothing like it has been done.
    """
    estimate = plan.seconds_of(store)

    def of_step(step: Step) -> float | None:
        if step.status == "done" or step.kind == "document":
            return 0.0
        return estimate(step.kind, step.run.identity["config"] if step.run else {}, step.work)

    return of_step


def execute(step: Step, log: Path | None = None) -> Outcome:
    """Do a step, in whichever process; everything that it prints goes to ``log``.

    An error is recorded in the run, so that it is not tried again unasked, unless it is the surroundings': a full disk,
    a missing directory, a lost permission.
    """
    module, _, name = step.function.partition(":")
    started = now()
    with _into(log):
        try:
            result = getattr(importlib.import_module(module), name)(*step.arguments)
        except Interrupted as signal:
            return Outcome("interrupted", str(signal))
        except KeyboardInterrupt:
            return Outcome("interrupted", "interrupted")
        except (Failed, SystemExit) as failure:
            return Outcome("failed", str(failure).splitlines()[0] if str(failure) else "failed")
        except OSError as problem:
            traceback.print_exc()
            return Outcome("failed", f"{type(problem).__name__}: {problem} (not recorded: the same command goes on)")
        except Exception as problem:
            traceback.print_exc()
            words = f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
            if step.run is not None:
                _record(step.run, words, started, keep=not isinstance(problem, BadInput))
            return Outcome("failed", words)
    more = not finished(step.arguments[0], getattr(result, "decisions", []))
    missing = getattr(result, "failures", [])
    if missing:
        return Outcome("failed", f"without {len(missing)} networks", open=more)
    return Outcome("done", fresh=result.fresh if isinstance(result, Run) else True, open=more)


def _record(run: Run, words: str, started: str, keep: bool) -> None:
    try:
        with run.lock():
            if run.status not in ("done", "failed"):
                error = {"traceback": traceback.format_exc()[-4000:]}
                run.fail(words, started=started, origin=provenance("", 0), keep_checkpoint=keep, **error)
    except OSError:
        traceback.print_exc()


@contextmanager
def _into(log: Path | None) -> Iterator[None]:
    """Standard output and error of this process into a file, those of libraries in C too."""
    if log is None:
        yield
        return
    make_directory(log.parent)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with open(log, "a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            for number, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, number)
                os.close(descriptor)
