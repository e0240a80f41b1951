r"""What a classifier's answer says of the image: I(X;Ŷ) and I(X;Ŷ|Y), Ŷ drawn from the softmax of its logits.

The noise is the softmax's own, at one temperature fitted on other images, so that nothing is added:
:math:`I(X;\hat Y) = E\, KL(p(\hat y|x) \| p(\hat y))`, and only :math:`p(\hat y) = E\, p(\hat y|x)` is unknown. With
:math:`\bar p` the mean of N images' distributions, and :math:`\bar p_{-i}` that of the others,

.. math:: \frac1N \sum_i KL(p_i \| \bar p) \;\le\; I(X;\hat Y) \;\le\; \frac1N \sum_i KL(p_i \| \bar p_{-i})

in expectation, for every N. The plug-in on the left is :math:`H(\bar p) - \frac1N \sum_i H(p_i)`; entropy is concave
and :math:`E \bar p = p`, so that it is too low, by :math:`E\, KL(\bar p \| p)`: about
:math:`\frac{1}{2N} \sum_k \operatorname{Var} p_{ik} / p_k`, at most (K − 1)/2N to that order and (K − 1)/N for certain
(KL is at most χ²). On the right −log is convex and :math:`\bar p_{-i}` independent of i. Within classes both hold for
each class, and the plug-in is too low by at most about K(K − 1)/2N for as many classes as outputs. At fixed class
counts the bounds on I(X;Ŷ) hold as well, as those of `analysis.bounds.labelled` do.

References: Paninski 2003 (bias of the plug-in entropy); Poole et al. 2019, arXiv 1905.06922 (leave-one-out).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.bound import Bound, standard_error
from analysis.bounds.estimators import Direction, derived
from analysis.bounds.labelled import centred_in_classes, check_labels
from analysis.bounds.pairs import jackknife
from store import BadInput

__all__ = ["OUTPUT", "OUTPUT_GIVEN_LABEL", "output_bounds"]

OUTPUT, OUTPUT_GIVEN_LABEL = "I(X;Ŷ)", "I(X;Ŷ|Y)"
"""What a classifier's answer says of the image, and of the image beyond its label."""

derived("plug_in", "plug-in", "lower", quantity=OUTPUT)
derived("leave_one_out_outputs", "leave-one-out", "upper", quantity=OUTPUT)
derived("class_plug_in", "plug-in by class", "lower", quantity=OUTPUT_GIVEN_LABEL)
derived("class_leave_one_out_outputs", "leave-one-out by class", "upper", quantity=OUTPUT_GIVEN_LABEL)


def output_bounds(logits: Tensor | np.ndarray, labels: Tensor | np.ndarray, temperature: float = 1.0) -> list[Bound]:
    """Lower and upper bound on I(X;Ŷ), and on I(X;Ŷ|Y).

    Args:
        logits: (N, K) of images unseen in training.
        labels: (N,) integers, each at least twice.
        temperature: by which logits are divided, fitted on other images.

    Raises:
        BadInput: logits that are not finite, another number of labels, a class of one image, a temperature of 0.
    """
    logits = torch.as_tensor(logits).detach().double().cpu()
    if logits.ndim != 2 or 0 in logits.shape:
        raise BadInput("logits", f"an array {tuple(logits.shape)}", "one (N, K), a row an image")
    if bad := int((~torch.isfinite(logits)).sum()):
        raise BadInput("logits", f"{bad} NaN or infinite values", "finite numbers")
    if not 0 < temperature < math.inf:
        raise BadInput("temperature", temperature, "a number above 0")
    labels = check_labels(labels, len(logits))
    log_p = (logits / temperature).log_softmax(1)
    classes = labels.argsort(stable=True).split(labels.bincount().tolist())
    everyone = [torch.arange(len(labels))]
    return [
        *_both(log_p, everyone, labels, OUTPUT, ("plug_in", "leave_one_out_outputs")),
        *_both(log_p, classes, labels, OUTPUT_GIVEN_LABEL, ("class_plug_in", "class_leave_one_out_outputs")),
    ]


def _both(
    log_p: Tensor, groups: Sequence[Tensor], labels: Tensor, quantity: str, names: tuple[str, str]
) -> tuple[Bound, Bound]:
    """Plug-in and leave-one-out within groups of images, from log-probabilities (N, K).

    The plug-in's standard error is its delete-one jackknife. Leave-one-out's is to first order in an image's share of
    an output among the others: too small where one image has most of it, and then heavy-tailed.
    """
    n, outputs = log_p.shape
    terms, influence = torch.empty(2, 2, n, dtype=torch.float64)
    cap, room = 0.0, 0.0
    for group in groups:
        logs, size = log_p[group], len(group)
        p = logs.exp()
        negative_entropy = (p * logs).sum(1)
        others = _log_others(logs)
        terms[0, group] = negative_entropy - p @ (logs.logsumexp(0) - math.log(size))
        terms[1, group] = negative_entropy - (p * others).sum(1) + math.log(size - 1)
        influence[:, group] = terms[:, group]
        if size > 2:  # leaving one out of two leaves nothing to compare
            mean = others - math.log(size - 1)
            left_out = -(mean.exp() * mean).sum(1) + (negative_entropy.sum() - negative_entropy) / (size - 1)
            influence[0, group] = -(size - 1) * left_out
            influence[1, group] = jackknife(terms[1, group], -(logs + _log_others(logs - others)).exp().sum(1))
        cap += size / n * math.log(min(size, outputs))
        room += size / n * math.log(size)
    saturated = float(terms[0].mean()) > room - 1
    k = max(len(group) for group in groups)

    def bound(index: int, direction: Direction, cap: float | None) -> Bound:
        centred = centred_in_classes(influence[index], labels)
        value, error = float(terms[index].mean()), standard_error(centred)
        return Bound(names[index], value, error, direction, cap, saturated, n, k, quantity, centred)

    return bound(0, "lower", cap), bound(1, "upper", None)


def _log_others(logs: Tensor) -> Tensor:
    """(N, K): the logarithm of the sum over all other rows, which loses no digits to the row that is left out."""
    everyone = logs.logsumexp(0)
    # at most one row holds more than half of the sum, and is not subtracted from it
    others = everyone + torch.log1p(-(logs - everyone).exp().clamp(max=0.5))
    largest = logs.argmax(0)[None]
    return others.scatter(0, largest, logs.scatter(0, largest, -math.inf).logsumexp(0)[None])
