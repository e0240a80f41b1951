"""Made-up graphemes, for what must work without any font or file: smoke runs, examples, tests.

Each has a shape, a mark above it and a mark below it, drawn in strokes and distorted as printed graphemes are. There is
nothing to be learnt from them about augmentations.
"""

import itertools

import numpy as np
import torch

from tasks.components import rows_of
from tasks.graphemes.distortion import distorted
from tasks.task import Component, Image, InMemory, Task

__all__ = ["made_up_graphemes"]

COMPONENTS = (Component("shape", 5), Component("above", 4), Component("below", 3))
"""What each grapheme is asked for."""

SIZE = 16
"""Height and width of the images."""

ROUNDS = {"train": 10, "test": 3}
"""How often each of the 60 combinations is there."""

EM = 32
"""Height and width in pixels of what graphemes are drawn on."""

BODY, ABOVE, BELOW = ((10, 22), (8, 24)), ((2, 6), (12, 20)), ((26, 30), (12, 20))
"""Where the parts are on it: from the top to the bottom, and from the left to the right."""


def made_up_graphemes() -> Task:
    """Graphemes of three components, every combination equally often, always the same ones."""
    combinations = list(itertools.product(*(range(component.classes) for component in COMPONENTS)))
    splits = []
    for part, rounds in ROUNDS.items():
        chosen = combinations * rounds
        names = [f"made up {part} {number}" for number in range(len(chosen))]
        images = distorted([_drawn(*combination) for combination in chosen], names, SIZE, EM)
        splits.append(InMemory(images, rows_of(torch.tensor(chosen), COMPONENTS)))
    return Task(
        "made-up graphemes",
        splits[0],
        {"test": splits[1]},
        Image(1, SIZE, SIZE, mirrored=False),
        sum(component.classes for component in COMPONENTS),
        components=COMPONENTS,
    )


def _drawn(shape: int, above: int, below: int) -> np.ndarray:
    """A grapheme, (EM, EM) uint8."""
    lines = [*_placed(SHAPES[shape], BODY)]
    lines += [line for part, box in ((above, ABOVE), (below, BELOW)) if part for line in _placed(MARKS[part - 1], box)]
    y, x = np.mgrid[:EM, :EM]
    nearest = np.full((EM, EM), np.inf)
    for (top, left), (bottom, right) in lines:
        down, across = bottom - top, right - left
        share = ((y - top) * down + (x - left) * across) / max(down**2 + across**2, 1e-9)
        share = share.clip(0, 1)
        nearest = np.minimum(nearest, np.hypot(y - top - share * down, x - left - share * across))
    return (255 * (1.8 - nearest).clip(0, 1)).round().astype(np.uint8)


Point = tuple[float, float]
Box = tuple[tuple[int, int], tuple[int, int]]


def _placed(points: list[Point], box: Box) -> list[tuple[Point, Point]]:
    """The lines between points (y, x) in [0, 1] one after the other, in a box."""
    (top, bottom), (left, right) = box
    placed = [(top + y * (bottom - top), left + x * (right - left)) for y, x in points]
    return list(itertools.pairwise(placed))


SHAPES: list[list[Point]] = [
    [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)],
    [(0, 0.5), (1, 1), (1, 0), (0, 0.5)],
    [(0, 0), (1, 0), (0, 1), (1, 1)],
    [(0, 0), (0, 1), (1, 0), (1, 1)],
    [(1, 0), (0, 0), (0, 1), (1, 1)],
]
"""A square, a triangle, an N, a Z and an arch."""

MARKS: list[list[Point]] = [
    [(0.5, 0), (0.5, 1)],
    [(1, 0), (0, 0.5), (1, 1)],
    [(0, 0.2), (1, 0.2), (1, 0.8), (0, 0.8), (0, 0.2)],
]
"""A bar, a roof and, above alone, a box; a fourth mark, the first of all, is none."""
