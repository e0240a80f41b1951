"""The upper bound by a neural spline flow (see `analysis.bounds.fitted`)."""

import copy
from typing import Any

import torch
from torch import Tensor

from analysis.bounds.bound import Bound
from analysis.bounds.encoded import Encoded, as_encoded
from analysis.bounds.estimators import estimator
from analysis.bounds.fitted import LogDensity, fitted_marginal, held_out, with_floor
from analysis.bounds.gaussian import aggregate, log_gaussian
from store import BadInput, positive
from training.seeds import derive, generator
from vae.posterior import DiagonalGaussian

__all__ = ["flow_marginal"]

FLOW_TRANSFORMS, FLOW_HIDDEN, FLOW_BINS = 3, (128,), 4


BATCHES, BATCH, LEARNING_RATE, PATIENCE = 16, 512, 2e-3, 6
"""The flow's batches in an epoch, images in a batch, Adam's rate, and epochs without progress before it stops."""


AVERAGING = 100
"""The flow scored is a running mean of the parameters over about so many batches."""


SCORED = 1024
"""Codes that a flow scores at a time: the splines of 10,000 codes in 64 dimensions fill gigabytes."""


@estimator(
    "flow_marginal",
    label="flow marginal",
    column="flow",
    direction="upper",
    density="flow",
    far_above=True,
    package="zuko",
    extra="flows",
)
def flow_marginal(encoded: Encoded | DiagonalGaussian, *, epochs: int = 40, seed: int = 0) -> Bound:
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
    return fitted_marginal("flow_marginal", as_encoded(encoded), lambda other: _flow(zuko, other, epochs, seed))


def _zuko() -> Any:
    try:
        import zuko  # optional: only this bound needs it
    except ImportError:
        raise BadInput("--bounds", "flow_marginal without the package zuko", "pip install 'mixinfo[flows]'") from None
    return zuko


def _flow(zuko: Any, fit: DiagonalGaussian, epochs: int, seed: int) -> LogDensity:
    """A flow on codes whitened by the Gaussian of ``fit``, as it was when held-out images were likeliest."""
    mean, covariance = aggregate(fit)
    lower = torch.linalg.cholesky(covariance)

    def whiten(codes: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(lower, (codes - mean).T, upper=False).T

    learn, judging = held_out(fit, seed)
    judged = whiten(judging).float()
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
        return with_floor(log_flow, log_gaussian(codes, mean, covariance))

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
