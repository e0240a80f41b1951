"""Use a trained VAE: load it from its run, encode images, reconstruct them."""

from collections.abc import Callable

import torch
from torch import Tensor

from store import Run
from training.weights import read_weights
from vae.model import VAE, vae_of
from vae.posterior import DiagonalGaussian

__all__ = ["encode", "load_vae", "reconstruct"]

BATCH = 1000


def load_vae(run: Run, device: torch.device) -> VAE:
    """The network of a finished VAE run, in evaluation mode.

    Raises:
        BadInput: the weights are missing, truncated, or not those that the run's record names.
    """
    record = run.result()
    state = read_weights(run.path, record)
    vae = vae_of(record["config"], state["pixel_mean"], state["pixel_std"])
    vae.load_state_dict(state)
    return vae.to(device).eval()


@torch.no_grad()
def encode(
    vae: VAE, images: Tensor, transform: Callable[[Tensor], Tensor] | None = None
) -> DiagonalGaussian:  # fmt: skip
    """The posterior of every image, in float64 on the CPU.

    Args:
        vae: in evaluation mode, so that an image's posterior does not depend on its batch.
        images: (N, C, H, W), uint8 or already normalised floating point.
        transform: applied to each batch of images before encoding.
    """
    parts = []
    for batch in images.split(BATCH):
        if batch.dtype == torch.uint8:
            batch = vae.normalise(batch.float() / 255)
        parts.append(vae.encode(transform(batch) if transform else batch).double())
    return DiagonalGaussian(torch.cat([q.mean for q in parts]), torch.cat([q.log_var for q in parts]))


@torch.no_grad()
def reconstruct(vae: VAE, images: Tensor, generator: torch.Generator) -> Tensor:
    """The decoder's mean for one sampled code per image: (B, C, H, W), normalised.

    Args:
        vae: in evaluation mode.
        images: (B, C, H, W), normalised.
        generator: of the codes, on the images' device.
    """
    return vae.decode(vae.encode(images).sample(generator))
