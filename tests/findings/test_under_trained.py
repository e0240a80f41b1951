"""Which augmentations' networks nothing is claimed of."""

import pandas as pd
import pytest

from findings.over_seeds import over_seeds
from findings.row import row
from findings.under_trained import LINEAR, mostly_under_trained, networks_of, under_trained, with_under_trained

FLAGS = {
    "none": (True, True, False),
    "mixup": (True, False, False),
    "fmix": (None, None, None),
    "cutmix": (None, True, None),
}
EXPECTED = {"none": True, "mixup": False, "fmix": None, "cutmix": True}


@pytest.fixture
def rows() -> list[dict]:
    """Two numbers of three VAEs of each augmentation."""
    return [
        row("I(Z;X)", estimator, 5.0, units="nats", augmentation=name, seed=seed, inputs="clean", under_trained=flag)
        for name, flags in FLAGS.items()
        for seed, flag in enumerate(flags, 1)
        for estimator in ("rate", "gaussian_marginal")
    ]


def test_most_of_an_augmentations_vaes_decide_whether_it_is_under_trained(rows):
    assert mostly_under_trained(rows) == EXPECTED
    assert mostly_under_trained(pd.DataFrame(rows)) == EXPECTED


def test_means_and_linear_vaes_have_no_say_and_older_records_no_flag(rows):
    mean = rows[0] | {"augmentation": "mixup", "seed": None, "under_trained": True}
    assert mostly_under_trained([*rows, *[mean] * 9, mean | {"augmentation": LINEAR, "seed": 1}]) == EXPECTED
    older = [{key: one[key] for key in one if key != "under_trained"} for one in rows]
    assert mostly_under_trained(older) == dict.fromkeys(EXPECTED)


def test_a_table_over_seeds_says_which_are_under_trained(rows):
    rows.append(rows[0] | {"augmentation": LINEAR})
    table = with_under_trained(over_seeds(rows), pd.DataFrame(rows))
    assert {
        name: block.iloc[0] for name, block in networks_of(table).groupby("augmentation")["under_trained"]
    } == EXPECTED
    assert table.loc[table["augmentation"] == LINEAR, "under_trained"].tolist() == [None]
    assert under_trained(table) == ["none", "cutmix"]
    assert under_trained(table.iloc[:0]) == []
