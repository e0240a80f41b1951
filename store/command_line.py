"""The one wrapper around every ``python -m room.command``.

A command is a frozen dataclass ``Config``, a function ``run(config)`` that a notebook calls too, and a call of
`command`. tyro turns the dataclass into options; this wrapper turns every mistake of the user's into one line on
standard error and exit status 2.
"""

import argparse
import contextlib
import dataclasses
import errno
import io
import itertools
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tyro

from store.bad_input import BadInput, positive
from store.places import given, write_atomically
from store.registry import known_as
from store.runs import placeless

__all__ = ["Options", "as_text", "command", "json_document", "parse", "refuse_beside"]

Config = TypeVar("Config")


@dataclass(frozen=True)
class Options:
    """Options that every command has."""

    device: str = "auto"
    """where to compute: auto, cpu, cuda or cuda:N (auto: a CUDA GPU where there is one)"""
    threads: int | None = None
    """CPU threads; results on the CPU are bit-identical only for the same number (None: one per core)"""
    store: Path = Path("runs")
    """the directory of the runs; finished ones in it are reused"""
    out: Path = Path("out")
    """the directory for tables and figures"""
    dry_run: bool = False
    """say what would be trained and what would be reused, then stop"""
    force: bool = False
    """do again what is already there"""
    checkpoint_seconds: float = 60.0
    """time between the checkpoints of a network in training"""
    quiet: bool = False
    """print nothing but what is wrong, and what --json - asks for"""
    json: str | None = None
    """write the results as one JSON document to this file (-: standard output, and the rest to standard error)"""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", self.device):
            raise BadInput("--device", repr(self.device), "auto, cpu, cuda or cuda:N")
        if self.threads is not None:
            positive("--threads", self.threads, MOST_THREADS)
        if not self.checkpoint_seconds >= 0:
            raise BadInput("--checkpoint-seconds", self.checkpoint_seconds, "a number of at least 0")
        given("--store", self.store)
        given("--out", self.out)
        if self.json not in (None, "-"):
            given("--json", self.json)
            _writable_file("--json", self.json)

    def say(self, line: str = "") -> None:
        """Print for a person; to standard error when standard output belongs to the JSON document."""
        if self.quiet:
            return
        print(line, file=sys.stderr if self.json == "-" else sys.stdout, flush=True)

    def write(self, document: dict[str, Any]) -> None:
        """Write the JSON document where ``--json`` wants it, if anywhere."""
        if self.json == "-":
            text = as_text(document)
            # a terminal that is not UTF-8 gets JSON's own escapes, which readers undo
            print(text if _speaks_unicode(sys.stdout) else _escaped(text))
        elif self.json:
            with write_atomically(Path(self.json)) as temporary:
                temporary.write_text(as_text(document) + "\n", encoding="utf-8")


def _speaks_unicode(stream: Any) -> bool:
    return "utf" in (getattr(stream, "encoding", None) or "utf-8").lower()


def _escaped(text: str) -> str:
    """JSON text with what is not ASCII as JSON's escapes: outside ASCII it has nothing but characters of strings."""
    return re.sub(r"[^\x00-\x7f]+", lambda match: json.dumps(match[0])[1:-1], text)


def _writable_file(argument: str, name: str) -> None:
    """Refuse, before any work is done, a name under which no file can be written after it."""
    target = Path(os.path.realpath(name))
    try:
        if target.is_dir() or not target.parent.is_dir() or target.is_symlink():
            raise BadInput(argument, repr(name), "a file in an existing directory, or -")
    except OSError as problem:
        got = f"{name!r} ({os.strerror(problem.errno or 0)})"
        raise BadInput(argument, got, "a file in an existing directory, or -") from None


def parse(
    config: type[Config],
    program: str,
    arguments: Sequence[str] | None = None,
    presets: Callable[[str | None], Config] | None = None,
) -> Config:
    """Parse command-line arguments into ``config``.

    Args:
        config: the dataclass.
        program: its name in messages.
        arguments: of the command line (None: this process's).
        presets: from what ``--preset`` says to the configuration that the other arguments then change.

    Raises:
        BadInput: with tyro's explanation in one line.
        SystemExit: after ``--help``.
    """
    words = [_from_home(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    for place, word in enumerate(words):
        if any("\ud800" <= letter <= "\udfff" for letter in word):  # Python's stand-ins for bytes that are no UTF-8
            option, separator, _ = word.partition("=")
            option = option if separator and option.startswith("--") else words[place - 1] if place else "an argument"
            raise BadInput(option, ascii(word), "text in UTF-8")
    for option in ("--store", "--out", "--json"):  # a Path no longer tells nothing from the working directory
        if f"{option}=" in words or (option, "") in itertools.pairwise(words):
            raise BadInput(option, "nothing", "a path")
    start: Any = {}
    if presets is not None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--preset", nargs="?")
        start = {"default": presets(finder.parse_known_args(words)[0].preset)}
    complaint = io.StringIO()
    width = os.environ.get("COLUMNS")
    help_wanted = {"-h", "--help"} & set(words)
    try:
        if not help_wanted:
            # tyro wraps its complaint into a box as wide as the terminal
            os.environ["COLUMNS"] = str(400 + 2 * max(map(len, words), default=0))
        with contextlib.redirect_stderr(complaint), NUMBERS:
            return tyro.cli(
                config,
                prog=program,
                args=words,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
                **start,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        cause: BaseException | None = stop
        while cause is not None and not isinstance(cause, BadInput):
            cause = cause.__context__
        # a dataclass's own check, which tyro reports under the name of the dataclass, stands for itself
        raise cause or Unparsable(f"{_one_line(complaint.getvalue())} (--help lists every option)") from None
    finally:
        if width is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = width


def _from_home(word: str) -> str:
    """A word of the command line with the home directory written out where the shell does it only for whole words.

    Example:
        >>> _from_home("--store=~/runs") == f"--store={os.path.expanduser('~')}/runs"
        True
    """
    before, path = re.fullmatch(r"((?:--[\w-]+=)?(?:(?:npz|folder):)?)(.*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    return before + os.path.expanduser(path) if re.match(r"~(?=/|$)", path) else word


NUMBERS = tyro.constructors.ConstructorRegistry()
"""How numbers are read: Python's ``int`` and ``float`` take ``1_0`` and other scripts' digits too."""

PLAIN = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?([0-9.]+([eE][+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)}


@NUMBERS.primitive_rule
def _plain_number(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
    kind: Any = info.type
    if kind not in PLAIN:
        return None

    def read(words: list[str]) -> Any:
        if not PLAIN[kind].fullmatch(words[0]) or len(words[0]) > MOST_DIGITS:
            raise ValueError(f"invalid {kind.__name__} value: {words[0][:40]!r}")
        return kind(words[0])

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int if kind is int else (int, float)),
        str_from_instance=lambda value: [str(value)],
    )


MOST_DIGITS = 400
"""Characters of a number: ``int`` refuses more than a few thousand with an exception of its own."""

MOST_THREADS = 4096


class Unparsable(BadInput):
    """Arguments that do not parse; the explanation is tyro's."""

    def __init__(self, explanation: str):
        ValueError.__init__(self, explanation)
        self.argument, self.got, self.needed = explanation, "", ""

    def __reduce__(self) -> Any:
        return type(self), (self.argument,)


def _one_line(box: str) -> str:
    """The first section of tyro's box, as one line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", box)
    lines = [line.strip("│╭╰╮╯ ").strip() for line in text.splitlines()]
    words: list[str] = []
    for line in lines[1:]:
        if not set(line) <= {"─", "-"}:
            words.append(line)
        elif words:  # without the letters for a box, there is a rule under its title too
            break
    suggestion = re.search(r"Perhaps you meant:\W*(--[\w-]+)", text)
    return " ".join(words) + (f"; perhaps {suggestion[1]}?" if suggestion else "")


def refuse_beside(config: Any, option: str, *names: str) -> None:
    """Refuse options that mean nothing beside another one: those of ``names`` that are not as they are by default.

    Raises:
        BadInput: blaming the first of them.
    """
    usual = {field.name: field for field in dataclasses.fields(config)}
    for name in names:
        value, field = getattr(config, name), usual[name]
        made = field.default_factory
        default: Any = field.default if made is dataclasses.MISSING else made()
        if dataclasses.is_dataclass(value) and type(value) is type(default):
            for inner in dataclasses.fields(value):
                _refuse_beside(option, inner.name, getattr(value, inner.name), getattr(default, inner.name))
        else:
            _refuse_beside(option, name, value, default)


def _refuse_beside(option: str, name: str, value: Any, default: Any) -> None:
    if value != default:
        words = " ".join(map(str, value)) if isinstance(value, tuple) else value
        raise BadInput(f"--{name.replace('_', '-')}", f"{words} beside {option}", "one of the two")


def command(
    config: type[Config],
    run: Callable[[Config], Any],
    program: str,
    arguments: Sequence[str] | None = None,
    presets: Callable[[str | None], Config] | None = None,
) -> None:
    """Parse, run and exit: 0 done, 1 a run failed, 2 bad input, 3 diverged, 130 or 143 interrupted, 141 nobody reads.

    ``run`` returns anything; an attribute ``exit_status`` of it, if there is one, becomes the exit status. A
    RuntimeError that has one, as ``training.reuse.Failed`` has, is said in one line too.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal without the letters gets their numbers, and its results
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = run(parse(config, program, arguments, presets))
    except BadInput as mistake:
        _stop(program, str(mistake), 2)
    except MemoryError as problem:
        _stop(program, _out_of_memory(str(problem)), 2)
    except KeyboardInterrupt as interruption:
        _stop(program, str(interruption) or "interrupted", getattr(interruption, "exit_status", 130))
    except RuntimeError as failure:
        if hasattr(failure, "exit_status"):
            _stop(program, str(failure), failure.exit_status)
        if not re.search(OUT_OF_MEMORY, str(failure)):
            raise
        _stop(program, _out_of_memory(str(failure)), 2)
    except BrokenPipeError:  # the reader of our output, `head` say, has gone; what came after was not done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as problem:
        if not problem.errno:
            raise
        where = f"{problem.filename}: " if problem.filename else ""
        needed = _OUTSIDE.get(problem.errno, "another place for what is read or written there")
        _stop(program, f"{where}{os.strerror(problem.errno)}; needs {needed}", 2)
    sys.exit(getattr(result, "exit_status", 0))


_OUTSIDE = {
    errno.ENOSPC: "free space on the disk (finished runs are kept; the same command goes on from there)",
    errno.EDQUOT: "a larger disk quota (finished runs are kept; the same command goes on from there)",
    errno.EROFS: "a writable directory (--store, --out)",
    errno.EACCES: "permission to read and write there",
    errno.ENOENT: "an existing file",
    errno.ENOTDIR: "a directory",
    errno.EISDIR: "a file, not a directory",
    errno.EEXIST: "a directory, or nothing in its place",
    errno.ENXIO: "a file, or a pipe that somebody reads",
    errno.ENAMETOOLONG: "a shorter path",
    errno.ELOOP: "a path without links that lead back to themselves",
    errno.EFBIG: "room for larger files (ulimit -f)",
    errno.ENOLCK: "a file system with locks (--store on another one)",
    errno.EOPNOTSUPP: "a file system with locks (--store on another one)",
}
"""What is needed where the operating system says no."""

OUT_OF_MEMORY = r"allocate memory|[Oo]ut of memory|size calculation overflowed"
"""A pattern of what PyTorch says when there is not enough, or no such thing, to be had."""


def _out_of_memory(problem: str) -> str:
    """What was asked for, where the exception says so, and what to lower."""
    asked = re.search(r"allocate ([\d.,]+ ?(?:[KMGTPE]i?B|bytes))", problem)
    if asked is None:
        got = "more than there is"
    else:
        number = re.fullmatch(r"(\d+) bytes", asked[1])
        got = f"{int(number[1]) / 2**30:,.1f} GiB at once" if number else f"{asked[1]} at once"
    lower = "a smaller --width, --batch-size or --attack-batch-size, or fewer --train-images or --images"
    return f"memory: got a request for {got}; needs {lower}"


def _stop(program: str, line: str, status: int) -> None:
    words = (word if len(word) <= 240 else f"{word[:120]}…{word[-60:]}" for word in line.split())
    print(f"{program}: {' '.join(words)}", file=sys.stderr)
    sys.exit(status)


def json_document(command: str, config: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The document that ``--json`` writes, from a command's ``Config`` and its rows."""
    plain = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return {"schema": 1, "command": command, "config": _placeless(plain), "results": rows}


def _placeless(value: Any) -> Any:
    """A configuration without the directories of its paths, ``npz:/home/me/set.npz`` included."""
    if isinstance(value, dict):
        return {key: _placeless(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_placeless(element) for element in value]
    if isinstance(value, str) and value.startswith("live:"):
        return known_as(value)
    return placeless(value) if isinstance(value, str) else value


def as_text(document: dict[str, Any]) -> str:
    """A document as JSON, an element of a list of objects to a line: a table of rows stays readable, and small."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    parts = []
    for key, value in document.items():
        if isinstance(value, list) and value and all(isinstance(element, dict) for element in value):
            text = "[\n    " + ",\n    ".join(line(element) for element in value) + "\n  ]"
        else:
            text = line(value)
        parts.append(f"  {line(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}"
