"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from findings.document import Document
from findings.section import Section
from findings.table import Column, Table, cells_over_seeds, images_in

__all__ = ["SECTIONS"]


def _sums(document: Document) -> Table:
    rows = document.rows
    rows = rows.assign(augmentation=rows["augmentation"].fillna("the model"))
    shown = {
        "gradcam_normalised": Column("normalised, pixels", 1),
        "gradcam_relu": Column("ReLU", 3),
        "gradcam_raw": Column("raw", 3),
    }
    chosen = rows[rows["classes"] == document.config["classes"][0]]
    lines, numbers = cells_over_seeds(document, chosen, shown, ("augmentation", "layer"))
    head = ["augmentation", "layer", *(column.head for column in shown.values())]
    note = f"mean ± standard deviation over seeds of the mean over {images_in(chosen)}; empty maps are left out"
    return Table(f"Sums over pixels, {document.config['classes'][0]} class", head, lines, numbers, [note])


SECTIONS = (
    Section(
        key="grad-cam",
        title="Grad-CAM",
        paper="Figure 4, sums in Section 3",
        program="python -m gradcam.sums",
        measured=(
            "Grad-CAM maps of the test images, their positive part divided by its own maximum and summed over pixels."
        ),
        does_not=(
            "The sum says how spread out a map is, not what it shows. Raw and ReLU sums grow with the scale of the "
            "logits. Another layer gives another order, and sums of the published size too."
        ),
        get="python -m gradcam.sums --data cifar10 --augmentations none mixup cutmix fmix --seeds 5",
        cost="a minute a classifier on a CPU (width 16, 10,000 images), besides training it",
        pictures={
            "gradcam-sums": (
                "Normalised Grad-CAM sums: a dot per seed and a bar for mean ± standard deviation of every "
                "augmentation."
            ),
            "gradcam-maps": (
                "Test images, and over each the Grad-CAM map of a classifier trained under each augmentation, on one "
                "colour scale."
            ),
        },
        table=_sums,
    ),
)
"""What the report shows of this analysis."""
