"""The bounds that ask for labels by how they are made, as figures and tables show them: a column is one family."""

from dataclasses import dataclass

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True)
class Family:
    """Bounds of different quantities that are made alike.

    Args:
        label: with the sign of their direction.
        ink: colour and marker.
        estimators: at most one of a quantity.
    """

    label: str
    ink: tuple[str, str]
    estimators: tuple[str, ...]


FAMILIES = (
    Family(
        "compared with other images ≥",
        ("#D55E00", ">"),
        ("kernel_classifier", "class_infonce", "infonce", "plug_in", "class_plug_in"),
    ),
    Family("Gaussian classifier ≥", ("#E69F00", "^"), ("gaussian_classifier",)),
    Family(
        "compared with other images ≤",
        ("#CC79A7", "s"),
        (
            "kernel_mixture",
            "class_leave_one_out",
            "leave_one_out",
            "leave_one_out_outputs",
            "class_leave_one_out_outputs",
        ),
    ),
    Family("R_m ≤", ("#0072B2", "<"), ("class_gaussian", "gaussian_marginal")),
    Family("R_m, spliced ≤", ("#009E73", "v"), ("class_spliced", "spliced")),
    Family("R_m by class, spliced, + I(T;Y) ≤", ("#7F7F7F", "D"), ("class_spliced_total",)),
)
"""Lower bounds before upper ones."""
