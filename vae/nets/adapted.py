"""A network of somebody else's as a VAE: whatever encodes normalised images to a diagonal Gaussian, and decodes codes.

``--network package.module:factory`` or ``FILE.py:factory`` names a callable that makes a module with

- ``encode(images) -> DiagonalGaussian`` of normalised images (B, C, H, W), mean and log-variance (B, d);
- ``decode(codes)`` of codes (B, d), to normalised images (B, C, H, W), which a Bernoulli likelihood makes log-odds of.

Of sound, images are spectrograms; of volumes, they are (B, C, D, H, W).

An autoencoder whose latents are maps flattens them; of diffusers' ``AutoencoderKL``, say::

    class Flat(torch.nn.Module):
        def __init__(self, channels, latents):
            super().__init__()
            self.kl = AutoencoderKL(channels, channels, latent_channels=latents, …)

        def encode(self, images):
            latent = self.kl.encode(images).latent_dist
            return DiagonalGaussian(latent.mean.flatten(1), latent.logvar.flatten(1))

        def decode(self, codes):
            return self.kl.decode(codes.unflatten(1, (-1, 2, 2))).sample

The factory is called with those of ``shape``, ``channels``, ``latents``, ``width`` and ``hidden`` that its signature
has, and what it makes is tried on two images.
"""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from store import BadInput
from store.registry import Registry, called
from vae.nets.base import VAE
from vae.nets.own import ResidualVAE
from vae.nets.reference import ReferenceVAE
from vae.posterior import DiagonalGaussian

__all__ = ["NETWORKS", "AdaptedVAE", "adapted_network"]

NETWORKS = Registry(
    "network", "mixinfo.vaes", {"residual": ResidualVAE, "reference": ReferenceVAE}, ours=("vae", "torch")
)
"""Networks of VAEs by name."""

NEEDED = "a module with encode(images) -> DiagonalGaussian of (B, d), and decode(codes) -> images"


class AdaptedVAE(VAE):
    """A VAE around a module with ``encode`` and ``decode``, with the normalisation of all VAEs.

    Args:
        shape: (C, H, W) of the images, or (C, D, H, W) of the volumes.
        pixel_mean: (C,), what is taken from pixels in [0, 1] before anything else.
        pixel_std: (C,), what they are then divided by.
        network: the module.
    """

    def __init__(self, shape: tuple[int, ...], pixel_mean: Tensor, pixel_std: Tensor, network: nn.Module) -> None:
        super().__init__(shape, pixel_mean, pixel_std, None)
        self.network: Any = network

    def encode(self, images: Tensor) -> DiagonalGaussian:
        """The posterior of normalised items (B, C, …)."""
        return self.network.encode(images)

    def decode(self, codes: Tensor) -> Tensor:
        """What `likelihood` takes, for codes (B, d): (B, C, …)."""
        return self.network.decode(codes)


def adapted_network(config: Mapping[str, Any], name: str, argument: str = "--network") -> tuple[nn.Module, int]:
    """The module that somebody else's factory makes, with weights from torch's global generator, tried on two images.

    Args:
        config: ``shape``, ``latents``, ``width`` and ``hidden`` of a run; ``latents_asked`` where the code has another
            number of dimensions than the factory was asked for.
        name: of the factory.
        argument: what mistakes are blamed on.

    Returns:
        The module, and the dimensions of its code.

    Raises:
        BadInput: no such factory, or what it makes is no VAE of such images.
    """
    factory = NETWORKS.get(name, argument)
    if not callable(factory):
        raise BadInput(argument, f"{name}, a {type(factory).__name__}", "a callable that makes a VAE's network")
    shape = tuple(config["shape"])
    offered = {"shape": shape, "channels": shape[0], "latents": config.get("latents_asked", config["latents"])}
    offered |= {key: config[key] for key in ("width", "hidden")}

    def make() -> object:
        if isinstance(factory, nn.Module):  # at hand, and left as it is
            return copy.deepcopy(factory)
        known = inspect.signature(factory).parameters
        return factory(**{key: value for key, value in offered.items() if key in known})

    network = called(make, name, argument, f"a factory that some of {', '.join(offered)} are enough for")
    if not isinstance(network, nn.Module) or not callable(getattr(network, "encode", None)):
        raise BadInput(argument, f"{name}, which makes a {type(network).__name__}", NEEDED)
    return network, _try(network, f"{name} for images of {'×'.join(map(str, shape))}", shape, argument)


@torch.no_grad()
def _try(network: Any, what: str, shape: tuple[int, ...], argument: str) -> int:
    """The dimensions of the code, of a network that has encoded and decoded two images."""
    training = network.training
    images = torch.linspace(-1, 1, 2).view(2, *[1] * len(shape)).expand(2, *shape).contiguous()
    try:
        network.eval()
        posterior = called(lambda: network.encode(images), what, argument, NEEDED)
        mean, log_var = (getattr(posterior, key, None) for key in ("mean", "log_var"))
        if not isinstance(mean, Tensor) or not isinstance(log_var, Tensor):
            raise BadInput(argument, f"{what}, whose encode returns a {type(posterior).__name__}", NEEDED)
        if mean.ndim != 2 or mean.shape != log_var.shape or len(mean) != 2:
            got = f"{what}, whose posterior is {tuple(mean.shape)} and {tuple(log_var.shape)}"
            raise BadInput(argument, got, "mean and log_var (B, d): flatten what has more dimensions")
        decoded = called(lambda: network.decode(mean), what, argument, NEEDED)
    finally:
        network.train(training)
    if not isinstance(decoded, Tensor) or tuple(decoded.shape) != (2, *shape):
        returned = tuple(decoded.shape) if isinstance(decoded, Tensor) else type(decoded).__name__
        raise BadInput(argument, f"{what}, whose decode returns {returned}", f"images {(2, *shape)}")
    for tensor in (mean, log_var, decoded):
        if not tensor.isfinite().all():
            raise BadInput(argument, f"{what}, with numbers that are not finite", "numbers")
    return mean.shape[1]
