"""Published numbers, as far as they have been read in a source at hand; others are not quoted here.

"FMix: Enhancing Mixed Sample Data Augmentation", arXiv 2002.12047: Table 1, of whose other rows the text says how their
rates are ordered, and the accuracies of the hybrids.
"""

from dataclasses import dataclass

__all__ = ["ACCURACIES", "ACCURACY_SETTINGS", "ORDERINGS", "SETTINGS", "TABLE_1", "Published"]


@dataclass(frozen=True)
class Published:
    """A published number.

    Args:
        mean: over trials.
        std: over trials.
        trials: how many.
        margin: the largest difference that counts as agreement, fixed before anything was compared: about two of the
            published standard deviations for the rates, 0.01 for the squared error, 0.3 points for accuracies.
    """

    mean: float
    std: float
    trials: int
    margin: float


_FMIX = {
    "rate": Published(83.67, 0.89, 5, 2.0),
    "rate_reconstruction": Published(80.28, 0.75, 5, 2.0),
    "mse": Published(0.255, 0.003, 5, 0.01),
}

TABLE_1 = {"fmix": _FMIX, "fmix-reference": _FMIX}
"""Augmentation -> estimator -> value; nats, and squared normalised pixels.

The published FMix row was very likely measured with the reference code's masks, and stands beside both spectra.
"""

SETTINGS = {"data": "CIFAR-10", "train_images": 50_000, "epochs": 100, "decoder_scale": 1.0, "preset": "reference"}
"""What the published numbers were measured with; on anything else ours are not comparable with them."""

ORDERINGS = (("mixup", "none"), ("none", "cutmix"), ("cutmix", "fmix"))
"""Of the rate: the first of each pair below the second, says the text."""

ACCURACIES = {
    "fmix+mixup": Published(96.30, 0.08, 5, 0.3),
    "cutmix+mixup": Published(96.26, 0.04, 5, 0.3),
    "fmix+cutmix": Published(95.85, 0.10, 5, 0.3),
}
"""Test accuracy in per cent of the hybrids."""

ACCURACY_SETTINGS = {
    "data": "CIFAR-10", "network": "preact-resnet18", "train_images": 50_000, "epochs": 200, "width": 64,
    "policy": "none",
}  # fmt: skip
"""What they were measured with."""
