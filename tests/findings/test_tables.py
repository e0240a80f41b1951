import pytest

from findings.over_seeds import headlines


@pytest.mark.parametrize("flag", ["saturated", "heavy_tailed"])
@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ((False, False), False),
        ((False, True), True),
        ((None, None), None),
        ((None, True), True),
        ((None, False), False),
    ],
)
def test_a_headline_is_flagged_where_any_seed_is(flag, seeds, expected):
    row = {"inputs": "clean", "augmentation": "none", "estimator": "rate", "noise": None, "saturated": None}
    rows = [row | {"value": float(seed), "seed": seed, flag: value} for seed, value in enumerate(seeds)]
    (found,) = headlines(rows)
    assert found[flag] is expected
    assert found["seed"] is None


def test_rows_from_before_a_flag_existed_have_none():
    row = {"inputs": "clean", "augmentation": "none", "estimator": "rate", "noise": None, "saturated": False}
    (found,) = headlines([row | {"value": 1.0, "seed": seed} for seed in (1, 2)])
    assert found["heavy_tailed"] is None
