"""The paper's tables and figures as grids of runs, here or on a cluster.

An experiment is a function of a `Scale` that yields configurations of jobs. `experiments.run` runs them all: a module,
with `Config` and `run`.

Example:
    >>> from analysis import accuracy
    >>> from experiments import EXPERIMENTS, Scale, configurations
    >>> print(*list(EXPERIMENTS)[:6])
    table-1 table-2-preact-resnet18 table-4 table-5 table-6 table-7
    >>> [config.vary for config in configurations("figure-6", Scale(smoke=True))]
    ['alpha', 'decay-power']
    >>> def mine(scale):  # in my.py, it is run by python -m experiments.run my.py:mine
    ...     yield accuracy.Config(("none", "fmix"), **scale.classifiers)
    >>> [config.augmentations for config in mine(Scale(seeds=2))]
    [('none', 'fmix')]
"""

import os
import sys
from typing import TYPE_CHECKING, Any

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

if TYPE_CHECKING:
    from experiments.paper import EXPERIMENTS, Experiment, Scale, configurations

__all__ = ["EXPERIMENTS", "Experiment", "Scale", "configurations"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'experiments' has no attribute {name!r}")
    from experiments import paper  # imports every analysis

    return getattr(paper, name)
