"""The one exception for a user's mistake, and the checks that command lines share."""

from collections.abc import Iterable

__all__ = ["BadInput", "choice", "positive"]


class BadInput(ValueError):
    """A user's mistake, said in one line: the argument, what it got, what it needs.

    Command lines print it and exit 2; in a notebook it is an ordinary ``ValueError``.
    """

    def __init__(self, argument: str, got: object, needed: str):
        super().__init__(f"{argument}: got {got}; needs {needed}")


def positive(argument: str, value: int) -> None:
    """Raise ``BadInput`` unless ``value`` is at least 1."""
    if value < 1:
        raise BadInput(argument, value, "an integer of at least 1")


def choice(argument: str, value: str, known: Iterable[str]) -> None:
    """Raise ``BadInput`` unless ``value`` is one of ``known``."""
    known = tuple(known)
    if value not in known:
        raise BadInput(argument, repr(value), f"one of {', '.join(known)}")
