"""The one wrapper around every ``python -m room.command``.

A command is a frozen dataclass ``Config``, a function ``run(config)`` that a notebook calls too, and a call of
`command`. tyro turns the dataclass into options; this wrapper adds ``--config`` and ``--version``, and turns every
mistake of the user's into one line on standard error and exit status 2.
"""

import argparse
import ast
import contextlib
import dataclasses
import errno
import functools
import inspect
import io
import itertools
import json
import math
import os
import re
import shutil
import signal
import sys
import textwrap
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from store.bad_input import BadInput, perhaps, positive
from store.options import Asked, Records, choices_of, in_words, meant_option, option_types, parts_of, read_options
from store.places import given, write_atomically
from store.registry import known_as
from store.runs import placeless
from store.versions import versions_line

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
            # GPUs as others call them: gpu, gpu:0, cuda0, or the number alone
            number = re.fullmatch(r"(?:gpu|cuda)?:?([0-9]{1,3})", self.device, re.IGNORECASE)
            meant = f"; perhaps cuda:{number[1]}?" if number else perhaps(self.device, ("auto", "cpu", "cuda"), GPU)
            raise BadInput("--device", repr(self.device), f"auto, cpu, cuda or cuda:N{meant}")
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
        BadInput: with an explanation in one line.
        SystemExit: after ``--help`` or ``--version``.
    """
    return _parsed(Line(program, presets=presets), config, arguments)[0]


@dataclass(frozen=True)
class Line:
    """What a command's line may say beside its options.

    Args:
        program: ``python -m …``, which made the documents that ``--config`` takes.
        presets: from what ``--preset`` says to the configuration that the other arguments then change.
        records: of runs that ``--config`` takes.
        examples: of command lines, for the help, without the program.
    """

    program: str
    presets: Callable[[str | None], Any] | None = None
    records: Records | None = None
    examples: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program as it was called."""
        return _CALLED_AS[-1] if _CALLED_AS else self.program


_CALLED_AS: list[str] = []
"""What this process was called as, where that is not the program of the command."""


def called_as(name: str) -> None:
    """Let help and messages call the command ``name``: ``mixinfo mutual-info``, say."""
    _CALLED_AS.append(name)


def _parsed(line: Line, config: type[Any], arguments: Sequence[str] | None) -> tuple[Any, Asked | None]:
    """The configuration, and what the file of ``--config`` has asked for of it: what the line does not say itself.

    Raises:
        BadInput: with an explanation in one line.
        SystemExit: after ``--help`` or ``--version``.
    """
    words = [_from_home(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    if {"-h", "--help"} & set(words):
        _help(line, config, words)
    if "--version" in words:
        print(versions_line())
        sys.exit(0)
    words, asked = _with_file(line, config, words)
    if asked is not None and arguments is None:
        sys.argv[1:] = words  # what records hold: what was asked for, and not where that stood
    try:
        return _through_tyro(line, config, words), asked
    except BadInput as mistake:
        raise _of_file(mistake, asked) from None


def _with_file(line: Line, config: type[Any], words: list[str]) -> tuple[list[str], Asked | None]:
    """The words of a command line, with those that the file of ``--config`` stands for in its place."""
    places = [place for place, word in enumerate(words) if word == "--config" or word.startswith("--config=")]
    if not places:
        return words, None
    if len(places) > 1:
        raise BadInput("--config", "two files", "one")
    place = places[0]
    _, separator, name = words[place].partition("=")
    rest = words[:place] + words[place + 1 + (not separator) :]
    name = name if separator else "".join(words[place + 1 : place + 2])
    if not name:
        raise BadInput("--config", "nothing", "a file")
    _check_text(words)
    left_out = ("preset",) if line.presets else ()
    asked = read_options(Path(name), config, line.program, line.name, line.records, left_out)
    said = {word.partition("=")[0].removeprefix("--").replace("-", "_") for word in rest if word.startswith("--")}
    if "preset" in said and asked.path.suffix == ".json":
        raise BadInput("--preset", f"beside --config {asked.path}", "one of the two")
    first = [key for key in _positional(config) if key in asked.words]
    if _has_positional(rest, config):
        said.update(first)
    kept = {key: value for key, value in asked.words.items() if key not in said}
    named = [word for key, value in kept.items() if key not in first for word in _as_option(key, value)]
    positional = [word for key in first if key in kept for word in kept[key]]
    return [*positional, *rest, *named], dataclasses.replace(asked, words=kept, said=frozenset(said))


def _has_positional(words: Sequence[str], config: type[Any]) -> bool:
    """Whether a word stands for itself and is no value of the option before it."""
    kinds = option_types(config)
    values: float = 0  # that the option before still takes
    for word in words:
        if re.match(r"-(?![\d.])", word):
            name, separator, _ = word.removeprefix("--").partition("=")
            kind = kinds.get(name.replace("-", "_"), str)
            several = any(typing.get_origin(each) is tuple for each in (kind, *typing.get_args(kind)))
            values = 0 if separator or kind is bool else math.inf if several else 1
        elif values:
            values -= 1
        else:
            return True
    return False


def _as_option(key: str, values: tuple[str, ...]) -> list[str]:
    option = f"--{key.replace('_', '-')}"
    return [f"{option}={values[0]}"] if len(values) == 1 else [option, *values]


def _of_file(mistake: BadInput, asked: Asked | None) -> BadInput:
    """A mistake that blames the file where an option is blamed that only it has said."""
    key = mistake.argument.removeprefix("--").replace("-", "_")
    if asked is None or not mistake.argument.startswith("--") or key not in asked.words:
        return mistake
    return BadInput(f"{asked.path}: {key}", mistake.got, mistake.needed)


def _check_text(words: Sequence[str]) -> None:
    """Refuse bytes that are no UTF-8, and paths that are nothing, which a Path takes for the working directory.

    Raises:
        BadInput: blaming the option.
    """
    for place, word in enumerate(words):
        if any("\ud800" <= letter <= "\udfff" for letter in word):  # Python's stand-ins for bytes that are no UTF-8
            option, separator, _ = word.partition("=")
            option = option if separator and option.startswith("--") else words[place - 1] if place else "an argument"
            raise BadInput(option, ascii(word), "text in UTF-8")
    for option in ("--store", "--out", "--json"):
        if f"{option}=" in words or (option, "") in itertools.pairwise(words):
            raise BadInput(option, "nothing", "a path")


def _through_tyro(line: Line, config: type[Any], words: list[str], description: str | None = None) -> Any:
    """Let tyro parse the words.

    Raises:
        BadInput: with an explanation in one line.
        SystemExit: after help.
    """
    _check_text(words)
    start: Any = {}
    if line.presets is not None:
        finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        finder.add_argument("--preset", nargs="?")
        start = {"default": line.presets(finder.parse_known_args(words)[0].preset)}
    complaint = io.StringIO()
    width = os.environ.get("COLUMNS")
    try:
        if description is None:
            # tyro wraps its complaint into a box as wide as the terminal
            os.environ["COLUMNS"] = str(400 + 2 * max(map(len, words), default=0))
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                config,
                prog=line.name,
                description=description,
                args=words,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
                registry=_registry(line, config),
                **start,
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        cause: BaseException | None = stop
        while cause is not None and not isinstance(cause, BadInput):
            cause = cause.__context__
        # a dataclass's own check, which tyro reports under the name of the dataclass, stands for itself
        raise cause or _unparsable(_one_line(complaint.getvalue()), config) from None
    finally:
        if width is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = width


def _help(line: Line, config: type[Any], words: list[str]) -> None:
    """Print what the command is for, its options, and examples; then stop."""
    columns = shutil.get_terminal_size().columns
    for paragraph in _paragraphs(config):
        print(textwrap.fill(paragraph, columns, break_on_hyphens=False), end="\n\n")
    try:
        _through_tyro(line, config, words, description="")
    finally:
        if line.examples:
            print("\nexamples:")
            for example in line.examples:
                print(shown_example(f"{line.name} {example}"))


def _paragraphs(kind: Any) -> list[str]:
    """The paragraphs of a docstring, each in one line."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").replace("``", "").split("\n\n")
    return [" ".join(paragraph.split()) for paragraph in paragraphs]


def shown_example(command: str, columns: int = 80) -> str:
    """A command line as an example of it is printed, in lines that a shell joins again.

    Example:
        >>> print(shown_example("mixinfo accuracy --data cifar10 --augmentations none mixup", 40))
          mixinfo accuracy --data cifar10 \\
              --augmentations none mixup
    """
    pieces = re.split(r" (?=--)", command)
    lines = [f"  {pieces[0]}"]
    for piece in pieces[1:]:
        if len(lines[-1]) + len(piece) + 3 <= columns:
            lines[-1] += f" {piece}"
        else:
            lines.append(f"      {piece}")
    return " \\\n".join(lines)


def _from_home(word: str) -> str:
    """A word of the command line with the home directory written out where the shell does it only for whole words.

    Example:
        >>> _from_home("--store=~/runs") == f"--store={os.path.expanduser('~')}/runs"
        True
    """
    before, path = re.fullmatch(r"((?:--[\w-]+=)?(?:(?:npz|folder):)?)(.*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    return before + os.path.expanduser(path) if re.match(r"~(?=/|$)", path) else word


def _registry(line: Line, config: type[Any]) -> tyro.constructors.ConstructorRegistry:
    """How a command's options are read and explained."""
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_plain_number)

    @registry.struct_rule
    def with_help(info: tyro.constructors.StructTypeInfo) -> tyro.constructors.StructConstructorSpec | None:
        if not dataclasses.is_dataclass(info.type):
            return None
        kind: Any = info.type
        fields = _fields_of(kind, info.default)
        if kind is not config:
            return tyro.constructors.StructConstructorSpec(instantiate=kind, fields=fields)

        def made(**values: Any) -> Any:
            return config(**{key: value for key, value in values.items() if key not in ("config", "version")})

        return tyro.constructors.StructConstructorSpec(instantiate=made, fields=(*fields, *_of_every_command(line)))

    return registry


def _fields_of(kind: Any, values: Any) -> tuple[tyro.constructors.StructFieldSpec, ...]:
    """The fields of a dataclass with their help.

    Args:
        kind: the dataclass.
        values: one of it with the values that are usual here, if it is one.
    """
    hints, texts = typing.get_type_hints(kind, include_extras=True), _documented(kind)
    fields = []
    for each in dataclasses.fields(kind):
        made = each.default_factory
        usual = each.default if made is dataclasses.MISSING else made()
        if isinstance(values, kind):
            usual = getattr(values, each.name)
        hint: Any = hints[each.name]
        told = " ".join(_paragraphs(hint)) if dataclasses.is_dataclass(hint) else None
        text, default = _with_default(texts.get(each.name, told), hint, usual)
        if default is not None:
            hint = Annotated[hint, tyro.conf.arg(help_behavior_hint=default)]
        usual = tyro.MISSING_NONPROP if usual is dataclasses.MISSING else usual
        fields.append(tyro.constructors.StructFieldSpec(each.name, hint, usual, text))
    return tuple(fields)


def _with_default(text: str | None, hint: Any, usual: Any) -> tuple[str | None, str | None]:
    """An option's help, and what it says of the default after it; None for what tyro says."""
    if hint is bool and usual is False:
        return text, ""
    if text is not None and (usual is None or usual == ()):
        told = re.sub(r"\((None|nothing|none given): ", "(default: ", text)
        if told != text:
            return told, ""
    return text, "(default: none)" if usual == () else None


@functools.cache
def _documented(kind: Any) -> dict[str, str]:
    """What is written under the fields of a dataclass, each in one line, those of its bases among them.

    tyro reads it too, but it breaks a paragraph where the source does.
    """
    texts = {}
    for base in reversed(kind.__mro__):
        try:
            source = textwrap.dedent(inspect.getsource(base)) if hasattr(base, "__dataclass_fields__") else ""
        except (OSError, TypeError):  # a notebook's
            continue
        statements = [inner for outer in ast.parse(source).body for inner in getattr(outer, "body", [])]
        for statement, after in itertools.pairwise(statements):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                match after:
                    case ast.Expr(ast.Constant(str(text))):
                        texts[statement.target.id] = " ".join(text.split())
    return texts


def _help_of(config: Any) -> dict[str, str]:
    """What is written under every option, those of the parts among them."""
    inner = [_help_of(part) for part in parts_of(config).values()]
    return functools.reduce(dict.__or__, inner, _documented(config))


FILE: Any = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]

SWITCH: Any = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]


def _of_every_command(line: Line) -> tuple[tyro.constructors.StructFieldSpec, ...]:
    """Options that `command` sees to itself."""
    record = ", or from the record of a run that it made (or its directory)" if line.records else ""
    text = f"options from a TOML file, from a result.json that this command wrote{record}; what the command line says "
    text += "counts before them, and a switch that the file sets stays set"
    return (
        tyro.constructors.StructFieldSpec("config", FILE, None, text),
        tyro.constructors.StructFieldSpec("version", SWITCH, False, "show the versions at work and exit"),
    )


PLAIN = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?([0-9.]+([eE][+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)}


def _plain_number(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec[Any] | None:
    """How numbers are read: Python's ``int`` and ``float`` take ``1_0`` and other scripts' digits too."""
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

GPU = {"gpu": "cuda"}
"""What devices are called elsewhere."""


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
    return " ".join(words)


def _unparsable(explanation: str, config: type[Any]) -> Unparsable:
    """What is wrong with a command line, from tyro's explanation: the option, what it got, what it needs."""
    known, end = option_types(config), " (--help lists every option)"
    if match := re.match(r"Unrecognized options: (\S+?)(?:,|$)", explanation):
        if not match[1].startswith("-"):
            return Unparsable(f"{explanation.replace('options', 'words', 1)}{end}")
        meant = meant_option(match[1], known)
        return Unparsable(f"{explanation}{f'; perhaps --{meant}?' if meant else ''}{end}")
    for pattern in COMPLAINTS:
        if match := re.match(pattern, explanation):
            told = match.groupdict()
            option = told.get("option") or next(iter(_positional(config)), "")
            name = option.removeprefix("--").replace("-", "_")
            if name not in known:
                break
            got, needed = told.get("got", "nothing"), in_words(known[name])
            if str in (known[name], *typing.get_args(known[name])):
                needed = _help_of(config).get(name, needed)
            meant = perhaps(got, choices_of(known[name]), {"yes": "True", "on": "True", "no": "False", "off": "False"})
            argument = option if option.startswith("--") else option.upper()
            return Unparsable(f"{argument}: got {got}; needs {needed}{meant}{end}")
    return Unparsable(f"{explanation}{end}")


COMPLAINTS = (
    r"Missing value for argument '(?P<option>\S+)'",
    r"Missing from ",
    r"Error parsing (?P<option>\S+): (?:invalid \w+ value: |.* instantiated from \[)(?P<got>'.*')",
    r"invalid choice (?P<got>'.*') for argument '(?P<option>\S+)'",
)
"""What tyro says of a value that does not fit, or is not there; without an option, the first argument is meant."""


def _positional(config: type[Any]) -> list[str]:
    """The fields that are given without their names."""
    hints = typing.get_type_hints(config, include_extras=True)
    return [name for name, hint in hints.items() if tyro.conf.Positional in getattr(hint, "__metadata__", ())]


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
    records: Records | None = None,
    examples: tuple[str, ...] = (),
) -> None:
    """Parse, run and exit: 0 done, 1 a run failed, 2 bad input, 3 diverged, 130 or 143 interrupted, 141 nobody reads.

    ``run`` returns anything; an attribute ``exit_status`` of it, if there is one, becomes the exit status. A
    RuntimeError that has one, as ``training.reuse.Failed`` has, is said in one line too.

    Args:
        config: the dataclass.
        run: does what the configuration says.
        program: its name in messages, ``python -m …``.
        arguments: of the command line (None: this process's).
        presets: from what ``--preset`` says to the configuration that the other arguments then change.
        records: of runs that ``--config`` takes: those of one kind.
        examples: command lines for the end of the help, without the program.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal without the letters gets their numbers, and its results
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    line = Line(program, presets, records, examples)
    program = line.name
    try:
        configured, asked = _parsed(line, config, arguments)
        try:
            _check_data(records, configured, asked)
            result = run(configured)
        except BadInput as mistake:
            raise _of_file(mistake, asked) from None
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


def _check_data(records: Records | None, config: Any, asked: Asked | None) -> None:
    """Refuse to do a run again on other data than its record's, unless others are asked for.

    Raises:
        BadInput: blaming the file.
    """
    if records is None or asked is None or asked.record is None:
        return
    if asked.said & option_types(type(config.data)).keys():
        return
    identity = records.load(config.data, download=not config.execution.dry_run).identity
    if identity != asked.record["data"]:
        command_line = asked.record.get("command", "")
        needed = "the options of its data" + (f", as its command has them: {command_line}" if command_line else "")
        raise BadInput(f"{asked.path}: data", f"{identity['name']}, whose content is not the record's", needed)


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
