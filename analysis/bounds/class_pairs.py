r"""All-pairs log-densities of codes under posteriors, streamed, with what they say of classes.

`analysis.bounds.pairs` compares every code with all posteriors; the same pass, with images sorted by class, also
compares it with its classmates', and leaves the kernel classifier: with :math:`k_y(t)` the mean density of the images
of class y *other than i*, and fixed probabilities p(y),

.. math:: r(y|t_i) = \frac{p(y)\, k_y(t_i)}{\sum_{y'} p(y')\, k_{y'}(t_i)}, \qquad
          \rho_i = \frac{r(y_i|t_i)}{p(y_i)}, \qquad f_i = \log\,[(1 - \epsilon)\, \rho_i + \epsilon].

With :math:`a = k_{y_i}` and b the sum of :math:`p(y) k_y` over the other classes, :math:`\rho_i = a / (p(y_i) a + b)`.

Delete-one jackknife of the mean of f at fixed p(y): without image k, the densities of its class are means over one
image less. For an image of i's class, a becomes :math:`a\,(1 - \pi_{ik})(N_y - 1)/(N_y - 2)`, with :math:`\pi_{ik}` the
share of image k among i's classmates; for one of another class y, b rises by
:math:`p(y)\,(S_{iy} / N_y - p_{ik})/(N_y - 1)`, where :math:`p_{ik}` is k's share among all others and
:math:`S_{iy}` its sum over the class. Small shares enter to first order, as products of a vector with the shares; large
ones exactly. What is the same for all k of a class is left out: a standard error at fixed class counts is about class
means.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.pairs import SMALL, LogWeights, Pairs, accumulate, log_weights, shares
from analysis.bounds.stretches import HERE, Workers, over_rows
from vae.posterior import DiagonalGaussian

__all__ = ["FLOOR", "ClassPairs", "class_pairs"]

FLOOR = 1e-3
"""ε: the share of the prior in the kernel classifier. No image takes more than log 1000 = 6.9 nats off the bound, and
all together gain at most 0.001 nats less than without it."""


@dataclass(frozen=True)
class ClassPairs:
    """What one pass over all pairs leaves, in nats.

    Args:
        everyone: of a code and all posteriors.
        classmates: of a code and the posteriors of its own class.
        terms: (N,), the logarithm f_i of the kernel classifier's probability over the prior's.
        without: (N,), by how much the other images' terms rise without image k, those of its class times
            N_y/(N_y − 1); up to a number for each class.
    """

    everyone: Pairs
    classmates: Pairs
    terms: Tensor
    without: Tensor


def class_pairs(posterior: DiagonalGaussian, codes: Tensor, labels: Tensor, workers: Workers = HERE) -> ClassPairs:
    """Compare every code with every posterior, and with every class.

    Args:
        posterior: of N images, float64 on the CPU.
        codes: (N, d) float64, code i sampled from posterior i.
        labels: (N,) int64, from 0 to K − 1, each at least twice.
        workers: who does the stretches of rows.
    """
    order = labels.argsort(stable=True)
    posterior, labels = posterior[order], labels[order]
    one_noise = bool((posterior.log_var == posterior.log_var[0]).all())
    weights = log_weights(posterior, codes[order], one_noise=one_noise)
    rows, columns = over_rows(_pairs_of, (weights, labels), len(labels), workers)

    back = order.argsort()
    others, class_others, terms, constant = rows
    everyone = Pairs(weights.matching[back], others[back], *columns[0:2, back])
    classmates = Pairs(weights.matching[back], class_others[back], *columns[2:4, back])
    same_without, other_without = columns[4:]
    count = labels.bincount().double()[labels]
    prior = count / len(labels)
    without = (same_without - constant) * count / (count - 1) + other_without * prior / (count - 1)
    return ClassPairs(everyone, classmates, terms[back], without[back])


def _pairs_of(shared: tuple[LogWeights, Tensor], start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Of a stretch of rows, four vectors (4, B), and what it adds to six sums over rows (6, N)."""
    weights, labels = shared
    sums = _Sums(weights.matching, labels)
    for first, block in weights.blocks(start, stop):
        sums.add(first, block)
    rows = torch.stack([sums.others, sums.class_others, sums.terms, sums.constant])[:, start:stop]
    columns = [*sums.pairs_without, *sums.class_without, sums.same_without, sums.other_without]
    return rows.clone(), torch.stack(columns)


class _Sums:
    """What is summed over the blocks of a stretch of rows, the images sorted by class."""

    def __init__(self, matching: Tensor, labels: Tensor) -> None:
        self.matching, self.labels = matching, labels
        counts = labels.bincount()
        self.edges = [0, *counts.cumsum(0).tolist()]
        self.counts = counts.double()
        self.prior = self.counts / len(labels)
        n = len(labels)
        self.others, self.class_others, self.terms, self.mean, self.other_sum = torch.zeros(5, n, dtype=torch.float64)
        self.same_without, self.constant, self.other_without = torch.zeros(3, n, dtype=torch.float64)
        self.pairs_without, self.class_without = torch.zeros(2, 2, n, dtype=torch.float64)

    def add(self, start: int, weights: Tensor) -> None:
        """Add a block of rows from ``start``: weights (B, N), log q(z_i|x_j) − log q(z_i|x_i), overwritten."""
        stop = start + len(weights)
        block = slice(start, stop)
        first, last = int(self.labels[start]), int(self.labels[stop - 1])
        segments = []
        for label in range(first, last + 1):
            columns = slice(self.edges[label], self.edges[label + 1])
            rows = slice(max(columns.start, start), min(columns.stop, stop))
            segments.append((rows, columns, weights[rows.start - start : rows.stop - start, columns].clone()))

        ratio = shares(weights, start)
        self.others[block] = self.matching[block] + ratio
        density = self._classify(block, weights)
        for rows, columns, classmates in segments:
            of_class = shares(classmates, rows.start - columns.start)
            self.class_others[rows] = self.matching[rows] + of_class
            among_all = weights[rows.start - start : rows.stop - start, columns]
            self.other_without[columns] -= density[rows.start - start : rows.stop - start] @ among_all
            self._without_classmates(rows, columns, classmates)
            accumulate(
                self.class_without[:, columns],
                classmates,
                torch.empty_like(classmates, dtype=torch.bool),
                of_class.sigmoid(),
            )
        accumulate(self.pairs_without, weights, torch.empty_like(weights, dtype=torch.bool), ratio.sigmoid())

    def _classify(self, block: slice, shares: Tensor) -> Tensor:
        """Set the classifier's terms of a block; return the slope of each in a share that leaves D, (B,)."""
        labels, itself = self.labels[block], torch.arange(len(shares))
        of_class = self._of_classes(shares)
        mean, prior = of_class[itself, labels] / (self.counts[labels] - 1), self.prior[labels]
        self.mean[block] = mean
        self.other_sum[block] = other_sum = self._of_others(of_class, labels)
        mixture = prior * mean + other_sum
        self.terms[block] = _floored(mean / mixture)
        slope = _slope(mean / mixture) * mean / mixture.square()
        self.other_without += slope @ shares

        # other classes' large shares exactly
        row, column = _large(shares)
        other = labels[row] != self.labels[column]
        row, column = row[other], column[other]
        label, share = self.labels[column], shares[row, column]
        count = self.counts[label]
        unit = self.prior[label] / (count - 1)
        before = mixture[row] + unit * of_class[row, label] / count
        without = before - unit * share
        dominant = share > 0.5  # at most one a row; the difference could lose all digits
        if dominant.any():
            at = row[dominant]
            left = shares[at]
            left[torch.arange(len(at)), column[dominant]] = 0
            of_left = self._of_classes(left)
            more = unit[dominant] / count[dominant] * of_left.gather(1, label[dominant, None])[:, 0]
            without[dominant] = prior[at] * mean[at] + self._of_others(of_left, labels[at]) + more
        change = _floored(mean[row] / without) - _floored(mean[row] / before)
        # the first order is multiplied by the unit once it is summed
        self.other_without.index_add_(0, column, change / unit - slope[row] * share)
        return slope

    def _of_classes(self, shares: Tensor) -> Tensor:
        """(B, K): sums of shares (B, N) over classes."""
        return torch.from_numpy(np.add.reduceat(shares.numpy(), self.edges[:-1], axis=1))

    def _of_others(self, of_class: Tensor, labels: Tensor) -> Tensor:
        """(B,): the sum of p(y) times the class mean over the classes other than ``labels`` (B,)."""
        return of_class.scatter(1, labels[:, None], 0.0) @ (self.prior / self.counts)

    def _without_classmates(self, rows: slice, columns: slice, shares: Tensor) -> None:
        """Add what an image's term becomes without each of its classmates, of which ``shares`` (B, N_y) are."""
        count = shares.shape[1]
        if count == 2:
            return  # leaving one out leaves nobody to compare with
        prior, mean, other_sum = count / len(self.labels), self.mean[rows], self.other_sum[rows]
        mean = mean * ((count - 1) / (count - 2))
        before = mean / (prior * mean + other_sum)
        self.constant[rows] = _floored(before) - self.terms[rows]
        slope = -_slope(before) * before * other_sum / (prior * mean + other_sum)
        self.same_without[columns] += slope @ shares

        row, column = _large(shares)
        share = shares[row, column]
        kept = 1 - share
        dominant = share > 0.5
        if dominant.any():
            at = row[dominant]
            left = shares[at]
            left[torch.arange(len(at)), column[dominant]] = 0
            kept[dominant] = left.sum(1)
        kept = kept * mean[row]
        change = _floored(kept / (prior * kept + other_sum[row])) - _floored(before[row])
        self.same_without[columns].index_add_(0, column, change - slope[row] * share)


def _large(shares: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of shares that are too large for the first order."""
    marked = torch.from_numpy(np.flatnonzero((shares > SMALL).numpy()))
    return marked // shares.shape[1], marked % shares.shape[1]


def _floored(ratio: Tensor) -> Tensor:
    """log of (1 − ε) ρ + ε, exactly zero at ρ = 1."""
    return torch.log1p((1 - FLOOR) * (ratio - 1))


def _slope(ratio: Tensor) -> Tensor:
    """The derivative of `_floored`."""
    return (1 - FLOOR) / (1 + (1 - FLOOR) * (ratio - 1))
