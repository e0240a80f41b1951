"""A VAE's network: linear on both sides."""

import math

from torch import nn

from vae import DiagonalGaussian


class Flat(nn.Module):
    """Linear maps from images (B, C, H, W) to mean and log-variance (B, d), and back."""

    def __init__(self, shape, latents):
        super().__init__()
        self.shape = shape
        self.down, self.up = nn.Linear(math.prod(shape), 2 * latents), nn.Linear(latents, math.prod(shape))

    def encode(self, images):
        """The posterior of normalised images."""
        return DiagonalGaussian(*self.down(images.flatten(1)).chunk(2, 1))

    def decode(self, codes):
        """Normalised images."""
        return self.up(codes).view(-1, *self.shape)
