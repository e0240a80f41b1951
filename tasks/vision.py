"""Data sets of torchvision's, downloaded where they are not there and a network is."""

import sys
import urllib.error
from pathlib import Path
from typing import NamedTuple

import numpy as np

from store import BadInput
from tasks.idx import read_idx
from tasks.labels import of_arrays
from tasks.task import Task

__all__ = ["TORCHVISION", "vision"]


class Known(NamedTuple):
    """What is known of a data set of torchvision's.

    Args:
        kind: its class.
        name: as tables print it.
        mirrored: whether an image's mirror image is one of the same class; of digits and characters it is not.
    """

    kind: str
    name: str
    mirrored: bool = True


TORCHVISION = {
    "mnist": Known("MNIST", "MNIST", mirrored=False),
    "fashion-mnist": Known("FashionMNIST", "Fashion-MNIST"),
    "kmnist": Known("KMNIST", "KMNIST", mirrored=False),
    "cifar10": Known("CIFAR10", "CIFAR-10"),
    "cifar100": Known("CIFAR100", "CIFAR-100"),
    "svhn": Known("SVHN", "SVHN", mirrored=False),
    "stl10": Known("STL10", "STL-10"),
}
"""The data sets of torchvision's that have a name here, by our word."""

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the IDX files."""


def vision(word: str, root: Path, download: bool) -> Task:
    """A data set of torchvision's.

    Args:
        word: ours, of `TORCHVISION`.
        root: where torchvision keeps its downloads.
        download: whether it may be downloaded.

    Raises:
        BadInput: it is not there, and may not or cannot be downloaded.
    """
    if word == "fashion-mnist" and DEBIAN_FASHION_MNIST.is_dir():
        return read_idx(DEBIAN_FASHION_MNIST, TORCHVISION[word].name)
    import torchvision.datasets

    kind, name, mirrored = TORCHVISION[word]
    splits = kind in ("SVHN", "STL10")

    def split_of(train: bool, download: bool):  # type: ignore[no-untyped-def]
        arguments = {"split": "train" if train else "test"} if splits else {"train": train}
        return getattr(torchvision.datasets, kind)(root=str(root), download=download, **arguments)

    try:
        train, test = split_of(True, False), split_of(False, False)
    except RuntimeError:
        if not download:
            needed = f"{name} there: the same command without --dry-run downloads it"
            raise BadInput("--data", f"{word!r}, which is not under {root}", needed) from None
        print(f"downloading {name} to {root}", file=sys.stderr)
        try:
            train, test = split_of(True, True), split_of(False, True)
        except (urllib.error.URLError, RuntimeError, OSError) as error:
            if getattr(error, "errno", None):
                raise
            raise BadInput(
                "--data",
                f"{word!r}, which is not under {root} and cannot be downloaded ({error})",
                "a network connection, or torchvision's files under --data-root",
            ) from None

    def arrays(dataset) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
        images = np.asarray(dataset.data)
        if images.ndim == 3:
            images = images[..., None]
        elif splits:
            images = images.transpose(0, 2, 3, 1)
        return images, np.asarray(dataset.labels if splits else dataset.targets)

    return of_arrays(name, arrays(train), arrays(test), mirrored=mirrored)
