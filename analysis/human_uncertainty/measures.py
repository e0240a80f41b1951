r"""How a classifier's outputs p stand to human label distributions h, image by image.

- **KL(human ‖ model)** :math:`\sum_k h_k \log (h_k / p_k)`. The other direction is infinite wherever nobody chose a
  class; with half a count added to every class (Jeffreys), :math:`\tilde h_k = (c_k + 1/2) / (n + K/2)`, it becomes a
  number that belongs to that smoothing.
- **Jensen-Shannon** divergence, at most log 2, and **soft cross entropy** :math:`-\sum_k h_k \log p_k`.
- **Temperature.** :math:`p \propto \exp(z / T)` with one T for all images. Much of KL(human ‖ model) can be
  over-confidence, which one temperature removes, so both are told: with T fitted to the human distributions (the least
  KL that one temperature allows), and to the true labels (Guo et al. 2017). T is cross-fitted: each half of the images
  is scaled by the temperature of the other.
- **Matched accuracy.** A network is far from humans wherever it is wrong, so that networks of unlike accuracies differ
  in KL(human ‖ model) whatever else they make of an image. By direct standardisation, as death rates of populations of
  unlike ages are compared, each counts as if it were right on the same share q of the images, the mean accuracy of all
  networks that are compared: :math:`q\,\mathrm{KL}_\text{right} + (1 - q)\,\mathrm{KL}_\text{wrong}`, of the means over
  the images on which it is right and wrong. All make as many mistakes then, though not the same ones.
- **ECE** with 15 equal bins of confidence, **Brier** score :math:`\sum_k (p_k - y_k)^2`, accuracy, and how often the
  second most likely class is the humans' second choice (Peterson et al. 2019), over images with a unique second choice.

Human distributions are frequencies of about 50 labels an image, which raises the mean KL(human ‖ model) by the mean of
:math:`H(h) - E\,H(\hat h)`, whatever the model, since frequencies are unbiased. To first order this is
:math:`(m - 1) / 2n` with m the number of classes that *can* be chosen (Miller 1955), and how many can is not known:
more than have been. `Bias` says what follows from the two extremes and from what lies between. At matched accuracy it
is nearly the same for all models: their right and wrong images weigh a little more or less.

All from `log_softmax` in float64; nats.

References: Miller 1955; Peterson et al. 2019, arXiv 1908.07086; Guo et al. 2017, arXiv 1706.04599; Brier 1950; Lin
1991. Direct standardisation: Neison 1844; Keiding and Clayton 2014, Statistical Science 29; standard errors after
stratification: Holt and Smith 1979, JRSS A 142.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize, special, stats
from torch import Tensor

from analysis.bounds.bound import standard_error
from tasks.metrics import ACCURACY, correct, cross_entropies, distributions
from training.grid import Which

__all__ = [
    "FEWEST",
    "Bias",
    "Measure",
    "at_matched_accuracy",
    "calibration_error",
    "cross_fitted",
    "fit_temperature",
    "measures",
    "per_image",
    "plug_in_bias",
]

BINS = 15

FEWEST = 10
"""Right images, and wrong ones, without which a network has no value at matched accuracy.

Of fewer the standard error is not to be relied upon: with 5 to 9 wrong ones of 360 images, differences of two networks
whose KL is unlike lie outside of 1.96 standard errors in up to 16% of all cases, with 10 to 19 in 6%.
"""

JEFFREYS = 0.5
"""What is added to every count before the reverse direction is taken."""

RESAMPLES = 200
"""Resamples of the images, for the standard error of the calibration error, which is no mean over images."""


@dataclass(frozen=True)
class Measure:
    """One number of a classifier.

    Args:
        estimator: its name in records.
        quantity: in words.
        value: in ``units``.
        standard_error: over images; None for a fitted temperature, and of one image.
        n: images.
        units: nats, % or none.
    """

    estimator: str
    quantity: str
    value: float
    standard_error: float | None
    n: int
    units: str | None


def per_image(logits: Tensor, counts: Tensor) -> dict[str, Tensor]:
    """Every divergence of every image, (N,) in nats.

    Args:
        logits: (N, K).
        counts: (N, K), how often humans chose each class.
    """
    log_p, h = logits.double().log_softmax(1), distributions(counts)
    p = log_p.exp()
    negative_entropy = torch.special.xlogy(h, h).sum(1)
    cross = cross_entropies(logits, counts)
    # log of the mixture of p and h without leaving the logarithm: p may underflow
    log_m = torch.logaddexp(log_p, h.log()) - math.log(2)
    js = 0.5 * ((p * (log_p - log_m)).sum(1) + negative_entropy - (h * log_m).sum(1))
    smoothed = distributions(counts.double() + JEFFREYS)
    return {
        "kl_human_model": negative_entropy + cross,
        "kl_model_human_smoothed": (p * (log_p - smoothed.log())).sum(1),
        "js": js,
        "soft_cross_entropy": cross,
        "entropy": -(p * log_p).sum(1),
    }


def at_matched_accuracy(nats: Mapping[Which, Tensor], right: Mapping[Which, Tensor]) -> dict[Which, Tensor]:
    r"""What every image (N,) adds to the mean divergence of each network at the mean accuracy of all of them.

    Their mean over images is the value at matched accuracy, :math:`q m_1 + (1 - q) m_0`, with :math:`m_1` and
    :math:`m_0` the means over the :math:`n_1` images on which the network is right and the :math:`n_0` on which it is
    wrong. About it they spread by what one image does to it, to first order (delta method), by its divergence
    :math:`d_i` and by the share :math:`q_i` of the networks that are right on it, whose mean is q:

    .. math:: (m_1 - m_0)(q_i - q) + \begin{cases}
        q N (d_i - m_1) / \sqrt{n_1 (n_1 - 1)} & \text{right} \\
        (1 - q) N (d_i - m_0) / \sqrt{n_0 (n_0 - 1)} & \text{wrong}
        \end{cases}

    so that standard errors and `findings.components` hold that q and each network's own accuracy are of these images.
    The plain weighted divergences, :math:`d_i q N / n_1` and :math:`d_i (1 - q) N / n_0`, have the same mean, but not
    these standard errors: of the difference of two networks that are right on nearly the same images, theirs is too
    small by a third.

    Args:
        nats: (N,) the divergence of every image, of each network.
        right: (N,) whether the network is right on it.

    Returns:
        Of the networks that are right and wrong on `FEWEST` images each, which are those that q is the mean of; none
        where fewer than two are.
    """
    matched = {which: each for which, each in right.items() if FEWEST <= each.sum() <= len(each) - FEWEST}
    if len(matched) < 2:
        return {}
    share = torch.stack([*matched.values()]).double().mean(0)
    q = share.mean()
    scores = {}
    for which, is_right in matched.items():
        means, of_image = [], torch.zeros_like(share)
        for these, weight in ((is_right, q), (~is_right, 1 - q)):
            n, mean = int(these.sum()), nats[which][these].mean()
            means.append(mean)
            # √(n (n − 1)) and not n: about their own mean, few images vary less than they do about the true one
            of_image[these] = weight * len(share) / math.sqrt(n * (n - 1)) * (nats[which][these] - mean)
        right_mean, wrong_mean = means
        value = q * right_mean + (1 - q) * wrong_mean
        scores[which] = value + (right_mean - wrong_mean) * (share - q) + of_image
    return scores


@dataclass(frozen=True)
class Bias:
    """By how much frequencies in place of probabilities raise the mean KL(human ‖ model), in nats.

    Args:
        chosen: to first order, if only the classes that were chosen for an image could be.
        redrawn: exactly, of distributions whose votes, drawn anew, show as many classes an image as there are.
        every: to first order, if every class could be chosen for every image, each more than once or twice in n.
        shown: mean number of classes that were chosen for an image.
        classes: K.
    """

    chosen: float
    redrawn: float
    every: float
    shown: float
    classes: int


def plug_in_bias(counts: Tensor) -> Bias:
    r"""What of the mean KL(human ‖ model) is due to the finite number of votes, under three assumptions.

    Frequencies redrawn from themselves show fewer classes than there are, for what is chosen once is often not chosen
    again. So a number :math:`a` between 0 and 1/2 is added to every count, the least at which votes drawn from
    :math:`h_k = (c_k + a) / (n + K a)` are expected to show as many:
    :math:`\sum_k 1 - (1 - h_k)^n` on average over images. Their bias, :math:`H(h) - E\,H(\hat h)`, is a sum over the
    binomial distribution of every count.

    Args:
        counts: (N, K), how often humans chose each class of each image.
    """
    votes, classes = counts.sum(1), counts.shape[1]
    shown = (counts > 0).sum(1).double()
    # all cells of the same count and number of votes have the same probability and the same bias
    cells = torch.stack([counts, votes[:, None].expand_as(counts)], -1).flatten(0, 1)
    kinds, times = (array.numpy() for array in cells.unique(dim=0, return_counts=True))
    chosen, drawn = kinds[:, 0].astype(np.float64), kinds[:, 1].astype(np.float64)

    def probabilities(added: float) -> np.ndarray:
        return (chosen + added) / (drawn + classes * added)

    def missing(added: float) -> float:
        """By how many classes an image redrawn votes are expected to show less than there are."""
        return float(shown.mean()) - float(times @ (1 - (1 - probabilities(added)) ** drawn)) / len(counts)

    if missing(0) <= 0:
        added = 0.0
    elif missing(JEFFREYS) >= 0:
        added = JEFFREYS
    else:
        added = optimize.brentq(missing, 0, JEFFREYS)
    h = probabilities(added)
    excess = 0.0  # H(h) − E H(ĥ), summed over images
    for probability, n, occurrences in zip(h, drawn, times, strict=True):
        redrawn = np.arange(n + 1)
        entropies = special.entr(redrawn / n)
        expected = stats.binom.pmf(redrawn, n, probability) @ entropies
        excess += float(occurrences * (special.entr(probability) - expected))
    first_order = 1 / (2 * votes.double())
    return Bias(
        chosen=float(((shown - 1) * first_order).mean()),
        redrawn=excess / len(counts),
        every=float(((classes - 1) * first_order).mean()),
        shown=float(shown.mean()),
        classes=classes,
    )


def fit_temperature(logits: Tensor, rows: Tensor) -> float:
    """The temperature that minimises the mean cross entropy of the rows (N, K).

    It is sought from a hundredth to a hundred times the logits' own spread, their standard deviation about each image's
    mean (about 1 where they have none): logits times a constant have that constant times the temperature. The cross
    entropy is convex in 1/T; the search is over log T.
    """
    logits = logits.double()
    spread = float((logits - logits.mean(1, keepdim=True)).square().mean().sqrt())
    centre = math.log(spread) if spread > 0 else 0.0

    def loss(log_temperature: float) -> float:
        return float(cross_entropies(logits / math.exp(log_temperature), rows).mean())

    bound = math.log(100)
    best = optimize.minimize_scalar(
        loss, bounds=(centre - bound, centre + bound), method="bounded", options={"xatol": 1e-6}
    )
    return math.exp(float(best.x))


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
    h, y = distributions(counts), torch.nn.functional.one_hot(labels, logits.shape[1]).double()
    p = logits.softmax(1)
    to_human, human_temperature = cross_fitted(logits, h)
    to_labels, label_temperature = cross_fitted(logits, y)
    ranked, humans = logits.argsort(1, descending=True), counts.sort(1, descending=True)
    unique = (humans.values[:, 1] > humans.values[:, 2]) if counts.shape[1] > 2 else humans.values[:, 1] > 0
    second = (ranked[:, 1] == humans.indices[:, 1])[unique]
    right = correct(logits, labels)
    confidence = p.amax(1)
    nats = per_image(logits, counts)
    images: list[tuple[str, str, Tensor, str | None]] = [
        ("kl_human_model", "KL(human‖model)", nats["kl_human_model"], "nats"),
        (
            "kl_human_model_temperature_scaled",
            "KL(human‖model), temperature fitted to humans",
            per_image(to_human, counts)["kl_human_model"],
            "nats",
        ),
        (
            "kl_human_model_label_temperature",
            "KL(human‖model), temperature fitted to labels",
            per_image(to_labels, counts)["kl_human_model"],
            "nats",
        ),
        ("kl_model_human_smoothed", "KL(model‖human + ½)", nats["kl_model_human_smoothed"], "nats"),
        ("js", "JS(human, model)", nats["js"], "nats"),
        ("soft_cross_entropy", "cross entropy of human labels", nats["soft_cross_entropy"], "nats"),
        ("entropy", "entropy of the model", nats["entropy"], "nats"),
        (ACCURACY.name, "test accuracy", ACCURACY.factor * right.double(), "%"),
        ("second_best_agreement", "second choice agrees", 100 * second.double(), "%"),
        ("brier", "Brier score", (p - y).square().sum(1), None),
    ]
    means = [
        Measure(
            name,
            quantity,
            float(values.mean()),
            standard_error(values) if len(values) > 1 else None,
            len(values),
            units,
        )
        for name, quantity, values, units in images
        if len(values)
    ]
    stream = torch.Generator().manual_seed(0)
    draws = [torch.randint(n, (n,), generator=stream) for _ in range(RESAMPLES)]
    resampled = torch.tensor([calibration_error(confidence[draw], right[draw]) for draw in draws])
    return [
        *means,
        Measure("ece", "ECE, 15 bins", calibration_error(confidence, right), float(resampled.std()), n, None),
        Measure("temperature", "temperature fitted to humans", human_temperature, None, n, None),
        Measure("label_temperature", "temperature fitted to labels", label_temperature, None, n, None),
    ]
