"""Data sets of shapes in three dimensions, as voxels of their surfaces.

A reader is a function of a path that returns a `tasks.Task` of grids (N, 1, D, H, W) uint8, 255 where there is
something and 0 elsewhere. Meshes become voxels when they are read (`tasks.shapes.surface`); a file of them, which
``python -m tasks.shapes.voxels`` makes once, is read in their place.
"""

from collections.abc import Callable
from pathlib import Path

from tasks.shapes.cad_parts import cad_parts
from tasks.shapes.made_up import made_up_shapes
from tasks.shapes.modelnet import modelnet10
from tasks.task import Task

__all__ = ["NAMED", "PUBLISHED"]

PUBLISHED: dict[str, Callable[[Path], Task]] = {"modelnet10": modelnet10}
"""Functions that read data sets as they are published from the folder they lie in, by the word before it."""

NAMED: dict[str, Callable[..., Task]] = {"cad-parts": cad_parts, "made-up-shapes": made_up_shapes}
"""Functions that find data where a variable says or make it, or read it at a path, by name."""
