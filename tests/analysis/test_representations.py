"""What features with noise say of labels and images: from arrays, from a file, and of a classifier's layers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from analysis.representations import Config, information, run
from analysis.representations.features import features_of, read_features
from classifiers import Classifier, ModelOptions
from store import BadInput

BOUNDS = {"I(T;Y)", "I(T;X|Y)", "I(T;X)"}


def clusters(n: int, seed: int = 0, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 6) about a centre for each class, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return 12 * np.eye(6)[labels] + rng.normal(size=(n, 6)), labels


def test_every_quantity_has_both_sides_at_every_level():
    table = information(*clusters(400), clusters(300, 1)[0], noise=(0.5, 2.0), layer="mine")
    for _, rows in table.groupby(["noise", "quantity"]):
        assert set(rows["direction"]) == {"lower", "upper"}
    assert set(table["quantity"]) == BOUNDS
    assert set(table["noise"]) == {0.5, 2.0}
    assert set(table["layer"]) == {"mine"}
    assert set(table["noise_shape"]) == {"isotropic"}
    assert (table["n"] == 400).all()
    # clusters far apart: the code names the class, and no more of it than that can be said
    known = table[(table["quantity"] == "I(T;Y)") & (table["noise"] == 0.5)]
    assert known["value"].between(np.log(4) - 0.05, np.log(4) + 1e-9).all()
    assert known["cap"].tolist() == pytest.approx([np.log(4)] * len(known))


def test_isotropic_noise_does_not_see_rotations_shifts_and_one_scale():
    features, labels = clusters(120)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    # of what needs no codes, which are drawn along other axes; R_m's shrinkage knows the axes, by a thousandth here
    exact = ["class_gaussian", "gaussian_marginal"]
    plain, scaled, rotated = (
        information(x, labels, x, noise=(1.0,)).set_index("estimator").loc[exact, "value"].tolist()
        for x in (features, 7 * features[:, ::-1] + 3, features @ rotation)
    )
    assert scaled == pytest.approx(plain, rel=1e-9)
    assert rotated == pytest.approx(plain, rel=1e-3)


def test_without_training_features_a_tenth_scales_the_noise_and_is_not_scored():
    table = information(*clusters(400), noise=(1.0,))
    assert set(table["n"]) == {360}


@pytest.mark.parametrize("shape", ["isotropic", "per-dimension", "whitened"])
def test_half_precision_and_integers_are_numbers(shape):
    features, labels = clusters(200)
    half = information(features.astype(np.float16), labels.astype(np.uint8), noise=(1.0,), noise_shape=shape)
    whole = information(torch.from_numpy(features), torch.from_numpy(labels), noise=(1.0,), noise_shape=shape)
    assert np.allclose(half["value"], whole["value"], atol=0.05)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x, y[:-1]), "labels: got 199; needs one for each of the 200 images"),
        (lambda x, y: (x[:19], y[:19]), "features: got 19 images; needs at least 20"),
        (lambda x, y: (np.where(x > 3, np.nan, x), y), "NaN or infinite values; needs finite numbers"),
        (lambda x, y: (0 * x, y), "the same for all images"),
        (lambda x, y: (x, np.arange(200)), "labels: got one image of class"),
        (lambda x, y: (x, y + 0.5), "labels: got numbers of type float64; needs integers"),
        (lambda x, y: (x[:, 0], y), "features: got an array"),
    ],
)
def test_what_cannot_be_bounded_is_one_line(tmp_path, options, change, words):
    features, labels = change(*clusters(200))
    with pytest.raises(BadInput) as mistake:
        information(features, labels)
    assert words in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_one_class_says_nothing_of_the_label_and_all_of_the_image():
    features, labels = clusters(100)
    table = information(features, 0 * labels, noise=(1.0,))
    assert table.loc[table["quantity"] == "I(T;Y)", "value"].abs().max() < 1e-9
    values = table.set_index("estimator")["value"]
    assert values["class_infonce"] == pytest.approx(values["infonce"])


def test_a_file_of_features(tmp_path, options, capsys):
    features, labels = clusters(150)
    np.savez(tmp_path / "f.npz", features=features, labels=labels, training_features=features[:70])
    read = read_features(tmp_path / "f.npz")
    np.testing.assert_array_equal(read[0], features)
    document = tmp_path / "d.json"
    result = run(Config(tmp_path / "f.npz", noise=(1.0,), execution=replace(options, json=str(document))))
    assert capsys.readouterr().out.startswith("features: 150 images, isotropic noise, H(Y) = 1.39 nats, log N = 5.01")
    rows = json.loads(document.read_text())["results"]
    assert {row["quantity"] for row in rows} == BOUNDS
    assert all(row["layer"] is None and row["noise"] == 1 for row in rows)
    direct = information(features, labels, features[:70], noise=(1.0,))
    assert [row["value"] for row in result.rows] == direct["value"].tolist()
    np.savez(tmp_path / "bare.npz", features=features)
    np.savez(tmp_path / "nan.npz", features=np.where(features > 3, np.nan, features), labels=labels)
    for name, words in (("bare", "bare.npz without labels"), ("nan", "--features: got features: "), ("no", "no file")):
        with pytest.raises(BadInput, match=words):
            run(Config(tmp_path / f"{name}.npz", execution=options))


class Twice(nn.Module):
    """A layer that is used twice, and one that returns two tensors."""

    def __init__(self):
        super().__init__()
        self.same, self.last, self.pair = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 3), Pair()

    def forward(self, images):
        return self.last(self.pair(self.same(self.same(images)))[0].flatten(1))


class Pair(nn.Module):
    def forward(self, images):
        return images, images


def test_features_are_what_the_layer_gives():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3))
    classifier = Classifier(network, torch.tensor([0.3]), torch.tensor([0.2]), 3).eval()
    images = torch.randint(0, 256, (2300, 1, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        maps = network[:2]((images.float() / 255 - 0.3) / 0.2)
    torch.testing.assert_close(features_of(classifier, "1", images), maps.mean((2, 3)))
    torch.testing.assert_close(features_of(classifier, "1", images, "flatten"), maps.flatten(1))
    assert features_of(classifier, "3", images).shape == (2300, 3)
    twice = Classifier(Twice(), torch.zeros(1), torch.ones(1), 3).eval()
    for layer, words in (
        ("same", "same, used 2 times"),
        ("pair", "output is tuple"),
        ("none", "a layer of the network"),
    ):
        with pytest.raises(BadInput, match=words):
            features_of(twice, layer, images[:9])


def test_layers_of_a_model(options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n\n\ndef make(channels, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, 6), nn.ReLU(), nn.Linear(6, classes))\n"
    )
    model = ModelOptions("nets.py:make")
    result = run(Config(layers=("1", "2"), noise=(1.0,), model=model, execution=options))
    assert {row["layer"] for row in result.rows} == {"1", "2"}
    assert {row["n"] for row in result.rows} == {360}
    said = capsys.readouterr().out
    assert said.index("1: 360 images") < said.index("2: 360 images")


@pytest.mark.parametrize(
    ("options_of", "words"),
    [
        ({}, "--features: got nothing"),
        ({"features": "x", "model": ModelOptions("y"), "layers": ("1",)}, "--features: got x and --model"),
        ({"model": ModelOptions("y")}, "--layers: got nothing"),
        ({"features": "x", "layers": ("1",)}, "--layers: got 1; needs names of layers of --model"),
        ({"features": "x", "noise": (1.0, 0.5)}, "--noise: got 1.0 0.5; needs different numbers, ascending"),
        ({"features": "x", "noise": (0.0,)}, "--noise: got 0.0; needs a number from"),
    ],
)
def test_options_that_mean_nothing_are_refused(options_of, words):
    with pytest.raises(BadInput) as mistake:
        Config(**options_of)
    assert words in str(mistake.value)
