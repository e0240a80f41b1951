"""Networks of other people's by file and by entry point, with directories that decide nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from attacks import sweep
from classifiers.load import ModelOptions, load_classifier, load_run
from classifiers.networks import FACTORIES, build, source_of
from classifiers.train import Settings, classifier_run, train
from gradcam import sums
from store import BadInput, read_record
from tasks import DataOptions, load
from tests.cases import distribution

CPU = torch.device("cpu")
NETS = """from torch import nn


class Net(nn.Sequential):
    def __init__(self, channels, classes):
        convolution = nn.Conv2d(channels, 4, 3, padding=1)
        super().__init__(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, classes))


word = "net"
"""
FAST = {"epochs": 1, "batch_size": 256}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path


@pytest.fixture
def digits():
    return load(DataOptions())


def test_a_network_of_a_file_is_trained_and_analysed_from_any_directory(here, digits, options, monkeypatch):
    settings = Settings("../nets.py:Net", **FAST)
    run = train(digits, "none", 1, settings, options)
    record = read_record(run.path / "result.json")
    assert record["config"]["network"] == "nets.py:Net"
    assert len(record["config"]["source"]) == 16
    assert "nets_py-Net" in run.path.name
    assert str(here) not in str(record["config"])
    config = sums.Config(
        ("none",), 1, images=8, layers=("0",), settings=settings, execution=replace(options, quiet=True)
    )
    result = sums.run(config)
    assert not result.failures
    with pytest.raises(BadInput, match=r"nets\.py, where there is no file"):
        load_run(run.path, CPU)
    assert load_run(run.path, CPU, network="../nets.py:Net").classes == 10
    monkeypatch.chdir(here)
    assert load_run(run.path, CPU).classes == 10
    absolute = replace(settings, network=f"{here}/nets.py:Net")
    assert train(digits, "none", 1, absolute, options).path == run.path
    (here / "nets.py").write_text(NETS + "\n")
    assert classifier_run(digits, "none", 1, absolute, options).hash != run.hash


def test_a_model_of_a_file_is_known_by_its_source(here, digits, options):
    found = [load_classifier(ModelOptions(name), digits, CPU) for name in ("../nets.py:Net", f"{here}/nets.py:Net")]
    found[1].load_state_dict(found[0].state_dict())
    assert found[0].digest() == found[1].digest()
    assert str(here) not in source_of(found[1].network, found[1].name)
    text = source_of(found[0].network, found[0].name)
    assert text == f"nets.py:Net\nnets.py\n{NETS}"
    (here / "other").mkdir()
    (here / "other" / "nets.py").write_text(NETS.replace("ReLU", "Tanh"))
    other = load_classifier(ModelOptions("../other/nets.py:Net"), digits, CPU)
    other.load_state_dict(found[0].state_dict())
    assert other.digest() != found[0].digest()
    config = sweep.Config(
        images=4, attacks=("fgsm",), epsilons=(0.0, 0.1), model=ModelOptions(f"{here}/nets.py:Net"),
        execution=replace(options, quiet=True),
    )  # fmt: skip
    sweep.run(config)
    (document,) = options.out.glob("*/result.json")
    assert str(here) not in document.read_text()
    assert all("nets_py-Net" in path.name for path in (options.store / "attacks").iterdir())


def test_a_network_of_an_entry_point(here, digits, options, monkeypatch):
    monkeypatch.syspath_prepend(here)
    distribution(here, "mixinfo.networks", theirs="nets_of_entry_point:Net")
    (here / "nets_of_entry_point.py").write_text(NETS)
    assert "theirs" in FACTORIES.names()
    network = build("theirs", digits.shape, 10)
    assert source_of(network, "theirs") == f"theirs\nnets_of_entry_point\n{NETS}"
    assert classifier_run(digits, "none", 1, Settings("theirs", **FAST), options).path.name.startswith("digits-theirs-")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("preact-resnet81", "needs one of preact-resnet18, .*torchvision:NAME, timm:NAME, .*; perhaps preact-resnet18"),
        ("../nets.py:word", "nets.py:word, a str; needs a callable that makes a network"),
        ("../nets.py:Nett", "something that nets.py has; perhaps Net"),
        ("nets.py:Net", "nets.py, where there is no file"),
    ],
)
def test_what_is_no_network_is_one_line(here, digits, name, words):
    with pytest.raises(BadInput, match=f"--model: got .*{words}"):
        build(name, digits.shape, 10, argument="--model")
