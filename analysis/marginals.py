r"""Upper bounds on I(X;Z) by densities of q(z) richer than one Gaussian.

For every density m chosen without the scored images (Barber & Agakov 2003; Alemi et al. 2017),

.. math:: I(X;Z) = E_i KL(q(z|x_i) \,\|\, m) - KL(q(z) \,\|\, m) \;\le\; E_i KL(q(z|x_i) \,\|\, m),

so that what a better m takes off the bound was never information. Here m is a Gaussian mixture or a spline flow, fitted
to codes of other images; nothing is assumed of q(z), and a fit that fails leaves a looser bound, not a wrong one.

The divergence from such an m has no closed form, that from the Gaussian g of `analysis.bounds.gaussian_marginal` has:

.. math:: E_{q(z|x_i)} \log \frac{q(z|x_i)}{m(z)}
          = KL(q(z|x_i) \,\|\, g) + E_{q(z|x_i)} \log \frac{g(z)}{m(z)},

and only the last term, which vanishes as m approaches g, is estimated from the image's one code.

Three precautions make the bounds finite and rarely looser than g's. The density fitted is mixed with a little of g, so
that no code adds more than log 1000 = 6.9 nats to what g alone would give it. Both fits start from g: it is the mixture
with one component, and the flow before its first step. And how far to leave it is chosen by the likelihood of a fifth
of the *fitted* images, held out.

Every epoch and every step of a fit draws its codes afresh. The noise of an encoder is known and need not be learned
from one sample of it: with 64 dimensions and a few thousand images, a mixture fitted to one code per image is no better
than g.

References:
    Barber & Agakov 2003; Alemi et al. 2017, arXiv 1612.00410 (variational marginal); Dempster, Laird & Rubin 1977 (EM);
    Cappé & Moulines 2009, arXiv 0712.4273 (EM with fresh draws); Friedman 1989 (shrunken covariances); Durkan et al.
    2019, arXiv 1906.04032 (neural spline flows).
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from analysis import bounds
from analysis.bound import Bound, mean_of
from store import BadInput, positive
from training.seeds import derive, generator
from vae.posterior import DiagonalGaussian

__all__ = ["flow_marginal", "mixture_marginal"]

LogDensity = Callable[[Tensor], Tensor]
"""(n, d) codes to (n,) nats."""

FLOOR = 1e-3
"""Share of the Gaussian in every density."""

FEW = 20
"""With fewer images to fit, nothing can be held out, and m is the Gaussian."""

EM_STEPS, EM_IMAGES, EM_FORGETTING = 50, 10_000, 0.6
"""Steps of EM; images in one; step t weighs its own moments t^-0.6 against those of all steps before."""

EM_VARIANCE = 1e-6
"""Added to the variances of every component, in units of those of q(z)."""

FLOW_TRANSFORMS, FLOW_HIDDEN, FLOW_BINS = 3, (128,), 4

BATCHES, BATCH, LEARNING_RATE, PATIENCE = 16, 512, 2e-3, 6
"""Of the flow: batches in an epoch, images in a batch, Adam's rate, epochs without progress before it stops."""

AVERAGING = 100
"""The flow scored is a running mean of the parameters over about so many batches."""

SCORED = 1024
"""Codes that a flow scores at a time: the splines of 10,000 codes in 64 dimensions fill gigabytes."""


def mixture_marginal(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    fit: DiagonalGaussian | None = None,
    components: Sequence[int] = (1, 2, 4, 8, 16),
    seed: int = 0,
) -> Bound:
    r"""Upper bound by a mixture of Gaussians, :math:`E_i KL(q(z|x_i) \| m)`.

    The standard error is over images, given m. It leaves out that other images would have given another m: all there is
    to it when ``fit`` is given and kept, and of second order when m, fitted on halves of the scored images, is good.

    Args:
        posterior: of N scored images, (N, d).
        codes: (N, d), one per image; sampled when not given.
        fit: of other images from the same encoder; without it, each half of the scored images is scored by the density
            of the other half.
        components: numbers of components to try besides the one Gaussian, in increasing order, until the held-out
            likelihood falls; a number with fewer than 2 images each is not tried.
        seed: of the fit: its codes and its clusters.

    Returns:
        A bound in nats, ``"mixture_marginal"``.

    Raises:
        BadInput: posteriors or codes that do not fit (see `analysis.bounds`), or no number of components.

    Example:
        >>> q = DiagonalGaussian(torch.tensor([[-3.0], [3.0]]).repeat(500, 1), torch.zeros(1000, 1))
        >>> abs(mixture_marginal(q).value - math.log(2)) < 0.05
        True
    """
    if not components or min(components) < 1:
        raise BadInput("components", tuple(components), "integers of at least 1")
    return _marginal("mixture_marginal", posterior, codes, fit, lambda other: _mixture(other, components, seed))


def flow_marginal(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    fit: DiagonalGaussian | None = None,
    epochs: int = 40,
    seed: int = 0,
) -> Bound:
    r"""Upper bound by a neural spline flow (Durkan et al. 2019), :math:`E_i KL(q(z|x_i) \| m)`.

    Needs the package zuko. Codes are whitened by g, and the flow is the identity at first. Standard error and arguments
    as for `mixture_marginal`, and:

    Args:
        epochs: at most, each of 16 batches of 512 images, whatever the number of images; training stops early when
            the held-out likelihood does.

    Returns:
        A bound in nats, ``"flow_marginal"``.

    Raises:
        BadInput: as for `mixture_marginal`; without zuko; or ``epochs`` below 1.
    """
    positive("epochs", epochs)
    zuko = _zuko()
    return _marginal("flow_marginal", posterior, codes, fit, lambda other: _flow(zuko, other, epochs, seed))


def _marginal(
    estimator: str,
    posterior: DiagonalGaussian,
    codes: Tensor | None,
    fit: DiagonalGaussian | None,
    learn: Callable[[DiagonalGaussian], LogDensity],
) -> Bound:
    posterior = bounds.check_posterior(posterior)
    codes = bounds.sample_codes(posterior) if codes is None else bounds.check_codes(posterior, codes)
    values = torch.empty(len(posterior), dtype=torch.float64)
    for scored, other in _halves(posterior, fit):
        gaussian = bounds.aggregate(other)
        log_gaussian = bounds.log_gaussian(codes[scored], *gaussian)
        log_density = learn(other)(codes[scored]) if len(other) >= FEW else log_gaussian
        values[scored] = bounds.kl_to_gaussian(posterior[scored], *gaussian) + log_gaussian - log_density
    return mean_of(estimator, values)


def _halves(
    posterior: DiagonalGaussian, fit: DiagonalGaussian | None
) -> Iterator[tuple[Tensor, DiagonalGaussian]]:  # fmt: skip
    """Indices of scored images, and the posterior of the images to fit: ``fit``, or the other half."""
    n = len(posterior)
    if fit is not None:
        yield torch.arange(n), bounds.check_fit(fit, posterior)
        return
    one, other = bounds.shuffled(n).tensor_split(2)
    yield one, posterior[other]
    yield other, posterior[one]


def _held_out(fit: DiagonalGaussian, seed: int) -> tuple[DiagonalGaussian, Tensor]:
    """Four fifths of the images to learn from, and a code of each of the others to judge by."""
    learn, held = bounds.shuffled(len(fit)).split([len(fit) - len(fit) // 5, len(fit) // 5])
    return fit[learn], fit[held].sample(generator("cpu", seed, "marginal", "held out"))


def _with_floor(log_density: Tensor, log_gaussian: Tensor) -> Tensor:
    return torch.logaddexp(log_density + math.log1p(-FLOOR), log_gaussian + math.log(FLOOR))


def _mixture(fit: DiagonalGaussian, components: Sequence[int], seed: int) -> LogDensity:
    """The density fitted with the number of components that the held-out images prefer."""
    learn, codes = _held_out(fit, seed)
    chosen, highest = 1, float(_mixture_of(1, learn, seed)(codes).mean())
    for k in sorted(k for k in components if 1 < k <= len(learn) // 2):
        likelihood = float(_mixture_of(k, learn, seed)(codes).mean())
        if likelihood <= highest:
            break
        chosen, highest = k, likelihood
    return _mixture_of(chosen, fit, seed)


def _mixture_of(k: int, fit: DiagonalGaussian, seed: int) -> LogDensity:
    mean, covariance = bounds.aggregate(fit)
    if k == 1:  # EM would find g again, less exactly
        return lambda codes: bounds.log_gaussian(codes, mean, covariance)
    scale = covariance.diagonal().sqrt()
    unit = DiagonalGaussian((fit.mean - mean) / scale, fit.log_var - 2 * scale.log())
    weights, means, covariances = _expectation_maximisation(k, unit, seed)
    means, covariances = mean + scale * means, covariances * scale * scale[:, None]

    def log_density(codes: Tensor) -> Tensor:
        log_mixture = _log_components(codes, weights, means, covariances).logsumexp(1)
        return _with_floor(log_mixture, bounds.log_gaussian(codes, mean, covariance))

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
    each = [bounds.log_gaussian(codes, *component) for component in zip(means, covariances, strict=True)]
    return torch.stack(each, 1) + weights.log()


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


def _zuko() -> Any:
    try:
        import zuko  # optional: only this bound needs it
    except ImportError:
        raise BadInput(
            "--bounds", "flow_marginal without the package zuko", "pip install 'mixinfo[flows]'"
        ) from None  # fmt: skip
    return zuko


def _flow(zuko: Any, fit: DiagonalGaussian, epochs: int, seed: int) -> LogDensity:
    """A flow on codes whitened by the Gaussian of ``fit``, as it was when held-out images were likeliest."""
    mean, covariance = bounds.aggregate(fit)
    lower = torch.linalg.cholesky(covariance)

    def whiten(codes: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(lower, (codes - mean).T, upper=False).T

    learn, held_out = _held_out(fit, seed)
    judged = whiten(held_out).float()
    flow = _identity_flow(zuko, len(mean), seed)
    average = copy.deepcopy(flow)
    best, highest, since = copy.deepcopy(flow), _log_flow(flow, judged).mean(), 0
    optimiser = torch.optim.Adam(flow.parameters(), lr=LEARNING_RATE)
    stream = generator("cpu", seed, "marginal", "flow")
    for epoch in range(epochs):
        for batch in range(BATCHES):
            images = learn[torch.randint(len(learn), (BATCH,), generator=stream)]
            loss = -flow().log_prob(whiten(images.sample(stream)).float()).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            # a constant rate with averaged parameters gets as far as a falling one, and can stop at any time
            weight = max(1 / AVERAGING, 10 / (10 + epoch * BATCHES + batch))
            with torch.no_grad():
                for mean_of_steps, now in zip(average.parameters(), flow.parameters(), strict=True):
                    mean_of_steps.lerp_(now, weight)
        likelihood = _log_flow(average, judged).mean()
        if likelihood > highest:
            best, highest, since = copy.deepcopy(average), likelihood, 0
        else:
            since += 1
        if since == PATIENCE:
            break
    best = best.double()
    log_jacobian = lower.diagonal().log().sum()

    def log_density(codes: Tensor) -> Tensor:
        log_flow = _log_flow(best, whiten(codes)) - log_jacobian
        return _with_floor(log_flow, bounds.log_gaussian(codes, mean, covariance))

    return log_density


def _identity_flow(zuko: Any, d: int, seed: int) -> Any:
    """A spline flow in d dimensions whose last layers are zero, which makes every spline the identity."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "marginal", "flow"))
        flow = zuko.flows.NSF(d, transforms=FLOW_TRANSFORMS, hidden_features=FLOW_HIDDEN, bins=FLOW_BINS)
    for transform in flow.transform.transforms:
        last = transform.hyper[-1] if d > 1 else transform.phi  # one dimension has nothing to depend on: no network
        for parameter in last.parameters():
            torch.nn.init.zeros_(parameter)
    return flow


@torch.no_grad()
def _log_flow(flow: Any, codes: Tensor) -> Tensor:
    return torch.cat([flow().log_prob(some) for some in codes.split(SCORED)])
