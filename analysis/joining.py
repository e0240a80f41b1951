"""Documents that measured the same of different networks, put together: what blocks of seeds are made one record by."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from store import BadInput

__all__ = ["check_joinable", "latest"]

FREE = ("augmentation", "augmentation_source", "augmentations", "augmentation_sources", "seeds", "first_seed")
"""Settings in which documents to be joined may differ."""


def check_joinable(documents: Sequence[Mapping[str, Any]]) -> None:
    """Refuse documents that differ in more than the seeds and augmentations of their networks.

    Raises:
        BadInput: documents of other jobs, settings, data or versions of the analysis.
    """

    def fixed(document: Mapping[str, Any]) -> dict[str, Any]:
        settings = document["about"]["settings"]
        return {"command": document["command"]} | {name: settings[name] for name in settings if name not in FREE}

    first, *others = map(fixed, documents)
    for other in others:
        if (differs := [key for key in first | other if first.get(key) != other.get(key)]) != []:
            got = ", ".join(f"{key} {other.get(key)} beside {first.get(key)}" for key in differs)
            raise BadInput("documents", got, "documents that differ in seeds and augmentations alone")


def latest(items: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The items without those that a later one replaces, which has the same values of ``keys``."""
    return list({tuple(item.get(key) for key in keys): dict(item) for item in items}.values())
