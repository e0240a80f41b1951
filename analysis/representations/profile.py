r"""One layer of one network along the noise profile: every bound, and what each image contributes to four of them.

Four bounds enclose what a representation keeps, and networks are compared by them (`HEADLINES`): I(T;Y) from below by
the Gaussian classifier and from above by the kernel mixture; I(T;X|Y) from below by InfoNCE within classes and from
above by the spliced bound, whose level :math:`s_0` is fixed on *other* images, the training images where they are
given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.bounds.bound import Bound
from analysis.bounds.channel import Channel, channel
from analysis.bounds.labelled import (
    Labelled,
    class_infonce,
    gaussian_classifier,
    kernel_mixture,
    labelled_bounds,
    total,
)
from analysis.bounds.spliced import NoiseProfile, splice_level
from analysis.bounds.stretches import HERE, Workers
from analysis.representations.features import Features
from store import BadInput

__all__ = [
    "HEADLINES",
    "LOWER_IMAGE",
    "LOWER_LABEL",
    "UPPER_IMAGE",
    "UPPER_LABEL",
    "Profile",
    "profile_of",
    "profiles_of",
]

LOWER_LABEL, UPPER_LABEL = "gaussian_classifier", "kernel_mixture"
LOWER_IMAGE, UPPER_IMAGE = "class_infonce", "class_spliced"
HEADLINES = (LOWER_LABEL, UPPER_LABEL, LOWER_IMAGE, UPPER_IMAGE)
"""The bounds between which I(T;Y) and I(T;X|Y) lie, by which networks are compared."""


@dataclass(frozen=True)
class Profile:
    """The bounds of one layer on one set of images, by level of noise.

    Args:
        bounds: at each level, the least noise first.
        noise: the codes behind them, by which the bounds of *other* images are spliced.
    """

    bounds: Mapping[float, Sequence[Bound]]
    noise: NoiseProfile

    def rows(self, only: Sequence[str] | None = None, **where: Any) -> list[dict[str, Any]]:
        """A row for every bound and level; of ``only`` these estimators, if they are given."""
        return [
            bound.row(noise=float(level), **where)
            for level, bounds in self.bounds.items()
            for bound in bounds
            if only is None or bound.estimator in only
        ]

    def scores(self) -> np.ndarray:
        """(levels, headlines, N) float32: what each image says of each of `HEADLINES`; the mean is the bound.

        They are influences at fixed class counts about the value, so that the standard error of a mean of them, or of
        a difference paired over images, is that of the bound.
        """
        levels = []
        for bounds in self.bounds.values():
            by_name = {bound.estimator: bound for bound in bounds}
            levels.append(torch.stack([_scores(by_name[name]) for name in HEADLINES]))
        return torch.stack(levels).float().numpy()


def _scores(bound: Bound) -> Tensor:
    assert bound.influence is not None
    return bound.influence - bound.influence.mean() + bound.value


def profile_of(
    features: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    noisy: Channel,
    levels: Sequence[float],
    others: NoiseProfile | None = None,
    *,
    every: bool = True,
    workers: Workers = HERE,
) -> Profile:
    """Bound what the features say of labels and images, at every level of noise.

    Args:
        features: (N, d).
        labels: (N,) integers, each at least twice.
        noisy: whose scale comes from other images.
        levels: of the noise, ascending.
        others: of other images, at the same levels, by which splices are chosen; without, nothing is spliced, and the
            bound is that of the frozen Gaussians.
        every: all bounds, and not `HEADLINES` alone.
        workers: who compares images with each other.

    Raises:
        BadInput: as `analysis.bounds.channel.Channel.posterior` and `analysis.bounds.labelled.check_labels`.
    """
    labelled = {float(level): Labelled(noisy.posterior(features, level), labels, workers=workers) for level in levels}
    noise = NoiseProfile(labelled)
    bounds = {}
    for level, code in labelled.items():
        at = None if others is None else splice_level(others, level, by_class=True)
        spliced = noise.class_spliced(level, at)
        if every:
            found = labelled_bounds(code)
            of_label = next(bound for bound in found if bound.estimator == UPPER_LABEL)
            found += [spliced, total(spliced, of_label)]
        else:
            found = [gaussian_classifier(code), kernel_mixture(code), class_infonce(code), spliced]
        bounds[level] = found
    return Profile(bounds, noise)


def profiles_of(
    given: Features, levels: Sequence[float], shape: str = "isotropic", *, every: bool = True, workers: Workers = HERE
) -> dict[str, Profile]:
    """The profile of test images, spliced where training images say, and that of these where they have labels.

    Args:
        given: with training features, whose scale the noise has.
        levels: of the noise, ascending.
        shape: of the noise.
        every: all bounds of the test images, and not `HEADLINES` alone.
        workers: who compares images with each other.

    Returns:
        By ``test``, and ``training``.

    Raises:
        BadInput: as `profile_of`; of ``training labels``, say, where those images are to blame.
    """
    assert given.training is not None
    noisy = channel(given.training, shape)
    if given.training_labels is None:
        return {"test": profile_of(given.features, given.labels, noisy, levels, every=every, workers=workers)}
    try:
        trained = profile_of(given.training, given.training_labels, noisy, levels, every=False, workers=workers)
    except BadInput as mistake:
        raise BadInput(f"training {mistake.argument}", mistake.got, mistake.needed) from None
    scored = profile_of(given.features, given.labels, noisy, levels, trained.noise, every=every, workers=workers)
    return {"test": scored, "training": trained}
