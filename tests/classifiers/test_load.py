import copy
import json
from shutil import copytree

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from classifiers.load import Classifier, ModelOptions, load_classifier, load_run, logits_of
from classifiers.nets.preact_resnet import PreActResNet
from classifiers.networks import build
from classifiers.train import Settings, train
from store import BadInput
from store.command_line import Options
from tasks import DataOptions, image_task, load

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


@pytest.fixture(scope="module")
def trained(digits, tmp_path_factory):
    """A run, to be read or copied."""
    options = Options(device="cpu", threads=1, store=tmp_path_factory.mktemp("store"))
    return train(digits, "none", 1, Settings(epochs=1, width=2), options)


@pytest.fixture
def colour(images_npz):
    return load(DataOptions(data=f"npz:{images_npz}"))


@pytest.fixture
def weights(tmp_path):
    """Weights of a small network for the digits, in the file that a suffix asks for."""
    torch.manual_seed(0)
    network = PreActResNet(1, 10, width=4)

    def write(suffix, change=lambda state: state):
        path = tmp_path / f"weights{suffix}"
        state = change(dict(network.state_dict()))
        save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
        return str(path)

    return network, write


def test_images_are_normalised_inside(digits):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    mean, std = torch.tensor([0.3]), torch.tensor([0.4])
    classifier = Classifier(network, mean, std, 10)
    images = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(classifier(images), network((images - 0.3) / 0.4))


def test_logits_do_not_depend_on_the_batch(digits):
    classifier = Classifier(PreActResNet(1, 10, width=4), *digits.statistics(), 10).eval()
    together = logits_of(classifier, digits.test.inputs[:20])
    alone = torch.cat([logits_of(classifier, image[None]) for image in digits.test.inputs[:20]])
    torch.testing.assert_close(together, alone)
    assert not together.requires_grad


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {f"_orig_mod.module.{key}": value for key, value in state.items()},
    ],
)
def test_weights_from_a_file(digits, weights, suffix, change):
    network, write = weights
    options = ModelOptions("preact-resnet18", write(suffix, change), model_width=4)
    classifier = load_classifier(options, digits, CPU)
    images = digits.test.inputs[:3].float() / 255
    mean, std = digits.statistics()
    torch.testing.assert_close(classifier(images), network.eval()((images - mean) / std))
    assert classifier.layer("stage2.0.conv1").out_channels == 8


def test_a_state_dict_may_be_nested(digits, weights):
    _, write = weights
    path = write(".pt", lambda state: {"epoch": 3, "state_dict": state})
    load_classifier(ModelOptions("preact-resnet18", path, 4), digits, CPU)


def test_torchvision_and_timm(colour, tmp_path):
    torch.manual_seed(0)
    theirs = build("torchvision:resnet18", colour.shape, colour.classes)
    save_file(dict(theirs.state_dict()), tmp_path / "resnet.safetensors")
    options = ModelOptions("torchvision:resnet18", str(tmp_path / "resnet.safetensors"))
    classifier = load_classifier(options, colour, CPU)
    images = colour.test.inputs[:3].float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = theirs.eval()((images - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-5)
    pytest.importorskip("timm")
    assert load_classifier(ModelOptions("timm:seresnext50_32x4d", "random"), colour, CPU)(images).shape == (3, 2)


def test_a_factory_brings_its_own_normalisation(colour, tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(
        "from torch import nn\n"
        "def make(classes, channels=3, flavour='plain'):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(channels * 256, classes))\n"
        "def wrong():\n    return nn.Flatten()\n"
        "def nothing():\n    return 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    classifier = load_classifier(ModelOptions("theirs:make"), colour, CPU)
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(classifier(images), classifier.network(images))
    for name, words in (("wrong", r"whose output for an image is \(1, 768\)"), ("nothing", "makes a int")):
        with pytest.raises(BadInput, match=words):
            load_classifier(ModelOptions(f"theirs:{name}"), colour, CPU)


class Malicious:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--model: got nothing; needs a run's directory"),
        ({"model": "preact-resnet18"}, "--weights: got nothing; needs a file of weights"),
        ({"model": "preact-resnet18", "weights": "pretrained"}, "--weights: got pretrained with preact-resnet18"),
        ({"model": "preact-resnet18", "weights": "nowhere.pt"}, "--weights: got nowhere.pt, where there is no file"),
        ({"model": "resnet18", "weights": "random"}, "--model: got 'resnet18'; needs one of preact-resnet18"),
        ({"model": "torchvision:resnet18", "weights": "random"}, "--normalisation: got imagenet for 1-channel"),
        ({"model": "timm:nonsense", "weights": "random", "normalisation": "data"}, "--model: got timm:nonsense"),
    ],
)
def test_mistakes_are_one_line(digits, options, words):
    with pytest.raises(BadInput, match=words):
        load_classifier(ModelOptions(**options), digits, CPU)


def test_weights_that_do_not_fit(digits, weights, tmp_path, capsys):
    _, write = weights

    def message(path, width=4, data=digits):
        with pytest.raises(BadInput) as problem:
            load_classifier(ModelOptions("preact-resnet18", path, width), data, CPU)
        return str(problem.value)

    whole = write(".pt")
    assert "where conv1.weight is (4, 1, 3, 3); needs (8, 1, 3, 3)" in message(whole, 8)
    twenty = image_task(
        "twenty",
        (digits.train.inputs, digits.train.targets * 2),
        (digits.test.inputs, digits.test.targets),
    )
    assert "classify.weight is (10, 32); needs (19, 32)" in message(whole, data=twenty)
    fewer = write(".safetensors", lambda state: {key: state[key] for key in list(state)[:-2]})
    assert "without classify.weight and 1 more; needs the weights of this network" in message(fewer)
    more = write(".safetensors", lambda state: state | {"extra": torch.ones(1)})
    assert "with extra and 0 more" in message(more)
    (tmp_path / "broken.pt").write_bytes(b"nonsense")
    assert "broken.pt, which cannot be loaded" in message(str(tmp_path / "broken.pt"))
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    assert "broken.safetensors, which cannot be loaded" in message(str(tmp_path / "broken.safetensors"))
    torch.save({"state_dict": Malicious()}, tmp_path / "malicious.pt")
    assert "malicious.pt, which cannot be loaded" in message(str(tmp_path / "malicious.pt"))
    assert "executed" not in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "list.pt")
    assert "list.pt, which holds something else" in message(str(tmp_path / "list.pt"))


def test_a_path_that_leads_nowhere_is_no_network(digits):
    words = "--model: got runs/nothing, where there is no directory; needs a run's directory, a network's name, "
    with pytest.raises(BadInput, match=words):
        load_classifier(ModelOptions("runs/nothing"), digits, CPU)


def test_a_run_is_loaded_wherever_it_lies_and_checked(digits, colour, trained, tmp_path):
    moved = tmp_path / "copied"
    moved.mkdir()
    for name in ("result.json", "weights.safetensors"):
        (moved / name).write_bytes((trained.path / name).read_bytes())
    classifier = load_classifier(ModelOptions(str(moved)), digits, CPU)
    with np.load(trained.path / "logits.npz") as kept:
        np.testing.assert_array_equal(logits_of(classifier, digits.test.inputs).numpy(), kept["logits"])
    with pytest.raises(BadInput, match="for 10 classes and 1 channels; needs the data's 2 classes and 3 channels"):
        load_run(moved, CPU, colour)
    with pytest.raises(BadInput, match="--layers: got 'conv9'; needs a layer of the network: conv1, stage1"):
        classifier.layer("conv9")
    damaged = bytearray((moved / "weights.safetensors").read_bytes())
    damaged[-1] ^= 1
    (moved / "weights.safetensors").write_bytes(damaged)
    with pytest.raises(BadInput, match="whose hash is not the recorded one"):
        load_run(moved, CPU)
    (moved / "weights.safetensors").unlink()
    with pytest.raises(BadInput, match="got no file"):
        load_run(moved, CPU)
    record = json.loads((moved / "result.json").read_text())
    (moved / "result.json").write_text(json.dumps(record | {"kind": "vae"}))
    with pytest.raises(BadInput, match="a run of kind vae"):
        load_run(moved, CPU)
    with pytest.raises(BadInput, match="which holds no finished run"):
        load_classifier(ModelOptions(str(tmp_path)), digits, CPU)


@pytest.mark.parametrize("channels", [1, 2, 4, 8])
def test_narrow_strided_convolutions_have_the_right_gradients_in_either_format(channels):
    # on processors with AVX2 alone, the library's own kernel writes past its workspace here, or gives other gradients
    torch.manual_seed(1)
    narrow = nn.Conv2d(channels, 2 * channels, 1, (2, 3), bias=False)
    network = nn.Sequential(narrow, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LazyLinear(3))
    images = torch.rand(64, channels, 8, 8)
    network(images)
    exact = copy.deepcopy(network).double()
    exact(images.double()).square().sum().backward()
    classifier = Classifier(network, torch.zeros(channels), torch.ones(channels), 3)
    for layout in (torch.contiguous_format, torch.channels_last):
        classifier.zero_grad()
        classifier(images.to(memory_format=layout)).square().sum().backward()
        assert set(narrow.stride) == {1}
        torch.testing.assert_close(narrow.weight.grad.double(), exact[0].weight.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.pop("config"),
        lambda record: record.update(config=[]),
        lambda record: record["config"].pop("classes"),
        lambda record: record["config"].update(classes="10"),
        lambda record: record["config"].update(shape=[1, 8]),
        lambda record: record["config"].update(shape="188"),
        lambda record: record["config"].update(network=3),
        lambda record: record["config"].update(width="2"),
        lambda record: record["config"].update(width=3),
        lambda record: record["config"].update(classes=9),
        lambda record: record.update(files=["weights.safetensors"]),
        lambda record: record["files"].pop("weights.safetensors"),
    ],
)
def test_a_run_whose_record_says_something_else_is_one_line(trained, tmp_path, change):
    path = copytree(trained.path, tmp_path / "run")
    record = json.loads((path / "result.json").read_text())
    load_run(path, CPU)
    change(record)
    (path / "result.json").write_text(json.dumps(record))
    with pytest.raises(BadInput) as problem:
        load_run(path, CPU)
    assert "\n" not in str(problem.value)
