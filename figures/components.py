r"""The draw of the images in a comparison over seeds: variance components from scores kept per image.

Networks of every augmentation and seed are scored on the same images, which are a sample too. With scores
:math:`x_{Asi} = \mu_A + a_{As} + b_{Ai} + c_{Asi}` of seed :math:`s` on image :math:`i`, the means over images of two
augmentations with seeds of their own differ with the variance

.. math:: V = \frac{S_A^2}{s_A} + \frac{S_B^2}{s_B} + \max\Bigl(0,
    \frac{1}{n}\bigl(s_\text{image}^2 - \frac{r_A}{s_A} - \frac{r_B}{s_B}\bigr)\Bigr),

where :math:`S^2` is the variance over seeds of the means over the :math:`n` images, :math:`s_\text{image}^2` the
variance over images of the difference of the means over seeds, and :math:`r` the residual mean square of the two-way
table of seeds and images, which :math:`S^2` holds already. Without the maximum, V is unbiased. Degrees of freedom are
Satterthwaite's (1946), from the same mean squares.

What all networks find hard alike leaves a difference alone: :math:`s_\text{image}^2` is of the paired difference, and
smaller than the two variances over images together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Components", "components", "paired_variance"]

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

    def pair_variance(
        self, one: str, other: str, one_square: float, other_square: float, seeds: tuple[int, int]
    ) -> tuple[float, float]:
        """Variance of the difference of two augmentations' means, and its degrees of freedom.

        Args:
            one, other: augmentations.
            one_square, other_square: variances over seeds of their means over images.
            seeds: of both.

        Returns:
            V of the formula above; infinitely many degrees of freedom where it is 0.
        """
        parts = [one_square / seeds[0], other_square / seeds[1]]
        freedoms = [seeds[0] - 1, seeds[1] - 1]
        rest = [self.residuals[name] / self.seeds[name] / self.images for name in (one, other)]
        between = self.between.get((one, other), self.between.get((other, one), 0.0)) / self.images
        total, images = sum(parts), between - sum(rest)
        if images > 0:
            total += images
            parts += [between, *rest]
            freedoms += [self.images - 1]
            freedoms += [(self.seeds[name] - 1) * (self.images - 1) for name in (one, other)]
        spread = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
        return total, total**2 / spread if spread > 0 else np.inf

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


def paired_variance(one: Scores, other: Scores) -> tuple[float, float]:
    r"""Variance of the difference of two augmentations whose seeds are pairs, and its degrees of freedom.

    With mean squares of the two-way table of seeds and images of the paired differences,
    :math:`V = \max(MS_\text{seed}, MS_\text{seed} + MS_\text{image} - MS_\text{rest}) / sn`. Seeds are pairs where both
    networks of a seed start from the same weights and see the images in the same order; whether a measure's seeds are
    treated as pairs has to be fixed before they are looked at.

    Args:
        one, other: (seeds, images) scores, at least two of each.
    """
    table = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    s, n = table.shape
    by_seed, by_image = table.mean(1), table.mean(0)
    rest = table - by_seed[:, None] - by_image + table.mean()
    seed, image = n * by_seed.var(ddof=1), s * by_image.var(ddof=1)
    residual = (rest**2).sum() / (s - 1) / (n - 1)
    parts, freedoms = [seed], [s - 1]
    if image > residual:
        parts, freedoms = [seed, image, residual], [s - 1, n - 1, (s - 1) * (n - 1)]
    total = max(seed, seed + image - residual)
    spread = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return float(total / s / n), float(total**2 / spread) if spread > 0 else np.inf
