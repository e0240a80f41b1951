"""Classifiers of several augmentations and seeds, trained or found trained: what analyses compare."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from classifiers.load import Classifier, ModelOptions, fixed_logits, load_classifier, load_run
from classifiers.train import Config as TrainConfig
from classifiers.train import Settings, classifier_run, step_of, train
from store import MOST_SEEDS, BadInput, Run, evidence, positive, read_record, slug
from store.command_line import Options
from store.registry import known_as
from training import DataOptions, ImageData, load, resolve_device, use_threads
from training.job import Step, document_step, loaded, told
from training.reuse import all_once, once

__all__ = [
    "Analysed",
    "Compares",
    "Which",
    "analyse",
    "check_grid",
    "grid",
    "grid_steps",
    "of_model",
    "once_of_function",
    "run_of_function",
    "say_grid",
    "settings_of",
    "smoked",
    "train_grid",
    "trained_classifier",
    "who",
]

Which = tuple[str, int]
"""Augmentation and seed."""

THE_MODEL: Any = (None, None)
"""In place of augmentation and seed, for the one classifier that ``--model`` names."""


class Compares(Protocol):
    """The configuration of an analysis of one classifier (``--model``) or of several."""

    @property
    def augmentations(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def seeds(self) -> int: ...  # noqa: D102
    @property
    def model(self) -> ModelOptions: ...  # noqa: D102
    @property
    def data(self) -> DataOptions: ...  # noqa: D102
    @property
    def settings(self) -> Settings: ...  # noqa: D102
    @property
    def execution(self) -> Options: ...  # noqa: D102


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


def check_grid(augmentations: tuple[str, ...], seeds: int, settings: Settings, first_seed: int = 1) -> None:
    """Refuse what cannot be a grid.

    Raises:
        BadInput: no seeds, no augmentation, one twice, or an unknown one.
    """
    positive("--seeds", seeds, MOST_SEEDS)
    positive("--first-seed", first_seed)
    if not augmentations or len({slug(known_as(each)) for each in augmentations}) != len(augmentations):
        raise BadInput("--augmentations", " ".join(augmentations) or "nothing", "one or more different names")
    for augmentation in augmentations:
        settings.mixer(augmentation, "--augmentations")


def grid(augmentations: tuple[str, ...], seeds: int, first_seed: int = 1) -> list[Which]:
    """Augmentation and seed of every classifier, a seed's augmentations together."""
    return [(augmentation, seed) for seed in range(first_seed, first_seed + seeds) for augmentation in augmentations]


def smoked(config: Any) -> Any:
    """An analysis as ``--smoke`` does it: one seed, two epochs, and few images where they are counted."""
    if not config.smoke:
        return config
    small = replace(config, seeds=1, settings=replace(config.settings, epochs=2))
    return replace(small, images=min(config.images or 10, 10)) if hasattr(config, "images") else small


def say_grid(
    data: ImageData,
    augmentations: tuple[str, ...],
    seeds: int,
    settings: Settings,
    options: Options,
    first_seed: int = 1,
) -> None:
    """Say what would be trained and what would be reused (``--dry-run``)."""
    runs = [classifier_run(data, *which, settings, options) for which in grid(augmentations, seeds, first_seed)]
    for each in runs:
        options.say(f"{each.status:<8} {each.path}")
    waiting = sum(each.status != "done" for each in runs)
    options.say(f"{len(runs) - waiting} classifiers to reuse, {waiting} to train")


def train_grid(
    data: ImageData,
    augmentations: tuple[str, ...],
    seeds: int,
    settings: Settings,
    options: Options,
    first_seed: int = 1,
) -> tuple[dict[Which, Run], list[str]]:
    """Train what is missing.

    Returns:
        The finished runs by augmentation, a file's without its directories, and seed, a seed's augmentations together;
        and why others failed.

    Raises:
        SystemExit: every one failed.
    """
    needed = grid(augmentations, seeds, first_seed)
    trained, failures = all_once(
        needed,
        lambda which: classifier_run(data, *which, settings, options),
        lambda which: train(data, *which, settings, options),
        options,
        lambda record: f"accuracy {record['metrics']['accuracy']:.2%}   {record['metrics']['seconds']:.0f} s",
    )
    if not trained:
        raise SystemExit("every classifier failed:\n" + "\n".join(failures))
    return {(known_as(which[0]), which[1]): trained[which] for which in needed if which in trained}, failures


def settings_of(trained: Run) -> dict[str, Any]:
    """A classifier's settings, with the name of its data, how many images it was trained on, and what was scored."""
    record = trained.result()
    more = {"data": record["data"]["name"], "train_images": record["training_images"], "scored": record["scored"]}
    return record["config"] | more


def trained_classifier(config: Compares, augmentation: str, seed: int) -> tuple[Classifier, ImageData, str]:
    """One classifier of the grid of an analysis, found trained or trained now; its data, and its run's name."""
    options = config.execution
    data = load(config.data, download=not options.dry_run)
    use_threads(options.threads)
    run = train(data, augmentation, seed, config.settings, options)
    device = resolve_device(options.device)
    return load_run(run.path, device, data, network=config.settings.network), data, run.name


def analyse(
    config: Compares,
    data: ImageData,
    run_of: Callable[[Classifier, str], Run],
    work: Callable[[Classifier, str], Run],
    did: str,
    what: str,
) -> Analysed | None:
    """Analyse the classifier that ``--model`` names, or each of the grid, training first what is missing.

    Args:
        config: of the analysis.
        data: whose images the classifiers see.
        run_of: where the analysis of a classifier with this name is kept.
        work: does it or finds it done.
        did: the verb for it, in the past.
        what: one analysis is called.

    Returns:
        None in a dry run.
    """
    options, name = config.execution, config.model.model
    device = resolve_device(options.device)
    use_threads(options.threads)
    failures: list[str] = []
    trained: dict[Which, Run] = {}
    loads: dict[Which, tuple[str, Callable[[], Classifier]]] = {}
    if name is not None:
        if options.dry_run:
            options.say(f"1 {what} to do or to reuse, of {name}")
            return None
        loads[THE_MODEL] = known_as(name), lambda: load_classifier(config.model, data, device)
    else:
        grid = (data, config.augmentations, config.seeds, config.settings, options)
        if options.dry_run:
            say_grid(*grid)
            options.say(f"{len(config.augmentations) * config.seeds} {what}s of them to do or to reuse")
            return None
        trained, failures = train_grid(*grid)
        for which, each in trained.items():
            loads[which] = (
                each.name,
                functools.partial(load_run, each.path, device, data, network=config.settings.network),
            )

    @functools.lru_cache(maxsize=1)
    def classifier(which: Which) -> Classifier:
        return loads[which][1]()

    @functools.cache
    def run(which: Which) -> Run:
        return run_of_function(run_of(classifier(which), loads[which][0]), fixed_logits(classifier(which), data.shape))

    runs, more = all_once(
        loads,
        run,
        lambda which: work(classifier(which), loads[which][0]),
        options,
        lambda record: f"{record['metrics']['seconds']:.0f} s",
        did,
        what,
    )
    return Analysed({which: runs[which] for which in loads if which in runs}, classifier, failures + more, trained)


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
        each = replace(run, identity=identity, also={"fixed_logits": kept})
        if _computed(each, logits):
            return each
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
    run: Run, classifier: Classifier, data: ImageData, options: Options, work: Callable[[Run], None]
) -> Run:
    """Analyse a classifier once: `training.reuse.once` for the run of what it computes.

    Args:
        run: the analysis by the classifier's digest.
        classifier: in evaluation mode.
        data: whose images it sees.
        options: as for `training.reuse.once`.
        work: writes the files of the run it is given.
    """
    logits = fixed_logits(classifier, data.shape)
    if not _computed(run, logits):
        options.say(f"not reused: {run.path}, of a network with the same weights that computes something else")

    def still(which: Run) -> None:  # nothing has taken its place while we waited
        if run_of_function(run, logits) == which:
            work(which)

    while True:
        which = run_of_function(run, logits)
        done = once(which, options, functools.partial(still, which))
        if run_of_function(run, logits) == which:
            return done


def who(config: Compares) -> str:
    """The classifiers of an analysis in a few words, for titles."""
    width = f" of width {config.settings.width}" if config.settings.width else ""
    seeds = f"{config.seeds} seed{'s' if config.seeds > 1 else ''}"
    return known_as(config.model.model or f"{config.settings.network}{width}, {seeds}")


def of_model(config: Compares) -> str:
    """What the directory of an analysis of ``--model`` is called, so that it lies beside that of the grid."""
    model = f"-{slug(known_as(Path(config.model.model).name))}" if config.model.model else ""
    return f"{model}-smoke" if getattr(config, "smoke", False) else model


def grid_steps(config: Any, kind: str = "") -> Iterator[Step]:
    """The steps of an analysis of a grid of classifiers: each trained, analysed on its own, and put together.

    Args:
        config: of the analysis; of one classifier (``--model``) or of given logits, it is one step.
        kind: of the analyses' runs, which the module's function ``part`` makes; nothing where the document is made of
            what training has left.
    """
    if (getattr(config, "model", None) and config.model.model) or getattr(config, "logits", None):
        yield from document_step(config)
        return
    small = smoked(config)
    needs: list[Step] = []
    for augmentation, seed in grid(small.augmentations, small.seeds, getattr(small, "first_seed", 1)):
        network = step_of(TrainConfig(None, augmentation, seed, small.data, small.settings, small.execution))
        yield network
        last = network
        if kind:
            module = type(config).__module__
            name = f"{network.name} {module.partition('.')[0]} {told(config)}"
            work = small.images or len(loaded(small.data, not config.execution.dry_run).test_images)
            arguments = (config, augmentation, seed)
            last = Step(name, kind, f"{module}:part", arguments, (network.name,), work=work)
            yield last
        needs.append(last)
    yield from document_step(config, needs)
