import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
import torch

from analysis import mutual_info
from analysis.mutual_info import Config, run
from analysis.mutual_info.reconstructions import reconstructed, save_reconstructions
from store.command_line import Options
from tasks import DataOptions, load
from vae.encode import load_vae
from vae.train import Settings, train

FAST = Settings(epochs=2, width=4, hidden=16, latents=4)
PICTURE = [f"reconstructions{suffix}" for suffix in (".png", ".svg", ".csv")]


@pytest.fixture(scope="module")
def vaes(tmp_path_factory):
    """A store with two networks, and their runs."""
    options = Options(device="cpu", threads=1, quiet=True, store=tmp_path_factory.mktemp("vaes") / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vae.train.LINEAR_DRAWS", 2_000)
        runs = {name: train(load(DataOptions()), name, 1, FAST, options) for name in ("none", "mixup")}
    return options.store, runs


@pytest.fixture
def config(vaes, options, few_draws, quick_figures):
    """A small job whose networks are there."""
    copytree(vaes[0], options.store)
    return Config(("mixup", "none"), 1, bounds=("rate",), settings=FAST, execution=options)


def drawn(files):
    return [path for path in files if path.name in PICTURE]


def test_the_numbers_beside_the_picture_are_the_errors_of_its_reconstructions(config):
    files = drawn(run(config).files)
    assert [path.name for path in files] == PICTURE
    found = pd.read_csv(files[-1])
    assert found.groupby("augmentation", sort=False).size().to_dict() == {"mixup": 8, "none": 8}
    assert set(found["seed"]) == {1}
    task = load(DataOptions())
    targets = task.test.targets.tolist()
    assert [targets[number] for number in found["image"][:8]] == list(range(8))
    assert all(targets.index(targets[number]) == number for number in found["image"])
    for row in found.itertuples():
        path = next(config.execution.store.glob(f"vae/*-{row.augmentation}-seed1-*"))
        vae, total = load_vae(path, torch.device("cpu")), 0.0
        image = (task.test.inputs[row.image] / 255 - vae.pixel_mean[0]) / vae.pixel_std[0]
        with torch.no_grad():
            decoded = vae.decode(vae.encode(image[None]).mean)[0]
        for pixel, other in zip(image.flatten().tolist(), decoded.flatten().tolist(), strict=True):
            total += (pixel - other) ** 2 / 64
        assert row.mse == pytest.approx(total, rel=1e-4)


def test_reconstructions_are_drawn_in_the_pixels_of_the_images(vaes):
    vae = load_vae(vaes[1]["none"], torch.device("cpu"))
    images = load(DataOptions()).test.inputs[:5]
    pictures, errors = reconstructed(vae, images)
    assert pictures.shape == (5, 1, 8, 8)
    by_hand = np.square((pictures - images.numpy() / 255) / vae.pixel_std.numpy()).mean((1, 2, 3))
    assert errors == pytest.approx(by_hand, rel=1e-4)
    assert np.square(pictures - images.numpy() / 255).mean() < np.square(images.numpy() / 255).mean()


def test_a_reused_analysis_draws_the_same_and_without_weights_nothing(config, capsys):
    numbers = drawn(run(config).files)[-1].read_text()
    capsys.readouterr()
    again = run(config)
    assert "and their analysis" in capsys.readouterr().out
    assert drawn(again.files)[-1].read_text() == numbers
    next(config.execution.store.glob("vae/*-mixup-*/weights.safetensors")).unlink()
    fewer = run(config)
    assert "no reconstructions by digits-mixup-seed1" in capsys.readouterr().out
    assert fewer.text == again.text
    assert set(pd.read_csv(drawn(fewer.files)[-1])["augmentation"]) == {"none"}
    next(config.execution.store.glob("vae/*-none-*/weights.safetensors")).unlink()
    assert drawn(run(config).files) == []


def test_a_document_made_again_keeps_the_picture_that_it_was_written_with(config, tmp_path):
    directory = next(path for path in run(config).files if path.name == "result.json").parent
    document = json.loads((directory / "result.json").read_text())
    assert set(PICTURE) <= set(document["files"])
    again = mutual_info.draw(document, directory)
    assert {path.name for path in again} == set(document["files"])
    assert drawn(mutual_info.draw(document, tmp_path / "elsewhere")) == []
    (directory / "reconstructions.csv").write_text("of another document\n")
    assert [path.name for path in drawn(mutual_info.draw(document, directory))] == PICTURE[:2]


@pytest.mark.parametrize(("scales", "shown"), [((0.3, 1.0), "decoder scale 1"), ((0.3, 0.1), "decoder scale 0.3")])
def test_of_several_scales_and_seeds_one_is_drawn(vaes, options, tmp_path, scales, shown):
    task = load(DataOptions())
    rows = torch.nn.functional.one_hot(task.test.targets, 10).float()
    several = replace(task, tests={"test": replace(task.test, targets=rows)})
    trained = [
        ({"augmentation": name, "seed": seed, "decoder_scale": scale}, run)
        for scale in scales for seed in (4, 5) for name, run in vaes[1].items()
    ]  # fmt: skip
    about = {"data": "digits", "settings": {"train_images": 1437, "epochs": 2}, "watermark": None}
    found = [
        save_reconstructions(trained, ("mixup",), FAST, data, about, tmp_path / name, options)
        for name, data in (("classes", task), ("rows", several))
    ]
    numbers = pd.read_csv(found[0][2])
    assert numbers["augmentation"].unique().tolist() == ["mixup"]
    assert numbers["seed"].unique().tolist() == [4]
    words = found[0][1].read_text()
    assert shown in words
    assert "MixUp" in words
    assert found[1][2].read_text() == found[0][2].read_text()  # rows of labels count for their largest
