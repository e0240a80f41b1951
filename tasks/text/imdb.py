"""IMDb's film reviews as Maas et al. 2011 publish them (Learning word vectors for sentiment analysis, ACL).

Their README says: "There are two top-level directories [train/, test/] corresponding to the training and test sets.
Each contains [pos/, neg/] directories for the reviews with binary labels positive and negative. Within these
directories, reviews are stored in text files named following the convention [[id]_[rating].txt]". Reviews without
labels, in train/unsup/, are left alone.
"""

from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task, text_task
from tasks.text.files import content, decoded, folder_with

__all__ = ["imdb"]

NEEDED = "aclImdb as aclImdb_v1.tar.gz unpacks to it, from https://ai.stanford.edu/~amaas/data/sentiment/"


def imdb(path: Path) -> Task:
    """Film reviews, negative or positive: 25,000 to train on and 25,000 to score.

    Raises:
        BadInput: another folder.
    """
    root = folder_with(path, "train")
    splits = []
    for side in ("train", "test"):
        texts: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(("neg", "pos")):
            files = sorted(file for file in (root / side / name).glob("*.txt") if not file.name.startswith("."))
            if not files:
                raise BadInput("--data", f"imdb:{path} without {side}/{name}/*.txt", NEEDED)
            texts += [decoded(content(file, NEEDED), str(file)) for file in files]
            labels += [label] * len(files)
        splits.append((texts, torch.tensor(labels)))
    return text_task("IMDb", *splits)
