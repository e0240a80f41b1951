"""Command lines made from the commands' own declarations: whatever is asked, one line, and nothing but 0, 1, 2 or 3.

Every option of every command is given wrong types, ends of ranges, nothing, odd paths and other scripts' digits, one to
three of them in a command line, in this process and from a seed. Half of the lines are dry runs on tiny data, which go
past parsing as far as they are accepted.
"""

import dataclasses
import importlib
import json
import random
import re
import types
import typing
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.calls import COMMANDS, called
from tests.cases import arrays

CASES, MANY = 300, 10_000
"""In a test run, and in `make endurance`. A command line takes some hundredths of a second, most of them tyro's."""

NUMBERS = [
    "0", "-1", "1", "2", "7", "2147483648", "1" + "0" * 18, "9" * 5000, "1_0", "٣", "+1", "1e3", "1.5", "0x10", "nan",
    "inf", "-inf", "1e308", "5e-324", "", " ", "one", "--", "None",
]  # fmt: skip
PATHS = [
    "", ".", "..", "/dev/null", "/dev/zero", "/", "~/x", "nowhere", "d.npz", "x" * 300, "y/" * 2040, "loop", "dangling",
    "a b", "\udcff", "é", "-", "d.npz/x", "*",
]  # fmt: skip
WORDS = [
    "", "none", "fmix", "nonsense", "fmix+mixup", "fmix+", "+", "none none", "a:b", ":", "os:getcwd", "npz:",
    "folder:.", "npz:d.npz", "npz:nowhere", "folder:nowhere", "digits", "\udcff", "💥", "\x1b[31m", "a" * 5000, "../..",
    "%s{0}", "pgd", "EADAttack", "GenAttack", "mixture_marginal", "clean", "torchvision:", "timm:nonsense",
    "file:d.npz", "parts.py:Columns", "parts.py:images", "parts.py:net", "parts.py:absent", "fails.py:x",
    "nowhere.py:x", "fmix+parts.py:Columns", "./parts.py:Columns", ".py:x", "d.npz:x", "parts.py:nan",
]  # fmt: skip

SAFE = {
    "analysis.ground_truth": (["--dry-run"],),
    "store.__main__": (["list", "--store", "runs"], ["verify", "--store", "runs"], ["gc", "--store", "runs"]),
    "reports.build": (["--results", "results", "--store", "runs", "--out", "out", "--dry-run"],),
    "experiments.run": (
        ["table-1", "--dry-run", "--smoke"],
        ["paper", "--dry-run", "--smoke"],
    ),
    "analysis.mutual_info": (["--posterior", "ok.npz", "--bounds", "rate"], ["--dry-run", "--data", "npz:d.npz"]),
}  # fmt: skip
"""Command lines, by command, that do little; the others are dry runs on tiny data."""

ALWAYS = ["--dry-run", "--data", "npz:d.npz"]


def options_of(config: type) -> dict[str, object]:
    """Names of a command's options with the types of their values."""
    found: dict[str, object] = {}
    for name, kind in typing.get_type_hints(config).items():
        if name not in {field.name for field in dataclasses.fields(config)}:
            continue
        if dataclasses.is_dataclass(kind):
            found |= options_of(kind)
        else:
            found[f"--{name.replace('_', '-')}"] = kind
    return found


def values_for(kind: object, rng: random.Random) -> list[str]:
    """Words to put after an option of this type."""
    if isinstance(kind, types.UnionType):
        kind = rng.choice(typing.get_args(kind))
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        return [word for _ in range(rng.randint(0, 3)) for word in values_for(inner, rng)[:1]]
    if kind is bool:
        return rng.choice([[], [], ["yes"]])
    if origin is typing.Literal:
        return [rng.choice([*map(str, typing.get_args(kind)), *WORDS[:6]])]
    pool = NUMBERS if kind in (int, float) else PATHS if kind is Path else [*WORDS, *PATHS]
    return [rng.choice(rng.choice([pool, pool, pool, NUMBERS + PATHS + WORDS]))]


def asked(count: int, rng: random.Random):
    """Commands, arguments with which they do little, and options with words to put after them."""
    known = {module: options_of(importlib.import_module(module).Config) for module in COMMANDS}
    for number in range(count):
        module = COMMANDS[number % len(COMMANDS)]
        base = list(rng.choice(SAFE.get(module, (ALWAYS,))))
        # no network: what would be downloaded is asked for by no name that is known
        more = {}
        for option in rng.sample(sorted(known[module]), rng.choice([1, 1, 2, 3])):
            if option not in ("--ray", "--workers", "--delete", "--human", "--action"):
                more[option] = values_for(known[module][option], rng)
        yield module, base, more


def lines(count: int, seed: int):
    """Commands and their arguments."""
    for module, base, more in asked(count, random.Random(seed)):
        yield module, [*base, *(word for option, words in more.items() for word in (option, *words))]


def with_files(count: int, seed: int):
    """Commands and their arguments, the last of which is a TOML file with the options."""
    rng = random.Random(seed)
    for module, base, more in asked(count, rng):
        values = {option.removeprefix("--").replace("-", rng.choice("-_")): words for option, words in more.items()}
        text = "\n".join(f"{key} = {toml(words, rng)}" for key, words in values.items())
        Path("o.toml").write_text(text + "\n", encoding="utf-8", errors="replace")
        yield module, [*base, *rng.choice([("--config", "o.toml"), ("--config=o.toml",)])]


def toml(words: list[str], rng: random.Random) -> str:
    """Words as a value, or another value in their place."""
    if rng.random() < 0.2:
        return rng.choice(
            ["true", "1979-05-27", "{}", "[[1]]", "'\\u0000'", '"\\u0000"', "", "1.0", "nan", "[{a = 1}]"]
        )
    plain = [word if re.fullmatch(r"[+-]?\d+(\.\d+)?", word, re.ASCII) else json.dumps(word) for word in words]
    return plain[0] if len(plain) == 1 and rng.random() < 0.7 else f"[{', '.join(plain)}]"


@pytest.fixture
def small(here, monkeypatch):
    np.savez("ok.npz", mean=np.random.default_rng(0).normal(size=(20, 2)), log_var=np.zeros((20, 2)))
    np.savez("d.npz", **arrays(height=8, width=8, channels=1))
    for name in ("runs", "results", "home"):
        (here / name).mkdir()
    (here / "loop").symlink_to("loop")
    (here / "dangling").symlink_to("nowhere")
    monkeypatch.setenv("HOME", str(here / "home"))
    # tyro forgets at every call what it has read in the commands' sources, which would be most of the time here
    monkeypatch.setattr("tyro._unsafe_cache.clear_cache", lambda: None)
    return here


def fuzz(cases: Iterable[tuple[str, list[str]]]) -> Counter:
    """Call the commands; count how they ended, by command, status and stage."""
    ended_as: Counter = Counter()
    wrong = []
    for module, arguments in cases:
        ended = called(module, *arguments)
        told = [line for line in ended.err.splitlines() if line.startswith(f"python -m {module}: ")]
        fine = ended.status in (0, 1, 2, 3)
        if ended.status in (2, 3):
            fine = len(told) == 1 and told[0] == ended.line and len(told[0]) < 1500
        if not fine:
            wrong.append(
                f"{module} {' '.join(word[:60] for word in arguments)}: {ended.status!r:.200} {ended.line[-300:]}"
            )
        stage = "parsing" if "(--help lists every option)" in ended.line else "checks" if ended.status == 2 else "work"
        ended_as[module, str(ended.status), stage] += 1
    assert not wrong, f"{len(wrong)} of {ended_as.total()}, among them:\n" + "\n".join(wrong[:40])
    return ended_as


@pytest.mark.parametrize("made", [lines, with_files])
@pytest.mark.parametrize(("count", "seed"), [(CASES, 1), pytest.param(MANY, 2, marks=pytest.mark.endurance)])
def test_no_command_line_ends_in_anything_but_a_result_or_one_line(small, made, count, seed):
    ended_as = fuzz(made(count, seed))
    print("\n".join(f"{number:5} {how}" for how, number in sorted(ended_as.items(), key=str)))
    past = sum(number for (_, _, stage), number in ended_as.items() if stage != "parsing")
    assert past / ended_as.total() > 1 / 3
    # matplotlib's, and what `--out ~/x` asks for
    assert {path.name for path in (small / "home").iterdir()} <= {".cache", ".config", "x"}
