"""Toxic comments on Wikipedia's talk pages, with six labels each, as Kaggle publishes them (Jigsaw 2018).

Its page says: "train.csv - the training set, contains comments with their binary labels; test.csv - the test set, you
must predict the toxicity probabilities for these comments. To deter hand labeling, the test set contains some comments
which are not included in scoring; test_labels.csv - labels for the test data; value of -1 indicates it was not used for
scoring; (Note: file added after competition close!)". Comments are quoted, and go on over several lines.
"""

import sys
from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task, text_task
from tasks.text.files import columns_of, csv_rows, folder_with, table

__all__ = ["LABELS", "toxic"]

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
"""The labels, in this order."""

NEEDED = (
    "train.csv, test.csv and test_labels.csv of "
    "https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge/data (also as .zip)"
)

UNSCORED = ["-1"] * len(LABELS)


def toxic(path: Path) -> Task:
    """Comments with six labels each, there or not; of the test part, those that were scored.

    Raises:
        BadInput: another folder, or a test comment without labels.
    """
    root = folder_with(path, "train.csv")
    train = [
        (text, _row(labels, where)) for where, (text, *labels) in _rows(root, "train.csv", "comment_text", *LABELS)
    ]
    labels_of = {name: (labels, where) for where, (name, *labels) in _rows(root, "test_labels.csv", "id", *LABELS)}
    test, unscored = [], 0
    for where, (name, text) in _rows(root, "test.csv", "id", "comment_text"):
        if name not in labels_of:
            raise BadInput("--data", f"{where}, with the id {name[:40]!r}, which test_labels.csv does not have", NEEDED)
        labels, place = labels_of[name]
        if labels == UNSCORED:
            unscored += 1
        else:
            test.append((text, _row(labels, place)))
    if not train or not test:
        raise BadInput("--data", f"toxic:{path} without {'test' if train else 'training'} comments", NEEDED)
    if unscored:
        print(f"toxic:{path}: {unscored:,} test comments that were not scored (-1) are left out", file=sys.stderr)
    splits = [([text for text, _ in side], torch.tensor([row for _, row in side])) for side in (train, test)]
    return text_task("Toxic Comments", *splits, several=True)


def _rows(root: Path, name: str, *wanted: str) -> list[tuple[str, list[str]]]:
    """The wanted columns of a table, each row with where it is."""
    rows = columns_of(
        csv_rows(table(root, name, NEEDED), str(root / name)), str(root / name), dict.fromkeys(wanted, "--data")
    )
    return [(f"{root / name}, line {line:,}", row) for line, row in rows]


def _row(labels: list[str], where: str) -> list[float]:
    if not set(labels) <= {"0", "1"}:
        raise BadInput("--data", f"{where}, with the labels {', '.join(labels)[:80]}", "each 0 or 1; " + NEEDED)
    return [float(label) for label in labels]
