"""Reading ``.npz`` archives without trusting them, and large ones without a second copy.

What an archive promises is looked at before any of it is read: NumPy's own reader inflates a whole member first, so
that a few hundred kilobytes of zeros can ask for any amount of memory only to be refused.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from store import BadInput

__all__ = ["Member", "open_archive", "read_arrays", "read_images"]

SLAB = 2**25
"""Bytes that are read at once."""


@dataclass(frozen=True)
class Member:
    """An array of an archive, of which only the header has been read.

    Args:
        archive: open.
        name: of the array.
        shape: as its header says.
        dtype: as its header says; never one that would be unpickled.
        fortran: whether the first axis is the one that varies fastest.
        start: bytes of the header.
    """

    archive: zipfile.ZipFile
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    start: int

    def open(self) -> IO[bytes]:
        """The archive's stream at the array's first byte."""
        stream = self.archive.open(f"{self.name}.npy")
        stream.read(self.start)
        return stream

    def read(self) -> np.ndarray:
        """The whole array."""
        flat = np.empty(math.prod(self.shape), self.dtype)
        with self.open() as stream:
            _fill(stream, flat)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


@contextmanager
def open_archive(argument: str, path: Path, keys: tuple[str, ...], needed: str) -> Iterator[dict[str, Member]]:
    """Those of ``keys`` that an ``.npz`` archive holds, with their headers read; a fault of the archive is one line.

    Raises:
        BadInput: blaming ``argument``, here or while the arrays are read: no such file, no archive, a member that is no
            array or would be unpickled, a header that promises another size than there is, damage.
    """
    if not path.is_file():
        raise BadInput(argument, f"{path}, where there is no file", needed)
    if not zipfile.is_zipfile(path):
        raise BadInput(argument, f"{path}, which is not an .npz archive, or a truncated one", needed)
    try:
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist())
            yield {key: _member(archive, key) for key in keys if f"{key}.npy" in there}
    except (BadInput, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise half a dozen types for damaged archives and for pickles
        reason = " ".join(str(error).split())[:100]
        raise BadInput(argument, f"{path}, which cannot be read ({reason})", needed) from None


def _member(archive: zipfile.ZipFile, name: str) -> Member:
    with archive.open(f"{name}.npy") as stream:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never unpickled")
    there, promised = archive.getinfo(f"{name}.npy").file_size - start, math.prod(shape) * dtype.itemsize
    if there != promised:
        raise ValueError(f"{name} has {there:,} bytes where its header promises {promised:,}")
    return Member(archive, name, shape, dtype, fortran, start)


def read_arrays(argument: str, path: Path, keys: tuple[str, ...], needed: str) -> dict[str, np.ndarray]:
    """Those of ``keys`` that an ``.npz`` archive holds; never unpickles.

    Raises:
        BadInput: blaming ``argument``, as `open_archive` does.
    """
    with open_archive(argument, path, keys, needed) as members:
        return {key: member.read() for key, member in members.items()}


def read_images(member: Member) -> Tensor:
    """Images (N, C, H, W) of an array N×H×W×C, some at a time: besides the result, only a slab of them is in memory."""
    if member.fortran:
        return torch.from_numpy(member.read().transpose(0, 3, 1, 2).copy())
    count, height, width, channels = member.shape
    images = torch.empty((count, channels, height, width), dtype=torch.uint8)
    at_once = max(SLAB // (height * width * channels), 1)
    slab = np.empty((min(at_once, count), height, width, channels), np.uint8)
    with member.open() as stream:
        for first in range(0, count, at_once):
            some = slab[: count - first]
            _fill(stream, some)
            images[first : first + len(some)] = torch.from_numpy(some).permute(0, 3, 1, 2)
    return images


def _fill(stream: IO[bytes], array: np.ndarray) -> None:
    """Read an array's bytes into it, a slab at a time."""
    if not array.size:
        return
    target = array.reshape(-1).view(np.uint8)
    for first in range(0, len(target), SLAB):
        some = stream.read(min(SLAB, len(target) - first))
        target[first : first + SLAB] = np.frombuffer(some, np.uint8)
