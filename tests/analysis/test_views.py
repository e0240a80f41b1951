"""What two representations share, against Gaussian pairs whose information is known."""

import math

import numpy as np
import pytest
import torch

from analysis.bounds import EncodedPair, bounds_of
from analysis.bounds.channel import channel
from analysis.representations.features import tenth
from analysis.representations.views import CODES, shared
from store import BadInput


def pair(n: int, correlation: float, d: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal features (n, d) twice, each dimension correlated with the same one of the other."""
    rng = np.random.default_rng(seed)
    a, rest = rng.normal(size=(2, n, d))
    return a, correlation * a + math.sqrt(1 - correlation**2) * rest


def truth(correlation: float, level: float, d: int = 3) -> float:
    """I(T_A;T_B) with noise of variance ``level²`` in both."""
    return -d / 2 * math.log(1 - (correlation / (1 + level**2)) ** 2)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_both_sides_hold_the_truth_of_gaussian_pairs(correlation):
    training = pair(20_000, correlation, seed=1)
    levels = (1.0, 2.0)
    rows = shared(*pair(1500, correlation), *training, noise=levels, layer="mine")
    assert {row["quantity"] for row in rows} == {CODES}
    assert {row["layer"] for row in rows} == {"mine"}
    for level in levels:
        known = truth(correlation, level)
        at = {row["estimator"]: row for row in rows if row["noise"] == level}
        assert set(at) == {"three_term_lower", "three_term_upper", "data_processing", "critic", "three_term_gaussian"}
        for row in at.values():
            slack = 4 * row["standard_error"] + 1e-9
            if row["direction"] == "lower":
                assert row["value"] - slack <= known
            elif row["direction"] == "upper":
                assert row["value"] + slack >= known
        for name in ("three_term_lower", "three_term_upper", "three_term_gaussian"):
            assert at[name]["value"] == pytest.approx(known, abs=0.15)
        # the noises are scaled by a sample: the truth is that of the population's scale to a hundredth
        assert at["critic"]["value"] == pytest.approx(known, abs=4 * at["critic"]["standard_error"] + 0.02)


def test_it_is_the_pair_of_both_channels():
    (a, b), (training_a, training_b) = pair(120, 0.5), pair(80, 0.5, seed=1)
    b, training_b = b[:, :2] * 7 + 1, training_b[:, :2] * 7 + 1
    rows = shared(
        a, b.astype(np.float32), training_a, torch.from_numpy(training_b), noise=(0.5,), noise_shape="whitened"
    )
    posteriors = (
        channel(training, "whitened").posterior(features, 0.5)
        for training, features in ((training_a, a), (training_b, b.astype(np.float32)))
    )
    names = [row["estimator"] for row in rows]
    expected = bounds_of(EncodedPair(*posteriors), names)
    assert [row["value"] for row in rows] == pytest.approx([bound.value for bound in expected])
    # in units of its own noise, a view of other scale and place is the same view
    moved = shared(100 * a + 3, b, 100 * training_a + 3, training_b, noise=(0.5,), noise_shape="whitened")
    assert [row["value"] for row in moved] == pytest.approx([row["value"] for row in rows], abs=1e-4)


def test_without_training_features_a_tenth_scales_the_noise_of_both():
    a, b = pair(200, 0.5)
    training, scored = (part.numpy() for part in tenth(200))
    rows = shared(a, b, noise=(1.0,))
    assert rows == shared(a[scored], b[scored], a[training], b[training], noise=(1.0,))
    assert next(row["n"] for row in rows if row["estimator"] == "three_term_lower") == 180
    other = pair(50, 0.5, seed=1)[0]
    assert shared(a, b, other, noise=(1.0,)) == shared(a[scored], b[scored], other, b[training], noise=(1.0,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a, b: (a, b[:-1]), "--features-b: got 99 images; needs the 100 images of the first features, in order"),
        (lambda a, b: (a[:19], b[:19]), "features: got 19 images; needs at least 20"),
        (lambda a, b: (a, 0 * b), "the same for all images"),
        (lambda a, b: (a, np.where(b > 1, np.nan, b)), "NaN or infinite values; needs finite numbers"),
        (lambda a, b: (a[:, 0], b), "features: got an array (10,)"),
    ],
)
def test_what_cannot_be_compared_is_one_line(change, words):
    with pytest.raises(BadInput) as mistake:
        shared(*change(*pair(100, 0.5)), noise=(1.0,))
    assert words in str(mistake.value)
    assert "\n" not in str(mistake.value)
