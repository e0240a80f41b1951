"""The sentences say what the numbers say."""

import numpy as np
import pytest

from analysis.mutual_info.sentences import (
    _shared_rows,
    certified_pairs,
    certified_profile,
    certified_shared,
    coded_worse,
    conclusions,
    difference_conclusions,
    published_conclusions,
    scale_conclusions,
    shared_conclusions,
    trained_conclusions,
)
from analysis.mutual_info.table import decomposition_text, shared_table, summarise, text_table
from findings.comparisons import compare_augmentations
from findings.under_trained import LINEAR
from tests.cases import rows_of

SETTINGS = {
    "seeds": 3, "decoder_scale": 1.0, "data": "CIFAR-10", "train_images": 50_000, "epochs": 100, "preset": "reference",
    "normalisation": "reference",
}  # fmt: skip


def test_a_difference_in_the_rate_alone():
    rows = rows_of({"mixup": (11.0, 10.5, 7.9), "cutmix": (15.0, 13.5, 8.5)}, spread=0.3)
    text = difference_conclusions(summarise(rows))
    assert "CutMix's rate exceeds MixUp's by 4.00 nats (3 seeds, p < 0.001), and so does its R_m by 3.00 nats" in text
    assert "their MI is not certified to differ." in text
    assert "(3 seeds, 10,000 images; Welch's test, Holm's correction over one pair, 5%" in text
    assert "Over seeds the rate spreads by 0.30 nats: a true difference of" in text


def test_a_certified_difference():
    rows = rows_of({"none": (5.0, 4.9, 4.8), "mixup": (2.0, 1.9, 1.8)})
    text = difference_conclusions(summarise(rows))
    assert "The baseline's rate exceeds MixUp's by 3.00 nats" in text
    assert "their MI is certified to differ, the baseline's being the higher." in text


def test_a_certified_difference_against_the_order_of_the_rates():
    rows = rows_of({"none": (5.0, 1.9, 1.8), "mixup": (4.0, 3.9, 3.8)})
    text = difference_conclusions(summarise(rows))
    assert "The baseline's rate exceeds MixUp's by 1.00 nats" in text
    assert "though its R_m does not (-2.00 nats); yet MixUp's MI is certified to be the higher" in text


def test_what_is_not_told_apart():
    rows = rows_of({"none": (5.0, 4.9, 3.0), "mixup": (5.1, 5.0, 3.0), "fmix": (9.0, 8.9, 3.0)}, spread=0.5)
    text = difference_conclusions(summarise(rows))
    assert "FMix's rate exceeds the baseline's by 4.00 nats" in text
    assert text.endswith(
        "- Not told apart in the rate, and if the difference is what it seems no number of seeds on these 10,000 "
        "images would, whose draw is the limit: MixUp and the baseline (p = 0.90)."
    )
    # an R_m that is closer than its spread
    rows = rows_of({"none": (5.0, 4.9, 3.0), "fmix": (9.0, 5.0, 3.0)}, spread=0.5)
    assert "its R_m by 0.10 nats, which is not told apart from none (p = 0.9" in difference_conclusions(summarise(rows))


def test_a_richer_marginal_is_named():
    rows = rows_of({"none": (12.0, 11.5, 8.4), "mixup": (11.0, 10.5, 7.9)})
    extra = [row | {"estimator": "mixture_marginal", "value": row["value"] - 2} for row in rows
             if row["estimator"] == "gaussian_marginal"]  # fmt: skip
    text = conclusions(summarise(rows + extra), SETTINGS)
    assert "A mixture in place of the one Gaussian, fitted on the training images, brings the upper bound to" in text
    assert "to baseline 9.50, MixUp 8.50: what it takes off R_m was never information." in text
    assert "A mixture" not in conclusions(summarise(rows), SETTINGS)


@pytest.mark.parametrize("with_rate", [True, False])
def test_the_parts_of_a_rate_are_in_one_line(with_rate):
    rows = rows_of({"mixup": (10.0, 9.0, 8.9)})
    parts = {"marginal_kl": 1.5, "total_correlation": 0.9, "dimensionwise_kl": 0.6, "active_units": 7}
    for seed in (1, 2, 3):
        for estimator, value in parts.items():
            rows.append(rows[0] | {"estimator": estimator, "value": value, "seed": seed, "saturated": True})
    table = summarise(rows)
    text = decomposition_text(table if with_rate else table[table["estimator"] != "rate"])
    start = "rate 10.00 = I_N 8.50 +" if with_rate else "KL(q_N‖p) 1.50 ="
    assert f"- MixUp, clean: {start} TC 0.90 + dimension-wise KL 0.60; 7.0 active units; saturated" in text


def test_one_seed_tells_nothing_apart():
    assert difference_conclusions(summarise(rows_of({"none": (5, 4, 3), "mixup": (9, 8, 3)}, seeds=1))) == ""


def test_noise_levels_are_paid_for():
    # a difference that only just is certified alone, and no longer with four levels of noise that say nothing
    def table(gap: float, levels: int):
        rows = rows_of({"none": (5.0, 4.0 + gap, 3.0 + gap), "mixup": (5.0, 3.0, 2.0)}, spread=0.05)
        for level in range(levels):
            rows += [row | {"noise": 1.0 + level, "value": row["value"] + 90 * (row["direction"] == "upper")}
                     for row in rows_of({"none": (5, 4, 0.1), "mixup": (5, 4, 0.1)}, spread=0.05)]  # fmt: skip
        return summarise(rows)

    def smallest(levels: int) -> float:
        return next(gap for gap in np.arange(0, 3, 0.03) if certified_pairs(table(gap, levels)))

    alone, with_one, with_four = smallest(0), smallest(1), smallest(4)
    assert alone < with_one < with_four
    assert certified_profile(table(with_four, 4))[0.0] == [("none", "mixup")]
    text = conclusions(table(with_four, 4), SETTINGS)
    assert "certified at 99% over all pairs and noise levels (wrong in up to 3.5% if seeds were skewed" in text
    assert "spread unequally): baseline above MixUp" in text


def test_noise_limits_fail_in_one_experiment_of_a_hundred():
    # tight bounds, three augmentations that are the same, four levels: at most 1% wrong; 60 experiments
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(60):
        rows = []
        for level, value in ((None, 3.0), (0.5, 2.5), (1.0, 2.0), (2.0, 1.0)):
            part = rows_of(dict.fromkeys(("none", "mixup", "fmix"), (value, value, value)), spread=0.0)
            shared = {estimator: rng.normal(0, 0.02) for estimator in ("rate", "gaussian_marginal", "infonce")}
            seeds = {(row["augmentation"], row["seed"]): rng.normal(0, 0.1) for row in part}
            for row in part:
                row["standard_error"], row["noise"] = 0.02, level
                row["value"] += shared[row["estimator"]] + seeds[row["augmentation"], row["seed"]]
            rows += part
        wrong += any(certified_profile(summarise(rows)).values())
    assert wrong <= 3  # P < 0.004 if the rate were 1%


def test_what_changes_with_the_decoder_scale():
    one = summarise(rows_of({"none": (3.0, 2.9, 2.8), "mixup": (2.0, 1.9, 1.8), "fmix": (2.5, 2.45, 0.5)}))
    other = summarise(rows_of({"none": (12.0, 11, 5.8), "mixup": (11.0, 10, 5.8), "fmix": (13.0, 12, 5.8)}))
    text = scale_conclusions({1.0: one, 0.3: other})
    assert "Over decoder scales 1 and 0.3." in text
    assert "at 1, MixUp 2.0 < FMix 2.5 < baseline 3.0; at 0.3, MixUp 11.0 < baseline 12.0 < FMix 13.0" in text
    assert "The order of the mean rates changes with the scale." in text
    assert "at every scale (5%): the baseline above MixUp and FMix above MixUp." in text
    assert "Reversed between scales: FMix above the baseline at 0.3 and below at 1." in text
    assert "Certified in I(Z;X), 99% over all pairs at each scale: at 1, the baseline above MixUp" in text
    assert "at 0.3, nothing." in text
    assert scale_conclusions({1.0: one}) == ""
    same = scale_conclusions({1.0: other, 0.3: other})
    assert "is the same at every scale" in same
    assert "Nothing is certified in I(Z;X) at any scale" in same


def test_a_difference_at_one_scale_only():
    near = summarise(rows_of({"none": (3.0, 2.9, 0.1), "mixup": (3.01, 2.9, 0.1)}, spread=0.5))
    apart = summarise(rows_of({"none": (12.0, 11, 5.8), "mixup": (9.0, 8, 5.8)}))
    text = scale_conclusions({1.0: near, 0.3: apart})
    assert "Told apart in the rate at some scales only: the baseline above MixUp (at 0.3)." in text
    assert "Told apart in the rate at no scale: mixup" not in text
    text = scale_conclusions({1.0: near, 0.3: near})
    assert "Told apart in the rate at no scale: MixUp and the baseline." in text


@pytest.mark.parametrize(
    ("value", "spread", "verdict"), [(83.5, 0.5, "agrees"), (78.0, 0.5, "differs"), (83.0, 4.0, "not distinguishable")]
)
def test_published_values_get_a_verdict_at_their_own_scale(value, spread, verdict):
    table = summarise(rows_of({"none": (80.0, 70, 9), "fmix": (value, 70, 9)}, spread=spread))
    text = published_conclusions(table, SETTINGS)
    assert f"published 83.67 ± 0.89 (5 trials), here {value:.2f} ± {spread:.2f} (3 seeds)" in text
    assert f"margin 2 nats: {verdict}." in text
    assert "comparable" not in text


def test_at_another_scale_nothing_agrees_or_differs():
    table = summarise(rows_of({"none": (80.0, 70, 9), "fmix": (83.6, 70, 9)}, spread=0.1))
    smaller = SETTINGS | {"data": "digits", "train_images": 1437, "preset": "default", "decoder_scale": 0.3}
    text = published_conclusions(table, smaller)
    assert "margin 2 nats: not comparable." in text
    assert "Not comparable because of digits instead of CIFAR-10, 1,437 instead of 50,000 training images" in text
    assert "decoder scale 0.3 instead of 1, the default instead of the reference settings." in text


def test_the_papers_orderings_get_a_verdict():
    table = summarise(rows_of({"none": (80.0, 70, 9), "mixup": (78.0, 70, 9), "cutmix": (79.0, 70, 9)}, spread=0.2))
    text = published_conclusions(table, SETTINGS)
    assert "the rate of the baseline is above that of MixUp: holds here (p = 0.001)" in text
    assert "the rate of CutMix is above that of the baseline: is reversed here (p = 0.025)" in text
    assert "of FMix" not in text
    noisy = summarise(rows_of({"none": (80.0, 70, 9), "mixup": (79.9, 70, 9)}, spread=1.0))
    assert (
        "the rate of the baseline is above that of MixUp: cannot be told here (p = 0.95; no number of seeds on"
        in published_conclusions(noisy, SETTINGS)
    )


def test_what_is_shared_is_put_into_words():
    rows = []
    for noise, values in ((None, (2.0, 0.5, 9.0, 4.0)), (1.0, (1.0, 0.9, 1.1, 2.0))):
        estimators = ("critic", "three_term_lower", "three_term_upper", "data_processing")
        for estimator, value in zip(estimators, values, strict=True):
            rows += [
                row | {"estimator": estimator, "value": value, "noise": noise, "saturated": estimator == "critic"}
                for row in rows_of({"mixup": (1, 1, 1)})
                if row["estimator"] == "rate"
            ]
        # records from before it was withdrawn hold an estimate that the table passes over
        for estimator in ("three_term_gaussian", "three_term_index"):
            rows += [
                row | {"estimator": estimator, "value": 1.0, "noise": noise, "saturated": False}
                for row in rows_of({"mixup": (1, 1, 1)})
                if row["estimator"] == "rate"
            ]
    table = summarise(rows)
    text = shared_conclusions(table)
    assert "Between the held-out critic and data processing, in nats: MixUp 2.00 to 4.00." in text
    assert "With noise s = 1 in both codes, between the two sides of the identity: MixUp 0.90 to 1.10." in text
    lines = str(shared_table(table)).splitlines()
    assert "2.00 ± 0.00 *" in lines[4]
    assert lines[4].split()[:2] == ["MixUp", "0"]
    assert lines[5].split()[:2] == ["MixUp", "1"]
    assert shared_conclusions(table[table["estimator"] == "rate"]) == ""


def flagged(rows: list[dict], **flags: bool | None) -> list[dict]:
    """The same rows, the VAEs of some augmentations under-trained or not."""
    return [row | {"under_trained": flags.get(row["augmentation"])} for row in rows]


def elbo_rows(values: dict[str, tuple[float, float]], linear: float = 50.0, error: float | None = 0.1) -> list[dict]:
    """Rows of −ELBO on clean and on own-augmented inputs, less the baseline's, and of the linear VAE beside them."""
    rows = []
    template = rows_of({"none": (1, 1, 1)}, seeds=1)[0] | {"direction": None, "standard_error": error}
    where = [(name, seed) for name in values for seed in (1, 2, 3)]
    for name, seed in where:
        own = template | {"augmentation": name, "seed": seed, "fitted_on": None}
        for inputs, value in zip(("clean", "own-augmented"), values[name], strict=True):
            rows.append(own | {"inputs": inputs, "estimator": "negative_elbo", "value": value + 0.2 * seed})
        if name != "none":
            excess = values[name][0] - values["none"][0] + 0.05 * (seed - 2)
            rows.append(own | {"estimator": "negative_elbo_excess", "value": excess})
        fitted = own | {"inputs": "own-augmented", "augmentation": LINEAR, "fitted_on": name}
        rows.append(fitted | {"estimator": "negative_elbo", "value": linear})
    clean = template | {"augmentation": LINEAR, "seed": 1, "fitted_on": "none", "estimator": "negative_elbo"}
    return [*rows, clean | {"value": linear}]


def test_nothing_is_claimed_of_an_under_trained_vae():
    values = {"none": (5.0, 4.9, 4.8), "mixup": (2.0, 1.9, 1.8), "fmix": (8.0, 7.9, 7.8)}
    trained = summarise(flagged(rows_of(values), none=False, mixup=False, fmix=False))
    assert set(certified_pairs(trained)) == {("none", "mixup"), ("fmix", "none"), ("fmix", "mixup")}
    table = summarise(flagged(rows_of(values), none=False, mixup=True, fmix=False))
    assert certified_pairs(table) == [("fmix", "none")]
    text = difference_conclusions(table)
    assert "FMix's rate exceeds the baseline's by 3.00 nats (3 seeds, p < 0.001)" in text
    assert "MixUp's by" not in text.partition("Not claimed")[0]
    assert "worse than a linear model of its data: FMix's rate above MixUp's by 6.00 nats (p < 0.001); the" in text
    assert "of the baseline is above that of MixUp: no verdict, under-trained" in published_conclusions(table, SETTINGS)
    assert [line.split("  ")[0] for line in str(text_table(table, "T")).splitlines()].count("MixUp ‡") == 1
    assert "‡ under-trained: " in str(text_table(table, "T"))
    assert "‡" not in str(text_table(trained, "T"))
    alone = summarise(flagged(rows_of(values), none=True, mixup=True, fmix=False))
    assert certified_pairs(alone) == []
    assert "certified" not in conclusions(alone, SETTINGS)
    assert "Other differences are not claimed, because one of the two is worse" in scale_conclusions(
        {1.0: table, 0.3: table}
    )


def test_which_vaes_are_worse_than_the_linear_one_is_said_with_both_numbers():
    rows = flagged(
        elbo_rows({"none": (48.0, 47.0), "mixup": (60.0, 55.0), "fmix": (52.0, 49.0)}), none=False, mixup=True
    )
    text = trained_conclusions(summarise(rows))
    assert "worse than the linear VAE: MixUp (55.4 nats an image against 50.0). No claim" in text
    assert "Not worse: the baseline (47.4 nats an image against 50.0)." in text
    assert "Not known of FMix, whose errors on inputs like their own were not recorded." in text
    # an older record: clean images alone, and the baseline alone is known
    older = [row for row in rows if row["inputs"] == "clean"]
    text = trained_conclusions(summarise(flagged(older, none=True)))
    assert "the baseline (48.4 nats an image against 50.0)" in text
    assert trained_conclusions(summarise(rows_of({"none": (1, 1, 1)}))) == ""


def test_how_much_worse_clean_images_are_coded_is_paired_by_seed_and_image():
    # the VAEs of a seed lie 10 nats apart between seeds, their differences .05
    rows = elbo_rows({"none": (48.0, 47.0), "mixup": (60.0, 55.0), "fmix": (47.0, 46.0)})
    rows = [row | {"value": row["value"] + 10 * row["seed"]} if row["estimator"] == "negative_elbo" else row
            for row in rows]  # fmt: skip
    table = summarise(flagged(rows, none=False, mixup=False, fmix=False))
    found = {(each.higher, each.lower): each for each in coded_worse(table)}
    assert set(found) == {("mixup", "none"), ("none", "fmix")}
    mixup = found["mixup", "none"]
    assert mixup.value == pytest.approx(12.0)
    assert mixup.error == pytest.approx((0.05**2 / 3 + 0.1**2) ** 0.5)
    assert mixup.claimed
    assert found["none", "fmix"].claimed
    text = trained_conclusions(table)
    assert "MixUp worse by 12.0 nats an image (+11.7 to +12.3 worse, p < 0.001)" in text
    assert "FMix better by 1.0 nats an image (−1.3 to −0.7 worse, p < 0.001)" in text
    # what is not known of the images, and an under-trained baseline, leave the number and take the claim
    older = summarise([row | {"standard_error": None} for row in rows])
    assert "MixUp worse by 12.0 nats an image (not claimed: the images' draw is not known)" in trained_conclusions(
        older
    )
    poor = summarise(flagged(rows, none=True))
    assert not any(each.claimed for each in coded_worse(poor))
    assert "MixUp worse by 12.0 nats an image (not claimed: under-trained)" in trained_conclusions(poor)


def shared_rows(values: dict[str, dict[float | None, tuple[float, ...]]], spread: float, seeds: int = 3) -> list[dict]:
    """Rows of I(Z_A;Z_X): augmentation -> noise -> critic, data processing, and the two sides of the three terms."""
    estimators = ("critic", "data_processing", "three_term_lower", "three_term_upper")
    rows = []
    for name, levels in values.items():
        for noise, numbers in levels.items():
            for estimator, value in zip(estimators, numbers, strict=True):
                rows += [
                    row | {"quantity": "I(Z_A;Z_X)", "estimator": estimator, "noise": noise, "saturated": False}
                    for row in rows_of({name: (value, value, value)}, seeds, spread) if row["estimator"] == "rate"
                ]  # fmt: skip
    return rows


def test_what_is_shared_is_certified_by_the_rule_fixed_beforehand():
    # without noise by critic and data processing, with noise by the three terms, whatever the others say
    values = {
        "none": {None: (5.0, 5.1, 0.0, 99.0), 1.0: (0.0, 99.0, 2.0, 2.1)},
        "mixup": {None: (3.0, 3.1, 0.0, 99.0), 1.0: (0.0, 99.0, 2.0, 2.1)},
        "fmix": {None: (5.0, 5.1, 9.0, 9.1), 1.0: (9.0, 9.1, 1.0, 1.1)},
    }
    certified = certified_shared(summarise(shared_rows(values, 0.01)))
    assert set(certified[0.0]) == {("none", "mixup"), ("fmix", "mixup")}
    assert set(certified[1.0]) == {("none", "fmix"), ("mixup", "fmix")}
    text = shared_conclusions(summarise(shared_rows(values, 0.01)))
    assert (
        "of the codes as they are, the baseline above MixUp and FMix above MixUp; at s = 1, the baseline above" in text
    )
    assert "With noise s = 1 in both codes, between the two sides of the identity: the baseline 2.00 to 2.10" in text
    assert "MixUp 95 to 105%; FMix 48 to 55%" in text
    assert (
        "The critic's bound as a share of the ceiling's, a ratio of bounds and no bound: MixUp 60%; FMix 100%." in text
    )
    for subject in ("held-out critic", "data processing", "lower side, at s = 1", "upper side, at s = 1"):
        assert f"{subject}" in text
    assert "MixUp is above FMix by 1.00 nats" in text
    poor = summarise(flagged(shared_rows(values, 0.01), none=False, mixup=True, fmix=False))
    assert all("mixup" not in pair for pairs in certified_shared(poor).values() for pair in pairs)
    lines = str(shared_table(summarise(shared_rows(values, 0.01)))).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("baseline")] == ["—", "—"]
    assert next(line for line in lines if line.startswith("FMix") and " 1 " in line).endswith("48 to 55%")


def test_two_baselines_that_share_networks_are_not_taken_for_independent_pairs():
    # pairs (1, 2), (2, 3), (3, 1) of the baseline; what a pair shares is the sum of a part of each: no true difference
    rng = np.random.default_rng(8)
    naive = corrected = 0
    count = 200
    for _ in range(count):
        a, b = rng.normal(0, 1, 3), rng.normal(0, 1, 3)
        numbers = {"none": b + np.roll(b, -1), "mixup": a + b}
        rows = []
        for name, values in numbers.items():
            base = next(row for row in rows_of({name: (0, 0, 0)}) if row["estimator"] == "rate")
            rows += [
                base | {"estimator": "critic", "value": value, "seed": seed, "standard_error": 0.0}
                for seed, value in enumerate(values, 1)
            ]
        table = summarise(rows)
        corrected += bool(compare_augmentations(_shared_rows(table)).found())
        naive += bool(compare_augmentations(table).found())
    assert corrected / count < 0.05 + 0.046  # three standard errors
    assert naive / count > corrected / count
    # with two seeds both pairs are the same one
    assert set(_shared_rows(table.assign(seeds=2))["augmentation"]) == {"mixup"}
