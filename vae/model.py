"""The reference VAE: convolutional encoder and mirrored decoder.

The encoder halves the image with 4×4 convolutions of stride 2 (32, 32, 64, 64 channels; ReLU, then BatchNorm), goes
through one hidden layer of 256 units, and has two linear heads, initialised to zero, for mean and log-variance of 64
latents. The decoder mirrors it. Images whose side is not a multiple of 16 are padded with zeros and the output is
cropped; images under 16 pixels go through three stages instead of four.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.posterior import DiagonalGaussian

__all__ = ["VAE"]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]


class VAE(nn.Module):
    """A VAE for images of one size.

    Args:
        shape: (C, H, W) of the images, from 8×8 up.
        pixel_mean: (C,), of the training pixels in [0, 1].
        pixel_std: (C,), the same.
        width: channels of the first stage; the reference has 32.
        hidden: units of the hidden layer; the reference has 256.
        latents: dimensions of the code; the reference has 64.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0; None
            leaves them free, as the reference does.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

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
        super().__init__()
        channels, height, self.columns = shape
        self.rows = height
        self.log_var_bound = log_var_bound
        stages = 4 if min(height, self.columns) >= 16 else 3
        block = 2**stages
        # (left, right, top, bottom), as F.pad takes it
        spare_rows, spare_columns = -height % block, -self.columns % block
        self.padding = (
            spare_columns // 2, spare_columns - spare_columns // 2, spare_rows // 2, spare_rows - spare_rows // 2,
        )  # fmt: skip
        widths = [width, width, 2 * width, 2 * width][:stages]
        grid = (widths[-1], (height + spare_rows) // block, (self.columns + spare_columns) // block)
        features = grid[0] * grid[1] * grid[2]

        down: list[nn.Module] = []
        for inputs, outputs in zip([channels, *widths[:-1]], widths, strict=True):
            down += _down(inputs, outputs)
        self.features = nn.Sequential(*down, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU())
        self.mean_head = nn.Linear(hidden, latents)
        self.log_var_head = nn.Linear(hidden, latents)
        for head in (self.mean_head, self.log_var_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

        mirrored = widths[::-1]
        up: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(mirrored):
            up += _up(inputs, outputs)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, features), nn.ReLU(), nn.Unflatten(1, grid),
            *up, nn.ConvTranspose2d(mirrored[-1], channels, 4, 2, 1),
        )  # fmt: skip
        self.register_buffer("pixel_mean", pixel_mean.clone().view(1, -1, 1, 1))
        self.register_buffer("pixel_std", pixel_std.clone().view(1, -1, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to zero mean and unit variance per channel, the units of every MSE."""
        return (images - self.pixel_mean) / self.pixel_std

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        features = self.features(F.pad(images, self.padding))
        mean, log_var = self.mean_head(features), self.log_var_head(features)
        if self.log_var_bound is not None:
            log_var = self.log_var_bound * torch.tanh(log_var / self.log_var_bound)
        return DiagonalGaussian(mean, log_var)

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
        images = self.decoder(codes)
        left, _, top, _ = self.padding
        return images[..., top : top + self.rows, left : left + self.columns]
