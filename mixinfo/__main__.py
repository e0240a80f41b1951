"""Every command under one name: ``mixinfo mutual-info``, and the same as ``python -m mixinfo mutual-info``.

It runs the module of the command as ``python -m analysis.mutual_info`` does. Installed modules come before those of the
working directory, so that somebody's own ``analysis/`` or ``training.py`` there changes nothing; networks,
augmentations and data sets of one's own are still found there.
"""

import os
import runpy
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import NoReturn

__all__ = ["COMMANDS", "GROUPS", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "mutual-info": ("analysis.mutual_info", "Table 1: what VAEs' codes keep, bounded from both sides"),
    "accuracy": ("analysis.accuracy", "Tables 2, 4, 5 and 7: classifiers under each augmentation"),
    "human-uncertainty": ("analysis.human_uncertainty", "Table 6: divergence from the labels that people gave"),
    "attacks": ("attacks.sweep", "Figures 1 and 5: accuracy under attack over ε"),
    "ablation": ("analysis.ablation", "Figures 3 and 6: accuracy over images, α or δ"),
    "gradcam": ("gradcam.sums", "Figure 4: sums of Grad-CAM maps"),
    "representations": ("analysis.representations", "what layers, or any features, keep of label and image"),
    "ground-truth": ("analysis.ground_truth", "how the bounds do on encoders of known information"),
    "train-vae": ("vae.train", "one VAE"),
    "train-classifier": ("classifiers.train", "one classifier"),
    "run": ("experiments.run", "whole grids, on one machine or many"),
    "report": ("reports.build", "one page of all that is measured, beside the paper"),
    "store": ("store", "list, verify, show and clean runs"),
}
"""The commands by name: the module that does it, and what it is about."""

GROUPS = {
    "measure, and train what is missing for it": (
        "mutual-info",
        "accuracy",
        "human-uncertainty",
        "attacks",
        "ablation",
        "gradcam",
        "representations",
        "ground-truth",
    ),
    "train": ("train-vae", "train-classifier"),
    "do whole grids": ("run", "report"),
    "look after what was trained": ("store",),
}
"""The commands in the order of the help, by what they are for."""

TO_BEGIN = """to begin with:
  mixinfo mutual-info --smoke       minutes on a laptop; says what it writes
  mixinfo mutual-info --dry-run     what it would train, and what it would reuse
  mixinfo accuracy --data cifar10 --augmentations none fmix --seeds 5

mixinfo help COMMAND lists its options, with examples. Every command takes
--config FILE: options from a TOML file, or those of something done before."""


def usage() -> str:
    """The help: every command in a line."""
    groups = {title: {name: COMMANDS[name][1] for name in names} for title, names in GROUPS.items()}
    if others := _of_others():
        groups["of other packages"] = others
    width = max(len(name) for commands in groups.values() for name in commands)
    lines = ["usage: mixinfo COMMAND [OPTIONS]", ""]
    for title, commands in groups.items():
        lines += [f"{title}:", *(f"  {name:<{width}}  {words}" for name, words in commands.items()), ""]
    return "\n".join([*lines, TO_BEGIN])


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
    words = sys.argv[1:] or ["--help"]
    if words[0] in ("-h", "--help", "help"):
        if len(words) == 1:
            print(usage())
            return
        words = [words[1], "--help"]
    here = os.getcwd()
    sys.path[:] = [*(path for path in sys.path if path and os.path.realpath(path) != os.path.realpath(here)), here]
    name, *rest = words
    if "--version" in words:  # nothing of a command is imported for it
        from store.versions import versions_line

        print(versions_line())
        return
    modules = {known: module for known, (module, _) in COMMANDS.items()} | _of_others()
    if name not in modules:
        _stop(f"COMMAND: got {name!r}; needs one of {', '.join(modules)}{_meant(name, modules)}")
    if not _runs(modules[name]):
        _stop(f"COMMAND: got {name}, for which there is no module {modules[name]}; needs an installed package")
    from store.command_line import called_as

    called_as(f"mixinfo {name}")
    sys.argv[:] = [f"mixinfo {name}", *rest]
    runpy.run_module(modules[name], run_name="__main__", alter_sys=True)


def _meant(name: str, known: Iterable[str]) -> str:
    from store.bad_input import perhaps

    return perhaps(name, known, ALIASES)


ALIASES = {
    "attack": "attacks",
    "mi": "mutual-info",
    "mutualinformation": "mutual-info",
    "robustness": "attacks",
    "table1": "mutual-info",
    "table2": "accuracy",
    "table6": "human-uncertainty",
    "train": "train-classifier",
    "vae": "train-vae",
    "classifier": "train-classifier",
    "grid": "run",
    "layers": "representations",
    "runs": "store",
    "ls": "store list",
    "list": "store list",
}
"""What commands may be called by somebody who guesses."""


if __name__ == "__main__":
    main()
