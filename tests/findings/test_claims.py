"""How often the rule claims what is not so, by simulation.

The simulation's arrays and the functions that decide are held together first; then few cells are simulated here, all of
them by `make endurance`, and the benchmark prints them.
"""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import claims
from findings.comparisons import (
    LEVEL,
    LOOKS,
    SKEWED_CERTIFICATE,
    certificates,
    compare_augmentations,
    skewed,
)
from findings.decisions import decide, finished
from tests.cases import bounds_of, table_of

CELLS = list(itertools.product((4, 6), (3, 5, 20), claims.KINDS, claims.RATIOS))


def allowed(n, kind, ratio):
    """The level and a hundredth; for skewed seeds that spread unequally, what is said beside every claim."""
    return LEVEL + 0.01 if kind == "normal" or ratio == 1 else skewed(n, 6)


def allowed_certificate(kind, ratio):
    return 0.02 if kind == "normal" or ratio == 1 else SKEWED_CERTIFICATE


def margin(rate, count):
    """Four standard errors: where the rate is the limit, one cell in thirty thousand exceeds it by chance."""
    return 4 * math.sqrt(rate * (1 - rate) / count)


@pytest.mark.parametrize(("groups", "n", "kind", "ratio"), [(4, 3, "normal", 3), (5, 5, "exponential", 10)])
def test_the_simulation_decides_as_the_comparison_does(groups, n, kind, ratio):
    values = claims.seeds(kind, (40, groups, n), ratio, np.random.default_rng(5), [0.0] * (groups - 1) + [4.0])
    names = "abcdef"[:groups]
    claimed = claims.welch_holm(values)
    assert 0 < claimed.mean() < 1
    for one, pairs in zip(values, claimed, strict=True):
        found = compare_augmentations(table_of(dict(zip(names, one, strict=True))))
        expected = {frozenset(pair) for pair, yes in zip(itertools.combinations(names, 2), pairs, strict=True) if yes}
        assert {frozenset((each.higher, each.lower)) for each in found.found()} == expected


def test_the_simulation_certifies_as_the_certificates_do():
    wrong = 0
    for seed in range(60):
        values = claims.seeds("exponential", (1, 3, 3), 10, np.random.default_rng(seed))
        simulated = claims.false_certificates("exponential", 3, 10, 3, 1, seed)
        low = {("abc"[place], 0.0): float(each.mean()) for place, each in enumerate(values[0])}
        tables = list(bounds_of(low, low))
        for table in tables:
            table["std"] = values[0].std(-1, ddof=1)
        assert bool(certificates(*tables)) == bool(simulated)
        wrong += bool(simulated)
    assert wrong  # or nothing was compared


@pytest.mark.parametrize("looks", [LOOKS, LOOKS[:4]])
@pytest.mark.parametrize(("margin", "image_error"), [(None, 0.0), (2.5, 0.0), (None, 0.4), (3.0, 0.4), (0.6, 0.1)])
def test_the_simulation_stops_and_decides_as_the_analysis_does(looks, margin, image_error):
    rng, names = np.random.default_rng(20), "abcd"
    ended, verdicts, pairs = [], [], list(itertools.combinations(range(4), 2))
    values = claims.seeds("exponential", (8, 4, LOOKS[-1]), 2, rng) + 2 * rng.normal(size=(8, 4, 1))
    values *= 1 if margin != 0.6 else 0.2
    simulated = claims.until_decided(values, margin, image_error, looks=looks)
    for place, one in enumerate(values):
        for look in looks:
            table = table_of(dict(zip(names, one[:, :look], strict=True)), image_error)
            found = compare_augmentations(table.assign(margin=margin, looks=True))
            config = {"until": "decided", "seeds": look, "most": looks[-1]}
            decisions = decide({"accuracy": found}, config)
            if finished(SimpleNamespace(**config), decisions):
                break
        ended.append(look)
        assert simulated.seeds[place] == look
        by_pair = {frozenset(decision.pair): decision.verdict for decision in decisions}
        for column, (first, second) in enumerate(pairs):
            pair = found.between(names[first], names[second])
            claimed = (1 if pair.higher == names[first] else -1) if pair.claimed else 0
            verdict = by_pair[frozenset((pair.higher, pair.lower))]
            assert simulated.claimed[place, column] == claimed
            assert simulated.equal[place, column] == pair.equal
            assert simulated.futile[place, column] == (verdict == "futile")
            assert simulated.open[place, column] == (verdict == "open")
            verdicts.append(verdict)
    assert len(set(ended)) > 1  # or the looks were not compared
    assert {"differ"} < set(verdicts)


@pytest.mark.parametrize(
    ("groups", "n", "kind", "ratio"),
    [(4, 3, "normal", 10), (4, 3, "exponential", 10), (4, 5, "exponential", 3), (6, 5, "contaminated", 10),
     (6, 20, "normal", 3), (4, 20, "exponential", 10), (4, 20, "contaminated", 3)],
)  # fmt: skip
def test_equal_augmentations_are_told_apart_no_more_often_than_is_said(groups, n, kind, ratio):
    rate = claims.false_claims(claims.welch_holm, kind, n, ratio, groups, 4000, seed=6)
    limit = allowed(n, kind, ratio)
    assert rate < limit + margin(limit, 4000)
    assert rate > 0.005  # a rule that claims nothing would pass


def test_the_pooled_variance_is_what_made_false_claims():
    assert claims.false_claims(claims.tukey, "normal", 3, 10, 4, 4000, seed=6) > 0.12


@pytest.mark.parametrize("size", [1, 2, 3])
def test_true_differences_are_found_with_the_power_that_is_said(size):
    # one of four augmentations differs by so many standard deviations; from 20,000 replicates in benchmarks/README.md
    powers = {3: (0.019, 0.085, 0.227), 5: (0.070, 0.415, 0.841), 20: (0.680, 1.0, 1.0)}
    means = [0.0, 0.0, 0.0, float(size)]
    for n, said in powers.items():
        values = claims.seeds("normal", (4000, 4, n), 1, np.random.default_rng(7), means)
        false, power = claims.rates(claims.welch_holm(values), values, means)
        assert power == pytest.approx(said[size - 1], abs=0.002 + margin(said[size - 1], 4000))
        assert false < LEVEL + margin(LEVEL, 4000)


@pytest.mark.parametrize(("kind", "ratio"), [("normal", 3), ("normal", 10)])
def test_looking_again_and_again_keeps_the_level(kind, ratio):
    rate = claims.false_looks(kind, ratio, 4, 4000, seed=8)
    assert 0.015 < rate < LEVEL + 0.01 + margin(LEVEL, 4000)
    assert claims.false_looks(kind, ratio, 4, 4000, seed=8, level=LEVEL) > 0.09  # what looking costs


def allowed_looks(kind, ratio):
    return LEVEL + 0.01 if kind == "normal" or ratio == 1 else skewed(3, 6, looks=True)


@pytest.mark.parametrize(
    ("kind", "ratio", "means", "within", "image_error"),
    [
        ("normal", 1, [0.0, 0.0, 3.0, 3.0], None, 0.0),
        ("normal", 10, [0.0, 0.0, 0.0, 0.0], 3.0, 0.0),
        ("normal", 1, [0.0, 0.0, 0.0, 0.0, 0.0, 4.0], 4.0, 0.0),
        ("normal", 1, [0.0, 0.0, 2.0, 2.0], 2.0, 0.3),
        ("exponential", 10, [8.0, 0.0, 0.0, 0.0], 8.0, 0.0),
        ("contaminated", 10, [0.0, 0.0, 0.0, 0.0], None, 0.0),
    ],
)
def test_what_is_said_when_all_is_decided_is_false_no_more_often_than_is_said(kind, ratio, means, within, image_error):
    found = claims.shares_until_decided(kind, ratio, means, 4000, 21, within, image_error)
    limit = allowed_looks(kind, ratio)
    assert found.false < limit + margin(limit, 4000)
    assert found.false_equal < limit + margin(limit, 4000)
    assert max(found.false, found.false_equal) > 0.005  # a rule that says nothing would pass


@pytest.mark.parametrize(("size", "said", "mean", "left"), [(1, 0.448, 18.8, 0.866), (2, 0.998, 14.0, 0.334)])
def test_giving_up_costs_no_power_and_saves_seeds(size, said, mean, left):
    # one of four augmentations differs by so many standard deviations; from 20,000 replicates in benchmarks/README.md
    means = [0.0, 0.0, 0.0, float(size)]
    found, never = (claims.shares_until_decided("normal", 1, means, 4000, 22, futile=each) for each in (0.1, 0.0))
    assert found.power == pytest.approx(said, abs=0.002 + margin(said, 4000))
    assert found.power > never.power - 0.02
    assert found.seeds == pytest.approx(mean, abs=0.5)
    assert found.open == pytest.approx(left, abs=margin(left, 4000))
    assert never.seeds == LOOKS[-1]  # without a margin equal augmentations stay open


@pytest.mark.parametrize("ratio", claims.RATIOS)
def test_two_augmentations_alone_keep_the_level_too(ratio):
    found = claims.shares_until_decided("normal", ratio, [0.0, 0.0], 4000, 27)
    assert 0.015 < found.false < LEVEL + 0.01 + margin(LEVEL, 4000)  # of 20,000 .032, .042 and .046
    skewed_seeds = claims.shares_until_decided("exponential", ratio, [0.0, 0.0], 4000, 28)
    limit = LEVEL if ratio == 1 else skewed(3, 1, looks=True)
    assert skewed_seeds.false < limit + margin(limit, 4000)


def test_looks_at_the_whole_level_would_err_too_often():
    means = [0.0, 0.0, 3.0, 3.0]
    assert claims.shares_until_decided("normal", 1, means, 4000, 23, level=LEVEL).false > LEVEL + 0.01
    once = claims.shares_until_decided("normal", 1, means, 4000, 23, looks=LOOKS[-1:], level=LEVEL)
    assert once.false < LEVEL + margin(LEVEL, 4000)


@pytest.mark.parametrize(
    ("n", "kind", "ratio"), [(3, "normal", 10), (3, "exponential", 10), (5, "exponential", 10), (20, "normal", 3)]
)
def test_certificates_are_false_no_more_often_than_is_said(n, kind, ratio):
    rate = claims.false_certificates(kind, n, ratio, 4, 4000, seed=9)
    limit = allowed_certificate(kind, ratio)
    assert 0.001 < rate < limit + margin(limit, 4000)
    if n < 20:
        assert claims.false_certificates(kind, n, ratio, 4, 4000, seed=9, pooled=True) > 0.015


@pytest.mark.parametrize(("n", "share"), list(itertools.product((3, 5), (0.1, 0.3, 1.0))))
def test_the_draw_of_the_images_keeps_the_level(n, share):
    rate = claims.false_with_images(n, share, 1, 4000, seed=14)
    assert 0.001 < rate < LEVEL + margin(LEVEL, 4000)
    if (n, share) == (3, 1.0):  # what one limit of both parts would do
        assert claims.false_with_images(n, share, 1, 4000, seed=14, apart=False) > rate + 0.02


@pytest.mark.endurance
@pytest.mark.parametrize(("groups", "n", "kind", "ratio"), CELLS)
def test_every_cell_of_the_table_of_false_claims(groups, n, kind, ratio):
    count = 20_000
    limit = allowed(n, kind, ratio)
    assert claims.false_claims(claims.welch_holm, kind, n, ratio, groups, count, seed=10) < limit + margin(limit, count)
    limit = allowed_certificate(kind, ratio)
    assert claims.false_certificates(kind, n, ratio, groups, count, seed=11) < limit + margin(limit, count)


@pytest.mark.endurance
@pytest.mark.parametrize("groups", [4, 6])
@pytest.mark.parametrize(("n", "size"), list(itertools.product((3, 5, 20), (1, 2, 3))))
def test_partial_nulls_keep_the_level(groups, n, size):
    count = 20_000
    for differing in (1, groups // 2):
        means = [0.0] * (groups - differing) + [float(size)] * differing
        for ratio in claims.RATIOS:
            values = claims.seeds("normal", (count, groups, n), ratio, np.random.default_rng(12), means)
            false, _ = claims.rates(claims.welch_holm(values), values, means)
            assert false < LEVEL + 0.01 + margin(LEVEL, count)


@pytest.mark.endurance
@pytest.mark.parametrize(("groups", "ratio"), list(itertools.product((4, 6), claims.RATIOS)))
def test_looks_keep_the_level_for_normal_seeds(groups, ratio):
    assert claims.false_looks("normal", ratio, groups, 20_000, seed=13) < LEVEL + 0.01 + margin(LEVEL, 20_000)


@pytest.mark.endurance
@pytest.mark.parametrize("within", [None, 0.5, 1.0, 3.0, 6.0])
@pytest.mark.parametrize(("groups", "kind", "ratio"), list(itertools.product((4, 6), claims.KINDS, claims.RATIOS)))
def test_equal_augmentations_until_all_is_decided(groups, kind, ratio, within):
    found = claims.shares_until_decided(kind, ratio, [0.0] * groups, 20_000, 24, within)
    limit = allowed_looks(kind, ratio)
    assert found.false < limit + margin(limit, 20_000)


@pytest.mark.endurance
@pytest.mark.parametrize("within", [1.0, 2.0, 4.0, 8.0, 12.0])
@pytest.mark.parametrize(("groups", "kind", "ratio"), list(itertools.product((4, 6), claims.KINDS, claims.RATIOS)))
def test_augmentations_as_far_apart_as_the_margin_until_all_is_decided(groups, kind, ratio, within):
    limit, away = allowed_looks(kind, ratio), -within if kind == "contaminated" else within  # where its long tail is
    for differing in (1, groups // 2):
        means = [away] * differing + [0.0] * (groups - differing)
        found = claims.shares_until_decided(kind, ratio, means, 20_000, 25, within)
        assert max(found.false, found.false_equal) < limit + margin(limit, 20_000)


@pytest.mark.endurance
@pytest.mark.parametrize(("groups", "image_error"), [(4, 0.0), (6, 0.0), (4, 0.3), (4, 1.0)])
@pytest.mark.parametrize(("size", "within"), [(1, None), (2, None), (3, None), (1, 1.0), (2, 2.0), (4, 4.0)])
def test_partial_nulls_and_images_until_all_is_decided(groups, image_error, size, within):
    for differing, ratio in itertools.product((0, 1, groups // 2), (1, 10)):
        means = [0.0] * (groups - differing) + [float(size)] * differing
        found = claims.shares_until_decided("normal", ratio, means, 20_000, 26, within, image_error)
        assert max(found.false, found.false_equal) < LEVEL + 0.01 + margin(LEVEL, 20_000)
