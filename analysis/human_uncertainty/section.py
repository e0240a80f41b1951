"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from findings.document import Document
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds, images_in
from tasks.metrics import ACCURACY

__all__ = ["OF_RATERS", "SECTIONS"]

OF_RATERS = ", against the votes of its raters"
"""How the title of a document ends whose human labels are the data's own."""


def _human(document: Document) -> Table:
    shown = {
        "kl_human_model": Column("KL(human‖model)", 3),
        "kl_human_model_temperature_scaled": Column("after one temperature", 3),
        "kl_human_model_matched": Column("KL(human‖model) at matched accuracy", 3),
        "kl_human_model_temperature_scaled_matched": Column("and after one temperature", 3),
        "js": Column("Jensen–Shannon", 3),
        "entropy": Column("entropy", 3),
        "ece": Column("ECE", 3),
        ACCURACY.name: Column("accuracy, %"),
        "second_best_agreement": Column("second choice agrees, %", 1),
    }
    measured = set(document.rows["estimator"])  # older documents have nothing at matched accuracy
    shown = {estimator: column for estimator, column in shown.items() if estimator in measured}
    lines, numbers = cells_over_seeds(document, document.rows, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    whose = "those of the data's own raters" if document.title.endswith(OF_RATERS) else "CIFAR-10H, CC BY-NC-SA 4.0"
    note = (
        f"{images_in(document.rows, document.items)}; nats where no unit is given; mean ± standard deviation over "
        f"seeds. Human labels: {whose}"
    )
    return Table("Divergence from human labels, and what belongs to it", head, lines, numbers, [note])


SECTIONS = (
    Section(
        key="human-uncertainty",
        title="Human uncertainty",
        paper="Table 6",
        program="python -m analysis.human_uncertainty",
        measured=(
            "KL(human ‖ model) between the labels that people gave CIFAR-10's test images (CIFAR-10H) and what "
            "classifiers say of them; before and after one temperature, fitted on other images; as it is, and at "
            "matched accuracy, as if all were right on the same share of the images."
        ),
        does_not=(
            "A small divergence need not mean a human-like notion of uncertainty: it also holds confidence, and "
            "mistakes. Only classifiers of like accuracy can be compared for their uncertainty; at matched accuracy "
            "all make as many mistakes, though not the same ones."
        ),
        get="python -m analysis.human_uncertainty --data cifar10 --seeds 5",
        cost="seconds, besides training the classifiers",
        pictures={
            "human-uncertainty": (
                "KL(human‖model) before and after one temperature, a dot for every seed of every augmentation."
            ),
        },
        table=_human,
    ),
)
"""What the report shows of this analysis."""
