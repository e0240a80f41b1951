r"""Augmentation of clips of sound in batches, on their device, from a generator: the reference code's.

Four changes, each of which happens to a clip with probability 1/2, with a factor of its own, in this order:

- the amplitude is multiplied by a factor from [0.7, 1.1];
- speed and pitch: the clip is resampled by linear interpolation to 1 + s times its length, s from [−0.2, 0.2], and cut
  or filled up with zeros to the length it had;
- of the short-time Fourier transform's magnitudes, which are all that a spectrogram needs, time is stretched: frame t
  is what was at t·r, r from [0.8, 1.2];
- these are shifted by up to 8 frames to either side, within what is left after stretching; then it is cut or filled up
  with zeros to as many frames as before.

The reference stretches by a phase vocoder, whose magnitudes are these (a linear interpolation between frames), and
throws its phases away. A spectrogram's decibels are relative to the clip's largest (`tasks.log_mel`): a change of
amplitude alters none, but of clips that are all but silent.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tasks.log_mel import amplitudes, magnitudes

__all__ = ["Changes", "changed", "drawn", "heard", "louder", "resampled", "retimed"]

LOUDNESS = (0.7, 1.1)
"""Factors of the amplitude."""

SCALES = (0.8, 1.2)
"""Factors of the length, and of the stretch."""

FRAMES = 8
"""Frames that a spectrogram is shifted by at most."""


class Changes(NamedTuple):
    """What is done to every clip of a batch, (B,) each; 1, and of shifts 0, leaves it as it is.

    Args:
        loudness: the factor of its amplitude.
        length: the factor of its length, and of the periods of all its tones.
        rate: how many frames it goes on by from one frame to the next.
        shift: by how many frames it is earlier, an integer.
    """

    loudness: Tensor
    length: Tensor
    rate: Tensor
    shift: Tensor


def drawn(count: int, generator: torch.Generator) -> Changes:
    """Changes of so many clips, on the generator's device."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, device=generator.device, generator=generator) * (high - low) + low

    def half(values: Tensor, neutral: float) -> Tensor:
        return torch.where(uniform(0, 1) < 0.5, values, neutral)

    loudness, length, rate = (half(uniform(*bounds), 1) for bounds in (LOUDNESS, SCALES, SCALES))
    shift = torch.randint(-FRAMES, FRAMES + 1, (count,), device=generator.device, generator=generator)
    return Changes(loudness, length, rate, half(shift, 0))


def louder(waveforms: Tensor, factors: Tensor) -> Tensor:
    """Clips (B, L), each with its amplitude times its factor (B,)."""
    return waveforms * factors[:, None]


def resampled(waveforms: Tensor, factors: Tensor) -> Tensor:
    """Clips of the same length that last longer by a factor and are lower by it, with zeros where they have ended.

    Sample i is what was at i / factor, between two samples by linear interpolation.

    Args:
        waveforms: (B, L) floating point.
        factors: (B,), above 0.
    """
    last = waveforms.shape[1] - 1
    # in float32, places behind the first second would be wrong by a thousandth of a sample
    places = torch.arange(last + 1, device=waveforms.device, dtype=torch.float64) / factors[:, None]
    before = places.long().clamp(max=last)
    between = (places - before).to(waveforms.dtype)
    values = torch.lerp(waveforms.gather(1, before), waveforms.gather(1, (before + 1).clamp(max=last)), between)
    return torch.where(places < last + 1, values, 0)


def retimed(spectra: Tensor, rates: Tensor, shifts: Tensor) -> Tensor:
    """Magnitudes with as many frames, whose frame t is what was at (t + shift) · rate, with zeros on either side.

    Frames are interpolated linearly, the last one towards zeros. What a shift moves beyond the end of the stretched
    frames is lost, even where they are fewer than there were.

    Args:
        spectra: (B, F, T).
        rates: (B,), above 0.
        shifts: (B,) integers.
    """
    frames = spectra.shape[2]
    times = torch.arange(frames, device=spectra.device)
    places = (times + shifts[:, None]) * rates[:, None]
    there = (places >= 0) & (places < frames) & (times * rates[:, None] < frames)
    before = torch.where(there, places, 0).long()
    between = (places - before).to(spectra.dtype)[:, None]
    padded = torch.nn.functional.pad(spectra, (0, 1))
    index = before[:, None].expand(-1, spectra.shape[1], -1)
    return torch.lerp(padded.gather(2, index), padded.gather(2, index + 1), between) * there[:, None]


def changed(raw: Tensor, changes: Changes) -> Tensor:
    """Magnitudes (B, 1025, T) of changed clips (B, L), int16 or in [−1, 1], which `tasks.log_mel.log_mel` takes."""
    waveforms = resampled(louder(amplitudes(raw), changes.loudness), changes.length)
    return retimed(magnitudes(waveforms), changes.rate, changes.shift)


def heard(raw: Tensor, generator: torch.Generator, turn: int) -> Tensor:
    """The view that changes each clip as it is drawn for it: from clips to magnitudes (`changed`)."""
    return changed(raw, drawn(len(raw), generator))
