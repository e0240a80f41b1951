"""Numbers of networks put together over seeds: mean, standard deviation and how many, with what belongs to them.

Seeds are the replicates. What the networks of a group say beside their values is pooled in one way:

- standard errors over images by their root mean square, because all networks are scored on the same images, whose draw
  does not average out over seeds; unknown where it is unknown of any of them;
- a flag is set where it is of any network; but under-trained are the networks of an augmentation where most of them are
  (`findings.under_trained`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["GROUP", "headlines", "of_networks", "over_seeds"]

GROUP = ("inputs", "augmentation", "noise", "estimator")
"""What tells one number of an analysis from the others, but for seeds."""

FLAGS = ("saturated", "heavy_tailed")
"""Flags of a row that say how far its value can be trusted."""


def of_networks(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of a document that are of single networks, without the means over seeds where there are seeds."""
    frame = pd.DataFrame(results)
    if "seed" in frame and frame["seed"].notna().any():
        return frame[frame["seed"].notna()].reset_index(drop=True)
    return frame.drop_duplicates(ignore_index=True)  # the mean over one model is the model's own row again


def over_seeds(rows: pd.DataFrame | Sequence[Mapping[str, Any]], by: Sequence[str] = GROUP) -> pd.DataFrame:
    """One line for each combination of ``by``, from one row per network: what tables, figures and comparisons take.

    Args:
        rows: with the columns of ``by`` and ``value``, and as far as they are known ``standard_error`` over images,
            ``cap``, ``saturated`` and ``n``, images.
        by: what tells the groups apart; null is a value like any other.

    Returns:
        The columns of ``by`` (``noise`` as numbers, NaN without), in the order of the rows, and ``mean``; ``std`` over
        seeds, NaN for one; ``seeds``; ``image_error``, the root mean square of the standard errors over images, NaN
        where one of them is unknown; ``cap`` and ``n``, the first that is known; ``saturated``, of any network.
    """
    frame = pd.DataFrame(rows)
    frame = frame.assign(**{name: None for name in ("standard_error", "cap", "saturated", "n") if name not in frame})
    frame = frame.assign(saturated=frame["saturated"].eq(True))
    if "noise" in by:
        frame["noise"] = pd.to_numeric(frame["noise"])
    groups = frame.groupby(list(by), sort=False, dropna=False)
    table = groups.agg(
        mean=("value", "mean"),
        std=("value", "std"),
        seeds=("value", "size"),
        cap=("cap", "first"),
        saturated=("saturated", "any"),
        n=("n", "first"),
    )
    # pandas' own mean would leave out what is unknown, and is slow where it is told not to
    squares = pd.to_numeric(frame["standard_error"]).to_numpy(float) ** 2
    group = groups.ngroup().to_numpy()
    means = np.array([squares[group == number].mean() for number in range(len(table))], dtype=float)
    table.insert(3, "image_error", means**0.5)
    return table.reset_index()


def headlines(rows: Sequence[dict[str, Any]], by: Sequence[str] = GROUP) -> list[dict[str, Any]]:
    """`over_seeds` as rows of a document: for each combination of ``by`` the mean, with the standard error of the mean.

    With one seed the standard error is the seed's own, over images. All else is the first seed's, and a flag is null
    where it is known of no seed.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        # a linear VAE's rows also differ in the inputs it was fitted on
        groups.setdefault((*(row[name] for name in by), row.get("fitted_on")), []).append(row)
    return [_headline(group) for group in groups.values()]


def _headline(group: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of one number's rows; sums are numpy's, whose last bit is not always pandas'."""
    values = np.array([row["value"] for row in group])
    several = len(values) > 1
    error = float(values.std(ddof=1)) / math.sqrt(len(values)) if several else group[0]["standard_error"]
    mean = group[0] | {"value": float(values.mean()), "standard_error": error, "seed": None}
    for flag in FLAGS:
        known = [row[flag] for row in group if row.get(flag) is not None]
        mean[flag] = any(known) if known else None
    return mean
