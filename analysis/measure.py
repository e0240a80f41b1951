"""Every number of one encoder, or of one pair of encoders, as rows of the ``--json`` document."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from analysis import bounds
from analysis.bound import Bound
from analysis.decomposition import gap
from analysis.estimate import bound_posterior
from analysis.noise import aggregate_variance, relative_to_prior, with_noise
from analysis.two_encoders import bound_pair
from vae.posterior import DiagonalGaussian

__all__ = ["WITH_NOISE", "measure", "measure_pair"]

WITH_NOISE = ("gaussian_marginal", "infonce", "infonce_controlled", "leave_one_out")
"""The bounds that are computed of a code with noise, beside its rate: noise makes q(z) Gaussian, and R_m close."""

Row = dict[str, Any]


def measure(
    posterior: DiagonalGaussian,
    estimators: Sequence[str],
    *,
    fit: DiagonalGaussian | None = None,
    codes: Tensor | None = None,
    noise: Sequence[float] = (),
    **where: Any,
) -> tuple[list[Bound], list[Row]]:
    """The bounds of a posterior, without noise and at every level of it.

    Args:
        posterior: of N images unseen in training.
        estimators: of `analysis.bound.ALL` and `analysis.bound.OPTIONAL`.
        fit: of other images, for fitted marginals and for the scale of the noise. Without it, noise is scaled by every
            tenth image (in a fixed random order), and the noised codes of the others are scored.
        codes: (N, d), used where there is no noise.
        noise: levels, in standard deviations of each dimension of q(z).
        where: inputs, augmentation and seed, for the rows.

    Returns:
        The bounds without noise, and all of it as rows.
    """
    found = bound_posterior(posterior, estimators, codes=codes, fit=fit)
    by = {bound.estimator: bound for bound in found}
    if {"rate", "gaussian_marginal"} <= by.keys():
        found.append(gap(by["rate"], by["gaussian_marginal"]))
    rows = [bound.row(**where) for bound in found]
    if noise:
        scale, scored = _scale(posterior, fit)
        wanted = [name for name in WITH_NOISE if name in estimators]
        for level in noise:
            noisy_fit = None if fit is None else with_noise(fit, level, scale)
            noisy = bound_posterior(with_noise(scored, level, scale), wanted, fit=noisy_fit)
            if "rate" in estimators:
                noisy.append(bounds.rate(relative_to_prior(scored, level, scale)))
            rows += [bound.row(**where, noise=level) for bound in noisy]
    return found, rows


def _scale(posterior: DiagonalGaussian, fit: DiagonalGaussian | None) -> tuple[Tensor, DiagonalGaussian]:
    """Variance of each dimension of q(z), and the posteriors of images that had no part in it."""
    posterior = bounds.check_posterior(posterior)
    if fit is not None:
        return aggregate_variance(bounds.check_posterior(fit)), posterior
    order = bounds.shuffled(len(posterior))
    count = max(1, len(order) // 10)
    return aggregate_variance(posterior[order[:count]]), posterior[order[count:]]


def measure_pair(
    a: DiagonalGaussian,
    b: DiagonalGaussian,
    *,
    fit: tuple[DiagonalGaussian, DiagonalGaussian] | None = None,
    codes: tuple[Tensor | None, Tensor | None] = (None, None),
    noise: Sequence[float] = (),
    marginals: Sequence[str] = (),
    upper: tuple[Sequence[Bound], Sequence[Bound]] = ((), ()),
    quantity: str = "I(Z_A;Z_B)",
    **where: Any,
) -> tuple[list[Bound], list[Row]]:
    """What two encoders' codes of the same images share, without noise and at every level of it in both codes.

    Arguments and result as for `measure`; ``fit`` holds both encoders' posteriors of other images. ``marginals`` and
    ``upper`` are those of `analysis.two_encoders.bound_pair` where there is no noise; with noise, R_m stands alone.
    """
    found = bound_pair(a, b, codes=codes, fit=fit, marginals=marginals, upper=upper, quantity=quantity)
    rows = [bound.row(**where) for bound in found]
    if noise:
        (scale_a, scored_a), (scale_b, scored_b) = (
            _scale(q, None if fit is None else fit[which]) for which, q in enumerate((a, b))
        )
        for level in noise:
            noisy_fit = fit and (with_noise(fit[0], level, scale_a), with_noise(fit[1], level, scale_b))
            noisy = with_noise(scored_a, level, scale_a), with_noise(scored_b, level, scale_b)
            rows += [
                bound.row(**where, noise=level) for bound in bound_pair(*noisy, fit=noisy_fit, quantity=quantity)
            ]  # fmt: skip
    return found, rows
