"""Per-sample augmentation of whole batches on their device, from a generator.

The arithmetic is torchvision's (``adjust_brightness`` and so on), but with one random factor per image instead of one
per call, and in a fixed order (brightness, contrast, saturation, hue) where torchvision's ``ColorJitter`` shuffles it.
"""

import torch
from torch import Tensor

__all__ = ["colour_jitter", "random_crop", "random_flip"]


def _uniform(images: Tensor, low: float, high: float, generator: torch.Generator | None) -> Tensor:
    draws = torch.rand(len(images), 1, 1, 1, device=images.device, dtype=images.dtype, generator=generator)
    return draws * (high - low) + low


def _grey(images: Tensor) -> Tensor:
    """(B, 1, H, W): luminance, the weights of ITU-R 601 that torchvision uses."""
    red, green, blue = images.split(1, dim=1)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


def _rotate_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Add ``turn`` (B, 1, 1, 1), in turns of the colour circle, to every pixel's hue, in HSV (Smith 1978)."""
    red, green, blue = images.unbind(1)
    value, chroma = images.amax(1), images.amax(1) - images.amin(1)
    step = torch.where(chroma > 0, chroma, 1)
    hue = torch.where(
        value == red,
        (green - blue) / step,
        torch.where(value == green, 2 + (blue - red) / step, 4 + (red - green) / step),
    )
    hue = hue + 6 * turn.squeeze(1)
    # a channel is value - chroma * clip(min(k, 4 - k), 0, 1), with k the angular distance from its own colour
    offsets = torch.tensor([5.0, 3.0, 1.0], device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    k = (offsets + hue.unsqueeze(1)) % 6
    return value.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(k, 4 - k).clamp(0, 1)


def colour_jitter(images: Tensor, strength: float, generator: torch.Generator | None = None) -> Tensor:
    """Jitter brightness, contrast, saturation and hue of each image on its own.

    Args:
        images: (B, C, H, W) floating point in [0, 1], C 1 or 3; grey images have neither saturation nor hue.
        strength: factors are uniform in [1 - strength, 1 + strength], the hue turn in [-strength, strength].
        generator: on the images' device.

    Returns:
        (B, C, H, W), in [0, 1].
    """
    if strength == 0:
        return images
    low, high = 1 - strength, 1 + strength
    colour = images.shape[1] == 3
    images = (images * _uniform(images, low, high, generator)).clamp(0, 1)
    centre = (_grey(images) if colour else images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(centre, images, _uniform(images, low, high, generator)).clamp(0, 1)
    if colour:
        images = torch.lerp(_grey(images), images, _uniform(images, low, high, generator)).clamp(0, 1)
        images = _rotate_hue(images, _uniform(images, -strength, strength, generator))
    return images


def random_flip(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror each image of (B, C, H, W), or volume of (B, C, D, H, W), left to right with probability one half."""
    alone = (len(images), *[1] * (images.ndim - 1))
    heads = torch.rand(alone, device=images.device, generator=generator) < 0.5
    return torch.where(heads, images.flip(-1), images)


def random_crop(images: Tensor, padding: int, generator: torch.Generator | None = None) -> Tensor:
    """Shift each image of (B, C, H, W) by up to ``padding`` pixels along both axes, filling with zeros."""
    batch, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (padding,) * 4)
    shifts = torch.randint(0, 2 * padding + 1, (2, batch), device=images.device, generator=generator)
    rows = shifts[0, :, None] + torch.arange(height, device=images.device)
    columns = shifts[1, :, None] + torch.arange(width, device=images.device)
    sample = torch.arange(batch, device=images.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
