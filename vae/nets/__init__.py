"""The networks of the VAEs: ours, which starts as the linear VAE, the reference code's, and other people's."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vae.nets.adapted import NETWORKS, AdaptedVAE, adapted_network
from vae.nets.base import VAE
from vae.nets.own import ResidualVAE
from vae.nets.reference import ReferenceVAE

__all__ = ["NETWORKS", "VAE", "AdaptedVAE", "ReferenceVAE", "ResidualVAE", "adapted_network", "vae_of"]


def vae_of(
    config: Mapping[str, Any],
    pixel_mean: Tensor,
    pixel_std: Tensor,
    network: str | None = None,
    argument: str = "--network",
) -> VAE:
    """The untrained network of a run's configuration, as `vae.train.Settings.resolved` gives it.

    Args:
        config: ``network``, ``shape``, ``width``, ``hidden``, ``latents`` and ``log_var_bound``.
        pixel_mean: (C,).
        pixel_std: (C,).
        network: its name, where the configuration's, a file without its directories, does not lead to the file.
        argument: what mistakes are blamed on.

    Raises:
        BadInput: a network of somebody else's that there no longer is.
    """
    name = config["network"]
    if name not in NETWORKS.built_in:
        module, _ = adapted_network(config, network or name, argument)
        return AdaptedVAE(tuple(config["shape"]), pixel_mean, pixel_std, module)
    return NETWORKS.get(name, argument)(
        tuple(config["shape"]),
        pixel_mean,
        pixel_std,
        width=config["width"],
        hidden=config["hidden"],
        latents=config["latents"],
        log_var_bound=config["log_var_bound"],
    )
