"""Speech Commands, version 0.01 (Warden 2017), as its archive unpacks: ``commands:FOLDER``.

Its README says: "The files are organized into folders, with each directory name labelling the word that is spoken in
all the contained audio files"; their names are like ``happy/3cfc6b3a_nohash_2.wav``, the speaker's id first;
"validation_list.txt and testing_list.txt […] contain the paths to all the files in each set, with each path on a new
line. Any files that aren't in either of these lists can be considered to be part of the training set"; "The
``_background_noise_`` folder contains a set of longer audio clips"; they are "16-bit little-endian PCM-encoded WAVE
file[s] at a 16000 sample rate", "trimmed to a one second length". Some are shorter.

The twelve classes are the reference code's: ten words, every other word together ("unknown", three clips of five), and
"silence", which is a tenth as many clips again in every split, all zeros. That class is trivial: all of its
spectrograms are the same one. It is a fact of this protocol, and the background noise is not used. Networks are trained
on the training set alone and scored on the testing list; clips of the validation list are left out.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from store import BadInput
from tasks.sound.wav import clip_of
from tasks.sound.words import CLASSES, COMMANDS, SILENCE, class_of
from tasks.task import InMemory, Sound, Task
from tasks.text.files import decoded, folder_with

__all__ = ["speech_commands"]

LISTS = ("testing_list.txt", "validation_list.txt")

SILENT_SHARE = 0.1
"""Clips of silence for every other one."""

NEEDED = (
    "a folder for every word, testing_list.txt and validation_list.txt, as "
    "http://download.tensorflow.org/data/speech_commands_v0.01.tar.gz unpacks"
)


def speech_commands(path: Path) -> Task:
    """Spoken words in twelve classes, clips of a second.

    What had to be done to clips, and how many are silent or clipped, is said on standard error.

    Raises:
        BadInput: another folder, a file that a list names and that is not there, or files that are no sound.
    """
    root, shown = folder_with(path, LISTS[0]), f"commands:{path}"
    words = sorted(entry.name for entry in root.glob("[!._]*") if entry.is_dir())
    if missing := [word for word in COMMANDS if word not in words]:
        raise BadInput("--data", f"{shown} without {', '.join(f'{word}/' for word in missing)}", NEEDED)
    names = [f"{word}/{file.name}" for word in words for file in sorted((root / word).glob("[!.]*.wav"))]
    testing, validation = (_listed(root / name, set(names)) for name in LISTS)
    train = [name for name in names if name not in testing | validation]
    test = [name for name in names if name in testing]
    if not train or not test:
        raise BadInput("--data", f"{shown} without {'test' if train else 'training'} clips", NEEDED)
    said: Counter[str] = Counter()
    splits = _read(root, [train, test], said)
    clauses = [
        f"{len(train):,} training and {len(test):,} test clips of {len(words)} words, and a tenth as many of silence",
        f"{len(validation):,} of {LISTS[1]} are left out",
        *(f"{count:,} are {what}" for what, count in said.items()),
    ]
    print(f"{shown}: {'; '.join(clauses)}", file=sys.stderr)
    return Task("Speech Commands", splits[0], {"test": splits[1]}, Sound(), len(CLASSES))


def _listed(file: Path, there: set[str]) -> set[str]:
    """The clips that a list names.

    Raises:
        BadInput: no list, or one with a clip that is not there.
    """
    if not file.is_file():
        raise BadInput("--data", f"{file.parent} without {file.name}", NEEDED)
    names = decoded(file.read_bytes(), str(file)).split()
    absent = [name for name in names if name not in there]
    if absent:
        others = f" (nor are {len(absent) - 1:,} others)" if len(absent) > 1 else ""
        raise BadInput("--data", f"{file}, which names {absent[0][:80]}, which is not there{others}", NEEDED)
    return set(names)


def _read(root: Path, sides: Sequence[Sequence[str]], said: Counter[str]) -> list[InMemory]:
    """The clips of every split and its silence; counts in ``said`` what there is to say of them.

    Raises:
        BadInput: files that cannot be read; it names the first of them.
    """
    sound, damaged, splits = Sound(), [], []
    for names in sides:
        silent = int(len(names) * SILENT_SHARE)
        clips = np.zeros((len(names) + silent, sound.length), np.int16)
        for place, name in enumerate(names):
            try:
                clips[place], words = clip_of((root / name).read_bytes(), sound.length, sound.rate)
            except (ValueError, OSError) as problem:
                damaged.append(f"{root / name}, which cannot be read ({problem})")
            else:
                said.update(words)
        labels = [class_of(name.partition("/")[0]) for name in names] + [SILENCE] * silent
        splits.append(InMemory(torch.from_numpy(clips), torch.tensor(labels)))
    if damaged:
        others = f", and {len(damaged) - 1:,} others likewise" if len(damaged) > 1 else ""
        raise BadInput("--data", damaged[0] + others, ".wav files with samples of 16 bits")
    return splits
