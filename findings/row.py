"""The record of one number: a row of the ``--json`` document, of ``result.json`` and of ``rows.csv``.

Every row has the fields of `CORE`, null where they do not apply, so that any two rows can be put beside each other;
those of `FURTHER` stand only in the rows of the analyses that know them. A field that is missing in an older record is
read as null.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["CORE", "FURTHER", "Field", "oddity", "row"]


class Field(NamedTuple):
    """A field of a row.

    Args:
        kind: of its values, which all may be null as well, but for ``quantity`` and ``estimator``.
        meaning: of it, in words, with units.
    """

    kind: type
    meaning: str


CORE = {
    "quantity": Field(str, "what is measured, as a formula or in words; never null"),
    "estimator": Field(str, "how it is measured; never null"),
    "value": Field(float, "the number, in `units`"),
    "standard_error": Field(float, "of the value over draws of the images, or texts; in a mean over seeds, over seeds"),
    "direction": Field(str, "of a bound in expectation, upper or lower; estimate for one without guarantee"),
    "cap": Field(float, "the largest value that the estimator can take, in `units`"),
    "saturated": Field(bool, "whether the value is too close to the cap to say much"),
    "n": Field(int, "images, or texts"),
    "k": Field(int, "images that are compared with each other"),
    "noise": Field(float, "added to the code, in standard deviations of each of its dimensions; null without"),
    "inputs": Field(str, "clean or own-augmented, as the network was trained on"),
    "augmentation": Field(str, "under which the network was trained; null for a model of unknown training"),
    "seed": Field(int, "of the network; null in a mean over seeds"),
    "units": Field(str, "of value, standard error and cap"),
}
"""The fields of every row."""

FURTHER = {
    "decoder_scale": Field(float, "σ of a VAE's decoder, in normalised pixels"),
    "fitted_on": Field(str, "the augmentation on whose inputs a linear VAE was fitted"),
    "under_trained": Field(bool, "whether a VAE is worse than the linear VAE of its inputs; over seeds, most are"),
    "heavy_tailed": Field(bool, "whether a few images decide the value, so that its standard error is too small"),
    "noise_shape": Field(str, "of the noise that is added to the code"),
    "metric": Field(str, "by which a classifier is scored, where there are several"),
    "scored_on": Field(str, "the augmentation of the test images on which a network trained on clean ones is scored"),
    "layer": Field(str, "of the network: whose maps are summed, or whose outputs are bounded"),
    "split": Field(str, "whose images are scored, where it is not the test images alone: test or training"),
    "epoch": Field(int, "after which weights were kept that are not the last"),
    "classes": Field(str, "whose Grad-CAM maps they are: predicted or true"),
    "empty": Field(int, "images that are left out because their maps have no positive part"),
    "curve": Field(str, "robust or published: how what an attack breaks is counted"),
    "epsilon": Field(float, "size of the attack, pixels in [0, 1]"),
    "low": Field(float, "lower end of Wilson's 95% interval of the value"),
    "high": Field(float, "upper end of it"),
    "vary": Field(str, "the option that an ablation varies"),
    "setting": Field(float, "the value of that option"),
    "fold": Field(int, "of a cross-validation, from 1; null where the test images are scored"),
    "task": Field(str, "the ground truth's name"),
    "truth": Field(float, "the true value"),
    "truth_error": Field(float, "standard error of the true value"),
    "error": Field(str, "why an estimator failed; null where it did not"),
    "bias": Field(float, "mean over replicates less the truth"),
    "spread": Field(float, "standard deviation over replicates"),
    "reported": Field(float, "mean over replicates of the standard error"),
    "holds": Field(float, "share of replicates whose 97.5% limit lies on the side that the direction promises"),
    "covers": Field(float, "share of replicates whose 95% interval holds the truth"),
    "holds_unflagged": Field(float, "`holds` of the replicates that are not heavy-tailed"),
    "failed": Field(float, "share of replicates in which the estimator failed"),
    "heavy_tailed_share": Field(float, "share of replicates that are heavy-tailed"),
}
"""Fields that only some rows have."""

_NEVER_NULL = ("quantity", "estimator")


def row(quantity: str, estimator: str, value: float | None, *, units: str | None, **known: Any) -> dict[str, Any]:
    """A complete row: every field of `CORE`, null where nothing is given, and of `FURTHER` those that are given.

    Args:
        quantity: what is measured.
        estimator: how.
        value: the number, finite; None where the estimator failed.
        units: of it.
        known: other fields of the schema, by name.

    Raises:
        TypeError: a field that the schema does not have.
    """
    if unknown := known.keys() - CORE.keys() - FURTHER.keys():
        raise TypeError(f"row() got fields that no row has: {', '.join(sorted(unknown))}")
    first = {"quantity": quantity, "estimator": estimator, "value": value}
    return dict.fromkeys(CORE) | first | known | {"units": units}


def oddity(read: Mapping[str, Any]) -> str | None:
    """What about a row that was read is of another type than the schema's, in words; None where nothing is.

    A missing field counts as null, and fields that the schema does not have as anybody's own.
    """
    for name, field in (CORE | FURTHER).items():
        value = read.get(name)
        if value is None and name not in _NEVER_NULL:
            continue
        kinds = (int, float) if field.kind is float else field.kind
        if not isinstance(value, kinds) or (isinstance(value, bool) and field.kind is not bool):
            return f"a row whose {name} is {str(value)[:40]!r}"
    return None
