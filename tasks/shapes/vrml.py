"""Meshes in VRML 97 (ISO/IEC 14772-1), as CAD programs export them: a list of shapes, each an ``IndexedFaceSet``.

KiCad's models have, one after the other and with no grouping node around them (here of ``RV_Disc_D12mm_W3.9mm_P7.5mm``
in Debian's kicad-packages3d 6.0.10)::

    #VRML V2.0 utf8
    Shape { geometry IndexedFaceSet
    { creaseAngle 0.50 coordIndex [0,1,2,-1,3,0,2,-1,…]
    coord Coordinate { point [3.839 -0.294 2.374,3.839 -0.257 2.374,…]
    }}
    appearance Appearance{material USE PLASTIC-BLUE-01 }
    }

Everything else is about colours. What would move a shape (``Transform``), make it more than once (``USE`` of a shape or
of coordinates) or is no mesh (``Cylinder``, say) is refused and not read as something else.
"""

import re

import numpy as np

__all__ = ["read_vrml"]

COMMENT = re.compile(r"#[^\n]*")

FACE_SET = re.compile(r"\bIndexedFaceSet\b")

INDICES, POINTS = (re.compile(rf"\b{field}\s*\[([^\]]*)\]") for field in ("coordIndex", "point"))

ELSEWHERE = re.compile(
    r"\b(Transform|Inline|PROTO|EXTERNPROTO|Box|Cone|Cylinder|Sphere|Extrusion|ElevationGrid)\b"
    r"|\b(?:coord|geometry|children)\s+(USE)\b"
)
"""Nodes that make a file's surface another one than that of the face sets in it as they stand."""


def read_vrml(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float64 and triangles (F, 3) int64 of all face sets; faces of more corners become fans.

    Raises:
        ValueError: no VRML 97, nodes that are not followed, or indices of points that are not there.
    """
    if not text.startswith("#VRML V2.0"):
        raise ValueError("it does not begin with #VRML V2.0")
    text = COMMENT.sub("", text)
    if other := ELSEWHERE.search(text):
        raise ValueError(f"it has the node {other[1] or other[2]}, which is not followed")
    vertices, faces, before = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0
    for fields in FACE_SET.split(text)[1:]:
        found = INDICES.search(fields), POINTS.search(fields)
        if found[0] is None or found[1] is None:
            raise ValueError("it has an IndexedFaceSet without coordIndex or without point")
        indices = np.array(found[0][1].replace(",", " ").split(), np.int64)
        points = np.array(found[1][1].replace(",", " ").split(), np.float64).reshape(-1, 3)
        if len(indices) and not (indices.min() >= -1 and indices.max() < len(points)):
            raise ValueError("it has a face with a corner that is none of its points")
        vertices.append(points)
        faces.append(_triangles(indices) + before)
        before += len(points)
    return np.concatenate(vertices), np.concatenate(faces)


def _triangles(indices: np.ndarray) -> np.ndarray:
    """Triangles (F, 3) of faces that a −1 ends each, which the last one may lack."""
    ends = np.flatnonzero(indices == -1)
    if (np.diff(ends, prepend=-1) == 4).all() and len(indices) == 4 * len(ends):
        return indices.reshape(-1, 4)[:, :3]
    polygons = np.split(indices, ends)
    corners = [polygon[polygon >= 0] for polygon in polygons]
    fans = [(face[0], face[place], face[place + 1]) for face in corners for place in range(1, len(face) - 1)]
    return np.array(fans, np.int64).reshape(-1, 3)
