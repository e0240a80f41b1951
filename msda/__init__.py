"""Mixed-sample data augmentation on batches: FMix, CutMix, MixUp and their alternation.

Batched, on the device of the images, for one to three spatial dimensions. Needs torch and nothing else. The laws of the
masks are in :mod:`msda.spectrum` and :mod:`msda.mask`, that of the weight in :mod:`msda.beta`.

Example:
    >>> import torch
    >>> from msda import FMix
    >>> images, labels = torch.rand(8, 3, 32, 32), torch.arange(8) % 2
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
    >>> mixed = FMix(alpha=1.0, decay_power=3.0)(images)
    >>> mixed.images.shape
    torch.Size([8, 3, 32, 32])
    >>> torch.equal(mixed.weight, mixed.mask.mean((1, 2, 3)))  # each image's share of the mixture: its mask's mean
    True
    >>> mixed.cross_entropy(model(mixed.images), labels).backward()
"""

from msda.adapters import MixCollate, MixTransform
from msda.mixed import Mixed
from msda.mixers import MIXERS, Alternate, CutMix, FMix, MaskMixer, Mixer, MixUp, NoMix, OptionError, get_mixer

__all__ = [
    "MIXERS",
    "Alternate",
    "CutMix",
    "FMix",
    "MaskMixer",
    "MixCollate",
    "MixTransform",
    "MixUp",
    "Mixed",
    "Mixer",
    "NoMix",
    "OptionError",
    "get_mixer",
]
