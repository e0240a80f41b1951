import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from classifiers.scores import scores


def test_indices_against_scikit_learn():
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 4
    found = scores(logits, labels)
    assert found["accuracy"] == pytest.approx(accuracy_score(labels, logits.argmax(1)))
    assert found["cross_entropy"] == pytest.approx(log_loss(labels, logits.double().softmax(1), labels=range(4)))
    assert found["n"] == 50


def test_soft_rows_count_for_their_largest_class():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    found = scores(logits, torch.tensor([[30.0, 20.0], [6.0, 4.0]]))
    assert found["accuracy"] == 0.5
    p = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))]
    expected = -np.mean([0.6 * math.log(q) + 0.4 * math.log(1 - q) for q in p])
    assert found["cross_entropy"] == pytest.approx(expected)


def test_several_labels():
    labels = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    logits = torch.tensor([[3.0, -1.0, -1.0], [2.0, 2.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -2.0, -1.0]])
    found = scores(logits, labels, multi_label=True)
    assert found["mean_average_precision"] == 1.0  # both classes that occur are ranked right
    assert found["accuracy"] == pytest.approx(11 / 12)
    p = logits.double().sigmoid()
    expected = -(labels * p.log() + (1 - labels) * (1 - p).log()).sum(1).mean()
    assert found["cross_entropy"] == pytest.approx(float(expected))
