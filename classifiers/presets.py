"""The rows of the paper's classification tables by name: ``cifar10-preact-resnet18-fmix``.

A row is a data set, a network and an augmentation; how it is trained follows from the network
(`classifiers.train.RECIPES`). PyramidNet was moreover trained with Fast AutoAugment, whose published list of policies
is given with ``--policy file:PATH``.
"""

from store import BadInput
from store.bad_input import perhaps, plain

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


WITHOUT_NETWORK = {
    plain(f"{data}-{augmentation}"): name
    for name, (data, network, augmentation) in PRESETS.items()
    if network == "preact-resnet18"
}
"""What a row may be called by somebody who does not name the network, for messages."""


def parts_of(preset: str) -> tuple[str, str, str]:
    """Data set, network and augmentation of a preset.

    Raises:
        BadInput: no such preset.
    """
    if preset not in PRESETS:
        rows = ", ".join(f"{data}-{network}-AUGMENTATION" for network, rows in ROWS.items() for data in rows)
        needed = f"one of {rows}, with one of {', '.join(AUGMENTATIONS)}{perhaps(preset, PRESETS, WITHOUT_NETWORK)}"
        raise BadInput("--preset", repr(preset), needed)
    return PRESETS[preset]
