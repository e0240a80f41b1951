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

import torch
from torch import Tensor

from vae.posterior import DiagonalGaussian

__all__ = ["Pairs", "all_pairs"]

BLOCK = 1_500_000
"""Pairs held at a time: 12 MB of float64, which stays in the cache of a current processor."""

SMALL = 0.02
"""log(1 - p) is -p - p²/2 below this, wrong by less than p²/3 = 0.00013 of itself, and exact above."""

UNDERFLOW = -700.0
"""exp of less is slow on x86 and lost in a sum of at least 1 anyway."""

TOLERANCE = 1e-7
"""Rounding error of a log-density, in nats, above which differences are taken before squaring."""


@dataclass(frozen=True)
class Pairs:
    """What one pass over all pairs leaves: four vectors (N,), in nats.

    Args:
        own: log q(z_i|x_i).
        others: log Σ_{j≠i} q(z_i|x_j).
        infonce_without: Σ_{i≠k} log(1 − p_ik), p_ik the share of q(z_i|x_k) among all N densities of z_i.
        leave_one_out_without: the same among the N − 1 densities other than z_i's own.
    """

    own: Tensor
    others: Tensor
    infonce_without: Tensor
    leave_one_out_without: Tensor

    def __len__(self) -> int:
        return len(self.own)


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
    own = posterior.log_prob(codes)

    offset = -0.5 * (mean.square() * precision + posterior.log_var + math.log(2 * math.pi)).sum(1)
    left = torch.cat([codes_centred.square(), codes_centred], 1)
    right = torch.cat([-0.5 * precision, mean * precision], 1).T.contiguous()
    largest = (codes_centred.square().amax(0) + mean.square().amax(0)) @ precision.T
    exact = float(largest.max()) * torch.finfo(torch.float64).eps < TOLERANCE

    others = torch.empty_like(own)
    without = torch.zeros(2, n, dtype=torch.float64)
    rows = max(1, BLOCK // n)
    logs = torch.empty(min(rows, n), n, dtype=torch.float64)
    squares = torch.empty_like(logs)
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        weights, scratch = logs[: block.stop - start], squares[: block.stop - start]
        if exact:
            torch.addmm(offset, left[block], right, out=weights)
        else:
            weights.copy_(_by_differences(posterior, codes[block]))
        weights.diagonal(start).fill_(-math.inf)
        highest = weights.amax(1)
        weights.sub_(highest[:, None]).clamp_(min=UNDERFLOW).exp_()
        weights.diagonal(start).zero_()
        total = weights.sum(1)
        others[block] = highest + total.log()
        _accumulate(without, weights, scratch, total, highest, own[block])
    return Pairs(own, others, without[0], without[1])


def _by_differences(posterior: DiagonalGaussian, codes: Tensor) -> Tensor:
    """Log-densities (B, N) without cancellation, for means far from 0 in units of tiny standard deviations."""
    result = torch.empty(len(codes), len(posterior), dtype=torch.float64)
    for row, code in enumerate(codes):
        result[row] = posterior.log_prob(code)
    return result


def _accumulate(
    without: Tensor, weights: Tensor, scratch: Tensor, total: Tensor, highest: Tensor, own: Tensor
) -> None:  # fmt: skip
    """Add a block's log(1 − p_ik), summed over its rows i, to ``without`` (2, N). May overwrite both buffers."""
    # p_ik = share * weight: against all densities (row 0 of shares), against the others' alone (row 1)
    of_all = (highest - torch.logaddexp(highest + total.log(), own)).exp()
    shares = torch.stack([of_all, 1 / total])
    without.addmm_(shares, weights, alpha=-1)
    torch.mul(weights, weights, out=scratch)
    without.addmm_(shares.square(), scratch, alpha=-0.5)

    row, column = (weights > SMALL * total[:, None]).nonzero(as_tuple=True)
    if not len(row):
        return
    weight = weights[row, column]
    share = shares[:, row] * weight
    # 1 − p as a sum of what is left, which loses no digits when p is nearly 1; at most one p a row exceeds one half
    rest = 1 - share
    dominant = share[1] > 0.5
    if dominant.any():
        at = row[dominant], column[dominant]
        weights[at] = 0
        left = weights[at[0]].sum(1)
        rest[1, dominant] = left / total[at[0]]
        rest[0, dominant] = left * of_all[at[0]] + (own - torch.logaddexp(highest + total.log(), own)).exp()[at[0]]
    exact = rest.log() + share + 0.5 * share.square()
    for which in range(2):
        without[which].index_add_(0, column, exact[which])
