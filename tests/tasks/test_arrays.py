"""The archive reader against NumPy's own, and what it does not read."""

import tracemalloc
import zipfile

import numpy as np
import pytest

import tasks.arrays
from store import BadInput
from tasks.arrays import open_archive, read_arrays, read_images


def images(count=7, height=5, width=3, channels=3):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_as_numpy_reads_them(tmp_path, save):
    made = {
        "c": images(), "f": np.asfortranarray(images()), "float": np.linspace(0, 1, 7),
        "big": np.arange(5, dtype=">i8"), "none": np.zeros((0, 3)), "one": np.array(2.5),
        "half": np.arange(3, dtype=np.float16),
    }  # fmt: skip
    save(tmp_path / "a.npz", **made)
    found = read_arrays("--data", tmp_path / "a.npz", (*made, "absent"), "an .npz")
    assert list(found) == list(made)
    for name, array in made.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("slab", [1, 100, 2**25])
@pytest.mark.parametrize("order", ["C", "F"])
def test_images_read_some_at_a_time_are_those_read_at_once(tmp_path, slab, order, monkeypatch):
    monkeypatch.setattr(tasks.arrays, "SLAB", slab)
    np.savez_compressed(tmp_path / "a.npz", x=np.asarray(images(), order=order))
    with open_archive("--data", tmp_path / "a.npz", ("x",), "an .npz") as members:
        found = read_images(members["x"])
    assert found.is_contiguous()
    np.testing.assert_array_equal(found.numpy(), images().transpose(0, 3, 1, 2), strict=True)


def member(path, content, name="x.npy"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)


def header(shape, kind="|u1"):
    words = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(words).to_bytes(2, "little") + words.encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header((10, 2)) + bytes(19), "x has 19 bytes where its header promises 20"),
        (header((10**6, 10**6, 64)) + bytes(20), "promises 64,000,000,000,000"),
        (header((3,), "|O") + bytes(24), "never unpickled"),
        (header((-3,)) + bytes(20), "cannot be read"),
        (b"no array", "cannot be read"),
        (header("(" * 3000), "cannot be read"),
    ],
)
def test_what_no_array_is_is_one_line_before_it_is_read(tmp_path, content, words):
    member(tmp_path / "a.npz", content)
    with pytest.raises(BadInput, match=words):
        read_arrays("--data", tmp_path / "a.npz", ("x",), "an .npz")


def test_damage_behind_the_header_is_one_line(tmp_path):
    np.savez(tmp_path / "a.npz", x=images(200))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[3000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(BadInput, match=r"cannot be read \(Bad CRC-32"):
        read_arrays("--data", tmp_path / "a.npz", ("x",), "an .npz")


def test_zeros_that_are_refused_are_not_inflated(tmp_path):
    from tasks import DataOptions, load

    size = 2**26
    np.savez_compressed(
        tmp_path / "a.npz", train_images=np.zeros(size, np.uint8), train_labels=np.zeros(2), test_images=images(),
        test_labels=np.zeros(7),
    )  # fmt: skip
    assert (tmp_path / "a.npz").stat().st_size < size / 500
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=r"train_images \(67108864,\) uint8; needs N×H×W×C"):
            load(DataOptions(f"npz:{tmp_path / 'a.npz'}"))
        assert tracemalloc.get_traced_memory()[1] < size / 20
    finally:
        tracemalloc.stop()
