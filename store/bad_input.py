"""The one exception for a user's mistake, and the checks that command lines share."""

import difflib
import re
from collections.abc import Iterable, Mapping

__all__ = ["MOST_SEEDS", "BadInput", "in_range", "nearest", "perhaps", "plain", "positive"]

LARGEST = 2**31 - 1
"""The largest of whole numbers that are sizes or seeds: what every library beneath takes."""

ALIKE = 0.65
"""How alike two names are at least of which one may be the other misspelt (`difflib`)."""

MOST_SEEDS = 10_000
"""Networks of one kind that one command is asked for: lists of them are made."""


class BadInput(ValueError):
    """A user's mistake, said in one line: the argument, what it got, what it needs.

    Command lines print it and exit 2; in a notebook it is an ordinary ``ValueError``.

    Args:
        argument: of a function, or an option of a command line, with its hyphens.
        got: its value, and what is wrong with it.
        needed: instead.
    """

    def __init__(self, argument: str, got: object, needed: str):
        super().__init__(f"{argument}: got {got}; needs {needed}")
        self.argument, self.got, self.needed = argument, got, needed

    def __reduce__(self) -> tuple[type, tuple[str, object, str]]:  # the line alone would not make one again
        return type(self), (self.argument, str(self.got), self.needed)


def positive(argument: str, value: int, at_most: int = LARGEST) -> None:
    """Raise ``BadInput`` unless ``value`` is at least 1, and no more than is sane."""
    if value < 1:
        raise BadInput(argument, value, "an integer of at least 1")
    if value > at_most:
        raise BadInput(argument, value, f"an integer of at most {at_most:,}")


def in_range(argument: str, value: float, low: float, high: float) -> None:
    """Raise ``BadInput`` unless ``value`` is a number from ``low`` to ``high``, ends included; NaN is none."""
    if not low <= value <= high:
        raise BadInput(argument, value, f"a number from {low:g} to {high:g}")


def plain(name: str) -> str:
    """A name without what people write in one way or another: case, hyphens and underscores."""
    return re.sub(r"[\W_]+", "", name).lower()


def nearest(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Which of the names that there are is meant by one that there is not.

    Args:
        name: as it was given.
        known: names there are.
        aliases: what to say for what else they are called, which is written as `plain` has it.

    Returns:
        The name that is the same but for what `plain` leaves away, that has this alias, or that is nearly so written;
        several, where there are commas between them; or nothing.

    Example:
        >>> names = ["none", "mixup", "cutmix"]
        >>> [nearest(name, names, {"vanilla": "none"}) for name in ("CutMix", "cutmx", "Vanilla", "none,mixup", "x")]
        ['cutmix', 'cutmix', 'none', 'none mixup', '']
    """
    as_written = {plain(each): each for each in known}
    several = [as_written.get(plain(word), "") for word in name.split(",")]
    if len(several) > 1 and all(several):
        return " ".join(several)
    written = plain(name)
    if meant := as_written.get(written) or (aliases or {}).get(written):
        return meant
    return next((as_written[near] for near in difflib.get_close_matches(written, as_written, 1, ALIKE)), "")


def perhaps(name: str, known: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """What `nearest` finds, as the end of a line: ``; perhaps NAME?``, or nothing."""
    meant = nearest(name, known, aliases)
    return f"; perhaps {meant}?" if meant else ""
