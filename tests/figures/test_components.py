import json

import numpy as np
import pytest
from scipy import stats

from figures.components import Components, components, paired_variance


def draw(rng, seeds, images, seed_spread=0.03, image_spread=0.3):
    """Scores of one augmentation: seeds, images and their interaction, all of them sampled; its true mean is 0."""
    return (
        seed_spread * rng.standard_normal((seeds, 1))
        + image_spread * rng.standard_normal(images)
        + 0.3 * rng.standard_normal((seeds, images))
    )


def variance_of(one, other):
    squares = (each.mean(1).var(ddof=1) for each in (one, other))
    return components({"a": one, "b": other}).pair_variance("a", "b", *squares, (len(one), len(other)))


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
    assert variance_of(one, other)[0] == pytest.approx(slow_variance(one, other), rel=1e-12)


def test_what_all_networks_find_hard_alike_leaves_the_variance_alone():
    rng = np.random.default_rng(2)
    one, other = draw(rng, 3, 50), draw(rng, 3, 50)
    hard = 10 * rng.standard_normal(50)
    hard -= hard.mean()
    assert variance_of(one + hard, other + hard) == pytest.approx(variance_of(one, other), rel=1e-9)


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (20, 20), (3, 8)])
@pytest.mark.parametrize("spreads", [(0.01, 0.5), (0.03, 0.3)])
def test_intervals_hold_as_often_as_they_say(seeds, spreads):
    # 95% within 4 standard errors of 500 draws, .039; Satterthwaite's approximation is wary by up to .012
    rng, inside, variances = np.random.default_rng(3), 0, []
    for _ in range(500):
        one, other = (draw(rng, s, 200, *spreads) for s in seeds)
        variance, freedom = variance_of(one, other)
        difference = one.mean() - other.mean()
        inside += abs(difference) < stats.t.isf(0.025, freedom) * variance**0.5
        variances.append(variance)
    assert 0.95 - 0.039 < inside / 500 < 0.95 + 0.039 + 0.012
    # the part of the seeds, of the images, and of what neither explains
    truth = sum(spreads[0] ** 2 / s + spreads[1] ** 2 / 200 + 0.3**2 / s / 200 for s in seeds)
    error = np.std(variances) / 500**0.5
    assert abs(np.mean(variances) - truth) < 4 * error + 0.03 * truth  # the maximum with 0 adds up to 3%


def test_without_the_images_intervals_are_too_narrow():
    rng, inside = np.random.default_rng(4), 0
    for _ in range(400):
        one, other = draw(rng, 5, 200, 0.01, 0.5), draw(rng, 5, 200, 0.01, 0.5)
        inside += stats.ttest_ind(one.mean(1), other.mean(1), equal_var=False).pvalue > 0.05
    assert inside / 400 < 0.7


@pytest.mark.parametrize("seeds", [3, 20])
def test_pairs_of_seeds_share_what_they_share(seeds):
    rng, inside = np.random.default_rng(5), 0
    for _ in range(400):
        shared = 0.2 * rng.standard_normal((seeds, 1))  # which an unpaired variance would count twice
        one, other = draw(rng, seeds, 200) + shared, draw(rng, seeds, 200) + shared
        variance, freedom = paired_variance(one, other)
        inside += abs(one.mean() - other.mean()) < stats.t.isf(0.025, freedom) * variance**0.5
        assert variance < variance_of(one, other)[0] or seeds == 3
    assert abs(inside / 400 - 0.95) < 4 * (0.95 * 0.05 / 400) ** 0.5


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
    assert found.pair_variance("none", "fmix", 0.1, 0.2, (3, 3)) == found.pair_variance(
        "fmix", "none", 0.2, 0.1, (3, 3)
    )


def test_one_seed_has_no_components():
    rng = np.random.default_rng(8)
    assert components({"a": draw(rng, 1, 30), "b": draw(rng, 3, 30)}) is None
    assert components({"a": draw(rng, 1, 30), "b": draw(rng, 3, 30), "c": draw(rng, 3, 30)}).augmentations == ("b", "c")
