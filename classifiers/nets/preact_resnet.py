"""PreAct-ResNet18, the network of the paper's analyses.

He et al. 2016, "Identity Mappings in Deep Residual Networks", arXiv 1603.05027, with two blocks in each of four stages
and a stem for small images (no pooling, stride 1): 11.17 million parameters at 10 classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from classifiers.layers import conv3x3, initialise

__all__ = ["PreActResNet"]


class PreActBlock(nn.Module):
    """BatchNorm, ReLU and 3×3 convolution, twice, added to the input or to a projection of it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), conv3x3(inputs, outputs, stride)
        self.norm2, self.conv2 = nn.BatchNorm2d(outputs), conv3x3(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        active = relu(self.norm1(x))
        # where the shape changes, the activated input is projected, so that the shortcut sees what the block sees
        shortcut = x if self.shortcut is None else self.shortcut(active)
        return self.conv2(relu(self.norm2(self.conv1(active)))) + shortcut


class PreActStages(nn.Module):
    """A 3×3 convolution, stages of pre-activation blocks that each begin by halving the size, but for the first.

    Args:
        channels: of the images.
        classes: logits.
        stem: channels after the first convolution.
        widths: channels of each stage.
        blocks: in each stage.
    """

    def __init__(self, channels: int, classes: int, stem: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, stem)
        self.stages = len(widths)
        inputs = stem
        for stage, outputs in enumerate(widths, 1):
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
        for stage in range(1, self.stages + 1):
            x = self.get_submodule(f"stage{stage}")(x)
        return self.classify(torch.mean(relu(self.norm(x)), (2, 3)))


class PreActResNet(PreActStages):
    """Four stages of pre-activation blocks; for images of 28×28, 32×32 and 64×64 pixels.

    Layers have names for Grad-CAM: ``conv1``, ``stage1.0``, ``stage1.1``, … ``stage4.1``, ``norm``.

    Args:
        channels: of the images.
        classes: logits.
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        blocks: in each stage.

    Example:
        >>> PreActResNet(3, 10, width=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, channels: int = 3, classes: int = 10, *, width: int = 64, blocks: int = 2) -> None:
        super().__init__(channels, classes, width, [width * 2**stage for stage in range(4)], blocks)
