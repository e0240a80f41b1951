"""Images of writing, cropped to their ink and stretched to a square, as the paper's code has Bengali.AI's.

Its steps, read in ``bengali_transforms`` of the FMix code (``datasets/datasets.py`` of ecs-vlc/FMix): the box of all
pixels above 5/255, paper being 0; that box alone, resized to 64×64 by Pillow, bilinearly, its sides not keeping their
proportion. There pixels stay floating-point numbers; here they are rounded to eight bits, as splits hold them.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

__all__ = ["INK", "cropped"]

INK = 5
"""The darkest eight-bit level that is paper still; a pixel above it is ink."""


def cropped(images: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The box of each image's ink, stretched to a square; an image without ink is stretched whole.

    One speck of dust belongs to the box as strokes do: nothing is cleaned, for the paper's code cleans nothing.

    Args:
        images: (N, H, W) uint8, ink bright on paper that is 0.
        size: S of the square, in pixels.

    Returns:
        (N, 1, S, S) uint8, and (N,) whether an image has no ink. Resizing is bilinear, smoothed where it makes images
        smaller (``antialias``), which is what Pillow does.
    """
    ink = images > INK
    rows, columns = ink.any(2), ink.any(1)
    blank = ~rows.any(1)
    top, left = (sides.byte().argmax(1).tolist() for sides in (rows, columns))
    bottom, right = ((sides.shape[1] - sides.flip(1).byte().argmax(1)).tolist() for sides in (rows, columns))
    squares = torch.empty(len(images), 1, size, size, dtype=torch.uint8)
    for place, image in enumerate(images):
        box = image[top[place] : bottom[place], left[place] : right[place]].float()
        square = interpolate(box[None, None], (size, size), mode="bilinear", antialias=True)
        squares[place] = square[0].round().clamp(0, 255)
    return squares, blank
