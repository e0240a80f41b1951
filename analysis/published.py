"""The paper's Table 1, as far as it has been read in a source at hand.

"FMix: Enhancing Mixed Sample Data Augmentation", arXiv 2002.12047. The other rows of the table are not quoted here; of
them the text says how their rates are ordered.
"""

from dataclasses import dataclass

__all__ = ["ORDERINGS", "SETTINGS", "TABLE_1", "Published"]


@dataclass(frozen=True)
class Published:
    """A published number.

    Args:
        mean: over trials.
        std: over trials.
        trials: how many.
        margin: the largest difference that counts as agreement, fixed before anything was compared: about two of the
            published standard deviations for the rates, 0.01 for the squared error.
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
