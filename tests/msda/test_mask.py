"""Level sets, softening, salience prior and boxes against one mask at a time, and the laws of their size."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from msda.mask import _ranked, _threshold, box_masks, grey_masks, salience_prior


def slow_soft_mask(grey, kept, max_soft):
    """Sort, then walk down the ranks."""
    pixels = len(grey)
    half = min(int(max_soft * pixels / 2), kept, pixels - kept)
    mask = np.zeros(pixels)
    for rank, pixel in enumerate(sorted(range(pixels), key=lambda i: -grey[i])):
        if rank < kept - half:
            mask[pixel] = 1
        elif rank < kept + half:
            mask[pixel] = 1 - (rank - (kept - half) + 1) / (2 * half + 1)
    return mask


def slow_salient_count(grey, level, prior, coin):
    """Iterate over the values in descending order until the mass of the prior is λ; the coin decides on the last."""
    mass = 0.0
    for kept, pixel in enumerate(sorted(range(len(grey)), key=lambda i: -grey[i])):
        mass += prior[pixel]
        if mass > level or kept == len(grey) - 1:
            return kept + coin
    raise AssertionError


def slow_threshold(grey, chosen, coin, rank):
    """Sort the chosen pixels by value; the rank-th smallest is the level, and in the mask if the coin says so."""
    pixel = sorted(chosen, key=lambda i: grey[i])[rank - 1]
    mask = (grey > grey[pixel]).astype(float)
    mask[pixel] = coin
    return mask


@pytest.mark.parametrize(("draws", "rank"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_threshold_matches_the_slow_twin(draws, rank):
    rng = np.random.default_rng(0)
    grey = rng.standard_normal((50, 21))
    chosen, coin = rng.integers(21, size=(50, draws)), rng.integers(2, size=(50, 1))
    fast = _threshold(torch.tensor(grey), torch.tensor(chosen), torch.tensor(coin), rank)
    for i in range(50):
        np.testing.assert_array_equal(fast[i], slow_threshold(grey[i], chosen[i], coin[i, 0], rank))


@pytest.mark.parametrize("max_soft", [0.0, 0.05, 0.3, 0.5])
@pytest.mark.parametrize("salient", [False, True])
def test_ranked_matches_the_slow_twin(max_soft, salient):
    rng = np.random.default_rng(1)
    grey, level, coin = rng.standard_normal((60, 40)), rng.random((60, 1)), rng.integers(2, size=(60, 1))
    level[:2, 0] = 0, 1 - 1e-12
    prior = salience_prior((8, 5), 0.2).flatten() if salient else None
    fast = _ranked(torch.tensor(grey), torch.tensor(level), torch.tensor(coin), max_soft, prior)
    for i in range(60):
        if salient:
            kept = slow_salient_count(grey[i], level[i, 0], prior.numpy(), coin[i, 0])
        else:
            kept = (math.ceil if coin[i, 0] else math.floor)(level[i, 0] * 40)
        np.testing.assert_allclose(fast[i], slow_soft_mask(grey[i], kept, max_soft), atol=1e-12)
        assert fast[i].sum() == pytest.approx(kept)
        assert ((fast[i] > 0) & (fast[i] < 1)).sum() <= max_soft * 40


def count_law(pixels, a, b):
    """P(count = k) when the count is floor(λn) or ceil(λn) by a fair coin, λ ~ Beta(a, b)."""
    edge = stats.beta(a, b).cdf(np.arange(pixels + 1) / pixels)
    between = np.diff(edge)
    return 0.5 * np.append(between, 0) + 0.5 * np.append(0, between)


@pytest.mark.parametrize(
    ("a", "b"), [(0.2, 0.2), (1, 1), (2, 2), (3, 3), (2, 1), (3, 2), (1.2, 0.2), (1.5, 1.5), (20, 20), (16.5, 16.5)]
)
@pytest.mark.parametrize("spectrum", ["isotropic", "reference"])
def test_size_law_is_the_coin_between_floor_and_ceiling(a, b, spectrum):
    # chi-squared over the sizes; a right law fails at a fresh seed once in 10^4
    generator = torch.Generator().manual_seed(5)
    masks = grey_masks(20_000, (3, 4), a=a, b=b, decay_power=1.0, spectrum=spectrum, generator=generator)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    seen = np.bincount(masks.flatten(1).sum(1).long().numpy(), minlength=13)
    expected = count_law(12, a, b) * 20_000
    usual = expected > 5
    seen, expected = (np.append(x[usual], x[~usual].sum()) for x in (seen, expected))
    enough = expected > 0
    assert stats.chisquare(seen[enough], expected[enough] * seen[enough].sum() / expected[enough].sum()).pvalue > 1e-4


@pytest.mark.parametrize("alpha", [0.2, 1, 2])
def test_weight_law_at_full_size(alpha):
    # chi-squared over runs of 64 sizes, the empty mask apart; a right law fails at a fresh seed once in 10^4
    masks = grey_masks(4000, (32, 32), a=alpha, b=alpha, generator=torch.Generator().manual_seed(2))
    size = masks.flatten(1).sum(1).long().numpy()
    run = np.append(0, 1 + np.arange(1024) // 64)
    expected = np.bincount(run, count_law(1024, alpha, alpha)) * 4000
    usual = expected > 5
    assert (
        stats.chisquare(
            np.bincount(run[size], minlength=17)[usual],
            expected[usual] / expected[usual].sum() * usual[run[size]].sum(),
        ).pvalue
        > 1e-4
    )


@pytest.mark.parametrize("alpha", [1, 2])
def test_drawing_from_the_prior_is_sorting_by_it(alpha):
    # the draw of pixels against the exact ranks, which the tiniest max_soft asks for: two samples, chi-squared
    sizes = []
    for max_soft in (0.0, 1e-9):
        masks = grey_masks(
            20_000,
            (3, 4),
            a=alpha,
            b=alpha,
            salience_std=0.25,
            max_soft=max_soft,
            generator=torch.Generator().manual_seed(7),
        )
        sizes.append(np.bincount(masks.flatten(1).sum(1).long().numpy(), minlength=13))
    assert stats.chi2_contingency(np.array(sizes)).pvalue > 1e-4


def test_salient_mass_follows_the_law():
    # Both the prior's mass and the share of pixels are uniform at α = 1: the images are stationary, so the rank of a
    # pixel is uniform wherever it is drawn. Yet the two differ mask by mask. Rate 1e-4 each at a fresh seed.
    masks = grey_masks(4000, (32, 32), salience_std=0.1, generator=torch.Generator().manual_seed(3)).double()
    mass, share = (masks * salience_prior((32, 32), 0.1)).sum((1, 2)), masks.mean((1, 2))
    assert stats.kstest(mass.numpy(), "uniform").pvalue > 1e-4
    assert stats.kstest(share.numpy(), "uniform").pvalue > 1e-4
    assert (mass - share).abs().mean() > 0.1


@pytest.mark.parametrize("std", [1e-6, 0.2, 1e3])
@pytest.mark.parametrize("shape", [(9,), (4, 5), (3, 4, 5)])
def test_prior_is_a_centred_gaussian(std, shape):
    prior = salience_prior(shape, std)
    assert prior.shape == shape
    assert prior.sum().item() == pytest.approx(1)
    torch.testing.assert_close(prior, prior.flip(list(range(len(shape)))))
    if std == 1e3:
        torch.testing.assert_close(prior, torch.full_like(prior, 1 / prior.numel()), rtol=1e-4, atol=0)


def test_masks_in_one_call_are_independent():
    # correlation of neighbours in the batch: shares of ones and centred masks; rate 6e-5 each at a fresh seed
    masks = grey_masks(4000, (8, 8), generator=torch.Generator().manual_seed(4)).flatten(1)
    weight = masks.mean(1)
    assert abs(np.corrcoef(weight[:-1], weight[1:])[0, 1]) < 4 / math.sqrt(4000)
    centred = masks - weight[:, None]
    product = (centred[:-1] * centred[1:]).mean(1)
    assert abs(product.mean()) < 4 * product.std() / math.sqrt(len(product))


def slow_box(level, centre, shape):
    mask = np.ones(shape)
    inside = []
    for size, middle in zip(shape, centre, strict=True):
        side = (1 - level) ** (1 / len(shape))
        first, last = round((middle - side / 2) * size), round((middle + side / 2) * size)
        inside.append(slice(max(first, 0), max(min(last, size), 0)))
    mask[tuple(inside)] = 0
    return mask


@pytest.mark.parametrize("shape", [(11,), (9, 14), (5, 6, 7)])
def test_boxes_match_the_slow_twin(shape):
    level = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level[:2] = torch.tensor([0.0, 1.0])
    fast = box_masks(level, shape, generator=torch.Generator().manual_seed(1))
    centre = torch.rand(len(shape), 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for i in range(40):
        np.testing.assert_array_equal(fast[i], slow_box(level[i].item(), centre[:, i].tolist(), shape))


def test_mean_of_boxes():
    # E[1 - (s - s²/4)²] with s² uniform: sides are clipped at a uniform centre. Rate 6e-5 at a fresh seed
    level = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    weight = box_masks(level, (64, 64), generator=torch.Generator().manual_seed(1)).mean((1, 2))
    expected = 1 - (1 / 2 - 1 / 5 + 1 / 48)
    assert abs(weight.mean() - expected) < 4 * weight.std() / math.sqrt(20_000) + 1e-3
