"""The identities of known runs, so that what others have trained is found again whatever moves inside.

A hash changes when what is trained changes, and then a ``VERSION`` is raised and said; never because code has moved.
"""

from pathlib import Path

import pytest

from classifiers.train import Settings as ClassifierSettings
from classifiers.train import classifier_run
from store.command_line import Options
from tasks import DataOptions, Task, load
from vae.train import Settings as VaeSettings
from vae.train import vae_run

OPTIONS = Options(device="cpu", store=Path("runs"))

VAES = {
    "none": ({}, "dc297d3d49c1"),
    "mixup": ({}, "321d5880e4ea"),
    "cutmix": ({}, "b503b57a35d1"),
    "fmix": ({}, "402904fcb641"),
    "fmix-reference": ({"decoder_scale": 0.3}, "5b2e432eebea"),
    "fmix+mixup": ({"alpha": 0.5, "decay_power": 2.0}, "4c34a8ea5438"),
    "cutmix+mixup": ({"preset": "reference"}, "e632473e6514"),
    "fmix+cutmix": ({"precision": "bf16", "latents": 8, "epochs": 3}, "165a7dc64c64"),
}
"""By augmentation, settings that are not the usual ones, and the hash of seed 1 on the digits."""

CLASSIFIERS = {
    "none": ({}, "79e5e000118a"),
    "mixup": ({"width": 4, "epochs": 2}, "b03ba80e2188"),
    "cutmix": ({"schedule": "cosine", "target_alpha": 0.5}, "e4e056003c15"),
    "fmix": ({"targets": "reformulated"}, "2b669fba0e38"),
    "fmix-reference": ({"scope": "batch", "max_soft": 0.2}, "86f7dd08d7db"),
    "fmix+mixup": ({"objective": "relative-entropy"}, "99f5a56ece89"),
    "cutmix+mixup": ({"network": "wide-resnet-28-10", "width": 1}, "86b71b9b53ab"),
    "fmix+cutmix": ({"policy": "randaugment", "precision": "bf16"}, "fe6e6c7dffc9"),
}

DATA = {
    ("fraction", 0.5): "64bebc791923",
    ("train_images", 100): "904b642f38a3",
    ("data_name", "Ziffern"): "1323a21cfb18",
    ("fold", 2): "4d928af83e9a",
}
"""By an option of the data, the hash of the default classifier without augmentation."""


@pytest.fixture(scope="module")
def digits() -> Task:
    return load(DataOptions())


@pytest.mark.parametrize("augmentation", VAES)
def test_vaes_are_found_again(digits, augmentation):
    settings, expected = VAES[augmentation]
    assert vae_run(digits, augmentation, 1, VaeSettings(**settings), OPTIONS).hash == expected


@pytest.mark.parametrize("augmentation", CLASSIFIERS)
def test_classifiers_are_found_again(digits, augmentation):
    settings, expected = CLASSIFIERS[augmentation]
    assert classifier_run(digits, augmentation, 1, ClassifierSettings(**settings), OPTIONS).hash == expected


@pytest.mark.parametrize("option", DATA)
def test_parts_of_data_sets_are_found_again(option):
    more = {"folds": 5} if option[0] == "fold" else {}
    data = load(DataOptions(**dict([option]), **more))
    assert classifier_run(data, "none", 1, ClassifierSettings(), OPTIONS).hash == DATA[option]
