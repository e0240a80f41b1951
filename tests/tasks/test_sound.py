"""Readers of sound: Speech Commands on a small copy of its layout; words of a synthesiser, held-out voices, silence."""

import io
import random
import re
import shutil
import stat
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from store import BadInput
from tasks.log_mel import log_mel
from tasks.sound import NAMED, PUBLISHED, espeak, speak
from tasks.sound.espeak import commands_espeak, spoken
from tasks.sound.speech_commands import speech_commands
from tasks.sound.wav import at_rate, clip_of, samples_of
from tasks.sound.words import CLASSES, COMMANDS, OTHERS, SILENCE
from tasks.task import Sound

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs the program espeak-ng")
needs_flite = pytest.mark.skipif(not shutil.which("flite"), reason="needs the program flite")


def wav(samples, rate: int = 16_000, width: int = 2) -> bytes:
    """A file of samples (n,) or (n, channels)."""
    samples = np.asarray(samples)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype(f"<i{width}").tobytes())
    return stream.getvalue()


def ramp(number: int, length: int = 16_000) -> np.ndarray:
    """A clip that is told from others by its first sample."""
    samples = np.arange(length) % 100
    samples[0] = number
    return samples


def line_of(problem) -> str:
    line = str(problem.value)
    assert "\n" not in line
    return line


# files


def test_samples_are_read_as_they_were_written():
    stereo = np.array([[1, -2], [32_767, -32_768], [0, 5]])
    samples, rate = samples_of(wav(stereo, 44_100))
    assert (samples.tolist(), rate, samples.dtype) == (stereo.tolist(), 44_100, np.int16)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no bytes"),
        (b"RIFF", "truncated"),
        (b"an HTML page, say", "file does not start with RIFF id"),
        (wav(ramp(1))[:-10], "15,995 samples of the 16,000 that it promises"),
        (wav(ramp(1))[:44], "0 samples of the 16,000 that it promises"),
        (wav([]), "no samples"),
        (wav(ramp(1), width=4), "samples of 32 bits"),
        (wav(ramp(1)).replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0"), "unknown format: 3"),  # floating point
        (wav(ramp(1)).replace((16_000).to_bytes(4, "little"), bytes(4), 1), "a rate of 0"),
    ],
)
def test_what_is_no_whole_file_is_said(raw, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        samples_of(raw)


def test_clips_are_cut_filled_up_averaged_and_resampled():
    whole, said = clip_of(wav(ramp(7)), 16_000, 16_000)
    assert (whole.tolist(), said) == (ramp(7).tolist(), [])
    short, said = clip_of(wav(ramp(7, 12_000)), 16_000, 16_000)
    assert short.tolist() == ramp(7, 12_000).tolist() + [0] * 4000
    assert said == ["shorter, and filled up with zeros"]
    long, said = clip_of(wav(ramp(7, 20_000)), 16_000, 16_000)
    assert (long.tolist(), said) == (ramp(7, 16_000).tolist(), ["longer, and cut"])
    stereo, said = clip_of(wav(np.stack([ramp(0), ramp(0) + 3], 1)), 16_000, 16_000)
    assert np.abs(stereo - ramp(0) - 1.5).max() == 0.5
    assert said == ["of several channels, which are averaged"]
    opposed, said = clip_of(wav(np.stack([ramp(1), -ramp(1)], 1)), 16_000, 16_000)
    assert not opposed.any()
    assert said == ["of several channels, which are averaged", "silent"]
    _, said = clip_of(wav([32_767] * 10 + [0] * 15_990), 16_000, 16_000)
    assert said == ["clipped"]
    _, said = clip_of(wav([32_767] * 9 + [0] * 15_991), 16_000, 16_000)
    assert said == []


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_a_tone_of_another_rate_stays_the_tone_it_is(rate):
    def tone(own: int) -> np.ndarray:
        return 10_000 * np.sin(2 * np.pi * 1000 * np.arange(own) / own)

    clip, said = clip_of(wav(np.rint(tone(rate)), rate), 16_000, 16_000)
    assert said == ["resampled from another rate"]
    inner = slice(500, -500)  # the filter takes what is beyond the ends for zeros
    assert np.abs(clip - tone(16_000))[inner].max() < 60


def test_what_a_lower_rate_cannot_hold_is_filtered_out():
    high = 10_000 * np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000)
    assert np.abs(at_rate(high, 48_000, 16_000)[500:-500]).max() < 30


# Speech Commands: its README (version 0.01) is quoted in the module's head


def speaker(number: int) -> str:
    return f"{number * 40_503 % 2**32:08x}"


@pytest.fixture
def layout(tmp_path) -> Path:
    """Ten clips of every word by ten speakers, the ninth for validation and the last for the test."""
    root, lists = tmp_path / "set", {"validation": [], "testing": []}
    for word_number, word in enumerate((*COMMANDS, "bed", "zero")):
        (root / word).mkdir(parents=True)
        for number in range(10):
            name = f"{word}/{speaker(number)}_nohash_{number % 2}.wav"
            (root / name).write_bytes(wav(ramp(word_number * 10 + number + 1)))
            if number >= 8:
                lists["validation" if number == 8 else "testing"].append(name)
    for name, entries in lists.items():
        (root / f"{name}_list.txt").write_text("".join(f"{entry}\n" for entry in entries))
    (root / "_background_noise_").mkdir()
    (root / "_background_noise_/white_noise.wav").write_bytes(wav(np.arange(60_000) % 7))
    (root / "_background_noise_/README.md").write_text("noise\n")
    (root / "bed/.DS_Store").write_bytes(b"\0")
    (root / "bed/._3cfc6b3a_nohash_2.wav").write_bytes(b"\0\5\x16\7")
    (root / "README.md").write_text("# Speech Commands Data Set v0.01\n")
    (root / "LICENSE").write_text("CC BY 4.0\n")
    return root


def test_clips_of_the_lists_are_apart_and_a_tenth_of_silence_is_added(layout, capsys):
    task = speech_commands(layout)
    assert repr(task) == "Speech Commands: 105 training and 13 test clips, 12 classes"
    assert capsys.readouterr().err == (
        f"commands:{layout}: 96 training and 12 test clips of 12 words, and a tenth as many of silence; "
        "12 of validation_list.txt are left out\n"
    )
    assert (task.modality, task.train.inputs.dtype) == (Sound(16_000, 16_000), torch.int16)
    for split, speakers in ((task.train, range(8)), (task.test, [9])):
        seen = {}
        for clip, label in zip(split.inputs, split.targets.tolist(), strict=True):
            number = int(clip[0]) - 1
            if label == SILENCE:
                assert not clip.any()
                continue
            word = (*COMMANDS, "bed", "zero")[number // 10]
            assert CLASSES[label] == (word if word in COMMANDS else "unknown")
            assert clip.tolist() == ramp(number + 1).tolist()
            seen.setdefault(word, set()).add(number % 10)
        assert seen == {word: set(speakers) for word in (*COMMANDS, "bed", "zero")}
        assert int((split.targets == SILENCE).sum()) == int(0.1 * len(seen) * len(speakers))
    assert speech_commands(layout.parent).digest == task.digest  # the folder it lies in
    capsys.readouterr()


def test_classes_are_the_references_in_its_order():
    assert CLASSES == ("unknown", "silence", "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
    assert len({*COMMANDS, *OTHERS}) == 30


def test_what_had_to_be_done_to_clips_is_said(layout, capsys):
    first, second, third, fourth = sorted((layout / "yes").glob("*.wav"))[:4]
    first.write_bytes(wav(ramp(1, 15_000)))
    second.write_bytes(wav(np.zeros(16_000)))
    third.write_bytes(wav(np.zeros((48_000, 2)), 48_000))
    fourth.write_bytes(wav([32_767, -32_768] * 8000))
    speech_commands(layout)
    error = capsys.readouterr().err
    for words in (
        "1 are shorter, and filled up with zeros",
        "2 are silent",
        "1 are of several channels, which are averaged",
        "1 are resampled from another rate",
        "1 are clipped",
    ):
        assert f"; {words}" in error
    assert error.count("\n") == 1


def test_damaged_files_are_refused_in_one_line(layout):
    damaged = sorted((layout / "zero").glob("*.wav"))
    damaged[0].write_bytes(b"")
    with pytest.raises(BadInput) as problem:
        speech_commands(layout)
    assert line_of(problem) == (
        f"--data: got {damaged[0]}, which cannot be read (no bytes); needs .wav files with samples of 16 bits"
    )
    damaged[1].write_bytes(damaged[1].read_bytes()[:-2])
    damaged[-1].write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(BadInput) as problem:
        speech_commands(layout)
    assert f"{damaged[0]}, which cannot be read (no bytes), and 2 others likewise; needs" in line_of(problem)


def test_files_that_a_list_names_and_that_are_not_there_are_refused(layout):
    gone = sorted((layout / "go").glob(f"{speaker(9)}*"))[0]
    gone.unlink()
    with pytest.raises(BadInput) as problem:
        speech_commands(layout)
    assert f"got {layout}/testing_list.txt, which names go/{gone.name}, which is not there; needs" in line_of(problem)
    sorted((layout / "yes").glob(f"{speaker(9)}*"))[0].unlink()
    with pytest.raises(BadInput, match="which is not there \\(nor are 1 others\\)"):
        speech_commands(layout)


@pytest.mark.parametrize("name", ["testing_list.txt", "validation_list.txt"])
def test_a_folder_without_a_list_is_refused(layout, name):
    (layout / name).unlink()
    with pytest.raises(BadInput, match=f"without {name}; needs a folder for every word"):
        speech_commands(layout)


def test_a_folder_of_something_else_is_refused(layout, tmp_path):
    shutil.rmtree(layout / "stop")
    with pytest.raises(BadInput, match="without stop/; needs a folder for every word"):
        speech_commands(layout)
    with pytest.raises(BadInput, match=r"commands:nothing without yes/, no/, .*go/; needs a folder for every word"):
        speech_commands(Path("nothing"))
    (layout / "stop").mkdir()
    for entry in [*layout.glob("*/*_nohash_*.wav")]:
        entry.unlink()
    for name in ("testing", "validation"):
        (layout / f"{name}_list.txt").write_text("")
    with pytest.raises(BadInput, match="without training clips"):
        speech_commands(layout)


# made up


def test_made_up_sounds_are_the_same_ones_and_can_be_told_apart():
    task = NAMED["made-up-sounds"]()
    assert repr(task) == "made-up sounds: 480 training and 240 test clips, 12 classes"
    assert task.digest == NAMED["made-up-sounds"]().digest
    assert task.train.targets.bincount().tolist() == [40] * 12
    assert task.test.targets.bincount().tolist() == [20] * 12
    assert nearest_mean(task.train, task.test) > 0.5  # of twelve classes; they lie anywhere in their second


def nearest_mean(train, test) -> float:
    """The accuracy of the nearest class's mean, of spectra averaged over time and its halves around their middle."""

    def features(split):
        spectra = torch.cat([log_mel(clips, 16_000)[:, 0] for clips in split.inputs.split(100)])
        weight = (spectra.mean(1) - spectra.mean(1).median(1, keepdim=True).values).clamp(min=0)
        centre = ((weight * torch.arange(32)).sum(1) / weight.sum(1).clamp(min=1e-6)).round().int().tolist()
        centred = torch.stack([spectrum.roll(16 - place, 1) for spectrum, place in zip(spectra, centre, strict=True)])
        return centred.flatten(1)

    inputs, targets = features(train), train.targets
    means = torch.stack([inputs[targets == label].mean(0) for label in range(12)])
    return float((torch.cdist(features(test), means).argmin(1) == test.targets).float().mean())


# spoken


def program(folder: Path, name: str, script: str) -> None:
    """A program of this name."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_the_program_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput) as problem:
        commands_espeak()
    assert line_of(problem) == (
        "--data: got commands-espeak, for espeak-ng (No such file or directory); needs the program of that name "
        "(apt-get install espeak-ng flite, on Debian), or commands-espeak:FILE of what python -m tasks.sound.speak "
        "has written"
    )


def test_a_program_that_fails_or_says_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "espeak-ng", "echo no such voice >&2; exit 1")
    with pytest.raises(BadInput, match=r"espeak-ng --voices=variant fails \(no such voice\)"):
        commands_espeak()
    program(tmp_path, "espeak-ng", 'echo " 5  variant  --/M  Adam  !v/adam   "')
    with pytest.raises(BadInput, match="espeak-ng has too few voices"):
        commands_espeak()
    with pytest.raises(BadInput, match="for which true yes says nothing; needs"):
        espeak._said(espeak.Voice(("true",), 22_050, lambda chance: []), "yes", random.Random(0))


def test_families_are_names_that_begin_alike():
    names = ["anika", "anikaRobot", "ed", "edward", "edward2", "f1", "f2", "klatt", "klatt2", "whisper", "whisperf"]
    assert list(espeak._families(names)) == [
        ["anika", "anikaRobot"], ["ed"], ["edward", "edward2"], ["f1"], ["f2"], ["klatt", "klatt2"],
        ["whisper", "whisperf"],
    ]  # fmt: skip


@pytest.mark.parametrize("clips", [0, 71, 100_001])
def test_too_few_or_many_clips_are_refused(clips):
    with pytest.raises(BadInput, match=r"^--clips: got"):
        spoken(clips)


@pytest.fixture(scope="module")
def said() -> dict[str, np.ndarray]:
    return spoken(288)


@pytest.fixture(scope="module")
def voices() -> dict[str, list[espeak.Voice]]:
    with ThreadPoolExecutor(2) as pool:
        return espeak._variants(pool)


@needs_espeak
def test_the_same_programs_say_the_same_and_fewer_clips_are_the_first(said):
    again = spoken(72)
    assert again.keys() == said.keys()
    for key, array in again.items():
        assert np.array_equal(array, said[key][: len(array)])
    assert [len(array) for array in said.values()][:4] == [288, 288, 96, 96]


@needs_espeak
def test_words_are_whole_and_silence_is_quiet_noise(said, voices):
    peaks = {label: [] for label in range(12)}
    for clip, label in zip(said["train_clips"], said["train_labels"], strict=True):
        peaks[int(label)].append(np.abs(clip.astype(int)).max() / 32_768)
    for label, values in peaks.items():
        assert len(values) == 24
        if label == SILENCE:
            assert 0.001 < min(values) <= max(values) < 0.12
            assert len(set(values)) > 20
        else:
            assert 0.2 < min(values) <= max(values) < 1
    chance = random.Random(0)
    lengths = []
    for voice in (*chance.sample(voices["train"], 20), *chance.sample(voices["test"], 20)):
        lengths += [len(espeak._said(voice, word, chance)) for word in ("marvin", "sheila", "seven", "happy")]
    assert 2000 < min(lengths) <= max(lengths) < 16_000


@needs_espeak
def test_no_voice_is_both_trained_on_and_tested(voices):
    sides = {split: {voice.command for voice in each} for split, each in voices.items()}
    assert not sides["train"] & sides["test"]
    assert 0.2 < len(sides["test"]) / len(sides["train"] | sides["test"]) < 0.4
    # nor any of the same family
    families = {
        split: {re.sub(r"\d+$", "", command[-1].partition("+")[2].lower()) for command in commands}
        for split, commands in sides.items()
    }
    assert {family for family in families["train"] & families["test"] if len(family) >= espeak.ALIKE} == set()
    # and none by another name: what they say differs
    variants = {
        split: sorted({command for command in commands if command[-1].startswith("en+")})
        for split, commands in sides.items()
    }
    words = {split: {espeak._output([*command, "seven"]) for command in each} for split, each in variants.items()}
    assert not words["train"] & words["test"]


@needs_espeak
def test_labels_are_right_even_for_voices_that_were_held_out(said):
    task = espeak.of_arrays(said)
    # of twelve classes by 24 clips each, 96 tested: a twelfth, by chance, ± 2.8%
    assert nearest_mean(task.train, task.test) > 0.25


@needs_espeak
@needs_flite
def test_flites_speakers_are_a_second_test(said):
    task = espeak.of_arrays(said)
    assert list(task.tests) == ["test", "flite"]
    assert len(task.tests["flite"]) == 48
    assert [voice.command[2] for voice in espeak._speakers()] == ["awb", "kal16", "rms", "slt"]
    chance = random.Random(0)
    lengths = [len(espeak._said(voice, word, chance)) for voice in espeak._speakers() for word in (*COMMANDS, *OTHERS)]
    assert 2000 < min(lengths) <= max(lengths) <= 16_000


@needs_espeak
def test_without_flite_there_is_one_test_and_a_word_on_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "espeak-ng").symlink_to(shutil.which("espeak-ng"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(commands_espeak(clips=72).tests) == ["test"]
    assert "; flite is not there for a second one" in capsys.readouterr().err


def small() -> dict[str, np.ndarray]:
    clips = np.arange(24 * 16_000).reshape(24, 16_000).astype(np.int16)
    return {f"{split}_{part}": clips if part == "clips" else np.arange(24) % 12
            for split in ("train", "test") for part in ("clips", "labels")}  # fmt: skip


def test_what_was_said_is_read_again(tmp_path, monkeypatch):
    arrays = small()
    monkeypatch.setattr(speak, "spoken", lambda clips: arrays)
    speak.run(speak.Config(tmp_path / "few.npz", 72))
    task = commands_espeak(tmp_path / "few.npz")
    assert task.digest == espeak.of_arrays(arrays).digest
    assert repr(task) == "commands (espeak-ng): 24 training and 24 test clips, 12 classes"
    with pytest.raises(BadInput, match=r"--out: got .*, a directory; needs a file"):
        speak.Config(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_clips": np.zeros((24, 8000), np.int16)}, r"train_clips \(24, 8000\) int16; needs N×16000 int16"),
        ({"test_clips": np.zeros((24, 16_000), np.float32)}, r"test_clips \(24, 16000\) float32"),
        ({"test_clips": np.zeros((0, 16_000), np.int16)}, r"test_clips \(0, 16000\) int16; .* N at least 1"),
        ({"train_labels": np.arange(24)}, r"train_clips with labels \(24,\); needs a class from 0 to 11 for each"),
        ({"train_labels": np.arange(23) % 12}, r"with labels \(23,\)"),
        ({"train_labels": np.zeros(24)}, r"with labels \(24,\)"),
        ({"flite_clips": np.zeros((2, 16_000), np.int16)}, r"flite_clips with labels \(0,\)"),
        ({"test_labels": None}, "without test_labels; needs an .npz with arrays"),
    ],
)
def test_another_archive_is_refused(tmp_path, change, words):
    arrays = {key: array for key, array in (small() | change).items() if array is not None}
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(BadInput, match=words) as problem:
        commands_espeak(tmp_path / "other.npz")
    line_of(problem)


def test_names():
    assert [*PUBLISHED, *NAMED] == ["commands", "commands-espeak", "made-up-sounds"]
