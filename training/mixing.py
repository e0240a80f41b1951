"""Mixers by name, as the command lines of both trainers ask for them."""

import re
from typing import Any

from msda import Alternate, Mixer, get_mixer
from store import BadInput

__all__ = ["in_turn", "mixer_named"]


def mixer_named(augmentation: str, argument: str = "--augmentation", **options: Any) -> Mixer:
    """`msda.get_mixer`, whose complaints name the option of the command line.

    Args:
        augmentation: a mixer's name, or several joined by ``+``.
        argument: what a wrong name is blamed on.
        options: of the mixers.

    Raises:
        BadInput: an unknown augmentation, or options out of range.
    """
    try:
        return get_mixer(augmentation, **options)
    except ValueError as problem:
        option, got, needed = re.fullmatch(r"(\w+) (.*); need (.*)", str(problem)).groups()  # type: ignore[union-attr]
        raise BadInput(argument if option == "mixer" else f"--{option.replace('_', '-')}", got, needed) from None


def in_turn(mixer: Mixer, turn: int) -> Mixer:
    """The mixer whose turn it is, so that a step depends on its number and not on the steps before it."""
    return mixer.mixers[turn % len(mixer.mixers)] if isinstance(mixer, Alternate) else mixer
