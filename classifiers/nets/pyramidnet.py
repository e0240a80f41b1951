r"""PyramidNet-272 with widening factor 200, and ShakeDrop.

Han, Kim & Kim 2017, "Deep Pyramidal Residual Networks", arXiv 1610.02915: bottleneck blocks whose width grows by the
same amount from one to the next; the shortcut is the identity, padded with zeros. 26 million parameters at 10 classes.

Yamada et al. 2019, "ShakeDrop Regularization for Deep Residual Learning", arXiv 1802.02375: with probability
:math:`1 - p_l`, which grows linearly with depth to one half, a block's output is multiplied by
:math:`\alpha \sim U(-1, 1)` on the way forward and by :math:`\beta \sim U(0, 1)` on the way back, both per image; in
evaluation by the expectation, :math:`p_l`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, relu

from classifiers.layers import blocks_of, conv3x3, initialise

__all__ = ["PyramidNet", "ShakeDrop"]


class _Shake(torch.autograd.Function):
    """One factor forward, another one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
        ctx.save_for_backward(backward)
        return x * forward

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient * ctx.saved_tensors[0], None, None


class ShakeDrop(nn.Module):
    """Random factors on a block's output; see the module's text.

    Args:
        keep: :math:`p_l`, the probability that the block is left alone.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), the same shape."""
        if not self.training:
            return self.keep * x
        # one coin for the block and the batch, as published; the factors differ between images
        kept = torch.rand((), device=x.device) < self.keep
        size = (len(x), 1, 1, 1)
        one = torch.ones((), device=x.device, dtype=x.dtype)
        alpha = torch.rand(size, device=x.device, dtype=x.dtype) * 2 - 1
        beta = torch.rand(size, device=x.device, dtype=x.dtype)
        return _Shake.apply(x, torch.where(kept, one, alpha), torch.where(kept, one, beta))


class PyramidBlock(nn.Module):
    """A bottleneck with a BatchNorm at both ends and no ReLU at the first."""

    def __init__(self, inputs: int, width: int, stride: int, keep: float) -> None:
        super().__init__()
        self.stride, self.outputs = stride, 4 * width
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, width, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(width), conv3x3(width, width, stride)
        self.norm3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm4 = nn.BatchNorm2d(4 * width)
        self.shake = ShakeDrop(keep)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 width, ⌈H / stride⌉, ⌈W / stride⌉)."""
        out = self.conv1(self.norm1(x))
        out = self.conv2(relu(self.norm2(out)))
        out = self.norm4(self.conv3(relu(self.norm3(out))))
        # 28-pixel images reach an odd size
        shortcut = x if self.stride == 1 else avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        return self.shake(out) + pad(shortcut, (0, 0, 0, 0, 0, self.outputs - x.shape[1]))


class PyramidNet(nn.Module):
    """Three stages of (depth − 2) / 9 bottleneck blocks.

    Layers have names for Grad-CAM: ``conv1``, ``stage1.0``, … ``stage3.29``, ``norm``.

    Args:
        channels: of the images.
        classes: logits.
        depth: 2 more than a multiple of 9.
        widening: by how much the width has grown at the end, from 16.
        last_keep: ShakeDrop's :math:`p_L` of the last block; 1 turns it off.

    Raises:
        BadInput: a depth that no number of blocks gives.
    """

    def __init__(
        self, channels: int = 3, classes: int = 10, *, depth: int = 272, widening: int = 200, last_keep: float = 0.5
    ) -> None:
        super().__init__()
        blocks = blocks_of(depth, 9, 2)
        self.conv1, self.norm1 = conv3x3(channels, 16), nn.BatchNorm2d(16)
        count, inputs = 3 * blocks, 16
        for stage in range(1, 4):
            made = []
            for block in range(blocks):
                number = (stage - 1) * blocks + block + 1
                width = round(16 + widening * number / count)
                keep = 1 - (1 - last_keep) * number / count
                made.append(PyramidBlock(inputs, width, 2 if stage > 1 and block == 0 else 1, keep))
                inputs = 4 * width
            self.add_module(f"stage{stage}", nn.Sequential(*made))
        self.norm = nn.BatchNorm2d(inputs)
        self.classify = nn.Linear(inputs, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to logits (B, classes)."""
        x = self.norm1(self.conv1(x))
        for stage in range(1, 4):
            x = self.get_submodule(f"stage{stage}")(x)
        return self.classify(torch.mean(relu(self.norm(x)), (2, 3)))
