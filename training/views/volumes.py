"""Per-sample augmentation of batches of shapes (B, C, D, H, W) on their device, from a generator.

The paper does none of it. Depth, height and width are dimensions 2, 3 and 4; in files of meshes they are x, y and z,
of which z mostly points up.
"""

import torch
from torch import Tensor

__all__ = ["random_shift"]


def random_shift(volumes: Tensor, padding: int, generator: torch.Generator | None = None) -> Tensor:
    """Shift each shape of (B, C, D, H, W) by up to ``padding`` voxels along all three axes, filling with zeros."""
    batch, _, *sizes = volumes.shape
    padded = torch.nn.functional.pad(volumes, (padding,) * 6)
    shifts = torch.randint(0, 2 * padding + 1, (3, batch), device=volumes.device, generator=generator)
    depth, height, width = (
        shifts[axis, :, None] + torch.arange(size, device=volumes.device) for axis, size in enumerate(sizes)
    )
    sample = torch.arange(batch, device=volumes.device).view(-1, 1, 1, 1)
    moved = padded.movedim(1, 4)[sample, depth[:, :, None, None], height[:, None, :, None], width[:, None, None, :]]
    return moved.movedim(4, 1)
