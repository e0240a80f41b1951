r"""A VAE that starts as the linear one, and a small convolutional network beside it, on both sides.

For images and spectrograms, and for volumes, whose patches and convolutions have three dimensions.

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

import itertools
import math
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


CONVOLUTIONS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
"""By how many sides an input has."""

FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}
"""Of maps in memory, by how many sides they have: with the channels last convolutions are faster."""


def _in_patches(volumes: Tensor, patch: int) -> Tensor:
    """(B, C p³, D/p, H/p, W/p) of volumes (B, C, D, H, W): PyTorch's ``pixel_unshuffle`` in three dimensions."""
    count, channels, *sides = volumes.shape
    cut = volumes.view(count, channels, *itertools.chain(*((side // patch, patch) for side in sides)))
    return cut.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(count, channels * patch**3, *(side // patch for side in sides))


def _from_patches(patches: Tensor, patch: int) -> Tensor:
    """(B, C, D, H, W), which `_in_patches` makes these patches of."""
    count, channels, *grid = patches.shape
    cut = patches.reshape(count, channels // patch**3, patch, patch, patch, *grid)
    return cut.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(count, -1, *(side * patch for side in grid))


class _Added(nn.Module):
    """x plus a 3×3 convolution of SiLU(x), a 3×3×3 one where x is (B, C, D, H, W)."""

    def __init__(self, width: int, sides: int):
        super().__init__()
        self.convolution = CONVOLUTIONS[sides](width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.convolution(F.silu(features))


class ResidualVAE(VAE):
    """A VAE that starts as the linear one.

    Args:
        shape: (C, H, W) of the images, from 8×8 up, or (C, D, H, W) of the volumes, from 8×8×8 up.
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
        shape: tuple[int, ...],
        pixel_mean: Tensor,
        pixel_std: Tensor,
        *,
        width: int = 32,
        hidden: int = 256,
        latents: int = 64,
        log_var_bound: float | None = 10.0,
    ):
        super().__init__(shape, pixel_mean, pixel_std, log_var_bound)
        channels, sides = shape[0], len(shape) - 1
        convolution = CONVOLUTIONS[sides]
        self.patch = 4 if min(shape[1:]) >= 16 else 2
        block = 2 * self.patch  # an even number of patches a side, for the convolution of stride 2
        self.padding = tuple(
            itertools.chain(*((0, -side % block) for side in reversed(shape[1:])))
        )  # as F.pad takes it
        grid = [(side + -side % block) // self.patch for side in shape[1:]]
        pixels, inside = math.prod(shape), channels * self.patch**sides

        self.linear_mean = nn.Linear(pixels, latents)
        self.linear_log_var = nn.Parameter(torch.zeros(latents))
        self.features = nn.Sequential(
            convolution(inside, width, 3, padding=1),
            _Added(width, sides),
            nn.SiLU(),
            convolution(width, width, 4, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * math.prod(side // 2 for side in grid), hidden),
            nn.SiLU(),
        )
        self.heads = nn.Linear(hidden, 2 * latents)

        self.linear_decoder = nn.Linear(latents, pixels)
        self.of_image = convolution(inside, width, 3, padding=1)
        self.of_code = nn.Linear(latents, width)
        self.correction = nn.Sequential(_Added(width, sides), _Added(width, sides), nn.SiLU())
        self.to_pixels = convolution(width, inside, 3, padding=1)
        for last in (self.heads, self.to_pixels):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        self.format = FORMATS[sides]
        self.to(memory_format=self.format)

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
        unshuffle = F.pixel_unshuffle if len(self.shape) == 3 else _in_patches
        return unshuffle(F.pad(images, self.padding), self.patch).contiguous(memory_format=self.format)

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised items (B, C, …)."""
        mean, log_var = self.heads(self.features(self._patches(images))).chunk(2, 1)
        return self._posterior(mean + self.linear_mean(images.flatten(1)), log_var + self.linear_log_var)

    def decode(self, codes: Tensor) -> Tensor:
        """What `likelihood` takes, for codes (B, d): (B, C, …), the mean of a Gaussian p(x|z), normalised."""
        images = self.linear_decoder(codes).view(-1, *self.shape)
        shuffle = F.pixel_shuffle if len(self.shape) == 3 else _from_patches
        everywhere = self.of_code(codes)[(..., *[None] * (len(self.shape) - 1))]
        features = self.of_image(self._patches(images)) + everywhere
        added = shuffle(self.to_pixels(self.correction(features)), self.patch)
        for axis, side in enumerate(self.shape[1:], 2):
            added = added.narrow(axis, 0, side)
        return images + added
