"""Files of sound, .wav with samples of sixteen bits, as clips of one length and rate."""

import io
import wave
from math import gcd

import numpy as np
from scipy.signal import resample_poly

__all__ = ["at_rate", "clip_of", "samples_of"]

CLIPPED = 10
"""Samples at the limits of sixteen bits from which on a clip counts as clipped."""

LIMITS = np.iinfo(np.int16)


def samples_of(raw: bytes) -> tuple[np.ndarray, int]:
    """The samples of a file, (n, channels) int16, and how many there are a second.

    Args:
        raw: the file's content.

    Raises:
        ValueError: it is no such file, or not all of it is there; it says what is wrong.
    """
    if not raw:
        raise ValueError("no bytes")
    try:
        with wave.open(io.BytesIO(raw)) as file:
            width, channels, rate, promised = (
                file.getsampwidth(),
                file.getnchannels(),
                file.getframerate(),
                file.getnframes(),
            )
            if width != 2:
                raise ValueError(f"samples of {8 * width} bits")
            samples = np.frombuffer(file.readframes(promised), "<i2").astype(np.int16)
    except (wave.Error, EOFError) as problem:
        raise ValueError(str(problem) or "truncated") from None
    if not promised or not rate:
        raise ValueError("no samples" if not promised else "a rate of 0")
    if len(samples) != promised * channels:
        raise ValueError(f"{len(samples) // channels:,} samples of the {promised:,} that it promises")
    return samples.reshape(-1, channels), rate


def at_rate(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Samples (n,) at another rate, by a polyphase filter (`scipy.signal.resample_poly`), float64."""
    common = gcd(rate, wanted)
    return np.asarray(resample_poly(samples.astype(np.float64), wanted // common, rate // common))


def clip_of(raw: bytes, length: int, rate: int) -> tuple[np.ndarray, list[str]]:
    """A file's sound as a clip, and what there is to say of it.

    Several channels are averaged, another rate is resampled, a longer one is cut at the end, a shorter one filled up
    with zeros there.

    Args:
        raw: the file's content.
        length: samples of the clip.
        rate: samples a second.

    Returns:
        The clip (L,) int16, and words that end "so many clips are …".

    Raises:
        ValueError: as `samples_of` does.
    """
    channels, own_rate = samples_of(raw)
    said = []
    clipped = ((channels == LIMITS.min) | (channels == LIMITS.max)).sum() >= CLIPPED
    samples = channels[:, 0]
    if channels.shape[1] > 1:
        said.append("of several channels, which are averaged")
        samples = channels.mean(1)
    if own_rate != rate:
        said.append("resampled from another rate")
        samples = at_rate(samples, own_rate, rate)
    clip = np.zeros(length, np.int16)
    clip[: len(samples)] = np.rint(samples[:length]).clip(LIMITS.min, LIMITS.max)
    if len(samples) != length:
        said.append("shorter, and filled up with zeros" if len(samples) < length else "longer, and cut")
    if not clip.any():
        said.append("silent")
    if clipped:
        said.append("clipped")
    return clip, said
