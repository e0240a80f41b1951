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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.linear import LinearVAE
from vae.posterior import DiagonalGaussian

__all__ = ["ResidualVAE"]


class _Added(nn.Module):
    """x plus a 3×3 convolution of SiLU(x)."""

    def __init__(self, width: int):
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.convolution(F.silu(features))


class ResidualVAE(nn.Module):
    """A VAE for images of one size, like `vae.model.VAE`.

    Args:
        shape: (C, H, W) of the images, from 8×8 up.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        width: channels of the convolutions.
        hidden: units of the encoder's hidden layer.
        latents: dimensions of the code.
        log_var_bound: keeps log-variances in (-bound, bound) by a scaled tanh, which is the identity near 0.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        pixel_mean: Tensor,
        pixel_std: Tensor,
        *,
        width: int = 64,
        hidden: int = 256,
        latents: int = 64,
        log_var_bound: float = 10.0,
    ):
        super().__init__()
        channels, self.rows, self.columns = self.shape = shape
        self.log_var_bound = log_var_bound
        self.patch = 4 if min(shape[1:]) >= 16 else 2
        block = 2 * self.patch  # an even number of patches a side, for the convolution of stride 2
        self.padding = (0, -self.columns % block, 0, -self.rows % block)
        grid = [(side + -side % block) // self.patch for side in shape[1:]]
        pixels, inside = channels * self.rows * self.columns, channels * self.patch**2

        self.linear_mean = nn.Linear(pixels, latents)
        self.linear_log_var = nn.Parameter(torch.zeros(latents))
        self.features = nn.Sequential(
            nn.Conv2d(inside, width, 3, padding=1), _Added(width), nn.SiLU(),
            nn.Conv2d(width, width, 4, 2, 1), nn.SiLU(), nn.Flatten(),
            nn.Linear(width * (grid[0] // 2) * (grid[1] // 2), hidden), nn.SiLU(),
        )  # fmt: skip
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
        self.register_buffer("pixel_mean", pixel_mean.clone().view(1, -1, 1, 1))
        self.register_buffer("pixel_std", pixel_std.clone().view(1, -1, 1, 1))

    @torch.no_grad()
    def start_from(self, linear: LinearVAE) -> None:
        """Make the linear maps those of a linear VAE of as many latents; what the networks add stays."""
        on, variance = linear.spectrum()
        encoder = linear.axes * ((1 - variance) / on).sqrt()[:, None]
        decoder = linear.axes * (on - linear.scale**2).sqrt()[:, None]
        self.linear_mean.weight.copy_(encoder)
        self.linear_mean.bias.copy_(-encoder @ linear.centre)
        # so that the bounded log-variance is the linear VAE's, where that is within the bound
        share = (variance.log() / self.log_var_bound).clamp(-0.99, 0.99)
        self.linear_log_var.copy_(self.log_var_bound * share.atanh())
        self.linear_decoder.weight.copy_(decoder.T)
        self.linear_decoder.bias.copy_(linear.centre)

    def linear_parameters(self) -> list[nn.Parameter]:
        """Those of the linear maps, whose entries are small, and which take a small learning rate."""
        return [*self.linear_mean.parameters(), self.linear_log_var, *self.linear_decoder.parameters()]

    def _patches(self, images: Tensor) -> Tensor:
        return F.pixel_unshuffle(F.pad(images, self.padding), self.patch).contiguous(memory_format=torch.channels_last)

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1], less ``pixel_mean`` and over ``pixel_std``: the units of MSE and rate."""
        return (images - self.pixel_mean) / self.pixel_std

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised images (B, C, H, W)."""
        mean, log_var = self.heads(self.features(self._patches(images))).chunk(2, 1)
        mean = mean + self.linear_mean(images.flatten(1))
        log_var = log_var + self.linear_log_var
        return DiagonalGaussian(mean, self.log_var_bound * torch.tanh(log_var / self.log_var_bound))

    def decode(self, codes: Tensor) -> Tensor:
        """The mean of p(x|z) for codes (B, d): normalised images (B, C, H, W)."""
        images = self.linear_decoder(codes).view(-1, *self.shape)
        features = self.of_image(self._patches(images)) + self.of_code(codes)[:, :, None, None]
        added = F.pixel_shuffle(self.to_pixels(self.correction(features)), self.patch)
        return images + added[..., : self.rows, : self.columns]
