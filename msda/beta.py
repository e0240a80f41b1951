r"""The law of the mixing weight: Beta draws from a generator, and the map from one symmetric Beta law to another.

A mixed sample holds the share :math:`\lambda \sim \mathrm{Beta}(a, b)` of its own image. Two things torch lacks are
here.

**Draws.** :math:`\lambda = \sigma(\log G_a - \log G_b)` with independent Gamma variates. For a small shape, :math:`G_a`
underflows, so its logarithm is drawn as :math:`\log G_{a+1} + \log(U)/a`, :math:`U \sim \mathcal{U}(0, 1)`, which has
the same law (Marsaglia and Tsang, 2000) and no underflow at any shape.

**Transfer.** A weight that follows :math:`\mathrm{Beta}(\alpha, \alpha)` goes through its distribution function, then
through the inverse of the target's: :math:`\lambda' = F_\beta^{-1}(F_\alpha(\lambda))`. Both laws are symmetric, so
the lower tail :math:`x \leq 1/2` is enough. There

.. math:: F(x) = \frac{x^\alpha (1-x)^\alpha}{\alpha B(\alpha, \alpha)} \cdot C(x)

with the continued fraction :math:`C` of DLMF 8.17.22. With :math:`u = \log x`, :math:`\log F` is concave in :math:`u`
for :math:`\alpha \geq 1` and convex for :math:`\alpha \leq 1`, and
:math:`u_0 = \log(p\,\alpha B(\alpha, \alpha))/\alpha` lies on the side of the root from which Newton's iteration is
monotone. The quantile needs no bracketing, and everything stays in logarithms, so tails of 1e-300 are kept.

References: Harris et al. (2020), arXiv 2002.12047, App. F.3; Marsaglia and Tsang (2000), ACM TOMS 26(3);
NIST Digital Library of Mathematical Functions, 8.17.
"""

import math

import torch
from torch import Tensor

__all__ = ["beta_cdf", "beta_quantile", "sample_beta", "transfer_beta"]

NEWTON_STEPS = 12  # eight reach rounding at α = 100, twelve at 10⁴
LOG_HALF = math.log(0.5)


def sample_beta(
    count: int,
    a: float,
    b: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Draw `count` independent Beta(a, b) weights, float64, shape `(count,)`.

    With a = b = 1 these are plain uniform numbers. No draw waits for the device.
    """
    if a == 1 and b == 1:
        return torch.rand(count, generator=generator, device=device, dtype=torch.float64)
    shape = torch.tensor([[a], [b]], dtype=torch.float64, device=device).expand(2, count)
    # torch.distributions takes no generator; this is the function it calls.
    log_gamma = torch._standard_gamma(shape + 1, generator=generator).log()
    uniform = torch.rand(2, count, generator=generator, device=device, dtype=torch.float64)
    log_gamma += torch.log1p(-uniform) / shape
    return torch.sigmoid(log_gamma[0] - log_gamma[1])


def beta_cdf(weight: Tensor, alpha: float) -> Tensor:
    """Distribution function of Beta(α, α) at `weight` in [0, 1], any shape; float64."""
    weight = weight.to(torch.float64)
    lower = _log_lower_tail(torch.minimum(weight, 1 - weight).log(), alpha).exp()
    return torch.where(weight <= 0.5, lower, 1 - lower)


def beta_quantile(probability: Tensor, alpha: float) -> Tensor:
    """Inverse of :func:`beta_cdf`: the weight in [0, 1] at `probability` in [0, 1], any shape; float64."""
    probability = probability.to(torch.float64)
    lower = _lower_quantile(torch.minimum(probability, 1 - probability).log(), alpha)
    return torch.where(probability <= 0.5, lower, 1 - lower)


def transfer_beta(weight: Tensor, alpha: float, target_alpha: float) -> Tensor:
    r"""Move weights from Beta(α, α) to Beta(target α, target α): :math:`F_\beta^{-1}(F_\alpha(\lambda))`.

    Keeps the order, maps 1 − λ to one minus the image of λ, and leaves 0, 1/2 and 1 where they are.

    Args:
        weight: weights in [0, 1], any shape.
        alpha: parameter of their law, > 0.
        target_alpha: parameter of the law wanted, > 0.

    Returns:
        The new weights, same shape and dtype.

    Source: Harris et al. (2020), arXiv 2002.12047, App. F.3.
    """
    wide = weight.to(torch.float64)
    log_probability = _log_lower_tail(torch.minimum(wide, 1 - wide).log(), alpha)
    lower = _lower_quantile(log_probability, target_alpha)
    return torch.where(wide <= 0.5, lower, 1 - lower).to(weight.dtype)


def _log_scale(alpha: float) -> float:
    # log(α B(α, α))
    return math.log(alpha) + 2 * math.lgamma(alpha) - math.lgamma(2 * alpha)


def _log_lower_tail(log_x: Tensor, alpha: float) -> Tensor:
    # log F(x) at x <= 1/2, given log x; -inf at x = 0
    x = log_x.exp()
    return alpha * (log_x + torch.log1p(-x)) - _log_scale(alpha) + _continued_fraction(x, alpha).log()


def _continued_fraction(x: Tensor, alpha: float) -> Tensor:
    # DLMF 8.17.22 from its tail upwards; the number of terms needed grows as the root of α
    value = torch.ones_like(x)
    for term in range(40 + int(4 * math.sqrt(alpha)), 0, -1):
        m = term // 2
        if term % 2:
            factor = -(alpha + m) * (2 * alpha + m) / ((alpha + 2 * m) * (alpha + 2 * m + 1))
        else:
            factor = m * (alpha - m) / ((alpha + 2 * m - 1) * (alpha + 2 * m))
        value = 1 + factor * x / value
    return 1 / value


def _lower_quantile(log_probability: Tensor, alpha: float) -> Tensor:
    # x <= 1/2 with log F(x) = log_probability
    log_x = ((log_probability + _log_scale(alpha)) / alpha).clamp(max=LOG_HALF)
    for _ in range(NEWTON_STEPS):
        log_tail = _log_lower_tail(log_x, alpha)
        # d log F / d log x = x f(x) / F(x)
        log_slope = alpha * log_x + (alpha - 1) * torch.log1p(-log_x.exp()) - _log_scale(alpha) + math.log(alpha)
        step = (log_tail - log_probability) / (log_slope - log_tail).exp()
        log_x = torch.where(log_x.isinf(), log_x, log_x - step).clamp(max=LOG_HALF)
    return log_x.exp()
