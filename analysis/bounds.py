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

Every function takes a `vae.posterior.DiagonalGaussian` and returns a `Bound`, in nats. Standard errors are over
images: what would change if other images had been drawn, the codes with them, the encoder staying as it is.

References:
    Kingma & Welling 2014, arXiv 1312.6114 (rate); Barber & Agakov 2003 (marginal bound); Hoffman & Johnson 2016
    (index-code MI); van den Oord et al. 2018, arXiv 1807.03748 (InfoNCE); Poole et al. 2019, arXiv 1905.06922
    (leave-one-out); Schäfer & Strimmer 2005 (shrinkage).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from analysis.pairs import BLOCK, RANGE, Pairs, all_pairs
from store import BadInput
from training import generator
from vae.posterior import DiagonalGaussian

__all__ = [
    "ALL",
    "ESTIMATORS",
    "Bound",
    "Estimator",
    "bound_posterior",
    "gaussian_marginal",
    "index_code",
    "infonce",
    "leave_one_out",
    "product_marginal",
    "rate",
    "sample_codes",
]

Estimator = Literal["rate", "gaussian_marginal", "product_marginal", "infonce", "leave_one_out", "index_code"]
ALL: tuple[Estimator, ...] = (
    "rate", "gaussian_marginal", "product_marginal", "infonce", "leave_one_out", "index_code",
)  # fmt: skip
"""Every estimator."""

ESTIMATORS = {
    "rate": "rate",
    "gaussian_marginal": "R_m",
    "product_marginal": "product marginal",
    "infonce": "InfoNCE",
    "leave_one_out": "leave-one-out",
    "index_code": "index-code MI",
}
"""What tables call each."""

FOLDS = 10


@dataclass(frozen=True)
class Bound:
    """A number with a direction.

    Args:
        estimator: a key of `ESTIMATORS`.
        value: nats.
        standard_error: of ``value`` over draws of the images, nats.
        direction: ``"upper"`` or ``"lower"`` bound on ``quantity``, in expectation.
        cap: the largest value the estimator can take, nats; None without one.
        saturated: too close to the cap (or, for leave-one-out, its InfoNCE is) to say much about ``quantity``.
        n: images.
        k: images compared with each other; None where images are not compared.
        quantity: what is bounded.

    Example:
        >>> Bound("rate", 83.67, 0.05, "upper", None, False, 10_000, None)
        I(Z;X) ≤ 83.670 ± 0.050 nats (rate, n = 10,000)
        >>> Bound("infonce", 9.2, 0.001, "lower", 9.21, True, 10_000, 10_000)
        I(Z;X) ≥ 9.200 ± 0.001 nats (InfoNCE, n = 10,000, cap 9.21: saturated)
    """

    estimator: str
    value: float
    standard_error: float
    direction: Literal["upper", "lower"]
    cap: float | None
    saturated: bool
    n: int
    k: int | None
    quantity: str = "I(Z;X)"

    def __repr__(self) -> str:
        sign = {"upper": "≤", "lower": "≥"}[self.direction]
        digits = 2 if self.standard_error == 0 else min(max(1 - math.floor(math.log10(self.standard_error)), 2), 3)
        notes = f"{ESTIMATORS[self.estimator]}, n = {self.n:,}"
        if self.cap is not None:
            notes += f", cap {self.cap:.2f}"
        if self.saturated:
            notes += ": saturated"
        return (
            f"{self.quantity} {sign} {self.value:.{digits}f} ± {self.standard_error:.{digits}f} nats ({notes})"
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return f"<span>{self!r}</span>"

    def row(self, **where: Any) -> dict[str, Any]:
        """The bound as a row of the ``--json`` document: every field, null where it does not apply."""
        context = {"noise": None, "inputs": "clean", "augmentation": None, "seed": None} | where
        return {"quantity": self.quantity} | asdict(self) | context | {"units": "nats"}


def sample_codes(posterior: DiagonalGaussian, seed: int = 0) -> Tensor:
    """One code per image, (N, d) float64, always the same for a seed.

    The seed is spread before use: a user who drew the posterior's means from the same small seed would otherwise get
    codes whose noise *is* those means.
    """
    return posterior.double().sample(generator("cpu", seed, "codes"))


def check_posterior(posterior: DiagonalGaussian) -> DiagonalGaussian:
    """The posterior in float64.

    Raises:
        BadInput: shapes differ, fewer than two images, NaN or infinities, or a variance of zero.
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
    if low < -500 or high > 500:
        raise BadInput("log_var", f"values from {low:.4g} to {high:.4g}", "variances between e⁻⁵⁰⁰ and e⁵⁰⁰")
    return posterior


def check_codes(posterior: DiagonalGaussian, codes: Tensor) -> Tensor:
    """The codes in float64.

    Raises:
        BadInput: codes that are not draws from their posterior: another shape, not finite, or a mean squared
            standardised residual further from 1 than 4 of its standard errors √(2/Nd). Codes equal to the means and
            codes whose float32 rounding is as large as their noise are caught by this.
    """
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
    values = check_posterior(posterior).kl_to_standard_normal()
    return _mean_bound("rate", values)


def _mean_bound(estimator: str, values: Tensor, k: int | None = None) -> Bound:
    """An upper bound that is a mean over images of independent values."""
    error = float(values.std()) / math.sqrt(len(values))
    return Bound(estimator, float(values.mean()), error, "upper", None, False, len(values), k)


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
    if fit is not None:
        fit = check_posterior(fit)
        if fit.mean.shape[1] != posterior.mean.shape[1]:
            raise BadInput(
                "fit", f"{fit.mean.shape[1]} dimensions", f"the posterior's {posterior.mean.shape[1]}"
            )  # fmt: skip
        return _mean_bound("gaussian_marginal", _kl_to_gaussian(posterior, *_aggregate(fit)))
    n = len(posterior)
    values = torch.empty(n, dtype=torch.float64)
    for fold in _shuffled(n).tensor_split(min(FOLDS, n)):
        rest = torch.ones(n, dtype=torch.bool)
        rest[fold] = False
        values[fold] = _kl_to_gaussian(posterior[fold], *_aggregate(posterior[rest]))
    return _mean_bound("gaussian_marginal", values)


def _shuffled(n: int) -> Tensor:
    """A fixed random order: images often come sorted by class, and folds and groups must not be."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))


def _aggregate(posterior: DiagonalGaussian) -> tuple[Tensor, Tensor]:
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
    shrink = min(1.0, float(spread[off].sum()) / n / signal) if signal > 0 else 0.0
    shrunk = covariance * (1 - shrink) + torch.diag(covariance.diagonal()) * shrink
    return mean, shrunk + torch.diag(noise)


def _kl_to_gaussian(posterior: DiagonalGaussian, mean: Tensor, covariance: Tensor) -> Tensor:
    """(N,): KL(q(z|x_i) ‖ N(mean, covariance)), in closed form."""
    lower = torch.linalg.cholesky(covariance)
    precision = torch.cholesky_inverse(lower)
    offset = torch.linalg.solve_triangular(lower, (posterior.mean - mean).T, upper=False).square().sum(0)
    trace = posterior.log_var.exp() @ precision.diagonal()
    log_det = 2 * lower.diagonal().log().sum()
    return 0.5 * (trace + offset - len(mean) + log_det - posterior.log_var.sum(1))


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
    `gaussian_marginal` follows their correlations; one dimension carries a few nats, so that it does not saturate.
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
    groups = _shuffled(n).tensor_split(max(1, min(math.ceil(n / k), n // 2)))
    total = variance_of_total = 0.0
    for group in groups:
        log_marginals, without = _log_marginals(codes[group], mean[group], variance[group])
        terms = own[group] - log_marginals
        total += float(terms.sum())
        variance_of_total += (len(group) * _jackknife(terms, without)) ** 2
    error = math.sqrt(variance_of_total) / n
    return Bound("product_marginal", total / n, error, "upper", None, False, n, max(map(len, groups)))


def _log_marginals(codes: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_d log (1/(n−1)) Σ_{j≠i} N(z_id; mean_jd, variance_jd), and how much leaving image k out takes off its sum.

    The latter to first order in the shares p_ikd, which are small in one dimension: −Σ_d Σ_i p_ikd. Both (n,).
    """
    n, d = codes.shape
    result, without = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    offset = -0.5 * (2 * math.pi * variance).log() - math.log(n - 1)
    scale = (0.5 / variance).sqrt()
    buffer = torch.empty(min(max(1, BLOCK // n), n), n, dtype=torch.float64)
    for dimension in range(d):
        centres, scales = mean[:, dimension] * scale[:, dimension], scale[:, dimension]
        for start in range(0, n, len(buffer)):
            rows = slice(start, min(start + len(buffer), n))
            logs = torch.mul(codes[rows, dimension, None], scales, out=buffer[: rows.stop - start])
            logs.sub_(centres).square_().neg_().add_(offset[:, dimension])
            logs.diagonal(start).fill_(-math.inf)
            highest = logs.amax(1)
            weights = logs.sub_(highest[:, None]).clamp_(min=-RANGE).exp_()
            weights.diagonal(start).zero_()
            total = weights.sum(1)
            result[rows] += highest + total.log()
            without.addmv_(weights.T, 1 / total, alpha=-1)
    return result, without


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
    groups = _shuffled(n)[: n // k * k].split(k)
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
    return _contrastive("infonce", pairs or compare(posterior, codes, k))


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
    return _contrastive("leave_one_out", pairs or compare(posterior, codes, k))


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
    terms = math.log(len(pairs[0])) - _log_ratio(pairs[0])
    bound = _contrastive("infonce", pairs)
    error = float(terms.std()) / math.sqrt(len(terms))
    return Bound("index_code", bound.value, error, "lower", bound.cap, bound.saturated, bound.n, bound.k)


def _log_ratio(pairs: Pairs) -> Tensor:
    """(K,): log Σ_j q(z_i|x_j) / q(z_i|x_i), which is never below 0."""
    return torch.logaddexp(torch.zeros_like(pairs.own), pairs.others - pairs.own)


def _contrastive(estimator: Literal["infonce", "leave_one_out"], groups: list[Pairs]) -> Bound:
    values, errors, informations = [], [], []
    for pairs in groups:
        k = len(pairs)
        ratio = _log_ratio(pairs)
        informations.append(math.log(k) - float(ratio.mean()))
        if estimator == "infonce":
            terms, without, size = -ratio, pairs.infonce_without, k
        else:
            terms, without, size = pairs.own - pairs.others, pairs.leave_one_out_without, k - 1
        values.append(math.log(size) + float(terms.mean()))
        errors.append(_jackknife(terms, without))
    value, error = sum(values) / len(values), math.hypot(*errors) / len(errors)
    k = len(groups[0])
    saturated = sum(informations) / len(informations) > math.log(k) - 1
    n = sum(len(pairs) for pairs in groups)
    if estimator == "infonce":
        return Bound("infonce", value, error, "lower", math.log(k), saturated, n, k)
    return Bound("leave_one_out", value, error, "upper", None, saturated, n, k)


def _jackknife(terms: Tensor, without: Tensor) -> float:
    """Delete-one standard error of a mean of terms that image k leaves both as a term and as a comparison."""
    k = len(terms)
    if k == 2:  # leaving one out leaves nothing to compare
        return float(terms.std()) / math.sqrt(2)
    left_out = (terms.sum() - terms - without) / (k - 1)
    return math.sqrt((k - 1) / k * float((left_out - left_out.mean()).square().sum()))


def bound_posterior(
    posterior: DiagonalGaussian,
    estimators: Sequence[str] = ALL,
    *,
    codes: Tensor | None = None,
    fit: DiagonalGaussian | None = None,
) -> list[Bound]:
    """Several bounds of one posterior, the all-pairs pass shared.

    Args:
        posterior: of N images unseen in training.
        estimators: keys of `ESTIMATORS`.
        codes: (N, d), one per image; sampled from seed 0 when not given.
        fit: the posterior of other images, for the Gaussian marginal.

    Example:
        >>> q = DiagonalGaussian(torch.randn(500, 2), torch.zeros(500, 2) - 1)
        >>> [bound.estimator for bound in bound_posterior(q, ("rate", "infonce"))]
        ['rate', 'infonce']
    """
    posterior = check_posterior(posterior)
    codes = sample_codes(posterior) if codes is None else check_codes(posterior, codes)
    contrastive = {"infonce": infonce, "leave_one_out": leave_one_out, "index_code": index_code}
    pairs = compare(posterior, codes) if contrastive.keys() & set(estimators) else None
    found = []
    for estimator in estimators:
        if estimator == "rate":
            found.append(rate(posterior))
        elif estimator == "gaussian_marginal":
            found.append(gaussian_marginal(posterior, fit))
        elif estimator == "product_marginal":
            found.append(product_marginal(posterior, codes))
        else:
            found.append(contrastive[estimator](posterior, codes, pairs=pairs))
    return found
