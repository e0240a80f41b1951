import math

import numpy as np
import pandas as pd
import pytest

from attacks.sentences import (
    WORST,
    leads,
    mean_over_sizes,
    share_scores,
    shares_of_clean,
    summary_table,
    survival,
    sweep_conclusions,
)  # fmt: skip
from findings.components import components

EPSILONS = (0.0, 0.1, 0.2, 0.3)


def verdicts(rng, images, strength=1.0):
    """(E, N): images wrong from the start in a fifth, the others broken from some ε on, and for good."""
    first = np.where(rng.random(images) < 0.2, 0, 1 + rng.binomial(3, 0.5 * strength, images))
    return np.arange(len(EPSILONS))[:, None] >= first


def rows_of(broken, augmentation, seed):
    return [
        {"curve": "robust", "estimator": WORST, "augmentation": augmentation, "seed": seed, "epsilon": epsilon,
         "value": 100 * (1 - at.mean()), "n": broken.shape[1]}
        for epsilon, at in zip(EPSILONS, broken, strict=True)
    ]  # fmt: skip


def test_a_robust_curve_holds_the_error_of_its_mean_over_images():
    broken = verdicts(np.random.default_rng(0), 40)
    table = pd.DataFrame(rows_of(broken, "none", 1) + rows_of(broken, "none", 2))
    left = survival(broken, EPSILONS)
    found = mean_over_sizes(table, "robust").iloc[0]
    assert found["mean"] == pytest.approx(left.mean())
    assert found["image_error"] == pytest.approx(left.std(ddof=1) / 40**0.5)
    assert found["n"] == 40


def test_a_share_and_its_error_are_those_of_the_scores():
    broken = verdicts(np.random.default_rng(1), 60)
    scores = share_scores(survival(broken, EPSILONS), broken[0])
    right = ~broken[0]
    assert scores.mean() == pytest.approx(100 * np.mean([(1 - at.mean()) / right.mean() for at in broken[1:]]))
    found = shares_of_clean(pd.DataFrame(rows_of(broken, "none", 1)), "robust").iloc[0]
    assert found["mean"] == pytest.approx(scores.mean())
    assert found["image_error"] == pytest.approx(scores.std() / 59**0.5)


def test_scores_of_a_ratio_vary_as_the_ratio_does():
    rng = np.random.default_rng(2)
    ratios, errors = [], []
    for _ in range(2000):
        broken = verdicts(rng, 200)
        scores = share_scores(survival(broken, EPSILONS), broken[0])
        ratios.append(scores.mean())
        errors.append(scores.var(ddof=1) / 200)
    # a variance of 2,000 values has a relative error of 3.2%
    assert np.mean(errors) == pytest.approx(np.var(ratios), rel=0.13)
    assert math.isnan(share_scores(np.zeros(3), np.ones(3, bool))[0])


def record(augmentation, kind, **rest):
    return {"augmentation": augmentation, "seed": 1, "record": {"kind": kind} | rest}


def lead(augmentation, left, by_sweep):
    found = f"{left:.1f}% left by it, {by_sweep:.1f}% by the sweep, at ε = 0.02 on 50 images"
    check = {"name": "AutoAttack breaks hardly more than the sweep", "verdict": "pass", "found": found}
    return record(augmentation, "attacks", checks=[check])


RUNS = [
    lead("none", 40, 42), lead("none", 40, 44), lead("mixup", 40, 50), lead("mixup", 38, 52),
    record("none", "classifier", metrics={"accuracy": 0.87, "n": 10_000}),
    record("mixup", "classifier", metrics={"accuracy": 0.84, "n": 10_000}),
]  # fmt: skip


def sweep(rng, gap):
    tables, scores = [], {"none": [], "mixup": []}
    hard = rng.random(200)
    for name in scores:
        for seed in range(1, 4):
            first = np.where(
                hard < 0.2, 0, 1 + (3 * np.clip(hard - 0.2 + gap * (name == "mixup"), 0, 0.99)).astype(int)
            )
            first[rng.integers(200)] = 0
            broken = np.arange(len(EPSILONS))[:, None] >= first
            tables += rows_of(broken, name, seed)
            scores[name].append(survival(broken, EPSILONS))
    return pd.DataFrame(tables), components({name: np.stack(each) for name, each in scores.items()})


def test_verdicts_of_single_images_narrow_what_their_errors_would_widen():
    table, parts = sweep(np.random.default_rng(3), 0.04)
    kept = sweep_conclusions(table, "robust", {f"attack {WORST}": parts.as_json()}, [])
    assert "MixUp is above the baseline by" in kept.partition("share of clean")[0]
    without = sweep_conclusions(table, "robust", {}, [])
    assert (
        "Not told apart, and if the difference is what it seems no number of seeds"
        in without.partition("share of clean")[0]
    )
    assert "wider than they need be" in without
    assert "wider than they need be" not in kept
    assert "3 seeds, 200 images" in kept


def test_the_attacks_weakness_stands_beside_a_difference_in_the_worst_case():
    assert leads(RUNS)["mixup"][:3] == (12.0, pytest.approx(2**0.5 * 2), 50)
    table, parts = sweep(np.random.default_rng(3), 0.04)
    text = sweep_conclusions(table, "robust", {f"attack {WORST}": parts.as_json()}, RUNS)
    assert "AutoAttack's lead of 12.0 (MixUp) and 3.0 points (the baseline) could explain" in text
    assert "on all 10,000 test images 87.0%, 84.0%" in text
    backwards = [run | {"augmentation": {"none": "mixup", "mixup": "none"}[run["augmentation"]]} for run in RUNS]
    text = sweep_conclusions(table, "robust", {}, backwards)
    assert "of the difference between MixUp and the baseline, nothing" in text
    shown = summary_table(table, "robust", RUNS)
    assert "12.0 ± 2.8" in str(shown)
    assert "200 images, %" in str(shown)
