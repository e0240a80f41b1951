"""A view of an image: inverted, half of the time."""

import torch


def maybe_inverted(image):
    """(C, H, W) uint8 to the same."""
    return 255 - image if torch.rand(()) < 0.5 else image
