"""Human label counts: CIFAR-10H on demand, or the user's own file.

CIFAR-10H (Peterson et al. 2019, "Human uncertainty makes classification more robust", arXiv 1908.07086) is about 51
human labels for each of CIFAR-10's test images, under CC BY-NC-SA 4.0. It is downloaded to ``--data-root`` when asked
for, checked, and never part of this project.
"""

import hashlib
import io
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from store import BadInput, write_atomically
from tasks import Task
from tasks.arrays import read_arrays

__all__ = ["check_order", "cifar10h", "credit", "made_up", "read_human", "votes_of"]

URL = "https://github.com/jcpeterson/cifar-10h/raw/master/data/cifar10h-counts.npy"
LICENCE = "CIFAR-10H, Peterson et al. 2019: CC BY-NC-SA 4.0 (attribution, no commercial use, share alike)"
SHA256 = "6291dd382f84434ac7233c1d3c1bba7010b614ca8391b848fff4b036b9794f8a"
"""The hash of the 10,000 × 10 counts as bytes, whatever file they came in."""


MOST_VOTES = 1_000_000
"""The most votes for one class of one image: more are no counts."""


def read_human(path: Path) -> tuple[Tensor, Tensor | None]:
    """Counts (N, K) int64, and true labels (N,) if it is an ``.npz`` that has them.

    Args:
        path: an ``.npz``, or an ``.npy`` of the counts alone, as CIFAR-10H's are published.

    Raises:
        BadInput: not such a file, or counts that are no counts.
    """
    needed = "an .npz with counts (N×K, how often humans chose each class) and optionally labels (N), or their .npy"
    if path.is_file() and path.suffix == ".npy":
        try:
            return _checked(np.load(path, allow_pickle=False), None, str(path), needed)
        except BadInput:
            raise
        except (ValueError, EOFError, OSError, MemoryError) as problem:
            reason = " ".join(str(problem).split())[:100]
            raise BadInput("--human", f"{path}, which cannot be read ({reason})", needed) from None
    arrays = read_arrays("--human", path, ("counts", "labels"), needed)
    if "counts" not in arrays:
        raise BadInput("--human", f"{path} without counts", needed)
    return _checked(arrays["counts"], arrays.get("labels"), str(path), needed)


def votes_of(task: Task) -> Tensor:
    """How many raters have chosen each class of each scored item, (N, K) int64, of a task that knows it.

    Raises:
        BadInput: something else, or of other items.
    """
    shape = len(task.test), task.classes
    needed = f"how many raters chose each of {shape[1]} classes for each of {shape[0]:,} scored {task.items}"
    votes = task.votes
    if not isinstance(votes, Tensor) or votes.shape != shape:
        got = tuple(votes.shape) if isinstance(votes, Tensor) else type(votes).__name__
        raise BadInput("--data", f"{task.name} with votes {got}", needed)
    one = task.items.removesuffix("s")
    return _checked(votes.cpu().numpy(), None, f"{task.name}, votes", needed, "--data", one)[0]


def _checked(
    counts: np.ndarray,
    labels: np.ndarray | None,
    source: str,
    needed: str,
    option: str = "--human",
    item: str = "image",
) -> tuple[Tensor, Tensor | None]:
    if counts.ndim != 2 or counts.shape[1] < 2 or counts.dtype.kind not in "biuf":
        raise BadInput(option, f"{source} with counts {counts.shape} {counts.dtype}", needed)
    if not (counts >= 0).all() or not (counts == np.rint(counts)).all():
        raise BadInput(option, f"{source} with negative or fractional counts", needed)
    if not (counts <= MOST_VOTES).all():
        raise BadInput(option, f"{source} with counts up to {counts.max():.3g}", f"at most {MOST_VOTES:,} a class")
    empty = np.flatnonzero(counts.sum(1) == 0)
    if len(empty):
        got = f"{source} where nobody labelled {item} {empty[0]}" + (f" and {len(empty) - 1} more" * (len(empty) > 1))
        raise BadInput(option, got, f"at least one label for every {item}")
    if labels is None:
        return torch.from_numpy(counts.astype(np.int64)), None
    if labels.shape != counts.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise BadInput(option, f"{source} with labels {labels.shape} {labels.dtype}", f"{len(counts)} integers")
    if labels.min() < 0 or labels.max() >= counts.shape[1]:
        got = f"{source} with labels from {labels.min()} to {labels.max()}"
        raise BadInput(option, got, f"classes from 0 to {counts.shape[1] - 1}")
    return torch.from_numpy(counts.astype(np.int64)), torch.from_numpy(labels.astype(np.int64))


def cifar10h(root: Path, *, download: bool = True) -> Tensor:
    """Counts (10,000, 10) in the order of CIFAR-10's test set, from ``root`` or else, if it may be, downloaded to it.

    Raises:
        BadInput: no network, or another content than the published one.
    """
    path = root / "cifar10h-counts.npy"
    needed = "a network connection, or the counts with --human FILE.npz"
    if path.is_file():
        raw = path.read_bytes()
    elif not download:
        raise BadInput("--human", f"nothing, and no CIFAR-10H under {root}", "the same command without --dry-run")
    else:
        print(f"downloading {URL} to {path}; {LICENCE}", file=sys.stderr)
        try:
            with urllib.request.urlopen(URL, timeout=60) as answer:
                raw = answer.read()
        except (urllib.error.URLError, OSError) as problem:
            raise BadInput("--human", f"nothing, and CIFAR-10H cannot be downloaded ({problem})", needed) from None
    try:
        counts = np.load(io.BytesIO(raw), allow_pickle=False)
        digest = _digest(counts)
    except (ValueError, EOFError, OSError):
        digest = "an unreadable array"
    if digest != SHA256:
        raise BadInput("--human", f"{path}, whose counts are not those published ({digest[:12]}…)", needed)
    if not path.is_file():
        with write_atomically(path) as temporary:
            temporary.write_bytes(raw)
    return torch.from_numpy(counts.astype(np.int64))


def _digest(counts: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(counts).astype(np.uint8).tobytes()).hexdigest()


def credit(counts: Tensor) -> str:
    """What must be said of counts wherever they are used: CIFAR-10H's licence, nothing of others."""
    return f"{LICENCE}." if _digest(counts.numpy()) == SHA256 else ""


def made_up(labels: Tensor, classes: int) -> Tensor:
    """Counts (N, classes) of 50 votes an image, nine in ten for its label: for smoke runs, which say nothing of humans.

    The same for the same labels.
    """
    generator = torch.Generator().manual_seed(1)
    shares = torch.full((len(labels), classes), 0.1 / (classes - 1))
    shares[torch.arange(len(labels)), labels] = 0.9
    votes = torch.multinomial(shares, 50, replacement=True, generator=generator)
    return torch.zeros(len(labels), classes, dtype=torch.int64).scatter_add_(1, votes, torch.ones_like(votes))


def check_order(counts: Tensor, human_labels: Tensor | None, labels: Tensor) -> None:
    """Refuse human labels that are of other images, or of the same in another order.

    With the humans' own file of true labels, every one must agree; without, humans must agree with nine labels in ten
    (they do with 99.2% of CIFAR-10's).

    Raises:
        BadInput: they do not.
    """
    if len(counts) != len(labels):
        raise BadInput("--human", f"counts of {len(counts):,} images", f"those of the {len(labels):,} scored images")
    expected = counts.argmax(1) if human_labels is None else human_labels
    agree = float((expected == labels).double().mean())
    if agree < (0.9 if human_labels is None else 1.0):
        who = "humans" if human_labels is None else "its labels"
        raise BadInput(
            "--human",
            f"counts of images in another order ({who} agree with {agree:.1%} of the true labels)",
            "the order of the scored images",
        )
