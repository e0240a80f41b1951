"""Metrics of classifiers: how well logits fit targets, item by item, and the means that a run's record holds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tasks.components import blocks
from tasks.task import Component

__all__ = [
    "ACCURACY",
    "CROSS_ENTROPY",
    "FURTHER",
    "MACRO_RECALL",
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
    "of_components",
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


def _recalls(logits: Tensor, targets: Tensor) -> Tensor:
    r"""What every item says of the mean recall of the C classes that occur, (N,) float64: the mean is that recall.

    With the recall :math:`r_c` of an item's class, the share of its :math:`n_c` items that are right, their mean R over
    classes, and whether the item is right, :math:`h_i` in {0, 1}, it is

    .. math:: R + \frac{N}{C \sqrt{n_c (n_c - 1)}} (h_i - r_c),

    whose variance over items, divided by :math:`N - 1` instead of N, is that of R,
    :math:`\sum_c r_c (1 - r_c) / (n_c - 1) / C^2`. Where classes are rare, and more so where nearly all is right,
    intervals by it are too narrow: simulated ones of 95%, of ten classes at a recall of 80%, hold in 95% where each has
    40 items, and in 91% where they have 60 to 5; in 93% and 84% at a recall of 97%. A class of one item adds nothing.
    """
    labels = targets.argmax(1) if targets.ndim == 2 else targets
    right = _right(logits, labels)
    classes, place, counts = labels.unique(return_inverse=True, return_counts=True)
    recalls = right.new_zeros(len(classes)).index_add_(0, place, right) / counts
    kind = counts[place].double()
    weights = len(labels) / (len(classes) * (kind * (kind - 1).clamp(min=1)).sqrt())
    return recalls.mean() + weights * (right - recalls[place])


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

MACRO_RECALL = Metric("macro_recall", "%", 100, 2, True, _recalls)
"""The mean, over the classes that occur, of the share of their items that are right: accuracy, were classes equally
frequent."""

FURTHER = {MACRO_RECALL.name: MACRO_RECALL}
"""Metrics of items with one class each that are not every data set's, by name: those of tasks that name them."""

TABULATED = METRICS | {ROC_AUC.name: ROC_AUC} | FURTHER
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


def of_components(components: Sequence[Component]) -> tuple[Metric, ...]:
    """The metrics of items with one class of every component, whose logits and targets are (N, K).

    The share of the items all of whose components are right, and the sum of the components' cross entropies, both by
    the names that they have of one component. Then, of each component alone, ``root_accuracy`` and
    ``root_macro_recall``, say.
    """
    columns = blocks(components)

    def all_right(logits: Tensor, targets: Tensor) -> Tensor:
        return torch.stack([correct(logits[:, some], targets[:, some]) for some in columns]).all(0).double()

    def summed(logits: Tensor, targets: Tensor) -> Tensor:
        return torch.stack([cross_entropies(logits[:, some], targets[:, some]) for some in columns]).sum(0)

    alone = [
        _of_columns(metric, component.name, some)
        for component, some in zip(components, columns, strict=True)
        for metric in (ACCURACY, MACRO_RECALL)
    ]
    whole = replace(ACCURACY, per_item=all_right, words="accuracy of all components")
    return whole, replace(CROSS_ENTROPY, per_item=summed), *alone


def _of_columns(metric: Metric, name: str, columns: slice) -> Metric:
    """A metric of one component, which has these columns."""

    def values(logits: Tensor, targets: Tensor) -> Tensor:
        return metric.values(logits[:, columns], targets[:, columns])

    return replace(metric, name=f"{name}_{metric.name}", words=f"{name} {metric.label}", per_item=values)


def metrics_of(
    targets: Tensor,
    several: bool,
    classes: int | None = None,
    components: Sequence[Component] = (),
    more: Sequence[str] = (),
) -> tuple[Metric, ...]:
    """The metrics by which a classifier is scored on items with these targets: those that the targets have.

    There is no ROC-AUC of other than two classes, nor where there is no label that some items have and some have not;
    and no average precision where no item has any label.

    Args:
        targets: (N,) class indices, or (N, K) rows.
        several: whether rows are several labels each, and not one soft one.
        classes: how many there are; None where nothing depends on it.
        components: of the task, if rows have one class of each.
        more: names of further metrics (`FURTHER`) of items with one class each, as `tasks.Task` has them.
    """
    of_one_class = (*METRICS.values(), ROC_AUC) if classes == 2 else tuple(METRICS.values())
    of_one_class += tuple(FURTHER[name] for name in more)
    metrics = SEVERAL if several and targets.ndim == 2 else of_one_class
    if components:
        metrics = of_components(components)
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
