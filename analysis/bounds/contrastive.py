"""Bounds from comparing every code with every image's posterior: InfoNCE, leave-one-out, index-code information."""

import math
from dataclasses import replace
from typing import Literal

from torch import Tensor

from analysis.bounds.bound import Bound, standard_error
from analysis.bounds.encoded import Encoded, as_encoded, shuffled
from analysis.bounds.estimators import estimator
from analysis.bounds.gaussian import log_gaussian
from analysis.bounds.pairs import Pairs, all_pairs, jackknife, log_ratio
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["contrastive", "index_code", "infonce", "infonce_controlled", "leave_one_out"]

CONTROL_BELOW = 2.0
"""`infonce_controlled` uses its control variate when InfoNCE is this many nats below its cap; fixed beforehand."""


@estimator(
    "infonce", label="InfoNCE", column="InfoNCE", direction="lower", unasked=True, noised=True, ink=("#D55E00", ">")
)
def infonce(encoded: Encoded | DiagonalGaussian, *, k: int | None = None) -> Bound:
    r"""Lower bound :math:`E_i[\log q(z_i|x_i) - \log \frac1K \sum_j q(z_i|x_j)]`, at most log K.

    The standard error is the delete-one jackknife over images, in the same pass.

    Args:
        encoded: of N images.
        k: images compared with each other, in disjoint groups; all N when not given.
    """
    return contrastive("infonce", groups(as_encoded(encoded), k))


@estimator("infonce_controlled", label="InfoNCE, controlled", direction="lower", unasked=True, noised=True)
def infonce_controlled(encoded: Encoded | DiagonalGaussian) -> Bound:
    r"""`infonce` with less noise from the codes, by a control variate.

    With the m of `gaussian_marginal`, fitted on other images,
    :math:`c_i = \log \frac{q(z_i|x_i)}{m(z_i)} - KL(q(\cdot|x_i) \| m)` has mean zero given the image, and follows the
    draw of the code as InfoNCE's terms do; what a regression on it explains is subtracted from them, the coefficient
    of each half of the images coming from the other half. The bound stays the same in expectation, but log K no longer
    caps it draw by draw. So a rule fixed beforehand: only where InfoNCE is below log K − 2; elsewhere this is
    `infonce`.
    """
    encoded = as_encoded(encoded)
    posterior, codes = encoded.posterior, encoded.codes
    plain = infonce(encoded)
    assert plain.cap is not None
    if plain.value >= plain.cap - CONTROL_BELOW or plain.influence is None:
        return replace(plain, estimator="infonce_controlled")
    control = posterior.log_prob(codes)
    for scored, marginal in encoded.marginals:
        control[scored] -= log_gaussian(codes[scored], *marginal) + encoded.kl_to_marginals[scored]
    # one where q(z) is nearly Gaussian; where it is not, the control variate would add its own noise
    halves = shuffled(len(control)).tensor_split(2)
    slopes = [_slope(plain.influence[half], control[half]) for half in halves]
    for scored, slope in zip(halves, reversed(slopes), strict=True):
        control[scored] *= slope
    influence = plain.influence - (control - control.mean())
    return replace(
        plain,
        estimator="infonce_controlled",
        value=plain.value - float(control.mean()),
        standard_error=standard_error(influence),
        cap=None,
        influence=influence,
    )


@estimator("leave_one_out", label="leave-one-out", direction="upper", unasked=True, noised=True, ink=("#CC79A7", "s"))
def leave_one_out(encoded: Encoded | DiagonalGaussian, *, k: int | None = None) -> Bound:
    r"""Upper bound :math:`E_i[\log q(z_i|x_i) - \log \frac{1}{K-1} \sum_{j \ne i} q(z_i|x_j)]`.

    Far above I(X;Z), and flagged, when I(X;Z) is near log K or above it. Arguments as for `infonce`.
    """
    return contrastive("leave_one_out", groups(as_encoded(encoded), k))


@estimator("index_code", label="index-code MI", direction="lower", unasked=True)
def index_code(encoded: Encoded | DiagonalGaussian) -> Bound:
    r"""The mutual information between code and *index* among these N images, estimated from one code each.

    Its expectation is a lower bound on the population's I(X;Z). The value is InfoNCE's at K = N; the standard error is
    that of the codes alone, for these very images, and errs on the large side: the spread of the N terms also holds
    the differences between images.
    """
    pairs = as_encoded(encoded).pairs
    terms = math.log(len(pairs)) - log_ratio(pairs)
    bound = contrastive("infonce", [pairs])
    error = standard_error(terms)
    return Bound("index_code", bound.value, error, "lower", bound.cap, bound.saturated, bound.n, bound.k)


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
            terms, without, size = pairs.matching - pairs.others, pairs.leave_one_out_without, k - 1
        values.append(math.log(size) + float(terms.mean()))
        influence = jackknife(terms, without)
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


def groups(encoded: Encoded, k: int | None) -> list[Pairs]:
    """The pass over all pairs, or over those within disjoint groups of ``k`` images.

    Raises:
        BadInput: fewer than 2 images in a group, or more than there are.
    """
    n = len(encoded)
    if k is None:
        return [encoded.pairs]
    if not 2 <= k <= n:
        raise BadInput("k", k, f"an integer from 2 to the number of images, {n}")
    chosen = shuffled(n)[: n // k * k].split(k)
    return [all_pairs(encoded.posterior[group], encoded.codes[group]) for group in chosen]


def _slope(values: Tensor, on: Tensor) -> float:
    on = on - on.mean()
    unit = float(on.abs().max()) or 1.0  # squares of what float64 can hold may be beyond it
    values, on = values / unit, on / unit
    square = float(on.square().sum())
    return float(values @ on) / square if square > 0 else 0.0
