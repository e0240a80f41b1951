"""Where something may be written, replaced or deleted: the one place that decides.

Below ``--store`` and ``--out`` nothing is written through a link, so that a link which somebody has put there leads
nowhere, and nothing is deleted that does not bear one of our names. What a user names outright, ``--json FILE``, is
written as a shell would: a link is followed, and a device or a pipe is written into and stays what it is.
"""

import errno
import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.bad_input import BadInput

__all__ = [
    "below",
    "deletable",
    "given",
    "in_own_directory",
    "is_plain_name",
    "make_directory",
    "share",
    "write_atomically",
]

OURS = re.compile(
    r"(config|result|failure|tokenizer|transformer)\.json|rows-[\w+-]+\.json|log\.jsonl|weights(-epoch-\d+)?\.safetensors|resume\.pt"
    r"|(logits|verdicts|sums|posterior-[\w+-]+)\.npz|dimensions-[\w+-]+\.csv|\.batch-\d+-\d{5}\.npz",
    re.ASCII,
)
"""Names of the files in a run's directory."""

HALF_WRITTEN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.tmp")
"""Names of what `write_atomically` has not yet moved into its place."""


def given(argument: str, path: Path | str) -> None:
    """Refuse a path for results that is not what its user means.

    A ``~`` that neither the shell nor the command line has replaced would make a folder of that name, or be replaced by
    some of what is called and not by the rest.

    Raises:
        BadInput: blaming ``argument``: nothing, or a path that starts with ``~``.
    """
    if not str(path):
        raise BadInput(argument, "nothing", "a path")
    if Path(path).parts[:1] and Path(path).parts[0].startswith("~"):
        raise BadInput(argument, repr(str(path)), "a path with the home directory written out ($HOME)")


def below(path: Path, root: Path) -> Path:
    """``path``, if what is written there stays below ``root`` and is a file or a directory of its own.

    ``root`` itself may be a link. What is not there yet is no obstacle.

    Raises:
        BadInput: a path that leads out of ``root``, through ``..`` or through a link, or that ends in a link, a device,
            a pipe or a socket.
    """
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ("..",)
    if ".." in parts:
        raise BadInput(str(path), f"a path that leads out of {root}", "one below it")
    step = root
    for name in parts:
        step = step / name
        try:
            mode = step.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return path
        if stat.S_ISLNK(mode):
            got = f"a link to {os.readlink(step)}"
            raise BadInput(str(step), got, f"no link here, for nothing is written through links below {root}")
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise BadInput(str(step), "a device, a pipe or a socket", "a file or a directory")
    return path


def in_own_directory(path: Path) -> Path:
    """``path``, if neither it nor the directory it lies in is a link: where a job writes, ``--out``'s own directories.

    Raises:
        BadInput: as `below`.
    """
    whole = Path(os.path.abspath(path))
    below(whole, whole.parent.parent)
    return path


def is_plain_name(name: object) -> bool:
    """Whether something is the name of a file in a directory, and not a path or worse.

    Example:
        >>> [is_plain_name(name) for name in ("accuracy.png", "../x", "a/b", ".", "a\\nb", 3)]
        [True, False, False, False, False, False]
    """
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\") and name.isprintable()


def deletable(path: Path) -> bool:
    """Whether a path in a run's directory is a file that bears one of our names, finished or half written."""
    half = HALF_WRITTEN.fullmatch(path.name)
    if not OURS.fullmatch(half["name"] if half else path.name):
        return False
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def share(path: Path) -> None:
    """Open a new file or directory to the group where the directory it lies in is a group's, whatever the umask.

    A directory is a group's where the group may write to it and new files get that group (setgid). Another's file is
    left as it is.
    """
    with suppress(OSError):
        around, mode = path.parent.stat().st_mode, path.stat().st_mode
        if around & stat.S_ISGID and around & stat.S_IWGRP:
            os.chmod(path, stat.S_IMODE(mode) | (mode & stat.S_IRWXU) >> 3)


def make_directory(path: Path) -> None:
    """Make a directory and those that it lies in, where they are not there; shared as `share` says."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in reversed(missing):
        share(directory)


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place when the block succeeds, remove it when it fails.

    A link is followed: its target is replaced, and it stays. A device or a pipe is written into: the path that is
    yielded is its own, and nothing is renamed.

    Raises:
        IsADirectoryError: ``path`` is a directory.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        yield target
        return
    make_directory(target.parent)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        share(temporary)
        os.replace(temporary, target)
        _keep_names(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _keep_names(directory: Path) -> None:
    """Bring a directory's names to the disk, without which a power cut undoes a rename; where that can be asked for."""
    with suppress(OSError):
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
