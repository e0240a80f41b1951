import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from store import BadInput
from training.data import DEBIAN_FASHION_MNIST, DataOptions, load, read_idx


def test_digits_have_the_fixed_split():
    data = load(DataOptions())
    assert data.train_images.shape == (1437, 1, 8, 8)
    assert data.test_images.shape == (360, 1, 8, 8)
    assert data.train_images.dtype == torch.uint8
    assert data.train_images.max() == 255
    assert (torch.bincount(data.test_labels) >= 34).all()  # stratified
    assert data.digest == load(DataOptions()).digest


def test_the_digest_is_of_the_content(images_npz):
    data = load(DataOptions(data=f"npz:{images_npz}"))
    renamed = load(DataOptions(data=f"npz:{images_npz}", data_name="CIFAR-10 (JPEG)"))
    fewer = load(DataOptions(data=f"npz:{images_npz}", train_images=30))
    assert renamed.name == "CIFAR-10 (JPEG)"
    assert renamed.digest == data.digest != fewer.digest
    assert len(fewer.train_images) == 30
    assert data.shape == (3, 16, 16)


def test_statistics_are_those_of_the_pixels(images_npz):
    data = load(DataOptions(data=f"npz:{images_npz}"))
    mean, std = data.statistics()
    pixels = data.train_images.double() / 255
    torch.testing.assert_close(mean, pixels.mean((0, 2, 3)).float())
    torch.testing.assert_close(std, pixels.std((0, 2, 3), correction=0).float())


def write_folder(root, classes=("cat", "dog"), size=8):
    for part, count in (("train", 3), ("test", 2)):
        for number, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.full((size, size, 3), 40 * number + i, np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{i}.png")


def test_a_folder_is_read_by_class(tmp_path):
    write_folder(tmp_path / "pets")
    data = load(DataOptions(data=f"folder:{tmp_path / 'pets'}"))
    assert data.name == "pets"
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test_images[:, 0, 0, 0].tolist() == [0, 1, 40, 41]


def write_idx(directory, broken=""):
    for part, count in (("train", 5), ("t10k", 3)):
        images = np.arange(count * 784, dtype=np.uint64).astype(np.uint8)
        labels = np.arange(count, dtype=np.uint8)
        for content, shape, array in (("images", (count, 28, 28), images), ("labels", (count,), labels)):
            raw = struct.pack(f">BBBB{len(shape)}i", 0, 0, 8, len(shape), *shape) + array.tobytes()
            packed = gzip.compress(raw)
            if broken == content:
                packed = packed[: len(packed) // 2]
            (directory / f"{part}-{content}-idx{len(shape)}-ubyte.gz").write_bytes(packed)


def test_idx_files_are_read(tmp_path):
    write_idx(tmp_path)
    data = read_idx(tmp_path, "Fashion-MNIST")
    assert data.train_images.shape == (5, 1, 28, 28)
    assert data.train_images[0, 0, 0, :3].tolist() == [0, 1, 2]
    assert data.test_labels.tolist() == [0, 1, 2]


@pytest.mark.skipif(not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_comes_from_the_distribution():
    data = load(DataOptions(data="fashion-mnist"))
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert torch.bincount(data.test_labels).tolist() == [1000] * 10
    assert float(data.train_images.double().mean() / 255) == pytest.approx(0.2860, abs=5e-5)  # the known pixel mean


def test_bad_data_is_one_line(tmp_path, images_npz):
    write_folder(tmp_path / "odd")
    Image.new("RGB", (9, 9)).save(tmp_path / "odd" / "train" / "cat" / "big.png")
    (tmp_path / "text.npz").write_text("not an archive")
    np.savez(tmp_path / "pickle.npz", train_images=np.array([{}], dtype=object))
    with np.load(images_npz) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "float.npz", **(arrays | {"train_images": arrays["train_images"].astype(np.float32)}))
    np.savez(tmp_path / "labels.npz", **(arrays | {"test_labels": arrays["test_labels"][:-1]}))
    np.savez(tmp_path / "missing.npz", train_images=arrays["train_images"])
    for name, words in {
        "imagenet-22k": "'imagenet-22k'",
        "npz:": "'npz:'",
        f"npz:{tmp_path / 'none.npz'}": "no file",
        f"npz:{tmp_path / 'text.npz'}": "not an .npz archive",
        f"npz:{tmp_path / 'pickle.npz'}": "cannot be read",
        f"npz:{tmp_path / 'float.npz'}": "float32",
        f"npz:{tmp_path / 'labels.npz'}": r"test_labels \(19,\)",
        f"npz:{tmp_path / 'missing.npz'}": "without train_labels, test_images, test_labels",
        f"folder:{tmp_path / 'nowhere'}": "without train/",
        f"folder:{tmp_path / 'odd'}": "image sizes",
    }.items():
        with pytest.raises(BadInput, match=f"--data: got .*{words}.*; needs ") as problem:
            load(DataOptions(data=name))
        assert "\n" not in str(problem.value)


@pytest.mark.parametrize("broken", ["images", "labels"])
def test_a_truncated_download_is_one_line(tmp_path, broken):
    write_idx(tmp_path, broken)
    with pytest.raises(BadInput, match=f"{broken}-idx"):
        read_idx(tmp_path, "Fashion-MNIST")


def test_without_a_network_the_way_out_is_named(tmp_path, monkeypatch):
    import urllib.error
    import urllib.request

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(BadInput, match=r"'cifar10', which is not under .* and cannot be downloaded") as problem:
        load(DataOptions(data="cifar10", data_root=tmp_path))
    assert "--data-root" in str(problem.value)


def test_train_images_beyond_the_data_is_refused():
    with pytest.raises(BadInput, match="--train-images: got 5000; needs at most the 1437"):
        load(DataOptions(train_images=5000))
    with pytest.raises(BadInput, match="--train-images: got 1"):
        DataOptions(train_images=1)
