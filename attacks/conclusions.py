"""What a sweep allows one to say about augmentations."""

import pandas as pd

from figures.comparisons import compare_augmentations
from figures.words import as_item, as_paragraph, the, told_apart

__all__ = ["mean_over_sizes", "sweep_conclusions"]

SAID = {"noise": "uniform noise", "deepfool": "DeepFool", "worst case": "the worst case of all attacks"}
"""Of which the paper's text speaks."""

CLAIMS = tuple(("mixup", other, attack) for attack in ("noise", "deepfool") for other in ("none", "cutmix"))
"""The paper's: the first more robust than the second to an attack."""


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
        by = {frozenset((each.higher, each.lower)): each for each in found.differences}
        verdicts = []
        for high, low, of in CLAIMS:
            each = by.get(frozenset((high, low)))
            if of == attack and each is not None:
                verdict = "cannot be told" if each.low <= 0 else "holds" if each.higher == high else "is reversed"
                verdicts.append(f"{the(high)} more robust than {the(low)} {verdict} here")
        if attack == "worst case" and (rows["augmentation"] == "none").any():
            better = [the(each.higher) for each in found.found() if each.lower == "none"]
            verdicts.append(
                f"the worst case is not improved: here {' and '.join(better) or 'nothing'} is above the baseline"
            )
        if verdicts:
            lines.append(as_item(f"The paper's claims: {'; '.join(verdicts)}."))
    if lines:
        clean = table[(table["curve"] == curve) & (table["epsilon"] == 0) & (table["estimator"] == "worst case")]
        if len(clean):
            alone = clean.groupby("augmentation", sort=False)["value"].mean()
            listed = ", ".join(f"{value:.1f}% ({the(str(name))})" for name, value in alone.items())
            lines.append(
                as_paragraph(f"Without any attack the accuracy is {listed}: what is wrong is wrong at every ε.")
            )
    return "\n".join(lines)
