"""Shapes as bits: what a file of voxels holds, and a task of it.

A file is an ``.npz`` with ``voxels`` uint8 (N, ⌈S³/8⌉), `np.packbits` of each grid of S×S×S voxels, ``labels`` (N,),
``classes`` (K,), their names, and ``names`` (N,), the items'; and, where there is a test part, ``held_out`` bool (N,).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from store import BadInput, write_atomically
from tasks.arrays import read_arrays
from tasks.shapes.meshes import Made, MeshFile
from tasks.task import InMemory, Task, Volume

__all__ = ["Shapes", "packed", "read_shapes", "task_of_shapes", "write_shapes"]

KEYS = ("voxels", "labels", "classes", "names", "held_out")

LARGEST_SIDE = 256
"""Voxels along an axis."""


class Shapes(NamedTuple):
    """N shapes of K classes on grids of S×S×S voxels.

    Args:
        voxels: (N, ⌈S³/8⌉) uint8, the bits.
        labels: (N,) int64.
        classes: K names.
        names: N names.
        held_out: (N,) bool, which ones are the test part; None where there is none.
    """

    voxels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    names: tuple[str, ...]
    held_out: np.ndarray | None = None

    @property
    def size(self) -> int:
        """S."""
        return _size(self.voxels.shape[1])

    @property
    def inside(self) -> float:
        """The share of all voxels that are 1."""
        return float(np.unpackbits(self.voxels).mean(dtype=np.float64)) * 8 * self.voxels.shape[1] / self.size**3


def _size(columns: int) -> int:
    """The largest S whose grid's bits fit into so many bytes; 0 where some would be left over."""
    size = next(side for side in range(LARGEST_SIDE + 2) if -(-((side + 1) ** 3) // 8) > columns)
    return size if -(-(size**3) // 8) == columns and size <= LARGEST_SIDE else 0


def packed(made: Iterable[tuple[MeshFile, Made]], source: str) -> tuple[Shapes, str]:
    """The shapes of meshes, in the order of their classes and names, and a clause on those that are none.

    Args:
        made: meshes, and what became of each.
        source: by what name the data set was asked for, for messages.

    Raises:
        BadInput: not one is a shape.
    """
    kept: list[tuple[MeshFile, np.ndarray]] = []
    faults, open_ones = [], 0
    for mesh, result in made:
        if result.voxels is None:
            faults.append(f"{mesh.place} {result.fault}")
        else:
            kept.append((mesh._replace(content=b""), result.voxels))
            open_ones += not result.watertight
    first = f"{faults[0]}{f'; {len(faults) - 1:,} more' if len(faults) > 1 else ''}" if faults else ""
    if not kept:
        raise BadInput("--data", f"{source} without a mesh that has a surface{f' ({first})' if first else ''}", "some")
    kept.sort(key=lambda pair: (pair[0].kind, bool(pair[0].held_out), pair[0].name))
    classes = tuple(sorted({mesh.kind for mesh, _ in kept}))
    held_out = None if kept[0][0].held_out is None else np.array([bool(mesh.held_out) for mesh, _ in kept])
    shapes = Shapes(
        np.stack([voxels for _, voxels in kept]),
        np.array([classes.index(mesh.kind) for mesh, _ in kept]),
        classes,
        tuple(mesh.name for mesh, _ in kept),
        held_out,
    )
    clauses = (
        [f"{len(faults):,} {'mesh is' if len(faults) == 1 else 'meshes are'} left out ({first})"] if faults else []
    )
    if open_ones:
        clauses.append(f"{open_ones:,} of {len(kept):,} meshes are not watertight, and taken as they are")
    return shapes, "; ".join(clauses)


def write_shapes(shapes: Shapes, path: Path) -> None:
    """Write a file of voxels, whole or not at all."""
    arrays = shapes._asdict() | {"classes": np.array(shapes.classes), "names": np.array(shapes.names)}
    if shapes.held_out is None:
        del arrays["held_out"]
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_shapes(path: Path, needed: str) -> Shapes:
    """The shapes in a file of voxels.

    Args:
        path: of the file.
        needed: in its place, for messages.

    Raises:
        BadInput: no such file, or arrays of other names, types or shapes.
    """
    arrays = read_arrays("--data", path, KEYS, needed)
    if missing := [key for key in KEYS[:4] if key not in arrays]:
        raise BadInput("--data", f"{path} without {', '.join(missing)}", needed)
    voxels, labels, classes, names = (arrays[key] for key in KEYS[:4])
    held_out = arrays.get("held_out")
    if voxels.ndim != 2 or voxels.dtype != np.uint8 or not len(voxels) or not _size(voxels.shape[1]):
        got = f"{path} with voxels {voxels.shape} {voxels.dtype}"
        raise BadInput("--data", got, f"(N, S³/8) uint8, bits of grids of S³ voxels, S at most {LARGEST_SIDE}")
    for key in ("labels", "names", "held_out"):
        if key in arrays and arrays[key].shape != voxels.shape[:1]:
            raise BadInput(
                "--data", f"{path} with {key} {arrays[key].shape}", f"one for each of {len(voxels):,} shapes"
            )
    if classes.ndim != 1 or classes.dtype.kind != "U" or names.dtype.kind != "U":
        raise BadInput("--data", f"{path} with classes or names that are no list of words", needed)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise BadInput("--data", f"{path} with labels that are not from 0 to {len(classes) - 1}", "indices of classes")
    if held_out is not None and held_out.dtype != bool:
        raise BadInput("--data", f"{path} with held_out {held_out.dtype}", "bool")
    return Shapes(voxels, labels.astype(np.int64), tuple(classes.tolist()), tuple(names.tolist()), held_out)


def task_of_shapes(name: str, source: str, shapes: Shapes, train: np.ndarray, test: np.ndarray) -> Task:
    """The task of classifying shapes, 255 inside and 0 outside.

    Args:
        name: as tables print it.
        source: by what name the data set was asked for, for messages.
        shapes: all of them.
        train: (N,) bool, which ones are trained on.
        test: (N,) bool, which ones are scored.

    Raises:
        BadInput: a part without shapes.
    """
    for part, chosen in (("training", train), ("test", test)):
        if not chosen.any():
            raise BadInput("--data", f"{source} without {part} shapes", "both parts")
    splits = [InMemory(_grids(shapes, side), torch.from_numpy(shapes.labels[side])) for side in (train, test)]
    modality = Volume(1, shapes.size, shapes.size, shapes.size)
    return Task(name, splits[0], {"test": splits[1]}, modality, len(shapes.classes))


def _grids(shapes: Shapes, side: np.ndarray) -> Tensor:
    """Grids (n, 1, S, S, S) uint8 of the chosen shapes."""
    size = shapes.size
    bits = np.unpackbits(shapes.voxels[side], axis=1, count=size**3)
    return torch.from_numpy(bits.reshape(-1, 1, size, size, size)).mul_(255)
