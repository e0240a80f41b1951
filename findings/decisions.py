"""Whether what was asked is decided, or takes more seeds: the rule of ``--until decided``.

Seeds are added, and all pairs of augmentations compared, at 3, 5, 8, 12 and 20 seeds (`LOOKS`), or up to ``--most`` of
them. At a look a pair is *decided* where its difference is claimed, or where the two are shown to be equal within the
margin that is stated for the measure (`findings.published`, ``--margin``); it is *futile* where the predictive
probability that the last look will decide it is below 10% (`findings.power`). The first look at which no pair is open
is the last one, and what is said then is what that look says: whatever an earlier one said has no weight.

Looking again and again gives chance more opportunities. Each of the five looks is therefore taken at 1% instead of 5%
(`findings.comparisons.LOOK_LEVEL`), with Holm's correction over the pairs of a measure: p-values are multiplied by
five, so that they hold over all looks, in that family and in any other. ``python benchmarks/claims.py`` has the
simulated rates of false differences and false equivalences, the power, and how many seeds it takes; giving up as futile
only lowers the rates.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from findings.comparisons import LEVEL, LOOK_LEVEL, LOOKS, Comparison, Difference
from findings.sentences import enumerated, the

__all__ = ["FUTILE", "Decision", "decide", "decided", "decisions_sentence", "finished", "in_short", "verdict_of"]

FUTILE = 0.1
"""Predictive probability of being decided at the last look, below which a pair is given up."""

Verdict = Literal["differ", "equal", "withheld", "futile", "open"]


@dataclass(frozen=True)
class Decision:
    """What becomes of one pair of augmentations in one measure at a look.

    Args:
        measure: its name, for people.
        pair: names of the two augmentations.
        verdict: ``"differ"``; ``"equal"``, within the margin; ``"withheld"``, nothing may be claimed of the two;
            ``"futile"``; ``"open"``, more seeds are to be had and may decide.
        chance: the predictive probability that the last look decides it.
    """

    measure: str
    pair: tuple[str, str]
    verdict: Verdict
    chance: float = 1.0


def verdict_of(different: bool, equal: bool, withheld: bool, chance: float, last: bool) -> Verdict:
    """What becomes of a pair.

    Args:
        different, equal: what is shown of it.
        withheld: whether nothing may be claimed of it.
        chance: the predictive probability that the last look decides it.
        last: whether this is the last look.
    """
    if withheld:
        return "withheld"
    if different or equal:
        return "differ" if different else "equal"
    return "futile" if chance < FUTILE and not last else "open"


def decide(comparisons: Mapping[str, Comparison | None], config: Mapping[str, Any]) -> list[Decision]:
    """What becomes of every pair at this look.

    Args:
        comparisons: by the measure's name for people.
        config: a document's: ``seeds`` and ``most``.

    Returns:
        Nothing where the number of seeds was fixed beforehand.
    """
    if config.get("until") is None:
        return []
    last = config["seeds"] >= config["most"]

    def decision(measure: str, pair: Difference) -> Decision:
        chance = pair.chance(config["most"])
        verdict = verdict_of(pair.claimed, pair.equal, pair.withheld is not None, chance, last)
        return Decision(measure, (pair.higher, pair.lower), verdict, chance)

    return [
        decision(measure, pair)
        for measure, comparison in comparisons.items()
        if comparison is not None
        for pair in comparison.differences
    ]


def decided(decisions: Sequence[Decision]) -> bool:
    """Whether nothing is open; where nothing could be compared, all is."""
    return bool(decisions) and all(decision.verdict != "open" for decision in decisions)


def finished(config: Any, decisions: Sequence[Decision]) -> bool:
    """Whether an analysis is at its last look: of a number of seeds fixed beforehand the only one.

    Args:
        config: of the analysis.
        decisions: of `decide`.
    """
    if getattr(config, "until", None) is None:
        return True
    return config.seeds >= config.most or decided(decisions)


WORDS = {
    "differ": "told apart",
    "equal": "equal within the margin",
    "withheld": "not to be claimed",
    "futile": "given up because more seeds would hardly decide them",
    "open": "open",
}


def decisions_sentence(decisions: Sequence[Decision], config: Mapping[str, Any]) -> str:
    """How far adding seeds has come, as a paragraph; empty where their number was fixed beforehand.

    Args:
        decisions: of `decide`.
        config: a document's.
    """
    if config.get("until") is None:
        return ""
    seeds, most = config["seeds"], config["most"]
    looks = enumerated([str(look) for look in LOOKS if look <= seeds])
    text = (
        f"Seeds until decided: {seeds} of at most {most}, compared at {looks}, each time at "
        f"{100 * LOOK_LEVEL:.2g}%, so that a family errs in {100 * LEVEL:.2g}% over all of them."
    )
    if not decisions:
        return f"{text} Nothing can be compared."
    counts = []
    for verdict, words in WORDS.items():
        these = [decision for decision in decisions if decision.verdict == verdict]
        if not these:
            continue
        count = f"{len(these)} {words}"
        if verdict in ("futile", "open"):
            count += f" (chance of being decided by {most} seeds: {'; '.join(_named(these))})"
        counts.append(count)
    return f"{text} Of {len(decisions)} pair{'s' if len(decisions) > 1 else ''}, {enumerated(counts)}."


def in_short(decisions: Sequence[Decision], config: Mapping[str, Any]) -> str:
    """`decisions_sentence` for a bottom line: how many seeds were added and what became of how many pairs."""
    if config.get("until") is None:
        return ""
    text = f"Seeds were added until decided, {config['seeds']} of at most {config['most']}"
    counts: Counter[str] = Counter(decision.verdict for decision in decisions)
    listed = [f"{counts[verdict]} {SHORT[verdict]}" for verdict in WORDS if counts[verdict]]
    of = f": of {len(decisions)} pair{'s' if len(decisions) > 1 else ''}, {enumerated(listed)}" if listed else ""
    return f"{text}{of}."


SHORT = WORDS | {"futile": "given up"}


def _named(decisions: Iterable[Decision]) -> list[str]:
    """The pairs of each measure, with the chance that the last look decides them."""
    by_measure: dict[str, list[str]] = {}
    for decision in decisions:
        pair = f"{the(decision.pair[0])} and {the(decision.pair[1])} {decision.chance:.0%}"
        by_measure.setdefault(decision.measure, []).append(pair)
    return [f"{measure}, {', '.join(pairs)}" for measure, pairs in by_measure.items()]
