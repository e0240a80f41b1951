"""Whether classifiers trained with a bfloat16 forward pass are as accurate as in single precision, seed by seed.

    python benchmarks/precision.py --augmentations none --seeds 10                       # the digits
    python benchmarks/precision.py --data npz:cifar10_jpeg.npz --data-name 'CIFAR-10 (JPEG)' --train-images 5000 \\
        --width 16 --epochs 200 --schedule cosine --augmentations none --seeds 3

The arguments are those of ``python -m analysis.accuracy``, which trains both kinds (or finds them in the store). Seeds
are pairs: they start from the same weights and see the same images in the same order, mixed alike. bfloat16 is the
default on a CPU with instructions for it once the mean difference is within 0.3 points on the digits (ten seeds) and on
CIFAR-10 (JPEG) (three); how sure that is stands beside it: a 90% interval (paired t) within the margin shows it.
"""

import sys
from dataclasses import replace

import numpy as np
from scipy import stats

from analysis import accuracy
from store.command_line import parse

MARGIN = 0.3
"""Points of accuracy."""


def difference(single: np.ndarray, half: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences, bfloat16 less single precision, and its 90% interval (infinite for one pair)."""
    differences = half - single
    mean, error = differences.mean(), stats.sem(differences) if len(differences) > 1 else np.inf
    width = error * stats.t.isf(0.05, max(len(differences) - 1, 1))
    return float(mean), float(mean - width), float(mean + width)


def main() -> None:
    config = parse(accuracy.Config, accuracy.PROGRAM, sys.argv[1:])
    found = {}
    for precision in ("fp32", "bf16"):
        settings = replace(config.settings, precision=precision)
        out = replace(config.execution, out=config.execution.out / precision)
        rows = accuracy.run(replace(config, settings=settings, execution=out)).rows
        found[precision] = {
            (row["augmentation"], row["seed"]): row["value"]
            for row in rows if row["estimator"] == "accuracy" and row["seed"] is not None
        }  # fmt: skip
    print("| augmentation | pairs | fp32, % | bf16, % | difference, points (90% interval) | within 0.3 |")
    print("|---|---:|---:|---:|---:|---|")
    for name in config.augmentations:
        pairs = [which for which in found["fp32"] if which[0] == name and which in found["bf16"]]
        single, half = (np.array([found[kind][which] for which in pairs]) for kind in ("fp32", "bf16"))
        mean, low, high = difference(single, half)
        shown = max(-low, high) <= MARGIN
        verdict = "shown" if shown else "the mean is, not shown" if abs(mean) <= MARGIN else "no"
        print(
            f"| {name} | {len(pairs)} | {single.mean():.2f} | {half.mean():.2f} | "
            f"{mean:+.2f} ({low:+.2f} to {high:+.2f}) | {verdict} |"
        )


if __name__ == "__main__":
    main()
