"""Two processes on the loopback address against one."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from store.command_line import Options
from tasks import DataOptions, load
from tests.calls import called
from training.distributed import Ranks
from training.seeds import derive

# BatchNorm sees only a process's own part of the batch, so that only a network without it can be compared exactly
NETWORK = """
from torch import nn
def make(classes):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))
"""


def network(store):
    return "--network", "pairnet:make", "--device", "cpu", "--threads", "1", "--store", str(store)


def start(directory, rank, port, arguments):
    """One of two processes."""
    environment = os.environ | {
        "PYTHONPATH": str(directory), "OMP_WAIT_POLICY": "PASSIVE", "GLOO_SOCKET_IFNAME": "lo", "RANK": str(rank),
        "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    command = [sys.executable, "-m", "classifiers.train", *network(directory / "runs-two"), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def finish(processes):
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return outputs


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "pairnet.py").write_text(NETWORK)
    return tmp_path


def test_two_processes_train_what_one_trains(directory, monkeypatch):
    plain = ["--augmentation", "none", "--crop", "0", "--epochs", "3", "--batch-size", "100"]
    port = free_port()
    two = [start(directory, rank, port, plain) for rank in (0, 1)]
    monkeypatch.syspath_prepend(directory)
    assert called("classifiers.train", *network(directory / "runs-one"), *plain).status == 0
    outputs = finish(two)
    assert outputs[1][0] == ""  # the second process says nothing
    first, second = (next((directory / name).rglob("weights.safetensors")) for name in ("runs-one", "runs-two"))
    weights, others = load_file(first), load_file(second)
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-4, atol=1e-6)
    logits = [np.load(path.with_name("logits.npz")) for path in (first, second)]
    assert len(logits[1]["labels"]) == 360  # every test image once
    np.testing.assert_allclose(logits[1]["logits"], logits[0]["logits"], rtol=1e-3, atol=1e-4)


@pytest.mark.endurance
def test_a_signal_to_either_stops_both_and_both_resume(directory):
    long = ["--augmentation", "fmix", "--epochs", "20", "--batch-size", "100"]
    port = free_port()
    processes = [start(directory, rank, port, long) for rank in (0, 1)]
    deadline = time.monotonic() + 60
    while not any(len(log.read_text().splitlines()) >= 2 for log in directory.rglob("log.jsonl")):
        assert time.monotonic() < deadline, [process.communicate() for process in processes]
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [128 + signal.SIGTERM] * 2, outputs
    assert "checkpoint written" in outputs[0][1]

    port = free_port()
    finish([start(directory, rank, port, long) for rank in (0, 1)])
    stopped = next(directory.rglob("weights.safetensors"))
    before = load_file(stopped)
    port = free_port()
    finish([start(directory, rank, port, [*long, "--force"]) for rank in (0, 1)])
    after = load_file(stopped)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_parts_are_disjoint_and_seeds_differ():
    batch = torch.arange(12)
    parts = [Ranks(rank, 3).portion(batch) for rank in range(3)]
    assert torch.equal(torch.cat(parts), batch)
    seeds = {derive(1, "step", 0, *Ranks(rank, 3).purpose) for rank in range(3)} | {derive(1, "step", 0)}
    assert len(seeds) == 4
    assert Ranks().purpose == ()


def test_a_batch_that_processes_cannot_divide():
    from classifiers.train import Settings, classifier_run
    from store import BadInput

    data = load(DataOptions())
    with pytest.raises(BadInput, match="--batch-size: got 100; needs a multiple of 3"):
        classifier_run(data, "none", 1, Settings(batch_size=100), Options(device="cpu"), Ranks(0, 3))
