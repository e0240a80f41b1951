"""Two VAEs with one encoder: our own, whose decoder mirrors it, and the reference code's.

The encoder halves the image with 4×4 convolutions of stride 2 (32, 32, 64, 64 channels; ReLU, then BatchNorm), goes
through one hidden layer of 256 units (ReLU), and has two linear heads, initialised to zero, for the mean and the spread
of 64 latents.

- *Ours* (``decoder="mirrored"``): transposed convolutions back; the second head is the log-variance; PyTorch's own
  initialisation.
- *The reference code's* (``decoder="upsampling"``; github.com/ecs-vlc/FMix, ``analysis/vae.py``): linear 64 → 256 and
  256 → 256 with ReLU, 64×2×2, then four times bilinear upsampling (corners not aligned) to 5, 9, 17 and 33 pixels and a
  4×4 convolution with padding 1, which takes one pixel off (64, 32, 32 channels, ReLU, then BatchNorm after each; last
  the image's). The second head is the log *standard deviation*, so that the log-variance is twice its output. All
  convolutions start from Xavier normal, their biases and the linear layers from PyTorch's initialisation.

Images whose side is not a multiple of 16 are padded with zeros and the output is cropped; images under 16 pixels go
through three stages instead of four. On sides other than 32 a stage of the upsampling decoder goes from s pixels to
2s + 1 and back to 2s, which is 5, 9, 17 and 33 from 2.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.posterior import DiagonalGaussian
from vae.residual import ResidualVAE

__all__ = ["VAE", "AnyVAE", "vae_of"]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(outputs)]


class _OneMoreThanTwice(nn.Module):
    """From s pixels a side to 2s + 1, by bilinear interpolation."""

    def forward(self, images: Tensor) -> Tensor:
        rows, columns = images.shape[-2:]
        return F.interpolate(images, (2 * rows + 1, 2 * columns + 1), mode="bilinear")


def _upsampled(inputs: int, outputs: int) -> list[nn.Module]:
    return [_OneMoreThanTwice(), nn.Conv2d(inputs, outputs, 4, padding=1), nn.ReLU(), nn.BatchNorm2d(outputs)]


class VAE(nn.Module):
    """A VAE for images of one size.

    Args:
        shape: (C, H, W) of the images, from 8×8 up.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        width: channels of the first stage; the reference has 32.
        hidden: units of the hidden layer; the reference has 256.
        latents: dimensions of the code; the reference has 64.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0; None
            leaves them free, as the reference does.
        decoder: ``"mirrored"``, ours, or ``"upsampling"``, which with it brings the reference code's second head and
            initialisation.
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
        decoder: Literal["mirrored", "upsampling"] = "mirrored",
    ):
        super().__init__()
        channels, height, self.columns = shape
        self.rows = height
        self.log_var_bound = log_var_bound
        self.upsampling = decoder == "upsampling"
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
        stage = _upsampled if self.upsampling else _up
        up: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(mirrored):
            up += stage(inputs, outputs)
        self.decoder = nn.Sequential(
            nn.Linear(latents, hidden), nn.ReLU(), nn.Linear(hidden, features), nn.ReLU(), nn.Unflatten(1, grid),
            *up, *stage(mirrored[-1], channels)[:-2],  # neither ReLU nor BatchNorm before the pixels
        )  # fmt: skip
        if self.upsampling:
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.xavier_normal_(layer.weight)
            self.to(memory_format=torch.channels_last)  # a step takes 0.6 of the time on a CPU
        self.register_buffer("pixel_mean", pixel_mean.clone().view(1, -1, 1, 1))
        self.register_buffer("pixel_std", pixel_std.clone().view(1, -1, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], less ``pixel_mean`` and over ``pixel_std``: the units of every MSE and rate.

        By default these are the training pixels' own mean and standard deviation per channel, so that the training
        images have mean 0 and variance 1; the reference preset's are constants, with which they need not.
        """
        return (images - self.pixel_mean) / self.pixel_std

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        features = self.features(F.pad(images, self.padding))
        mean, log_var = self.mean_head(features), self.log_var_head(features)
        if self.upsampling:
            log_var = 2 * log_var
        if self.log_var_bound is not None:
            log_var = self.log_var_bound * torch.tanh(log_var / self.log_var_bound)
        return DiagonalGaussian(mean, log_var)

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
        images = self.decoder(codes)
        left, _, top, _ = self.padding
        return images[..., top : top + self.rows, left : left + self.columns]


AnyVAE = VAE | ResidualVAE
"""A VAE of one of our networks: they have the same methods."""


def vae_of(config: Mapping[str, Any], pixel_mean: Tensor, pixel_std: Tensor) -> AnyVAE:
    """The untrained network of a run's configuration, as `vae.train.Settings.resolved` gives it.

    Args:
        config: ``shape``, ``width``, ``hidden``, ``latents``, ``log_var_bound``; ``network`` or ``decoder`` where it is
            another than the mirrored one.
        pixel_mean: (C,).
        pixel_std: (C,).
    """
    if config.get("network") == "residual":
        return ResidualVAE(
            tuple(config["shape"]), pixel_mean, pixel_std, width=config["width"], hidden=config["hidden"],
            latents=config["latents"], log_var_bound=config["log_var_bound"],
        )  # fmt: skip
    return VAE(
        tuple(config["shape"]), pixel_mean, pixel_std, width=config["width"], hidden=config["hidden"],
        latents=config["latents"], log_var_bound=config["log_var_bound"], decoder=config.get("decoder", "mirrored"),
    )  # fmt: skip
