"""What a sweep allows one to say about augmentations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from attacks.checks import AUTOATTACK, lead_of
from figures import label
from findings.bottom_line import behind, found_sentence, paragraph, undecided_sentence
from findings.comparisons import Comparison
from findings.components import Components
from findings.over_seeds import over_seeds
from findings.published import claims_sentence, compared
from findings.sentences import ADDED, enumerated, the, told_apart
from findings.table import plus_minus
from findings.text import Tabular
from tasks.metrics import ACCURACY

__all__ = [
    "SAID",
    "SHARE",
    "WORST",
    "attacks_compared",
    "bottom_line",
    "clean_accuracies",
    "leads",
    "mean_over_sizes",
    "measure_of",
    "share_scores",
    "shares_of_clean",
    "summary_table",
    "survival",
    "sweep_conclusions",
]

WORST = "worst case"

SHARE = "worst case share"
"""The worst case as a share of the accuracy without any attack on the same images."""

SAID = {"noise": "uniform noise", "deepfool": "DeepFool", WORST: "the worst case of all attacks"}
"""The attacks of which the paper's text speaks, in words."""


def measure_of(attack: str, curve: str) -> str:
    """What a mean over ε is called among a document's variance components."""
    return f"attack {attack}" if curve == "robust" else f"attack {attack}, {curve}"


def survival(broken: NDArray[np.bool_], epsilons: Sequence[float]) -> NDArray[np.float64]:
    """For each image the share of the ε above 0 that it survives, in per cent.

    Args:
        broken: (..., E, N).
        epsilons: E sizes.

    Returns:
        (..., N), whose mean over images is the accuracy's mean over ε above 0.
    """
    return 100.0 * (1 - broken[..., np.array(epsilons) > 0, :].mean(-2))


def share_scores(left: NDArray[np.float64], wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    r"""Of a ratio of means over images, scores of the images whose mean is the ratio, in per cent.

    With :math:`w_i` what an image survives and :math:`c_i` whether it is right without any attack, the ratio is
    :math:`R = \bar w / \bar c`, and the scores are its linearisation
    :math:`R + (w_i - R c_i) / \bar c`, by which a ratio varies with the draw of the images (the delta method).

    Args:
        left: (N,) of `survival`, in per cent.
        wrong: (N,) without any attack.

    Returns:
        (N,); NaN where no image is right.
    """
    right = 1.0 - wrong
    clean = right.mean()
    if not clean > 0:
        return np.full(len(left), np.nan)
    ratio = left.mean() / clean
    return ratio + (left - ratio * right) / clean


def _squares(rows: pd.DataFrame) -> float:
    """Mean square over images of the share of ε survived, from accuracies (shares) that fall with ε.

    Who survives an ε survives all smaller ones, so that the curve is the distribution of the number survived.
    """
    at = rows.sort_values("epsilon")["value"].to_numpy() / 100
    return float((at * (2 * np.arange(1, len(at) + 1) - 1)).sum() / len(at) ** 2)


def _networks(table: pd.DataFrame, curve: str) -> pd.DataFrame:
    """One row per classifier and attack: its mean accuracy over ε above 0, with the standard error over images.

    The error of the curve as published, in which a broken image can be whole again at a larger ε, is unknown.
    """
    means = []
    chosen = table[(table["curve"] == curve) & (table["epsilon"] > 0)]
    for (attack, augmentation, seed), sweep in chosen.groupby(["estimator", "augmentation", "seed"], sort=False):
        mean, n = float(sweep["value"].mean()), int(sweep["n"].iloc[0])
        variance = _squares(sweep) - (mean / 100) ** 2 if curve == "robust" else math.nan
        error = 100 * math.sqrt(max(variance, 0) / max(n - 1, 1)) if curve == "robust" else math.nan
        means.append(
            {
                "estimator": attack,
                "augmentation": augmentation,
                "seed": seed,
                "value": mean,
                "standard_error": error,
                "n": n,
            }
        )
    columns = ["estimator", "augmentation", "seed", "value", "standard_error", "n"]
    return pd.DataFrame(means, columns=columns)


def mean_over_sizes(table: pd.DataFrame, curve: str) -> pd.DataFrame:
    """Mean accuracy over all ε above 0 of every classifier, then mean and spread over seeds.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: ``"robust"`` or ``"published"``.

    Returns:
        Columns ``estimator``, ``augmentation``, ``mean``, ``std``, ``seeds``, ``image_error``, ``n``.
    """
    return over_seeds(_networks(table, curve), ("estimator", "augmentation"))


def shares_of_clean(table: pd.DataFrame, curve: str) -> pd.DataFrame:
    """The worst case, mean over ε above 0, as a share of the accuracy without any attack on the same images.

    A ratio for every classifier, then mean and spread over seeds; the error over images is that of `share_scores`.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: ``"robust"`` or ``"published"``.

    Returns:
        Columns ``augmentation``, ``mean``, ``std``, ``seeds``, ``image_error``, ``n``, in per cent; empty where no ε
        is 0.
    """
    worst = table[(table["curve"] == curve) & (table["estimator"] == WORST)]
    shares = []
    for (augmentation, seed), rows in worst.groupby(["augmentation", "seed"], sort=False):
        clean = rows.loc[rows["epsilon"] == 0, "value"]
        attacked = rows[rows["epsilon"] > 0]
        if not len(clean) or not len(attacked) or not clean.iloc[0] > 0:
            continue
        right, left, n = clean.iloc[0] / 100, attacked["value"].mean() / 100, int(rows["n"].iloc[0])
        ratio = left / right
        # whoever survives is right without an attack: E[w c] = E[w], and the mean of w − R c is 0
        square = _squares(attacked) - 2 * ratio * left + ratio**2 * right if curve == "robust" else math.nan
        error = 100 * math.sqrt(max(square, 0) / max(n - 1, 1)) / right if curve == "robust" else math.nan
        shares.append(
            {"augmentation": augmentation, "seed": seed, "value": 100 * ratio, "standard_error": error, "n": n}
        )
    columns = ["augmentation", "seed", "value", "standard_error", "n"]
    return over_seeds(pd.DataFrame(shares, columns=columns), ("augmentation",))


def _records(runs: Sequence[Mapping[str, Any]], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [(run["augmentation"], run["record"]) for run in runs if run["record"]["kind"] == kind]


def clean_accuracies(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, int]]:
    """By augmentation the accuracy in per cent on all images that classifiers were scored on, and how many they are."""
    accuracies: dict[str, list[tuple[float, int]]] = {}
    for augmentation, record in _records(runs, "classifier"):
        if ACCURACY.name in record["metrics"]:
            accuracies.setdefault(augmentation, []).append(
                (ACCURACY.factor * record["metrics"][ACCURACY.name], record["metrics"]["n"])
            )
    return {
        name: (float(np.mean([value for value, _ in of_seeds])), of_seeds[0][1])
        for name, of_seeds in accuracies.items()
    }


def leads(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float, int, tuple[float, float]]]:
    """AutoAttack's lead over the sweep: points that it breaks beyond it, by augmentation.

    Args:
        runs: a document's, with their checks.

    Returns:
        Mean and standard deviation over seeds (NaN for one), number of images, and smallest and largest ε.
    """
    of_classifiers: dict[str, list[tuple[float, int, float]]] = {}
    for augmentation, record in _records(runs, "attacks"):
        for check in record.get("checks", ()):
            lead = lead_of(check["found"]) if check["name"] == AUTOATTACK else None
            if lead is not None:
                of_classifiers.setdefault(augmentation, []).append(lead)
    result = {}
    for name, of_seeds in of_classifiers.items():
        points, sizes = np.array([lead[0] for lead in of_seeds]), [lead[2] for lead in of_seeds]
        spread = float(points.std(ddof=1)) if len(points) > 1 else math.nan
        result[name] = (float(points.mean()), spread, of_seeds[0][1], (min(sizes), max(sizes)))
    return result


def summary_table(table: pd.DataFrame, curve: str, runs: Sequence[Mapping[str, Any]]) -> Tabular:
    """The worst case of every augmentation in points and as a share of clean accuracy, with what belongs to it.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: ``"robust"`` or ``"published"``.
        runs: a document's.
    """
    means = mean_over_sizes(table, curve)
    means = means[means["estimator"] == WORST].set_index("augmentation")
    shares = shares_of_clean(table, curve).set_index("augmentation")
    clean = table[(table["curve"] == curve) & (table["estimator"] == WORST) & (table["epsilon"] == 0)]
    attacked, everywhere = clean.groupby("augmentation")["value"].mean(), clean_accuracies(runs)
    lead = leads(runs) if curve == "robust" else {}
    n = int(table["n"].iloc[0])
    head = [["augmentation", "worst case", "share of clean", "clean"], ["", "points", "%", f"{n:,} images, %"]]
    lines = []
    if everywhere:
        head[0].append("clean")
        head[1].append(f"all {next(iter(everywhere.values()))[1]:,}, %")
    if lead:
        head[0].append("AutoAttack's lead")
        head[1].append(f"{min(images for _, _, images, _ in lead.values()):,} images, points")

    for name, mean, std in zip(means.index.astype(str), means["mean"], means["std"], strict=True):
        line = [label(name), plus_minus(mean, std, 1)]
        line.append(plus_minus(shares["mean"][name], shares["std"][name], 1) if name in shares.index else "—")
        line.append(f"{attacked[name]:.1f}" if name in attacked.index else "—")
        if everywhere:
            line.append(f"{everywhere[name][0]:.1f}" if name in everywhere else "—")
        if lead:
            line.append(plus_minus(*lead[name][:2], 1) if name in lead else "—")
        lines.append(line)
    note = f"Worst case over all attacks, mean over ε above 0, {curve}; mean ± standard deviation over seeds."
    if lead:
        note += (
            " AutoAttack's lead: points that it breaks beyond the sweep, at the one ε where about half of what was "
            "right is left."
        )
    return Tabular(head, lines, notes=[note])


def attacks_compared(
    table: pd.DataFrame, curve: str, parts: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Comparison]:
    """All pairs of augmentations under each attack that the paper's text speaks of, where there is what to compare.

    Args:
        table, curve, parts, config: as `sweep_conclusions` takes them.
    """
    means = mean_over_sizes(table, curve)
    found = {}
    for attack in SAID:
        variance = Components.from_json(parts.get(measure_of(attack, curve)))
        comparison = compared(f"attack {attack}", means[means["estimator"] == attack], variance, config)
        if comparison is not None:
            found[attack] = comparison
    return found


def sweep_conclusions(
    table: pd.DataFrame,
    curve: str,
    parts: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any] | None = None,
) -> str:
    """Which augmentations' accuracies differ under noise, DeepFool and the worst case, and the paper's claims.

    Args:
        table: one row per classifier, curve, attack and ε, accuracies in per cent.
        curve: which of the two is spoken of.
        parts: a document's variance components, by measure; none in older ones.
        runs: a document's, with their checks.
        config: a document's, by which augmentations are compared (`findings.published.compared`).
    """
    config = config or {}
    lines: list[str] = []
    for attack, comparison in attacks_compared(table, curve, parts, config).items():
        name = SAID[attack]
        lines += told_apart(comparison, f"Accuracy under {name}, mean over ε above 0, {curve}", "points", 2)
        if statements := claims_sentence(f"attack {attack}", comparison):
            lines.append(statements)
        if attack == WORST and curve == "robust":
            lines += _weakness(comparison, leads(runs))
    parts_of_share = Components.from_json(parts.get(measure_of(SHARE, curve)))
    shares = compared(SHARE, shares_of_clean(table, curve), parts_of_share, config)
    if shares is not None:
        lines += told_apart(
            shares,
            f"The same worst case as a share of clean accuracy on the same images, {curve}",
            "% of clean accuracy",
            2,
        )
    if lines:
        if curve == "robust" and not parts:
            lines.append(ADDED)
        clean = table[(table["curve"] == curve) & (table["epsilon"] == 0) & (table["estimator"] == WORST)]
        if len(clean):
            lines.append(_clean_sentence(clean, clean_accuracies(runs)))
    return "\n".join(lines)


def _clean_sentence(clean: pd.DataFrame, everywhere: Mapping[str, tuple[float, int]]) -> str:
    """How accurate the networks are without any attack, on the attacked images and on all."""
    alone = clean.groupby("augmentation", sort=False)["value"].mean()
    listed = ", ".join(f"{value:.1f}% ({the(str(name))})" for name, value in alone.items())
    text = f"Without any attack the accuracy on the {int(clean['n'].iloc[0]):,} images is {listed}"
    if everywhere:
        n = next(iter(everywhere.values()))[1]
        listed = ", ".join(f"{everywhere[str(name)][0]:.1f}%" for name in alone.index if name in everywhere)
        text += f"; on all {n:,} test images {listed}"
    return f"{text}: what is wrong is wrong at every ε."


def _weakness(comparison: Comparison, lead: Mapping[str, tuple[float, float, int, tuple[float, float]]]) -> list[str]:
    """How much of each difference in the worst case the attacks' weakness could be, an item of a list."""
    explained, unexplained = [], []
    for pair in comparison.differences:
        if pair.higher not in lead or pair.lower not in lead:
            continue
        (higher, *_), (lower, *_) = lead[pair.higher], lead[pair.lower]
        if higher <= lower:
            unexplained.append(f"{the(pair.higher)} and {the(pair.lower)}")
            continue
        could = "all" if higher - lower >= pair.value else f"{higher - lower:.1f}"
        explained.append(
            f"of {the(pair.higher)}'s {pair.value:.1f} points above {the(pair.lower)}, AutoAttack's lead of "
            f"{higher:.1f} ({the(pair.higher)}) and {lower:.1f} points ({the(pair.lower)}) could explain {could}"
        )
    if unexplained:
        explained.append(f"of the difference between {', '.join(unexplained)}, nothing")
    if not explained:
        return []
    images = min(images for _, _, images, _ in lead.values())
    low, high = (pick(pick(sizes) for *_, sizes in lead.values()) for pick in (min, max))
    sizes = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [
        f"- On {images} images a classifier, at the ε where about half is left ({sizes}), AutoAttack breaks more than "
        f"the sweep; if it did so at every ε: {'; '.join(explained)}. Its lead at other ε is not measured, and on so "
        "few images it is rough."
    ]


def bottom_line(
    table: pd.DataFrame,
    curve: str,
    parts: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    failed: Sequence[str],
    until: str,
) -> str:
    """Whose accuracy the attacks leave more of, in points and as a share of clean accuracy, and what is not decided.

    Args:
        table, curve, parts, runs, config: as `sweep_conclusions` takes them.
        failed: names of the checks that fail.
        until: how far adding seeds has come, in a sentence; empty where their number is fixed.
    """
    wrong = f"A check of the attacks fails: {enumerated(failed)}." if failed else ""
    if (worst := attacks_compared(table, curve, parts, config).get(WORST)) is None:
        named = table.fillna({"augmentation": "the model"})
        means = mean_over_sizes(named.fillna({"seed": 1}), curve)
        means = means[means["estimator"] == WORST]
        if means.empty:
            return paragraph([wrong, "No ε above 0 was asked for: nothing is attacked."])
        left = enumerated([f"{row['mean']:.1f}% ({the(str(row['augmentation']))})" for row in means.to_dict("records")])
        alone = (
            "Nothing is compared."
            if len(means) < 2
            else ("Nothing is decided: with one seed each no difference can be claimed, several seeds would tell.")
        )
        n = behind(int(means["seeds"].min()), int(means["n"].min()))
        return paragraph(
            [wrong, f"The worst case of all attacks leaves, as a mean over ε above 0, {left} ({n}).", alone]
        )
    shares = compared(
        SHARE, shares_of_clean(table, curve), Components.from_json(parts.get(measure_of(SHARE, curve))), config
    )
    of_share = "As a share of clean accuracy"
    return paragraph(
        [
            wrong,
            found_sentence(worst, "In the worst case of all attacks, mean over ε above 0", "points", 2),
            "" if shares is None else found_sentence(shares, of_share, "% of it", 2),
            undecided_sentence(worst, "in the worst case"),
            until or ("" if shares is None else undecided_sentence(shares, "as a share of clean accuracy")),
        ]
    )
