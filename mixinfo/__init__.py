"""The whole toolkit under one name: ``import mixinfo`` gives the public face of every room.

Rooms (``mixinfo.msda``, ``mixinfo.vae``, …), analyses (``mixinfo.mutual_info.run(augmentations=["none", "fmix"])``) and
what rooms export (``mixinfo.FMix``, ``mixinfo.Encoded``) are imported when they are asked for.

Example:
    >>> import mixinfo
    >>> mixinfo.FMix(alpha=1.0).decay_power
    3.0
    >>> mixinfo.mutual_info.Config().seeds
    3
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import analysis
    import attacks
    import classifiers
    import experiments
    import figures
    import findings
    import gradcam
    import msda
    import reports
    import store
    import tasks
    import training
    import vae
    from analysis import *
    from analysis import ablation, accuracy, ground_truth, human_uncertainty, mutual_info, representations
    from attacks import sweep
    from classifiers import *
    from experiments import *
    from figures import *
    from findings import *
    from gradcam import *
    from gradcam import sums
    from msda import *
    from reports import *
    from store import *
    from tasks import *
    from training import *
    from vae import *

ROOMS = (
    "msda",
    "store",
    "figures",
    "findings",
    "tasks",
    "training",
    "classifiers",
    "vae",
    "gradcam",
    "attacks",
    "analysis",
    "reports",
    "experiments",
)
"""The rooms, from the mixer, which needs torch alone, to whole grids."""

COMMANDS = {
    "mutual_info": "analysis.mutual_info",
    "accuracy": "analysis.accuracy",
    "ablation": "analysis.ablation",
    "human_uncertainty": "analysis.human_uncertainty",
    "representations": "analysis.representations",
    "ground_truth": "analysis.ground_truth",
    "sweep": "attacks.sweep",
    "sums": "gradcam.sums",
}
"""Analyses, each a module with ``Config`` and ``run``."""


def __getattr__(name: str) -> Any:
    known = name in ROOMS or name in COMMANDS
    thing = importlib.import_module(COMMANDS.get(name, name)) if known else _exported(name)
    globals()[name] = thing
    return thing


def _exported(name: str) -> Any:
    """What the lowest room that exports it calls so; no two do."""
    if not name.startswith("_"):
        for room in map(importlib.import_module, ROOMS):  # the lower rooms are quick to import
            if name in getattr(room, "__all__", ()):
                return getattr(room, name)
    raise AttributeError(f"module 'mixinfo' has no attribute {name!r}")


def __dir__() -> list[str]:
    exported = {name for room in ROOMS for name in getattr(importlib.import_module(room), "__all__", ())}
    return sorted({*ROOMS, *COMMANDS, *exported})
