"""Random streams that need no history.

Every use of randomness draws from a generator seeded by what it is for: the run's seed, a purpose, an epoch or step.
A run resumed at step 700 therefore draws what it would have drawn, without any generator's state being saved, and
adding a purpose never disturbs the others.
"""

import hashlib

import torch

__all__ = ["derive", "generator"]


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose of a run.

    Example:
        >>> derive(1, "batch", 0) == derive(1, "batch", 0) != derive(1, "batch", 1)
        True
    """
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(device: torch.device | str, seed: int, *purpose: str | int) -> torch.Generator:
    """A generator on ``device`` for one purpose of a run."""
    return torch.Generator(device).manual_seed(derive(seed, *purpose))
