import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from tasks.metrics import SEVERAL, correct, cross_entropies, distributions, scores


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
    found = scores(logits, labels, SEVERAL)
    assert found["mean_average_precision"] == 1.0  # both classes that occur are ranked right
    assert found["accuracy"] == pytest.approx(11 / 12)
    p = logits.double().sigmoid()
    expected = -(labels * p.log() + (1 - labels) * (1 - p).log()).sum(1).mean()
    assert found["cross_entropy"] == pytest.approx(float(expected))


def test_cross_entropies_in_closed_form():
    # probabilities 1/2, 1/4, 1/4: a row's cross entropy is log 2 (h1 + 2 h2 + 2 h3)
    logits = torch.tensor([2.0, 1.0, 1.0]).log().expand(4, 3)
    rows = torch.tensor([[7, 0, 0], [0, 0, 2], [5, 5, 0], [1, 1, 2]])
    expected = [math.log(2) * value for value in (1, 2, 1.5, 1.75)]
    assert cross_entropies(logits, rows).tolist() == pytest.approx(expected)
    assert cross_entropies(logits, 10.0 * rows).tolist() == pytest.approx(expected)  # rows are divided by their sum
    assert cross_entropies(logits, torch.tensor([0, 1, 2, 0])).tolist() == pytest.approx(
        [math.log(2) * value for value in (1, 2, 2, 1)]
    )
    assert distributions(rows).sum(1).tolist() == [1, 1, 1, 1]
    # of a class with a probability that underflows: the difference of the logits
    assert cross_entropies(torch.tensor([[0.0, 2000.0]]), torch.tensor([0])).tolist() == [2000]


def test_an_image_is_right_where_the_largest_logit_is_the_largest_label():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0], [0.0, 1.0, 3.0]])
    assert correct(logits, torch.tensor([0, 2, 2])).tolist() == [True, False, True]
    assert correct(logits, torch.tensor([[3, 4, 0], [0, 9, 8], [1, 0, 2]])).tolist() == [False, True, True]
