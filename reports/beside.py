"""Published numbers and statements beside ours: the measures, in every document that has them."""

from collections.abc import Sequence

import pandas as pd

from analysis.ablation import SYMBOLS
from attacks.conclusions import mean_over_sizes
from figures import label
from figures.comparisons import Comparison, compare_augmentations
from figures.published import Published, claims, measures, published
from figures.words import p_value
from reports.documents import Document
from reports.tables import Cell, Table, group_of

__all__ = ["claims_table", "measured", "published_table"]

ATTACK = "attack "


def measured(document: Document, measure: str) -> pd.DataFrame:
    """One measure of a document's augmentations.

    Returns:
        Columns ``augmentation``, ``mean``, ``std``, ``seeds``; empty where the document does not have it.
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
    grouped = chosen.groupby("augmentation", sort=False)["value"]
    return grouped.agg(mean="mean", std="std", seeds="size").reset_index()


def _tables(document: Document, measure: str) -> list[tuple[str, pd.DataFrame]]:
    """A measure of a document, with the words for what it was measured on; of an ablation, one for every value."""
    if measure not in ("training size", "decay power"):
        return [(document.data, measured(document, measure))]
    vary = {"training size": "fraction", "decay power": "decay-power"}[measure]
    rows = document.rows
    if "vary" not in rows or document.config["vary"] != vary:
        return []
    chosen = rows[rows["estimator"] == "accuracy"]
    if measure == "decay power":
        own = chosen[chosen["augmentation"] == "fmix"]
        chosen = own.assign(augmentation=[f"{SYMBOLS[vary]} = {value:g}" for value in own["setting"]], setting=0.0)
    found = []
    for value, own in chosen.groupby("setting"):
        table = own.groupby("augmentation", sort=False)["value"].agg(mean="mean", std="std", seeds="size").reset_index()
        words = f", {value:.3g} of the images" if measure == "training size" else ""
        found.append((document.data + words, table))
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
            text = f"{mean:.{what.digits}f}" + ("" if pd.isna(std) else f" ± {std:.{what.digits}f}") + f" (n = {n})"
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
    """Where a measure has been compared; of several documents on the same networks, the one with most augmentations."""
    best: dict[tuple[object, ...], tuple[Document, str, Comparison]] = {}
    for document in documents:
        for words, table in [] if document.watermark else _tables(document, measure):
            found = compare_augmentations(table)
            if found is None:
                continue
            settings = document.settings
            scale = (settings.get(key) for key in ("train_images", "epochs", "width", "preset"))
            networks = (words, *scale)
            if networks not in best or len(best[networks][2].differences) < len(found.differences):
                best[networks] = document, words, found
    return list(best.values())


def claims_table(documents: Sequence[Document]) -> Table:
    """Every ordering that the paper states, with a verdict from each data set and scale on which it was measured."""
    lines, numbers = [], []
    for claim in claims():
        what = measures()[claim.measure]
        here = 0
        for document, on, found in _once(documents, claim.measure):
            verdict, pair = claim.verdict(found), found.between(claim.above, claim.below)
            if not (verdict and pair):
                continue
            here += 1
            sign = 1 if pair.higher == claim.above else -1
            low, high = sorted((sign * pair.low, sign * pair.high))
            interval = (
                f"{sign * pair.value:+.{what.digits}f} ({low:+.{what.digits}f} to {high:+.{what.digits}f}) {what.units}"
            )
            spread = f"{found.deviation:.{what.digits}f}, {found.seeds} seeds"
            lines.append(
                [
                    Cell(f"{claim.where}: {claim}"), Cell(verdict, kind=verdict), Cell(on),
                    Cell(interval.replace("-", "−"), group_of(document)), Cell(spread), Cell(p_value(pair.p)),
                ]
            )  # fmt: skip
            numbers.append(
                {
                    "where": claim.where, "claim": str(claim), "data": on, "title": document.title,
                    "difference": sign * pair.value, "low": low, "high": high, "deviation": found.deviation,
                    "seeds": found.seeds, "p": pair.p, "verdict": verdict,
                }
            )  # fmt: skip
        if not here:
            lines.append([Cell(f"{claim.where}: {claim}"), Cell("not run", kind="not run"), *[Cell("")] * 4])
            numbers.append({"where": claim.where, "claim": str(claim), "verdict": "not run"})
    head = ("the paper says", "verdict", "measured on", "difference (simultaneous 95%)", "spread over seeds", "p")
    notes = (
        "Tukey's test of all pairs of augmentations, seeds as replicates. A statement that something is not improved "
        "is not contradicted as long as no improvement is found, and holds where the opposite is.",
    )
    return Table("The paper's statements", head, lines, pd.DataFrame(numbers).convert_dtypes(), notes)
