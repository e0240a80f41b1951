"""Jobs asked from Python, with objects in place of names."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from analysis import accuracy, ground_truth, mutual_info
from attacks import sweep
from gradcam import sums
from msda import MixUp
from store import BadInput
from store.registry import forget, known_as, live
from tasks import DataOptions, load
from training.live import configured, images_of
from training.mixing import AUGMENTATIONS
from vae import DiagonalGaussian
from vae.linear import fit_linear


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Linear(4 * 64, 10)

    def forward(self, images):
        return self.out(torch.relu(self.conv1(images)).flatten(1))


class Code(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 8), nn.Linear(4, 64)

    def encode(self, images):
        mean, log_var = self.encoder(images.flatten(1)).chunk(2, 1)
        return DiagonalGaussian(mean, log_var)

    def decode(self, codes):
        return self.decoder(codes).view(-1, 1, 8, 8)


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Net()


@pytest.fixture
def quiet(tmp_path, few_draws, quick_figures):
    return {"device": "cpu", "threads": 1, "quiet": True, "out": tmp_path / "out", "store": tmp_path / "runs"}


def test_a_network_at_hand_is_attacked(digits, network, quiet):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images, labels = digits.test.inputs[:20], digits.test.targets[:20]
    found = sweep.run(network, images.float() / 255, labels, attacks=["fgsm"], epsilons=[0, 0.1], **quiet)
    clean = next(row for row in found.rows if row["estimator"] == "fgsm" and row["epsilon"] == 0)
    right = (network(images.float() / 255).argmax(1) == labels).double().mean()
    assert clean["value"] == pytest.approx(100 * float(right))
    assert found.text.endswith("Nothing of this is kept in the store: Net, the images cannot be found again by a name.")
    assert not list(Path(quiet["store"]).rglob("*"))
    # and it is left as it was
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())
    assert network.training


def test_uint8_arrays_and_a_dataset_are_the_same_images(digits, network, quiet):
    images, labels = digits.test.inputs[:12], digits.test.targets[:12]
    arrays = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    forms = ((images, labels), (arrays, labels.numpy()), (TensorDataset(images, labels), None), (images[:, 0], labels))
    expected = images_of(images, labels).digest
    assert [images_of(*each).digest for each in forms] == [expected] * 4
    found = sums.run(network, arrays, labels.tolist(), layers=["conv1"], classes=["predicted"], **quiet)
    assert {row["layer"] for row in found.rows} == {"conv1"}
    assert {row["n"] + row["empty"] for row in found.rows} == {12}


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (torch.zeros(3, 1, 8, 8) - 1, [0, 1, 2], "images: got pixels from -1 to -1; needs"),
        (
            torch.full((3, 1, 8, 8), 0.5),
            [0, 1, 2],
            r"got pixels between eight-bit levels; .*: \(255 \* images\).round\(\) / 255",
        ),
        (torch.zeros(3, 1, 8, 8).long(), [0, 1, 2], "images: got int64"),
        (torch.zeros(3, 8).byte(), [0, 1, 2], r"images: got shape \(3, 8\)"),
        (
            torch.zeros(3, 1, 8, 8),
            [0, 1],
            r"labels: got int64 of shape \(2,\); needs classes from 0, one for each of 3",
        ),
        (torch.zeros(3, 1, 8, 8), [0, 1, -1], "labels: got int64"),
        (torch.zeros(3, 1, 8, 8), None, "labels: got nothing"),
    ],
)
def test_what_are_no_images_is_one_line(network, images, labels, words):
    with pytest.raises(BadInput, match=words):
        sweep.run(network, images, labels)


def test_mistakes_name_the_argument(network, digits):
    images, labels = digits.test.inputs[:4], digits.test.targets[:4]
    with pytest.raises(BadInput, match=r"^layers: got 'conv9'; needs a layer of the network: conv1"):
        sums.run(network, images, labels, layers=["conv9"], quiet=True)
    with pytest.raises(BadInput, match=r"^attack_batch_size: got 0"):
        sweep.run(network, images, labels, attack_batch_size=0)
    with pytest.raises(TypeError, match=r"attacks\.sweep: no option 'epsilon'; perhaps epsilons"):
        sweep.run(network, images, labels, epsilon=[0.1])
    with pytest.raises(TypeError, match="images and labels"):
        sweep.run(network)


def test_mixers_and_a_vae_at_hand(digits, quiet):
    torch.manual_seed(1)
    found = mutual_info.run(
        augmentations=["none", MixUp(alpha=0.2)], network=Code(), data=replace(digits, name="Ziffern"), seeds=1,
        epochs=1, bounds=["rate", "gaussian_marginal"], **quiet,
    )  # fmt: skip
    names = {row["augmentation"] for row in found.rows}
    assert names == {"none", "MixUp", "linear-vae"}
    assert "Ziffern" in found.text
    assert "MixUp, Code, the images cannot be found again by a name" in found.text
    # four dimensions, as the network has them
    active = [row["value"] for row in found.rows if row["estimator"] == "active_units"]
    assert all(value <= 4 for value in active)
    assert fit_linear([torch.randn(50, 1, 8, 8)], 4, 1.0).axes.shape == (4, 64)


def test_what_has_a_name_is_kept(quiet):
    found = mutual_info.run(augmentations=["none"], seeds=1, epochs=1, bounds=["rate"], **quiet)
    assert "kept in the store" not in found.text
    assert list(Path(quiet["store"]).glob("vae/*/result.json"))


def test_options_lie_wherever_they_lie():
    config = configured(
        mutual_info.Config, {"seeds": 5, "epochs": 2, "data": "mnist", "store": "there", "noise": [1.0]}
    )
    assert (config.seeds, config.settings.epochs, config.data.data, config.noise) == (5, 2, "mnist", (1.0,))
    assert config.execution.store == Path("there")
    again = configured(mutual_info.Config, {"epochs": 3}, config)
    assert (again.seeds, again.settings.epochs) == (5, 3)


def test_names_of_objects_at_hand_are_not_used_again(quiet):
    found = []
    for size in (2, 4):

        class Sized(Code):
            def __init__(self, size=size):
                super().__init__()
                self.encoder, self.decoder = nn.Linear(64, 2 * size), nn.Linear(size, 64)

        result = mutual_info.run(augmentations=["none"], network=Sized(), seeds=1, epochs=1, bounds=["rate"], **quiet)
        document = json.loads(next(path for path in result.files if path.name == "result.json").read_text("utf-8"))
        found += [(run["record"]["config"]["network"], run["record"]["config"]["latents"]) for run in document["runs"]]
        assert "live:" not in json.dumps(document)
    assert found == [("Sized", 2), ("Sized", 4)]
    one = MixUp()
    first = live(one)
    second = live(one, [first])
    assert (known_as(first), known_as(second)) == ("MixUp", "MixUp2")
    forget([first])
    assert AUGMENTATIONS.get(second, "augmentation") is one
    forget([second])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": "3"}, "seeds: got '3'; needs int"),
        ({"noise": 1.0}, "noise: got 1.0; needs "),
        ({"epochs": 2.5}, "epochs: got 2.5; needs int or None"),
        ({"seeds": 0}, "^seeds: got 0; needs an integer of at least 1"),
    ],
)
def test_values_of_other_types_are_one_line(options, words):
    with pytest.raises(BadInput, match=words):
        mutual_info.run(**options)


def test_every_analysis_takes_options(quiet):
    found = accuracy.run(augmentations=["none"], seeds=1, epochs=1, width=2, **quiet)
    assert {row["augmentation"] for row in found.rows} == {"none"}
    assert ground_truth.run(tasks=["gaussian-d2-i1"], n=50, seeds=2, bounds=["rate"], **quiet).rows
