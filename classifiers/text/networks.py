r"""Networks of texts, from embedded tokens to logits.

Where texts are mixed they are (B, E + 1, L): E dimensions of every token's vector, and one more, its *presence*, 1 for
a token and 0 where a shorter text has ended. A mixer mixes it along with the vectors. A mixed text is as long as its
last place with anything: MixUp's as the longer parent, however small its share; what a mask has taken from beyond a
parent's end, before that place, is a word of zeros. What is beyond is neither averaged nor taken the maximum of, and no
memory runs through it: logits do not depend on the texts that are in the same batch. The reference code counts it as
words of zeros, so that they do; ``pads="counted"`` does so too.

The convolutional network has three convolutions of width 3 with 128 channels and ReLU; the recurrent one is a
bidirectional LSTM of two layers, 128 a direction. Of both, mean, maximum and last position are put together and go
through two linear layers of 128 with ReLU to the logits. With two classes a network has one output z and logits (0, z),
whose cross entropy is the binary cross entropy of z.

Source: Harris et al. (2020), arXiv 2002.12047, Table 5, and the reference code.
"""

import itertools
import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.task import NOTHING

__all__ = ["HIDDEN", "LSTM", "Pads", "TextNetwork", "WordCNN", "Words"]

HIDDEN = 128
"""Channels, and units of the linear layers."""

Pads = Literal["ignored", "counted"]
"""What becomes of places beyond a text's end."""


class WordCNN(nn.Module):
    """Three convolutions over words.

    Args:
        channels: E + 1 of what comes in.
        outputs: of the last layer.
        width: channels of the convolutions.
        pads: whether what is beyond a text's end counts.
    """

    def __init__(self, channels: int, outputs: int, width: int = HIDDEN, pads: Pads = "ignored") -> None:
        super().__init__()
        self.pads = pads
        sizes = [channels - 1, width, width, width]
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes))
        self.head = _head(3 * width, outputs)

    def forward(self, embedded: Tensor) -> Tensor:
        """(B, E + 1, L) to (B, outputs)."""
        inside, lengths = _extent(embedded, self.pads)
        x = embedded[:, :-1]
        for convolution in self.convolutions:
            x = functional.relu(convolution(x)) * inside
        # not negative after ReLU: what is outside, 0, is no larger than a maximum inside
        return self.head(torch.cat([_mean(x, lengths), x.amax(2), _at_last(x, lengths)], 1))


class LSTM(nn.Module):
    """A bidirectional LSTM of two layers.

    Args:
        channels: E + 1 of what comes in.
        outputs: of the last layer.
        width: units a direction.
        pads: whether what is beyond a text's end counts.
    """

    def __init__(self, channels: int, outputs: int, width: int = HIDDEN, pads: Pads = "ignored") -> None:
        super().__init__()
        self.pads = pads
        self.lstm = nn.LSTM(channels - 1, width, num_layers=2, bidirectional=True, batch_first=True)
        self.head = _head(6 * width, outputs)

    def forward(self, embedded: Tensor) -> Tensor:
        """(B, E + 1, L) to (B, outputs)."""
        inside, lengths = _extent(embedded, self.pads)
        packed = nn.utils.rnn.pack_padded_sequence(
            embedded[:, :-1].mT, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=embedded.shape[2]
        )
        x = states.mT  # zero outside
        largest = x.masked_fill(inside == 0, -math.inf).amax(2)
        return self.head(torch.cat([_mean(x, lengths), largest, _at_last(x, lengths)], 1))


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)
    )


def _extent(embedded: Tensor, pads: Pads) -> tuple[Tensor, Tensor]:
    """Where texts are, (B, 1, L) of 0 and 1, and how long they are, (B,), at least 1."""
    length = embedded.shape[2]
    places = torch.arange(1, length + 1, device=embedded.device)
    if pads == "counted":
        lengths = places.new_full((len(embedded),), length)
    else:
        lengths = torch.where(embedded[:, -1] > 0, places, 1).amax(1)
    return (places <= lengths[:, None]).unsqueeze(1).to(embedded.dtype), lengths


def _mean(x: Tensor, lengths: Tensor) -> Tensor:
    """The mean over the first places of x (B, C, L), which is zero beyond."""
    return x.sum(2) / lengths.unsqueeze(1)


def _at_last(x: Tensor, lengths: Tensor) -> Tensor:
    """(B, C): x (B, C, L) at the last place of each text."""
    return x.gather(2, (lengths - 1).view(-1, 1, 1).expand(-1, x.shape[1], 1)).squeeze(2)


class Words(nn.Module):
    """Vectors of words.

    Args:
        vectors: (V, E), one for every word.
        learned: whether training changes them; the published ones stay as they are.
    """

    def __init__(self, vectors: Tensor, learned: bool) -> None:
        super().__init__()
        if learned:
            self.weight = nn.Parameter(vectors)
        else:
            self.register_buffer("weight", vectors)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (B, L, E) of words (B, L)."""
        return functional.embedding(ids, self.weight)


class TextNetwork(nn.Module):
    """A network of texts: vectors of tokens, and what is made of them.

    Args:
        words: from ids (B, L) to vectors (B, L, E).
        body: from embedded tokens (B, E + 1, L) to outputs.
        classes: K logits; with one output they are (0, z).
    """

    def __init__(self, words: nn.Module, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.words = words
        self.body = body
        self.classes = classes

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids (B, L), `NOTHING` beyond a text's end, as what is mixed, (B, E + 1, L)."""
        there = (ids != NOTHING).unsqueeze(1)
        vectors = self.words(ids.clamp(min=0)).mT
        return torch.cat([vectors * there, there.to(vectors.dtype)], 1)

    def forward(self, embedded: Tensor) -> Tensor:
        """Embedded tokens (B, E + 1, L) to logits (B, K)."""
        outputs: Tensor = self.body(embedded)
        if outputs.shape[1] == 1 and self.classes == 2:
            return torch.cat([torch.zeros_like(outputs), outputs], 1)
        return outputs
