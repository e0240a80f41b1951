r"""The likelihood p(x|z) of a VAE: what its decoder's output says of an item, and what an item costs under it.

A decoder's output m is in units of normalised items, (x̃ − mean)/std per channel, of values x̃ in [0, 1].

*Gaussian*: :math:`p(x|z) = \mathcal{N}(m, \sigma^2)` of normalised items, σ the decoder scale. Its mean is m, and an
item's distortion is :math:`\|x - m\|^2 / 2\sigma^2` nats, and a constant in σ.

*Bernoulli*: every value is 1 with probability :math:`p = 1/(1 + e^{-\ell})`, with log-odds

.. math:: \ell = 8\,(v - \tfrac12), \quad v = \mathrm{mean} + \mathrm{std} \cdot m,

so that a picture m of a linear model says nearly what it shows: .018 where it is 0 and .982 where it is 1. Its mean is
p, normalised as items are, and an item's distortion is the cross-entropy
:math:`-\sum [\tilde x \ln p + (1 - \tilde x) \ln(1 - p)]` in nats. Where items are mixed, values are grey, between 0
and 1. The cross-entropy is defined there too, though :math:`\tilde x` is no outcome of the variable: its least is not
0, but the entropy of the grey values,

.. math:: -\sum [\tilde x \ln \tilde x + (1 - \tilde x) \ln(1 - \tilde x)],

of which augmentations leave different amounts: −ELBOs of the same items can be compared, of differently mixed ones not.

Training, its learning curve, the linear VAE and every analysis take the distortion from here.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SLOPE", "Bernoulli", "Gaussian", "Likelihood"]

SLOPE = 8.0
"""Log-odds of a value of 1 less those of a value of 0."""


@dataclass(frozen=True)
class Gaussian:
    """Normalised items are the decoder's output and Gaussian noise.

    Args:
        scale: σ, the decoder scale, in units of normalised items.
    """

    scale: float = 1.0

    def mean(self, output: Tensor) -> Tensor:
        """The mean of p(x|z), normalised (B, C, …): the decoder's output itself."""
        return output

    def errors(self, items: Tensor, output: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """(B,) each: the squared error of the mean, and the loss, in units of `nats`; here the two are the same.

        Args:
            items: (B, C, …), normalised.
            output: of the decoder, likewise.
            dtype: in which values are summed.
        """
        squares = (output - items).square().to(dtype).flatten(1).sum(1)
        return squares, squares

    def nats(self, losses: Tensor) -> Tensor:
        """Losses, or their mean, in nats, less `constant`."""
        return losses / (2 * self.scale**2)

    def constant(self, values: int) -> float:
        """Nats that every item of so many values costs, whatever the decoder says."""
        return values * (math.log(self.scale) + 0.5 * math.log(2 * math.pi))


@dataclass(frozen=True)
class Bernoulli:
    """Values are 0 or 1, with the log-odds that the decoder's output stands for.

    Args:
        pixel_mean: what was taken from values in [0, 1], of a shape that broadcasts over items.
        pixel_std: what they were then divided by, likewise.

    Example:
        >>> likelihood = Bernoulli(torch.zeros(1), torch.ones(1))
        >>> likelihood.mean(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0180, 0.5000, 0.9820])
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def _values(self, normalised: Tensor) -> Tensor:
        return normalised * self.pixel_std + self.pixel_mean

    def log_odds(self, output: Tensor) -> Tensor:
        """Of every value (B, C, …), from the decoder's output."""
        return SLOPE * (self._values(output) - 0.5)

    def mean(self, output: Tensor) -> Tensor:
        """The mean of p(x|z), normalised (B, C, …)."""
        return (self.log_odds(output).sigmoid() - self.pixel_mean) / self.pixel_std

    def errors(self, items: Tensor, output: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """(B,) each: the squared error of the mean, in units of normalised items, and the cross-entropy in nats.

        Args:
            items: (B, C, …), normalised.
            output: of the decoder, likewise.
            dtype: in which values are summed.
        """
        log_odds, target = self.log_odds(output), self._values(items)
        squares = ((log_odds.sigmoid() - target) / self.pixel_std).square()
        losses = F.binary_cross_entropy_with_logits(log_odds, target, reduction="none")
        return squares.to(dtype).flatten(1).sum(1), losses.to(dtype).flatten(1).sum(1)

    def nats(self, losses: Tensor) -> Tensor:
        """Losses, or their mean, in nats, which they are in already."""
        return losses

    def constant(self, values: int) -> float:
        """0: probabilities of outcomes have no constant."""
        return 0.0


Likelihood: TypeAlias = Gaussian | Bernoulli
"""p(x|z)."""
