"""Each objective against its definition, written out in float64."""

import pytest
import torch

from classifiers.objectives import OBJECTIVES, binary_cross_entropy, cross_entropy, relative_entropy
from msda import MixUp, NoMix


@pytest.fixture
def batch():
    stream = torch.Generator().manual_seed(0)
    images = torch.rand(6, 1, 4, 4, generator=stream, dtype=torch.float64)
    logits = torch.randn(6, 5, generator=stream, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 5, (6,), generator=stream)
    counts = torch.randint(1, 40, (6, 5), generator=stream).double()
    return MixUp()(images, generator=stream), logits, labels, counts


def mixed_rows(mixed, rows):
    weight = mixed.weight[:, None]
    return weight * rows + (1 - weight) * rows[mixed.partner]


@pytest.mark.parametrize("kind", ["indices", "counts"])
def test_cross_entropy(batch, kind):
    mixed, logits, labels, counts = batch
    targets = labels if kind == "indices" else counts
    rows = torch.eye(5).double()[labels] if kind == "indices" else counts / counts.sum(1, keepdim=True)
    expected = -(mixed_rows(mixed, rows) * logits.softmax(1).log()).sum(1).mean()
    torch.testing.assert_close(cross_entropy(mixed, logits, targets), expected)


def test_binary_cross_entropy(batch):
    mixed, logits, _, counts = batch
    rows = (counts > 20).double()
    t, p = mixed_rows(mixed, rows), logits.sigmoid()
    expected = -(t * p.log() + (1 - t) * (1 - p).log()).sum(1).mean()
    torch.testing.assert_close(binary_cross_entropy(mixed, logits, rows), expected)


@pytest.mark.parametrize("kind", ["indices", "counts"])
def test_relative_entropy(batch, kind):
    mixed, logits, labels, counts = batch
    targets = labels if kind == "indices" else counts
    rows = torch.eye(5).double()[labels] if kind == "indices" else counts / counts.sum(1, keepdim=True)
    t = 0.9 * mixed_rows(mixed, rows) + 0.1 / 5
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=logits), torch.distributions.Categorical(probs=t)
    ).mean()
    found = relative_entropy(mixed, logits, targets, 0.1)
    torch.testing.assert_close(found, expected)
    assert found > 0
    # nought where the output is the target
    torch.testing.assert_close(
        relative_entropy(mixed, t.log(), targets, 0.1), torch.zeros((), dtype=torch.float64), atol=1e-12, rtol=0
    )


def test_the_other_direction_has_the_gradients_of_cross_entropy(batch):
    # why relative entropy is D(output ‖ target): D(target ‖ output) would train as cross entropy does
    mixed, logits, labels, _ = batch
    t = mixed_rows(mixed, torch.eye(5).double()[labels])
    other = (torch.special.xlogy(t, t) - t * logits.log_softmax(1)).sum(1).mean()
    (first,) = torch.autograd.grad(other, logits)
    (second,) = torch.autograd.grad(cross_entropy(mixed, logits, labels), logits)
    torch.testing.assert_close(first, second)
    (third,) = torch.autograd.grad(relative_entropy(mixed, logits, labels, 0.01), logits)
    assert (third - second).abs().max() > 0.01


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_are_finite_for_extreme_logits(objective):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    mixed = NoMix()(torch.zeros(2, 1, 2, 2))
    loss = OBJECTIVES[objective](mixed, logits, torch.tensor([0, 0]), 0.01)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
