"""WideResNet-28-10.

Zagoruyko & Komodakis 2016, "Wide Residual Networks", arXiv 1605.07146: three stages of pre-activation blocks, ten times
as wide as in a ResNet; 36.5 million parameters at 10 classes.
"""

from classifiers.layers import blocks_of
from classifiers.nets.preact_resnet import PreActStages

__all__ = ["WideResNet"]


class WideResNet(PreActStages):
    """Three stages of (depth − 4) / 6 pre-activation blocks, without dropout.

    Layers have names for Grad-CAM: ``conv1``, ``stage1.0``, … ``stage3.3``, ``norm``.

    Args:
        channels: of the images.
        classes: logits.
        depth: 4 more than a multiple of 6.
        widen: factor on the 16, 32 and 64 channels of the stages.

    Raises:
        BadInput: a depth that no number of blocks gives.
    """

    def __init__(self, channels: int = 3, classes: int = 10, *, depth: int = 28, widen: int = 10) -> None:
        super().__init__(channels, classes, 16, (16 * widen, 32 * widen, 64 * widen), blocks_of(depth, 6, 4))
