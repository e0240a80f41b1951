"""Records, documents, arrays, weights and checkpoints that somebody or something has changed: a result, or one line."""

import copy
import json
import random
from shutil import copytree, rmtree

import numpy as np
import pytest

from tests.calls import ROOT, called

VALUES = [
    None, True, 0, -1, 10**30, 1.5, 1e308, "", "a", "../x", "\x1b[31m", [], [1], ["a"], {}, {"a": 1}, [[[[]]]],
    "é" * 9000,
]  # fmt: skip
"""Put in the place of others."""


def places(value, here=()):
    """Where something is in a document."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*here, key))


def altered(document, rng):
    """A document with one value put in the place of another, or with one left out."""
    made = copy.deepcopy(document)
    chosen = rng.choice([place for place in places(made) if place and len(place) < 4])
    parent = made
    for key in chosen[:-1]:
        parent = parent[key]
    if rng.random() < 0.25:
        del parent[chosen[-1]]
    else:
        parent[chosen[-1]] = rng.choice(VALUES)
    return made, chosen


def flipped(content, rng):
    """Bytes of which some are others, left out, or put in."""
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 4, 40])):
        place = rng.randrange(len(made))
        what = rng.random()
        if what < 0.6:
            made[place] ^= 1 << rng.randrange(8)
        elif what < 0.8:
            del made[place : place + rng.choice([1, 1, 100])]
        else:
            made[place:place] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 8])))
    return bytes(made) if made else b"x"


def check(ended, what):
    """Done, something wrong that is named, or one line."""
    assert ended.status in (0, 1, 2, 3, "returned"), (what, ended.status, ended.err[-300:])
    if ended.status in (2, 3):
        told = [line for line in ended.err.splitlines() if line.startswith("python -m")]
        assert len(told) == 1, (what, ended.err[-600:])


COUNTS = [pytest.param(3), pytest.param(250, marks=pytest.mark.endurance)]
COMMON = ("--store", "runs", "--out", "out", "--device", "cpu", "--threads", "1", "--data", "npz:d.npz", "--quiet")
NARROW = ("--width", "2", "--epochs", "1", "--batch-size", "16")
NAMES = (
    "accuracy-digits", "table-1-digits", "ground-truth", "attacks-fashion-mnist", "human-uncertainty-cifar-10-jpeg",
)  # fmt: skip


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("how", ["values", "bytes"])
def test_documents_make_a_report_or_are_named(here, quick_masks, count, how):
    rng = random.Random(how)
    ended_as = {0: 0, 1: 0, 2: 0}
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        rmtree(here / "results", ignore_errors=True)
        for each in {name, "accuracy-fashion-mnist"}:
            copytree(ROOT / "results" / each, here / "results" / each)
        path = here / "results" / name / "result.json"
        if how == "values":
            made, what = altered(json.loads(path.read_text()), rng)
            path.write_text(json.dumps(made))
        else:
            what = number
            path.write_bytes(flipped(path.read_bytes(), rng))
        ended = called("reports.build", "--results", "results", "--store", "runs", "--out", "out", "--quiet")
        check(ended, (name, what))
        ended_as[ended.status] += 1
        if ended.status != 2:
            assert (here / "out" / "report" / "index.html").is_file()
    print(how, ended_as)


@pytest.mark.parametrize("count", COUNTS)
def test_documents_and_records_that_were_changed_ask_for_something_or_are_named(here, trained, count):
    rng = random.Random(0)
    record = json.loads((trained / "result.json").read_text())
    document = json.loads((ROOT / "results" / "accuracy-digits" / "result.json").read_text())
    for number in range(2 * count):
        for module, content in (("classifiers.train", record), ("analysis.accuracy", document)):
            made, what = altered(content | {"results": [], "runs": []}, rng)
            (here / "o.json").write_text(json.dumps(made))
            ended = called(module, "--config", "o.json", "--store", "runs", "--out", "out", "--dry-run", "--quiet")
            check(ended, (module, number, what))


@pytest.fixture
def trained(here):
    """A classifier's run, copied for each change."""
    ended = called("classifiers.train", *COMMON, *NARROW)
    assert ended.status == 0
    return next((here / "runs" / "classifier").iterdir())


@pytest.mark.parametrize("count", [pytest.param(60, marks=pytest.mark.endurance)])
def test_a_run_that_was_changed_is_used_or_refused(here, trained, count):
    rng, kept = random.Random(0), here / "kept"
    copytree(trained, kept)
    for number in range(3 * count):
        rmtree(trained)
        copytree(kept, trained)
        file = trained / ("result.json", "weights.safetensors", "logits.npz")[number % 3]
        if file.suffix == ".json" and rng.random() < 0.7:
            made, what = altered(json.loads(file.read_text()), rng)
            file.write_text(json.dumps(made))
        else:
            what = number
            file.write_bytes(flipped(file.read_bytes(), rng))
        few = ("--images", "2", "--attacks", "fgsm", "--epsilons", "0", "0.1", "--model", str(trained))
        for module, *arguments in (
            ("store.__main__", "list", "--store", "runs"), ("store.__main__", "verify", "--store", "runs"),
            ("attacks.sweep", *COMMON, *few),
            ("analysis.accuracy", *COMMON, *NARROW, "--augmentations", "none", "--seeds", "1"),
        ):  # fmt: skip
            check(called(module, *arguments), (file.name, what, module))
        rmtree(here / "runs" / "attacks", ignore_errors=True)


@pytest.mark.parametrize("count", COUNTS)
def test_arrays_that_were_changed_are_read_or_refused(here, count):
    rng = random.Random(0)
    np.savez("ok.npz", mean=np.random.default_rng(0).normal(size=(20, 2)), log_var=np.zeros((20, 2)))
    whole = {name: (here / name).read_bytes() for name in ("ok.npz", "d.npz")}
    for number in range(5 * count):
        for name, content in whole.items():
            (here / f"changed-{name}").write_bytes(flipped(content, rng))
        check(called("analysis.mutual_info", "--posterior", "changed-ok.npz", "--bounds", "rate", "--quiet"), number)
        check(called("vae.train", "--data", "npz:changed-d.npz", "--dry-run", "--store", "runs", "--quiet"), number)
