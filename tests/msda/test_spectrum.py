"""The laws of the grey images against slow definitions in NumPy."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from msda.mask import grey_masks
from msda.spectrum import SPECTRA, isotropic_images, reference_images

SHAPES = [
    (7,),
    (8,),
    (1,),
    (2,),
    (4, 5),
    (5, 4),
    (6, 6),
    (7, 7),
    (1, 6),
    (6, 1),
    (2, 2),
    (3, 2, 4),
    (3, 4, 5),
    (4, 3, 3),
]


def full_grid_magnitude(shape):
    axes = np.meshgrid(*[np.fft.fftfreq(size) for size in shape], indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes))


def isotropic_map(shape, decay_power):
    """Matrix from real and imaginary noise on the full grid to pixels: the paper's text, one frequency at a time."""
    frequency = full_grid_magnitude(shape)
    columns = []
    for index in np.ndindex(*shape):
        for unit in (1, 1j):
            spectrum = np.zeros(shape, complex)
            if frequency[index] > 0:
                spectrum[index] = unit * frequency[index] ** -decay_power
            columns.append(np.fft.ifftn(spectrum).real.ravel())
    return np.array(columns).T


def reference_image(noise, shape, decay_power):
    """The reference code's image from its noise (*grid, 2), grid as it lays out the half spectrum."""
    frequency = reference_grid(shape)
    scale = 1 / np.maximum(frequency, 1 / max(shape)) ** decay_power
    noise = scale[..., None] * noise
    spectrum = noise[0] + 1j * noise[1] if len(noise) > 1 else noise[0] + 1j * noise[0]
    if len(shape) == 1:
        return np.fft.irfft(spectrum, shape[0])
    return np.fft.irfftn(spectrum, shape, axes=tuple(range(len(shape))))


def reference_grid(shape):
    rows = np.fft.fftfreq(shape[0])
    if len(shape) == 1:
        return np.abs(rows)
    columns = np.fft.fftfreq(shape[1])[: shape[1] // 2 + 1 + shape[1] % 2]
    if len(shape) == 2:
        return np.sqrt(rows[:, None] ** 2 + columns**2)
    depth = np.fft.fftfreq(shape[2])[:, None]
    return np.sqrt(rows[:, None, None] ** 2 + columns**2 + depth**2)


def reference_map(shape, decay_power):
    """Matrix from the noise that matters to pixels, one number at a time."""
    grid = reference_grid(shape).shape
    # in one dimension the indexed axis is the whole grid, and one number of a pair is left for either column
    columns = []
    for index in np.ndindex(2, *grid[1:], 2):
        noise = np.zeros((*grid, 2))
        noise[index] = 1
        columns.append(reference_image(noise, shape, decay_power).ravel())
    return np.array(columns).T


def linear_map(name, shape, decay_power, monkeypatch):
    """The production code's own matrix: its noise replaced by unit vectors."""
    draw = torch.randn

    def unit_vectors(count, *size, generator, device, dtype):
        assert count == math.prod(size)
        return torch.eye(count, dtype=dtype).view(count, *size)

    sizes = []

    def record(count, *size, **options):
        sizes.append(math.prod(size))
        return draw(count, *size, **options)

    monkeypatch.setattr(torch, "randn", record)
    SPECTRA[name](1, shape, decay_power, dtype=torch.float64)
    monkeypatch.setattr(torch, "randn", unit_vectors)
    images = SPECTRA[name](sizes[0], shape, decay_power, dtype=torch.float64)
    return images.reshape(sizes[0], -1).T.numpy()


def covariance(matrix):
    # of the images less their means, up to a factor: neither matters to ranks
    centred = matrix - matrix.mean(0)
    value = centred @ centred.T
    return value / max(value.max(), 1e-300)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("decay_power", [0.0, 1.0, 3.0])
def test_isotropic_law_is_the_full_grid_definition(shape, decay_power, monkeypatch):
    # images are linear in Gaussian noise, so equal covariances are equal laws
    fast = covariance(linear_map("isotropic", shape, decay_power, monkeypatch))
    np.testing.assert_allclose(fast, covariance(isotropic_map(shape, decay_power)), atol=1e-12)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[0] > 1])
@pytest.mark.parametrize("decay_power", [0.0, 1.0, 3.0])
def test_reference_law_is_the_wrong_axis_definition(shape, decay_power, monkeypatch):
    fast = covariance(linear_map("reference", shape, decay_power, monkeypatch))
    np.testing.assert_allclose(fast, covariance(reference_map(shape, decay_power)), atol=1e-12)


def power(images):
    value = np.abs(np.fft.fft2(images)) ** 2
    value[:, 0, 0] = 0
    return value / value.sum((1, 2), keepdims=True)


def full_grid_images(count, shape, decay_power, rng):
    frequency = full_grid_magnitude(shape)
    frequency[(0,) * len(shape)] = np.inf
    noise = rng.standard_normal((count, *shape)) + 1j * rng.standard_normal((count, *shape))
    return np.fft.ifft2(noise / frequency**decay_power).real


def z_score(one, other):
    spread = math.hypot(np.std(one) / math.sqrt(len(one)), np.std(other) / math.sqrt(len(other)))
    return abs(np.mean(one) - np.mean(other)) / spread


@pytest.mark.parametrize("decay_power", [1.0, 3.0])
@pytest.mark.parametrize("shape", [(16, 16), (15, 12)])
def test_isotropic_ring_powers(decay_power, shape):
    # two samples; a right law fails at a fresh seed about 6e-5 times the number of rings
    count = 3000
    fast = power(isotropic_images(count, shape, decay_power, generator=torch.Generator().manual_seed(0)).numpy())
    slow = power(full_grid_images(count, shape, decay_power, np.random.default_rng(0)))
    ring = np.round(full_grid_magnitude(shape) * max(shape)).astype(int)
    for radius in range(1, ring.max() + 1):
        assert z_score(fast[:, ring == radius].sum(1), slow[:, ring == radius].sum(1)) < 4


@pytest.mark.parametrize("decay_power", [1.0, 3.0])
def test_isotropic_has_no_direction(decay_power):
    # one sample against zero; a right law fails at a fresh seed with rate 6e-5 each
    share = power(isotropic_images(5000, (16, 16), decay_power, generator=torch.Generator().manual_seed(1)).numpy())
    axes = share[:, 1:, 0].sum(1) - share[:, 0, 1:].sum(1)
    up, down = share[:, 1:8, 1:8].sum((1, 2)), share[:, 1:8, :-8:-1].sum((1, 2))
    for difference in (axes, up - down):
        assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(len(difference))


def test_reference_moments():
    # measured on 10,000 masks of the reference code; |z| < 4 with both standard errors: 6e-5 each at a fresh seed
    generator = torch.Generator().manual_seed(0)
    masks = grey_masks(10_000, (32, 32), spectrum="reference", generator=generator).numpy()
    images = reference_images(10_000, (32, 32), 3.0, generator=generator, dtype=torch.float64).numpy()
    share = power(images)
    index = np.fft.fftfreq(32) * 32
    ring = np.round(np.hypot(index[:, None], index))
    components = [ndimage.label(mask)[1] + ndimage.label(1 - mask)[1] for mask in masks]
    measured = {
        "transitions along H": (np.abs(np.diff(masks, axis=1)).sum((1, 2)), 32.49, 0.17),
        "transitions along W": (np.abs(np.diff(masks, axis=2)).sum((1, 2)), 45.10, 0.17),
        "components": (components, 3.579, 0.012),
        "power in ring 1": (share[:, ring == 1].sum(1), 0.98357, 0.00023),
    }
    for name, (values, mean, error) in measured.items():
        z = (np.mean(values) - mean) / math.hypot(error, np.std(values) / math.sqrt(len(values)))
        assert abs(z) < 4, f"{name}: z = {z:.2f}"
    assert share[:, :, np.abs(index) >= 2].sum((1, 2)).max() < 1e-6
    # positive frequencies alone along H: the diagonal bias the isotropic spectrum has not
    assert (share[:, 1:16, 1].sum(1) - share[:, 1:16, -1].sum(1)).mean() > 0.1


def test_reference_mask_in_one_dimension_is_one_circular_interval():
    masks = grey_masks(500, (33,), spectrum="reference", generator=torch.Generator().manual_seed(0)).numpy()
    assert (np.abs(masks - np.roll(masks, 1, axis=1)).sum(1) <= 2).all()


@pytest.mark.parametrize("name", SPECTRA)
def test_chunks_do_not_show(name, monkeypatch):
    # many small chunks: shapes, independence and scale stay
    monkeypatch.setattr("msda.spectrum.CHUNK_PIXELS", 640)
    images = SPECTRA[name](301, (8, 8), 2.0, generator=torch.Generator().manual_seed(0))
    assert images.shape == (301, 8, 8)
    again = SPECTRA[name](301, (8, 8), 2.0, generator=torch.Generator().manual_seed(0))
    assert torch.equal(images, again)
    assert len(images.flatten(1).unique(dim=0)) == 301


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("decay_power", [0.0, 3.0, 60.0])
def test_images_stay_finite(name, decay_power):
    assert SPECTRA[name](4, (64, 31), decay_power).isfinite().all()
