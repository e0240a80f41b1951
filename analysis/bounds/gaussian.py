"""The Gaussian of q(z): its shrunk moments, its density, and the divergence of a posterior from it."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae.posterior import DiagonalGaussian

__all__ = ["Factored", "aggregate", "factored", "kl_to_factored", "kl_to_gaussian", "log_gaussian"]

RIDGE = 64 * torch.finfo(torch.float64).eps
"""A covariance is shrunk at least by this much a dimension, or rounding may leave it not positive definite."""


def aggregate(posterior: DiagonalGaussian) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of q(z), the covariance of the means shrunk towards its diagonal."""
    n, d = posterior.mean.shape
    mean, noise = posterior.mean.mean(0), posterior.log_var.exp().mean(0)
    if n == 1:
        return mean, torch.diag(noise)
    centred = posterior.mean - mean
    covariance = centred.T @ centred / (n - 1)
    # in units of q(z)'s own standard deviations, so that a collapsed dimension counts for nothing
    scale = (covariance.diagonal() + noise).sqrt()
    unit = centred / scale
    products = unit.T @ unit / n
    spread = unit.square().T @ unit.square() / n - products.square()  # variance of one image's product
    off = ~torch.eye(d, dtype=torch.bool)
    signal = float(products[off].square().sum())
    shrink = min(1.0, max(float(spread[off].sum()) / n / signal, RIDGE * d)) if signal > 0 else 0.0
    shrunk = covariance * (1 - shrink) + torch.diag(covariance.diagonal()) * shrink
    return mean, shrunk + torch.diag(noise)


class Factored(NamedTuple):
    """A Gaussian in d dimensions of the moments of n < d images, whose covariance is diag(diagonal) + factor factorᵀ.

    Args:
        mean: (d,).
        diagonal: (d,), positive.
        factor: (d, n).
    """

    mean: Tensor
    diagonal: Tensor
    factor: Tensor


def factored(posterior: DiagonalGaussian) -> Factored:
    """The Gaussian of `aggregate`, for fewer images than dimensions without a covariance (d, d): in time n² d."""
    n, d = posterior.mean.shape
    mean, noise = posterior.mean.mean(0), posterior.log_var.exp().mean(0)
    centred = posterior.mean - mean
    variance = centred.square().sum(0) / (n - 1)
    unit = centred / (variance + noise).sqrt()
    # sums over pairs of different dimensions, as sums over all less those of each with itself
    squares = unit.square()
    own = squares.mean(0)
    signal = float((unit @ unit.T).square().sum()) / n**2 - float(own.square().sum())
    fourth = float(squares.sum(1).square().sum() - squares.square().sum()) / n
    shrink = min(1.0, max((fourth - signal) / n / signal, RIDGE * d)) if signal > 0 else 0.0
    return Factored(mean, variance * shrink + noise, centred.T * math.sqrt((1 - shrink) / (n - 1)))


def kl_to_factored(posterior: DiagonalGaussian, gaussian: Factored, added: Tensor) -> Tensor:
    r"""(N,): KL(q(z|x_i) ‖ N(mean, D + F Fᵀ)), D the diagonal with variances that have been added to it.

    By Woodbury's identity and the determinant lemma, :math:`L L^\top = I + F^\top D^{-1} F`:
    :math:`(D + F F^\top)^{-1} = D^{-1} - W^\top W`, :math:`W = L^{-1} F^\top D^{-1}`.

    Args:
        posterior: of N images.
        gaussian: its Gaussian before anything is added.
        added: (d,), variances.
    """
    diagonal = gaussian.diagonal + added
    scaled = gaussian.factor.T / diagonal
    lower = torch.linalg.cholesky(torch.eye(len(scaled), dtype=scaled.dtype) + scaled @ gaussian.factor)
    within = torch.linalg.solve_triangular(lower, scaled, upper=False)
    offset = posterior.mean - gaussian.mean
    distance = (offset.square() / diagonal).sum(1) - (offset @ within.T).square().sum(1)
    trace = posterior.log_var.exp() @ (1 / diagonal - within.square().sum(0))
    log_det = diagonal.log().sum() + 2 * lower.diagonal().log().sum()
    return 0.5 * (trace + distance - len(diagonal) + log_det - posterior.log_var.sum(1))


def kl_to_gaussian(posterior: DiagonalGaussian, mean: Tensor, covariance: Tensor) -> Tensor:
    """(N,): KL(q(z|x_i) ‖ N(mean, covariance)), in closed form."""
    lower = torch.linalg.cholesky(covariance)
    precision = torch.cholesky_inverse(lower)
    offset = torch.linalg.solve_triangular(lower, (posterior.mean - mean).T, upper=False).square().sum(0)
    trace = posterior.log_var.exp() @ precision.diagonal()
    log_det = 2 * lower.diagonal().log().sum()
    return 0.5 * (trace + offset - len(mean) + log_det - posterior.log_var.sum(1))


def log_gaussian(codes: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """(N,): log N(z_i; mean, covariance)."""
    lower = torch.linalg.cholesky(covariance)
    squares = torch.linalg.solve_triangular(lower, (codes - mean).T, upper=False).square().sum(0)
    return -0.5 * (squares + len(mean) * math.log(2 * math.pi)) - lower.diagonal().log().sum()
