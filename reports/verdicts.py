"""Published numbers and statements beside ours: the measures, in every document that has them."""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from analysis import accuracy
from analysis.ablation import SYMBOLS, measure_of
from analysis.representations.dominance import STATEMENTS, Dominance, found_of, needs
from attacks.sentences import mean_over_sizes
from figures import label
from findings.comparisons import LEVEL, Comparison, Difference, Summary, as_family, compare_augmentations, skewed
from findings.components import Components
from findings.document import Document
from findings.over_seeds import over_seeds
from findings.published import Claim, Published, claims, in_manner, measures, published
from findings.sentences import enumerated, p_value, seeds_needed
from findings.table import Cell, Table, group_of, plus_minus
from findings.under_trained import LINEAR, with_under_trained
from tasks.metrics import ACCURACY

__all__ = [
    "DECIDED",
    "Judged",
    "Stated",
    "claims_table",
    "compared_once",
    "in_families",
    "judged",
    "measured",
    "published_table",
    "statements",
    "table_of_statements",
    "tables_of",
]

DECIDED = ("holds", "is reversed", "is contradicted", "are equal")
"""Verdicts by which a statement is decided, one way or another."""

ATTACK = "attack "

BY = ("augmentation",)

MADE_UP = "made-up"
"""What the names of data begin with of which nothing can be learnt about augmentations."""

OTHERS: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "text accuracy": lambda settings: settings["classes"] == 2 and not settings.get("several"),
    "text roc_auc": lambda settings: settings.get("several", False),
    "clip accuracy": lambda settings: True,
    "shape accuracy": lambda settings: True,
    "grapheme accuracy": lambda settings: True,
    "grapheme root_accuracy": lambda settings: True,
    "grapheme vowel_accuracy": lambda settings: True,
}
"""Measures of other items than images, and the networks whose settings they are measured of."""


def measured(document: Document, measure: str) -> pd.DataFrame:
    """One measure of a document's augmentations.

    Returns:
        What `compare_augmentations` takes; empty where the document does not have it.
    """
    rows = document.rows
    empty = pd.DataFrame(columns=["augmentation", "mean", "std", "seeds"])
    if "augmentation" not in rows or rows["augmentation"].isna().all() or "vary" in rows:
        return empty
    if measure.startswith(ATTACK):
        if "curve" not in rows or not (rows["curve"] == "robust").any():
            return empty
        means = mean_over_sizes(rows, "robust")
        return means[means["estimator"] == measure.removeprefix(ATTACK)].drop(columns="estimator")
    chosen = rows[(rows["estimator"] == measure) & (rows["inputs"] == "clean") & rows["noise"].isna()]
    if "classes" in chosen and len(chosen):
        config = document.config
        chosen = chosen[(chosen["layer"] == config["layers"][0]) & (chosen["classes"] == config["classes"][0])]
    if "decoder_scale" in chosen and len(chosen):
        chosen = chosen[chosen["decoder_scale"] == document.settings["decoder_scale"]]
    if not len(chosen):
        return empty
    chosen = chosen[chosen["augmentation"] != LINEAR]
    return with_under_trained(over_seeds(chosen, BY), chosen)


class _Measured(NamedTuple):
    """What a document has of a measure: on what, its table, and what its variance components are called there."""

    on: str
    table: pd.DataFrame
    components: str


def tables_of(document: Document, measure: str) -> list[_Measured]:
    """A measure of a document; of an ablation, one for every value; any accuracy is one at a size of training set.

    Of other items than those that the paper's statements in a measure are about there is none.
    """
    if document.items != measures()[measure].items:
        return []
    if measure in OTHERS:
        settings = document.settings
        judged = document.program == accuracy.PROGRAM and not settings["data"].startswith(MADE_UP)
        name = measure.partition(" ")[2]
        on = f"{document.on}, {settings['network']}"
        on += ", labels weighed by the mask" if settings.get("text", {}).get("mixed_weights") == "mask" else ""
        on += f", α = {settings['alpha']:g}" if document.items == "clips" else ""
        on += ", a network for each question" if settings.get("apart") else ""
        return [_Measured(on, measured(document, name), name)] if judged and OTHERS[measure](settings) else []
    if measure not in ("training size", "decay power"):
        return [_Measured(document.on, measured(document, measure), measure)]
    vary = {"training size": "fraction", "decay power": "decay-power"}[measure]
    rows = document.rows
    if "vary" not in rows and measure == "training size":
        accuracies = [_Measured(document.on, measured(document, ACCURACY.name), ACCURACY.name)]
        return accuracies if document.program == accuracy.PROGRAM else []
    if "vary" not in rows or document.config["vary"] != vary:
        return []
    chosen = rows[rows["estimator"] == ACCURACY.name]
    if measure == "decay power":
        fmix = chosen[chosen["augmentation"] == "fmix"]
        chosen = fmix.assign(augmentation=[f"{SYMBOLS[vary]} = {value:g}" for value in fmix["setting"]], setting=0.0)
    tables = []
    for value, networks in chosen.groupby("setting"):
        table = over_seeds(networks, BY)
        if document.settings["scored"] == "validation":  # other images in every fold: the spread holds their draw
            table["image_error"] = 0.0
        words = f", {value:.3g} of the images" if measure == "training size" else ""
        words += ", equal steps" if document.config.get("equal_steps") else ""
        of = measure_of(vary, float(value) if vary == "fraction" else "fmix")  # type: ignore[arg-type]
        tables.append(_Measured(document.data + words, table, of))
    return tables


def published_table(documents: Sequence[Document]) -> Table:
    """Every published value, ours beside it, and a verdict.

    Of several documents with the measure, the one whose settings differ least from the published ones stands beside.
    """
    lines, numbers = [], []
    for value in published():
        what = measures()[value.measure]
        document, ours = _closest(value, documents)
        looks = document is not None and document.config.get("until") is not None
        verdict = value.verdict(ours, document.settings if document else {}, looks)
        text, difference = "", ""
        test = value.equivalence(ours, looks) if ours else None
        if ours:
            mean, std, n = ours
            text = plus_minus(mean, std, what.digits, n=n)
            difference = f"{mean - value.mean:+.{what.digits}f}"
        if test:
            difference += f" ({test.low:+.{what.digits}f} to {test.high:+.{what.digits}f})"
        scale = "; ".join(value.otherwise(document.settings)) if document else ""
        title = document.title if document else ""
        group = group_of(document, augmentation=value.augmentation) if document else ""
        line = [
            Cell(f"{value.where}: {label(value.augmentation)}, {what.name}"),
            Cell(verdict, kind=verdict),
            Cell(str(value) + (f" (n = {value.n})" if value.n else "")),
            Cell(text, group),
            Cell(difference.replace("-", "−")),
            Cell(f"±{value.margin:g}"),
            Cell(scale or title),
        ]
        lines.append(line)
        number = {
            "where": value.where,
            "augmentation": value.augmentation,
            "measure": value.measure,
            "published": value.mean,
            "published_std": value.std,
            "published_n": value.n,
            "ours": ours[0] if ours else None,
            "std": ours[1] if ours else None,
            "n": ours[2] if ours else None,
            "low": test.low if test else None,
            "high": test.high if test else None,
            "margin": value.margin,
            "verdict": verdict,
            "otherwise": scale,
            "command": value.command,
            "source": value.source,
        }
        numbers.append(number)
    head = ["published value", "verdict", "published", "ours"]
    head += ["difference (90% interval)", "margin", "ours was measured with"]
    notes = (
        "Agrees: equivalence within the margin is shown (two one-sided tests, 5%). Differs: a difference is shown. "
        "Where seeds were added until all was decided, the tests are at 1% and the interval is one of 98%. "
        "Not comparable: measured on other data or at another scale, whatever the difference.",
    )
    return Table(
        "Published values and ours, mean ± standard deviation",
        head,
        lines,
        pd.DataFrame(numbers).convert_dtypes(),
        notes,
    )


def _closest(value: Published, documents: Sequence[Document]) -> tuple[Document | None, Summary | None]:
    """The document to stand beside a published value, and its mean, standard deviation and number of seeds."""
    best: tuple[int, int, Document, Summary] | None = None
    for place, document in enumerate(documents):
        if document.watermark or value.setting.get("network") != document.settings.get("network"):
            continue
        table = measured(document, value.measure)
        same = table[table["augmentation"] == value.augmentation]
        if not len(same) or value.setting["data"] == "ImageNet":
            continue
        line = same.iloc[0]
        ours = float(line["mean"]), float(line["std"]), int(line["seeds"])
        candidate = len(value.otherwise(document.settings)), place, document, ours
        if best is None or candidate[:2] < best[:2]:
            best = candidate
    return (None, None) if best is None else best[2:]


def compared_once(documents: Sequence[Document], measure: str) -> list[tuple[Document, str, Comparison]]:
    """Where a measure has been compared; of several documents on the same kind of networks, the one with most
    augmentations, and of those the one with most seeds."""
    best: dict[tuple[object, ...], tuple[Document, str, Comparison]] = {}
    for document in documents:
        for words, table, components in [] if document.watermark else tables_of(document, measure):
            variance = Components.from_json(document.components.get(components))
            comparison = compare_augmentations(in_manner(table, document.config, measure, document.items), variance)
            if comparison is None:
                continue
            settings = document.settings
            scale = (settings.get(key) for key in ("train_images", "epochs", "width", "preset", "network"))
            more = ("learning_rate", "alpha", "apart", "text")
            trained = [json.dumps(settings.get(key), sort_keys=True) for key in more]
            networks = (words, *scale, *(trained if document.items != "images" else ()))
            if networks not in best or _weight(best[networks][2]) < _weight(comparison):
                best[networks] = document, words, comparison
    return list(best.values())


def _weight(comparison: Comparison) -> tuple[bool, int, int]:
    """By what a comparison of the same networks is preferred: that looks were taken may not be left unsaid."""
    return comparison.looks, len(comparison.differences), comparison.seeds


@dataclass(frozen=True)
class Judged:
    """A statement of the paper, and what came of it on one data set.

    Args:
        claim: the statement.
        document: where it was measured.
        on: the data, in words.
        comparison: of all augmentations there.
        pair: the two in question, in the family of all statements judged together.
        verdict: on the statement.
    """

    claim: Claim
    document: Document
    on: str
    comparison: Comparison
    pair: Difference
    verdict: str

    @property
    def sign(self) -> int:
        """+1 where the augmentation that the paper puts above is above here."""
        return 1 if self.pair.higher == self.claim.above else -1

    @property
    def in_words(self) -> str:
        """The verdict, with what would decide where nothing does, and the margin where two are equal."""
        if self.verdict == "cannot be told":
            if self.document.settings.get("scored") == "validation":  # there are no more folds
                return self.verdict
            return f"cannot be told; {seeds_needed(self.pair)} would"
        if self.pair.equal and not self.pair.claimed:
            within = f"equal within ±{self.pair.margin:.2g} {measures()[self.claim.measure].units}"
            return within if self.verdict == "are equal" else f"{self.verdict}: {within}"
        return self.verdict

    @property
    def p(self) -> float:
        """The p-value of what the verdict says: of a difference, or of equality within the margin."""
        return self.pair.p_equal if self.verdict == "are equal" else self.pair.p

    @property
    def limits(self) -> tuple[float, float]:
        """The limits of the simultaneous 95% interval of the difference, in the direction of the statement."""
        low, high = sorted((self.sign * self.pair.low, self.sign * self.pair.high))
        return low, high


def judged(documents: Sequence[Document]) -> list[Judged]:
    """Every statement of the paper on every data set and scale on which it was measured.

    Those about images are one family, and those about texts another. Statements of which nothing may be claimed,
    whatever the difference, are no part of it.
    """
    alone = []
    compared = {measure: compared_once(documents, measure) for measure in {claim.measure for claim in claims()}}
    for claim in claims():
        for document, on, comparison in compared[claim.measure]:
            if pair := comparison.between(claim.above, claim.below):
                alone.append((claim, document, on, comparison, pair))
    families: dict[str, list[Difference]] = {}
    for *_, pair in alone:
        if not pair.withheld:
            families.setdefault(pair.items, []).append(pair)
    open_ones = {items: iter(as_family(pairs)) for items, pairs in families.items()}
    together = [pair if pair.withheld else next(open_ones[pair.items]) for *_, pair in alone]
    return [
        Judged(claim, document, on, comparison, pair, str(claim.verdict(pair)))
        for (claim, document, on, comparison, _), pair in zip(alone, together, strict=True)
    ]


@dataclass(frozen=True)
class Stated:
    """A statement of the paper on one data set and scale, as the table of statements has it.

    Args:
        claim: the statement.
        on: the data, in words; empty where it has not been run.
        verdict: on the statement.
        line: of the table.
        number: the same for its CSV file.
        document: where it was measured.
        judged: by which it was compared; None for what layers keep, and for what has not been run.
        shown: of what layers keep, the tests that show an order.
    """

    claim: Claim
    on: str
    verdict: str
    line: Sequence[Cell]
    number: dict[str, Any]
    document: Document | None = None
    judged: Judged | None = None
    shown: Sequence[Dominance] = ()

    @property
    def decided(self) -> bool:
        """Whether there is a verdict, one way or another."""
        return self.verdict in DECIDED


def _of_layers(claim: Claim, documents: Sequence[Document]) -> list[Stated]:
    """A statement about what layers keep, in every document that has compared the two, whose own family it is in."""
    best: dict[str, tuple[tuple[bool, int], Document, list[Dominance]]] = {}
    for document in documents:
        tested = [Dominance(**one) for one in document.more.get("dominance", ())]
        if document.watermark or document.config.get("noise_shape") != "isotropic" or not found_of(claim, tested):
            continue  # the other shapes of noise are controls
        weight, on = (document.config.get("until") is not None, min(one.seeds for one in tested)), document.on
        if on not in best or best[on][0] < weight:  # of the same networks, as `_weight` has it
            best[on] = weight, document, tested
    found = []
    for on, ((_, seeds), document, tested) in best.items():
        verdict_and_shown = found_of(claim, tested)
        assert verdict_and_shown is not None
        verdict, shown = verdict_and_shown
        of_pair = [one for one in tested if {one.less, one.more} == {claim.above, claim.below}]
        p = max((one.p for one in shown), default=None)
        layers = ", ".join(dict.fromkeys(one.layer or "features" for one in shown))
        line = [
            Cell(f"{claim.where}: {claim}"),
            Cell(f"{verdict}; {needs(of_pair)}" if verdict == "cannot be told" else verdict, kind=verdict),
            Cell(on),
            Cell(f"shown in {layers}" if layers else "", group_of(document)),
            Cell(f"{seeds} seed{'s' if seeds > 1 else ''}"),
            Cell(f"{int(document.rows['n'].max()):,}"),
            Cell("" if p is None else _p(p)),
        ]
        number: dict[str, Any] = {
            "where": claim.where,
            "claim": str(claim),
            "data": on,
            "title": document.title,
        }
        least = min((one.needed for one in of_pair if one.needed is not None), default=None)
        number |= {"seeds": seeds, "images": int(document.rows["n"].max()), "layers": layers, "p": p}
        number |= {"seeds_needed": least, "verdict": verdict}
        found.append(Stated(claim, on, verdict, line, number, document, shown=shown))
    return found


def _of_judged(statement: Judged) -> Stated:
    claim, pair, (low, high) = statement.claim, statement.pair, statement.limits
    what = measures()[claim.measure]
    difference = statement.sign * pair.value
    interval = f"{difference:+.{what.digits}f} ({low:+.{what.digits}f} to {high:+.{what.digits}f}) {what.units}"
    spreads = [statement.comparison.spreads[name] for name in (claim.above, claim.below)]
    spread = " and ".join(f"{value:.{what.digits}f}" for value in spreads) + f", {pair.seeds} seeds"
    line = [
        Cell(f"{claim.where}: {claim}"),
        Cell(statement.in_words, kind=statement.verdict),
        Cell(statement.on),
        Cell(interval.replace("-", "−"), group_of(statement.document)),
        Cell(spread),
        Cell(f"{pair.images:,}" if pair.images else ""),
        Cell("" if pair.withheld else _p(statement.p)),
    ]
    number = {
        "where": claim.where,
        "claim": str(claim),
        "data": statement.on,
        "title": statement.document.title,
        "difference": difference,
        "low": low,
        "high": high,
        "error": pair.error,
        "freedom": pair.freedom,
        "seeds": pair.seeds,
        "images": pair.images,
        "p": None if pair.withheld else pair.p,
        "p_equal": None if pair.withheld or pair.margin is None else pair.p_equal,
        "margin": pair.margin,
        "seeds_needed": pair.seeds_needed if math.isfinite(pair.seeds_needed) else None,
        "verdict": statement.verdict,
    }
    return Stated(claim, statement.on, statement.verdict, line, number, statement.document, statement)


def statements(documents: Sequence[Document]) -> list[Stated]:
    """Every statement of the paper, on every data set and scale on which it was measured, or as not run."""
    compared = judged(documents)
    found = []
    for claim in claims():
        here = [_of_judged(statement) for statement in compared if statement.claim == claim]
        here += _of_layers(claim, documents) if claim.measure in STATEMENTS else []
        if not here:
            line = [Cell(f"{claim.where}: {claim}"), Cell("not run", kind="not run"), *[Cell("")] * 5]
            number = {"where": claim.where, "claim": str(claim), "verdict": "not run"}
            here = [Stated(claim, "", "not run", line, number)]
        found += here
    return found


def _p(value: float) -> str:
    """A p-value in a column that is called so."""
    return p_value(value).removeprefix("p ").removeprefix("= ")


def in_families(tested: Sequence[Difference], those: str) -> str:
    """How many comparisons are judged together: those on images, and those on other items, are a family each.

    Args:
        tested: the comparisons.
        those: what they are called, ``"tests"``, say.
    """
    counts = Counter(pair.items for pair in tested)
    if len(counts) < 2:
        return f"one family of {counts.total()} {those}"
    first, *others = sorted(counts, key=lambda items: (items != "images", items))
    return f"a family of {counts[first]} {those} on {first} and " + enumerated(
        [f"one of {counts[items]} on {items}" for items in others]
    )


def claims_table(documents: Sequence[Document]) -> Table:
    """Every ordering that the paper states, with a verdict from each data set and scale on which it was measured."""
    return table_of_statements(statements(documents))


def table_of_statements(stated: Sequence[Stated]) -> Table:
    """A line for each of `statements`, in their order."""
    pairs = [statement.judged.pair for statement in stated if statement.judged]
    tested = [pair for pair in pairs if not pair.withheld]
    head = ["the paper says", "verdict", "measured on", "difference (simultaneous 95%)", "spread over seeds"]
    head += ["images", "p"]
    rare = max((skewed(pair.seeds, len(tested), pair.looks) for pair in tested), default=LEVEL)
    one_or_more = in_families(tested, "comparisons")
    one_or_more = one_or_more[0].upper() + one_or_more[1:]
    over = "family" if len({pair.items for pair in tested}) > 1 else "table"
    notes = (
        f"{one_or_more}: Welch's test of the two augmentations in question, seeds as "
        f"replicates, Holm's correction over the whole {over} at 5%"
        f" (up to {100 * rare:.3g}% if seeds were skewed and spread unequally). "
        + "A statement that something is not improved is not contradicted as long as no improvement is found, and "
        "holds where the opposite is.",
        "Images not in the interval: the draw of the images is no part of it, which is then about these very images, "
        "and no verdict is given. Under-trained: one of the two is worse than a linear model of its data, and no "
        "verdict rests on it.",
        "Would: with as many seeds two augmentations would be told apart with a power of 80% in this family, on these "
        "images, if the difference is what it seems. Equal: shown to be within a margin fixed beforehand, in a family "
        "of such tests, at 5%, of which p is then. Where seeds were added until all was decided, p-values and "
        "intervals hold over all looks.",
        "What layers keep is judged in a family of its own, over layers, pairs and shares of H(Y), by bounds that have "
        "to separate (see there).",
    )
    numbers = pd.DataFrame([statement.number for statement in stated]).convert_dtypes()
    return Table("The paper's statements", head, [statement.line for statement in stated], numbers, notes)
