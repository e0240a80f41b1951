"""The upper bound by independent coordinates, whose one-dimensional marginals may have any shape."""

import math

import torch
from torch import Tensor

from analysis.bounds.bound import Bound, standard_error
from analysis.bounds.encoded import Encoded, as_encoded, shuffled
from analysis.bounds.estimators import estimator
from analysis.bounds.pairs import BLOCK, RANGE, jackknife
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["log_marginals", "product_marginal"]

ROUNDING = 1e-3
"""Nats by which rounding may move one logarithm of a one-dimensional marginal, in the worst case, where single
precision is used. Roundings of different images do not agree: what they move a bound by is a hundredth of it."""


FARTHEST = 6.0
"""Standardised differences, over √2, that are further out add nothing to a sum of densities."""


SINGLE_RANGE = 80.0
"""exp of less than minus this is denormal in single precision, which is slow."""


@estimator(
    "product_marginal",
    label="product marginal",
    direction="upper",
    unasked=True,
    far_above=True,
    ink=("#009E73", "v"),
)
def product_marginal(encoded: Encoded | DiagonalGaussian, *, rotation: Tensor | None = None, k: int = 2000) -> Bound:
    r"""Upper bound by independent coordinates: :math:`I(X;Z) \le \sum_d H(Z_d) - H(Z|X)`.

    Each one-dimensional entropy is bounded from above by leave-one-out within groups of ``k`` images,
    :math:`-E_i \log \frac{1}{k-1} \sum_{j \ne i} q(z_{id}|x_j)`. It follows any shape of the marginals, where
    `gaussian_marginal` follows their correlations. One dimension mostly carries a few nats; ``saturated`` where the
    InfoNCE of any one is within a nat of log k, as leave-one-out in that dimension alone would be.
    Subadditivity of entropy makes it an upper bound in every orthonormal basis.

    Args:
        encoded: of N images.
        rotation: (d, d) orthonormal, its rows the coordinates to use instead of the latents themselves; must have
            been chosen without the scored images.
        k: images compared with each other.
    """
    encoded = as_encoded(encoded)
    posterior, codes = encoded.posterior, encoded.codes
    conditional = posterior.log_prob(codes)
    mean, variance = posterior.mean, posterior.log_var.exp()
    if rotation is not None:
        rotation = rotation.double()
        d = mean.shape[1]
        unit = torch.eye(d, dtype=torch.float64)
        if rotation.shape != (d, d) or not torch.allclose(rotation @ rotation.T, unit, atol=1e-6):
            raise BadInput("rotation", f"a matrix {tuple(rotation.shape)}", f"an orthonormal matrix ({d}, {d})")
        codes, mean, variance = codes @ rotation.T, mean @ rotation.T, variance @ rotation.square().T
    n = len(codes)
    groups = shuffled(n).tensor_split(max(1, min(math.ceil(n / k), n // 2)))
    total, influence = 0.0, torch.empty_like(conditional)
    below = torch.zeros(mean.shape[1], dtype=torch.float64)  # log k, less the InfoNCE of each dimension
    for group in groups:
        log_marginal, without = log_marginals(codes[group], mean[group], variance[group])
        terms = conditional[group] - log_marginal.sum(1)
        total += float(terms.sum())
        influence[group] = jackknife(terms, without)
        below += _below_cap(codes[group], mean[group], variance[group], log_marginal) / len(groups)
    return Bound(
        "product_marginal",
        total / n,
        standard_error(influence),
        "upper",
        None,
        bool((below < 1).any()),
        n,
        max(map(len, groups)),
        influence=influence,
    )


def _below_cap(codes: Tensor, mean: Tensor, variance: Tensor, others: Tensor) -> Tensor:
    """(d,): how far InfoNCE of each dimension is below its cap, given `log_marginals` of k images."""
    conditional = -0.5 * ((codes - mean).square() / variance + (2 * math.pi * variance).log())
    return torch.logaddexp(torch.zeros_like(conditional), others + math.log(len(codes) - 1) - conditional).mean(0)


def log_marginals(codes: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """log (1/(n−1)) Σ_{j≠i} N(z_id; mean_jd, variance_jd), (n, d), and how its sum changes without image k, (n,).

    The latter to first order in the shares p_ikd, which are small in one dimension: −Σ_d Σ_i p_ikd.

    A dimension is computed in single precision where rounding moves no logarithm by more than `ROUNDING` nats, code by
    code again in double where all of a code's densities underflow, and as a whole in double otherwise.
    """
    n, d = codes.shape
    result, without = torch.empty(n, d, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    offset = -0.5 * (2 * math.pi * variance).log() - math.log(n - 1)
    scale = (0.5 / variance).sqrt()
    # differences before scaling: means may be far from 0 in units of tiny standard deviations
    centre = mean.mean(0)
    reach = torch.maximum((codes - centre).abs().amax(0), (mean - centre).abs().amax(0)) * scale.amax(0)
    single = reach * torch.finfo(torch.float32).eps * 2 * FARTHEST < ROUNDING
    rows = torch.arange(n)
    for dimension in range(d):
        column = codes[:, dimension] - centre[dimension], mean[:, dimension] - centre[dimension]
        width = scale[:, dimension], offset[:, dimension]
        again = rows
        if single[dimension]:
            total = _single_precision(*column, *width, without)
            result[:, dimension] = total
            again = rows[~torch.isfinite(total)]
        if len(again):
            result[again, dimension] = _double_precision(again, *column, *width, without)
    return result, without


def _single_precision(codes: Tensor, mean: Tensor, scale: Tensor, offset: Tensor, without: Tensor) -> Tensor:
    """(n,): one dimension of `log_marginals`, −∞ where the others' densities are below what float32 holds well.

    Subtracts from ``without``, of the other rows.
    """
    n, highest, unit = len(codes), offset.max(), scale.max()
    z, mu = (codes * unit).float(), (mean * unit).float()
    scale, offset = (scale / unit).float(), (offset - highest).float()
    result, taken = torch.empty(n, dtype=torch.float64), torch.zeros(n)
    buffer = torch.empty(min(max(1, BLOCK // n), n), n)
    for start in range(0, n, len(buffer)):
        rows = slice(start, min(start + len(buffer), n))
        weights = torch.sub(z[rows, None], mu, out=buffer[: rows.stop - start]).mul_(scale)
        torch.addcmul(offset, weights, weights, value=-1, out=weights)
        weights.clamp_(min=-SINGLE_RANGE).exp_()
        weights.diagonal(start).zero_()
        total = weights.sum(1)
        good = total > n * math.exp(-0.8 * SINGLE_RANGE)  # what was clamped is less than rounding
        taken.addmv_(weights.T, torch.where(good, 1 / total, 0))
        result[rows] = torch.where(good, total, 0).double().log() + highest
    without.sub_(taken)
    return result


def _double_precision(
    chosen: Tensor, codes: Tensor, mean: Tensor, scale: Tensor, offset: Tensor, without: Tensor
) -> Tensor:
    """(m,): one dimension of `log_marginals` for the codes ``chosen`` (m,); subtracts from ``without``."""
    parts = []
    height = max(1, BLOCK // len(codes))
    buffer = torch.empty(min(height, len(chosen)), len(codes), dtype=torch.float64)
    for rows in chosen.split(height):
        logs = torch.sub(codes[rows, None], mean, out=buffer[: len(rows)])
        logs.mul_(scale).square_().neg_().add_(offset)
        itself = torch.arange(len(rows)), rows
        logs[itself] = -math.inf
        highest = logs.amax(1)
        weights = logs.sub_(highest[:, None]).clamp_(min=-RANGE).exp_()
        weights[itself] = 0
        total = weights.sum(1)
        parts.append(highest + total.log())
        without.addmv_(weights.T, 1 / total, alpha=-1)
    return torch.cat(parts)
