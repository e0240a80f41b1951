import importlib.util
import json
import math
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
import torch

from analysis import mutual_info
from analysis.bounds import Encoded, EncodedPair, bounds_of, three_term_upper
from analysis.bounds.estimators import SHARED, names_of, unasked
from analysis.bounds.tightened import (
    LabelledCode,
    Labels,
    SplicedCode,
    gaussian_by_class,
    leave_one_out_by_class,
)
from analysis.ground_truth import gaussian_pair, linear_gaussian
from analysis.mutual_info import Config, read_posterior, run
from analysis.mutual_info.document import ROW_KEYS, tables_by_scale
from analysis.mutual_info.rows import baseline_seed
from analysis.mutual_info.sentences import certified_pairs, conclusions
from analysis.mutual_info.table import summarise, text_table
from findings.over_seeds import headlines
from findings.text import Tabular
from findings.under_trained import LINEAR
from store import BadInput, list_runs
from store.command_line import Options, command
from tasks import DataOptions, load
from tests.cases import rows_of
from training import generator
from vae.encode import encode, load_vae
from vae.linear import fit_linear
from vae.train import Settings, train, vae_run

FIELDS = {
    "quantity", "estimator", "value", "standard_error", "direction", "cap", "saturated", "n", "k", "noise", "inputs",
    "augmentation", "seed", "units", "decoder_scale", "heavy_tailed", "under_trained", "fitted_on",
}  # fmt: skip
FAST = Settings(epochs=2, width=4, hidden=16, latents=4)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        command(Config, run, mutual_info.PROGRAM, arguments)
    return stop.value.code


@pytest.fixture
def encoder_npz(tmp_path):
    q = linear_gaussian(400, 6, 3.0, 1)
    path = tmp_path / "encoder.npz"
    np.savez(path, mean=q.mean.numpy(), log_var=q.log_var.numpy())
    return path


def check_document(document: dict) -> None:
    assert document["schema"] == 1
    assert document["command"] == "python -m analysis.mutual_info"
    for row in document["results"]:
        assert set(row) == FIELDS
        for name in ("value", "standard_error", "cap"):
            assert row[name] is None or math.isfinite(row[name])
    json.dumps(document, allow_nan=False)


def test_your_own_encoder(encoder_npz, capsys):
    assert call("--posterior", str(encoder_npz), "--json", "-") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    check_document(document)
    rows = {row["estimator"]: row for row in document["results"]}
    assert list(rows) == [*unasked(), "rate_gap"]
    for row in rows.values():
        assert row["noise"] is row["seed"] is row["augmentation"] is None
        assert (row["quantity"], row["units"], row["n"]) == (
            "KL(q(z)‖p(z))" if row["estimator"] == "rate_gap" else "I(Z;X)", "nats", 400,
        )  # fmt: skip
    assert rows["infonce"]["direction"] == rows["index_code"]["direction"] == "lower"
    assert rows["infonce"]["cap"] == math.log(400)
    assert rows["infonce"]["value"] < 3.3
    assert rows["gaussian_marginal"]["value"] == pytest.approx(3.0, abs=5 * rows["gaussian_marginal"]["standard_error"])
    assert "I(Z;X) ≤" in said.err


def test_your_own_codes_are_used(encoder_npz, tmp_path):
    posterior, _ = read_posterior(encoder_npz)
    codes = posterior.sample(torch.Generator().manual_seed(7))
    arrays = {"mean": posterior.mean.numpy(), "log_var": posterior.log_var.numpy(), "codes": codes.numpy()}
    np.savez(tmp_path / "with.npz", **arrays)
    config = Config(posterior=tmp_path / "with.npz", bounds=("infonce",))
    assert run(config).rows[0]["value"] == bounds_of(Encoded(posterior, codes), ("infonce",))[0].value
    assert run(config).rows[0]["value"] != bounds_of(posterior, ("infonce",))[0].value


def test_float32_is_accepted(encoder_npz, tmp_path):
    posterior, _ = read_posterior(encoder_npz)
    np.savez(tmp_path / "single.npz", mean=posterior.mean.float().numpy(), log_var=posterior.log_var.float().numpy())
    single = run(Config(posterior=tmp_path / "single.npz"))
    double = run(Config(posterior=encoder_npz))
    for a, b in zip(single.rows, double.rows, strict=True):
        assert a["value"] == pytest.approx(b["value"], abs=1e-4)


def spoilt(kind: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    mean, log_var = arrays["mean"], arrays["log_var"]
    return {
        "no mean": {"log_var": log_var},
        "NaN": {"mean": np.where(mean == mean.max(), np.nan, mean), "log_var": log_var},
        "infinite": {"mean": mean, "log_var": np.where(mean == mean.max(), np.inf, log_var)},
        "shapes": {"mean": mean[:, :3], "log_var": log_var},
        "variance zero": {"mean": mean, "log_var": np.full_like(log_var, -np.inf)},
        "one image": {"mean": mean[:1], "log_var": log_var[:1]},
        "integers": {"mean": mean.astype(int), "log_var": log_var},
        "codes are means": {"mean": mean, "log_var": log_var, "codes": mean},
        "codes of others": {"mean": mean, "log_var": log_var, "codes": mean[:10]},
        "pickle": {"mean": np.array([{}], dtype=object), "log_var": log_var},
    }[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no mean", "without mean"),
        ("NaN", "mean: got 1 NaN"),
        ("infinite", "log_var: got 1 NaN or infinite"),
        ("shapes", "mean (400, 3) and log_var (400, 6)"),
        ("variance zero", "variance of zero"),
        ("one image", "at least 2 images"),
        ("integers", "mean of type int64"),
        ("codes are means", "codes: got mean squared residual 0 "),
        ("codes of others", "codes: got shape (10, 6)"),
        ("pickle", "cannot be read"),
    ],
)
def test_a_bad_encoder_is_one_line(kind, words, encoder_npz, tmp_path, capsys):
    with np.load(encoder_npz) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "bad.npz", **spoilt(kind, arrays))
    json_path = tmp_path / "result.json"
    assert call("--posterior", str(tmp_path / "bad.npz"), "--json", str(json_path)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert "needs" in error
    assert not json_path.exists()


def test_a_truncated_or_missing_encoder_is_one_line(encoder_npz, tmp_path, capsys):
    (tmp_path / "cut.npz").write_bytes(encoder_npz.read_bytes()[:-500])
    for name in ("cut.npz", "none.npz"):
        assert call("--posterior", str(tmp_path / name)) == 2
        assert capsys.readouterr().err.startswith("python -m analysis.mutual_info: --posterior: got ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "0"], "--seeds: got 0"),
        (["--epochs", "0"], "--epochs: got 0"),
        (["--augmentations", "none", "cutout"], "--augmentations: got 'cutout'; needs one of none"),
        (["--augmentations", "none", "none"], "--augmentations: got none none"),
        (["--bounds", "mine"], "mine"),
        (["--inputs", "dirty"], "dirty"),
        (["--alpha", "0"], "--alpha: got 0"),
        (["--max-soft", "0.7"], "--max-soft: got 0.7"),
        (["--data", "mnits"], "--data: got 'mnits'"),
        (["--noise", "1", "0"], "--noise: got 0.0; needs a number from 1e-06 to 1e+06"),
        (["--reconstruction-scale", "-1"], "--reconstruction-scale: got -1"),
        (["--decoder-scales", "1", "0"], "--decoder-scales: got 0.0; needs a number from 1e-06 to 1e+06"),
        (["--decoder-scales", "1", "--decoder-scale", "0.3"], "--decoder-scale: got 0.3"),
        (["--posterior-b", "b.npz"], "--posterior-b: got b.npz; needs --posterior"),
        (
            ["--bounds", "rate", "gaussian_by_class", "--inputs", "clean", "own-augmented"],
            "--bounds: got gaussian_by_class beside --inputs own-augmented; needs --inputs clean",
        ),
    ],
)
def test_a_mistake_is_one_line_exit_2_and_nothing_written(arguments, words, tmp_path, capsys):
    assert call(*arguments, "--store", str(tmp_path / "runs"), "--out", str(tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert not list(tmp_path.iterdir())


@pytest.fixture
def new(options):
    """A job of which nothing has been done."""
    return Config(
        augmentations=("none", "mixup", "fmix+cutmix"), seeds=2, inputs=("clean", "own-augmented"), settings=FAST,
        execution=options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def vaes(tmp_path_factory):
    """A store with the networks of `new`."""
    options = Options(device="cpu", threads=1, quiet=True, store=tmp_path_factory.mktemp("vaes") / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vae.train.LINEAR_DRAWS", 2_000)
        for augmentation in ("none", "mixup", "fmix+cutmix"):
            for seed in (1, 2):
                train(load(DataOptions()), augmentation, seed, FAST, options)
    return options.store


@pytest.fixture
def config(new, vaes, few_draws, quick_figures):
    """The job whose networks are there."""
    copytree(vaes, new.execution.store)
    return new


def test_the_main_job_from_end_to_end(new, few_draws, capsys):
    result = run(new)
    first = capsys.readouterr().out
    assert first.count("trained  ") == 6
    assert result.exit_status == 0
    for path in result.files:
        assert path.exists()
    document = json.loads(next(path for path in result.files if path.name == "result.json").read_text())
    check_document(document)
    headline = [row for row in document["results"] if row["seed"] is None and row["inputs"] == "clean"]
    estimators = [*unasked(), "rate_gap", "active_units", "rate_reconstruction", "mse", "negative_elbo"]
    expected = [(augmentation, estimator) for augmentation in new.augmentations for estimator in estimators]
    expected += [(each, "negative_elbo_excess") for each in new.augmentations if each != "none"]
    expected += [(LINEAR, estimator) for estimator in ("rate", "gaussian_marginal", "mse", "negative_elbo")]
    assert sorted((row["augmentation"], row["estimator"]) for row in headline) == sorted(expected)
    for row in (each for each in headline if each["augmentation"] != LINEAR):
        own = [
            other["value"] for other in document["results"]
            if other["seed"] and all(other[key] == row[key] for key in ("augmentation", "estimator", "inputs"))
        ]  # fmt: skip
        assert len(own) == 2
        assert row["value"] == pytest.approx(np.mean(own))
        assert row["standard_error"] == pytest.approx(np.std(own, ddof=1) / math.sqrt(2))
    assert "own-augmented test images" in result.text
    tables = [block for block in result.text.details if isinstance(block, Tabular)]
    assert [line[0] for table in tables for line in table.lines].count("linear VAE (MixUp inputs)") == 1
    assert document["about"]["bottom_line"] == result.text.bottom_line
    assert result.text.startswith("Bottom line: I(Z;X) lies, in nats, within ")
    # the text is a function of the document alone, and what the job has written beside it
    again = json.loads(json.dumps(document))
    assert mutual_info.text_of(again) == (result.text, document["about"]["conclusions"])
    again["results"] = [row | {"value": row["value"] + 1} for row in again["results"]]
    assert mutual_info.text_of(again)[0] != result.text
    kinds = [row["kind"] for row in list_runs(new.execution.store)]
    assert (kinds.count("vae"), kinds.count("mutual-info")) == (6, 1)

    again = run(new)
    assert "reused 6 VAEs and their analysis" in capsys.readouterr().out
    assert again.text == result.text

    more = run(replace(new, seeds=3, inputs=("clean",)))
    said = capsys.readouterr().out
    assert said.count("trained  ") == 3
    assert "reused 6 trained networks" in said
    assert {row["seed"] for row in more.rows} == {None, 1, 2, 3}


def test_an_interrupted_analysis_goes_on_with_the_next_vae(config, vaes, tmp_path, monkeypatch):
    config = replace(config, augmentations=("none", "mixup"))
    other = copytree(vaes, tmp_path / "other")
    expected = run(replace(config, execution=replace(config.execution, store=other)))
    whole, calls = mutual_info.rows_of_vae, []

    def interrupted(*arguments):
        calls.append(arguments[2:4])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(mutual_info, "rows_of_vae", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    result = run(config)
    assert len(calls) == 3 + 2  # two were there
    assert calls[3:][0] == calls[2]
    assert result.rows == expected.rows
    assert not list(config.execution.store.glob("mutual-info/*/rows-*"))
    run(replace(config, execution=replace(config.execution, force=True)))
    assert len(calls) == 3 + 2 + 4  # --force does all of it again


def test_the_kept_posteriors_give_the_same_numbers(config):
    result = run(config)
    analysis = next(row for row in list_runs(config.execution.store) if row["kind"] == "mutual-info")
    path = config.execution.store.parent / "runs" / "mutual-info" / analysis["path"].rsplit("/", 1)[1]
    by_hand = run(Config(posterior=path / "posterior-mixup-seed2-clean.npz", bounds=("rate", "infonce")))
    for row in by_hand.rows:
        same = [
            other for other in result.rows
            if (other["augmentation"], other["seed"], other["inputs"]) == ("mixup", 2, "clean")
            and other["estimator"] == row["estimator"]
        ]  # fmt: skip
        assert row["value"] == pytest.approx(same[0]["value"], abs=1e-4)


def test_a_diverged_vae_is_left_out_and_named(config, capsys):
    config = replace(config, augmentations=("none", "mixup"))
    failing = replace(config, settings=replace(FAST, learning_rate=1e6), inputs=("clean",))
    with pytest.raises(SystemExit, match="every VAE failed"):
        run(failing)
    good = run(replace(config, inputs=("clean",)))
    # one of the finished runs becomes a failed one
    store = config.execution.store
    for row in list_runs(store):
        if row["kind"] == "vae" and row["name"] == "digits-mixup-seed2" and row["status"] == "done":
            path = store / "vae" / row["path"].rsplit("/", 1)[1]
            record = json.loads((path / "result.json").read_text())
            (path / "result.json").unlink()
            (path / "failure.json").write_text(json.dumps(record | {"error": "the loss became nan"}))
    partly = run(replace(config, inputs=("clean",), execution=replace(config.execution, force=False), bounds=("rate",)))
    assert partly.exit_status == 1
    assert "the loss became nan" in capsys.readouterr().out
    again = run(replace(config, inputs=("clean",), bounds=("rate",)))
    assert again.exit_status == 1  # an incomplete analysis is done again, not reused
    assert "and their analysis" not in capsys.readouterr().out
    mixup = partly.table[partly.table["augmentation"] == "mixup"]
    assert set(mixup["seeds"]) == {1}
    assert set(good.table[good.table["augmentation"] == "mixup"]["seeds"]) == {2}


def test_dry_run_says_what_would_happen(new, capsys):
    run(replace(new, execution=replace(new.execution, dry_run=True)))
    said = capsys.readouterr().out
    assert said.count("new ") == 7
    assert "0 VAEs to reuse, 6 to train" in said
    assert not new.execution.store.exists()


def test_how_the_networks_were_trained_is_in_rows_text_and_figure(config):
    result = run(replace(config, inputs=("clean",)))
    directory = config.execution.out / "table-1-digits"
    runs = {row["path"]: row["record"] for row in list_runs(config.execution.store) if row["kind"] == "vae"}
    for name in ("overfitting", "last_fall"):
        rows = {(row["augmentation"], row["seed"]): row for row in result.rows if row["estimator"] == name}
        for record in runs.values():
            found = rows[record["config"]["augmentation"], record["seed"]]["value"]
            recorded = record["metrics"][name]
            assert found == (recorded["value"] if name == "overfitting" else recorded)
    drawn = pd.read_csv(directory / "training.csv")
    assert len(drawn) == sum(len(record["curve"]) for record in runs.values())
    assert (directory / "training.png").exists()
    assert "test − training" in result.text
    # an older document has no curves and no such rows: nothing is drawn, and nothing is said
    document = json.loads((directory / "result.json").read_text())
    del document["about"]["curves"]
    document["results"] = [row for row in document["results"] if row["inputs"] == "clean"]
    assert "test − training" not in mutual_info.text_of(document)[0]
    assert not any("training" in file.name for file in mutual_info.draw(document, directory))


def test_the_noise_profile_is_in_rows_text_and_figure(config):
    config = replace(config, noise=(1.0, 3.0), inputs=("clean",), seeds=1)
    result = run(config)
    levels = {row["noise"] for row in result.rows if row["estimator"] == "gaussian_marginal"}
    assert levels == {None, 1.0, 3.0}
    for augmentation in config.augmentations:
        falling = [
            row["value"] for row in sorted(result.rows, key=lambda row: row["noise"] or 0)
            if row["estimator"] == "rate" and row["augmentation"] == augmentation and row["seed"] is None
        ]  # fmt: skip
        assert falling == sorted(falling, reverse=True)
    assert "With noise." in result.text
    assert (config.execution.out / "table-1-digits" / "noise-profile.png").exists()
    # without noise, the headline row of every estimator is there as before
    headline = [row for row in result.rows if row["seed"] is None and row["noise"] is None]
    key = ("augmentation", "estimator", "inputs", "fitted_on")
    assert len({tuple(row[name] for name in key) for row in headline}) == len(headline)


def test_two_encoders_of_yours(tmp_path, capsys):
    a, b = gaussian_pair(1000, 4, 1.0, 1)
    for name, q in (("a", a), ("b", b)):
        np.savez(tmp_path / f"{name}.npz", mean=q.mean.numpy(), log_var=q.log_var.numpy())
    files = ["--posterior", str(tmp_path / "a.npz"), "--posterior-b", str(tmp_path / "b.npz")]
    assert call(*files, "--noise", "1", "--json", "-") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    check_document(document)
    assert {row["quantity"] for row in document["results"]} == {"I(Z_A;Z_B)"}
    for noise, truth in ((None, 1.0), (1.0, None)):
        rows = {row["estimator"]: row for row in document["results"] if row["noise"] == noise}
        assert list(rows) == list(names_of(SHARED))
        if truth:
            assert rows["three_term_lower"]["value"] < truth + 5 * rows["three_term_lower"]["standard_error"]
            assert rows["three_term_upper"]["value"] > truth - 5 * rows["three_term_upper"]["standard_error"]
        assert rows["three_term_gaussian"]["direction"] == "estimate"
    assert "with noise s = 1: ≥" in said.err
    np.savez(tmp_path / "b.npz", mean=b.mean.numpy()[:900], log_var=b.log_var.numpy()[:900])
    assert call(*files) == 2
    assert "--posterior-b: got 900 images; needs the 1,000 images" in capsys.readouterr().err
    (tmp_path / "b.npz").write_text("no archive")
    assert call(*files) == 2
    assert capsys.readouterr().err.startswith("python -m analysis.mutual_info: --posterior-b: got")


def test_your_own_encoder_with_noise_and_its_parts(encoder_npz, capsys):
    result = run(Config(posterior=encoder_npz, noise=(2.0,), decomposition=True))
    said = capsys.readouterr().out
    assert "= I_N" in said
    assert "with noise s = 2: " in said
    noisy = {row["estimator"]: row for row in result.rows if row["noise"] == 2.0}
    assert {row["n"] for row in noisy.values()} == {360}  # a tenth of the images scales the noise
    assert noisy["infonce"]["value"] < noisy["gaussian_marginal"]["value"] + 0.1
    parts = {row["estimator"]: row["value"] for row in result.rows if row["noise"] is None}
    assert parts["marginal_kl"] == pytest.approx(parts["rate"] - parts["index_code"])
    assert parts["marginal_kl"] == pytest.approx(parts["total_correlation"] + parts["dimensionwise_kl"])


TIGHTENED = ("gaussian_by_class", "leave_one_out_by_class", "gaussian_spliced")


def test_your_own_labels_bound_by_class(encoder_npz, tmp_path, capsys):
    with np.load(encoder_npz) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "labelled.npz", **arrays, labels=np.arange(400, dtype=np.uint8) % 4)
    where = "--noise", "1", "--json", "-"
    assert call("--posterior", str(encoder_npz), "--bounds", "rate", "leave_one_out", *where) == 0
    plain = json.loads(capsys.readouterr().out)["results"]
    asked = "--bounds", "rate", "leave_one_out", *TIGHTENED
    assert call("--posterior", str(tmp_path / "labelled.npz"), *asked, *where) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    check_document(document)
    assert document["results"][: len(plain)] == plain
    further = document["results"][len(plain) :]
    of_code = [*TIGHTENED[:2], "gaussian_classifier", "kernel_mixture", "gaussian_spliced"]
    assert [row["estimator"] for row in further] == [*of_code, "rate_gap_spliced", *of_code]
    assert {row["quantity"] for row in further} == {"I(Z;X)", "I(Z;Y)", "KL(q(z)‖p(z))"}
    # labels that say nothing: what is known of I(Z;Y) lies about none
    assert next(row["value"] for row in further if row["estimator"] == "gaussian_classifier") < 0.1
    assert "(R_m by class + I(Z;Y), n = 400)" in said.err
    assert "I(Z;Y) ≤" in said.err


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "labelled.npz without labels; needs labels (N,), whole numbers"),
        (np.arange(400) % 4 + 0.5, "labels: numbers of type float64; needs integers"),
        (
            np.eye(4, dtype=int)[np.arange(400) % 4],
            "labels: shape (400, 4); needs one label for each of the 400",
        ),
        (np.arange(399) % 4, "labels: shape (399,)"),
        (np.arange(400) // 399, "labels: one image of class 1; needs at least 2 images of each class"),
        (np.array(400 * [{}]), "cannot be read"),
    ],
)
def test_labels_that_are_not_one_for_each_image_are_one_line(labels, words, encoder_npz, tmp_path, capsys):
    with np.load(encoder_npz) as archive:
        arrays = dict(archive) | ({} if labels is None else {"labels": labels})
    np.savez(tmp_path / "labelled.npz", **arrays)
    assert call("--posterior", str(tmp_path / "labelled.npz"), "--bounds", "gaussian_by_class") == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m analysis.mutual_info: --posterior: got ")
    assert error.count("\n") == 1
    assert words in error
    # which nobody looks at who has not asked for bounds by class
    assert call("--posterior", str(tmp_path / "labelled.npz"), "--bounds", "rate", "gaussian_spliced") == 0


@pytest.mark.parametrize(
    ("test_labels", "train_labels", "words"),
    [
        (np.eye(3, dtype=np.uint8)[np.arange(12) % 3], np.eye(3, dtype=np.uint8)[np.arange(30) % 3],
         "--bounds: got gaussian_by_class of data with rows of labels; needs one class an image"),
        (np.arange(12) // 11, np.arange(30) % 2, "--data: got labels: one image of class 1"),
        (np.arange(12) % 3, np.arange(30) % 2, "--data: got labels: class 2, of which there is no image to fit on"),
    ],
)  # fmt: skip
def test_data_without_one_class_an_image_is_one_line(test_labels, train_labels, words, tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 255, (42, 8, 8, 1), dtype=np.uint8)
    path, store = tmp_path / "data.npz", tmp_path / "runs"
    np.savez(
        path, train_images=images[:30], train_labels=train_labels, test_images=images[30:], test_labels=test_labels
    )
    assert call("--data", f"npz:{path}", "--bounds", "gaussian_by_class", "--store", str(store)) == 2
    error = capsys.readouterr().err
    assert words in error
    assert not store.exists()


def test_bounds_by_class_and_spliced_are_in_rows_and_table(config):
    plain = replace(config, augmentations=("none", "mixup"), seeds=1, inputs=("clean",), noise=(1.0,))
    before = run(plain)
    result = run(replace(plain, bounds=(*unasked(), *TIGHTENED)))
    assert len(list(config.execution.store.glob("mutual-info/*"))) == 2
    among = [
        row for row in result.rows
        if row["estimator"] not in (*TIGHTENED, "rate_gap_spliced", "gaussian_classifier", "kernel_mixture")
    ]  # fmt: skip
    assert among == before.rows
    for head in ("R_m by class + I(Z;Y)", "leave-one-out by class + I(Z;Y)", "R_m, spliced", "R − R_m, spliced"):
        assert head in result.text
        assert head not in before.text
    # by hand, from training images with their labels
    data = load(config.data)
    vae = load_vae(vae_run(data, "mixup", 1, config.settings, config.execution), torch.device("cpu"))
    encoded = Encoded(encode(vae, data.test.inputs), fit=encode(vae, data.train.inputs))
    code = LabelledCode(encoded, Labels(data.test.targets, data.train.targets))
    spliced = SplicedCode(encoded, (1.0,))
    expected = [gaussian_by_class(code), leave_one_out_by_class(code), spliced.bound(0.0), spliced.gap()]
    for bound in expected:
        (row,) = (
            each for each in result.rows
            if (each["estimator"], each["augmentation"], each["seed"], each["noise"])
            == (bound.estimator, "mixup", 1, None)
        )  # fmt: skip
        assert (row["value"], row["quantity"]) == (pytest.approx(bound.value, rel=1e-9), bound.quantity)


def test_a_vae_of_yours_is_bounded_by_class_of_the_test_images(config, capsys):
    data = load(config.data)
    path = vae_run(data, "none", 1, config.settings, config.execution).path
    assert call("--posterior", str(path), "--bounds", "gaussian_by_class", "--json", "-") == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert [row["n"] for row in rows] == 3 * [len(data.test)]


def test_what_is_shared_with_the_baseline(config):
    shared = replace(config, augmentations=("none", "mixup"), inputs=("clean",), shared=True, noise=(1.0,))
    result = run(shared)
    rows = [row for row in result.rows if row["quantity"] == "I(Z_A;Z_X)" and row["seed"]]
    assert len(rows) == 2 * 2 * 2 * len(names_of(SHARED))
    assert "What the codes share with the baseline's, I(Z_A;Z_X)" in result.text
    # by hand: MixUp's first VAE with the baseline's first, the baseline's first with its second
    path, data = next(config.execution.store.glob("mutual-info/*")), load(config.data)
    scored, fitted = {}, {}
    for which in (("mixup", 1), ("none", 1), ("none", 2)):
        scored[which], _ = read_posterior(path / f"posterior-{which[0]}-seed{which[1]}-clean.npz")
        vae = load_vae(vae_run(data, *which, config.settings, config.execution), torch.device("cpu"))
        fitted[which] = encode(vae, data.train.inputs)
    for augmentation, (a, b) in (("mixup", (("mixup", 1), ("none", 1))), ("none", (("none", 1), ("none", 2)))):
        fit = fitted[a], fitted[b]
        expected = three_term_upper(EncodedPair(Encoded(scored[a], fit=fit[0]), Encoded(scored[b], fit=fit[1]))).value
        found = next(
            row for row in rows
            if (row["augmentation"], row["seed"], row["noise"], row["estimator"])
            == (augmentation, 1, None, "three_term_upper")
        )  # fmt: skip
        assert found["value"] == pytest.approx(expected, abs=1e-3)
    # one seed: the baseline has no other to be compared with
    alone = run(replace(shared, seeds=1))
    assert {row["augmentation"] for row in alone.rows if row["quantity"] == "I(Z_A;Z_X)"} == {"mixup"}


def test_decoder_scales_are_analysed_side_by_side(config, capsys):
    config = replace(config, augmentations=("none", "mixup"), inputs=("clean",), decoder_scales=(1.0, 0.3))
    run(replace(config, execution=replace(config.execution, dry_run=True)))
    assert "4 VAEs to reuse, 4 to train" in capsys.readouterr().out
    result = run(config)
    assert {row["decoder_scale"] for row in result.rows} == {1.0, 0.3}
    assert "Over decoder scales 1 and 0.3." in result.text
    assert result.text.count("Table 1 on digits") == 2
    assert result.text.count("Beside the paper") <= 1
    names = {path.name for path in result.files}
    assert {"table-1-scale-1.png", "table-1-scale-0.3.png", "rate-distortion.png", "conclusions.txt"} <= names
    plane = pd.read_csv(next(path for path in result.files if path.name == "rate-distortion.csv"))
    assert len(plane) == 3 * 2 * 2
    assert plane.groupby("augmentation").size().to_dict() == {"none": 4, "mixup": 4, LINEAR: 4}
    assert (plane["mse"] > 0).all()
    # the analysis at one scale is the one of a job at this scale alone
    capsys.readouterr()
    alone = replace(config, decoder_scales=(), settings=replace(FAST, decoder_scale=0.3))
    again = run(alone)
    assert "reused 4 VAEs and their analysis" in capsys.readouterr().out
    assert again.rows == [row for row in result.rows if row["decoder_scale"] == 0.3]


@pytest.mark.parametrize(
    ("inputs", "bounds", "drawn"),
    [
        (("own-augmented",), ("rate",), {"rate-distortion.png", "table-1-scale-1.png", "table-1-scale-0.3.png"}),
        (("clean",), ("infonce",), {"table-1-scale-1.png", "table-1-scale-0.3.png"}),
        (("clean", "own-augmented"), ("product_marginal",), set()),
    ],
)
def test_whatever_is_bounded_on_whatever_inputs_the_figures_are_of_it(config, inputs, bounds, drawn):
    # squared errors are measured on both kinds of inputs, bounds on those that were asked for alone
    config = replace(
        config, augmentations=("none",), seeds=1, inputs=inputs, bounds=bounds, decoder_scales=(1.0, 0.3)
    )  # fmt: skip
    files = run(config).files
    pictures = {path.name for path in files if path.suffix == ".png" and not path.name.startswith("training")}
    assert pictures == drawn | {"reconstructions.png"}
    if "rate-distortion.png" in drawn:
        plane = pd.read_csv(next(path for path in files if path.name == "rate-distortion.csv"))
        assert set(plane["inputs"]) == {"own-augmented"}
        assert plane[["mean", "mse"]].notna().all(axis=None)


def test_a_missing_flow_package_is_one_line_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert call("--bounds", "flow_marginal", "--store", str(tmp_path / "runs")) == 2
    assert "--bounds: got flow_marginal without the package zuko" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_collapsed_code_is_flagged_in_table_and_figure(options):
    # a decoder's noise above every eigenvalue of the images leaves nothing to code
    settings = replace(FAST, epochs=1, decoder_scale=10.0)
    result = run(
        Config(augmentations=("none",), seeds=1, bounds=("rate", "infonce"), settings=settings, execution=options)
    )
    assert "baseline: the code has collapsed (fewer than one active unit)" in result.text
    assert "code collapsed" in next(path for path in result.files if path.suffix == ".svg").read_text()


def test_smoke_is_watermarked_and_apart(options, capsys):
    result = run(Config(smoke=True, augmentations=("none", "fmix"), settings=FAST, execution=options))
    assert "SMOKE RUN" in result.text
    svg = next(path for path in result.files if path.suffix == ".svg")
    assert "SMOKE RUN" in svg.read_text()
    assert svg.parent.name.endswith("-smoke")


def test_the_linear_vae_stands_beside_every_vae(new):
    # the reference network starts from nothing, and two epochs leave it there
    config = replace(
        new, augmentations=("none", "mixup"), inputs=("clean",), bounds=("rate", "infonce"), seeds=1,
        settings=replace(FAST, preset="reference"),
    )  # fmt: skip
    result = run(config)
    data, rows = load(config.data), [row for row in result.rows if row["seed"]]

    def value(estimator: str, inputs: str, augmentation: str, fitted_on: str | None = None) -> float:
        (row,) = [
            row for row in rows
            if (row["estimator"], row["inputs"], row["augmentation"], row["fitted_on"])
            == (estimator, inputs, augmentation, fitted_on)
        ]  # fmt: skip
        return row["value"]

    # −ELBO is P · MSE / 2σ² + rate, on clean and on own-augmented inputs, which nobody asked for
    for name in ("none", "mixup"):
        expected = 64 * value("mse", "clean", name) / 2 + value("rate", "clean", name)
        assert value("negative_elbo", "clean", name) == pytest.approx(expected)
        assert value("negative_elbo", "own-augmented", name) > 0
        assert value("mse", "own-augmented", name) > 0
    excess = value("negative_elbo_excess", "clean", "mixup")
    assert excess == pytest.approx(value("negative_elbo", "clean", "mixup") - value("negative_elbo", "clean", "none"))
    # by hand, from the kept weights: two epochs leave the VAE worse than the linear one
    settings = config.settings
    for name in ("none", "mixup"):
        vae = load_vae(vae_run(data, name, 1, settings, config.execution), torch.device("cpu"))
        own = mutual_info.own_inputs(settings, data, name)
        mixed = own.mixtures(data.test.inputs, generator("cpu", 1, "test"))
        posterior = vae.encode(mixed)
        elbos = []
        for seed in range(20):
            errors = (vae.decode(posterior.sample(torch.Generator().manual_seed(seed))) - mixed).square()
            elbos.append(errors.flatten(1).sum(1) / 2 + posterior.kl_to_standard_normal())
        by_hand = torch.stack(elbos).mean(0).detach().double()
        assert value("negative_elbo", "own-augmented", name) == pytest.approx(float(by_hand.mean()), rel=0.02)
        draws = own.draws(data.train.inputs, generator("cpu", 7), 20_000)
        linear = fit_linear(draws, 4, 1.0).negative_elbo(mixed)
        fitted = value("negative_elbo", "own-augmented", LINEAR, name)
        assert fitted == pytest.approx(float(linear.mean()), rel=0.01)
        assert by_hand.mean() > linear.mean() + 5 * (by_hand - linear).std() / math.sqrt(len(mixed))
    flags = {(row["augmentation"], row["under_trained"]) for row in result.rows}
    assert flags == {("none", True), ("mixup", True), (LINEAR, None)}
    assert {row["fitted_on"] for row in rows if row["inputs"] == "clean" and row["augmentation"] == LINEAR} == {"none"}
    assert "linear VAE" in result.text
    assert "baseline ‡" in result.text
    assert "No claim about augmentations rests on them." in result.text
    svg = (config.execution.out / "table-1-digits" / "table-1.svg").read_text()
    assert "linear VAE" in svg
    assert "‡ under-trained: worse than the linear VAE" in svg


def test_a_vae_is_under_trained_by_two_paired_standard_errors():
    stream = torch.Generator().manual_seed(0)
    linear = 300 + 100 * torch.randn(400, generator=stream, dtype=torch.float64)
    noise = torch.randn(400, generator=stream, dtype=torch.float64)
    noise = (noise - noise.mean()) / noise.std()  # a paired standard error of 1/20
    assert mutual_info.worse_than(linear + noise + 0.11, linear)
    assert not mutual_info.worse_than(linear + noise + 0.09, linear)
    assert not mutual_info.worse_than(linear + noise - 5, linear)


def test_older_documents_get_the_difference_from_the_baseline():
    rows = [
        row | {"estimator": "negative_elbo", "decoder_scale": 1.0, "value": 50.0 + row["seed"] + 7 * (place > 2)}
        for place, row in enumerate(each for each in rows_of({"none": (1, 1, 1), "mixup": (1, 1, 1)})
                                    if each["estimator"] == "rate")
    ]  # fmt: skip
    (table,) = tables_by_scale({"results": rows, "config": {}, "about": {"settings": {}}}).values()
    found = table[table["estimator"] == "negative_elbo_excess"]
    assert found["augmentation"].tolist() == ["mixup"]
    assert found["mean"].tolist() == [7.0]
    assert found["image_error"].isna().all()


def test_only_separated_limits_are_certified():
    apart = summarise(rows_of({"none": (5.0, 4.9, 4.8), "mixup": (2.0, 1.9, 1.8)}))
    assert certified_pairs(apart) == [("none", "mixup")]
    text = conclusions(apart, {"seeds": 3, "decoder_scale": 1.0})
    assert "certified at 99% over all pairs (wrong in up to 3.5% if seeds were skewed" in text
    assert "spread unequally): baseline above MixUp" in text
    touching = summarise(rows_of({"none": (5.0, 4.9, 3.0), "mixup": (3.2, 3.1, 2.9)}))
    assert certified_pairs(touching) == []
    # the same distance with a hundred times the spread over seeds and images
    noisy = summarise(rows_of({"none": (5.0, 4.9, 4.8), "mixup": (2.0, 1.9, 1.8)}, spread=1.0))
    assert certified_pairs(noisy) == []
    text = conclusions(noisy, {"seeds": 3, "decoder_scale": 1.0})
    assert "No difference in I(Z;X) between augmentations is certified (99%, all pairs jointly, seeds as" in text


def test_nothing_is_certified_between_augmentations_that_are_the_same():
    # 100 experiments of 3 augmentations, 3 seeds each, with tight bounds: at 99%, about 1 of them at the most
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(100):
        rows = rows_of(dict.fromkeys(("none", "mixup", "fmix"), (3.0, 3.0, 3.0)), spread=0.0)
        shared = {estimator: rng.normal(0, 0.02) for estimator in ("rate", "gaussian_marginal", "infonce")}
        seeds = {(row["augmentation"], row["seed"]): rng.normal(0, 0.1) for row in rows}
        for row in rows:
            row["standard_error"] = 0.02
            row["value"] += shared[row["estimator"]] + seeds[row["augmentation"], row["seed"]]
        wrong += bool(certified_pairs(summarise(rows)))
    assert wrong <= 4  # P < 0.004 if the rate were 1%


def test_saturation_and_order_are_put_into_words():
    table = summarise(rows_of({"none": (80.0, 70.0, 9.2), "fmix": (78.0, 75.0, 9.2)}))
    text = conclusions(table, {"seeds": 3, "decoder_scale": 0.1})
    assert "FMix 78.00 < baseline 80.00 nats; a rate is only an upper bound" in text
    assert "orders them differently (baseline 70.00 < FMix 75.00)" in text
    assert "InfoNCE is within a nat of its cap log N = 9.21 for baseline and FMix" in text
    assert "decoder scale 0.1" in text


def test_published_values_stand_beside_ours():
    text = text_table(summarise(rows_of({"none": (80.0, 70.0, 9.2), "fmix": (78.0, 75.0, 9.2)})), "Table 1")
    lines = str(text).splitlines()
    ours = next(i for i, line in enumerate(lines) if line.startswith("FMix"))
    assert "78.00 ± 0.01" in lines[ours]
    assert "9.20 ± 0.01 *" in lines[ours]
    assert "83.67 ± 0.89" in lines[ours + 1]
    assert sum("published, CIFAR-10" in line for line in lines) == 1
    assert any("* saturated" in line for line in lines)


def test_one_seeds_headline_keeps_its_own_error():
    rows = headlines(rows_of({"none": (5.0, 4.9, 4.8)}, seeds=1))
    assert {row["standard_error"] for row in rows} == {0.01}
    assert {row["seed"] for row in rows} == {None}


def test_the_summary_is_a_data_frame():
    table = summarise(rows_of({"none": (5.0, 4.9, 4.8)}))
    assert isinstance(table, pd.DataFrame)
    assert table["mean"].tolist() == pytest.approx([5.0, 4.9, 4.8])
    assert table["std"].tolist() == pytest.approx([0.01] * 3)


def document_of(config: Config, directory: Path) -> dict:
    """What a job writes."""
    config = replace(config, execution=replace(config.execution, out=directory))
    run(config)
    return json.loads((directory / "table-1-digits" / "result.json").read_text(encoding="utf-8"))


def test_documents_of_other_seeds_and_augmentations_are_joined_into_what_one_job_says(config, tmp_path):
    config = replace(
        config, augmentations=("none", "mixup"), bounds=("rate", "infonce"), inputs=("clean",), shared=True,
        noise=(1.0,),
    )  # fmt: skip
    whole = document_of(replace(config, seeds=4), tmp_path / "whole")
    parts = [
        document_of(replace(config, augmentations=names, first_seed=first), tmp_path / f"{names[-1]}-{first}")
        for names, first in ((("none",), 1), (("mixup",), 1), (("none", "mixup"), 3))
    ]
    joined = mutual_info.joined(parts)

    def numbers(document: dict) -> dict:
        # of whom a baseline is compared with, the seeds decide: 2 with 1 in one, with 3 in the other
        return {
            tuple(row[key] for key in ROW_KEYS): row
            for row in document["results"]
            if row["seed"] is not None
            and not (row["augmentation"] == "none" and row["quantity"] in ("I(Z_A;Z_X)", "I(Z;X̂)"))
        }

    assert numbers(joined) == numbers(whole)
    assert joined["about"]["title"] == whole["about"]["title"]
    assert "4 seeds" in joined["text"]
    heads = [
        {(row["augmentation"], row["inputs"], row["noise"]): row["value"] for row in document["results"]
         if row["seed"] is None and row["estimator"] == "infonce"}
        for document in (joined, whole)
    ]  # fmt: skip
    assert heads[0] == pytest.approx(heads[1])
    assert len(joined["runs"]) == len(whole["runs"]) == 8
    assert len(joined["about"]["curves"]) == len(whole["about"]["curves"])
    assert mutual_info.text_of(joined) == (joined["text"], joined["about"]["conclusions"])
    files = mutual_info.draw(joined, tmp_path / "drawn")
    assert {"table-1.png", "training.png", "noise-profile.png"} <= {path.name for path in files}


def test_documents_of_other_settings_are_not_joined(config, tmp_path):
    config = replace(config, augmentations=("none",), inputs=("clean",), bounds=("rate",), seeds=1)
    other = replace(config, settings=replace(FAST, epochs=3))
    documents = [document_of(each, tmp_path / str(place)) for place, each in enumerate((config, other))]
    with pytest.raises(BadInput, match="documents: got epochs 3 beside 2; needs documents that differ in seeds"):
        mutual_info.joined(documents)


def test_the_baselines_of_later_seeds_are_each_others(config):
    later = replace(config, first_seed=4, seeds=3)
    assert [baseline_seed(later, "none", seed) for seed in (4, 5, 6)] == [5, 6, 4]
    assert baseline_seed(later, "fmix", 5) == 5
    assert baseline_seed(replace(later, seeds=1), "none", 4) is None
    assert {seed for _, seed in later.networks()} == {4, 5, 6}
