"""What the networks share."""

from torch import nn

from store import BadInput

__all__ = ["blocks_of", "conv3x3", "initialise"]


def blocks_of(depth: int, layers: int, outside: int) -> int:
    """Blocks in each stage of a network of ``depth`` layers, of which each block in each stage adds ``layers``.

    Raises:
        BadInput: a depth that no number of blocks gives.
    """
    blocks, over = divmod(depth - outside, layers)
    if over or blocks < 1:
        raise BadInput(
            "depth", depth, f"{outside} more than a multiple of {layers}: {layers + outside}, {2 * layers + outside}, …"
        )
    return blocks


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """3×3 convolution that keeps the image size, but for the stride; BatchNorm follows, so no bias."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def initialise(network: nn.Module) -> None:
    """He et al. 2015 (arXiv 1502.01852) for convolutions, fan-out; biases of linear layers 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
