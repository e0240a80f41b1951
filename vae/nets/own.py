r"""A VAE that starts as the linear one, and a small convolutional network beside it, on both sides.

Encoder and decoder are each a linear map, which starts at `vae.linear`'s optimum, plus what a network adds, which
starts at nothing; so training begins where principal components end:

- *encoder*: patches of 4×4 pixels (2×2 under 16 pixels a side) as channels, a 3×3 convolution, one residual 3×3
  convolution, a 4×4 convolution of stride 2 and a hidden layer, which correct the linear mean and log-variance;
- *decoder*: the image that the linear map makes of a code, in the same patches, with a linear map of the code added to
  every position, goes through a 3×3 convolution and two residual ones, which correct it.

What a blurred image lacks is mostly local: a network that sees the linear decoder's image learns it from few images,
and alike at every place, where one that starts from the code must first learn to make an image. SiLU (Hendrycks &
Gimpel 2016) throughout, and no normalisation: there are no running statistics that mixed images could spoil.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.linear import LinearVAE
from vae.nets.base import VAE
from vae.posterior import DiagonalGaussian

__all__ = ["ResidualVAE"]

LINEAR_RATE = 0.03
"""The share of the learning rate for the linear maps: their entries are as small."""


class _Added(nn.Module):
    """x plus a 3×3 convolution of SiLU(x)."""

    def __init__(self, width: int):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.convolution(F.silu(features))


class ResidualVAE(VAE):
    """A VAE that starts as the linear one.

    Args:
        shape: (C, H, W) of the images, from 8×8 up.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        width: channels of the convolutions.
        hidden: units of the encoder's hidden layer.
        latents: dimensions of the code.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0; None
            leaves them free.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        pixel_mean: Tensor,
        pixel_std: Tensor,
        *,
        width: int = 32,
        hidden: int = 256,
        latents: int = 64,
        log_var_bound: float | None = 10.0,
    ):
        super().__init__(shape, pixel_mean, pixel_std, log_var_bound)
        channels, rows, columns = shape
        self.patch = 4 if min(shape[1:]) >= 16 else 2
        block = 2 * self.patch  # an even number of patches a side, for the convolution of stride 2
        self.padding = (0, -columns % block, 0, -rows % block)
        grid = [(side + -side % block) // self.patch for side in shape[1:]]
        pixels, inside = channels * rows * columns, channels * self.patch**2

        self.linear_mean = nn.Linear(pixels, latents)
        self.linear_log_var = nn.Parameter(torch.zeros(latents))
        self.features = nn.Sequential(
            nn.Conv2d(inside, width, 3, padding=1),
            _Added(width),
            nn.SiLU(),
            nn.Conv2d(width, width, 4, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * (grid[0] // 2) * (grid[1] // 2), hidden),
            nn.SiLU(),
        )
        self.heads = nn.Linear(hidden, 2 * latents)

        self.linear_decoder = nn.Linear(latents, pixels)
        self.of_image = nn.Conv2d(inside, width, 3, padding=1)
        self.of_code = nn.Linear(latents, width)
        self.correction = nn.Sequential(_Added(width), _Added(width), nn.SiLU())
        self.to_pixels = nn.Conv2d(width, inside, 3, padding=1)
        for last in (self.heads, self.to_pixels):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def start(self, linear: Callable[[], LinearVAE]) -> None:
        """Make the linear maps those of a linear VAE of as many latents; what the networks add stays."""
        fitted = linear()
        on, variance = fitted.spectrum()
        encoder = fitted.axes * ((1 - variance) / on).sqrt()[:, None]
        decoder = fitted.axes * (on - fitted.scale**2).sqrt()[:, None]
        self.linear_mean.weight.copy_(encoder)
        self.linear_mean.bias.copy_(-encoder @ fitted.centre)
        self.linear_log_var.copy_(self._unbounded(variance.log()))
        self.linear_decoder.weight.copy_(decoder.T)
        self.linear_decoder.bias.copy_(fitted.centre)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The convolutions and what goes with them; the linear maps, whose entries are small, at a smaller rate."""
        linear = [*self.linear_mean.parameters(), self.linear_log_var, *self.linear_decoder.parameters()]
        taken = {id(parameter) for parameter in linear}
        others = [parameter for parameter in self.parameters() if id(parameter) not in taken]
        return [{"params": others}, {"params": linear, "lr_factor": LINEAR_RATE}]

    def _patches(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(F.pad(images, self.padding), self.patch).contiguous(memory_format=torch.channels_last)

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        mean, log_var = self.heads(self.features(self._patches(images))).chunk(2, 1)
        return self._posterior(mean + self.linear_mean(images.flatten(1)), log_var + self.linear_log_var)

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
        images = self.linear_decoder(codes).view(-1, *self.shape)
        features = self.of_image(self._patches(images)) + self.of_code(codes)[:, :, None, None]
        added = F.pixel_shuffle(self.to_pixels(self.correction(features)), self.patch)
        return images + added[..., : self.shape[1], : self.shape[2]]
