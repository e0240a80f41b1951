"""Critics of pairs of codes: log density ratios of models that are fitted to the codes of other images."""

import functools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from analysis.bounds.encoded import shuffled
from analysis.bounds.gaussian import aggregate
from analysis.bounds.pairs import BLOCK, Pairs
from vae.posterior import DiagonalGaussian

__all__ = ["Critic", "candidates", "constant", "scores_of"]

REFERENCES = 1000
"""Images of the fitting set that a mixture critic compares with."""


NEGLIGIBLE = 1e-15
"""A share in a mixture below this is taken to be zero."""


FLOORS = (0.5, 0.1, 0.01, 0.001)
"""Floors of the mixture critics: the density ratio is never taken to be lower."""


Critic = Callable[[Tensor, Tensor], Callable[[slice], Tensor]]
"""Codes of A (K, d_A) and of B (L, d_B) to a function that scores a block of rows of A: (rows, L)."""


def scores_of(critic: Critic, a: Tensor, b: Tensor) -> Pairs:
    """`Pairs` of a critic: its scores in place of log-densities, in blocks of rows."""
    n = len(a)
    matching, others, without = torch.empty(n).double(), torch.empty(n).double(), torch.zeros(n).double()
    score = critic(a, b)
    for places in torch.arange(n).split(max(1, BLOCK // n)):
        rows = slice(int(places[0]), int(places[-1]) + 1)
        scores = score(rows)
        at = torch.arange(len(places)), places
        matching[rows] = scores[at]
        total = scores.logsumexp(1)
        share = (scores - total[:, None]).exp().clamp(max=1 - 1e-15)
        share[at] = 0
        without += torch.log1p(-share).sum(0)
        scores[at] = -math.inf
        others[rows] = scores.logsumexp(1)
    return Pairs(matching, others, without, without)


def constant(a: Tensor, b: Tensor) -> Callable[[slice], Tensor]:
    """The critic that tells nothing apart: the bound is 0."""
    return lambda rows: torch.zeros(len(a[rows]), len(b), dtype=torch.float64)


def candidates(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    """Log density ratios log p(z_A, z_B) / p(z_A) p(z_B) of models of the pair, fitted on ``fit``.

    Gaussian models keep the largest 1, 2, 4, … canonical correlations. Mixture models are what the encoders say of
    the images of ``fit`` themselves, :math:`p(z_A, z_B) = \\frac1M \\sum_m q(z_A|x_m) q(z_B|x_m)`.
    """
    yield from _gaussian_critics(fit, width)
    yield from _mixture_critics(fit, width)


def _gaussian_critics(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    mean, covariance = aggregate(fit)
    whiten = [
        torch.linalg.inv(torch.linalg.cholesky(block))
        for block in (covariance[:width, :width], covariance[width:, width:])
    ]
    left, correlations, right = torch.linalg.svd(whiten[0] @ covariance[:width, width:] @ whiten[1].T)
    limit = min(width, len(mean) - width)
    ranks = [2**power for power in range(limit.bit_length()) if 2**power < limit] + [limit]
    for rank in ranks:
        rho = correlations[:rank].clamp(max=1 - 1e-6)
        maps = left[:, :rank].T @ whiten[0], right[:rank] @ whiten[1]

        yield functools.partial(_gaussian_scores, rho, (mean[:width], mean[width:]), maps)


def _gaussian_scores(
    rho: Tensor, means: tuple[Tensor, Tensor], maps: tuple[Tensor, Tensor], a: Tensor, b: Tensor
) -> Callable[[slice], Tensor]:
    u, v = ((codes - mean) @ linear.T for codes, mean, linear in zip((a, b), means, maps, strict=True))
    weight = rho / (1 - rho.square())
    of_squares = -0.5 * (rho * weight)
    of_b = v.square() @ of_squares - 0.5 * torch.log1p(-rho.square()).sum()
    return lambda rows: (u[rows] * weight) @ v.T + (u[rows].square() @ of_squares)[:, None] + of_b


def _mixture_critics(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    some = fit[shuffled(len(fit))[:REFERENCES]]
    means, log_vars = some.mean.tensor_split((width,), 1), some.log_var.tensor_split((width,), 1)
    known = DiagonalGaussian(means[0], log_vars[0]), DiagonalGaussian(means[1], log_vars[1])
    for floor in FLOORS:
        yield functools.partial(_mixture_scores, floor, known)


def _mixture_scores(
    floor: float, known: tuple[DiagonalGaussian, DiagonalGaussian], a: Tensor, b: Tensor
) -> Callable[[slice], Tensor]:
    left, right = _responsibilities(known[0], a), _responsibilities(known[1], b).T.contiguous()
    # any critic gives a lower bound: its large product may be in single precision, at half the cost
    return lambda rows: (left[rows] @ right).double().mul_((1 - floor) * len(known[0])).add_(floor).log_()


def _responsibilities(known: DiagonalGaussian, codes: Tensor) -> Tensor:
    """(K, M) float32: the posterior probability of each of M images given a code, all equally likely before."""
    precision = (-known.log_var).exp()
    offset = -0.5 * (known.mean.square() * precision + known.log_var).sum(1)
    logs = torch.addmm(offset, codes, (known.mean * precision).T)
    shares = logs.addmm_(codes.square(), precision.T, alpha=-0.5).softmax(1).float()
    # products of two would otherwise be denormal numbers, which are ten times as slow
    return shares.masked_fill_(shares < NEGLIGIBLE, 0.0)
