"""What a network sees of items in training: raw → views → enter → mixer, composed here and nowhere else.

Views change raw items one by one (crops, flips, jitter, policies). A network's ``enter`` then takes them to where
samples are mixed, a floating-point tensor (B, C, …): normalised pixels, for images.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from msda import Mixed, Mixer
from tasks import pixels
from training.mixing import in_turn
from training.views.images import colour_jitter, random_crop, random_flip
from training.views.volumes import random_shift

__all__ = ["Pipeline", "View", "cropped", "flipped", "jittered"]

View = Callable[[Tensor, torch.Generator, int], Tensor]
"""From raw items (B, …), a generator on their device and the number of the batch to raw items again."""

MIXED = 50
"""Images that `Pipeline.each_once` mixes at a time: where a batch has one λ, one for every so many."""


def cropped(padding: int) -> View:
    """The view that shifts each image or shape by up to ``padding`` along all axes (`random_crop`, `random_shift`)."""
    return lambda raw, generator, turn: (random_shift if raw.ndim == 5 else random_crop)(raw, padding, generator)


def flipped(raw: Tensor, generator: torch.Generator, turn: int) -> Tensor:
    """The view that mirrors half of the images or shapes along their last axis (`random_flip`)."""
    return random_flip(raw, generator)


def jittered(strength: float) -> View:
    """The view that jitters the colours of each image, uint8 or pixels in [0, 1] (`colour_jitter`): pixels."""
    return lambda raw, generator, turn: colour_jitter(pixels(raw), strength, generator)


@dataclass(frozen=True)
class Pipeline:
    """From raw items to mixed ones, as a network sees them in training.

    Args:
        views: of raw items, one after the other.
        enter: a network's: from raw items to what is mixed.
        mixer: of these.
    """

    views: Sequence[View]
    enter: Callable[[Tensor], Tensor]
    mixer: Mixer

    def __call__(self, raw: Tensor, generator: torch.Generator, turn: int, partner: Tensor | None = None) -> Mixed:
        """A batch, mixed within itself.

        Args:
            raw: items as a split has them, images (B, C, H, W) uint8, say; B at least 2 where they are mixed.
            generator: on their device.
            turn: number of the batch, where mixers take turns.
            partner: (B,), whom each item is mixed with; at random by default.
        """
        for view in self.views:
            raw = view(raw, generator, turn)
        return in_turn(self.mixer, turn)(self.enter(raw), generator=generator, partner=partner)

    def each_once(self, raw: Tensor, generator: torch.Generator, count: int) -> Tensor:
        """Some items, at random, each mixed with another of them: as many as there are, ``count`` at most."""
        chosen = torch.randperm(len(raw), device=raw.device, generator=generator)[:count].split(MIXED)
        # an item left over has nobody else to be mixed with
        batches = (batch.repeat(2) if len(batch) == 1 else batch for batch in chosen)
        return torch.cat([self(raw[batch], generator, turn).images for turn, batch in enumerate(batches)])

    def mixtures(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        """N/2 mixtures of N items, each of two that are in no other.

        They are independent where λ and mask are drawn per sample. Parents are paired at random: some data sets are
        sorted by class.
        """
        half = len(raw) // 2
        raw = raw[torch.randperm(len(raw), device=raw.device, generator=generator)]
        parts = []
        for turn, first in enumerate(torch.arange(half, device=raw.device).split(500)):
            count = len(first)
            partner = torch.arange(2 * count, device=raw.device).roll(count)
            parts.append(self(raw[torch.cat([first, first + half])], generator, turn, partner).images[:count])
        return torch.cat(parts)

    def draws(self, raw: Tensor, generator: torch.Generator, count: int) -> Iterator[Tensor]:
        """Batches of ``count`` mixtures in all, of parents that are paired anew as often as it takes."""
        while count > 0:
            for batch in self.mixtures(raw, generator)[:count].split(1000):
                count -= len(batch)
                yield batch
