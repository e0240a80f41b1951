"""The IDX files of the MNIST family, as their authors and Debian's packages publish them."""

import gzip
from pathlib import Path

import numpy as np

from store import BadInput
from tasks.labels import of_arrays
from tasks.task import Task

__all__ = ["read_idx"]


def read_idx(directory: Path, name: str) -> Task:
    """The four IDX ``.gz`` files of a data set.

    Raises:
        BadInput: a file is missing, truncated or not IDX.
    """
    splits = []
    for split in ("train", "t10k"):
        arrays = []
        for content, dimensions in (("images", 3), ("labels", 1)):
            path = directory / f"{split}-{content}-idx{dimensions}-ubyte.gz"
            try:
                raw = gzip.decompress(path.read_bytes())
                if raw[:4] != bytes((0, 0, 8, dimensions)):
                    raise ValueError("not an IDX file of bytes")
                shape = np.frombuffer(raw, ">i4", dimensions, 4)
                arrays.append(np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape))
            except (OSError, EOFError, ValueError) as error:
                raise BadInput("--data", f"{path} ({error})", f"the IDX files of {name}") from None
        splits.append((arrays[0][..., None], arrays[1]))
    return of_arrays(name, *splits)
