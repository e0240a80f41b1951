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

Of large inputs the covariance is not made, but the same eigenvalues and eigenvectors are taken from the Gram matrix of
n draws, fewer than an input has numbers (the method of snapshots; Sirovich 1987, Quarterly of Applied Mathematics
45:561): with :math:`X` the (n, P) centred draws, :math:`X X^T / n` has the non-zero eigenvalues of the covariance, and
:math:`u_i = X^T w_i / \sqrt{n \lambda_i}` of its eigenvectors :math:`w_i`. They are exactly these draws' axes.

Under a Bernoulli likelihood (`vae.likelihood`) there is no closed form. Its linear VAE has the same encoder, that of
:math:`\sigma = 1`, and the same picture :math:`\mu + \sum_i \sqrt{\lambda_i - \sigma^2}\, z_i u_i`, which log-odds are
made of: what a network starts from. Its −ELBO is that of one sampled code for each input, always with the same noise.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scipy.linalg import eigh
from torch import Tensor

from store import BadInput
from vae.likelihood import Bernoulli
from vae.posterior import DiagonalGaussian

__all__ = ["LinearVAE", "Moments", "draws_of", "fit_linear", "linear_vae", "moments", "snapshots"]

LARGE = 12_288, 2_048
"""Numbers of an input above which its covariance is not made: (3, 64, 64) of images and spectrograms, of volumes less.

A covariance of 4,096² of 50,000 draws takes a core a minute or two. That of images stays what the networks in stores
were started from.
"""

DRAWS = 4_000
"""Draws of large inputs from which axes are taken, at most."""

HELD = 2**27
"""Numbers of inputs that are in memory together, at most: 4,096 of 32×32×32."""


def draws_of(shape: tuple[int, ...], most: int, heard: bool = False) -> int:
    """From how many draws of inputs (C, …) a linear VAE is fitted: ``most``, or fewer where inputs are large.

    Args:
        shape: of an input.
        most: where nothing else limits them.
        heard: whether inputs are spectrograms, which are made of clips anew for every draw.

    Example:
        >>> [draws_of((1, side, side, side), 50_000) for side in (8, 16, 32, 64)]
        [50000, 4000, 4000, 512]
    """
    most = min(most, DRAWS) if heard else most
    return min(most, DRAWS, max(HELD // math.prod(shape), 2)) if _large(shape) else most


def _large(shape: tuple[int, ...]) -> bool:
    return math.prod(shape) > LARGE[len(shape) > 3]


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of images, or of other inputs.

    Args:
        count: of images.
        mean: (P,) float64.
        covariance: (P, P) float64, divided by ``count``: the maximum of the likelihood.
        shape: (C, …), of P numbers.
    """

    count: int
    mean: Tensor
    covariance: Tensor
    shape: tuple[int, ...]


def moments(batches: Iterable[Tensor]) -> Moments:
    """Mean and covariance of batches (B, C, …) of normalised inputs, of which one at a time is in memory.

    Products of a batch are taken in single precision about the first batch's mean, and added up in float64.

    Raises:
        BadInput: no images.
    """
    count, shift = 0, torch.empty(0)
    shape: tuple[int, ...] = ()
    total, products = torch.empty(0), torch.empty(0)
    for batch in batches:
        if not count:
            shape = tuple(batch.shape[1:])
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
        shape: (C, …), of P numbers.
        bernoulli: the likelihood where it is that one, for which the linear VAE is no optimum.

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
    shape: tuple[int, ...]
    bernoulli: Bernoulli | None = None

    def spectrum(self) -> tuple[Tensor, Tensor]:
        """(d,) each: the eigenvalues, σ² in place of those of axes that are off; and σ²/λ, the posterior's variance."""
        eigenvalues = self.eigenvalues.clamp(min=self.scale**2)
        return eigenvalues, self.scale**2 / eigenvalues

    def _flat(self, images: Tensor) -> Tensor:
        return images.detach().cpu().flatten(1).double() - self.centre

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (N, C, …), in float64 on the CPU."""
        eigenvalues, variance = self.spectrum()
        batches = images.split(max(HELD // len(self.centre), 1))
        along = torch.cat([self._flat(batch) @ self.axes.T for batch in batches])
        mean = along * ((1 - variance) / eigenvalues).sqrt()
        return DiagonalGaussian(mean, variance.log().expand_as(mean).clone())

    def decode(self, codes: Tensor) -> Tensor:
        """What the likelihood takes, for codes (N, d): (N, C, …) float64, the mean of a Gaussian p(x|z), normalised."""
        eigenvalues, _ = self.spectrum()
        return (self.centre + codes * (eigenvalues - self.scale**2).sqrt() @ self.axes).view(-1, *self.shape)

    def squared_error(self, images: Tensor) -> Tensor:
        """(N,) float64: the expected squared error over the code, summed over pixels, in closed form.

        What the decoder makes of the mean, :math:`(1 - \\sigma^2/\\lambda_i)` of every axis that is on, leaves the
        rest; the spread of the code adds :math:`(\\lambda_i - \\sigma^2)\\sigma^2/\\lambda_i`. Under a Bernoulli
        likelihood there is none: it is that of the mean of p(x|z) for one sampled code.
        """
        if self.bernoulli is not None:
            return self._sampled(images, self.bernoulli)[0]
        flat = self._flat(images)
        eigenvalues, variance = self.spectrum()
        along = (flat @ self.axes.T).square()
        kept = 1 - variance.square()  # of what lies along an axis, 1 − (σ²/λ)² is no error
        return flat.square().sum(1) - along @ kept + ((eigenvalues - self.scale**2) * variance).sum()

    def negative_elbo(self, images: Tensor) -> Tensor:
        """(N,) nats: squared error over 2σ², and the KL divergence to the prior; less the constant in σ alone.

        Under a Bernoulli likelihood, the cross-entropy for one code, and that divergence.
        """
        return self.distortion(images) + self.encode(images).kl_to_standard_normal()

    def distortion(self, images: Tensor) -> Tensor:
        """(N,) nats: −ELBO without the KL divergence to the prior."""
        if self.bernoulli is not None:
            return self._sampled(images, self.bernoulli)[1]
        return self.squared_error(images) / (2 * self.scale**2)

    def _sampled(self, images: Tensor, likelihood: Bernoulli) -> tuple[Tensor, Tensor]:
        """Squared errors and nats lost, of one sampled code for each image."""
        stream, errors = torch.Generator().manual_seed(0), []
        for batch in images.detach().cpu().split(1000):
            output = self.decode(self.encode(batch).sample(stream))
            errors.append(likelihood.errors(batch.double(), output, torch.float64))
        squares, losses = (torch.cat(parts) for parts in zip(*errors, strict=True))
        return squares, likelihood.nats(losses)


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


def snapshots(draws: Tensor, latents: int, scale: float) -> LinearVAE:
    """The linear VAE of draws (n, C, …) of normalised inputs, from their Gram matrix: that of `linear_vae`.

    Products of numbers are taken in single precision about the mean, and added up in float64.

    Args:
        draws: fewer than an input has numbers, or it takes longer than `moments`.
        latents: d; those beyond the directions that the draws span are the prior.
        scale: of the decoder's noise, above 0.
    """
    flat = draws.flatten(1)
    mean = flat.mean(0, dtype=torch.float64)
    flat = flat - mean.to(flat.dtype)
    gram = torch.zeros(len(flat), len(flat), dtype=torch.float64, device=flat.device)
    for some in flat.split(1024, dim=1):
        gram += some @ some.T
    count = min(latents, len(flat))
    of_gram, vectors = eigh(gram.cpu().numpy(), subset_by_index=(len(flat) - count, len(flat) - 1))
    found = torch.from_numpy(of_gram).flip(0)
    on = found > len(flat) * torch.finfo(torch.float32).eps * found[0]  # the others are rounding
    weights = torch.from_numpy(vectors).flip(1)[:, on] / found[on].sqrt()
    axes = torch.zeros(latents, flat.shape[1], dtype=torch.float64)
    values = torch.zeros(latents, dtype=torch.float64)
    axes[: int(on.sum())] = (weights.T.to(flat) @ flat).double().cpu()
    values[: int(on.sum())] = found[on] / len(flat)
    return LinearVAE(mean.cpu(), axes, values, scale, tuple(draws.shape[1:]))


def fit_linear(batches: Iterable[Tensor], latents: int, scale: float) -> LinearVAE:
    """The linear VAE of batches (B, C, …) of normalised inputs, as many as are asked for (`draws_of`).

    By `moments` and `linear_vae`, or, where inputs are large, by `snapshots`.

    Raises:
        BadInput: no inputs.
    """
    rest = iter(batches)
    first = next(rest, None)
    if first is None:
        raise BadInput("images", "none", "at least one")
    if _large(tuple(first.shape[1:])):
        return snapshots(torch.cat([first, *rest]), latents, scale)
    return linear_vae(moments(itertools.chain([first], rest)), latents, scale)
