import math

import pandas as pd
import pytest

from findings.comparisons import compare_augmentations
from findings.published import Claim, beside, claims, claims_sentence, measures, published


def compared(values, spread, **more):
    each = {"std": spread, "seeds": 3, "image_error": 0.0, "n": 50} | more
    rows = [{"augmentation": name, "mean": mean} | each for name, mean in values.items()]
    return compare_augmentations(pd.DataFrame(rows))


def test_every_entry_is_readable_and_names_what_is_there():
    assert len(published()) == 15
    assert {each.measure for each in published() + claims()} <= set(measures())
    for each in published():
        assert each.margin > 0
        assert each.command.startswith("python -m ")
        assert each.setting["data"]
    assert str(published("rate")[0]) == "83.67 ± 0.89"
    assert str(published("gradcam_normalised")[0]) == "146 ± 5"
    assert [str(each) for each in published("accuracy")[:3]] == ["96.30 ± 0.08", "96.26 ± 0.04", "95.85 ± 0.10"]
    assert [str(each) for each in published("accuracy")[3:6]] == ["76.51", "76.27", "76.72"]


def test_verdicts_of_a_value():
    rate = published("rate")[0]
    setting = dict(rate.setting)
    assert rate.verdict((83.5, 0.5, 3), setting) == "agrees"
    assert rate.verdict((78.0, 0.5, 3), setting) == "differs"
    assert rate.verdict((83.0, 4.0, 3), setting) == "not distinguishable"
    assert rate.verdict((83.0, math.nan, 1), setting) == "not distinguishable"
    assert rate.verdict((83.5, 0.5, 3), setting | {"epochs": 20}) == "not comparable"
    assert rate.verdict(None, setting) == "not run"
    own_units = {name: value for name, value in setting.items() if name != "normalisation"}
    assert rate.verdict((83.5, 0.5, 3), own_units) == "not comparable"
    units = "units of the data's own mean and standard deviation instead of the reference code's"
    assert rate.otherwise(own_units) == [units]
    assert rate.stands_beside("fmix-reference")
    assert not rate.stands_beside("cutmix")


@pytest.mark.parametrize(
    ("denied", "mixup", "spread", "verdict"),
    [
        (False, 5.0, 0.1, "holds"), (False, -5.0, 0.1, "is reversed"), (False, 0.1, 1.0, "cannot be told"),
        (True, 5.0, 0.1, "is contradicted"), (True, -5.0, 0.1, "holds"), (True, 0.1, 1.0, "is not contradicted"),
    ],
)  # fmt: skip
def test_verdicts_of_a_claim(denied, mixup, spread, verdict):
    claim = Claim("Figure 1", "attack noise", "mixup", "none", "paper", denied)
    assert claim.verdict(compared({"none": 0.0, "mixup": mixup}, spread).between("mixup", "none")) == verdict
    assert claim.verdict(None) is None


@pytest.mark.parametrize(
    ("more", "verdict"),
    [({"image_error": math.nan}, "images not in the interval"), ({"under_trained": True}, "under-trained")],
)
def test_no_verdict_where_nothing_may_be_claimed(more, verdict):
    found = compared({"none": 10.0, "mixup": 8.0}, 0.001, **more)
    for claim in claims("rate"):
        if claim.above == "none":
            assert claim.verdict(found.between("none", "mixup")) == verdict
    assert f"no verdict, {verdict} (p < 0.001)" in claims_sentence("rate", found)


def test_numbers_of_another_network_are_not_put_beside():
    ours = {("accuracy", "fmix"): (98.0, 0.1, 3), ("accuracy", "fmix+mixup"): (96.3, 0.1, 3)}
    setting = dict(published("accuracy")[0].setting)
    text = beside(ours, setting)
    assert "96.30 ± 0.08" in text
    assert "98.64" not in text
    assert "76.72" not in text
    assert beside({("accuracy", "none"): (96.3, 0.1, 3)}, setting) == ""


def test_a_sentence_of_claims():
    text = claims_sentence("rate", compared({"none": 10.0, "mixup": 8.0, "cutmix": 12.0}, 0.1))
    assert "the rate of CutMix is above that of the baseline: holds here (p < 0.001)" in text
    assert "FMix" not in text
    assert claims_sentence("accuracy", compared({"none": 10.0, "mixup": 8.0}, 0.1)) == ""
