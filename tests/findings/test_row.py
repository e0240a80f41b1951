"""One schema for every row: complete when it is made, checked when it is read."""

import json
from pathlib import Path

import pytest

from findings.row import CORE, FURTHER, oddity, row

RESULTS = Path(__file__).parents[2] / "results"
KNOWN = {"standard_error": 0.1, "n": 3, "saturated": False, "augmentation": "fmix", "seed": 2, "epsilon": 0.5}


def test_a_row_has_every_core_field_and_of_the_others_those_it_was_given():
    made = row("accuracy", "fgsm", 12.5, units="%", **KNOWN)
    assert made.keys() == CORE.keys() | {"epsilon"}
    given = {"quantity": "accuracy", "estimator": "fgsm", "value": 12.5, "units": "%"} | KNOWN
    assert {name: value for name, value in made.items() if value is not None} == given
    assert row("I(Z;X)", "rate", None, units="nats", heavy_tailed=None)["heavy_tailed"] is None


def test_a_field_that_no_row_has_is_refused_by_name():
    with pytest.raises(TypeError, match="no row has: colour, shape"):
        row("accuracy", "fgsm", 1.0, units="%", shape="round", colour="red")
    with pytest.raises(TypeError):
        row("accuracy", "fgsm", 1.0)  # without units


def test_the_schema_is_one():
    assert not CORE.keys() & FURTHER.keys()
    assert list(CORE)[:3] == ["quantity", "estimator", "value"]
    assert all(field.meaning and field.kind in (str, float, int, bool) for field in (CORE | FURTHER).values())


@pytest.mark.parametrize("path", sorted(RESULTS.rglob("result.json")), ids=lambda path: path.parent.name)
def test_committed_rows_are_of_the_schema(path):
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert [found for found in map(oddity, rows) if found] == []
    assert set().union(*rows) <= CORE.keys() | FURTHER.keys()
    assert all(CORE.keys() <= one.keys() for one in rows)


@pytest.mark.parametrize(("name", "field"), (CORE | FURTHER).items())
def test_a_value_of_another_type_is_odd(name, field):
    made = row("accuracy", "fgsm", 1.0, units="%")
    good, bad = {
        str: ("word", 1), float: (1.5, "1.5"), int: (3, 1.5), bool: (True, 1),
    }[field.kind]  # fmt: skip
    assert oddity(made | {name: good}) is None
    assert oddity(made | {name: bad}) == f"a row whose {name} is {str(bad)!r}"
    assert oddity(made | {name: ["a list"]}) is not None
    if field.kind is not bool:
        assert oddity(made | {name: True}) == f"a row whose {name} is 'True'"


def test_null_and_missing_are_the_same_but_for_what_names_the_number():
    made = row("accuracy", "fgsm", None, units=None)
    assert oddity(made) is None
    assert oddity({"quantity": "accuracy", "estimator": "fgsm"}) is None
    assert oddity(made | {"somebody's own": object()}) is None
    assert oddity(made | {"estimator": None}) == "a row whose estimator is 'None'"
    assert oddity({}) == "a row whose quantity is 'None'"
