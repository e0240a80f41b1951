"""The one exception for a user's mistake, and the check that command lines share."""

__all__ = ["MOST_SEEDS", "BadInput", "in_range", "positive"]

LARGEST = 2**31 - 1
"""The largest of whole numbers that are sizes or seeds: what every library beneath takes."""

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
