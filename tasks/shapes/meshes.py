"""Meshes in files, OFF or VRML, to voxels; one that has no surface to speak of is said and not guessed at.

OFF is read by trimesh, also with a joined header: "some OFF files … don't have any separator after the header. For
example, the ModelNet models looks like this: ``OFF28048 35408 0``" (mikedh/trimesh, pull request 753, March 2020).
"""

import io
from typing import Any, NamedTuple

import numpy as np

from store import BadInput
from tasks.shapes.surface import surface_voxels
from tasks.shapes.vrml import read_vrml

__all__ = ["MARGIN", "SIZE", "Made", "MeshFile", "made_of", "trimesh_package"]

SIZE = 32
"""Voxels along each axis, where nothing else is said."""

MARGIN = 1
"""Voxels at each end that stay empty, where nothing else is said."""

FLAT = 1e-9
"""Share of the longest side below which a side of a bounding box is none."""


class MeshFile(NamedTuple):
    """A file with a mesh, as it was found.

    Args:
        place: where it is, for messages.
        name: of the item, without a suffix.
        kind: the name of its class.
        held_out: whether it belongs to the test part; None where there is none.
        content: the file's bytes.
    """

    place: str
    name: str
    kind: str
    held_out: bool | None
    content: bytes


class Made(NamedTuple):
    """What became of a mesh.

    Args:
        voxels: (S³/8,) uint8, the grid's bits (`np.packbits`); None for a mesh that is left out.
        fault: why it is left out.
        watertight: whether each edge is that of two faces.
    """

    voxels: np.ndarray | None
    fault: str = ""
    watertight: bool = False


def trimesh_package() -> Any:
    """The package trimesh, which is imported here and nowhere else.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import trimesh
    except ImportError:
        raise BadInput("--data", "meshes, without the package trimesh", "pip install trimesh") from None
    return trimesh


def made_of(mesh: MeshFile, size: int, margin: int) -> Made:
    """The voxels of a mesh's surface (`tasks.shapes.surface`).

    Args:
        mesh: a file in OFF, or in VRML 97 if that is how it begins.
        size: S, voxels along each axis.
        margin: voxels at each end that stay empty.
    """
    trimesh = trimesh_package()
    try:
        if mesh.content.startswith(b"#VRML"):
            vertices, faces = read_vrml(mesh.content.decode("utf-8", "replace"))
        else:
            read = trimesh.load_mesh(io.BytesIO(mesh.content), file_type="off", process=False)
            vertices, faces = np.asarray(read.vertices, float), np.asarray(read.faces).reshape(-1, 3)
    except Exception as problem:  # readers raise whatever becomes of damage: ValueError, IndexError, NameError
        reason = " ".join(str(problem).split())[:100] or type(problem).__name__
        return Made(None, f"cannot be read ({reason})")
    if not len(faces):
        return Made(None, "has no faces")
    if not np.isfinite(vertices).all():
        return Made(None, "has vertices that are no finite numbers")
    sides = np.ptp(vertices[faces.ravel()], axis=0)
    if sides.min() <= FLAT * sides.max():
        return Made(None, "is flat" if sides.max() > 0 else "is a point")
    grid = surface_voxels(vertices, faces, size, margin)
    return Made(np.packbits(grid), watertight=bool(trimesh.Trimesh(vertices, faces).is_watertight))
