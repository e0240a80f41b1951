"""Test accuracy of classifiers trained under each augmentation: ``python -m analysis.accuracy``.

Trains the classifiers that are missing, reuses those that are there, and compares the accuracies of their last epoch on
the clean test images, seeds being the replicates (`findings.comparisons`): an augmentation *pays* where it is claimed
to be above the baseline, trained on as many images for as many epochs. Beside them stands what classifiers say of clean
training images, and what was minimised, the loss on augmented ones, at the end and over the epochs.

Of items with several labels each it is not accuracies that are compared but areas under the receiver operating
characteristic, the *ROC-AUC* (`tasks.metrics`): where labels are rare, most decisions are right whatever is said. What
images are called where they are something else, texts say, and which metric it is, is in the settings of the networks
(`classifiers.grid.settings_of`).

The record holds what later statistics need of single images: whether each classifier is right about each of them, or
what each adds to the ROC-AUC, and, in ``logits-AUGMENTATION-seedN.npz`` beside it, its logits in half precision
(`read_logits`).

Networks of texts have a linear model of words beside them: where it is better, they are poor specimens, and what is
told between augmentations is of poor networks.
"""

import base64
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from analysis.accuracy.figures import draw_learning_curves
from analysis.accuracy.section import MEDIAN, SECTIONS, alone, columns, metric_of
from analysis.bounds.bound import standard_error
from classifiers.curve import LAST, WATCHED, recorded_curve
from classifiers.grid import GRAPHEME, ClassifierGrid, grid_steps, metrics_of_run, settings_of
from classifiers.load import kept_logits
from classifiers.text.linear import linear_logits
from classifiers.train import Config as TrainConfig
from classifiers.train import step_of
from figures import in_usual_order, label, save
from figures.panels import draw_seeds
from findings import Result, publish
from findings.bottom_line import SMOKE, behind, found_sentence, paragraph, undecided_sentence
from findings.comparisons import Comparison, as_family
from findings.components import Components, components
from findings.decisions import decide, decisions_sentence, in_short
from findings.document import check_joinable, latest
from findings.over_seeds import headlines, of_networks, over_seeds
from findings.published import beside, compared, published
from findings.row import row
from findings.sentences import ADDED, enumerated, p_value, said_of, seeds_needed, the, told_apart
from findings.table import plus_minus
from findings.text import Tabular, Text
from store import BadInput, Run, evidence, slug, write_atomically
from store.command_line import json_document
from store.places import in_own_directory
from tasks import Task, load
from tasks.components import one_component, rows_of
from tasks.metrics import ACCURACY, ROC_AUC, Metric, metrics_of, of_components
from tasks.task import Component
from training.grid import Which
from training.job import Job, Step, document_step, loaded
from training.live import asked_from_python
from training.until import until_decided

__all__ = [
    "Config",
    "accuracy_components",
    "accuracy_conclusions",
    "accuracy_rows",
    "comparisons",
    "draw",
    "joined",
    "linear_of",
    "logits_file",
    "look",
    "pays",
    "read_logits",
    "run",
    "text_of",
    "training_rows",
    "verdicts_of",
]

PROGRAM = "python -m analysis.accuracy"


@dataclass(frozen=True)
class Config(ClassifierGrid):
    """Compare the test accuracies of classifiers trained under each augmentation.

    A table and a figure of accuracies over seeds, with every difference between two augmentations tested, and
    result.json come out, in OUT/accuracy-DATA; the classifiers stay in the store.
    """

    first_seed: int = 1
    """the first of them, where those before it have been compared: seeds FIRST_SEED to FIRST_SEED + SEEDS - 1"""
    apart: bool = False
    """of data with several questions an item, graphemes say: train a network for each question, as the paper does, and
    put their answers together (otherwise one network answers all)"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.apart and self.data.component is not None:
            raise BadInput("--apart", f"beside --component {self.data.component}", "one of the two")

    def by_component(self, data: Task) -> dict[str | None, "Config"]:
        """The configurations of the networks, by what they are asked: None for all that the data ask.

        Raises:
            BadInput: networks apart, for data that ask one thing.
        """
        if not self.apart:
            return {None: self}
        if not data.components:
            needed = "data with several questions an item: bengali:FOLDER, bengali-printed, say"
            raise BadInput("--apart", f"with {data.name}", needed)
        names = [component.name for component in data.components]
        return {name: replace(self, apart=False, data=replace(self.data, component=name)) for name in names}


Networks = tuple[Run, ...]
"""The runs that trained what answers all questions of an item: one, or one for every component, in their order."""


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Train what is missing and compare; print as it goes, unless ``--json -`` claims standard output."""
    return until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    config = config.smoked()
    options = config.execution
    data = load(config.data, download=not options.dry_run)
    asked = config.by_component(data)
    tasks = {name: one_component(data, name) if name else data for name in asked}
    if options.dry_run:
        for name, part in asked.items():
            part.say(tasks[name])
        return Result([])
    plans = [part.plan(tasks[name]) for name, part in asked.items()]
    plan = sum(plans[1:], plans[0])
    plan.say("their accuracies", options)
    runs, failures = [], []
    with plan.progress("", options):
        for name, part in asked.items():
            of_component, failed = part.train(tasks[name])
            runs.append(of_component)
            failures += failed
    whole = [network for network in runs[0] if all(network in of_component for of_component in runs)]
    if not whole:
        raise SystemExit("of no network are all components there:\n" + "\n".join(failures))
    trained = {network: tuple(of_component[network] for of_component in runs) for network in whole}
    rows: list[dict[str, Any]] = []
    for network, classifiers in trained.items():
        rows += accuracy_rows(classifiers, *network) + training_rows(classifiers, *network)
    return _report(config, data, trained, rows, failures)


def _settings(trained: Networks, data: Task | None = None) -> dict[str, Any]:
    """The settings of what answers (`classifiers.grid.settings_of`): of the first network, with what all are asked."""
    settings = settings_of(trained[0])
    if len(trained) > 1 and data is not None:
        components = {component.name: component.classes for component in data.components}
        settings |= {"data": data.name, "classes": data.classes, "components": components, "apart": True}
        settings |= {"items": "graphemes"} if GRAPHEME.issubset(components) else {}
    return settings


def linear_of(data: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a linear model of words does on the scored texts (`classifiers.text.linear`), as a document carries it.

    Args:
        data: with texts as they are written; of other items there is none.
        settings: of the networks, with what is compared.

    Returns:
        ``linear``, the ``value`` of that metric with its ``standard_error`` over ``n`` texts; or nothing.
    """
    logits = linear_logits(data) if data.items == "texts" else None
    if logits is None:
        return {}
    of_items = metrics_of(data.test.targets, data.several, data.classes)
    metric = next(one for one in of_items if one.name == metric_of(settings).name)
    values = metric.factor * metric.values(logits, data.test.targets)
    error = standard_error(values) if len(values) > 1 else None
    return {"linear": {"value": float(values.mean()), "standard_error": error, "n": len(values)}}


def _logits(trained: Networks) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K) of the scored images in float64, and their classes (N,), or rows (N, K)."""
    kept = [kept_logits(run) for run in trained]
    if len(kept) == 1:
        return kept[0][0].double(), kept[0][1]
    sizes = [Component(str(place), logits.shape[1]) for place, (logits, _) in enumerate(kept)]
    return torch.cat([logits.double() for logits, _ in kept], 1), rows_of(
        torch.stack([one for _, one in kept], 1), sizes
    )


def verdicts_of(trained: Networks) -> np.ndarray:
    """Whether one classifier is right about each of the scored images, (N,) bool, in their order; of several
    components, about all of them."""
    logits, labels = _logits(trained)
    right = next(metric for metric in _metrics(trained, logits, labels) if metric.name == ACCURACY.name)
    return right.values(logits, labels).numpy() > 0.5


def _metrics(trained: Networks, logits: torch.Tensor, labels: torch.Tensor) -> list[Metric]:
    """The metrics of a classifier that every item has."""
    if len(trained) == 1:
        return metrics_of_run(trained[0], logits, labels)
    names = [run.result()["component"] for run in trained]
    sizes = [run.result()["config"]["classes"] for run in trained]
    return list(of_components([Component(*one) for one in zip(names, sizes, strict=True)]))


def accuracy_components(verdicts: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any] | None:
    """Variance components of an accuracy, or another share, in per cent, as a document carries them.

    Args:
        verdicts: by augmentation, (N,) of each seed, on the same images.
    """
    variance = components({name: 100.0 * np.stack(of_seeds) for name, of_seeds in verdicts.items()})
    return None if variance is None else variance.as_json()


def accuracy_rows(trained: Networks, augmentation: str, seed: int) -> list[dict[str, Any]]:
    """Accuracy in per cent, cross entropy and, where there is one, ROC-AUC in per cent of one classifier from its
    logits, with their errors over images."""
    scored = "test" if trained[0].result()["scored"] == "test" else "validation"
    logits, labels = _logits(trained)
    network = {"inputs": "clean", "augmentation": augmentation, "seed": seed, "n": len(logits)}
    rows = []
    for metric in _metrics(trained, logits, labels):
        values = metric.factor * metric.values(logits, labels)
        error = standard_error(values) if len(values) > 1 else None
        what = row(f"{scored} {metric.label}", metric.name, float(values.mean()), units=metric.unit, **network)
        rows.append(what | {"standard_error": error})
    return rows + _further_rows(trained, augmentation, seed)


def _further_rows(trained: Networks, augmentation: str, seed: int) -> list[dict[str, Any]]:
    """Accuracies of one classifier on further test parts, where data have them and one network answers."""
    rows = []
    for name, found in (trained[0].result().get("further", {}) if len(trained) == 1 else {}).items():
        n, share = found["n"], found["accuracy"]
        error = 100 * math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else None
        where = {"inputs": "clean", "augmentation": augmentation, "seed": seed, "n": n, "standard_error": error}
        rows.append(row(f"{name} accuracy", f"{name}_accuracy", 100 * share, units="%", **where))
    return rows


def training_rows(trained: Networks, augmentation: str, seed: int) -> list[dict[str, Any]]:
    """What one classifier says of clean training images at its end, and what its last epoch had minimised.

    Nothing of runs that are older than the learning curve. The loss is on augmented images, with their targets: between
    augmentations it compares nothing. With several labels each, images are not right or wrong, and how far they differ
    is not known. Networks of single components have curves of their own, which are not put together.
    """
    record = trained[0].result()
    if len(trained) > 1 or not (curve := recorded_curve(trained[0])):
        return []
    n, share = min(WATCHED, record["training_images"]), curve[-1]["training_accuracy"]
    known = n > 1 and not settings_of(trained[0]).get("several", False)
    error = 100 * math.sqrt(share * (1 - share) / (n - 1)) if known else None
    network = {"augmentation": augmentation, "seed": seed}
    clean = {"inputs": "clean", "standard_error": error, "n": n} | network
    augmented = {"inputs": "own-augmented", "n": record["training_images"]} | network
    rows = [
        row("training accuracy", "training_accuracy", 100 * share, units="%", **clean),
        row("training loss", "training_loss", curve[-1]["loss"], units="nats", **augmented),
    ]
    last = [point["accuracy"] for point in curve if point["epoch"] > record["config"]["epochs"] - LAST]
    if len(last) == LAST:
        watched = min(WATCHED, record["metrics"]["n"])
        what = f"median accuracy of the last {LAST} epochs"
        where = {"inputs": "clean", "n": watched} | network
        rows.append(row(what, MEDIAN, 100 * float(np.median(last)), units="%", **where))
    return rows


def _report(
    config: Config, data: Task, trained: dict[Which, Networks], rows: list[dict[str, Any]], failures: list[str]
) -> Result:
    """Print and write table, figure, sentences and the JSON document."""
    settings = _settings(next(iter(trained.values())), data)
    options, name = config.execution, settings["data"]
    watermark = "SMOKE RUN" if config.smoke else None
    about = {"title": "", "data": name, "settings": settings, "watermark": watermark, "conclusions": ""}
    about |= linear_of(data, settings)
    about["curves"] = [
        {"augmentation": augmentation, "seed": seed} | point
        for (augmentation, seed), classifiers in trained.items()
        if len(classifiers) == 1
        for point in recorded_curve(classifiers[0])
    ]
    more = _kept(trained, metric_of(settings), settings)
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures} | more
    about["title"] = _title(document)
    text, about["conclusions"] = text_of(document)
    kind = f"{'-apart' if config.apart else ''}{'-smoke' if config.smoke else ''}"
    directory = options.out / f"accuracy-{slug(name.lower())}{kind}"
    for network, classifier in trained.items():
        _write_logits(directory, classifier, *network)
    files = draw(document, directory)
    table = over_seeds(rows)
    rows = headlines(rows) + rows
    decisions = decide(comparisons(document), document["config"])
    result = Result(rows, table, text, files, failures, decisions)
    networks = evidence(
        ({"augmentation": one, "seed": seed} | ({"component": run.result()["component"]} if config.apart else {}), run)
        for (one, seed), classifiers in trained.items()
        for run in classifiers
    )
    return publish(result, PROGRAM, config, directory, about, networks, more)


def _title(document: Mapping[str, Any]) -> str:
    """What was trained on what for how long, with how many seeds."""
    settings = document["about"]["settings"]
    seeds = len({row["seed"] for row in document["results"] if row["seed"] is not None})
    width = f" of width {settings['width']}" if settings["width"] else ""
    half = ", forward pass in bfloat16" if settings.get("precision") == "bf16" else ""
    return (
        f"{_initial(metric_of(settings).label)} on {settings['data']}: {settings['network']}{width}, "
        f"{'one for each question, ' if settings.get('apart') else ''}"
        f"{settings['train_images']:,} training {_items(settings)}, {settings['epochs']} epochs, "
        f"{seeds} seed{'s' if seeds > 1 else ''}{half}"
    )


def _initial(label: str) -> str:
    return label[0].upper() + label[1:]


def _of_metric(settings: Mapping[str, Any]) -> str:
    """What a number is of, before it; nothing for an accuracy."""
    metric = metric_of(settings)
    return "" if metric == ACCURACY else f"{metric.label} of "


def _items(settings: Mapping[str, Any]) -> str:
    """What is classified, in words."""
    return str(settings.get("items", "images"))


def draw(document: Mapping[str, Any], directory: Path) -> list[Path]:
    """Draw the figures of a document's numbers, with the numbers behind each.

    Returns:
        The files, and those with its classifiers' logits that are there.
    """
    about, rows = document["about"], of_networks(document["results"])
    metric = metric_of(about["settings"])
    accuracies = rows[rows["estimator"] == metric.name][["augmentation", "seed", "value", "standard_error", "n"]]
    accuracies = accuracies.astype({"seed": int, "n": int})  # beside the means, which have no seed, they are not
    words = f"{about['settings']['scored']} {metric.label} in {metric.unit}"
    yardstick = {LINEAR_WORDS: about["linear"]["value"]} if "linear" in about else {}
    figure = draw_seeds(accuracies, words, about["title"], yardstick)
    files = save(figure, directory / "accuracy", accuracies, watermark=about["watermark"])
    if about.get("curves"):
        curves = pd.DataFrame(about["curves"])
        title = about["title"].removeprefix(f"{_initial(metric.label)} on ")
        figure = draw_learning_curves(curves, title, _items(about["settings"]))
        files += save(figure, directory / "learning-curves", curves, watermark=about["watermark"])
    logits = (
        logits_file(directory, verdict["augmentation"], verdict["seed"]) for verdict in document.get("verdicts", [])
    )
    return files + [file for file in logits if file.is_file()]


def logits_file(directory: Path, augmentation: str, seed: int) -> Path:
    """Where a document in ``directory`` keeps the logits of one classifier."""
    return directory / f"logits-{slug(augmentation)}-seed{seed}.npz"


def _write_logits(directory: Path, trained: Networks, augmentation: str, seed: int) -> None:
    """Pack one classifier's logits of the scored images, with their labels, into a file of a document."""
    path = in_own_directory(logits_file(directory, augmentation, seed))
    logits, labels = (tensor.numpy() for tensor in _logits(trained))
    settings = settings_of(trained[0])
    if not (settings.get("several", False) or settings.get("components") or len(trained) > 1):
        # of each image less its largest: the softmax is the same, and half precision is finest where it matters
        logits = logits - logits.max(1, keepdims=True)
    half = np.finfo(np.float16)
    packed = logits.clip(float(half.min), float(half.max)).astype(np.float16)
    whole = labels.ndim == 1 or bool(np.isin(labels, (0, 1)).all())
    small = labels.astype(np.min_scalar_type(int(labels.max()))) if whole else labels
    with write_atomically(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, logits=packed, labels=small)


def read_logits(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels as a document keeps them.

    Args:
        path: of ``logits-AUGMENTATION-seedN.npz`` beside the document.

    Returns:
        Logits (N, K), float64, less each image's largest, off by up to 1/2000 of themselves (the softmax is that of the
        classifier's; of several labels an image, the logits themselves); and labels: (N,) int64, or (N, K).
    """
    with np.load(path, allow_pickle=False) as kept:
        labels = kept["labels"]
        return (
            torch.from_numpy(kept["logits"].astype(np.float64)),
            torch.from_numpy(labels.astype(np.int64) if labels.ndim == 1 else labels),
        )


NETWORK_KEYS = ("augmentation", "seed")
"""What tells one classifier of a document from the others."""


def joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One document of several that compared classifiers of other seeds or augmentations, trained in the same way.

    Args:
        documents: of this job, of networks that differ in seed and augmentation alone. Of what is in two of them, the
            numbers of the later count.

    Returns:
        The document, its text remade; the figures are `draw`'s, and the files of logits are the documents' own.

    Raises:
        BadInput: documents of other settings or data.
    """
    check_joinable(documents)
    rows = latest(
        (row for document in documents for row in document["results"] if row["seed"] is not None),
        (*NETWORK_KEYS, "quantity", "estimator"),
    )
    names = in_usual_order(row["augmentation"] for row in rows)
    rows = sorted(rows, key=lambda row: (names.index(row["augmentation"]), row["seed"]))
    seeds = sorted({row["seed"] for row in rows})
    changed = {"augmentations": names, "seeds": len(seeds), "first_seed": seeds[0]}
    verdicts = latest((one for document in documents for one in document["verdicts"]), NETWORK_KEYS)
    verdicts.sort(key=lambda one: (names.index(one["augmentation"]), one["seed"]))
    curves = latest((one for document in documents for one in document["about"]["curves"]), (*NETWORK_KEYS, "epoch"))
    first = documents[0]
    whole = dict(first) | {
        "config": first["config"] | changed,
        "results": headlines(rows) + rows,
        "about": first["about"] | {"curves": curves},
        "runs": latest(
            (run for document in documents for run in document["runs"]),
            (*NETWORK_KEYS, "component") if first["config"].get("apart") else NETWORK_KEYS,
        ),
        "failures": [failure for document in documents for failure in document["failures"]],
        "verdicts": verdicts,
        "components": _components(verdicts, metric_of(first["about"]["settings"])),
    }
    whole["about"]["title"] = _title(whole)
    text, whole["about"]["conclusions"] = text_of(whole)
    whole["text"], whole["about"]["bottom_line"] = text, text.bottom_line
    return whole


def _components(verdicts: Sequence[Mapping[str, Any]], metric: Metric) -> dict[str, Any]:
    """Variance components of what augmentations are compared in, from the verdicts that a document holds."""
    by_augmentation: dict[str, list[np.ndarray]] = {}
    for verdict in verdicts:
        by_augmentation.setdefault(verdict["augmentation"], []).append(_unpacked(verdict))
    variance = accuracy_components(by_augmentation)
    return {} if variance is None else {metric.name: variance}


def _kept(trained: Mapping[Which, Networks], metric: Metric, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a document keeps of the verdicts of each image.

    ``components`` of the variance of ``metric``, and ``verdicts``: of each classifier, ``right`` about each of
    ``images`` scored images, as base64 of bits, the first image in the highest bit of the first byte; or, of several
    labels an image, the ``values`` whose mean is the metric, as base64 of zlib's float32, lowest byte first. Of a
    ROC-AUC of several labels also ``rarest``, how many images have the rarest label, or lack the commonest one.
    """
    verdicts = []
    for (augmentation, seed), classifier in trained.items():
        verdict = {"augmentation": augmentation, "seed": seed} | _packed(classifier, metric, settings)
        verdicts.append(verdict)
    kept = {"components": _components(verdicts, metric), "verdicts": verdicts}
    return kept | ({"rarest": _rarest(next(iter(trained.values())))} if metric == ROC_AUC else {})


def _rarest(trained: Networks) -> int:
    """How many scored images have the rarest of the labels that some have and some have not, or lack the commonest."""
    there = _logits(trained)[1] > 0.5
    fewer = torch.minimum(there.sum(0), (~there).sum(0))
    return int(fewer[fewer > 0].min())


def _packed(trained: Networks, metric: Metric, settings: Mapping[str, Any]) -> dict[str, Any]:
    if not settings.get("several", False):
        right = verdicts_of(trained)
        return {"images": len(right), "right": base64.b64encode(np.packbits(right).tobytes()).decode("ascii")}
    logits, labels = _logits(trained)
    (of_items,) = (one for one in _metrics(trained, logits, labels) if one.name == metric.name)
    values = of_items.values(logits, labels).numpy().astype("<f4")
    return {"images": len(values), "values": base64.b64encode(zlib.compress(values.tobytes())).decode("ascii")}


def _unpacked(verdict: Mapping[str, Any]) -> np.ndarray:
    """What a document holds of each image, (N,): whether the classifier is right about it, or its share of a metric."""
    if "right" in verdict:
        bits = np.frombuffer(base64.b64decode(verdict["right"]), np.uint8)
        return np.unpackbits(bits, count=verdict["images"]).astype(bool)
    return np.frombuffer(zlib.decompress(base64.b64decode(verdict["values"])), "<f4")


def comparisons(document: Mapping[str, Any]) -> dict[str, Comparison | None]:
    """What ``--until decided`` is about: the accuracies of a document's augmentations, or what else is compared."""
    settings = document["about"]["settings"]
    metric = metric_of(settings)
    table = over_seeds(of_networks(document["results"]))
    variance = Components.from_json((document.get("components") or {}).get(metric.name))
    accuracies = table[table["estimator"] == metric.name]
    return {metric.label: compared(metric.name, accuracies, variance, document["config"], _items(settings))}


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of a document of accuracies, made again from its rows and its variance components.

    Returns:
        The whole text, and its sentences without the table.
    """
    about = document["about"]
    settings, watermark = about["settings"], about["watermark"]
    table = over_seeds(of_networks(document["results"]))
    variance = Components.from_json((document.get("components") or {}).get(metric_of(settings).name))
    config = document["config"]
    conclusions = accuracy_conclusions(table, settings, variance, config)
    compared_ones = comparisons(document)
    (comparison,) = compared_ones.values()
    decisions = decide(compared_ones, config)
    blocks = (conclusions, _beside_linear(document), decisions_sentence(decisions, config))
    conclusions = "\n\n".join(block for block in blocks if block)
    line = SMOKE if watermark else _bottom_line(table, comparison, settings, in_short(decisions, config))
    if not watermark and (poor := _beside_linear(document)):
        line = f"{line} {poor}"
    shown = _text_table(table, about["title"], settings, document.get("rarest"))
    return Text(line, [shown, conclusions]), conclusions


LINEAR_WORDS = "a linear model of words"
"""What is beside networks of texts."""


def _beside_linear(document: Mapping[str, Any]) -> str:
    """How many networks are below a linear model of words on the same texts; nothing where there is none."""
    linear, metric = document["about"].get("linear"), metric_of(document["about"]["settings"])
    if linear is None:
        return ""
    rows = of_networks(document["results"])
    values = rows.loc[rows["estimator"] == metric.name, "value"]
    error = "" if linear["standard_error"] is None else f"± {linear['standard_error']:.2f} over "
    below, of = int((values < linear["value"]).sum()), len(values)
    which = "all" if below == of else "none" if not below else f"{below}"
    return (
        f"A linear model of words, a logistic regression on tf–idf, has {metric.label} {linear['value']:.2f}% "
        f"({error}{linear['n']:,} text{'s' if linear['n'] > 1 else ''}): {which} of {of} networks "
        f"{'is' if below == 1 else 'are'} below it."
    )


def _bottom_line(table: pd.DataFrame, comparison: Comparison | None, settings: Mapping[str, Any], until: str) -> str:
    """Which augmentations pay, which others differ and by how much, and what would decide the rest."""
    metric = metric_of(settings)
    accuracy = table[table["estimator"] == metric.name]
    if comparison is None:
        (n,) = {int(n) for n in accuracy["n"]}
        values = enumerated(
            [
                f"{mean:.2f}% with {the(str(name))}"
                for name, mean in zip(accuracy["augmentation"], accuracy["mean"], strict=True)
            ]
        )
        alone = (
            "" if len(accuracy) < 2 else "With one seed each, no difference can be claimed: several seeds would tell."
        )
        return paragraph([f"On {n:,} {_items(settings)} the {metric.label} is {values}.", alone, until])
    means = dict(zip(accuracy["augmentation"], accuracy["mean"], strict=True))
    others = [pair for pair in comparison.differences if "none" not in (pair.higher, pair.lower)]
    beside_it = len(others) < len(comparison.differences)
    what = f"In {metric.label}, between the others" if beside_it else f"In {metric.label}"
    return paragraph(
        [
            _pays_in_short(comparison, means, settings) if beside_it else "",
            found_sentence(comparison, what, "points", 2, pairs=others),
            undecided_sentence(comparison, f"in {metric.label}", pairs=others, whole=not beside_it) if others else "",
            until,
        ]
    )


def _pays_in_short(comparison: Comparison, means: Mapping[Any, Any], settings: Mapping[str, Any]) -> str:
    """Which augmentations pay and which cost, beside the baseline, and of which it cannot be told; as `pays` has it."""
    pay, cost, equal, untold = [], [], [], []
    for pair in as_family([pair for pair in comparison.differences if "none" in (pair.higher, pair.lower)]):
        above = pair.lower == "none"
        name, by = the(pair.higher if above else pair.lower), f"{pair.value:.2f} points ({p_value(pair.p)})"
        if pair.equal and not pair.claimed:
            equal.append(f"{name} is equal within ±{pair.margin:.2g} points ({p_value(pair.p_equal)})")
        elif not pair.claimed:
            untold.append(pair)
        elif above:
            pay.append(f"{name} pays, by {by}")
        else:
            cost.append(f"{name} costs {by}")
    scored = behind(comparison.seeds, comparison.images, items=comparison.items)
    tested = (
        f"beside the baseline's {_of_metric(settings)}{means['none']:.2f}% ({scored}; trained on "
        f"{settings['train_images']:,} for {settings['epochs']} epochs)"
    )
    names = enumerated([the(pair.higher if pair.lower == "none" else pair.lower) for pair in untold]) if untold else ""
    if not (pay or cost or equal):
        needed = min(untold, key=lambda pair: pair.seeds_needed)
        would = f"{seeds_needed(needed)} would tell of the closest, if its difference is what it seems"
        return f"Whether {names} pay{'s' if len(untold) == 1 else ''} cannot be told {tested}; {would}."
    parts = [", ".join([*pay, *cost, *equal])]
    parts += [f"whether {names} pay{'s' if len(untold) == 1 else ''} cannot be told"] if untold else []
    return f"B{tested[1:]}: {'; '.join(parts)}."


def _text_table(table: pd.DataFrame, caption: str, settings: dict[str, Any], rarest: int | None) -> Tabular:
    """The table: mean ± standard deviation over seeds, published values beside ours."""
    metric, items = metric_of(settings), _items(settings)
    quoted = {
        str(name): str(number)
        for name in table["augmentation"]
        for number in published(metric.name)
        if number.augmentation == name and number.setting["network"] == settings["network"] and items == "images"
    }
    shown: dict[str, tuple[str, str, int]] = {
        **{one.name: (one.label, one.unit or "", one.places) for one in columns(settings)},
        **{name: (words, "%", 2) for name, words in alone(settings).items()},
        MEDIAN: (f"median of the last {LAST} epochs", "%", 2),
        "training_accuracy": (f"on training {items}", "%", 1),
        "training_loss": ("training loss", "nats", 3),
    }
    shown = {name: column for name, column in shown.items() if (table["estimator"] == name).any()}
    head = [["augmentation", *(name for name, _, _ in shown.values())], ["", *(unit for _, unit, _ in shown.values())]]
    lines = []
    if quoted:
        head[0].append("published ‡")
        head[1].append("CIFAR-10, %")
    for augmentation, rows in table.groupby("augmentation", sort=False):
        by = rows.set_index("estimator")
        line = [label(str(augmentation))]
        for name, (_, _, digits) in shown.items():
            line.append(plus_minus(by["mean"][name], by["std"][name], digits))
        if quoted:
            line.append(quoted.get(str(augmentation), ""))
        lines.append(line)
    n = int(table[table["estimator"] == metric.name]["n"].max())
    notes = [f"of the last epoch, on the {n:,} {settings['scored']} {items}; mean ± standard deviation over seeds"]
    if settings.get("several", False):
        notes.append(_of_several(items, rarest))
    if "training_accuracy" in shown:
        notes.append(
            f"on training {items}: accuracy there, as they are; training loss: on augmented ones, with their targets, "
            "the mean over the last epoch"
        )
    if MEDIAN in shown and n > WATCHED:
        notes.append(f"median of the last {LAST} epochs: on {WATCHED:,} of them, always the same")
    if quoted:
        notes.append("‡ width 64, 50,000 images, 200 epochs, 5 trials")
    return Tabular(head, lines, caption, notes)


FEW = 30
"""Items with a label, or without, below which the intervals of its ROC-AUC are too narrow (`tasks.metrics`): with nine
of 300, of one label alone, 8% of comparisons of equal augmentations make a false claim instead of 5% (simulated)."""


def _of_several(items: str, rarest: int | None) -> str:
    """What metrics are of several labels an item, in a note under the table.

    Args:
        items: what they are called.
        rarest: how many have the rarest label; None where there is no ROC-AUC.
    """
    decisions = "accuracy: the share of decisions about single labels that are right; "
    if rarest is None:
        return f"{decisions}no ROC-AUC, for there is no label that some of these {items} have and others have not"
    area = f"ROC-AUC: the mean over all labels that some of these {items} have and others have not, at least {rarest}"
    return f"{decisions}{area}" + (", so few that its intervals are too narrow" if rarest < FEW else "")


def accuracy_conclusions(
    table: pd.DataFrame,
    settings: dict[str, Any],
    parts: Components | None = None,
    config: Mapping[str, Any] | None = None,
) -> str:
    """What the accuracies allow one to say.

    Args:
        table: `findings.over_seeds.over_seeds`' lines of ``accuracy``, or of what else is compared, in per cent.
        settings: of the runs, with ``data``, ``train_images`` and ``scored``.
        parts: variance components of it; without, the images' errors of both are added in full.
        config: a document's, by which augmentations are compared (`findings.published.compared`).
    """
    metric, items = metric_of(settings), _items(settings)
    accuracy = table[table["estimator"] == metric.name]
    comparison = compared(metric.name, accuracy, parts, config or {}, items)
    means = accuracy.set_index("augmentation")["mean"].sort_values()
    if comparison is None:
        if len(means) < 2:
            return ""
        listed = " < ".join(f"{the(str(name))} {value:.2f}" for name, value in means.items())
        values = "accuracies" if metric == ACCURACY else f"values of {metric.label}"
        return f"The {values} are {listed}%. With one seed each, no difference can be claimed."
    lines = told_apart(comparison, _initial(metric.label), "points", 2)
    if parts is None:
        lines.append(said_of(items, ADDED))
    ours = {
        (metric.name, row["augmentation"]): (float(row["mean"]), float(row["std"]), int(row["seeds"]))
        for row in accuracy.to_dict("records")
    }
    blocks = [pays(comparison, dict(means), settings), "\n".join(lines), _spectra(comparison, accuracy)]
    published_ones = beside(ours, settings, comparison.looks)
    return "\n\n".join(block for block in [*blocks, published_ones] if block)


def pays(comparison: Comparison, means: Mapping[Any, Any], settings: Mapping[str, Any]) -> str:
    """Whether each augmentation makes classifiers better than the baseline, trained on as much for as long.

    The comparisons with the baseline are a family of their own, fixed beforehand: not all pairs.

    Args:
        comparison: of all pairs of augmentations.
        means: accuracy by augmentation, or what else is compared, in per cent.
        settings: of the runs.
    """
    pairs = [pair for pair in comparison.differences if "none" in (pair.higher, pair.lower)]
    if not pairs:
        return ""
    differences: dict[str, list[str]] = {"pay": [], "cost": [], "cannot be told": []}
    for pair in as_family(pairs):
        above = pair.lower == "none"
        name, sign = (pair.higher, 1) if above else (pair.lower, -1)
        low, high = sorted((sign * pair.low, sign * pair.high))
        verdict = ("pay" if above else "cost") if pair.claimed else "cannot be told"
        difference = f"{the(name)} {sign * pair.value:+.2f} ({low:+.2f} to {high:+.2f})".replace("-", "−")
        differences[verdict].append(difference)
    more, less = ("more accurate", "less accurate") if metric_of(settings) == ACCURACY else ("higher", "lower")
    words = {"pay": f"{more}, so that it pays", "cost": less, "cannot be told": "not told apart"}
    verdicts = "; ".join(f"{words[verdict]}: {', '.join(listed)}" for verdict, listed in differences.items() if listed)
    tests = f"{len(pairs)} comparison{'s' if len(pairs) > 1 else ''}"
    return (
        f"Does it pay? Trained on {settings['train_images']:,} {comparison.items} for {settings['epochs']} epochs, "
        f"beside the baseline's {_of_metric(settings)}{means['none']:.2f}%, in points (simultaneous 95%, a family of "
        f"{tests} with the baseline, {comparison.seeds} seeds, Welch's test, Holm's correction"
        f"{', over all looks' if comparison.looks else ''}): {verdicts}."
    )


def _spectra(comparison: Comparison, accuracy: pd.DataFrame) -> str:
    """Whether FMix's masks as described and as published code draws them differ in accuracy."""
    pair = comparison.between("fmix", "fmix-reference")
    if pair is None:
        return ""
    rows = accuracy.set_index("augmentation")
    values = " and ".join(
        plus_minus(rows["mean"][name], rows["std"][name], 2, unit="%", n=rows["seeds"][name])
        for name in ("fmix", "fmix-reference")
    )
    verdict = "they differ" if pair.claimed else "they are not told apart"
    sign = 1 if pair.higher == "fmix" else -1
    low, high = sorted((sign * pair.low, sign * pair.high))
    return (
        f"FMix's masks as the paper describes them and as the reference code draws them: {values}; difference "
        f"{sign * pair.value:+.2f} points ({low:+.2f} to {high:+.2f}, simultaneous 95%): {verdict}."
    )


def _steps(config: Config, _: Sequence[Step]) -> Iterator[Step]:
    if not config.apart:
        yield from grid_steps(config)
        return
    small = config.smoked()
    networks = []
    for part in small.by_component(loaded(small.data, not config.execution.dry_run)).values():
        for augmentation, seed in part.networks():
            networks.append(step_of(TrainConfig(None, augmentation, seed, part.data, part.settings, part.execution)))
    yield from networks
    yield from document_step(config, networks)


JOB = Job(PROGRAM, _steps, SECTIONS)
