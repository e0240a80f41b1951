import gzip
import struct
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision.datasets
from PIL import Image

from store import BadInput
from tasks import DataOptions, image_task, load
from tasks.idx import read_idx
from tasks.vision import DEBIAN_FASHION_MNIST, TORCHVISION


def test_digits_have_the_fixed_split():
    data = load(DataOptions())
    assert data.train.inputs.shape == (1437, 1, 8, 8)
    assert data.test.inputs.shape == (360, 1, 8, 8)
    assert data.train.inputs.dtype == torch.uint8
    assert data.train.inputs.max() == 255
    assert (torch.bincount(data.test.targets) >= 34).all()  # stratified
    assert data.digest == load(DataOptions()).digest


def test_the_digest_is_of_the_content(images_npz):
    data = load(DataOptions(data=f"npz:{images_npz}"))
    renamed = load(DataOptions(data=f"npz:{images_npz}", data_name="CIFAR-10 (JPEG)"))
    fewer = load(DataOptions(data=f"npz:{images_npz}", train_images=30))
    assert renamed.name == "CIFAR-10 (JPEG)"
    assert renamed.digest == data.digest != fewer.digest
    assert len(fewer.train) == 30
    assert data.shape == (3, 16, 16)


def test_whether_images_may_be_mirrored_is_the_data_sets_own_whatever_it_is_called(images_npz, tmp_path):
    assert not load(DataOptions()).modality.mirrored
    assert not load(DataOptions(data_name="CIFAR-10", train_images=50, folds=2, fold=1)).modality.mirrored
    for name in (None, "digits", "MNIST"):
        assert load(DataOptions(data=f"npz:{images_npz}", data_name=name, fraction=0.5)).modality.mirrored


@pytest.mark.parametrize(
    ("word", "mirrored"),
    [
        ("mnist", False), ("kmnist", False), ("svhn", False), ("fashion-mnist", True), ("cifar10", True),
        ("cifar100", True), ("stl10", True),
    ],
)  # fmt: skip
def test_of_torchvisions_data_sets_those_of_characters_are_not_mirrored(monkeypatch, tmp_path, word, mirrored):
    kind = TORCHVISION[word].kind
    grey, channels_first = kind.endswith("MNIST"), kind in ("SVHN", "STL10")
    shape = (4, 6, 6) if grey else (4, 3, 6, 6) if channels_first else (4, 6, 6, 3)
    made = SimpleNamespace(data=np.zeros(shape, np.uint8), labels=np.arange(4), targets=list(range(4)))
    monkeypatch.setattr(torchvision.datasets, kind, lambda **_: made)
    monkeypatch.setattr("tasks.vision.DEBIAN_FASHION_MNIST", tmp_path / "absent")
    task = load(DataOptions(data=word))
    assert (task.modality.mirrored, task.shape) == (mirrored, (1 if grey else 3, 6, 6))


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_channel_that_is_the_same_everywhere_is_divided_by_nothing(level):
    images = torch.full((40, 3, 8, 8), level, dtype=torch.uint8)
    images[:, 0] = torch.arange(64, dtype=torch.uint8).view(8, 8)
    labels = torch.zeros(40, dtype=torch.int64)
    mean, std = image_task("made", (images, labels), (images[:2], labels[:2])).statistics()
    assert std[1:].tolist() == [1, 1]
    assert mean[1:].tolist() == pytest.approx([level / 255] * 2)
    assert float(std[0]) == pytest.approx(float((images[:, 0].float() / 255).std(unbiased=False)), rel=1e-5)


def test_statistics_are_those_of_the_pixels(images_npz):
    data = load(DataOptions(data=f"npz:{images_npz}"))
    mean, std = data.statistics()
    pixels = data.train.inputs.double() / 255
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
    assert data.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test.inputs[:, 0, 0, 0].tolist() == [0, 1, 40, 41]


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
    assert data.train.inputs.shape == (5, 1, 28, 28)
    assert data.train.inputs[0, 0, 0, :3].tolist() == [0, 1, 2]
    assert data.test.targets.tolist() == [0, 1, 2]


@pytest.mark.skipif(not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_comes_from_the_distribution():
    data = load(DataOptions(data="fashion-mnist"))
    assert data.train.inputs.shape == (60000, 1, 28, 28)
    assert torch.bincount(data.test.targets).tolist() == [1000] * 10
    assert float(data.train.inputs.double().mean() / 255) == pytest.approx(0.2860, abs=5e-5)  # the known pixel mean


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


def test_fractions_are_stratified_and_nested():
    def chosen(fraction):
        data = load(DataOptions(fraction=fraction))
        return {image.numpy().tobytes() for image in data.train.inputs}, data

    whole = load(DataOptions())
    counts = torch.bincount(whole.train.targets)
    smaller, least = chosen(0.1)
    for fraction in (0.25, 0.5, 0.8, 1.0):
        larger, data = chosen(fraction)
        assert smaller <= larger
        assert torch.equal(torch.bincount(data.train.targets), torch.round(counts * fraction).long())
        smaller = larger
    assert torch.equal(least.test.inputs, whole.test.inputs)
    assert len({least.digest, whole.digest, chosen(0.25)[1].digest}) == 3
    tiny = load(DataOptions(fraction=0.0001))
    assert sorted(tiny.train.targets.tolist()) == list(range(10))  # every class has at least one image


def test_folds_are_disjoint_tenths_of_the_training_images():
    whole = load(DataOptions())
    held_out = []
    for fold in range(1, 11):
        data = load(DataOptions(folds=10, fold=fold))
        assert data.scored == f"validation fold {fold} of 10"
        assert data.identity["scored"] == data.scored
        assert len(data.train) + len(data.test) == len(whole.train)
        assert abs(len(data.test) - 143.7) <= 10  # each class is rounded on its own
        assert torch.bincount(data.test.targets).min() >= 13
        held_out += [image.numpy().tobytes() for image in data.test.inputs]
    assert sorted(held_out) == sorted(image.numpy().tobytes() for image in whole.train.inputs)
    fraction = load(DataOptions(folds=5, fold=1, fraction=0.5))
    full = load(DataOptions(folds=5, fold=1))
    assert torch.equal(fraction.test.inputs, full.test.inputs)
    assert len(fraction.train) < 0.51 * len(full.train)


def test_rows_of_labels(images_npz, tmp_path):
    with np.load(images_npz) as arrays:
        arrays = dict(arrays)
    counts = np.stack([50 - 10 * arrays["train_labels"], 10 * arrays["train_labels"]], 1)
    path = tmp_path / "human.npz"

    def read(**changes):
        np.savez(path, **arrays | changes)
        return load(DataOptions(data=f"npz:{path}"))

    soft = read(train_labels=counts)
    assert soft.train.targets.dtype == torch.float32
    assert soft.train.targets.shape == (40, 2)
    assert soft.classes == 2
    assert read().classes == 2
    assert len(load(DataOptions(data=f"npz:{path}", fraction=0.5)).train) == 20
    wrong = [
        ({"train_labels": counts[:, :, None]}, "one label or row for each"),
        ({"train_labels": -counts}, "negative, infinite or non-numeric"),
        ({"train_labels": arrays["train_labels"] + 0.5}, "with fractions"),
        ({"train_labels": np.full(40, np.nan)}, "negative, infinite or non-numeric"),
        ({"train_labels": np.array(["a"] * 40)}, "negative, infinite or non-numeric"),
        ({"train_labels": counts, "test_labels": np.ones((20, 3))}, "rows of 2 and 3 columns"),
    ]
    for changes, words in wrong:
        with pytest.raises(BadInput, match=words):
            read(**changes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fraction": 1.5}, "--fraction: got 1.5"),
        ({"folds": 1, "fold": 1}, "--folds: got 1"),
        ({"folds": 11, "fold": 1}, "--folds: got 11"),
        ({"fold": 1}, "--fold: got 1; needs --folds and --fold together"),
        ({"folds": 5, "fold": 0}, "--fold: got 0"),
    ],
)
def test_parts_out_of_range(options, words):
    with pytest.raises(BadInput, match=words):
        DataOptions(**options)


def test_an_archive_that_climbs_out_leaves_nothing_outside(tmp_path, monkeypatch, images_npz):
    import tarfile
    import urllib.error
    import urllib.request
    import zipfile

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    # what torchvision would unpack, were its hash not that of another file
    (tmp_path / "payload").write_text("escaped")
    root = tmp_path / "a" / "b"
    root.mkdir(parents=True)
    with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "payload", "../escaped")
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(BadInput, match=r"which is not under .* and cannot be downloaded"):
        load(DataOptions(data="cifar10", data_root=root))
    # an .npz is a zip, of which only the arrays with our names are read, into memory
    evil = root / "evil.npz"
    evil.write_bytes(images_npz.read_bytes())
    with zipfile.ZipFile(evil, "a") as archive:
        archive.write(tmp_path / "payload", "../../escaped.npy")
        archive.write(tmp_path / "payload", str(tmp_path / "escaped.npy"))
    assert load(DataOptions(data=f"npz:{evil}")).classes == 2
    assert not list(tmp_path.rglob("*escaped*"))
    with zipfile.ZipFile(root / "only.npz", "w") as archive:
        archive.write(tmp_path / "payload", "../train_images.npy")
    with pytest.raises(BadInput, match="without train_images"):
        load(DataOptions(data=f"npz:{root / 'only.npz'}"))
