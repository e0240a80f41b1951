r"""Log-mel spectrograms of clips of sound, in batches, on their device.

A clip's short-time Fourier transform (periodic Hann window of 2,048 samples, every 512, the clip's ends reflected)
gives magnitudes of 1,025 frequencies at 1 + ⌊L/512⌋ frames. Their squares are gathered by a bank of 32 triangular
filters, evenly spaced on Slaney's mel scale from 0 to half the rate and each of area 1, taken as decibels below the
clip's largest, with a floor at −80, and brought to [0, 1]: (dB + 80)/80. A clip of zeros is 1 throughout.

The reference code has (dB + 40)/80, which is the same less one half. Slaney's scale is linear up to 1 kHz, 3 mels for
200 Hz, and logarithmic above, 27 mels for a factor of 6.4 (Slaney 1998, Auditory Toolbox, Technical Report 1998-010).
"""

import functools
import math

import torch
from torch import Tensor

__all__ = ["HOP", "MELS", "WINDOW", "amplitudes", "frames_of", "log_mel", "magnitudes", "mel_bank"]

MELS = 32
"""Filters."""

WINDOW = 2048
"""Samples of a frame."""

HOP = 512
"""Samples from one frame to the next."""

FLOOR = 80.0
"""Decibels below a clip's largest at which values end."""

LIMIT = 32_768
"""What a sample of sixteen bits is divided by."""


def amplitudes(raw: Tensor) -> Tensor:
    """Clips as data sets hold them, int16, as amplitudes in [−1, 1); floating-point ones are amplitudes already."""
    return raw.float() / LIMIT if raw.dtype == torch.int16 else raw


def frames_of(length: int) -> int:
    """How many frames a clip of so many samples has."""
    return 1 + length // HOP


def magnitudes(raw: Tensor) -> Tensor:
    """Magnitudes of the short-time Fourier transform of clips, (B, 1025, T) float32.

    Args:
        raw: clips (B, L), int16 or in [−1, 1]; L at least 1,025, which half a window's reflection takes.
    """
    window = torch.hann_window(WINDOW, device=raw.device)
    return torch.stft(amplitudes(raw), WINDOW, HOP, window=window, pad_mode="reflect", return_complex=True).abs()


def _mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


@functools.lru_cache(maxsize=8)
def mel_bank(rate: int) -> Tensor:
    """The filters: weights (32, 1025) float32 of power at the frequencies of the transform, at ``rate`` samples a
    second."""
    mels = torch.linspace(0, _mel(rate / 2), MELS + 2, dtype=torch.float64)
    hertz = torch.where(mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15) / 27 * math.log(6.4)))
    frequencies = torch.linspace(0, rate / 2, WINDOW // 2 + 1, dtype=torch.float64)
    low, centre, high = (hertz[start : start + MELS, None] for start in range(3))
    rising, falling = (frequencies - low) / (centre - low), (high - frequencies) / (high - centre)
    return (torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)).float()


def log_mel(sound: Tensor, rate: int) -> Tensor:
    """Spectrograms (B, 1, 32, T) float32 in [0, 1].

    Args:
        sound: clips (B, L), as `magnitudes` takes them; or the magnitudes (B, 1025, T) of their transforms.
        rate: samples a second.
    """
    spectrum = sound if sound.ndim == 3 else magnitudes(sound)
    power = mel_bank(rate).to(spectrum.device) @ spectrum.square()
    decibels = 10 * power.clamp(min=1e-10).log10()
    decibels = decibels - decibels.amax((1, 2), keepdim=True)
    return (decibels.clamp(min=-FLOOR) / FLOOR + 1).unsqueeze(1)
