"""Seeds added until all is decided: an analysis is done again with more of them, over the same networks and more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from findings import Result
from findings.comparisons import LOOKS
from findings.decisions import finished
from store import BadInput

__all__ = ["Unasked", "check_until", "until_decided"]


class Unasked(int):
    """A number of seeds that nobody has asked for: the usual one, or that of a look."""


def check_until(config: Any) -> None:
    """Refuse a number of seeds or a smoke run beside ``--until decided``, and a last look without it.

    Args:
        config: of an analysis or a grid of them: ``until``, ``seeds``, ``most`` and ``smoke``.

    Raises:
        BadInput: naming the option.
    """
    if config.until is None:
        if config.most != type(config).most:
            raise BadInput("--most", config.most, "--until decided, to which it belongs")
    elif not isinstance(config.seeds, Unasked):
        raise BadInput("--seeds", f"{config.seeds} beside --until decided", "one of the two")
    elif config.smoke:
        raise BadInput("--smoke", "beside --until decided", "one of the two: a smoke run has one seed")


def until_decided(config: Any, once: Callable[[Any], Result]) -> Result:
    """Do an analysis; with ``--until decided`` at one look after the other, until nothing is open.

    What a look has trained and measured is in the store, so that the next one, or the same command after an
    interruption, goes on from there.

    Args:
        config: of the analysis, a `training.grid.Grid`.
        once: does it with as many seeds as the configuration has.

    Returns:
        What the last look found.
    """
    if config.until is None or config.execution.dry_run:
        return once(config)
    for look in LOOKS:
        result = once(replace(config, seeds=Unasked(look)))
        if finished(replace(config, seeds=Unasked(look)), result.decisions):
            break
    return result
