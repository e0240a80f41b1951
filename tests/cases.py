"""Cases that several test modules share."""

import math

import numpy as np
import pandas as pd


def table_of(groups: dict[str, np.ndarray], image_error: float = 0.0, n: int | None = 100) -> pd.DataFrame:
    """What `compare_augmentations` takes, from the seeds of every augmentation."""
    rows = [
        {"augmentation": name, "mean": values.mean(), "std": values.std(ddof=1) if len(values) > 1 else math.nan}
        | {"seeds": len(values), "image_error": image_error, "n": n}
        for name, values in groups.items()
    ]
    return pd.DataFrame(rows)


def bounds_of(low, high, std=0.0, seeds=3, image_error=0.0):
    """Tables of a lower and an upper bound, from value by augmentation and level."""
    return (
        pd.DataFrame(
            {"augmentation": name, "level": level, "mean": value, "std": std, "seeds": seeds}
            | {"image_error": image_error}
            for (name, level), value in values.items()
        )
        for values in (low, high)
    )
