"""Yelp's reviews as Zhang et al. 2015 publish them (Character-level convolutional networks, NeurIPS).

Their README says of the two classes: "The files train.csv and test.csv contain all the training samples as
comma-sparated values. There are 2 columns in them, corresponding to class index (1 and 2) and review text. The review
texts are escaped using double quotes ("), and any internal double quote is escaped by 2 double quotes (""). New lines
are escaped by a backslash followed with an "n" character, that is "\\n"." Of the stars it says the same, with classes
from 1 to 5. There is no row of names.
"""

from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task, text_task
from tasks.text.files import csv_rows, folder_with, table

__all__ = ["yelp_2", "yelp_5"]


def yelp_2(path: Path) -> Task:
    """Reviews of one or two stars, and of three or four: 560,000 to train on and 38,000 to score.

    Raises:
        BadInput: another folder.
    """
    return _yelp(path, "Yelp (2 classes)", "yelp_review_polarity_csv", 2)


def yelp_5(path: Path) -> Task:
    """Reviews by their stars: 650,000 to train on and 50,000 to score.

    Raises:
        BadInput: another folder.
    """
    return _yelp(path, "Yelp (5 classes)", "yelp_review_full_csv", 5)


def _yelp(path: Path, name: str, folder: str, classes: int) -> Task:
    needed = f"{folder} as https://s3.amazonaws.com/fast-ai-nlp/{folder}.tgz unpacks to it"
    root, numbers, splits = folder_with(path, "train.csv"), {str(n + 1): n for n in range(classes)}, []
    for file in ("train.csv", "test.csv"):
        texts, labels = [], []
        for line, row in csv_rows(table(root, file, needed), str(root / file)):
            if len(row) != 2 or row[0] not in numbers:
                got = f"{root / file}, line {line:,}, with {len(row)} fields, the first {row[0][:40]!r}"
                raise BadInput("--data", got, f"a class from 1 to {classes} and a text; {needed}")
            labels.append(numbers[row[0]])
            texts.append(row[1].replace("\\n", "\n"))
        if not texts:
            raise BadInput("--data", f"{root / file}, which has no texts", needed)
        splits.append((texts, torch.tensor(labels)))
    return text_task(name, *splits, classes=classes)
