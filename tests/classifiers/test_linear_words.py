"""The linear model of words beside networks of texts, against a slow one written out."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from classifiers.text.linear import linear_logits
from tasks import text_task

TRAIN = ["good film good", "bad film", "a good one", "bad bad plot", "film of a plot", "fine and good", "bad end"]
LABELS = torch.tensor([1, 0, 1, 0, 0, 1, 0])
SCORED = ["good plot", "bad", "x", "unheard words", "film film good bad"]


def by_hand(train: list[str], labels: np.ndarray, scored: list[str]) -> np.ndarray:
    """Logits of two classes: words of two letters at least, tf·(log((1 + n)/(1 + df)) + 1), rows of length 1, and the
    minimum of Σ log(1 + exp(−y (w·x + b))) + ‖w‖²/2."""

    def words(text: str) -> list[str]:
        return [word for word in text.lower().split() if len(word) > 1]

    known = sorted({word for text in train for word in words(text)})
    rarity = [math.log((1 + len(train)) / (1 + sum(word in words(text) for text in train))) + 1 for word in known]

    def rows(texts: list[str]) -> np.ndarray:
        counts = np.array([[words(text).count(word) for word in known] for text in texts]) * rarity
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-30)

    x, sign = rows(train), 2.0 * labels - 1

    def loss(weights: np.ndarray) -> float:
        return np.logaddexp(0, -sign * (x @ weights[1:] + weights[0])).sum() + weights[1:] @ weights[1:] / 2

    fitted = minimize(loss, np.zeros(1 + len(known)), method="BFGS", options={"gtol": 1e-9}).x
    return rows(scored) @ fitted[1:] + fitted[0]


def test_two_classes_are_those_of_a_regression_written_out():
    logits = linear_logits(text_task("t", (TRAIN, LABELS), (SCORED, torch.zeros(5, dtype=torch.int64))))
    np.testing.assert_allclose((logits[:, 1] - logits[:, 0]).numpy(), by_hand(TRAIN, LABELS.numpy(), SCORED), atol=2e-3)


def test_several_labels_are_regressions_of_their_own_and_one_that_all_have_is_left_at_zero():
    rows = torch.stack([LABELS, 1 - LABELS, torch.ones(7, dtype=torch.int64)], 1).float()
    logits = linear_logits(text_task("t", (TRAIN, rows), (SCORED, rows[:5]), several=True))
    expected = by_hand(TRAIN, LABELS.numpy(), SCORED)
    for column, sign in ((0, 1), (1, -1)):
        np.testing.assert_allclose(logits[:, column].numpy(), sign * expected, atol=2e-3)
    assert not logits[:, 2].any()


def test_a_class_without_training_texts_is_never_said_and_rows_count_for_their_largest():
    labels = 2 * LABELS  # 0 and 2 of four classes
    scored = (SCORED, torch.zeros(5, dtype=torch.int64))
    logits = linear_logits(text_task("t", (TRAIN, labels), scored, classes=4))
    assert logits.shape == (5, 4)
    assert set(logits.argmax(1).tolist()) <= {0, 2}
    soft = torch.nn.functional.one_hot(labels, 4) * 0.6 + 0.1
    again = linear_logits(text_task("t", (TRAIN, soft), (SCORED, torch.full((5, 4), 0.25))))
    assert torch.equal(logits, again)


@pytest.mark.parametrize(("texts", "labels"), [(["a b", "c"], [0, 1]), (["one", "two"], [1, 1])])
def test_there_is_none_of_texts_without_words_or_of_one_class(texts, labels):
    assert linear_logits(text_task("t", (texts, torch.tensor(labels)), (["x"], torch.tensor([0])))) is None
