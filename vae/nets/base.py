"""What every VAE here has, whatever its network."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tasks import pixels
from vae.likelihood import Bernoulli, Gaussian, Likelihood
from vae.linear import LinearVAE
from vae.posterior import DiagonalGaussian

__all__ = ["VAE"]

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises to its peak."""


class VAE(nn.Module):
    """A VAE for items of one size, images, spectrograms or volumes; its networks are a subclass's.

    Args:
        shape: (C, H, W) of the images, or (C, D, H, W) of the volumes.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0; None
            leaves them free.

    Attributes:
        values: makes numbers in [0, 1] of raw items, and leaves floating-point ones of that shape as they are.
        bernoulli: whether p(x|z) is Bernoulli's, and not Gaussian.
        decoder_scale: σ of a Gaussian p(x|z).
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self, shape: tuple[int, ...], pixel_mean: Tensor, pixel_std: Tensor, log_var_bound: float | None
    ) -> None:
        super().__init__()
        self.shape, self.log_var_bound = shape, log_var_bound
        self.values: Callable[[Tensor], Tensor] = pixels
        self.bernoulli, self.decoder_scale = False, 1.0
        sides = (1,) * (len(shape) - 1)
        self.register_buffer("pixel_mean", pixel_mean.clone().view(1, -1, *sides))
        self.register_buffer("pixel_std", pixel_std.clone().view(1, -1, *sides))

    @property
    def likelihood(self) -> Likelihood:
        """p(x|z), for a decoder's output."""
        return Bernoulli(self.pixel_mean, self.pixel_std) if self.bernoulli else Gaussian(self.decoder_scale)

    def normalise(self, images: Tensor) -> Tensor:
        """Items (B, C, …) in [0, 1], less ``pixel_mean`` and over ``pixel_std``: the units of every MSE and rate.

        By default these are the training pixels' own mean and standard deviation per channel, so that the training
        images have mean 0 and variance 1; the reference preset's are constants, with which they need not.
        """
        return (images - self.pixel_mean) / self.pixel_std

    def enter(self, raw: Tensor) -> Tensor:
        """Items as a data set has them, images (B, C, H, W) uint8, say, or in [0, 1]: normalised, as they are mixed."""
        return self.normalise(self.values(raw))

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised items (B, C, …)."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """What `likelihood` takes, for codes (B, d): (B, C, …), the mean of a Gaussian p(x|z), normalised."""
        raise NotImplementedError

    def start(self, linear: Callable[[], LinearVAE]) -> None:
        """Where training starts from: the initial weights, unless a network takes them from the linear VAE.

        Args:
            linear: makes the linear VAE of training inputs as this VAE sees them, with as many latents.
        """

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The optimiser's groups; ``lr_factor`` is what a group's learning rate is multiplied by."""
        return [{"params": list(self.parameters())}]

    def schedule(self, share: float) -> float:
        """The learning rate, as a share of its peak, after a share of the steps.

        Up linearly in the first tenth, then half a cosine down to nothing.
        """
        if share < WARM_UP:
            return share / WARM_UP
        return 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))

    def _posterior(self, mean: Tensor, log_var: Tensor) -> DiagonalGaussian:
        if self.log_var_bound is not None:
            log_var = self.log_var_bound * torch.tanh(log_var / self.log_var_bound)
        return DiagonalGaussian(mean, log_var)

    def _unbounded(self, log_var: Tensor) -> Tensor:
        """What `_posterior` makes these log-variances of, or, beyond its bound, the nearest."""
        if self.log_var_bound is None:
            return log_var
        return self.log_var_bound * (log_var / self.log_var_bound).clamp(-0.99, 0.99).atanh()
