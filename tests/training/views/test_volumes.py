import pytest
import torch

from training import generator
from training.views import cropped, flipped, random_shift

FIVE_DEVIATIONS = 5 * 15.8
"""Of a binomial number of 1,000 fair draws."""


def volumes(count: int, *sizes: int) -> torch.Tensor:
    return torch.randint(1, 256, (count, 2, *sizes), generator=generator("cpu", 0)).to(torch.uint8)


def test_shifts_move_one_voxel_at_a_time_and_leave_zeros():
    batch, padding = volumes(30, 4, 5, 6), 2
    shifted = random_shift(batch, padding, generator("cpu", 1))
    draws = torch.randint(0, 2 * padding + 1, (3, 30), generator=generator("cpu", 1)) - padding
    for item, (new, old) in enumerate(zip(shifted, batch, strict=True)):
        slow = torch.zeros_like(old)
        for place in torch.cartesian_prod(*(torch.arange(size) for size in (4, 5, 6))):
            source = place + draws[:, item]
            if (source >= 0).all() and (source < torch.tensor([4, 5, 6])).all():
                slow[:, *place] = old[:, *source]
        assert torch.equal(new, slow)
    assert new.dtype == torch.uint8


def test_every_shift_comes_as_often_as_any_other():
    # a single voxel in the middle; chi-squared of 27 cells, a right law fails at a fresh seed once in 10^4
    batch = torch.zeros(5400, 1, 3, 3, 3)
    batch[:, :, 1, 1, 1] = 1
    counts = random_shift(batch, 1, generator("cpu", 2)).sum((0, 1)).flatten()
    assert counts.sum() == 5400
    assert ((counts - 200).square() / 200).sum() < 61.7


def test_flips_are_per_shape_and_fair():
    batch = volumes(1000, 3, 3, 3)
    mirrored = flipped(batch, generator("cpu", 1), 0)
    same, other = ((mirrored == one).flatten(1).all(1) for one in (batch, batch.flip(4)))
    assert (same ^ other).all()
    assert abs(int(other.sum()) - 500) < FIVE_DEVIATIONS


def test_a_volume_is_cropped_by_shifts():
    batch = volumes(20, 4, 4, 4)
    assert torch.equal(cropped(1)(batch, generator("cpu", 1), 0), random_shift(batch, 1, generator("cpu", 1)))


@pytest.mark.parametrize(
    "view",
    [
        lambda batch, stream: random_shift(batch, 1, stream),
        lambda batch, stream: flipped(batch, stream, 0),
    ],
)
def test_the_generator_decides(view):
    batch = volumes(20, 4, 4, 4)
    assert torch.equal(view(batch, generator("cpu", 1)), view(batch, generator("cpu", 1)))
    assert not torch.equal(view(batch, generator("cpu", 1)), view(batch, generator("cpu", 2)))
