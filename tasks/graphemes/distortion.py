r"""Drawn signs made unlike each other, as writing is: turned, slanted, bent, in thicker or thinner strokes.

Each image has numbers of its own, from a generator whose seed is the image's name; so it is the same image whatever
others are made beside it, before or after. With them its sign, in the middle of a sheet, is

- turned by an angle, slanted, and bent by a field of displacements :math:`\sum_{jk} a_{jk} \cos(\pi j y) \cos(\pi k x)`
  of low frequencies, normal :math:`a_{jk}` and y, x in [0, 1] over the sheet;
- drawn with strokes that are thicker, up to what the largest of three by three pixels makes of them, or thinner, up to
  the smallest;
- inked unevenly: darkness times :math:`1 - c\,|f|`, f such a field of higher frequencies and c a number of the image's.

Then the ink is cropped and stretched (`tasks.graphemes.crop`): place and size of a sign are lost there.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate, max_pool2d

from tasks.graphemes.crop import cropped

__all__ = ["EM", "distorted"]

EM = 48
"""Pixels of a font's em, to which signs are drawn."""

SHEET = 2, 3
"""Height and width in ems of what signs are distorted on."""

MARGIN = 1 / 3
"""Ems at each side of the sheet that signs leave free; larger signs are made smaller."""

ANGLE, SLANT = 5.0, 0.12
"""Standard deviations: of the angle, in degrees, and of the slant, in pixels to the side for each one up."""

BENT = 0.02
"""Standard deviation of each direction of a displacement, on average over the sheet, in ems."""

STROKES = 0.6
"""How far strokes go at most towards the largest, or smallest, of nine pixels."""

UNEVEN = 0.3
"""The largest number c of an image."""

BENDS, SPOTS = (4, 5), (10, 14)
"""Frequencies, down and across, of displacements and of the unevenness of ink."""

TOGETHER = 16
"""Images that are made at once; with more, what lies between the steps leaves the processor's cache."""


def distorted(signs: Sequence[np.ndarray], names: Sequence[str], size: int, em: int = EM) -> Tensor:
    """Every sign once, distorted by numbers that its name decides.

    Args:
        signs: N arrays (H, W) uint8, of any sizes, ink bright on paper that is 0.
        names: of the N images.
        size: S in pixels.
        em: pixels of the em that signs are drawn to.

    Returns:
        (N, 1, S, S) uint8, cropped to the ink.
    """
    parts = []
    for start in range(0, len(signs), TOGETHER):
        some = slice(start, start + TOGETHER)
        sheets = torch.stack([_on_sheet(sign, em) for sign in signs[some]])
        drawn = _distorted(sheets, torch.from_numpy(np.stack([_numbers(name) for name in names[some]])), em)
        parts.append(cropped(drawn, size)[0])
    return torch.cat(parts) if parts else torch.empty(0, 1, size, size, dtype=torch.uint8)


def _on_sheet(sign: np.ndarray, em: int) -> Tensor:
    """A sign in the middle of a sheet, (H, W) in [0, 1]."""
    whole, margin = [em * ems for ems in SHEET], round(em * MARGIN)
    image = torch.from_numpy(np.array(sign)).float() / 255
    shrink = min(1.0, *((room - 2 * margin) / side for room, side in zip(whole, image.shape, strict=True)))
    if shrink < 1:
        smaller = [max(1, int(side * shrink)) for side in image.shape]
        image = interpolate(image[None, None], smaller, mode="bilinear", antialias=True)[0, 0]
    sheet = torch.zeros(whole)
    top, left = ((room - side) // 2 for room, side in zip(whole, image.shape, strict=True))
    sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def _numbers(name: str) -> np.ndarray:
    """All random numbers of an image, independent standard normal ones."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    return np.random.default_rng(seed).standard_normal(4 + 2 * math.prod(BENDS) + math.prod(SPOTS))


def _cosines(length: int, frequencies: int) -> Tensor:
    """(length, frequencies) float64, cosines of whole half-turns over a side."""
    places = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    return (math.pi * places[:, None] * torch.arange(frequencies)).cos()


def _field(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Fields (…, H, W) over a sheet from normal numbers (…, J, K), of unit variance on average, in float64.

    In float64, for the last bits of float32 depend on how many are computed at once.
    """
    down, across = coefficients.shape[-2:]
    field = _cosines(height, down) @ coefficients @ _cosines(width, across).T
    mean_square = math.prod((1 + frequencies) / 2 for frequencies in (down, across))  # cosines' are 1/2, the first's 1
    return field / math.sqrt(mean_square)


def _distorted(sheets: Tensor, numbers: Tensor, em: int) -> Tensor:
    """Sheets (B, H, W) in [0, 1], each distorted by its numbers (B, ·), as (B, H, W) uint8."""
    few, bends, spots = numbers.split([4, 2 * math.prod(BENDS), math.prod(SPOTS)], 1)
    angle, slant = math.radians(ANGLE) * few[:, 0, None, None], SLANT * few[:, 1, None, None]
    height, width = sheets.shape[1:]
    y = (torch.arange(height, dtype=torch.float64) - (height - 1) / 2)[:, None]
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    shift = em * BENT * _field(bends.unflatten(1, (2, *BENDS)), height, width)
    from_x = (angle.cos() * x + (slant - angle.sin()) * y + shift[:, 0]) * (2 / width)
    from_y = (angle.sin() * x + angle.cos() * y + shift[:, 1]) * (2 / height)
    places = torch.stack([from_x, from_y], -1).float()
    bent = grid_sample(sheets[:, None], places, mode="bilinear", padding_mode="zeros", align_corners=False)
    thicker = STROKES * few[:, 2, None, None, None].float().tanh()
    sign = thicker.sign()
    extreme = sign * max_pool2d(sign * bent, 3, 1, 1)  # the largest of nine pixels, or the smallest
    strokes = bent + thicker.abs() * (extreme - bent)
    uneven = UNEVEN * torch.special.ndtr(few[:, 3])[:, None, None]
    uneven = uneven * _field(spots.unflatten(1, SPOTS), height, width).abs()
    inked = strokes[:, 0] * (1 - uneven.clamp(max=0.8)).float()
    return (255 * inked).round().to(torch.uint8)
