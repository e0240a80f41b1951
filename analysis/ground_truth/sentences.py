"""How every estimator does on encoders of known information, in words."""

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from analysis.bounds.estimators import INFORMATION, SHARED, label_of, sign_of
from findings.bottom_line import paragraph
from findings.text import Tabular, Text

__all__ = ["text_of"]


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """What a document of this command says: the whole text, and its conclusions without the table.

    Args:
        document: of any age, with ``config`` and ``results``; a row of one from before heavy tails were flagged has no
            flag and no share.
    """
    config, rows = document["config"], document["results"]
    conclusions, head = _kept(rows), head_of(config["seeds"], config["n"])
    return Text(_bottom_line(rows, head), [head, *_tables(rows), LEGEND, conclusions]), conclusions


def _bottom_line(rows: Sequence[Mapping[str, Any]], head: str) -> str:
    """How often limits are on the side that they promise, where they are least, and what says little or nothing."""
    sentences = []
    for direction, words in (("lower", "lower"), ("upper", "upper")):
        held = [
            row
            for row in rows
            if row["direction"] == direction and row["holds"] is not None and not row.get("heavy_tailed")
        ]
        if held:
            worst = min(held, key=lambda row: row["holds"])
            sentences.append(
                f"97.5% limits of {words} bounds hold in {fmean(row['holds'] for row in held):.1%} of replicates, in "
                f"the worst of {len(held)} cases ({label_of(worst['estimator'])} on {worst['task']}) in "
                f"{worst['holds']:.0%} ({head})."
            )
    flagged = [
        f"{sum(bool(row.get(flag)) for row in rows)} of {len(rows)} cases are {words}"
        for flag, words in (
            ("saturated", "saturated, which says little"),
            ("heavy_tailed", "heavy-tailed, whose limits are not promised and not counted here"),
        )
        if any(row.get(flag) for row in rows)
    ]
    failed = sum(row["failed"] > 0 for row in rows)
    flagged += [f"in {failed} an estimator failed"] if failed else []
    return paragraph([*sentences, f"{'; '.join(flagged)}." if flagged else ""])


LEGEND = (
    "holds: the 97.5% limit is on the promised side; covers: ± 1.96 s.e. hold the truth; heavy-tailed: the share of "
    "replicates in which the standard error is flagged as too small, and how often the limit of the others holds"
)


def head_of(seeds: int, n: int) -> str:
    return f"{seeds} replicates, N = {n:,}, log N = {math.log(n):.2f} nats"


HEAD = ("mean", "bias", "spread", "reported", "holds", "covers")


def _tables(rows: Sequence[Mapping[str, Any]]) -> list[Tabular]:
    """A table for each task and quantity, what is saturated, heavy-tailed or has failed in its last lines."""
    tables = []
    for (task, quantity), block in itertools.groupby(rows, lambda row: (row["task"], row["quantity"])):
        of_task = sorted(block, key=_says_little)
        lines = [_line(row) for row in of_task]
        head = ["", *HEAD, *(["flags"] if any(line[-1] for line in lines) else [])]
        shown = [line[: len(head)] for line in lines]
        tables.append(Tabular([head], shown, f"{task}: {quantity} = {of_task[0]['truth']:.3f} nats"))
    return tables


def _says_little(row: Mapping[str, Any]) -> int:
    return 2 if row["failed"] else int(bool(row["saturated"] or row.get("heavy_tailed")))


def _line(row: Mapping[str, Any]) -> list[str]:
    """A row's numbers, and what has to be known of it."""
    name = label_of(row["estimator"])
    if row["failed"] == 1:
        return [name, *[""] * len(HEAD), "failed in every replicate"]
    flags = ["saturated"] if row["saturated"] else []
    share, others = row.get("heavy_tailed_share"), row.get("holds_unflagged")
    if share:
        flags.append(f"heavy-tailed in {share:.0%}" + ("" if others is None else f" (else {others:.0%})"))
    flags += [f"failed in {row['failed']:.0%}"] if row["failed"] else []
    return [
        f"{name} {sign_of(row['direction'])}",
        *(_number(row[key], sign) for key, sign in (("value", ""), ("bias", "+"), ("spread", ""), ("reported", ""))),
        "" if row["direction"] == "estimate" else f"{row['holds']:.0%}",
        f"{row['covers']:.0%}",
        ", ".join(flags),
    ]


def _number(value: float, sign: str) -> str:
    return f"{value:{sign}.3f}" if abs(value) < LONG else f"{value:{sign}.2e}"


LONG = 1e5
"""From which on a number is written by its power of ten."""


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
