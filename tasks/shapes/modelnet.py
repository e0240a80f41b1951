"""ModelNet10: furniture in ten classes, as meshes (Wu et al. 2015, 3D ShapeNets, arXiv 1406.5670).

``ModelNet10.zip`` unpacks to ``ModelNet10/CLASS/train/CLASS_0001.off`` and ``ModelNet10/CLASS/test/…``, numbered
through; PyTorch Geometric reads ``glob.glob(f'{folder}/{category}_*.off')`` of ``osp.join(self.raw_dir, category,
dataset)`` and deletes "osx metadata generated during compression of ModelNet10", a folder ``__MACOSX``
(torch_geometric/datasets/modelnet.py). 3,991 meshes are for training and 908 for the test.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from store import BadInput
from tasks.labels import say_missing
from tasks.shapes.meshes import MARGIN, SIZE, MeshFile, made_of
from tasks.shapes.packed import packed, read_shapes, task_of_shapes
from tasks.task import Task

__all__ = ["modelnet10", "modelnet_meshes"]

NEEDED = (
    "ModelNet10/CLASS/train/CLASS_0001.off and ModelNet10/CLASS/test/…, as "
    "http://vision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip unpacks"
)

PARTS = ("train", "test")
"""Folders of each class."""

PUBLISHED = (3991, 908)
"""Meshes to train on, and to score."""


def modelnet10(path: Path) -> Task:
    """The furniture as voxels of its surface, of the folder, or of a file that ``python -m tasks.shapes.voxels`` makes.

    Args:
        path: of the folder, or of the file, whose name then ends in .npz.

    Raises:
        BadInput: another folder or file, a class that lacks one of its parts, or no package trimesh to read meshes.
    """
    source = f"modelnet10:{path}"
    if path.suffix == ".npz":
        shapes = read_shapes(path, f"what `python -m tasks.shapes.voxels FOLDER --out {path}` makes of ModelNet10")
    else:
        meshes = modelnet_meshes(path)
        print(
            f"{source}: the meshes become voxels, which takes minutes; `python -m tasks.shapes.voxels {path} --out "
            "modelnet10.npz` does it once, for --data modelnet10:modelnet10.npz",
            file=sys.stderr,
        )
        shapes, clause = packed(((mesh, made_of(mesh, SIZE, MARGIN)) for mesh in meshes), source)
        if clause:
            print(f"{source}: {clause}", file=sys.stderr)
    if shapes.held_out is None:
        raise BadInput("--data", f"{source} without held_out, which says what the test part is", "voxels of ModelNet10")
    task = task_of_shapes("ModelNet10", source, shapes, ~shapes.held_out, shapes.held_out)
    counts = len(task.train), len(task.test)
    if counts != PUBLISHED:
        there, published = (f"{train:,} training and {test:,} test shapes" for train, test in (counts, PUBLISHED))
        print(f"{source}: {there}, of {published} that are published", file=sys.stderr)
    return say_missing(task, source)


def modelnet_meshes(path: Path) -> Iterator[MeshFile]:
    """The meshes of ModelNet10's folder, or of one that it lies in, read one by one.

    Raises:
        BadInput: another folder, or a class without meshes for one of its parts.
    """
    root = path / "ModelNet10" if (path / "ModelNet10").is_dir() else path
    kinds = sorted(
        folder.name for folder in root.glob("*") if (folder / "train").is_dir() or (folder / "test").is_dir()
    )
    if not kinds:
        raise BadInput("--data", f"modelnet10:{path} without a folder CLASS/train", NEEDED)
    files = {(kind, part): sorted((root / kind / part).glob(f"{kind}_*.off")) for kind in kinds for part in PARTS}
    for (kind, part), there in files.items():
        if not there:
            raise BadInput("--data", f"modelnet10:{path} without {kind}/{part}/{kind}_*.off", NEEDED)
    return (
        MeshFile(f"{kind}/{part}/{file.name}", file.stem, kind, part == "test", file.read_bytes())
        for (kind, part), there in files.items()
        for file in there
    )
