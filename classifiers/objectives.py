r"""What a classifier is trained to minimise, for mixed targets t and outputs p = softmax(logits).

- *cross entropy* H(t, p), linear in the target;
- *binary cross entropy*, for multiple labels, summed over classes;
- *relative entropy* :math:`D(p \,\|\, t) = \sum_k p_k \log (p_k / t_k)`, which Appendix A of the paper suggests. There,
  the cross entropy of output relative to target is divided into the output's entropy and this divergence, and the
  over-confidence of trained networks is put down to the first. The direction matters: D(t‖p) differs from H(t, p) by
  the target's entropy, which no weight changes, so that its gradients are those of cross entropy. D(p‖t) is infinite
  wherever a target is zero, as almost all are; so t is mixed with the uniform distribution,
  :math:`(1 - s)\,t + s / K`, and s, the smoothing, belongs to the result.

Source: Harris et al. (2020), arXiv 2002.12047, Sec. 2, App. A; Zhang et al. (2017), arXiv 1710.09412.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from msda import Mixed

__all__ = ["OBJECTIVES", "binary_cross_entropy", "cross_entropy", "relative_entropy"]

Objective = Callable[[Mixed, Tensor, Tensor, float], Tensor]
"""(mixed batch, logits (B, K), targets (B,) or (B, K), smoothing) -> scalar in nats."""


def cross_entropy(mixed: Mixed, logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over samples of H(t, p), in nats; rows are divided by their sum, so that counts will do."""
    del smoothing
    return mixed.cross_entropy(logits, targets if targets.ndim == 1 else _distribution(targets))


def binary_cross_entropy(mixed: Mixed, logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Sum over classes, mean over samples, in nats; rows in [0, 1], which need not sum to 1."""
    del smoothing
    return mixed.binary_cross_entropy(logits, targets) * logits.shape[1]


def relative_entropy(mixed: Mixed, logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Mean over samples of D(p‖t) with t mixed with the uniform distribution, in nats.

    Args:
        mixed: whose partners and weights mix the targets.
        logits: (B, K).
        targets: (B,) indices or (B, K) rows, divided by their sum.
        smoothing: s, above 0 and below 1.
    """
    rows = mixed.soft_targets(targets if targets.ndim == 1 else _distribution(targets), logits.shape[1])
    log_t = torch.log((1 - smoothing) * rows + smoothing / logits.shape[1])
    log_p = logits.log_softmax(1)
    return (log_p.exp() * (log_p - log_t)).sum(1).mean()


def _distribution(rows: Tensor) -> Tensor:
    return rows / rows.sum(1, keepdim=True)


OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": cross_entropy,
    "binary-cross-entropy": binary_cross_entropy,
    "relative-entropy": relative_entropy,
}
