"""Spoken commands that a synthesiser says: ``commands-espeak``, and ``commands-espeak:FILE`` of what has been said.

The words and the twelve classes are Speech Commands', and as many clips of each. espeak-ng says them in eight accents
of English, at random pitches and speeds, in the voices of its variants, about 70 of them for training and some 30 other
ones for the test: three of ten families of variants, which are those whose names begin alike. Variants that sound the
same are taken once. Where flite is there too, its four speakers (awb, kal16, rms, slt) say a second test, "flite":
another synthesiser. These are machines' voices: what holds of them need not hold of people's.

A word lies somewhere in its second, whole, over quiet noise of a random level and colour; a clip of silence is such
noise alone, so that this class is not one single clip, as it is in the reference code. The same programs give the same
clips every time, and fewer clips are the first of more. Nothing is written; ``python -m tasks.sound.speak`` keeps them
in a file.
"""

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from store import BadInput
from store.bad_input import in_range
from tasks.arrays import read_arrays
from tasks.sound.wav import at_rate
from tasks.sound.words import CLASSES, OTHERS, SILENCE, UNKNOWN
from tasks.task import InMemory, Sound, Task

__all__ = ["CLIPS", "commands_espeak", "of_arrays", "spoken"]

CLIPS = 6000
"""Clips to train on; a third as many are the test, and a sixth as many flite's."""

ACCENTS = (
    "en",
    "en-us",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-gb-x-rp",
    "en-029",
    "en-us-nyc",
)
"""Voices of espeak-ng's, which variants alter; British English is "en", for "en-gb" is not altered."""

SPEAKERS = ("awb", "kal16", "rms", "slt")
"""Voices of flite's."""

HELD_OUT = (2, 5, 8)
"""Which of every ten families of variants are the test's."""

ALIKE = 4
"""Letters of a variant's name from which on one that begins with it is of the same family."""

AUDIBLE = 0.005
"""The share of a word's largest sample above which it has begun, and has not ended; some voices end words softly."""

HEADER = 44
"""Bytes before the samples in what both programs write."""

NEEDED = (
    "the program of that name (apt-get install espeak-ng flite, on Debian), or commands-espeak:FILE of what "
    "python -m tasks.sound.speak has written"
)

SECONDS = 0.025
"""What a word takes, on one processor."""

SPLITS = ("train", "test", "flite")

KEYS = tuple(f"{split}_{part}" for split in SPLITS for part in ("clips", "labels"))
"""Arrays of a file."""


class Voice(NamedTuple):
    """Who says something.

    Args:
        command: the program with the options that make it this voice, and a word's, which comes last.
        rate: samples a second of what it writes.
        manners: from chance to the first options: of pitch and speed.
    """

    command: tuple[str, ...]
    rate: int
    manners: Callable[[random.Random], list[str]]


def commands_espeak(path: Path | None = None, clips: int = CLIPS) -> Task:
    """Commands said by espeak-ng, with held-out voices and another synthesiser's as tests.

    Args:
        path: of a file with what has been said before; None says it now.
        clips: how many to train on, where it is said now.

    Raises:
        BadInput: no espeak-ng here, or no such file.
    """
    if path is None:
        return of_arrays(spoken(clips))
    needed = f"an .npz with arrays {', '.join(KEYS[:4])}, as python -m tasks.sound.speak writes it"
    arrays = read_arrays("--data", path, KEYS, needed)
    if missing := [key for key in KEYS[:4] if key not in arrays]:
        raise BadInput("--data", f"{path} without {', '.join(missing)}", needed)
    for clips_key, labels_key in zip(KEYS[::2], KEYS[1::2], strict=True):
        if clips_key in arrays:
            _check(arrays[clips_key], arrays.get(labels_key, np.zeros(0)), f"{path}, {clips_key}")
    return of_arrays(arrays)


def _check(clips: np.ndarray, labels: np.ndarray, shown: str) -> None:
    """Refuse what are no clips and classes."""
    length = Sound().length
    if clips.dtype != np.int16 or clips.shape[1:] != (length,) or not len(clips):
        raise BadInput("--data", f"{shown} {clips.shape} {clips.dtype}", f"N×{length} int16, N at least 1")
    if (
        labels.dtype.kind != "i"
        or labels.shape != clips.shape[:1]
        or not 0 <= labels.min() <= labels.max() < len(CLASSES)
    ):
        raise BadInput(
            "--data", f"{shown} with labels {labels.shape}", f"a class from 0 to {len(CLASSES) - 1} for each"
        )


def of_arrays(arrays: Mapping[str, np.ndarray]) -> Task:
    """The task of classifying what was said: arrays of the names `KEYS`, flite's of which may be missing."""
    splits = {
        split: InMemory(*(torch.from_numpy(arrays[f"{split}_{part}"]) for part in ("clips", "labels")))
        for split in SPLITS
        if f"{split}_clips" in arrays
    }
    return Task("commands (espeak-ng)", splits.pop("train"), splits, Sound(), len(CLASSES))


def spoken(clips: int = CLIPS) -> dict[str, np.ndarray]:
    """Clips (N, L) int16 and their classes (N,) of all splits, by the names `KEYS`; takes a minute or two.

    Args:
        clips: how many to train on.

    Raises:
        BadInput: no espeak-ng here, or too few or many clips.
    """
    in_range("--clips", clips, 6 * len(CLASSES), 100_000)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        voices = {**_variants(pool), "flite": _speakers()}
        counts = {"train": clips, "test": clips // 3, "flite": clips // 6 if voices["flite"] else 0}
        words = sum(counts.values()) * (len(CLASSES) - 1) // len(CLASSES)
        seconds = words * SECONDS / (os.cpu_count() or 1)
        print(
            f"commands-espeak: {words:,} words are spoken, which takes about {seconds:.0f} s; {len(voices['train'])} "
            f"voices for training, {len(voices['test'])} others for the test"
            + ("" if voices["flite"] else "; flite is not there for a second one"),
            file=sys.stderr,
        )
        arrays: dict[str, np.ndarray] = {}
        for split, count in counts.items():
            if count:
                said = list(pool.map(lambda place, split=split: _clip(split, place, voices[split]), range(count)))
                arrays[f"{split}_clips"] = np.stack(said)
                arrays[f"{split}_labels"] = np.arange(count) % len(CLASSES)
    return arrays


def _clip(split: str, place: int, voices: Sequence[Voice]) -> np.ndarray:
    """The clip at this place of a split, which depends on nothing else."""
    sound, chance = Sound(), random.Random(f"{split} {place}")
    label = place % len(CLASSES)
    samples = _noise(chance, sound.length)
    if label != SILENCE:
        word = chance.choice(OTHERS) if label == UNKNOWN else CLASSES[label]
        said = _said(chance.choice(voices), word, chance)[: sound.length]
        start = chance.randint(0, sound.length - len(said))
        samples[start : start + len(said)] += said * _level(chance, -12, -1) / np.abs(said).max()
    return np.rint(32_767 * samples).clip(-32_768, 32_767).astype(np.int16)


def _level(chance: random.Random, low: float, high: float) -> float:
    """An amplitude between two levels in decibels below the largest there is."""
    return float(10 ** (chance.uniform(low, high) / 20))


def _noise(chance: random.Random, length: int) -> np.ndarray:
    """Noise whose power falls with frequency like 1/f^β, β from 0, white, to 2, brown."""
    spectrum = np.fft.rfft(np.random.default_rng(chance.getrandbits(64)).standard_normal(length))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-chance.uniform(0, 2) / 2)
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise * _level(chance, -60, -35) / np.sqrt(np.square(noise).mean()))


def _said(voice: Voice, word: str, chance: random.Random) -> np.ndarray:
    """What a voice says, at the rate of clips, without the silence before and after it.

    Raises:
        BadInput: it says nothing.
    """
    program, *options = voice.command
    command = [program, *voice.manners(chance), *options, word]
    raw = _output(command)
    samples = np.frombuffer(raw[HEADER : len(raw) - len(raw) % 2], "<i2").astype(np.int32)
    if not samples.any():
        raise BadInput("--data", f"commands-espeak, for which {' '.join(command)} says nothing", NEEDED)
    loud, margin = np.flatnonzero(np.abs(samples) > AUDIBLE * np.abs(samples).max()), voice.rate // 100
    return at_rate(samples[max(loud[0] - margin, 0) : loud[-1] + margin], voice.rate, Sound().rate)


def _output(command: list[str]) -> bytes:
    """What a program prints.

    Raises:
        BadInput: it is not there, or fails.
    """
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    except OSError as problem:
        raise BadInput("--data", f"commands-espeak, for {command[0]} ({problem.strerror})", NEEDED) from None
    except subprocess.CalledProcessError as problem:
        reason = " ".join(problem.stderr.decode(errors="replace").split())[:100]
        raise BadInput("--data", f"commands-espeak, for which {' '.join(command)} fails ({reason})", NEEDED) from None


def _manners(chance: random.Random) -> list[str]:
    return ["-p", str(chance.randint(20, 80)), "-s", str(chance.randint(140, 220))]


def _variants(pool: ThreadPoolExecutor) -> dict[str, list[Voice]]:
    """Voices for training and for the test: every variant in every accent.

    Raises:
        BadInput: no espeak-ng here, or too few variants.
    """
    listed = _output(["espeak-ng", "--voices=variant"]).decode(errors="replace")
    names = sorted(re.findall(r"!v/(.+?) *(?:\(.*)?$", listed, re.MULTILINE), key=lambda name: (name.lower(), name))
    sounds = pool.map(lambda name: _output([*_espeak(ACCENTS[0], name), "left"]), names)
    distinct = set(dict(reversed(list(zip(sounds, names, strict=True)))).values())
    sides: dict[str, list[Voice]] = {"train": [], "test": []}
    for place, family in enumerate(_families(names)):
        side = "test" if place % 10 in HELD_OUT else "train"
        kept = [_espeak(accent, name) for name in family if name in distinct for accent in ACCENTS]
        sides[side] += [Voice(tuple(command), 22_050, _manners) for command in kept]
    if not sides["test"]:
        raise BadInput("--data", "commands-espeak, for which espeak-ng has too few voices to hold some out", NEEDED)
    return sides


def _espeak(accent: str, variant: str) -> list[str]:
    # half as loud as usual, at which some variants are clipped; without the pause after a sentence
    return ["espeak-ng", "--stdout", "-z", "-a", "50", "-v", f"{accent}+{variant}"]


def _families(names: Sequence[str]) -> Iterator[list[str]]:
    """Sorted names, those together that begin with one before them of some letters."""
    family: list[str] = []
    for name in names:
        if family and not (len(family[0]) >= ALIKE and name.lower().startswith(family[0].lower())):
            yield family
            family = []
        family.append(name)
    yield family


def _speakers() -> list[Voice]:
    """flite's voices; none where it is not there."""
    try:
        there = _output(["flite", "-lv"]).decode(errors="replace").split()
    except BadInput:
        return []
    return [
        Voice(("flite", "-voice", name, "-o", "/dev/stdout", "-t"), 16_000, _stretch)
        for name in SPEAKERS
        if name in there
    ]


def _stretch(chance: random.Random) -> list[str]:
    return ["--setf", f"duration_stretch={chance.uniform(0.8, 1.2):.2f}"]
