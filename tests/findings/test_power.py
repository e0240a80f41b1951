"""How many seeds a difference takes, and the chance that more of them decide it, against simulated experiments."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.claims import pairs_of
from findings.comparisons import LEVEL, LOOK_LEVEL, satterthwaite
from findings.power import MOST_SEEDS_SAID, POWER, limit, needed, power, predictive

COUNT = 20_000


def two(truth, spreads, n, image_error, rng, count=COUNT):
    """Difference, the seeds' part of its standard error and the degrees of freedom of that, of two augmentations."""
    values = rng.standard_normal((count, 2, n)) * np.array(spreads)[..., None]
    values[:, 0] += np.asarray(truth)[..., None]
    values += image_error / math.sqrt(2) * rng.standard_normal((count, 2, 1))
    difference, variance, freedom = (each[:, 0] for each in pairs_of(values))
    return difference, np.sqrt(variance), freedom, values


@pytest.mark.parametrize("freedom", [2, 4, 8, 38])
@pytest.mark.parametrize("tests", [1, 6, 15])
def test_power_is_that_of_the_noncentral_t(freedom, tests):
    for level in (LEVEL / tests, LOOK_LEVEL / tests):
        true = np.array([0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0])
        expected = stats.nct.sf(stats.t.isf(level / 2, freedom), freedom, true)
        assert power(true, 1.0, freedom, 0.0, level) == pytest.approx(expected, abs=0.002)


def test_power_without_seeds_is_that_of_the_normal():
    expected = stats.norm.sf(stats.norm.isf(0.025) - 3.0)
    assert power(3.0, 0.0, 4, 1.0, 0.05) == pytest.approx(expected)
    assert power(3.0, 1.0, math.inf, 0.0, 0.05) == pytest.approx(expected)


@pytest.mark.parametrize("image_error", [0.0, 0.15])
@pytest.mark.parametrize("spreads", [(1.0, 1.0), (1.0, 3.0), (0.3, 3.0)])
@pytest.mark.parametrize("size", [0.7, 1.0, 1.5])
def test_as_many_seeds_as_are_needed_find_a_difference_in_80_percent(size, spreads, image_error):
    """Within 1% for what is approximate, that Satterthwaite's degrees of freedom do not vary, and four standard errors
    of the simulation; with one seed fewer it is below."""
    level = LEVEL / 6
    variance, freedom = satterthwaite([spread**2 / 5 for spread in spreads], [4, 4])
    truth = size * math.sqrt(np.square(spreads).mean())
    seeds = needed(truth, math.sqrt(variance), float(freedom), 5, image_error, level)
    assert 8 < seeds < 120
    margin = 0.01 + 4 * math.sqrt(POWER * (1 - POWER) / COUNT)
    rng = np.random.default_rng(1)
    found = {}
    for n in (seeds - 1, seeds):
        difference, error, of_freedom, _ = two(truth, spreads, n, image_error, rng)
        found[n] = (difference > limit(level / 2, error, of_freedom, image_error)).mean()
    assert found[seeds] > POWER - margin
    assert found[seeds - 1] < POWER + margin
    assert found[seeds] < POWER + margin + 0.05  # what one seed more adds, at thirteen of them


def test_what_no_number_of_seeds_would_find():
    assert needed(1.0, 0.5, 8, 5, 0.4, LEVEL) == math.inf  # 1/.4 is 2.5: with no error of the seeds 71%
    assert needed(1.0, 0.5, 8, 5, 0.35, LEVEL) < MOST_SEEDS_SAID
    assert needed(0.0, 0.5, 8, 5, 0.0, LEVEL) == MOST_SEEDS_SAID + 1
    assert needed(0.001, 0.5, 8, 5, 0.0, LEVEL) == MOST_SEEDS_SAID + 1


EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.01)


@pytest.mark.parametrize("seeds", [3, 5, 8, 12])
@pytest.mark.parametrize(
    ("spreads", "image_error", "margin"),
    [((1.0, 1.0), 0.0, None), ((1.0, 4.0), 0.0, None), ((1.0, 1.0), 0.5, None), ((1.0, 1.0), 0.0, 1.0)],
)
def test_the_predictive_probability_is_how_often_it_is_decided(seeds, spreads, image_error, margin):
    """True differences have no preferred value, here far beyond what matters; a margin, which has a scale of its own,
    is met by spreads that have no preferred one either, evenly in their logarithm.

    Within 8% at three seeds, 6% from five on, and four standard errors: that the last look draws its limit by the
    spread seen now, while it will have seen more, makes what is unlikely still less so and what is likely more.
    """
    count, level, rng = 100_000, LOOK_LEVEL / 6, np.random.default_rng(2)
    scale = np.exp(rng.uniform(math.log(0.1), math.log(10), count)) if margin else np.ones(count)
    reach = 12 * max(spreads) * scale + 1.5 * (margin or 0.0)
    truth = reach * rng.uniform(-1, 1, count)
    *last, values = two(truth, scale[:, None] * np.array(spreads), 20, image_error, rng, count)
    difference, variance, freedom = (each[:, 0] for each in pairs_of(values[..., :seeds]))
    now = np.abs(difference), np.sqrt(variance), freedom
    chance = predictive(*now, seeds, image_error, wanted=20, level=level, margin=margin)
    size, error, of_freedom = np.abs(last[0]), last[1], last[2]
    decided = size > limit(level / 2, error, of_freedom, image_error)
    if margin:
        decided |= size < margin - limit(level, error, of_freedom, image_error)
    assert 0.05 < decided.mean() < 1
    compared = 0
    for low, high in itertools.pairwise(EDGES):
        these = (chance >= low) & (chance < high)
        if these.sum() < 400:
            continue
        weights = reach[these] / reach[these].sum()  # as many differences were drawn for small spreads as for large
        said, happened = weights @ chance[these], weights @ decided[these]
        noise = math.sqrt(said * (1 - said) * np.square(weights).sum())
        assert happened == pytest.approx(said, abs=(0.08 if seeds == 3 else 0.06) + 4 * noise), (low, high)
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize(("size", "theirs"), [(0.5, 63.7656), (1.0, 16.7147), (2.0, 5.0900), (4.0, 2.4139)])
def test_the_seeds_needed_are_those_of_statsmodels(size, theirs):
    """``TTestIndPower().solve_power(size, alpha=0.05, power=0.8)`` of statsmodels 0.15.0, of equal spreads."""
    assert needed(size, math.sqrt(2 / 5), 8, 5, 0.0, 0.05) == math.ceil(theirs)
