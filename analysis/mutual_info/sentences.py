"""What Table 1 allows one to say, in words made from its numbers."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.bounds.estimators import ESTIMATORS, names_of
from analysis.mutual_info.table import RECONSTRUCTION, share_of_ceiling
from figures import label
from findings.bottom_line import at_most, behind, found_sentence, paragraph, undecided_sentence
from findings.comparisons import (
    CONFIDENCE,
    LEVEL,
    SKEWED_CERTIFICATE,
    Comparison,
    Difference,
    as_family,
    certificates,
    compare_augmentations,
)
from findings.power import limit
from findings.published import beside, claims_sentence, margin_of
from findings.sentences import WITHHELD, enumerated, how_tested, p_value, the, told_apart, undecided_lines
from findings.under_trained import LINEAR, networks_of, under_trained

__all__ = [
    "bottom_line",
    "certified_pairs",
    "certified_profile",
    "certified_shared",
    "coded_worse",
    "compared",
    "conclusions",
    "difference_conclusions",
    "excess_conclusions",
    "profile_conclusions",
    "published_conclusions",
    "scale_conclusions",
    "shared_conclusions",
    "trained_conclusions",
]

BOUNDS = ("infonce", "gaussian_marginal")
"""Lower and upper bound with which I(Z;X) is certified at every level of noise."""

SHARED_BOUNDS = ("critic", "data_processing")
"""Lower and upper bound with which I(Z_A;Z_X) is certified without noise, where the three terms are saturated; fixed
beforehand."""

NOISED_SHARED_BOUNDS = ("three_term_lower", "three_term_upper")
"""Lower and upper bound with which I(Z_A;Z_X) is certified with noise."""

SHARED_WORDS = {
    "critic": "I(Z_A;Z_X) by the held-out critic, a lower bound",
    "data_processing": "I(Z_A;Z_X) by data processing, an upper bound",
    "three_term_lower": "I(Z_A;Z_X) by the three terms, the lower side,",
    "three_term_upper": "I(Z_A;Z_X) by the three terms, the upper side,",
}
"""What is compared, where bounds on I(Z_A;Z_X) are compared, and not the information itself."""


def certified_pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs (A, B) for which I(Z_A; X) > I(Z_B; X) is certified.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for one kind of inputs, with noise where noise is shown.
    """
    return certified_profile(table)[0.0]


def certified_profile(
    table: pd.DataFrame, plain: tuple[str, str] = BOUNDS, noised: tuple[str, str] = BOUNDS
) -> dict[float, list[tuple[str, str]]]:
    """Pairs (A, B) at every level of noise for which A's information is certified to be above B's.

    The lower bound of A's exceeds the upper bound of B's at the same level, simultaneously over all pairs and levels at
    99% (`findings.comparisons.certificates`). At a level above 0 this orders the noised codes. Under-trained VAEs take
    no part.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for one kind of inputs; level 0 is the code itself.
        plain: lower and upper bound without noise.
        noised: the same with noise.
    """
    networks = networks_of(table)
    networks = networks[~networks["augmentation"].isin(under_trained(networks))]
    networks = networks.assign(level=networks["noise"].fillna(0.0))
    levels = sorted({0.0, *networks["level"]})
    with_noise = networks["level"] > 0
    lower, upper = (
        networks[
            (networks["estimator"] == plain[side]) & ~with_noise | (networks["estimator"] == noised[side]) & with_noise
        ]
        for side in (0, 1)
    )
    certified: dict[float, list[tuple[str, str]]] = {level: [] for level in levels}
    for a, b, level in certificates(lower, upper):
        certified[level].append((a, b))
    return certified


def trained_conclusions(table: pd.DataFrame) -> str:
    """Which VAEs are worse than the linear VAE, and by how much each augmentation's code clean images worse.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows.
    """
    plain = table[table["noise"].isna()]
    elbos = plain[plain["estimator"] == "negative_elbo"].set_index(["inputs", "augmentation"])["mean"]
    linear = elbos.get(("clean", LINEAR))
    if linear is None:
        return ""

    def against(name: str) -> str:
        elbo, fitted = elbos.get(("own-augmented", name)), elbos.get(("own-augmented", f"{LINEAR} on {name}"))
        if elbo is None or fitted is None:  # older records: the baseline's own inputs are clean ones
            elbo, fitted = elbos["clean", name], linear
        return f"{the(name)} ({elbo:,.1f} nats an image against {fitted:,.1f})"

    networks = networks_of(plain)
    flags = dict(zip(networks["augmentation"], networks["under_trained"], strict=True))
    poor = [name for name, flag in flags.items() if flag is True]
    good = [name for name, flag in flags.items() if flag is False]
    unknown = [name for name, flag in flags.items() if flag is None]
    sentences = ["Beside a linear VAE of as many latents, by the −ELBO on held-out inputs like a VAE's own."]
    if poor:
        sentences.append(
            f"Under-trained, worse than the linear VAE: {enumerated([against(name) for name in poor])}. No claim about "
            "augmentations rests on them."
        )
    if good:
        sentences.append(f"Not worse: {enumerated([against(name) for name in good])}.")
    if unknown:
        sentences.append(
            f"Not known of {enumerated([the(name) for name in unknown])}, whose errors on inputs like their own were "
            "not recorded."
        )
    parts = [" ".join(sentences), excess_conclusions(plain)]
    return "\n\n".join(block for block in parts if block)


def coded_worse(table: pd.DataFrame) -> list[Difference]:
    """By how much every augmentation's VAEs code clean images worse than the baseline's, or better: one family.

    Seeds and images are paired: the baseline of a seed has the same initial weights and order, and is scored on the
    same images. The variance is that of the paired differences over seeds and, of their mean, over images.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, without noise.
    """
    rows = table[(table["estimator"] == "negative_elbo_excess") & (table["seeds"] > 1)].to_dict("records")
    poor = under_trained(table)
    differences = []
    for row in rows:
        names = str(row["augmentation"]), "none"
        higher, lower = names if row["mean"] >= 0 else names[::-1]
        included = not pd.isna(row["image_error"])
        images = float(row["image_error"]) if included else 0.0
        seed_error = float(row["std"]) / math.sqrt(row["seeds"])
        if not seed_error + images > 0:
            continue
        differences.append(
            Difference(
                higher,
                lower,
                abs(float(row["mean"])),
                seed_error,
                row["seeds"] - 1,
                int(row["seeds"]),
                None if pd.isna(row["n"]) else int(row["n"]),
                images,
                included,
                bool(set(names) & set(poor)),
                looks=bool(row.get("looks") or False),
            )
        )
    return as_family(differences)


def excess_conclusions(table: pd.DataFrame) -> str:
    """What `coded_worse` finds, in words; empty where there is nothing to compare.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, without noise.
    """
    differences = coded_worse(table)
    if not differences:
        return ""
    reasons = {"under-trained": "under-trained", "images not in the interval": "the images' draw is not known"}
    listed = []
    for pair in differences:
        worse = pair.lower == "none"
        name = the(pair.higher if worse else pair.lower)
        low, high = (pair.low, pair.high) if worse else (-pair.high, -pair.low)
        text = f"{name} {'worse' if worse else 'better'} by {pair.value:,.1f} nats an image"
        if pair.withheld:
            listed.append(f"{text} (not claimed: {reasons[pair.withheld]})")
        else:
            interval = f"{low:+,.1f} to {high:+,.1f} worse, {p_value(pair.p)}".replace("-", "−")
            listed.append(f"{text} ({interval}{'' if pair.claimed else ', not told apart'})")
    seeds = min(pair.seeds for pair in differences)
    tests = f"{len(differences)} augmentations" if len(differences) > 1 else "one augmentation"
    return (
        f"How VAEs code real images: −ELBO on clean test images less that of the baseline of the same seed ({seeds} "
        f"seeds, paired t-tests, Holm's correction over {tests}, 5%"
        f"{' over all looks' if differences[0].looks else ''}): {'; '.join(listed)}."
    )


def profile_conclusions(table: pd.DataFrame) -> str:
    """What the noise profile allows one to say, one paragraph per kind of inputs.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise.
    """
    paragraphs = []
    for inputs, chosen in table.groupby("inputs", sort=False):
        certified = certified_profile(chosen)
        listed = [
            f"at s = {level:g}, {enumerated([f'{label(a)} above {label(b)}' for a, b in pairs])}"
            for level, pairs in certified.items()
            if pairs
        ]
        where = "" if inputs == "clean" else f" ({inputs} inputs)"
        text = (
            f"With noise{where}. Noise of s times each dimension's own standard deviation brings the information below "
            f"log N, where the bounds meet. "
        )
        if listed:
            text += (
                f"Certified at {CONFIDENCE:.0%} over all pairs and levels{_skewed()}: {'; '.join(listed)}. For s "
                "above 0 this orders the noised codes, not the encoders."
            )
        elif _tested(chosen) < 2:
            text += "Nothing is compared: fewer than two augmentations' VAEs are not under-trained."
        else:
            text += f"No difference is certified at any level ({CONFIDENCE:.0%} over all pairs and levels)."
        paragraphs.append(text)
    return "\n\n".join(paragraphs)


def conclusions(table: pd.DataFrame, settings: dict[str, Any]) -> str:
    """One paragraph per kind of inputs of what may and may not be concluded.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise where noise is shown.
        settings: the analysis run's configuration.
    """
    paragraphs = []
    for inputs, chosen in table.groupby("inputs", sort=False):
        sentences = _sentences(chosen, settings)
        head = "What this says" if inputs == "clean" else "On each encoder's own augmented inputs"
        paragraphs.append(f"{head}. " + " ".join(sentences))
    return "\n\n".join(paragraphs)


def _tested(table: pd.DataFrame) -> int:
    """How many augmentations take part in certificates: those whose VAEs are not under-trained."""
    return len(set(networks_of(table)["augmentation"]) - set(under_trained(table)))


def _skewed() -> str:
    return f" (wrong in up to {100 * SKEWED_CERTIFICATE:.2g}% if seeds were skewed and spread unequally)"


def _sentences(everything: pd.DataFrame, settings: dict[str, Any]) -> list[str]:
    everything = networks_of(everything)
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
                f"The tighter upper bound R_m keeps that order ({listed})."
                if same
                else f"The tighter upper bound R_m orders them differently ({listed})."
            )
    if upper is not None and lower is not None:
        ranges = "; ".join(
            f"{label(str(name))} {_between(lower['mean'][name], upper['mean'][name])}" for name in upper.index
        )
        sentences.append(f"The bounds put I(Z;X), in nats, at: {ranges}.")
        for name in names_of(keep=lambda estimator: estimator.density):
            if name in by:
                word = ESTIMATORS[name].density
                listed = ", ".join(f"{label(str(key))} {value:.2f}" for key, value in by[name]["mean"].items())
                sentences.append(
                    f"A {word} in place of the one Gaussian, fitted on the training images, brings the upper bound to "
                    f"{listed}: what it takes off R_m was never information."
                )
        full = [label(str(name)) for name in lower.index if lower["saturated"][name]]
        if full:
            cap = lower["cap"].max()
            sentences.append(
                f"InfoNCE is within a nat of its cap log N = {cap:.2f} for {enumerated(full)}: it cannot show more "
                f"than that from {lower['n'].max():,.0f} images, so the true value may be anywhere up to R_m."
            )
        certified = certified_pairs(everything)
        over = "all pairs" if len(table) == len(everything) else "all pairs and noise levels"
        if _tested(table) < 2:
            pass
        elif certified:
            listed = enumerated([f"{label(a)} above {label(b)}" for a, b in certified])
            sentences.append(f"Differences in I(Z;X) certified at {CONFIDENCE:.0%} over {over}{_skewed()}: {listed}.")
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
    if RECONSTRUCTION in by:
        sentences.append(
            "The rate on x̂ is about the reconstruction, not the image: it is printed because the paper prints it, and "
            "bounds neither I(Z;X) nor I(Z_A;Z_X)."
        )
    if settings.get("likelihood") == "bernoulli":
        sentences.append(
            "All of it holds under a Bernoulli likelihood of every value, which sets how much a code is paid to carry; "
            "another likelihood can change the order."
        )
    else:
        sentences.append(
            f"All of it holds at decoder scale {settings['decoder_scale']:g}, which sets how much a code is paid to "
            "carry; another scale can change the order."
        )
    return sentences


def _between(low: float, high: float) -> str:
    # bounds hold in expectation: where they meet, their errors can put the lower one above
    return f"{low:.2f} to {high:.2f}" if high - low >= 0.01 else f"about {(low + high) / 2:.2f}"


def difference_conclusions(table: pd.DataFrame) -> str:
    """Which augmentations differ in the rate, and which of these differences are certified in I(Z;X).

    One block per kind of inputs; empty where there is nothing to compare.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise where noise is shown.
    """
    blocks = []
    for inputs, everything in table.groupby("inputs", sort=False):
        chosen = everything[everything["noise"].isna()]
        rate, marginal = (compared(chosen, name) for name in ("rate", "gaussian_marginal"))
        if rate is None:
            continue
        can_certify = {"infonce", "gaussian_marginal"} <= set(chosen["estimator"])
        certified = certified_pairs(everything)
        where = "" if inputs == "clean" else f" on {inputs} inputs"
        least, most = (f"{pick(rate.spreads.values()):.2f}" for pick in (min, max))
        lines = [
            f"Differences between augmentations{where} ({how_tested(rate)}). Over seeds the rate spreads by "
            f"{least if least == most else f'{least} to {most}'} nats: a true difference of "
            f"{rate.detectable:.2f} nats would be found with a power of 80%."
        ]
        for pair in rate.found():
            text = (
                f"{_of(pair.higher)} rate exceeds {_of(pair.lower)} by {pair.value:.2f} nats ({_seeds(rate)}, "
                f"{p_value(pair.p)})"
            )
            if tighter := marginal.between(pair.higher, pair.lower) if marginal else None:
                p = p_value(tighter.p)
                if tighter.higher != pair.higher:
                    text += f", though its R_m does not ({-tighter.value:.2f} nats)"
                elif tighter.claimed:
                    text += f", and so does its R_m by {tighter.value:.2f} nats ({p})"
                else:
                    text += f", its R_m by {tighter.value:.2f} nats, which is not told apart from none ({p})"
            if can_certify:
                if (pair.higher, pair.lower) in certified:
                    text += f"; their MI is certified to differ, {_of(pair.higher)} being the higher"
                elif (pair.lower, pair.higher) in certified:
                    text += f"; yet {_of(pair.lower)} MI is certified to be the higher"
                else:
                    text += "; their MI is not certified to differ"
            lines.append(f"- {text[0].upper()}{text[1:]}.")
        claimed = {frozenset((pair.higher, pair.lower)) for pair in rate.found()}
        lines += undecided_lines(rate, "nats", where=" in the rate")
        for reason, explanation in WITHHELD.items():
            withheld = [pair for pair in rate.differences if pair.p < LEVEL and pair.withheld == reason]
            if withheld:
                listed = "; ".join(
                    f"{_of(pair.higher)} rate above {_of(pair.lower)} by {pair.value:.2f} nats ({p_value(pair.p)})"
                    for pair in withheld
                )
                lines.append(f"- Not claimed, because {explanation}: {listed}.")
        extra = [f"{the(a)} above {the(b)}" for a, b in certified if frozenset((a, b)) not in claimed]
        if extra:
            lines.append(f"- Certified in MI without being told apart in the rate: {enumerated(extra)}.")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def compared(table: pd.DataFrame, estimator: str) -> Comparison | None:
    """All pairs of augmentations in one number, within the margin that is stated for it unless another is.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows for one kind of inputs, without noise.
        estimator: of the number.
    """
    rows = networks_of(table[table["estimator"] == estimator])
    if "margin" not in rows or rows["margin"].isna().all():
        rows = rows.assign(margin=margin_of(estimator, rows))
    return compare_augmentations(rows)


def scale_conclusions(tables: Mapping[float, pd.DataFrame]) -> str:
    """What changes with the decoder's scale and what does not, on clean inputs.

    Args:
        tables: `analysis.mutual_info.table.summarise`'s rows by decoder scale, with noise where noise is shown.
    """
    if len(tables) < 2:
        return ""
    tables = {scale: networks_of(table[table["inputs"] == table["inputs"].iloc[0]]) for scale, table in tables.items()}
    certified = {scale: certified_pairs(table) for scale, table in tables.items()}
    tables = {scale: table[table["noise"].isna()] for scale, table in tables.items()}
    scales = list(tables)
    sentences = [f"Over decoder scales {enumerated([f'{scale:g}' for scale in scales])}."]
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

    claimed: dict[tuple[str, str], list[float]] = {}
    shown = []
    withheld: set[str] = set()
    for scale, table in tables.items():
        comparison = compared(table, "rate")
        if comparison is not None:
            shown.append(scale)
            withheld |= {pair.withheld for pair in comparison.differences if pair.p < LEVEL and pair.withheld}
            for pair in comparison.found():
                claimed.setdefault((pair.higher, pair.lower), []).append(scale)
    if shown:
        every = [f"{the(a)} above {the(b)}" for (a, b), at in claimed.items() if at == shown]
        some = [
            f"{the(a)} above {the(b)} (at {enumerated([f'{scale:g}' for scale in at])})"
            for (a, b), at in claimed.items()
            if at != shown and (b, a) not in claimed
        ]
        turned = [
            f"{the(a)} above {the(b)} at {enumerated([f'{scale:g}' for scale in claimed[a, b]])} and below at "
            f"{enumerated([f'{scale:g}' for scale in claimed[b, a]])}"
            for a, b in claimed
            if (b, a) in claimed and (a, b) < (b, a)
        ]
        names = sorted({name for table in tables.values() for name in table["augmentation"]})
        silent = [
            f"{the(a)} and {the(b)}"
            for a, b in itertools.combinations(names, 2)
            if (a, b) not in claimed and (b, a) not in claimed
        ]
        for text, pairs in (
            ("Told apart in the rate at every scale (5%)", every),
            ("Told apart in the rate at some scales only", some),
            ("Reversed between scales", turned),
            ("Told apart in the rate at no scale", silent),
        ):
            if pairs:
                sentences.append(f"{text}: {enumerated(pairs)}.")
    if withheld:
        reasons = enumerated([explanation for reason, explanation in WITHHELD.items() if reason in withheld])
        sentences.append(f"Other differences are not claimed, because {reasons}.")
    if any(certified.values()):
        listed = "; ".join(
            f"at {scale:g}, " + (enumerated([f"{the(a)} above {the(b)}" for a, b in pairs]) if pairs else "nothing")
            for scale, pairs in certified.items()
        )
        sentences.append(f"Certified in I(Z;X), {CONFIDENCE:.0%} over all pairs at each scale: {listed}.")
    else:
        sentences.append(f"Nothing is certified in I(Z;X) at any scale ({CONFIDENCE:.0%} over all pairs at each).")
    return " ".join(sentences)


def _shared_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of I(Z_A;Z_X) on clean inputs, the baseline's spread corrected for networks that are in two pairs.

    Baselines are paired in a ring, each with that of the next seed. If what a pair shares is the sum of a part of each,
    the variance over pairs falls short: the mean of s pairs has up to :math:`2 (s - 1) / (s - 2)` times the variance
    that pairs without a common network would show, a factor of 4 at three seeds. With two seeds both pairs are the same
    one, and nothing can be said of the spread. The other augmentations share a baseline of each seed with it and with
    one another, which makes differences smaller, and is left out.
    """
    names = [*SHARED_BOUNDS, *NOISED_SHARED_BOUNDS]
    chosen = networks_of(table[table["estimator"].isin(names) & (table["inputs"] == "clean")])
    ring = (chosen["augmentation"] == "none") & (chosen["seeds"] > 1)
    chosen = chosen[~(ring & (chosen["seeds"] == 2))]
    ring = ring[chosen.index]
    return chosen.assign(std=chosen["std"].where(~ring, chosen["std"] * _ring(chosen["seeds"]) ** 0.5))


def _ring(seeds: Any) -> Any:
    """By how much the variance over pairs of a ring of ``seeds`` networks, more than two, falls short at most."""
    return 2 * (seeds - 1) / (seeds - 2)


def certified_shared(table: pd.DataFrame) -> dict[float, list[tuple[str, str]]]:
    """Pairs (A, B) at every level of noise for which I(Z_A;Z_X) > I(Z_B;Z_X) is certified.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise where noise is shown.
    """
    return certified_profile(_shared_rows(table), SHARED_BOUNDS, NOISED_SHARED_BOUNDS)


def shared_conclusions(table: pd.DataFrame) -> str:
    """What the codes share with the baseline's, I(Z_A;Z_X), and between which augmentations it differs.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise.
    """
    estimators = [*SHARED_BOUNDS, *NOISED_SHARED_BOUNDS]
    chosen = networks_of(table[table["estimator"].isin(estimators) & (table["inputs"] == "clean")])
    if not len(chosen):
        return ""
    by = chosen.assign(noise=chosen["noise"].fillna(0.0)).set_index(["noise", "augmentation", "estimator"])["mean"]
    names = list(dict.fromkeys(chosen["augmentation"]))
    plain = by[0.0]
    listed = "; ".join(
        f"{the(name)} {plain[name, 'critic']:.2f} to {plain[name, 'data_processing']:.2f}" for name in names
    )
    sentences = [
        "What the codes share with the baseline's, I(Z_A;Z_X), the paper's target; for the baseline, with that of "
        f"another seed, the ceiling. Between the held-out critic and data processing, in nats: {listed}."
    ]
    critic = chosen[(chosen["estimator"] == "critic") & chosen["noise"].isna()]
    capped = critic.loc[critic["saturated"].eq(True), "augmentation"].tolist()
    if capped:
        sentences.append(
            f"The critic's bound is within a nat of its cap, {critic['cap'].max():.2f}, for "
            f"{enumerated([the(name) for name in capped])}: it cannot tell what is shared from more."
        )
    elif "none" in names and plain["none", "critic"] > 0 and len(names) > 1:
        shares = "; ".join(
            f"{the(name)} {100 * plain[name, 'critic'] / plain['none', 'critic']:.0f}%"
            for name in names
            if name != "none"
        )
        sentences.append(f"The critic's bound as a share of the ceiling's, a ratio of bounds and no bound: {shares}.")
    levels = sorted(level for level in chosen["noise"].dropna().unique())
    shown: list[tuple[str, float]] = [(name, 0.0) for name in SHARED_BOUNDS if name != "critic" or not capped]
    if levels:
        # the least noise at which the three terms say something: their sides within half a nat, or else the closest
        gaps = {
            level: max(by[level, name, "three_term_upper"] - by[level, name, "three_term_lower"] for name in names)
            for level in levels
        }
        level = next((level for level in levels if gaps[level] < 0.5), min(levels, key=lambda level: gaps[level]))
        shown += [(name, level) for name in NOISED_SHARED_BOUNDS]
        noised = by[level]
        listed = "; ".join(
            f"{the(name)} {_between(noised[name, 'three_term_lower'], noised[name, 'three_term_upper'])}"
            for name in names
        )
        sentences.append(f"With noise s = {level:g} in both codes, between the two sides of the identity: {listed}.")
        ranges = {name: share for name in names if (share := share_of_ceiling(noised, name))}
        if ranges:
            listed = "; ".join(f"{the(name)} {100 * a:.0f} to {100 * b:.0f}%" for name, (a, b) in ranges.items())
            sentences.append(f"Of the ceiling, what two baselines of different seeds share, that is {listed}.")
    certified = certified_shared(table)
    orders = [
        (f"at s = {level:g}, " if level else "of the codes as they are, ")
        + enumerated([f"{the(a)} above {the(b)}" for a, b in pairs])
        for level, pairs in certified.items()
        if pairs
    ]
    over = "all pairs and noise levels" if levels else "all pairs"
    if _tested(chosen) > 1:
        sentences.append(
            f"Differences in I(Z_A;Z_X) certified at {CONFIDENCE:.0%} over {over}{_skewed()}: {'; '.join(orders)}."
            if orders
            else f"No difference in I(Z_A;Z_X) is certified ({CONFIDENCE:.0%} over {over})."
        )
    spread = _shared_rows(table)
    seeds = int(spread["seeds"].max()) if len(spread) else 0
    if "none" in names and seeds > 2:
        sentences.append(
            f"In what follows the baseline's spread over seeds is multiplied by {_ring(seeds) ** 0.5:.2g}, since each "
            "of its networks is in two pairs."
        )
    parts = [" ".join(sentences)]
    for estimator, level in shown:
        rows = spread[(spread["estimator"] == estimator) & (spread["noise"].fillna(0.0) == level)]
        if (comparison := compare_augmentations(rows)) is not None:
            subject = SHARED_WORDS[estimator] + (f" at s = {level:g}" if level else "")
            parts.append("\n".join(told_apart(comparison, subject, "nats", 2)))
    return "\n\n".join(parts)


def published_conclusions(table: pd.DataFrame, settings: dict[str, Any]) -> str:
    """How the clean rows stand to the published ones, and the paper's orderings of the rate.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, without noise.
        settings: the analysis run's configuration, with ``data``, the data set's name, and ``train_images``.
    """
    table = networks_of(table[table["inputs"] == "clean"])
    ours = {
        (row["estimator"], row["augmentation"]): (float(row["mean"]), float(row["std"]), int(row["seeds"]))
        for row in table[table["estimator"].isin(["rate", RECONSTRUCTION, "mse"])].to_dict("records")
    }
    rate = compared(table, "rate")
    looks = rate is not None and rate.looks
    parts = [beside(ours, settings, looks), "" if rate is None else claims_sentence("rate", rate)]
    return "\n".join(block for block in parts if block)


def _of(name: str) -> str:
    return the(name) + "'s"


def _seeds(comparison: Comparison) -> str:
    return f"{comparison.seeds} seeds"


def bottom_line(tables: Mapping[float, pd.DataFrame], until: str) -> str:
    """What Table 1 comes to: between which limits information lies, and what is told apart.

    Args:
        tables: `analysis.mutual_info.table.summarise`'s rows by decoder scale, for one kind of inputs, with noise where
            noise is shown.
        until: how far adding seeds has come, in a sentence; empty where their number is fixed.
    """
    if len(tables) > 1:
        return _over_scales(tables, until)
    (everything,) = tables.values()
    table = networks_of(everything[everything["noise"].isna()])
    sentences = [_ranges(table)]
    shown, certified = _certified(everything)
    if (rate := compared(table, "rate")) is not None:
        subject = "In the rate, an upper bound alone"
        said = [found_sentence(rate, subject, "nats", 2), undecided_sentence(rate, "in the rate")]
        sentences += [certified, *said] if shown else [said[0], certified, said[1]]
    elif table["augmentation"].nunique() > 1:
        sentences += [certified, "With one seed each, no difference between augmentations can be claimed."]
    return paragraph([_not_known([table]), *sentences, until])


def _not_known(tables: Sequence[pd.DataFrame]) -> str:
    """Whether nothing is known of how some VAEs stand to the linear VAE, which a claim about them has to say."""
    unknown = [
        name
        for table in tables
        for name, flag in zip(table["augmentation"], table["under_trained"], strict=True)
        if flag is not True and flag is not False
    ]
    names = enumerated([the(str(name)) for name in dict.fromkeys(unknown)]) if unknown else ""
    return f"Whether the VAEs of {names} are under-trained is not known." if unknown else ""


def _ranges(table: pd.DataFrame) -> str:
    """Between which limits I(Z;X) lies, for every augmentation whose VAEs are not under-trained."""
    poor = under_trained(table)
    lower, upper = (table[table["estimator"] == name].set_index("augmentation") for name in BOUNDS)
    names = [name for name in upper.index if name in lower.index and name not in poor]
    left_out = f"; nothing is said of {enumerated([the(name) for name in poor])}, under-trained" if poor else ""
    if not names:
        return f"Nothing is decided of I(Z;X){left_out}." if poor else ""
    p = (1 - CONFIDENCE) / (2 * len(names))
    limits = {}
    for name in names:
        low = max(lower["mean"][name] - _margin(lower.loc[name], p), 0.0)
        limits[name] = low, upper["mean"][name] + _margin(upper.loc[name], p)
    tested = behind(int(upper["seeds"][names[0]]), int(upper["n"][names[0]]))
    if len(names) == 1:
        low, high = limits[names[0]]
        return f"I(Z;X) lies between {low:.2f} and {high:.2f} nats ({CONFIDENCE:.0%}, {tested}){left_out}."
    listed = enumerated([f"{low:.2f} to {high:.2f} for {the(name)}" for name, (low, high) in limits.items()])
    return f"I(Z;X) lies, in nats, within {listed} ({CONFIDENCE:.0%} for all together, {tested}){left_out}."


def _margin(bound: "pd.Series[Any]", p: float) -> float:
    """What has to be added to a mean over seeds, or to one network's bound, to be right but for probability p."""
    seeds, images = int(bound["seeds"]), float(bound["image_error"])
    images = 0.0 if math.isnan(images) else images
    if seeds < 2:
        return float(limit(p, 0.0, math.inf, images))
    return float(limit(p, float(bound["std"]) / math.sqrt(seeds), seeds - 1, images))


def _certified(everything: pd.DataFrame) -> tuple[bool, str]:
    """Whether I(Z;X) is certified to differ between augmentations, and between which, or what would show it."""
    table = networks_of(everything)
    lower = table[(table["estimator"] == "infonce") & table["noise"].isna()]
    if _tested(everything) < 2 or not len(lower) or not (table["estimator"] == "gaussian_marginal").any():
        return False, ""
    certified = certified_profile(everything)
    tested = f"{CONFIDENCE:.0%}, {behind(int(lower['seeds'].min()), int(lower['n'].min()))}"
    level, pairs = max(certified.items(), key=lambda one: (one[0] == 0 and bool(one[1]), len(one[1])))
    if pairs:
        listed = at_most([f"{the(a)} above {the(b)}" for a, b in pairs])
        what = f"with noise s = {level:g} in the codes " if level else ""
        return True, f"I(Z;X) {what}is certified to differ ({tested}): {listed}."
    text = f"No difference in I(Z;X) is certified ({tested})"
    if bool(lower["saturated"].any()):
        cap = f"log N = {lower['cap'].max():.2f}"
        return False, f"{text}: InfoNCE is saturated, near {cap}, and only more images show more."
    return False, f"{text}: tighter bounds, more images or more seeds might."


def _over_scales(tables: Mapping[float, pd.DataFrame], until: str) -> str:
    """The bottom line of several decoder scales: what is told apart at all of them."""
    plain = {scale: networks_of(table[table["noise"].isna()]) for scale, table in tables.items()}
    rates = {scale: compared(table, "rate") for scale, table in plain.items()}
    known = {scale: rate for scale, rate in rates.items() if rate is not None}
    if not known:
        return paragraph(["With one seed each, no difference between augmentations can be claimed.", until])
    by_pair: dict[tuple[str, str], list[Difference]] = {}
    for rate in known.values():
        for pair in rate.found():
            by_pair.setdefault((pair.higher, pair.lower), []).append(pair)
    first = next(iter(known.values()))
    every = [
        f"{the(a)} above {the(b)} ({p_value(max(pair.p for pair in pairs))} at most)"
        for (a, b), pairs in by_pair.items()
        if len(pairs) == len(known)
    ]
    over = f"scales {enumerated([f'{scale:g}' for scale in known])}"
    tested = behind(first.seeds, first.images)
    sentences = [
        f"In the rate, an upper bound alone, at all of {over} ({tested}): {at_most(every)}."
        if every
        else f"No difference in the rate is claimed at all of {over} ({tested})."
    ]
    turned = [f"{the(a)} and {the(b)}" for a, b in by_pair if (b, a) in by_pair and (a, b) < (b, a)]
    if turned:
        sentences.append(f"Reversed between scales (5% at each, {tested}): {at_most(turned)}.")
    certified = {scale: certified_pairs(networks_of(table)) for scale, table in tables.items()}
    listed = [
        f"{enumerated([f'{the(a)} above {the(b)}' for a, b in pairs])} at {scale:g}"
        for scale, pairs in certified.items()
        if pairs
    ]
    sentences.append(
        f"I(Z;X) is certified to differ ({CONFIDENCE:.0%} at each scale, {tested}): {'; '.join(listed)}."
        if listed
        else f"In I(Z;X) nothing is certified at any scale ({CONFIDENCE:.0%} at each, {tested}): tighter bounds or "
        "more images might."
    )
    withheld = sum(pair.withheld is not None for rate in known.values() for pair in rate.differences)
    silent = sum(len(rate.differences) for rate in known.values()) - sum(len(rate.found()) for rate in known.values())
    if silent:
        whole = sum(len(rate.differences) for rate in known.values())
        apart = f"{silent} are not told apart in the rate"
        apart += f", {withheld} of them because one of the two is under-trained" if withheld else ""
        sentences.append(f"Of {whole} pairs at these scales {apart} ({tested}, 5% at each).")
    return paragraph([_not_known(list(plain.values())), *sentences, until])
