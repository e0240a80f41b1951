"""Every estimator by its name, with all that the toolkit needs to know of it.

An estimator is a function from an encoder's output (`analysis.bounds.encoded`) to a `Bound`. Where it is defined,
`estimator` enters it here with what tables call it, which way it bounds, and how it is drawn; command lines, tables,
figures, sentences and the ground truths ask here, so that another estimator is another function in a file.
"""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

from store import BadInput
from store.bad_input import perhaps
from store.registry import Registry, known_as, source_hash, text_of

if TYPE_CHECKING:
    from analysis.bounds.bound import Bound

__all__ = [
    "ESTIMATORS",
    "INFORMATION",
    "SHARED",
    "Direction",
    "Estimator",
    "asked_for",
    "check_estimators",
    "derived",
    "described",
    "estimator",
    "label_of",
    "names_of",
    "sign_of",
    "sources_of",
    "unasked",
]

Direction = Literal["upper", "lower", "estimate"]

INFORMATION = "I(Z;X)"
"""What one encoder's code says about its image."""

SHARED = "I(Z_A;Z_B)"
"""What two encoders' codes of the same image share."""

SIGNS: dict[str, str] = {"upper": "≤", "lower": "≥", "estimate": "≈"}


@dataclass(frozen=True)
class Estimator:
    """What is known of an estimator.

    Args:
        name: stable, in records and command lines.
        compute: from the encoder's output, an `Encoded` or `EncodedPair`, to a `Bound`; None for a number that is made
            of others.
        label: what tables call it.
        direction: which way it bounds ``quantity``.
        quantity: what it is about.
        unasked: whether it is computed where nothing is said of estimators; others are fitted at length, or need a
            package.
        closed_form: whether it needs no code, so that posteriors too narrow for a float64 code have it too.
        noised: whether it is also computed of codes with noise.
        far_above: whether it is an upper bound that may be far above log N, of which data processing may use the
            smallest.
        column: its head in Table 1; empty for one that is not shown there.
        density: what the density of q(z) is called that takes the place of R_m's Gaussian; empty without one.
        ink: its colour and marker beside known information; none for one that is not drawn.
        unusual: what it rests on besides a code, where that is not always there; such a bound is computed when asked
            for.
        package: that has to be installed.
        extra: of this project, with which it is.
    """

    name: str
    compute: Callable[[Any], "Bound"] | None
    label: str
    direction: Direction
    quantity: str = INFORMATION
    unasked: bool = False
    closed_form: bool = False
    noised: bool = False
    far_above: bool = False
    column: str = ""
    density: str = ""
    ink: tuple[str, str] | None = None
    unusual: str = ""
    package: str = ""
    extra: str = ""


ESTIMATORS: dict[str, Estimator] = {}
"""Every estimator by its name, those of one code before those of two, in the order of tables."""

DOORS = Registry(
    "estimator",
    "mixinfo.estimators",
    ESTIMATORS,
    ours=("analysis", "torch"),
    aliases={"kl": "rate", "nce": "infonce", "cpc": "infonce", "loo": "leave_one_out", "gmm": "mixture_marginal"}
    | {name: f"{name}_marginal" for name in ("gaussian", "product", "mixture", "flow")},
)
"""Estimators by the names that a user may give."""

Options = ParamSpec("Options")
Output = TypeVar("Output")


def estimator(
    name: str, **facts: Any
) -> Callable[[Callable[Concatenate[Output, Options], "Bound"]], Callable[Concatenate[Output, Options], "Bound"]]:
    """Enter a function from an encoder's output to a `Bound` among `ESTIMATORS`; ``facts`` are `Estimator`'s fields.

    Example:
        >>> @estimator("twice_the_rate", label="2 R", direction="upper")
        ... def twice_the_rate(encoded):
        ...     return combine("twice_the_rate", [(2.0, rate(encoded))], "upper", "I(Z;X)")
        >>> label_of("twice_the_rate")
        '2 R'
        >>> del ESTIMATORS["twice_the_rate"]
    """

    def enter(
        compute: Callable[Concatenate[Output, Options], "Bound"],
    ) -> Callable[Concatenate[Output, Options], "Bound"]:
        if name in ESTIMATORS and (known := ESTIMATORS[name].compute).__module__ != compute.__module__:
            raise ValueError(f"estimator {name!r}, which {known.__module__} has entered; needs another name")
        ESTIMATORS[name] = Estimator(name, compute, **facts)
        return compute

    return enter


def derived(name: str, label: str, direction: Direction = "estimate", **facts: Any) -> None:
    """Enter a number that is made of other estimators' and has a direction and a column of its own."""
    ESTIMATORS[name] = Estimator(name, None, label, direction, **facts)


def label_of(name: str) -> str:
    """What tables call an estimator; its name, where a record has one that there no longer is."""
    return ESTIMATORS[name].label if name in ESTIMATORS else name


def sign_of(direction: str) -> str:
    """≤ for an upper bound, ≥ for a lower one, ≈ for an estimate."""
    return SIGNS[direction]


def names_of(quantity: str = INFORMATION, keep: Callable[[Estimator], Any] = bool) -> tuple[str, ...]:
    """The estimators of a quantity that can be computed and of which ``keep`` holds, in order."""
    entries = ESTIMATORS.values()
    return tuple(entry.name for entry in entries if entry.compute and entry.quantity == quantity and keep(entry))


def unasked() -> tuple[str, ...]:
    """The estimators of I(Z;X) that are computed where nothing is said of estimators."""
    return names_of(keep=lambda entry: entry.unasked)


def asked_for() -> tuple[str, ...]:
    """Those that are fitted at length, or need another package: computed when asked for."""
    return names_of(keep=lambda entry: not entry.unasked and not entry.unusual)


def described(what: str) -> str:
    """The help of an option that takes names of estimators of I(Z;X)."""
    more = [name + (f" (needs mixinfo[{extra}])" if (extra := ESTIMATORS[name].extra) else "") for name in asked_for()]
    unusual: dict[str, list[str]] = {}
    for name in names_of(keep=lambda entry: entry.unusual):
        unusual.setdefault(ESTIMATORS[name].unusual, []).append(name)
    groups = [f"; {why}: {', '.join(names)}" for why, names in unusual.items()]
    return f"{what}: {', '.join(unasked())}; fitted at length: {', '.join(more)}{''.join(groups)}"


def check_estimators(names: Sequence[str], argument: str) -> tuple[str, ...]:
    """The names in `ESTIMATORS` of estimators of I(Z;X), other people's among them.

    Args:
        names: as a user gives them: in `ESTIMATORS`, of an entry point, ``package.module:NAME`` or ``FILE.py:NAME``,
            where NAME is a function that `estimator` has entered.
        argument: what mistakes are blamed on.

    Raises:
        BadInput: no names, one twice, one that is not of an estimator of I(Z;X), or one whose package is missing.
    """
    entered = tuple(_entered(name, argument) for name in names)
    if not entered or len(set(entered)) != len(entered):
        raise BadInput(argument, " ".join(names) or "nothing", "one or more different names")
    for name in entered:
        missing = ESTIMATORS[name].package
        if missing and importlib.util.find_spec(missing) is None:
            needed = f"pip install 'mixinfo[{ESTIMATORS[name].extra}]'"
            raise BadInput(argument, f"{name} without the package {missing}", needed)
    return entered


def _entered(name: str, argument: str) -> str:
    if name in names_of():
        return name
    if ":" not in name and name not in DOORS.registered():
        all_known = [*names_of(), *DOORS.registered()]
        needed = f"one of {', '.join(all_known)}, package.module:NAME or FILE.py:NAME"
        raise BadInput(argument, repr(name), needed + perhaps(name, all_known, DOORS.aliases))
    function = DOORS.get(name, argument)
    for known in names_of():
        if ESTIMATORS[known].compute is function:
            return known
    needed = "a function that analysis.bounds.estimator has entered as one of I(Z;X)"
    raise BadInput(argument, f"{name}, a {type(function).__name__}", needed)


def sources_of(names: Iterable[str], argument: str) -> dict[str, str]:
    """The source hashes of those estimators that are not built in, by which a changed one is another run."""
    modules = {name: getattr(ESTIMATORS[_entered(name, argument)].compute, "__module__", "") for name in names}
    foreign = {name: module for name, module in modules.items() if not _ours(module)}
    return {known_as(name): source_hash(text_of(module)) for name, module in foreign.items()}


def _ours(module: str) -> bool:
    return module.partition(".")[0] == "analysis"
