"""A mask of one's own has the same law and the same rest as the mixer that it imitates."""

import dataclasses
import pickle

import pytest
import torch
from scipy import stats

from msda import CutMix, FMix, MaskMixer, Mixed, get_mixer
from msda.mask import box_masks
from msda.spectrum import SPECTRA

SHAPES = [(6, 2, 9), (5, 3, 8, 12), (4, 1, 4, 5, 6)]
OPTIONS = [
    {},
    {"scope": "batch"},
    {"alpha": 0.3},
    {"targets": "independent"},
    {"targets": "independent", "target_alpha": 0.5, "scope": "batch"},
    {"target_alpha": 0.2},
]


def grey(level, spatial, generator):
    """The highest λ n pixels of low-frequency images, rounded at random as FMix rounds."""
    count, pixels = len(level), torch.Size(spatial).numel()
    coin = torch.rand(count, generator=generator, device=level.device) < 0.5
    kept = torch.where(coin, (level * pixels).ceil(), (level * pixels).floor())
    images = SPECTRA["isotropic"](count, spatial, 3.0, generator=generator, device=level.device, dtype=torch.float32)
    rank = images.reshape(count, pixels).argsort(1, descending=True).argsort(1)
    return (rank < kept[:, None]).view(count, 1, *spatial)


def half(level, spatial, generator):
    return level.view(-1, *[1] * len(spatial)).expand(-1, *spatial)


def mix(mixer, images, seed=1, **more) -> Mixed:
    return mixer(images, generator=torch.Generator().manual_seed(seed), **more)


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_with_box_masks_it_is_cutmix_to_the_bit(options, shape, dtype):
    images = draw(*shape).to(dtype)
    ours, theirs = mix(MaskMixer(box_masks, **options), images), mix(CutMix(**options), images)
    for field in dataclasses.fields(Mixed):
        assert torch.equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name


@pytest.mark.parametrize("shape", [(2000, 1, 16), (2000, 1, 8, 8), (2000, 1, 4, 4, 4)])
@pytest.mark.parametrize("options", [{}, {"alpha": 0.4}, {"targets": "reformulated"}])
def test_with_grey_masks_it_has_fmixs_law(shape, options):
    images = torch.zeros(shape)
    symmetric = {"symmetric": True} if "targets" in options else {}
    ours = mix(MaskMixer(grey, **options, **symmetric), images)
    theirs = mix(FMix(**options), images, seed=2)
    # two-sample tests of the weights and of the share of equal neighbours; laws that are equal fail once in 10^4
    assert stats.ks_2samp(ours.weight.numpy(), theirs.weight.numpy()).pvalue > 1e-4
    rough = [(each.mask.diff(dim=-1) == 0).double().flatten(1).mean(1).numpy() for each in (ours, theirs)]
    assert stats.ks_2samp(*rough).pvalue > 1e-4
    assert torch.equal(ours.target_weight, torch.ones(2000) if "targets" in options else ours.weight)


@pytest.mark.parametrize("scope", ["sample", "batch"])
@pytest.mark.parametrize("function", [grey, half])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_weight_is_the_exact_mean_of_the_mask_that_was_used(scope, function, shape, dtype):
    images = draw(*shape).to(dtype)
    mixed = mix(MaskMixer(function, scope=scope), images)
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    assert mixed.mask.shape == (shape[0], 1, *shape[2:])
    assert mixed.mask.dtype == mixed.images.dtype == dtype
    assert mixed.weight.dtype == precision
    torch.testing.assert_close(mixed.weight, mixed.mask.flatten(1).to(precision).mean(1), rtol=0, atol=1e-6)
    assert len(mixed.weight.unique()) == 1 or scope == "sample"
    mask, wide = mixed.mask.double(), images.double()
    expected = mask * wide + (1 - mask) * wide[mixed.partner]
    tolerance = {torch.bfloat16: 0.03, torch.float16: 0.004}.get(dtype, 1e-6)
    torch.testing.assert_close(mixed.images.double(), expected, rtol=tolerance, atol=tolerance)


def test_a_partner_is_taken_and_the_generator_decides():
    images, partner = draw(4, 1, 8, 8).float(), torch.tensor([1, 0, 3, 2])
    one, again = (mix(MaskMixer(grey), images, partner=partner) for _ in range(2))
    assert torch.equal(one.partner, partner)
    assert torch.equal(one.images, again.images)


def test_it_pickles_and_replaces_like_the_others():
    mixer = MaskMixer(box_masks, alpha=0.5)
    assert pickle.loads(pickle.dumps(mixer)) == mixer
    assert dataclasses.replace(mixer, alpha=1.0) == MaskMixer(box_masks)
    assert get_mixer("cutmix") == CutMix()  # names are as before


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda level, spatial, generator: None, "masks of type NoneType; need a tensor"),
        (lambda level, spatial, generator: torch.zeros(len(level), *spatial, dtype=torch.int64), "type torch.int64"),
        (lambda level, spatial, generator: torch.zeros(spatial), r"masks of shape \(8, 8\); need \(4, 8, 8\)"),
        (lambda level, spatial, generator: torch.zeros(len(level), 3, *spatial), r"shape \(4, 3, 8, 8\)"),
        (lambda level, spatial, generator: torch.full((len(level), *spatial), 1.5), "from 1.5 to 1.5; need values"),
        (lambda level, spatial, generator: torch.full((len(level), *spatial), torch.nan), "masks from nan to nan"),
        (lambda level, spatial, generator: torch.zeros(len(level), *spatial, device="meta"), "masks on meta"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_line(function, words):
    with pytest.raises(ValueError, match=words) as mistake:
        mix(MaskMixer(function), torch.zeros(4, 3, 8, 8))
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0}, "alpha 0; need"),
        ({"scope": "pixel"}, "scope 'pixel'; need"),
        ({"targets": "reformulated"}, "need symmetric masks"),
        ({"function": 3}, "function 3; need a function"),
    ],
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        MaskMixer(**({"function": box_masks} | options))


def test_images_are_checked_as_the_other_mixers_check_them():
    with pytest.raises(ValueError, match="a batch of 1; need at least 2"):
        MaskMixer(box_masks)(torch.zeros(1, 1, 8, 8))
