"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

import pandas as pd

from attacks.sentences import clean_accuracies, leads
from figures import label
from findings.document import Document
from findings.over_seeds import over_seeds
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds, images_in

__all__ = ["SECTIONS"]


def _attacks(document: Document) -> Table:
    rows = document.rows
    rows = rows.assign(augmentation=rows["augmentation"].fillna("the model"), seed=rows["seed"].fillna(1))
    config = document.config
    clean = rows[(rows["epsilon"] == 0) & (rows["estimator"] == "worst case")].assign(estimator="clean")
    attacked = rows[rows["epsilon"] > 0]
    keys = ["augmentation", "curve", "estimator", "seed"]
    means = attacked.groupby(keys, sort=False)["value"].mean().reset_index()
    ratios = means[means["estimator"] == "worst case"].merge(clean[[*keys, "value"]], on=keys[:2] + keys[3:])
    ratios = ratios[ratios["value_y"] > 0]
    shares = ratios[["augmentation", "curve", "seed"]].assign(
        estimator="share", value=100 * ratios["value_x"] / ratios["value_y"]
    )
    together = pd.concat([clean[[*keys, "value"]], means, shares])
    shown = {name: Column(name, 1) for name in ("clean", *config["attacks"], "worst case")}
    shown["share"] = Column("worst case, % of clean", 1)
    lines, _ = cells_over_seeds(document, together, shown, ("augmentation", "curve"))
    points = ["curve", "estimator", "augmentation", "epsilon"]
    numbers = over_seeds(rows, points)[[*points, "mean", "std", "seeds"]]
    note = (
        f"accuracy in % on {images_in(rows)}, mean over the ε above 0 of "
        f"{', '.join(f'{size:g}' for size in config['epsilons'] if size)}; mean ± standard deviation over seeds. The "
        "CSV file has every ε"
    )
    notes = [note, *_beyond(document)]
    return Table(
        "Accuracy under attack",
        ["augmentation", "curve", *(column.head for column in shown.values())],
        lines,
        numbers,
        notes,
    )


def _beyond(document: Document) -> list[str]:
    """What else belongs to a sweep's worst case: accuracy on all images, and what AutoAttack breaks beyond it."""
    everywhere, lead = clean_accuracies(document.runs), leads(document.runs)
    notes = []
    if everywhere:
        listed = ", ".join(f"{label(name)} {value:.1f}" for name, (value, _) in everywhere.items())
        notes.append(f"without any attack, on all {next(iter(everywhere.values()))[1]:,} test images, %: {listed}")
    if lead:
        listed = ", ".join(f"{label(name or 'the model')} {points:.1f}" for name, (points, _, _, _) in lead.items())
        images = min(n for _, _, n, _ in lead.values())
        notes.append(
            f"points that AutoAttack breaks beyond the sweep, on {images} images, at the ε where about half is left: "
            f"{listed}"
        )
    return notes


SECTIONS = (
    Section(
        key="robustness",
        title="Robustness",
        paper="Figures 1 and 5",
        program="python -m attacks.sweep",
        measured=(
            "Accuracy while Foolbox's l∞ attacks change every pixel by at most ε, over ε: as published (the last "
            "iterate, misclassified images stay in) and robust (broken images stay broken, every iterate is judged)."
        ),
        does_not=(
            "Accuracy under five attacks is an upper bound on robustness: another attack may break more. What is "
            "wrong without any attack is wrong at every ε, so that the mean over ε is mostly clean accuracy, and the "
            "worst case stands beside it as a share of that."
        ),
        get="python -m attacks.sweep --data cifar10 --seeds 5",
        cost="six minutes a classifier for 200 images on one CPU core (width 16, both curves), besides training it",
        pictures={
            "attacks": (
                "Accuracy against ε, a panel for each attack and for the worst case, a line for every augmentation: "
                "robust curves solid, as published dashed."
            ),
            "attacked": (
                "Test images that are right as they are, and attacked at two ε: above each the class that a network "
                "then says, beside each the change, amplified. The first seed of two augmentations."
            ),
        },
        table=_attacks,
    ),
)
"""What the report shows of this analysis."""
