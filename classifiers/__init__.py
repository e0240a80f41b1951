"""Classifiers: the networks of the paper's tables, for any number of channels and classes."""

from classifiers.densenet import DenseNet
from classifiers.preact_resnet import PreActResNet
from classifiers.pyramidnet import PyramidNet
from classifiers.wide_resnet import WideResNet

__all__ = ["DenseNet", "PreActResNet", "PyramidNet", "WideResNet"]
