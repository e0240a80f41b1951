"""The upper bound by a mixture of Gaussians, fitted by online EM (see `analysis.bounds.fitted`)."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from analysis.bounds.bound import Bound
from analysis.bounds.encoded import Encoded, as_encoded
from analysis.bounds.estimators import estimator
from analysis.bounds.fitted import LogDensity, fitted_marginal, held_out, with_floor
from analysis.bounds.gaussian import aggregate, log_gaussian
from store import BadInput
from training.seeds import derive, generator
from vae.posterior import DiagonalGaussian

__all__ = ["mixture_marginal"]

EM_STEPS, EM_IMAGES, EM_FORGETTING = 50, 10_000, 0.6
"""Steps of EM; images in one; step t weighs its own moments t^-0.6 against those of all steps before."""


EM_VARIANCE = 1e-6
"""What is added to the variances of every component, in units of those of q(z)."""


@estimator(
    "mixture_marginal",
    label="mixture marginal",
    column="mixture",
    direction="upper",
    density="mixture",
    far_above=True,
)
def mixture_marginal(
    encoded: Encoded | DiagonalGaussian, *, components: Sequence[int] = (1, 2, 4, 8, 16), seed: int = 0
) -> Bound:
    r"""Upper bound by a mixture of Gaussians, :math:`E_i KL(q(z|x_i) \| m)`.

    The standard error is over images, given m. It leaves out that other images would have given another m: all there is
    to it when ``fit`` is given and kept, and of second order when m, fitted on halves of the scored images, is good.

    Without ``fit``, each half of the scored images is scored by the density of the other half.

    Args:
        encoded: of N scored images.
        components: numbers of components to try besides the one Gaussian, in increasing order, until the held-out
            likelihood falls; a number with fewer than 2 images each is not tried.
        seed: of the fit: its codes and its clusters.

    Returns:
        A bound in nats, ``"mixture_marginal"``.

    Raises:
        BadInput: no number of components.

    Example:
        >>> q = DiagonalGaussian(torch.tensor([[-3.0], [3.0]]).repeat(500, 1), torch.zeros(1000, 1))
        >>> abs(mixture_marginal(q).value - torch.tensor(2.0).log().item()) < 0.05
        True
    """
    if not components or min(components) < 1:
        raise BadInput("components", tuple(components), "integers of at least 1")
    return fitted_marginal("mixture_marginal", as_encoded(encoded), lambda other: _mixture(other, components, seed))


def _mixture(fit: DiagonalGaussian, components: Sequence[int], seed: int) -> LogDensity:
    """The density fitted with the number of components that the held-out images prefer."""
    learn, codes = held_out(fit, seed)
    chosen, highest = 1, float(_mixture_of(1, learn, seed)(codes).mean())
    for k in sorted(k for k in components if 1 < k <= len(learn) // 2):
        likelihood = float(_mixture_of(k, learn, seed)(codes).mean())
        if likelihood <= highest:
            break
        chosen, highest = k, likelihood
    return _mixture_of(chosen, fit, seed)


def _mixture_of(k: int, fit: DiagonalGaussian, seed: int) -> LogDensity:
    mean, covariance = aggregate(fit)
    if k == 1:  # EM would find g again, less exactly
        return lambda codes: log_gaussian(codes, mean, covariance)
    scale = covariance.diagonal().sqrt()
    unit = DiagonalGaussian((fit.mean - mean) / scale, fit.log_var - 2 * scale.log())
    weights, means, covariances = _expectation_maximisation(k, unit, seed)
    means, covariances = mean + scale * means, covariances * scale * scale[:, None]

    def log_density(codes: Tensor) -> Tensor:
        log_mixture = _log_components(codes, weights, means, covariances).logsumexp(1)
        return with_floor(log_mixture, log_gaussian(codes, mean, covariance))

    return log_density


def _expectation_maximisation(k: int, fit: DiagonalGaussian, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (k,), means (k, d) and covariances (k, d, d) of a mixture of k Gaussians, by online EM.

    Step t draws fresh codes, gives each component its share of them, and moves the running moments by t^-0.6 towards
    the moments of the shares: early steps are forgotten, late ones averaged (Cappé & Moulines 2009).
    """
    from sklearn.cluster import KMeans  # slow to import, and only mixtures need it
    from sklearn.exceptions import ConvergenceWarning

    n = len(fit)
    stream = generator("cpu", seed, "marginal", "mixture", k)
    images = fit[torch.randperm(n, generator=stream)[:EM_IMAGES]]
    with warnings.catch_warnings():
        # fewer distinct images than clusters, say: some components then stay empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        # the means rather than the codes: the noise would hide the clusters
        clusters = KMeans(k, n_init=1, random_state=derive(seed, "clusters") % 2**32).fit_predict(images.mean.numpy())
    moments = _moments(images.sample(stream), one_hot(torch.from_numpy(clusters).long(), k).double())
    for step in range(2, EM_STEPS + 1):
        mixture = _maximise(moments, n)
        codes = fit[torch.randperm(n, generator=stream)[:EM_IMAGES]].sample(stream)
        shares = _log_components(codes, *mixture).softmax(1)
        moments = torch.lerp(moments, _moments(codes, shares), step**-EM_FORGETTING)
    return _maximise(moments, n)


def _log_components(codes: Tensor, weights: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """(n, k): log of weight times density of each component."""
    log_densities = [log_gaussian(codes, *component) for component in zip(means, covariances, strict=True)]
    return torch.stack(log_densities, 1) + weights.log()


def _moments(codes: Tensor, shares: Tensor) -> Tensor:
    """(k, d + 1, d + 1): the mean over codes of share · [1, z]ᵀ[1, z], which holds the moments of order 0, 1 and 2."""
    extended = pad(codes, (1, 0), value=1.0)
    return torch.stack([(extended * share[:, None]).T @ extended for share in shares.T]) / len(codes)


def _maximise(moments: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and covariances of the components that have these moments.

    A component's covariance is shrunk towards the pooled one as if d further images had shown the latter: a component
    with few images would otherwise be a needle, and one with none have no covariance.
    """
    d = moments.shape[1] - 1
    weights = moments[:, 0, 0].clamp(min=1e-10)
    means = moments[:, 0, 1:] / weights[:, None]
    covariances = moments[:, 1:, 1:] / weights[:, None, None] - means[:, :, None] * means[:, None, :]
    pooled = (weights[:, None, None] * covariances).sum(0)
    shrink = d / (n * weights + d)
    covariances = torch.lerp(covariances, pooled.expand_as(covariances), shrink[:, None, None])
    return weights / weights.sum(), means, covariances + EM_VARIANCE * torch.eye(d, dtype=torch.float64)
