"""Every number of one encoder, or of one pair of encoders, as rows: without noise in the codes, and with it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.bounds.bound import Bound
from analysis.bounds.decomposition import gap
from analysis.bounds.encoded import Encoded, bounds_of, shuffled
from analysis.bounds.estimators import ESTIMATORS, SHARED, names_of
from analysis.bounds.fitted import rate
from analysis.bounds.noise import aggregate_variance, relative_to_prior, with_noise
from analysis.bounds.shared import EncodedPair
from vae.posterior import DiagonalGaussian

__all__ = ["noise_scale", "profile", "profile_of_pair"]

Row = dict[str, Any]


def profile(
    encoded: Encoded, estimators: Sequence[str], *, noise: Sequence[float] = (), **where: Any
) -> tuple[list[Bound], list[Row]]:
    """The bounds of an encoder, without noise and at every level of it.

    With noise in the code q(z) is nearly Gaussian, and R_m close: beside the rate, those estimators are computed that
    say so of themselves (`Estimator.noised`).

    Args:
        encoded: of N images unseen in training. Its ``fit`` decides the scale of the noise; without, noise is scaled by
            every tenth image (in a fixed random order), and the noised codes of the others are scored.
        estimators: names of those of I(Z;X).
        noise: levels, in standard deviations of each dimension of q(z).
        where: inputs, augmentation and seed, for the rows.

    Returns:
        The bounds without noise, and all of it as rows.
    """
    plain = bounds_of(encoded, estimators)
    by_name = {bound.estimator: bound for bound in plain}
    if {"rate", "gaussian_marginal"} <= by_name.keys():
        plain.append(gap(by_name["rate"], by_name["gaussian_marginal"]))
    rows = [bound.row(**where) for bound in plain]
    if noise:
        scale, apart = noise_scale(encoded)
        scored = encoded.posterior[apart]
        noised = [name for name in names_of() if ESTIMATORS[name].noised and name in estimators]
        for level in noise:
            bounds = bounds_of(_noisy(scored, encoded.fit, level, scale), noised)
            if "rate" in estimators:
                bounds.append(rate(relative_to_prior(scored, level, scale)))
            rows += [bound.row(**where, noise=level) for bound in bounds]
    return plain, rows


def noise_scale(encoded: Encoded) -> tuple[Tensor, Tensor]:
    """Variance of each dimension of q(z), (d,), and the indices of scored images that had no part in it."""
    if encoded.fit is not None:
        return aggregate_variance(encoded.fit), torch.arange(len(encoded))
    order = shuffled(len(encoded))
    count = max(1, len(order) // 10)
    return aggregate_variance(encoded.posterior[order[:count]]), order[count:]


def _noisy(scored: DiagonalGaussian, fit: DiagonalGaussian | None, level: float, scale: Tensor) -> Encoded:
    return Encoded(with_noise(scored, level, scale), fit=None if fit is None else with_noise(fit, level, scale))


def profile_of_pair(pair: EncodedPair, *, noise: Sequence[float] = (), **where: Any) -> tuple[list[Bound], list[Row]]:
    """What two encoders' codes of the same images share, without noise and at every level of it in both codes.

    With noise, data processing has R_m alone to choose from. Arguments and result as for `profile`.
    """
    names = names_of(SHARED)
    plain = bounds_of(pair, names)
    rows = [bound.row(**where) for bound in plain]
    if noise:
        (scale_a, apart_a), (scale_b, apart_b) = noise_scale(pair.a), noise_scale(pair.b)
        for level in noise:
            noisy = EncodedPair(
                _noisy(pair.a.posterior[apart_a], pair.a.fit, level, scale_a),
                _noisy(pair.b.posterior[apart_b], pair.b.fit, level, scale_b),
                quantity=pair.quantity,
            )
            rows += [bound.row(**where, noise=level) for bound in bounds_of(noisy, names)]
    return plain, rows
