"""Sphinx: the API reference, from the docstrings."""

import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

project = "mixinfo"
author = copyright = "The mixinfo authors"
release = metadata.version("mixinfo")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode", "myst_parser"]
myst_enable_extensions = ["dollarmath"]
autodoc_default_options = {
    "members": True,
    "exclude-members": "Attack, BaseGradientDescent, DeepFoolAttack",
}  # Foolbox's
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_inherit_docstrings = False
napoleon_use_ivar = True
default_role = "code"
html_theme = "furo"
html_title = "mixinfo"
suppress_warnings = ["ref.python"]  # fields of several dataclasses share their names

ROOMS = {
    "mixinfo": "One name for everything",
    "msda": "The mixer", "analysis": "Information and uncertainty", "vae": "Variational autoencoders",
    "classifiers": "Classifiers", "attacks": "Attacks", "gradcam": "Grad-CAM",
    "experiments": "Whole grids", "reports": "The report",
    "tasks": "Data sets", "training": "Training",
    "findings": "Rows, comparisons, sentences and documents", "figures": "Figures", "store": "Runs and command lines",
}  # fmt: skip


def write_pages() -> None:
    """A page for every room, with a section for every module, so that none is forgotten."""
    (HERE / "api").mkdir(exist_ok=True)
    for room, title in ROOMS.items():
        files = sorted((HERE.parent / room).rglob("*.py"))
        parts = [path.relative_to(HERE.parent / room).with_suffix("").parts for path in files]
        modules = [".".join(each).removesuffix(".__init__") for each in parts if len(each) > 1 or each[0][0] != "_"]
        modules = sorted(module for module in modules if "__" not in module)
        lines = [f"# {title}: `{room}`", "", "```{eval-rst}", f".. automodule:: {room}", "   :no-members:", "```", ""]
        for module in modules:
            lines += [f"## `{room}.{module}`", "", "```{eval-rst}", f".. automodule:: {room}.{module}", "```", ""]
        (HERE / "api" / f"{room}.md").write_text("\n".join(lines), encoding="utf-8")


KEPT: dict[str, list[str]] = {}


def keep(app, what, name, obj, options, lines):
    """Take an attribute's docstring away from napoleon, which reads "a number: of images" as a type and a text."""
    if what == "attribute":
        KEPT[name] = list(lines)
        lines.clear()


def give_back(app, what, name, obj, options, lines):
    """After napoleon."""
    if name in KEPT:
        lines[:] = KEPT.pop(name)


def setup(app):
    """Called by Sphinx."""
    write_pages()
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", give_back, priority=600)
