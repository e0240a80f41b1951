"""Mixed-sample data augmentation on batches: FMix, CutMix, MixUp and their alternation::

    mixed = FMix(alpha=1.0, decay_power=3.0)(images, generator=g)
    loss = mixed.cross_entropy(model(mixed.images), targets)

Batched, on the device of the images, for one to three spatial dimensions. Needs torch and nothing else. The laws of the
masks are in :mod:`msda.spectrum` and :mod:`msda.mask`, that of the weight in :mod:`msda.beta`.
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
