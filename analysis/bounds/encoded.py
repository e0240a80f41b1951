"""An encoder's output, the argument of every estimator: checked once, with what several of them need of it."""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from analysis.bounds.bound import Bound
from analysis.bounds.estimators import ESTIMATORS, INFORMATION, Estimator
from analysis.bounds.gaussian import aggregate, kl_to_gaussian
from analysis.bounds.pairs import Pairs, all_pairs
from analysis.bounds.stretches import HERE, Workers
from store import BadInput
from store.registry import called
from training import generator
from vae.posterior import DiagonalGaussian

__all__ = [
    "Encoded",
    "as_encoded",
    "bounds_of",
    "check_codes",
    "check_fit",
    "check_posterior",
    "check_spacing",
    "sample_codes",
    "shuffled",
]

Moments = tuple[Tensor, Tensor]
"""Mean (d,) and covariance (d, d)."""


FOLDS = 10


LARGEST = 500
"""Variances and squared means are at most e to this, and variances at least e to minus this."""


SPAN = 650
"""The square of a mean or standard deviation is at most e to this times any variance in its dimension, so that summed
squares of standardised differences stay below float64's e⁷⁰⁹."""


SPACINGS = 32
"""The float64 spacings of its mean that a standard deviation needs, for a code to show the noise. Rounding then adds
at most 1/(12 · 32²) of the variance: 0.00004 nats a dimension."""


class Encoded:
    """An encoder's output on N images, checked once; what several estimators need of it is computed once, on demand.

    Args:
        posterior: of N images unseen in training.
        codes: (N, d), one drawn from each image's posterior; drawn from seed 0 where they are needed and not given.
        fit: the posterior of other images from the same encoder, the training images say, on which fitted marginals
            rest; without it, folds of the scored images are scored by marginals of the others.
        workers: who compares all pairs: this process, or an `analysis.bounds.on_ray.RayWorkers`.

    Raises:
        BadInput: as `check_posterior`, `check_codes` and `check_fit`.

    Example:
        >>> q = DiagonalGaussian(torch.randn(500, 2), torch.zeros(500, 2) - 1)
        >>> encoded = Encoded(q)
        >>> encoded
        posterior of 500 images in 2 dimensions
        >>> encoded.codes.shape
        torch.Size([500, 2])
    """

    quantity = INFORMATION

    def __init__(
        self,
        posterior: DiagonalGaussian,
        codes: Tensor | None = None,
        fit: DiagonalGaussian | None = None,
        *,
        workers: Workers = HERE,
    ) -> None:
        self.workers = workers
        self.posterior = check_posterior(posterior)
        self.given = None if codes is None else check_codes(self.posterior, codes)
        self.fit = None if fit is None else check_fit(fit, self.posterior)

    def __len__(self) -> int:
        return len(self.posterior)

    def __repr__(self) -> str:
        return repr(self.posterior)

    @cached_property
    def codes(self) -> Tensor:
        """(N, d) float64: the codes that were given, or one drawn from each posterior, always the same."""
        return sample_codes(self.posterior) if self.given is None else self.given

    @cached_property
    def pairs(self) -> Pairs:
        """What the pass over all pairs of a code and a posterior leaves."""
        return all_pairs(self.posterior, self.codes, self.workers)

    @cached_property
    def marginals(self) -> list[tuple[Tensor, Moments]]:
        """Indices of scored images, and mean (d,) and covariance (d, d) of q(z) from other images."""
        n = len(self)
        if self.fit is not None:
            return [(torch.arange(n), aggregate(self.fit))]
        folds = []
        for fold in shuffled(n).tensor_split(min(FOLDS, n)):
            others = torch.ones(n, dtype=torch.bool)
            others[fold] = False
            folds.append((fold, aggregate(self.posterior[others])))
        return folds

    @cached_property
    def kl_to_marginals(self) -> Tensor:
        """(N,): KL(q(z|x_i) ‖ m) in nats, m the Gaussian of ``marginals`` that has not seen image i."""
        values = torch.empty(len(self), dtype=torch.float64)
        for scored, marginal in self.marginals:
            values[scored] = kl_to_gaussian(self.posterior[scored], *marginal)
        return values

    def drawn(self, codes: Tensor) -> "Encoded":
        """The same with codes that have been drawn here, which chance alone could make unlikely."""
        same = Encoded(self.posterior, fit=self.fit, workers=self.workers)
        same.given = codes
        return same


def as_encoded(output: "Encoded | DiagonalGaussian") -> Encoded:
    """An encoder's output, of a posterior alone where that is what there is."""
    return output if isinstance(output, Encoded) else Encoded(output)


def bounds_of(encoded: Any, estimators: Iterable[str]) -> list[Bound]:
    """Several bounds of one encoder, or of two, with what they share computed once.

    Args:
        encoded: an `Encoded`, an `analysis.bounds.shared.EncodedPair`, or the posterior alone.
        estimators: names, of `analysis.bounds.estimators.ESTIMATORS`.

    Example:
        >>> q = DiagonalGaussian(torch.randn(500, 2), torch.zeros(500, 2) - 1)
        >>> [bound.estimator for bound in bounds_of(q, ("rate", "infonce"))]
        ['rate', 'infonce']
    """
    encoded = Encoded(encoded) if isinstance(encoded, DiagonalGaussian) else encoded
    return [_bound_by(ESTIMATORS[name], encoded) for name in estimators]


RETURNS = "an estimator that returns a Bound of its own name"


def _bound_by(estimator: Estimator, encoded: Any) -> Bound:
    """What an estimator says of an encoder; of somebody else's, whatever it does instead is one line."""
    compute, name = estimator.compute, estimator.name
    assert compute is not None, f"{name} is made of other numbers"
    if compute.__module__.startswith("analysis."):
        return compute(encoded)
    bound = called(lambda: compute(encoded), name, "--bounds", RETURNS)
    if not isinstance(bound, Bound) or bound.estimator != name:
        got = f"a Bound called {bound.estimator}" if isinstance(bound, Bound) else f"a {type(bound).__name__}"
        raise BadInput("--bounds", f"{name}, which returns {got}", RETURNS)
    return bound


def sample_codes(posterior: DiagonalGaussian, seed: int = 0) -> Tensor:
    """One code per image, (N, d) float64, always the same for a seed.

    The seed is spread before use: a user who drew the posterior's means from the same small seed would otherwise get
    codes whose noise *is* those means.

    Raises:
        BadInput: as `check_spacing`.
    """
    return check_spacing(posterior.double()).sample(generator("cpu", seed, "codes"))


def check_posterior(posterior: DiagonalGaussian) -> DiagonalGaussian:
    """The posterior in float64.

    Raises:
        BadInput: shapes differ, fewer than two images, NaN or infinities, a variance of zero, or a dimension whose
            numbers are so large or so far apart that squares of them are beyond float64.
    """
    mean, log_var = posterior.mean, posterior.log_var
    if mean.ndim != 2 or mean.shape != log_var.shape:
        raise BadInput("posterior", f"mean {tuple(mean.shape)} and log_var {tuple(log_var.shape)}", "two arrays (N, d)")
    if len(mean) < 2 or mean.shape[1] < 1:
        raise BadInput("posterior", f"arrays {tuple(mean.shape)}", "at least 2 images and 1 dimension")
    if bool((log_var == -math.inf).any()):
        raise BadInput("log_var", "-inf (a variance of zero)", "finite numbers: a noiseless code has no density")
    for name, array in (("mean", mean), ("log_var", log_var)):
        if not bool(torch.isfinite(array).all()):
            count = int((~torch.isfinite(array)).sum())
            raise BadInput(name, f"{count} NaN or infinite values", "finite numbers")
    posterior = posterior.double()
    low, high = float(posterior.log_var.min()), float(posterior.log_var.max())
    if low < -LARGEST or high > LARGEST:
        worst = int(posterior.log_var.abs().argmax()) % mean.shape[1]
        raise BadInput(
            "log_var",
            f"values from {low:.4g} to {high:.4g}, in dimension {worst} for one",
            f"variances between e^-{LARGEST} and e^{LARGEST}",
        )
    size = posterior.mean.abs()
    if float(size.max()) > math.exp(LARGEST / 2):
        worst = int(size.argmax()) % mean.shape[1]
        raise BadInput(
            "mean", f"{float(size.max()):.4g} in dimension {worst}", f"at most e^{LARGEST / 2:g} in absolute value"
        )
    _check_span(posterior)
    return posterior


def _check_span(posterior: DiagonalGaussian) -> None:
    largest = torch.maximum(2 * posterior.mean.abs().amax(0).log(), posterior.log_var.amax(0))
    smallest = posterior.log_var.amin(0)
    worst = int((largest - smallest).argmax())
    if float(largest[worst] - smallest[worst]) > SPAN:
        raise BadInput(
            "posterior",
            f"a mean or standard deviation of {math.exp(0.5 * float(largest[worst])):.2g} beside a "
            f"standard deviation of {math.exp(0.5 * float(smallest[worst])):.2g} in dimension {worst}",
            f"a ratio of at most e^{SPAN // 2}, whose square float64 can hold",
        )


def check_spacing(posterior: DiagonalGaussian, what: str = "posterior") -> DiagonalGaussian:
    """The same posterior, where its codes can be told from its means.

    Args:
        posterior: float64, as `check_posterior` leaves it.
        what: the argument to name.

    Raises:
        BadInput: a standard deviation so small beside its mean that float64 numbers there are too far apart for a code.
    """
    deviation, size = (0.5 * posterior.log_var).exp(), posterior.mean.abs()
    spacing = torch.nextafter(size, torch.full_like(size, math.inf)) - size
    worst = int((deviation / spacing).argmin())
    width, apart = float(deviation.flatten()[worst]), float(spacing.flatten()[worst])
    if width < SPACINGS * apart:
        image, dimension = divmod(worst, size.shape[1])
        raise BadInput(
            what,
            f"a standard deviation of {width:.2g} in dimension {dimension} (image {image}), {width / apart:.2g} of "
            f"the spacing {apart:.2g} of float64 numbers near its mean {float(posterior.mean[image, dimension]):.6g}",
            f"at least {SPACINGS} spacings, for a code to be told from its mean",
        )
    return posterior


def check_fit(fit: DiagonalGaussian, posterior: DiagonalGaussian) -> DiagonalGaussian:
    """The posterior of other images in float64.

    Raises:
        BadInput: as `check_posterior`, or of another encoder than the scored one, by its dimensions.
    """
    fit = check_posterior(fit)
    if fit.mean.shape[1] != posterior.mean.shape[1]:
        raise BadInput("fit", f"{fit.mean.shape[1]} dimensions", f"the posterior's {posterior.mean.shape[1]}")
    _check_span(DiagonalGaussian(torch.cat([fit.mean, posterior.mean]), torch.cat([fit.log_var, posterior.log_var])))
    return fit


def check_codes(posterior: DiagonalGaussian, codes: Tensor) -> Tensor:
    """The codes in float64.

    Raises:
        BadInput: codes that are not draws from their posterior: another shape, not finite, or a mean squared
            standardised residual further from 1 than 4 of its standard errors √(2/Nd). Codes equal to the means and
            codes whose float32 rounding is as large as their noise are caught by this. And a posterior whose codes
            no float64 number can be, as `check_spacing`.
    """
    check_spacing(posterior)
    if codes.shape != posterior.mean.shape:
        raise BadInput("codes", f"shape {tuple(codes.shape)}", f"the posterior's {tuple(posterior.mean.shape)}")
    codes = codes.detach().double().cpu()
    if not bool(torch.isfinite(codes).all()):
        raise BadInput("codes", "NaN or infinite values", "finite numbers")
    residual = float(((codes - posterior.mean).square() * (-posterior.log_var).exp()).mean())
    tolerance = 4 * math.sqrt(2 / codes.numel())
    if not abs(residual - 1) <= tolerance:
        raise BadInput(
            "codes",
            f"mean squared residual {residual:.4g} in units of the posterior variance",
            f"1 ± {tolerance:.2g}: one code drawn from each image's own posterior",
        )
    return codes


def shuffled(n: int) -> Tensor:
    """A fixed random order: images often come sorted by class, and folds and groups must not be."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))
