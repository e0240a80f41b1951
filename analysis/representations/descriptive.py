r"""Beside the bounds: descriptive measures of features and of classifiers, and what other decoders and outputs say.

Of features, with singular values :math:`\sigma_k` of the centred matrix over :math:`\sqrt N` (standard deviations along
the principal axes), and no information in any of them:

- *effective rank* :math:`\exp H(p)`, :math:`p_k = \sigma_k / \sum_l \sigma_l`: of singular values, as Roy & Vetterli
  2007 define it, and not of the eigenvalues of the covariance;
- *participation ratio* :math:`(\sum_k \sigma_k^2)^2 / \sum_k \sigma_k^4`, of those eigenvalues;
- both of each class about its own mean, as Verma et al. 2019 look at the singular values themselves.

They see neither shifts and rotations nor one scale; with few images for each dimension they are too low, so that
numbers of one N are compared.

Of codes with Gaussian noise, the same for all images: *pairwise distances*, :math:`-\frac1N \sum_i \log \frac1N \sum_j
e^{-D_{ij}}` with :math:`D_{ij}` the KL divergence between the noises about i and j from above, and their Bhattacharyya
distance from below (Kolchinsky & Tracey 2017). They bound the information on the *index* among these N images, which is
at most log N, and that exactly: what is told of the population is only that the lower one, in expectation, is no more
than I(T;X).

Of features or codes and labels: the *linear probe*, a lower bound on I(T;Y) as any decoder of other images gives one,
and by its family of decoders usable information (Xu et al. 2020).

Of a classifier: *affinity*, how a network trained on clean images takes augmented test images, and *diversity*, how far
a network is from fitting its own augmented training inputs (Gontijo-Lopes et al. 2020; appendix G of the paper tells of
them without numbers). Mixed images have no one right answer, so KL(mixed target ‖ output) stands in for the loss: cross
entropy less the target's entropy, which no network can change. Gontijo-Lopes et al. compare accuracies, and take the
training loss as it is: both are there too, the loss in evaluation mode. And of its answers, I(X;Ŷ) and I(X;Ŷ|Y) at a
temperature that other images have set (`analysis.bounds.outputs`).

References: Roy & Vetterli 2007 (EUSIPCO); Verma et al. 2019, arXiv 1806.05236; Kolchinsky & Tracey 2017, arXiv
1706.02419; Xu et al. 2020, arXiv 2002.10689; Gontijo-Lopes et al. 2020, arXiv 2002.08973.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from analysis.bounds.bound import Bound, standard_error
from analysis.bounds.channel import as_matrix
from analysis.bounds.class_pairs import FLOOR
from analysis.bounds.contrastive import contrastive
from analysis.bounds.encoded import check_posterior, shuffled
from analysis.bounds.estimators import Direction, derived
from analysis.bounds.labelled import centred_in_classes, check_labels
from analysis.bounds.outputs import output_bounds
from analysis.bounds.pairs import all_pairs
from analysis.human_uncertainty.measures import fit_temperature
from classifiers.load import Classifier, finite
from findings.row import row
from msda import Mixed
from store import BadInput
from tasks import InMemory, Task
from tasks.metrics import ACCURACY, distributions
from training import Pipeline, generator
from vae.posterior import DiagonalGaussian

__all__ = [
    "FEATURES",
    "INDEX",
    "Outputs",
    "Spectrum",
    "affinity",
    "diversity",
    "linear_probe",
    "outputs_of",
    "pairwise_distances",
    "spectra_of_classes",
    "spectrum",
    "spectrum_rows",
]

Row = dict[str, Any]

INDEX = "I(T;i)"
"""What a code says of the index of its image among these N, each as likely."""

FEATURES = "I(f(X);Y)"
"""What features without noise say of the label."""

PARTS = 5
"""Folds of the linear probe, and one of how many images choose its penalty, or a temperature."""

STRENGTHS = tuple(10.0**power for power in range(-4, 3))
"""What the probe's fit weighs against its penalty (scikit-learn's C), the strongest penalty first."""

TOLERANCE = 1e-3
"""Of the gradient, at which a probe counts as fitted: any decoder gives a bound, and a closer one no better."""

MIXED = 50
"""Images that are mixed at a time, as in training, where mixers take turns by batch or have one λ for each."""

derived("pairwise_bhattacharyya", "pairwise Bhattacharyya distances", "lower", quantity=INDEX)
derived("pairwise_kl", "pairwise KL divergences", "upper", quantity=INDEX)
derived("linear_probe", "linear probe", "lower", quantity=FEATURES)


@dataclass(frozen=True)
class Spectrum:
    """The singular values of centred features.

    Args:
        singular_values: descending, over √N: standard deviations along the principal axes.
        n: images.

    Example:
        >>> Spectrum(torch.tensor([3.0, 3.0, 0.0]), 100)
        singular values of 100 images: effective rank 2.00, participation ratio 2.00
    """

    singular_values: Tensor
    n: int

    def __repr__(self) -> str:
        ranks = f"effective rank {self.effective_rank:.2f}, participation ratio {self.participation_ratio:.2f}"
        return f"singular values of {self.n:,} images: {ranks}"

    @cached_property
    def effective_rank(self) -> float:
        """The exponential of the entropy of the singular values' shares; 0 where all are 0."""
        shares = self.singular_values.double()
        total = float(shares.sum())
        return math.exp(float(torch.special.entr(shares / total).sum())) if total > 0 else 0.0

    @cached_property
    def participation_ratio(self) -> float:
        """The square of the sum of their squares over the sum of the squares' squares; 0 where all are 0."""
        largest = float(self.singular_values.max())
        if largest == 0:
            return 0.0
        variances = (self.singular_values.double() / largest).square()  # squares of small ones would underflow
        return float(variances.sum().square() / variances.square().sum())


def spectrum(features: Tensor | np.ndarray) -> Spectrum:
    """The singular values of features (N, d) about their mean, as many as the smaller of N and d.

    They are roots of eigenvalues, ten times as fast as a decomposition of the features: below about a ten-millionth of
    the largest they would be rounding, and are 0.

    Example:
        >>> spectrum(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])).singular_values
        tensor([1., 0.], dtype=torch.float64)
    """
    values = as_matrix(features)
    centred = (values - values.mean(0)) / math.sqrt(len(values))
    products = centred.T @ centred if len(values) > values.shape[1] else centred @ centred.T
    variances = torch.linalg.eigvalsh(products).flip(0)
    rounding = len(variances) * torch.finfo(torch.float64).eps * variances[0]
    return Spectrum(torch.where(variances > rounding, variances, 0.0).sqrt(), len(values))


def spectra_of_classes(features: Tensor | np.ndarray, labels: Tensor | np.ndarray) -> dict[int, Spectrum]:
    """The singular values of each class about its own mean, by label."""
    values, names = as_matrix(features), np.asarray(labels)
    check_labels(names, len(values))
    return {int(name): spectrum(values[torch.from_numpy(names == name)]) for name in np.unique(names)}


def spectrum_rows(features: Tensor | np.ndarray, labels: Tensor | np.ndarray, **where: Any) -> list[Row]:
    """Effective rank and participation ratio, of all images and as a mean over images of those of their classes.

    Without standard errors, for they are no means over images.

    Args:
        features: (N, d).
        labels: (N,) integers, each at least twice.
        where: further fields of the rows.
    """
    everyone, classes = spectrum(features), spectra_of_classes(features, labels).values()
    rows = []
    for name in ("effective_rank", "participation_ratio"):
        words = name.replace("_", " ")
        within = sum(each.n * getattr(each, name) for each in classes) / everyone.n
        for estimator, quantity, value in (
            (name, f"{words} of the features", getattr(everyone, name)),
            (f"class_{name}", f"{words} within classes", within),
        ):
            rows.append(row(quantity, estimator, value, units=None, n=everyone.n, **{"inputs": "clean"} | where))
    return rows


def pairwise_distances(posterior: DiagonalGaussian) -> tuple[Bound, Bound]:
    r"""Lower and upper bound on the information of codes on the index of their image, from distances of their means.

    With the same noise for all images the distances are :math:`\frac18` and :math:`\frac12` of the squared distance of
    the means in units of the noise; :math:`\frac18` is the largest of Chernoff's, at α = ½. No code is drawn, and of
    these images the bounds hold exactly: the standard error, a delete-one jackknife, is of what other images of the
    population would give.

    Args:
        posterior: of N images with the same variances, `analysis.bounds.channel.Channel.posterior` for one.

    Raises:
        ValueError: variances that differ between images.

    Example:
        >>> q = DiagonalGaussian(torch.tensor([[-9.0], [9.0]]).repeat(50, 1), torch.zeros(100, 1))
        >>> lower, upper = pairwise_distances(q)
        >>> round(lower.value, 6) == round(upper.value, 6) == round(math.log(2), 6)
        True
    """
    posterior = check_posterior(posterior)
    if not bool((posterior.log_var == posterior.log_var[0]).all()):
        raise ValueError("pairwise_distances: needs the same noise for all images")
    bounds = []
    kinds: tuple[tuple[str, Direction, int], ...] = (("bhattacharyya", "lower", 4), ("kl", "upper", 1))
    for name, direction, factor in kinds:
        # log-densities at the means, less those of the own mean, are minus the KL divergences
        wider = DiagonalGaussian(posterior.mean, posterior.log_var + math.log(factor))
        bound = contrastive("infonce", [all_pairs(wider, wider.mean)])
        bounds.append(replace(bound, estimator=f"pairwise_{name}", direction=direction, quantity=INDEX))
    return bounds[0], bounds[1]


def linear_probe(features: Tensor | np.ndarray, labels: Tensor | np.ndarray, *, quantity: str = FEATURES) -> Bound:
    r"""Lower bound on what features say of the label, by multinomial logistic regression on other images.

    It is :math:`H(Y) + E \log r(y_i|f_i)` at fixed class counts, r fitted on the other of five folds (as many as the
    smallest class has images, where these are fewer) and mixed with a thousandth of p(y); features are standardised by
    those folds, and the penalty is the one under which a fifth of them is most likely, from the strongest on until the
    likelihood falls. Every fold counts alike and, within it, classes by p(y), so that each is such a bound.

    The standard error is of new images, given the probes, as that of `analysis.bounds.labelled.gaussian_classifier`.
    10,000 images in 512 dimensions and ten classes take about nine seconds on one core.

    Args:
        features: (N, d), of images that were not trained on: without noise, or the codes of a channel.
        labels: (N,) integers, each at least twice.
        quantity: what is bounded: `analysis.bounds.labelled.LABEL` for codes.

    Raises:
        BadInput: features that are not finite, or labels that do not fit.

    Example:
        >>> labels = torch.arange(200) % 2
        >>> print(f"{linear_probe(20.0 * labels[:, None], labels).value:.1f} of {math.log(2):.1f}")
        0.7 of 0.7
    """
    values, names = as_matrix(features).numpy(), check_labels(labels, len(features))
    counts = names.bincount()
    prior = counts.double() / len(names)
    folds = min(PARTS, int(counts.min()))
    order = shuffled(len(names))
    parts = [order[names[order] == name].tensor_split(folds) for name in range(len(counts))]
    terms, weights = torch.zeros(len(names), dtype=torch.float64), torch.empty(len(names), dtype=torch.float64)
    for fold in range(folds):
        scored = torch.cat([of[fold] for of in parts])
        others = [torch.cat([*of[:fold], *of[fold + 1 :]]) for of in parts]
        own = names[scored]
        weights[scored] = counts[own] / (folds * own.bincount()[own].double())
        if len(counts) > 1:
            share = _probe(values, names.numpy(), others, scored)[torch.arange(len(scored)), own]
            terms[scored] = torch.log((1 - FLOOR) * share / prior[own] + FLOOR)
    sums = torch.zeros(len(counts), dtype=torch.float64).index_add_(0, names, weights * terms)
    influence = centred_in_classes(weights * (terms - (sums / counts)[names]), names)
    value, entropy = float((weights * terms).mean()), float(torch.special.entr(prior).sum())
    return Bound(
        "linear_probe",
        value,
        standard_error(influence),
        "lower",
        entropy,
        False,
        len(names),
        None,
        quantity,
        influence,
    )


def _probe(values: np.ndarray, names: np.ndarray, others: list[Tensor], scored: Tensor) -> Tensor:
    """(B, K): the probabilities of the classes of scored images, by a probe of the others, given class by class."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # scikit-learn's own

    held_out = torch.cat([of[: len(of) // PARTS] for of in others]).numpy()
    kept = torch.cat([of[len(of) // PARTS :] for of in others]).numpy()
    everyone = np.concatenate([kept, held_out])
    centre, scale = values[everyone].mean(0), values[everyone].std(0)
    unit = ((values - centre) / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    probe = LogisticRegression(C=STRENGTHS[0], tol=TOLERANCE, max_iter=200, warm_start=True)
    # products with so few columns are slower on several threads
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        best, highest = STRENGTHS[0], -math.inf
        for strength in STRENGTHS if len(held_out) else ():
            probe.set_params(C=strength).fit(unit[kept], names[kept])
            share = probe.predict_proba(unit[held_out])[np.arange(len(held_out)), names[held_out]]
            likelihood = float(np.log(share + FLOOR).mean())
            if likelihood <= highest:
                break
            best, highest = strength, likelihood
        probe.set_params(C=best).fit(unit[everyone], names[everyone])
        return torch.from_numpy(probe.predict_proba(unit[scored.numpy()])).double()


class Outputs(NamedTuple):
    """What a classifier's answers say of images.

    Args:
        bounds: on I(X;Ŷ) and I(X;Ŷ|Y), from both sides.
        temperature: by which logits are divided.
        n: images that have set it.
    """

    bounds: list[Bound]
    temperature: float
    n: int


def outputs_of(logits: Tensor | np.ndarray, labels: Tensor | np.ndarray) -> Outputs:
    """Bounds on I(X;Ŷ) and I(X;Ŷ|Y), Ŷ drawn from the softmax at the temperature that a fifth of the images sets.

    That fifth of every class, the same one every time, is left out of the bounds: they are of one channel, the same for
    all scored images, which halves with a temperature each would not be. Where the fifth is without mistakes the least
    temperature there is suits it best, and Ŷ is nearly the classifier's decision.

    Args:
        logits: (N, K) of images that were not trained on.
        labels: (N,) class indices from 0 to K − 1, each that occurs at least twice.

    Raises:
        BadInput: as `analysis.bounds.outputs.output_bounds`, labels beyond the logits, or fewer than five images of
            every class.
    """
    logits = torch.as_tensor(logits).detach().double().cpu()
    numbers = check_labels(labels, len(logits))
    indices = torch.from_numpy(np.asarray(labels).astype(np.int64))
    if logits.ndim != 2 or int(indices.min()) < 0 or int(indices.max()) >= logits.shape[1]:
        got = f"classes {int(indices.min())} to {int(indices.max())} with logits {tuple(logits.shape)}"
        raise BadInput("labels", got, "class indices, each the number of a logit")
    order = shuffled(len(logits))
    members = [order[numbers[order] == name] for name in range(int(numbers.max()) + 1)]
    fitted = torch.cat([of[: len(of) // PARTS] for of in members])
    scored = torch.cat([of[len(of) // PARTS :] for of in members]).sort().values
    if not len(fitted):
        raise BadInput("labels", "fewer than 5 images of every class", "images that set a temperature")
    if not bool(torch.isfinite(logits).all()):
        raise BadInput("logits", "NaN or infinite values", "finite numbers")
    temperature = fit_temperature(logits[fitted], one_hot(indices[fitted], logits.shape[1]))
    return Outputs(output_bounds(logits[scored], indices[scored], temperature), temperature, len(fitted))


@torch.no_grad()
def affinity(
    classifier: Classifier, task: Task, pipeline: Pipeline, mixing_seed: int, *, images: int | None = None, **where: Any
) -> list[Row]:
    """How a classifier trained on clean images takes augmented test images, beside the same ones as they are.

    KL(mixed target ‖ output), and the accuracy on the dominant label, the class with most of the mixed target (either
    of two with as much); both of the clean images; the differences, paired over images; and of the accuracies the
    ratio.

    Images are mixed in disjoint pairs, so that standard errors are over pairs, which are independent where λ and mask
    are drawn per sample. Of an odd number of images one is left out.

    Args:
        classifier: trained on clean images, in evaluation mode, on the task's device.
        task: whose test images are mixed; rows of soft labels count for their shares.
        pipeline: what is done to them: ``Pipeline((), classifier.enter, mixer)`` for a mixer alone.
        mixing_seed: of the mixing, whatever the network's.
        images: how many, the same ones every time; all for None.
        where: further fields of the rows; ``scored_on``, the augmentation, for one.
    """
    batches = []
    for raw, targets, mixed in _in_pairs(task.test, pipeline, mixing_seed, images):
        own = one_hot(targets, classifier.classes).double() if targets.ndim == 1 else distributions(targets)
        scored = (
            (_soft(mixed, targets, classifier.classes), _entered(classifier, mixed)),
            (own, classifier(classifier.values(raw))),
        )
        batches.append(torch.stack([_of_pairs(of(*each)) for of in (_divergence, _dominant) for each in scored]))
    augmented, clean, right, clean_right = torch.cat(batches, 1)
    right, clean_right = ACCURACY.factor * right, ACCURACY.factor * clean_right
    words = "accuracy on the dominant label"
    rows = [
        _row("KL(mixed target‖output)", "affinity_kl", augmented, "nats", where),
        _row("KL(target‖output)", "clean_kl", clean, "nats", {"inputs": "clean"} | where),
        _row("KL(mixed target‖output), above clean", "affinity_kl_difference", augmented - clean, "nats", where),
        _row(words, "affinity_accuracy", right, ACCURACY.unit, where),
        _row("accuracy", "clean_accuracy", clean_right, ACCURACY.unit, {"inputs": "clean"} | where),
        _row(f"{words}, above clean", "affinity_accuracy_difference", right - clean_right, ACCURACY.unit, where),
    ]
    if (level := float(clean_right.mean())) > 0:
        ratio = float(right.mean()) / level
        linear = ratio + (right - ratio * clean_right) / level  # to first order
        rows.append(_row(f"{words}, over clean", "affinity_ratio", linear, None, where))
    return rows


@torch.no_grad()
def diversity(
    classifier: Classifier, task: Task, pipeline: Pipeline, mixing_seed: int, *, images: int | None = None, **where: Any
) -> list[Row]:
    """How far a classifier is from fitting its own augmented training inputs, in evaluation mode.

    The cross entropy of the mixed targets, Gontijo-Lopes et al.'s training loss, and what is left of it without the
    entropy of the targets, KL(mixed target ‖ output), by which augmentations can be compared whose targets differ.
    Standard errors are over disjoint pairs, as those of `affinity`, the network as it is.

    Args:
        classifier: in evaluation mode, on the task's device.
        task: whose training images it was trained on.
        pipeline: what it saw of them, `classifiers.train.pipeline_of` for a run.
        mixing_seed: of the views and the mixing, whatever the network's.
        images: how many, the same ones every time; all for None.
        where: further fields of the rows.
    """
    cross, left = [], []
    for _, targets, mixed in _in_pairs(task.train, pipeline, mixing_seed, images):
        rows = _soft(mixed, targets, classifier.classes)
        divergence = _divergence(rows, _entered(classifier, mixed))
        left.append(_of_pairs(divergence))
        cross.append(_of_pairs(divergence + torch.special.entr(rows).sum(1)))
    where = {"inputs": "own-augmented"} | where
    return [
        _row("training cross entropy", "training_cross_entropy", torch.cat(cross), "nats", where),
        _row("training cross entropy less the targets' entropy", "diversity", torch.cat(left), "nats", where),
    ]


def _in_pairs(
    split: InMemory, pipeline: Pipeline, seed: int, images: int | None
) -> Iterator[tuple[Tensor, Tensor, Mixed]]:
    """Raw items, their targets, and these items mixed, the first half of a batch with the second and vice versa."""
    order = shuffled(len(split))[:images].to(split.device)
    if len(order) < 4:
        raise BadInput("--data", f"{len(order)} images", "at least 4, two pairs, to be mixed")
    stream = generator(split.device, seed, "pairs")
    for turn, batch in enumerate(order[: len(order) // 2 * 2].split(MIXED)):
        raw, targets = split.batch(batch)
        partner = torch.arange(len(batch), device=split.device).roll(len(batch) // 2)
        yield raw, targets, pipeline(raw, stream, turn, partner)


def _entered(classifier: Classifier, mixed: Mixed) -> Tensor:
    """Logits (B, K) of mixed images, which are past the classifier's normalisation."""
    return finite(classifier.network(mixed.images), classifier.name or "a network")


def _soft(mixed: Mixed, targets: Tensor, classes: int) -> Tensor:
    """(B, K) float64: the mixed targets, each of which sums to 1."""
    return distributions(mixed.soft_targets(targets if targets.ndim == 1 else distributions(targets), classes))


def _divergence(targets: Tensor, logits: Tensor) -> Tensor:
    """(B,): KL(target ‖ softmax of the logits)."""
    return (torch.special.xlogy(targets, targets) - targets * logits.double().log_softmax(1)).sum(1)


def _dominant(targets: Tensor, logits: Tensor) -> Tensor:
    """(B,): whether the largest logit is a class with most of the target."""
    return (targets.gather(1, logits.argmax(1, keepdim=True))[:, 0] == targets.amax(1)).double()


def _of_pairs(values: Tensor) -> Tensor:
    """(B/2,) on the CPU: the means over pairs of values of a batch."""
    return values.view(2, -1).mean(0).cpu()


def _row(quantity: str, estimator: str, values: Tensor, units: str | None, where: Row) -> Row:
    """A row of a mean over pairs of images."""
    n, error = 2 * len(values), standard_error(values)
    return row(quantity, estimator, float(values.mean()), units=units, standard_error=error, n=n, **where)
