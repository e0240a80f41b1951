r"""Whether one augmentation's networks say less of the single image than another's, at equal I(T;Y).

Units of noise are not comparable between networks, so s is eliminated: A says less of the single image than B where for
some levels :math:`s_A` and :math:`s_B`

.. math:: L_A(T;Y) \ge U_B(T;Y) \quad\text{and}\quad U_A(T;X|Y) < L_B(T;X|Y):

A's code says at least as much of the label, and less of the image beyond it. For each share of H(Y) both levels are
fixed on training images: :math:`s_B` where B's upper bound on I(T;Y) is nearest to the share, :math:`s_A` where the
smaller of the two margins is largest. Where it is not above 0 there, nothing is tested. On test images both
inequalities are tested one-sided, and the larger p-value is that of the pair (intersection–union: no correction).
Seeds are the replicates, the images' part is paired, and Holm's correction is over all that is tested, of all layers,
shares and ordered pairs: what is tested is settled without the test images.

It is a sufficient condition with a cost: bounds have to separate, and A's noise has to be the smaller for it, so that
networks that differ little are not told apart.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from analysis.representations.profile import HEADLINES, LOWER_IMAGE, LOWER_LABEL, UPPER_IMAGE, UPPER_LABEL
from findings.comparisons import LEVEL, LOOK_LEVEL, Excess, excess_of, holm
from findings.decisions import Decision, verdict_of
from findings.power import MOST_SEEDS_SAID
from findings.published import Claim, claims

__all__ = [
    "SHARES",
    "STATEMENTS",
    "Dominance",
    "Measured",
    "decisions_of",
    "dominances",
    "found_of",
    "needs",
    "statements",
]

STATEMENTS = ("image kept less", "image kept")
"""Measures of `findings.published` in which the paper's statements are about what layers keep."""

SHARES = (0.5, 0.75, 0.9)
"""Of H(Y): where networks are compared."""

NEAREST = 0.1
"""As a share of H(Y): how far from a share B's bound may be for the pair to be tested there."""


@dataclass(frozen=True)
class Measured:
    """The networks of one augmentation, of one layer.

    Args:
        training: (levels, headlines), the bounds on training images, means over seeds.
        scores: (seeds, levels, headlines, N), `analysis.representations.profile.Profile.scores` on test images.
    """

    training: np.ndarray
    scores: np.ndarray

    def of(self, estimator: str, level: int) -> np.ndarray:
        """(seeds, N): the scores of a bound at a level, by its number."""
        return np.asarray(self.scores[:, level, HEADLINES.index(estimator)])

    def trained(self, estimator: str) -> np.ndarray:
        """(levels,): a bound on training images."""
        return np.asarray(self.training[:, HEADLINES.index(estimator)])


@dataclass(frozen=True)
class Dominance:
    """What was tested of an ordered pair at one share of H(Y).

    Args:
        layer: of the networks; None for features from a file.
        less: the augmentation that would say less of the single image.
        more: the other.
        share: of H(Y).
        noise_less, noise_more: the levels; None where there are none to be tested.
        label_margin: by how much the lower bound on I(T;Y) of ``less`` exceeds the upper one of ``more``, nats.
        image_margin: by how much the upper bound on I(T;X|Y) of ``less`` is below the lower one of ``more``, nats.
        seeds: of each.
        p: adjusted for the family (Holm), and for looking several times; 1 where nothing was tested.
        needed: how many seeds would show it with a power of 80% if both margins are what they seem, up to 1,001 for
            more than a thousand; None where none would on these images, or nothing was tested.
        chance: the predictive probability that the last look shows it, where looks are taken.
    """

    layer: str | None
    less: str
    more: str
    share: float
    noise_less: float | None = None
    noise_more: float | None = None
    label_margin: float | None = None
    image_margin: float | None = None
    seeds: int = 1
    p: float = 1.0
    needed: float | None = None
    chance: float | None = None

    @property
    def claimed(self) -> bool:
        """Whether it is shown at the 5% level over the family."""
        return self.p < LEVEL

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, as a document carries them."""
        return asdict(self)


def statements(tested: Sequence[Dominance]) -> list[tuple[Claim, str, list[Dominance]]]:
    """The paper's statements about what layers keep, each with its verdict and what is shown of the two."""
    judged = []
    for claim in (claim for measure in STATEMENTS for claim in claims(measure)):
        if (found := found_of(claim, tested)) is not None:
            judged.append((claim, *found))
    return judged


def dominances(
    layers: Mapping[str | None, Mapping[str, Measured]],
    levels: Sequence[float],
    entropy: float,
    most: int | None = None,
) -> list[Dominance]:
    """Test every ordered pair of augmentations at every share and layer, as one family.

    Args:
        layers: the networks by layer and augmentation, all scored on the same images.
        levels: of the noise, ascending.
        entropy: H(Y), nats.
        most: seeds of the last look, where they are added until all is decided; None where their number is fixed.
    """
    level = LEVEL if most is None else LOOK_LEVEL
    pairs: list[Dominance] = []
    tested: list[tuple[Excess, ...]] = []
    for layer, networks in layers.items():
        for less, more in itertools.permutations(networks, 2):
            seen: set[tuple[float, float]] = set()
            for share in SHARES:
                seeds = min(len(networks[name].scores) for name in (less, more))
                result = _tested(networks[less], networks[more], levels, share * entropy, entropy)
                if result is None or result[0][:2] in seen:  # two shares near the same level are one test
                    pairs.append(Dominance(layer, less, more, share, seeds=seeds))
                    continue
                pairs.append(Dominance(layer, less, more, share, *result[0], seeds))
                seen.add(result[0][:2])
                tested.append(result[1])
    p = [min(max(one.p for one in margins) * LEVEL / level, 1.0) for margins in tested]
    found = iter(zip(tested, holm(p) if p else (), strict=True))

    def judged(one: Dominance) -> Dominance:
        if one.noise_less is None:
            return one
        margins, adjusted = next(found)
        needed = max(margin.seeds_needed(level / len(tested)) for margin in margins)
        chance = None if most is None else min(margin.chance(most, level / len(tested)) for margin in margins)
        return replace(one, p=float(adjusted), needed=needed if np.isfinite(needed) else None, chance=chance)

    return [judged(one) for one in pairs]


def decisions_of(tested: Sequence[Dominance], last: bool) -> list[Decision]:
    """What becomes of every pair of augmentations, in whichever layer, share of H(Y) and direction.

    Args:
        tested: at this look.
        last: whether it is the last one.
    """
    by_pair: dict[frozenset[str], list[Dominance]] = {}
    for one in tested:
        by_pair.setdefault(frozenset((one.less, one.more)), []).append(one)
    decisions = []
    for ones in by_pair.values():
        chance = max((one.chance for one in ones if one.chance is not None), default=0.0)
        shown = any(one.claimed for one in ones)
        verdict = verdict_of(shown, equal=False, withheld=False, chance=chance, last=last)
        decisions.append(Decision("less of the single image", (ones[0].less, ones[0].more), verdict, chance))
    return decisions


def needs(tested: Sequence[Dominance]) -> str:
    """How many seeds would show one of these, if it is what it seems, in a few words."""
    if all(one.noise_less is None for one in tested):
        return "not tested: bounds do not separate on training images"
    needed = min((one.needed for one in tested if one.needed is not None), default=None)
    if needed is None:
        return "no number of seeds on these images would"
    return f"more than {MOST_SEEDS_SAID:,} seeds would" if needed > MOST_SEEDS_SAID else f"{needed:.0f} seeds would"


def found_of(claim: Claim, tested: Sequence[Dominance]) -> tuple[str, list[Dominance]] | None:
    """What becomes of a statement that one augmentation's layers keep less of the image, or no less, than another's.

    Args:
        claim: that ``below`` keeps less than ``above``; or does not, if denied.
        tested: the family in which it is judged.

    Returns:
        The verdict in the words of `findings.published.Claim.verdict`, and what is shown of the two, in either
        direction; None where the two have not been compared.
    """
    pair = {claim.above, claim.below}
    of_pair = [one for one in tested if {one.less, one.more} == pair]
    if not of_pair:
        return None
    shown = [one for one in of_pair if one.claimed]
    ways = {one.less == claim.below for one in shown}
    if not shown:
        verdict = "is not contradicted" if claim.denied else "cannot be told"
    elif len(ways) > 1:
        verdict = "differs between layers"
    elif ways == {True}:
        verdict = "is contradicted" if claim.denied else "holds"
    else:
        verdict = "holds" if claim.denied else "is reversed"
    return verdict, shown


Tested = tuple[float, float, float, float]
"""Both levels and both margins, nats."""


def _tested(
    less: Measured, more: Measured, levels: Sequence[float], wanted: float, entropy: float
) -> tuple[Tested, tuple[Excess, ...]] | None:
    """Levels and margins, and how sure they are; None where no levels have margins above 0 on training images."""
    if not np.isfinite(less.training).all() or not np.isfinite(more.training).all():
        return None
    upper = more.trained(UPPER_LABEL)
    of_more = int(np.abs(upper - wanted).argmin())
    margins = np.minimum(
        less.trained(LOWER_LABEL) - upper[of_more], more.trained(LOWER_IMAGE)[of_more] - less.trained(UPPER_IMAGE)
    )
    of_less = int(margins.argmax())
    if abs(upper[of_more] - wanted) > NEAREST * entropy or margins[of_less] <= 0:
        return None
    pairs = [
        (less.of(LOWER_LABEL, of_less), more.of(UPPER_LABEL, of_more)),
        (more.of(LOWER_IMAGE, of_more), less.of(UPPER_IMAGE, of_less)),
    ]
    label_margin, image_margin = (excess_of(*pair) for pair in pairs)
    return (levels[of_less], levels[of_more], label_margin.value, image_margin.value), (label_margin, image_margin)
