"""Networks of which nothing is claimed, because a linear model of their data is better.

Beside every VAE stands the linear VAE of as many latents that was fitted on inputs like its own; a VAE whose −ELBO is
above that one's is *under-trained*, and so is an augmentation of which most VAEs are.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

__all__ = ["LINEAR", "mostly_under_trained", "networks_of", "under_trained", "with_under_trained"]

LINEAR = "linear-vae"
"""What the linear VAE's rows have in place of an augmentation, or the beginning of it."""


def networks_of(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of networks, without those of linear VAEs, which are fitted once and compared with nothing."""
    return table[~table["augmentation"].astype(str).str.startswith(LINEAR)]


def mostly_under_trained(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> dict[str, bool | None]:
    """Whether an augmentation counts as under-trained: more than half of its VAEs are, of those of which it is known.

    Args:
        rows: of networks at one decoder scale, with ``augmentation``, ``seed`` and, except in older records,
            ``under_trained``: as a frame, or as documents hold them. Linear VAEs and means over seeds take no part.

    Returns:
        By augmentation; None where it is known of none of its VAEs.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    networks = networks_of(frame[frame["seed"].notna()])
    flags: dict[str, bool | None] = {}
    for name, vaes in networks.groupby("augmentation", sort=False):
        by_seed = vaes.groupby("seed")["under_trained"].first() if "under_trained" in vaes else pd.Series(dtype=object)
        known = [bool(flag) for flag in by_seed.dropna()]
        flags[str(name)] = sum(known) > len(known) / 2 if known else None
    return flags


def with_under_trained(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A table over seeds with the column ``under_trained``: `mostly_under_trained` of the rows behind it, or None."""
    flags = mostly_under_trained(rows)
    return table.assign(under_trained=pd.Series([flags.get(name) for name in table["augmentation"]], dtype=object))


def under_trained(table: pd.DataFrame) -> list[str]:
    """The augmentations that are under-trained, of a table with that column."""
    flagged = table[table["under_trained"].eq(True)]  # a list of flags would choose columns where there are no rows
    return [str(name) for name in dict.fromkeys(flagged["augmentation"])]
