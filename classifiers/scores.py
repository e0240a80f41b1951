"""How well logits fit labels: what a run's record holds."""

import numpy as np
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = ["scores"]


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
    log_p = logits.log_softmax(1)
    if labels.ndim == 2:
        rows = labels.double() / labels.double().sum(1, keepdim=True)
        loss, labels = -(rows * log_p).sum(1).mean(), labels.argmax(1)
    else:
        loss = -log_p.gather(1, labels[:, None]).mean()
    return {
        "accuracy": float((logits.argmax(1) == labels).double().mean()),
        "cross_entropy": float(loss),
        "n": len(labels),
    }
