"""The words of Speech Commands and the twelve classes that are made of them."""

__all__ = ["CLASSES", "COMMANDS", "OTHERS", "SILENCE", "UNKNOWN", "class_of"]

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""Words with a class each."""

OTHERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree", "wow"),
)
"""The other words of version 0.01, one class together."""

CLASSES = ("unknown", "silence", *COMMANDS)
"""The classes, in the reference code's order."""

UNKNOWN = CLASSES.index("unknown")
"""The class of every other word."""

SILENCE = CLASSES.index("silence")
"""The class of clips without a word."""


def class_of(word: str) -> int:
    """The class of a clip with this word.

    Example:
        >>> [class_of(word) for word in ("yes", "marvin", "go")]
        [2, 0, 11]
    """
    return CLASSES.index(word) if word in COMMANDS else UNKNOWN
