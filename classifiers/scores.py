"""How well logits fit labels: image by image, and the means that a run's record holds."""

import numpy as np
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = ["correct", "cross_entropies", "distributions", "scores"]


def distributions(rows: Tensor) -> Tensor:
    """Rows (N, K) that are not negative, counts or soft labels, each divided by its sum, in float64."""
    rows = rows.double()
    return rows / rows.sum(1, keepdim=True)


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether the largest logit of each image is its class, (N,).

    Args:
        logits: (N, K).
        labels: (N,) class indices, or (N, K) rows, which count for their largest class.
    """
    return logits.argmax(1) == (labels.argmax(1) if labels.ndim == 2 else labels)


def cross_entropies(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Cross entropy :math:`-\sum_k t_k \log p_k` of each image, (N,) float64 nats, p being the softmax of its logits.

    Args:
        logits: (N, K).
        labels: (N,) class indices, or (N, K) rows, of which each is divided by its sum.
    """
    log_p = logits.double().log_softmax(1)
    if labels.ndim == 2:
        return -(distributions(labels) * log_p).sum(1)
    return -log_p.gather(1, labels[:, None]).squeeze(1)


def scores(logits: Tensor, labels: Tensor, multi_label: bool = False) -> dict[str, float | int]:
    """Accuracy and losses over images.

    Args:
        logits: (N, K).
        labels: (N,) class indices, or (N, K) rows; soft rows count for their largest class in the accuracy.
        multi_label: the rows are several labels each.

    Returns:
        ``accuracy``, a share (with several labels: of the N × K decisions at logit 0), ``cross_entropy`` in nats an
        image (the binary one, summed over classes, with several labels), ``mean_average_precision`` over the classes
        that occur (with several labels only), and ``n``.
    """
    logits, labels = logits.double().cpu(), labels.cpu()
    if multi_label and labels.ndim == 2:
        present = (labels > 0.5).any(0)
        precision = average_precision_score(
            (labels[:, present] > 0.5).numpy().astype(np.int64), logits[:, present].numpy(), average="macro"
        )
        return {
            "accuracy": float(((logits > 0) == (labels > 0.5)).double().mean()),
            "cross_entropy": float(binary_cross_entropy_with_logits(logits, labels.double()) * logits.shape[1]),
            "mean_average_precision": float(precision),
            "n": len(labels),
        }
    return {
        "accuracy": float(correct(logits, labels).double().mean()),
        "cross_entropy": float(cross_entropies(logits, labels).mean()),
        "n": len(labels),
    }
