"""Rows as data frames and as text."""

import math
from collections.abc import Collection
from typing import Any

import pandas as pd

from analysis.bounds.estimators import ESTIMATORS, SHARED, Estimator, derived, sign_of
from analysis.bounds.tightened import OF_LABEL
from figures import label
from findings.over_seeds import over_seeds
from findings.published import published
from findings.table import plus_minus
from findings.text import Tabular
from findings.under_trained import LINEAR, networks_of, under_trained, with_under_trained

__all__ = [
    "decomposition_text",
    "name_of",
    "share_of_ceiling",
    "shared_table",
    "summarise",
    "text_table",
    "training_table",
]

RECONSTRUCTION = "rate_reconstruction"
"""The paper's second column, the rate of another variable: a reconstruction x̂."""

derived(RECONSTRUCTION, "rate on x̂", quantity="I(Z;X̂)", column="rate on x̂ †")


def columns() -> dict[str, tuple[str, str]]:
    """What Table 1 shows: by estimator the head of its column, and below it what is bounded on which side.

    Upper bounds on I(Z;X) come before lower ones, with what exceeds them between; then what is shared with the
    baseline's code, and what is no information.
    """
    heads = {name: (known.column, _bounded(known)) for name, known in ESTIMATORS.items() if known.column}
    kinds = (
        ("I(Z;X)", "upper"),
        ("KL(q(z)‖p(z))", "lower"),
        ("I(Z;X)", "lower"),
        (SHARED, "lower"),
        (SHARED, "upper"),
    )
    first, *others = (
        name for kind in kinds for name in heads if (ESTIMATORS[name].quantity, ESTIMATORS[name].direction) == kind
    )
    named = {name: heads[name] for name in (first, RECONSTRUCTION, *others)} | heads
    named |= {"gaussian_classifier": ("classifier", f"{OF_LABEL} ≥"), "kernel_mixture": ("mixture", f"{OF_LABEL} ≤")}
    return named | {"mse": ("MSE", ""), "negative_elbo": ("−ELBO", "")}


def _bounded(estimator: Estimator) -> str:
    if estimator.name == RECONSTRUCTION:
        return "(no bound)"
    quantity = {SHARED: "I(Z_A;Z_X)", "KL(q(z)‖p(z))": "KL(q‖p)"}.get(estimator.quantity, estimator.quantity)
    return f"{quantity} {sign_of(estimator.direction)}"


def summarise(rows: list[dict[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """`findings.over_seeds.over_seeds` of VAEs at one decoder scale, with ``under_trained``: whether most of them are.

    A linear VAE that was fitted on another augmentation's inputs is called after it.
    """
    frame = pd.DataFrame(rows)
    if "fitted_on" in frame:
        mixed = (frame["augmentation"] == LINEAR) & (frame["inputs"] != "clean")
        named = LINEAR + " on " + frame["fitted_on"].astype(str)
        frame = frame.assign(augmentation=frame["augmentation"].where(~mixed, named))
    return with_under_trained(over_seeds(frame), frame)


def name_of(augmentation: str, poor: Collection[str] = ()) -> str:
    """An augmentation's name in a table, marked where its VAEs are under-trained.

    Args:
        augmentation: or a linear VAE's name.
        poor: `under_trained`.
    """
    fitted = augmentation.removeprefix(LINEAR).removeprefix(" on ")
    if augmentation.startswith(LINEAR):
        return label(LINEAR) + (f" ({label(fitted)} inputs)" if fitted else "")
    return label(augmentation) + (" ‡" if augmentation in poor else "")


UNDER_TRAINED = (
    "‡ under-trained: −ELBO above that of a linear VAE of as many latents, on inputs like its own, by more than two "
    "standard errors, in more than half of its VAEs; nothing is claimed of it"
)


def text_table(table: pd.DataFrame, title: str) -> Tabular:
    """Table 1: mean ± standard deviation over seeds, of images with published values beside; saturated bounds last.

    Args:
        table: `summarise`'s rows for one kind of inputs.
        title: printed above it.
    """
    known = columns()
    saturated = set(table.loc[table["saturated"].eq(True), "estimator"])
    shown = [estimator for estimator in known if (table["estimator"] == estimator).any()]
    shown.sort(key=saturated.__contains__)
    lower = table[table["estimator"] == "infonce"]
    size = table["n"].dropna().max()
    names = {key: known[key][0] for key in shown}
    if len(lower):
        names["infonce"] = f"InfoNCE (cap {lower['cap'].max():.2f})"
    lines: list[list[str]] = []
    notes = []
    poor = under_trained(table)
    of_images = "items" not in table or table["items"].eq("images").all()
    for augmentation, of_augmentation in table.groupby("augmentation", sort=False):
        augmentation = str(augmentation)
        line = [name_of(augmentation, poor)]
        for estimator in shown:
            digits = {"mse": 4, "negative_elbo": 1}.get(estimator, 2)
            rows = of_augmentation[of_augmentation["estimator"] == estimator]
            text = plus_minus(rows["mean"].iloc[0], rows["std"].iloc[0], digits) if len(rows) else "—"
            line.append(text + (" *" if len(rows) and bool(rows["saturated"].iloc[0]) else ""))
        lines.append(line)
        active = of_augmentation[of_augmentation["estimator"] == "active_units"]["mean"]
        if len(active) and active.iloc[0] < 1:
            notes.append(f"{label(augmentation)}: the code has collapsed (fewer than one active unit)")
        values = [
            next((str(number) for number in published(key) if number.stands_beside(augmentation)), "") for key in shown
        ]
        if any(values) and of_images and (of_augmentation["inputs"] == "clean").all():
            lines.append(["  published, CIFAR-10", *values])
    if len(lower) and bool(lower["saturated"].any()):
        notes.append("* saturated: within 1 nat of its cap")
    if poor:
        notes.append(UNDER_TRAINED)
    if RECONSTRUCTION in shown:
        notes.append("† published as a lower bound; it is the rate of the reconstruction x̂, another variable")
    head = [["augmentation", *names.values()], ["", *(known[key][1] for key in shown)]]
    return Tabular(head, lines, f"{title} (N = {size:,.0f}); nats, mean ± standard deviation over seeds", notes)


def training_table(table: pd.DataFrame) -> Tabular | None:
    """How well the VAEs were trained: a line per augmentation; None where it is not known.

    Args:
        table: `summarise`'s rows, without noise.
    """
    by = table.set_index(["inputs", "augmentation", "estimator"])
    augmented, clean = "own-augmented", "clean"
    if not any((augmented, name, "negative_elbo") in by.index for name in networks_of(table)["augmentation"].unique()):
        return None

    def cell(inputs: str, augmentation: str, estimator: str, digits: int = 1) -> str:
        key = inputs, augmentation, estimator
        return plus_minus(by["mean"][key], by["std"][key], digits) if key in by.index else "—"

    head = [
        ["training", "−ELBO", "linear VAE", "test − training", "last fifth", "active units"],
        ["", "own inputs", "own inputs", "of −ELBO", "−ELBO fell", ""],
    ]
    lines = []
    poor = under_trained(table)
    for augmentation in map(str, dict.fromkeys(networks_of(table)["augmentation"])):
        inputs = clean if (clean, augmentation, "active_units") in by.index else augmented
        lines.append(
            [
                name_of(augmentation, poor),
                cell(augmented, augmentation, "negative_elbo"),
                cell(augmented, f"{LINEAR} on {augmentation}", "negative_elbo"),
                cell(augmented, augmentation, "overfitting"),
                cell(augmented, augmentation, "last_fall", 2),
                cell(inputs, augmentation, "active_units"),
            ]
        )
    note = (
        "a network is trained where −ELBO fell by less than 1 nat over the last fifth of its steps; at the end of a "
        "schedule whose rate falls to nothing nearly all do"
    )
    return Tabular(head, lines, notes=[note])


SHARED_HEADS = {
    "critic": "critic",
    "three_term_lower": "three terms",
    "three_term_upper": "three terms",
    "data_processing": "data processing",
    "three_term_gaussian": "Gaussian",
}
"""Estimators of I(Z_A;Z_X) in the order of its table, and what that calls them."""


def share_of_ceiling(by: pd.Series, augmentation: str) -> tuple[float, float] | None:
    """Between which shares of the ceiling, what two baselines share, an augmentation's I(Z_A;Z_X) lies.

    From the two sides of the three-term identity, at one level of noise: the lower bound over the ceiling's upper one,
    and the other way round. None for the baseline itself, and where the ceiling's lower bound is not above 0.

    Args:
        by: means over seeds, by augmentation and estimator.
        augmentation: A.
    """
    low, high = (by.get(("none", name), math.nan) for name in ("three_term_lower", "three_term_upper"))
    if augmentation == "none" or not low > 0:
        return None
    return (
        max(0.0, float(by[augmentation, "three_term_lower"] / high)),
        float(by[augmentation, "three_term_upper"] / low),
    )


def shared_table(table: pd.DataFrame) -> Tabular:
    """I(Z_A;Z_X): a line per augmentation and noise level, with its share of the ceiling.

    Args:
        table: `summarise`'s rows, with noise.
    """
    chosen = networks_of(table[table["estimator"].isin(SHARED_HEADS)])
    shown = {
        key: (name, sign_of(ESTIMATORS[key].direction))
        for key, name in SHARED_HEADS.items()
        if (chosen["estimator"] == key).any()
    }
    head = [
        ["I(Z_A;Z_X)", "noise s", *(name for name, _ in shown.values()), "of the ceiling"],
        ["", "", *(sign for _, sign in shown.values()), "three terms"],
    ]
    lines = []
    poor = under_trained(chosen)
    levels = chosen["noise"].fillna(0.0)
    means = {level: rows.set_index(["augmentation", "estimator"])["mean"] for level, rows in chosen.groupby(levels)}
    for (augmentation, level), rows in chosen.groupby(["augmentation", levels], sort=False):
        by = rows.set_index("estimator")
        numbers = [
            plus_minus(by["mean"][key], by["std"][key], 2) + (" *" if by["saturated"][key] else "") for key in shown
        ]
        vacuous = by["saturated"].reindex(["three_term_lower", "three_term_upper"]).eq(True).any()
        share = None if vacuous else share_of_ceiling(means[level], str(augmentation))
        numbers.append("—" if share is None else f"{100 * share[0]:.0f} to {100 * share[1]:.0f}%")
        lines.append([name_of(str(augmentation), poor), f"{level:g}", *numbers])
    notes = ["≈ is an estimate, not a bound; * rests on a saturated bound; the ceiling: what two baselines share"]
    return Tabular(head, lines, notes=[*notes, *([UNDER_TRAINED] if poor else [])], keys=2)


def decomposition_text(table: pd.DataFrame) -> str:
    """The parts of every rate for a terminal, a line per augmentation and kind of inputs.

    Args:
        table: `summarise`'s rows, without noise.
    """
    lines = ["Parts of the rate (of these images: where I_N is saturated, the others are mostly artefacts of N)"]
    for (augmentation, inputs), rows in table.groupby(["augmentation", "inputs"], sort=False):
        by = rows.set_index("estimator")
        if "total_correlation" not in by.index:
            continue
        mean = by["mean"]
        parts = f"TC {mean['total_correlation']:.2f} + dimension-wise KL {mean['dimensionwise_kl']:.2f}"
        if "rate" in by.index:
            parts = f"rate {mean['rate']:.2f} = I_N {mean['rate'] - mean['marginal_kl']:.2f} + {parts}"
        else:
            parts = f"KL(q_N‖p) {mean['marginal_kl']:.2f} = {parts}"
        note = "; saturated" if by["saturated"]["total_correlation"] else ""
        lines.append(f"- {label(str(augmentation))}, {inputs}: {parts}; {mean['active_units']:.1f} active units{note}")
    return "\n".join(lines)
