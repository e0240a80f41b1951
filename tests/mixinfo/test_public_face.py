"""What the README, the notebooks and the documentation use is what rooms export, and every room shows its use."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mixinfo
from mixinfo.__main__ import COMMANDS

HOME = Path(mixinfo.__file__).parent.parent
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))]
NOTEBOOKS = sorted((HOME / "notebooks").glob("[0-9]-*.py"))
MODULES = {module for module, _ in COMMANDS.values()}
"""Commands: modules that are public as they are."""


def names_used(code: str) -> Iterator[tuple[str, str]]:
    """What a text in Python takes from rooms and commands: the module and a name in it, or nothing for all of it."""
    nodes = list(ast.walk(ast.parse(code)))
    modules = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield str(node.module), alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
                modules[alias.asname or alias.name] = alias.name
    for node in nodes:
        module = modules.get(ast.unparse(node.value), "") if isinstance(node, ast.Attribute) else ""
        if module in ("mixinfo", *mixinfo.ROOMS, *MODULES):
            yield module, node.attr


def is_public(module: str, name: str) -> bool:
    """Whether a module is a room or a command, and the name one that it exports, or a command of the room."""
    if module.partition(".")[0] not in ("mixinfo", *mixinfo.ROOMS):
        return True  # not ours
    if module == "mixinfo":
        return not name or name in dir(mixinfo)
    if module not in (*mixinfo.ROOMS, *MODULES):
        return False
    return not name or f"{module}.{name}" in MODULES or name in getattr(importlib.import_module(module), "__all__", ())


def inside(path: Path) -> list[str]:
    """Names that a page or a notebook takes from inside a room."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        used = set(names_used(text))
    else:
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        used = {pair for block in blocks for pair in names_used(block)}
        used |= set(re.findall(rf"`({'|'.join(mixinfo.ROOMS)})\.(\w+)`", text))
    return sorted(f"{module}.{name}".rstrip(".") for module, name in used if not is_public(module, name))


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS], ids=lambda path: path.name)
def test_readers_are_shown_what_rooms_export(path):
    assert inside(path) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from vae.encode import load_vae", ["vae.encode.load_vae"]),
        ("from classifiers import nonsense, load_run as load", ["classifiers.nonsense"]),
        ("from vae import train\ntrain.run(train.Config())\ntrain.optimise()", ["vae.train.optimise"]),
        ("import mixinfo\nmixinfo.sweep.run()\nmixinfo.nonsense", ["mixinfo.nonsense"]),
        ("import msda.mask, torch.nn", ["msda.mask"]),
        ("from analysis import ground_truth\nground_truth.linear_gaussian(9, 2, 1.0, seed=1)", []),
    ],
)
def test_what_rooms_do_not_export_is_found(tmp_path, code, found):
    (tmp_path / "page.md").write_text(f"Text.\n\n```python\n{code}\n```\n")
    (tmp_path / "notebook.py").write_text(code)
    assert inside(tmp_path / "page.md") == inside(tmp_path / "notebook.py") == found


def test_a_name_in_a_sentence_is_looked_at_too(tmp_path):
    (tmp_path / "page.md").write_text("See `msda.Mixed`, `vae.train`, `msda.mask` and `mixinfo.mixers`.\n")
    assert inside(tmp_path / "page.md") == ["msda.mask"]


@pytest.mark.parametrize("room", ["mixinfo", *mixinfo.ROOMS])
def test_every_room_shows_its_use(room):
    assert "\n    >>> " in str(importlib.import_module(room).__doc__)  # make doctest runs it
