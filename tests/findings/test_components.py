import json

import numpy as np
import pytest
from scipy import stats

from findings.comparisons import compare_augmentations
from findings.components import Components, components
from tests.cases import table_of


def draw(rng, seeds, images, seed_spread=0.03, image_spread=0.3):
    """Scores of one augmentation: seeds, images and their interaction, all of them sampled; its true mean is 0."""
    return (
        seed_spread * rng.standard_normal((seeds, 1))
        + image_spread * rng.standard_normal(images)
        + 0.3 * rng.standard_normal((seeds, images))
    )


def difference_of(one, other):
    """The difference of the two, with its interval: a family of one."""
    table = table_of({name: each.mean(1) for name, each in {"a": one, "b": other}.items()}, np.nan)
    return compare_augmentations(table, components({"a": one, "b": other})).differences[0]


def variance_of(one, other):
    return difference_of(one, other).error ** 2


def slow_variance(one, other):
    """The formula of the module, sum by sum."""
    n = one.shape[1]
    total, rests = 0.0, 0.0
    for table in (one, other):
        s, grand = len(table), table.mean()
        total += sum((row.mean() - grand) ** 2 for row in table) / (s - 1) / s
        rest = 0.0
        for seed in range(s):
            for image in range(n):
                rest += (table[seed, image] - table[seed].mean() - table[:, image].mean() + grand) ** 2
        rests += rest / (s - 1) / (n - 1) / s
    paired = [one[:, image].mean() - other[:, image].mean() for image in range(n)]
    square = sum((each - np.mean(paired)) ** 2 for each in paired) / (n - 1)
    return total + max(0.0, (square - rests) / n)


@pytest.mark.parametrize("image_spread", [0.0, 1.0])
@pytest.mark.parametrize("seeds", [(3, 3), (3, 5)])
def test_the_variance_is_its_formula_sum_by_sum(seeds, image_spread):
    rng = np.random.default_rng(1)
    one, other = (draw(rng, s, 20, image_spread=image_spread) for s in seeds)
    assert variance_of(one, other) == pytest.approx(slow_variance(one, other), rel=1e-12)


def test_what_all_networks_find_hard_alike_leaves_the_variance_alone():
    rng = np.random.default_rng(2)
    one, other = draw(rng, 3, 50), draw(rng, 3, 50)
    hard = 10 * rng.standard_normal(50)
    hard -= hard.mean()
    assert variance_of(one + hard, other + hard) == pytest.approx(variance_of(one, other), rel=1e-9)


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (20, 20), (3, 8)])
@pytest.mark.parametrize("spreads", [(0.01, 0.5), (0.03, 0.3)])
def test_intervals_hold_as_often_as_they_say(seeds, spreads):
    # 95% less 4 standard errors of 300 draws; where both parts count, the limits taken apart are wary by a few per cent
    rng, inside, variances = np.random.default_rng(3), 0, []
    for _ in range(300):
        found = difference_of(*(draw(rng, s, 200, *spreads) for s in seeds))
        inside += found.low < 0  # the truth is 0
        variances.append(found.error**2)
    assert inside / 300 > 0.95 - 0.05
    # the part of the seeds, of the images, and of what neither explains
    truth = sum(spreads[0] ** 2 / s + spreads[1] ** 2 / 200 + 0.3**2 / s / 200 for s in seeds)
    error = np.std(variances) / 300**0.5
    assert abs(np.mean(variances) - truth) < 4 * error + 0.03 * truth  # the maximum with 0 adds up to 3%


def test_without_the_images_intervals_are_too_narrow():
    rng, inside = np.random.default_rng(4), 0
    for _ in range(400):
        one, other = draw(rng, 5, 200, 0.01, 0.5), draw(rng, 5, 200, 0.01, 0.5)
        inside += stats.ttest_ind(one.mean(1), other.mean(1), equal_var=False).pvalue > 0.05
    assert inside / 400 < 0.7


def test_an_image_without_a_number_is_left_out_for_all():
    rng = np.random.default_rng(6)
    one, other = draw(rng, 3, 30), draw(rng, 4, 30)
    one[1, 7] = np.nan
    found = components({"a": one, "b": other})
    assert found == components({"a": np.delete(one, 7, 1), "b": np.delete(other, 7, 1)})
    assert found.images == 29


def test_components_come_back_from_a_document():
    rng = np.random.default_rng(7)
    found = components({name: draw(rng, 3, 30) for name in ("none", "fmix", "cutmix")})
    assert Components.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert Components.from_json(None) is None
    assert found.image_variance("none", "fmix") == found.image_variance("fmix", "none") > 0


def test_one_seed_has_no_components():
    rng = np.random.default_rng(8)
    assert components({"a": draw(rng, 1, 30), "b": draw(rng, 3, 30)}) is None
    assert components({"a": draw(rng, 1, 30), "b": draw(rng, 3, 30), "c": draw(rng, 3, 30)}).augmentations == ("b", "c")
