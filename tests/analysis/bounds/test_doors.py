"""Estimators that are not built in."""

import linecache
import sys
from pathlib import Path

import pytest

from analysis import ground_truth, mutual_info
from analysis.bounds import bounds_of
from analysis.bounds.estimators import ESTIMATORS, check_estimators, names_of, sources_of
from analysis.ground_truth import linear_gaussian
from analysis.mutual_info import Config
from store import BadInput
from store.command_line import Options
from vae.train import Settings

SOURCE = """
from analysis.bounds import combine, estimator, gaussian_marginal, rate


@estimator("mean_upper", label="mean of two", direction="upper", column="mean upper", noised=True)
def mean_upper(encoded):
    return combine("mean_upper", [(0.5, rate(encoded)), (0.5, gaussian_marginal(encoded))], "upper", "I(Z;X)")


def plain(encoded):
    return rate(encoded)
"""


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    yield path
    ESTIMATORS.pop("mean_upper", None)


@pytest.fixture
def options(tmp_path) -> Options:
    return Options(device="cpu", threads=1, store=tmp_path / "runs", out=tmp_path / "out", quiet=True)


def test_an_estimator_of_a_file_is_in_rows_and_tables(file, options):
    config = Config(
        ("none",), seeds=1, bounds=("rate", "gaussian_marginal", f"{file}:mean_upper"), noise=(1.0,),
        settings=Settings(epochs=1), execution=options,
    )  # fmt: skip
    found = mutual_info.run(config)
    values = {
        (row["estimator"], row["noise"]): row["value"]
        for row in found.rows if row["seed"] == 1 and row["augmentation"] == "none" and row["inputs"] == "clean"
    }  # fmt: skip
    for noise in (None, 1.0):
        expected = (values["rate", None] + values["gaussian_marginal", None]) / 2
        if noise is None:
            assert values["mean_upper", noise] == pytest.approx(expected)
        assert ("mean_upper", noise) in values
    assert "mean upper" in found.text
    # a changed estimator is another analysis
    (before,) = (options.store / "mutual-info").iterdir()
    file.write_text(SOURCE.replace("0.5, rate", "0.25, rate").replace("0.5, gaussian", "0.75, gaussian"))
    mutual_info.run(config)
    assert len(list((options.store / "mutual-info").iterdir())) == 2
    assert "mine.py:mean_upper" in (before / "result.json").read_text("utf-8")
    assert str(file.parent) not in (before / "result.json").read_text("utf-8")


def test_it_stands_the_ground_truths(file, options):
    config = ground_truth.Config(("gaussian-d2-i1",), 200, 2, ("rate", f"{file}:mean_upper"), options)
    table = ground_truth.run(config).table.set_index("estimator")
    assert abs(table.loc["mean_upper", "bias"]) < 0.2


def test_every_built_in_estimator_can_be_asked_for_by_name():
    assert check_estimators(names_of(), "--bounds") == names_of()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", "plain, a function; needs a function that analysis.bounds.estimator has entered"),
        ("nothing", "needs something that mine.py has"),
    ],
)
def test_what_is_no_estimator_is_one_line(file, name, words):
    with pytest.raises(BadInput, match=words):
        check_estimators((f"{file}:{name}",), "--bounds")


def test_a_name_that_is_nearly_one():
    with pytest.raises(
        BadInput, match=r"--bounds: got 'infonc'; needs one of rate, .* or FILE\.py:NAME; perhaps infonce"
    ):
        check_estimators(("infonc",), "--bounds")
    with pytest.raises(BadInput, match="got 'rate_gap'"):
        check_estimators(("rate_gap",), "--bounds")


def registered(tmp_path, monkeypatch, name: str, text: str) -> Path:
    """A package with an entry point of the name, as pip leaves it."""
    package = tmp_path / "site"
    (package / "extras-1.0.dist-info").mkdir(parents=True)
    (package / "extras-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: extras\nVersion: 1.0\n")
    (package / "extras-1.0.dist-info" / "entry_points.txt").write_text(
        f"[mixinfo.estimators]\n{name} = extras_of_mine:mean_upper\n"
    )
    (package / "extras_of_mine.py").write_text(text)
    monkeypatch.syspath_prepend(str(package))
    return package / "extras_of_mine.py"


def test_the_source_of_a_registered_estimator_is_in_the_identity(tmp_path, monkeypatch):
    path = registered(tmp_path, monkeypatch, "mean_upper", SOURCE)
    try:
        assert check_estimators(("mean_upper",), "--bounds") == ("mean_upper",)
        (before,) = sources_of(("mean_upper",), "--bounds").values()
        assert sources_of(("rate", "infonce"), "--bounds") == {}
        path.write_text(SOURCE.replace("mean of two", "mean of both"))
        linecache.checkcache()
        assert sources_of(("mean_upper",), "--bounds") != {"mean_upper": before}
    finally:
        ESTIMATORS.pop("mean_upper", None)
        sys.modules.pop("extras_of_mine", None)


def test_nobody_takes_a_built_in_name(tmp_path):
    path = tmp_path / "over.py"
    path.write_text(SOURCE.replace('"mean_upper"', '"rate"'))
    before = ESTIMATORS["rate"]
    with pytest.raises(BadInput, match=r"estimator 'rate', which analysis\.bounds\.fitted has entered"):
        check_estimators((f"{path}:mean_upper",), "--bounds")
    assert ESTIMATORS["rate"] is before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('raise KeyError("depth")', "--bounds: got mean_upper, which ends in KeyError: 'depth'"),
        ("return 3.0", "mean_upper, which returns a float; needs an estimator that returns a Bound of its own name"),
        ("return rate(encoded)", "mean_upper, which returns a Bound called rate"),
    ],
)
def test_an_estimator_that_fails_is_one_line(file, body, words):
    file.write_text(SOURCE.partition("    return combine")[0] + f"    {body}\n")
    (name,) = check_estimators((f"{file}:mean_upper",), "--bounds")
    with pytest.raises(BadInput, match=words):
        bounds_of(linear_gaussian(50, 2, 1.0, 1), (name,))
