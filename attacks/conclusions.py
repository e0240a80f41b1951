"""What a sweep allows one to say about augmentations."""

import pandas as pd

from figures.comparisons import compare_augmentations
from figures.published import claims_sentence
from figures.words import as_paragraph, the, told_apart

__all__ = ["mean_over_sizes", "sweep_conclusions"]

SAID = {"noise": "uniform noise", "deepfool": "DeepFool", "worst case": "the worst case of all attacks"}
"""Of which the paper's text speaks."""


def mean_over_sizes(table: pd.DataFrame, curve: str) -> pd.DataFrame:
    """Mean accuracy over all ε above 0 of every classifier, then mean and spread over seeds.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: ``"robust"`` or ``"published"``.

    Returns:
        Columns ``estimator``, ``augmentation``, ``mean``, ``std``, ``seeds``.
    """
    chosen = table[(table["curve"] == curve) & (table["epsilon"] > 0)]
    each = chosen.groupby(["estimator", "augmentation", "seed"], sort=False)["value"].mean().reset_index()
    grouped = each.groupby(["estimator", "augmentation"], sort=False)["value"]
    return grouped.agg(mean="mean", std="std", seeds="size").reset_index()


def sweep_conclusions(table: pd.DataFrame, curve: str) -> str:
    """Which augmentations' accuracies differ under noise, DeepFool and the worst case, and the paper's claims.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: which of the two is spoken of.
    """
    means = mean_over_sizes(table, curve)
    lines: list[str] = []
    for attack, name in SAID.items():
        rows = means[means["estimator"] == attack]
        found = compare_augmentations(rows)
        if found is None:
            continue
        lines += told_apart(found, f"Accuracy under {name}, mean over ε above 0, {curve}", "points", 2)
        if said := claims_sentence(f"attack {attack}", found):
            lines.append(said)
    if lines:
        clean = table[(table["curve"] == curve) & (table["epsilon"] == 0) & (table["estimator"] == "worst case")]
        if len(clean):
            alone = clean.groupby("augmentation", sort=False)["value"].mean()
            listed = ", ".join(f"{value:.1f}% ({the(str(name))})" for name, value in alone.items())
            lines.append(
                as_paragraph(f"Without any attack the accuracy is {listed}: what is wrong is wrong at every ε.")
            )
    return "\n".join(lines)
