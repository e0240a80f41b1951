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


def rows_of(values: dict[str, tuple[float, float, float]], seeds: int = 3, spread: float = 0.01) -> list[dict]:
    """Rows of invented VAEs: augmentation -> rate, R_m, InfoNCE."""
    rows = []
    for augmentation, numbers in values.items():
        for seed in range(1, seeds + 1):
            for estimator, value in zip(("rate", "gaussian_marginal", "infonce"), numbers, strict=True):
                lower = estimator == "infonce"
                rows.append(
                    {
                        "quantity": "I(Z;X)", "estimator": estimator, "value": value + spread * (seed - 2),
                        "standard_error": spread, "direction": "lower" if lower else "upper",
                        "cap": 9.21 if lower else None, "saturated": lower and value > 8.21, "n": 10_000,
                        "k": 10_000 if lower else None, "noise": None, "inputs": "clean",
                        "augmentation": augmentation, "seed": seed, "units": "nats",
                    }
                )  # fmt: skip
    return rows


def arrays(classes: int = 4, height: int = 16, width: int = 16, channels: int = 3) -> dict[str, np.ndarray]:
    """Images with a square as bright as their class."""
    rng, found = np.random.default_rng(0), {}
    for part, count in (("train", 80), ("test", 40)):
        labels = np.arange(count) % classes
        images = rng.integers(0, 256, (count, height, width, channels)).astype(np.uint8)
        images[:, :4, :4] = (labels * 255 // (classes - 1))[:, None, None, None]
        found |= {f"{part}_images": images, f"{part}_labels": labels}
    return found
