"""Rows of numbers, one a network, put together over seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["headlines", "of_networks", "over_seeds"]


def of_networks(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of a document that are of single networks, without the means over seeds where there are seeds."""
    frame = pd.DataFrame(results)
    if "seed" in frame and frame["seed"].notna().any():
        return frame[frame["seed"].notna()].reset_index(drop=True)
    return frame.drop_duplicates(ignore_index=True)  # the mean over one model is the model's own row again


def over_seeds(rows: pd.DataFrame, by: Sequence[str] = ("augmentation",)) -> pd.DataFrame:
    """What `findings.comparisons.compare_augmentations` takes, from one row per network.

    Args:
        rows: with the columns of ``by``, ``value``, ``standard_error`` over images (NaN unknown) and ``n``, images.
        by: what tells the groups apart.

    Returns:
        The columns of ``by``, ``mean``, ``std`` over seeds, ``seeds``, ``image_error``, the root mean square over
        seeds of the standard error, and ``n``.
    """
    rows = rows.assign(square=pd.to_numeric(rows["standard_error"]) ** 2)
    found = rows.groupby(list(by), sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), seeds=("value", "size"),
        image_error=("square", lambda squares: squares.mean(skipna=False)), n=("n", "first"),
    )  # fmt: skip
    return found.assign(image_error=found["image_error"] ** 0.5).reset_index()


def headlines(
    rows: list[dict[str, Any]], by: Sequence[str] = ("inputs", "augmentation", "estimator", "noise")
) -> list[dict[str, Any]]:
    """One row for each combination of ``by``: the mean over seeds, with the standard error of that mean.

    With one seed the standard error is the seed's own, over images.
    """
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        # a linear VAE's rows also differ in the inputs it was fitted on
        grouped.setdefault((*(row[name] for name in by), row.get("fitted_on")), []).append(row)
    result = []
    for same in grouped.values():
        values = np.array([row["value"] for row in same])
        error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else same[0]["standard_error"]
        own = {"value": float(values.mean()), "standard_error": error, "seed": None}
        for flag in ("saturated", "heavy_tailed"):
            known = [row[flag] for row in same if row.get(flag) is not None]
            own[flag] = any(known) if known else None
        result.append(same[0] | own)
    return result
