r"""The linear VAE, in closed form: what every VAE is measured against.

With a linear encoder and decoder, Gaussian noise of scale :math:`\sigma` and a standard normal prior, the optimum of
the ELBO is probabilistic principal component analysis (Tipping & Bishop 1999; Lucas et al. 2019, "Don't blame the
ELBO!", arXiv 1911.02469). With :math:`\mu` the mean of the inputs and :math:`\lambda_i, u_i` the eigenvalues, largest
first, and eigenvectors of their covariance, axis i is *on* if :math:`\lambda_i > \sigma^2`; then

.. math::

    q(z_i|x) = \mathcal{N}\Big(\sqrt{1 - \sigma^2/\lambda_i}\; u_i \cdot (x - \mu) / \sqrt{\lambda_i},\;
    \sigma^2/\lambda_i\Big), \qquad p(x|z) = \mathcal{N}\Big(\mu + \sum_i \sqrt{\lambda_i - \sigma^2}\, z_i u_i,\;
    \sigma^2\Big),

and otherwise :math:`q(z_i|x)` is the prior. Its rate on the inputs it was fitted on is
:math:`\tfrac12 \sum_{on} \ln(\lambda_i/\sigma^2)`. It needs no training and holds at every scale. A VAE whose −ELBO is
above it is worse than a linear model of its data.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scipy.linalg import eigh
from torch import Tensor

from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["LinearVAE", "Moments", "fit_linear", "linear_vae", "moments"]


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of images.

    Args:
        count: of images.
        mean: (P,) float64.
        covariance: (P, P) float64, divided by ``count``: the maximum of the likelihood.
        shape: (C, H, W), of P numbers.
    """

    count: int
    mean: Tensor
    covariance: Tensor
    shape: tuple[int, int, int]


def moments(batches: Iterable[Tensor]) -> Moments:
    """Mean and covariance of batches (B, C, H, W) of normalised images, of which one at a time is in memory.

    Products of a batch are taken in single precision about the first batch's mean, and added up in float64.

    Raises:
        BadInput: no images.
    """
    count, shift, shape = 0, torch.empty(0), (0, 0, 0)
    total, products = torch.empty(0), torch.empty(0)
    for batch in batches:
        if not count:
            shape = (int(batch.shape[1]), int(batch.shape[2]), int(batch.shape[3]))
            shift = batch.flatten(1).mean(0)
            total = torch.zeros_like(shift, dtype=torch.float64)
            products = torch.zeros(len(shift), len(shift), dtype=torch.float64, device=batch.device)
        flat = batch.flatten(1) - shift
        count += len(flat)
        total += flat.sum(0, dtype=torch.float64)
        products += flat.T @ flat
    if not count:
        raise BadInput("images", "none", "at least one")
    mean = total / count
    covariance = products / count - torch.outer(mean, mean)
    return Moments(count, (mean + shift).cpu(), covariance.cpu(), shape)


@dataclass(frozen=True)
class LinearVAE:
    """A linear VAE at the optimum of its ELBO.

    Args:
        centre: (P,) float64, the mean of the inputs.
        axes: (d, P) float64, orthonormal rows, the largest eigenvalue first.
        eigenvalues: (d,) float64, of the inputs' covariance.
        scale: of the decoder's noise.
        shape: (C, H, W), of P numbers.

    Example:
        >>> images = torch.randn(2000, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * 3
        >>> linear = fit_linear([images], latents=2, scale=1.0)
        >>> float(linear.encode(images).kl_to_standard_normal().mean() - 0.5 * linear.eigenvalues.log().sum()) < 1e-6
        True
    """

    centre: Tensor
    axes: Tensor
    eigenvalues: Tensor
    scale: float
    shape: tuple[int, int, int]

    def spectrum(self) -> tuple[Tensor, Tensor]:
        """(d,) each: the eigenvalues, σ² in place of those of axes that are off; and σ²/λ, the posterior's variance."""
        eigenvalues = self.eigenvalues.clamp(min=self.scale**2)
        return eigenvalues, self.scale**2 / eigenvalues

    def _flat(self, images: Tensor) -> Tensor:
        return images.detach().cpu().flatten(1).double() - self.centre

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (N, C, H, W), in float64 on the CPU."""
        eigenvalues, variance = self.spectrum()
        mean = self._flat(images) @ self.axes.T * ((1 - variance) / eigenvalues).sqrt()
        return DiagonalGaussian(mean, variance.log().expand_as(mean).clone())

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (N, d): normalised images (N, C, H, W), float64."""
        eigenvalues, _ = self.spectrum()
        return (self.centre + codes * (eigenvalues - self.scale**2).sqrt() @ self.axes).view(-1, *self.shape)

    def squared_error(self, images: Tensor) -> Tensor:
        """(N,) float64: the expected squared error over the code, summed over pixels, in closed form.

        What the decoder makes of the mean, :math:`(1 - \\sigma^2/\\lambda_i)` of every axis that is on, leaves the
        rest; the spread of the code adds :math:`(\\lambda_i - \\sigma^2)\\sigma^2/\\lambda_i`.
        """
        flat = self._flat(images)
        eigenvalues, variance = self.spectrum()
        along = (flat @ self.axes.T).square()
        kept = 1 - variance.square()  # of what lies along an axis, 1 − (σ²/λ)² is no error
        return flat.square().sum(1) - along @ kept + ((eigenvalues - self.scale**2) * variance).sum()

    def negative_elbo(self, images: Tensor) -> Tensor:
        """(N,) nats: squared error over 2σ², and the KL divergence to the prior; less the constant in σ alone."""
        return self.squared_error(images) / (2 * self.scale**2) + self.encode(images).kl_to_standard_normal()


def linear_vae(of: Moments, latents: int, scale: float) -> LinearVAE:
    """The linear VAE of images with these moments.

    Args:
        of: the images.
        latents: d; those beyond the number of pixels are the prior.
        scale: of the decoder's noise, above 0.
    """
    pixels = len(of.mean)
    count = min(latents, pixels)
    eigenvalues, vectors = eigh(of.covariance.numpy(), subset_by_index=(pixels - count, pixels - 1))
    axes = torch.zeros(latents, pixels, dtype=torch.float64)
    values = torch.zeros(latents, dtype=torch.float64)
    axes[:count] = torch.from_numpy(vectors).T.flip(0)
    values[:count] = torch.from_numpy(eigenvalues).flip(0).clamp(min=0)
    return LinearVAE(of.mean, axes, values, scale, of.shape)


def fit_linear(batches: Iterable[Tensor], latents: int, scale: float) -> LinearVAE:
    """The linear VAE of batches (B, C, H, W) of normalised images; see `moments` and `linear_vae`."""
    return linear_vae(moments(batches), latents, scale)
