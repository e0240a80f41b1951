"""What the report shows of this analysis: its table, and what its numbers mean and do not mean."""

from dataclasses import replace

import pandas as pd

from analysis.mutual_info.table import RECONSTRUCTION, UNDER_TRAINED, columns
from findings.document import Document
from findings.section import Section
from findings.sentences import said_of
from findings.table import Column, Table, cells_over_seeds
from findings.under_trained import LINEAR, mostly_under_trained
from vae.train import squared_units

__all__ = ["SECTIONS"]


def _information(document: Document) -> Table:
    rows = document.rows
    chosen = rows[rows["noise"].isna() & (rows["inputs"] == "clean")]
    known = columns()
    shown = {name: Column(head, {"mse": 4, "negative_elbo": 1}.get(name, 2)) for name, (head, _) in known.items()}
    shown = {name: column for name, column in shown.items() if (chosen["estimator"] == name).any()}
    chosen = chosen[chosen["estimator"].isin(list(shown))]
    by = ("augmentation", "decoder_scale") if chosen["decoder_scale"].nunique() > 1 else ("augmentation",)
    lines, numbers = cells_over_seeds(document, chosen, shown, by)
    places = list(dict.fromkeys(chosen[list(by)].itertuples(index=False, name=None)))
    marked = False
    for place, line in zip(places, lines, strict=True):
        of_place = chosen[(chosen[list(by)] == list(place)).all(axis=1)]
        if mostly_under_trained(of_place).get(place[0]):
            line[0] = replace(line[0], text=line[0].text + " ‡")
            marked = True
    cap = chosen.loc[chosen["estimator"] == "infonce", "cap"].max()
    directions = {name: known[name][1] for name in shown}
    if not pd.isna(cap):
        directions["infonce"] += f" (cap {cap:.2f})"
    head = [*(["augmentation", "decoder scale"][: len(by)])]
    head += [f"{column.head}: {directions[name]}".removesuffix(": ") for name, column in shown.items()]
    units = squared_units(document.about["settings"])
    notes = [f"nats, MSE in {units}; mean ± standard deviation over seeds; clean test {document.items}"]
    if chosen["saturated"].eq(True).any():
        notes.append("* within a nat of its cap: saturated")
    if marked:
        notes.append(said_of(document.items, UNDER_TRAINED))
    if RECONSTRUCTION in shown:
        notes.append("† published as a lower bound; it is the rate of the reconstruction x̂, another variable")
    return Table(f"Clean test {document.items}", head, lines, numbers, notes)


def _training(document: Document) -> Table | None:
    """How well VAEs were trained; None for documents that are older than the record of it."""
    rows = document.rows
    augmented = rows[rows["inputs"].eq("own-augmented") & rows["noise"].isna()]
    linear = augmented[augmented["augmentation"].eq(LINEAR) & augmented["estimator"].eq("negative_elbo")]
    if not augmented["estimator"].eq("last_fall").any():
        return None
    beside = linear.assign(augmentation=linear["fitted_on"], estimator="linear")
    active = rows[rows["estimator"].eq("active_units") & rows["inputs"].eq(document.config["inputs"][0])]
    chosen = pd.concat(
        [augmented[augmented["augmentation"].ne(LINEAR) & augmented["estimator"].ne("active_units")], beside, active]
    )
    shown = {
        "negative_elbo": Column("−ELBO, own inputs", 1),
        "linear": Column("the linear VAE's", 1),
        "overfitting": Column("test less training −ELBO", 1),
        "last_fall": Column("fall over the last fifth"),
        "active_units": Column("active units", 1),
    }
    chosen = chosen[chosen["estimator"].isin(list(shown))]
    by = ("augmentation", "decoder_scale") if chosen["decoder_scale"].nunique() > 1 else ("augmentation",)
    lines, numbers = cells_over_seeds(document, chosen, shown, by)
    head = [*(["augmentation", "decoder scale"][: len(by)]), *(column.head for column in shown.values())]
    note = (
        "nats an image, mean ± standard deviation over seeds; held-out inputs like a VAE's own, and the linear VAE "
        "fitted on such inputs. At the end of a schedule whose rate falls to nothing −ELBO hardly falls: only a run "
        "of twice the length tells whether it would have gone on"
    )
    return Table("How the VAEs were trained", head, lines, numbers, [said_of(document.items, note)])


SECTIONS = (
    Section(
        key="mutual-information",
        title="Mutual information",
        paper="Table 1",
        program="python -m analysis.mutual_info",
        measured=(
            "How much a code says of an image. VAEs are trained on clean images and under each augmentation; I(Z;X), "
            "the information between their codes and clean test images, is bounded from above by the rate (what a "
            "code spends on an image) and by R_m (the same, with a Gaussian fitted to all codes as the prior), from "
            "below by InfoNCE (telling the image from N others, so that it cannot exceed its cap log N; saturated "
            "within a nat of it). Noise is added to the code where that lets the bounds meet. A difference in "
            "information is certified where one lower bound exceeds the other's upper bound."
        ),
        does_not=(
            "A rate is not mutual information, but an upper bound on it; a contrastive bound cannot exceed log N. A "
            "difference between two upper bounds is no difference in information. More information is not better: a "
            "code can carry what a task does not need."
        ),
        get='make table-1 ARGS="--data cifar10 --preset reference --seeds 5"',
        cost="one to three minutes for the digits; on two CPU cores about two hours for 12 VAEs on 50,000 images",
        pictures={
            "table-1": (
                "Upper and lower bounds on the information of every augmentation's codes: for each a dot for the "
                "rate, R_m and InfoNCE with its cap."
            ),
            "noise-profile": (
                "Bounds against the noise added to the code: upper and lower bounds meet where information falls "
                "below log N."
            ),
            "factors": (
                "Bounds on what codes say of each of several things that are known of an image, against the noise "
                "added to the code."
            ),
            "training": (
                "−ELBO, rate and squared error of held-out inputs over the steps of training, a line for every VAE, "
                "and the linear VAE of the same inputs."
            ),
            "rate-distortion": (
                "Rate and R_m against squared error at several decoder scales: a curve for every augmentation."
            ),
            "reconstructions": (
                "Test images in the first row, and in a row for every augmentation what a VAE trained under it makes "
                "of them, decoded from the mean of their codes."
            ),
        },
        table=_information,
        further=_training,
    ),
)
"""What the report shows of this analysis."""
