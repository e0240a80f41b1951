"""Made-up solids, for what must work without any file: smoke runs, examples, tests.

Eight kinds of solids, each of proportions and a size of its own, are turned and moved at random; what is inside is
filled. There is nothing to be learnt from them about augmentations.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy import ndarray

from tasks.task import InMemory, Task, Volume

__all__ = ["SOLIDS", "made_up_shapes"]

SIZE = 16
"""Voxels along each axis."""

COUNTS = (60, 20)
"""Shapes of each kind to train on, and to score."""

SOLIDS: dict[str, Callable[[ndarray, ndarray, ndarray, float, float], ndarray]] = {
    "box": lambda x, y, z, a, b: (abs(x) <= 0.57) & (abs(y) <= 0.4 + 0.17 * a) & (abs(z) <= 0.4 + 0.17 * b),
    "ellipsoid": lambda x, y, z, a, b: x**2 + (y / (0.5 + 0.3 * a)) ** 2 + (z / (0.5 + 0.3 * b)) ** 2 <= 1,
    "cylinder": lambda x, y, z, a, b: (np.hypot(x, y) <= 0.4 + 0.2 * a) & (abs(z) <= 0.6 + 0.2 * b),
    "cone": lambda x, y, z, a, b: (np.hypot(x, y) <= (0.5 + 0.3 * a) * (1 - z) / 1.6) & (z >= -0.6),
    "torus": lambda x, y, z, a, b: (np.hypot(x, y) - 0.6 - 0.1 * a) ** 2 + z**2 <= (0.18 + 0.1 * b) ** 2,
    "cross": lambda x, y, z, a, b: (
        (np.sort(abs(np.stack([x, y, z])), axis=0)[1] <= 0.15 + 0.1 * a)
        & (np.maximum(abs(x), np.maximum(abs(y), abs(z))) <= 0.9 + 0.05 * b)
    ),
    "plate": lambda x, y, z, a, b: (abs(x) <= 0.7) & (abs(y) <= 0.5 + 0.2 * a) & (abs(z) <= 0.12 + 0.05 * b),
    "rod": lambda x, y, z, a, b: (np.hypot(x, y) <= 0.15 + 0.05 * a) & (abs(z) <= 0.8 + 0.15 * b),
}
"""Which points are inside, by kind: of coordinates, and of two numbers in [0, 1] that proportions follow from. No solid
reaches further than 1 from the middle."""


def made_up_shapes() -> Task:
    """Solids of eight classes on grids of 16×16×16 voxels, always the same ones."""
    chance = np.random.default_rng(0)
    labels = np.tile(np.arange(len(SOLIDS)), sum(COUNTS))
    grids = np.stack([_solid(list(SOLIDS.values())[label], chance) for label in labels])
    inputs, targets = torch.from_numpy(grids).mul_(255)[:, None], torch.from_numpy(labels)
    first = COUNTS[0] * len(SOLIDS)
    splits = InMemory(inputs[:first], targets[:first]), InMemory(inputs[first:], targets[first:])
    return Task("made-up shapes", splits[0], {"test": splits[1]}, Volume(1, SIZE, SIZE, SIZE), len(SOLIDS))


def _solid(inside: Callable[..., ndarray], chance: np.random.Generator) -> ndarray:
    """A solid's grid (S, S, S) of 0 and 1: turned by a rotation that is uniform over all of them, moved and scaled."""
    w, x, y, z = (turn := chance.standard_normal(4)) / np.linalg.norm(turn)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    scale, shift = chance.uniform(0.7, 0.95), chance.uniform(-0.05, 0.05, 3)
    centres = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    points = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    local = (points - shift) @ rotation / scale
    return inside(*np.moveaxis(local, -1, 0), *chance.uniform(size=2)).astype(np.uint8)
