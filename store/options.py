"""Options by name: where in a configuration they lie, which values fit them, and files that hold some of them.

A file of ``--config`` is one of

- a TOML file with options by their names, ``train-images`` or ``train_images``, in tables named after the parts of the
  configuration (``[data]``, ``[settings]``) or outside of them;
- the ``result.json`` of an analysis, or what ``--json`` wrote: its configuration;
- the record of a run in the store, for the command that makes such runs; or the run's directory.

What is about one machine (`MACHINE`) is taken from a TOML file alone: a record says where something was done, and not
where it is to be done again.
"""

import dataclasses
import itertools
import re
import shlex
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from store.bad_input import BadInput, nearest, perhaps, plain
from store.registry import Registry
from store.runs import SCHEMA, read_json, read_record

__all__ = [
    "MACHINE",
    "Asked",
    "Records",
    "as_python",
    "fitting",
    "in_words",
    "meant_option",
    "option_types",
    "parts_of",
    "read_options",
]

MACHINE = frozenset(
    {"device", "threads", "store", "out", "dry_run", "force", "checkpoint_seconds", "quiet", "json", "workers", "ray"}
)
"""Options that say where and how something is done, and not what."""

FILES = "result.json", "failure.json", "config.json"
"""What a directory of ``--config`` may hold; the first that is there is read."""


class Records(NamedTuple):
    """Runs whose records a command takes its configuration from: those that it makes.

    Args:
        kind: of the runs.
        data: data sets by name, of which a record has the name that tables print.
        load: loads the data set of a configuration's ``data``, which knows its ``identity``.
    """

    kind: str
    data: Registry
    load: Callable[..., Any]


@dataclass(frozen=True)
class Asked:
    """What a file asks for.

    Args:
        path: of the file.
        words: of a command line, after the option's name, by option.
        record: of the run that is to be done again, if the file is one.
        said: options of which the command line says something else.
    """

    path: Path
    words: dict[str, tuple[str, ...]]
    record: Mapping[str, Any] | None = None
    said: frozenset[str] = frozenset()


def parts_of(config: Any) -> dict[str, Any]:
    """The parts of a configuration that are dataclasses, by name."""
    hints = typing.get_type_hints(config)
    kinds = {each.name: hints[each.name] for each in dataclasses.fields(config)}
    return {name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)}


def option_types(config: Any) -> dict[str, Any]:
    """The type of every option by its name, those of the parts among them."""
    hints, parts = typing.get_type_hints(config), parts_of(config)
    found: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        found |= option_types(parts[each.name]) if each.name in parts else {each.name: hints[each.name]}
    return found


def _defaults(config: Any) -> dict[str, Any]:
    """The usual value of every option that has one, by its name.

    Args:
        config: a dataclass, or a part of one with the values that are usual there.
    """
    found: dict[str, Any] = {}
    for each in dataclasses.fields(config):
        made = each.default_factory
        usual = each.default if made is dataclasses.MISSING else made()
        value = usual if isinstance(config, type) else getattr(config, each.name)
        if dataclasses.is_dataclass(value):
            found |= _defaults(value)
        elif value is not dataclasses.MISSING:
            found[each.name] = value
    return found


def fitting(key: str, hint: Any, value: Any, named: Callable[[Any], str]) -> Any:
    """A value as a dataclass holds it: a tuple for a list, a Path for its text.

    Args:
        key: what is blamed.
        hint: the option's type.
        value: of Python's, JSON's or TOML's.
        named: puts the type into words.

    Raises:
        BadInput: a value of another type than the option's.
    """
    kinds = _kinds(hint)
    if isinstance(value, list | tuple):
        value = tuple(Path(each) if isinstance(each, str) and _of_paths(kinds) else each for each in value)
    if isinstance(value, str) and Path in kinds and str not in kinds:
        return Path(value)
    if not any(_is(kind, value) for kind in kinds):
        raise BadInput(key, repr(value)[:80], named(hint))
    return value


def as_python(hint: Any) -> str:
    """The values that an option takes, in Python's words."""
    return " or ".join(map(_named_kind, _kinds(hint)))


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _of_paths(kinds: Iterable[Any]) -> bool:
    return any(typing.get_origin(kind) is tuple and typing.get_args(kind)[0] is Path for kind in kinds)


def _named_kind(kind: Any) -> str:
    """A type as Python calls it, or the values that an option takes."""
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(map(str, typing.get_args(kind)))
    return str(getattr(kind, "__name__", kind)).replace("NoneType", "None")


WORDS = {
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path",
    types.NoneType: "None",
}
"""Types as somebody calls them who does not know Python."""


def in_words(hint: Any) -> str:
    """The values that an option takes.

    Example:
        >>> in_words(int | None), in_words(tuple[float, ...]), in_words(typing.Literal["step", "cosine"] | None)
        ('an integer or None', 'a list, each a number', 'step, cosine or None')
    """
    return _listed(_kinds(hint))


def _listed(kinds: Iterable[Any]) -> str:
    words = [word for kind in kinds for word in _in_words(kind)]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _in_words(kind: Any) -> list[str]:
    if typing.get_origin(kind) is tuple:
        return [f"a list, each {in_words(typing.get_args(kind)[0])}"]
    return choices_of(kind) or [WORDS.get(kind) or _named_kind(kind)]


def choices_of(hint: Any) -> list[str]:
    """The words that an option takes, where they are few."""
    if hint is bool:
        return ["True", "False"]
    if typing.get_origin(hint) is typing.Literal:
        return list(map(str, typing.get_args(hint)))
    return [word for inner in typing.get_args(hint) for word in choices_of(inner)]


def _is(kind: Any, value: Any) -> bool:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _is(typing.get_args(kind)[0], value)
    if origin is typing.Literal:
        return value in typing.get_args(kind)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is(typing.get_args(kind)[0], item) for item in value)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def read_options(
    path: Path,
    config: type[Any],
    program: str,
    name: str,
    records: Records | None = None,
    left_out: tuple[str, ...] = (),
) -> Asked:
    """What a file of ``--config`` asks for.

    Args:
        path: of the file, or a directory with one of `FILES`.
        config: the command's configuration.
        program: ``python -m …``, whose documents are its own.
        name: what it was called.
        records: of runs that are its own too.
        left_out: options of which a document holds what follows from them.

    Raises:
        BadInput: no such file, one of another command's, an option that there is not, or a value of another type.
    """
    made = "the record of a run that it makes" if records else "a result.json that it wrote"
    needed = f"a TOML file (NAME.toml) with options of {name}, or {made}"
    if path.is_dir():
        path = next((path / name for name in FILES if (path / name).exists()), path / FILES[0])
    if path.suffix in (".toml", ".json") and not path.is_file():
        raise BadInput("--config", f"{path}, which is no file", needed)
    if path.suffix == ".toml":
        return Asked(path, _as_words(config, _flat(path, config, _read_toml(path), name)))
    if path.suffix != ".json":
        raise BadInput("--config", f"{path}{'' if path.exists() else ', which is no file'}", needed)
    document = read_json(path)
    if isinstance(document, dict) and "kind" in document:
        record = read_record(path)
        if records is None or record["kind"] != records.kind:
            raise BadInput("--config", f"{path}, the record of a run of kind {str(record['kind'])[:80]!r}", needed)
        return Asked(path, _of_record(path, config, record, records), record)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or "results" not in document:
        raise BadInput("--config", f"{path}, which is no record of ours", needed)
    if document.get("command") != program:
        raise BadInput("--config", f"{path}, which {str(document.get('command'))[:80]} wrote", needed)
    options = _flat(path, config, _table(path, document, "config"), name)
    unasked = MACHINE.union(left_out, ("seeds",) if options.get("until") is not None else ())  # a look's seeds
    usual = _defaults(config)
    # what is usual is left as it is, for some options are refused beside others where somebody asks for them
    told = {key: value for key, value in options.items() if key not in unasked and value != usual.get(key)}
    return Asked(path, _as_words(config, told))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as problem:
        raise BadInput(
            "--config", f"{path}, which is not TOML ({str(problem)[:120]})", "lines such as epochs = 2"
        ) from None


def _table(path: Path, document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise BadInput(str(path), f"a record without {key!r}", "the whole record, as it was written")
    return value


def _flat(path: Path, config: type[Any], table: Mapping[str, Any], program: str) -> dict[str, Any]:
    """The options in a table and in those within it, checked; without those that are None.

    Raises:
        BadInput: naming the file and the key.
    """
    known, parts = option_types(config), parts_of(config)
    found: dict[str, Any] = {}
    for key, value in table.items():
        name, where = key.replace("-", "_"), f"{path}: {key[:80]}"
        if isinstance(value, dict):
            if name not in parts:
                tables = ", ".join(f"[{part}]" for part in parts) or "none"
                raise BadInput(where, "a table", f"tables of {program}: {tables}{perhaps(key, parts)}")
            inner = _flat(path, parts[name], value, program)
        elif name not in known:
            meant = meant_option(key, known)
            needed = f"an option of {program}" + (f"; perhaps {meant}?" if meant else "")
            raise BadInput(where, "a value for what is no option", needed)
        elif value is None:
            continue
        else:
            inner = {name: _fitting_word(where, known[name], value)}
        if twice := next((inner_name for inner_name in inner if inner_name in found), None):
            raise BadInput(f"{path}: {twice}", "two values", "one")
        found |= inner
    return found


def _fitting_word(where: str, hint: Any, value: Any) -> Any:
    """A value of a file, which a command line could hold as well."""
    kinds = tuple(kind for kind in _kinds(hint) if kind is not types.NoneType)  # which a file says by saying nothing
    fit = fitting(where, hint, value, lambda _: _listed(kinds))
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and ("\0" in each or (isinstance(value, list) and each.startswith("-"))):
            raise BadInput(where, repr(each)[:80], "text without a NUL, and in a list none that begins with a hyphen")
        if each == "" and Path in (*kinds, *typing.get_args(hint)):
            raise BadInput(where, "nothing", "a path")
        if isinstance(each, int) and each.bit_length() > LONGEST:
            raise BadInput(where, "an integer of hundreds of digits", "a smaller one")
    return fit


LONGEST = 1024
"""Bits of an integer, with which a command line takes it."""


def _as_words(config: type[Any], options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Options as a command line has them: a switch by its name alone, and only where it is on."""
    kinds = option_types(config)
    words: dict[str, tuple[str, ...]] = {}
    for name, value in options.items():
        if kinds[name] is not bool:
            words[name] = tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)
        elif value:
            words[name] = ()
    return words


def _of_record(
    path: Path, config: type[Any], record: Mapping[str, Any], records: Records
) -> dict[str, tuple[str, ...]]:
    """The words that ask for a run again: its settings, its seed, and its data."""
    known = option_types(config)
    settings = _table(path, record, "config")
    # of a network that has its own number of latents, the record holds what was asked for besides
    settings = dict(settings) | {
        key.removesuffix("_asked"): value for key, value in settings.items() if key.endswith("_asked")
    }
    if isinstance(policy := settings.get("policy"), str):  # somebody else's is recorded with the hash of its source
        settings["policy"] = re.sub(r" [0-9a-f]{16}$", "", policy)
    options = {key: value for key, value in settings.items() if key in known and value is not None}
    options["seed"] = record["seed"]
    fit = {key: _fitting_word(f"{path}: {key}", known[key], value) for key, value in options.items()}
    return _as_words(config, fit) | _data_of(path, config, record, records.data)


def _data_of(path: Path, config: type[Any], record: Mapping[str, Any], known: Registry) -> dict[str, tuple[str, ...]]:
    """The words that ask for a run's data, of which a record has the name that tables print, and what was asked.

    The command that is recorded says which part of a data set was trained on. Whether these are the same images is
    known when they are loaded (`store.command_line`).
    """
    name = str(_table(path, record, "data").get("name"))
    said = _spoken(str(record.get("command")), option_types(parts_of(config)["data"]))
    if "data_name" not in said:
        built_in = next((each for each in known.names() if plain(each) == plain(name)), None)
        said |= {"data": (built_in,)} if built_in else {}
    return said


def _spoken(command: str, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The words that a command line had after options of these names."""
    try:
        words = shlex.split(command)
    except ValueError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for place, word in enumerate(words):
        option, separator, value = word.partition("=")
        name = option.removeprefix("--").replace("-", "_")
        if option.startswith("--") and name in names:
            after = itertools.takewhile(lambda each: not each.startswith("--"), words[place + 1 :])
            found[name] = (value,) if separator else tuple(after)
    return found


ALIASES: dict[str, tuple[str, ...]] = {
    "amp": ("precision bf16",),
    "arch": ("network",),
    "architecture": ("network",),
    "aug": ("augmentation", "augmentations"),
    "augs": ("augmentations", "augmentation"),
    "batch": ("batch-size",),
    "bf16": ("precision bf16",),
    "bs": ("batch-size",),
    "checkpoint": ("model",),
    "ckpt": ("model",),
    "cpu": ("device cpu",),
    "cuda": ("device cuda",),
    "datadir": ("data-root",),
    "dataroot": ("data-root",),
    "dim": ("latents",),
    "eps": ("epsilons",),
    "gpu": ("device cuda",),
    "latentdim": ("latents",),
    "lr": ("learning-rate",),
    "nseeds": ("seeds",),
    "numepochs": ("epochs",),
    "numworkers": ("workers", "threads"),
    "output": ("out",),
    "outputdir": ("out",),
    "outdir": ("out",),
    "root": ("data-root",),
    "savedir": ("out",),
    "wd": ("weight-decay",),
    "workers": ("threads",),
    "zdim": ("latents",),
}
"""What options are called elsewhere, as `plain` writes it: the option, and its value where that is meant too."""


def meant_option(name: str, known: Iterable[str]) -> str:
    """Which option is meant by one that there is not, with hyphens; nothing where that cannot be seen.

    Example:
        >>> [meant_option(name, ["learning_rate", "device", "seeds", "first_seed"]) for name in ("lr", "cuda", "seed")]
        ['learning-rate', 'device cuda', 'seeds']
    """
    options = [each.replace("_", "-") for each in known]
    candidates = ALIASES.get(plain(name), ())
    there = next((each for each in candidates if each.split()[0] in options), "")
    return there or nearest(name, options)
