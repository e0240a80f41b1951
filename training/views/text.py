r"""Mixing texts: what their labels weigh where one is longer than the other, and mixing tokens instead of vectors.

Embedded texts are (B, E + 1, L), the last dimension being 1 where there is a word and 0 where a shorter text has ended
(`classifiers.text.networks`). A mask's share of all places is then not the share of words. With presences q and masks
m, the words that are text i's own and those that are its partner's j are

.. math:: a_i = \sum_l m_{il} q_{il}, \qquad b_i = \sum_l (1 - m_{il}) q_{jl},

and the weight *over words* is :math:`a_i / (a_i + b_i)`; for MixUp, whose mask is λ everywhere,
:math:`\lambda L_i / (\lambda L_i + (1 - \lambda) L_j)`. The reference code takes the drawn λ.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from msda import Alternate, Mixed, Mixer
from tasks.task import NOTHING

__all__ = ["mixing_ids", "weighing_words"]


def _of_each(mixer: Mixer, change: Callable[[Mixer], Mixer]) -> Mixer:
    """A mixer changed; of mixers that take turns, each."""
    if isinstance(mixer, Alternate):
        return Alternate(*(_of_each(one, change) for one in mixer.mixers))
    return change(mixer)


def weighing_words(mixer: Mixer) -> Mixer:
    """The mixer of embedded texts (B, E + 1, L) that weighs their labels over words.

    Another weight of the targets than that of the vectors stays as it is: of independent or reformulated targets, or
    of another law.
    """

    def changed(one: Mixer) -> Mixer:
        def mix(images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None) -> Mixed:
            return _over_words(one(images, generator=generator, partner=partner), images[:, -1])

        return mix

    return _of_each(mixer, changed)


def mixing_ids(mixer: Mixer, enter: Callable[[Tensor], Tensor], over_words: bool) -> Mixer:
    """The mixer of token ids (B, L), by masks of 0 and 1, whose result is embedded.

    Args:
        mixer: one with such masks.
        enter: from token ids (B, L), `tasks.task.NOTHING` beyond a text's end, to embedded texts (B, E + 1, L).
        over_words: whether labels are weighed over words.
    """

    def changed(one: Mixer) -> Mixer:
        def mix(images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None) -> Mixed:
            ids = images
            places = torch.zeros(len(ids), 1, ids.shape[1], device=ids.device)
            mixed = one(places, generator=generator, partner=partner)
            taken = replace(mixed, images=enter(mixed.take(ids)))
            return _over_words(taken, (ids != NOTHING).float()) if over_words else taken

        return mix

    return _of_each(mixer, changed)


def _over_words(mixed: Mixed, there: Tensor) -> Mixed:
    """The mixed batch with weights over words; ``there`` (B, L) is 1 where there are any."""
    there = there.detach()
    mask = mixed.weight[:, None].expand_as(there) if mixed.mask is None else mixed.mask.squeeze(1)
    own = (mask * there).sum(1)
    partners = ((1 - mask) * there[mixed.partner]).sum(1)
    # no text is empty, so that there is something at the first place of every mixed one
    weight = (own / (own + partners)).to(mixed.weight.dtype)
    followed = mixed.target_weight is mixed.weight
    return replace(mixed, weight=weight, target_weight=weight if followed else mixed.target_weight)
