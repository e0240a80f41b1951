"""Things by name: ours, those that other packages register, and a user's own in a module or a file.

A name is built in; or an entry point of a group, which a package declares in its ``pyproject.toml``::

    [project.entry-points."mixinfo.mixers"]
    resizemix = "my.mixes:ResizeMix"

or ``package.module:NAME``, which Python must be able to import; or ``FILE.py:NAME``, a file relative to the working
directory or absolute. What is not built in is identified by its source text (`Registry.source`): the name alone says
nothing of what it computes.
"""

import hashlib
import importlib.metadata
import importlib.util
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from store.bad_input import BadInput, perhaps

__all__ = ["Registry", "called", "forget", "known_as", "live", "module_known_as", "source_hash", "text_of"]

Made = TypeVar("Made")

_TEXTS: dict[str, str] = {}
"""The text of the ``FILE.py`` that was run as a module, by the module's name."""


_LIVE: dict[str, Any] = {}
"""Objects that have no name in any file, by the name that they have in this process for a while."""

_COUNT = itertools.count(1)


def live(thing: Any, beside: Iterable[str] = ()) -> str:
    """A name for an object at hand, a network or a mixer, which this process alone understands (see `forget`).

    Args:
        thing: the object.
        beside: names that `known_as` is to tell it from.

    Returns:
        A name that nothing has had before.
    """
    label = re.sub(r"\W", "", getattr(thing, "__name__", type(thing).__name__)) or "object"
    taken = {known_as(name) for name in beside}
    shown = next(
        candidate
        for candidate in itertools.chain((label,), (f"{label}{number}" for number in itertools.count(2)))
        if candidate not in taken
    )
    name = f"live:{shown}#{next(_COUNT)}"
    _LIVE[name] = thing
    return name


def forget(names: Iterable[str]) -> None:
    """Let go of objects that `live` has named."""
    for name in names:
        _LIVE.pop(name, None)


def known_as(name: str) -> str:
    """A name, or several joined by ``+``, as records and tables hold it: a file without the directories it lies in.

    And an object at hand (`live`) without what tells that it is one.

    Example:
        >>> known_as("fmix+/home/me/mixes.py:ResizeMix"), known_as("my.mixes:ResizeMix")
        ('fmix+mixes.py:ResizeMix', 'my.mixes:ResizeMix')
    """
    return "+".join(map(_single_known_as, name.split("+")))


def _single_known_as(name: str) -> str:
    if name.startswith("live:"):
        return name.partition("#")[0].removeprefix("live:")
    return name.rpartition("/")[2] if ".py:" in name else name


def module_known_as(module: str) -> str:
    """An imported module's name as identities hold it; of a file that was run, the file's."""
    return Path(str(sys.modules[module].__file__)).name if module in _TEXTS else module


def text_of(module: str) -> str:
    """The source text of an imported module, or of the file that was run as it; nothing where it cannot be had."""
    try:
        return _TEXTS[module] if module in _TEXTS else inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return ""


def called(function: Callable[[], Made], got: str, argument: str, needed: str) -> Made:
    """What somebody else's code returns; whatever it does instead is one line.

    Raises:
        BadInput: ``argument: got GOT, which ends in KeyError: 'depth'; needs NEEDED``.
    """
    try:
        return function()
    except BadInput:
        raise
    except (Exception, SystemExit) as problem:
        reason = " ".join(str(problem).split())[:160]
        ended = f"which ends in {type(problem).__name__}" + (f": {reason}" if reason else "")
        raise BadInput(argument, f"{got}, {ended}", needed) from None


class Registry:
    """Objects by name.

    Args:
        what: one is called in messages, ``"augmentation"``, say.
        group: of the entry points by which other packages register theirs.
        built_in: objects by name, or ``"module:object"``, which is imported when it is asked for.
        forms: of names that the caller reads itself, for messages: ``("npz:PATH",)``, say.
        ours: packages whose source does not identify anything, beside Python's own.
        aliases: what others call the built-in ones, for messages alone: a run has one name (`store.bad_input.nearest`).
    """

    def __init__(
        self,
        what: str,
        group: str,
        built_in: Mapping[str, Any],
        forms: tuple[str, ...] = (),
        ours: tuple[str, ...] = (),
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.what, self.group, self.built_in, self.forms = what, group, built_in, forms
        self.aliases = aliases or {}
        self.ours = frozenset(ours) | sys.stdlib_module_names

    def registered(self) -> dict[str, str]:
        """``module:object`` by the name under which another package has registered it."""
        points = importlib.metadata.entry_points(group=self.group)
        return {point.name: point.value for point in points if point.name not in self.built_in}

    def names(self) -> list[str]:
        """All names that are known: the built-in ones in their order, then those of other packages."""
        return [*self.built_in, *sorted(self.registered())]

    def needed(self) -> str:
        """What a name may be, for messages."""
        return f"one of {', '.join([*self.names(), *self.forms])}, package.module:NAME or FILE.py:NAME"

    def check(self, name: str, argument: str) -> None:
        """Refuse what can be no name, before anything is loaded.

        Raises:
            BadInput: blaming ``argument``.
        """
        if name in self.built_in or all(name.rpartition(":")) or name in self.registered():
            return
        raise BadInput(argument, repr(name), self.needed() + self.meant(name))

    def meant(self, name: str) -> str:
        """Which name is meant by one that is not known, as the end of a message: `store.bad_input.perhaps`.

        A file's name alone stands for that file in the form that takes it, ``set.npz`` for ``npz:set.npz``.
        """
        suffix = Path(name).suffix.removeprefix(".")
        words = [form.removesuffix(":PATH") for form in self.forms if form.endswith(":PATH")]
        if suffix in words:
            return f"; perhaps {suffix}:{name}?"
        if suffix == "py":
            return f"; perhaps {name}:NAME?"
        return perhaps(name, self.names(), self.aliases)

    def get(self, name: str, argument: str) -> Any:
        """The object of a name.

        Raises:
            BadInput: blaming ``argument``: an unknown name, no such module, file or object, or one that fails.
        """
        if name in _LIVE:
            return _LIVE[name]
        self.check(name, argument)
        thing = self.built_in[name] if name in self.built_in else self._place(name)
        return _from(*self._loaded(thing, argument), argument) if isinstance(thing, str) else thing

    def module(self, name: str, argument: str) -> str:
        """The name in ``sys.modules`` of the module that a name which is not built in leads to.

        Raises:
            BadInput: as `get`.
        """
        if name in _LIVE:
            return getattr(_LIVE[name], "__module__", type(_LIVE[name]).__module__)
        self.check(name, argument)
        return self._loaded(self._place(name), argument)[0].__name__

    def source(self, name: str, argument: str) -> str | None:
        """The text that decides what the object of a name computes; None for what is built in.

        The text is that of the module which the name leads to and, where another one defines the object, of that. What
        these import is not followed.

        Raises:
            BadInput: as `get`.
        """
        if name in self.built_in:
            return None
        module, thing = self.module(name, argument), self.get(name, argument)
        definition = getattr(thing, "__module__", None) or type(thing).__module__
        foreign = {definition} - {module} if definition.partition(".")[0] not in self.ours else set()
        return "\n".join(map(text_of, (module, *foreign)))

    def _place(self, name: str) -> str:
        """``module:object`` or ``FILE.py:object``."""
        return name if ":" in name else self.registered()[name]

    def _loaded(self, place: str, argument: str) -> tuple[ModuleType, str]:
        """The module of ``module:object`` or ``FILE.py:object``, and the object's name."""
        where, _, name = place.rpartition(":")
        if where.endswith(".py"):
            if not Path(where).is_file():
                raise BadInput(argument, f"{place}: {where}, where there is no file", f"a file with the {self.what}")
            return _run_file(Path(where).resolve(), place, argument), name

        def imported() -> ModuleType:
            try:
                return importlib.import_module(where)
            except ModuleNotFoundError as problem:
                needed = "package.module:NAME that Python can import from here (PYTHONPATH), or FILE.py:NAME"
                raise BadInput(argument, f"{place} ({problem})", needed) from None

        return called(imported, place, argument, f"a module with the {self.what} that can be imported"), name


def source_hash(text: str) -> str:
    """Sixteen hexadecimal digits of a source text's SHA-256, as a run's identity holds them."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _run_file(path: Path, place: str, argument: str) -> ModuleType:
    """The module that a file makes, run once for each content in a process."""
    key = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    content = path.read_bytes()
    text = called(lambda: importlib.util.decode_source(content), place, argument, "a file that runs")
    if key in sys.modules and _TEXTS.get(key) == text:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(key)
    sys.modules[key] = module
    try:
        # compiled here, for Python's own cache takes a file of the same second and size for the same
        called(lambda: exec(compile(content, str(path), "exec"), vars(module)), place, argument, "a file that runs")
    except BaseException:
        del sys.modules[key]
        if before is not None:
            sys.modules[key] = before
        raise
    _TEXTS[key] = text
    return module


def _from(module: ModuleType, name: str, argument: str) -> Any:
    where = module_known_as(module.__name__)

    def attribute() -> Any:
        try:
            return getattr(module, name)
        except AttributeError:
            near = perhaps(name, [known for known in vars(module) if not known.startswith("_")])
            raise BadInput(argument, f"{where}:{name}", f"something that {where} has{near}") from None

    return called(attribute, f"{where}:{name}", argument, "a module that can be imported")
