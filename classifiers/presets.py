"""The rows of the paper's classification tables by name: ``cifar10-preact-resnet18-fmix``.

A row is a data set, a network and an augmentation; how it is trained follows from the network
(`classifiers.train.RECIPES`). PyramidNet was moreover trained with Fast AutoAugment, whose published list of policies
is given with ``--policy file:PATH``.
"""

from store import BadInput

__all__ = ["AUGMENTATIONS", "PRESETS", "parts_of"]

AUGMENTATIONS = (
    "none",
    "mixup",
    "cutmix",
    "fmix",
    "fmix-reference",
    "fmix+mixup",
    "cutmix+mixup",
    "fmix+cutmix",
)
"""The paper's, FMix with both spectra."""

ROWS = {
    "preact-resnet18": ("cifar10", "cifar100", "fashion-mnist"),
    "wide-resnet-28-10": ("cifar10", "cifar100", "fashion-mnist"),
    "densenet-bc-190-40": ("cifar10", "cifar100", "fashion-mnist"),
    "pyramidnet-272-200": ("cifar10",),
}

PRESETS: dict[str, tuple[str, str, str]] = {
    f"{data}-{network}-{augmentation}": (data, network, augmentation)
    for network, rows in ROWS.items()
    for data in rows
    for augmentation in AUGMENTATIONS
}
"""Data set, network and augmentation of every row."""


def parts_of(preset: str) -> tuple[str, str, str]:
    """Data set, network and augmentation of a preset.

    Raises:
        BadInput: no such preset.
    """
    if preset not in PRESETS:
        rows = ", ".join(f"{data}-{network}-AUGMENTATION" for network, rows in ROWS.items() for data in rows)
        raise BadInput("--preset", repr(preset), f"one of {rows}, with one of {', '.join(AUGMENTATIONS)}")
    return PRESETS[preset]
