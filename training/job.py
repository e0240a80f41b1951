"""An analysis as others see it: its command, its part of a grid, and its sections of the report.

The module of an analysis has its configuration ``Config``, its function ``run``, and a `Job`, ``JOB``, by which grids
and the report know it. Another package's analysis is one more module like these: a grid that yields its ``Config``
finds the ``JOB`` beside it, and an entry point of the group ``mixinfo.jobs`` puts its sections on the report's page.
"""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from findings.section import Section
from store import BadInput, Run
from store.command_line import Options
from store.registry import Registry
from tasks import DataOptions, Task, load

__all__ = ["JOBS", "Job", "Step", "document_step", "job_of", "loaded", "told"]


@dataclass(frozen=True)
class Step:
    """Something to be done.

    Args:
        name: of the run, or of the document's job; unique in a grid.
        kind: ``"vae"``, ``"classifier"``, ``"attacks"``, ``"gradcam"``, ``"representations"``, or ``"document"``.
        function: that does it, ``module:name``.
        arguments: of it: a configuration, and what else.
        needs: names of the steps that come before.
        run: its directory, where it can be known before it is done.
        work: images times epochs, or images.
    """

    name: str
    kind: str
    function: str
    arguments: tuple[Any, ...]
    needs: tuple[str, ...] = ()
    run: Run | None = field(default=None, compare=False)
    work: int = 0

    @property
    def status(self) -> str:
        """The run's status; ``"new"`` for what is not known before it is done."""
        return self.run.status if self.run else "new"

    def on(self, options: Options) -> "Step":
        """The same step with other execution options: a device, a number of threads."""
        config = replace(self.arguments[0], execution=options)
        run = None if self.run is None else replace(self.run, store=options.store)
        return replace(self, arguments=(config, *self.arguments[1:]), run=run)


@dataclass(frozen=True)
class Job:
    """What others need to know of an analysis.

    Args:
        program: ``python -m …``, as its documents have it.
        steps: the steps that a configuration takes, of a grid that has the steps given already.
        sections: of the report.
    """

    program: str
    steps: Callable[[Any, Sequence[Step]], Iterable[Step]]
    sections: tuple[Section, ...] = ()


JOBS = Registry(
    "analysis",
    "mixinfo.jobs",
    {
        "mutual-info": "analysis.mutual_info:JOB",
        "ground-truth": "analysis.ground_truth:JOB",
        "gradcam": "gradcam.sums:JOB",
        "attacks": "attacks.sweep:JOB",
        "human-uncertainty": "analysis.human_uncertainty:JOB",
        "accuracy": "analysis.accuracy:JOB",
        "representations": "analysis.representations:JOB",
        "ablation": "analysis.ablation:JOB",
    },
)
"""Analyses by the name of their command, in the order of the report."""


def job_of(config: Any) -> Job:
    """The job of a configuration, from the module that defines it.

    Raises:
        BadInput: it is none's.
    """
    job = getattr(importlib.import_module(type(config).__module__), "JOB", None)
    if not isinstance(job, Job):
        raise BadInput("EXPERIMENT", f"a configuration of type {type(config).__name__}", "the Config of a job")
    return job


@functools.lru_cache(maxsize=4)
def loaded(options: DataOptions, download: bool) -> Task:
    """A data set, kept for the many steps of a grid that ask for it."""
    return load(options, download=download)


def told(config: Any) -> str:
    """A configuration's own words, by which two of the same job differ, the place of their documents among them."""
    return Run(Path(), "", "", {"config": repr(replace(config, execution=Options(out=config.execution.out)))}).hash


def document_step(config: Any, needs: Iterable[Step] = ()) -> Iterator[Step]:
    """The step that makes the document of a job, after those that it needs; one look at it, where seeds are added."""
    module = type(config).__module__
    names = tuple(dict.fromkeys(step.name for step in needs))
    function = "run" if getattr(config, "until", None) is None else "look"
    yield Step(f"{module} {told(config)}", "document", f"{module}:{function}", (config,), names)
