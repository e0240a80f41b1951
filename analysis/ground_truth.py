r"""Encoders whose mutual information is known, against which the bounds are checked.

- `linear_gaussian`: :math:`z = \mu(x) + \epsilon` with Gaussian :math:`\mu` and noise of one variance v, scaled so that
  :math:`q(z) = \mathcal{N}(s, C)`. Then :math:`I(X;Z) = \tfrac12 \log\det C - \tfrac d2 \log v`, whatever the shift s,
  while the rate also counts :math:`KL(q(z) \| \mathcal{N}(0, I))`.
- `heteroscedastic`: independent dimensions whose posterior is narrow at ±2 or wide at 0, so that q(z) has three peaks
  and no estimator's comfortable assumption holds; the truth is a one-dimensional integral.

What is not assumed by the bounds, but holds here: nothing beyond the diagonal Gaussian posterior itself.
"""

import math

import torch
from scipy import integrate

from training import generator
from vae.posterior import DiagonalGaussian

__all__ = ["heteroscedastic", "heteroscedastic_information", "linear_gaussian"]

PEAKS = ((-2.0, 0.05), (0.0, 1.0), (2.0, 0.05))
"""Mean and variance of the three kinds of posterior of `heteroscedastic`."""


def linear_gaussian(
    n: int, d: int, information: float, seed: int, *, shift: float = 0.0, correlation: float = 0.0
) -> DiagonalGaussian:
    """Posteriors of n images under a linear-Gaussian encoder with I(X;Z) = ``information`` nats exactly.

    Args:
        n: images.
        d: dimensions of the code.
        information: nats.
        seed: of the images.
        shift: added to every dimension of every code; changes the rate and not the information.
        correlation: between all dimensions of q(z), from 0 to below 1; a correlated code needs some information.

    Example:
        >>> q = linear_gaussian(10_000, 2, 3.0, 1)
        >>> abs(float(q.kl_to_standard_normal().mean()) - 3.0) < 0.05
        True
    """
    normal = torch.randn(n, d, dtype=torch.float64, generator=generator("cpu", seed, "ground truth"))
    covariance = torch.full((d, d), correlation, dtype=torch.float64).fill_diagonal_(1.0)
    log_var = (float(torch.logdet(covariance)) - 2 * information) / d
    signal = torch.linalg.cholesky(covariance - math.exp(log_var) * torch.eye(d, dtype=torch.float64))
    return DiagonalGaussian(normal @ signal.T + shift, torch.full((n, d), log_var, dtype=torch.float64))


def heteroscedastic(n: int, d: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images; each dimension of each is one of `PEAKS`, one third each."""
    kind = torch.randint(0, len(PEAKS), (n, d), generator=generator("cpu", seed, "ground truth"))
    mean, variance = torch.tensor(PEAKS, dtype=torch.float64).unbind(1)
    return DiagonalGaussian(mean[kind], variance.log()[kind])


def heteroscedastic_information(d: int) -> float:
    """I(X;Z) of `heteroscedastic` in nats, by quadrature."""

    def density(z: float) -> float:
        return sum(math.exp(-((z - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v) for m, v in PEAKS) / len(PEAKS)

    points = [mean for mean, _ in PEAKS]
    entropy, _ = integrate.quad(lambda z: -density(z) * math.log(density(z)), -9, 9, points=points, limit=400)
    conditional = sum(0.5 * math.log(2 * math.pi * math.e * variance) for _, variance in PEAKS) / len(PEAKS)
    return d * (entropy - conditional)
