"""Mixers of other people's by name: what they may be, what is refused, and what identifies a run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from classifiers.grid import ClassifierGrid
from classifiers.train import Settings, classifier_run
from msda import MIXERS, Alternate, CutMix, MaskMixer, get_mixer
from store import BadInput
from store.registry import known_as
from tasks import DataOptions, load
from tests.cases import distribution
from training.mixing import identity_of, in_turn, mixer_named
from vae.train import Settings as VaeSettings
from vae.train import vae_run

ROOT = Path(__file__).resolve().parents[2]

MIXES = """
import functools
import random
from dataclasses import dataclass

import torch
from msda import CutMix, MaskMixer, Mixed, MixUp
from msda.mask import box_masks
from torch import nn
from torchvision.transforms import v2

Boxes = functools.partial(MaskMixer, box_masks)
settled = functools.partial(MaskMixer, box_masks, alpha=0.25)
ready = CutMix(alpha=0.5)
word = "fmix"


@dataclass(frozen=True)
class Own(MixUp):
    strength: float = 2.0


def make(alpha, decay_power=1.0):
    return MixUp(alpha=alpha / decay_power)


def mix(images, *, generator=None, partner=None):
    return MixUp()(images, generator=generator, partner=partner)


def needs(strength):
    return MixUp()


def blend(images):
    return MixUp()(images)


def tensors(images, *, generator=None, partner=None):
    return images


def small(images, *, generator=None, partner=None):
    return MixUp()(images[:, :1], generator=generator, partner=partner)


def nan(images, *, generator=None, partner=None):
    return MixUp()(images * float("nan"), generator=generator, partner=partner)


def heavy(images, *, generator=None, partner=None):
    mixed = MixUp()(images, generator=generator, partner=partner)
    return Mixed(mixed.images, mixed.partner, mixed.weight + 1)


class Layer(nn.Module):
    def forward(self, images, *, generator=None, partner=None):
        return MixUp()(images, generator=generator, partner=partner)


layer = Layer()
of_torchvision = v2.MixUp(num_classes=10)


def forgetful(images, *, generator=None, partner=None):
    return MixUp()(images, partner=partner)


def wilful(images, *, generator=None, partner=None):
    return MixUp()(images, generator=generator)


def leaves(images, *, generator=None, partner=None):
    raise SystemExit("bye")
"""
OPTIONS = {"alpha": 2.0, "decay_power": 4.0, "max_soft": 0.1, "scope": "batch", "targets": "mixed", "target_alpha": 3.0}


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mixes.py").write_text(MIXES)
    return tmp_path


@pytest.fixture
def digits():
    return load(DataOptions("digits"))


def test_what_makes_a_mixer_gets_the_options_it_has(here):
    boxes = mixer_named("mixes.py:Boxes", **OPTIONS)
    assert isinstance(boxes, MaskMixer)
    assert (boxes.alpha, boxes.scope, boxes.targets, boxes.target_alpha) == (2.0, "batch", "mixed", 3.0)
    assert mixer_named("mixes.py:settled", **OPTIONS).alpha == 0.25
    assert mixer_named("mixes.py:make", **OPTIONS).alpha == 0.5
    own = mixer_named("mixes.py:Own", **OPTIONS)
    assert (own.alpha, own.strength) == (2.0, 2.0)


def test_what_is_a_mixer_stays_as_it_is(here):
    assert mixer_named("mixes.py:ready", **OPTIONS) == CutMix(alpha=0.5)
    assert mixer_named("mixes.py:mix", **OPTIONS).__name__ == "mix"
    assert type(mixer_named("mixes.py:layer", **OPTIONS)).__name__ == "Layer"  # a module, whose forward is one


def test_names_of_all_kinds_take_turns(here):
    distribution(here, "mixinfo.mixers", theirs="mixes_of_test:ready")
    (here / "mixes_of_test.py").write_text(MIXES)
    mixer = mixer_named("fmix+mixes.py:Boxes+theirs+mixes_of_test:mix", **OPTIONS)
    assert isinstance(mixer, Alternate)
    kinds = [type(in_turn(mixer, turn)).__name__ for turn in range(5)]
    assert kinds == ["FMix", "MaskMixer", "CutMix", "function", "FMix"]
    nested = Alternate(mixer, get_mixer("none"))
    assert [type(in_turn(nested, turn)).__name__ for turn in range(5)] == [
        "FMix", "NoMix", "MaskMixer", "NoMix", "CutMix"
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*MIXERS, "fmix+mixup", "none+cutmix+fmix-reference"])
def test_our_own_names_are_msdas(name):
    assert mixer_named(name, **OPTIONS) == get_mixer(name, **OPTIONS)
    assert identity_of(name) == {"augmentation": name}


def test_the_mask_of_the_documentation_is_a_mixer(here):
    text = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(# mixes\.py\n.*?)```", text, re.DOTALL)
    (here / "mine.py").write_text(block)
    mixer = mixer_named("mine.py:Columns", **OPTIONS | {"alpha": 0.5})
    assert (mixer.alpha, mixer.scope) == (0.5, "batch")
    mask = mixer(torch.rand(4, 1, 6, 8)).mask
    assert (mask == mask[..., :1, :]).all()  # whole columns
    assert ((mask == 0) | (mask == 1)).all()


def test_trying_a_mixer_leaves_the_global_generator_alone(here):
    before = torch.get_rng_state()
    mixer_named("mixes.py:Boxes")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fmx", "'fmx'; needs one of none, mixup, cutmix, fmix, fmix-reference, several joined by .*; perhaps fmix"),
        ("fmix+", "''; needs one of none"),
        ("fmix+fmx", "'fmx'; needs"),
        ("mixes.py:absent", "something that mixes.py has"),
        ("mixes.py:word", "mixes.py:word, a str; needs a mixer"),
        (
            "mixes.py:needs",
            "needs, which takes strength, and neither .* nor partner; needs a mixer.*from alpha, decay_p",
        ),
        ("mixes.py:blend", "blend, which takes images, and neither generator nor partner; needs a mixer"),
        ("mixes.py:of_torchvision", "of_torchvision, a MixUp that takes neither generator nor partner; needs a mixer"),
        ("mixes.py:random", "a module; needs a mixer"),
        ("mixes.py:tensors", r"of shape \(4, 3, 8, 8\), which returns a Tensor; needs a msda.Mixed"),
        ("mixes.py:small", r"whose images have shape \(4, 1, 8, 8\); needs a mixed batch like the one given"),
        ("mixes.py:nan", "whose images are not finite"),
        ("mixes.py:heavy", "whose weights are not from 0 to 1"),
        ("mixes.py:forgetful", "in two ways with one seed of its generator"),
        ("mixes.py:wilful", "takes other partners than it is given"),
        ("mixes.py:leaves", "which ends in SystemExit: bye"),
        ("fmix+mixes.py:nan", "whose images are not finite"),
    ],
)
def test_what_is_no_mixer_is_refused_in_one_line(here, name, words):
    with pytest.raises(BadInput, match=f"^--augmentations: got .*{words}") as mistake:
        mixer_named(name, "--augmentations", **OPTIONS)
    assert "\n" not in str(mistake.value)


ONE_KIND = """
import torch
from msda import Mixed


def of(axes):
    def mix(images, *, generator=None, partner=None):
        if images.ndim != axes:
            raise ValueError(f"{images.ndim} axes")
        partner = torch.randperm(len(images), generator=generator) if partner is None else partner
        return Mixed((images + images[partner]) / 2, partner, torch.full((len(images),), 0.5))
    return mix


images, texts, volumes, nothing = of(4), of(3), of(5), of(7)
"""


def test_a_mixer_of_one_kind_of_items_is_tried_on_those_it_is_to_mix(here, digits, options):
    (here / "kinds.py").write_text(ONE_KIND)
    shapes = load(DataOptions("made-up-shapes"))
    for name, task, other in (("images", digits, shapes), ("volumes", shapes, digits)):
        mixer = f"kinds.py:{name}"
        for run_of, settings in ((classifier_run, Settings(width=2)), (vae_run, VaeSettings())):
            assert run_of(task, mixer, 1, settings, options).status == "new"
            needed = f"{name} for {other.items} of shape .*axes"
            for augmentation in (mixer, f"fmix+{mixer}"):
                with pytest.raises(BadInput, match=needed):
                    run_of(other, augmentation, 1, settings, options)
    assert mixer_named("kinds.py:texts").__name__ == "mix"
    with pytest.raises(BadInput, match=r"of shape \(4, 3, 8, 8\)"):
        mixer_named("kinds.py:nothing")


def runs_of(name, digits, options) -> list:
    return [
        classifier_run(digits, name, 1, Settings(width=2, epochs=3), options),
        vae_run(digits, name, 1, VaeSettings(epochs=3), options),
    ]


def test_a_runs_identity_has_the_name_and_the_source_and_no_directory(here, digits, options, monkeypatch):
    (here / "inner").mkdir()
    found = runs_of("mixes.py:Boxes", digits, options)
    for run in found:
        assert run.identity["config"]["augmentation"] == "mixes.py:Boxes"
        assert len(run.identity["config"]["augmentation_source"]) == 16
        assert "mixes_py-Boxes" in run.path.name
        assert str(here) not in str(run.identity)
    assert runs_of(f"{here}/mixes.py:Boxes", digits, options) == found
    monkeypatch.chdir(here / "inner")
    assert runs_of("../mixes.py:Boxes", digits, options) == found
    (here / "mixes.py").write_text(MIXES + "\n")
    for run, other in zip(found, runs_of("../mixes.py:Boxes", digits, options), strict=True):
        assert other.hash != run.hash
        assert other.name == run.name


def test_identities_of_our_own_are_those_of_before(digits, options):
    """The hashes of 0.1.0 (classifier) and of the commit before other people's mixers had names (VAE)."""
    options = replace(options, store=Path("nowhere"))
    assert classifier_run(digits, "fmix", 1, Settings(width=2, epochs=3), options).hash == "0898f566eca9"
    assert vae_run(digits, "fmix+mixup", 1, VaeSettings(epochs=3), options).hash == "a5dae18c8f15"


def test_names_that_would_share_their_files_are_no_grid(here):
    ClassifierGrid(("mixes.py:Boxes", "mixes.py:mix", "fmix"))
    with pytest.raises(BadInput, match="different names"):
        ClassifierGrid(("mixes.py:Boxes", "./mixes.py:Boxes"))
    assert known_as("./mixes.py:Boxes") == "mixes.py:Boxes"
