"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from collections.abc import Mapping
from typing import Any

from analysis.accuracy.section import metric_of
from findings.document import Document
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds

__all__ = ["SECTIONS", "SYMBOLS", "equal_steps", "note_of_steps"]

SYMBOLS = {"fraction": "share", "alpha": "α", "decay-power": "δ"}
"""What an option is called in tables."""


def equal_steps(items: str) -> str:
    """What is said of ``--equal-steps`` wherever its numbers are."""
    return f"equal steps: the fewer {items}, the more epochs"


def note_of_steps(config: Mapping[str, Any], items: str) -> str:
    """What the note of a table adds at equal steps; nothing otherwise, as in older documents.

    Args:
        config: of the document.
        items: what networks are trained on.
    """
    return f"; {equal_steps(items)}" if config.get("equal_steps") and not config["smoke"] else ""


def _ablation(document: Document) -> Table:
    rows, metric, items = document.rows, metric_of(document.settings), document.items
    rows = rows[rows["estimator"] == metric.name]
    vary, values = document.config["vary"], sorted(rows["setting"].unique())
    named = rows.assign(estimator=[f"{value:g}" for value in rows["setting"]])
    shown = {f"{value:g}": Column(f"{SYMBOLS[vary]} = {value:g}") for value in values}
    lines, numbers = cells_over_seeds(document, named, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    numbers = numbers.rename(columns={"estimator": vary})
    note = f"{metric.label} in % on the {int(rows['n'].max()):,} {document.settings['scored']} {items}, last epoch; "
    note += f"mean ± standard deviation{note_of_steps(document.config, items)}"
    title = f"{metric.label[0].upper()}{metric.label[1:]} over {SYMBOLS[vary]}"
    return Table(title, head, lines, numbers, [note])


SECTIONS = (
    Section(
        key="training-size",
        title="Size of the training set",
        paper="Figure 3",
        program="python -m analysis.ablation",
        measured=(
            "Test accuracy, or ROC-AUC of several labels, against the share of the training images or texts that is "
            "used, at a fixed number of epochs or, with --equal-steps, of optimisation steps."
        ),
        does_not=(
            "At a fixed number of epochs fewer images are also fewer steps: what too few steps cost is not told from "
            "what too few images cost. At equal steps each of fewer images is seen more often. The paper's Figure 3 is "
            "of images: of texts, its statements are not judged."
        ),
        get="python -m analysis.ablation --vary fraction --data cifar10 --seeds 5",
        cost="for every share and seed, as long as four classifiers on that share",
        pictures={
            "ablation": "Accuracy or ROC-AUC against the share of the training items, a line for every augmentation.",
        },
        table=_ablation,
        wanted=lambda document: document.config["vary"] == "fraction",
    ),
    Section(
        key="ablations",
        title="Ablations of α and δ",
        paper="Figure 6",
        program="python -m analysis.ablation",
        measured=(
            "Validation accuracy over five folds, a tenth of the training images held out each time, against the "
            "parameter α of λ's distribution, and against FMix's decay power δ."
        ),
        does_not=(
            "Folds share most of their training images: their spread is less than that of independent training sets. "
            "The best value at few epochs need not be the best at many."
        ),
        get="python -m analysis.ablation --vary decay-power --cross-validate 5 --data cifar10",
        cost="as long as one classifier for every value, augmentation and fold: 25 for δ, 60 for α",
        pictures={
            "ablation": "Validation accuracy against the option's value, a line for every augmentation.",
        },
        table=_ablation,
        wanted=lambda document: document.config["vary"] != "fraction",
    ),
)
"""What the report shows of this analysis."""
