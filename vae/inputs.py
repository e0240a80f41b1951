"""What a VAE sees of images: the one composition of jitter, flips, normalisation and mixing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from msda import Mixer
from training import colour_jitter, random_flip
from training.mixing import in_turn

__all__ = ["Inputs"]

MIXED = 50
"""Images that `Inputs.each_once` mixes at a time: where a batch has one λ, one for every so many."""


@dataclass(frozen=True)
class Inputs:
    """Images as a VAE sees them in training, (B, C, H, W), from uint8 ones.

    Args:
        mixer: of the normalised images.
        normalise: images in [0, 1] to the VAE's units.
        jitter: strength of the colour jitter.
        flip: mirror half of the images.
    """

    mixer: Mixer
    normalise: Callable[[Tensor], Tensor]
    jitter: float
    flip: bool

    def __call__(self, images: Tensor, generator: torch.Generator, turn: int, partner: Tensor | None = None) -> Tensor:
        """A batch, jittered, flipped, normalised and mixed within itself.

        Args:
            images: (B, C, H, W) uint8, B at least 2 where they are mixed.
            generator: on the images' device.
            turn: number of the batch, where mixers take turns.
            partner: (B,), whom each image is mixed with; at random by default.
        """
        batch = colour_jitter(images.float() / 255, self.jitter, generator)
        if self.flip:
            batch = random_flip(batch, generator)
        return in_turn(self.mixer, turn)(self.normalise(batch), generator=generator, partner=partner).images

    def each_once(self, images: Tensor, generator: torch.Generator, count: int) -> Tensor:
        """Some images, at random, each mixed with another of them: as many as there are, ``count`` at most."""
        chosen = torch.randperm(len(images), device=images.device, generator=generator)[:count].split(MIXED)
        # an image left over has nobody else to be mixed with
        pairs = (some.repeat(2) if len(some) == 1 else some for some in chosen)
        return torch.cat([self(images[some], generator, turn) for turn, some in enumerate(pairs)])

    def mixtures(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """N/2 mixtures of N images, each of two images that are in no other.

        They are independent where λ and mask are drawn per sample. Parents are paired at random: some data sets are
        sorted by class.
        """
        half = len(images) // 2
        images = images[torch.randperm(len(images), device=images.device, generator=generator)]
        parts = []
        for turn, first in enumerate(torch.arange(half, device=images.device).split(500)):
            count = len(first)
            partner = torch.arange(2 * count, device=images.device).roll(count)
            parts.append(self(images[torch.cat([first, first + half])], generator, turn, partner)[:count])
        return torch.cat(parts)

    def draws(self, images: Tensor, generator: torch.Generator, count: int) -> Iterator[Tensor]:
        """Batches of ``count`` mixtures in all, of parents that are paired anew as often as it takes."""
        while count > 0:
            for batch in self.mixtures(images, generator)[:count].split(1000):
                count -= len(batch)
                yield batch
