"""An analysis is found again by what the network computes, and by nothing less."""

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from analysis import representations
from attacks import sweep
from classifiers.grid import once_of_function, run_of_function, settings_of
from classifiers.load import Classifier, ModelOptions, fixed_logits, load_classifier
from classifiers.networks import build
from classifiers.train import Settings, classifier_run
from gradcam import sums
from store import BadInput, Run
from store.command_line import command
from tasks import DataOptions, load

NETS = """
import os
import torch
from torch import nn

class Plain(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(channels, 8, 3, padding=1, bias=False)
        self.classify = nn.Linear(8 * 4, classes, bias=False)

    def forward(self, x):
        return self.classify(nn.functional.adaptive_avg_pool2d(self.conv1(x).relu(), 2).flatten(1))

class Switch(Plain):
    def forward(self, x):
        return super().forward(torch.round(x * 4) / 4 if os.environ.get("DEFENCE") else x)

class Nan(Plain):
    def forward(self, x):
        return super().forward(x) * float("nan")

class SomeNan(Plain):
    image = torch.tensor(9.0)

    def forward(self, x):
        there = (x - self.image).abs().amax((1, 2, 3)) < 0.01
        return super().forward(x).masked_fill(there[:, None], float("nan"))

class View(Plain):
    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv1(x).relu(), 4)
        return self.classify(x.view(len(x), -1))

class Half(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.net = Plain(channels, classes).bfloat16()
        self.conv1 = self.net.conv1

    def forward(self, x):
        return self.net(x.bfloat16()).float()

class Noisy(Plain):
    def forward(self, x):
        return super().forward(x + 0.1 * torch.randn_like(x))

def sequential(channels, classes):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, classes))
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets_of_mine.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("DEFENCE", raising=False)
    yield tmp_path / "nets_of_mine.py"
    sys.modules.pop("nets_of_mine", None)


@pytest.fixture
def digits():
    return load(DataOptions())


def mine(name: str, digits) -> Classifier:
    return load_classifier(ModelOptions(f"nets_of_mine:{name}"), digits, torch.device("cpu"))


def jobs(options, name: str):
    model = {"model": ModelOptions(f"nets_of_mine:{name}"), "images": 60, "execution": options}
    return {
        "attacks": (sweep.run, sweep.Config(attacks=("fgsm",), epsilons=(0.0, 0.01, 0.1), **model)),
        "gradcam": (sums.run, sums.Config(**model)),
        "representations": (representations.run, representations.Config(layers=("conv1",), **model)),
    }


@pytest.mark.parametrize(
    ("kind", "work", "file"), [("attacks", sweep.sweep, "verdicts.npz"), ("gradcam", sums.sums_of, "sums.npz")]
)
def test_the_same_weights_that_compute_something_else_are_not_the_same_run(
    kind, work, file, nets, options, digits, monkeypatch, capsys, tmp_path
):
    def values(store=options.store):
        config = jobs(replace(options, store=store), "Switch")[kind][1]
        done = work(config, mine("Switch", digits), digits, "mine")
        with np.load(done.path / file) as kept:
            return b"".join(kept[name].tobytes() for name in kept), done.fresh, capsys.readouterr().out

    plain, fresh, _ = values()
    assert fresh
    monkeypatch.setenv("DEFENCE", "1")
    defended, fresh, said = values()
    assert fresh
    assert said.count("not reused") == 1
    assert defended != plain
    assert values(tmp_path / "another store")[0] == defended
    assert values()[:2] == (defended, False)
    monkeypatch.delenv("DEFENCE")
    assert values() == (plain, False, "")
    assert len(list(options.store.glob(f"{kind}/*/result.json"))) == 2


def test_what_another_function_has_begun_is_not_gone_on_with(nets, options, digits, monkeypatch):
    run, config = jobs(options, "Switch")["attacks"]
    monkeypatch.setattr(sweep, "_half", lambda broken: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # when its batches are kept
        sweep.run(replace(config, attacks=("pgd",)))
    assert len(list(options.store.glob("attacks/*/.batch-*"))) == 1
    monkeypatch.undo()
    monkeypatch.syspath_prepend(nets.parent)
    monkeypatch.setenv("DEFENCE", "1")
    found = run(replace(config, attacks=("pgd",)))
    elsewhere = replace(options, store=options.store.parent / "another store")
    assert found.rows == run(replace(config, attacks=("pgd",), execution=elsewhere)).rows


def test_another_function_that_was_faster_is_not_taken_for_ours(nets, options, digits):
    """As when two processes with the same weights begin at once, and one has waited for the other."""
    classifier, worked = mine("Plain", digits), []
    run = Run(options.store, "attacks", "x", {"config": {}})
    ours = fixed_logits(classifier, digits.shape)

    def finish(which):
        with which.lock():
            which.begin()
            which.finish(metrics={}, started="", origin={})

    def work(which):
        worked.append(which)
        which.begin()
        which.finish(metrics={}, started="", origin={})

    real = Run.lock

    def lock_after_the_other(self, *arguments):
        if not run.path.exists():
            Run.lock = real
            finish(run_of_function(run, ours + 1))
        return real(self, *arguments)

    Run.lock = lock_after_the_other
    try:
        done = once_of_function(run, classifier, digits, options, work)
    finally:
        Run.lock = real
    assert worked == [done]
    assert done.path != run.path
    assert run.result()["fixed_logits"] != done.result()["fixed_logits"]


@pytest.mark.parametrize(
    ("change", "same"),
    [(lambda x: x * (1 + 1e-5), True), (lambda x: x + 1e-5, True), (lambda x: x * 1.01, False),
     (lambda x: x + 0.1, False), (lambda x: x.flip(1), False), (lambda x: x[:, :5], False)],
)  # fmt: skip
def test_logits_that_differ_by_rounding_are_the_same(change, same, options, nets, digits):
    logits = fixed_logits(mine("Plain", digits), digits.shape)
    run = run_of_function(Run(options.store, "attacks", "x", {"config": {}}), logits)
    run.begin()
    assert (run_of_function(run, change(logits)).path == run.path) is same


def test_a_record_without_fixed_logits_is_still_found(options, nets, digits):
    run = Run(options.store, "attacks", "x", {"config": {}})
    run.begin()
    run.finish(metrics={}, started="", origin={})
    assert run_of_function(run, fixed_logits(mine("Plain", digits), digits.shape)) == run


def test_random_numbers_of_a_network_are_drawn_the_same_every_time(nets, digits):
    classifier = mine("Noisy", digits)
    before = torch.get_rng_state()
    torch.testing.assert_close(
        fixed_logits(classifier, digits.shape), fixed_logits(classifier, digits.shape), rtol=0, atol=0
    )
    assert torch.equal(before, torch.get_rng_state())


def test_networks_of_one_file_and_the_same_weights_have_digests_of_their_own(nets, digits):
    names = ("Plain", "Switch", "View", "Noisy", "SomeNan")
    digests = {name: mine(name, digits).digest() for name in names}
    assert len(set(digests.values())) == len(names)
    assert digests["Plain"] == mine("Plain", digits).digest()


def test_another_text_of_a_factory_is_another_digest(nets, digits):
    """Although what it makes is made of torch's parts alone."""
    before = mine("sequential", digits).digest()
    nets.write_text(NETS.replace("nn.Flatten(), nn.Linear", "nn.Flatten(),  nn.Linear"))
    importlib.reload(sys.modules["nets_of_mine"])
    assert mine("sequential", digits).digest() != before


class Twice(nn.Module):
    """A network of this file, which no name stands for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) * 2


def test_a_network_made_in_a_script_is_found_by_its_source_too(digits):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    one, other = (
        Classifier(nn.Sequential(each), torch.zeros(1), torch.ones(1), 10) for each in (linear, Twice(linear))
    )
    other.load_state_dict(dict(zip(other.state_dict(), one.state_dict().values(), strict=True)))
    assert one.digest() != other.digest()
    assert fixed_logits(other, (1, 8, 8)).abs().max() > 1.5 * fixed_logits(one, (1, 8, 8)).abs().max()


def test_runs_over_our_own_networks_are_found_under_the_hashes_of_before(digits, options):
    """The hashes are release 0.1.0's."""
    torch.manual_seed(0)
    network = build("preact-resnet18", digits.shape, 10, 2)
    classifier = Classifier(network, torch.tensor([0.5]), torch.tensor([0.25]), 10, "preact-resnet18")
    with torch.no_grad():
        for i, parameter in enumerate(classifier.parameters()):
            parameter.copy_(torch.arange(parameter.numel()).view(parameter.shape) / 64 - i)
    assert classifier.digest() == "8195a3a4eafaf2d2"
    options = replace(options, store=Path("nowhere"))
    assert sweep._run(sweep.Config(execution=options), classifier, digits, "x").hash == "8cb4e0a57286"
    assert sums._run(sums.Config(execution=options), classifier, digits, "x").hash == "837ec9582c1b"
    assert classifier_run(digits, "fmix", 1, Settings(width=2, epochs=3), options).hash == "0898f566eca9"
    assert classifier_run(digits, "none", 2, Settings(), options).hash == "77ed06df2c90"


@pytest.mark.parametrize("kind", ["attacks", "gradcam", "representations"])
def test_a_smoke_run_of_one_model_takes_few_images_of_it_and_trains_nothing(kind, nets, options):
    run, config = jobs(options, "Plain")[kind]
    result = run(replace(config, smoke=True))
    assert max(row["n"] for row in result.rows) == (60 if kind == "representations" else 10)
    assert not (options.store / "classifier").exists()
    document = json.loads(next(options.out.glob("*-smoke/result.json")).read_text())
    assert document["about"]["watermark"] == "SMOKE RUN"


@pytest.mark.parametrize("kind", ["attacks", "gradcam"])
@pytest.mark.parametrize("name", ["Half", "View"])
def test_networks_of_other_precision_and_memory_have_results(kind, name, nets, options):
    run, config = jobs(options, name)[kind]
    assert run(config).rows


# logits that are no numbers


@pytest.mark.parametrize("kind", ["attacks", "gradcam"])
def test_a_network_of_nan_is_one_line_and_exit_2(kind, nets, options, capsys):
    run, config = jobs(options, "Nan")[kind]
    with pytest.raises(SystemExit) as stop:
        command(type(config), lambda _: run(config), f"python -m {kind}", [])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert "--model: got nets_of_mine:Nan with logits that are not finite for 8 images" in error
    assert not options.store.exists()


@pytest.mark.parametrize("kind", ["attacks", "gradcam"])
def test_nan_for_one_image_in_hundreds_is_seen(kind, nets, options, digits):
    """Finite for the images on which every network is tried, and for the first of the data."""
    mine("SomeNan", digits)
    sys.modules["nets_of_mine"].SomeNan.image = digits.test.inputs[250].float() / 255
    classifier = mine("SomeNan", digits)
    assert classifier(digits.test.inputs[:200].float() / 255).isfinite().all()
    run, config = jobs(options, "SomeNan")[kind]
    with pytest.raises(BadInput, match="SomeNan with logits that are not finite for 1 images, the first 50 of 100"):
        run(replace(config, images=None))
    assert not list(options.store.glob("*/*/result.json"))


@pytest.mark.parametrize(
    ("record", "metrics", "more"),
    [
        ({}, {}, {}),
        ({}, {"roc_auc": 0.7}, {}),  # of two classes
        ({}, {"mean_average_precision": 0.5}, {"several": True}),  # trained before there was a ROC-AUC
        ({}, {"mean_average_precision": 0.5, "roc_auc": 0.7}, {"several": True, "metric": "roc_auc"}),
        ({"items": "texts", "several": False}, {"roc_auc": 0.7}, {"items": "texts"}),
        (
            {"items": "texts", "several": True},
            {"roc_auc": 0.7},
            {"items": "texts", "several": True, "metric": "roc_auc"},
        ),
        ({"items": "images", "several": False}, {}, {}),
    ],
)
def test_settings_say_what_differs_from_images_with_one_class(record, metrics, more):
    usual = {"config": {"epochs": 2}, "data": {"name": "digits"}, "training_images": 9, "scored": "test"}
    run = SimpleNamespace(result=lambda: usual | {"metrics": {"accuracy": 0.9} | metrics} | record)
    expected = {"epochs": 2, "data": "digits", "train_images": 9, "scored": "test"}
    assert settings_of(run) == expected | more
