r"""The diagonal-Gaussian posterior of a VAE's encoder.

.. math:: q(z|x) = \mathcal{N}\big(\mu(x), \operatorname{diag} e^{\ell(x)}\big)

Training and the information bounds use this one class, so that the rate that is minimised and the rate that is
reported cannot drift apart. Nothing is assumed about the aggregate :math:`q(z) = E_x q(z|x)`; in particular it is not
the standard normal, and the KL divergence below is therefore not a mutual information but an upper bound on one:
:math:`E_x KL(q(z|x) \| \mathcal{N}(0, I)) = I(X;Z) + KL(q(z) \| \mathcal{N}(0, I))`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["DiagonalGaussian"]


@dataclass(frozen=True)
class DiagonalGaussian:
    """One diagonal Gaussian per image.

    Args:
        mean: (N, d).
        log_var: (N, d), the natural logarithm of the variance.

    Example:
        >>> q = DiagonalGaussian(torch.zeros(2, 3), torch.zeros(2, 3))
        >>> q.kl_to_standard_normal()
        tensor([0., 0.])
    """

    mean: Tensor
    log_var: Tensor

    def __repr__(self) -> str:
        return f"posterior of {len(self):,} images in {self.mean.shape[1]} dimensions"

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, index: Tensor | slice) -> "DiagonalGaussian":
        return DiagonalGaussian(self.mean[index], self.log_var[index])

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One code per image, (N, d): ``mean + sd * noise`` (the reparameterisation of Kingma & Welling 2014)."""
        noise = torch.randn(self.mean.shape, dtype=self.mean.dtype, device=self.mean.device, generator=generator)
        return self.mean + (0.5 * self.log_var).exp() * noise

    def kl_to_standard_normal(self) -> Tensor:
        r"""(N,), nats: :math:`\tfrac12 \sum_d (\mu_d^2 + e^{\ell_d} - \ell_d - 1)` (Kingma & Welling 2014, App. B)."""
        return 0.5 * (self.mean.square() + torch.expm1(self.log_var) - self.log_var).sum(-1)

    def log_prob(self, codes: Tensor) -> Tensor:
        r"""(N,), nats: :math:`\log q(z_i|x_i)` of codes (N, d)."""
        squares = (codes - self.mean).square() * (-self.log_var).exp()
        return -0.5 * (squares + self.log_var + math.log(2 * math.pi)).sum(-1)

    def double(self) -> "DiagonalGaussian":
        """The same posterior in float64 on the CPU, where information is computed."""
        return DiagonalGaussian(self.mean.detach().double().cpu(), self.log_var.detach().double().cpu())
