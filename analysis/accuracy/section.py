"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

import math
from collections.abc import Mapping
from typing import Any

from classifiers.curve import LAST, WATCHED
from findings.document import Document
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds, images_in, plus_minus
from tasks.metrics import ACCURACY, MACRO_RECALL, TABULATED, Metric

__all__ = ["MEDIAN", "SECTIONS", "alone", "columns", "metric_of"]


def metric_of(settings: Mapping[str, Any]) -> Metric:
    """The metric in which augmentations are compared.

    Args:
        settings: of the networks; without a ``metric``, it is accuracy.
    """
    return TABULATED[settings.get("metric", ACCURACY.name)]


def columns(settings: Mapping[str, Any]) -> list[Metric]:
    """The metrics of a table, the one in which augmentations are compared first."""
    first = metric_of(settings)
    return [first, *(metric for metric in TABULATED.values() if metric != first)]


MEDIAN = "median_accuracy"
"""The estimator of the median accuracy of the last epochs, the paper's in Table 7."""


def alone(settings: Mapping[str, Any]) -> dict[str, str]:
    """What is measured of single components and on further test parts: the estimator, and in words."""
    further = {f"{name}_{ACCURACY.name}": f"{name} {ACCURACY.label}" for name in settings.get("further", ())}
    return further | {
        f"{name}_{metric.name}": f"{name} {metric.label}"
        for name in settings.get("components", {})
        for metric in (ACCURACY, MACRO_RECALL)
    }


def _accuracy(document: Document) -> Table:
    settings, items = document.settings, document.items
    shown = {
        **{metric.name: Column(f"{metric.label}, {metric.unit}", metric.places) for metric in columns(settings)},
        **{name: Column(f"{words}, %", 2) for name, words in alone(settings).items()},
        MEDIAN: Column(f"median of the last {LAST} epochs, %", 2),
        "training_accuracy": Column(f"on training {items}, %", 1),
        "training_loss": Column(f"training loss, augmented {items}, nats", 3),
    }
    shown = {name: column for name, column in shown.items() if document.rows["estimator"].eq(name).any()}
    lines, numbers = cells_over_seeds(document, document.rows, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    scored = document.rows[document.rows["estimator"] == metric_of(settings).name]
    note = f"{images_in(scored, items)}; last epoch; mean ± standard deviation over seeds"
    notes = [note]
    if MEDIAN in shown and scored["n"].max() > WATCHED:
        notes.append(f"median of the last {LAST} epochs: on {WATCHED:,} {items}, always the same")
    if linear := document.about.get("linear"):
        value = plus_minus(linear["value"], linear["standard_error"] or math.nan, metric_of(settings).places)
        notes.append(f"a linear model of words (logistic regression on tf–idf) has {value}% (± over {items})")
    return Table(f"Clean test {items}", head, lines, numbers, notes)


PICTURES = {
    "accuracy": (
        "Accuracy, or ROC-AUC of several labels: a dot per seed and a bar for mean ± standard deviation of every "
        "augmentation."
    ),
    "learning-curves": (
        "Accuracy on scored and on training items, and the training loss, over the epochs: a line for every classifier."
    ),
}
"""What is drawn of networks, in words."""

SECTIONS = (
    Section(
        key="accuracy",
        title="Accuracies and hybrids",
        paper="Table 2",
        program="python -m analysis.accuracy",
        measured=(
            "Test accuracy of the last epoch, for classifiers trained under each augmentation, and under two in turn;"
            " what they say of training images, and the learning curves."
        ),
        does_not=(
            "Augmentations slow training down before they pay: where the baseline is not overfitted, few epochs show "
            "the cost alone."
        ),
        get="python -m analysis.accuracy --data cifar10 --seeds 5",
        cost="on a CPU three minutes a classifier of width 16 (10,000 images, 10 epochs); full size needs a GPU",
        pictures=PICTURES,
        table=_accuracy,
        wanted=lambda document: document.items == "images",
    ),
    Section(
        key="texts",
        title="Texts",
        paper="Table 5",
        program="python -m analysis.accuracy",
        measured=(
            "Accuracy, or ROC-AUC where a text has several labels, of networks trained under each augmentation: "
            "MixUp of words' vectors, and FMix, which takes every word from one of two texts."
        ),
        does_not=(
            "Other data, vectors and lengths of training than the paper's: directions may be compared, cells may not. "
            "A short training shows what an augmentation costs before it pays."
        ),
        get="python -m experiments.run table-5 --texts imdb:FOLDER toxic:FOLDER --vectors FILE.vec",
        cost="on a CPU a minute a classifier of 7,000 sentences, ten of 20,000 reviews; BERT needs a GPU",
        pictures=PICTURES,
        table=_accuracy,
        wanted=lambda document: document.items == "texts",
    ),
    Section(
        key="graphemes",
        title="Graphemes",
        paper="Table 4",
        program="python -m analysis.accuracy",
        measured=(
            "Whether root, vowel and consonant of a grapheme are all right, and each alone, by accuracy and by macro "
            "recall, the mean over classes; by a network for each of the three, as in the paper, or by one for all."
        ),
        does_not=(
            "Printed graphemes are not handwriting: a held-out font stands in for a writer, and directions may be "
            "compared, cells may not."
        ),
        get="python -m experiments.run table-4 --graphemes bengali:FOLDER",
        cost="on a CPU ten minutes a network of width 16 for 11,000 images; SE-ResNeXt-50 needs a GPU",
        pictures=PICTURES,
        table=_accuracy,
        wanted=lambda document: document.items == "graphemes",
    ),
    Section(
        key="sound-and-shapes",
        title="Sound and shapes",
        paper="Table 7",
        program="python -m analysis.accuracy",
        measured=(
            "Accuracy on spoken commands, mixed as log-mel spectrograms, and on shapes, mixed as voxels in three "
            "dimensions, the same input under every augmentation; of the last epoch, and the median of the last five, "
            "which the paper has."
        ),
        does_not=(
            "Synthetic voices and parts of machines stand in for people and furniture: directions may be compared, "
            "cells may not. The paper's shapes were points for the baseline and voxels for FMix, which compares inputs."
        ),
        get="python -m experiments.run table-7 --sound commands:FOLDER --shapes modelnet10:FOLDER",
        cost="on a CPU ten minutes a network of width 8 for 6,000 clips, or of 1,000 shapes of 32³ voxels",
        pictures=PICTURES,
        table=_accuracy,
        wanted=lambda document: document.items in ("clips", "shapes"),
    ),
)
"""What the report shows of this analysis."""
