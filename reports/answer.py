"""The report's first screen: what has been decided, in sentences, each with a figure, recomputed from the documents.

A finding is a statement of the paper that is decided on some data (`reports.verdicts.statements`) or, of a measure in
which none is, the pair of augmentations that is told apart best: all pairs of the measure, on all data, are one family
then. Of each analysis there is at most one finding, the smallest p-value first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.bounds.labelled import GIVEN_LABEL, LABEL
from analysis.representations.dominance import STATEMENTS
from analysis.representations.figures import sections
from analysis.representations.sentences import intervals, of_test
from figures import colour, in_usual_order, label, style
from findings.comparisons import Difference, as_family
from findings.document import Document
from findings.published import claims, measures
from findings.sentences import enumerated, p_value, the
from findings.table import plus_minus
from reports.verdicts import Stated, compared_once, tables_of

__all__ = [
    "Finding",
    "Pair",
    "draw_finding",
    "findings_of",
    "open_sentence",
    "pairs_of",
    "rivals_sentence",
    "scale_sentence",
]

VERBS = {
    "are equal": "is of two that are equal",
    "under-trained": "gets no verdict",
    "images not in the interval": "gets no verdict",
}
"""Verdicts as something that a statement does, where they are not."""

MOST = 5
"""Findings on the first screen."""

EXPLAINED = {
    "rate": (
        "The rate is how many nats a VAE's code spends on an image (1 nat is 1.44 bits). It is an upper bound on what "
        "the code says of the image, not that itself."
    ),
    "gradcam_normalised": "A Grad-CAM map marks where a classifier looks; its sum says how spread out that is.",
    "kl_human_model": (
        "KL(human‖model) is how far a classifier's probabilities are from the labels that many people gave the same "
        "image; 0 would be the same."
    ),
    "training size": "Accuracy on test images; every network is trained anew for each seed.",
    "decay power": "The decay power δ says how smooth FMix's masks are; accuracy is on held-out images.",
    "image kept less": (
        "I(T;X|Y) is what a layer says of the single image beyond its label, compared where both layers say as much "
        "of the label."
    ),
}
EXPLAINED |= {
    "kl_human_model_temperature_scaled": EXPLAINED["kl_human_model"],
    "image kept": EXPLAINED["image kept less"],
    **dict.fromkeys(
        ("attack noise", "attack deepfool", "attack worst case"),
        "Accuracy while test images are changed on purpose, mean over the sizes of the change.",
    ),
}
"""What a measure of `findings.published` is, for somebody who has never seen it."""


BRIEF = {
    "rate": "the rate",
    "gradcam_normalised": "Grad-CAM sums",
    "training size": "accuracy",
    **dict.fromkeys(("attack noise", "attack deepfool", "attack worst case"), "robustness"),
    **dict.fromkeys(("kl_human_model", "kl_human_model_temperature_scaled"), "closeness to humans"),
}
"""What measures are about, in a word or two."""


@dataclass(frozen=True)
class Pair:
    """Two augmentations compared in a measure on some data, in the family of all pairs of that measure."""

    measure: str
    document: Document
    on: str
    pair: Difference


@dataclass(frozen=True)
class Finding:
    """What is decided.

    Args:
        sentence: what it is.
        evidence: difference, interval, seeds, images and p-value.
        measure: of `findings.published`.
        document: where it was measured.
        on: the data, in words.
        names: the two augmentations.
        p: by which it is decided.
        layer, share: of what layers keep, where it is shown.
        place: of the statement among `reports.verdicts.statements`; None for a pair that is none of the paper's.
    """

    sentence: str
    evidence: str
    measure: str
    document: Document
    on: str
    names: tuple[str, str]
    p: float
    layer: str | None = None
    share: float | None = None
    place: int | None = None

    @property
    def explained(self) -> str:
        """What is measured."""
        return EXPLAINED.get(self.measure, "")


def pairs_of(documents: Sequence[Document]) -> dict[str, list[Pair]]:
    """By measure of which the paper states something, all pairs of augmentations wherever they were compared."""
    found = {}
    for measure in dict.fromkeys(claim.measure for claim in claims() if claim.measure not in STATEMENTS):
        alone = [
            Pair(measure, document, on, pair)
            for document, on, comparison in compared_once(documents, measure)
            for pair in comparison.differences
            if not pair.withheld
        ]
        family = as_family(each.pair for each in alone)
        found[measure] = [Pair(measure, each.document, each.on, pair) for each, pair in zip(alone, family, strict=True)]
    return found


def findings_of(stated: Sequence[Stated], pairs: Mapping[str, Sequence[Pair]]) -> list[Finding]:
    """What the first screen says, strongest first, at most one of an analysis.

    Args:
        stated: `reports.verdicts.statements`.
        pairs: `pairs_of` the same documents.
    """
    decided = [_of_statement(statement, place) for place, statement in enumerate(stated) if statement.decided]
    analyses = {finding.document.program for finding in decided}
    told = [
        _of_pair(each, len(family))
        for family in pairs.values()
        for each in family
        if each.pair.claimed and each.document.program not in analyses
    ]
    decided = [replace(finding, evidence=f"{finding.evidence}{_elsewhere(finding, stated)}") for finding in decided]
    best: dict[str, Finding] = {}
    for finding in sorted(decided + told, key=lambda finding: finding.p):
        best.setdefault(finding.document.program, finding)
    return list(best.values())[:MOST]


def _elsewhere(finding: Finding, stated: Sequence[Stated]) -> str:
    """What became of the same statement on other data, in a sentence."""
    assert finding.place is not None
    claim = stated[finding.place].claim
    others: dict[str, list[str]] = {}
    for place, one in enumerate(stated):
        if one.claim == claim and one.document is not None and place != finding.place:
            others.setdefault(one.verdict, []).append(one.on)
    listed = [f"{VERBS.get(verdict, verdict)} on {enumerated(ons)}" for verdict, ons in others.items()]
    return f" Elsewhere the statement {enumerated(listed)}." if listed else ""


def _ordering(measure: str, above: str, below: str) -> str:
    """That one augmentation is above another, in the words of the measure."""
    what = measures()[measure]
    if all(claim.denied for claim in claims(measure)):  # its words are those of a denial
        return f"{the(above)} is above {the(below)} in {what.name}"
    return what.claim.format(above=the(above), below=the(below))


def _of_statement(statement: Stated, place: int) -> Finding:
    claim, document = statement.claim, statement.document
    assert document is not None
    words, within = str(claim), ""
    if statement.judged and statement.judged.pair.equal and not statement.judged.pair.claimed:
        pair = statement.judged.pair
        within = f"{the(claim.above)} and {the(claim.below)} are equal in {measures()[claim.measure].name}, within "
        within += f"±{pair.margin:.2g} {measures()[claim.measure].units}"
    sentence = {
        "holds": f"{words}, as the paper says{f': {within}' if within else ''}",
        "is reversed": f"{_ordering(claim.measure, claim.below, claim.above)}: the reverse of what the paper says",
        "is contradicted": f"it does not hold that {words}, as the paper says",
        "are equal": f"{within}, where the paper says that {words}",
    }[statement.verdict]
    names = claim.above, claim.below
    on = f"On {document.data}, {sentence}."
    if statement.judged:
        pair = statement.judged.pair
        p = pair.p if pair.claimed else pair.p_equal
        value, limits = statement.judged.sign * pair.value, statement.judged.limits
        if statement.verdict == "is reversed":  # said the other way round
            value, limits = -value, (-limits[1], -limits[0])
        evidence = _evidence(claim.measure, value, limits, pair, p)
        return Finding(on, evidence, claim.measure, document, statement.on, names, p, place=place)
    test = max(statement.shown, key=lambda one: one.image_margin or 0.0)
    p = float(statement.number["p"])
    evidence = (
        f"Shown in the layer {test.layer or 'features'}: the bounds are {test.image_margin:.2f} nats apart. "
        f"{test.seeds} seeds, {int(document.rows['n'].max()):,} images, {p_value(p)}."
    )
    return Finding(
        on, evidence, claim.measure, document, statement.on, names, p, layer=test.layer, share=test.share, place=place
    )


def _of_pair(each: Pair, family: int) -> Finding:
    pair = each.pair
    on = f"On {each.document.data}, {_ordering(each.measure, pair.higher, pair.lower)}."
    evidence = _evidence(each.measure, pair.value, (pair.low, pair.high), pair, pair.p)
    evidence += f" The clearest of {family} pairs in this measure, on all data; the paper does not speak of it."
    return Finding(on, evidence, each.measure, each.document, each.on, (pair.higher, pair.lower), pair.p)


def _evidence(measure: str, value: float, limits: tuple[float, float], pair: Difference, p: float) -> str:
    what = measures()[measure]
    low, high = (f"{limit:+.{what.digits}f}" for limit in limits)
    difference = f"Difference {value:+.{what.digits}f} {what.units}, simultaneous 95% interval {low} to {high}"
    scored = f", {pair.images:,} {pair.items}" if pair.images else ""
    return f"{difference}; {pair.seeds} seeds{scored}, {p_value(p)}.".replace("-", "−")


def open_sentence(stated: Sequence[Stated]) -> str:
    """How many of the statements could not be told, and how many were."""
    run = [statement for statement in stated if statement.document is not None]
    untold = sum(statement.verdict == "cannot be told" for statement in run)
    decided = sum(statement.decided for statement in run)
    open_ones = len(run) - untold - decided
    others = f", and {open_ones} more are not contradicted or have no verdict" if open_ones else ""
    return (
        f"The paper's statements were tested {len(run):,} times, on all data and sizes: {decided} of these tests are "
        f"decided, {untold} cannot be told{others}."
    )


def scale_sentence(verdicts: Sequence[str]) -> str:
    """Whether anything was measured at the paper's own size.

    Args:
        verdicts: on the published values, of `reports.verdicts.published_table`.
    """
    comparable = sum(verdict not in ("not run", "not comparable") for verdict in verdicts)
    if comparable:
        return f"{comparable} of the {len(verdicts)} published values were measured at the paper's own size."
    return (
        f"None of the {len(verdicts)} published values can be compared: nothing here was measured with the paper's own "
        "data, network and length of training, and what is shown here need not hold there."
    )


def rivals_sentence(pairs: Mapping[str, Sequence[Pair]], names: tuple[str, str] = ("mixup", "cutmix")) -> str:
    """Where two augmentations were told apart from each other, and in how many comparisons they were not.

    Args:
        pairs: `pairs_of`.
        names: of the two.
    """
    both = [each for family in pairs.values() for each in family if {each.pair.higher, each.pair.lower} == set(names)]
    if not both:
        return ""
    told = [each for each in both if each.pair.claimed]
    equal = [each for each in both if each.pair.equal and not each.pair.claimed]
    listed = [
        f"on {each.document.data} {_ordering(each.measure, each.pair.higher, each.pair.lower)} ({p_value(each.pair.p)})"
        for each in told
    ]
    parts = [f"Compared with each other {len(both)} times, they were told apart in {len(told) or 'none'}"]
    parts[0] += f": {'; '.join(listed)}." if told else "."
    parts += [f"Shown to be equal: {_counted(equal)}."] if equal else []
    untold = [each for each in both if each not in told and each not in equal]
    parts += [f"Not told apart: {_counted(untold)}."] if untold else []
    return " ".join(parts)


def _counted(pairs: Iterable[Pair]) -> str:
    counts = Counter(BRIEF.get(each.measure, measures()[each.measure].name) for each in pairs)
    return enumerated([f"{name} ({count})" for name, count in counts.items()])


def draw_finding(finding: Finding) -> tuple[Figure, pd.DataFrame, str]:
    """The figure beside a finding: all augmentations that were compared there, the two in question in full colour.

    Returns:
        The figure, its numbers, and what is to be seen in it.
    """
    with style():
        return _draw_bounds(finding) if finding.measure in STATEMENTS else _draw_means(finding)


def _draw_means(finding: Finding) -> tuple[Figure, pd.DataFrame, str]:
    what = measures()[finding.measure]
    (table,) = (each.table for each in tables_of(finding.document, finding.measure) if each.on == finding.on)
    chosen = table.set_index("augmentation").loc[in_usual_order(table["augmentation"])]
    units = "%" if what.units == "points" else what.units
    figure, axes = _canvas(finding, list(chosen.index), f"{what.name}, {units}")
    for place, (name, line) in enumerate(chosen.iterrows()):
        axes.errorbar(line["mean"], place, xerr=line["std"], fmt="o", capsize=3, **_marked(finding, str(name)))
    listed = (
        f"{label(str(name))} {plus_minus(line['mean'], line['std'], what.digits)}" for name, line in chosen.iterrows()
    )
    words = f"{what.name} on {finding.on}, {units}, mean ± standard deviation over seeds: {', '.join(listed)}."
    return figure, chosen.reset_index()[["augmentation", "mean", "std", "seeds"]], _initial(words)


def _draw_bounds(finding: Finding) -> tuple[Figure, pd.DataFrame, str]:
    rows = of_test(finding.document.rows).fillna({"layer": "features"})
    entropy = float(rows.loc[rows["quantity"] == LABEL, "cap"].max())
    cut = sections(intervals(rows), float(finding.share or 0) * entropy)
    cut = cut[cut["layer"] == (finding.layer or "features")].set_index("augmentation")
    cut = cut.loc[in_usual_order(cut.index)]
    where = f"{LABEL} = {finding.share:.0%} of H(Y)"
    figure, axes = _canvas(finding, list(cut.index), f"{GIVEN_LABEL} where {where}, nats")
    words = []
    for place, (name, line) in enumerate(cut.iterrows()):
        low, high = (float(line[side]) for side in ("low", "high"))
        words.append(f"{label(str(name))} {low:.2f} to {high:.2f}")
        axes.plot([low, high], [place, place], marker="|", markersize=11, **_marked(finding, str(name)))
    text = f"{GIVEN_LABEL} of the layer {finding.layer or 'features'} on {finding.on} where {where}, nats, from the "
    text += f"lower bound to the upper: {', '.join(words)}."
    return figure, cut.reset_index(), text.replace("nan", "unknown")


def _canvas(finding: Finding, names: Sequence[str], axis: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.4, 0.55 + 0.25 * len(names)))
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), [label(name) for name in names], parse_math=False)
    for tick, name in zip(axes.get_yticklabels(), names, strict=True):
        tick.set_fontweight("bold" if name in finding.names else "normal")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(axis)
    axes.grid(axis="y", visible=False)
    return figure, axes


def _marked(finding: Finding, name: str) -> dict[str, Any]:
    named = name in finding.names
    return {"color": colour(name), "alpha": 1.0 if named else 0.35, "linewidth": 2.4 if named else 1.4}


def _initial(text: str) -> str:
    return text[0].upper() + text[1:] if text[0].isascii() else text
