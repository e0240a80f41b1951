"""What Table 1 allows one to say, in words made from its numbers."""

import itertools
from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

from figures import label
from figures.comparisons import Comparison, compare_augmentations
from figures.published import beside, claims_sentence
from figures.words import as_item, as_paragraph, how_tested, p_value, the

__all__ = [
    "certified_pairs",
    "certified_profile",
    "conclusions",
    "difference_conclusions",
    "profile_conclusions",
    "published_conclusions",
    "scale_conclusions",
    "shared_conclusions",
]

CONFIDENCE = 0.99
"""Simultaneous, over both limits of every augmentation at every noise level, and so over all pairs and levels.

Half of the error is spent on the codes as they are, which is what is asked first; the rest on the levels of noise.
"""


def _limits(table: pd.DataFrame, sign: int, tail: float) -> dict[str, float]:
    """A confidence limit per augmentation of one estimator's mean over seeds.

    The seeds are the replicates. Their variance is pooled over the augmentations (Student's t, with one degree of
    freedom per augmentation fewer than networks). All networks share the test images, whose sampling error therefore
    does not average out over seeds and is added in full. With one seed each, the limits are about these networks only,
    by their error over images. Each limit fails with probability ``tail``.
    """
    freedom = int((table["seeds"] - 1).sum())
    if freedom:
        variance = float((table["std"].fillna(0) ** 2 * (table["seeds"] - 1)).sum()) / freedom
        quantile = stats.t.isf(tail, freedom)
    else:
        variance, quantile = 0.0, stats.norm.isf(tail)
    error = (variance / table["seeds"] + table["image_error"] ** 2) ** 0.5
    return dict(zip(table["augmentation"], table["mean"] + sign * quantile * error, strict=True))


def certified_pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs (A, B) for which I(Z_A; X) > I(Z_B; X) is certified.

    That is, the lower confidence limit of A's InfoNCE exceeds the upper confidence limit of B's R_m, simultaneously
    over all pairs at 99% (Bonferroni).

    Args:
        table: `analysis.table.summarise`'s rows for one kind of inputs, with noise where noise is shown.
    """
    return certified_profile(table)[0.0]


def certified_profile(table: pd.DataFrame) -> dict[float, list[tuple[str, str]]]:
    """The same at every noise level, simultaneously over all pairs and levels; level 0 is the code itself.

    Information falls with noise, so a lower limit holds at every smaller level too and an upper limit at every larger
    one: the limits are replaced by their monotone envelopes, which costs nothing because they hold together.

    Args:
        table: `analysis.table.summarise`'s rows for one kind of inputs.
    """
    table = table.assign(noise=table["noise"].fillna(0.0))
    lower, upper = (table[table["estimator"] == name] for name in ("infonce", "gaussian_marginal"))
    names = [name for name in lower["augmentation"].unique() if name in set(upper["augmentation"])]
    levels = sorted({0.0, *lower["noise"]})
    pairs = list(itertools.permutations(names, 2))
    if not pairs:
        return {level: [] for level in levels}
    share = (1 - CONFIDENCE) / (2 * len(names))  # Bonferroni: two limits per augmentation
    tails = {level: share * (0.5 / (len(levels) - 1) if level else 0.5) for level in levels}
    if len(levels) == 1:
        tails[0.0] = share
    low = {level: _limits(lower[lower["noise"] == level], -1, tails[level]) for level in levels}
    high = {level: _limits(upper[upper["noise"] == level], 1, tails[level]) for level in levels}
    return {
        level: [
            (a, b)
            for a, b in pairs
            if max(low[other][a] for other in levels if other >= level)
            > min(high[other][b] for other in levels if other <= level)
        ]
        for level in levels
    }


def profile_conclusions(table: pd.DataFrame) -> str:
    """What the noise profile allows one to say, one paragraph per kind of inputs.

    Args:
        table: `analysis.table.summarise`'s rows, with noise.
    """
    paragraphs = []
    for inputs, chosen in table.groupby("inputs", sort=False):
        certified = certified_profile(chosen)
        found = [
            f"at s = {level:g}, {_and([f'{label(a)} above {label(b)}' for a, b in pairs])}"
            for level, pairs in certified.items()
            if pairs
        ]
        where = "" if inputs == "clean" else f" ({inputs} inputs)"
        text = (
            f"With noise{where}. Noise of s times each dimension's own standard deviation brings the information below "
            f"log N, where the bounds meet. "
        )
        if found:
            text += (
                f"Certified at {CONFIDENCE:.0%} over all pairs and levels: {'; '.join(found)}. For s above 0 this "
                "orders the noised codes, not the encoders."
            )
        else:
            text += f"No difference is certified at any level ({CONFIDENCE:.0%} over all pairs and levels)."
        paragraphs.append(as_paragraph(text))
    return "\n\n".join(paragraphs)


def conclusions(table: pd.DataFrame, settings: dict[str, Any]) -> str:
    """One paragraph per kind of inputs of what may and may not be concluded.

    Args:
        table: `analysis.table.summarise`'s rows, with noise where noise is shown.
        settings: the analysis run's configuration.
    """
    paragraphs = []
    for inputs, chosen in table.groupby("inputs", sort=False):
        sentences = _sentences(chosen, settings)
        head = "What this says" if inputs == "clean" else "On each encoder's own augmented inputs"
        paragraphs.append(as_paragraph(f"{head}. " + " ".join(sentences)))
    return "\n\n".join(paragraphs)


def _sentences(everything: pd.DataFrame, settings: dict[str, Any]) -> list[str]:
    table = everything[everything["noise"].isna()]
    by = {name: rows.set_index("augmentation") for name, rows in table.groupby("estimator", sort=False)}
    rate, upper, lower = by.get("rate"), by.get("gaussian_marginal"), by.get("infonce")
    sentences = []
    if rate is not None and len(rate) > 1:
        order = rate["mean"].sort_values()
        listed = " < ".join(f"{label(str(name))} {value:.2f}" for name, value in order.items())
        sentences.append(
            f"The rates order as {listed} nats; a rate is only an upper bound on I(Z;X), so this is not an order of "
            f"information."
        )
        if upper is not None:
            again = upper["mean"].sort_values()
            same = list(again.index) == list(order.index)
            listed = " < ".join(f"{label(str(name))} {value:.2f}" for name, value in again.items())
            sentences.append(
                f"The tighter upper bound R_m keeps that order ({listed})." if same
                else f"The tighter upper bound R_m orders them differently ({listed})."
            )  # fmt: skip
    if upper is not None and lower is not None:
        ranges = "; ".join(
            f"{label(str(name))} {_between(lower['mean'][name], upper['mean'][name])}" for name in upper.index
        )
        sentences.append(f"The bounds put I(Z;X), in nats, at: {ranges}.")
        for name, word in (("mixture_marginal", "mixture"), ("flow_marginal", "flow")):
            if name in by:
                listed = ", ".join(f"{label(str(each))} {value:.2f}" for each, value in by[name]["mean"].items())
                sentences.append(
                    f"A {word} in place of the one Gaussian, fitted on the training images, brings the upper bound to "
                    f"{listed}: what it takes off R_m was never information."
                )
        full = [label(str(name)) for name in lower.index if lower["saturated"][name]]
        if full:
            cap = lower["cap"].max()
            sentences.append(
                f"InfoNCE is within a nat of its cap log N = {cap:.2f} for {_and(full)}: it cannot show more than "
                f"that from {lower['n'].max():,.0f} images, so the true value may be anywhere up to R_m."
            )
        certified = certified_pairs(everything)
        over = "all pairs" if len(table) == len(everything) else "all pairs and noise levels"
        if len(lower) < 2:
            pass
        elif certified:
            listed = _and([f"{label(a)} above {label(b)}" for a, b in certified])
            sentences.append(f"Differences in I(Z;X) certified at {CONFIDENCE:.0%} over {over}: {listed}.")
        else:
            sentences.append(
                f"No difference in I(Z;X) between augmentations is certified ({CONFIDENCE:.0%}, {over} jointly, "
                + ("seeds as replicates" if settings["seeds"] > 1 else "these networks only")
                + ")."
            )
    if (excess := by.get("rate_gap")) is not None:
        listed = ", ".join(f"{value:.2f} ({the(str(name))})" for name, value in excess["mean"].items())
        sentences.append(
            f"Of the rates, at least R − R_m = {listed} nats are KL(q(z)‖p(z)) and not information; differences of "
            "R − R_m between augmentations bound nothing."
        )
    if "rate_reconstruction" in by:
        sentences.append(
            "The rate on x̂ is about the reconstruction, not the image: it is printed because the paper prints it, and "
            "bounds neither I(Z;X) nor I(Z_A;Z_X)."
        )
    sentences.append(
        f"All of it holds at decoder scale {settings['decoder_scale']:g}, which sets how much a code is paid to "
        "carry; another scale can change the order."
    )
    return sentences


def _between(low: float, high: float) -> str:
    # bounds hold in expectation: where they meet, their errors can put the lower one above
    return f"{low:.2f} to {high:.2f}" if high - low >= 0.01 else f"about {(low + high) / 2:.2f}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def difference_conclusions(table: pd.DataFrame) -> str:
    """Which augmentations differ in the rate, and which of these differences are certified in I(Z;X).

    One block per kind of inputs; empty where there is nothing to compare.

    Args:
        table: `analysis.table.summarise`'s rows, with noise where noise is shown.
    """
    blocks = []
    for inputs, everything in table.groupby("inputs", sort=False):
        chosen = everything[everything["noise"].isna()]
        rate, marginal = (_compared(chosen, name) for name in ("rate", "gaussian_marginal"))
        if rate is None:
            continue
        can_certify = {"infonce", "gaussian_marginal"} <= set(chosen["estimator"])
        certified = certified_pairs(everything)
        where = "" if inputs == "clean" else f" on {inputs} inputs"
        lines = [
            as_paragraph(
                f"Differences between augmentations{where} ({how_tested(rate)}). Over seeds the rate spreads by "
                f"{min(rate.spreads.values()):.2f} to {max(rate.spreads.values()):.2f} nats: a true difference of "
                f"{rate.detectable:.2f} nats would be found with a power of 80%."
            )
        ]
        again = {frozenset((each.higher, each.lower)): each for each in marginal.differences} if marginal else {}
        for each in rate.found():
            text = (
                f"{_of(each.higher)} rate exceeds {_of(each.lower)} by {each.value:.2f} nats ({_seeds(rate)}, "
                f"{p_value(each.p)})"
            )
            if other := again.get(frozenset((each.higher, each.lower))):
                if other.higher != each.higher:
                    text += f", though its R_m does not ({-other.value:.2f} nats)"
                elif other.low > 0:
                    text += f", and so does its R_m by {other.value:.2f} nats ({p_value(other.p)})"
                else:
                    text += (
                        f", its R_m by {other.value:.2f} nats, which is not told apart from none ({p_value(other.p)})"
                    )
            if can_certify:
                if (each.higher, each.lower) in certified:
                    text += f"; their MI is certified to differ, {_of(each.higher)} being the higher"
                elif (each.lower, each.higher) in certified:
                    text += f"; yet {_of(each.lower)} MI is certified to be the higher"
                else:
                    text += "; their MI is not certified to differ"
            lines.append(as_item(text[0].upper() + text[1:] + "."))
        found = {frozenset((each.higher, each.lower)) for each in rate.found()}
        rest = [each for each in rate.differences if frozenset((each.higher, each.lower)) not in found]
        if not found:
            smallest = min(each.p for each in rest)
            lines.append(as_item(f"No two augmentations are told apart in the rate (smallest {p_value(smallest)})."))
        elif rest:
            listed = "; ".join(f"{the(each.higher)} and {the(each.lower)} ({p_value(each.p)})" for each in rest)
            lines.append(as_item(f"Not told apart in the rate: {listed}."))
        extra = [f"{the(a)} above {the(b)}" for a, b in certified if frozenset((a, b)) not in found]
        if extra:
            lines.append(as_item(f"Certified in MI without being told apart in the rate: {_and(extra)}."))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _compared(table: pd.DataFrame, estimator: str) -> Comparison | None:
    return compare_augmentations(table[table["estimator"] == estimator])


def scale_conclusions(tables: Mapping[float, pd.DataFrame]) -> str:
    """What changes with the decoder's scale and what does not, on clean inputs.

    Args:
        tables: `analysis.table.summarise`'s rows by decoder scale, with noise where noise is shown.
    """
    if len(tables) < 2:
        return ""
    tables = {scale: table[table["inputs"] == table["inputs"].iloc[0]] for scale, table in tables.items()}
    certified = {scale: certified_pairs(table) for scale, table in tables.items()}
    tables = {scale: table[table["noise"].isna()] for scale, table in tables.items()}
    scales = list(tables)
    sentences = [f"Over decoder scales {_and([f'{scale:g}' for scale in scales])}."]
    orders = {}
    for scale, table in tables.items():
        means = table[table["estimator"] == "rate"].set_index("augmentation")["mean"].sort_values()
        orders[scale] = (
            list(means.index),
            " < ".join(f"{label(str(name))} {mean:.1f}" for name, mean in means.items()),
        )
    sentences.append(
        "Rates in nats: " + "; ".join(f"at {scale:g}, {text}" for scale, (_, text) in orders.items()) + "."
    )
    if len({tuple(names) for names, _ in orders.values()}) > 1:
        sentences.append("The order of the mean rates changes with the scale.")
    else:
        sentences.append("The order of the mean rates is the same at every scale.")

    found: dict[tuple[str, str], list[float]] = {}
    compared = []
    for scale, table in tables.items():
        comparison = _compared(table, "rate")
        if comparison is not None:
            compared.append(scale)
            for each in comparison.found():
                found.setdefault((each.higher, each.lower), []).append(scale)
    if compared:
        every = [f"{the(a)} above {the(b)}" for (a, b), at in found.items() if at == compared]
        some = [
            f"{the(a)} above {the(b)} (at {_and([f'{scale:g}' for scale in at])})"
            for (a, b), at in found.items()
            if at != compared and (b, a) not in found
        ]
        turned = [
            f"{the(a)} above {the(b)} at {_and([f'{scale:g}' for scale in found[a, b]])} and below at "
            f"{_and([f'{scale:g}' for scale in found[b, a]])}"
            for a, b in found
            if (b, a) in found and (a, b) < (b, a)
        ]
        names = sorted({name for table in tables.values() for name in table["augmentation"]})
        silent = [
            f"{the(a)} and {the(b)}"
            for a, b in itertools.combinations(names, 2)
            if (a, b) not in found and (b, a) not in found
        ]
        for text, pairs in (
            ("Told apart in the rate at every scale (5%)", every),
            ("Told apart in the rate at some scales only", some),
            ("Reversed between scales", turned),
            ("Told apart in the rate at no scale", silent),
        ):
            if pairs:
                sentences.append(f"{text}: {_and(pairs)}.")
    if any(certified.values()):
        listed = "; ".join(
            f"at {scale:g}, " + (_and([f"{the(a)} above {the(b)}" for a, b in pairs]) if pairs else "nothing")
            for scale, pairs in certified.items()
        )
        sentences.append(f"Certified in I(Z;X), {CONFIDENCE:.0%} over all pairs at each scale: {listed}.")
    else:
        sentences.append(f"Nothing is certified in I(Z;X) at any scale ({CONFIDENCE:.0%} over all pairs at each).")
    return as_paragraph(" ".join(sentences))


def shared_conclusions(table: pd.DataFrame) -> str:
    """What the codes share with the baseline's, I(Z_A;Z_X).

    Args:
        table: `analysis.table.summarise`'s rows, with noise.
    """
    chosen = table[table["estimator"].isin(["critic", "data_processing", "three_term_lower", "three_term_upper"])]
    if not len(chosen):
        return ""
    by = chosen.set_index(["augmentation", "noise", "estimator"])["mean"]
    names = list(dict.fromkeys(chosen["augmentation"]))
    plain = by[by.index.get_level_values("noise").isna()].droplevel("noise")
    listed = "; ".join(
        f"{the(name)} {plain[name, 'critic']:.2f} to {plain[name, 'data_processing']:.2f}" for name in names
    )
    sentences = [
        "What the codes share with the baseline's, I(Z_A;Z_X), the paper's target; for the baseline, with that of "
        f"another seed. Between the held-out critic and data processing, in nats: {listed}."
    ]
    levels = sorted(level for level in chosen["noise"].dropna().unique())
    gaps = {
        level: max(by[name, level, "three_term_upper"] - by[name, level, "three_term_lower"] for name in names)
        for level in levels
    }
    if gaps:
        # the least noise at which the three terms say something: their sides within half a nat, or else the closest
        level = next((level for level in levels if gaps[level] < 0.5), min(levels, key=lambda level: gaps[level]))
        listed = "; ".join(
            f"{the(name)} {_between(by[name, level, 'three_term_lower'], by[name, level, 'three_term_upper'])}"
            for name in names
        )
        sentences.append(f"With noise s = {level:g} in both codes, between the two sides of the identity: {listed}.")
    return as_paragraph(" ".join(sentences))


def published_conclusions(table: pd.DataFrame, settings: dict[str, Any]) -> str:
    """How the clean rows stand to the published ones, and the paper's orderings of the rate.

    Args:
        table: `analysis.table.summarise`'s rows, without noise.
        settings: the analysis run's configuration, with ``data``, the data set's name, and ``train_images``.
    """
    table = table[table["inputs"] == "clean"]
    ours = {
        (row["estimator"], row["augmentation"]): (float(row["mean"]), float(row["std"]), int(row["seeds"]))
        for row in table[table["estimator"].isin(["rate", "rate_reconstruction", "mse"])].to_dict("records")
    }
    rate = _compared(table, "rate")
    parts = [beside(ours, settings), "" if rate is None else claims_sentence("rate", rate)]
    return "\n".join(part for part in parts if part)


def _of(name: str) -> str:
    return the(name) + "'s"


def _seeds(comparison: Comparison) -> str:
    return f"{comparison.seeds} seeds"
