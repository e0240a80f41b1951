"""Every command under one name: ``mixinfo mutual-info``, and the same as ``python -m mixinfo mutual-info``.

It runs the module of the command as ``python -m analysis.mutual_info`` does. Installed modules come before those of the
working directory, so that somebody's own ``analysis/`` or ``training.py`` there changes nothing; networks,
augmentations and data sets of one's own are still found there.
"""

import os
import runpy
import sys
from difflib import get_close_matches
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from typing import NoReturn

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "mutual-info": (
        "analysis.mutual_info",
        "Table 1: what codes of VAEs say about the images, bounded from both sides",
    ),
    "accuracy": ("analysis.accuracy", "Table 2: classifiers trained under each augmentation"),
    "ablation": ("analysis.ablation", "Figures 3 and 6: accuracy over training set sizes, α or δ"),
    "human-uncertainty": ("analysis.human_uncertainty", "Table 6: divergence from the labels that people gave"),
    "attacks": ("attacks.sweep", "Figures 1 and 5: accuracy under attack over ε"),
    "gradcam": ("gradcam.sums", "Figure 4: sums of Grad-CAM maps"),
    "ground-truth": ("analysis.ground_truth", "how the bounds do on encoders of known information"),
    "representations": (
        "analysis.representations",
        "what a classifier's layers, or any features, keep of label and image, bounded from both sides",
    ),
    "run": ("experiments.run", "whole grids, on one machine or many"),
    "report": ("reports.build", "one page from everything that has been measured, beside the paper"),
    "train-vae": ("vae.train", "one VAE"),
    "train-classifier": ("classifiers.train", "one classifier"),
    "store": ("store", "list, verify, show and clean runs"),
}
"""The commands by name: the module that does it, and what it is about."""


def usage() -> str:
    """The help: every command in a line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {words}" for name, (_, words) in COMMANDS.items()]
    lines += [f"  {name:<{width}}  of another package, {module}" for name, module in _of_others().items()]
    return "\n".join(["usage: mixinfo COMMAND [OPTIONS]", "", *lines, "", "mixinfo COMMAND --help lists its options"])


def _of_others() -> dict[str, str]:
    """The modules of analyses that other packages have registered (`training.job.JOBS`)."""
    return {point.name: point.module for point in entry_points(group="mixinfo.jobs") if point.name not in COMMANDS}


def _runs(module: str) -> bool:
    try:
        spec = find_spec(module)
        return spec is not None and (spec.submodule_search_locations is None or bool(find_spec(f"{module}.__main__")))
    except ImportError:
        return False


def _stop(line: str) -> NoReturn:
    print(f"mixinfo: {line}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
    """Run the command that the first argument names; exit 2 where there is none such."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(usage())
        return
    if name == "--version":
        print(f"mixinfo {version('mixinfo')}")
        return
    modules = {known: module for known, (module, _) in COMMANDS.items()} | _of_others()
    if name not in modules:
        close = get_close_matches(name, modules, 1)
        hint = f"; perhaps {close[0]}?" if close else ""
        _stop(f"COMMAND: got {name!r}; needs one of {', '.join(modules)}{hint}")
    here = os.getcwd()
    sys.path[:] = [*(path for path in sys.path if path and os.path.realpath(path) != os.path.realpath(here)), here]
    sys.argv[:] = [f"mixinfo {name}", *sys.argv[2:]]
    if not _runs(modules[name]):
        _stop(f"COMMAND: got {name}, for which there is no module {modules[name]}; needs an installed package")
    runpy.run_module(modules[name], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
