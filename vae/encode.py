"""Use a trained VAE: load it from its run, encode images or other items, reconstruct them."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from store import BadInput, Run, read_record
from training.weights import read_weights
from vae.nets import NETWORKS, VAE, vae_of
from vae.posterior import DiagonalGaussian

__all__ = ["encode", "errors", "load_vae", "reconstruct"]

BATCH = 1000


def load_vae(run: Run | Path, device: torch.device, argument: str = "--posterior", network: str | None = None) -> VAE:
    """The network of a finished VAE run, in evaluation mode.

    Args:
        run: the run, or its directory, in a store or copied out of one.
        device: where to put it.
        argument: of a command line, what a wrong directory is blamed on.
        network: the network's name, where the record's, a file without its directories, does not lead to the file.

    Raises:
        BadInput: not the directory of a finished run of `vae.train`, a network that there no longer is, or weights that
            are missing, truncated, or not those that the run's record names.
    """
    directory, needed = run if isinstance(run, Path) else run.path, "the directory of a finished run of vae.train"
    if not (directory / "result.json").is_file():
        raise BadInput(argument, f"{directory}, which holds no finished run", needed)
    record = read_record(directory / "result.json")
    if record.get("kind") != "vae":
        raise BadInput(argument, f"{directory}, a run of kind {record.get('kind')}", needed)
    if "network" not in record["config"]:
        needed = f"a run whose network is {NETWORKS.needed()}"
        raise BadInput(argument, f"{directory}, the mirrored network of 0.1.0", needed)
    state = read_weights(directory, record)
    try:
        vae = vae_of(record["config"], state["pixel_mean"], state["pixel_std"], network, str(directory))
        vae.load_state_dict(state)
    except (KeyError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise BadInput(argument, f"{directory}, whose weights are not the network's ({reason})", needed) from None
    return vae.to(device).eval()


@torch.no_grad()
def encode(vae: VAE, images: Tensor, transform: Callable[[Tensor], Tensor] | None = None) -> DiagonalGaussian:
    """The posterior of every image, or other item, in float64 on the CPU.

    Args:
        vae: in evaluation mode, so that an image's posterior does not depend on its batch.
        images: (N, C, H, W) uint8, or other items as a data set has them; or floating point (N, C, …), normalised.
        transform: applied to each batch of images before encoding.
    """
    parts = []
    for batch in images.split(BATCH):
        if not batch.is_floating_point():
            batch = vae.enter(batch)
        parts.append(vae.encode(transform(batch) if transform else batch).double())
    return DiagonalGaussian(torch.cat([q.mean for q in parts]), torch.cat([q.log_var for q in parts]))


@torch.no_grad()
def reconstruct(vae: VAE, images: Tensor, generator: torch.Generator) -> Tensor:
    """The mean of p(x|z) for one sampled code per image, or other item: (B, C, …), normalised.

    Args:
        vae: in evaluation mode.
        images: (B, C, …), normalised.
        generator: of the codes, on the images' device.
    """
    return vae.likelihood.mean(vae.decode(vae.encode(images).sample(generator)))


@torch.no_grad()
def errors(vae: VAE, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What one reconstruction of each image, or other item, from a sampled code lacks: (N,) float64 each, on the CPU.

    Args:
        vae: in evaluation mode.
        images: (N, C, H, W) uint8, or other items as a data set has them; or floating point (N, C, …), normalised.
        generator: of the codes, on the images' device.

    Returns:
        The squared error of the mean of p(x|z), summed over pixels, in squared units of normalised pixels; and the
        distortion, −ln p(x|z) in nats, less the constant in σ (`vae.likelihood`).
    """
    squares: list[Tensor] = []
    losses: list[Tensor] = []
    for batch in images.split(BATCH):
        target = batch if batch.is_floating_point() else vae.enter(batch)
        output = vae.decode(vae.encode(target).sample(generator))
        for kept, one in zip((squares, losses), vae.likelihood.errors(target, output, torch.float64), strict=True):
            kept.append(one.cpu())
    return torch.cat(squares), vae.likelihood.nats(torch.cat(losses))
