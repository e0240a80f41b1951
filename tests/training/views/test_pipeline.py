"""What a VAE sees: jittered, flipped, normalised and mixed, in one composition."""

from collections import Counter

import pytest
import torch

from msda import MixUp
from tasks import DataOptions, load, pixels
from training import colour_jitter, generator, random_flip
from training.mixing import in_turn, mixer_named
from training.views import Pipeline, flipped, jittered


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


def test_a_batch_is_jittered_flipped_normalised_and_mixed_in_this_order(digits):
    images, mixer = digits.train.inputs[:9], mixer_named("mixup+cutmix")
    own = Pipeline([jittered(0.2), flipped], lambda raw: 3 * pixels(raw) - 1, mixer)
    for turn in (0, 1):
        stream = generator("cpu", 1)
        expected = 3 * random_flip(colour_jitter(images.float() / 255, 0.2, stream), stream) - 1
        expected = in_turn(mixer, turn)(expected, generator=stream).images
        assert torch.equal(own(images, generator("cpu", 1), turn).images, expected)
    plain = Pipeline([], pixels, mixer_named("none"))
    assert torch.equal(plain(images, generator("cpu", 1), 0).images, images.float() / 255)


def test_held_out_images_are_taken_once_and_not_left_alone(digits):
    spread = {}
    for name in ("none", "mixup", "fmix"):
        own = Pipeline([], pixels, mixer_named(name))
        inputs = own.each_once(digits.train.inputs, generator("cpu", 1), 2000)
        assert 0 <= len(inputs) - len(digits.train) <= 1
        spread[name] = float(inputs.var(0).sum())
        assert len(own.each_once(digits.train.inputs, generator("cpu", 1), 30)) == 30
        assert len(own.each_once(digits.train.inputs[:1], generator("cpu", 1), 30)) == 2
    # means of two images vary two thirds as much at α = 1, of which not all is kept in pixels that agree
    assert spread["mixup"] == pytest.approx(2 / 3 * spread["none"], rel=0.06)
    assert spread["fmix"] == pytest.approx(spread["none"], rel=0.06)


def test_draws_are_as_many_as_asked_for_from_parents_paired_anew(digits):
    own = Pipeline([], pixels, mixer_named("mixup"))
    batches = list(own.draws(digits.train.inputs[:100], generator("cpu", 1), 120))
    assert sum(map(len, batches)) == 120
    assert len(torch.cat(batches).flatten(1).unique(dim=0)) == 120


class Recorder:
    """A mixer that notes what it is given."""

    def __init__(self):
        self.calls = []

    def __call__(self, images, *, generator=None, partner=None):
        self.calls.append((images, partner))
        return MixUp()(images, generator=generator, partner=partner)


def test_mixtures_have_disjoint_parents(digits):
    recorder = Recorder()
    mixtures = Pipeline([], pixels, recorder).mixtures(digits.train.inputs, generator("cpu", 1))
    assert len(mixtures) == len(digits.train) // 2
    used = []
    for images, partner in recorder.calls:
        half = len(images) // 2
        assert torch.equal(partner, torch.arange(len(images)).roll(half))
        used.append(images)
    parents = torch.cat(used)
    assert len(parents) == 2 * len(mixtures)
    # every image is a parent exactly once, except the one that is left over of an odd number
    left = Counter(digits.train.inputs.double().flatten(1).sum(1).tolist())
    left.subtract(Counter((parents * 255).double().round().flatten(1).sum(1).tolist()))
    assert min(left.values()) == 0
    assert left.total() == len(digits.train) % 2


def test_parents_of_sorted_images_are_not_paired_by_their_order():
    images = torch.arange(200, dtype=torch.uint8).view(200, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    own = Pipeline([], pixels, mixer_named("none"))
    seen = (own.mixtures(images, generator("cpu", 1))[:, 0, 0, 0] * 255).round()
    assert len(seen) == len(set(seen.tolist())) == 100
    assert 30 < (seen < 100).sum() < 70  # of 100, by the hypergeometric law 50 ± 3.5
