"""Encoders whose mutual information is known, for the tests of the bounds."""

import math

import numpy as np
import torch
from scipy import integrate

from vae.posterior import DiagonalGaussian


def linear_gaussian(
    n: int, d: int, information: float, seed: int, *, shift: float = 0.0, correlation: float = 0.0
) -> DiagonalGaussian:
    """z = mean + noise with q(z) = N(shift, C): I(X;Z) = ½ log det C − ½ Σ log var, here ``information`` exactly.

    Without shift and correlation q(z) is the prior, so that the rate equals the information too.
    """
    stream = torch.Generator().manual_seed(10_000 + seed)
    normal = torch.randn(n, d, dtype=torch.float64, generator=stream)
    covariance = torch.full((d, d), correlation, dtype=torch.float64).fill_diagonal_(1.0)
    # noise variance v for all: ½ (log det C − d log v) = information
    log_var = (float(torch.logdet(covariance)) - 2 * information) / d
    signal = torch.linalg.cholesky(covariance - math.exp(log_var) * torch.eye(d, dtype=torch.float64))
    return DiagonalGaussian(normal @ signal.T + shift, torch.full((n, d), log_var, dtype=torch.float64))


def heteroscedastic(n: int, d: int, seed: int) -> DiagonalGaussian:
    """Each dimension of each image: mean ±2 and variance 0.05, or mean 0 and variance 1, one third each."""
    stream = torch.Generator().manual_seed(10_000 + seed)
    kind = torch.randint(0, 3, (n, d), generator=stream)
    mean = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)[kind]
    log_var = torch.tensor([math.log(0.05), 0.0, math.log(0.05)], dtype=torch.float64)[kind]
    return DiagonalGaussian(mean, log_var)


def heteroscedastic_information(d: int) -> float:
    """Its I(X;Z) by quadrature: the dimensions are independent."""

    def density(z: float) -> float:
        parts = ((-2, 0.05), (0, 1.0), (2, 0.05))
        return sum(math.exp(-((z - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v) for m, v in parts) / 3

    points = [-2, 0, 2]
    entropy = integrate.quad(lambda z: -density(z) * math.log(density(z)), -9, 9, points=points, limit=400)[0]
    conditional = np.mean([0.5 * math.log(2 * math.pi * math.e * v) for v in (0.05, 1.0, 0.05)])
    return d * (entropy - float(conditional))
