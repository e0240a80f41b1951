"""What features with noise say of labels and images: from arrays, from a file, and of a classifier's layers."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from analysis.bounds.channel import channel
from analysis.representations import Config, information, run, table_of, text_of
from analysis.representations.dominance import Measured, dominances
from analysis.representations.networks import _as_many, check_images
from analysis.representations.profile import HEADLINES, profile_of
from classifiers import ModelOptions
from classifiers.train import Settings
from findings.comparisons import excess_of
from store import BadInput
from tasks import DataOptions, image_task

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


def test_a_file_of_features(tmp_path, options, capsys, quick_figures):
    features, labels = clusters(150)
    np.savez(tmp_path / "f.npz", features=features, labels=labels, training_features=features[:70])
    document = tmp_path / "d.json"
    config = Config(features=tmp_path / "f.npz", noise=(1.0,), execution=replace(options, json=str(document)))
    result = run(config)
    said = capsys.readouterr().out
    assert "features: 150 images, isotropic noise, H(Y) = 1.39 nats, log N = 5.01" in said
    content = json.loads(document.read_text())
    rows = [row for row in content["results"] if row["noise"]]
    assert {row["quantity"] for row in rows} == BOUNDS
    assert all(row["layer"] is None and row["noise"] == 1 for row in rows)
    assert text_of(content) == (content["text"], content["about"]["conclusions"])
    direct = information(features, labels, features[:70], noise=(1.0,))
    assert [row["value"] for row in result.rows if row["noise"]] == direct["value"].tolist()
    assert {file.name for file in result.files} >= {"plane.png", "plane.csv", "result.json"}
    np.savez(tmp_path / "nan.npz", features=np.where(features > 3, np.nan, features), labels=labels)
    np.savez(tmp_path / "one.npz", features=features, labels=np.r_[9, labels[1:]])
    for name, words in (("nan", "NaN or infinite"), ("no", "no file"), ("one", "--features: got labels: one image of")):
        with pytest.raises(BadInput, match=words) as mistake:
            run(Config(features=tmp_path / f"{name}.npz", execution=options))
        assert str(mistake.value).startswith("--features: got")


def test_two_files_of_features_share_something(tmp_path, options, capsys, quick_figures):
    features, labels = clusters(200)
    np.savez(tmp_path / "a.npz", features=features, labels=labels)
    np.savez(tmp_path / "b.npz", features=features[:, ::-1] + 1, labels=labels)
    run(Config(features=tmp_path / "a.npz", features_b=tmp_path / "b.npz", noise=(1.0,), execution=options))
    said = capsys.readouterr().out
    assert "I(T_A;T_B) ≥ held-out critic" in said
    assert "What a keeps (A), and what it shares with b (B)" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: {"features": x, "labels": y[::-1]}, "b.npz, whose labels are others; needs features of the 200"),
        (lambda x, y: {"features": x[1:], "labels": y[1:]}, "b.npz with 199 images; needs features of the 200 images"),
        (lambda x, y: {"features": x[:, :, None], "labels": y}, "b.npz with features of shape (200, 6, 1); needs"),
    ],
)
def test_other_features_are_blamed_for_their_own_faults_before_anything_is_bounded(
    tmp_path, options, change, words, monkeypatch
):
    monkeypatch.setattr("analysis.representations.profiles_of", lambda *_, **__: pytest.fail("bounded"))
    features, labels = clusters(200)
    np.savez(tmp_path / "a.npz", features=features, labels=labels)
    np.savez(tmp_path / "b.npz", **change(features, labels))
    with pytest.raises(BadInput) as mistake:
        run(Config(features=tmp_path / "a.npz", features_b=tmp_path / "b.npz", execution=options))
    assert str(mistake.value).startswith("--features-b: got")
    assert words in str(mistake.value)


def test_labels_of_training_images_are_blamed_for_their_own_faults():
    features, labels = clusters(100)
    with pytest.raises(BadInput, match="training labels: got those of images without features"):
        information(features, labels, None, labels)
    with pytest.raises(BadInput, match="training labels: got one image of class 9"):
        information(features, labels, features, np.r_[9, labels[1:]], noise=(1.0,))


def test_a_table_of_every_bound_fits_in_120_columns():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 2
    features = rng.normal(size=(300, 300)) + labels[:, None]  # more dimensions than training images: large numbers
    noise = (0.02, 0.05, 0.1, 0.2, 0.5, 30.0, 60.0)
    table = table_of(information(features, labels, noise=noise))
    lines = table.splitlines()
    assert "leave-one-out by class + I(T;Y)" in table
    assert max(map(len, lines[: lines.index("")])) <= 120
    assert "-0.00" not in table


@pytest.mark.parametrize("labelled", [True, False])
def test_a_text_says_where_nothing_is_spliced(tmp_path, options, capsys, quick_figures, labelled):
    features, labels = clusters(80)
    training = {"training_features": features, **({"training_labels": labels} if labelled else {})}
    np.savez(tmp_path / "f.npz", features=features, labels=labels, **training)
    run(Config(features=tmp_path / "f.npz", noise=(1.0,), execution=options))
    assert ("nothing is spliced" in capsys.readouterr().out) is not labelled


def test_layers_of_a_model(options, tmp_path, monkeypatch, capsys, quick_figures):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef make(channels, classes):\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, 6), nn.ReLU(), nn.Linear(6, classes))\n"
    )
    model = ModelOptions("nets.py:make")
    config = Config(layers=("1", "in:3"), noise=(1.0, 2.0), images=200, model=model, execution=options)
    result = run(config)
    noised = [row for row in result.rows if row["noise"]]
    assert {row["layer"] for row in noised} == {"1", "in:3"}
    assert {row["n"] for row in noised} == {200}
    assert {row["estimator"] for row in noised if row["split"] == "training"} == set(HEADLINES)
    plain = {row["estimator"] for row in result.rows if not row["noise"]}
    assert plain >= {"effective_rank", "class_effective_rank", "linear_probe", "plug_in", "leave_one_out_outputs"}
    said = capsys.readouterr().out
    assert said.index("1: 200 images") < said.index("in:3: 200 images")
    assert run(config).rows == result.rows
    assert "reused 1 layer measurement" in capsys.readouterr().out
    assert list(options.out.glob("representations-digits-nets_py-make/layers.png"))


def test_a_grid_from_end_to_end(options, capsys):
    settings = Settings(epochs=4, width=2)
    config = Config(
        ("none", "mixup"), 2, layers=("conv1", "in:classify"), noise=(0.5, 1.0), images=120, checkpoints=True,
        settings=settings, data=DataOptions(train_images=150), execution=options,
    )  # fmt: skip
    result = run(config)
    said = capsys.readouterr().out
    assert "conv1: 120 images, isotropic noise" in said
    assert "Less of the single image at equal I(T;Y) (2 seeds; both inequalities one-sided" in said
    assert " of 12 layers, ordered pairs and shares of H(Y) whose bounds" in said.replace("\n", " ")
    assert {"plane.png", "layers.png", "epochs.png"} <= {file.name for file in result.files}
    content = json.loads(next(options.out.glob("*/result.json")).read_text())
    assert text_of(content) == (content["text"], content["about"]["conclusions"])
    rows = content["results"]
    assert {row["epoch"] for row in rows if row["noise"]} == {None}
    assert set(pd.read_csv(next(options.out.glob("*/epochs.csv")))["epoch"]) == {1, 2, 4}
    assert all(row["seed"] is None for row in rows)
    # a network trained without is measured under the other augmentation, each network under its own
    assert {
        (row["augmentation"], row["scored_on"]) for row in rows if row["estimator"] == "affinity_kl_difference"
    } == {("none", "mixup")}
    assert {row["augmentation"] for row in rows if row["estimator"] == "diversity"} == {"none", "mixup"}
    # what each image says is the bound, and its spread the error that stands beside it
    kept = next(options.store.glob("representations/*none-seed1*"))
    with np.load(kept / "scores.npz") as file:
        scores = file["scores"]
    assert scores.shape == (2, 2, 4, 120)
    record = json.loads((kept / "result.json").read_text())
    for layer, number in (("conv1", 0), ("in:classify", 1)):
        for row in record["rows"]:
            if tuple(row.get(key) for key in ("layer", "split", "noise", "epoch")) != (layer, "test", 1.0, None):
                continue
            if row["estimator"] in HEADLINES:
                said = scores[number, 1, HEADLINES.index(row["estimator"])]
                assert said.mean() == pytest.approx(row["value"], abs=1e-5)
                assert said.std(ddof=1) / np.sqrt(120) == pytest.approx(row["standard_error"], rel=1e-4)


def test_training_images_are_of_each_class_as_many_as_are_scored():
    targets, scored = torch.arange(300) % 3, torch.tensor([0] * 5 + [2] * 30 + [1] * 150)
    chosen = _as_many(targets, scored)
    assert targets[chosen].bincount().tolist() == [5, 100, 30]
    assert chosen.tolist() == sorted(set(chosen.tolist()))


def compact(n: int, spread: float, seed: int) -> np.ndarray:
    """Features (n, 10) about far centres of four classes, spread within them."""
    labels = np.arange(n) % 4
    return 8 * np.eye(10)[labels] + spread * np.random.default_rng(seed).normal(size=(n, 10))


def networks_of(spreads: dict[str, float], levels, n: int, seeds: int = 2, first: int = 0) -> dict[str, Measured]:
    labels = np.arange(n) % 4
    networks = {}
    for place, (name, spread) in enumerate(spreads.items()):
        training, scores = [], []
        for seed in range(seeds):
            number = first + 100 * place + 2 * seed
            features, trained = compact(n, spread, number), compact(n, spread, number + 1)
            noisy = channel(trained, "isotropic")
            of_training = profile_of(trained, labels, noisy, levels, every=False)
            scores.append(profile_of(features, labels, noisy, levels, of_training.noise, every=False).scores())
            training.append(of_training.scores().mean(-1))
        networks[name] = Measured(np.mean(training, 0), np.stack(scores))
    return networks


def test_the_more_compact_network_says_less_of_the_single_image_and_not_the_other_way_round():
    levels = (0.7, 1.0, 1.4, 2.0, 2.8)
    tested = dominances({"last": networks_of({"tight": 0.5, "wide": 2.0}, levels, n=240)}, levels, np.log(4))
    assert len(tested) == 2 * 3
    claimed = {(one.less, one.more) for one in tested if one.claimed}
    assert claimed == {("tight", "wide")}
    for one in tested:
        if one.claimed:
            assert one.label_margin > 0
            assert one.image_margin > 0
            assert one.noise_less in levels
            assert one.noise_more in levels


def test_networks_that_keep_the_same_are_not_told_apart():
    """Six pairs of like networks, with bounds on both sides: none is claimed."""
    levels = (1.0, 1.4, 2.0)
    for replicate in range(6):
        networks = networks_of({"one": 1.0, "other": 1.0}, levels, n=80, seeds=2, first=1000 * replicate)
        assert not [one for one in dominances({None: networks}, levels, np.log(4)) if one.claimed]


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_mean_above_another_errs_as_often_as_it_says(seeds):
    """Seeds that differ and images that all networks find hard alike; 600 draws at 5%, ± 3 standard errors."""
    rng = np.random.default_rng(seeds)
    below = 0
    for _ in range(600):
        hard, own = rng.normal(size=80), 0.3 * rng.normal(size=(2, 80))
        if seeds == 1:  # about these networks: images alone
            higher, lower = (hard + one + 0.2 * rng.normal(size=(1, 80)) for one in own)
        else:
            noise = 0.1 * rng.normal(size=(2, seeds, 1)) + 0.2 * rng.normal(size=(2, seeds, 80))
            higher, lower = (hard + one + of_seeds for one, of_seeds in zip(own, noise, strict=True))
        below += excess_of(higher, lower).p < 0.05
    assert below / 600 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
    assert below / 600 > 0.01


def test_images_at_hand_are_not_both_scored_and_what_decides(options):
    """There are no training images: a tenth, which is not scored, scales the noise, and nothing is spliced."""
    features, labels = clusters(200)
    images = torch.from_numpy(np.clip(features[:, :4] * 12 + 60, 0, 255).astype(np.uint8)).view(200, 1, 2, 2)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 5), torch.nn.Linear(5, 4))
    result = run(network, images, torch.from_numpy(labels), layers=["1"], noise=[1.0], out=options.out, quiet=True)
    noised = [row for row in result.rows if row["noise"]]
    assert {row["split"] for row in noised} == {"test"}
    assert {row["n"] for row in noised} == {180}


@pytest.mark.parametrize(
    ("labels", "images", "words"),
    [
        ([0] * 60, None, "--data: got test images of one class"),
        ([0] * 59 + [1], None, "--data: got one test image of class 1"),
        ([0, 1] * 9, None, "--data: got 18 test images"),
        ([0, 1] * 40, 19, "--images: got 19 test images"),
    ],
)
def test_images_of_which_nothing_can_be_said_are_refused_before_anything_is_trained(labels, images, words, options):
    pixels = np.random.default_rng(0).integers(0, 256, (len(labels), 1, 8, 8), dtype=np.uint8)
    data = image_task(
        "mine",
        (torch.arange(80).view(80, 1, 1, 1).expand(80, 1, 8, 8).to(torch.uint8), torch.arange(80) % 2),
        (torch.from_numpy(pixels), torch.tensor(labels)),
    )
    with pytest.raises(BadInput) as mistake:
        check_images(Config(images=images, execution=options), data)
    assert words in str(mistake.value)


def test_a_dead_layer_costs_its_network_and_names_the_layer(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dead.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef make(channels, classes):\n"
        "    first = nn.Linear(64 * channels, 6)\n    nn.init.constant_(first.bias, -1e6)\n"
        "    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(6, classes))\n"
    )
    config = Config(layers=("2",), noise=(1.0,), images=100, model=ModelOptions("dead.py:make"), execution=options)
    with pytest.raises(BadInput, match="--layers: got 2, whose features are the same for all images"):
        run(config)
    with pytest.raises(BadInput, match="--layers: got '9'; needs a layer of the network"):
        run(replace(config, layers=("9",)))
    assert not list(options.store.rglob("config.json"))


def test_a_difference_that_is_there_is_found():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=80)
    networks = hard + 0.05 * rng.normal(size=(2, 3, 1)) + 0.2 * rng.normal(size=(2, 3, 80))
    assert excess_of(networks[0] + 0.5, networks[1]).p < 0.001
    assert excess_of(networks[0] - 0.5, networks[1]).p == 0.5


@pytest.mark.parametrize(
    ("options_of", "words"),
    [
        ({"features": "x", "model": ModelOptions("y")}, "--features: got x and --model"),
        ({"layers": ("1", "1")}, "--layers: got 1 1; needs different names"),
        ({"features": "x", "layers": ("1",)}, "--layers: got 1 beside --features"),
        ({"features": "x", "seeds": 2}, "--seeds: got 2 beside --features"),
        ({"labels": "x"}, "--labels: got x; needs --features"),
        ({"features_b": "x"}, "--features-b: got x; needs --features"),
        ({"noise": (1.0, 0.5)}, "--noise: got 1.0 0.5; needs different numbers, ascending"),
        ({"noise": (0.0,)}, "--noise: got 0.0; needs a number from"),
        ({"images": 0}, "--images: got 0"),
        (
            {"checkpoints": True, "model": ModelOptions("y")},
            "--checkpoints: got with y; needs a training run's directory",
        ),
        ({"ray": "nonsense"}, "--ray: got 'nonsense'; needs local, auto"),
        ({"workers": 2}, "--workers: got 2 without --ray local"),
    ],
)
def test_options_that_mean_nothing_are_refused(options_of, words):
    with pytest.raises(BadInput) as mistake:
        Config(**options_of)
    assert words in str(mistake.value)
