"""What classifiers look at: Grad-CAM maps and their sums.

The sums are a module, with `Config` and `run`: ``from gradcam import sums``.

Example:
    >>> import tempfile
    >>> import torch
    >>> from gradcam import sums
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> digits = load_digits()
    >>> images, labels = (digits.images[:50] * 15).astype("uint8"), digits.target[:50]
    >>> _ = torch.manual_seed(1)
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    >>> with tempfile.TemporaryDirectory() as out:
    ...     found = sums.run(network, images, labels, layers=["1"], out=out, quiet=True)
    >>> normalised = found.table.query("estimator == 'normalised'")["value"]
    >>> bool(normalised.between(0, 64).all())  # pixels, of the 64 that an image has
    True
"""

import os
import sys
from typing import TYPE_CHECKING, Any

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

if TYPE_CHECKING:
    from gradcam.maps import grad_cam, normalised

__all__ = ["grad_cam", "normalised"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gradcam' has no attribute {name!r}")
    from gradcam import maps  # imports Captum, which is slow

    return getattr(maps, name)
