"""What the report shows of this analysis: the plane, the layers, and what its numbers mean and do not mean."""

import math

import pandas as pd

from analysis.bounds.labelled import GIVEN_LABEL, LABEL
from analysis.representations.dominance import SHARES, Dominance
from analysis.representations.figures import sections
from analysis.representations.sentences import intervals, of_test
from figures import label
from findings.document import Document
from findings.section import Section
from findings.sentences import p_value, said_of
from findings.table import Cell, Table, group_of

__all__ = ["SECTIONS"]


def _plane(document: Document) -> Table:
    """The band of every network cut at the shares of H(Y): a line an augmentation and layer."""
    rows = of_test(document.rows).fillna({"augmentation": "the model", "layer": "features"})
    sides = intervals(rows)
    entropy = float(rows.loc[rows["quantity"] == LABEL, "cap"].max())
    cuts = [sections(sides, share * entropy).assign(share=share) for share in SHARES]
    lines = []
    for place, (name, layer) in enumerate(zip(cuts[0]["augmentation"], cuts[0]["layer"], strict=True)):
        cells = [Cell(label(str(name))), Cell(str(layer))]
        for cut in cuts:
            text = _between(float(cut["low"].iloc[place]), float(cut["high"].iloc[place]))
            cells.append(Cell(text, group_of(document, augmentation=str(name))))
        lines.append(cells)
    n, shape = int(rows["n"].max()), rows["noise_shape"].iloc[0]
    note = (
        f"{GIVEN_LABEL} from the lower bound to the upper, nats, of means over seeds, {n:,} test images, {shape} "
        f"noise, between two levels of it; empty where {LABEL} does not reach so far. H(Y) = {entropy:.2f} nats"
    )
    head = ["augmentation", "layer", *(f"{LABEL} at {share:.0%} of H(Y)" for share in SHARES)]
    title = said_of(document.items, "What layers keep of the image")
    note = said_of(document.items, note)
    return Table(f"{title}: {GIVEN_LABEL}", head, lines, pd.concat(cuts), [note])


def _between(low: float, high: float) -> str:
    if math.isnan(low):
        return "" if math.isnan(high) else f"at most {high:.2f}"
    return f"at least {low:.2f}" if math.isnan(high) else f"{low:.2f} to {high:.2f}"


def _dominance(document: Document) -> Table | None:
    kept = document.more.get("dominance") or []
    tested = [Dominance(**one) for one in kept]
    claimed = [one for one in tested if one.claimed]
    if not claimed:
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
    title, note, *head = [said_of(document.items, text) for text in ("Less of the single image", note, *head)]
    return Table(f"{title} at equal I(T;Y)", head, lines, pd.DataFrame(kept), [note])


SECTIONS = (
    Section(
        key="representations",
        title="What layers keep",
        paper="Section 3: compression and preservation, in classifiers",
        program="python -m analysis.representations",
        measured=(
            "What the layers of trained classifiers say, with Gaussian noise added: I(T;Y), of the label, and "
            "I(T;X|Y), of the image beyond its label, each from below and above. H(Y) is all that there is to know of "
            "the label."
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
