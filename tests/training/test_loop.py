import hashlib
import io
import os
import pickle
import signal

import pytest
import torch
from torch import nn

from store import BadInput, Run
from training import Diverged, Interrupted, fit
from training.loop import received_signals

CPU = torch.device("cpu")


def train(run: Run, *, stop_at: int | None = None, how: int = signal.SIGTERM, poison: float = 1.0, **settings):
    """Fit a small regression with BatchNorm and Adam; optionally send this process a signal at a step."""
    run.begin()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
        inputs = torch.randn(70, 5)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def losses(indices, stream, step):
        if step == stop_at:
            os.kill(os.getpid(), how)
        noise = torch.randn(len(indices), 1, generator=stream)
        error = (model(inputs[indices]) - inputs[indices].sum(1, keepdim=True) + 0.1 * noise).square().mean()
        return {"loss": error * poison**step, "error": error}

    settings = {"images": 70, "batch_size": 16, "epochs": 5, "seed": 1, "device": CPU} | settings
    result = fit(run, model, optimizer, losses, learning_rate=lambda step: 1e-2 / (1 + step), **settings)
    return model.state_dict(), result


def a_run(path) -> Run:
    return Run(path, "test", "regression", {"seed": 1})


@pytest.mark.parametrize("stop_at", [0, 3, 4, 11, 19])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_run_resumes_to_the_same_bits(tmp_path, stop_at, how, request):
    before = signal.signal(how, signal.default_int_handler)  # under nohup a hang-up is ignored, and stays so
    request.addfinalizer(lambda: signal.signal(how, before))
    whole, expected = train(a_run(tmp_path / "whole"))
    run = a_run(tmp_path / "stopped")
    with pytest.raises(Interrupted, match=f"at step {stop_at + 1} of 20") as stop:
        train(run, stop_at=stop_at, how=how)
    assert stop.value.exit_status == 128 + how
    assert run.resume.exists()
    resumed, result = train(run)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    assert {key: result[key] for key in ("loss", "error")} == {key: expected[key] for key in ("loss", "error")}
    assert (run.path / "log.jsonl").read_text() == (a_run(tmp_path / "whole").path / "log.jsonl").read_text()


def test_a_second_signal_acts_at_once_though_it_is_another():
    with received_signals() as received:
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_checkpoints_by_time_do_not_change_the_result(tmp_path):
    whole, _ = train(a_run(tmp_path / "whole"))
    often, _ = train(a_run(tmp_path / "often"), checkpoint_seconds=0.0)
    assert all(torch.equal(value, often[name]) for name, value in whole.items())


def test_signal_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    train(a_run(tmp_path))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("poison", [float("nan"), 1e4])
def test_divergence_stops_the_run(tmp_path, poison):
    with pytest.raises(Diverged, match="the loss became"):
        train(a_run(tmp_path), poison=poison)


def test_fewer_images_than_a_batch_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--batch-size: got 71; needs at most the number of training images, 70"):
        train(a_run(tmp_path), batch_size=71)


class Malicious:
    def __reduce__(self):
        return (open, ("executed", "w"))


def damaged(kind: str, good: bytes) -> bytes:
    if kind == "truncated":
        return good[: len(good) // 2]
    if kind.startswith("flipped"):  # one bit
        place = int(float(kind.split()[1]) * (len(good) - 1))
        return good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
    content = pickle.dumps({"hash": "x", "model": Malicious()}, protocol=2)
    return hashlib.sha256(content).digest() + content if kind == "malicious" else content


@pytest.mark.parametrize(
    "kind", ["truncated", "flipped 0", "flipped 0.3", "flipped 0.5", "flipped 0.8", "flipped 1", "malicious", "foreign"]
)
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = a_run(tmp_path)
    with pytest.raises(Interrupted):
        train(run, stop_at=5)
    bad = damaged(kind, run.resume.read_bytes())
    run.resume.write_bytes(bad)
    with pytest.raises(BadInput, match=r"resume\.pt: got a file that cannot be loaded") as problem:
        train(run)
    assert "\n" not in str(problem.value)
    assert run.resume.read_bytes() == bad
    assert not (tmp_path / "executed").exists()


def forged(run: Run, change) -> None:
    """A checkpoint with something else in it, and the digest that belongs to that."""
    state = torch.load(io.BytesIO(run.resume.read_bytes()[32:]), weights_only=True)
    change(state)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    run.resume.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["progress"].update(step=10**9),
        lambda state: state["progress"].update(step=-1),
        lambda state: state["progress"].update(step="5"),
        lambda state: state["progress"].update(step=True),
        lambda state: state["progress"].update(first="x"),
        lambda state: state["progress"].update(sums=[1.0]),
        lambda state: state["progress"].update(last=[]),
        lambda state: state["progress"].pop("step"),
        lambda state: state.update(progress=[]),
        lambda state: state.pop("progress"),
        lambda state: state.pop("model"),
        lambda state: state.update(optimizer={"state": {}, "param_groups": 3}),
        lambda state: state.update(optimizer=[]),
        lambda state: state["model"].clear(),
    ],
)
def test_a_checkpoint_that_says_what_cannot_be_is_refused(tmp_path, change):
    run = a_run(tmp_path)
    with pytest.raises(Interrupted):
        train(run, stop_at=5)
    forged(run, change)
    with pytest.raises(BadInput, match=r"resume\.pt: got .*; needs a checkpoint that this run wrote"):
        train(run)
    assert run.resume.exists()


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[1]", b'{"step": "x"}', b"\xff\xfe", b"[" * 100_000, b'{"step": 1, "watched": 3}', b"", b"9" * 9000],
)
def test_a_log_with_a_line_that_is_not_ours_is_read_up_to_it(tmp_path, line):
    run = a_run(tmp_path)
    with pytest.raises(Interrupted):
        train(run, stop_at=5)
    log = run.path / "log.jsonl"
    log.write_bytes(log.read_bytes() + line + b"\n" + b'{"step": 9, "epoch": 9}\n')
    assert [row["step"] for row in run.logged()] == [4]
    train(run)
    assert [row["step"] for row in run.logged()] == [4, 8, 12, 16, 20]


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    run, other = a_run(tmp_path), Run(tmp_path, "test", "other", {"seed": 2})
    with pytest.raises(Interrupted):
        train(other, stop_at=5)
    run.begin()
    run.resume.write_bytes(other.resume.read_bytes())
    with pytest.raises(BadInput, match="the checkpoint of another run"):
        train(run)
