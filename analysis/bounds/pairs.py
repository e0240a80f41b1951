r"""All-pairs log-densities of codes under posteriors, streamed.

Every contrastive estimator needs, for N codes :math:`z_i` and N diagonal Gaussians :math:`q(\cdot|x_j)`,

.. math:: \log \sum_{j \ne i} q(z_i|x_j), \qquad
          \log q(z_i|x_j) = -\tfrac12 \sum_d \left[ \frac{(z_{id} - \mu_{jd})^2}{v_{jd}} + \log 2\pi v_{jd} \right].

Expanding the square turns the N² d differences into one matrix product of :math:`[z^2, z]` with
:math:`[1/v, -2\mu/v]`, which is what a processor does fastest; a block of rows at a time is exponentiated and summed
while it is still in the cache, so that memory is linear in N. Of more than 20,000 rows, stretches of them may be
several workers' work (`analysis.bounds.stretches`), to the same bits.

The same weights give the delete-one jackknife of both estimators. Leaving image k out removes one row and one column,

.. math:: \log \Big( \sum_j w_{ij} - w_{ik} \Big) = \log \sum_j w_{ij} + \log (1 - p_{ik}),

so all that is needed beyond the row sums is :math:`\sum_{i \ne k} \log(1 - p_{ik})` for every column k.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.stretches import HERE, Workers, over_rows
from vae.posterior import DiagonalGaussian

__all__ = [
    "LogWeights",
    "Pairs",
    "accumulate",
    "all_pairs",
    "by_differences",
    "jackknife",
    "log_ratio",
    "log_weights",
    "shares",
]

BLOCK = 1_000_000
"""Pairs held at a time: 8 MB of float64, which stays in the cache of a current processor."""

ROWS = 16
"""At least so many rows are held at a time, or a large matrix would be read from memory for every few products."""

SMALL = 0.01
"""log(1 - p) is -p below this, wrong by less than p/2 = 0.005 of itself, and exact above: a standard error from N
images is not known to better than 1/√(2N) anyway."""

RANGE = 700.0
"""exp of less than minus this is zero or denormal, which is slow; of more, infinite."""

SAFE = 600.0
"""Rows whose largest log-weight is further from 0 than this are shifted by it first."""

TOLERANCE = 1e-7
"""Rounding error of a log-density, in nats, above which differences are taken before squaring."""


@dataclass(frozen=True)
class Pairs:
    """What one pass over all pairs leaves: four vectors (N,), in nats.

    Args:
        matching: log q(z_i|x_i).
        others: log Σ_{j≠i} q(z_i|x_j).
        infonce_without: Σ_{i≠k} log(1 − p_ik), p_ik the share of q(z_i|x_k) among all N densities of z_i.
        leave_one_out_without: the same among the N − 1 densities other than z_i's own.
    """

    matching: Tensor
    others: Tensor
    infonce_without: Tensor
    leave_one_out_without: Tensor

    def __len__(self) -> int:
        return len(self.matching)


def all_pairs(posterior: DiagonalGaussian, codes: Tensor, workers: Workers = HERE) -> Pairs:
    """Compare every code with every posterior.

    Args:
        posterior: of N images, float64 on the CPU.
        codes: (N, d) float64, code i sampled from posterior i.
        workers: who does the stretches of rows.
    """
    weights = log_weights(posterior, codes)
    (others,), without = over_rows(_pairs_of, weights, len(posterior), workers)
    return Pairs(weights.matching, others, without[0], without[1])


def _pairs_of(log_weights: "LogWeights", start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Of a stretch of rows, ``others`` (1, B), and what it adds to the two sums without an image (2, N)."""
    matching = log_weights.matching
    others = torch.empty(1, stop - start, dtype=torch.float64)
    without = torch.zeros(2, len(matching), dtype=torch.float64)
    for first, weights in log_weights.blocks(start, stop):
        ratio = shares(weights, first)
        others[0, first - start : first - start + len(weights)] = matching[first : first + len(weights)] + ratio
        accumulate(without, weights, torch.empty_like(weights, dtype=torch.bool), ratio.sigmoid())
    return others, without


class LogWeights(ABC):
    """log q(z_i|x_j) − log q(z_i|x_i) for N codes and N posteriors, made a block of rows at a time."""

    matching: Tensor
    """(N,): log q(z_i|x_i)."""

    @abstractmethod
    def fill(self, block: slice, out: Tensor) -> None:
        """Write the log-weights of some rows (B, N)."""

    def blocks(self, start: int, stop: int) -> Iterator[tuple[int, Tensor]]:
        """The first row of a block and its log-weights (B, N), to be overwritten, for the rows of a stretch."""
        n = len(self.matching)
        rows = min(max(ROWS, BLOCK // n), n)
        buffer = torch.empty(rows, n, dtype=torch.float64)
        for first in range(start, stop, rows):
            weights = buffer[: min(rows, stop - first)]
            self.fill(slice(first, first + len(weights)), weights)
            yield first, weights


@dataclass(frozen=True)
class Product(LogWeights):
    """As one matrix product, the square expanded: ``offset`` (N,) + ``left`` (N, D) @ ``right`` (D, N)."""

    matching: Tensor
    offset: Tensor
    left: Tensor
    right: Tensor

    def fill(self, block: slice, out: Tensor) -> None:
        """Write the log-weights of some rows (B, N)."""
        torch.addmm(self.offset, self.left[block], self.right, out=out)


@dataclass(frozen=True)
class Differences(LogWeights):
    """Differences taken before squaring, for means far from 0 in units of tiny standard deviations."""

    matching: Tensor
    posterior: DiagonalGaussian
    codes: Tensor

    def fill(self, block: slice, out: Tensor) -> None:
        """Write the log-weights of some rows (B, N)."""
        by_differences(self.posterior, self.codes[block], self.matching[block], out=out)


def log_weights(posterior: DiagonalGaussian, codes: Tensor, *, one_noise: bool = False) -> LogWeights:
    """What a pass makes its log-weights of.

    Args:
        posterior: of N images, float64 on the CPU.
        codes: (N, d) float64, code i sampled from posterior i.
        one_noise: all images have the same variances, as a channel's noise has: half the product.
    """
    n = len(posterior)
    centre = posterior.mean.mean(0)
    mean, centred = posterior.mean - centre, codes - centre
    precision = (-posterior.log_var).exp()
    # the residual of an item's own code comes from z - mean, never from the expanded square
    matching = posterior.log_prob(codes)
    largest = (centred.square().amax(0) + mean.square().amax(0)) @ precision.T
    if not float(largest.max()) * torch.finfo(torch.float64).eps < TOLERANCE:
        return Differences(matching, posterior, codes)

    # log q(z_i|x_j) - log q(z_i|x_i) as one product; the shift makes an item's own weight 1
    offset = -0.5 * (mean.square() * precision + posterior.log_var + math.log(2 * math.pi)).sum(1)
    ones = torch.ones(1, n, dtype=torch.float64)
    if one_noise:
        squares = centred.square() @ (-0.5 * precision[0])
        left = torch.cat([centred, (squares - matching)[:, None]], 1)
        right = torch.cat([(mean * precision).T, ones])
    else:
        left = torch.cat([centred.square(), centred, -matching[:, None]], 1)
        right = torch.cat([-0.5 * precision.T, (mean * precision).T, ones])
    return Product(matching, offset, left, right)


def shares(weights: Tensor, diagonal: int) -> Tensor:
    """(B,): log of the others' densities over the own one; overwrites log-weights (B, M) by shares of the others' sum.

    The own weight of row i is in column i + ``diagonal``.
    """
    weights.diagonal(diagonal).fill_(-math.inf)
    highest = weights.amax(1)
    far = highest.abs() > SAFE
    shift = torch.where(far, highest, 0.0)
    if far.any():
        weights.sub_(shift[:, None])
    weights.clamp_(min=-RANGE).exp_()
    weights.diagonal(diagonal).zero_()
    total = weights.sum(1)
    weights.div_(total[:, None])
    return shift + total.log()


def by_differences(posterior: DiagonalGaussian, codes: Tensor, matching: Tensor, out: Tensor) -> None:
    """Log-weights (B, N) without cancellation, for means far from 0 in units of tiny standard deviations."""
    out.copy_((-0.5 * (posterior.log_var + math.log(2 * math.pi)).sum(1)).expand_as(out))
    scale = (-0.5 * posterior.log_var).exp()
    difference = torch.empty_like(out)
    for dimension in range(codes.shape[1]):
        torch.sub(codes[:, dimension, None], posterior.mean[:, dimension], out=difference)
        difference.mul_(scale[:, dimension])
        out.addcmul_(difference, difference, value=-0.5)
    out.sub_(matching[:, None])


def accumulate(without: Tensor, share: Tensor, marks: Tensor, scale: Tensor) -> None:
    """Add a block's log(1 − p_ik), summed over its rows i, to ``without`` (2, N). Overwrites ``share`` and ``marks``.

    ``share`` (B, N) is p_ik among the others' densities; among all, the own one included, it is ``scale`` (B,) times
    that.
    """
    scales = torch.stack([scale, torch.ones_like(scale)])
    without.addmm_(scales, share, alpha=-1)

    torch.gt(share, SMALL, out=marks)
    marked = torch.from_numpy(np.flatnonzero(marks.numpy()))  # four times as fast as torch's nonzero on a sparse mask
    row, column = marked // share.shape[1], marked % share.shape[1]
    if not len(marked):
        return
    large = scales[:, row] * share[row, column]
    # 1 − p as a sum of what is left, which loses no digits when p is nearly 1; at most one p a row exceeds one half
    remainder = 1 - large
    dominant = large[1] > 0.5
    if dominant.any():
        at = row[dominant], column[dominant]
        share[at] = 0
        left = share.sum(1)[at[0]]
        remainder[0, dominant] = 1 - scale[at[0]] + left * scale[at[0]]
        remainder[1, dominant] = left
    corrections = remainder.clamp(min=math.exp(-RANGE)).log() + large
    for sums, correction in zip(without, corrections, strict=True):
        sums.index_add_(0, column, correction)


def log_ratio(pairs: Pairs) -> Tensor:
    """(K,): log Σ_j q(z_i|x_j) / q(z_i|x_i), which is never below 0."""
    return torch.logaddexp(torch.zeros_like(pairs.matching), pairs.others - pairs.matching)


def jackknife(terms: Tensor, without: Tensor) -> Tensor:
    """(K,): the delete-one influence on a mean of terms that image k leaves both as a term and as a comparison."""
    k = len(terms)
    if k == 2:  # leaving one out leaves nothing to compare
        return terms - terms.mean()
    left_out = (terms.sum() - terms - without) / (k - 1)
    return (k - 1) * (left_out.mean() - left_out)
