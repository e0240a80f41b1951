r"""Bounds on the mutual information I(X;Z) of an encoder whose density is known.

:math:`q(z|x)` is a diagonal Gaussian, known exactly; x is drawn from a population of images unseen in training;
:math:`q(z) = E_x q(z|x)` is *not* assumed to be Gaussian, nor close to the prior. With K independent images and one
code each,

.. math::

   E_i \log \frac{q(z_i|x_i)}{\frac1K \sum_j q(z_i|x_j)}
   \;\le\; I(X;Z) \;\le\;
   E_i KL(q(z|x_i) \,\|\, m) \quad\text{for every density } m \text{ chosen without } x_i,

in expectation over the images and codes. The left side (InfoNCE) cannot exceed log K. The right side is the *rate*
when m is the prior; it is tightest when m is q(z) itself. So a large rate is not a large information: it is
:math:`I(X;Z) + KL(q(z) \| \mathcal{N}(0, I))`.

Every function takes a `vae.posterior.DiagonalGaussian` and returns an `analysis.bound.Bound`, in nats. Standard errors
are over images: what would change if other images had been drawn, the codes with them, the encoder staying as it is.

References:
    Kingma & Welling 2014, arXiv 1312.6114 (rate); Barber & Agakov 2003 (marginal bound); Hoffman & Johnson 2016
    (index-code MI); van den Oord et al. 2018, arXiv 1807.03748 (InfoNCE); Poole et al. 2019, arXiv 1905.06922
    (leave-one-out); Schäfer & Strimmer 2005 (shrinkage).
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from analysis.bound import Bound, mean_of, standard_error
from analysis.pairs import BLOCK, RANGE, Pairs, all_pairs
from store import BadInput
from training import generator
from vae.posterior import DiagonalGaussian

__all__ = [
    "aggregate",
    "check_codes",
    "check_fit",
    "check_posterior",
    "check_spacing",
    "compare",
    "contrastive",
    "gaussian_marginal",
    "index_code",
    "infonce",
    "infonce_controlled",
    "kl_to_gaussian",
    "leave_one_out",
    "log_gaussian",
    "log_marginals",
    "log_ratio",
    "product_marginal",
    "rate",
    "sample_codes",
    "shuffled",
]

FOLDS = 10

CONTROL_BELOW = 2.0
"""`infonce_controlled` uses its control variate when InfoNCE is this many nats below its cap; fixed beforehand."""

LARGEST = 500
"""Variances and squared means are at most e to this, and variances at least e to minus this."""

SPAN = 650
"""The square of a mean or standard deviation is at most e to this times any variance in its dimension, so that summed
squares of standardised differences stay below float64's e⁷⁰⁹."""

SPACINGS = 32
"""The float64 spacings of its mean that a standard deviation needs, for a code to show the noise. Rounding then adds
at most 1/(12 · 32²) of the variance: 0.00004 nats a dimension."""

ROUNDING = 1e-3
"""Nats by which rounding may move one logarithm of a one-dimensional marginal, in the worst case, where single
precision is used. Roundings of different images do not agree: what they move a bound by is a hundredth of it."""

FARTHEST = 6.0
"""Standardised differences, over √2, that are further out add nothing to a sum of densities."""

SINGLE_RANGE = 80.0
"""exp of less than minus this is denormal in single precision, which is slow."""

RIDGE = 64 * torch.finfo(torch.float64).eps
"""A covariance is shrunk at least by this much a dimension, or rounding may leave it not positive definite."""


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
            "log_var", f"values from {low:.4g} to {high:.4g}, in dimension {worst} for one",
            f"variances between e^-{LARGEST} and e^{LARGEST}",
        )  # fmt: skip
    size = posterior.mean.abs()
    if float(size.max()) > math.exp(LARGEST / 2):
        worst = int(size.argmax()) % mean.shape[1]
        raise BadInput(
            "mean", f"{float(size.max()):.4g} in dimension {worst}", f"at most e^{LARGEST / 2:g} in absolute value"
        )  # fmt: skip
    _check_span(posterior)
    return posterior


def _check_span(posterior: DiagonalGaussian) -> None:
    largest = torch.maximum(2 * posterior.mean.abs().amax(0).log(), posterior.log_var.amax(0))
    smallest = posterior.log_var.amin(0)
    worst = int((largest - smallest).argmax())
    if float(largest[worst] - smallest[worst]) > SPAN:
        raise BadInput(
            "posterior", f"a mean or standard deviation of {math.exp(0.5 * float(largest[worst])):.2g} beside a "
            f"standard deviation of {math.exp(0.5 * float(smallest[worst])):.2g} in dimension {worst}",
            f"a ratio of at most e^{SPAN // 2}, whose square float64 can hold",
        )  # fmt: skip


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
    own, apart = float(deviation.flatten()[worst]), float(spacing.flatten()[worst])
    if own < SPACINGS * apart:
        image, dimension = divmod(worst, size.shape[1])
        raise BadInput(
            what, f"a standard deviation of {own:.2g} in dimension {dimension} (image {image}), {own / apart:.2g} of "
            f"the spacing {apart:.2g} of float64 numbers near its mean {float(posterior.mean[image, dimension]):.6g}",
            f"at least {SPACINGS} spacings, for a code to be told from its mean",
        )  # fmt: skip
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
            "codes", f"mean squared residual {residual:.4g} in units of the posterior variance",
            f"1 ± {tolerance:.2g}: one code drawn from each image's own posterior",
        )  # fmt: skip
    return codes


def rate(posterior: DiagonalGaussian) -> Bound:
    r"""Upper bound by the prior: :math:`E_i KL(q(z|x_i) \| \mathcal{N}(0, I))`; the paper's "mutual information".

    Exceeds I(X;Z) by :math:`KL(q(z) \| \mathcal{N}(0, I))`.
    """
    return mean_of("rate", check_posterior(posterior).kl_to_standard_normal())


def gaussian_marginal(posterior: DiagonalGaussian, fit: DiagonalGaussian | None = None) -> Bound:
    r"""Upper bound by a Gaussian fitted to q(z): :math:`R_m = E_i KL(q(z|x_i) \| m)`.

    m has the mean of the posterior means, and their covariance plus the mean posterior variance; the covariance is
    shrunk towards its diagonal as far as its sampling error asks for (Schäfer & Strimmer 2005), which vanishes as the
    number of images grows. Any m chosen without the scored images gives an upper bound; a worse one a looser bound.

    Args:
        posterior: of the scored images.
        fit: of other images, the training images say, from the same encoder; without it, every tenth of the scored
            images is scored by the Gaussian of the other nine.
    """
    posterior = check_posterior(posterior)
    values = torch.empty(len(posterior), dtype=torch.float64)
    for scored, marginal in _marginals(posterior, fit):
        values[scored] = kl_to_gaussian(posterior[scored], *marginal)
    return mean_of("gaussian_marginal", values)


def _marginals(
    posterior: DiagonalGaussian, fit: DiagonalGaussian | None
) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """Indices of scored images, and mean and covariance of q(z) from other images: ``fit``, or the other folds."""
    n = len(posterior)
    if fit is not None:
        yield torch.arange(n), aggregate(check_fit(fit, posterior))
        return
    for fold in shuffled(n).tensor_split(min(FOLDS, n)):
        rest = torch.ones(n, dtype=torch.bool)
        rest[fold] = False
        yield fold, aggregate(posterior[rest])


def shuffled(n: int) -> Tensor:
    """A fixed random order: images often come sorted by class, and folds and groups must not be."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def aggregate(posterior: DiagonalGaussian) -> tuple[Tensor, Tensor]:
    """Mean (d,) and covariance (d, d) of q(z), the covariance of the means shrunk towards its diagonal."""
    n, d = posterior.mean.shape
    mean, noise = posterior.mean.mean(0), posterior.log_var.exp().mean(0)
    if n == 1:
        return mean, torch.diag(noise)
    centred = posterior.mean - mean
    covariance = centred.T @ centred / (n - 1)
    # in units of q(z)'s own standard deviations, so that a collapsed dimension counts for nothing
    scale = (covariance.diagonal() + noise).sqrt()
    unit = centred / scale
    products = unit.T @ unit / n
    spread = unit.square().T @ unit.square() / n - products.square()  # variance of one image's product
    off = ~torch.eye(d, dtype=torch.bool)
    signal = float(products[off].square().sum())
    shrink = min(1.0, max(float(spread[off].sum()) / n / signal, RIDGE * d)) if signal > 0 else 0.0
    shrunk = covariance * (1 - shrink) + torch.diag(covariance.diagonal()) * shrink
    return mean, shrunk + torch.diag(noise)


def kl_to_gaussian(posterior: DiagonalGaussian, mean: Tensor, covariance: Tensor) -> Tensor:
    """(N,): KL(q(z|x_i) ‖ N(mean, covariance)), in closed form."""
    lower = torch.linalg.cholesky(covariance)
    precision = torch.cholesky_inverse(lower)
    offset = torch.linalg.solve_triangular(lower, (posterior.mean - mean).T, upper=False).square().sum(0)
    trace = posterior.log_var.exp() @ precision.diagonal()
    log_det = 2 * lower.diagonal().log().sum()
    return 0.5 * (trace + offset - len(mean) + log_det - posterior.log_var.sum(1))


def log_gaussian(codes: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """(N,): log N(z_i; mean, covariance)."""
    lower = torch.linalg.cholesky(covariance)
    squares = torch.linalg.solve_triangular(lower, (codes - mean).T, upper=False).square().sum(0)
    return -0.5 * (squares + len(mean) * math.log(2 * math.pi)) - lower.diagonal().log().sum()


def product_marginal(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    rotation: Tensor | None = None,
    k: int = 2000,
) -> Bound:
    r"""Upper bound by independent coordinates: :math:`I(X;Z) \le \sum_d H(Z_d) - H(Z|X)`.

    Each one-dimensional entropy is bounded from above by leave-one-out within groups of ``k`` images,
    :math:`-E_i \log \frac{1}{k-1} \sum_{j \ne i} q(z_{id}|x_j)`. It follows any shape of the marginals, where
    `gaussian_marginal` follows their correlations. One dimension mostly carries a few nats; ``saturated`` where the
    InfoNCE of any one is within a nat of log k, as leave-one-out in that dimension alone would be.
    Subadditivity of entropy makes it an upper bound in every orthonormal basis.

    Args:
        posterior: of N images.
        codes: (N, d), one per image; sampled when not given.
        rotation: (d, d) orthonormal, its rows the coordinates to use instead of the latents themselves; must have
            been chosen without the scored images.
        k: images compared with each other.
    """
    posterior = check_posterior(posterior)
    codes = sample_codes(posterior) if codes is None else check_codes(posterior, codes)
    own = posterior.log_prob(codes)
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
    total, influence = 0.0, torch.empty_like(own)
    below = torch.zeros(mean.shape[1], dtype=torch.float64)  # log k, less the InfoNCE of each dimension
    for group in groups:
        found, without = log_marginals(codes[group], mean[group], variance[group])
        terms = own[group] - found.sum(1)
        total += float(terms.sum())
        influence[group] = _jackknife(terms, without)
        below += _below_cap(codes[group], mean[group], variance[group], found) / len(groups)
    return Bound(
        "product_marginal", total / n, standard_error(influence), "upper", None, bool((below < 1).any()), n,
        max(map(len, groups)), influence=influence,
    )  # fmt: skip


def _below_cap(codes: Tensor, mean: Tensor, variance: Tensor, others: Tensor) -> Tensor:
    """(d,): how far InfoNCE of each dimension is below its cap, given `log_marginals` of k images."""
    own = -0.5 * ((codes - mean).square() / variance + (2 * math.pi * variance).log())
    return torch.logaddexp(torch.zeros_like(own), others + math.log(len(codes) - 1) - own).mean(0)


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
    which: Tensor, codes: Tensor, mean: Tensor, scale: Tensor, offset: Tensor, without: Tensor
) -> Tensor:  # fmt: skip
    """(m,): one dimension of `log_marginals` for the codes ``which`` (m,); subtracts from ``without``."""
    parts = []
    height = max(1, BLOCK // len(codes))
    buffer = torch.empty(min(height, len(which)), len(codes), dtype=torch.float64)
    for rows in which.split(height):
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


def compare(posterior: DiagonalGaussian, codes: Tensor | None = None, k: int | None = None) -> list[Pairs]:
    """The pass that `infonce`, `leave_one_out` and `index_code` share; give it to each as ``pairs``.

    Over disjoint groups of ``k`` images, or over all of them when ``k`` is None.
    """
    posterior = check_posterior(posterior)
    codes = sample_codes(posterior) if codes is None else check_codes(posterior, codes)
    n = len(codes)
    if k is None:
        return [all_pairs(posterior, codes)]
    if not 2 <= k <= n:
        raise BadInput("k", k, f"an integer from 2 to the number of images, {n}")
    groups = shuffled(n)[: n // k * k].split(k)
    return [all_pairs(posterior[group], codes[group]) for group in groups]


def infonce(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    k: int | None = None,
    pairs: list[Pairs] | None = None,
) -> Bound:
    r"""Lower bound :math:`E_i[\log q(z_i|x_i) - \log \frac1K \sum_j q(z_i|x_j)]`, at most log K.

    The standard error is the delete-one jackknife over images, in the same pass.

    Args:
        posterior: of N images.
        codes: (N, d), one per image; sampled when not given.
        k: images compared with each other, in disjoint groups; all N when not given.
        pairs: the result of `compare`, when several estimators share it.
    """
    return contrastive("infonce", pairs or compare(posterior, codes, k))


def infonce_controlled(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    fit: DiagonalGaussian | None = None,
    pairs: list[Pairs] | None = None,
) -> Bound:
    r"""`infonce` with less noise from the codes, by a control variate.

    With the m of `gaussian_marginal`, fitted on other images,
    :math:`c_i = \log \frac{q(z_i|x_i)}{m(z_i)} - KL(q(\cdot|x_i) \| m)` has mean zero given the image, and follows the
    draw of the code as InfoNCE's terms do; what a regression on it explains is subtracted from them, the coefficient
    of each half of the images coming from the other half. The bound stays the same in expectation, but log K no longer
    caps it draw by draw. So a rule fixed beforehand: only where InfoNCE is below log K − 2; elsewhere this is
    `infonce`.

    Args:
        posterior: of N images.
        codes: (N, d), one per image; sampled when not given.
        fit: of other images, as for `gaussian_marginal`.
        pairs: the result of `compare` on the same codes, when several estimators share it.
    """
    posterior = check_posterior(posterior)
    codes = sample_codes(posterior) if codes is None else check_codes(posterior, codes)
    plain = infonce(posterior, codes, pairs=pairs)
    assert plain.cap is not None
    if plain.value >= plain.cap - CONTROL_BELOW or plain.influence is None:
        return replace(plain, estimator="infonce_controlled")
    control = posterior.log_prob(codes)
    for scored, marginal in _marginals(posterior, fit):
        control[scored] -= log_gaussian(codes[scored], *marginal) + kl_to_gaussian(posterior[scored], *marginal)
    # one where q(z) is nearly Gaussian; where it is not, the control variate would add its own noise
    halves = shuffled(len(control)).tensor_split(2)
    slopes = [_slope(plain.influence[half], control[half]) for half in halves]
    for scored, slope in zip(halves, reversed(slopes), strict=True):
        control[scored] *= slope
    influence = plain.influence - (control - control.mean())
    return replace(
        plain, estimator="infonce_controlled", value=plain.value - float(control.mean()),
        standard_error=standard_error(influence), cap=None, influence=influence,
    )  # fmt: skip


def _slope(values: Tensor, on: Tensor) -> float:
    on = on - on.mean()
    unit = float(on.abs().max()) or 1.0  # squares of what float64 can hold may be beyond it
    values, on = values / unit, on / unit
    square = float(on.square().sum())
    return float(values @ on) / square if square > 0 else 0.0


def leave_one_out(
    posterior: DiagonalGaussian,
    codes: Tensor | None = None,
    *,
    k: int | None = None,
    pairs: list[Pairs] | None = None,
) -> Bound:
    r"""Upper bound :math:`E_i[\log q(z_i|x_i) - \log \frac{1}{K-1} \sum_{j \ne i} q(z_i|x_j)]`.

    Far above I(X;Z), and flagged, when I(X;Z) is near log K or above it. Arguments as for `infonce`.
    """
    return contrastive("leave_one_out", pairs or compare(posterior, codes, k))


def index_code(
    posterior: DiagonalGaussian, codes: Tensor | None = None, *, pairs: list[Pairs] | None = None
) -> Bound:  # fmt: skip
    r"""The mutual information between code and *index* among these N images, estimated from one code each.

    Its expectation is a lower bound on the population's I(X;Z). The value is InfoNCE's at K = N; the standard error is
    that of the codes alone, for these very images, and errs on the large side: the spread of the N terms also holds
    the differences between images.
    """
    pairs = pairs or compare(posterior, codes)
    if len(pairs) != 1:
        raise BadInput("pairs", f"{len(pairs)} groups", "one pass over all images")
    terms = math.log(len(pairs[0])) - log_ratio(pairs[0])
    bound = contrastive("infonce", pairs)
    error = standard_error(terms)
    return Bound("index_code", bound.value, error, "lower", bound.cap, bound.saturated, bound.n, bound.k)


def log_ratio(pairs: Pairs) -> Tensor:
    """(K,): log Σ_j q(z_i|x_j) / q(z_i|x_i), which is never below 0."""
    return torch.logaddexp(torch.zeros_like(pairs.own), pairs.others - pairs.own)


def contrastive(estimator: Literal["infonce", "leave_one_out"], groups: list[Pairs]) -> Bound:
    """InfoNCE or leave-one-out from what passes over all pairs have left, of posteriors or of a critic's scores."""
    values, errors, informations, influence = [], [], [], None
    for pairs in groups:
        k = len(pairs)
        ratio = log_ratio(pairs)
        informations.append(math.log(k) - float(ratio.mean()))
        if estimator == "infonce":
            terms, without, size = -ratio, pairs.infonce_without, k
        else:
            terms, without, size = pairs.own - pairs.others, pairs.leave_one_out_without, k - 1
        values.append(math.log(size) + float(terms.mean()))
        influence = _jackknife(terms, without)
        errors.append(standard_error(influence))
    value, error = sum(values) / len(values), math.hypot(*errors) / len(errors)
    k = len(groups[0])
    saturated = sum(informations) / len(informations) > math.log(k) - 1
    n = sum(len(pairs) for pairs in groups)
    if len(groups) > 1:
        influence = None  # groups are in an order of their own
    if estimator == "infonce":
        return Bound("infonce", value, error, "lower", math.log(k), saturated, n, k, influence=influence)
    return Bound("leave_one_out", value, error, "upper", None, saturated, n, k, influence=influence)


def _jackknife(terms: Tensor, without: Tensor) -> Tensor:
    """(K,): the delete-one influence on a mean of terms that image k leaves both as a term and as a comparison."""
    k = len(terms)
    if k == 2:  # leaving one out leaves nothing to compare
        return terms - terms.mean()
    left_out = (terms.sum() - terms - without) / (k - 1)
    return (k - 1) * (left_out.mean() - left_out)
