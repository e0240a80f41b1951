from dataclasses import replace

import foolbox
import numpy as np
import pandas as pd
import pytest
import torch

from attacks import sweep
from attacks.attacked import compared, gradient_attack, sizes_shown
from attacks.foolbox_attacks import attack_named, drawn_per_image
from attacks.sweep import Config, run
from classifiers.load import ModelOptions, load_run
from classifiers.train import Settings, train
from store.command_line import Options
from tasks import DataOptions, load, pixels

FAST = Settings(epochs=4, width=2)
SMALL = {"attacks": ("fgsm", "pgd"), "epsilons": (0.0, 0.02, 0.2), "images": 20, "curves": ("published",)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where a store has two classifiers."""
    options = Options(device="cpu", threads=1, quiet=True, store=tmp_path_factory.mktemp("store"))
    for name in ("mixup", "none"):
        train(load(DataOptions()), name, 1, FAST, options)
    return options.store


def numbers_of(result):
    return [path for path in result.files if path.name.startswith("attacked.")]


def test_what_is_shown_is_what_plain_foolbox_makes_of_images_that_are_right(trained, options):
    config = Config(("mixup", "none"), 1, **SMALL, settings=FAST, execution=replace(options, store=trained))
    files = numbers_of(run(config))
    assert [path.suffix for path in files] == [".png", ".svg", ".csv"]
    found, task, changed = pd.read_csv(files[-1]), load(DataOptions()), 0
    assert found["augmentation"].unique().tolist() == ["none", "mixup"]
    images = found["image"].unique().tolist()
    assert len(found) == 2 * 3 * len(images)
    assert 2 <= len(images) <= 6
    clean = found[found["epsilon"] == 0]
    assert (clean["said"] == clean["class"]).all()
    assert clean["class"].tolist() == 2 * task.test.targets[images].tolist()
    x, labels = pixels(task.test.inputs[images]), task.test.targets[images]
    for (name, epsilon), rows in found[found["epsilon"] > 0].groupby(["augmentation", "epsilon"]):
        classifier = load_run(next(trained.glob(f"classifier/*-{name}-seed1-*")), torch.device("cpu"), task)
        with drawn_per_image(config.attack_seed, f"pgd/{epsilon!r}", images):
            wrapped = foolbox.PyTorchModel(classifier, bounds=(0, 1))
            _, ended, _ = attack_named("pgd")(wrapped, x, labels, epsilons=[epsilon])
        assert rows["said"].tolist() == classifier(ended[0]).argmax(1).tolist()
        largest = [float((one - other).abs().max()) for one, other in zip(ended[0], x, strict=True)]
        assert rows["largest_change"].tolist() == pytest.approx(largest, abs=1e-5)
        assert rows["factor"].to_numpy() == pytest.approx(0.5 / max(largest), rel=1e-3)
        changed += int((rows["said"] != rows["class"]).sum())
    assert changed  # an attack that does nothing would agree with itself
    words = files[1].read_text()
    for word in ("baseline", "MixUp", "ε = 0.02", "× 25", "ε = 0.2", "× 2.5"):
        assert word in words
    before = [path.read_bytes() for path in files]
    assert [path.read_bytes() for path in numbers_of(run(config))] == before  # all of it reused


def test_one_model_has_its_picture_and_without_gradients_there_is_none(trained, options):
    path = next(trained.glob("classifier/*-none-*"))
    config = Config(**SMALL, model=ModelOptions(str(path)), execution=options)
    found = pd.read_csv(numbers_of(run(config))[-1])
    assert set(found["augmentation"]) == {"model"}
    assert found["seed"].isna().all()
    assert numbers_of(run(replace(config, attacks=("noise",)))) == []


def test_deepfools_images_are_shown_where_nothing_else_follows_gradients(trained, options):
    path = next(trained.glob("classifier/*-none-*"))
    config = Config(**SMALL | {"attacks": ("noise", "deepfool")}, model=ModelOptions(str(path)), execution=options)
    found = pd.read_csv(numbers_of(run(config))[-1])
    assert set(found["attack"]) == {"deepfool"}
    within = found["largest_change"] <= found["epsilon"] + 1e-6
    assert within.all()


def test_a_network_that_has_nothing_right_has_no_picture(options):
    labels, images = np.zeros(8, dtype=int), np.zeros((8, 8, 8), dtype=np.uint8)
    labels[0] = 1

    class Wrong(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.flatten(1).sum(1) * 0 - 1, x.flatten(1).sum(1) * 0 - 2, x.flatten(1).sum(1)], 1)

    result = sweep.run(
        Wrong(), images, labels, attacks=["pgd"], epsilons=[0, 0.1], out=options.out, store=options.store
    )
    assert numbers_of(result) == []


def test_which_attack_sizes_and_networks_are_shown():
    assert gradient_attack(("noise", "fgsm", "deepfool", "pgd", "bim")) == "pgd"
    assert gradient_attack(("noise", "fgsm", "bim")) == "bim"
    assert gradient_attack(("noise", "repeated-noise")) is None
    assert sizes_shown((0.0, 0.1, 0.2, 0.3, 0.4)) == [0.2, 0.4]
    assert sizes_shown((0.1, 0.2)) == [0.1, 0.2]
    grid = [(name, seed) for seed in (1, 2) for name in ("mixup", "fmix", "none")]
    assert compared(grid) == [("none", 1), ("mixup", 1)]
    assert compared([network for network in grid if network != ("mixup", 1)]) == [("none", 1), ("fmix", 1)]
    assert compared([("mixup", 2)]) == [("mixup", 2)]
