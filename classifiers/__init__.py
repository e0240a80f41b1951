"""Classifiers: the networks of the paper's tables, for any number of channels and classes, and anybody else's.

A trainer is a module, with `Config` and `run`: ``from classifiers import train``. What it has trained is loaded by
`load_run`, and classifiers of texts by `load_text_run`.

Example:
    >>> import torch
    >>> from classifiers import ModelOptions, PreActResNet, load_classifier
    >>> from mixinfo import DataOptions, load
    >>> PreActResNet(channels=3, classes=10, width=16)(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> data = load(DataOptions("digits"))
    >>> options = ModelOptions("preact-resnet18", model_width=4, weights="random")
    >>> classifier = load_classifier(options, data, torch.device("cpu"))
    >>> classifier(data.test.inputs[:5] / 255).shape  # images in [0, 1]: their normalisation is inside
    torch.Size([5, 10])
"""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

from classifiers.load import Classifier, ModelOptions, load_classifier, load_run
from classifiers.nets import DenseNet, PreActResNet, PyramidNet, WideResNet
from classifiers.text import TextClassifier, TextSettings, load_text_run

__all__ = [
    "Classifier",
    "DenseNet",
    "ModelOptions",
    "PreActResNet",
    "PyramidNet",
    "TextClassifier",
    "TextSettings",
    "WideResNet",
    "load_classifier",
    "load_run",
    "load_text_run",
]
