"""Cases that several test modules share."""

import math
from pathlib import Path

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


def distribution(root: Path, group: str, **points: str) -> None:
    """The metadata that pip leaves of a package which declares entry points."""
    info = root / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
