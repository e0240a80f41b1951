"""Mixing in three dimensions at the size of the shapes, (B, 1, 32, 32, 32): laws of weights, boxes and spectra."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from msda import CutMix, FMix, MixUp
from msda.mask import box_masks
from msda.spectrum import isotropic_images

SIZE = 32


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shapes(count: int) -> torch.Tensor:
    return (torch.rand(count, 1, SIZE, SIZE, SIZE, generator=stream(9)) < 0.06).float()


@pytest.mark.parametrize(
    "mixer", [CutMix(), FMix(), FMix(spectrum="reference"), FMix(max_soft=0.2), CutMix(scope="batch")]
)
def test_the_weight_is_exactly_the_mean_of_the_mask_and_voxels_are_one_shapes_or_the_others(mixer):
    batch = shapes(16)
    mixed = mixer(batch, generator=stream(0))
    exact = mixed.mask.double().flatten(1).mean(1)
    assert mixed.mask.shape == batch.shape
    torch.testing.assert_close(mixed.weight.double(), exact, rtol=0, atol=1e-7)
    for item, other in enumerate(mixed.partner.tolist()):
        slow = mixed.mask[item] * batch[item] + (1 - mixed.mask[item]) * batch[other]
        torch.testing.assert_close(mixed.images[item], slow, rtol=0, atol=1e-6)
    if getattr(mixer, "max_soft", 0) == 0:
        assert set(mixed.images.unique().tolist()) == {0.0, 1.0}


def test_mixup_makes_grey_voxels_of_the_weight():
    batch = shapes(8)
    mixed = MixUp()(batch, generator=stream(0))
    weight = mixed.weight.view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(mixed.images, weight * batch + (1 - weight) * batch[mixed.partner])


def test_boxes_have_the_cube_root_of_their_share_as_sides_and_are_clipped():
    # against boxes cut by numpy, one at a time, from draws of its own; Kolmogorov-Smirnov, once in 10^4 each
    count, rng = 4000, np.random.default_rng(0)
    level = torch.rand(count, generator=stream(0), dtype=torch.float64)
    masks = box_masks(level, (SIZE,) * 3, generator=stream(1))
    slow_weights, slow_sides = [], []
    for share in rng.random(count):
        half = (1 - share) ** (1 / 3) / 2
        sides = []
        for centre in rng.random(3):
            first, last = (round((centre + end) * SIZE) for end in (-half, half))
            sides.append(max(min(last, SIZE) - max(first, 0), 0))
        slow_weights.append(1 - math.prod(sides) / SIZE**3)
        slow_sides.append(sides[1])
    weights = masks.flatten(1).mean(1)
    sides = (masks == 0).flatten(1, 1).any(3).any(1).sum(1)
    pasted = np.array(slow_weights) < 1
    assert stats.ks_2samp(weights.numpy(), slow_weights).pvalue > 1e-4
    assert stats.ks_2samp(sides[weights < 1].numpy(), np.array(slow_sides)[pasted]).pvalue > 1e-4


def test_mean_of_boxes_in_three_dimensions():
    # E[(s - s²/4)³] with s³ uniform is 3 (1/6 - 3/28 + 3/128 - 1/576): sides are clipped at a uniform centre. 6e-5
    level = torch.rand(4000, generator=stream(2), dtype=torch.float64)
    weight = box_masks(level, (SIZE,) * 3, generator=stream(3)).flatten(1).mean(1)
    expected = 1 - 3 * (1 / 6 - 3 / 28 + 3 / 128 - 1 / 576)
    assert abs(weight.mean() - expected) < 4 * weight.std() / math.sqrt(4000) + 1e-3


def test_sizes_of_fmixs_masks_are_uniform():
    # λ n is rounded to one of its neighbours; Kolmogorov-Smirnov, once in 10^4
    mixed = FMix()(torch.zeros(1500, 1, 16, 16, 16), generator=stream(4))
    assert stats.kstest(mixed.weight.numpy(), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("decay_power", [1.0, 3.0])
def test_power_falls_with_the_frequency_in_every_shell(decay_power):
    # E|F(f)|² |f|^{2δ} is one number for all f but 0; shells against the whole, one sample each, 6e-5 a shell
    count = 60
    images = isotropic_images(count, (SIZE,) * 3, decay_power, generator=stream(5), dtype=torch.float64)
    axis = torch.fft.fftfreq(SIZE, dtype=torch.float64)
    frequency = torch.sqrt(axis.view(-1, 1, 1) ** 2 + axis.view(1, -1, 1) ** 2 + axis.view(1, 1, -1) ** 2)
    flat = torch.fft.fftn(images, dim=(1, 2, 3)).abs().square() * frequency.pow(2 * decay_power)
    shell = (frequency * SIZE).round().long()
    level = flat.flatten(1)[:, shell.flatten() > 0].mean()
    for radius in range(1, int(shell.max()) + 1):
        values = flat[:, shell == radius].mean(1) / level
        assert abs(values.mean() - 1) < 4 * values.std() / math.sqrt(count), radius


def test_fmix_has_no_direction_in_three_dimensions():
    # the share of changes from one voxel to the next is the same along each axis; 6e-5 a pair
    mask = FMix()(torch.zeros(600, 1, SIZE, SIZE, SIZE), generator=stream(6)).mask[:, 0]
    changes = [mask.diff(dim=axis).abs().flatten(1).mean(1) for axis in (1, 2, 3)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        difference = changes[one] - changes[other]
        assert abs(difference.mean()) < 4 * difference.std() / math.sqrt(600)
