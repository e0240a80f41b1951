"""One directory per run, found by what the run *is* rather than by when it was started.

``<store>/<kind>/<slug>-<hash>/`` holds ``config.json``, ``weights.safetensors``, ``resume.pt`` while the run is under
way, ``log.jsonl``, and at the end ``result.json`` (or ``failure.json``). The hash is over the canonical configuration,
the name and content of the data, and a version per kind of run, never over a path, so the same experiment finds its
own results wherever the store is mounted. There is no shared database: directories can be copied, deleted and written
by several machines at once, and every table is derived from them.

Every file is written beside its place and renamed into it, so that a kill at any moment leaves either the old file or
the new one and never a file that reads as whole and is not.
"""

import errno
import hashlib
import importlib.metadata
import json
import platform
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from store.bad_input import BadInput
from store.places import below, deletable, make_directory, share, write_atomically

__all__ = [
    "SCHEMA",
    "Run",
    "digest_of",
    "evidence",
    "held",
    "list_runs",
    "placeless",
    "provenance",
    "read_record",
    "recorded_file",
    "slug",
    "write_json",
]

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a store that another user owns, or that is mounted to be read."""

SCHEMA = 1
"""Version of the layout of ``result.json``; a directory with another one is refused, not guessed at."""


def write_json(path: Path, document: object) -> None:
    """Write ``document`` as JSON, atomically. NaN and infinities are refused: numbers in records are finite."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file; a damaged one is the user's to know about."""
    needed = "the JSON record this toolkit wrote"
    if not path.is_file():  # a pipe would be waited for, and a device read without end
        raise BadInput(str(path), "something that is no file" if path.exists() else "no file", needed)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and nesting without end
        raise BadInput(str(path), f"a file that is not JSON ({str(error)[:120]})", needed) from None


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded_file(directory: Path, record: Mapping[str, Any], name: str, what: str) -> Path:
    """The path of a file that a finished run has written, which is as the run has left it.

    Args:
        directory: the run's.
        record: its ``result.json``.
        name: of the file in the directory.
        what: it is called in messages, ``"weights"``, say.

    Raises:
        BadInput: the file is missing, or not the one that the record names.
    """
    path, remedy = directory / name, f"the {what} this run wrote; train it again with --force"
    if not path.is_file():
        raise BadInput(str(path), "no file", remedy)
    if digest_of(path) != record["files"].get(name):
        raise BadInput(str(path), "a file whose hash is not the recorded one", remedy)
    return path


def provenance(device: str, threads: int) -> dict[str, Any]:
    """Versions, device and command line of this process, as they go into a record."""
    packages = ["mixinfo", "torch", "torchvision", "numpy", "scikit-learn"]
    # on which tokens and transformers depend, where they are in use
    packages += [name for name in ("tokenizers", "transformers") if name in sys.modules]
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    module = getattr(sys.modules.get("__main__"), "__spec__", None)
    program = f"python -m {module.name.removesuffix('.__main__')}" if module else Path(sys.argv[0]).name
    return {
        "versions": versions,
        "device": device,
        "threads": threads,
        "command": " ".join([program, shlex.join(map(placeless, sys.argv[1:]))]).strip(),
    }


def placeless(word: str) -> str:
    """A word of a command line without the directories of an absolute or parent path, which belong to one machine.

    Example:
        >>> [placeless(word) for word in ("/home/me/runs", "npz:../all of it/set.npz", "--out=/tmp/a b", "a / b")]
        ['runs', 'npz:set.npz', '--out=a b', 'a / b']
    """
    return re.sub(r"(?:^|(?<=[:=,+]))(?:\.\./|/)(?:[^/]+/)*", "", word)


def now() -> str:
    """The time, in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def held(directory: Path) -> bool:
    """Whether another process works in a run's directory at this moment; False where we may not ask."""
    if not (directory / ".lock").is_file() or (directory / ".lock").is_symlink():
        return False
    lock = FileLock(directory / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError as problem:
        if problem.errno not in UNWRITABLE:
            raise
        return False
    lock.release()
    return False


def slug(name: str) -> str:
    """A name as part of a path: letters, digits, ``_``, ``+`` and ``-`` only, so that it can never leave its directory.

    Example:
        >>> slug("../CIFAR-10 (JPEG)")
        '__-CIFAR-10-JPEG'
    """
    return re.sub(r"[^A-Za-z0-9_+-]+", "-", name.replace(".", "_")).strip("-")[:80]


@dataclass(frozen=True)
class Run:
    """A run's directory. Making the object touches nothing on the disk.

    Args:
        store: the store's root.
        kind: what sort of run it is: ``"vae"``, ``"mutual-info"``; also the first folder.
        name: a short readable name, of which `slug` goes into the path.
        identity: everything that decides the result, as JSON values.
        fresh: whether the call that returned this did the run, rather than found it done.
        also: what is recorded from the beginning, and decides nothing.

    Example:
        >>> run = Run(Path("runs"), "vae", "digits fmix/1", {"seed": 1})
        >>> run.path.as_posix()
        'runs/vae/digits-fmix-1-f933ec4a7bd3'
    """

    store: Path
    kind: str
    name: str
    identity: dict[str, Any]
    fresh: bool = field(default=False, compare=False)
    also: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of the canonical identity."""
        canonical = json.dumps(
            {"kind": self.kind, "identity": self.identity}, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def path(self) -> Path:
        """The run's directory."""
        return Path(self.store) / self.kind / f"{slug(self.name)}-{self.hash}"

    @property
    def weights(self) -> Path:
        """Where the trained weights are."""
        return self.path / "weights.safetensors"

    @property
    def resume(self) -> Path:
        """Where the checkpoint of an unfinished run is."""
        return self.path / "resume.pt"

    @property
    def status(self) -> str:
        """One of ``"new"``, ``"partial"``, ``"failed"`` and ``"done"``."""
        for file, status in (("result.json", "done"), ("failure.json", "failed"), ("config.json", "partial")):
            if (self.path / file).exists():
                return status
        return "new"

    def result(self) -> dict[str, Any]:
        """The finished run's record.

        Raises:
            BadInput: the directory was written by another schema version, or holds the record of another run.
        """
        path = self.path / "result.json"
        record = read_record(path)
        identity = json.loads(json.dumps(self.identity))
        odd = [key for key in identity if record.get(key) != identity[key]]
        odd += [key for key in ("metrics", "files") if not isinstance(record.get(key), dict)]
        if odd:
            raise BadInput(str(path), f"a record with another {odd[0]} than this run's", "this run's; --force makes it")
        return record

    def curve(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """The learning curve in a finished run's record; nothing where there is none.

        Args:
            names: of the numbers that every point has.

        Raises:
            BadInput: as `result`, or a point is without one of them: somebody has changed the file.
        """
        points = self.result().get("curve") or []
        for point in points if isinstance(points, list) else [None]:
            if not isinstance(point, dict) or not all(type(point.get(name)) in (int, float) for name in names):
                got, needed = "a learning curve that is none", f"numbers in every point: {', '.join(names)}"
                raise BadInput(str(self.path / "result.json"), got, needed)
        return points

    def failure(self) -> dict[str, Any]:
        """The failed run's record; ``["error"]`` says what happened."""
        return read_record(self.path / "failure.json")

    def check(self) -> None:
        """Refuse a directory in which something would be written or deleted outside the store.

        Raises:
            BadInput: the directory, one that it lies in, or something in it is a link, a device, a pipe or a socket.
        """
        if below(self.path, self.store).is_dir():
            for entry in sorted(self.path.iterdir()):
                below(entry, self.store)

    @contextmanager
    def lock(self, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)) -> Iterator[None]:
        """Hold the run for this process; wait, saying so, while another one has it.

        The lock is the kernel's (``flock``), so a process that dies releases it. Whoever waited must look at
        ``status`` again: the other process has usually finished the run. A finished run that may only be read, another
        user's say, needs no lock.

        Raises:
            BadInput: `check`.
        """
        self.check()
        make_directory(self.path)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(blocking=False)
            share(self.path / ".lock")
        except Timeout:
            say(f"{self.path} is being worked on by another process; waiting for it")
            lock.acquire()
        except OSError as problem:
            if problem.errno not in UNWRITABLE or self.status != "done":
                raise
        try:
            yield
        finally:
            lock.release()

    def busy(self) -> bool:
        """Whether another process holds the run at this moment."""
        return held(self.path)

    def begin(self) -> None:
        """Write ``config.json``, from which the run can be recognised before it has a result.

        Removes what a killed process had half written; the caller holds the lock.
        """
        self.check()
        for leftover in self.path.glob(".*.tmp"):
            if deletable(leftover):
                leftover.unlink()
        head = {"schema": SCHEMA, "kind": self.kind, "name": self.name}
        write_json(self.path / "config.json", head | self.identity | self.also)

    def log(self, row: dict[str, Any]) -> None:
        """Append one row to ``log.jsonl``."""
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(row, allow_nan=False) + "\n")
            share(self.path / "log.jsonl")

    def logged(self) -> list[dict[str, Any]]:
        """The rows of ``log.jsonl`` up to one that was cut short, or that is none of ours."""
        rows = []
        log = self.path / "log.jsonl"
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                break
            if not isinstance(row, dict) or type(row.get("step")) is not int:
                break
            if not isinstance(row.get("watched", {}), dict):
                break
            rows.append(row)
        return rows

    def rewind_log(self, step: int) -> None:
        """Drop the rows after ``step``, which a resumed run will write again, and a last row cut short by a kill."""
        log = self.path / "log.jsonl"
        if not log.exists():
            return
        kept = [json.dumps(row, allow_nan=False) for row in self.logged() if row["step"] <= step]
        with write_atomically(log) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")

    def finish(self, *, metrics: dict[str, Any], started: str, origin: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Write ``result.json``, which makes the run done and has the hashes of its files, and drop the checkpoint.

        Returns:
            The record.

        Raises:
            BadInput: what `begin` had written is gone: somebody has taken the directory away meanwhile.
        """
        if not (self.path / "config.json").is_file():
            raise BadInput(str(self.path), "a directory that was emptied while the run was under way", "it to stay")
        record = self._record(started, origin) | {"metrics": metrics} | more
        record["files"] = {
            file.name: digest_of(file)
            for file in sorted(self.path.iterdir())
            if (file.suffix in {".safetensors", ".npz", ".csv"} and not file.name.startswith("."))
            or file.name in {"tokenizer.json", "transformer.json"}
        }
        write_json(self.path / "result.json", record)
        (self.path / "failure.json").unlink(missing_ok=True)
        self.resume.unlink(missing_ok=True)
        return record

    def fail(
        self, error: str, *, started: str, origin: dict[str, Any], keep_checkpoint: bool = False, **more: Any
    ) -> None:
        """Write ``failure.json``: a run that cannot succeed is a result too, and is not tried again unasked.

        Args:
            error: what happened, in a line.
            started: when.
            origin: `provenance`.
            keep_checkpoint: of a run that may go on from there when it is tried again.
            more: for the record.
        """
        write_json(self.path / "failure.json", self._record(started, origin) | {"error": error} | more)
        if not keep_checkpoint:
            self.resume.unlink(missing_ok=True)

    def retry(self) -> None:
        """Let a failed run be tried again, from its checkpoint if it has one."""
        (self.path / "failure.json").unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what earlier attempts left (``--force``); what does not bear one of our names stays."""
        self.check()
        if self.path.exists():
            for file in self.path.iterdir():
                if deletable(file):
                    file.unlink()

    def _record(self, started: str, origin: dict[str, Any]) -> dict[str, Any]:
        head = {"schema": SCHEMA, "kind": self.kind, "name": self.name, "hash": self.hash}
        return head | self.identity | self.also | {"start": started, "end": now()} | origin


def read_record(path: Path) -> dict[str, Any]:
    """A run's ``config.json``, ``failure.json`` or ``result.json``.

    Raises:
        BadInput: it is not JSON, or was written by another schema version.
    """
    record = read_json(path)
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise BadInput(str(path), f"schema version {schema}", f"schema version {SCHEMA}; move the directory away")
    return _whole(record, str(path))


class _Record(dict[str, Any]):
    """What a record holds by name. A name that it lacks is asked for nowhere else: somebody has changed the file."""

    path = ""

    def __missing__(self, key: str) -> Any:
        raise BadInput(self.path, f"a record without {key!r}", "the whole record, as it was written")


def _whole(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_whole(element, path) for element in value]
    if not isinstance(value, dict):
        return value
    record = _Record({key: _whole(element, path) for key, element in value.items()})
    record.path = path
    return record


def evidence(runs: Iterable[tuple[dict[str, Any], Run]]) -> list[dict[str, Any]]:
    """What stands behind numbers made from finished runs.

    Args:
        runs: each with what it is there for: ``{"augmentation": "fmix", "seed": 1}``, say.

    Returns:
        The same words with the run's ``record``: configuration, data, versions, device, command, metrics, the hashes
        of its files; without its rows and the logits by which it is found.
    """
    rows = []
    for where, run in runs:
        record = {key: value for key, value in run.result().items() if key not in ("rows", "schema", "fixed_logits")}
        rows.append(where | {"record": record})
    return rows


def list_runs(store: Path) -> list[dict[str, Any]]:
    """One row per run directory under ``store``: kind, name, status, its record or configuration, and its path.

    A damaged or foreign record is a row whose status is ``"unreadable"`` and not an error: the listing is what one
    consults when something is wrong.
    """
    rows = []
    for path in sorted(Path(store).glob("*/*")):
        record: dict[str, Any] = {}
        status = "unreadable"
        for file, meaning in (("result.json", "done"), ("failure.json", "failed"), ("config.json", "partial")):
            if (path / file).exists():
                try:
                    record, status = read_record(path / file), meaning
                except (BadInput, OSError) as problem:
                    record = {"error": str(problem)}
                break
        else:
            continue
        rows.append(
            {
                "kind": path.parent.name,
                "name": record.get("name", path.name),
                "status": status,
                "end": record.get("end"),
                "path": path.as_posix(),
                "record": record,
            }
        )
    return rows
