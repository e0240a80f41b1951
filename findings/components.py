r"""The draw of the images in a comparison over seeds: variance components from scores kept per image.

Networks of every augmentation and seed are scored on the same images, which are a sample too. With scores
:math:`x_{Asi} = \mu_A + a_{As} + b_{Ai} + c_{Asi}` of seed :math:`s` on image :math:`i`, the means over images of two
augmentations with seeds of their own differ with the variance

.. math:: V = \frac{S_A^2}{s_A} + \frac{S_B^2}{s_B} + \max\Bigl(0,
    \frac{1}{n}\bigl(s_\text{image}^2 - \frac{r_A}{s_A} - \frac{r_B}{s_B}\bigr)\Bigr),

where :math:`S^2` is the variance over seeds of the means over the :math:`n` images, :math:`s_\text{image}^2` the
variance over images of the difference of the means over seeds, and :math:`r` the residual mean square of the two-way
table of seeds and images, which :math:`S^2` holds already. Without the maximum, V is unbiased. The last term is what
the draw of the images adds; `findings.comparisons` takes the rest from the spread over seeds.

What all networks find hard alike leaves a difference alone: :math:`s_\text{image}^2` is of the paired difference, and
smaller than the two variances over images together.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Components", "components"]

Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Components:
    """Variance components of one measure, for all pairs of augmentations.

    Args:
        images: on which all networks were scored.
        residuals: of each augmentation with several seeds, the mean square that neither seed nor image explains.
        seeds: of each of them.
        between: variance over images of the difference of means over seeds, by pair in the order of ``residuals``.
    """

    images: int
    residuals: dict[str, float]
    seeds: dict[str, int]
    between: dict[tuple[str, str], float]

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Those with several seeds, which can be compared."""
        return tuple(self.residuals)

    def image_variance(self, one: str, other: str) -> float:
        """What the draw of the images adds to the variance of the difference of two augmentations' means."""
        of_seeds = sum(self.residuals[name] / self.seeds[name] for name in (one, other))
        between = self.between.get((one, other), self.between.get((other, one), 0.0))
        return max(0.0, between - of_seeds) / self.images

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and lists, as a document carries them."""
        between = [[*pair, value] for pair, value in self.between.items()]
        return {"images": self.images, "residuals": self.residuals, "seeds": self.seeds, "between": between}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any] | None) -> "Components | None":
        """What `as_json` gave; None of nothing, as in older documents."""
        if kept is None:
            return None
        between = {(one, other): float(value) for one, other, value in kept["between"]}
        return cls(int(kept["images"]), dict(kept["residuals"]), dict(kept["seeds"]), between)


def components(scores: Mapping[str, Scores]) -> Components | None:
    """Variance components of one measure.

    An image that some network has no number for (NaN) is left out for all.

    Args:
        scores: (seeds, images) of each augmentation, all on the same images in the same order.

    Returns:
        None with fewer than two augmentations of several seeds, or fewer than two images.
    """
    several = {name: np.asarray(table, dtype=float) for name, table in scores.items() if len(table) > 1}
    if len(several) < 2:
        return None
    whole = np.logical_and.reduce([np.isfinite(table).all(0) for table in several.values()])
    several = {name: table[:, whole] for name, table in several.items()}
    images = int(whole.sum())
    if images < 2:
        return None
    means = {name: table.mean(0) for name, table in several.items()}
    residuals = {}
    for name, table in several.items():
        residual = table - table.mean(1, keepdims=True) - means[name] + table.mean()
        residuals[name] = float((residual**2).sum() / (len(table) - 1) / (images - 1))
    between = {
        (one, other): float((means[one] - means[other]).var(ddof=1))
        for one, other in itertools.combinations(several, 2)
    }
    return Components(images, residuals, {name: len(table) for name, table in several.items()}, between)
