"""What a document of representations says: tables of bounds, and which networks say less of the single image."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.bounds.estimators import label_of, sign_of
from analysis.bounds.labelled import GIVEN_LABEL, IMAGE, LABEL
from analysis.representations.dominance import SHARES, Dominance, decisions_of, needs, statements
from analysis.representations.profile import HEADLINES, LOWER_IMAGE, LOWER_LABEL, UPPER_IMAGE, UPPER_LABEL
from analysis.representations.views import CODES
from figures import label
from findings.bottom_line import SMOKE, at_most, behind, paragraph
from findings.comparisons import CONFIDENCE
from findings.decisions import Decision, decisions_sentence, in_short
from findings.power import t_above
from findings.published import Claim
from findings.sentences import p_value, said_of, the
from findings.table import plus_minus
from findings.text import Block, Tabular, Text

__all__ = ["intervals", "items_of", "of_test", "table_of", "text_of", "until_decided_of"]

COLUMNS, FEWER = 7, 5
"""Levels of noise that a table shows at most, and one whose lines have long names: more are wider than 120 letters."""

LARGE = 1000
"""Nats from which on a cell has no decimals."""

RANKS = ("effective_rank", "class_effective_rank", "linear_probe")
"""What is said of features without noise."""

NOTE = (
    "nats ± standard error over images, at fixed class counts; * saturated: too close to its cap to say much; "
    "† heavy-tailed: a few images decide it, and its error is too small. Every number is of features with noise."
)

UNSPLICED = (
    "Without training features and their labels nothing is spliced: what is called so is R_m by class, with Gaussians "
    "that are shrunk alike at every level."
)

UNITS = (
    "A level of noise is no unit that two networks share, so that they are compared at equal I(T;Y) alone: one says "
    "less of the single image where its code says at least as much of the label and less of the image beyond it."
)


def of_test(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of test images under the last weights."""
    chosen = rows["noise"].notna()
    for column, value in (("split", "training"), ("epoch", None)):
        if column in rows:
            chosen &= rows[column].isna() if value is None else rows[column] != value
    return rows[chosen]


def shown(levels: Sequence[float], at_most: int = COLUMNS) -> list[float]:
    """Some of the levels, evenly."""
    picked = np.linspace(0, len(levels) - 1, min(at_most, len(levels))).round().astype(int)
    return [levels[index] for index in picked]


def intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """The bounds by which networks are compared, side by side.

    Args:
        rows: of `over_seeds` or of a document, with ``estimator``, ``value`` and what tells networks apart.

    Returns:
        A row for each ``layer``, ``augmentation`` and ``noise`` (and ``split`` and ``epoch``), with a column for each
        of `analysis.representations.profile.HEADLINES`.
    """
    chosen = rows[rows["estimator"].isin(HEADLINES)]
    keys = [name for name in ("layer", "augmentation", "split", "epoch", "noise") if name in chosen]
    # null is a value like any other
    filled = chosen.assign(**{name: chosen[name].astype(object).where(chosen[name].notna(), "") for name in keys})
    return filled.pivot_table(index=keys, columns="estimator", values="value", sort=False).reset_index()


def table_of(rows: pd.DataFrame) -> Text:
    """A table for each layer of one network: a line for every bound, a column for some levels of noise."""
    return Text("", [*_layer_tables(rows), NOTE])


def _layer_tables(rows: pd.DataFrame) -> list[Tabular]:
    tables = []
    for layer, block in rows.groupby(rows["layer"].astype(object).fillna(""), sort=False):
        levels = shown(list(block["noise"].unique()), FEWER)
        lines = []
        for quantity in (LABEL, GIVEN_LABEL, IMAGE, CODES):
            of_quantity = []
            for name, bounds in block[block["quantity"] == quantity].groupby("estimator", sort=False):
                by_level = {row["noise"]: row for row in bounds.to_dict("records")}
                what = f"{quantity} {sign_of(bounds['direction'].iloc[0])} {label_of(str(name))}"
                vacuous = sum(bool(by_level[level]["saturated"]) for level in levels)
                of_quantity.append((vacuous, [what, *(_cell(by_level[level]) for level in levels)]))
            lines += [line for _, line in sorted(of_quantity, key=lambda one: one[0])]
        head = ["noise s", *(f"{level:.3g}" for level in levels)]
        tables.append(Tabular([head], lines, _head(layer or "features", block)))
    return tables


def _head(layer: object, block: pd.DataFrame) -> str:
    n, shape = int(block["n"].max()), block["noise_shape"].iloc[0]
    entropy = block.loc[block["quantity"] == LABEL, "cap"].max()
    return f"{layer}: {n:,} images, {shape} noise, H(Y) = {entropy:.2f} nats, log N = {np.log(n):.2f}"


def _cell(bound: Mapping[Any, Any]) -> str:
    marks = ("*" if bound["saturated"] else "") + ("†" if bound["heavy_tailed"] is True else "")
    digits = 2 if abs(bound["value"]) < LARGE else 0
    return f"{bound['value']:z.{digits}f} ± {bound['standard_error']:.{digits}f}{marks}"


def _grid_tables(rows: pd.DataFrame) -> list[Block]:
    """For each layer and quantity a line an augmentation and a column a level: from the lower bound to the upper."""
    tables: list[Block] = []
    for layer, block in rows.groupby("layer", sort=False):
        levels = shown(list(block["noise"].unique()))
        caption = _head(layer, block)
        sides = intervals(block)
        flagged = {flag: _flagged(block, flag) for flag in ("saturated", "heavy_tailed")}
        for quantity, low, high in ((LABEL, LOWER_LABEL, UPPER_LABEL), (GIVEN_LABEL, LOWER_IMAGE, UPPER_IMAGE)):
            lines = []
            for name, of_name in sides.groupby("augmentation", sort=False):
                at = of_name.set_index("noise")
                line = [label(str(name))]
                for level in levels:
                    here = {(str(layer), str(name), level, low), (str(layer), str(name), level, high)}
                    marks = ("*" if here & flagged["saturated"] else "") + (
                        "†" if here & flagged["heavy_tailed"] else ""
                    )
                    line.append(f"{at[low][level]:z.2f} to {at[high][level]:z.2f}{marks}")
                lines.append(line)
            head = [f"{quantity}, noise s", *(f"{level:.3g}" for level in levels)]
            tables.append(Tabular([head], lines, caption))
    note = (
        "From the lower bound to the upper, nats, means over seeds, of test images; * one of them is saturated, "
        "† heavy-tailed, in some network. "
        f"I(T;Y): {label_of(LOWER_LABEL)} and {label_of(UPPER_LABEL)}; I(T;X|Y): {label_of(LOWER_IMAGE)} and "
        f"{label_of(UPPER_IMAGE)}, which is spliced at a level fixed on training images."
    )
    return [*tables, note]


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of a document of representations, made again from its rows, its runs and what dominates what.

    Returns:
        The whole text, and its sentences without the tables.
    """
    rows, items = pd.DataFrame(document["results"]), items_of(document)
    scored = of_test(rows)
    networks = scored[["augmentation"]].notna().to_numpy().any()
    head = document["about"]["title"]
    if not networks:
        single = rows.astype({"augmentation": object}).fillna({"augmentation": "model"})
        unspliced = "" if "split" in rows and (rows["split"] == "training").any() else UNSPLICED
        tables = [_outputs_table(single), _ranks_table(single), *_layer_tables(scored), NOTE, unspliced]
        line = SMOKE if document["about"]["watermark"] else _of_one(scored)
        return Text(said_of(items, line), [head, *_given(tables, items)]), ""
    tables = [networks_table(document), _outputs_table(rows), _ranks_table(rows), *_grid_tables(scored)]
    conclusions = said_of(items, conclusions_of(document))
    line = SMOKE if document["about"]["watermark"] else _bottom_line(document, scored)
    return Text(said_of(items, line), [head, *_given([*tables, conclusions], items)]), conclusions


def items_of(document: Mapping[str, Any]) -> str:
    """What the items are called that networks have seen: ``"images"``, if nothing else is said."""
    return str(document["about"]["settings"].get("items", "images"))


def _given(blocks: Sequence[Block | None], items: str) -> list[Block]:
    """Those blocks that are there, and speak of such items."""
    return [
        said_of(items, block)
        if isinstance(block, str)
        else replace(
            block,
            head=[[said_of(items, cell) for cell in line] for line in block.head],
            caption=said_of(items, block.caption),
            notes=[said_of(items, note) for note in block.notes],
        )
        for block in blocks
        if block
    ]


def _of_one(scored: pd.DataFrame) -> str:
    """What the layers of one network say of the label and of the image beyond it, where the noise is least."""
    z, sentences = float(t_above((1 - CONFIDENCE) / 4, np.inf)), []
    for layer, block in scored.groupby(scored["layer"].astype(object).fillna(""), sort=False):
        level = block["noise"].min()
        at = block[block["noise"] == level].drop_duplicates("estimator").set_index("estimator")
        if not set(HEADLINES) <= set(at.index):
            continue
        limits = []
        for low, high in ((LOWER_LABEL, UPPER_LABEL), (LOWER_IMAGE, UPPER_IMAGE)):
            ends = (
                at["value"][low] - z * at["standard_error"][low],
                at["value"][high] + z * at["standard_error"][high],
            )
            limits.append(f"{max(ends[0], 0):.2f} to {ends[1]:.2f}")
        saturated = " (saturated)" if bool(at["saturated"][LOWER_IMAGE]) else ""
        sentences.append(
            f"With noise s = {level:.3g}, {layer or 'the features'} say{'s' if layer else ''} {limits[0]} nats of the "
            f"label and {limits[1]} of the image beyond it{saturated} (99% for all four ends, "
            f"n = {int(block['n'].max()):,})."
        )
    if len(sentences) > 3:
        sentences = [sentences[0], sentences[-1]]
    return paragraph([*sentences, "Compared with no other network, nothing more is decided."])


def _bottom_line(document: Mapping[str, Any], scored: pd.DataFrame) -> str:
    """Which networks are shown to say less of the single image, or that nothing is decided and what would decide it."""
    tested, config = dominances_of(document), document["config"]
    decisions = until_decided_of(document)
    until = in_short(decisions, config)
    if not tested:
        return paragraph(["Nothing is decided: two networks or more would have to be compared.", until])
    family = [one for one in tested if one.noise_less is not None]
    claimed = [one for one in family if one.claimed]
    n = behind(min(one.seeds for one in tested), int(scored["n"].max()))
    by_pair: dict[tuple[str, str], list[Dominance]] = {}
    for one in claimed:
        by_pair.setdefault((one.less, one.more), []).append(one)
    listed = []
    for (less, more), ones in by_pair.items():
        layers = list(dict.fromkeys(one.layer or "features" for one in ones))
        p = p_value(max(one.p for one in ones))
        listed.append(f"{the(less)} says less than {the(more)} in {at_most(layers)} ({p} at most)")
    alone = ", of these networks alone" if min(one.seeds for one in tested) < 2 else ""
    subject = f"Of the single image, at equal I(T;Y) ({n}{alone})"
    sentences = [f"{subject}: {'; '.join(listed[:4])}." if listed else ""]
    if len(listed) > 4:
        sentences.append(f"So it is of {len(listed) - 4} ordered pairs more.")
    rest = len(family) - len(claimed)
    if rest:
        text = f"{rest} of {len(family)} tests show nothing ({n}, 5% over all of them)"
        needed = needs([one for one in family if not one.claimed])
        sentences.append(
            f"Nothing is decided: none of {len(family)} tests shows that a network says less of the single image at "
            f"equal I(T;Y) ({n}, 5% over all of them); if the margins are what they seem, {needed} show the closest."
            if not claimed
            else f"{text[0].upper()}{text[1:]}; if the margins are what they seem, {needed} decide the closest."
        )
    if not family:
        sentences.append(
            f"Nothing is decided: at no layer and share of H(Y) do the bounds of two networks separate on training "
            f"images ({n}), and tighter bounds would have to."
        )
    return paragraph([*sentences, until])


def networks_table(document: Mapping[str, Any]) -> Tabular | None:
    """Accuracy and training loss of the networks behind a document, which belong beside what they keep."""
    metrics: dict[str, dict[str, list[float]]] = {}
    for run in document["runs"]:
        record = run["record"]
        if record["kind"] != "classifier":
            continue
        of_name = metrics.setdefault(run["augmentation"], {"accuracy": [], "training": [], "loss": []})
        of_name["accuracy"].append(100 * record["metrics"]["accuracy"])
        curve = record.get("curve") or [{}]
        of_name["training"].append(100 * curve[-1].get("training_accuracy", np.nan))
        of_name["loss"].append(curve[-1].get("training_cross_entropy", np.nan))
    if not metrics:
        return None
    head = [["networks", "accuracy", "on training images", "cross entropy there"], ["", "%", "%", "nats"]]
    lines = []
    for name, of_name in metrics.items():
        line = [label(name)]
        for key, digits in (("accuracy", 2), ("training", 2), ("loss", 4)):
            values = np.array(of_name[key])
            spread = float(values.std(ddof=1)) if len(values) > 1 else None
            line.append(plus_minus(float(values.mean()), spread, digits))
        lines.append(line)
    return Tabular(head, lines, notes=["Mean ± standard deviation over seeds; training images as they are."])


def _values(rows: pd.DataFrame, by: Sequence[str]) -> dict[tuple[Any, ...], float]:
    """Values by estimator and what else tells them apart."""
    chosen = rows[rows["noise"].isna()]
    keys = zip(chosen["estimator"], *(chosen[name] for name in by), strict=True)
    return dict(zip(keys, chosen["value"].astype(float), strict=True))


def _outputs_table(rows: pd.DataFrame) -> Tabular | None:
    """What the answers say of the image, and how far networks are from fitting mixed inputs."""
    if not (rows["estimator"] == "plug_in").any():
        return None
    values = _values(rows, ("augmentation",))
    shown = rows[rows["estimator"].isin(("affinity_kl_difference", "affinity_accuracy_difference"))]
    shifts = _values(shown, ("scored_on",)) if len(shown) else {}
    head = [["answers", "I(X;Ŷ)", "I(X;Ŷ|Y)", "diversity", "affinity, KL", "affinity, accuracy"]]
    head.append(["", "nats", "nats", "nats", "nats", "points"])
    lines = []
    for name in dict.fromkeys(rows.loc[rows["estimator"] == "plug_in", "augmentation"]):
        line = [label(str(name))]
        for low, high in (("plug_in", "leave_one_out_outputs"), ("class_plug_in", "class_leave_one_out_outputs")):
            line.append(f"{values[low, name]:.3f} to {values[high, name]:.3f}")
        for value, digits in (
            (values.get(("diversity", name)), "+.3f"),
            (shifts.get(("affinity_kl_difference", name)), "+.3f"),
            (shifts.get(("affinity_accuracy_difference", name)), "+.1f"),
        ):
            line.append("—" if value is None else f"{value:{digits}}")
        lines.append(line)
    note = (
        "Ŷ is drawn from the softmax at one temperature, fitted on a fifth of the test images; from the lower bound to "
        "the upper. Diversity: cross entropy on a network's own augmented training inputs, less the targets' entropy; "
        "affinity: of networks trained on clean images, on augmented test images, what is above clean ones "
        "(Gontijo-Lopes et al. 2020). Both describe; neither is an information."
    )
    return Tabular(head, lines, notes=[note])


def _ranks_table(rows: pd.DataFrame) -> Tabular | None:
    """How many directions the features without noise have, and what a linear probe reads of the label from them."""
    if not (rows["estimator"] == "effective_rank").any():
        return None
    chosen = rows[rows["estimator"].isin(RANKS)]
    chosen = chosen.assign(layer=chosen["layer"].astype(object).fillna("features") if "layer" in chosen else "features")
    values = _values(chosen, ("layer", "augmentation"))
    head = [["without noise", "", "effective rank", "within classes", "linear probe"], ["", "", "", "", "nats"]]
    lines = []
    for layer in dict.fromkeys(chosen["layer"]):
        for name in dict.fromkeys(chosen["augmentation"]):
            line = [str(layer), label(str(name))]
            for estimator, digits in zip(RANKS, (1, 1, 3), strict=True):
                line.append(f"{values[estimator, layer, name]:.{digits}f}")
            lines.append(line)
    note = (
        "Effective rank: the exponential of the entropy of the singular values' shares. The probe, a logistic "
        "regression on other images, is a lower bound on what the features say of the label (usable information)."
    )
    return Tabular(head, lines, notes=[note], keys=2)


def dominances_of(document: Mapping[str, Any]) -> list[Dominance]:
    """What was tested of the networks behind a document."""
    return [Dominance(**one) for one in document.get("dominance", ())]


def conclusions_of(document: Mapping[str, Any]) -> str:
    """Which networks are shown to say less of the single image than others, where, and what cannot be told."""
    tested = dominances_of(document)
    if not tested:
        return ""
    seeds = min(one.seeds for one in tested)
    family = sum(one.noise_less is not None for one in tested)
    lines = [
        f"Less of the single image at equal I(T;Y) ({seeds} seed{'s' if seeds > 1 else ''}"
        f"{'; of these networks alone' if seeds < 2 else ''}; both inequalities one-sided, Holm's correction over the "
        f"{family} of {len(tested)} layers, ordered pairs and shares of H(Y) whose bounds separate on training images, "
        f"5%{' over all looks' if document['config'].get('until') else ''})."
    ]
    claimed = [one for one in tested if one.claimed]
    by_pair: dict[tuple[str, str], list[Dominance]] = {}
    for one in claimed:
        by_pair.setdefault((one.less, one.more), []).append(one)
    for (less, more), ones in by_pair.items():
        layers: dict[str | None, list[Dominance]] = {}
        for one in ones:
            layers.setdefault(one.layer, []).append(one)
        places = "; ".join(f"{layer or 'features'} at {_shares(found)} of H(Y)" for layer, found in layers.items())
        largest = max(ones, key=lambda one: one.image_margin or 0.0)
        name = the(less)
        lines.append(
            f"- {name[0].upper() + name[1:]} says less than {the(more)}: {places} "
            f"({p_value(max(one.p for one in ones))} at most; up to {largest.image_margin:.2f} nats of gap, "
            f"{largest.layer or 'features'})."
        )
    lines.append(f"- Of {family} tests {len(claimed)} are decided.")
    if few := _few_decide(document, claimed):
        lines.append(
            f"- In {few} of them a few images decide one of the bounds, in some network: its error is too small."
        )
    if judged := statements(tested):
        said = "; ".join(
            f"{claim}: {verdict} here{_where(shown)}{_needs(claim, verdict, tested)}"
            for claim, verdict, shown in judged
        )
        lines.append(f"- Of the paper's statements, taken at their word for classifiers, {said}.")
    lines += _affinity_line(pd.DataFrame(document["results"]))
    lines.append(UNITS)
    config = document["config"]
    until = decisions_sentence(until_decided_of(document), config)
    return "\n".join(lines) + (f"\n\n{until}" if until else "")


def until_decided_of(document: Mapping[str, Any]) -> list[Decision]:
    """What became of every pair of augmentations; nothing where the number of seeds was fixed beforehand."""
    config = document["config"]
    if config.get("until") is None:
        return []
    return decisions_of(dominances_of(document), last=config["seeds"] >= config["most"])


def _affinity_line(rows: pd.DataFrame) -> list[str]:
    """Affinity and diversity in words; nothing where they were not measured."""
    said = []
    for estimator, by, words in (
        ("affinity_kl_difference", "scored_on", "affinity, what networks trained without lose on mixed test images"),
        ("diversity", "augmentation", "Diversity, what networks have left to fit of their own training inputs"),
    ):
        chosen = rows[rows["estimator"] == estimator]
        values = "; ".join(f"{the(str(row[by]))} {row['value']:.2f}" for row in chosen.to_dict("records"))
        said += [f"{words} (KL, nats): {values}"] if values else []
    return [f"- Described (Gontijo-Lopes et al. 2020), and no information: {'. '.join(said)}."] if said else []


Flagged = set[tuple[str, str, float, str]]
"""Layer, augmentation, level and estimator."""


def _flagged(rows: pd.DataFrame, flag: str) -> Flagged:
    chosen = rows[rows[flag].eq(True)]
    keys = (chosen[name] for name in ("layer", "augmentation", "noise", "estimator"))
    return {
        (str(layer), str(name), float(level), str(estimator))
        for layer, name, level, estimator in zip(*keys, strict=True)
    }


def _few_decide(document: Mapping[str, Any], claimed: Sequence[Dominance]) -> int:
    """How many claims rest on a bound that is heavy-tailed."""
    flagged = _flagged(of_test(pd.DataFrame(document["results"])), "heavy_tailed")
    return sum(
        bool(
            flagged
            & {
                (str(one.layer), name, float(level or 0), estimator)
                for name, level, estimators in (
                    (one.less, one.noise_less, (LOWER_LABEL, UPPER_IMAGE)),
                    (one.more, one.noise_more, (UPPER_LABEL, LOWER_IMAGE)),
                )
                for estimator in estimators
            }
        )
        for one in claimed
    )


def _needs(claim: Claim, verdict: str, tested: Sequence[Dominance]) -> str:
    """What would decide a statement that cannot be told, in brackets; nothing of documents that do not say."""
    ones = [one for one in tested if {one.less, one.more} == {claim.above, claim.below}]
    if verdict != "cannot be told" or not any(one.needed or one.noise_less is None for one in ones):
        return ""
    return f" ({needs(ones)})"


def _where(shown: Sequence[Dominance]) -> str:
    layers = list(dict.fromkeys(one.layer or "features" for one in shown))
    return f" ({', '.join(layers)})" if layers else ""


def _shares(ones: Sequence[Dominance]) -> str:
    return ", ".join(f"{share:.0%}" for share in SHARES if any(one.share == share for one in ones))
