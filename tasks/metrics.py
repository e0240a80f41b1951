"""Metrics of classifiers: how well logits fit targets, item by item, and the means that a run's record holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "METRICS",
    "SEVERAL",
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
        per_item: of logits (N, K) and targets, (N,) float64, the metric of every item, of which it is the mean; None
            for a metric that items do not have.
        whole: of logits and targets, the metric of all items at once, where it is no mean.
    """

    name: str
    unit: str | None
    factor: float
    places: int
    higher_is_better: bool
    per_item: Callable[[Tensor, Tensor], Tensor] | None = None
    whole: Callable[[Tensor, Tensor], float] | None = None

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

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

SEVERAL = (
    Metric(ACCURACY.name, "%", 100, 2, True, _decisions),
    Metric(CROSS_ENTROPY.name, "nats", 1, 3, False, _binary_cross_entropies),
    Metric("mean_average_precision", None, 1, 3, True, whole=_average_precision),
)
"""The metrics of items with several labels each.

The share of the N × K decisions, at logit 0, that are right; the binary cross entropy, summed over classes; and the
mean, over the classes that occur, of the average precision.
"""


def metrics_of(targets: Tensor, several: bool) -> tuple[Metric, ...]:
    """The metrics by which a classifier is scored on items with these targets.

    Args:
        targets: (N,) class indices, or (N, K) rows.
        several: whether rows are several labels each, and not one soft one.
    """
    return SEVERAL if several and targets.ndim == 2 else tuple(METRICS.values())


def headline(metrics: Mapping[str, Any]) -> tuple[Metric, float]:
    """The metric that a run's record is summed up by, the first of `METRICS` that it has, and its value there.

    Args:
        metrics: of the record.
    """
    metric = next(metric for name, metric in METRICS.items() if name in metrics)
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
