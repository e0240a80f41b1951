"""Voxels of meshes, made once: ``python -m tasks.shapes.voxels ModelNet10 --out modelnet10.npz``.

The file, with a bit for a voxel, is what ``--data modelnet10:FILE.npz`` and ``--data cad-parts:FILE.npz`` take in place
of the meshes. The same meshes make the same voxels (`tasks.shapes.surface`).
"""

import functools
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from store import BadInput, command, in_range, positive
from store.places import given
from tasks.shapes.cad_parts import KINDS, cad_meshes, is_of_kicad
from tasks.shapes.meshes import MARGIN, SIZE, Made, MeshFile, made_of, trimesh_package
from tasks.shapes.modelnet import modelnet_meshes
from tasks.shapes.packed import LARGEST_SIDE, packed, write_shapes

__all__ = ["Config", "run"]

AT_ONCE = 256
"""Files that are in memory together."""


@dataclass(frozen=True)
class Config:
    """Make the file of voxels that --data modelnet10:FILE.npz and --data cad-parts:FILE.npz take."""

    meshes: tyro.conf.Positional[Path]
    """ModelNet10's folder; or Debian's kicad-packages3d, as the package (.deb) or a folder with what is in it"""
    out: Path
    """the file to write, an .npz"""
    size: int = SIZE
    """voxels along each axis"""
    margin: int = MARGIN
    """voxels at each end that stay empty"""
    classes: tuple[str, ...] = KINDS
    """of kicad-packages3d: which ones, the names of its folders without .3dshapes"""
    workers: int | None = None
    """processes that make voxels at the same time (None: one per core)"""

    def __post_init__(self) -> None:
        given("--out", self.out)
        if self.out.suffix != ".npz" or not self.out.parent.is_dir():
            raise BadInput("--out", self.out, "a file in an existing directory, whose name ends in .npz")
        in_range("--size", self.size, 4, LARGEST_SIDE)
        in_range("--margin", self.margin, 0, self.size // 2 - 1)
        if self.workers is not None:
            positive("--workers", self.workers, 1000)


def run(config: Config) -> None:
    """Make voxels of all meshes, write the file, and say what is in it."""
    trimesh_package()
    of_kicad = is_of_kicad(config.meshes)
    meshes = cad_meshes(config.meshes, config.classes) if of_kicad else modelnet_meshes(config.meshes)
    workers = config.workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        make = functools.partial(made_of, size=config.size, margin=config.margin)
        shapes, clause = packed(_made(meshes, pool, make), str(config.meshes))
    write_shapes(shapes, config.out)
    if clause:
        print(f"{config.meshes}: {clause}", file=sys.stderr)
    counts = f"{len(shapes.names):,} shapes of {len(shapes.classes)} classes"
    print(
        f"{config.out}: {counts}, {config.size}×{config.size}×{config.size} voxels, {shapes.inside:.1%} of them inside"
    )


def _made(meshes: Iterable[MeshFile], pool: ProcessPoolExecutor, make: functools.partial[Made]) -> Iterator:
    """Each mesh with what became of it, in their order."""
    remaining = iter(meshes)
    while some := list(islice(remaining, AT_ONCE)):
        yield from zip(some, pool.map(make, some, chunksize=4), strict=True)


EXAMPLES = (
    "data/ModelNet10 --out data/modelnet10.npz",
    "kicad-packages3d_6.0.10-1_all.deb --out data/cad_parts.npz",
)

if __name__ == "__main__":
    command(Config, run, "python -m tasks.shapes.voxels", examples=EXAMPLES)
