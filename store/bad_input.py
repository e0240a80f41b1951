"""The one exception for a user's mistake, and the check that command lines share."""

__all__ = ["BadInput", "positive"]


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
