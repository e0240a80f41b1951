"""What two representations of the same images share: I(T_A;T_B), both codes those of a stated channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.bounds import EncodedPair, bounds_of, names_of
from analysis.bounds.channel import channel
from analysis.bounds.estimators import SHARED
from analysis.representations.features import FEWEST, tenth
from store import BadInput

__all__ = ["CODES", "shared"]

CODES = "I(T_A;T_B)"
"""What the codes of two representations of the same images share."""


def shared(
    features_a: Tensor | np.ndarray,
    features_b: Tensor | np.ndarray,
    training_a: Tensor | np.ndarray | None = None,
    training_b: Tensor | np.ndarray | None = None,
    *,
    noise: Sequence[float],
    noise_shape: str = "isotropic",
    layer: str | None = None,
) -> list[dict[str, Any]]:
    """Bounds on I(T_A;T_B) from both sides, at each level of the noise in both codes: rows, in nats.

    The noises of the two codes are independent, and each has the scale of its own features. With more noise there is
    less that is shared (data processing), so that what two networks share is told at a level, in units of either.

    Args:
        features_a: (N, d_A) of any real type, of images that were not trained on; N at least 20.
        features_b: (N, d_B), of the same images in the same order.
        training_a: (M_A, d_A), features of training images, which scale the noise of A.
        training_b: (M_B, d_B), those that scale the noise of B. Where one of the two is missing, every tenth image
            takes its place, in a fixed random order, and the others are scored.
        noise: levels s, in units of the channel.
        noise_shape: of both channels, one of `analysis.bounds.channel.SHAPES`.
        layer: a name for the rows.

    Raises:
        BadInput: another number of images, fewer than 20, or features that `analysis.bounds.channel.channel` refuses.

    Example:
        >>> features = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
        >>> rows = shared(features, features.flip(1), noise=(1.0,))
        >>> sorted({row["estimator"] for row in rows if row["direction"] == "lower"})
        ['critic', 'three_term_lower']
    """
    a, b = torch.as_tensor(features_a), torch.as_tensor(features_b)
    if len(a) != len(b):
        raise BadInput("--features-b", f"{len(b):,} images", f"the {len(a):,} images of the first features, in order")
    if len(a) < FEWEST:
        raise BadInput("features", f"{len(a)} images", f"at least {FEWEST}")
    if training_a is None or training_b is None:
        training, scored = tenth(len(a))
        training_a = a[training] if training_a is None else training_a
        training_b = b[training] if training_b is None else training_b
        a, b = a[scored], b[scored]
    noisy_a, noisy_b = channel(training_a, noise_shape), channel(training_b, noise_shape)
    rows = []
    for level in noise:
        pair = EncodedPair(noisy_a.posterior(a, level), noisy_b.posterior(b, level), quantity=CODES)
        where = {"noise": float(level), "noise_shape": noise_shape, "layer": layer}
        rows += [bound.row(**where) for bound in bounds_of(pair, names_of(SHARED))]
    return rows
