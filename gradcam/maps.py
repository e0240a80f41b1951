r"""Grad-CAM maps of any layer, and the sums that the paper compares.

For activations :math:`A_c(u)` of a layer and the logit z of a class, Grad-CAM is
:math:`\sum_c \alpha_c A_c(u)` with :math:`\alpha_c` the mean of :math:`\partial z / \partial A_c(u)` over positions u
(Captum's `LayerGradCam`), here brought to the images' size bilinearly. Its sums over the image's pixels:

- **raw**: of the map; **ReLU**: of its positive part. Both grow with the scale of the logits.
- **normalised**: of the positive part divided by its own maximum: between 0 and the number of pixels, free of the
  logits' scale; it measures how spread the map is. The published sums (146, 162, 131 on 32×32) can only be of this
  kind. A map without a positive part has none; such maps are counted and left out of the mean.

Source: Selvaraju et al. 2017, arXiv 1610.02391; Harris et al. 2020, arXiv 2002.12047, Sec. 4.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn.functional import interpolate

from classifiers.load import Classifier
from store import BadInput

__all__ = ["KINDS", "check_layer", "grad_cam", "normalised", "sums"]

KINDS = ("normalised", "relu", "raw")


@contextmanager
def _outputs(layer: nn.Module) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """A layer's outputs and copies of them, made as the layer returns.

    Raises:
        BadInput: it returns something else than a tensor.
    """
    seen: list[tuple[Tensor, Tensor]] = []

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor):
            got = f"a layer that returns a {type(output).__name__}"
            raise BadInput("--layers", got, "a layer that is used once and returns a tensor")
        seen.append((output, output.detach().clone()))

    handle = layer.register_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


@torch.no_grad()
def check_layer(classifier: Classifier, name: str, x: Tensor) -> nn.Module:
    """The layer of that name, if Grad-CAM can be had of it.

    Args:
        classifier: in evaluation mode.
        name: of the layer in its network.
        x: (B, C, H, W) in [0, 1], a few images.

    Raises:
        BadInput: no such layer, one that is not used just once, whose output is no map, or is changed in place.
    """
    layer = classifier.layer(name)
    with _outputs(layer) as seen:
        classifier(x)
    if len(seen) != 1:
        raise BadInput("--layers", f"{name}, used {len(seen)} times", "a layer that is used once and returns a tensor")
    output, copy = seen[0]
    if output.ndim != 4:
        raise BadInput("--layers", f"{name}, whose output is {tuple(output.shape)}", "a layer of maps (B, C, H, W)")
    if not torch.equal(output, copy):
        raise BadInput(
            "--layers",
            f"{name}, whose output is changed in place by what follows",
            "the layer that changes it, or an activation with inplace=False",
        )
    return layer


def grad_cam(classifier: Classifier, layer: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
    """Maps (B, H, W) at the images' size, without ReLU.

    Args:
        classifier: in evaluation mode.
        layer: of its network.
        x: (B, C, H, W) in [0, 1].
        classes: (B,), whose logits are explained.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Captum turns requires_grad on where it is off, and says so
        maps = LayerGradCam(classifier, layer).attribute(x, target=classes, relu_attributions=False).detach()
    if maps.shape[2:] != x.shape[2:]:
        maps = interpolate(maps, size=x.shape[2:], mode="bilinear", align_corners=False)
    return maps[:, 0]


def normalised(maps: Tensor) -> Tensor:
    """Positive parts divided by their own maxima, (B, H, W) in [0, 1]; 0 everywhere where there is none."""
    positive = maps.clamp(min=0)
    largest = positive.amax((1, 2), keepdim=True)
    return positive / torch.where(largest > 0, largest, 1)


def sums(maps: Tensor) -> Tensor:
    """(3, B) in float64: the sums of `KINDS`; the normalised one of a map without a positive part is NaN."""
    total = normalised(maps).double().sum((1, 2))
    empty = maps.amax((1, 2)) <= 0
    return torch.stack(
        [total.masked_fill(empty, torch.nan), maps.clamp(min=0).double().sum((1, 2)), maps.double().sum((1, 2))]
    )
