"""Losses and targets of a mixed batch against loops over its samples."""

import math

import pytest
import torch
from torch.nn import functional

from msda import FMix, Mixed, NoMix

B, K = 7, 5


@pytest.fixture
def mixed():
    g = torch.Generator().manual_seed(0)
    weight = torch.rand(B, generator=g, dtype=torch.float64)
    weight[0], weight[1] = 1, 0
    target_weight = weight.flip(0)
    return Mixed(torch.zeros(B, 1, 4), torch.randperm(B, generator=g), weight, None, target_weight)


@pytest.fixture
def logits():
    return torch.randn(B, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def make_targets(kind):
    g = torch.Generator().manual_seed(2)
    index = torch.randint(K, (B,), generator=g)
    return {
        "index": index,
        "int32 index": index.int(),
        "one-hot": functional.one_hot(index, K),
        "soft": torch.rand(B, K, generator=g, dtype=torch.float64).softmax(1),
        "multi-hot": torch.rand(B, K, generator=g) < 0.4,
    }[kind]


KINDS = ["index", "int32 index", "one-hot", "soft", "multi-hot"]


def slow_rows(mixed, targets):
    rows = functional.one_hot(targets.long(), K) if targets.ndim == 1 else targets
    out = torch.empty(B, K, dtype=torch.float64)
    for i in range(B):
        share = mixed.target_weight[i]
        out[i] = share * rows[i].double() + (1 - share) * rows[mixed.partner[i]].double()
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_soft_targets(mixed, kind):
    targets = make_targets(kind)
    torch.testing.assert_close(mixed.soft_targets(targets, K), slow_rows(mixed, targets))
    if targets.ndim == 2:
        torch.testing.assert_close(mixed.soft_targets(targets), slow_rows(mixed, targets))


@pytest.mark.parametrize("kind", KINDS)
def test_cross_entropy(mixed, logits, kind):
    targets = make_targets(kind)
    expected = torch.stack(
        [-(row * line.log_softmax(0)).sum() for row, line in zip(slow_rows(mixed, targets), logits, strict=True)]
    )
    torch.testing.assert_close(mixed.cross_entropy(logits, targets, reduction="none"), expected)
    torch.testing.assert_close(mixed.cross_entropy(logits, targets, reduction="sum"), expected.sum())
    torch.testing.assert_close(mixed.cross_entropy(logits, targets), expected.mean())


def test_cross_entropy_of_indices_is_the_weighted_pair(mixed, logits):
    targets = make_targets("index")
    own = functional.cross_entropy(logits, targets, reduction="none")
    partner = functional.cross_entropy(logits, targets[mixed.partner], reduction="none")
    weight = mixed.target_weight
    torch.testing.assert_close(mixed.cross_entropy(logits, targets), (weight * own + (1 - weight) * partner).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_binary_cross_entropy(mixed, logits, kind):
    targets = make_targets(kind)
    p, rows = logits.sigmoid(), slow_rows(mixed, targets)
    expected = -(rows * p.log() + (1 - rows) * (1 - p).log())
    torch.testing.assert_close(mixed.binary_cross_entropy(logits, targets, reduction="none"), expected)
    torch.testing.assert_close(mixed.binary_cross_entropy(logits, targets), expected.mean())


def test_binary_cross_entropy_of_one_label(mixed, logits):
    targets = torch.tensor([1, 0, 1, 1, 0, 0, 1])
    loss = mixed.binary_cross_entropy(logits[:, 0], targets, reduction="none")
    assert loss.shape == (B,)
    torch.testing.assert_close(
        loss[:, None], mixed.binary_cross_entropy(logits[:, :1], targets[:, None], reduction="none")
    )


def test_no_mix_losses_are_the_plain_ones(logits):
    plain, targets = NoMix()(torch.zeros(B, 1, 4, dtype=torch.float64)), make_targets("index")
    torch.testing.assert_close(plain.cross_entropy(logits, targets), functional.cross_entropy(logits, targets))


def test_losses_have_gradients_and_keep_the_type_of_logits(mixed, logits):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        line = logits.detach().clone().to(dtype).requires_grad_()
        loss = mixed.cross_entropy(line, make_targets("index")) + mixed.binary_cross_entropy(line, make_targets("soft"))
        loss.backward()
        assert loss.dtype == dtype
        assert line.grad.isfinite().all()


def test_a_certain_label_of_weight_zero_costs_nothing():
    logits = torch.tensor([[0.0, -math.inf], [0.0, 0.0]])
    sure = Mixed(torch.zeros(2, 1, 1), torch.tensor([1, 0]), torch.ones(2))
    assert sure.cross_entropy(logits, torch.tensor([0, 1]), reduction="none").isfinite().all()


def test_target_weight_is_the_weight_unless_given():
    weight = torch.rand(3)
    assert Mixed(torch.zeros(3, 1, 1), torch.arange(3), weight).target_weight is weight


def test_mixed_is_frozen(mixed):
    with pytest.raises(AttributeError):
        mixed.weight = None


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda m, z: m.cross_entropy(z, torch.zeros(B - 1, dtype=torch.long)),
            ValueError,
            "6 targets for a batch of 7",
        ),
        (lambda m, z: m.cross_entropy(z[:-1], torch.zeros(B, dtype=torch.long)), ValueError, "6 rows of logits"),
        (lambda m, z: m.cross_entropy(z, torch.zeros(B, K + 1)), ValueError, r"\(7, 6\)"),
        (lambda m, z: m.cross_entropy(z, torch.zeros(B)), TypeError, "float32"),
        (lambda m, z: m.cross_entropy(z, torch.zeros(B, K, 1)), ValueError, r"\(7, 5, 1\)"),
        (lambda m, z: m.cross_entropy(z[:, 0], torch.zeros(B, dtype=torch.long)), ValueError, r"\(7,\)"),
        (lambda m, z: m.cross_entropy(z, torch.zeros(B, dtype=torch.long), "avg"), ValueError, "avg"),
        (lambda m, z: m.soft_targets(torch.zeros(B, dtype=torch.long)), ValueError, "num_classes is None"),
        (lambda m, z: m.soft_targets(torch.zeros(B, K), K + 1), ValueError, "num_classes says 6"),
        (lambda m, z: m.soft_targets(torch.zeros(B + 1, K)), ValueError, "8 targets for a batch of 7"),
        (lambda m, z: m.binary_cross_entropy(z, torch.zeros(B, K - 1)), ValueError, r"\(7, 4\)"),
        (lambda m, z: m.binary_cross_entropy(z[:, 0], torch.zeros(B, K)), ValueError, r"\(7, 5\)"),
        (lambda m, z: m.binary_cross_entropy(z[None], torch.zeros(B, K)), ValueError, r"\(1, 7, 5\)"),
    ],
)
def test_bad_targets_are_refused(mixed, logits, call, error, words):
    with pytest.raises(error, match=words) as caught:
        call(mixed, logits)
    assert "\n" not in str(caught.value)


def test_documented_use():
    g = torch.Generator().manual_seed(0)
    images, targets = torch.rand(B, 3, 8, 8, generator=g), make_targets("index")
    mixed = FMix(alpha=1.0, decay_power=3.0, spectrum="isotropic", scope="sample")(images, generator=g)
    assert mixed.cross_entropy(mixed.images.mean((2, 3)), targets.clamp(max=2)).isfinite()
