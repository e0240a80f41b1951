"""Analyses of VAEs and of layers, of sound and of volumes: they run, and say what the items are."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis import mutual_info, representations
from analysis.mutual_info.reconstructions import picture_of
from analysis.mutual_info.rows import own_inputs
from analysis.representations.descriptive import affinity
from analysis.representations.features import features_of
from attacks import sweep
from classifiers.load import ModelOptions, load_classifier
from classifiers.train import Settings as ClassifierSettings
from msda import MixUp
from store import BadInput
from tasks import DataOptions
from tests.made import SOLIDS, TONES
from training import Pipeline
from vae.train import Settings, squared_units

FAST = Settings(epochs=2, width=4, hidden=16, latents=4, batch_size=40)

TASKS = {"tests.made:TONES": TONES, "tests.made:SOLIDS": SOLIDS}


def images_in(text: str) -> list[str]:
    """Where a text speaks of images, or their pixels."""
    return re.findall(r".{0,40}(?:\bimages?\b|\bpixels?\b).{0,20}", text)


@pytest.mark.parametrize("name", TASKS)
def test_table_1_of_other_items_says_what_they_are(name, options, few_draws, quick_figures, capsys):
    task = TASKS[name]
    config = mutual_info.Config(
        ("none", "mixup"), inputs=("clean", "own-augmented"), shared=True, decomposition=True, noise=(1.0,),
        smoke=True, data=DataOptions(name), settings=FAST, execution=options,
    )  # fmt: skip
    result = mutual_info.run(config)
    document = json.loads(next(path for path in result.files if path.name == "result.json").read_text())
    assert document["about"]["settings"]["items"] == task.items
    assert images_in(str(result.text)) == []
    assert f"{len(task.train)} training {task.items}" in document["about"]["title"]
    assert ("Bernoulli likelihood" in document["about"]["title"]) == (task is SOLIDS)
    assert ("entropy of grey values" in str(result.text)) == (task is SOLIDS)
    units = {row["units"] for row in document["results"] if row["estimator"] == "mse"}
    assert units == {squared_units({"shape": task.shape} | ({"rate": 1} if task is TONES else {}))}
    assert mutual_info.text_of(document) == (result.text, document["about"]["conclusions"])
    elbos = {
        (row["augmentation"], row["fitted_on"]): row["value"] for row in document["results"]
        if (row["estimator"], row["inputs"]) == ("negative_elbo", "own-augmented") and row["seed"]
    }  # fmt: skip
    flags = {row["augmentation"]: row["under_trained"] for row in document["results"] if row["seed"]}
    for augmentation in ("none", "mixup"):
        assert elbos["linear-vae", augmentation] > 0
        if elbos[augmentation, None] < elbos["linear-vae", augmentation]:
            assert flags[augmentation] is False
    assert {"reconstructions.png", "training.png"} <= {path.name for path in result.files}
    capsys.readouterr()


@pytest.mark.parametrize("name", TASKS)
def test_own_inputs_are_values_in_the_units_of_the_training_items(name):
    task = TASKS[name]
    entered = own_inputs(FAST, task, "none").enter(task.train.inputs)
    assert entered.shape == (len(task.train), *task.shape)
    assert float(entered.mean()) == pytest.approx(0, abs=1e-3)
    assert float(entered.std()) == pytest.approx(1, abs=1e-3)


def test_a_bernoulli_likelihood_has_no_scales(options):
    config = mutual_info.Config(
        ("none",), decoder_scales=(1.0, 0.3), data=DataOptions("tests.made:SOLIDS"), settings=FAST, execution=options
    )
    with pytest.raises(BadInput) as refused:
        mutual_info.run(config)
    assert str(refused.value) == (
        "--decoder-scales: got 1 0.3 with a Bernoulli likelihood; needs --likelihood gaussian: the other has no scale"
    )
    assert not options.store.exists()


def test_pictures_of_spectrograms_rise_and_of_volumes_are_means_along_depth():
    low = np.zeros((1, 1, 32, 9))
    low[0, 0, 0] = 1
    assert picture_of(low, TONES)[0, 0, -1].min() == 1
    volume = np.arange(8.0).reshape(1, 1, 2, 2, 2)
    assert picture_of(volume, SOLIDS).tolist() == [[[[2, 3], [4, 5]]]]


@pytest.fixture(params=TASKS)
def classifier(request):
    task = TASKS[request.param]
    name = "voxel-cnn" if task is SOLIDS else "preact-resnet18"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = ModelOptions(name, "random", 4)
        return request.param, task, load_classifier(options, task, torch.device("cpu"))


def test_layers_of_other_items_see_their_values(classifier):
    _, task, network = classifier
    layer = next(name for name, one in network.network.named_modules() if isinstance(one, torch.nn.Linear))
    found = features_of(network, [layer], task.test.inputs)[layer]
    with torch.no_grad():
        assert torch.allclose(found, network(task.values(task.test.inputs)), atol=1e-4)
    pipeline = Pipeline((), network.enter, MixUp())
    rows = {row["estimator"]: row["value"] for row in affinity(network, task, pipeline, 1)}
    with torch.no_grad():
        right = network(task.values(task.test.inputs)).argmax(1) == task.test.targets
    assert rows["clean_accuracy"] == pytest.approx(100 * float(right.double().mean()), abs=2)


@pytest.mark.parametrize("name", TASKS)
def test_representations_of_other_items_are_measured(name, options, quick_figures):
    task = TASKS[name]
    settings = ClassifierSettings(width=4, batch_size=40)
    config = representations.Config(
        ("none", "mixup"), smoke=True, data=DataOptions(name), settings=settings, execution=options
    )
    result = representations.run(config)
    document = json.loads(next(path for path in result.files if path.name == "result.json").read_text())
    assert document["about"]["settings"]["items"] == task.items
    assert images_in(str(result.text)) == []
    assert f"{len(task.test)} test {task.items}" in document["about"]["title"]
    assert all(row["layer"] for row in document["results"] if row["noise"])
    assert {"plane.csv", "layers.csv"} <= {Path(path).name for path in result.files}


@pytest.mark.parametrize("name", TASKS)
def test_attacks_are_on_images_only(name, options):
    with pytest.raises(BadInput, match=r"whose items are .*; needs images: there are no .* of others"):
        sweep.run(sweep.Config(("none",), 1, data=DataOptions(name), execution=options))


def test_representations_of_texts_are_refused(options, monkeypatch):
    from tasks.task import text_task

    texts = text_task("few", (["a", "b"], torch.arange(2)), (["c"], torch.tensor([0])))
    monkeypatch.setattr("analysis.representations.load", lambda *_, **__: texts)
    needed = r"needs images, clips of sound, volumes: there are no representations of others"
    with pytest.raises(BadInput, match=needed):
        representations.run(representations.Config(("none",), 1, execution=replace(options, dry_run=True)))
