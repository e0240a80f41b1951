"""Run a grid to the end, whatever happens on the way: ``python -m experiments.run table-1``.

The networks that an experiment needs, what is asked of each of them, and the documents that put them together, each
when what it needs is done; on this machine with one process per GPU or ``--workers``, or on a Ray cluster (``--ray``).
What is done is not done again; what was interrupted goes on from its checkpoint when the same command is given again;
what fails is recorded and does not stop the others.
"""

import os
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from classifiers.train import Settings
from experiments.cluster import RayCluster
from experiments.paper import Scale, configurations, experiment_named
from experiments.pools import Local, Pool
from experiments.steps import Outcome, Step, particulars, seconds_of, steps_of
from findings.comparisons import LOOKS
from findings.text import Tabular
from store import MOST_SEEDS, BadInput, positive, slug
from store.bad_input import perhaps
from store.command_line import Options, command, json_document
from store.places import make_directory
from tasks import DataOptions
from training.clusters import check_address
from training.grid import Grid as ComparedGrid
from training.loop import Interrupted, received_signals
from training.plan import where
from training.progress import in_words, overall
from training.until import Unasked, check_until
from vae.train import Settings as VaeSettings

__all__ = ["Config", "Grid", "run"]

PROGRAM = "python -m experiments.run"


@dataclass(frozen=True)
class Config:
    """Run the grid behind a table or a figure of the paper, or one of your own.

    What each of its analyses leaves comes out, in directories of OUT, and networks in the store. What is finished there
    is reused, and what was interrupted goes on.
    """

    experiment: Annotated[str, tyro.conf.Positional]
    """table-1, table-2-preact-resnet18, table-4, table-5, table-6, table-7, grad-cam, figure-1, figure-3, figure-6,
    paper (all of them, and the report), or FILE.py:FUNCTION or package.module:FUNCTION, which gets an
    experiments.paper.Scale and yields configurations"""
    smoke: bool = False
    """the smallest grid that runs at all, on the digits, or made-up sentences, watermarked"""
    seeds: int = Unasked(5)
    """networks per augmentation"""
    until: Literal["decided"] | None = None
    """decided: instead of --seeds, every analysis that has the option compares 3, 5, 8, 12 and 20 seeds until nothing
    of it is open; ablations, which have it not, have five"""
    most: Literal[3, 5, 8, 12, 20] = 20
    """with --until decided, the last number of seeds"""
    width: int | None = None
    """of classifiers (None: the published one)"""
    epochs: int | None = None
    """of classifiers (None: the published number)"""
    vae_preset: str = "reference"
    """of VAEs: reference, the published settings, or default"""
    vae_epochs: int | None = None
    """of VAEs (None: the preset's)"""
    images: int | None = None
    """attack this many test images (None: all)"""
    human: Path | None = None
    """counts and labels of CIFAR-10H (None: downloaded)"""
    texts: tuple[str, ...] = ()
    """data sets of texts, for table-5: toxic:FOLDER, imdb:FOLDER, yelp-2:FOLDER, yelp-5:FOLDER, or others"""
    vectors: str | None = None
    """of words, for table-5, see python -m classifiers.train --help (None: random ones, which are learned)"""
    transformer: Path | None = None
    """the folder of a pretrained transformer, for table-5 (None: without)"""
    graphemes: str | None = None
    """data with several questions an item, for table-4: bengali:FOLDER, bengali-printed, or others"""
    sound: str | None = None
    """clips, for table-7: commands:FOLDER, commands-espeak, or others"""
    shapes: str | None = None
    """voxels, for table-7: modelnet10:FOLDER, cad-parts, or others"""
    workers: int | None = None
    """processes at once on this machine, which share its threads (None: one per GPU; without a GPU, one per core)"""
    ray: str | None = None
    """run on Ray instead: local, auto (a running cluster), or HOST:PORT; the store must be a shared directory"""
    retry_failed: bool = False
    """try again what is recorded as failed"""
    data: DataOptions = field(default_factory=lambda: DataOptions("cifar10"))
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        positive("--seeds", self.seeds, MOST_SEEDS)
        check_until(self)
        if self.workers is not None:
            positive("--workers", self.workers, 1024)
        if self.workers is not None and self.ray is not None:
            raise BadInput("--workers", f"{self.workers} beside --ray", "one of the two")
        if self.ray is not None:
            check_address(self.ray)
        if self.vae_preset not in ("reference", "default"):
            meant = perhaps(self.vae_preset, ("reference", "default"), {"published": "reference", "paper": "reference"})
            raise BadInput("--vae-preset", repr(self.vae_preset), f"reference or default{meant}")
        experiment_named(self.experiment)

    def scale(self) -> Scale:
        """What the experiment's function gets."""
        execution = replace(self.execution, quiet=True, json=None)
        data = self.data
        if self.smoke and data.data == "cifar10":
            data = replace(data, data="digits")
        preset: Any = self.vae_preset
        return Scale(
            data,
            self.seeds,
            self.smoke,
            Settings(width=2 if self.smoke else self.width, epochs=self.epochs),
            VaeSettings(preset=preset, epochs=self.vae_epochs),
            self.images,
            self.human,
            self.texts,
            self.vectors,
            self.transformer,
            self.graphemes,
            self.sound,
            self.shapes,
            execution,
        )


@dataclass(frozen=True)
class Grid:
    """What became of a grid.

    Args:
        outcomes: by the steps' names.
        steps: in their order.
    """

    outcomes: dict[str, Outcome]
    steps: list[Step]

    def and_of(self, later: "Grid") -> "Grid":
        """This and what was done after it, in which steps may be the same."""
        steps = {step.name: step for step in (*self.steps, *later.steps)}
        reused = {name for name, outcome in later.outcomes.items() if outcome.status == "done" and not outcome.fresh}
        fresh = {name: outcome for name, outcome in later.outcomes.items() if name not in reused & self.outcomes.keys()}
        return Grid(self.outcomes | fresh, list(steps.values()))

    @property
    def exit_status(self) -> int:
        """0, or 1 when a step has failed or was left out."""
        return int(any(outcome.status != "done" for outcome in self.outcomes.values()))

    def __repr__(self) -> str:
        kinds = dict.fromkeys(step.kind for step in self.steps)
        settled = [step for step in self.steps if step.name in self.outcomes]
        counts = Counter((step.kind, _word(self.outcomes[step.name])) for step in settled)
        words = [word for word in ("done", "reused", "failed", "skipped") if any(counts[kind, word] for kind in kinds)]
        cells = [[kind, *(str(counts[kind, word] or "") for word in words)] for kind in kinds]
        lines = [str(Tabular([["", *words]], cells))]
        for step in settled:
            outcome = self.outcomes[step.name]
            if outcome.status in ("failed", "skipped"):
                lines.append(f"{outcome.status}: {step.name}: {outcome.words}")
        return "\n".join(lines)


def _word(outcome: Outcome) -> str:
    return "reused" if outcome.status == "done" and not outcome.fresh else outcome.status


def run(config: Config) -> Grid | None:
    """Run the grid; None in a dry run. Raises KeyboardInterrupt when it is stopped, with all checkpoints written."""
    options = config.execution
    configs = configurations(config.experiment, config.scale())
    steps_of(configs)  # refuses what is no job
    looked_at = {place: one for place, one in enumerate(configs) if _at(one, config, LOOKS[0]) is not None}
    if options.dry_run:
        _dry_run(config, configs, looked_at)
        return None
    for option, directory in (("--store", options.store), ("--out", options.out)):
        _writable(option, directory)
    _say_before(config, steps_of(_first(config, configs, looked_at)))
    pool, grid = _pool(config), Grid({}, [])
    retried: set[str] = set()
    try:
        open_ones = dict(looked_at)
        for seeds in LOOKS if looked_at else ():
            at_look = [_at(one, config, seeds) for one in open_ones.values()]
            steps = steps_of(at_look)
            grid = grid.and_of(_run(config, steps, pool, retried))
            documents = {step.arguments[0]: grid.outcomes[step.name] for step in steps if step.kind == "document"}
            open_ones = {
                place: one for (place, one), at in zip(open_ones.items(), at_look, strict=True) if documents[at].open
            }
            options.say(f"after {seeds} seeds {len(open_ones)} of {len(looked_at)} analyses go on with more")
            if not open_ones:
                break
        rest = [one for place, one in enumerate(configs) if place not in looked_at]
        grid = grid.and_of(_run(config, steps_of(rest), pool, retried)) if rest else grid
    finally:
        pool.close()
    rows = []
    for step in grid.steps:
        outcome = grid.outcomes[step.name]
        rows.append({"step": step.name, "kind": step.kind, "status": _word(outcome), "error": outcome.words or None})
    options.say(repr(grid))
    options.write(json_document(PROGRAM, config, rows))
    return grid


def _at(job: Any, config: Config, seeds: int) -> Any:
    """A job's configuration at a look; None of a job that compares no augmentations, or adds no seeds."""
    if not isinstance(job, ComparedGrid) or not isinstance(job.seeds, Unasked):
        return None  # a number of seeds of its own is kept
    if job.until is not None:  # and so is a last look of its own
        return replace(job, seeds=Unasked(seeds))
    if config.until is None:
        return None
    try:
        return replace(job, until=config.until, most=config.most, seeds=Unasked(seeds))
    except BadInput:  # one augmentation, or a model of somebody else's
        return None


def _dry_run(config: Config, configs: Sequence[Any], looked_at: Mapping[int, Any]) -> None:
    _say_plan(config, steps_of(_first(config, configs, looked_at)))
    if looked_at:
        last = [_at(one, config, one.most if one.until else config.most) for one in looked_at.values()]
        networks = sum(step.kind != "document" for step in steps_of(last))
        config.execution.say(
            f"that is with {LOOKS[0]} seeds; with as many as there may be, as far as it is open, {networks} steps"
        )


def _first(config: Config, configs: Sequence[Any], looked_at: Mapping[int, Any]) -> list[Any]:
    """The configurations with the seeds of the first look, where seeds are added."""
    return [_at(one, config, LOOKS[0]) if place in looked_at else one for place, one in enumerate(configs)]


def _writable(option: str, directory: Path) -> None:
    """Refuse a place for results before the first of a hundred steps fails on it."""
    try:
        make_directory(directory)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as problem:
        raise BadInput(option, f"{directory} ({problem.strerror})", "a directory that can be written to") from None


def _devices(config: Config) -> tuple[list[str], int]:
    """A device for each process of this machine, and the threads of each."""
    device, cores = config.execution.device, len(os.sched_getaffinity(0))
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    if gpus:
        devices = [f"cuda:{number}" for number in range(gpus)]
        count = config.workers or gpus
        return [devices[place % gpus] for place in range(count)], max(cores // count, 1)
    threads = config.execution.threads
    count = config.workers or max(cores // (threads or 1), 1)
    return [device if device != "auto" else "cpu"] * count, threads or max(cores // count, 1)


def _pool(config: Config) -> Pool:
    if config.ray is None:
        return Local(*_devices(config))
    return RayCluster(
        config.ray, config.execution.threads or 1, int(config.execution.device != "cpu" and torch.cuda.is_available())
    )


def _run(config: Config, steps: list[Step], pool: Pool, retried: set[str]) -> Grid:
    """Do steps; with ``--retry-failed``, also those that have failed and were not ``retried`` yet."""
    for step in steps if config.retry_failed else ():
        if step.name not in retried and step.run is not None and step.status == "failed":
            step.run.retry()
    retried |= {step.name for step in steps}
    options = config.execution
    logs = options.out / "logs" / slug(Path(config.experiment).name)
    outcomes: dict[str, Outcome] = {}
    waiting = {step.name: step for step in steps}
    more = {name: f"   {words}" for name, words in particulars(steps).items()}
    kinds, seconds = Counter(step.kind for step in steps), _seconds_of_kinds(config, steps)
    with (
        received_signals() as received,
        overall(kinds, options.quiet, seconds, places=pool.free()) as bar,
    ):
        asked = False
        begun: dict[str, float] = {}

        def settle(step: Step, outcome: Outcome) -> None:
            outcomes[step.name] = outcome
            done_now = step.name in begun and outcome.status == "done" and outcome.fresh
            bar.settle(step.kind, time.monotonic() - begun[step.name] if done_now else None)
            if outcome.status == "failed":
                options.say(f"failed   {step.name}{more.get(step.name, '')}: {outcome.words}")
            elif outcome.fresh and outcome.status == "done":
                options.say(f"done     {len(outcomes)}/{len(steps)}   {step.name}{more.get(step.name, '')}")

        while waiting or pool.running():
            if received and not asked:
                asked = True
                waiting.clear()
                pool.interrupt()
            for step in _ready(waiting, outcomes, settle) if pool.free() > 0 else ():
                del waiting[step.name]
                begun[step.name] = time.monotonic()
                pool.submit(step, logs / f"{slug(step.name)}.log")
                if pool.free() <= 0:
                    break
            bar.describe(config.experiment, [step.name.split()[0] for step in pool.running()])
            if pool.running():
                for step, outcome in pool.finished(0.5):
                    settle(step, outcome)
    if received:
        name = signal.Signals(received[0]).name
        raise Interrupted(f"{name}: checkpoints written, the same command goes on", received[0])
    return Grid(outcomes, steps)


def _seconds_of_kinds(config: Config, steps: list[Step]) -> dict[str, float | None]:
    """Seconds that a step of each kind takes on the average, as far as past runs tell; a document takes hardly any."""
    estimate = seconds_of(config.execution.store)
    waiting: dict[str, list[float | None]] = {}
    for step in steps:
        if step.status != "done":
            waiting.setdefault(step.kind, []).append(estimate(step))
    return {
        kind: None if None in seconds else sum(filter(None, seconds)) / len(seconds)
        for kind, seconds in waiting.items()
    }


def _ready(
    waiting: dict[str, Step], outcomes: dict[str, Outcome], settle: Callable[[Step, Outcome], None]
) -> Iterator[Step]:
    """Steps whose needs are done, those that another process is at last; what is there already is settled on the way.

    Only as far as it is asked, for every status is a look at the store. A document waits until all that it needs has
    come to an end, and is made of what there is, if there is any.
    """
    busy = []
    for step in list(waiting.values()):
        if any(name not in outcomes for name in step.needs):
            continue
        lost = [name for name in step.needs if outcomes[name].status != "done"]
        if lost and (step.kind != "document" or len(lost) == len(step.needs)):
            settle(waiting.pop(step.name), Outcome("skipped", f"needs {lost[0]}"))
        elif step.status == "done" and not step.arguments[0].execution.force:
            settle(waiting.pop(step.name), Outcome("done", fresh=False))
        elif step.run is not None and step.status == "failed":
            error = f"{step.run.failure()['error']} (recorded; --retry-failed tries again)"
            settle(waiting.pop(step.name), Outcome("failed", error))
        elif step.run is not None and step.run.busy():
            busy.append(step)
        else:
            yield step
    yield from busy


def _say_plan(config: Config, steps: list[Step]) -> None:
    """Every step without its hash: whether it is there, and how long it will take."""
    say, estimate = config.execution.say, seconds_of(config.execution.store)
    more = particulars(steps)
    for step in steps:
        words = {"new": "to do", "partial": "partial", "done": "done", "failed": "failed"}[step.status]
        seconds = estimate(step)
        took = "not known" if seconds is None else f"{seconds:.0f} s" if seconds else ""
        say(f"{words:<8} {step.kind:<15} {took:>9}  {re.sub(HASH, '', step.name)}")
        if step.name in more:
            say(f"{'':<36}{more[step.name]}")
    _say_before(config, steps)


HASH = r" [0-9a-f]{12}\b"


def _say_before(config: Config, steps: list[Step]) -> None:
    """How much there is to do, where, and for how long, as far as past runs tell."""
    options, counts = config.execution, Counter(step.status for step in steps)
    estimate = seconds_of(options.store)
    seconds = [estimate(step) for step in steps]
    unknown, places = seconds.count(None), len(_devices(config)[0]) if config.ray is None else 1
    known = sum(filter(None, seconds)) / places
    guess = f"{in_words(known)}, by past runs" if known else "nothing more" if not unknown else ""
    if unknown:
        of_unknown = f"{unknown} steps of which it is not known before the first of their kind"
        guess = f"{guess}, and {of_unknown}" if guess else f"not known before the first network ({unknown} steps)"
    words = {"done": "done", "partial": "partial", "failed": "failed", "new": "to do"}
    told = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    options.say(f"{len(steps)} steps: {told}")
    options.say(
        f"{places} process{'es' if places > 1 else ''} {where(options)}"
        if config.ray is None
        else f"on Ray, {config.ray}; runs in {options.store}, results in {options.out}"
    )
    options.say(f"how long: {guess}")


EXAMPLES = (
    "table-1 --dry-run",
    "paper --smoke",
    "table-2-preact-resnet18 --data fashion-mnist --width 16 --epochs 10 --workers 2",
    "my_grid.py:ablation --ray auto",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
