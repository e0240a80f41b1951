"""Metrics of classifiers: how well logits fit targets, item by item, and the means that a run's record holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "METRICS",
    "ROC_AUC",
    "SEVERAL",
    "TABULATED",
    "Metric",
    "correct",
    "cross_entropies",
    "distributions",
    "headline",
    "metrics_of",
    "scores",
]


@dataclass(frozen=True)
class Metric:
    """How well logits (N, K) fit targets.

    Args:
        name: the key in records and the estimator of rows.
        unit: of rows and tables; None for a bare number.
        factor: from the number that records hold to rows' unit: 100 where a share is printed in per cent.
        places: decimals in tables.
        higher_is_better: whether it is.
        per_item: of logits (N, K) and targets, (N,) float64, numbers of every item whose mean is the metric and whose
            standard error is the metric's; None for a metric that items do not have.
        whole: of logits and targets, the metric of all items at once, where it is no mean.
        words: the name in words, where it is not the name without underscores.
        defined: of targets, whether they have the metric at all; None where all have.
    """

    name: str
    unit: str | None
    factor: float
    places: int
    higher_is_better: bool
    per_item: Callable[[Tensor, Tensor], Tensor] | None = None
    whole: Callable[[Tensor, Tensor], float] | None = None
    words: str = ""
    defined: Callable[[Tensor], bool] | None = None

    @property
    def label(self) -> str:
        """The name in words."""
        return self.words or self.name.replace("_", " ")

    def __call__(self, logits: Tensor, targets: Tensor) -> float:
        """The metric over all items, as records hold it."""
        if self.whole is not None:
            return self.whole(logits, targets)
        return float(self.values(logits, targets).mean())

    def values(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The metric of every item, (N,) float64, as records hold it.

        Raises:
            TypeError: items do not have it.
        """
        if self.per_item is None:
            raise TypeError(f"{self.name} is a metric of all items at once")
        return self.per_item(logits, targets)


def distributions(rows: Tensor) -> Tensor:
    """Rows (N, K) that are not negative, counts or soft labels, each divided by its sum, in float64."""
    rows = rows.double()
    return rows / rows.sum(1, keepdim=True)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the largest logit of each item is its class, (N,).

    Args:
        logits: (N, K).
        labels: (N,) class indices, or (N, K) rows, which count for their largest class.
    """
    return logits.argmax(1) == (labels.argmax(1) if labels.ndim == 2 else labels)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Cross entropy :math:`-\sum_k t_k \log p_k` of each item, (N,) float64 nats, p being the softmax of its logits.

    Args:
        logits: (N, K).
        labels: (N,) class indices, or (N, K) rows, of which each is divided by its sum.
    """
    log_p = logits.double().log_softmax(1)
    if labels.ndim == 2:
        return -(distributions(labels) * log_p).sum(1)
    return -log_p.gather(1, labels[:, None]).squeeze(1)


def _right(logits: Tensor, labels: Tensor) -> Tensor:
    return correct(logits, labels).double()


def _decisions(logits: Tensor, labels: Tensor) -> Tensor:
    return ((logits > 0) == (labels > 0.5)).double().mean(1)


def _binary_cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="none").sum(1)


def _placements(scores: Tensor, among: Tensor) -> Tensor:
    """The share of ``among`` (M,) that is below each of the scores (N,), equal ones counted half: float64."""
    ordered = among.sort().values
    twice = torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
    return twice.double() / (2 * len(among))


def _areas(scores: Tensor, there: Tensor) -> Tensor:
    r"""What every item says of the area under the curve of one label, (N,) float64: the mean is the area.

    With the placement :math:`V_i` of an item, the share of items of the other kind that it is on the right side of
    (above, where it has the label, and below, where it has not), and :math:`n_i` items of its own kind,

    .. math:: \text{AUC} + \frac{n}{\sqrt{n_i (n_i - 1)}} (V_i - \text{AUC}),

    whose variance over items, divided by :math:`n - 1` instead of :math:`n`, is that of the area (DeLong, DeLong and
    Clarke-Pearson 1988). Where a kind has few items, intervals by it are too narrow: simulated ones of 95% of a label
    that 30 of 300 items have hold in 93%, of one that 9 have in 88%, and a kind of one item alone adds nothing to it.

    Args:
        scores: (N,).
        there: (N,) whether each item has the label: some have, and some have not.
    """
    placements = torch.empty_like(scores, dtype=torch.float64)
    placements[there] = _placements(scores[there], scores[~there])
    placements[~there] = 1 - _placements(scores[~there], scores[there])
    area = placements[there].mean()
    kind = torch.where(there, there.sum(), (~there).sum()).double()
    return area + len(scores) / (kind * (kind - 1).clamp(min=1)).sqrt() * (placements - area)


def _two_classes(targets: Tensor) -> Tensor:
    """Whether the class is the second one, (N,)."""
    return (targets.argmax(1) if targets.ndim == 2 else targets) == 1


def _area_of_two_classes(logits: Tensor, targets: Tensor) -> Tensor:
    return _areas(logits[:, 1] - logits[:, 0], _two_classes(targets))


def _mixed(there: Tensor) -> Tensor:
    """Whether some items have a label and some have not: of (N,) a number, of (N, K) of each column."""
    return there.any(0) & ~there.all(0)


def _mean_area(logits: Tensor, labels: Tensor) -> Tensor:
    there = labels > 0.5
    columns = _mixed(there).nonzero().flatten().tolist()
    return torch.stack([_areas(logits[:, column], there[:, column]) for column in columns]).mean(0)


def _average_precision(logits: Tensor, labels: Tensor) -> float:
    from sklearn.metrics import average_precision_score

    present = (labels > 0.5).any(0)
    there = (labels[:, present] > 0.5).numpy().astype(np.int64)
    return float(average_precision_score(there, logits[:, present].numpy(), average="macro"))


ACCURACY = Metric("accuracy", "%", 100, 2, True, _right)
"""The share of items whose largest logit is their class (soft rows count for their largest)."""

CROSS_ENTROPY = Metric("cross_entropy", "nats", 1, 3, False, cross_entropies)
"""Cross entropy of the softmax with the labels, in nats an item."""

METRICS = {metric.name: metric for metric in (ACCURACY, CROSS_ENTROPY)}
"""The metrics of items with one class each, by name; the first is the headline."""

ROC_AUC = Metric(
    "roc_auc",
    "%",
    100,
    2,
    True,
    _area_of_two_classes,
    words="ROC-AUC",
    defined=lambda targets: bool(_mixed(_two_classes(targets))),
)
"""The area under the receiver operating characteristic of two classes, the difference of the logits being the score:
the probability that an item of the second class has a higher one than an item of the first, equal ones counted half."""

TABULATED = METRICS | {ROC_AUC.name: ROC_AUC}
"""The metrics that have a column in tables, by name, whether items have one class or several labels each."""

SEVERAL = (
    Metric(ACCURACY.name, "%", 100, 2, True, _decisions),
    Metric(CROSS_ENTROPY.name, "nats", 1, 3, False, _binary_cross_entropies),
    Metric(
        "mean_average_precision",
        None,
        1,
        3,
        True,
        whole=_average_precision,
        defined=lambda labels: bool((labels > 0.5).any()),
    ),
    replace(ROC_AUC, per_item=_mean_area, defined=lambda labels: bool(_mixed(labels > 0.5).any())),
)
"""The metrics of items with several labels each.

The share of the N × K decisions, at logit 0, that are right; the binary cross entropy, summed over classes; the mean,
over the classes that occur, of the average precision; and the mean of the areas under the receiver operating
characteristics of the labels that some items have and some have not.
"""


def metrics_of(targets: Tensor, several: bool, classes: int | None = None) -> tuple[Metric, ...]:
    """The metrics by which a classifier is scored on items with these targets: those that the targets have.

    There is no ROC-AUC of other than two classes, nor where there is no label that some items have and some have not;
    and no average precision where no item has any label.

    Args:
        targets: (N,) class indices, or (N, K) rows.
        several: whether rows are several labels each, and not one soft one.
        classes: how many there are; None where nothing depends on it.
    """
    of_one_class = (*METRICS.values(), ROC_AUC) if classes == 2 else tuple(METRICS.values())
    metrics = SEVERAL if several and targets.ndim == 2 else of_one_class
    return tuple(metric for metric in metrics if metric.defined is None or metric.defined(targets))


def headline(metrics: Mapping[str, Any], several: bool = False) -> tuple[Metric, float]:
    """The metric that a run's record is summed up by and augmentations are compared in, and its value there.

    Of items with several labels it is ROC-AUC, where the record has it, and of all others the first of `METRICS`.

    Args:
        metrics: of the record.
        several: whether items have several labels each.
    """
    candidates = (ROC_AUC, *SEVERAL) if several else METRICS.values()
    metric = next(metric for metric in candidates if metric.name in metrics)
    return metric, float(metrics[metric.name])


@torch.no_grad()
def scores(
    logits: Tensor, targets: Tensor, metrics: Iterable[Metric] = (ACCURACY, CROSS_ENTROPY)
) -> dict[str, float | int]:
    """Every metric over all items, by name, and ``n``, how many they are.

    Args:
        logits: (N, K).
        targets: (N,) class indices, or (N, K) rows.
        metrics: which.
    """
    logits, targets = logits.double().cpu(), targets.cpu()
    return {metric.name: metric(logits, targets) for metric in metrics} | {"n": len(targets)}
