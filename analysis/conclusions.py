"""What Table 1 allows one to say, in words made from its numbers."""

import itertools
import textwrap
from typing import Any

import pandas as pd
from scipy import stats

from figures import label

__all__ = ["certified_pairs", "certified_profile", "conclusions", "profile_conclusions"]

CONFIDENCE = 0.99
"""Simultaneous, over all ordered pairs of augmentations and both limits of each."""


def _limits(table: pd.DataFrame, sign: int, comparisons: int) -> dict[str, float]:
    """A confidence limit per augmentation of one estimator's mean over seeds.

    The seeds are the replicates. Their variance is pooled over the augmentations (Student's t, with one degree of
    freedom per augmentation fewer than networks). All networks share the test images, whose sampling error therefore
    does not average out over seeds and is added in full. With one seed each, the limits are about these networks only,
    by their error over images.
    """
    tail = (1 - CONFIDENCE) / (2 * comparisons)
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
        table: `analysis.table.summarise`'s rows for one kind of inputs, without noise.
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
    comparisons = len(pairs) * len(levels)
    low = {level: _limits(lower[lower["noise"] == level], -1, comparisons) for level in levels}
    high = {level: _limits(upper[upper["noise"] == level], 1, comparisons) for level in levels}
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
        paragraphs.append(textwrap.fill(text, 110, break_on_hyphens=False))
    return "\n\n".join(paragraphs)


def conclusions(table: pd.DataFrame, settings: dict[str, Any]) -> str:
    """One paragraph per kind of inputs of what may and may not be concluded.

    Args:
        table: `analysis.table.summarise`'s rows.
        settings: the analysis run's configuration.
    """
    paragraphs = []
    for inputs, chosen in table.groupby("inputs", sort=False):
        sentences = _sentences(chosen, settings)
        head = "What this says" if inputs == "clean" else "On each encoder's own augmented inputs"
        paragraphs.append(textwrap.fill(f"{head}. " + " ".join(sentences), 110, break_on_hyphens=False))
    return "\n\n".join(paragraphs)


def _sentences(table: pd.DataFrame, settings: dict[str, Any]) -> list[str]:
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
        full = [label(str(name)) for name in lower.index if lower["saturated"][name]]
        if full:
            cap = lower["cap"].max()
            sentences.append(
                f"InfoNCE is within a nat of its cap log N = {cap:.2f} for {_and(full)}: it cannot show more than "
                f"that from {lower['n'].max():,.0f} images, so the true value may be anywhere up to R_m."
            )
        certified = certified_pairs(table)
        if len(lower) < 2:
            pass
        elif certified:
            listed = _and([f"{label(a)} above {label(b)}" for a, b in certified])
            sentences.append(f"Differences in I(Z;X) certified at {CONFIDENCE:.0%} over all pairs: {listed}.")
        else:
            sentences.append(
                f"No difference in I(Z;X) between augmentations is certified ({CONFIDENCE:.0%}, all pairs jointly, "
                + ("seeds as replicates" if settings["seeds"] > 1 else "these networks only")
                + ")."
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
