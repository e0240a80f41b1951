"""Names of our own, of other packages' entry points, of modules and of files."""

import inspect
import pickle
import sys
from pathlib import Path

import pytest

from store import BadInput
from store.registry import Registry, known_as, source_hash, text_of
from tests.cases import distribution

FILE = """
class Sum:
    def __call__(self, x):
        return x + 1

def double(x):
    return 2 * x
"""


@pytest.fixture
def registry() -> Registry:
    return Registry("function", "mixinfo.tests", {"sine": "math:sin", "one": 1}, forms=("number:N",))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path


def test_built_in_names_are_objects_or_imported_when_asked_for(registry):
    assert registry.get("sine", "--f")(0) == 0
    assert registry.get("one", "--f") == 1
    assert registry.source("sine", "--f") is None
    assert registry.names() == ["sine", "one"]


def test_entry_points_of_other_packages(registry, here):
    distribution(here, "mixinfo.tests", twice="theirs_of_test:double", one="theirs_of_test:Sum")
    (here / "theirs_of_test.py").write_text(FILE)
    assert registry.names() == ["sine", "one", "twice"]
    assert registry.get("twice", "--f")(2) == 4
    assert registry.get("one", "--f") == 1  # what is built in stays what it is
    assert registry.source("twice", "--f") == FILE
    with pytest.raises(BadInput, match=r"one of sine, one, twice, number:N, package.*perhaps twice\?"):
        registry.get("twicee", "--f")


@pytest.mark.parametrize("place", ["mine.py", "./mine.py", "{here}/mine.py", "../{name}/mine.py"])
def test_a_file_relative_or_absolute(registry, here, place):
    name = place.format(here=here, name=here.name) + ":double"
    found = registry.get(name, "--f")
    assert found(3) == 6
    assert found is registry.get("mine.py:double", "--f")  # run once
    assert pickle.loads(pickle.dumps(found)) is found
    assert inspect.getsource(found) == "def double(x):\n    return 2 * x\n"
    assert registry.source(name, "--f") == FILE
    assert known_as(name) == "mine.py:double"
    assert not (here / "__pycache__").exists()


def test_a_changed_file_is_run_again_and_has_another_source(registry, here):
    before = registry.get("mine.py:double", "--f")
    text = registry.source("mine.py:double", "--f")
    (here / "mine.py").write_text(FILE.replace("2 * x", "3 * x"))  # of the same size, in the same second
    assert registry.get("mine.py:double", "--f")(2) == 6
    assert before(2) == 4
    other = registry.source("mine.py:double", "--f")
    assert source_hash(other) != source_hash(text)
    assert len(source_hash(text)) == 16
    (here / "mine.py").write_text("1 / 0")
    with pytest.raises(BadInput):
        registry.get("mine.py:double", "--f")
    (here / "mine.py").write_text(FILE)
    assert registry.source("mine.py:double", "--f") == text


def test_a_source_holds_the_module_that_defines_the_object(registry, here):
    (here / "defining_of_test.py").write_text(FILE)
    (here / "naming_of_test.py").write_text("from defining_of_test import Sum\nmine = Sum()\nfrom math import sin\n")
    naming = (here / "naming_of_test.py").read_text()
    assert registry.source("naming_of_test:Sum", "--f") == naming + "\n" + FILE
    assert registry.source("naming_of_test:mine", "--f") == naming + "\n" + FILE
    assert registry.source("naming_of_test:sin", "--f") == naming
    assert text_of("no_such_module") == ""


def test_files_of_one_name_in_two_directories_are_two_modules(registry, here):
    (here / "other").mkdir()
    (here / "other" / "mine.py").write_text(FILE.replace("2 * x", "5 * x"))
    assert registry.get("other/mine.py:double", "--f")(1) == 5
    assert registry.get("mine.py:double", "--f")(1) == 2
    modules = {registry.module(name, "--f") for name in ("mine.py:double", "other/mine.py:double")}
    assert len(modules & set(sys.modules)) == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sin", "got 'sin'; needs one of sine, one, number:N, package.module:NAME or FILE.py:NAME; perhaps sine?"),
        ("", "got ''; needs one of sine"),
        ("mine:", "got 'mine:'; needs one of sine"),
        (":double", "got ':double'; needs one of sine"),
        ("absent.py:double", "absent.py:double: absent.py, where there is no file"),
        (".:double", "got .:double, which ends in TypeError"),
        ("absent_of_test:double", "No module named 'absent_of_test'); needs package.module:NAME"),
        ("mine.py:doubel", "got mine.py:doubel; needs something that mine.py has; perhaps double?"),
        ("{here}/mine.py:absent", "got mine.py:absent; needs something that mine.py has"),
        ("fails.py:double", "which ends in ZeroDivisionError: division by zero; needs a file that runs"),
        ("leaves.py:double", "which ends in SystemExit: bye"),
        ("syntax.py:double", "which ends in SyntaxError"),
        ("bytes.py:double", "which ends in SyntaxError"),
        ("lazy.py:double", "which ends in KeyError"),
        (".py:double", "where there is no file"),
    ],
)
def test_what_does_not_load_is_one_line(registry, here, name, words):
    (here / "fails.py").write_text("1 / 0")
    (here / "leaves.py").write_text("raise SystemExit('bye')")
    (here / "syntax.py").write_text("def")
    (here / "bytes.py").write_bytes(b"x = '\xff'")
    (here / "lazy.py").write_text("def __getattr__(name):\n    raise KeyError(name)\n")
    with pytest.raises(BadInput) as mistake:
        registry.get(name.format(here=here), "--f")
    assert str(mistake.value).startswith("--f: got ")
    assert words in str(mistake.value)
    assert "\n" not in str(mistake.value)
