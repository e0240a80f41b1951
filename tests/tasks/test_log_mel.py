"""Log-mel spectrograms against librosa's, whose values are stored beside this file, and against a sum written out.

``log_mel.npz`` was made with librosa 0.11.0 from the signals below, divided by 32,768: ``stft(n_fft=2048,
hop_length=512, window="hann", center=True, pad_mode="reflect")``, the squares of its magnitudes times
``filters.mel(sr=rate, n_fft=2048, n_mels=32, norm="slaney", htk=False)``, ``power_to_db(ref=np.max, top_db=80)``, and
(dB + 80)/80.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.log_mel import amplitudes, frames_of, log_mel, magnitudes, mel_bank
from tasks.task import Sound

STORED = np.load(Path(__file__).with_name("log_mel.npz"))


def chirp(length: int = 16_000, rate: int = 16_000) -> np.ndarray:
    time = np.arange(length) / rate
    return np.round(16_000 * np.sin(2 * np.pi * (200 * time + 1500 * time * time))).astype(np.int16)


def noise() -> np.ndarray:
    """Of fifteen bits, by a linear congruence."""
    state, values = 1, []
    for _ in range(16_000):
        state = (1_103_515_245 * state + 12_345) % 2**31
        values.append((state >> 16) - 2**14)
    return np.array(values, np.int16)


def click(*heights: int) -> np.ndarray:
    samples = np.zeros(16_000, np.int16)
    samples[5000 : 5000 + len(heights)] = heights
    return samples


SIGNALS = {
    "chirp": (chirp(), 16_000),
    "noise": (noise(), 16_000),
    "click": (click(30_000, -20_000), 16_000),
    "tick": (click(1), 16_000),  # so quiet that powers are on both sides of 1e-10, below which none is taken
    "chirp_8000": (chirp(12_000, 8000), 8000),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_spectrograms_are_librosas(name):
    samples, rate = SIGNALS[name]
    ours = log_mel(torch.from_numpy(samples)[None], rate)
    assert ours.shape == (1, 1, 32, frames_of(len(samples)))
    torch.testing.assert_close(ours[0, 0], torch.from_numpy(STORED[name]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_filters_are_librosas(rate):
    torch.testing.assert_close(mel_bank(rate), torch.from_numpy(STORED[f"bank_{rate}"]), atol=2e-9, rtol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100])
def test_a_filter_has_area_1_where_it_has_bins_enough_and_a_tone_is_in_its_own(rate):
    bank, step = mel_bank(rate).double(), rate / 2048
    wide = bank.count_nonzero(1) > 20
    areas = bank.sum(1)[wide] * step
    torch.testing.assert_close(areas, torch.ones_like(areas), atol=0.02, rtol=0)
    for number in (8, 20, 31):
        peak = int(bank[number].argmax())
        tone = torch.sin(2 * torch.pi * peak * step * torch.arange(rate) / rate)
        assert log_mel(tone[None], rate)[0, 0].mean(1).argmax() == number


def test_magnitudes_are_sums_over_a_window_of_what_is_reflected_at_both_ends():
    samples = torch.from_numpy(noise()).double() / 32_768
    ours = magnitudes(samples.float()[None])[0]
    place = torch.arange(2048, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * torch.pi * place / 2048)
    for frame in (0, 1, 17, 31):
        indices = torch.arange(2048) + 512 * frame - 1024
        indices = torch.where(indices < 0, -indices, indices)
        indices = torch.where(indices >= 16_000, 2 * 15_999 - indices, indices)
        for frequency in (0, 1, 100, 1024):
            turn = 2 * torch.pi * frequency * place / 2048
            windowed = samples[indices] * window
            slow = torch.hypot((windowed * turn.cos()).sum(), (windowed * turn.sin()).sum())
            assert float(ours[frequency, frame]) == pytest.approx(float(slow), abs=1e-4)


def test_silence_is_1_throughout_and_a_clips_largest_is_1():
    assert (log_mel(torch.zeros(2, 16_000, dtype=torch.int16), 16_000) == 1).all()
    batch = torch.from_numpy(np.stack([chirp(), noise(), click(30_000)]))
    spectra = log_mel(batch, 16_000)
    assert (spectra.amax((1, 2, 3)) == 1).all()
    assert float(spectra.min()) == 0


def test_integers_amplitudes_and_magnitudes_are_the_same_clips():
    batch = torch.from_numpy(np.stack([chirp(), noise(), click(30_000)]))
    spectra = log_mel(batch, 16_000)
    assert torch.equal(log_mel(batch.float() / 32_768, 16_000), spectra)
    assert torch.equal(log_mel(magnitudes(batch), 16_000), spectra)
    assert amplitudes(torch.tensor([-32_768, 16_384], dtype=torch.int16)).tolist() == [-1, 0.5]


def test_a_clip_does_not_depend_on_its_batch():
    batch = torch.from_numpy(np.stack([chirp(), noise(), click(30_000), click(1)]))
    whole = log_mel(batch, 16_000)
    for place in range(4):
        torch.testing.assert_close(log_mel(batch[place, None], 16_000), whole[place, None], atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1025, 8000, 16_000, 16_384])
def test_shapes_are_those_that_the_modality_says(length):
    sound = Sound(length)
    assert log_mel(torch.zeros(2, length), sound.rate).shape[1:] == sound.shape
