"""One name for everything, and one command, whatever lies in the working directory."""

import ast
import importlib
import os
import platform
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

import mixinfo
from analysis import accuracy
from mixinfo.__main__ import COMMANDS, main, usage
from reports.sections import sections
from training.job import JOBS

HOME = Path(mixinfo.__file__).parent.parent


def mixinfo_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What the console script does: the working directory is not on the path, the installed packages are."""
    code = f"import sys; sys.path[:] = [each for each in sys.path if each]; sys.path.insert(0, {str(HOME)!r}); "
    code += "from mixinfo.__main__ import main; main()"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, env=environment
    )


def test_no_name_is_exported_by_two_rooms():
    exported = [name for room in mixinfo.ROOMS for name in getattr(importlib.import_module(room), "__all__", ())]
    assert [name for name, count in Counter(exported).items() if count > 1] == []
    # nor is one a room or a command
    assert {*exported} & {*mixinfo.ROOMS, *mixinfo.COMMANDS} == set()


def test_everything_that_is_exported_is_there():
    for name in dir(mixinfo):
        assert getattr(mixinfo, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        mixinfo.nonsense  # noqa: B018


def test_the_mixer_alone_does_not_import_the_analyses():
    code = "import sys, mixinfo; mixinfo.FMix; assert 'analysis' not in sys.modules and 'training' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(HOME)})


def test_every_command_is_a_module_with_a_line_of_help():
    for name, (module, words) in COMMANDS.items():
        assert importlib.util.find_spec(module) is not None
        assert f"  {name} " in usage()
        assert words in usage()


def test_what_is_no_command_is_one_line(tmp_path):
    done = mixinfo_command("mutual-inf", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("mixinfo: COMMAND: got 'mutual-inf'; needs one of mutual-info, ")
    assert done.stderr.rstrip().endswith("; perhaps mutual-info?")
    assert mixinfo_command(cwd=tmp_path).stdout == usage() + "\n"
    for name, meant in (("Mutual_Info", "mutual-info"), ("table-1", "mutual-info"), ("attack", "attacks")):
        assert mixinfo_command(name, cwd=tmp_path).stderr.rstrip().endswith(f"; perhaps {meant}?")
        assert mixinfo_command("help", name, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("words", [("--version",), ("mutual-info", "--seeds", "3", "--version")])
def test_versions_are_told_without_torch(tmp_path, words):
    code = "import sys; sys.modules['torch'] = None; from mixinfo.__main__ import main; main()"  # no import of it goes
    command = [sys.executable, "-c", code, *words]
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert told == f"mixinfo {version('mixinfo')}, torch {version('torch')}, Python {platform.python_version()}\n"


def test_the_help_fits_a_terminal_and_a_command_is_called_as_it_was(tmp_path):
    assert max(map(len, usage().splitlines())) <= 80
    asked = [mixinfo_command(*words, cwd=tmp_path) for words in (("help", "store"), ("store", "--help"))]
    assert asked[0].stdout == asked[1].stdout
    assert "usage: mixinfo store [-h] [OPTIONS]" in asked[0].stdout
    assert "  mixinfo store list --store runs\n" in asked[0].stdout
    wrong = mixinfo_command("store", "list", "--store", "nowhere", cwd=tmp_path)
    assert wrong.stderr == "mixinfo store: --store: got nowhere; needs an existing directory of runs\n"


def test_folders_and_files_of_our_names_in_the_working_directory_change_nothing(tmp_path):
    (tmp_path / "analysis").mkdir()
    for name in ("analysis/__init__.py", "training.py", "store.py", "mixinfo.py"):
        (tmp_path / name).write_text("raise SystemExit('somebody else')\n")
    done = mixinfo_command("mutual-info", "--dry-run", "--store", str(tmp_path / "runs"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("0 VAEs to reuse, 12 to train\n")


@pytest.mark.parametrize("asked_for", [False, True])
def test_the_working_directory_is_looked_into_last_unless_pythonpath_has_it(tmp_path, asked_for):
    (tmp_path / "probe").mkdir()
    (tmp_path / "probe/__init__.py").write_text("import store, vae, classifiers\n")  # as a room imports others
    (tmp_path / "probe/__main__.py").write_text("import sys\nprint(*sys.path, sep='\\n')\n")
    paths = [str(tmp_path), str(HOME)] if asked_for else [str(HOME)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "probe"]
    path = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert path.splitlines()[: len(paths)] == paths
    assert path.splitlines()[-1] == str(tmp_path)


def test_networks_of_ones_own_are_found_in_the_working_directory(tmp_path):
    (tmp_path / "mynets.py").write_text(
        "from torch import nn\n\n\ndef small(channels, classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    done = mixinfo_command(
        "train-classifier", "--network", "mynets:small", "--dry-run", "--store", str(tmp_path / "runs"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "mynets-small" in done.stdout


def test_every_module_exports_what_it_says():
    missing = []
    for path in sorted(each for room in ("mixinfo", *mixinfo.ROOMS) for each in (HOME / room).rglob("*.py")):
        parts = path.relative_to(HOME).with_suffix("").parts
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        missing += [f"{module.__name__}.{name}" for name in getattr(module, "__all__", ()) if not hasattr(module, name)]
    assert missing == []


def test_no_test_module_imports_another():
    # what tests share lies in modules beside them, or is a fixture
    paths = sorted((HOME / "tests").rglob("*.py"))
    collected = {path.stem for path in paths if path.stem.startswith("test_")} | {"conftest"}
    wrong = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}: {name}" for name in names if collected & {*name.split(".")}]
    assert wrong == []


def test_the_lists_of_analyses_agree():
    jobs = {name: JOBS.get(name, "job") for name in JOBS.built_in}
    commands = {module for module, _ in COMMANDS.values()}
    assert {value.partition(":")[0] for value in JOBS.built_in.values()} == set(mixinfo.COMMANDS.values())
    assert (
        {job.program.removeprefix("python -m ") for job in jobs.values()} == set(mixinfo.COMMANDS.values()) <= commands
    )
    assert all(section.program == job.program for job in jobs.values() for section in job.sections)


def test_a_package_that_is_broken_costs_its_own_analysis(tmp_path, monkeypatch, capsys):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mixinfo.jobs]\nbroken = nowhere_at_all:JOB\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    sections.cache_clear()
    try:
        assert len(sections()) == 13
        assert "left out: the analysis broken: got nowhere_at_all:JOB" in capsys.readouterr().err
        monkeypatch.setattr(sys, "argv", ["mixinfo", "broken"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        assert "there is no module nowhere_at_all" in capsys.readouterr().err
        assert "broken" in usage()
    finally:
        sections.cache_clear()


def test_a_grid_begins_at_the_first_seed():
    config = accuracy.Config(("none",), 2, first_seed=6)
    steps = list(JOBS.get("accuracy", "job").steps(config, []))
    assert [step.arguments[0].seed for step in steps if step.kind == "classifier"] == [6, 7]
