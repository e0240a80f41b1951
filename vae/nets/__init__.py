"""The networks of the VAEs: ours, which starts as the linear VAE, and the reference code's."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vae.nets.base import VAE
from vae.nets.own import ResidualVAE
from vae.nets.reference import ReferenceVAE

__all__ = ["NETWORKS", "VAE", "ReferenceVAE", "ResidualVAE", "vae_of"]

NETWORKS: dict[str, type[ReferenceVAE] | type[ResidualVAE]] = {"residual": ResidualVAE, "reference": ReferenceVAE}
"""By the name that a run's configuration has."""


def vae_of(config: Mapping[str, Any], pixel_mean: Tensor, pixel_std: Tensor) -> VAE:
    """The untrained network of a run's configuration, as `vae.train.Settings.resolved` gives it.

    Args:
        config: ``network``, ``shape``, ``width``, ``hidden``, ``latents`` and ``log_var_bound``.
        pixel_mean: (C,).
        pixel_std: (C,).
    """
    return NETWORKS[config["network"]](
        tuple(config["shape"]), pixel_mean, pixel_std, width=config["width"], hidden=config["hidden"],
        latents=config["latents"], log_var_bound=config["log_var_bound"],
    )  # fmt: skip
