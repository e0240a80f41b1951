"""The −ELBO that is watched in training, and what a record says of it."""

import math
from dataclasses import replace

import pytest
import torch

from tasks import DataOptions, load
from training import Diverged, Interrupted, generator
from vae import curve
from vae.curve import last_fall, negative_elbo, steps_to_watch
from vae.encode import load_vae
from vae.train import Settings, overfitting, train, vae_run

FAST = Settings(epochs=5, width=4, hidden=16, latents=4, batch_size=64)


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


def test_the_last_fall_is_over_the_last_fifth_of_the_steps():
    points = [{"step": step, "negative_elbo": value} for step, value in ((0, 50.0), (80, 30.0), (100, 29.25))]
    assert last_fall(points) == 0.75
    assert last_fall(points[:1] + points[2:]) is None
    assert last_fall([]) is None
    assert {0, 8_000, 10_000} <= set(steps_to_watch(10_000))
    assert steps_to_watch(1) == [0, 1]


def test_a_record_holds_the_curve_and_its_last_point_is_what_the_weights_give(digits, options):
    settings = Settings(epochs=15, width=16, hidden=32, latents=4)
    run = train(digits, "mixup", 1, settings, options)
    record = run.result()
    steps = 15 * (len(digits.train) // 64)
    assert [point["step"] for point in record["curve"]] == steps_to_watch(steps)
    falls = [point["negative_elbo"] for point in record["curve"]]
    assert falls[-1] < falls[0] - 0.1
    assert record["metrics"]["last_fall"] == pytest.approx(last_fall(record["curve"]))
    vae = load_vae(run, torch.device("cpu"))
    own = FAST.pipeline("mixup", digits, vae.enter)
    inputs = own.each_once(digits.test.inputs, generator("cpu", 1, "curve"), 2000)
    elbo, rate, mse = negative_elbo(vae, inputs, 1)
    assert float(elbo.mean()) == pytest.approx(falls[-1], rel=1e-6)
    assert torch.allclose(elbo, inputs[0].numel() * mse / 2 + rate)
    over = record["metrics"]["overfitting"]
    assert over == pytest.approx(overfitting(vae, digits, own, 1))
    assert abs(over["value"]) < 5 * over["standard_error"] + 3


def test_watching_changes_nothing_of_the_training(digits, options, monkeypatch, tmp_path):
    watched = load_vae(train(digits, "fmix", 1, FAST, options), torch.device("cpu"))
    monkeypatch.setattr(curve, "SHARES", ())
    elsewhere = replace(options, store=tmp_path / "elsewhere")
    blind = load_vae(train(digits, "fmix", 1, FAST, elsewhere), torch.device("cpu"))
    assert all(torch.equal(value, blind.state_dict()[name]) for name, value in watched.state_dict().items())


def test_a_resumed_run_has_the_same_curve(digits, options, tmp_path, monkeypatch):
    whole = train(digits, "none", 1, FAST, options).result()["curve"]
    elsewhere = replace(options, store=tmp_path / "elsewhere", checkpoint_seconds=0)
    run = vae_run(digits, "none", 1, FAST, elsewhere)
    rewind, seen = type(run).log, []

    def stops(self, row):
        rewind(self, row)
        seen.append(row)
        if len(seen) == 6:
            raise Interrupted("stopped", 15)

    monkeypatch.setattr(type(run), "log", stops)
    with pytest.raises(Interrupted):
        train(digits, "none", 1, FAST, elsewhere)
    monkeypatch.undo()
    assert train(digits, "none", 1, FAST, elsewhere).result()["curve"] == whole


def test_a_single_test_image_is_enough_to_train_and_to_watch(digits, options):
    single = replace(digits, tests={"test": digits.test.only(torch.arange(1))})
    record = train(single, "fmix", 1, FAST, options).result()
    assert all(math.isfinite(value) for point in record["curve"] for value in point.values())
    assert math.isfinite(record["metrics"]["overfitting"]["standard_error"])


def test_what_is_not_finite_ends_the_run(digits, options, monkeypatch):
    from training import fit

    run = vae_run(digits, "none", 1, FAST, options)
    run.begin()
    model = torch.nn.Linear(2, 2)
    with pytest.raises(Diverged, match="after step 2 of"):
        fit(
            run, model, torch.optim.SGD(model.parameters(), lr=0.1),
            lambda indices, stream, step: {"loss": model(torch.ones(1, 2)).sum()},
            images=8, batch_size=4, epochs=2, seed=1, learning_rate=lambda step: 0.0, device=torch.device("cpu"),
            watch=lambda step: {"negative_elbo": math.inf}, watched=[2],
        )  # fmt: skip


def test_bfloat16_on_a_processor_learns_what_single_precision_does(digits, options):
    settings = replace(FAST, epochs=8)
    one, other = (
        train(digits, "none", 1, replace(settings, precision=precision), options).result()
        for precision in ("fp32", "bf16")
    )
    assert one["hash"] != other["hash"]
    assert other["curve"][-1]["negative_elbo"] == pytest.approx(one["curve"][-1]["negative_elbo"], abs=1.0)
    assert other["curve"][-1] != one["curve"][-1]
