"""Mixers in other people's loops: a batch transform and a collate function that return soft labels.

As the last transform of a batch, in the manner of torchvision's `transforms.v2`::

    mix = MixTransform(FMix(), num_classes=10)
    images, labels = mix(images, labels)                    # (B, C, *S), (B, 10)

or inside a DataLoader, where the workers mix::

    loader = DataLoader(data, batch_size=128, drop_last=True, collate_fn=MixCollate(FMix(), num_classes=10))

Randomness comes from torch's global generator, which a DataLoader seeds anew in each worker and epoch.
"""

from typing import Any

from torch import Tensor, nn
from torch.utils.data import default_collate

from msda.mixers import Mixer

__all__ = ["MixCollate", "MixTransform"]


class MixTransform(nn.Module):
    """Mix a batch and its labels; a module, so that it fits into a pipeline of transforms.

    Args:
        mixer: any mixer.
        num_classes: K, needed where labels are class indices.
    """

    def __init__(self, mixer: Mixer, num_classes: int | None = None) -> None:
        super().__init__()
        self.mixer = mixer
        self.num_classes = num_classes

    def forward(self, images: Tensor | tuple[Tensor, Tensor], labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mix `images` `(B, C, *S)` and `labels`, given as two arguments or as one pair.

        Labels are indices `(B,)`, or `(B, 1)` where there are more classes, or rows `(B, K)`.

        Returns:
            Mixed images `(B, C, *S)` and soft labels `(B, K)`.

        Raises:
            TypeError: if labels are missing, or images or labels have the wrong type.
            ValueError: if a shape does not fit.
        """
        if labels is None and isinstance(images, tuple | list) and len(images) == 2:
            images, labels = images
        if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
            kinds = f"{type(images).__name__} and {type(labels).__name__}"
            raise TypeError(f"images and labels of type {kinds}; need two tensors")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            if labels.shape[1] != 1:
                raise ValueError(f"labels of shape {tuple(labels.shape)}; need rows of {self.num_classes} or indices")
            labels = labels[:, 0]  # a column of indices
        mixed = self.mixer(images, generator=None)
        return mixed.images, mixed.soft_targets(labels, self.num_classes if labels.ndim == 1 else None)

    def extra_repr(self) -> str:
        """Show the options in the module's repr."""
        return f"{self.mixer!r}, num_classes={self.num_classes}"


class MixCollate:
    """Collate `(image, label)` samples by torch's default, then mix: a DataLoader's `collate_fn`.

    Can be pickled, so it works in worker processes. A last batch of a single sample cannot be mixed: use `drop_last`.

    Args:
        mixer: any mixer.
        num_classes: K, needed where labels are class indices.
    """

    def __init__(self, mixer: Mixer, num_classes: int | None = None) -> None:
        self.mixer = mixer
        self.num_classes = num_classes

    def __call__(self, samples: list[Any]) -> tuple[Tensor, Tensor]:
        """Collate and mix.

        Args:
            samples: pairs of an image `(C, *S)` and a label, an index or a row `(K,)`.

        Returns:
            Mixed images `(B, C, *S)` and soft labels `(B, K)`.

        Raises:
            ValueError: if samples are not pairs, or a shape does not fit.
            TypeError: if images are not of a floating-point type, or labels cannot be collated into a tensor.
        """
        batch = default_collate(samples)
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError(f"samples collate to a {type(batch).__name__}; need pairs of an image and a label")
        return MixTransform(self.mixer, self.num_classes)(*batch)

    def __repr__(self) -> str:
        return f"MixCollate({self.mixer!r}, num_classes={self.num_classes})"
