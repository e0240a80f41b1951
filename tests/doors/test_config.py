"""``--config`` and the examples of the help, of the commands as they are; and what is meant by unknown names."""

import importlib
import io
import itertools
import json
import re
import runpy
import shlex
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest

import experiments.run
import store.command_line
from mixinfo.__main__ import COMMANDS, GROUPS
from store import SCHEMA, write_json
from store.command_line import command, parse, shown_example
from store.options import MACHINE
from tasks import DataOptions, load
from tests.calls import ROOT, Ended, called

pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning")

COMMON = ("--store", "runs", "--out", "out", "--device", "cpu", "--threads", "1")
SMALL = (*COMMON, "--data", "npz:d.npz", "--train-images", "60", "--epochs", "1", "--batch-size", "16")
TRAINERS = {"vae.train": ("--width", "4", "--hidden", "8"), "classifiers.train": ("--width", "4")}

OWN = """
from msda import CutMix


class ResizeMix(CutMix):
    pass


def ablation(scale):
    return []
"""
"""A mixer and a grid of somebody's own, under the names that the examples have."""


@pytest.fixture
def main(monkeypatch):
    """Runs a trainer, or another command, with the command line of this process, which records hold."""

    def run(module: str, *words: str) -> Ended:
        room = importlib.import_module(module)
        presets = {"presets": room.from_preset} if module == "classifiers.train" else {}
        monkeypatch.setattr(sys, "argv", [module, *words])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
            command(room.Config, room.run, room.PROGRAM, records=getattr(room, "RECORDS", None), **presets)
        return Ended(stop.value.code, out.getvalue(), err.getvalue())

    return run


def handed_over(module: str, monkeypatch) -> tuple[tuple, dict]:
    """What a command's module hands to `command`."""
    calls = []
    with monkeypatch.context() as patch:
        patch.setattr(store.command_line, "command", lambda *arguments, **named: calls.append((arguments, named)))
        runpy.run_module(module, run_name="__main__")
    return calls[0]


@pytest.mark.parametrize("trainer", list(TRAINERS))
def test_the_record_of_a_run_asks_for_the_same_run(here, main, few_draws, trainer):
    done = main(trainer, *SMALL, *TRAINERS[trainer], "--augmentation", "fmix", "--seed", "3")
    assert done.status == 0, done
    (run,) = (here / "runs").glob("*/*seed3*")
    data = ("--data", "npz:d.npz", "--train-images", "60")
    for file, more in ((run, ()), (run / "result.json", ()), (run / "config.json", data)):
        again = main(trainer, "--config", str(file), *COMMON, *more)
        assert again.status == 0, again
        assert again.out.startswith("reused")
        assert str(run.relative_to(here)) in again.out
    nameless = main(trainer, "--config", str(run / "config.json"), *COMMON)
    assert nameless.line.endswith("whose content is not the record's; needs the options of its data")
    assert len(list((here / "runs").glob("*/*"))) == 1
    # what a line says beside it makes another run, whose record says all that was asked for
    other = main(trainer, "--config", str(run), *COMMON, "--seed", "4", "--threads", "1")
    (second,) = (here / "runs").glob("*/*seed4*")
    assert other.out.startswith("trained")
    config, before = (json.loads((path / "result.json").read_text())["config"] for path in (second, run))
    assert config == before
    assert main(trainer, f"--config={second}", *COMMON).out.startswith("reused")
    # a record that does not say which images they were is refused, until somebody does
    record = json.loads((run / "result.json").read_text())
    (here / "result.json").write_text(json.dumps(record | {"command": f"python -m {trainer} --data npz:d.npz"}))
    refused = main(trainer, "--config", "result.json", *COMMON)
    assert refused.status == 2
    assert "result.json: data: got d, whose content is not the record's; needs the options of its data" in refused.line
    assert main(trainer, "--config", "result.json", *COMMON, *data).out.startswith("reused")
    beside = main(trainer, "--config", str(run), "--preset", "reference")
    assert (beside.status, beside.err.count("\n")) == (2, 1)
    assert "--preset: got beside --config" in beside.line
    for module in ("analysis.accuracy", *(set(TRAINERS) - {trainer})):
        foreign = main(module, "--config", "result.json")
        assert (foreign.status, foreign.err.count("\n")) == (2, 1)
        assert "--config: got result.json, the record of a run of kind" in foreign.line


@pytest.mark.parametrize(
    "line", ["run", "paper", "--dry-run paper", "--workers 2 paper", "--seeds=1 paper", "--seeds 1 --smoke paper"]
)
def test_the_file_gives_the_experiment_where_the_line_does_not(here, line):
    (here / "r.toml").write_text('experiment = "table-1"\ndata = "digits"\n')
    words = [*([] if line == "run" else line.split()), "--config", "r.toml"]
    found = parse(experiments.run.Config, "mixinfo run", words)
    assert (found.experiment, found.data.data) == ("table-1" if line == "run" else "paper", "digits")


@pytest.mark.parametrize("words", [("--preset", "reference"), ("--decoder-scale", "0.3", "--flip", "True")])
def test_the_settings_of_a_vae_come_back_from_its_record(here, main, few_draws, words):
    done = main("vae.train", *SMALL, "--hidden", "8", *words)
    assert done.status == 0, done
    (run,) = (here / "runs").glob("*/*")
    assert main("vae.train", "--config", str(run), *COMMON).out.startswith("reused")


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*/result.json")), ids=lambda path: path.parent.name)
def test_every_document_of_ours_asks_for_its_configuration(path, monkeypatch):
    document = json.loads(path.read_text())
    program = document["command"]
    (config, *_), _ = handed_over(program.removeprefix("python -m "), monkeypatch)
    parsed = flat(json.loads(json.dumps(asdict(parse(config, program, ["--config", str(path)])), default=str)))
    said = {key: value for key, value in flat(document["config"]).items() if value is not None and key not in MACHINE}
    assert {key: parsed[key] for key in said} == said
    usual = flat(json.loads(json.dumps(asdict(config()), default=str)))
    assert all(parsed[key] == usual[key] for key in MACHINE & parsed.keys())


def flat(document: dict) -> dict:
    """The options of nested ones."""
    found = {}
    for key, value in document.items():
        found |= flat(value) if isinstance(value, dict) else {key: value}
    return found


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_example_of_the_help_is_a_command_line(here, monkeypatch, capsys, name):
    for own in ("my_mixes.py", "my_grid.py"):
        (here / own).write_text(OWN)
    (config, _, program), named = handed_over(COMMANDS[name][0], monkeypatch)
    assert len(named["examples"]) >= 2
    for example in named["examples"]:
        words = shlex.split(example)
        if "--config" in words:
            prepare(Path(words[words.index("--config") + 1]))
        if "--autoattack" in words and not find_spec("pyautoattack"):
            continue
        with pytest.raises(SystemExit) as stop:
            command(config, lambda _: None, program, words, **named)
        assert stop.value.code == 0, (example, capsys.readouterr().err)
        for called_as in (program, f"mixinfo {name}"):
            text = shown_example(f"{called_as} {example}")
            assert shlex.split(text.replace("\\\n", "")) == [*called_as.split(), *words]
            assert max(map(len, text.splitlines())) <= 80, text


def prepare(path: Path) -> None:
    """Something that an example takes its options from: a document of ours, or the record of a run on the digits."""
    if path.suffix == ".json":
        shutil.copytree(ROOT / "results" / path.parent.name, path.parent)
        return
    path.mkdir(parents=True)
    record = {"schema": SCHEMA, "kind": path.parent.name, "config": {}, "seed": 1, "command": ""}
    write_json(path / "result.json", record | {"data": load(DataOptions()).identity})


def test_every_command_is_in_one_group():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


@pytest.mark.parametrize("columns", [80, 120])
def test_help_is_in_whole_lines_and_ends_with_examples(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    (config, run, program), named = handed_over("analysis.mutual_info", monkeypatch)
    with pytest.raises(SystemExit) as stop:
        command(config, run, program, ["--help"], **named)
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    # a line is as full as the next word allows, so that none is as short as the source has it
    text = " ".join(line.strip("│| ") for line in lines)
    assert "decided: instead of --seeds, compare 3, 5, 8, 12 and 20 seeds until every pair of augmentations" in text
    # the box, or what stands for it where a terminal has no letters for one
    boxed = [line.strip("│").rstrip() for line in lines[3 : lines.index("examples:")] if set(line) - set("─-│╭╮╰╯ ")]
    inner, seen = max(map(len, boxed)), 0
    for line, after in itertools.pairwise(boxed):
        indent = len(line) - len(line.lstrip())
        if indent > 10 and after.startswith(" " * indent):
            seen += 1
            assert len(line) + 1 + len(after.split()[0]) > inner, (line, after)
    assert seen > 10
    assert "(None: " not in shown
    assert "--config FILE" in shown
    assert lines.index("examples:") > lines.index(next(line for line in lines if "--json" in line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vae.train --augmentation cutmx", "perhaps cutmix?"),
        ("vae.train --augmentation cut-mix", "perhaps cutmix?"),
        ("vae.train --augmentation CutMix", "perhaps cutmix?"),
        ("vae.train --augmentation fmix+Baseline", "got 'Baseline'; .*perhaps none?"),
        ("vae.train --augmentation vanilla", "perhaps none?"),
        ("vae.train --augmentation my.py", "perhaps my.py:NAME?"),
        ("analysis.accuracy --augmentations none,mixup", "perhaps none mixup?"),
        ("vae.train --data CIFAR-10", "perhaps cifar10?"),
        ("vae.train --data fashion_mnist", "perhaps fashion-mnist?"),
        ("vae.train --data FashionMNIST", "perhaps fashion-mnist?"),
        ("vae.train --data d.npz", "perhaps npz:d.npz?"),
        ("classifiers.train --network resnet18", "perhaps preact-resnet18?"),
        ("classifiers.train --network ResNet50", "perhaps torchvision:resnet50?"),
        ("classifiers.train --network WRN-28-10", "perhaps wide-resnet-28-10?"),
        ("classifiers.train --policy auto-augment", "perhaps autoaugment?"),
        ("classifiers.train --preset cifar10-fmix", "perhaps cifar10-preact-resnet18-fmix?"),
        ("analysis.mutual_info --bounds InfoNCE", "perhaps infonce?"),
        ("analysis.mutual_info --bounds kl", "perhaps rate?"),
        ("attacks.sweep --attacks PGD", "perhaps pgd?"),
        ("attacks.sweep --attacks cw", "perhaps L2CarliniWagnerAttack?"),
        ("analysis.ground_truth --tasks gausian-d2-i1", "perhaps gaussian-d2-i1?"),
        ("experiments.run table-2", "perhaps table-2-preact-resnet18?"),
        ("experiments.run table-1 --vae-preset paper", "perhaps reference?"),
        ("vae.train --device gpu", "perhaps cuda?"),
        ("vae.train --device GPU:1", "perhaps cuda:1?"),
        ("vae.train --device 0", "perhaps cuda:0?"),
        ("analysis.accuracy --until decide", "--until: got 'decide'; needs decided or None; perhaps decided?"),
        ("analysis.accuracy --most 10", "--most: got '10'; needs 3, 5, 8, 12 or 20 "),
        ("vae.train --flip off", "--flip: got 'off'; needs True, False or None; perhaps False?"),
        ("analysis.mutual_info --inputs Clean", "needs a list, each clean or own-augmented; perhaps clean?"),
        ("vae.train --augmentations none", "perhaps --augmentation?"),
        ("analysis.accuracy --augmentation none", "perhaps --augmentations?"),
        ("analysis.accuracy --aug none", "perhaps --augmentations?"),
        ("analysis.accuracy --seed 3", "perhaps --seeds?"),
        ("vae.train --seeds 3", "perhaps --seed?"),
        ("vae.train --lr 3", "perhaps --learning-rate?"),
        ("vae.train --epoch 3", "perhaps --epochs?"),
        ("vae.train --dataset digits", "perhaps --data?"),
        ("vae.train --output x", "perhaps --out?"),
        ("vae.train --gpu", "perhaps --device cuda?"),
        ("vae.train --cuda", "perhaps --device cuda?"),
        ("vae.train --epochs", "--epochs: got nothing; needs an integer or None "),
        ("vae.train --epochs=x", "--epochs: got 'x'; needs an integer or None "),
        ("vae.train --seed 1 2", "Unrecognized words: 2 "),
        ("store.__main__ ls", "ACTION: got 'ls'; needs list, show, verify or gc"),
        ("store.__main__", "ACTION: got nothing; needs list, show, verify or gc"),
        ("experiments.run", "EXPERIMENT: got nothing; needs table-1, table-2-preact-resnet18, "),
    ],
)
def test_what_is_meant_is_said_at_the_end_of_the_line(here, line, words):
    ended = called(*line.split())
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert re.search(words.replace("?", r"\?"), ended.line), ended.line


def test_underscores_do_for_hyphens(here):
    assert called("vae.train", "--batch_size", "16", "--dry_run", *COMMON).status == 0
