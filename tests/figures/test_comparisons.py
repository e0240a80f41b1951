import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from figures.comparisons import compare_augmentations, equivalence


def table_of(groups: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = [
        {"augmentation": name, "mean": values.mean(), "std": values.std(ddof=1) if len(values) > 1 else math.nan}
        | {"seeds": len(values)}
        for name, values in groups.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (3, 5, 2, 4)])
def test_tukeys_test_is_scipys(sizes):
    rng = np.random.default_rng(1)
    groups = {f"a{place}": rng.normal(0.4 * place, 1.0, size) for place, size in enumerate(sizes)}
    found = compare_augmentations(table_of(groups))
    expected = stats.tukey_hsd(*groups.values())
    interval = expected.confidence_interval()
    names = list(groups)
    assert len(found.differences) == len(sizes) * (len(sizes) - 1) // 2
    for each in found.differences:
        i, j = names.index(each.higher), names.index(each.lower)
        assert each.value == pytest.approx(expected.statistic[i, j])
        assert each.value >= 0
        assert each.p == pytest.approx(expected.pvalue[i, j], abs=1e-6)
        assert (each.low > 0) == (each.p < 0.05)
        assert (each.low, each.high) == pytest.approx((interval.low[i, j], interval.high[i, j]), abs=1e-6)
    assert found.freedom == sum(sizes) - len(sizes)
    assert found.seeds == min(sizes)


def test_augmentations_that_are_the_same_are_told_apart_in_one_experiment_of_twenty():
    rng = np.random.default_rng(2)
    wrong = sum(
        bool(compare_augmentations(table_of({name: rng.normal(0, 1, 3) for name in "abcd"})).found())
        for _ in range(1000)
    )
    assert 20 < wrong < 85  # 50 expected, standard deviation 7


def test_the_detectable_difference_is_found_with_its_power():
    rng = np.random.default_rng(3)
    # what three seeds of four augmentations can find when the spread is 1
    critical = stats.studentized_range.isf(0.05, 4, 8) / math.sqrt(2)
    difference = (critical + stats.t.ppf(0.8, 8)) * math.sqrt(2 / 3)
    spread_one = table_of({name: np.array([-1.0, 0.0, 1.0]) for name in "abcd"})
    assert compare_augmentations(spread_one).detectable == pytest.approx(difference)
    found = 0
    for _ in range(1000):
        groups = {name: rng.normal(difference * (name == "a"), 1, 3) for name in "abcd"}
        pairs = compare_augmentations(table_of(groups)).found()
        found += any((each.higher, each.lower) == ("a", "b") for each in pairs)
    # Student's t for a noncentral t: a few per cent off at 8 degrees of freedom; standard deviation 1.3%
    assert 0.74 < found / 1000 < 0.88


def test_nothing_to_compare():
    assert compare_augmentations(table_of({"a": np.array([1.0, 2.0])})) is None
    assert compare_augmentations(table_of({"a": np.array([1.0]), "b": np.array([2.0])})) is None
    assert compare_augmentations(table_of({"a": np.array([1.0, 1.0]), "b": np.array([2.0, 2.0])})) is None
    assert compare_augmentations(table_of({"a": np.array([1.0]), "b": np.array([2.0, 2.5])})) is not None


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
