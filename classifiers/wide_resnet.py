"""WideResNet-28-10.

Zagoruyko & Komodakis 2016, "Wide Residual Networks", arXiv 1605.07146: three stages of pre-activation blocks, ten times
as wide as in a ResNet; 36.5 million parameters at 10 classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from classifiers.parts import conv3x3, initialise
from classifiers.preact_resnet import PreActBlock
from store import BadInput

__all__ = ["WideResNet"]


class WideResNet(nn.Module):
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
        super().__init__()
        blocks, rest = divmod(depth - 4, 6)
        if rest or blocks < 1:
            raise BadInput("depth", depth, "4 more than a multiple of 6: 10, 16, 22, 28, …")
        self.conv1 = conv3x3(channels, 16)
        inputs = 16
        for stage, outputs in enumerate((16 * widen, 32 * widen, 64 * widen), 1):
            first = PreActBlock(inputs, outputs, 1 if stage == 1 else 2)
            others = [PreActBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
            self.add_module(f"stage{stage}", nn.Sequential(first, *others))
            inputs = outputs
        self.norm = nn.BatchNorm2d(inputs)
        self.classify = nn.Linear(inputs, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to logits (B, classes)."""
        x = self.conv1(x)
        for stage in range(1, 4):
            x = self.get_submodule(f"stage{stage}")(x)
        return self.classify(torch.mean(relu(self.norm(x)), (2, 3)))
