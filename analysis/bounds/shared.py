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

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from analysis.bounds.bound import Bound, combine, mean_of
from analysis.bounds.contrastive import contrastive, infonce_controlled
from analysis.bounds.critics import Critic, candidates, constant, scores_of
from analysis.bounds.encoded import FOLDS, Encoded, as_encoded, check_spacing, sample_codes, shuffled
from analysis.bounds.estimators import ESTIMATORS, SHARED, Direction, estimator
from analysis.bounds.fitted import gaussian_marginal
from analysis.bounds.pairs import Pairs, log_ratio
from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = [
    "EncodedPair",
    "concatenated",
    "critic",
    "data_processing",
    "three_term_gaussian",
    "three_term_lower",
    "three_term_upper",
]


class EncodedPair:
    """Two encoders' outputs on the same images; what several estimators need of them is computed once, on demand.

    Args:
        a: of N images, (N, d_A).
        b: of the same images in the same order under another encoder, (N, d_B).
        upper: upper bounds on the information of A's code and of B's, of these very outputs, that have been computed
            already: data processing chooses from them besides R_m. Those that are never far above log N, and
            saturated ones, are passed over.
        quantity: what the bounds call it.

    Raises:
        BadInput: not the same number of images, or codes that share their noise.
    """

    def __init__(
        self,
        a: Encoded | DiagonalGaussian,
        b: Encoded | DiagonalGaussian,
        upper: Sequence[Bound] = (),
        quantity: str = SHARED,
    ) -> None:
        a, b = as_encoded(a), as_encoded(b)
        both = concatenated(a.posterior, b.posterior)
        codes = _pair_of_codes(a, b)
        fit = None if a.fit is None or b.fit is None else concatenated(a.fit, b.fit)
        self.a, self.b = a.drawn(codes[0]), b.drawn(codes[1])
        self.both = Encoded(both, fit=fit).drawn(torch.cat(codes, 1))
        self.upper = [
            bound
            for bound in upper
            if ESTIMATORS[bound.estimator].far_above and bound.estimator != "gaussian_marginal" and not bound.saturated
        ]
        self.quantity = quantity

    def __len__(self) -> int:
        return len(self.both)

    @cached_property
    def three_upper(self) -> tuple[Bound, Bound, Bound]:
        """R_m of A, of B and of the pair."""
        return gaussian_marginal(self.a), gaussian_marginal(self.b), gaussian_marginal(self.both)

    @cached_property
    def three_lower(self) -> tuple[Bound, Bound, Bound]:
        """Controlled InfoNCE of A, of B and of the pair."""
        return infonce_controlled(self.a), infonce_controlled(self.b), infonce_controlled(self.both)

    def identity(self, name: str, terms: Sequence[Bound], direction: Direction, cap: float | None = None) -> Bound:
        """The identity's sum of bounds on its three terms."""
        signed = list(zip((1.0, 1.0, -1.0), terms, strict=True))
        return combine(name, signed, direction, self.quantity, cap=cap)


def concatenated(a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
    """The posterior of the pair of codes, (N, d_A + d_B): independent given the image.

    Raises:
        BadInput: not the same number of images.
    """
    if len(a) != len(b):
        raise BadInput("--posterior-b", f"{len(b):,} images", f"the {len(a):,} images of the first encoder, in order")
    return DiagonalGaussian(torch.cat([a.mean, b.mean], 1), torch.cat([a.log_var, b.log_var], 1))


def _pair_of_codes(a: Encoded, b: Encoded) -> tuple[Tensor, Tensor]:
    """Codes whose noises are independent of each other.

    Raises:
        BadInput: codes that were given and share their noise.
    """
    check_spacing(a.posterior)
    check_spacing(b.posterior, "--posterior-b")
    # drawn together: two separate draws from one seed would share their noise
    drawn = sample_codes(concatenated(a.posterior, b.posterior)).split(
        [encoded.posterior.mean.shape[1] for encoded in (a, b)], 1
    )
    first, second = (
        code if encoded.given is None else encoded.given for encoded, code in zip((a, b), drawn, strict=True)
    )
    if (a.given is not None or b.given is not None) and first.shape == second.shape:
        pairs = ((first, a.posterior), (second, b.posterior))
        noises = [(codes - posterior.mean) * (-0.5 * posterior.log_var).exp() for codes, posterior in pairs]
        correlation, tolerance = float((noises[0] * noises[1]).mean()), 4 / math.sqrt(first.numel())
        if abs(correlation) > tolerance:
            raise BadInput(
                "codes",
                f"noise that correlates {correlation:.3g} between the two encoders",
                f"0 ± {tolerance:.2g}: codes drawn from different seeds",
            )
    return first, second


@estimator("three_term_lower", label="three terms", direction="lower", quantity=SHARED, ink=("#D55E00", ">"))
def three_term_lower(pair: EncodedPair) -> Bound:
    """Lower bound by the identity: controlled InfoNCE of both codes, less R_m of the pair."""
    # U_AB is at least I(Z_A;X), so L_A + L_B − U_AB is at most L_B in expectation
    terms = (*pair.three_lower[:2], pair.three_upper[2])
    return pair.identity("three_term_lower", terms, "lower", math.log(len(pair)))


@estimator("three_term_upper", label="three terms", direction="upper", quantity=SHARED, ink=("#0072B2", "<"))
def three_term_upper(pair: EncodedPair) -> Bound:
    """Upper bound by the identity: R_m of both codes, less controlled InfoNCE of the pair."""
    return pair.identity("three_term_upper", (*pair.three_upper[:2], pair.three_lower[2]), "upper")


@estimator(
    "data_processing",
    label="data processing",
    column="shared",
    direction="upper",
    quantity=SHARED,
    ink=("#009E73", "v"),
)
def data_processing(pair: EncodedPair) -> Bound:
    """Upper bound by the smallest of upper bounds on the information of either code.

    Which of them is decided for each tenth of the images by the other nine: the smallest of several estimates on the
    same images would not be an upper bound.
    """
    candidates = [*pair.three_upper[:2], *pair.upper]
    influences = [bound.influence + bound.value for bound in candidates if bound.influence is not None]
    n = len(pair)
    if len(influences) != len(candidates) or {len(influence) for influence in influences} != {n}:
        raise ValueError("data processing: needs bounds of the same images, each with its influence")
    values = torch.stack(influences)
    chosen = torch.empty(n, dtype=torch.float64)
    for fold in shuffled(n).tensor_split(min(FOLDS, n)):
        others = values.sum(1) - values[:, fold].sum(1)
        chosen[fold] = values[int(others.argmin()), fold]
    return mean_of("data_processing", chosen, quantity=pair.quantity)


@estimator(
    "critic",
    label="held-out critic",
    column="shared, critic",
    direction="lower",
    quantity=SHARED,
    ink=("#E69F00", "^"),
)
def critic(pair: EncodedPair) -> Bound:
    """Lower bound: InfoNCE over pairs of codes, the critic fitted, selected and scored on disjoint sets of images.

    With ``fit``, a fifth of the images selects and the others are scored; without, two fifths fit, one selects.

    Raises:
        BadInput: fewer than 8 images.
    """
    codes, fit = (pair.a.codes, pair.b.codes), pair.both.fit
    n, width = len(pair), codes[0].shape[1]
    order = shuffled(n)
    if fit is None:
        count = max(2, 2 * n // 5)
        fit_set, order = pair.both.posterior[order[:count]], order[count:]
    else:
        fit_set = fit
    count = max(2, n // 5)
    select, score = order[:count], order[count:]
    if len(score) < 2:
        raise BadInput("posterior", f"{n} images", "at least 8 for a held-out critic")

    def compared(critic: Critic, images: Tensor) -> Pairs:
        return scores_of(critic, codes[0][images], codes[1][images])

    best: Critic = constant
    highest = 0.0
    for candidate in candidates(fit_set, width):
        value = math.log(len(select)) - float(log_ratio(compared(candidate, select)).mean())
        if value > highest:
            best, highest = candidate, value
    bound = contrastive("infonce", [compared(best, score)])
    # in an order of their own, so that nothing is known of each image's influence
    return replace(bound, estimator="critic", quantity=pair.quantity, influence=None)


@estimator(
    "three_term_gaussian", label="three Gaussian terms", direction="estimate", quantity=SHARED, ink=("#7f7f7f", "o")
)
def three_term_gaussian(pair: EncodedPair) -> Bound:
    """Estimate without guarantee: the identity with the R_m of all three."""
    return pair.identity("three_term_gaussian", pair.three_upper, "estimate")
