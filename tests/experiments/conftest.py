"""Grids of a user's own, small enough for tests, and where they are run: in this process, on a cluster of two nodes."""

from pathlib import Path

import pytest

from experiments.steps import Outcome, Step, execute
from tests.calls import LOOPBACK

TOKEN = "0123456789abcdef" * 4

GRID = """
from dataclasses import replace

from analysis import accuracy
from classifiers.train import Settings
from gradcam import sums
from tasks import DataOptions

SETTINGS = Settings(epochs=EPOCHS, width=2)


def small(scale):
    common = {"seeds": scale.seeds, "data": DataOptions("digits"), "settings": SETTINGS, "execution": scale.execution}
    yield accuracy.Config(("none", "mixup"), **common)
    yield sums.Config(("none", "mixup"), images=8, **common)


def one(scale):
    common = {"seeds": 1, "data": DataOptions("digits"), "execution": scale.execution}
    yield accuracy.Config(("none",), settings=SETTINGS, **common)


def wrong(scale):
    common = {"seeds": 1, "data": DataOptions("digits"), "execution": scale.execution}
    yield accuracy.Config(("none",), settings=SETTINGS, **common)
    yield sums.Config(("fmix",), images=8, settings=replace(SETTINGS, learning_rate=1e9), **common)


def nothing(scale):
    return []


def other(scale):
    yield scale
"""


@pytest.fixture
def grid(tmp_path) -> Path:
    path = tmp_path / "my.py"
    path.write_text(GRID.replace("EPOCHS", "2"))
    return path


class Here:
    """A pool of this process, which does a step when it is handed in."""

    def __init__(self) -> None:
        self.done: list[tuple[Step, Outcome]] = []

    def free(self) -> int:
        return 1 - len(self.done)

    def submit(self, step: Step, log: Path) -> None:
        self.done.append((step, execute(step, log)))

    def finished(self, seconds: float) -> list[tuple[Step, Outcome]]:
        done, self.done = self.done, []
        return done

    def running(self) -> list[Step]:
        return [step for step, _ in self.done]

    def interrupt(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def in_this_process(monkeypatch):
    """Grids without workers, each of which would import PyTorch first."""
    monkeypatch.setattr("experiments.run._pool", lambda config: Here())


@pytest.fixture
def two_nodes(monkeypatch):
    """A Ray cluster of two nodes on this machine, which nobody else reaches: the cluster, and its second node."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # else 127.0.0.1 becomes the network's address
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "node_ip_address": LOOPBACK, "include_dashboard": False}
    )
    second = cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
    cluster.wait_for_nodes()
    yield cluster, second
    cluster.shutdown()
    ray.shutdown()
