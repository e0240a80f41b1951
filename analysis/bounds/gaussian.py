"""The Gaussian of q(z): its shrunk moments, its density, and the divergence of a posterior from it."""

import math

import torch
from torch import Tensor

from vae.posterior import DiagonalGaussian

__all__ = ["aggregate", "kl_to_gaussian", "log_gaussian"]

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
