"""Features from files and of layers: what is read is what was saved, and what a layer gives is what it computes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from analysis.representations.features import FEWEST, Features, features_of, read_features, tenth
from classifiers import Classifier
from store import BadInput
from tasks import InMemory, some_of


def clusters(n: int = 100, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) about a centre for each of four classes, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 4
    return 3 * np.eye(d)[labels] + rng.normal(size=(n, d)), labels


def same(found: Features, *arrays: np.ndarray | None) -> None:
    for read, array in zip((found.features, found.labels, found.training, found.training_labels), arrays, strict=True):
        if array is None:
            assert read is None
        else:
            np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f8", "int8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_archive_is_read_as_it_was_saved(tmp_path, save, kind, order):
    features, labels = clusters()
    features = np.asarray(4 * features).astype(kind, order=order)
    save(tmp_path / "f.npz", features=features, labels=labels.astype(np.uint8), training_features=features[:30])
    found = read_features(tmp_path / "f.npz")
    assert found.features.dtype == np.float64
    assert found.features.flags.c_contiguous
    same(found, features, labels, features[:30], None)
    save(tmp_path / "all.npz", features=features, labels=labels, training_features=features, training_labels=labels > 1)
    same(read_features(tmp_path / "all.npz"), features, labels, features, labels > 1)


def test_arrays_of_their_own_files(tmp_path):
    features, labels = clusters()
    half = features.astype(np.float16)
    np.save(tmp_path / "f.npy", half)
    np.save(tmp_path / "l.npy", labels)
    same(read_features(tmp_path / "f.npy", tmp_path / "l.npy"), half.astype(np.float64), labels, None, None)
    np.savez(tmp_path / "bare.npz", features=features)
    same(read_features(tmp_path / "bare.npz", tmp_path / "l.npy"), features, labels, None, None)


def test_a_subset_is_the_one_of_every_analysis(tmp_path, monkeypatch):
    features, labels = clusters(500)
    np.savez(tmp_path / "f.npz", features=features, labels=labels, training_features=features[:40])
    np.save(tmp_path / "f.npy", features)
    np.save(tmp_path / "l.npy", labels)
    chosen = some_of(InMemory(torch.zeros(500, 1), torch.from_numpy(labels)), 60).numpy()
    for slab in (1, 500, 2**23):  # a row at a time, some, all
        monkeypatch.setattr("analysis.representations.features.SLAB", slab)
        found = read_features(tmp_path / "f.npz", images=60)
        same(found, features[chosen], labels[chosen], features[:40], None)
        same(read_features(tmp_path / "f.npy", tmp_path / "l.npy", 60), features[chosen], labels[chosen], None, None)
    with pytest.raises(BadInput, match="--images: got 501; needs from 20 to the 500 images"):
        read_features(tmp_path / "f.npz", images=501)
    with pytest.raises(BadInput, match="--images: got 19;"):
        read_features(tmp_path / "f.npz", images=FEWEST - 1)
    assert len(read_features(tmp_path / "f.npz", images=30).training) == 30


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_rows_that_are_not_used_take_no_memory(tmp_path, suffix):
    n, path = 400_000, tmp_path / f"f.{suffix}"
    features = np.zeros((n, 64), np.float16)
    features[:, 0] = np.arange(n) % 7
    np.save(tmp_path / "l.npy", np.arange(n) % 3)
    if suffix == "npy":
        np.save(path, features)
    else:
        np.savez(path, features=features)
    del features
    tracemalloc.start()
    found = read_features(path, tmp_path / "l.npy", 2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.features.shape == (2000, 64)
    assert peak < 25e6, f"{peak / 1e6:.0f} MB; all of it is 51 in half precision and 205 in double"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": None}, "--features: got f.npz without labels; needs an .npz with features"),
        ({"features": None}, "--features: got f.npz without features"),
        ({"features": clusters()[0][:, 0]}, "f.npz with features of shape (100,); needs real numbers (N, d)"),
        ({"features": clusters()[0][:, :0]}, "f.npz with features of shape (100, 0)"),
        ({"features": clusters()[0] + 1j}, "f.npz with features of type complex128; needs real numbers"),
        ({"features": clusters()[0].astype(object)}, "which cannot be read (features holds Python objects"),
        ({"features": clusters()[0].astype(str)}, "f.npz with features of type <U"),
        ({"features": clusters()[0][:19], "labels": clusters()[1][:19]}, "f.npz with 19 images; needs at least 20"),
        ({"features": np.where(clusters()[0] > 3.5, np.nan, 1.0)}, "NaN or infinite values in features; needs finite"),
        ({"features": np.ones((100, 6))}, "f.npz with features that are the same for all images; needs features that"),
        ({"labels": clusters()[1][:99]}, "f.npz with 99 labels; needs one for each of the 100 images"),
        ({"labels": clusters()[1] / 2}, "f.npz with labels of type float64; needs integers (N,)"),
        ({"labels": clusters()[1][:, None]}, "f.npz with labels of shape (100, 1)"),
        ({"labels": np.full(100, 3)}, "f.npz with one class, 3; needs two classes or more"),
        ({"training_features": np.full((9, 6), np.inf)}, "f.npz with 54 NaN or infinite values in training_features"),
        ({"training_features": np.ones((9, 6))}, "f.npz with training_features that are the same"),
        ({"training_features": np.ones((9, 5))}, "training_features in 5 dimensions; needs the 6 of the features"),
        ({"training_features": clusters(9)[0], "training_labels": np.arange(8)}, "f.npz with 8 training labels; needs"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    features, labels = clusters()
    arrays = {"features": features, "labels": labels} | change
    np.savez("f.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(BadInput) as mistake:
        read_features(Path("f.npz"))
    assert words in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = Path()
    features, labels = clusters()
    np.save("f.npy", features)
    np.save("l.npy", labels)
    np.save("short.npy", labels[:50])
    np.save("classes.npy", labels.astype(str))
    np.save("objects.npy", labels.astype(object))
    np.savez("f.npz", features=features, labels=labels)
    (here / "cut.npy").write_bytes((here / "f.npy").read_bytes()[:-8])
    (here / "cut.npz").write_bytes((here / "f.npz").read_bytes()[:-300])
    (here / "f.csv").write_text("1,2\n")
    (here / "text.npy").write_text("no numbers")
    (here / "empty.npy").write_bytes(b"")
    for name, of_labels, words in (
        ("no.npz", None, "--features: got no.npz, where there is no file"),
        ("no.npy", "l.npy", "--features: got no.npy, where there is no file"),
        ("f.csv", None, "--features: got f.csv; needs an .npz with features"),
        ("f.npy", None, "--labels: got nothing; needs an .npy of the labels (N,) of f.npy"),
        ("f.npy", "no.npy", "--labels: got no.npy, where there is no file"),
        ("f.npy", "short.npy", "--labels: got short.npy with 50 labels; needs one for each of the 100 images"),
        ("f.npy", "classes.npy", "--labels: got classes.npy with labels of type <U"),
        ("f.npy", "objects.npy", "--labels: got objects.npy, which cannot be read"),
        ("f.npy", "f.npy", "--labels: got f.npy with labels of type float64"),
        ("f.npz", "l.npy", "--labels: got l.npy; needs the labels in f.npz or these, not both"),
        ("cut.npy", "l.npy", "--features: got cut.npy, which cannot be read"),
        ("text.npy", "l.npy", "--features: got text.npy, which cannot be read"),
        ("empty.npy", "l.npy", "--features: got empty.npy, which cannot be read"),
        ("cut.npz", None, "--features: got cut.npz, which is not an .npz archive"),
    ):
        with pytest.raises(BadInput) as mistake:
            read_features(here / name, here / of_labels if of_labels else None)
        assert words in str(mistake.value)
        assert "\n" not in str(mistake.value)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_damaged_file_is_read_or_one_line(tmp_path, suffix):
    features, labels = clusters(25)
    path, damaged = tmp_path / f"f.{suffix}", tmp_path / f"damaged.{suffix}"
    if suffix == "npz":
        np.savez_compressed(path, features=features)
    else:
        np.save(path, features)
    np.save(tmp_path / "l.npy", labels)
    whole, rng, said = path.read_bytes(), np.random.default_rng(0), []
    for _ in range(300):
        part = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 128), rng.integers(1, 4)):
            part[at] = rng.integers(256)
        damaged.write_bytes(part[: rng.integers(len(part) // 2, 2 * len(part))])
        try:
            assert read_features(damaged, tmp_path / "l.npy").features.dtype == np.float64
        except BadInput as mistake:
            said.append(str(mistake))
    assert said
    assert not any("\n" in line for line in said)


def test_more_dimensions_than_images_are_features(tmp_path):
    features, labels = clusters(30, 200)
    np.savez(tmp_path / "f.npz", features=features, labels=labels)
    assert read_features(tmp_path / "f.npz").features.shape == (30, 200)


def test_what_a_pipeline_of_scikit_learn_saves_is_read(tmp_path):
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    digits = load_digits()
    projected = make_pipeline(StandardScaler(), PCA(8)).fit_transform(digits.data)
    np.savez_compressed(tmp_path / "pca.npz", features=projected, labels=digits.target)
    same(read_features(tmp_path / "pca.npz"), projected, digits.target, None, None)


def test_a_tenth_and_the_others_are_all():
    training, scored = tenth(401)
    assert len(training) == 40
    assert torch.equal(torch.cat([training, scored]).sort().values, torch.arange(401))
    assert len(tenth(3)[0]) == 2


class Twice(nn.Module):
    """A layer that is used twice, one that returns two tensors, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.same, self.last, self.pair = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 3), Pair()
        self.unused = nn.Linear(1, 1)

    def forward(self, images):
        return self.last(self.pair(self.same(self.same(images)))[0].flatten(1))


class Pair(nn.Module):
    def forward(self, images):
        return images, images


def classifier_of(network: nn.Module, channels: int = 1) -> Classifier:
    return Classifier(network, torch.full((channels,), 0.3), torch.full((channels,), 0.2), 3).eval()


def images_of(n: int, channels: int = 1, size: int = 8) -> torch.Tensor:
    stream = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, channels, size, size), dtype=torch.uint8, generator=stream)


def test_features_of_maps_are_what_the_layer_gives():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3))
    classifier, images = classifier_of(network), images_of(2300)
    with torch.no_grad():
        maps = network[:2]((images.float() / 255 - 0.3) / 0.2)
    for pool, expected in (
        ("mean", maps.mean((2, 3))),
        ("max", maps.amax((2, 3))),
        ("flatten", maps.flatten(1)),
    ):
        found = features_of(classifier, ("3", "1"), images, pool)
        assert list(found) == ["3", "1"]
        torch.testing.assert_close(found["1"], expected)
        torch.testing.assert_close(found["3"], network[3](maps.flatten(1)).detach())
        assert found["1"].dtype == torch.float32
    with pytest.raises(BadInput, match=r"--pool: got first of 1, whose output is \(1000, 5, 6, 6\); needs tokens"):
        features_of(classifier, ("1",), images, "first")
    twice = classifier_of(Twice())
    for layer, words in (
        ("same", "same, used 2 times"),
        ("unused", "unused, used 0 times"),
        ("pair", "which gives tuple"),
        ("none", "a layer of the network"),
    ):
        with pytest.raises(BadInput, match=words):
            features_of(twice, ("last", layer), images[:9])
    assert not any(module._forward_hooks for module in twice.modules())


def test_layers_are_had_in_one_pass(monkeypatch):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 3))
    classifier, images = classifier_of(network), images_of(1500)
    calls = []
    network.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    together = features_of(classifier, ("1", "2", "3"), images)
    assert calls == [1000, 500]
    for layer, found in together.items():
        assert torch.equal(found, features_of(classifier, (layer,), images)[layer])


def test_a_later_layer_in_place_leaves_the_features_alone():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(inplace=True), nn.Linear(6, 3))
    images = images_of(50)
    with torch.no_grad():
        expected = network[:2]((images.float() / 255 - 0.3) / 0.2)
    found = features_of(classifier_of(network), ("1", "2"), images)
    torch.testing.assert_close(found["1"], expected)
    torch.testing.assert_close(found["2"], expected.relu())


class Axes(nn.Module):
    """Maps (B, C, H, W) with their channels last."""

    def forward(self, maps):
        return maps.permute(0, 2, 3, 1)


def test_channels_last_are_pooled_as_tokens():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 5, 3), Axes(), nn.Flatten(), nn.Linear(180, 3))
    found = features_of(classifier_of(network), ("0",), images_of(30), "mean")["0"]
    torch.testing.assert_close(features_of(classifier_of(network), ("1",), images_of(30), "tokens")["1"], found)


def test_tokens_of_a_transformer_and_maps_of_a_convolutional_network():
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    transformer = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, embed_dim=24, num_heads=2, num_classes=3
    )
    classifier, images = classifier_of(transformer, 3), images_of(40, 3, 32)
    with torch.no_grad():
        tokens = transformer.forward_features((images.float() / 255 - 0.3) / 0.2)
    assert tokens.shape == (40, 17, 24)
    for pool, expected in (
        ("tokens", tokens.mean(1)),
        ("first", tokens[:, 0]),
        ("flatten", tokens.flatten(1)),
        ("mean", tokens.mean(2)),  # channels are axis 1 there, which nothing in the shape denies
        ("max", tokens.amax(2)),
    ):
        found = features_of(classifier, ("norm", "blocks.0.mlp"), images, pool)
        torch.testing.assert_close(found["norm"], expected, rtol=1e-4, atol=1e-5)
    convolutional = timm.create_model("resnet10t", num_classes=3)
    classifier = classifier_of(convolutional, 3)
    with torch.no_grad():
        maps = classifier.network.forward_features((images.float() / 255 - 0.3) / 0.2)
    found = features_of(classifier, ("layer4", "global_pool"), images)
    torch.testing.assert_close(found["layer4"], maps.mean((2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["global_pool"], found["layer4"], rtol=1e-4, atol=1e-5)
