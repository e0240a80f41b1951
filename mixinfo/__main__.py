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
    "run": ("experiments.run", "whole grids, on one machine or many"),
    "report": ("reports.build", "one page from everything that has been measured, beside the paper"),
    "train-vae": ("vae.train", "one VAE"),
    "train-classifier": ("classifiers.train", "one classifier"),
    "store": ("store", "list, verify, show and clean runs"),
}
"""By name, the module that does it, and what it is about."""


def usage() -> str:
    """The help: every command in a line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {words}" for name, (_, words) in COMMANDS.items()]
    return "\n".join(["usage: mixinfo COMMAND [OPTIONS]", "", *lines, "", "mixinfo COMMAND --help lists its options"])


def _of_others(name: str) -> str | None:
    """The module of an analysis that another package has registered (`training.job.JOBS`)."""
    found = [point.module for point in entry_points(group="mixinfo.jobs") if point.name == name]
    return found[0] if found else None


def main() -> None:
    """Run the command that the first argument names; exit 2 where there is none such."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        print(usage())
        return
    if name == "--version":
        print(f"mixinfo {version('mixinfo')}")
        return
    module = COMMANDS[name][0] if name in COMMANDS else _of_others(name)
    if module is None:
        close = get_close_matches(name, COMMANDS, 1)
        hint = f"; perhaps {close[0]}?" if close else ""
        print(f"mixinfo: COMMAND: got {name!r}; needs one of {', '.join(COMMANDS)}{hint}", file=sys.stderr)
        sys.exit(2)
    here = os.getcwd()
    sys.path[:] = [*(each for each in sys.path if each and os.path.realpath(each) != os.path.realpath(here)), here]
    sys.argv[:] = [f"mixinfo {name}", *sys.argv[2:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
