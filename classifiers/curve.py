"""What a classifier says of images over the epochs of its training, and the weights that are kept on the way.

At the end of some epochs the scored images and as many training images, both as they are (not augmented), are
classified: always the same ones, whatever the augmentation and the seed. At some of these the weights are kept too,
so that a later analysis can look back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from classifiers.load import Classifier, logits_of_split
from classifiers.text.classifier import TextClassifier
from store import BadInput, Run
from tasks import Task
from tasks.metrics import ACCURACY, METRICS, metrics_of, scores
from tasks.task import Component, Sound, Volume
from training import generator

__all__ = [
    "KEPT",
    "LAST",
    "SHARES",
    "WATCHED",
    "curve_of",
    "epochs_of",
    "recorded_curve",
    "scores_of_watched",
    "watched_epochs",
    "watched_items",
    "weights_at",
]

WATCHED = 2000
"""Images of each kind that are classified; differences between two epochs are paired over them."""

SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
"""Shares of the epochs, after which images are classified."""

LAST = 5
"""Epochs at the end of which items are classified too, where the paper has the median over them: sound and shapes."""

KEPT = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the epochs, after which weights are kept, besides those after the last."""

POINT = ("epoch", "step", *METRICS, *(f"training_{name}" for name in METRICS))
"""What every point of a learning curve has, besides ``loss``."""


def epochs_of(shares: Sequence[float], epochs: int) -> list[int]:
    """After which of ``epochs`` epochs something is done: whole ones, at least the first, each once."""
    return sorted({max(1, round(share * epochs)) for share in shares})


def watched_epochs(task: Task, epochs: int) -> list[int]:
    """After which epochs items are classified: at `SHARES` of them, and of sound and shapes the last `LAST` too."""
    last = range(max(1, epochs - LAST + 1), epochs + 1) if isinstance(task.modality, Sound | Volume) else ()
    return sorted({*epochs_of(SHARES, epochs), *last})


def weights_at(epoch: int) -> str:
    """The name of the file with the weights after an epoch that is not the last."""
    return f"weights-epoch-{epoch}.safetensors"


def watched_items(task: Task) -> dict[str, Any]:
    """Splits of the scored and of the training items that are classified over the epochs, as a task in memory has them.

    Random ones, for data may be sorted by class.
    """

    watched = {}
    for purpose, split in (("scored", task.test), ("training", task.train)):
        order = torch.randperm(len(split), generator=generator("cpu", 1, "learning curve", purpose))
        watched[purpose] = split.only(order[:WATCHED].to(split.device))
    return watched


@torch.no_grad()
def scores_of_watched(
    classifier: Classifier | TextClassifier,
    watched: Mapping[str, Any],
    several: bool = False,
    components: Sequence[Component] = (),
) -> dict[str, float]:
    """Cross entropy in nats and accuracy on the watched items, ``cross_entropy`` and ``training_accuracy``, say.

    Logits that are no numbers make the cross entropies NaN.

    Args:
        classifier: in evaluation mode.
        watched: `watched_items`.
        several: whether rows of labels are several an item.
        components: the questions that are asked of every item, where they are several.
    """
    watched_scores: dict[str, float] = {}
    for kind, split in watched.items():
        logits, labels = logits_of_split(classifier, split), split.targets
        prefix = "training_" if kind == "training" else ""
        if not torch.isfinite(logits).all():
            return {f"{prefix}cross_entropy": float("nan")}
        found = metrics_of(labels, several, components=components)
        score = scores(logits, labels, [metric for metric in found if metric.name in METRICS])
        watched_scores |= {f"{prefix}{name}": float(score[name]) for name in METRICS}
    return watched_scores


def curve_of(logged: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The learning curve in a run's log: a point for every epoch after which images were classified.

    Returns:
        ``epoch``, ``step``, ``loss`` (the mean over the epoch of what was minimised, on augmented images), and
        `scores_of_watched`.
    """
    epochs = {row["step"]: row for row in logged if "epoch" in row}
    return [
        {"epoch": epochs[row["step"]]["epoch"], "step": row["step"], "loss": epochs[row["step"]].get("loss")}
        | row["watched"]
        for row in logged
        if "watched" in row and row["step"] in epochs
    ]


def recorded_curve(run: Run) -> list[dict[str, Any]]:
    """The learning curve in a finished run's record, as `curve_of` made it; nothing of runs that have none.

    Raises:
        BadInput: somebody has changed it.
    """
    points = run.curve(POINT)
    if not all(0 <= point[name] <= 1 for point in points for name in (ACCURACY.name, f"training_{ACCURACY.name}")):
        raise BadInput(str(run.path / "result.json"), "a learning curve with accuracies outside [0, 1]", "shares")
    return points
