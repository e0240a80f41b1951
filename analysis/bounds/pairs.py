r"""All-pairs log-densities of codes under posteriors, streamed.

Every contrastive estimator needs, for N codes :math:`z_i` and N diagonal Gaussians :math:`q(\cdot|x_j)`,

.. math:: \log \sum_{j \ne i} q(z_i|x_j), \qquad
          \log q(z_i|x_j) = -\tfrac12 \sum_d \left[ \frac{(z_{id} - \mu_{jd})^2}{v_{jd}} + \log 2\pi v_{jd} \right].

Expanding the square turns the N² d differences into one matrix product of :math:`[z^2, z]` with
:math:`[1/v, -2\mu/v]`, which is what a processor does fastest; a block of rows at a time is exponentiated and summed
while it is still in the cache, so that memory is linear in N.

The same weights give the delete-one jackknife of both estimators. Leaving image k out removes one row and one column,

.. math:: \log \Big( \sum_j w_{ij} - w_{ik} \Big) = \log \sum_j w_{ij} + \log (1 - p_{ik}),

so all that is needed beyond the row sums is :math:`\sum_{i \ne k} \log(1 - p_{ik})` for every column k.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae.posterior import DiagonalGaussian

__all__ = ["Pairs", "accumulate", "all_pairs", "by_differences", "jackknife", "log_ratio", "shares"]

BLOCK = 1_000_000
"""Pairs held at a time: 8 MB of float64, which stays in the cache of a current processor."""

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


def all_pairs(posterior: DiagonalGaussian, codes: Tensor) -> Pairs:
    """Compare every code with every posterior.

    Args:
        posterior: of N images, float64 on the CPU.
        codes: (N, d) float64, code i sampled from posterior i.
    """
    n = len(posterior)
    centre = posterior.mean.mean(0)
    mean, codes_centred = posterior.mean - centre, codes - centre
    precision = (-posterior.log_var).exp()
    # the residual of an item's own code comes from z - mean, never from the expanded square
    matching = posterior.log_prob(codes)

    # log q(z_i|x_j) - log q(z_i|x_i) as one product; the shift makes an item's own weight 1
    offset = -0.5 * (mean.square() * precision + posterior.log_var + math.log(2 * math.pi)).sum(1)
    left = torch.cat([codes_centred.square(), codes_centred, -matching[:, None]], 1)
    right = torch.cat([-0.5 * precision, mean * precision, torch.ones(n, 1, dtype=torch.float64)], 1).T.contiguous()
    largest = (codes_centred.square().amax(0) + mean.square().amax(0)) @ precision.T
    expand = float(largest.max()) * torch.finfo(torch.float64).eps < TOLERANCE

    others = torch.empty_like(matching)
    without = torch.zeros(2, n, dtype=torch.float64)
    rows = min(max(1, BLOCK // n), n)
    buffer = torch.empty(rows, n, dtype=torch.float64)
    marks = torch.empty(rows, n, dtype=torch.bool)
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        weights = buffer[: block.stop - start]
        if expand:
            torch.addmm(offset, left[block], right, out=weights)
        else:
            by_differences(posterior, codes[block], matching[block], out=weights)
        ratio = shares(weights, start)
        others[block] = matching[block] + ratio
        accumulate(without, weights, marks[: len(weights)], ratio.sigmoid())
    return Pairs(matching, others, without[0], without[1])


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
