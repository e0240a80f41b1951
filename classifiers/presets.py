"""The rows of the paper's classification tables by name: ``cifar10-preact-resnet18-fmix``.

A row is a data set, a network and an augmentation; how it is trained follows from the network
(`classifiers.recipes`). Those of texts (Table 5) draw one λ and mask a batch, as the reference code does, with
α = 0.2 for IMDb, and BERT's mix tokens; so do those of graphemes (Table 4), of which one network answers one question,
``bengali-root-seresnext50-fmix``, or all three, ``bengali-seresnext50-fmix``, and those of sound and of shapes (Table
7), ``commands-preact-resnet18-fmix`` with α = 1 and ``commands-preact-resnet18-fmix-alpha-0.2``,
``modelnet10-voxel-cnn-fmix``. Their data lie in folders below ``data``, if ``--data`` says nothing else.
PyramidNet was moreover trained with Fast AutoAugment, whose published list of policies is given with
``--policy file:PATH``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from store import BadInput
from store.bad_input import perhaps, plain

__all__ = [
    "AUGMENTATIONS",
    "GRAPHEMES",
    "MASKS",
    "ONE_A_BATCH",
    "PRESETS",
    "SE_RESNEXT",
    "SOUND_ALPHAS",
    "TEXT_AUGMENTATIONS",
    "Preset",
    "preset_named",
    "read_as",
    "settings_of_texts",
]

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

TEXT_AUGMENTATIONS = ("none", "mixup", "fmix")
"""Of the paper's Table 5."""

TEXT_ROWS = {
    "text-cnn": ("toxic", "imdb", "yelp-2", "yelp-5"),
    "text-lstm": ("toxic", "imdb", "yelp-2", "yelp-5"),
    "bert-base-cased": ("toxic",),
}

BERT = "transformers:data/bert-base-cased"
"""BERT as the paper has it, from the folder that transformers' ``save_pretrained`` writes."""


class Preset(NamedTuple):
    """A row.

    Args:
        data: the data set.
        network: the network's name.
        augmentation: the augmentation's.
        settings: what else is not as usual.
        text: of texts, what is not as usual.
        component: the one question that is asked, where there are several and not all are.
    """

    data: str
    network: str
    augmentation: str
    settings: Mapping[str, Any] = MappingProxyType({})
    text: Mapping[str, Any] = MappingProxyType({})
    component: str | None = None


def read_as(data: str) -> dict[str, Any]:
    """How the paper's Table 5 reads the words of a data set, where it is not as usual: upper case is kept."""
    return {} if data.partition(":")[0] == "toxic" else {"tokenizer": "cased-words"}


def settings_of_texts(data: str) -> dict[str, Any]:
    """What is not as usual in the paper's Table 5 for the texts of a data set."""
    return {"scope": "batch"} | ({"alpha": 0.2} if data.partition(":")[0] in ("imdb", "imdb-half") else {})


MASKS = ("none", "mixup", "cutmix", "fmix")
"""Of the paper's Tables 4 and 7."""

ONE_A_BATCH: dict[str, Any] = {"scope": "batch"}
"""What the reference code draws."""

SE_RESNEXT = "timm:legacy_seresnext50_32x4d"
"""The network of the paper's Table 4."""

GRAPHEMES: dict[str, Any] = ONE_A_BATCH | {"batch_size": 512, "epochs": 100, "crop": 0, "flip": False}
"""What SE-ResNeXt-50 is trained with on graphemes, and not as usual."""

COMPONENTS = ("root", "vowel", "consonant")
"""Of a grapheme."""

SOUND_ALPHAS = (1.0, 0.2)
"""α of the paper's Table 7 on sound."""

OTHERS: dict[str, Preset] = (
    {
        f"bengali-{component}-seresnext50-{augmentation}": Preset(
            "bengali:data/bengali", SE_RESNEXT, augmentation, GRAPHEMES, component=component
        )
        for component in COMPONENTS
        for augmentation in MASKS
    }
    | {
        f"bengali-seresnext50-{augmentation}": Preset("bengali:data/bengali", SE_RESNEXT, augmentation, GRAPHEMES)
        for augmentation in MASKS
    }
    | {
        f"commands-preact-resnet18-{augmentation}{'' if alpha == 1 else f'-alpha-{alpha}'}": Preset(
            "commands:data/commands", "preact-resnet18", augmentation, ONE_A_BATCH | {"alpha": alpha}
        )
        for alpha in SOUND_ALPHAS
        for augmentation in MASKS
        if augmentation != "none" or alpha == 1
    }
    | {
        f"modelnet10-voxel-cnn-{augmentation}": Preset(
            "modelnet10:data/modelnet10", "voxel-cnn", augmentation, ONE_A_BATCH
        )
        for augmentation in MASKS
    }
)
"""Rows of graphemes, sound and shapes, by name."""

PRESETS: dict[str, Preset] = (
    {
        f"{data}-{network}-{augmentation}": Preset(data, network, augmentation)
        for network, rows in ROWS.items()
        for data in rows
        for augmentation in AUGMENTATIONS
    }
    | {
        f"{data}-{network}-{augmentation}": Preset(
            f"{data}:data/{data}",
            BERT if network == "bert-base-cased" else network,
            augmentation,
            settings_of_texts(data),
            {"mixed_at": "ids"} if network == "bert-base-cased" else read_as(data),
        )
        for network, rows in TEXT_ROWS.items()
        for data in rows
        for augmentation in TEXT_AUGMENTATIONS
        if not (network == "bert-base-cased" and augmentation == "mixup")  # which the paper does not have
    }
    | OTHERS
)
"""Every row, by name."""


WITHOUT_NETWORK = {
    plain(f"{data}-{augmentation}"): name
    for name, (data, network, augmentation, *_) in PRESETS.items()
    if network == "preact-resnet18" and name not in OTHERS
}
"""What a row may be called by somebody who does not name the network, for messages."""


def preset_named(preset: str) -> Preset:
    """The row of a name.

    Raises:
        BadInput: no such preset.
    """
    if preset not in PRESETS:
        rows, of_texts = (
            ", ".join(f"{data}-{network}-AUGMENTATION" for network, data_sets in table.items() for data in data_sets)
            for table in (ROWS, TEXT_ROWS)
        )
        others = ", ".join(name.replace("-none", "-AUGMENTATION") for name in OTHERS if name.endswith("-none"))
        needed = (
            f"one of {rows}, with one of {', '.join(AUGMENTATIONS)}, of {of_texts}, with one of "
            f"{', '.join(TEXT_AUGMENTATIONS)}, or of {others}, with one of {', '.join(MASKS)}"
            f"{perhaps(preset, PRESETS, WITHOUT_NETWORK)}"
        )
        raise BadInput("--preset", repr(preset), needed)
    return PRESETS[preset]
