r"""What the codes of two encoders of the same images share: I(Z_A; Z_B).

Given the image, the two codes are independent, so with the pair of them as one code

.. math:: I(Z_A; Z_B) = I(Z_A; X) + I(Z_B; X) - I\big((Z_A, Z_B); X\big),

and the pair's posterior is again a diagonal Gaussian. The bounds of `analysis.bounds` on the three terms, L from below
and U from above, give both sides without a critic and from all images:

.. math:: L_A + L_B - U_{AB} \;\le\; I(Z_A; Z_B) \;\le\; U_A + U_B - L_{AB}.

They are tight where no term is saturated, with noise in the codes for instance. Beside them: data processing,
:math:`I(Z_A; Z_B) \le \min\{I(Z_A; X), I(Z_B; X)\}`, by the tightest of the upper bounds that are at hand; InfoNCE
over pairs of codes with a critic fitted, selected and scored on three disjoint sets of images; and an estimate without
guarantee, the identity with the three Gaussian marginals. (Not offered is the identity with three InfoNCE values in
place of the informations: the pair's, the largest of the three, falls short of its information long before it is near
log N, and the difference would be reported as shared. For independent codes of 3.07 nats each in 6 dimensions,
N = 800, that estimate was 0.70 ± 0.05, truth 0.)

The paper sets out to bound this quantity, with B an encoder trained on the images as they are; what it tabulates is
`rate` of another variable (see `analysis.mutual_info`).

References: Cover & Thomas 2006, section 2.5 (the identity, by the chain rule) and 2.8 (data processing); van den Oord
et al. 2018, arXiv 1807.03748 (InfoNCE); Poole et al. 2019, arXiv 1905.06922 (its critics).
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from analysis import bounds
from analysis.bound import Bound, Direction, combine, mean_of
from analysis.bounds import check_codes, check_posterior, check_spacing, sample_codes
from analysis.estimate import bound_posterior
from analysis.pairs import BLOCK, Pairs
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["PAIR_ESTIMATORS", "SINGLE_BOUNDS", "bound_pair", "concatenated"]

PAIR_ESTIMATORS = (
    "three_term_lower", "three_term_upper", "data_processing", "critic", "three_term_gaussian",
)  # fmt: skip
"""Every estimator of I(Z_A; Z_B). (The identity with three index-code informations is none: that of the pair, the
largest of the three, falls short long before it is saturated, and what it lacks is reported as shared.)"""

SINGLE_BOUNDS = ("rate", "gaussian_marginal", "product_marginal", "mixture_marginal", "flow_marginal")
"""Upper bounds on the information of one code that data processing may use: those that may be far above log N."""

REFERENCES = 1000
"""Images of the fitting set that a mixture critic compares with."""

NEGLIGIBLE = 1e-15
"""A share in a mixture below this is taken to be zero."""

FLOORS = (0.5, 0.1, 0.01, 0.001)
"""Floors of the mixture critics: the density ratio is never taken to be lower."""


def concatenated(a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    """The posterior of the pair of codes, (N, d_A + d_B): independent given the image.

    Raises:
        BadInput: not the same number of images.
    """
    if len(a) != len(b):
        raise BadInput("--posterior-b", f"{len(b):,} images", f"the {len(a):,} images of the first encoder, in order")
    return DiagonalGaussian(torch.cat([a.mean, b.mean], 1), torch.cat([a.log_var, b.log_var], 1))


def _pair_of_codes(
    a: DiagonalGaussian, b: DiagonalGaussian, codes: tuple[Tensor | None, Tensor | None]
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Codes whose noises are independent of each other.

    Raises:
        BadInput: supplied codes that are not draws from their posteriors, or that share their noise.
    """
    check_spacing(a)
    check_spacing(b, "--posterior-b")
    # drawn together: two separate draws from one seed would share their noise
    drawn = sample_codes(concatenated(a, b)).split([a.mean.shape[1], b.mean.shape[1]], 1)
    first, second = (
        fresh if given is None else check_codes(posterior, given)
        for posterior, given, fresh in zip((a, b), codes, drawn, strict=True)
    )
    if codes != (None, None) and a.mean.shape == b.mean.shape:
        noises = [(code - q.mean) * (-0.5 * q.log_var).exp() for code, q in ((first, a), (second, b))]
        correlation, tolerance = float((noises[0] * noises[1]).mean()), 4 / math.sqrt(first.numel())
        if abs(correlation) > tolerance:
            raise BadInput(
                "codes", f"noise that correlates {correlation:.3g} between the two encoders",
                f"0 ± {tolerance:.2g}: codes drawn from different seeds",
            )  # fmt: skip
    return first, second


def bound_pair(
    a: DiagonalGaussian,
    b: DiagonalGaussian,
    estimators: Sequence[str] = PAIR_ESTIMATORS,
    *,
    codes: tuple[Tensor | None, Tensor | None] = (None, None),
    fit: tuple[DiagonalGaussian, DiagonalGaussian] | None = None,
    marginals: Sequence[str] = (),
    upper: tuple[Sequence[Bound], Sequence[Bound]] = ((), ()),
    quantity: str = "I(Z_A;Z_B)",
) -> list[Bound]:
    """Bounds and estimates of the information that two codes of the same image share.

    Args:
        a: posterior of N images, (N, d_A).
        b: posterior of the same images in the same order under another encoder, (N, d_B).
        estimators: of `PAIR_ESTIMATORS`.
        codes: (N, d_A) and (N, d_B), one per image and encoder, drawn independently; sampled where None.
        fit: both posteriors of other images, for the fitted marginals and the critic; without them the scored images
            are divided.
        marginals: estimators of I(Z_A;X) and I(Z_B;X) from which data processing chooses, besides R_m. Those outside
            `SINGLE_BOUNDS` are passed over, so that all that was asked of one code can be given.
        upper: bounds of A and bounds of B that have been computed already, of these very posteriors and ``fit``; they
            join the choice like ``marginals``. Saturated ones are passed over.
        quantity: what the rows call it.

    Raises:
        BadInput: not the same images, or unsuitable codes.
    """
    a, b = check_posterior(a), check_posterior(b)
    both = concatenated(a, b)
    code_a, code_b = _pair_of_codes(a, b, codes)
    fit_a, fit_b = (None, None) if fit is None else (check_posterior(fit[0]), check_posterior(fit[1]))
    fit_both = None if fit_a is None or fit_b is None else concatenated(fit_a, fit_b)
    parts = ((a, code_a, fit_a), (b, code_b, fit_b), (both, torch.cat([code_a, code_b], 1), fit_both))

    gaussian = [bounds.gaussian_marginal(q, other) for q, _, other in parts]
    lower = []
    if {"three_term_lower", "three_term_upper"} & set(estimators):
        lower = [
            bounds.infonce_controlled(q, code, fit=other, pairs=bounds.compare(q, code)) for q, code, other in parts
        ]

    def identity(name: str, terms: tuple[Bound, Bound, Bound], direction: Direction, cap: float | None = None) -> Bound:
        signed = list(zip((1.0, 1.0, -1.0), terms, strict=True))
        return combine(name, signed, direction, quantity, cap=cap)

    def richer() -> list[Bound]:
        wanted = [name for name in SINGLE_BOUNDS if name != "gaussian_marginal"]
        names = [name for name in wanted if name in marginals]
        found = [*upper[0], *upper[1]]
        for q, code, other in parts[:2]:
            found += bound_posterior(q, names, codes=code, fit=other)
        return [bound for bound in found if bound.estimator in wanted and not bound.saturated]

    # U_AB is at least I(Z_A;X), so L_A + L_B − U_AB is at most L_B in expectation
    how: dict[str, Callable[[], Bound]] = {
        "three_term_lower": lambda: identity(
            "three_term_lower", (lower[0], lower[1], gaussian[2]), "lower", math.log(len(a))
        ),
        "three_term_upper": lambda: identity("three_term_upper", (gaussian[0], gaussian[1], lower[2]), "upper"),
        "data_processing": lambda: _data_processing([*gaussian[:2], *richer()], quantity),
        "critic": lambda: _critic(both, (code_a, code_b), fit_both, quantity),
        "three_term_gaussian": lambda: identity(
            "three_term_gaussian", (gaussian[0], gaussian[1], gaussian[2]), "estimate"
        ),
    }
    return [how[name]() for name in estimators]


def _data_processing(candidates: Sequence[Bound], quantity: str) -> Bound:
    """The smallest of several upper bounds, which of them decided for each tenth of the images by the other nine.

    The smallest of several estimates on the same images would not be an upper bound.
    """
    influences = [bound.influence + bound.value for bound in candidates if bound.influence is not None]
    n = len(influences[0])
    if len(influences) != len(candidates) or {len(each) for each in influences} != {n}:
        raise ValueError("data processing: needs bounds of the same images, each with its influence")
    values = torch.stack(influences)
    chosen = torch.empty(n, dtype=torch.float64)
    for fold in bounds.shuffled(n).tensor_split(min(bounds.FOLDS, n)):
        rest = values.sum(1) - values[:, fold].sum(1)
        chosen[fold] = values[int(rest.argmin()), fold]
    return mean_of("data_processing", chosen, quantity=quantity)


Critic = Callable[[Tensor, Tensor], Callable[[slice], Tensor]]
"""Codes of A (K, d_A) and of B (L, d_B) to a function that scores a block of rows of A: (rows, L)."""


def _critic(
    both: DiagonalGaussian, codes: tuple[Tensor, Tensor], fit: DiagonalGaussian | None, quantity: str
) -> Bound:  # fmt: skip
    """InfoNCE over pairs of codes, the critic fitted, selected and scored on three disjoint sets of images.

    With ``fit``, a fifth of the images selects and the rest is scored; without, two fifths fit, one selects.
    """
    n, width = len(both), codes[0].shape[1]
    order = bounds.shuffled(n)
    if fit is None:
        count = max(2, 2 * n // 5)
        fit_set, order = both[order[:count]], order[count:]
    else:
        fit_set = fit
    count = max(2, n // 5)
    select, score = order[:count], order[count:]
    if len(score) < 2:
        raise BadInput("posterior", f"{n} images", "at least 8 for a held-out critic")

    def log_ratio(critic: Critic, images: Tensor) -> Pairs:
        return _scores(critic, codes[0][images], codes[1][images])

    best: Critic = _constant
    highest = 0.0
    for critic in _candidates(fit_set, width):
        found = log_ratio(critic, select)
        value = math.log(len(select)) - float(bounds.log_ratio(found).mean())
        if value > highest:
            best, highest = critic, value
    bound = bounds.contrastive("infonce", [log_ratio(best, score)])
    return Bound(
        "critic", bound.value, bound.standard_error, "lower", bound.cap, bound.saturated, bound.n, bound.k, quantity
    )  # fmt: skip


def _scores(critic: Critic, a: Tensor, b: Tensor) -> Pairs:
    """`Pairs` of a critic: its scores in place of log-densities, in blocks of rows."""
    n = len(a)
    own, others, without = torch.empty(n).double(), torch.empty(n).double(), torch.zeros(n).double()
    score = critic(a, b)
    for places in torch.arange(n).split(max(1, BLOCK // n)):
        rows = slice(int(places[0]), int(places[-1]) + 1)
        scores = score(rows)
        at = torch.arange(len(places)), places
        own[rows] = scores[at]
        total = scores.logsumexp(1)
        share = (scores - total[:, None]).exp().clamp(max=1 - 1e-15)
        share[at] = 0
        without += torch.log1p(-share).sum(0)
        scores[at] = -math.inf
        others[rows] = scores.logsumexp(1)
    return Pairs(own, others, without, without)


def _constant(a: Tensor, b: Tensor) -> Callable[[slice], Tensor]:
    return lambda rows: torch.zeros(len(a[rows]), len(b), dtype=torch.float64)


def _candidates(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    """Log density ratios log p(z_A, z_B) / p(z_A) p(z_B) of models of the pair, fitted on ``fit``.

    Gaussian models keep the largest 1, 2, 4, … canonical correlations. Mixture models are what the encoders say of
    the images of ``fit`` themselves, :math:`p(z_A, z_B) = \\frac1M \\sum_m q(z_A|x_m) q(z_B|x_m)`.
    """
    yield from _gaussian_critics(fit, width)
    yield from _mixture_critics(fit, width)


def _gaussian_critics(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    mean, covariance = bounds.aggregate(fit)
    whiten = [
        torch.linalg.inv(torch.linalg.cholesky(block))
        for block in (covariance[:width, :width], covariance[width:, width:])
    ]
    left, correlations, right = torch.linalg.svd(whiten[0] @ covariance[:width, width:] @ whiten[1].T)
    limit = min(width, len(mean) - width)
    ranks = [2**power for power in range(limit.bit_length()) if 2**power < limit] + [limit]
    for rank in ranks:
        rho = correlations[:rank].clamp(max=1 - 1e-6)
        maps = left[:, :rank].T @ whiten[0], right[:rank] @ whiten[1]

        yield functools.partial(_gaussian_scores, rho, (mean[:width], mean[width:]), maps)


def _gaussian_scores(
    rho: Tensor, means: tuple[Tensor, Tensor], maps: tuple[Tensor, Tensor], a: Tensor, b: Tensor
) -> Callable[[slice], Tensor]:  # fmt: skip
    u, v = ((codes - mean) @ each.T for codes, mean, each in zip((a, b), means, maps, strict=True))
    weight = rho / (1 - rho.square())
    own = -0.5 * (rho * weight)
    of_b = v.square() @ own - 0.5 * torch.log1p(-rho.square()).sum()
    return lambda rows: (u[rows] * weight) @ v.T + (u[rows].square() @ own)[:, None] + of_b


def _mixture_critics(fit: DiagonalGaussian, width: int) -> Iterator[Critic]:
    some = fit[bounds.shuffled(len(fit))[:REFERENCES]]
    known = [DiagonalGaussian(some.mean[:, part], some.log_var[:, part]) for part in (slice(width), slice(width, None))]
    for floor in FLOORS:
        yield functools.partial(_mixture_scores, floor, (known[0], known[1]))


def _mixture_scores(
    floor: float, known: tuple[DiagonalGaussian, DiagonalGaussian], a: Tensor, b: Tensor
) -> Callable[[slice], Tensor]:  # fmt: skip
    left, right = _responsibilities(known[0], a), _responsibilities(known[1], b).T.contiguous()
    # any critic gives a lower bound: its large product may be in single precision, at half the cost
    return lambda rows: (left[rows] @ right).double().mul_((1 - floor) * len(known[0])).add_(floor).log_()


def _responsibilities(known: DiagonalGaussian, codes: Tensor) -> Tensor:
    """(K, M) float32: the posterior probability of each of M images given a code, all equally likely before."""
    precision = (-known.log_var).exp()
    offset = -0.5 * (known.mean.square() * precision + known.log_var).sum(1)
    logs = torch.addmm(offset, codes, (known.mean * precision).T)
    shares = logs.addmm_(codes.square(), precision.T, alpha=-0.5).softmax(1).float()
    # products of two would otherwise be denormal numbers, which are ten times as slow
    return shares.masked_fill_(shares < NEGLIGIBLE, 0.0)
