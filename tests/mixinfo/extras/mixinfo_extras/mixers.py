"""A mixing augmentation: columns of the partner."""

import functools

import torch

from msda import MaskMixer


def columns(level, spatial, generator):
    """Masks (N, *spatial) of columns, each one's own with probability λ."""
    place = torch.rand(len(level), 1, spatial[-1], generator=generator, device=level.device)
    return (place < level.view(-1, 1, 1)).expand(-1, *spatial)


Columns = functools.partial(MaskMixer, columns)
