"""Passes over all pairs in stretches of rows: against loops, against one stretch, and on workers that are killed."""

import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from analysis.bounds import Encoded, infonce, pairs, sample_codes, stretches
from analysis.bounds.class_pairs import FLOOR, ClassPairs, class_pairs
from analysis.bounds.labelled import Labelled, labelled_bounds
from analysis.bounds.on_ray import RayWorkers
from analysis.bounds.pairs import Pairs, all_pairs
from analysis.bounds.stretches import HERE, Stretch, cut
from tests.calls import ROOT
from training.clusters import Gone
from vae.posterior import DiagonalGaussian

FIELDS = ("matching", "others", "infonce_without", "leave_one_out_without")


def uneven(n: int, *, one_noise: bool) -> tuple[DiagonalGaussian, Tensor]:
    """Three overlapping classes, of a half, a third and a sixth of the images, in no order."""
    stream = torch.Generator().manual_seed(7)
    labels = torch.tensor([0, 1, 0, 2, 1, 0]).repeat(n // 6)
    mean = torch.randn(n, 3, dtype=torch.float64, generator=stream) + 0.7 * labels[:, None]
    noise = torch.zeros_like(mean) if one_noise else 0.5 * torch.randn(n, 3, dtype=torch.float64, generator=stream)
    return DiagonalGaussian(mean, noise - 0.5), labels


def vectors(found: Pairs | ClassPairs) -> list[Tensor]:
    if isinstance(found, Pairs):
        return [getattr(found, field) for field in FIELDS]
    return [*vectors(found.everyone), *vectors(found.classmates), found.terms, found.without]


def passes(posterior: DiagonalGaussian, labels: Tensor, workers: Any = HERE) -> list[Tensor]:
    """Everything that both passes leave."""
    codes = sample_codes(posterior)
    return vectors(all_pairs(posterior, codes, workers)) + vectors(class_pairs(posterior, codes, labels, workers))


@pytest.fixture
def cut_into(monkeypatch):
    """Cut small passes into so many stretches, blocks of so many rows."""

    def change(count: int, rows: int = 16) -> None:
        monkeypatch.setattr(stretches, "ALONE", 0)
        monkeypatch.setattr(stretches, "STRETCHES", count)
        monkeypatch.setattr(pairs, "BLOCK", 1)
        monkeypatch.setattr(pairs, "ROWS", rows)

    return change


def test_where_a_pass_is_cut():
    assert cut(2_000) == [(0, 2_000)]
    assert cut(20_000) == [(0, 20_000)]
    for n in (20_001, 100_000, 1_000_003):
        borders = cut(n)
        assert len(borders) == 64
        assert [row for start, stop in borders for row in (start, stop - 1)][:: 2 * 64 - 1] == [0, n - 1]
        assert all(before[1] == after[0] for before, after in pairwise(borders))
        assert {stop - start for start, stop in borders} <= {n // 64, n // 64 + 1}


def slow(densities: list[list[float]], labels: list[int]) -> dict[str, list[float]]:
    """The definitions of what the pass over classes leaves, one pair after the other."""
    n = len(labels)
    size = {y: labels.count(y) for y in labels}

    def term(i: int, left_out: int | None = None) -> float:
        means = {}
        for y in size:
            others = [densities[i][j] for j in range(n) if labels[j] == y and j not in (i, left_out)]
            means[y] = sum(others) / len(others)
        ratio = means[labels[i]] / sum(size[y] / n * mean for y, mean in means.items())
        return math.log((1 - FLOOR) * ratio + FLOOR)

    def without(k: int, *, mates: bool, own: bool) -> float:
        total = 0.0
        for i in range(n):
            if i == k or (mates and labels[i] != labels[k]):
                continue
            among = [j for j in range(n) if (own or j != i) and not (mates and labels[j] != labels[i])]
            total += math.log(1 - densities[i][k] / sum(densities[i][j] for j in among))
        return total

    def rise(k: int) -> float:
        y = labels[k]
        changes = [(term(i, k) - term(i), labels[i] == y) for i in range(n) if i != k]
        return sum(change * (size[y] / (size[y] - 1) if mate else 1) for change, mate in changes)

    mates = [[j for j in range(n) if j != i and labels[j] == labels[i]] for i in range(n)]
    return {
        "everyone others": [math.log(sum(densities[i]) - densities[i][i]) for i in range(n)],
        "everyone infonce_without": [without(k, mates=False, own=True) for k in range(n)],
        "everyone leave_one_out_without": [without(k, mates=False, own=False) for k in range(n)],
        "classmates others": [math.log(sum(densities[i][j] for j in mates[i])) for i in range(n)],
        "classmates infonce_without": [without(k, mates=True, own=True) for k in range(n)],
        "classmates leave_one_out_without": [without(k, mates=True, own=False) for k in range(n)],
        "terms": [term(i) for i in range(n)],
        "without": [rise(k) for k in range(n)],
    }


@pytest.mark.parametrize("one_noise", [True, False])
def test_stretches_that_cut_uneven_classes_are_the_definition(one_noise, cut_into):
    posterior, labels = uneven(36, one_noise=one_noise)
    codes = sample_codes(posterior)
    densities = [[math.exp(float(posterior[j : j + 1].log_prob(code))) for j in range(36)] for code in codes]
    expected = slow(densities, labels.tolist())
    cut_into(5, rows=3)
    found = class_pairs(posterior, codes, labels)
    everyone = all_pairs(posterior, codes)
    for name, values in expected.items():
        slowly = torch.tensor(values, dtype=torch.float64)
        if name == "without":  # up to a number for each class
            for y in range(3):
                of_class = found.without[labels == y] - slowly[labels == y]
                assert float(of_class.std()) < 5e-3 * float(slowly[labels == y].std())
            continue
        part, _, field = name.rpartition(" ")
        value = getattr(getattr(found, part), field) if part else getattr(found, field)
        # shares below 0.01 enter to first order
        tolerance = {"rtol": 5e-3, "atol": 1e-8} if "without" in name else {"rtol": 1e-9, "atol": 1e-9}
        torch.testing.assert_close(value, slowly, **tolerance)
        if part == "everyone":
            torch.testing.assert_close(getattr(everyone, field), slowly, **tolerance)


@pytest.mark.parametrize("one_noise", [True, False])
def test_any_cut_is_one_stretch_but_for_rounding(one_noise, cut_into):
    posterior, labels = uneven(120, one_noise=one_noise)
    whole = passes(posterior, labels)
    for count, rows in ((1, 16), (2, 7), (7, 5), (120, 1)):
        cut_into(count, rows)
        for one, other in zip(whole, passes(posterior, labels), strict=True):
            torch.testing.assert_close(other, one, rtol=1e-11, atol=1e-11)


def test_means_far_out_are_cut_as_well(cut_into):
    mean = torch.linspace(-1e3, 1e3, 60, dtype=torch.float64)[:, None].expand(60, 2).contiguous()
    posterior = DiagonalGaussian(mean, torch.full_like(mean, -14 * math.log(10)))
    labels = torch.arange(60) % 2
    whole = passes(posterior, labels)
    cut_into(7, 2)
    for one, other in zip(whole, passes(posterior, labels), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-11, atol=1e-11)


class Backwards:
    """Workers that end in the wrong order."""

    def __init__(self) -> None:
        self.asked = 0

    def map(
        self, function: Stretch, shared: Any, stretches: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        self.asked += 1
        done = [function(shared, start, stop) for start, stop in reversed(stretches)]
        yield from reversed(done)


def test_the_bits_do_not_depend_on_who_was_first(cut_into):
    cut_into(7, 4)
    posterior, labels = uneven(120, one_noise=True)
    for one, other in zip(passes(posterior, labels), passes(posterior, labels, Backwards()), strict=True):
        assert torch.equal(one, other)


def test_every_bound_of_a_code_asks_its_workers_once():
    posterior, labels = uneven(60, one_noise=True)
    workers = Backwards()
    labelled = Labelled(posterior, labels, workers=workers)
    assert labelled_bounds(labelled) == labelled_bounds(Labelled(posterior, labels))
    assert workers.asked == 1
    encoded = Encoded(posterior, workers=workers)
    assert infonce(encoded) == infonce(posterior)
    for again in (encoded.drawn(encoded.codes), labelled.drawn(labelled.codes)):
        assert again.workers is workers
        infonce(again)
    assert workers.asked == 4


# --- on Ray ---------------------------------------------------------------------------------------------------------


class Killer:
    """Kills workers while they do a stretch, so many of them."""

    def __init__(self, many: float) -> None:
        self.left, self.killed, self.done = many, 0, threading.Event()
        self.thread = threading.Thread(target=self._kill)

    def __enter__(self) -> "Killer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def _kill(self) -> None:
        while self.killed < self.left and not self.done.wait(0.05):
            for each in psutil.Process().children(recursive=True):
                try:
                    if each.cmdline()[:1] == ["ray::_stretch"]:
                        each.kill()
                        self.killed += 1
                        break
                except psutil.Error:
                    pass


@pytest.fixture
def two_workers(monkeypatch):
    # read once a process, by the tests of grids too
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    pytest.importorskip("ray")
    with RayWorkers("local", workers=2) as workers:
        yield workers


@pytest.mark.endurance
def test_two_workers_and_a_killed_one_give_the_bits_of_this_process(two_workers, monkeypatch):
    monkeypatch.setattr(stretches, "ALONE", 0)
    monkeypatch.setattr(stretches, "STRETCHES", 12)
    posterior, labels = uneven(6_000, one_noise=True)
    labelled, codes = Labelled(posterior, labels), sample_codes(posterior)
    expected = passes(posterior, labels)
    for one, other in zip(expected, passes(posterior, labels, two_workers), strict=True):
        assert torch.equal(one, other)
    with Killer(2) as killer:
        found = vectors(class_pairs(posterior, codes, labels, two_workers))
    assert killer.killed == 2
    for one, other in zip(expected[len(FIELDS) :], found, strict=True):
        assert torch.equal(one, other)
    assert labelled_bounds(Labelled(posterior, labels, workers=two_workers)) == labelled_bounds(labelled)


@pytest.mark.endurance
def test_a_pass_whose_workers_all_die_ends_in_one_line(two_workers, monkeypatch):
    monkeypatch.setattr(stretches, "ALONE", 0)
    monkeypatch.setattr(stretches, "STRETCHES", 2)
    posterior, labels = uneven(12_000, one_noise=True)
    with Killer(math.inf), pytest.raises(Gone, match=r"^--ray: rows [0-9,]+ to [0-9,]+ of a pass are lost: [^\n]*$"):
        class_pairs(posterior, sample_codes(posterior), labels, two_workers)


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nonsense", "needs local, auto"),
        ("127.0.0.1:1", "where no cluster answers"),
        ("local", "local where ray is imported already; needs RAY_AUTH_MODE=token before that"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(address, words, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    program = f"import ray\nfrom analysis.bounds.on_ray import RayWorkers\nRayWorkers({address!r})"
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert time.monotonic() - began < 45  # most of it Python's and PyTorch's beginning
    assert ended.stderr.splitlines()[-1].startswith("store.bad_input.BadInput: --ray: got")
    assert words in ended.stderr
