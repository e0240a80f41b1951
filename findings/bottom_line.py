"""What a comparison comes to, in a sentence or two that stand first: what is decided, and what would decide the rest.

A difference that is withheld, of an under-trained network say, is never told here. Every difference and every equality
has its p-value, and the number of seeds and images behind it.
"""

import math
from collections.abc import Callable, Sequence

from findings.comparisons import Comparison, Difference
from findings.sentences import enumerated, p_value, seeds_needed, the

__all__ = ["MOST_SENTENCES", "SMOKE", "at_most", "behind", "found_sentence", "paragraph", "undecided_sentence"]

MOST_SENTENCES = 5

NAMED = 4
"""Pairs that are named in a sentence; the others are counted."""

SMOKE = "SMOKE RUN: two epochs, one seed. Its numbers mean nothing."
"""The bottom line of a run that shows that everything works."""


def at_most(names: Sequence[str], named: int = NAMED) -> str:
    """Some words as a list, the first of them named and the others counted.

    Example:
        >>> at_most(["one", "two", "three", "four"], 2)
        'one, two and 2 more'
    """
    more = len(names) - named
    return enumerated([*names[:named], f"{more} more"] if more > 0 else list(names))


def paragraph(sentences: Sequence[str]) -> str:
    """Those sentences that are not empty, at most `MOST_SENTENCES`."""
    return " ".join([sentence for sentence in sentences if sentence][:MOST_SENTENCES])


def behind(seeds: int, images: int | None, replicates: str = "seeds", items: str = "images") -> str:
    """How many replicates and images, or other items, are behind a number, in words."""
    one = replicates.removesuffix("s") if seeds == 1 else replicates
    return f"{seeds} {one}" + (f", {images:,} {items}" if images else "")


def _above(pair: Difference, value: str) -> str:
    return f"{the(pair.higher)} is above {the(pair.lower)} by {value}"


def found_sentence(
    comparison: Comparison,
    subject: str,
    unit: str,
    digits: int,
    said: Callable[[Difference, str], str] = _above,
    replicates: str = "seeds",
    pairs: Sequence[Difference] | None = None,
) -> str:
    """What is claimed of a comparison, differences and equalities; empty where there is nothing.

    Args:
        comparison: of all pairs.
        subject: what was compared, which the sentence begins with.
        unit: of a difference, in words.
        digits: after the point.
        said: how a difference is said, from the pair and its value with its unit.
        replicates: what seeds are called.
        pairs: of them, those that are to be told; None for all.
    """
    told = comparison.differences if pairs is None else pairs
    differ = [f"{said(pair, f'{pair.value:.{digits}f} {unit}')} ({p_value(pair.p)})" for pair in told if pair.claimed]
    equal = [
        f"{the(pair.higher)} and {the(pair.lower)} ({p_value(pair.p_equal)})"
        for pair in told
        if pair.equal and not pair.claimed
    ]
    parts = [at_most(differ)] if differ else []
    parts += [f"equal within ±{comparison.margin:.2g} {unit}: {at_most(equal)}"] if equal else []
    if not parts:
        return ""
    tested = behind(comparison.seeds, comparison.images, replicates, comparison.items)
    return f"{subject} ({tested}): {'; '.join(parts)}."


def undecided_sentence(
    comparison: Comparison,
    subject: str,
    replicates: str = "seeds",
    pairs: Sequence[Difference] | None = None,
    whole: bool = True,
) -> str:
    """How many pairs are not told apart, and what would decide them; empty where all are decided.

    Args:
        comparison: of all pairs.
        subject: in what, such as "in accuracy".
        replicates: what seeds are called; of folds there are no more.
        pairs: of them, those that are spoken of; None for all.
        whole: whether they are all that is spoken of, so that nothing may be decided at all.
    """
    told = comparison.differences if pairs is None else pairs
    withheld = [pair for pair in told if pair.withheld]
    undecided = [pair for pair in told if not (pair.withheld or pair.claimed or pair.equal)]
    count = len(told)
    others = "" if whole else "other "
    of = f"of {'' if whole else 'the '}{others}{count} pairs" if count > 1 else f"the one {others}pair"
    nothing = not any(pair.claimed or pair.equal for pair in told)
    parts = []
    if undecided:
        tested = behind(comparison.seeds, comparison.images, replicates, comparison.items)
        what = "none is told apart" if count > 1 else "is not told apart"
        if not (nothing and len(undecided) == count):
            what = f"{len(undecided)} {'are' if len(undecided) > 1 else 'is'} not told apart"
        least = min(pair.p for pair in undecided)
        p = p_value(least) + (" at least" if len(undecided) > 1 and least < 1 else "")
        parts.append(f"{of} {what}{'' if nothing and whole else f' {subject}'} ({tested}, {p})")
        parts.append(_needed(undecided, replicates))
    if withheld:
        parts.append(f"nothing is claimed of {_withheld(withheld, count)}")
    text = "; ".join(part for part in parts if part)
    if not text:
        return ""
    return f"Nothing is decided {subject}: {text}." if nothing and whole else f"{text[0].upper()}{text[1:]}."


def _withheld(pairs: Sequence[Difference], count: int) -> str:
    """Which pairs nothing is claimed of, and why."""
    many = f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''}" if len(pairs) < count else "any pair"
    if all(pair.withheld == "under-trained" for pair in pairs):
        return f"{many}, one of the two being under-trained"
    return f"{many}, the draw of the {pairs[0].items} not being in the interval"


def _needed(pairs: Sequence[Difference], replicates: str) -> str:
    if replicates != "seeds":
        return ""
    closest = min(pairs, key=lambda pair: pair.seeds_needed)
    if not math.isfinite(closest.seeds_needed):
        would = f"{seeds_needed(closest)} would tell them apart, more {closest.items} might"
        return f"if differences are what they seem, {would}"
    names = f"{the(closest.higher)} and {the(closest.lower)}"
    return f"{seeds_needed(closest)} would tell {names} apart, the closest, if the difference is what it seems"
