"""Classifiers of several augmentations and seeds, trained or found trained: what analyses compare."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from classifiers.load import Classifier, ModelOptions, fixed_logits, load_classifier, load_run
from classifiers.train import TRAINER, Settings, step_of, train
from classifiers.train import Config as TrainConfig
from store import Run, evidence, read_record, slug
from store.command_line import Options, refuse_beside
from store.registry import known_as
from tasks import Task, load
from tasks.metrics import ACCURACY, Metric, headline, metrics_of
from tasks.task import Component, only_images
from training import resolve_device, use_threads
from training.grid import Grid, Trainer, Which
from training.job import Step, document_step, loaded, told
from training.progress import overall
from training.reuse import all_once, once

__all__ = [
    "Analysed",
    "ClassifierGrid",
    "ModelGrid",
    "Subject",
    "analyse",
    "grid_steps",
    "metrics_of_run",
    "of_model",
    "once_of_function",
    "run_of_function",
    "settings_of",
    "trained_classifier",
    "who",
]

GRAPHEME = frozenset(("root", "vowel", "consonant"))
"""What is asked of images that are graphemes."""

THE_MODEL: Any = (None, None)
"""In place of augmentation and seed, for the one classifier that ``--model`` names."""


@dataclass(frozen=True)
class ClassifierGrid(Grid):
    """The configuration of an analysis of classifiers of several augmentations and seeds."""

    settings: Settings = field(default_factory=Settings, kw_only=True)

    trainer: ClassVar[Trainer] = TRAINER

    def train(self, task: Task) -> tuple[dict[Which, Run], list[str]]:
        """Train what is missing.

        Returns:
            The finished runs by augmentation, a file's without its directories, and seed, a seed's augmentations
            together; and why others failed.

        Raises:
            SystemExit: every one failed.
        """
        trained, failures = super().train(task)
        if not trained:
            raise SystemExit("every classifier failed:\n" + "\n".join(failures))
        return {
            (known_as(network[0]), network[1]): trained[network] for network in self.networks() if network in trained
        }, failures


@dataclass(frozen=True)
class ModelGrid(ClassifierGrid):
    """The configuration of an analysis of classifiers of a grid, or of the one that ``--model`` names."""

    model: ModelOptions = field(default_factory=ModelOptions, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model.model is not None:
            refuse_beside(self, "--model", "augmentations", "seeds", "until", "margin", "settings")

    def smoked(self) -> Self:
        """The configuration as it is done: with ``--smoke``, one seed and two epochs, but for ``--model``, as it is."""
        return super().smoked() if self.model.model is None else self


class Subject(NamedTuple):
    """A classifier that is analysed.

    Args:
        classifier: in evaluation mode.
        name: for people, and in the names of runs.
        network: augmentation and seed; (None, None) for the one that ``--model`` names.
        trained: the directory of the run that trained it; None where none did.
    """

    classifier: Classifier
    name: str
    network: Which
    trained: Path | None


@dataclass(frozen=True)
class Analysed:
    """Classifiers and the runs that hold their analyses.

    Args:
        runs: finished, by augmentation and seed; by (None, None) for the one of ``--model``.
        classifier: loads one again.
        failures: why others are missing.
        trained: the runs that trained them; empty for the one of ``--model``.
    """

    runs: dict[Which, Run]
    classifier: Callable[[Which], Classifier]
    failures: list[str]
    trained: dict[Which, Run]

    def settings(self) -> dict[str, Any]:
        """How the classifiers were trained, and on what; empty for one of another origin."""
        return settings_of(next(iter(self.trained.values()))) if self.trained else {}

    def evidence(self) -> list[dict[str, Any]]:
        """Of the analyses and of the training behind them, as `store.evidence` gives it."""
        return evidence(
            ({"augmentation": augmentation, "seed": seed}, run)
            for runs in (self.runs, self.trained)
            for (augmentation, seed), run in runs.items()
        )


def settings_of(trained: Run) -> dict[str, Any]:
    """A classifier's settings, with the name of its data, how many images it was trained on, and what was scored.

    Of other items than images with one class each they also say what differs: ``items``, what they are called,
    ``several``, true for several labels each, and ``metric``, the name of that in which augmentations are compared
    where it is not accuracy.
    """
    record = trained.result()
    more = {"data": record["data"]["name"], "train_images": record["training_images"], "scored": record["scored"]}
    more |= {"more_metrics": record["more_metrics"]} if "more_metrics" in record else {}
    more |= {"further": list(record["further"])} if "further" in record else {}
    several = record.get("several", "mean_average_precision" in record["metrics"])  # of images, nothing else says it
    metric, _ = headline(record["metrics"], several)
    usual = {"items": "images", "several": False, "metric": ACCURACY.name}
    items = record.get("items", "images")
    if GRAPHEME.issubset(record["config"].get("components", ())) or record.get("component") in GRAPHEME:
        items = "graphemes"
    here = {"items": items, "several": several, "metric": metric.name}
    return record["config"] | more | {key: value for key, value in here.items() if value != usual[key]}


def metrics_of_run(trained: Run, logits: Tensor, labels: Tensor) -> list[Metric]:
    """The metrics of a classifier that every scored item has a part in.

    Args:
        trained: finished.
        logits: of the scored items, (N, K).
        labels: (N,), or (N, K).
    """
    settings, several = settings_of(trained), settings_of(trained).get("several", False)
    components = [Component(*one) for one in settings.get("components", {}).items()]
    found = metrics_of(labels, several, logits.shape[1], components, settings.get("more_metrics", ()))
    return [metric for metric in found if metric.per_item is not None]


def trained_classifier(config: ModelGrid, augmentation: str, seed: int) -> tuple[Subject, Task]:
    """One classifier of the grid of an analysis, found trained or trained now, and its data."""
    options = config.execution
    task = load(config.data, download=not options.dry_run)
    use_threads(options.threads)
    run = train(task, augmentation, seed, config.settings, options)
    device = resolve_device(options.device)
    classifier = load_run(run.path, device, task, network=config.settings.network)
    return Subject(classifier, run.name, (known_as(augmentation), seed), run.path), task


def analyse(
    config: ModelGrid,
    task: Task,
    run_of: Callable[[Subject], Run],
    work: Callable[[Subject], Run],
    did: str,
    what: str,
    others: tuple[type, ...] = (),
) -> Analysed | None:
    """Analyse the classifier that ``--model`` names, or each of the grid, training first what is missing.

    Args:
        config: of the analysis.
        task: whose images the classifiers see.
        run_of: where the analysis of a classifier is kept.
        work: does it or finds it done.
        did: the verb for it, in the past.
        what: one analysis is called.
        others: what items may be beside images.

    Returns:
        None in a dry run.
    """
    only_images(task, f"{what}s", others)
    options, name = config.execution, config.model.model
    device = resolve_device(options.device)
    use_threads(options.threads)
    failures: list[str] = []
    trained: dict[Which, Run] = {}
    loads: dict[Which, Callable[[], Subject]] = {}
    plan = None
    if name is not None:
        if options.dry_run:
            options.say(f"1 {what} to do or to reuse, of {name}")
            return None
        directory = Path(name) if Path(name).is_dir() else None
        loads[THE_MODEL] = lambda: Subject(
            load_classifier(config.model, task, device), known_as(name), THE_MODEL, directory
        )
    else:
        if options.dry_run:
            config.say(task)
            options.say(f"{len(config.augmentations) * config.seeds} {what}s of them to do or to reuse")
            return None
        plan = config.plan(task)
        plan.say(f"a {what} of each", options)

    @functools.lru_cache(maxsize=1)
    def subject(network: Which) -> Subject:
        return loads[network]()

    @functools.cache
    def analysis(network: Which) -> Run:
        return run_of_function(run_of(subject(network)), fixed_logits(subject(network).classifier, task.shape))

    units = f"{what}s"
    with overall({units: 1}, options.quiet) if plan is None else plan.progress(units, options):
        if plan is not None:
            trained, failures = config.train(task)
            for network, run in trained.items():
                loads[network] = functools.partial(_loaded, config, task, device, network, run)
        runs, more = all_once(
            loads,
            analysis,
            lambda network: work(subject(network)),
            options,
            lambda record: f"{record['metrics']['seconds']:.0f} s",
            did,
            what,
        )
    return Analysed(
        {network: runs[network] for network in loads if network in runs},
        lambda network: subject(network).classifier,
        failures + more,
        trained,
    )


def _loaded(config: ModelGrid, task: Task, device: torch.device, network: Which, run: Run) -> Subject:
    classifier = load_run(run.path, device, task, network=config.settings.network)
    return Subject(classifier, run.name, network, run.path)


TOLERANCE = 1e-3
"""Difference, as a share of the largest logit, up to which two networks compute the same: other devices round so."""


def run_of_function(run: Run, logits: Tensor) -> Run:
    """The run of an analysis of what a network computes: ``run``, or one beside it, found or to be made.

    A network's weights and source do not decide all that it computes: an environment variable may, or a file that its
    code reads. A record therefore keeps the logits of eight fixed images, and where these are others than the
    network's, the run is another function's. The functions of the same weights are numbered as they come.

    Args:
        run: whose identity has a ``config``.
        logits: `classifiers.load.fixed_logits`.
    """
    kept = [[float(f"{value:.7g}") for value in row] for row in logits.tolist()]
    number = 1
    while True:
        more = {"function": number} if number > 1 else {}
        identity = run.identity | {"config": run.identity["config"] | more}
        candidate = replace(run, identity=identity, also={"fixed_logits": kept})
        if _computed(candidate, logits):
            return candidate
        number += 1


def _computed(run: Run, logits: Tensor) -> bool:
    """Whether what is in a run's directory was made by a network with these logits, or nothing is there."""
    files = {"done": "result.json", "failed": "failure.json", "partial": "config.json"}
    if run.status == "new":
        return True
    kept = read_record(run.path / files[run.status]).get("fixed_logits")
    if kept is None:  # older records have none
        return True
    try:
        before = torch.tensor(kept, dtype=torch.double)
    except (TypeError, ValueError):
        return False
    now = logits.double()
    return before.shape == now.shape and bool((before - now).abs().max() <= TOLERANCE * now.abs().max())


def once_of_function(
    run: Run, classifier: Classifier, task: Task, options: Options, work: Callable[[Run], None]
) -> Run:
    """Analyse a classifier once: `training.reuse.once` for the run of what it computes.

    Args:
        run: the analysis by the classifier's digest.
        classifier: in evaluation mode.
        task: whose images it sees.
        options: as for `training.reuse.once`.
        work: writes the files of the run it is given.
    """
    logits = fixed_logits(classifier, task.shape)
    if not _computed(run, logits):
        options.say(f"not reused: {run.path}, of a network with the same weights that computes something else")

    def still(expected: Run) -> None:  # nothing has taken its place while we waited
        if run_of_function(run, logits) == expected:
            work(expected)

    while True:
        current = run_of_function(run, logits)
        done = once(current, options, functools.partial(still, current))
        if run_of_function(run, logits) == current:
            return done


def who(config: ModelGrid) -> str:
    """The classifiers of an analysis in a few words, for titles."""
    width = f" of width {config.settings.width}" if config.settings.width else ""
    seeds = f"{config.seeds} seed{'s' if config.seeds > 1 else ''}"
    return known_as(config.model.model or f"{config.settings.network or 'preact-resnet18'}{width}, {seeds}")


def of_model(config: ModelGrid) -> str:
    """What the directory of an analysis of ``--model`` is called, so that it lies beside that of the grid."""
    model = f"-{slug(known_as(Path(config.model.model).name))}" if config.model.model else ""
    return f"{model}-smoke" if config.smoke else model


def grid_steps(config: Any, kind: str = "", others: tuple[type, ...] = ()) -> Iterator[Step]:
    """The steps of an analysis of a grid of classifiers: each trained, analysed on its own, and put together.

    Args:
        config: of the analysis; of one classifier (``--model``) or of given logits, it is one step.
        kind: of the analyses' runs, which the module's function ``part`` makes; nothing where the document is made of
            what training has left.
        others: what items may be beside images.
    """
    if (getattr(config, "model", None) and config.model.model) or getattr(config, "logits", None):
        yield from document_step(config)
        return
    small = config.smoked()
    if kind:  # before networks are trained for it
        only_images(loaded(small.data, not config.execution.dry_run), f"runs of {kind}", others)
    needs: list[Step] = []
    for augmentation, seed in small.networks():
        network = step_of(TrainConfig(None, augmentation, seed, small.data, small.settings, small.execution))
        yield network
        last = network
        if kind:
            module = type(config).__module__
            name = f"{network.name} {module.partition('.')[0]} {told(config)}"
            work = small.images or len(loaded(small.data, not config.execution.dry_run).test)
            arguments = (config, augmentation, seed)
            last = Step(name, kind, f"{module}:part", arguments, (network.name,), work=work)
            yield last
        needs.append(last)
    yield from document_step(config, needs)
