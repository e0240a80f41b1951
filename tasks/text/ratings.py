"""Film snippets with the score of every rater (Hutto and Gilbert 2014): ``ratings-5`` and ``ratings-5-raters``.

They lie in an archive within the sdist of vaderSentiment, whose README says of them: "includes 10,605 sentence-level
snippets from rotten.tomatoes.com" (movieReviewSnippets_GroundTruth.txt, "tab delimited with ID, MEAN-SENTIMENT-RATING,
and TEXT-SNIPPET"), and "FORMAT: the file is tab delimited with ID, MEAN-SENTIMENT-RATING, STANDARD DEVIATION, and
RAW-SENTIMENT-RATINGS" (movieReviewSnippets_anonDataRatings.txt). A score is a whole number from −4 to 4; a snippet has
15 to 29 of them.

Texts and raters are put into five ordered classes by the same four cuts: the quintiles of all *scores* of training
texts. Quintiles of the texts' means would make classes of one size, but the one from −1.94 to −1.17 could have no vote,
for no whole number lies in it. The cuts here lie half-way between two scores: no vote falls on one.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from tasks.task import Task, text_task
from tasks.text.files import decoded
from tasks.text.packages import Package, inside, member
from tasks.text.splits import distinct, fifth, say

__all__ = ["ratings_5", "ratings_5_raters"]

VADER = Package(
    "vaderSentiment",
    "additional_resources/hutto_ICWSM_2014.tar.gz",
    "[vV]ader[sS]entiment-*.tar.gz",
    "pip download --no-deps --no-binary :all: vaderSentiment==3.3.2 -d {root}",
)

CLASSES = 5

LOWEST, HIGHEST = -4, 4


class Snippets(NamedTuple):
    """Rated texts.

    Args:
        texts: N of them.
        means: (N,), each one's mean score.
        scores: of each of its raters, N lists.
    """

    texts: list[str]
    means: Tensor
    scores: list[list[int]]


def ratings_5(path: Path | None = None, root: Path = Path("data")) -> Task:
    """Snippets in five ordered classes of their mean score, with the votes of the raters of the test texts.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    return _task("Rated film snippets", "ratings-5", path, root, soft=False)


def ratings_5_raters(path: Path | None = None, root: Path = Path("data")) -> Task:
    """The same snippets and split, with rows of the shares of raters who chose each class as targets.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    return _task("Rated film snippets (raters' shares)", "ratings-5-raters", path, root, soft=True)


def _task(name: str, word: str, path: Path | None, root: Path, *, soft: bool) -> Task:
    read = _snippets(*member(VADER, path, root), VADER.needed(root))
    # the first of equal texts is kept, whatever others' scores are
    kept, repeated = distinct(read.texts, read.means)
    # fifths of all means make the split even, and nothing else
    sides = fifth(torch.bucketize(read.means[kept], _quintiles(read.means[kept])), word)
    train, test = (kept[side].tolist() for side in sides)
    say(word, repeated, len(test), len(kept))
    cuts = _quintiles(torch.tensor([score for place in train for score in read.scores[place]])) + 0.5
    splits = []
    for side in (train, test):
        votes = torch.stack([_votes(read.scores[place], cuts) for place in side])
        targets = votes / votes.sum(1, keepdim=True) if soft else torch.bucketize(read.means[side], cuts)
        splits.append(([read.texts[place] for place in side], targets))
    return text_task(name, *splits, classes=CLASSES, votes=votes)  # of the last side, the test texts


def _quintiles(values: Tensor) -> Tensor:
    """The four of the values, none between two of them, at or below which a fifth of all lie, two fifths, and so on."""
    shares = torch.arange(1, CLASSES, dtype=torch.float64) / CLASSES
    return torch.from_numpy(np.quantile(values.numpy(), shares.numpy(), method="inverted_cdf"))


def _votes(scores: list[int], cuts: Tensor) -> Tensor:
    """(K,), how many scores lie in each class: below the first cut, between it and the second, and so on."""
    return torch.bucketize(torch.tensor(scores, dtype=cuts.dtype), cuts).bincount(minlength=CLASSES)


def _snippets(archive: bytes, shown: str, needed: str) -> Snippets:
    files = []
    for kind, columns in (("GroundTruth", 3), ("anonDataRatings", 4)):
        name = f"hutto_ICWSM_2014/movieReviewSnippets_{kind}.txt"
        text = decoded(inside(archive, name, shown, needed), f"{shown}, {name}")
        rows = [line.split("\t") for line in text.replace("\r\n", "\n").split("\n") if line]
        if not rows or any(len(row) != columns for row in rows):
            raise BadInput("--data", f"{shown}, {name}, whose rows are not of {columns} fields each", needed)
        files.append({row[0]: row[1:] for row in rows})
    truth, raters = files
    try:
        means = torch.tensor([float(row[0]) for row in truth.values()], dtype=torch.float64)
        scores = [json.loads(raters[key][2]) for key in truth]
        if not all(row and all(type(score) is int and LOWEST <= score <= HIGHEST for score in row) for row in scores):
            raise ValueError("a score that is no whole number from -4 to 4")
    except (KeyError, ValueError, TypeError) as problem:
        got = f"{shown}, whose ratings are others ({type(problem).__name__}: {str(problem)[:100]})"
        raise BadInput("--data", got, needed) from None
    return Snippets([row[1] for row in truth.values()], means, scores)
