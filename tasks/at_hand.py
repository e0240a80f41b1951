"""Images at hand, tensors, arrays or a ``Dataset``, as a task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from tasks.task import LEVELS, Task, image_task

__all__ = ["images_of"]


def images_of(images: Any, labels: Any = None, name: str = "images", classes: int = 0) -> Task:
    """Images at hand as a data set, whose training and test images they both are.

    Args:
        images: (N, C, H, W) uint8, or floating point in [0, 1] in steps of 1/255, as ``ToTensor`` makes them; as a
            tensor or an array (an array may be (N, H, W, C) uint8); a ``torch.utils.data.Dataset`` of pairs of such an
            image and its class; or a `Task`, which is returned.
        labels: (N,) classes.
        name: of the data set.
        classes: how many there are at least, where not every class has an image.

    Raises:
        BadInput: other types, shapes or numbers.
    """
    if isinstance(images, Task):
        return images
    if labels is None and isinstance(images, torch.utils.data.Dataset):
        images, labels = _collected(images)
    if labels is None:
        raise BadInput("labels", "nothing", "the class of each image, (N,)")
    pixels = _pixels(images)
    try:
        numbers = torch.as_tensor(labels if isinstance(labels, Tensor) else np.asarray(labels)).detach().cpu()
    except (TypeError, ValueError):
        raise BadInput("labels", f"a {type(labels).__name__} of no numbers", "the class of each image, (N,)") from None
    if numbers.shape != pixels.shape[:1] or numbers.is_floating_point() or (len(numbers) and int(numbers.min()) < 0):
        got = f"{str(numbers.dtype).removeprefix('torch.')} of shape {tuple(numbers.shape)}"
        raise BadInput("labels", got, f"classes from 0, one for each of {len(pixels)} images")
    split = pixels, numbers.long()
    return image_task(name, split, split, classes=classes)


def _collected(dataset: Any) -> tuple[list[Any], list[int]]:
    needed = "a Dataset of pairs of an image and its class"
    images, labels = [], []
    for place in range(len(dataset)):
        item = dataset[place]
        if not isinstance(item, Sequence) or len(item) < 2:
            raise BadInput("images", f"a Dataset of {type(item).__name__}", needed)
        image = item[0]
        images.append(image if isinstance(image, Tensor) else torch.from_numpy(np.array(image)))
        labels.append(int(item[1]))
    return images, labels


def _pixels(images: Any) -> Tensor:
    """(N, C, H, W) uint8."""
    needed = "(N, C, H, W) of uint8, or of floating point in [0, 1] in steps of 1/255"
    if isinstance(images, list):
        try:
            images = torch.stack([torch.as_tensor(image) for image in images])
        except (RuntimeError, TypeError, ValueError):
            raise BadInput("images", "images of several shapes or types", needed) from None
    pixels = (images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))).detach().cpu()
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    if (
        pixels.ndim == 4
        and pixels.dtype == torch.uint8
        and pixels.shape[-1] in (1, 3)
        and pixels.shape[1] not in (1, 3)
    ):
        pixels = pixels.permute(0, 3, 1, 2)
    if pixels.ndim != 4 or not pixels.numel():
        raise BadInput("images", f"shape {tuple(pixels.shape)}", needed)
    if pixels.dtype == torch.uint8:
        return pixels.contiguous()
    if not pixels.is_floating_point():
        raise BadInput("images", str(pixels.dtype).removeprefix("torch."), needed)
    scaled = pixels.double() * LEVELS
    levels = scaled.round()
    if not bool(((levels >= 0) & (levels <= LEVELS)).all()):
        raise BadInput("images", f"pixels from {float(pixels.min()):.3g} to {float(pixels.max()):.3g}", needed)
    if float((scaled - levels).abs().max()) > 0.01:
        raise BadInput("images", "pixels between eight-bit levels", f"{needed}: (255 * images).round() / 255 has them")
    return levels.to(torch.uint8).contiguous()
