"""From a mesh to voxels: the cells of a cubic grid that its surface goes through.

A mesh is moved and scaled, alike along all axes, so that the middle of its bounding box is the middle of the grid and
the box's longest side fills the grid but for a margin. The grid's axes, depth, height and width, are the file's x, y
and z; meshes are not turned.

**The surface alone is taken**, of every mesh. Many have no inside: they have holes, edges of one face or of three, or
walls without thickness (316 of 1,868 parts of Debian's kicad-packages3d are not watertight). Filling what can be filled
would make two kinds of shapes, which a network could tell apart by that. What follows from it: a few per cent of the
voxels are 1 (5.7% of those parts' at 32³), a solid looks like a box around nothing, what is hidden inside shows, and a
box or a mask that is mixed in often carries little of its shape's surface.

A surface is taken by points on it: triangles are covered with rows of points along their longest side, so that none of
their points is further from one than 1.12 `STEP`, 0.28 voxels. A voxel whose corner is cut by less than that may be
missed.
``voxelized`` of trimesh does the same by cutting triangles in two until every edge is short, in eight times the time;
nothing is random in either.
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["surface_voxels"]

STEP = 0.25
"""Voxels from one point to the next, along rows and between them."""

NUDGE = 1e-6
"""Share of its size by which a mesh is made smaller. A side that lies between two voxels, as many of CAD programs' do,
is then in the inner one, all of it; one through the middle is in the upper one."""

AT_ONCE = 2**20
"""Points that are in memory together."""


def surface_voxels(vertices: np.ndarray, faces: np.ndarray, size: int, margin: int) -> np.ndarray:
    """The voxels (S, S, S) bool that the surface of a mesh goes through.

    Args:
        vertices: (V, 3), finite, of which those that no face has count for nothing.
        faces: (F, 3), triangles, at least one; the mesh has some size.
        size: S, voxels along each axis.
        margin: voxels at each end that stay empty; at most S/2 − 1.
    """
    corners = vertices[faces]
    low, high = corners.min((0, 1)), corners.max((0, 1))
    scale = (size - 2 * margin) / (high - low).max() * (1 - NUDGE)
    corners = (corners - (low + high) / 2) * scale + size / 2
    grid = np.zeros((size, size, size), bool)
    for points in _points(corners):
        grid[tuple((points + NUDGE / 1000).astype(np.intp).T)] = True
    return grid


def _points(corners: np.ndarray) -> Iterator[np.ndarray]:
    """Points (P, 3) on triangles (F, 3, 3), `AT_ONCE` or a triangle's at a time."""
    # the longest side goes from the first corner to the second
    sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
    turn = (sides.argmax(1)[:, None] + np.arange(3)) % 3
    first, second, apex = np.take_along_axis(corners, turn[:, :, None], 1).transpose(1, 0, 2)
    longest = sides.max(1)
    doubled_area = np.linalg.norm(np.cross(second - first, apex - first), axis=1)
    height = np.divide(doubled_area, longest, out=np.zeros_like(longest), where=longest > 0)
    rows, columns = (np.ceil(length / STEP).astype(np.int64) + 1 for length in (height, longest))
    ends = (rows * columns).cumsum()
    start = 0
    while start < len(corners):
        stop = max(int(np.searchsorted(ends, (ends[start - 1] if start else 0) + AT_ONCE, "right")), start + 1)
        some = slice(start, stop)
        counts = (rows * columns)[some]
        which = np.repeat(np.arange(start, stop), counts)
        place = np.arange(len(which)) - np.repeat(counts.cumsum() - counts, counts)
        row, column = np.divmod(place, columns[which])
        up = (row / np.maximum(rows[which] - 1, 1))[:, None]
        along = (column / np.maximum(columns[which] - 1, 1))[:, None]
        yield (1 - up) * ((1 - along) * first[which] + along * second[which]) + up * apex[which]
        start = stop
