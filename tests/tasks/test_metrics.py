import math

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from sklearn.metrics import accuracy_score, log_loss, recall_score, roc_auc_score

from tasks.components import rows_of
from tasks.metrics import (
    ACCURACY,
    CROSS_ENTROPY,
    FURTHER,
    MACRO_RECALL,
    ROC_AUC,
    SEVERAL,
    correct,
    cross_entropies,
    distributions,
    headline,
    metrics_of,
    of_components,
    scores,
)
from tasks.task import Component


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


def area_of_several(labels):
    (metric,) = (metric for metric in metrics_of(labels, several=True) if metric.name == ROC_AUC.name)
    return metric


@pytest.mark.parametrize("places", [0, 1, 9])  # rounded logits are often equal
def test_roc_auc_is_scikit_learns(places):
    stream = torch.Generator().manual_seed(places)
    labels = (torch.rand(300, 4, generator=stream) < torch.tensor([0.5, 0.1, 0.02, 0.0])).float()
    logits = (torch.randn(300, 4, generator=stream) + labels).round(decimals=places)
    found = scores(logits, labels, metrics_of(labels, several=True))
    assert found["roc_auc"] == pytest.approx(roc_auc_score(labels[:, :3], logits[:, :3], average="macro"), rel=1e-12)
    two = labels[:, 0].long()
    found = scores(logits[:, :2], two, metrics_of(two, several=False, classes=2))
    expected = roc_auc_score(two, logits[:, 1].double() - logits[:, 0].double())
    assert found["roc_auc"] == pytest.approx(expected, rel=1e-12)
    rows = torch.nn.functional.one_hot(two, 2) * 3.0 + 1.0  # soft ones
    assert scores(logits[:, :2], rows, metrics_of(rows, several=False, classes=2))["roc_auc"] == found["roc_auc"]


def slow_delong(logits, there):
    """The area under the curve and its variance, pair by pair (DeLong, DeLong and Clarke-Pearson 1988)."""
    wins = [[(a > b) + 0.5 * (a == b) for b in logits[~there].tolist()] for a in logits[there].tolist()]
    v10, v01 = np.mean(wins, axis=1), np.mean(wins, axis=0)
    return np.mean(wins), v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)


def test_the_standard_error_over_items_is_delongs():
    stream = torch.Generator().manual_seed(0)
    there = torch.rand(80, generator=stream) < 0.2
    logits = (torch.randn(80, 1, generator=stream) + there[:, None]).round(decimals=1)
    values = area_of_several(there[:, None].float()).values(logits.double(), there[:, None].float())
    area, variance = slow_delong(logits[:, 0], there)
    assert float(values.mean()) == pytest.approx(area, rel=1e-12)
    assert float(values.var(correction=1)) / 80 == pytest.approx(variance * 80 / 79, rel=1e-9)
    # of two classes with these scores it is the same
    both = torch.cat([torch.zeros_like(logits), logits], 1).double()
    assert torch.equal(ROC_AUC.values(both, there.long()), values)
    # of several labels, which depend on each other, the mean of what each says of an item
    labels = torch.stack([there, there.roll(1) | there], 1).float()
    twice = logits.double().expand(80, 2)
    of_each = [area_of_several(labels[:, [k]]).values(twice[:, [k]], labels[:, [k]]) for k in range(2)]
    assert torch.allclose(area_of_several(labels).values(twice, labels), sum(of_each) / 2)


@pytest.mark.parametrize(("shares", "fewer"), [((0.5,), 0.0), ((0.1,), 0.02), ((0.3, 0.05), 0.025)])
def test_intervals_of_roc_auc_hold_as_often_as_they_say(shares, fewer):
    # 95% less, or more, 4 standard errors of 1,000 draws: sound code fails once in 15,000; rare labels have fewer
    stream = torch.Generator().manual_seed(1)
    truth, inside, labels_of = float(ndtr(1 / 2**0.5)), 0, torch.tensor(shares)
    for _ in range(1000):
        common = torch.rand(300, 1, generator=stream)  # labels go together, and so do their logits
        labels = ((common + torch.tensor([0.0, 0.2])[: len(shares)]) % 1 < labels_of).float()
        noise = 0.6 * torch.randn(300, 1, generator=stream) + 0.8 * torch.randn(300, len(shares), generator=stream)
        values = area_of_several(labels).values((labels + noise).double(), labels)
        inside += abs(float(values.mean()) - truth) < 1.96 * float(values.std()) / 300**0.5
    assert 0.95 - fewer - 0.0276 < inside / 1000 < 0.95 - fewer + 0.0276


def test_metrics_that_the_targets_do_not_have_are_left_out():
    names = lambda *arguments: [metric.name for metric in metrics_of(*arguments)]  # noqa: E731
    usual = ["accuracy", "cross_entropy"]
    assert names(torch.tensor([0, 1]), False, 2) == [*usual, "roc_auc"]
    assert names(torch.tensor([1, 1]), False, 2) == usual
    assert names(torch.tensor([0, 1]), False, 3) == names(torch.tensor([0, 1]), False) == usual
    one, none = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.zeros(2, 2)
    assert names(torch.eye(2), True) == [*usual, "mean_average_precision", "roc_auc"]
    assert names(one, True) == [*usual, "mean_average_precision"]
    assert names(none, True) == usual
    found = scores(torch.randn(2, 2), none, metrics_of(none, True))
    assert all(map(math.isfinite, found.values()))


def test_several_labels_are_summed_up_by_roc_auc_where_they_have_it():
    record = {"accuracy": 0.9, "cross_entropy": 0.2, "roc_auc": 0.7, "n": 10}
    assert headline(record) == (ACCURACY, 0.9)
    metric, value = headline(record, several=True)
    assert (metric.name, metric.label, value) == ("roc_auc", "ROC-AUC", 0.7)
    del record["roc_auc"]
    assert headline(record, several=True)[0].name == "accuracy"
    assert headline({"cross_entropy": 0.2}) == (CROSS_ENTROPY, 0.2)


def logits_of(labels: torch.Tensor, right: torch.Tensor, classes: int) -> torch.Tensor:
    """Logits that are right where they are to be, and of the next class elsewhere."""
    said = torch.where(right, labels, (labels + 1) % classes)
    return torch.nn.functional.one_hot(said, classes).double()


def test_macro_recall_is_scikit_learns_over_the_classes_that_occur():
    stream = torch.Generator().manual_seed(0)
    labels = torch.multinomial(torch.tensor([60.0, 20, 10, 5, 1, 0]), 300, True, generator=stream)
    logits = torch.randn(300, 6, generator=stream) + 2 * torch.nn.functional.one_hot(labels, 6)
    occur = labels.unique().tolist()
    expected = recall_score(labels, logits.argmax(1), labels=occur, average="macro")
    assert scores(logits, labels, [MACRO_RECALL])["macro_recall"] == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(accuracy_score(labels, logits.argmax(1)), abs=0.01)
    rows = torch.nn.functional.one_hot(labels, 6) * 3.0 + 1.0  # soft ones count for their largest class
    assert torch.equal(MACRO_RECALL.values(logits, rows), MACRO_RECALL.values(logits, labels))


def test_the_standard_error_of_macro_recall_is_that_of_the_mean_of_shares():
    labels = torch.tensor([0] * 30 + [1] * 8 + [2] * 4 + [3])
    right = torch.rand(43, generator=torch.Generator().manual_seed(3)) < 0.7
    values = MACRO_RECALL.values(logits_of(labels, right, 4), labels)
    shares = [right[labels == number].double().mean() for number in range(4)]
    assert float(values.mean()) == pytest.approx(float(sum(shares)) / 4, rel=1e-12)
    variance = sum(share * (1 - share) / (n - 1) for share, n in zip(shares[:3], (30, 8, 4), strict=True)) / 16
    assert float(values.var(correction=1)) / 43 == pytest.approx(float(variance) * 43 / 42, rel=1e-9)


def test_of_equally_frequent_classes_macro_recall_is_accuracy():
    labels = torch.arange(60) % 5
    right = torch.rand(60, generator=torch.Generator().manual_seed(0)) < 0.6
    logits = logits_of(labels, right, 5)
    assert MACRO_RECALL(logits, labels) == pytest.approx(ACCURACY(logits, labels), rel=1e-12)


@pytest.mark.parametrize(("sizes", "recall", "holds"), [((40,) * 10, 0.8, 0.95), ((60, 40, 25, 15, 5), 0.8, 0.91)])
def test_intervals_of_macro_recall_hold_as_often_as_they_say(sizes, recall, holds):
    # the share within 4 standard errors of 1,000 draws: sound code fails once in 15,000
    stream, inside, classes = torch.Generator().manual_seed(1), 0, len(sizes)
    for _ in range(1000):
        labels = torch.multinomial(torch.tensor(sizes).float(), sum(sizes), True, generator=stream)
        right = torch.rand(len(labels), generator=stream) < recall
        values = MACRO_RECALL.values(logits_of(labels, right, classes), labels)
        inside += abs(float(values.mean()) - recall) < 1.96 * float(values.std()) / len(labels) ** 0.5
    assert abs(inside / 1000 - holds) < 4 * (holds * (1 - holds) / 1000) ** 0.5


def test_macro_recall_is_there_where_it_is_asked_for():
    labels = torch.tensor([0, 1, 2])
    names = lambda **more: [metric.name for metric in metrics_of(labels, False, 3, **more)]  # noqa: E731
    assert names() == ["accuracy", "cross_entropy"]
    assert names(more=tuple(FURTHER)) == ["accuracy", "cross_entropy", "macro_recall"]


COMPONENTS = (Component("root", 4), Component("vowel", 3))


def test_metrics_of_components_item_by_item():
    stream = torch.Generator().manual_seed(0)
    roots, vowels = (torch.randint(one.classes, (80,), generator=stream) for one in COMPONENTS)
    rows = rows_of(torch.stack([roots, vowels], 1), COMPONENTS)
    logits = (torch.randn(80, 7, generator=stream) + 2 * rows).double()
    score = scores(logits, rows, metrics_of(rows, False, 7, COMPONENTS))
    right = [
        (int(line[:4].argmax()) == root, int(line[4:].argmax()) == vowel)
        for line, root, vowel in zip(logits, roots.tolist(), vowels.tolist(), strict=True)
    ]
    assert score["accuracy"] == pytest.approx(np.mean([all(item) for item in right]))
    assert score["root_accuracy"] == pytest.approx(np.mean([item[0] for item in right]))
    assert score["vowel_accuracy"] == pytest.approx(np.mean([item[1] for item in right]))
    assert score["accuracy"] < min(score["root_accuracy"], score["vowel_accuracy"])
    recall = recall_score(vowels, logits[:, 4:].argmax(1), average="macro")
    assert score["vowel_macro_recall"] == pytest.approx(recall, rel=1e-12)
    expected = log_loss(roots, logits[:, :4].softmax(1)) + log_loss(vowels, logits[:, 4:].softmax(1))
    assert score["cross_entropy"] == pytest.approx(expected)
    assert list(score) == [
        "accuracy", "cross_entropy", "root_accuracy", "root_macro_recall", "vowel_accuracy", "vowel_macro_recall", "n",
    ]  # fmt: skip


def test_metrics_of_components_say_what_they_are_of():
    labels = [metric.label for metric in of_components(COMPONENTS)]
    assert labels[:4] == ["accuracy of all components", "cross entropy", "root accuracy", "root macro recall"]
    logits, rows = torch.randn(9, 7).double(), rows_of(torch.zeros(9, 2, dtype=torch.int64), COMPONENTS)
    for metric in of_components(COMPONENTS):
        assert float(metric.values(logits, rows).mean()) == pytest.approx(metric(logits, rows))
