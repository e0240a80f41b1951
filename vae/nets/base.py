"""What every VAE here has, whatever its network."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tasks import pixels
from vae.linear import LinearVAE
from vae.posterior import DiagonalGaussian

__all__ = ["VAE"]

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises to its peak."""


class VAE(nn.Module):
    """A VAE for images of one size; its networks are a subclass's.

    Args:
        shape: (C, H, W) of the images.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0; None
            leaves them free.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self, shape: tuple[int, int, int], pixel_mean: Tensor, pixel_std: Tensor, log_var_bound: float | None
    ) -> None:
        super().__init__()
        self.shape, self.log_var_bound = shape, log_var_bound
        self.register_buffer("pixel_mean", pixel_mean.clone().view(1, -1, 1, 1))
        self.register_buffer("pixel_std", pixel_std.clone().view(1, -1, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], less ``pixel_mean`` and over ``pixel_std``: the units of every MSE and rate.

        By default these are the training pixels' own mean and standard deviation per channel, so that the training
        images have mean 0 and variance 1; the reference preset's are constants, with which they need not.
        """
        return (images - self.pixel_mean) / self.pixel_std

    def enter(self, raw: Tensor) -> Tensor:
        """Images (B, C, H, W) as a data set has them, uint8, or pixels in [0, 1]: normalised, as they are mixed."""
        return self.normalise(pixels(raw))

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
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
