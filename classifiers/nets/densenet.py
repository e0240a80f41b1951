"""DenseNet-BC-190 with growth rate 40.

Huang et al. 2017, "Densely Connected Convolutional Networks", arXiv 1608.06993: every layer sees all layers before it
in its stage; bottlenecks of 4 × growth channels, and transitions that halve the channels. 25.6 million parameters at 10
classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from classifiers.layers import blocks_of, conv3x3, initialise

__all__ = ["DenseNet"]


class DenseLayer(nn.Module):
    """A bottleneck whose ``growth`` channels are appended to its input."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), conv3x3(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, inputs + growth, H, W)."""
        new = self.conv2(relu(self.norm2(self.conv1(relu(self.norm1(x))))))
        return torch.cat([x, new], 1)


class Transition(nn.Module):
    """Half the channels, half the size."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, inputs / 2, H / 2, W / 2)."""
        return avg_pool2d(self.conv(relu(self.norm(x))), 2)


class DenseNet(nn.Module):
    """Three stages of (depth − 4) / 6 bottleneck layers.

    Layers have names for Grad-CAM: ``conv1``, ``stage1.0``, …, ``transition1``, …, ``norm``.

    Args:
        channels: of the images.
        classes: logits.
        depth: 4 more than a multiple of 6.
        growth: channels that each layer adds.

    Raises:
        BadInput: a depth that no number of layers gives.
    """

    def __init__(self, channels: int = 3, classes: int = 10, *, depth: int = 190, growth: int = 40) -> None:
        super().__init__()
        layers = blocks_of(depth, 6, 4)
        width = 2 * growth
        self.conv1 = conv3x3(channels, width)
        for stage in range(1, 4):
            self.add_module(
                f"stage{stage}", nn.Sequential(*(DenseLayer(width + growth * layer, growth) for layer in range(layers)))
            )
            width += growth * layers
            if stage < 3:
                self.add_module(f"transition{stage}", Transition(width))
                width //= 2
        self.norm = nn.BatchNorm2d(width)
        self.classify = nn.Linear(width, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to logits (B, classes)."""
        x = self.conv1(x)
        for stage in range(1, 4):
            x = self.get_submodule(f"stage{stage}")(x)
            if stage < 3:
                x = self.get_submodule(f"transition{stage}")(x)
        return self.classify(torch.mean(relu(self.norm(x)), (2, 3)))
