"""Accuracy against one option, all others held: ``python -m analysis.ablation --vary fraction``.

Figure 3 of the paper varies the share of the training images, its Figure 6 the parameter α of λ's distribution and
FMix's decay power δ. Replicates are training seeds, scored on the test images, or, with ``--cross-validate``, folds of
the training images, scored on the tenth that was held out, with the test images left alone. Of texts, all of this is
said of texts, and of several labels each it is ROC-AUC that is compared (`analysis.accuracy`).

At a fixed number of epochs a smaller training set is also fewer optimisation steps. ``--equal-steps`` trains on a share
f of the images for 1/f times the epochs: as many steps as the whole set takes, but for what is left over of an epoch
when its batches are full. Each image is then seen 1/f times as often.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from analysis.ablation.figures import draw_ablation
from analysis.ablation.section import SECTIONS, SYMBOLS, equal_steps, note_of_steps
from analysis.accuracy import accuracy_components, accuracy_rows
from analysis.accuracy.section import metric_of
from classifiers.grid import ClassifierGrid, metrics_of_run, settings_of
from classifiers.load import kept_logits
from classifiers.train import TRAINER, Settings, classifier_run, step_of, train
from classifiers.train import Config as TrainConfig
from figures import label, save
from findings import Result, publish
from findings.bottom_line import behind, paragraph
from findings.comparisons import Comparison, Difference
from findings.components import Components
from findings.over_seeds import headlines, of_networks, over_seeds
from findings.published import claims_sentence
from findings.published import compared as compared_in
from findings.sentences import ADDED, enumerated, p_value, said_of, seeds_needed, the, told_apart
from findings.table import plus_minus
from findings.text import Tabular, Text
from store import BadInput, Run, evidence, slug
from store.command_line import Options, json_document
from store.registry import known_as
from tasks import DataOptions, Task, load
from tasks.loading import TENTHS
from tasks.metrics import ACCURACY, Metric
from training import resolve_device
from training.distributed import Ranks
from training.job import Job, Step, document_step, loaded
from training.live import asked_from_python
from training.plan import plan_of, where
from training.reuse import all_once

__all__ = ["SYMBOLS", "Config", "Point", "ablation_conclusions", "measure_of", "run", "text_of"]

PROGRAM = "python -m analysis.ablation"

SMOKE = "SMOKE RUN: two epochs, two replicates. Its numbers mean nothing."

USUAL: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    "fraction": ((0.05, 0.1, 0.25, 0.5, 1.0), ("none", "mixup", "fmix", "fmix+mixup")),
    "alpha": ((0.2, 0.5, 1.0, 2.0), ("mixup", "cutmix", "fmix")),
    "decay-power": ((0.0, 1.0, 2.0, 3.0, 4.0), ("fmix",)),
}
"""Values and augmentations that are tried where none are given."""


class Point(NamedTuple):
    """One network of the ablation."""

    value: float
    augmentation: str
    seed: int
    fold: int | None


@dataclass(frozen=True)
class Config:
    """Compare accuracies over the values of one option.

    A table and a figure of accuracy over the values, the sentences that they allow, and result.json come out, in
    OUT/ablation-VARY-DATA; the classifiers stay in the store.
    """

    vary: Literal["fraction", "alpha", "decay-power"] = "fraction"
    """what is varied: the share of the training items, α, or FMix's δ"""
    values: tuple[float, ...] = ()
    """its values, ascending (none given: 0.05 to 1; 0.2 to 2; 0 to 4)"""
    augmentations: tuple[str, ...] = ()
    """none, mixup, cutmix, fmix, fmix-reference, package.module:NAME, FILE.py:NAME, or hybrids (none given: those of
    the paper's figure)"""
    seeds: int = 3
    """how many classifiers per point: seeds 1 to SEEDS"""
    cross_validate: int | None = None
    """instead of seeds, this many folds of the training items, seed 1 (None: the test items)"""
    equal_steps: bool = False
    """divide the epochs by the share of the training items, so that every share takes as many steps as all of them
    (--vary fraction alone)"""
    smoke: bool = False
    """two values, two replicates, two epochs, watermarked: shows that everything works, and nothing else"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        ClassifierGrid(self.tried_augmentations, self.seeds, settings=self.settings)  # which checks them
        values = self.tried
        if list(values) != sorted(set(values)):
            raise BadInput("--values", " ".join(map(str, values)), "different numbers, ascending")
        for value in values:
            try:
                self.at(value)  # the options check themselves
            except BadInput as mistake:
                raise BadInput("--values", f"{value} for --vary {self.vary}", mistake.needed) from None
        if self.cross_validate is not None and not 2 <= self.cross_validate <= TENTHS:
            raise BadInput("--cross-validate", self.cross_validate, f"an integer from 2 to {TENTHS}")
        if self.equal_steps and self.vary != "fraction":
            raise BadInput("--equal-steps", f"--vary {self.vary}", "--vary fraction")

    @property
    def tried(self) -> tuple[float, ...]:
        """The values."""
        values = self.values or USUAL[self.vary][0]
        return (values[0], values[-1]) if self.smoke and len(values) > 1 else values

    @property
    def tried_augmentations(self) -> tuple[str, ...]:
        """The augmentations."""
        return self.augmentations or USUAL[self.vary][1]

    def at(self, value: float) -> Settings:
        """The settings of the networks with one value, but for the epochs of equal steps, which `settings_on` knows."""
        settings = replace(self.settings, epochs=2) if self.smoke else self.settings
        if self.vary == "fraction":
            replace(self.data, fraction=value)
            return settings
        return replace(settings, alpha=value) if self.vary == "alpha" else replace(settings, decay_power=value)

    def data_at(self, value: float, fold: int | None) -> DataOptions:
        """The data of the networks with one value."""
        data = replace(self.data, fraction=value) if self.vary == "fraction" else self.data
        return data if fold is None else replace(data, folds=self.cross_validate, fold=fold)

    @property
    def divides_epochs(self) -> bool:
        """Whether epochs are divided by the share; those of a smoke run are two."""
        return self.equal_steps and not self.smoke

    def settings_on(self, task: Task, value: float) -> Settings:
        """The settings of the networks with one value: at equal steps, as many epochs as make those of all items.

        Args:
            task: of these networks; a number of epochs that is not given depends on them.
            value: of the networks.
        """
        settings = self.at(value)
        try:
            resolved = settings.resolved(task, resolve_device(self.execution.device), Ranks())
        except BadInput as mistake:
            if mistake.argument != "--batch-size" or self.vary != "fraction":
                raise
            needed = f"{mistake.needed}, or --values above {value:g}"
            raise BadInput("--batch-size", f"{mistake.got} with a share of {value:g}", needed) from None
        if not self.divides_epochs:
            return settings
        # an epoch ends with the last whole batch
        whole, share = (int(count) // resolved["batch_size"] for count in (len(task.train) / value, len(task.train)))
        return replace(settings, epochs=round(resolved["epochs"] * whole / share))

    def points(self) -> Iterator[Point]:
        """Every network, one replicate of all after the other."""
        count = min(2, self.cross_validate or self.seeds) if self.smoke else (self.cross_validate or self.seeds)
        for replicate in range(1, count + 1):
            seed, fold = (1, replicate) if self.cross_validate else (replicate, None)
            for value in self.tried:
                for augmentation in self.tried_augmentations:
                    yield Point(value, augmentation, seed, fold)


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Train what is missing and compare; print as it goes, unless ``--json -`` claims standard output."""
    options = config.execution

    @functools.lru_cache(maxsize=2)
    def task_of(chosen: DataOptions) -> Task:
        return load(chosen, download=not options.dry_run)

    @functools.cache
    def run_of(point: Point) -> Run:
        data = task_of(config.data_at(point.value, point.fold))
        return classifier_run(data, point.augmentation, point.seed, config.settings_on(data, point.value), options)

    def trained(point: Point) -> Run:
        data = task_of(config.data_at(point.value, point.fold))
        return train(data, point.augmentation, point.seed, config.settings_on(data, point.value), options)

    points = list(config.points())
    by_size: dict[DataOptions, list[Run]] = {}
    for point in points:
        by_size.setdefault(config.data_at(point.value, point.fold), []).append(run_of(point))
    plans = []
    for chosen, at_size in by_size.items():
        task = task_of(chosen)
        plans.append(plan_of("classifier", at_size[0].kind, task.name, at_size, len(task.train), options))
    plan = sum(plans[1:], plans[0])
    if options.dry_run:
        for point in points:
            options.say(f"{run_of(point).status:<8} {run_of(point).path}")
        options.say(f"{plan.networks - plan.missing} classifiers to reuse, {plan.missing} to train")
        if plan.missing:
            options.say(where(options))
            options.say(plan.time())
        return Result([])
    plan.say(f"accuracy over {SYMBOLS[config.vary]}", options)
    with plan.progress("", options):
        runs, failures = all_once(
            points,
            run_of,
            trained,
            options,
            TRAINER.summary,
        )
    if not runs:
        raise SystemExit("every classifier failed:\n" + "\n".join(failures))
    runs = {point._replace(augmentation=known_as(point.augmentation)): classifier for point, classifier in runs.items()}
    rows = [
        row | {"vary": config.vary, "setting": point.value, "fold": point.fold}
        for point, classifier in runs.items()
        for row in accuracy_rows((classifier,), point.augmentation, point.seed)
    ]
    return _report(config, runs, rows, failures)


def _report(config: Config, runs: dict[Point, Run], rows: list[dict[str, Any]], failures: list[str]) -> Result:
    settings = settings_of(next(iter(runs.values())))
    data, watermark = settings["data"], "SMOKE RUN" if config.smoke else None
    settings["scored"] = "validation" if config.cross_validate else settings["scored"]  # each fold has its own
    many = int(_table_of(rows)["seeds"].max())
    replicates = f"{many} {'fold' if config.cross_validate else 'seed'}{'s' if many > 1 else ''}"
    sizes = sorted({classifier.result()["training_images"] for classifier in runs.values()})
    trained_on = f"{sizes[0]:,} to {sizes[-1]:,}" if len(sizes) > 1 else f"{sizes[0]:,}"
    metric, items = metric_of(settings), _items(settings)
    width = f" of width {settings['width']}" if settings["width"] else ""
    head = (
        f"{_initial(metric.label)} over {SYMBOLS[config.vary]} on {data}: {settings['network']}{width}, "
        f"{trained_on} training {items}, {_epochs(config, runs, items)}, {replicates}"
    )
    about = {"title": head, "data": data, "settings": settings, "watermark": watermark}
    more = {"components": _components(config, runs)}
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures} | more
    text, about["conclusions"] = text_of(document)
    kind = config.vary + ("-equal-steps" if config.equal_steps else "")
    directory = config.execution.out / f"ablation-{kind}-{slug(data.lower())}{'-smoke' if config.smoke else ''}"
    table = _table_of(rows)
    values = table[table["estimator"] == metric.name].drop(columns=["cap", "saturated"])
    figure = draw_ablation(values, config.vary, f"{settings['scored']} {metric.label}", head, items)
    files = save(figure, directory / "ablation", values, watermark=watermark)
    networks = evidence((point._asdict(), classifier) for point, classifier in runs.items())
    rows = headlines(rows, ("augmentation", "setting", "estimator")) + rows
    return publish(Result(rows, table, text, files, failures), PROGRAM, config, directory, about, networks, more)


def _initial(label: str) -> str:
    return label[0].upper() + label[1:]


def _items(settings: Mapping[str, Any]) -> str:
    """What is classified, in words."""
    return str(settings.get("items", "images"))


def _epochs(config: Config, runs: Mapping[Point, Run], items: str) -> str:
    """For how many epochs the networks were trained, in words, in the order of the values."""
    by_value = {point.value: classifier.result()["config"]["epochs"] for point, classifier in runs.items()}
    epochs = [by_value[value] for value in sorted(by_value)]
    if not config.divides_epochs:
        return f"{epochs[0]} epochs"
    most, fewest = epochs[0], epochs[-1]
    return f"{f'{most:,} to {fewest:,}' if most > fewest else most} epochs ({equal_steps(items)})"


def _table_of(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return over_seeds(of_networks(results), ("augmentation", "setting", "estimator"))


def measure_of(vary: str, compared: str | float, metric: Metric = ACCURACY) -> str:
    """What one comparison is called among a document's variance components: one of a share, or of an augmentation."""
    return f"{metric.label} at {compared:g}" if vary == "fraction" else f"{metric.label} of {compared}"


def _of_items(trained: Run, metric: Metric) -> np.ndarray:
    """What each of the scored items adds to a metric of one classifier, (N,), in their order."""
    logits, labels = kept_logits(trained)
    (here,) = (one for one in metrics_of_run(trained, labels) if one.name == metric.name)
    return here.values(logits.double(), labels).numpy()


def _components(config: Config, runs: Mapping[Point, Run]) -> dict[str, Any]:
    """Of the variance of what is compared; none over folds, whose items differ."""
    if config.cross_validate:
        return {}
    metric = metric_of(settings_of(next(iter(runs.values()))))
    of_items: dict[str, dict[str, list[np.ndarray]]] = {}
    for point, run in runs.items():
        value, name = point.value, point.augmentation
        measure = measure_of(config.vary, value if config.vary == "fraction" else name, metric)
        one = name if config.vary == "fraction" else f"{SYMBOLS[config.vary]} = {value:g}"
        of_items.setdefault(measure, {}).setdefault(one, []).append(_of_items(run, metric))
    variances = {measure: accuracy_components(by_name) for measure, by_name in of_items.items()}
    return {measure: variance for measure, variance in variances.items() if variance is not None}


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of an ablation's document, made again from its rows and its variance components.

    Returns:
        The whole text, and its sentences without the table.
    """
    config, about = document["config"], document["about"]
    table, settings, vary = _table_of(document["results"]), about["settings"], config["vary"]
    replicates = "folds" if config["cross_validate"] else "seeds"
    conclusions = ablation_conclusions(table, vary, replicates, document.get("components"), settings)
    shown = _text_table(table, vary, about["title"], settings, note_of_steps(config, _items(settings)))
    found = _comparisons(table, vary, replicates, document.get("components"), settings)
    line = SMOKE if about["watermark"] else _bottom_line(found, vary, replicates, metric_of(settings))
    return Text(line, [shown, conclusions]), conclusions


def _bottom_line(found: Mapping[Any, Comparison], vary: str, replicates: str, metric: Metric) -> str:
    """Which pairs differ at which values, or, of α and δ, which values differ for which augmentation."""
    if not found:
        return "Nothing is decided: with one replicate each, no difference can be claimed, several would tell."
    by_pair: dict[tuple[str, str], dict[Any, Difference]] = {}
    for place, comparison in found.items():
        for pair in comparison.found():
            by_pair.setdefault((pair.higher, pair.lower), {})[place] = pair
    order = sorted(by_pair.items(), key=lambda one: -len(one[1]))
    first = next(iter(found.values()))
    tested = behind(first.seeds, first.images, replicates, first.items)

    def place_in_words(place: Any) -> str:
        return f"{SYMBOLS[vary]} {place:g}" if vary == "fraction" else f"with {label(str(place))}"

    listed = []
    for (higher, lower), pairs in order:
        values = [pair.value for pair in pairs.values()]
        low, high = (f"{pick(values):.2f}" for pick in (min, max))
        by = low if low == high else f"{low} to {high}"
        p = p_value(max(pair.p for pair in pairs.values())) + (" at most" if len(pairs) > 1 else "")
        at = enumerated([place_in_words(place).removeprefix(f"{SYMBOLS[vary]} ") for place in pairs])
        at = f"at {SYMBOLS[vary]} {at}" if vary == "fraction" else at
        listed.append(f"{the(higher)} is above {the(lower)} by {by} points {at} ({p})")
    count = sum(len(comparison.differences) for comparison in found.values())
    claimed = sum(len(comparison.found()) for comparison in found.values())
    equal = sum(pair.equal and not pair.claimed for one in found.values() for pair in one.differences)
    families = f"{len(found)} families, each corrected by itself" if len(found) > 1 else "one family"
    sentences = [f"In {metric.label} ({tested}; {families}): {'; '.join(listed[:3])}." if listed else ""]
    if len(listed) > 3:
        sentences.append(f"So do {len(listed) - 3} pairs more ({tested}, 5% at each).")
    if equal:
        sentences.append(f"Equal within the margin are {equal} of {count} pairs (p < 0.05, {tested}).")
    rest = count - claimed - equal
    if rest:
        what = "value" if vary == "fraction" else "augmentation"
        where = f"of {len(found)} {what}s" if len(found) > 1 else f"of one {what}"
        are = "are" if rest > 1 else "is"
        text = f"{rest} of {count} pairs {where} {are} not told apart in {metric.label} ({tested}, 5% at each)"
        text += _needed(found, replicates)
        sentences.append(
            f"Nothing is decided: {text}." if not claimed and not equal else f"{text[0].upper()}{text[1:]}."
        )
    return paragraph(sentences)


def _needed(found: Mapping[Any, Comparison], replicates: str) -> str:
    """What would tell the closest pair apart that is not told apart."""
    if replicates == "folds":
        return f"; more {next(iter(found.values())).items} might tell them apart"
    closest = min(
        (pair for one in found.values() for pair in one.differences if not (pair.claimed or pair.equal)),
        key=lambda pair: pair.seeds_needed,
    )
    return f"; {seeds_needed(closest)} would tell the closest apart, if the difference is what it seems"


def _text_table(table: pd.DataFrame, vary: str, caption: str, settings: Mapping[str, Any], of_steps: str) -> Tabular:
    """A line per augmentation, a column per value."""
    metric = metric_of(settings)
    compared = table[table["estimator"] == metric.name]
    values = sorted(compared["setting"].unique())
    lines = []
    shown = {
        (row["augmentation"], row["setting"]): plus_minus(row["mean"], row["std"], 2)
        for row in compared.to_dict("records")
    }
    for augmentation in dict.fromkeys(compared["augmentation"]):
        lines.append([label(augmentation), *(shown.get((augmentation, value), "—") for value in values)])
    on = f"{int(compared['n'].max()):,} {settings['scored']} {_items(settings)}"
    note = f"{metric.label} in % on the {on}, last epoch; mean ± standard deviation over replicates{of_steps}"
    head = ["augmentation", *(f"{SYMBOLS[vary]} = {value:g}" for value in values)]
    return Tabular([head], lines, caption, [note])


def _comparisons(
    table: pd.DataFrame,
    vary: str,
    replicates: str,
    components: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> dict[float | str, Comparison]:
    """What is compared: over shares of the training items, augmentations at each; else each augmentation's values."""
    metric = metric_of(settings)
    chosen = table[table["estimator"] == metric.name]
    if replicates == "folds":
        chosen = chosen.assign(image_error=0.0)
    measure = {"fraction": "training size"}.get(vary, "decay power") if metric == ACCURACY else metric.name
    found: dict[float | str, Comparison] = {}
    for place, rows in chosen.groupby("setting" if vary == "fraction" else "augmentation", sort=vary == "fraction"):
        of: Any = place
        if vary != "fraction":
            rows = rows.assign(augmentation=[f"{SYMBOLS[vary]} = {value:g}" for value in rows["setting"]])
        variance = Components.from_json((components or {}).get(measure_of(vary, of, metric)))
        comparison = compared_in(measure, rows, variance, {}, _items(settings))
        if comparison is not None:
            found[of] = comparison
    return found


def ablation_conclusions(
    table: pd.DataFrame,
    vary: str,
    replicates: str = "seeds",
    components: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """What the accuracies allow one to say, or what else is compared; the paper's statements are about images.

    Over shares of the training items, augmentations are compared at each; over α and δ, the values of each
    augmentation.

    Args:
        table: ``augmentation``, ``setting``, ``estimator``, ``mean``, ``std``, ``seeds``, ``image_error``, ``n``;
            accuracies in per cent.
        vary: what ``setting`` is.
        replicates: seeds or folds, each of which is scored on items of its own: their spread holds the items' draw.
        components: a document's, of the variance of each comparison.
        settings: of the networks (None: of images with one class each).
    """
    metric, items = metric_of(settings or {}), _items(settings or {})
    means = table[table["estimator"] == metric.name]
    parts = []
    for place, comparison in _comparisons(table, vary, replicates, components, settings or {}).items():
        if vary == "fraction":
            subject, statements = f"{_initial(metric.label)} at {place:.4g} of the training {items}", "training size"
        else:
            subject = f"{label(str(place))}'s {metric.label} over {SYMBOLS[vary]}"
            statements = "decay power" if (vary, place) == ("decay-power", "fmix") else ""
        if items != "images" or metric != ACCURACY:
            statements = ""
        lines = told_apart(comparison, subject, "points", 2, replicates=replicates)
        if vary != "fraction":
            best = means[means["augmentation"] == place].sort_values("mean").to_dict("records")[-1]
            lines[0] += f" The largest mean, {best['mean']:.2f}%, is at {SYMBOLS[vary]} = {best['setting']:g}."
        lines.append(claims_sentence(statements, comparison, replicates) if statements else "")
        parts.append("\n".join(filter(None, lines)))
    if not parts:
        return "With one replicate each, no difference can be claimed."
    notes = []
    if len(parts) > 1:
        # Bonferroni's inequality, which asks nothing of how the tests depend on each other
        notes.append(
            f"Each of the {len(parts)} tests errs in 5% of all cases, one of them in at most {5 * len(parts)}%."
        )
    if replicates == "folds":
        values = "accuracies" if metric == ACCURACY else f"values of {metric.label}"
        folds = (
            f"Folds share training images: between training sets that do not, {values} spread more than here. Each is "
            "scored on images of its own, so that their spread holds the draw of the images."
        )
        notes.append(said_of(items, folds))
    elif not components:
        notes.append(said_of(items, ADDED))
    return "\n\n".join([*parts, " ".join(notes)] if notes else parts)


def _steps(config: Config, _: Sequence[Step]) -> Iterator[Step]:
    networks = []
    for point in config.points():
        data = config.data_at(point.value, point.fold)
        settings = config.settings_on(loaded(data, not config.execution.dry_run), point.value)
        networks.append(step_of(TrainConfig(None, point.augmentation, point.seed, data, settings, config.execution)))
    yield from networks
    yield from document_step(config, networks)


JOB = Job(PROGRAM, _steps, SECTIONS)
