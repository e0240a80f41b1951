"""The reference code's VAE (github.com/ecs-vlc/FMix, ``analysis/vae.py``), for images of other sizes too.

The encoder halves the image with 4×4 convolutions of stride 2 (32, 32, 64, 64 channels; ReLU, then BatchNorm), goes
through one hidden layer of 256 units (ReLU), and has two linear heads, initialised to zero, for the mean and the log
*standard deviation* of 64 latents, so that the log-variance is twice the second. The decoder is no mirror of it: linear
64 → 256 and 256 → 256 with ReLU, 64×2×2, then four times bilinear upsampling (corners not aligned) to 5, 9, 17 and 33
pixels and a 4×4 convolution with padding 1, which takes one pixel off (64, 32, 32 channels, ReLU, then BatchNorm after
each; last the image's). All convolutions start from Xavier normal, their biases and the linear layers from PyTorch's
initialisation.

Images whose side is not a multiple of 16 are padded with zeros and the output is cropped; images under 16 pixels go
through three stages instead of four. On sides other than 32 a stage of the decoder goes from s pixels to 2s + 1 and
back to 2s, which is 5, 9, 17 and 33 from 2.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.nets.base import VAE
from vae.posterior import DiagonalGaussian

__all__ = ["ReferenceVAE"]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]


class _OneMoreThanTwice(nn.Module):
    """Bilinear interpolation from s pixels a side to 2s + 1."""

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = images.shape[-2:]
        return F.interpolate(images, (2 * rows + 1, 2 * columns + 1), mode="bilinear")


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [_OneMoreThanTwice(), nn.Conv2d(inputs, outputs, 4, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs)]


class ReferenceVAE(VAE):
    """The reference code's VAE.

    Args:
        shape: (C, H, W) of the images, from 8×8 up.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        width: channels of the first stage; the reference has 32.
        hidden: units of the hidden layer; the reference has 256.
        latents: dimensions of the code; the reference has 64.
        log_var_bound: None leaves log-variances free, as the reference does.
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
        log_var_bound: float | None = None,
    ):
        super().__init__(shape, pixel_mean, pixel_std, log_var_bound)
        channels, height, columns = shape
        stages = 4 if min(height, columns) >= 16 else 3
        block = 2**stages
        # (left, right, top, bottom), as F.pad takes it
        spare_rows, spare_columns = -height % block, -columns % block
        self.padding = (
            spare_columns // 2,
            spare_columns - spare_columns // 2,
            spare_rows // 2,
            spare_rows - spare_rows // 2,
        )
        widths = [width, width, 2 * width, 2 * width][:stages]
        grid = (widths[-1], (height + spare_rows) // block, (columns + spare_columns) // block)
        features = grid[0] * grid[1] * grid[2]

        down: list[nn.Module] = []
        for inputs, outputs in zip([channels, *widths[:-1]], widths, strict=True):
            down += _down(inputs, outputs)
        self.features = nn.Sequential(*down, nn.Flatten(), nn.Linear(features, hidden), nn.ReLU())
        self.mean_head = nn.Linear(hidden, latents)
        self.log_scale_head = nn.Linear(hidden, latents)
        for head in (self.mean_head, self.log_scale_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

        mirrored = widths[::-1]
        up: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(mirrored):
            up += _up(inputs, outputs)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden),
            nn.ReLU(),
            nn.Linear(hidden, features),
            nn.ReLU(),
            nn.Unflatten(1, grid),
            *up,
            *_up(mirrored[-1], channels)[:-2],  # neither ReLU nor BatchNorm before the pixels
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_normal_(layer.weight)
        self.to(memory_format=torch.channels_last)  # a step takes 0.6 of the time on a CPU

    def schedule(self, share: float) -> float:
        """1, and a tenth after 40 and after 80% of the steps, as published."""
        return 0.1 ** sum(share >= drop for drop in (0.4, 0.8))

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        features = self.features(F.pad(images, self.padding))
        return self._posterior(self.mean_head(features), 2 * self.log_scale_head(features))

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
        _, rows, columns = self.shape
        left, _, top, _ = self.padding
        return self.decoder(codes)[..., top : top + rows, left : left + columns]
