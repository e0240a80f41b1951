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
        rest = sum(self.residuals[name] / self.seeds[name] for name in (one, other))
        between = self.between.get((one, other), self.between.get((other, one), 0.0))
        return max(0.0, between - rest) / self.images

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and lists, as a document carries them."""
        return {
            "images": self.images, "residuals": self.residuals, "seeds": self.seeds,
            "between": [[*pair, value] for pair, value in self.between.items()],
        }  # fmt: skip

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> "Components | None":
        """What `as_json` gave; None of nothing, as in older documents."""
        if found is None:
            return None
        between = {(one, other): float(value) for one, other, value in found["between"]}
        return cls(int(found["images"]), dict(found["residuals"]), dict(found["seeds"]), between)


def components(scores: Mapping[str, Scores]) -> Components | None:
    """Variance components of one measure.

    An image that some network has no number for (NaN) is left out for all.

    Args:
        scores: (seeds, images) of each augmentation, all on the same images in the same order.

    Returns:
        None with fewer than two augmentations of several seeds, or fewer than two images.
    """
    several = {name: np.asarray(each, dtype=float) for name, each in scores.items() if len(each) > 1}
    if len(several) < 2:
        return None
    whole = np.logical_and.reduce([np.isfinite(each).all(0) for each in several.values()])
    several = {name: each[:, whole] for name, each in several.items()}
    images = int(whole.sum())
    if images < 2:
        return None
    means = {name: each.mean(0) for name, each in several.items()}
    residuals = {}
    for name, each in several.items():
        rest = each - each.mean(1, keepdims=True) - means[name] + each.mean()
        residuals[name] = float((rest**2).sum() / (len(each) - 1) / (images - 1))
    names = list(several)
    between = {
        (one, other): float((means[one] - means[other]).var(ddof=1))
        for place, one in enumerate(names) for other in names[place + 1 :]
    }  # fmt: skip
    return Components(images, residuals, {name: len(each) for name, each in several.items()}, between)
