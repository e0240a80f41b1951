"""Made-up sounds, for what must work without any file or program: smoke runs, examples, tests.

A tone of one of four pitches that falls, stays or rises, a class for each of the twelve, somewhere in a second of
noise. There is nothing to be learnt from them about augmentations.
"""

import numpy as np
import torch

from tasks.task import InMemory, Sound, Task

__all__ = ["made_up_sounds"]

COUNTS = (480, 240)
"""Clips to train on, and to score."""

PITCHES = (300, 600, 1200, 2400)
"""Hertz, at the beginning, of which a clip's is up to a tenth away."""

SLOPES = (-0.5, 0.0, 0.5)
"""Octaves from a tone's beginning to its end."""


def made_up_sounds() -> Task:
    """Clips of twelve classes, always the same ones."""
    sound, chance = Sound(), np.random.default_rng(0)
    labels = np.arange(sum(COUNTS)) % (len(PITCHES) * len(SLOPES))
    clips = np.empty((len(labels), sound.length), np.int16)
    for clip, label in zip(clips, labels, strict=True):
        pitch, slope = PITCHES[label // len(SLOPES)], SLOPES[label % len(SLOPES)]
        count = int(sound.length * chance.uniform(0.4, 0.8))
        course = pitch * chance.uniform(0.9, 1.1) * 2 ** (slope * np.linspace(0, 1, count))
        tone = np.sin(2 * np.pi * np.cumsum(course) / sound.rate) * np.hanning(count)
        samples = 0.005 * chance.standard_normal(sound.length)
        start = chance.integers(sound.length - count)
        samples[start : start + count] += chance.uniform(0.1, 0.8) * tone
        clip[:] = np.rint(32_767 * samples)
    splits = [
        InMemory(torch.from_numpy(clips[side].copy()), torch.from_numpy(labels[side].copy()))
        for side in (slice(None, COUNTS[0]), slice(COUNTS[0], None))
    ]
    return Task("made-up sounds", splits[0], {"test": splits[1]}, sound, len(PITCHES) * len(SLOPES))
