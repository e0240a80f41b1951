"""What VAEs see in training, before it is mixed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from training import colour_jitter, random_flip

__all__ = ["augmented"]


def augmented(
    normalise: Callable[[Tensor], Tensor], images: Tensor, config: Mapping[str, Any], generator: torch.Generator
) -> Tensor:  # fmt: skip
    """Jittered, flipped and normalised, but not yet mixed: (B, C, H, W) from uint8 images."""
    batch = colour_jitter(images.float() / 255, config["jitter"], generator)
    if config["flip"]:
        batch = random_flip(batch, generator)
    return normalise(batch)
