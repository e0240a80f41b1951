"""Numbers over seeds, beside the same in plain loops."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from findings.over_seeds import GROUP, headlines, of_networks, over_seeds
from findings.row import row

RESULTS = Path(__file__).parents[2] / "results"
EXACT = 1e-12
"""Sums in another order are off by rounding alone."""


def slowly(rows: list[dict], by: tuple[str, ...]) -> list[dict]:
    """What `over_seeds` says, by its definition."""
    groups: dict[tuple, list[dict]] = {}
    for one in rows:
        groups.setdefault(tuple(one[name] for name in by), []).append(one)
    table = []
    for place, group in groups.items():
        values = [one["value"] for one in group]
        mean = sum(values) / len(values)
        spread = math.nan
        if len(values) > 1:
            spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        errors = [one.get("standard_error") for one in group]
        unknown = any(error is None for error in errors)
        image_error = math.nan if unknown else math.sqrt(sum(error**2 for error in errors) / len(errors))
        first = {name: next((one[name] for one in group if one.get(name) is not None), None) for name in ("cap", "n")}
        table.append(
            dict(zip(by, place, strict=True)) | first
            | {"mean": mean, "std": spread, "seeds": len(values), "image_error": image_error}
            | {"saturated": any(one.get("saturated") for one in group)}
        )  # fmt: skip
    return table


def check(rows: list[dict], by: tuple[str, ...]) -> None:
    """`over_seeds` and `headlines` of these rows are what plain loops say."""
    table, expected = over_seeds(rows, by), slowly(rows, by)
    assert list(table.columns) == [*by, "mean", "std", "seeds", "image_error", "cap", "saturated", "n"]
    assert len(table) == len(expected)
    for line, slow in zip(table.to_dict("records"), expected, strict=True):
        for name, value in slow.items():
            if isinstance(value, float):
                assert line[name] == pytest.approx(value, rel=EXACT, abs=EXACT, nan_ok=True), name
            else:
                assert line[name] == value or (value is None and pd.isna(line[name])), name
    if any(one.get("fitted_on") for one in rows):
        return  # the headlines of linear VAEs are apart
    for one, slow in zip(headlines(rows, by), expected, strict=True):
        assert {name: one[name] for name in by} == {name: slow[name] for name in by}
        assert one["seed"] is None
        assert one["value"] == pytest.approx(slow["mean"], rel=EXACT, abs=EXACT)
        if slow["seeds"] > 1:
            error = slow["std"] / math.sqrt(slow["seeds"])
            assert one["standard_error"] == pytest.approx(error, rel=1e-9, abs=EXACT)


def made_up(draws: np.random.Generator) -> list[dict]:
    """Rows in no order, of groups of one to seven seeds, some without errors over images, caps or flags."""
    rows = []
    for augmentation, estimator, noise in itertools.product(("none", "fmix", None), ("rate", "infonce"), (None, 0.5)):
        cap = draws.choice([None, 9.2])
        for seed in range(1, int(draws.integers(2, 9))):
            error = draws.choice([None, 0.1, 0.2]) if augmentation == "fmix" else draws.uniform(0.1, 0.2)
            rows.append(
                row(
                    "I(Z;X)", estimator, draws.normal(80, 3), units="nats", standard_error=error, cap=cap, noise=noise,
                    saturated=draws.choice([None, False, True]), n=100, inputs="clean", augmentation=augmentation,
                    seed=seed,
                )
            )  # fmt: skip
    return [rows[place] for place in draws.permutation(len(rows))]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("by", [GROUP, ("augmentation",), ("estimator", "noise")])
def test_made_up_rows_are_put_together_as_in_plain_loops(seed, by):
    check(made_up(np.random.default_rng(seed)), by)


def documents() -> list[Path]:
    return [path for path in sorted(RESULTS.rglob("result.json")) if rows_of_networks(path)]


def rows_of_networks(path: Path) -> list[dict]:
    """None of a record that holds means alone: of ground truths, and of what layers keep."""
    return [one for one in json.loads(path.read_text("utf-8"))["results"] if one["seed"] is not None]


def numbers_of(path: Path) -> tuple[list[dict], tuple[str, ...]]:
    """Rows of networks of a committed record, and what tells its numbers apart."""
    rows = rows_of_networks(path)
    further = ("decoder_scale", "fitted_on", "setting", "layer", "classes", "curve", "epsilon")
    return rows, (*GROUP, *(name for name in further if name in rows[0]))


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.parent.name)
def test_committed_rows_are_put_together_as_in_plain_loops(path):
    rows, by = numbers_of(path)
    check([{"fitted_on": None} | one if "fitted_on" in by else one for one in rows], by)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.parent.name)
def test_in_committed_rows_an_error_over_images_is_known_of_all_seeds_or_of_none(path):
    # so that leaving unknown ones out, as tables of information once did, gave the same root mean square
    rows, by = numbers_of(path)
    known = pd.DataFrame(rows).groupby(list(by), dropna=False)["standard_error"].agg(["count", "size"])
    assert known["count"].isin([0]).eq(known["count"].ne(known["size"])).all()


def test_an_unknown_error_over_images_of_one_seed_leaves_that_of_all_unknown():
    known = [{"augmentation": "none", "value": 1.0, "standard_error": error} for error in (3.0, 4.0)]
    (line,) = over_seeds(known, ("augmentation",)).to_dict("records")
    assert line["image_error"] == pytest.approx(math.sqrt(12.5))
    (line,) = over_seeds([*known, known[0] | {"standard_error": None}], ("augmentation",)).to_dict("records")
    assert math.isnan(line["image_error"])
    assert (line["seeds"], line["mean"]) == (3, 1.0)


def test_no_rows_make_no_lines():
    empty = pd.DataFrame(columns=["augmentation", "value", "standard_error", "n"])
    table = over_seeds(empty, ("augmentation",))
    assert len(table) == 0
    assert "image_error" in table


def test_means_over_seeds_are_no_networks():
    rows = [{"seed": seed, "value": 1.0} for seed in (1, 2)]
    assert of_networks([rows[0] | {"seed": None}, *rows])["seed"].tolist() == [1, 2]
    assert len(of_networks([{"seed": None, "value": 1.0}] * 2)) == 1  # one model's mean is itself


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
    one = {"inputs": "clean", "augmentation": "none", "estimator": "rate", "noise": None, "saturated": None}
    rows = [one | {"value": float(seed), "seed": seed, flag: value} for seed, value in enumerate(seeds)]
    (mean,) = headlines(rows)
    assert mean[flag] is expected
    assert mean["seed"] is None


def test_rows_from_before_a_flag_existed_have_none():
    one = {"inputs": "clean", "augmentation": "none", "estimator": "rate", "noise": None, "saturated": False}
    (mean,) = headlines([one | {"value": 1.0, "seed": seed} for seed in (1, 2)])
    assert mean["heavy_tailed"] is None


def test_with_one_seed_the_standard_error_is_its_own():
    one = row("I(Z;X)", "rate", 3.0, units="nats", standard_error=0.5, seed=1)
    (mean,) = headlines([one])
    assert (mean["value"], mean["standard_error"], mean["seed"]) == (3.0, 0.5, None)
