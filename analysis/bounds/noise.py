r"""The noise profile: the same encoder with noise added to its code.

The channel :math:`\mathcal{N}(\mu(x), e^{\ell(x)} + s^2 v)` is again a diagonal Gaussian, and its information about the
image falls with s (data processing). With :math:`v_d` the variance of dimension d of q(z), the noise is s times each
dimension's own scale. Where the information has fallen a few nats below log N, InfoNCE no longer saturates, and the
two bounds meet; so encoders whose information cannot be compared as they are can be compared with noise.

What may be concluded: a lower limit of A above an upper limit of B *at the same s* orders the noised channels only.
Since information falls with s, a lower limit at s holds for every smaller s, and an upper limit for every larger one.

(Noise along the principal axes of q(z) would be the more natural choice, but makes the conditionals non-diagonal.)
"""

import math

import torch
from torch import Tensor

from analysis.bounds.encoded import LARGEST
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["aggregate_variance", "relative_to_prior", "with_noise"]


def aggregate_variance(posterior: DiagonalGaussian) -> Tensor:
    """Variance of each dimension of q(z), (d,): the mean variance plus the variance of the means.

    To be taken from images that are not scored, and then left as it is.
    """
    return posterior.log_var.exp().mean(0) + posterior.mean.var(0, correction=0)


def with_noise(posterior: DiagonalGaussian, level: float, variance: Tensor | float = 1.0) -> DiagonalGaussian:
    """The posterior after noise of variance ``level² variance`` has been added to the code.

    Args:
        posterior: (N, d).
        level: s ≥ 0.
        variance: (d,) or a number.

    Example:
        >>> q = with_noise(DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2)), 2.0)
        >>> q.log_var.exp()
        tensor([[5., 5.]])
    """
    if not 0 <= level < math.inf:
        raise BadInput("level", level, "a number of at least 0")
    extra = torch.as_tensor(level * (level * variance), dtype=posterior.log_var.dtype)
    log_var = torch.logaddexp(posterior.log_var, extra.log())
    if float(log_var.max()) > max(LARGEST, float(posterior.log_var.max())):
        raise BadInput("level", level, f"noise that leaves variances below e^{LARGEST}")
    return DiagonalGaussian(posterior.mean, log_var)


def relative_to_prior(posterior: DiagonalGaussian, level: float, variance: Tensor | float = 1.0) -> DiagonalGaussian:
    """The noised posterior in units in which the noised prior N(0, 1 + s² v) is standard normal.

    Its KL to the standard normal is the rate at level s.
    """
    noisy = with_noise(posterior, level, variance)
    prior = 1 + torch.as_tensor(level * (level * variance), dtype=posterior.log_var.dtype)
    return DiagonalGaussian(noisy.mean / prior.sqrt(), noisy.log_var - prior.log())
