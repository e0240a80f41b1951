"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from findings.document import Document
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds, images_in
from tasks.metrics import ACCURACY, METRICS

__all__ = ["SECTIONS"]


def _accuracy(document: Document) -> Table:
    shown = {
        **{name: Column(f"{metric.label}, {metric.unit}", metric.places) for name, metric in METRICS.items()},
        "training_accuracy": Column("on training images, %", 1),
        "training_loss": Column("training loss, augmented images, nats", 3),
    }
    shown = {name: column for name, column in shown.items() if document.rows["estimator"].eq(name).any()}
    lines, numbers = cells_over_seeds(document, document.rows, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    scored = document.rows[document.rows["estimator"] == ACCURACY.name]
    note = f"{images_in(scored)}; last epoch; mean ± standard deviation over seeds"
    return Table("Clean test images", head, lines, numbers, [note])


SECTIONS = (
    Section(
        key="accuracy",
        title="Accuracies and hybrids",
        paper="Table 2",
        program="python -m analysis.accuracy",
        measured=(
            "Test accuracy of the last epoch, for classifiers trained under each augmentation, and under two in turn;"
            " what they say of training images, and the learning curves."
        ),
        does_not=(
            "Augmentations slow training down before they pay: where the baseline is not overfitted, few epochs show "
            "the cost alone."
        ),
        get="python -m analysis.accuracy --data cifar10 --seeds 5",
        cost="on a CPU three minutes a classifier of width 16 (10,000 images, 10 epochs); full size needs a GPU",
        pictures={
            "accuracy": (
                "Test accuracy: a dot per seed and a bar for mean ± standard deviation of every augmentation."
            ),
            "learning-curves": (
                "Accuracy on scored and on training images, and the training loss, over the epochs: a line for every "
                "classifier."
            ),
        },
        table=_accuracy,
    ),
)
"""What the report shows of this analysis."""
