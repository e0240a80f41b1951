import errno
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import store.__main__ as listing
from store import BadInput, Run
from store.command_line import Options, as_text, command, json_document


@dataclass(frozen=True)
class Config:
    """A command."""

    seeds: int = 3
    """how many seeds"""
    execution: Options = field(default_factory=Options)

    def __post_init__(self):
        if self.seeds < 1:
            raise BadInput("--seeds", self.seeds, "an integer of at least 1")


def status_and_error(capsys, run, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m test", arguments)
    return stop.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "x"], ["--seeds", "'x'"]),
        (["--sedes", "3"], ["--sedes", "--seeds"]),
        (["--seeds", "0"], ["--seeds: got 0; needs an integer of at least 1"]),
        (["--seeds"], ["--seeds"]),
        (["--device", "tpu"], ["--device: got 'tpu'; needs auto, cpu, cuda or cuda:N"]),
        (["--threads", "0"], ["--threads"]),
        (["--json", "/nowhere/at/all.json"], ["--json"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(capsys, arguments, words):
    code, error = status_and_error(capsys, lambda config: pytest.fail("ran"), *arguments)
    assert code == 2
    assert error.count("\n") == 1
    assert error.startswith("python -m test: ")
    for word in words:
        assert word in error


def test_a_failure_that_names_its_exit_status_is_one_line_and_any_other_is_a_defect(capsys):
    class Failed(RuntimeError):
        exit_status = 3

    def raises(problem):
        raise problem

    code, error = status_and_error(capsys, lambda config: raises(Failed("the loss\nbecame inf")))
    assert (code, error) == (3, "python -m test: the loss became inf\n")
    with pytest.raises(RuntimeError, match="a defect"):
        command(Config, lambda config: raises(RuntimeError("a defect")), "python -m test", [])


def test_help_lists_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as stop:
        command(Config, print, "python -m test", ["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "how many seeds (default: 3)" in shown
    assert "--store" in shown


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_one_line(capsys, number):
    def run(config):
        raise OSError(number, "refused", "runs/x")

    code, error = status_and_error(capsys, run)
    assert code == 2
    assert error.startswith("python -m test: runs/x: ")
    assert error.count("\n") == 1


def test_our_own_mistakes_stay_tracebacks():
    def run(config):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        command(Config, run, "python -m test", [])


def test_the_exit_status_is_the_results(capsys):
    @dataclass
    class Result:
        exit_status = 1

    assert status_and_error(capsys, lambda config: Result())[0] == 1
    assert status_and_error(capsys, lambda config: None)[0] == 0


def test_list_and_show(capsys, tmp_path):
    run = Run(tmp_path, "vae", "digits-fmix-seed1", {"seed": 1})
    run.begin()
    run.finish(metrics={"rate": 2.0}, started="", origin={})

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            command(listing.Config, listing.run, "python -m store", [*arguments, "--store", str(tmp_path)])
        return stop.value.code, capsys.readouterr()

    code, said = call("list")
    assert code == 0
    assert run.path.name in said.out
    code, said = call("show", "fmix")
    assert json.loads(said.out)["metrics"] == {"rate": 2.0}
    code, said = call("list", "--json")
    assert json.loads(said.out)[0]["status"] == "done"
    code, said = call("show", "cutmix")
    assert code == 2
    assert "'cutmix', which matches no run" in said.err


def test_a_reader_that_leaves_is_no_success():
    program = (
        "from store.command_line import Options, command\n"
        "command(Options, lambda options: [print('x' * 100) for _ in range(100_000)], 'python -m test', [])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 128 + signal.SIGPIPE
    assert error == ""


def test_a_document_has_a_row_to_a_line_and_is_json():
    document = json_document(
        "python -m some.job", Config(), [{"value": 1.5, "noise": None}, {"value": 2.0, "noise": 1}]
    )
    text = as_text(document | {"empty": [], "words": "ε ≤ 1\n"})
    assert json.loads(text) == document | {"empty": [], "words": "ε ≤ 1\n"}
    assert '    {"value":1.5,"noise":null},\n' in text


@dataclass(frozen=True)
class OnData:
    """A command on files."""

    data: str = "npz:/home/me/data/set.npz"
    folders: tuple[str, ...] = ("folder:../all/icons", "digits", "fmix+mixup")
    alpha: float = 0.5
    execution: Options = field(default_factory=lambda: Options(store=Path("/home/me/runs")))


def test_a_document_names_files_without_the_places_of_one_machine():
    config = json_document("python -m some.job", OnData(), [])["config"]
    assert config["data"] == "npz:set.npz"
    assert config["folders"] == ["folder:icons", "digits", "fmix+mixup"]
    assert config["alpha"] == 0.5
    assert config["execution"]["store"] == "runs"
