"""Numbers in sentences: how every room says what was found."""

import textwrap

from figures.style import label
from findings.comparisons import LEVEL, Comparison, Difference, skewed

__all__ = ["ADDED", "WITHHELD", "as_item", "as_paragraph", "how_tested", "p_value", "the", "told_apart"]

WIDTH = 110

ADDED = (
    "The draw of the images is in these intervals as if every network had been scored on images of its own, because "
    "nothing is kept of single images here: they are wider than they need be."
)
"""Beside intervals to which the standard errors over images of both are added in full."""

WITHHELD = {
    "images not in the interval": "the draw of the images is not in the interval",
    "under-trained": "one of the two is worse than a linear model of its data",
}
"""Why a difference is not claimed, whatever its size, in words."""


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


def how_tested(comparison: Comparison, replicates: str = "seeds") -> str:
    """How augmentations were compared, in the words that stand in brackets beside what came of it.

    Args:
        comparison: of all pairs.
        replicates: what they are called.
    """
    pairs = len(comparison.differences)
    images = f", {comparison.images:,} images" if comparison.images else ""
    rare = skewed(comparison.seeds)
    return (
        f"{comparison.seeds} {replicates}{images}; Welch's test, Holm's correction over "
        f"{f'all {pairs} pairs' if pairs > 1 else 'one pair'}, 5%"
        + (f", up to {100 * rare:.2g}% if {replicates} were skewed and spread unequally" if rare else "")
    )


def told_apart(
    comparison: Comparison,
    subject: str,
    unit: str,
    digits: int,
    above: str = "{higher} is above {lower} by {value}",
    replicates: str = "seeds",
) -> list[str]:
    """Which augmentations differ in one number, which do not, and what would have been found.

    Args:
        comparison: of all pairs.
        subject: what was compared.
        unit: of it, in words.
        digits: after the point.
        above: how a difference is said, from the names of the two and the value with its unit.
        replicates: what they are called.

    Returns:
        A paragraph and items of a list.
    """
    low, high = (f"{pick(comparison.spreads.values()):.{digits}f}" for pick in (min, max))
    lines = [
        as_paragraph(
            f"{subject} ({how_tested(comparison, replicates)}): over {replicates} it spreads by "
            f"{low if low == high else f'{low} to {high}'} {unit}; a true difference of "
            f"{comparison.detectable:.{digits}f} {unit} would be found with a power of 80%."
        )
    ]

    def as_words(pair: Difference) -> str:
        value = f"{pair.value:.{digits}f} {unit}"
        return f"{above.format(higher=the(pair.higher), lower=the(pair.lower), value=value)} ({p_value(pair.p)})"

    for pair in comparison.found():
        text = as_words(pair)
        first = text[0].upper() if text[0].isascii() else text[0]  # δ stays δ
        lines.append(as_item(f"{first}{text[1:]}."))
    if open_ones := [pair for pair in comparison.differences if pair.p >= LEVEL]:
        listed = "; ".join(f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p)})" for pair in open_ones)
        lines.append(as_item(f"Not told apart: {listed}."))
    for why, words in WITHHELD.items():
        withheld = [pair for pair in comparison.differences if pair.p < LEVEL and pair.withheld == why]
        if listed := "; ".join(map(as_words, withheld)):
            lines.append(as_item(f"Not claimed, because {words}: {listed}."))
    return lines
