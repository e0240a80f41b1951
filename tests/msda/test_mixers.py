"""Identities every mixer keeps, options, and input refused."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats

from msda import MIXERS, Alternate, CutMix, FMix, MixUp, NoMix, get_mixer
from msda.mask import salience_prior

SHAPES = [(6, 3, 8, 8), (5, 2, 7, 12), (4, 1, 9), (3, 2, 4, 5, 6), (2, 1, 1, 1)]
OPTIONS = [
    {},
    {"scope": "batch"},
    {"alpha": 0.3},
    {"alpha": 3, "max_soft": 0.4},
    {"salience_std": 0.2},
    {"salience_std": 0.2, "max_soft": 0.1, "scope": "batch"},
    {"targets": "independent"},
    {"target_alpha": 0.2},
]
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12, torch.bfloat16: 0.03, torch.float16: 0.004}
MIXING = [name for name in MIXERS if name != "none"]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mix(mixer, images, seed=1, **options):
    return mixer(images, generator=torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_identities(name, shape, dtype, options):
    images = draw(*shape).to(dtype)
    kept = images.clone()
    mixed = mix(get_mixer(name, **options), images)
    assert torch.equal(images, kept)
    assert mixed.images.shape == images.shape
    assert mixed.images.dtype == dtype
    assert mixed.weight.shape == mixed.target_weight.shape == (shape[0],)
    assert (
        mixed.weight.dtype == mixed.target_weight.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    )
    assert torch.equal(mixed.partner.sort().values, torch.arange(shape[0]))
    for weight in (mixed.weight, mixed.target_weight):
        assert weight.min() >= 0
        assert weight.max() <= 1
    if mixed.mask is None:
        mask = mixed.weight.view(-1, *[1] * (len(shape) - 1))
    else:
        mask = mixed.mask
        assert mask.shape == (shape[0], 1, *shape[2:])
        assert mask.dtype == dtype
        torch.testing.assert_close(
            mask.double().flatten(1).mean(1), mixed.weight.double(), atol=TOLERANCE[torch.float32], rtol=0
        )
    mask, wide = mask.double(), images.double()
    expected = mask * wide + (1 - mask) * wide[mixed.partner]
    torch.testing.assert_close(mixed.images.double(), expected, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    if not {"targets", "target_alpha", "salience_std"} & set(options):
        assert torch.equal(mixed.weight, mixed.target_weight)
    if options.get("scope") == "batch":
        assert len(mixed.weight.unique()) == 1


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_repeats_with_the_generator_and_with_the_global_one(name, options):
    images, mixer = draw(5, 2, 8, 8).float(), get_mixer(name, **options)
    one, again = mix(mixer, images), mix(mixer, images)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        other = mixer(images)
    for attribute in ("images", "partner", "weight", "target_weight"):
        assert torch.equal(getattr(one, attribute), getattr(again, attribute))
        assert torch.equal(getattr(one, attribute), getattr(other, attribute))


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("scope", ["sample", "batch"])
def test_partner_given_is_used(name, scope):
    images = draw(6, 1, 4, 4)
    partner = torch.tensor([3, 4, 5, 3, 4, 5])
    mixed = mix(get_mixer(name, scope=scope), images, partner=partner)
    assert torch.equal(mixed.partner, partner)
    mask = mixed.weight.view(-1, 1, 1, 1) if mixed.mask is None else mixed.mask
    torch.testing.assert_close(mixed.images, mask * images + (1 - mask) * images[partner])


def test_hard_masks_move_pixels_without_change():
    images = draw(8, 3, 16, 16).float()
    for name in ("cutmix", "fmix", "fmix-reference"):
        mixed = mix(get_mixer(name), images)
        assert torch.equal(mixed.images, torch.where(mixed.mask == 1, images, images[mixed.partner]))


@pytest.mark.parametrize("name", ["cutmix", "fmix", "fmix-reference"])
def test_samples_differ_and_a_batch_shares(name):
    images = draw(16, 1, 16, 16)
    assert len(mix(get_mixer(name), images).mask.flatten(1).unique(dim=0)) > 8
    assert len(mix(get_mixer(name, scope="batch"), images).mask.flatten(1).unique(dim=0)) == 1


@pytest.mark.parametrize("alpha", [0.2, 1, 2])
def test_mixup_weight_law(alpha):
    # Kolmogorov-Smirnov; a right law fails at a fresh seed once in 10^4
    weight = mix(MixUp(alpha=alpha), torch.zeros(5000, 1, 2)).weight
    assert stats.kstest(weight.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_cutmix_weight_is_the_area_not_pasted(dims):
    images = torch.zeros(64, 1, *[9, 12, 7][:dims])
    own = torch.arange(64.0).view(-1, *[1] * (dims + 1)).expand_as(images)
    mixed = mix(CutMix(), own, partner=torch.arange(64).roll(1))
    stayed = (mixed.images == own).flatten(1).float().mean(1)
    torch.testing.assert_close(stayed, mixed.weight)
    # the pasted part is a box: the product of its projections
    for mask in mixed.mask[:, 0]:
        pasted = mask == 0
        box = torch.ones_like(pasted)
        for axis in range(dims):
            others = [other for other in range(dims) if other != axis]
            projection = pasted.any(dim=others) if others else pasted
            shape = [1] * dims
            shape[axis] = -1
            box &= projection.view(shape)
        assert torch.equal(box, pasted)


@pytest.mark.parametrize("kind", [MixUp, FMix])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_reformulated_law_and_targets(kind, alpha):
    mixed = mix(kind(alpha=alpha, targets="reformulated"), torch.zeros(4000, 1, 32, 32))
    assert torch.equal(mixed.target_weight, torch.ones(4000))
    # Kolmogorov-Smirnov; a right law fails at a fresh seed once in 10^4
    assert stats.kstest(mixed.weight.numpy(), stats.beta(alpha + 1, alpha).cdf).pvalue > 1e-4


@pytest.mark.parametrize("kind", [MixUp, FMix])
def test_reformulated_loss_is_the_same_in_expectation(kind):
    # any loss of (mixture, label): here the squared distance of a mean pixel to a label; |z| < 4, rate 6e-5 each
    images, losses = draw(20_000, 1, 4, 4), []
    label = images.mean((1, 2, 3)) + 1
    for targets in ("mixed", "reformulated"):
        mixed = mix(kind(targets=targets), images, seed=len(losses))
        mean = mixed.images[..., 0, 0].squeeze(1)
        weight = mixed.target_weight
        losses.append(weight * (mean - label) ** 2 + (1 - weight) * (mean - label[mixed.partner]) ** 2)
    gap = losses[0].mean() - losses[1].mean()
    assert abs(gap) < 4 * math.sqrt(sum(loss.var() / len(loss) for loss in losses))


@pytest.mark.parametrize("kind", [MixUp, FMix, CutMix])
def test_target_law(kind):
    # the targets' weight follows Beta(0.3, 0.3), transferred or drawn; rate 1e-4 each
    for targets in ("mixed", "independent"):
        mixed = mix(kind(alpha=2.0, targets=targets, target_alpha=0.3), torch.zeros(4000, 1, 32, 32).double())
        # 1/1024 is wide where this law is steep: both ends are left out
        inner = (mixed.target_weight > 0.02) & (mixed.target_weight < 0.98)
        law = stats.beta(0.3, 0.3)
        low, high = law.cdf(0.02), law.cdf(0.98)
        place = (law.cdf(mixed.target_weight[inner].numpy()) - low) / (high - low)
        assert stats.kstest(place, "uniform").pvalue > 1e-4
        rank = stats.spearmanr(mixed.weight, mixed.target_weight).statistic
        assert abs(rank) < 4 / math.sqrt(4000) if targets == "independent" else rank > 0.7


def test_salient_targets_are_weighed_by_the_prior():
    mixed = mix(FMix(salience_std=0.15), draw(16, 1, 12, 10))
    mass = (mixed.mask[:, 0] * salience_prior((12, 10), 0.15)).sum((1, 2))
    torch.testing.assert_close(mixed.target_weight, mass)
    assert not torch.allclose(mixed.target_weight, mixed.weight, atol=1e-3)


@pytest.mark.parametrize("max_soft", [0.1, 0.5])
def test_soft_masks_have_few_grey_pixels(max_soft):
    mask = mix(FMix(max_soft=max_soft), draw(200, 1, 16, 16)).mask
    grey = ((mask > 0) & (mask < 1)).flatten(1).double().mean(1)
    assert grey.max() <= max_soft
    assert grey.max() > 0.9 * max_soft


@pytest.mark.parametrize("name", MIXERS)
def test_gradients_reach_images(name):
    images = draw(4, 2, 6, 6).requires_grad_()
    mixed = mix(get_mixer(name), images)
    mixed.images.sum().backward()
    mask = mixed.weight.view(-1, 1, 1, 1) if mixed.mask is None else mixed.mask
    expected = mask.expand_as(images).detach().clone()
    expected.index_add_(0, mixed.partner, (1 - mask).expand_as(images))
    torch.testing.assert_close(images.grad, expected)
    assert not mixed.weight.requires_grad


def test_inference_mode_leaves_no_trace():
    with torch.inference_mode():
        mix(FMix(decay_power=2.5, salience_std=0.31), draw(4, 1, 6, 10))
    images = draw(4, 1, 6, 10).requires_grad_()
    mix(FMix(decay_power=2.5, salience_std=0.31), images).images.sum().backward()


def test_alternate_takes_turns():
    images = draw(4, 1, 6, 6)
    hybrid = Alternate(NoMix(), MixUp(), CutMix())
    kinds = []
    for _ in range(4):
        mixed = hybrid(images)
        kinds.append(
            "none" if mixed.weight.eq(1).all() and mixed.mask is None else "mask" if mixed.mask is not None else "up"
        )
    assert kinds == ["none", "up", "mask", "none"]
    assert hybrid.turn == 4
    assert hybrid(images, turn=5).mask is not None
    assert hybrid.turn == 4
    hybrid.turn = 2
    assert hybrid(images).mask is not None
    assert Alternate(NoMix(), MixUp(), turn=1)(images).weight.lt(1).any()
    assert pickle.loads(pickle.dumps(hybrid)) == hybrid


def test_a_refused_batch_takes_no_turn():
    hybrid = Alternate(MixUp(), FMix())
    with pytest.raises(ValueError, match="batch of 1"):
        hybrid(torch.zeros(1, 1, 4, 4))
    assert hybrid.turn == 0


def test_get_mixer():
    assert get_mixer("none", alpha=0.5) == NoMix()
    assert get_mixer("mixup", alpha=0.5, decay_power=2.0) == MixUp(alpha=0.5)
    assert get_mixer("cutmix", scope="batch") == CutMix(scope="batch")
    assert get_mixer("fmix", max_soft=0.2) == FMix(max_soft=0.2)
    assert get_mixer("fmix-reference", decay_power=2.0) == FMix(decay_power=2.0, spectrum="reference")
    assert get_mixer("fmix+mixup", decay_power=2.0, alpha=0.2) == Alternate(
        FMix(alpha=0.2, decay_power=2.0), MixUp(0.2)
    )
    assert repr(get_mixer("fmix+none")) == f"Alternate(mixers=({FMix()!r}, NoMix()), turn=0)"
    for wrong in ("fmixx", "", "fmix+", "fmix+Mixup"):
        with pytest.raises(ValueError, match="none, mixup, cutmix, fmix, fmix-reference"):
            get_mixer(wrong)
    for option in ("spectrum", "alfa"):
        with pytest.raises(ValueError, match=f"'{option}'.*alpha, decay_power"):
            get_mixer("fmix", **{option: 1.0})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *[(kind, {"alpha": alpha}) for kind in (MixUp, CutMix, FMix) for alpha in (0, -1, math.nan, math.inf)],
        *[(kind, {"scope": "image"}) for kind in (MixUp, CutMix, FMix)],
        *[(kind, {"targets": "hard"}) for kind in (MixUp, CutMix, FMix)],
        *[(kind, {"target_alpha": value}) for kind in (MixUp, CutMix, FMix) for value in (0.0, math.nan)],
        *[(FMix, {"decay_power": value}) for value in (-0.1, math.nan, math.inf)],
        *[(FMix, {"max_soft": value}) for value in (-0.1, 0.6, math.nan)],
        *[(FMix, {"salience_std": value}) for value in (0.0, -1.0, math.inf)],
        (FMix, {"spectrum": "white"}),
        (FMix, {"targets": "reformulated", "target_alpha": 0.5}),
        (CutMix, {"targets": "reformulated"}),
    ],
)
def test_options_refused(kind, options):
    with pytest.raises(ValueError, match=next(iter(options))) as caught:
        kind(**options)
    assert "\n" not in str(caught.value)
    assert "need" in str(caught.value)


@pytest.mark.parametrize("name", [*MIXERS, "fmix+mixup"])
@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (torch.zeros(4, 1, 4, 4, dtype=torch.uint8), TypeError, "uint8"),
        (torch.zeros(4, 1, 4, 4, dtype=torch.complex64), TypeError, "complex64"),
        (np.zeros((4, 1, 4, 4)), TypeError, "ndarray"),
        (torch.zeros(4, 4), ValueError, r"\(4, 4\)"),
        (torch.zeros(2, 1, 2, 2, 2, 2), ValueError, r"\(2, 1, 2, 2, 2, 2\)"),
        (torch.zeros(0, 1, 4, 4), ValueError, r"\(0, 1, 4, 4\)"),
        (torch.zeros(4, 1, 0, 4), ValueError, r"\(4, 1, 0, 4\)"),
    ],
    ids=["uint8", "complex", "numpy", "2-D", "6-D", "empty batch", "empty image"],
)
def test_images_refused(name, images, error, words):
    with pytest.raises(error, match=words) as caught:
        get_mixer(name)(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", MIXING)
def test_a_batch_of_one_is_refused(name):
    with pytest.raises(ValueError, match="a batch of 1"):
        get_mixer(name)(torch.zeros(1, 1, 4, 4))
    assert NoMix()(torch.zeros(1, 1, 4, 4)).weight.tolist() == [1]


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize(
    ("partner", "error"),
    [(torch.zeros(3, dtype=torch.int64), ValueError), (torch.zeros(4), TypeError), ([1, 0, 3, 2], TypeError)],
    ids=["length", "float", "list"],
)
def test_partner_refused(name, partner, error):
    with pytest.raises(error, match="partner"):
        get_mixer(name)(torch.zeros(4, 1, 4, 4), partner=partner)


def test_alternate_refuses():
    with pytest.raises(ValueError, match="no mixers"):
        Alternate()
    with pytest.raises(TypeError, match="str"):
        Alternate("fmix")
    with pytest.raises(ValueError, match="turn -1"):
        Alternate(NoMix(), turn=-1)
    with pytest.raises(TypeError, match="float"):
        Alternate(NoMix())(torch.zeros(2, 1, 4), turn=0.5)
