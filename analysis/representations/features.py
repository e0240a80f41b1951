"""Features of images: from a file, or of a classifier's layer."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from classifiers.load import Classifier, in_batches
from store import BadInput
from tasks import pixels
from tasks.arrays import read_arrays

__all__ = ["Pool", "features_of", "read_features"]

Pool = Literal["mean", "flatten"]
"""How a map (C, H, W) becomes a row: the mean over its positions, (C,), or all of it, (C·H·W,)."""


def read_features(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Features (N, d), labels (N,) and, where the file has them, features of training images (M, d).

    Raises:
        BadInput: blaming ``--features``: no such archive, missing arrays, or other types than floats and integers.
    """
    needed = "an .npz with features (N, d) and labels (N,), optionally training_features (M, d)"
    arrays = read_arrays("--features", path, ("features", "labels", "training_features"), needed)
    for key, kinds in (("features", "f"), ("labels", "iub"), ("training_features", "f")):
        if key not in arrays and key != "training_features":
            raise BadInput("--features", f"{path} without {key}", needed)
        if key in arrays and arrays[key].dtype.kind not in kinds:
            raise BadInput("--features", f"{path} with {key} of type {arrays[key].dtype}", needed)
    return arrays["features"], arrays["labels"], arrays.get("training_features")


@torch.no_grad()
def features_of(classifier: Classifier, layer: str, images: Tensor, pool: Pool = "mean") -> Tensor:
    """What a layer gives of images, (N, d) on the CPU, as the classifier computes it, in evaluation mode.

    Args:
        classifier: in evaluation mode.
        layer: its name in the network.
        images: (N, C, H, W) uint8, or pixels in [0, 1], on the classifier's device.
        pool: of maps (B, C, …); an output (B, d) is taken as it is.

    Raises:
        BadInput: no such layer, one that is not used once, or whose output is no tensor of a row an image.
    """
    outputs: list[object] = []

    def note(_module: nn.Module, _inputs: object, output: object) -> None:
        outputs.append(output)

    rows = []
    handle = classifier.layer(layer).register_forward_hook(note)
    try:
        for batch in in_batches(images):
            outputs.clear()
            classifier(pixels(batch))
            if len(outputs) != 1:
                got, needed = f"{layer}, used {len(outputs)} times", "a layer that is used once"
                raise BadInput("--layers", got, needed)
            (output,) = outputs
            if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != len(batch):
                shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                raise BadInput("--layers", f"{layer}, whose output is {shape}", "a layer with a tensor (B, d) or maps")
            flat = output.flatten(2).mean(2) if pool == "mean" and output.ndim > 2 else output.flatten(1)
            rows.append(flat.float().cpu())
    finally:
        handle.remove()
    return torch.cat(rows)
