"""How every estimator does on encoders of known information, in words."""

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from analysis.bounds.estimators import INFORMATION, SHARED, label_of, sign_of

__all__ = ["text_of"]


def text_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """What a document of this command says: the whole text, and its conclusions without the table.

    Args:
        document: of any age, with ``config`` and ``results``; a row of one from before heavy tails were flagged has no
            flag and no share.
    """
    config, rows = document["config"], document["results"]
    conclusions = _kept(rows)
    text = f"{head_of(config['seeds'], config['n'])}\n{_text(rows)}\n\n{LEGEND}\n\n{conclusions}"
    return text, conclusions


LEGEND = (
    "holds: the 97.5% limit is on the promised side; covers: ± 1.96 s.e. hold the truth; heavy-tailed: the share of "
    "replicates in which the standard error is flagged as too small, and how often the limit of the others holds"
)


def head_of(seeds: int, n: int) -> str:
    return f"{seeds} replicates, N = {n:,}, log N = {math.log(n):.2f} nats"


def _text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows for a terminal, a block per task and quantity."""
    lines = []
    for (task, quantity), block in itertools.groupby(rows, lambda row: (row["task"], row["quantity"])):
        of_task = list(block)
        lines.append(f"\n{task}: {quantity} = {of_task[0]['truth']:.3f} nats")
        lines.append(f"  {'':<26}{'mean':>9}{'bias':>10}{'spread':>9}{'reported':>10}{'holds':>8}{'covers':>8}")
        for row in of_task:
            name = label_of(row["estimator"])
            if row["failed"] == 1:
                lines.append(f"  {name:<26}   failed in every replicate")
                continue
            note = "  saturated" if row["saturated"] else ""
            share, others = row.get("heavy_tailed_share"), row.get("holds_unflagged")
            if share:
                note += f"  heavy-tailed in {share:.0%}" + ("" if others is None else f" (else {others:.0%})")
            note += f"  failed in {row['failed']:.0%}" if row["failed"] else ""
            holds = "" if row["direction"] == "estimate" else f"{row['holds']:.0%}"
            signed = f"{name} {sign_of(row['direction'])}"
            lines.append(
                f"  {signed:<26} {row['value']:8.3f} {row['bias']:+9.3f} {row['spread']:8.3f}"
                f" {row['reported']:9.3f}{holds:>8}{row['covers']:8.0%}{note}"
            )
    return "\n".join(lines)


def _kept(rows: Sequence[Mapping[str, Any]]) -> str:
    """How the promises of direction were kept, in sentences: without labels, and of each quantity that needs them."""
    without = [row for row in rows if row["quantity"] in (INFORMATION, SHARED)]
    texts = []
    if without:
        kept, flagged = _limits(without)
        saturated = sum(bool(row["saturated"]) for row in without)
        text = (
            "How often the 97.5% confidence limit lies on the side that a bound's direction promises (97.5% expected "
            f"of a bound that is tight) — {kept}. {saturated} cases are saturated, and say so."
        )
        if flagged:
            text += (
                f" Limits of numbers flagged as heavy-tailed are not promised; among the others — {flagged}. What was "
                "not drawn flags nothing: where one image in a thousand carries all the information, a sample without "
                "any has a rate of 0 ± 0."
            )
        texts.append(text)
    for quantity in dict.fromkeys(row["quantity"] for row in rows if row not in without):
        of_quantity = [row for row in rows if row["quantity"] == quantity]
        kept, flagged = _limits(of_quantity)
        flags = [
            f"{sum(bool(row.get(flag)) for row in of_quantity)} of {len(of_quantity)} cases are {words}"
            for flag, words in (("saturated", "saturated"), ("heavy_tailed", "heavy-tailed in most replicates"))
        ]
        text = f"97.5% limits of bounds on {quantity} — {kept}; {', '.join(flags)}."
        texts.append(text + (f" Unflagged limits — {flagged}." if flagged else ""))
    return " ".join(texts)


def _limits(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """How often limits held, and how often those did that are not flagged; of either nothing where there are none."""
    kept, flagged = [], []
    for direction, words in (("lower", "lower bounds"), ("upper", "upper bounds")):
        held = [row for row in rows if row["direction"] == direction and row["holds"] is not None]
        if not held:
            continue
        worst = min(held, key=lambda row: row["holds"])
        kept.append(
            f"{words}: {fmean(row['holds'] for row in held):.1%} of the limits, in the worst of {len(held)} cases "
            f"({worst['task']}) {worst['holds']:.0%}"
        )
        others = [row for row in held if row.get("holds_unflagged") is not None]
        if others and any(row["heavy_tailed_share"] for row in held):
            weights = [(1 - row["failed"]) * (1 - row["heavy_tailed_share"]) for row in others]
            share = fmean([row["holds_unflagged"] for row in others], weights)
            worst = min(others, key=lambda row: row["holds_unflagged"])
            flagged.append(f"{words}: {share:.1%}, in the worst case ({worst['task']}) {worst['holds_unflagged']:.0%}")
    return "; ".join(kept), "; ".join(flagged)
