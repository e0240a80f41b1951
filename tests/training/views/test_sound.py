"""Views of sound against the reference code's arithmetic, clip by clip in NumPy; and what they draw."""

import numpy as np
import pytest
import torch

from msda import get_mixer
from tasks.log_mel import log_mel, magnitudes
from training import generator
from training.views import Pipeline, heard
from training.views.sound import Changes, changed, drawn, louder, resampled, retimed

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def clips(count: int = 6, length: int = 3000) -> torch.Tensor:
    return torch.rand(count, length, generator=torch.Generator().manual_seed(0)) * 2 - 1


def slow_resampled(samples: np.ndarray, factor: float) -> np.ndarray:
    """The reference's ``ChangeSpeedAndPitchAudio`` and ``FixAudioLength``."""
    length = len(samples)
    speed = 1.0 / factor
    samples = np.interp(np.arange(0, length, speed), np.arange(0, length), samples)
    return samples[:length] if len(samples) > length else np.pad(samples, (0, length - len(samples)))


def slow_retimed(spectrum: np.ndarray, rate: float, shift: int) -> np.ndarray:
    """The reference's ``StretchAudioOnSTFT`` (magnitudes of librosa's ``phase_vocoder``), ``TimeshiftAudioOnSTFT`` and
    ``FixSTFTDimension``."""
    frames = spectrum.shape[1]
    padded = np.pad(spectrum, ((0, 0), (0, 2)))
    columns = []
    for step in np.arange(0, frames, rate):
        first, alpha = int(step), step % 1
        columns.append((1 - alpha) * padded[:, first] + alpha * padded[:, first + 1])
    moved = np.stack(columns, 1)
    before, behind = -min(0, shift), max(0, shift)
    moved = np.pad(moved, ((0, 0), (before, behind)))
    moved = moved[:, behind:] if before == 0 else moved[:, :-before]
    width = moved.shape[1]
    return moved[:, :frames] if width > frames else np.pad(moved, ((0, 0), (0, frames - width)))


def test_resampling_is_the_references_for_every_factor():
    batch, factors = clips(7), torch.tensor([0.8, 0.9, 0.999, 1.0, 1.001, 1.13, 1.2])
    ours = resampled(batch, factors)
    for clip, samples, factor in zip(ours, batch, factors, strict=True):
        slow = slow_resampled(samples.double().numpy(), float(factor))
        torch.testing.assert_close(clip.double(), torch.from_numpy(slow), atol=1e-6, rtol=0)
    assert torch.equal(ours[3], batch[3])


def test_a_tone_that_is_resampled_is_one_of_another_pitch():
    time = torch.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * 1000 * time).repeat(2, 1)
    spectra = torch.fft.rfft(resampled(tone, torch.tensor([1.2, 0.8])), dim=1).abs()
    # (a clip of a second: bins are Hz) lower and over the whole second; higher, with zeros after four fifths of it
    assert spectra.argmax(1).tolist() == [833, 1250]
    assert (resampled(tone, torch.tensor([1.2, 0.8]))[1, 12_801:] == 0).all()


@pytest.mark.parametrize("shift", [-8, -3, 0, 1, 8])
def test_stretches_and_shifts_are_the_references(shift):
    rates = torch.tensor([0.8, 0.93, 1.0, 1.07, 1.2])
    spectra = torch.rand(5, 11, 32, generator=torch.Generator().manual_seed(shift + 8))
    ours = retimed(spectra, rates, torch.full((5,), shift))
    for spectrum, given, rate in zip(ours, spectra, rates, strict=True):
        slow = slow_retimed(given.double().numpy(), float(rate), shift)
        torch.testing.assert_close(spectrum.double(), torch.from_numpy(slow), atol=1e-5, rtol=0)
    if shift == 0:
        assert torch.equal(ours[2], spectra[2])


def test_all_changes_one_after_the_other():
    batch = (clips(4, 16_000) * 32_767).to(torch.int16)
    changes = Changes(
        torch.tensor([0.7, 1.0, 1.1, 1.0]),
        torch.tensor([1.0, 1.15, 0.85, 1.0]),
        torch.tensor([1.1, 1.0, 0.9, 1.0]),
        torch.tensor([0, -4, 8, 0]),
    )
    ours = changed(batch, changes)
    assert ours.shape == (4, 1025, 32)
    for spectrum, clip, loudness, length, rate, shift in zip(ours, batch, *changes, strict=True):
        samples = slow_resampled(clip.double().numpy() / 32_768 * float(loudness), float(length))
        transformed = magnitudes(torch.from_numpy(samples).float()[None])[0].double().numpy()
        slow = torch.from_numpy(slow_retimed(transformed, float(rate), int(shift)))
        torch.testing.assert_close(spectrum.double(), slow, atol=2e-3, rtol=0)  # of values up to a hundred
    assert torch.equal(ours[3], magnitudes(batch)[3])
    assert torch.equal(changed(batch.float() / 32_768, changes), ours)


def test_an_amplitude_alone_changes_no_spectrogram_that_is_not_near_silence():
    batch = clips(3, 16_000)
    factors = torch.tensor([0.7, 1.0, 1.1])
    torch.testing.assert_close(log_mel(louder(batch, factors), 16_000), log_mel(batch, 16_000), atol=1e-5, rtol=0)


def test_half_of_the_clips_are_changed_each_with_a_factor_of_its_own():
    count = 20_000
    changes = drawn(count, generator("cpu", 1))
    bounds = {"loudness": (0.7, 1.1), "length": (0.8, 1.2), "rate": (0.8, 1.2)}
    happened = []
    for name, (low, high) in bounds.items():
        factors = getattr(changes, name)
        happened.append(factors != 1)
        taken = factors[factors != 1].sort().values.double()
        # Kolmogorov and Smirnov's: beyond 2.2/√n in 1 of 8,000 uniform samples
        law = (torch.arange(len(taken)) + 0.5) / len(taken)
        assert float(((taken - low) / (high - low) - law).abs().max()) < 2.2 / len(taken) ** 0.5
    assert set(changes.shift.unique().tolist()) == set(range(-8, 9))
    counts = torch.tensor([int((changes.shift == value).sum()) for value in range(-8, 9) if value])
    expected = count / 2 / 17
    assert float(((counts - expected) ** 2 / expected).sum()) < 45  # χ² of 16: 1 in 7,000
    happened.append(changes.shift != 0)
    for one, share in zip(happened, (0.5, 0.5, 0.5, 8 / 17), strict=True):
        assert abs(int(one.sum()) - share * count) < 4 * (share * (1 - share) * count) ** 0.5  # 1 in 16,000
    # independent of each other: correlations of 20,000 are 0 ± 0.007; beyond 0.03 in 1 of 50,000
    assert torch.corrcoef(torch.stack(happened).double()).triu(1).abs().max() < 0.03


def test_the_view_draws_from_its_generator_alone():
    batch, before = (clips(8, 4000) * 32_767).to(torch.int16), torch.get_rng_state()
    one, same, other = (heard(batch, generator("cpu", seed), turn) for seed, turn in ((1, 0), (1, 5), (2, 0)))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(one, changed(batch, drawn(8, generator("cpu", 1))))


def test_a_pipeline_mixes_spectrograms_of_what_is_heard():
    batch = (clips(8, 16_000) * 32_767).to(torch.int16)
    own = Pipeline([heard], lambda raw: log_mel(raw, 16_000), get_mixer("fmix"))
    mixed = own(batch, generator("cpu", 1), 0)
    assert mixed.images.shape == (8, 1, 32, 32)
    assert 0 <= float(mixed.images.min()) <= float(mixed.images.max()) == 1


def test_silence_stays_silence():
    spectra = heard(torch.zeros(64, 16_000, dtype=torch.int16), generator("cpu", 1), 0)
    assert (log_mel(spectra, 16_000) == 1).all()


@needs_cuda
def test_the_same_changes_on_a_cuda_device():
    batch, changes = clips(8, 16_000), drawn(8, generator("cpu", 1))
    there = changed(batch.cuda(), Changes(*(value.cuda() for value in changes))).cpu()
    torch.testing.assert_close(there, changed(batch, changes), atol=2e-3, rtol=0)
    assert heard(batch.cuda(), generator("cuda", 1), 0).is_cuda
