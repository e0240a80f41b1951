"""What the report shows of this analysis: the plane, the layers, and what its numbers mean and do not mean."""

import pandas as pd

from analysis.bounds.labelled import GIVEN_LABEL, LABEL
from analysis.representations.dominance import Dominance
from analysis.representations.profile import LOWER_IMAGE, LOWER_LABEL, UPPER_IMAGE, UPPER_LABEL
from analysis.representations.sentences import intervals, of_test
from figures import label
from findings.document import Document
from findings.section import Section
from findings.sentences import p_value
from findings.table import Cell, Table, group_of

__all__ = ["SECTIONS"]

SHOWN = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Levels of noise in the report's table, of those that were measured; all where none of these was."""


def _plane(document: Document) -> Table:
    rows = of_test(document.rows).fillna({"augmentation": "the model", "layer": "features"})
    sides = intervals(rows)
    levels = [level for level in SHOWN if level in set(sides["noise"])]
    if levels:
        sides = sides[sides["noise"].isin(levels)]
    lines = []
    for line in sides.to_dict("records"):
        name = str(line["augmentation"])
        cells = [Cell(label(name)), Cell(str(line["layer"])), Cell(f"{line['noise']:g}")]
        for low, high in ((LOWER_LABEL, UPPER_LABEL), (LOWER_IMAGE, UPPER_IMAGE)):
            cells.append(Cell(f"{line[low]:.2f} to {line[high]:.2f}", group_of(document, augmentation=name)))
        lines.append(cells)
    n = int(rows["n"].max())
    shape = rows["noise_shape"].iloc[0]
    note = f"from the lower bound to the upper, nats, means over seeds, {n:,} test images, {shape} noise"
    return Table("What layers keep", ["augmentation", "layer", "noise s", LABEL, GIVEN_LABEL], lines, sides, [note])


def _dominance(document: Document) -> Table | None:
    kept = document.more.get("dominance") or []
    tested = [Dominance(**one) for one in kept]
    claimed = [one for one in tested if one.claimed]
    if not tested:
        return None
    lines = []
    for one in claimed:
        cells = [label(one.less), label(one.more), one.layer or "features", f"{one.share:.0%}"]
        cells += [f"{one.noise_less:g} and {one.noise_more:g}", f"{one.label_margin:.2f}", f"{one.image_margin:.2f}"]
        lines.append([Cell(cell) for cell in (*cells, p_value(one.p))])
    head = ["keeps less of the image", "than", "layer", "at I(T;Y) of H(Y)", "noise s", "more of the label, nats"]
    head += ["less of the image, nats", "p"]
    family = sum(one.noise_less is not None for one in tested)
    note = (
        f"{len(claimed)} of {family} tests: of {len(tested)} ordered pairs, layers and shares of H(Y) those whose "
        "bounds separate on training images; both inequalities one-sided, "
        + ("seeds as replicates" if min(one.seeds for one in tested) > 1 else "of these networks alone")
        + ", Holm's correction over all tests, 5%. At the level of noise nearest to the share, within a tenth of H(Y). "
        "Nats: the gap between the bounds, on test images."
    )
    return Table("Less of the single image at equal I(T;Y)", head, lines, pd.DataFrame(kept), [note])


SECTIONS = (
    Section(
        key="representations",
        title="What layers keep",
        paper="Section 3: compression and preservation, in classifiers",
        program="python -m analysis.representations",
        measured=(
            "The layers of trained classifiers, with Gaussian noise: how much the noised features say of the label, "
            "I(T;Y), and of the image beyond it, I(T;X|Y), each from below and above."
        ),
        does_not=(
            "The information of a layer without noise is infinite, and a level of noise is no unit that two networks "
            "share: only what is said at equal I(T;Y) compares them. Less of the single image is no merit by itself, "
            "and networks of other accuracy or training loss keep other things whatever the augmentation."
        ),
        get="python -m analysis.representations --data cifar10 --augmentations none mixup cutmix fmix --seeds 5",
        cost="minutes a classifier on a CPU (2,000 images), besides training it",
        pictures={
            "plane": (
                "The information plane: I(T;X|Y) over I(T;Y), a panel for each layer and a band for each augmentation, "
                "whose two sides are the bounds."
            ),
            "layers": ("I(T;X|Y) of each layer where I(T;Y) is three quarters of H(Y), on test and training images."),
            "epochs": "I(T;X|Y) over the cross entropy of training images, at the epochs whose weights were kept.",
        },
        table=_plane,
        further=_dominance,
    ),
)
"""What the report shows of this analysis."""
