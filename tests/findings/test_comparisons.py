import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from findings.comparisons import (
    LEVEL,
    SKEWED,
    SKEWED_CERTIFICATE,
    SKEWED_LOOKS,
    Difference,
    as_family,
    certificates,
    compare_augmentations,
    equivalence,
    holm,
    skewed,
)
from tests.cases import bounds_of, table_of


def slow_holm(p):
    """The definition: reject in order until one is too large; the adjusted value is the level where that happens."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    adjusted, highest = [0.0] * len(p), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - step) * p[place]))
        adjusted[place] = highest
    return adjusted


def test_holms_correction_is_its_definition():
    rng = np.random.default_rng(1)
    for size in (1, 2, 6, 15):
        p = rng.uniform(0, 0.3, (20, size)).round(2)  # with ties
        assert holm(p) == pytest.approx(np.array([slow_holm(list(row)) for row in p]))
    assert list(holm([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # worked by hand


@pytest.mark.parametrize("sizes", [(3, 3, 3), (3, 5, 2, 4)])
def test_every_pair_is_welchs_test_and_the_family_is_holms(sizes):
    rng = np.random.default_rng(1)
    groups = {f"a{place}": rng.normal(1.5 * place, 1.0 + place, size) for place, size in enumerate(sizes)}
    found = compare_augmentations(table_of(groups))
    assert len(found.differences) == len(sizes) * (len(sizes) - 1) // 2
    alone, intervals = [], []
    for each in found.differences:
        expected = stats.ttest_ind(groups[each.higher], groups[each.lower], equal_var=False)
        alone.append(expected.pvalue)
        assert each.value == pytest.approx(groups[each.higher].mean() - groups[each.lower].mean())
        assert each.value >= 0
        assert each.alone == pytest.approx(expected.pvalue)
        assert each.freedom == pytest.approx(expected.df)
        interval = expected.confidence_interval(1 - 0.05 / len(found.differences))
        intervals.append((interval.low, interval.high))
    assert [each.p for each in found.differences] == pytest.approx(slow_holm(alone))
    for each, (low, high) in zip(found.differences, intervals, strict=True):
        assert each.high == pytest.approx(high)
        assert each.low == pytest.approx(max(low, 0.0) if each.p < 0.05 else low)
    assert found.seeds == min(sizes)
    assert found.images == 100
    assert found.spreads == pytest.approx({name: values.std(ddof=1) for name, values in groups.items()})


def test_a_family_of_many_numbers_is_one_family():
    pairs = [Difference("a", "b", value, 1.0, 10.0, 5) for value in (2.0, 3.0, 0.5)]
    together = as_family(pairs)
    assert [each.p for each in together] == pytest.approx(slow_holm([each.alone for each in pairs]))
    assert [each.tests for each in together] == [3, 3, 3]
    assert as_family(together) == together  # a family of a family is not corrected twice
    assert as_family(pairs[:1])[0].p == pytest.approx(pairs[0].alone)
    assert as_family([]) == []


def test_an_interval_that_holms_steps_decide_ends_at_zero():
    together = as_family([Difference("a", "b", value, 1.0, 30.0, 5) for value in (9.0, 2.2)])
    assert together[1].p < LEVEL
    assert together[1].value < stats.t.isf(0.05 / 4, 30)  # Bonferroni's interval alone would hold 0
    assert together[1].low == 0
    assert together[1].claimed


def test_errors_over_images_are_added_and_without_them_nothing_is_claimed():
    groups = {"a": np.array([1.0, 1.1, 1.2]), "b": np.array([5.0, 5.1, 5.3])}
    plain, wide, unknown = (
        compare_augmentations(table_of(groups, error, n)) for error, n in ((0.0, 200), (0.4, 200), (math.nan, None))
    )
    variance = sum(values.var(ddof=1) / 3 for values in groups.values())
    assert plain.differences[0].error == pytest.approx(math.sqrt(variance))
    assert wide.differences[0].error == pytest.approx(math.sqrt(variance + 2 * 0.4**2))
    each = wide.differences[0]
    assert each.freedom == pytest.approx(plain.differences[0].freedom)  # Welch's, of the seeds' part
    half = math.hypot(stats.t.isf(0.025, each.freedom) * math.sqrt(variance), stats.norm.isf(0.025) * math.sqrt(0.32))
    assert each.high - each.value == pytest.approx(half)
    levels = np.geomspace(1e-9, 0.5, 200_001)  # the smallest level whose limit the difference exceeds
    limits = np.hypot(stats.t.isf(levels, each.freedom) * each.seed_error, stats.norm.isf(levels) * each.image_error)
    assert each.p == pytest.approx(2 * levels[limits < each.value][0], rel=1e-3)
    assert plain.found()
    assert plain.images_included
    assert unknown.differences[0].p == pytest.approx(plain.differences[0].p)
    assert unknown.differences[0].withheld == "images not in the interval"
    assert not unknown.images_included
    assert unknown.images is None
    assert unknown.found() == []


def test_nothing_is_claimed_of_an_under_trained_network():
    groups = {name: np.array([1.0, 1.1, 1.2]) + 5 * place for place, name in enumerate("abc")}
    found = compare_augmentations(table_of(groups).assign(under_trained=[False, True, None]))
    assert [each.withheld for each in found.differences] == [None, "under-trained", "under-trained"]
    assert [(each.higher, each.lower) for each in found.found()] == [("c", "a")]


def test_the_detectable_difference_is_found_with_its_power():
    rng = np.random.default_rng(3)
    for n in (3, 5, 20):
        spread_one = table_of({name: np.linspace(-1, 1, n) for name in "abcd"})
        spread_one["std"] = 1.0
        difference = compare_augmentations(spread_one).detectable
        found = 0
        for _ in range(300):
            values = {"a": rng.normal(difference, 1, n), "b": rng.normal(0, 1, n)}
            found += 6 * compare_augmentations(table_of(values)).differences[0].alone < LEVEL  # of six pairs
        # Welch's degrees of freedom are estimated, and fewer than 2 (n − 1); standard deviation 2.3%
        assert 0.6 < found / 300 < 0.88


def test_nothing_to_compare():
    assert compare_augmentations(table_of({"a": np.array([1.0, 2.0])})) is None
    assert compare_augmentations(table_of({"a": np.array([1.0]), "b": np.array([2.0])})) is None
    assert compare_augmentations(table_of({"a": np.array([1.0, 1.0]), "b": np.array([2.0, 2.0])})) is None
    # one seed has no spread, and no other's is lent to it
    assert compare_augmentations(table_of({"a": np.array([1.0]), "b": np.array([2.0, 2.5])})) is None


def test_a_certificate_asks_one_bound_to_exceed_the_other_at_the_same_level():
    low = {("a", 0.0): 5.0, ("b", 0.0): 5.0, ("a", 1.0): 3.0, ("b", 1.0): 1.0}
    high = {("a", 0.0): 9.0, ("b", 0.0): 8.0, ("a", 1.0): 3.2, ("b", 1.0): 1.2}
    assert certificates(*bounds_of(low, high, 0.01, image_error=0.01)) == [("a", "b", 1.0)]
    assert certificates(*bounds_of(low, high, 2.0)) == []
    assert certificates(*bounds_of(low, high, 0.01, image_error=1.0)) == []
    assert certificates(*bounds_of(low, high, 0.01, image_error=math.nan)) == []
    assert certificates(*bounds_of(low, high, math.nan, seeds=1, image_error=0.01)) == [("a", "b", 1.0)]
    assert certificates(*bounds_of({("a", 0.0): 5.0}, {("a", 0.0): 9.0}, 0.1)) == []


def test_a_certificate_adds_the_limits_of_seeds_and_images_and_the_family_is_holms():
    low = {("a", 0.0): 3.0, ("b", 0.0): 1.0, ("c", 0.0): 1.9}
    high = {("a", 0.0): 3.1, ("b", 0.0): 1.2, ("c", 0.0): 2.0}
    std, seeds, images = 0.1, 4, 0.05
    p = {}
    for a, b in itertools.permutations("abc", 2):
        level = np.geomspace(1e-12, 0.5, 200_001)  # the smallest level whose limit the difference exceeds
        limits = [stats.t.isf(level, 6) * std * math.sqrt(2 / seeds), stats.norm.isf(level) * images * math.sqrt(2)]
        exceeded = np.hypot(*limits) < low[a, 0.0] - high[b, 0.0]
        p[a, b] = level[exceeded][0] if exceeded.any() else 1.0
    expected = [(a, b, 0.0) for (a, b), each in zip(p, slow_holm(list(p.values())), strict=True) if each < 0.01]
    assert expected == [("a", "b", 0.0), ("a", "c", 0.0), ("c", "b", 0.0)]
    assert certificates(*bounds_of(low, high, std, seeds, images)) == expected


@pytest.mark.parametrize("images", [0.0, 0.02, 0.1])
def test_certificates_of_three_seeds_are_false_in_one_family_of_a_hundred_whatever_the_images_error(images):
    # tight bounds of three augmentations that are the same, at three levels; spread 0.1 over seeds
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(120):
        tables = []
        seeds = rng.normal(3.0, 0.1, (3, 3, 3))  # level, augmentation, seed
        for _ in range(2):
            shared = images * rng.standard_normal(3)
            tables.append(
                pd.DataFrame(
                    [
                        {"augmentation": name, "level": float(level), "mean": own.mean() + shared[level],
                         "std": own.std(ddof=1), "seeds": 3, "image_error": images}
                        for level in range(3) for name, own in zip("abc", seeds[level], strict=True)
                    ]
                )
            )  # fmt: skip
        wrong += bool(certificates(*tables))
    assert wrong <= 5  # P < 0.002 if the rate were 1%


def test_verdicts_of_equivalence():
    published = (83.67, 0.89, 5)
    assert equivalence((83.5, 0.8, 5), published, 2.0).verdict == "agrees"
    assert equivalence((80.0, 0.8, 5), published, 2.0).verdict == "differs"
    assert equivalence((83.0, 4.0, 3), published, 2.0).verdict == "not distinguishable"
    # a real difference, but one that does not matter
    assert equivalence((84.2, 0.1, 50), (83.67, 0.1, 50), 2.0).verdict == "agrees"
    assert equivalence((83.5, math.nan, 1), published, 2.0) is None
    assert equivalence((83.5, 0.0, 3), (83.5, 0.0, 3), 2.0) is None


def test_the_interval_is_welchs():
    a, b = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.5, 1.5, 1.0, 0.2])
    found = equivalence((a.mean(), a.std(ddof=1), 3), (b.mean(), b.std(ddof=1), 5), 1.0)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_equivalence_is_claimed_wrongly_in_one_experiment_of_twenty():
    rng = np.random.default_rng(4)
    agrees = 0
    for _ in range(2000):  # the true difference is exactly the margin
        ours, published = rng.normal(2.0, 1.0, 5), rng.normal(0.0, 1.0, 5)
        groups = [(each.mean(), each.std(ddof=1), 5) for each in (ours, published)]
        agrees += equivalence(groups[0], groups[1], 2.0).verdict == "agrees"
    assert agrees < 140  # at most 100 expected, standard deviation 10


def test_what_skewed_seeds_cost_is_said_for_few_seeds():
    assert [skewed(seeds, 6) for seeds in (2, 4, 5, 8, 12, 19, 20, 100)] == [
        SKEWED[fewer][1] for fewer in (5, 5, 8, 12, 20, 20, math.inf, math.inf)
    ]
    assert [skewed(3, 1), skewed(3, 1, looks=True), skewed(8, 6, looks=True)] == [SKEWED[5][0], *SKEWED_LOOKS]
    assert sorted(SKEWED.values(), reverse=True) == list(SKEWED.values())
    assert SKEWED_CERTIFICATE < 0.05
