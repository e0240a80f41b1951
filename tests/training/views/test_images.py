import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from training import colour_jitter, generator, random_crop, random_flip
from training.views.images import _rotate_hue


def images(channels: int, count: int = 6) -> torch.Tensor:
    return torch.rand(count, channels, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_torchvisions_arithmetic_with_one_factor_per_image(channels):
    batch, strength = images(channels), 0.3
    ours = colour_jitter(batch, strength, generator("cpu", 1))
    stream = generator("cpu", 1)

    def factor(low: float, high: float) -> list[float]:
        return (torch.rand(len(batch), generator=stream) * (high - low) + low).tolist()

    brightness, contrast = factor(0.7, 1.3), factor(0.7, 1.3)
    if channels == 3:
        saturation, hue = factor(0.7, 1.3), factor(-0.3, 0.3)
    for i, image in enumerate(batch):
        slow = tv.adjust_contrast(tv.adjust_brightness(image, brightness[i]), contrast[i])
        if channels == 3:
            slow = tv.adjust_hue(tv.adjust_saturation(slow, saturation[i]), hue[i])
        torch.testing.assert_close(ours[i], slow, atol=2e-6, rtol=0)


def test_hue_of_grey_and_of_a_whole_turn_stay():
    grey = images(1).expand(-1, 3, -1, -1)
    torch.testing.assert_close(_rotate_hue(grey, torch.full((6, 1, 1, 1), 0.3)), grey)
    torch.testing.assert_close(_rotate_hue(images(3), torch.ones(6, 1, 1, 1)), images(3))


def test_no_strength_is_no_change():
    assert colour_jitter(images(3), 0.0) is not None
    assert torch.equal(colour_jitter(images(3), 0.0), images(3))


def test_flips_are_per_image_and_fair():
    batch = images(1, 1000)
    flipped = random_flip(batch, generator("cpu", 1))
    mirrored = (flipped == batch.flip(-1)).flatten(1).all(1)
    same = (flipped == batch).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert abs(int(mirrored.sum()) - 500) < 5 * 15.8  # binomial, 5 standard deviations


def test_crops_are_shifts_with_zeros_around():
    batch = images(3, 50)
    cropped = random_crop(batch, 4, generator("cpu", 1))
    padded = torch.nn.functional.pad(batch, (4,) * 4)
    for image, source in zip(cropped, padded, strict=True):
        windows = [source[:, r : r + 9, c : c + 7] for r in range(9) for c in range(9)]
        assert any(torch.equal(image, window) for window in windows)
