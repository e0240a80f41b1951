"""The networks of the VAEs: ours, which starts as the linear VAE, the reference code's, and other people's."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tasks.task import values_of
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
        config: ``network``, ``shape``, ``width``, ``hidden``, ``latents``, ``log_var_bound`` and ``decoder_scale``; of
            sound ``rate``; where it is not Gaussian, ``likelihood``.
        pixel_mean: (C,).
        pixel_std: (C,).
        network: its name, where the configuration's, a file without its directories, does not lead to the file.
        argument: what mistakes are blamed on.

    Raises:
        BadInput: a network of somebody else's that there no longer is.
    """
    name, shape = config["network"], tuple(config["shape"])
    if name in NETWORKS.built_in:
        sizes = {key: config[key] for key in ("width", "hidden", "latents", "log_var_bound")}
        vae: VAE = NETWORKS.get(name, argument)(shape, pixel_mean, pixel_std, **sizes)
    else:
        module, _ = adapted_network(config, network or name, argument)
        vae = AdaptedVAE(shape, pixel_mean, pixel_std, module)
    vae.values = values_of(config.get("rate"))
    vae.bernoulli, vae.decoder_scale = config.get("likelihood") == "bernoulli", config["decoder_scale"]
    return vae
