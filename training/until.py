"""Seeds added until all is decided: an analysis is done again with more of them, over the same networks and more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from findings import Result
from findings.comparisons import LOOKS
from findings.decisions import finished

__all__ = ["Unasked", "until_decided"]


class Unasked(int):
    """A number of seeds that nobody has asked for: the usual one, or that of a look."""


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
