"""From the configurations of jobs to the steps that a grid takes: networks, what is asked of each, and documents.

A step is one run of the store, a network or the analysis of one, or a document, which puts runs together. A network
that several jobs need is one step. Steps are pure data for whoever does them: a function's name and its arguments.
"""

import functools
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from analysis import ablation, accuracy, human_uncertainty, mutual_info
from attacks import sweep
from classifiers import train as classifiers
from classifiers.grid import smoked
from gradcam import sums
from reports import build
from store import BadInput, Run, list_runs, provenance
from store.command_line import Options
from store.places import make_directory
from store.runs import now
from training import ImageData, load
from training.data import DataOptions
from training.loop import Interrupted
from training.reuse import Failed
from vae import train as vaes

__all__ = ["Outcome", "Step", "execute", "particulars", "seconds_of", "steps_of"]


@dataclass(frozen=True)
class Step:
    """Something to be done.

    Args:
        name: of the run, or of the document's job; unique in a grid.
        kind: ``"vae"``, ``"classifier"``, ``"attacks"``, ``"gradcam"``, or ``"document"``.
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
        """Of the run; ``"new"`` for what is not known before it is done."""
        return self.run.status if self.run else "new"

    def on(self, options: Options) -> "Step":
        """The same step with other execution options: a device, a number of threads."""
        config = replace(self.arguments[0], execution=options)
        run = None if self.run is None else replace(self.run, store=options.store)
        return replace(self, arguments=(config, *self.arguments[1:]), run=run)


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Args:
        status: ``"done"``, ``"failed"``, ``"interrupted"``, or ``"skipped"``.
        words: the error, in a line; empty when it is done.
        fresh: whether it was done now.
    """

    status: Literal["done", "failed", "interrupted", "skipped"]
    words: str = ""
    fresh: bool = True


@functools.lru_cache(maxsize=4)
def _images(options: DataOptions, download: bool) -> ImageData:
    return load(options, download=download)


def _classifier(data: DataOptions, augmentation: str, seed: int, settings: Any, options: Options) -> Step:
    images = _images(data, not options.dry_run)
    run = classifiers.classifier_run(images, augmentation, seed, settings, options)
    config = classifiers.Config(None, augmentation, seed, data, settings, options)
    work = run.identity["config"]["epochs"] * len(images.train_images)
    return Step(f"{run.name} {run.hash}", "classifier", "classifiers.train:run", (config,), run=run, work=work)


def _vae(data: DataOptions, augmentation: str, seed: int, settings: Any, options: Options) -> Step:
    images = _images(data, not options.dry_run)
    run = vaes.vae_run(images, augmentation, seed, settings, options)
    config = vaes.Config(augmentation, seed, data, settings, options)
    work = run.identity["config"]["epochs"] * len(images.train_images)
    return Step(f"{run.name} {run.hash}", "vae", "vae.train:run", (config,), run=run, work=work)


@functools.singledispatch
def _steps(config: Any) -> Iterator[Step]:
    raise BadInput("EXPERIMENT", f"a configuration of type {type(config).__name__}", "the Config of a job")


@_steps.register
def _(config: classifiers.Config) -> Iterator[Step]:
    yield _classifier(config.data, config.augmentation, config.seed, config.settings, config.execution)


@_steps.register
def _(config: vaes.Config) -> Iterator[Step]:
    yield _vae(config.data, config.augmentation, config.seed, config.settings, config.execution)


@_steps.register
def _(config: mutual_info.Config) -> Iterator[Step]:
    if config.posterior is not None:
        yield _document(config, [])
        return
    networks = []
    for part in mutual_info.as_run(config).by_scale().values():
        for augmentation, seed in mutual_info.networks(part):
            networks.append(_vae(part.data, augmentation, seed, part.settings, part.execution))
    yield from networks
    yield _document(config, networks)


@_steps.register(accuracy.Config)
@_steps.register(human_uncertainty.Config)
@_steps.register(sums.Config)
@_steps.register(sweep.Config)
def _(config: Any) -> Iterator[Step]:
    if (getattr(config, "model", None) and config.model.model) or getattr(config, "logits", None):
        yield _document(config, [])
        return
    small = smoked(config)
    before: list[Step] = []
    for seed in range(1, small.seeds + 1):
        for augmentation in small.augmentations:
            network = _classifier(small.data, augmentation, seed, small.settings, small.execution)
            yield network
            part = network
            if isinstance(config, (sums.Config, sweep.Config)):
                module = type(config).__module__
                arguments = (config, augmentation, seed)
                name = f"{network.name} {module.partition('.')[0]} {_told(config)}"
                kind = {"attacks.sweep": "attacks", "gradcam.sums": "gradcam"}[module]
                work = small.images or len(_images(small.data, not config.execution.dry_run).test_images)
                part = Step(name, kind, f"{module}:part", arguments, (network.name,), work=work)
                yield part
            before.append(part)
    yield _document(config, before)


@_steps.register
def _(config: ablation.Config) -> Iterator[Step]:
    networks = []
    for point in config.points():
        data, settings = config.data_at(point.value, point.fold), config.at(point.value)
        networks.append(_classifier(data, point.augmentation, point.seed, settings, config.execution))
    yield from networks
    yield _document(config, networks)


def _told(config: Any) -> str:
    """A configuration's own words, by which two of the same job differ."""
    return Run(Path(), "", "", {"config": repr(replace(config, execution=Options()))}).hash


def _document(config: Any, before: Iterable[Step]) -> Step:
    module = type(config).__module__
    needs = tuple(dict.fromkeys(step.name for step in before))
    return Step(f"{module} {_told(config)}", "document", f"{module}:run", (config,), needs)


def steps_of(configs: Iterable[Any]) -> list[Step]:
    """The steps of some jobs, each once, none before those that it needs.

    Raises:
        BadInput: something that is not a job's configuration.
    """
    found: dict[str, Step] = {}
    for config in configs:
        if isinstance(config, build.Config):  # of all that comes before
            own = iter([_document(config, [step for step in found.values() if step.kind == "document"])])
        else:
            own = _steps(config)
        for step in own:
            found.setdefault(step.name, step)
    return list(found.values())


def particulars(steps: Iterable[Step]) -> dict[str, str]:
    """By a step's name, the options in which its network differs from others of the same run name, where there are any.

    Networks of an ablation have one augmentation and seed, and directories that only their hashes tell apart.
    """
    alike: dict[str, dict[str, dict[str, Any]]] = {}
    for step in steps:
        if step.run is not None:
            config = step.arguments[0]
            alike.setdefault(step.run.name, {})[step.name] = asdict(config.data) | asdict(config.settings)
    found = {}
    for same in alike.values():
        options = list(same.values())
        differ = [key for key in options[0] if len({str(each[key]) for each in options}) > 1]
        for name, each in same.items():
            if differ:
                found[name] = ", ".join(f"{key.replace('_', ' ')} {each[key]}" for key in differ)
    return found


def seconds_of(store: Path) -> Callable[[Step], float | None]:
    """How long a step will take, from past runs of the same kind and network, by how much it has to do.

    Returns:
        A function from a step to seconds, None where nothing like it has been done.
    """
    past: dict[tuple[Any, ...], list[float]] = {}
    for row in list_runs(store):
        record = row["record"]
        seconds = record.get("metrics", {}).get("seconds") if row["status"] == "done" else None
        config = record.get("config", {})
        work = config.get("epochs", 0) * record.get("training_images", 0) or config.get("images") or 0
        if seconds and isinstance(work, int) and work:
            past.setdefault(_like(row["kind"], config), []).append(seconds / work)

    def estimate(step: Step) -> float | None:
        if step.status == "done" or step.kind == "document":
            return 0.0
        found = past.get(_like(step.kind, step.run.identity["config"] if step.run else {}))
        return None if found is None else step.work * sum(found) / len(found)

    return estimate


def _like(kind: str, config: dict[str, Any]) -> tuple[Any, ...]:
    """What decides the time that an image takes; of an analysis only its kind is known beforehand."""
    keys = ("network", "width", "latents", "shape") if kind in ("vae", "classifier") else ()
    return kind, *(str(config.get(key)) for key in keys)


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
    missing = getattr(result, "failures", [])
    if missing:
        return Outcome("failed", f"without {len(missing)} networks")
    return Outcome("done", fresh=result.fresh if isinstance(result, Run) else True)


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
