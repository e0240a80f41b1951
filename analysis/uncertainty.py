r"""How a classifier's outputs p stand to human label distributions h, image by image.

- **KL(human ‖ model)** :math:`\sum_k h_k \log (h_k / p_k)`. The other direction is infinite wherever nobody chose a
  class; with half a count added to every class (Jeffreys), :math:`\tilde h_k = (c_k + 1/2) / (n + K/2)`, it becomes a
  number that belongs to that smoothing.
- **Jensen-Shannon** divergence, at most log 2, and **soft cross entropy** :math:`-\sum_k h_k \log p_k`.
- **Temperature.** :math:`p \propto \exp(z / T)` with one T for all images. Much of KL(human ‖ model) can be
  over-confidence, which one temperature removes, so both are told: with T fitted to the human distributions (the least
  KL that one temperature allows), and to the true labels (Guo et al. 2017). T is cross-fitted: each half of the images
  is scaled by the temperature of the other.
- **ECE** with 15 equal bins of confidence, **Brier** score :math:`\sum_k (p_k - y_k)^2`, accuracy, and how often the
  second most likely class is the humans' second choice (Peterson et al. 2019), over images with a unique second choice.

Human distributions are frequencies of about 50 labels an image, which raises every KL by about
:math:`(m - 1) / 2n` nats, m being the number of classes chosen: the same for all models (Miller 1955).

All from `log_softmax` in float64; nats.

References: Peterson et al. 2019, arXiv 1908.07086; Guo et al. 2017, arXiv 1706.04599; Brier 1950; Lin 1991.
"""

import math
from dataclasses import dataclass

import torch
from scipy import optimize
from torch import Tensor

__all__ = ["Measure", "calibration_error", "cross_fitted", "fit_temperature", "measures", "per_image", "plug_in_bias"]

BINS = 15

JEFFREYS = 0.5
"""Added to every count before the reverse direction is taken."""

RESAMPLES = 200
"""Of images, for the standard error of the calibration error, which is no mean over images."""


@dataclass(frozen=True)
class Measure:
    """One number of a classifier.

    Args:
        estimator: its name in records.
        quantity: in words.
        value: in ``units``.
        standard_error: over images; None for a fitted temperature.
        n: images.
        units: nats, % or none.
    """

    estimator: str
    quantity: str
    value: float
    standard_error: float | None
    n: int
    units: str | None


def frequencies(counts: Tensor) -> Tensor:
    """(N, K) counts to distributions in float64."""
    counts = counts.double()
    return counts / counts.sum(1, keepdim=True)


def per_image(logits: Tensor, counts: Tensor) -> dict[str, Tensor]:
    """Every divergence of every image, (N,) in nats.

    Args:
        logits: (N, K).
        counts: (N, K), how often humans chose each class.
    """
    log_p, h = logits.double().log_softmax(1), frequencies(counts)
    p = log_p.exp()
    negative_entropy = torch.special.xlogy(h, h).sum(1)
    cross = -(h * log_p).sum(1)
    # log of the mixture of p and h without leaving the logarithm: p may underflow
    log_m = torch.logaddexp(log_p, h.log()) - math.log(2)
    js = 0.5 * ((p * (log_p - log_m)).sum(1) + torch.special.xlogy(h, h).sum(1) - (h * log_m).sum(1))
    smoothed = (counts.double() + JEFFREYS) / (counts.double() + JEFFREYS).sum(1, keepdim=True)
    return {
        "kl_human_model": negative_entropy + cross,
        "kl_model_human_smoothed": (p * (log_p - smoothed.log())).sum(1),
        "js": js,
        "soft_cross_entropy": cross,
        "entropy": -(p * log_p).sum(1),
    }


def plug_in_bias(counts: Tensor) -> float:
    """By how much frequencies in place of probabilities raise the mean KL(human ‖ model), to first order, in nats."""
    chosen = (counts > 0).sum(1).double()
    return float(((chosen - 1) / (2 * counts.double().sum(1))).mean())


def fit_temperature(logits: Tensor, rows: Tensor) -> float:
    """The temperature that minimises the mean cross entropy of the rows (N, K), from 0.01 to 100.

    The cross entropy is convex in 1/T; the search is over log T.
    """
    logits, rows = logits.double(), rows.double()

    def loss(log_temperature: float) -> float:
        return float(-(rows * (logits / math.exp(log_temperature)).log_softmax(1)).sum(1).mean())

    bound = math.log(100)
    found = optimize.minimize_scalar(loss, bounds=(-bound, bound), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def cross_fitted(logits: Tensor, rows: Tensor) -> tuple[Tensor, float]:
    """Logits divided by a temperature that was fitted to the other half of the images; and the mean of the two.

    Args:
        logits: (N, K).
        rows: (N, K), the distributions to fit to.
    """
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(0))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    scaled = torch.empty_like(logits, dtype=torch.float64)
    temperatures = [fit_temperature(logits[half], rows[half]) for half in halves]
    for half, other in zip(halves, reversed(temperatures), strict=True):
        scaled[half] = logits[half].double() / other
    return scaled, sum(temperatures) / 2


def calibration_error(confidence: Tensor, right: Tensor) -> float:
    """Expected calibration error: the mean over images of ``|accuracy − confidence|`` of their bin.

    Args:
        confidence: (N,) largest probabilities.
        right: (N,) whether that class is the label.
    """
    bins = (confidence * BINS).ceil().clamp(1, BINS).long() - 1  # (0, 1/15], (1/15, 2/15], …
    gap = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, right.double() - confidence.double())
    return float(gap.abs().sum() / len(confidence))


def measures(logits: Tensor, counts: Tensor, labels: Tensor) -> list[Measure]:
    """Everything that is said of one classifier.

    Args:
        logits: (N, K).
        counts: (N, K).
        labels: (N,), the true classes.
    """
    logits = logits.double()
    n = len(logits)
    h, y = frequencies(counts), torch.nn.functional.one_hot(labels, logits.shape[1]).double()
    p = logits.softmax(1)
    to_human, human_temperature = cross_fitted(logits, h)
    to_labels, label_temperature = cross_fitted(logits, y)
    ranked, humans = logits.argsort(1, descending=True), counts.sort(1, descending=True)
    unique = (humans.values[:, 1] > humans.values[:, 2]) if counts.shape[1] > 2 else humans.values[:, 1] > 0
    second = (ranked[:, 1] == humans.indices[:, 1])[unique]
    right = ranked[:, 0] == labels
    confidence = p.amax(1)
    nats = per_image(logits, counts)
    images: list[tuple[str, str, Tensor, str | None]] = [
        ("kl_human_model", "KL(human‖model)", nats["kl_human_model"], "nats"),
        (
            "kl_human_model_temperature_scaled", "KL(human‖model), temperature fitted to humans",
            per_image(to_human, counts)["kl_human_model"], "nats",
        ),
        (
            "kl_human_model_label_temperature", "KL(human‖model), temperature fitted to labels",
            per_image(to_labels, counts)["kl_human_model"], "nats",
        ),
        ("kl_model_human_smoothed", "KL(model‖human + ½)", nats["kl_model_human_smoothed"], "nats"),
        ("js", "JS(human, model)", nats["js"], "nats"),
        ("soft_cross_entropy", "cross entropy of human labels", nats["soft_cross_entropy"], "nats"),
        ("entropy", "entropy of the model", nats["entropy"], "nats"),
        ("accuracy", "test accuracy", 100 * right.double(), "%"),
        ("second_best_agreement", "second choice agrees", 100 * second.double(), "%"),
        ("brier", "Brier score", (p - y).square().sum(1), None),
    ]  # fmt: skip
    found = [
        Measure(
            name, quantity, float(values.mean()) if len(values) else 0.0, _error(values), len(values), units
        )
        for name, quantity, values, units in images
        if len(values)
    ]  # fmt: skip
    stream = torch.Generator().manual_seed(0)
    draws = [torch.randint(n, (n,), generator=stream) for _ in range(RESAMPLES)]
    resampled = torch.tensor([calibration_error(confidence[each], right[each]) for each in draws])
    return [
        *found,
        Measure("ece", "ECE, 15 bins", calibration_error(confidence, right), float(resampled.std()), n, None),
        Measure("temperature", "temperature fitted to humans", human_temperature, None, n, None),
        Measure("label_temperature", "temperature fitted to labels", label_temperature, None, n, None),
    ]


def _error(values: Tensor) -> float:
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else 0.0
