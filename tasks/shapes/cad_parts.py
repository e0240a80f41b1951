"""Electronic parts: KiCad's models in Debian's package kicad-packages3d, as a stand-in for ModelNet10.

The package has ``usr/share/kicad/3dmodels/CLASS.3dshapes/NAME.wrl``, ``Varistor.3dshapes/RV_Disc_D12mm_W3.9mm_P7.5mm``,
say: 6,227 parts in 76 folders (6.0.10), of which `KINDS` are read. The models are by the KiCad Libraries, under CC
BY-SA 4.0 with an exception; whoever passes on what is made of them does it under that licence, too.

**Families are held out.** A part comes in a row of sizes that one program has made, and its neighbours look the same:
with parts of one family on both sides of a split, a test measures memory. A family is what a name says before its first
number: ``JST_EH`` of ``JST_EH_B10B-EH-A_1x10_P2.50mm_Vertical``, ``CP_Axial`` of ``CP_Axial_L10.0mm_D4.5mm``. Of every
class those families are held out whose parts are together the nearest to a quarter of it, never all. Where a class has
one family alone, what is held out is some of its kinds, the name up to the next word (``DIP-10``, ``RV_Disc_D12mm``):
of these two classes, unlike the others, the test has near relatives in training.

The classes are then of different difficulty, and many a test part looks like nothing that was trained on: accuracies
are low, and the parts of a family are right or wrong together. Their standard error is that of as many families, not of
as many parts.
"""

import hashlib
import lzma
import os
import re
import sys
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath

import numpy as np

from store import BadInput
from store.bad_input import perhaps
from tasks.shapes.meshes import MARGIN, SIZE, MeshFile, made_of
from tasks.shapes.packed import packed, read_shapes, task_of_shapes
from tasks.task import Task

__all__ = ["KINDS", "cad_meshes", "cad_parts", "families_of", "is_of_kicad"]

KINDS = (
    "Button_Switch_SMD",
    "Capacitor_THT",
    "Connector_JST",
    "Crystal",
    "Diode_THT",
    "Inductor_THT",
    "Package_DFN_QFN",
    "Package_DIP",
    "Package_SO",
    "Package_TO_SOT_THT",
    "Resistor_THT",
    "Varistor",
)
"""Classes: folders with about a hundred parts or more, of shapes that differ."""

VARIABLE = "CAD_PARTS"
"""Of the environment, with the path of the file of voxels."""

NEEDED = (
    "a file of voxels that CAD_PARTS names, or cad-parts:FILE.npz: `apt-get download kicad-packages3d` (370 MB) and "
    "`python -m tasks.shapes.voxels kicad-packages3d_*.deb --out FILE.npz` make it"
)

SHARE = 0.25
"""Of the parts of a class that is to be held out."""

MODELS = "*.3dshapes/*.wrl"
"""Files of models, by the ends of their paths."""

LARGEST = 2**28
"""Bytes that one model may have."""


def cad_parts(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Parts as voxels of their surface, a quarter of which, whole families of every class, are held out.

    Args:
        path: of a file of voxels (.npz), of the package (.deb), or of a folder with what is in it; None for what the
            variable CAD_PARTS names, or ``cad_parts.npz`` under ``root``.
        root: where data is kept.

    Raises:
        BadInput: it is not there, or is something else.
    """
    if path is None:
        path = Path(os.environ.get(VARIABLE) or root / "cad_parts.npz")
    source = f"cad-parts:{path}"
    clauses = []
    if is_of_kicad(path):
        shapes, clause = packed(((mesh, made_of(mesh, SIZE, MARGIN)) for mesh in cad_meshes(path)), source)
        clauses += [clause] if clause else []
    else:
        shapes = read_shapes(path, NEEDED)
    families = families_of(shapes.names, shapes.labels)
    held_out = np.isin(families, _held_out(families, shapes.labels))
    known = {grid.tobytes() for grid in shapes.voxels[~held_out]}
    repeated = held_out & np.array([grid.tobytes() in known for grid in shapes.voxels])
    kinds = len(set(shapes.labels[held_out])), len(set(shapes.labels))
    clauses.append(
        f"no test part of its own: {len(set(families[held_out]))} of {len(set(families))} families, of {kinds[0]} of "
        f"{kinds[1]} classes, are held out, {held_out.sum():,} of {len(held_out):,} parts"
    )
    if repeated.any():
        clauses.append(f"{repeated.sum():,} of them, whose voxels are those of a training part, are left out")
    print(f"{source}: {'; '.join(clauses)}", file=sys.stderr)
    return task_of_shapes("CAD parts", source, shapes, ~held_out, held_out & ~repeated)


def families_of(names: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """The family of each part, (N,) strings; two classes have none in common.

    Args:
        names: N of them.
        labels: (N,) indices of classes.
    """
    labelled = list(zip(labels.tolist(), names, strict=True))
    in_class: dict[int, set[str]] = {}
    for label, name in labelled:
        in_class.setdefault(label, set()).add(_before_number(name))
    shown = {label: _before_number if len(families) > 1 else _to_number for label, families in in_class.items()}
    return np.array([f"{label} {shown[label](name)}" for label, name in labelled])


def _before_number(name: str) -> str:
    """The words of a name before the first one that has a digit; that word up to it, if it is the first."""
    words = re.split(r"[_-]", name)
    first = next((place for place, word in enumerate(words) if re.search(r"\d", word)), len(words))
    return "_".join(words[:first]) or re.split(r"\d", name)[0]


def _to_number(name: str) -> str:
    """The words of a name up to the first one that has a digit, with it."""
    return "_".join([_before_number(name), *re.findall(r"[^_-]*\d[^_-]*", name)[:1]])


def _held_out(families: np.ndarray, labels: np.ndarray) -> list[str]:
    """The families whose parts are together the nearest to `SHARE` of their class, but some and not all.

    Of several choices that are equally near, the order of the families' hashes decides, which has no meaning.
    """
    chosen: list[str] = []
    for label in np.unique(labels):
        counts = Counter(families[labels == label].tolist())
        total = sum(counts.values())
        reached: dict[int, tuple[str, ...]] = {0: ()}
        for family in sorted(counts, key=lambda family: hashlib.sha256(family.encode()).digest()):
            for size, some in list(reached.items()):
                reached.setdefault(size + counts[family], (*some, family))
        sizes = [size for size in reached if 0 < size < total]
        if sizes:
            chosen += reached[min(sizes, key=lambda size: (abs(size - SHARE * total), size))]
    return chosen


def is_of_kicad(path: Path) -> bool:
    """Whether a path is the package itself, or a folder that has, at any depth, folders of KiCad's models."""
    return path.suffix == ".deb" or (path.is_dir() and next(path.rglob("*.3dshapes"), None) is not None)


def cad_meshes(path: Path, kinds: Sequence[str] = KINDS) -> Iterator[MeshFile]:
    """The models of these classes in the package, or in a folder with what is in it, read one by one.

    Args:
        path: of the package (.deb), which is not unpacked, or of a folder.
        kinds: classes, the names of folders without ``.3dshapes``.

    Raises:
        BadInput: no such package or folder, or, after the last of its models, a class of which it has none.
    """
    found: set[str] = set()
    for mesh in _in_package(path, kinds) if path.suffix == ".deb" else _in_folder(path, kinds):
        found.add(mesh.kind)
        if mesh.kind in kinds:
            yield mesh
    for kind in kinds:
        if kind not in found:
            raise BadInput("--data", f"{path} without {kind}.3dshapes/*.wrl", f"models of KiCad{perhaps(kind, found)}")


def _model(place: PurePath, read: Callable[[], bytes], kinds: Sequence[str]) -> MeshFile:
    """The model in a file, which is read if it is of one of these classes."""
    kind = place.parent.name.removesuffix(".3dshapes")
    return MeshFile(str(place), place.stem, kind, None, read() if kind in kinds else b"")


def _in_folder(path: Path, kinds: Sequence[str]) -> Iterator[MeshFile]:
    """All models in a folder, of which those of these classes are read."""
    for file in sorted(path.rglob(MODELS)):
        yield _model(file, file.read_bytes, kinds)


def _in_package(path: Path, kinds: Sequence[str]) -> Iterator[MeshFile]:
    """All models in a Debian package, of which those of these classes are read.

    A package is an ``ar`` archive: a line ``!<arch>``, then files after headers of 60 bytes, which begin with a name of
    16 bytes and have the size in bytes 48 to 57; ``data.tar`` of them, compressed, is what is installed (deb(5)).

    Raises:
        BadInput: no package, or a damaged one.
    """
    if not path.is_file():
        raise BadInput("--data", f"{path}, where there is no file", NEEDED)
    try:
        with path.open("rb") as archive:
            archive.seek(len("!<arch>\n"))
            while not (header := archive.read(60)).startswith(b"data.tar"):
                archive.seek(int(header[48:58]) + int(header[48:58]) % 2, os.SEEK_CUR)
            with tarfile.open(fileobj=archive, mode="r|*") as installed:
                for entry in installed:
                    if entry.isfile() and entry.size <= LARGEST and PurePath(entry.name).match(MODELS):
                        file = installed.extractfile(entry)
                        assert file is not None
                        yield _model(PurePath(entry.name), file.read, kinds)
    except (OSError, EOFError, ValueError, tarfile.TarError, lzma.LZMAError, zlib.error) as problem:
        reason = " ".join(str(problem).split())[:100]
        raise BadInput("--data", f"{path}, which is no Debian package or a damaged one ({reason})", NEEDED) from None
