"""Published numbers and statements beside ours: the measures, in every document that has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from analysis import accuracy
from analysis.ablation import SYMBOLS, measure_of
from attacks.sentences import mean_over_sizes
from figures import label
from findings.comparisons import LEVEL, Comparison, Difference, as_family, compare_augmentations, skewed
from findings.components import Components
from findings.document import Document
from findings.over_seeds import over_seeds
from findings.published import Claim, Published, claims, measures, published
from findings.sentences import p_value
from findings.table import Cell, Table, group_of, plus_minus
from findings.under_trained import LINEAR, with_under_trained

__all__ = ["Judged", "claims_table", "judged", "measured", "published_table"]

ATTACK = "attack "

BY = ("augmentation",)


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
    if "layer" in chosen:
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


def _tables(document: Document, measure: str) -> list[_Measured]:
    """A measure of a document; of an ablation, one for every value; any accuracy is one at a size of training set."""
    if measure not in ("training size", "decay power"):
        return [_Measured(document.on, measured(document, measure), measure)]
    vary = {"training size": "fraction", "decay power": "decay-power"}[measure]
    rows = document.rows
    if "vary" not in rows and measure == "training size":
        accuracies = [_Measured(document.on, measured(document, "accuracy"), "accuracy")]
        return accuracies if document.program == accuracy.PROGRAM else []
    if "vary" not in rows or document.config["vary"] != vary:
        return []
    chosen = rows[rows["estimator"] == "accuracy"]
    if measure == "decay power":
        own = chosen[chosen["augmentation"] == "fmix"]
        chosen = own.assign(augmentation=[f"{SYMBOLS[vary]} = {value:g}" for value in own["setting"]], setting=0.0)
    found = []
    for value, own in chosen.groupby("setting"):
        table = over_seeds(own, BY)
        if document.settings["scored"] == "validation":  # other images in every fold: the spread holds their draw
            table["image_error"] = 0.0
        words = f", {value:.3g} of the images" if measure == "training size" else ""
        of = measure_of(vary, float(value) if vary == "fraction" else "fmix")  # type: ignore[arg-type]
        found.append(_Measured(document.data + words, table, of))
    return found


def published_table(documents: Sequence[Document]) -> Table:
    """Every published value, ours beside it, and a verdict.

    Of several documents with the measure, the one whose settings differ least from the published ones stands beside.
    """
    lines, numbers = [], []
    for each in published():
        what = measures()[each.measure]
        document, ours = _closest(each, documents)
        verdict = each.verdict(ours, document.settings if document else {})
        text, difference, low, high = "", "", None, None
        found = each.equivalence(ours) if ours else None
        if ours:
            mean, std, n = ours
            text = plus_minus(mean, std, what.digits, n=n)
            difference = f"{mean - each.mean:+.{what.digits}f}"
        if found:
            low, high = found.low, found.high
            difference += f" ({low:+.{what.digits}f} to {high:+.{what.digits}f})"
        scale = "; ".join(each.otherwise(document.settings)) if document else ""
        title = document.title if document else ""
        group = group_of(document, augmentation=each.augmentation) if document else ""
        lines.append(
            [
                Cell(f"{each.where}: {label(each.augmentation)}, {what.name}"), Cell(verdict, kind=verdict),
                Cell(str(each) + (f" (n = {each.n})" if each.n else "")), Cell(text, group),
                Cell(difference.replace("-", "−")), Cell(f"±{each.margin:g}"), Cell(scale or title),
            ]
        )  # fmt: skip
        numbers.append(
            {
                "where": each.where, "augmentation": each.augmentation, "measure": each.measure, "published": each.mean,
                "published_std": each.std, "published_n": each.n, "ours": ours[0] if ours else None,
                "std": ours[1] if ours else None, "n": ours[2] if ours else None, "low": low, "high": high,
                "margin": each.margin, "verdict": verdict, "otherwise": scale, "command": each.command,
                "source": each.source,
            }
        )  # fmt: skip
    head = (
        "published value",
        "verdict",
        "published",
        "ours",
        "difference (90% interval)",
        "margin",
        "ours was measured with",
    )
    notes = (
        "Agrees: equivalence within the margin is shown (two one-sided tests, 5%). Differs: a difference is shown. "
        "Not comparable: measured on other data or at another scale, whatever the difference.",
    )
    return Table(
        "Published values and ours, mean ± standard deviation",
        head,
        lines,
        pd.DataFrame(numbers).convert_dtypes(),
        notes,
    )


def _closest(each: Published, documents: Sequence[Document]) -> tuple[Document | None, tuple[float, float, int] | None]:
    best: tuple[int, int, Document, tuple[float, float, int]] | None = None
    for place, document in enumerate(documents):
        if document.watermark or each.setting.get("network") != document.settings.get("network"):
            continue
        found = measured(document, each.measure)
        own = found[found["augmentation"] == each.augmentation]
        if not len(own) or each.setting["data"] == "ImageNet":
            continue
        row = own.iloc[0]
        ours = float(row["mean"]), float(row["std"]), int(row["seeds"])
        found_here = (len(each.otherwise(document.settings)), place, document, ours)
        if best is None or found_here[:2] < best[:2]:
            best = found_here
    return (None, None) if best is None else best[2:]


def _once(documents: Sequence[Document], measure: str) -> list[tuple[Document, str, Comparison]]:
    """Where a measure has been compared; of several documents on the same kind of networks, the one with most
    augmentations, and of those the one with most seeds."""
    best: dict[tuple[object, ...], tuple[Document, str, Comparison]] = {}
    for document in documents:
        for words, table, components in [] if document.watermark else _tables(document, measure):
            found = compare_augmentations(table, Components.from_json(document.components.get(components)))
            if found is None:
                continue
            settings = document.settings
            scale = (settings.get(key) for key in ("train_images", "epochs", "width", "preset", "network"))
            networks = (words, *scale)
            if networks not in best or _size(best[networks][2]) < _size(found):
                best[networks] = document, words, found
    return list(best.values())


def _size(comparison: Comparison) -> tuple[int, int]:
    return len(comparison.differences), comparison.seeds


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
    def limits(self) -> tuple[float, float]:
        """Of the simultaneous 95% interval of the difference, in the direction of the statement."""
        low, high = sorted((self.sign * self.pair.low, self.sign * self.pair.high))
        return low, high


def judged(documents: Sequence[Document]) -> list[Judged]:
    """Every statement of the paper on every data set and scale on which it was measured, as one family.

    Statements of which nothing may be claimed, whatever the difference, are no part of the family.
    """
    found = []
    for claim in claims():
        for document, on, comparison in _once(documents, claim.measure):
            if pair := comparison.between(claim.above, claim.below):
                found.append((claim, document, on, comparison, pair))
    open_ones = iter(as_family(pair for *_, pair in found if not pair.withheld))
    together = [pair if pair.withheld else next(open_ones) for *_, pair in found]
    return [
        Judged(claim, document, on, comparison, pair, str(claim.verdict(pair)))
        for (claim, document, on, comparison, _), pair in zip(found, together, strict=True)
    ]


def claims_table(documents: Sequence[Document]) -> Table:
    """Every ordering that the paper states, with a verdict from each data set and scale on which it was measured."""
    lines, numbers = [], []
    found = judged(documents)
    tests = sum(not each.pair.withheld for each in found)
    for claim in claims():
        what = measures()[claim.measure]
        here = [each for each in found if each.claim == claim]
        for each in here:
            pair, (low, high) = each.pair, each.limits
            interval = (
                f"{each.sign * pair.value:+.{what.digits}f} ({low:+.{what.digits}f} to {high:+.{what.digits}f}) "
                f"{what.units}"
            )
            spreads = [each.comparison.spreads[name] for name in (claim.above, claim.below)]
            spread = " and ".join(f"{value:.{what.digits}f}" for value in spreads) + f", {pair.seeds} seeds"
            images = f"{pair.images:,}" if pair.images else ""
            lines.append(
                [
                    Cell(f"{claim.where}: {claim}"), Cell(each.verdict, kind=each.verdict), Cell(each.on),
                    Cell(interval.replace("-", "−"), group_of(each.document)), Cell(spread), Cell(images),
                    Cell("" if pair.withheld else p_value(pair.p)),
                ]
            )  # fmt: skip
            numbers.append(
                {
                    "where": claim.where, "claim": str(claim), "data": each.on, "title": each.document.title,
                    "difference": each.sign * pair.value, "low": low, "high": high, "error": pair.error,
                    "freedom": pair.freedom, "seeds": pair.seeds, "images": pair.images,
                    "p": None if pair.withheld else pair.p, "verdict": each.verdict,
                }
            )  # fmt: skip
        if not here:
            lines.append([Cell(f"{claim.where}: {claim}"), Cell("not run", kind="not run"), *[Cell("")] * 5])
            numbers.append({"where": claim.where, "claim": str(claim), "verdict": "not run"})
    head = (
        "the paper says", "verdict", "measured on", "difference (simultaneous 95%)", "spread over seeds", "images", "p",
    )  # fmt: skip
    rare = max((skewed(each.pair.seeds) or LEVEL for each in found if not each.pair.withheld), default=LEVEL)
    notes = (
        f"One family of {tests} comparisons: Welch's test of the two augmentations in question, seeds as replicates, "
        f"Holm's correction over the whole table at 5%"
        + (f" (up to {100 * rare:.2g}% if seeds were skewed and spread unequally). " if rare > LEVEL else ". ")
        + "A statement that something is not improved is not contradicted as long as no improvement is found, and "
        "holds where the opposite is.",
        "Images not in the interval: the draw of the images is no part of it, which is then about these very images, "
        "and no verdict is given. Under-trained: one of the two is worse than a linear model of its data, and no "
        "verdict rests on it.",
    )
    return Table("The paper's statements", head, lines, pd.DataFrame(numbers).convert_dtypes(), notes)
