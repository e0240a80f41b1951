"""Classifiers: the networks of the paper's tables, for any number of channels and classes."""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and os.path.exists(sys.path[0]) and os.path.samefile(sys.path[0], "."):
    sys.path.append(sys.path.pop(0))

from classifiers.nets import DenseNet, PreActResNet, PyramidNet, WideResNet

__all__ = ["DenseNet", "PreActResNet", "PyramidNet", "WideResNet"]
