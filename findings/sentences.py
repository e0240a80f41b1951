"""Numbers in sentences: how every room says what was found.

A text is lines. A line is a paragraph, an item of a list, which begins with a dash and a space, or a line of a table,
whose columns stand two spaces or more apart. Texts are kept so, in documents too; `wrapped` breaks them for a terminal,
and nothing puts them together again.
"""

import math
import textwrap
from collections.abc import Sequence

from figures.style import label
from findings.comparisons import LEVEL, Comparison, Difference, skewed
from findings.power import MOST_SEEDS_SAID

__all__ = [
    "ADDED",
    "WIDTH",
    "WITHHELD",
    "enumerated",
    "how_tested",
    "p_value",
    "said_of",
    "seeds_needed",
    "the",
    "told_apart",
    "undecided_lines",
    "wrapped",
]

WIDTH = 110
"""Columns in which a text is easy to read, and into which most tables fit."""

ADDED = (
    "The draw of the images is in these intervals as if every network had been scored on images of its own, because "
    "nothing is kept of single images here: they are wider than they need be."
)
"""What is said beside intervals to which the standard errors over images of both are added in full."""

WITHHELD = {
    "images not in the interval": "the draw of the images is not in the interval",
    "under-trained": "one of the two is worse than a linear model of its data",
}
"""Why a difference is not claimed, whatever its size, in words."""


def said_of(items: str, sentence: str) -> str:
    """A sentence about images, of other items.

    Example:
        >>> said_of("texts", WITHHELD["images not in the interval"])
        'the draw of the texts is not in the interval'
        >>> said_of("clips", "1.2 nats an image more")
        '1.2 nats a clip more'
    """
    if items == "images":
        return sentence
    one = items.removesuffix("s")
    return sentence.replace("images", items).replace("an image", f"a {one}").replace("image", one)


def wrapped(text: str, width: int = WIDTH) -> str:
    """A text as it is printed: paragraphs and items in lines of at most ``width``, tables as they are.

    What is wrapped already stays as it is.

    Example:
        >>> print(wrapped("One paragraph.\\n- An item of a list.\\na table      1.00  2.00", 12))
        One
        paragraph.
        - An item of
          a list.
        a table      1.00  2.00
    """
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if "  " in line:  # between the columns of a table, or before the further lines of an item
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def the(name: str) -> str:
    """An augmentation's name inside a sentence."""
    return "the baseline" if name == "none" else label(name)


def enumerated(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    Example:
        >>> enumerated(["one", "two", "three"])
        'one, two and three'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def seeds_needed(pair: Difference) -> str:
    """How many seeds would tell two augmentations apart, were the difference what it seems, in a few words.

    Args:
        pair: as part of its family.
    """
    if pair.seeds_needed > MOST_SEEDS_SAID:
        images = f"these {pair.items}" if pair.images is None else f"these {pair.images:,} {pair.items}"
        finite = math.isfinite(pair.seeds_needed)
        return f"more than {MOST_SEEDS_SAID:,} seeds" if finite else f"no number of seeds on {images}"
    return f"{pair.seeds_needed:.0f} seeds"


def undecided_lines(comparison: Comparison, unit: str, replicates: str = "seeds", where: str = "") -> list[str]:
    """Which augmentations are equal within the margin, and which are not told apart, as items of a list.

    Args:
        comparison: of all pairs.
        unit: of the margin, in words.
        replicates: what seeds are called.
        where: they are not told apart, " in the rate" say.
    """
    lines = []
    if alike := [pair for pair in comparison.differences if pair.equal]:
        pairs = "; ".join(f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p_equal)})" for pair in alike)
        lines.append(f"- Equal{where} within ±{comparison.margin:.2g} {unit}: {pairs}.")
    undecided = [pair for pair in comparison.differences if pair.p >= LEVEL and not pair.equal]
    if undecided and replicates != "seeds":  # there are no more folds
        pairs = "; ".join(f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p)})" for pair in undecided)
        return [*lines, f"- Not told apart{where}: {pairs}."]
    if some := [pair for pair in undecided if math.isfinite(pair.seeds_needed)]:
        pairs = "; ".join(
            f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p)}; {seeds_needed(pair)})" for pair in some
        )
        needs = "how many seeds of a new experiment would, with a power of 80%, if the difference is what it seems"
        lines.append(f"- Not told apart{where}, and {needs}: {pairs}.")
    if others := [pair for pair in undecided if pair not in some]:
        pairs = "; ".join(f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p)})" for pair in others)
        needs = f"if the difference is what it seems {seeds_needed(others[0])} would, whose draw is the limit"
        lines.append(f"- Not told apart{where}, and {needs}: {pairs}.")
    return lines


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
    images = f", {comparison.images:,} {comparison.items}" if comparison.images else ""
    share = skewed(comparison.seeds, pairs, comparison.looks)
    return (
        f"{comparison.seeds} {replicates}{images}; Welch's test, Holm's correction over "
        f"{f'all {pairs} pairs' if pairs > 1 else 'one pair'}, 5%"
        + (" over all looks" if comparison.looks else "")
        + f", up to {100 * share:.3g}% if {replicates} were skewed and spread unequally"
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
        f"{subject} ({how_tested(comparison, replicates)}): over {replicates} it spreads by "
        f"{low if low == high else f'{low} to {high}'} {unit}; a true difference of "
        f"{comparison.detectable:.{digits}f} {unit} would be found with a power of 80%."
    ]

    def sentence(pair: Difference) -> str:
        value = f"{pair.value:.{digits}f} {unit}"
        return f"{above.format(higher=the(pair.higher), lower=the(pair.lower), value=value)} ({p_value(pair.p)})"

    for pair in comparison.found():
        text = sentence(pair)
        initial = text[0].upper() if text[0].isascii() else text[0]  # δ stays δ
        lines.append(f"- {initial}{text[1:]}.")
    lines += undecided_lines(comparison, unit, replicates)
    for reason, explanation in WITHHELD.items():
        withheld = [pair for pair in comparison.differences if pair.p < LEVEL and pair.withheld == reason]
        if listed := "; ".join(map(sentence, withheld)):
            lines.append(f"- Not claimed, because {said_of(comparison.items, explanation)}: {listed}.")
    return lines
