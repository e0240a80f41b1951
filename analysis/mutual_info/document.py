"""The document of Table 1: its text and figures made from its numbers, and several documents joined."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.mutual_info.factors import factor_conclusions, factor_table, factors_of
from analysis.mutual_info.rows import DRAWS
from analysis.mutual_info.sentences import (
    bottom_line,
    compared,
    conclusions,
    difference_conclusions,
    profile_conclusions,
    published_conclusions,
    scale_conclusions,
    shared_conclusions,
    trained_conclusions,
)
from analysis.mutual_info.table import (
    decomposition_text,
    shared_table,
    summarise,
    text_table,
    training_table,
)
from figures import in_usual_order, save
from findings.bottom_line import SMOKE
from findings.comparisons import Comparison
from findings.decisions import decide, decisions_sentence, in_short
from findings.document import check_joinable, latest
from findings.over_seeds import headlines
from findings.published import in_manner
from findings.sentences import said_of
from findings.text import Block, Tabular, Text
from findings.under_trained import LINEAR, mostly_under_trained, networks_of
from store import digest_of
from store.registry import known_as
from vae.linear import draws_of
from vae.train import Settings, squared_units

__all__ = ["comparisons", "draw", "flagged_headlines", "joined", "text_of"]


def flagged_headlines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The headline rows, means over seeds, each marked under-trained where most of its augmentation's VAEs are."""
    flags = mostly_under_trained(rows)
    return [row | {"under_trained": flags.get(row["augmentation"])} for row in headlines(rows)]


def tables_by_scale(document: Mapping[str, Any]) -> dict[float, pd.DataFrame]:
    """A document's rows over seeds, by decoder scale."""
    rows: dict[float, list[dict[str, Any]]] = {}
    for row in document["results"]:
        if row["seed"] is not None:
            rows.setdefault(row["decoder_scale"], []).append(row)
    items = items_of(document)
    return {
        scale: in_manner(
            summarise(of_scale + _missing_excess(of_scale)).assign(decoder_scale=scale), document["config"], items=items
        )
        for scale, of_scale in rows.items()
    }


def items_of(document: Mapping[str, Any]) -> str:
    """What the items are called that VAEs were trained on: ``"images"``, if nothing else is said."""
    return str(document["about"]["settings"].get("items", "images"))


def _missing_excess(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """−ELBO on clean images less the baseline's of the same seed, where a document has the two and not the difference.

    Without a standard error: the images' own values are not in documents.
    """
    if any(row["estimator"] == "negative_elbo_excess" for row in rows):
        return []
    elbos = [row for row in rows if (row["estimator"], row["inputs"]) == ("negative_elbo", "clean")]
    baseline = {row["seed"]: row["value"] for row in elbos if row["augmentation"] == "none"}
    return [
        row
        | {"estimator": "negative_elbo_excess", "value": row["value"] - baseline[row["seed"]]}
        | {"standard_error": None}
        for row in elbos
        if row["augmentation"] not in ("none", LINEAR) and row["seed"] in baseline
    ]


def _head(document: Mapping[str, Any], scale: float) -> str:
    settings, seeds = document["about"]["settings"], document["about"]["settings"]["seeds"]
    return (
        f"Table 1 on {settings['data']}: {seeds} seed{'s' if seeds > 1 else ''}, {settings['train_images']:,} training "
        f"{items_of(document)}, {settings['epochs']} epochs, {observed(settings, scale)}"
    )


def observed(settings: Mapping[str, Any], scale: float) -> str:
    """What of p(x|z) is no network, in words: a Gaussian's scale, or that it is Bernoulli's.

    Args:
        settings: of VAEs, with every value.
        scale: of the decoder.
    """
    return "Bernoulli likelihood" if settings.get("likelihood") == "bernoulli" else f"decoder scale {scale:g}"


def title_of(document: Mapping[str, Any]) -> str:
    settings, scales = document["about"]["settings"], list(tables_by_scale(document))
    if len(scales) == 1:
        return _head(document, scales[0])
    return f"{settings['data']}: {settings['seeds']} seeds, {settings['train_images']:,} training {items_of(document)}"


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The bottom line, tables and sentences of a document, and the sentences alone: a function of its numbers.

    Args:
        document: with ``config``, ``results`` and ``about``, as this job writes it.
    """
    config, about, items = document["config"], document["about"], items_of(document)
    tables = tables_by_scale(document)
    parts: list[Block | None] = []
    conclusions_of_all: list[str] = []
    for scale, table in tables.items():
        sentences = [f"At decoder scale {scale:g}."] if len(tables) > 1 else []
        settings = about["settings"] | {"decoder_scale": scale}
        sentences += _sentences(config, table, settings, alone=len(tables) < 2)
        parts += [*_text_tables(config, table, _head(document, scale), items), *sentences]
        conclusions_of_all += sentences
    if len(tables) > 1:
        conclusions_of_all.append(said_of(items, scale_conclusions(tables)))
        parts.append(conclusions_of_all[-1])
    decisions = decide(comparisons(document), config)
    conclusions_of_all.append(said_of(items, decisions_sentence(decisions, config)))
    parts.append(conclusions_of_all[-1])
    if about["watermark"]:
        line = SMOKE
    else:
        first = config["inputs"][0]
        chosen = {scale: table[table["inputs"] == first] for scale, table in tables.items()}
        line = said_of(items, bottom_line(chosen, in_short(decisions, config)))
    return Text(line, [part for part in parts if part]), _joined(conclusions_of_all)


def comparisons(document: Mapping[str, Any]) -> dict[str, Comparison | None]:
    """What ``--until decided`` is about: the rates of a document's augmentations on the first inputs, at each scale."""
    first, tables = document["config"]["inputs"][0], tables_by_scale(document)
    found = {}
    for scale, table in tables.items():
        plain = _without_noise(table)
        at = f" at scale {scale:g}" if len(tables) > 1 else ""
        found[f"rate{at}"] = compared(plain[plain["inputs"] == first], "rate")
    return found


def _joined(blocks: Sequence[str]) -> str:
    return "\n\n".join(block for block in blocks if block)


def joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One document of several that measured the same with other seeds or augmentations.

    Args:
        documents: of this job, of networks that differ in seed and augmentation alone. Of what is in two of them, the
            numbers of the later count.

    Returns:
        The document, its text remade; the figures are `draw`'s.

    Raises:
        BadInput: documents of other settings, data or versions of the analysis.
    """
    check_joinable(documents)
    first = documents[0]
    rows = latest((row for document in documents for row in document["results"] if row["seed"] is not None), ROW_KEYS)
    points = latest((point for document in documents for point in document["about"]["curves"]), (*NETWORK_KEYS, "step"))
    runs = latest((run for document in documents for run in document["runs"]), NETWORK_KEYS)
    settings = first["about"]["settings"]
    names = in_usual_order(known_as(name) for document in documents for name in document["config"]["augmentations"])
    seeds = sorted({row["seed"] for row in rows if row["augmentation"] in names})
    changed = {"augmentations": names, "seeds": len(seeds), "first_seed": seeds[0]}
    results = []
    for scale in dict.fromkeys(row["decoder_scale"] for row in rows):
        of_scale = sorted(
            (row for row in rows if row["decoder_scale"] == scale),
            key=lambda row: names.index(row["augmentation"]) if row["augmentation"] in names else len(names),
        )
        results += [row | {"decoder_scale": scale} for row in flagged_headlines(of_scale)] + of_scale
    about = first["about"] | {"settings": settings | changed, "curves": points}
    whole = dict(first) | {
        "config": first["config"] | changed,
        "results": results,
        "about": about,
        "runs": runs,
        "failures": [failure for document in documents for failure in document["failures"]],
    }
    about["title"] = title_of(whole)
    text, about["conclusions"] = text_of(whole)
    whole["text"], about["bottom_line"] = text, text.bottom_line
    return whole


NETWORK_KEYS = ("decoder_scale", "augmentation", "seed")
"""What tells one VAE of a document from the others."""


ROW_KEYS = (*NETWORK_KEYS, "inputs", "quantity", "estimator", "noise", "fitted_on")
"""What tells one number of a document from the others."""


def draw(document: Mapping[str, Any], directory: Path) -> list[Path]:
    """Draw the figures of a document's numbers, with the numbers behind each; return the files.

    A picture of its networks (`analysis.mutual_info.reconstructions`), which no document has the numbers for, stays
    where it lies in ``directory`` as the job wrote it.
    """
    # matplotlib is slow to import
    from analysis.mutual_info.factors import draw_factors
    from analysis.mutual_info.figures import draw_noise_profile, draw_rate_distortion, draw_table_1, draw_training

    def drawn_of(table: pd.DataFrame, names: Sequence[str]) -> bool:
        return bool(networks_of(table)["estimator"].isin(names).any())

    tables, watermark = tables_by_scale(document), document["about"]["watermark"]
    curves = pd.DataFrame(document["about"].get("curves", []))
    units = squared_units(document["about"]["settings"])
    files: list[Path] = []
    for scale, table in tables.items():
        head, suffix = _head(document, scale), f"-scale-{scale:g}" if len(tables) > 1 else ""
        if drawn_of(table, ("rate", "gaussian_marginal", "infonce")):
            figure, numbers = draw_table_1(_without_noise(table), head)
            files += save(figure, directory / f"table-1{suffix}", numbers, watermark=watermark)
        if document["config"]["noise"] and drawn_of(table, ("gaussian_marginal", "infonce")):
            figure, numbers = draw_noise_profile(networks_of(table), head.removeprefix("Table 1 on "))
            files += save(figure, directory / f"noise-profile{suffix}", numbers, watermark=watermark)
        clean = table[table["inputs"] == "clean"]
        if factors_of(clean):
            figure, numbers = draw_factors(clean, head.removeprefix("Table 1 on "))
            files += save(figure, directory / f"factors{suffix}", numbers, watermark=watermark)
        if len(curves):
            chosen = curves[curves["decoder_scale"] == scale]
            figure = draw_training(chosen, _without_noise(table), head.removeprefix("Table 1 on "), units)
            files += save(figure, directory / f"training{suffix}", chosen, watermark=watermark)
    together = _without_noise(pd.concat(tables.values(), ignore_index=True))
    if len(tables) > 1 and drawn_of(together, ("rate", "gaussian_marginal")):
        figure, numbers = draw_rate_distortion(together, title_of(document), units)
        files += save(figure, directory / "rate-distortion", numbers, watermark=watermark)
    return files + _of_networks(document, directory)


def _of_networks(document: Mapping[str, Any], directory: Path) -> list[Path]:
    names = [f"reconstructions{suffix}" for suffix in (".png", ".svg", ".csv")]
    written = {directory / name: document.get("files", {}).get(name) for name in names}
    return [file for file, digest in written.items() if digest and file.is_file() and digest_of(file) == digest]


def _without_noise(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["noise"].isna()]


def _text_tables(config: Mapping[str, Any], everything: pd.DataFrame, head: str, items: str) -> list[Block | None]:
    """The tables at one decoder scale."""
    table = _without_noise(everything)
    parts: list[Block | None] = []
    for inputs in config["inputs"]:
        parts.append(text_table(table[table["inputs"] == inputs], f"{head}; {inputs} test {items}"))
    parts.append(training_table(table))
    parts.append(factor_table(everything[everything["inputs"] == "clean"], f"{head}; what codes keep of known factors"))
    if config["shared"] and (everything["estimator"] == "critic").any():
        parts.append(shared_table(everything))
    if config["decomposition"]:
        parts.append(said_of(items, decomposition_text(networks_of(table))))
    return [
        replace(one, notes=[said_of(items, note) for note in one.notes]) if isinstance(one, Tabular) else one
        for one in parts
    ]


def _sentences(config: Mapping[str, Any], everything: pd.DataFrame, settings: dict[str, Any], alone: bool) -> list[str]:
    """What the numbers at one decoder scale allow one to say."""
    # a VAE's own-augmented −ELBO is always there: the bounds on these inputs only when they were asked for
    chosen = everything[everything["inputs"].isin(config["inputs"])]
    parts = [_trained(everything, settings), conclusions(chosen, settings), difference_conclusions(chosen)]
    if config["noise"]:
        parts.append(profile_conclusions(chosen))
    parts.append(factor_conclusions(everything[everything["inputs"] == "clean"]))
    if config["shared"] and (everything["estimator"] == "critic").any():
        parts.append(shared_conclusions(everything))
    parts = [said_of(settings.get("items", "images"), part) for part in parts]
    if alone or settings["decoder_scale"] == Settings().decoder_scale:
        parts.append(published_conclusions(_without_noise(everything), settings))
    return [block for block in parts if block]


def _trained(everything: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """How the VAEs stand to the linear ones, and what has to be known of these."""
    found = [trained_conclusions(everything)]
    most, shape = DRAWS, tuple(settings.get("shape", ()))
    if found[0] and (count := draws_of(shape, most, "rate" in settings)) < most:
        found.append(f"Linear VAEs are fitted on {count:,} draws of their inputs.")
    if found[0] and settings.get("likelihood") == "bernoulli":
        found.append(
            "Under a Bernoulli likelihood the entropy of grey values, which mixing makes, is in the −ELBO of an "
            "augmentation's own inputs: it stands beside the linear VAE's, and not beside another augmentation's."
        )
    return "\n\n".join(part for part in found if part)
