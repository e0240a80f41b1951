"""The networks of the paper's tables, for any number of channels and classes."""

from classifiers.nets.densenet import DenseNet
from classifiers.nets.preact_resnet import PreActResNet
from classifiers.nets.pyramidnet import PyramidNet
from classifiers.nets.voxel_cnn import VoxelCNN
from classifiers.nets.wide_resnet import WideResNet

__all__ = ["DenseNet", "PreActResNet", "PyramidNet", "VoxelCNN", "WideResNet"]
