"""Readers of shapes, each on a small copy of the layout that is published, with the odd things that are in it."""

import io
import lzma
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from store import BadInput
from tasks.shapes import made_up_shapes
from tasks.shapes.cad_parts import KINDS, SHARE, cad_meshes, cad_parts, families_of
from tasks.shapes.made_up import SOLIDS
from tasks.shapes.meshes import MeshFile, made_of
from tasks.shapes.modelnet import modelnet10
from tasks.shapes.packed import Shapes, read_shapes, write_shapes
from tasks.shapes.surface import surface_voxels
from tasks.shapes.voxels import Config, run
from tasks.shapes.vrml import read_vrml
from tasks.task import Volume

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
"""Of a cube."""

SIDES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip
"""Triangles of a cube, two a side; without the last two it is open."""


def off(vertices=CORNERS, faces=SIDES, header="OFF\n{} {} 0\n") -> str:
    lines = [" ".join(f"{value:g}" for value in vertex) for vertex in vertices]
    lines += [f"{len(face)} " + " ".join(map(str, face)) for face in faces]
    return header.format(len(vertices), len(faces)) + "\n".join(lines) + "\n"


def box(*sides: float) -> np.ndarray:
    return CORNERS * sides


def mesh(text: str, name: str = "bed_0001") -> MeshFile:
    return MeshFile(f"{name}.off", name, "bed", False, text.encode())


def grid_of(text: str, size: int = 16, margin: int = 1) -> np.ndarray:
    made = made_of(mesh(text), size, margin)
    assert made.voxels is not None, made.fault
    return np.unpackbits(made.voxels)[: size**3].reshape(size, size, size).astype(bool)


def refused(line: str, function, *arguments) -> None:
    with pytest.raises(BadInput) as problem:
        function(*arguments)
    assert str(problem.value) == line


@pytest.fixture
def trimesh():
    return pytest.importorskip("trimesh", reason="the package trimesh is not installed")


# surfaces


def test_a_cube_is_its_six_sides_inside_the_margin():
    grid = surface_voxels(CORNERS * 7 - 3, SIDES, 10, 2)
    expected = np.zeros((10, 10, 10), bool)
    expected[2:8, 2:8, 2:8] = True
    expected[3:7, 3:7, 3:7] = False
    assert np.array_equal(grid, expected)


def test_the_longest_side_fills_the_grid_and_the_others_keep_their_proportions_around_the_middle():
    grid = surface_voxels(box(8, 4, 2), SIDES, 16, 0)
    assert [np.flatnonzero(grid.any(others))[[0, -1]].tolist() for others in ((1, 2), (0, 2), (0, 1))] == [
        [0, 15],
        [4, 11],
        [6, 9],
    ]


def test_a_plane_through_the_middle_is_one_layer():
    rng = np.random.default_rng(0)
    plane = np.column_stack([rng.uniform(0, 3, (300, 2)), np.full(300, 1.5)])
    vertices = np.concatenate([box(3, 3, 3), plane])
    faces = np.concatenate([SIDES, 8 + np.arange(300).reshape(-1, 3)])
    with_plane, without = surface_voxels(vertices, faces, 14, 0), surface_voxels(box(3, 3, 3), SIDES, 14, 0)
    assert np.flatnonzero((with_plane & ~without).any((0, 1))).tolist() == [7]


def random_mesh(seed: int, faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of every size and thinness, some of which are lines or points, and vertices without a face far away."""
    rng = np.random.default_rng(seed)
    vertices = rng.standard_normal((faces, 3)) * rng.choice([1, 0.1], (faces, 1))
    triangles = rng.integers(0, faces - 1, (faces, 3))
    vertices[-1] = 1e6
    return vertices, triangles


@pytest.mark.parametrize("seed", range(3))
def test_the_surface_is_that_of_the_slow_twin_but_for_corners(seed, monkeypatch):
    size = 16
    vertices, faces = random_mesh(seed, 60)
    fast = surface_voxels(vertices, faces, size, 1)
    corners = vertices[faces]
    low, high = corners.min((0, 1)), corners.max((0, 1))
    scaled = (corners - (low + high) / 2) / (high - low).max() * (size - 2) + size / 2
    dense, steps = np.zeros_like(fast), 120  # of at most 28 voxels: four a voxel more than the fast one takes
    for triangle in scaled:
        for i in range(steps + 1):
            j = np.arange(steps + 1 - i)
            weights = np.stack([np.full(len(j), i), j, steps - i - j], axis=1) / steps
            dense[tuple((weights @ triangle).astype(int).clip(1, size - 2).T)] = True
    assert (fast & dense).sum() > 0.98 * fast.sum()
    assert (fast & dense).sum() > 0.93 * dense.sum()
    # what is missed is a corner of a voxel whose neighbour is there
    around = torch.nn.functional.max_pool3d(torch.from_numpy(fast).float()[None], 3, 1, 1)[0].numpy() > 0
    assert not (dense & ~around).any()
    # the same in pieces
    monkeypatch.setattr("tasks.shapes.surface.AT_ONCE", 100)
    assert np.array_equal(surface_voxels(vertices, faces, size, 1), fast)


def test_the_surface_is_that_of_trimesh(trimesh):
    for shape in (trimesh.creation.icosphere(3), trimesh.creation.torus(1, 0.3), trimesh.creation.capsule(2, 0.5)):
        ours = surface_voxels(shape.vertices, shape.faces, 20, 0)
        low, high = shape.bounds
        # trimesh has voxels around whole numbers and not between them
        placed = (shape.vertices - (low + high) / 2) / (high - low).max() * 20 + 10 - 0.5
        points = trimesh.Trimesh(placed, shape.faces, process=False).voxelized(1.0, edge_factor=8, max_iter=50).points
        theirs = np.zeros_like(ours)
        theirs[tuple(np.rint(points).astype(int).clip(0, 19).T)] = True
        assert (ours & theirs).sum() > 0.95 * (ours | theirs).sum()


def test_where_a_mesh_is_and_how_large_changes_nothing():
    vertices, faces = random_mesh(7, 30)
    vertices = np.round(vertices[:-1] * 64)  # numbers that moving and doubling keep exact
    faces %= 29
    assert np.array_equal(surface_voxels(vertices * 4 + 512, faces, 12, 1), surface_voxels(vertices, faces, 12, 1))


# meshes


def test_a_joined_header_is_read_as_a_separate_one(trimesh):
    # mikedh/trimesh, pull request 753: "the ModelNet models looks like this: OFF28048 35408 0"
    usual = grid_of(off())
    for header in ("OFF{} {} 0\n", "OFF {} {} 0\n", "OFF\r\n{} {} 0\r\n", "# made by hand\nOFF\n\n{} {} 0\n"):
        assert np.array_equal(grid_of(off(header=header)), usual)
    squares = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    assert np.array_equal(grid_of(off(faces=squares)), usual)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (off(faces=[]), "has no faces"),
        (off(vertices=[*CORNERS[:7], [1, 1, float("nan")]]), "has vertices that are no finite numbers"),
        (off(vertices=[*CORNERS[:7], [1, 1, float("inf")]]), "has vertices that are no finite numbers"),
        (off(vertices=box(1, 1, 0)), "is flat"),
        (off(vertices=box(0, 0, 0) + 3), "is a point"),
        (off()[:40], "cannot be read"),
        (off(faces=[[0, 1, 8]]), "cannot be read"),
        (off(faces=[[0, 1, -1]]), "cannot be read"),
        ("", "cannot be read"),
        ("<html>", "cannot be read"),
        ("#VRML V1.0 ascii\n", "cannot be read"),
    ],
)
def test_what_has_no_surface_is_left_out_and_says_why(trimesh, text, fault):
    made = made_of(mesh(text), 8, 0)
    assert made.voxels is None
    assert made.fault.startswith(fault)
    assert "\n" not in made.fault


def test_a_vertex_far_away_that_has_no_face_moves_nothing(trimesh):
    assert np.array_equal(grid_of(off(vertices=[*CORNERS, [90, 90, 90]])), grid_of(off()))


def test_what_is_not_watertight_is_taken_and_known(trimesh):
    apart = CORNERS[SIDES].reshape(-1, 3)  # each triangle with corners of its own, as many CAD programs write them
    assert made_of(mesh(off()), 8, 0).watertight
    assert made_of(mesh(off(apart, np.arange(36).reshape(12, 3))), 8, 0).watertight
    opened = made_of(mesh(off(faces=SIDES[:-2])), 8, 0)
    assert opened.voxels is not None
    assert not opened.watertight


def test_without_trimesh_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "trimesh", None)
    refused("--data: got meshes, without the package trimesh; needs pip install trimesh", made_of, mesh(off()), 8, 0)


# VRML


VRML = """#VRML V2.0 utf8
#kicad StepUp wrl exported
# Copyright (C) 2018, kicad StepUp # point [9 9 9]

Shape {
	appearance Appearance {material DEF PIN-01 Material {
		ambientIntensity 0.271
		diffuseColor 0.824 0.82 0.781
		}
	}
}
Shape { geometry IndexedFaceSet
{ creaseAngle 0.50 coordIndex [0,1,2,-1,3,0,2,-1]
coord Coordinate { point [3.839 -0.294 2.374,3.839 -0.257 2.374,3.823 -0.257 2.643,3.823 -0.294 2.643]
}}
appearance Appearance{material USE PIN-01 }
}
Shape { geometry IndexedFaceSet
{ coord DEF corners Coordinate { point [ 0 0 0, 1 0 0, 1 1 0,
  0 1 0, 0.5 2e0 -1E-1 ] }
  coordIndex [ 0, 1, 2, 3, -1, 2 4 3 ] } }
"""
"""As kicad-packages3d 6.0.10 has it, and then with fields in another order, a square, and no −1 at the end."""


def test_face_sets_are_read_one_after_the_other():
    vertices, faces = read_vrml(VRML)
    assert vertices.shape == (9, 3)
    assert vertices[[0, 3, 8]].tolist() == [[3.839, -0.294, 2.374], [3.823, -0.294, 2.643], [0.5, 2, -0.1]]
    assert faces.tolist() == [[0, 1, 2], [3, 0, 2], [4, 5, 6], [4, 6, 7], [6, 8, 7]]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("#VRML V2.0", "#VRML V1.0", "does not begin with #VRML V2.0"),
        ("Shape {", "Transform { children Shape {", "the node Transform"),
        ("coord DEF corners Coordinate { point [", "coord USE corners [", "the node USE"),
        ("geometry IndexedFaceSet", "geometry Cylinder", "the node Cylinder"),
        ("coordIndex [0,1,2,-1,3,0,2,-1]", "", "without coordIndex"),
        ("3,0,2,-1", "3,0,4,-1", "none of its points"),
        ("3,0,2,-1", "3,0,-2,-1", "none of its points"),
        ("3.839 -0.294 2.374,", "3.839 -0.294,", "reshape"),
        ("3.839 -0.294 2.374,", "3.839 -0.294 x,", "could not convert"),
    ],
)
def test_what_this_reader_does_not_follow_is_refused(old, new, words):
    assert old in VRML
    with pytest.raises(ValueError, match=words):
        read_vrml(VRML.replace(old, new, 1))


# ModelNet10


def write_modelnet(folder: Path, classes=("bathtub", "night_stand")) -> None:
    """ModelNet10/CLASS/{train,test}/CLASS_0001.off, numbered through, with what macOS has left in the archive."""
    root = folder / "ModelNet10"
    for kind, name in enumerate(classes):
        for part, numbers in (("train", (1, 2, 3)), ("test", (4, 5))):
            place = root / name / part
            place.mkdir(parents=True)
            for number in numbers:
                header = "OFF{} {} 0\n" if number % 2 else "OFF\n{} {} 0\n"
                (place / f"{name}_{number:04}.off").write_text(off(box(1 + kind, 1, number / 2), header=header))
            (place / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "README.txt").write_text("Copyright: …")
    (root / ".DS_Store").write_bytes(b"\0")
    (folder / "__MACOSX/ModelNet10/bathtub/train").mkdir(parents=True)
    (folder / "__MACOSX/ModelNet10/bathtub/train/._bathtub_0001.off").write_bytes(b"\0\5\x16\7")


def test_modelnet10_is_read_as_it_unpacks(tmp_path, capsys, trimesh):
    write_modelnet(tmp_path)
    task = modelnet10(tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert repr(task) == "ModelNet10: 6 training and 4 test shapes, 2 classes"
    assert task.modality == Volume(1, 32, 32, 32)
    assert task.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert task.test.targets.tolist() == [0, 0, 1, 1]
    assert task.train.inputs.unique().tolist() == [0, 255]
    expected = surface_voxels(box(2, 1, 2.5), SIDES, 32, 1)
    assert np.array_equal(task.test.inputs[3, 0].numpy() > 0, expected)
    assert re.fullmatch(r"modelnet10:.*: the meshes become voxels, which takes minutes; `python -m .*`.*", lines[0])
    assert lines[1:] == [
        f"modelnet10:{tmp_path}: 6 training and 4 test shapes, of 3,991 training and 908 test shapes that are published"
    ]
    assert modelnet10(tmp_path / "ModelNet10").digest == task.digest


def test_meshes_without_a_surface_are_counted_and_the_first_is_named(tmp_path, capsys, trimesh):
    write_modelnet(tmp_path)
    root = tmp_path / "ModelNet10"
    (root / "bathtub/train/bathtub_0002.off").write_text(off(faces=[]))
    (root / "night_stand/test/night_stand_0004.off").write_text("OFF\n")
    (root / "night_stand/test/night_stand_0005.off").write_text(off(faces=SIDES[:-2]))
    task = modelnet10(tmp_path)
    assert (len(task.train), len(task.test)) == (5, 3)
    assert capsys.readouterr().err.splitlines()[1] == (
        f"modelnet10:{tmp_path}: 2 meshes are left out (bathtub/train/bathtub_0002.off has no faces; 1 more); "
        "1 of 8 meshes are not watertight, and taken as they are"
    )


def test_a_class_without_a_part_is_refused(tmp_path, trimesh):
    needed = (
        "ModelNet10/CLASS/train/CLASS_0001.off and ModelNet10/CLASS/test/…, as "
        "http://vision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip unpacks"
    )
    refused(f"--data: got modelnet10:{tmp_path} without a folder CLASS/train; needs {needed}", modelnet10, tmp_path)
    write_modelnet(tmp_path)
    test = tmp_path / "ModelNet10/night_stand/test"
    for file in test.glob("*.off"):
        file.unlink()
    line = f"--data: got modelnet10:{tmp_path} without night_stand/test/night_stand_*.off; needs {needed}"
    refused(line, modelnet10, tmp_path)
    (test / ".DS_Store").unlink()
    test.rmdir()
    refused(line, modelnet10, tmp_path)


# CAD parts


NAMES = {
    "Varistor": [f"RV_Disc_D{diameter}mm_W{width}mm_P5mm" for diameter in (7, 9, 15.5, 21.5) for width in (4, 5)],
    "Connector_JST": [f"JST_{row}_B{pins}B-{row}-A_1x{pins:02}_P2.50mm" for row in ("EH", "XH") for pins in (2, 3, 12)]
    + ["JST_GH_BM02B-GHS-TBT_1x02-1MP_P1.25mm_Vertical"],
}


def write_kicad(folder: Path, names=NAMES) -> None:
    """usr/share/kicad/3dmodels/CLASS.3dshapes/NAME.wrl, with the STEP file that lies beside each."""
    for row, (kind, parts) in enumerate(names.items()):
        place = folder / f"usr/share/kicad/3dmodels/{kind}.3dshapes"
        place.mkdir(parents=True)
        for number, name in enumerate(parts, 1):
            points = ",".join(" ".join(map(str, point)) for point in box(2 * number, 2 + 4 * row, 32))
            faces = ",".join(f"{a},{b},{c},-1" for a, b, c in SIDES)
            (place / f"{name}.wrl").write_text(
                "#VRML V2.0 utf8\nShape { geometry IndexedFaceSet\n{ creaseAngle 0.50 coordIndex "
                f"[{faces}]\ncoord Coordinate {{ point [{points}]\n}}}}\n}}\n"
            )
            (place / f"{name}.step").write_text("ISO-10303-21;")


def debian_package(folder: Path) -> bytes:
    """A package (deb(5)): an ar archive of debian-binary, control.tar.xz and data.tar.xz, of odd lengths."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder, ".")
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": lzma.compress(stream.getvalue())}
    package = b"!<arch>\n"
    for name, content in members.items():
        package += f"{name:<16}{1700000000:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        package += b"\n" * (len(content) % 2)
    return package


def test_a_family_is_what_a_name_says_before_its_first_number():
    names = {
        "JST_EH_B10B-EH-A_1x10_P2.50mm_Vertical": "JST_EH",
        "CP_Axial_L10.0mm_D4.5mm_P15.00mm_Horizontal": "CP_Axial",
        "SW_DIP_SPSTx01_Slide_6.7x4.1mm_W6.73mm_P2.54mm_LowProfile_JPin": "SW_DIP",
        "Resonator-2Pin_W10.0mm_H5.0mm": "Resonator",
        "Crystal_SMD_SeikoEpson_FA238V-4Pin_3.2x2.5mm": "Crystal_SMD_SeikoEpson",
        "OnSemi_Micro": "OnSemi_Micro",
        "Micro8": "Micro",
    }
    labels = np.zeros(len(names), int)
    assert families_of(list(names), labels).tolist() == [f"0 {family}" for family in names.values()]


def test_a_class_of_one_family_is_divided_at_its_first_number():
    names = ["DIP-4_W7.62mm", "DIP-4_W10.16mm", "DIP-10_W7.62mm", "RV_Disc_D15.5mm_W4mm", "RV_Disc_D7mm_W4mm", "DIP"]
    labels = np.array([0, 0, 0, 1, 1, 2])
    expected = ["0 DIP_4", "0 DIP_4", "0 DIP_10", "1 RV_Disc_D15.5mm", "1 RV_Disc_D7mm", "2 DIP"]
    assert families_of(names, labels).tolist() == expected


def written(path: Path, names, labels, classes, **others) -> Path:
    """A file of voxels that are all different."""
    bits = np.unpackbits(np.arange(len(names), dtype=np.uint16).byteswap().view(np.uint8).reshape(-1, 2), axis=1)
    voxels = np.packbits(np.tile(bits, (1, 4)), axis=1)
    write_shapes(Shapes(voxels, np.array(labels), tuple(classes), tuple(names), **others), path)
    return path


def test_whole_families_are_held_out_the_nearest_to_a_quarter_of_every_class(tmp_path, capsys):
    sizes = {"A": [8, 4, 3, 1], "B": [10, 6], "C": [5, 5, 5, 5], "D": [1, 20]}
    nearest = {"A": 4, "B": 6, "C": 5, "D": 1}
    named = [
        (f"{kind}_{'efgh'[family]}_{number}mm", place)
        for place, (kind, families) in enumerate(sizes.items())
        for family, count in enumerate(families)
        for number in range(count)
    ]
    path = written(tmp_path / "parts.npz", [name for name, _ in named], [label for _, label in named], sizes)
    task = cad_parts(path)
    assert task.test.targets.bincount().tolist() == list(nearest.values())
    assert len(task.train) + len(task.test) == len(named)
    assert cad_parts(path).digest == task.digest
    shapes = read_shapes(path, "")
    rows = {
        row.tobytes(): family
        for row, family in zip(shapes.voxels, families_of(shapes.names, shapes.labels), strict=True)
    }
    sides = [
        {rows[np.packbits(grid.numpy() > 0).tobytes()] for grid in split.inputs} for split in (task.train, task.test)
    ]
    assert not sides[0] & sides[1]
    assert capsys.readouterr().err.splitlines()[0] == (
        f"cad-parts:{path}: no test part of its own: {len(sides[1])} of 12 families, of 4 of 4 classes, are held out, "
        f"{len(task.test)} of {len(named)} parts"
    )


def test_a_test_part_that_is_also_in_training_is_left_out(tmp_path, capsys):
    path = written(
        tmp_path / "parts.npz", [f"A_{'efgh'[i]}_{i}mm" for i in range(4)] + ["B_1", "B_2"], [0] * 4 + [1] * 2, "AB"
    )
    shapes = read_shapes(path, "")
    before = cad_parts(path)
    assert len(before.test) == 2
    voxels = np.repeat(shapes.voxels[:1], 6, axis=0)
    voxels[4:] = shapes.voxels[4:]
    write_shapes(shapes._replace(voxels=voxels), path)
    assert len(cad_parts(path).test) == 1
    assert "; 1 of them, whose voxels are those of a training part, are left out" in capsys.readouterr().err


@pytest.mark.parametrize("packaged", [False, True])
def test_kicads_models_are_read_from_a_folder_and_from_the_package(tmp_path, packaged, trimesh):
    write_kicad(tmp_path / "kicad")
    path = tmp_path / "kicad"
    if packaged:
        path = tmp_path / "kicad-packages3d_6.0.10-1_all.deb"
        path.write_bytes(debian_package(tmp_path / "kicad"))
    meshes = sorted(cad_meshes(path, tuple(NAMES)), key=lambda one: (one.kind, one.name))
    assert [(mesh.kind, mesh.name) for mesh in meshes] == sorted(
        (kind, name) for kind, names in NAMES.items() for name in names
    )
    assert meshes[-1].name == NAMES["Varistor"][3]
    made = made_of(meshes[-1], 16, 1)
    assert np.array_equal(made.voxels, np.packbits(surface_voxels(box(8, 2, 32), SIDES, 16, 1)))
    assert made.watertight
    refused(
        f"--data: got {path} without Varistors.3dshapes/*.wrl; needs models of KiCad; perhaps Varistor?",
        lambda: list(cad_meshes(path, ("Varistors",))),
    )


def test_a_file_of_voxels_holds_what_its_meshes_say(tmp_path, capsys, trimesh, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())  # of the processes that make voxels
    write_kicad(tmp_path / "kicad")
    out = tmp_path / "parts.npz"
    run(Config(tmp_path / "kicad", out, margin=0, classes=tuple(NAMES), workers=1))
    assert capsys.readouterr().out.startswith(f"{out}: 15 shapes of 2 classes, 32×32×32 voxels, ")
    shapes = read_shapes(out, "")
    assert (shapes.classes, shapes.size, shapes.held_out) == (("Connector_JST", "Varistor"), 32, None)
    assert shapes.names == tuple(sorted(NAMES["Connector_JST"]) + sorted(NAMES["Varistor"]))
    place = shapes.names.index("RV_Disc_D9mm_W4mm_P5mm")
    assert np.array_equal(shapes.voxels[place], np.packbits(surface_voxels(box(6, 2, 32), SIDES, 32, 0)))
    monkeypatch.setenv("CAD_PARTS", str(out))
    assert repr(cad_parts()) == "CAD parts: 12 training and 3 test shapes, 2 classes"


def test_modelnet10s_file_of_voxels_is_the_same_task(tmp_path, capsys, trimesh, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    write_modelnet(tmp_path)
    out = tmp_path / "modelnet10.npz"
    run(Config(tmp_path, out, workers=1))
    assert modelnet10(out).digest == modelnet10(tmp_path).digest
    parts = written(tmp_path / "parts.npz", ["A_1", "B_1"], [0, 1], "AB")
    refused(
        f"--data: got modelnet10:{parts} without held_out, which says what the test part is; needs voxels of "
        "ModelNet10",
        modelnet10,
        parts,
    )


def test_where_no_parts_are_a_line_says_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.delenv("CAD_PARTS", raising=False)
    needed = (
        "a file of voxels that CAD_PARTS names, or cad-parts:FILE.npz: `apt-get download kicad-packages3d` (370 MB) "
        "and `python -m tasks.shapes.voxels kicad-packages3d_*.deb --out FILE.npz` make it"
    )
    refused(
        f"--data: got {tmp_path / 'cad_parts.npz'}, where there is no file; needs {needed}", cad_parts, None, tmp_path
    )
    package = tmp_path / "x.deb"
    refused(f"--data: got {package}, where there is no file; needs {needed}", cad_parts, package)
    write_kicad(tmp_path / "kicad")
    whole = debian_package(tmp_path / "kicad")
    for content in (b"", b"!<arch>\n", b"!<arch>\n" + b"x" * 200, whole[: len(whole) // 2]):
        package.write_bytes(content)
        with pytest.raises(BadInput, match="which is no Debian package or a damaged one") as problem:
            cad_parts(package)
        assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"voxels": np.zeros((2, 5), np.uint8)}, r"voxels \(2, 5\) uint8; needs"),
        ({"voxels": np.zeros((2, 8), np.int8)}, r"voxels \(2, 8\) int8; needs"),
        ({"voxels": np.zeros((0, 8), np.uint8)}, r"voxels \(0, 8\) uint8; needs"),
        ({"labels": np.zeros(3, int)}, r"labels \(3,\); needs one for each of 2 shapes"),
        ({"labels": np.array([0, 2])}, "labels that are not from 0 to 1"),
        ({"labels": np.array([0, -1])}, "labels that are not from 0 to 1"),
        ({"labels": np.array([0.0, 1.0])}, "labels that are not from 0 to 1"),
        ({"names": np.array([1, 2])}, "classes or names that are no list of words"),
        ({"names": np.array(["a", None])}, "cannot be read .names holds Python objects"),
        ({"held_out": np.array([0, 1])}, "held_out int64; needs bool"),
        ({"classes": None}, "without classes"),
    ],
)
def test_what_is_no_file_of_voxels_is_refused(tmp_path, change, words):
    arrays = {"voxels": np.eye(2, 8, dtype=np.uint8), "labels": np.arange(2)}
    arrays |= {"classes": np.array(["A", "B"]), "names": np.array(["A_1", "B_1"])} | change
    path = tmp_path / "parts.npz"
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(BadInput, match=words) as problem:
        cad_parts(path)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("size", [2, 3, 5, 16])
def test_grids_of_any_size_survive_a_file(tmp_path, size):
    grids = np.random.default_rng(0).random((4, size, size, size)) < 0.5
    packed = np.packbits(grids.reshape(4, -1), axis=1)
    held_out = np.array([False, True, False, True])
    write_shapes(Shapes(packed, np.array([0, 0, 1, 1]), ("A", "B"), ("a", "b", "c", "d"), held_out), tmp_path / "a.npz")
    shapes = read_shapes(tmp_path / "a.npz", "")
    assert shapes.size == size
    assert shapes.inside == pytest.approx(grids.mean())
    task = modelnet10(tmp_path / "a.npz")
    assert np.array_equal(task.train.inputs[:, 0].numpy(), grids[[0, 2]] * np.uint8(255))
    assert task.test.targets.tolist() == [0, 1]


def test_the_real_parts_are_read():
    path = os.environ.get("CAD_PARTS")
    if not path:
        pytest.skip("no file of voxels of kicad-packages3d: CAD_PARTS names none")
    task = cad_parts()
    assert task.classes == len(KINDS)
    shares = task.test.targets.bincount(minlength=12) / torch.cat([task.train.targets, task.test.targets]).bincount()
    assert ((shares > 0) & (shares < 2 * SHARE)).all()
    assert 0.02 < float((task.train.inputs > 0).float().mean()) < 0.1


# made-up solids


VOLUMES = {
    "box": 8 * 0.57 * 0.485**2,
    "ellipsoid": 4 / 3 * np.pi * 0.65**2,
    "cylinder": np.pi * 0.5**2 * 1.4,
    "cone": np.pi * 0.65**2 * 1.6 / 3,
    "torus": 2 * np.pi**2 * 0.65 * 0.23**2,
    "cross": 3 * 2 * 0.925 * 0.4**2 - 2 * 0.4**3,
    "plate": 8 * 0.7 * 0.6 * 0.145,
    "rod": np.pi * 0.175**2 * 1.75,
}
"""At the middle of each solid's proportions."""


def test_made_up_solids_have_the_volumes_of_what_they_are_called():
    points = np.random.default_rng(0).uniform(-1, 1, (3, 200_000))
    assert list(SOLIDS) == list(VOLUMES)
    for name, inside in SOLIDS.items():
        # a binomial share; a right solid fails at a fresh seed with rate 6e-5
        share = inside(*points, 0.5, 0.5).mean()
        assert abs(share - VOLUMES[name] / 8) < 4 * np.sqrt(share / points.shape[1]), name
        for a in (0, 1):
            for b in (0, 1):
                there = inside(*points, a, b)
                assert np.linalg.norm(points[:, there], axis=0).max() <= 1.45


def test_made_up_shapes_are_balanced_different_and_always_the_same():
    task = made_up_shapes()
    assert repr(task) == "made-up shapes: 480 training and 160 test shapes, 8 classes"
    assert task.train.inputs.shape == (480, 1, 16, 16, 16)
    assert task.train.targets.bincount().tolist() == [60] * 8
    assert task.test.targets.bincount().tolist() == [20] * 8
    assert task.train.inputs.unique().tolist() == [0, 255]
    assert len(torch.cat([task.train.inputs, task.test.inputs]).flatten(1).unique(dim=0)) == 640
    assert made_up_shapes().digest == task.digest
    # turned: the eigenvalues of a rod's second moments are far apart, its axis is anywhere
    rods = task.train.inputs[task.train.targets == 7, 0] > 0
    axes = []
    for rod in rods:
        places = rod.nonzero().double()
        spread, axis = torch.linalg.eigh(torch.cov(places.T))
        assert spread[2] > 5 * spread[1]
        axes.append(axis[:, 2])
    moments = torch.linalg.eigvalsh(torch.stack(axes).T @ torch.stack(axes) / len(axes))
    assert moments.min() > 0.15
