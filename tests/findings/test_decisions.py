"""What becomes of pairs of augmentations at a look, and how it is said."""

import numpy as np
import pytest

from findings.comparisons import LEVEL, LOOK_LEVEL, as_family, compare_augmentations
from findings.decisions import Decision, decide, decided, decisions_sentence, verdict_of
from findings.power import power
from findings.published import claims, compared, in_manner, margin_of
from findings.sentences import told_apart
from tests.cases import table_of

CONFIG = {"until": "decided", "seeds": 5, "most": 20, "margin": None}


def seeds_around(mean, spread=0.1, count=5):
    return mean + spread * np.linspace(-1, 1, count)


def test_each_verdict_where_it_belongs():
    groups = {"none": seeds_around(90), "mixup": seeds_around(92), "cutmix": seeds_around(90.02, 0.01)}
    groups |= {"fmix": seeds_around(90.01, 0.01)}
    found = compared("accuracy", table_of(groups), None, CONFIG)
    verdicts = {frozenset(one.pair): one.verdict for one in decide({"accuracy": found}, CONFIG)}
    assert verdicts[frozenset(("none", "mixup"))] == "differ"
    assert verdicts[frozenset(("cutmix", "fmix"))] == "equal"  # within 0.3 points
    # images whose draw is ten times the difference decide nothing, however many seeds there are
    table = table_of({"none": seeds_around(90), "mixup": seeds_around(90.5)}, image_error=5.0)
    (one,) = decide({"accuracy": compared("accuracy", table, None, CONFIG)}, CONFIG)
    assert (one.verdict, one.chance < 0.001) == ("futile", True)
    # two that spread as much as they differ take more seeds, which there are no more of at the last look
    table = table_of({"none": seeds_around(90, 1.0), "mixup": seeds_around(91.0, 1.0)})
    (one,) = decide({"accuracy": compared("accuracy", table, None, CONFIG)}, CONFIG)
    assert (one.verdict, 0.3 < one.chance < 1) == ("open", True)
    last = CONFIG | {"seeds": 20}
    assert [one.verdict for one in decide({"accuracy": compared("accuracy", table, None, last)}, last)] == ["open"]
    # nothing may be claimed where the draw of the images is not known
    table = table_of({"none": seeds_around(90), "mixup": seeds_around(92)}, image_error=np.nan)
    assert [one.verdict for one in decide({"accuracy": compared("accuracy", table, None, CONFIG)}, CONFIG)] == [
        "withheld"
    ]


def test_a_fixed_number_of_seeds_decides_nothing():
    fixed = {"until": None, "seeds": 5, "most": 20}
    found = compared("accuracy", table_of({"none": seeds_around(90), "mixup": seeds_around(92)}), None, fixed)
    assert not found.looks
    assert decide({"accuracy": found}, fixed) == []
    assert decisions_sentence([], fixed) == ""


def test_nothing_to_compare_is_not_decided():
    assert decide({"accuracy": None}, CONFIG) == []
    assert not decided([])
    assert "Nothing can be compared." in decisions_sentence([], CONFIG)


def test_what_is_claimed_after_looks_is_claimed_at_the_lower_level():
    rng = np.random.default_rng(0)
    between = 0
    for _ in range(200):
        table = table_of({"none": rng.normal(0, 1, 5), "mixup": rng.normal(1.5, 1, 5)})
        once = compare_augmentations(table).differences[0]
        after = compare_augmentations(table.assign(looks=True)).differences[0]
        assert after.p == pytest.approx(min(once.p * LEVEL / LOOK_LEVEL, 1))
        assert after.claimed == (once.p < LOOK_LEVEL)
        assert (after.low > 0) == after.claimed
        assert after.seeds_needed >= once.seeds_needed
        between += once.claimed and not after.claimed
    assert between > 5  # or nothing was compared


def test_equality_needs_both_sides_within_the_margin():
    near = table_of({"none": seeds_around(90, 0.1), "mixup": seeds_around(90.2, 0.1)})
    error = compare_augmentations(near).differences[0].error
    margins = 0.2 + error * np.array([0.5, 1.5, 2.5, 5.0])
    found = [compare_augmentations(near.assign(margin=margin)).differences[0] for margin in margins]
    p = [pair.p_equal for pair in found]
    assert p == sorted(p, reverse=True)
    assert [pair.equal for pair in found] == [False, False, True, True]  # t of 8 degrees of freedom at 5%: 1.86
    assert not compare_augmentations(near.assign(margin=0.1)).differences[0].equal  # the difference is larger
    assert not compare_augmentations(near).differences[0].equal  # no margin is stated


def test_a_family_of_equalities_is_corrected_for():
    near = table_of({"none": seeds_around(90, 0.1), "mixup": seeds_around(90.2, 0.1)}).assign(margin=0.35)
    alone = compare_augmentations(near).differences[0]
    together = as_family([alone] * 10)
    assert together[0].p_equal == pytest.approx(min(10 * alone.p_equal, 1))


def test_margins_of_sizes_are_shares_of_them():
    table = table_of({"none": seeds_around(80), "fmix": seeds_around(84)})
    assert margin_of("rate", table) == pytest.approx(0.025 * 82)
    assert margin_of("accuracy", table) == 0.3
    assert margin_of("worst case share", table) is None
    assert in_manner(table, {"margin": 4.0}, "rate")["margin"].eq(4.0).all()
    assert not in_manner(table, {}, "rate")["looks"].any()  # older documents have neither


def test_the_words():
    decisions = [
        Decision("accuracy", ("none", "mixup"), "differ"),
        Decision("accuracy", ("none", "fmix"), "equal"),
        Decision("accuracy", ("mixup", "fmix"), "futile", 0.04),
        Decision("uniform noise", ("none", "cutmix"), "open", 0.514),
    ]
    assert decisions_sentence(decisions, CONFIG) == (
        "Seeds until decided: 5 of at most 20, compared at 3 and 5, each time at 1%, so that a family errs in 5% "
        "over all of them. Of 4 pairs, 1 told apart, 1 equal within the margin, 1 given up because more seeds would "
        "hardly decide them (chance of being decided by 20 seeds: accuracy, MixUp and FMix 4%) and 1 open (chance of "
        "being decided by 20 seeds: uniform noise, the baseline and CutMix 51%)."
    )


def test_a_table_says_what_would_decide():
    table = table_of({"none": seeds_around(90), "mixup": seeds_around(90.05), "fmix": seeds_around(93)})
    text = "\n".join(told_apart(compared("accuracy", table, None, {}), "Accuracy", "points", 2))
    assert "- Equal within ±0.3 points: MixUp and the baseline (p = 0.0" in text
    wide = table_of({"none": seeds_around(90, 1), "mixup": seeds_around(90.5, 1)})
    comparison = compared("accuracy", wide, None, {})
    text = "\n".join(told_apart(comparison, "Accuracy", "points", 2))
    needed = comparison.differences[0].seeds_needed
    assert 10 < needed < 100
    assert f"MixUp and the baseline (p = {comparison.differences[0].p:.2f}; {needed:.0f} seeds)." in text
    folds = "\n".join(told_apart(comparison, "Accuracy", "points", 2, replicates="folds"))
    assert f"- Not told apart: MixUp and the baseline (p = {comparison.differences[0].p:.2f})." in folds


def test_the_difference_that_would_be_found_is_found_as_often_as_it_says():
    table = table_of({"none": seeds_around(90, 1), "mixup": seeds_around(90.5, 1), "fmix": seeds_around(91, 1)})
    for looks in (False, True):
        found = compare_augmentations(table.assign(looks=looks))
        pair = found.differences[0]
        assert float(power(found.detectable, pair.error, 8, 0.0, pair.level / 3)) == pytest.approx(0.8, abs=0.005)


def test_unlike_numbers_of_seeds_are_taken_for_what_they_are_worth():
    rng = np.random.default_rng(1)
    one = {"none": seeds_around(0.0, 1.0, 3), "mixup": seeds_around(1.0, 1.0, 20)}
    alike = {"none": seeds_around(0.0, 1.0, 3), "mixup": seeds_around(1.0, 1.0, 3)}
    spreads = {name: values.std(ddof=1) for name, values in one.items()}
    pair = compare_augmentations(table_of(one)).differences[0]
    per_seed = spreads["none"] ** 2 + spreads["mixup"] ** 2
    assert pair.seed_error**2 == pytest.approx(per_seed / pair.balanced)
    assert 3 < pair.balanced < 20
    assert compare_augmentations(table_of(alike)).differences[0].balanced == pytest.approx(3)
    # were it as many seeds of both, as many more are needed as from a table with that many
    count = int(pair.seeds_needed)
    values = {name: rng.permutation(seeds_around(mean, 1.0, count)) for name, mean in (("none", 0.0), ("mixup", 1.0))}
    scale = {name: spreads[name] / of.std(ddof=1) for name, of in values.items()}
    spread = {name: of.mean() + scale[name] * (of - of.mean()) for name, of in values.items()}
    there = compare_augmentations(table_of(spread)).differences[0]
    assert there.seeds_needed == pytest.approx(count, rel=0.1)


@pytest.mark.parametrize(("claim", "verdict"), [(("rate", False), "are equal"), (("attack worst case", True), "holds")])
def test_statements_about_equal_augmentations(claim, verdict):
    measure, denied = claim
    statement = next(one for one in claims(measure) if one.denied == denied)
    table = table_of({statement.above: seeds_around(50, 0.01), statement.below: seeds_around(50.001, 0.01)})
    pair = compared(measure, table, None, {}).between(statement.above, statement.below)
    assert pair.equal
    assert not pair.claimed
    assert statement.verdict(pair) == verdict


def test_a_verdict_is_open_only_while_seeds_can_be_added_or_have_run_out():
    asked = {"different": False, "equal": False, "withheld": False}
    assert verdict_of(**asked, chance=0.5, last=False) == "open"
    assert verdict_of(**asked, chance=0.05, last=False) == "futile"
    assert verdict_of(**asked, chance=0.05, last=True) == "open"
    assert verdict_of(**asked | {"equal": True, "different": True}, chance=1, last=False) == "differ"
