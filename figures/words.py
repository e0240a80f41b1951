"""Numbers in sentences: how every room says what was found."""

import textwrap

from figures.comparisons import Comparison
from figures.style import label

__all__ = ["as_item", "as_paragraph", "p_value", "the", "told_apart"]

WIDTH = 110


def as_paragraph(text: str) -> str:
    """A paragraph in lines of a terminal's width."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def as_item(text: str) -> str:
    """An item of a list, likewise."""
    return textwrap.fill(text, WIDTH, break_on_hyphens=False, initial_indent="- ", subsequent_indent="  ")


def the(name: str) -> str:
    """An augmentation's name inside a sentence."""
    return "the baseline" if name == "none" else label(name)


def p_value(value: float) -> str:
    """A p-value to the digits that matter."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.0995 else f"p = {value:.2f}"


def told_apart(
    found: Comparison, subject: str, unit: str, digits: int, above: str = "{higher} is above {lower} by {value}",
    replicates: str = "seeds",
) -> list[str]:  # fmt: skip
    """Which augmentations differ in one number, which do not, and what would have been found.

    Args:
        found: of all pairs.
        subject: what was compared.
        unit: of it, in words.
        digits: after the point.
        above: how a difference is said, from the names of the two and the value with its unit.
        replicates: what they are called.

    Returns:
        A paragraph and items of a list.
    """
    lines = [
        as_paragraph(
            f"{subject} ({found.seeds} {replicates}; Tukey's test of all pairs at 5%, on these "
            f"{'test ' if replicates == 'seeds' else ''}images): over {replicates} it "
            f"spreads by {found.deviation:.{digits}f} {unit} (pooled, {found.freedom} degrees of freedom); a true "
            f"difference of {found.detectable:.{digits}f} {unit} would be found with a power of 80%."
        )
    ]
    for each in found.found():
        value = f"{each.value:.{digits}f} {unit}"
        text = above.format(higher=the(each.higher), lower=the(each.lower), value=value)
        first = text[0].upper() if text[0].isascii() else text[0]  # δ stays δ
        lines.append(as_item(f"{first}{text[1:]} ({p_value(each.p)})."))
    rest = [each for each in found.differences if each.low <= 0]
    if rest:
        listed = "; ".join(f"{the(each.higher)} and {the(each.lower)} ({p_value(each.p)})" for each in rest)
        lines.append(as_item(f"Not told apart: {listed}."))
    return lines
