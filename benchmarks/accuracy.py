"""Every bound against linear-Gaussian encoders of known information.

    python benchmarks/accuracy.py [--n 10000] [--replicates 20]

For each true I and dimension: the mean of every estimator over replicates (other images, other codes), how many of its
own standard errors that mean lies on the wrong side of the truth (negative: on the right side), and the mean reported
standard error over the spread between replicates, where nothing is saturated. The spread of 20 replicates is itself
known to 16%, and the encoders of one dimension share their random numbers; the last line pools the ratios.
"""

import argparse
import math

import torch
from tqdm import tqdm

from analysis.bounds import Encoded, bounds_of, sample_codes
from analysis.bounds.estimators import unasked
from analysis.ground_truth import linear_gaussian

TRUTHS = [(d, i) for d in (2, 16, 64) for i in (1.0, 3.0, 6.0, 9.0, 20.0)] + [(64, 70.0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--replicates", type=int, default=20)
    options = parser.parse_args()
    print(
        f"N = {options.n:,}, {options.replicates} replicates; mean (wrong side, in its s.e.; reported s.e. / spread)\n"
    )
    print("| d | true I | " + " | ".join(unasked()) + " |")
    print("|---:|---:|" + "---:|" * len(unasked()))
    ratios: dict[str, list[float]] = {name: [] for name in unasked()}
    worst = -math.inf
    for d, truth in tqdm(TRUTHS, disable=None):
        found: dict[str, list] = {name: [] for name in unasked()}
        for seed in range(options.replicates):
            posterior = linear_gaussian(options.n, d, truth, seed)
            for bound in bounds_of(Encoded(posterior, sample_codes(posterior, seed)), unasked()):
                found[bound.estimator].append(bound)
        cells = []
        for name in unasked():
            values = torch.tensor([bound.value for bound in found[name]], dtype=torch.float64)
            mean, spread = float(values.mean()), max(float(values.std()), 1e-12)  # InfoNCE at its cap has none
            wrong = (truth - mean if found[name][0].direction == "upper" else mean - truth) / spread
            wrong *= math.sqrt(len(values))
            worst = max(worst, wrong)
            cell = f"{mean:.3f} ({wrong:+.1f}; " if wrong > -99 else f"{mean:.3f} (< -99; "
            if any(bound.saturated for bound in found[name]):
                cells.append(cell + "saturated)")
                continue
            ratio = sum(bound.standard_error for bound in found[name]) / len(values) / spread
            ratios[name].append(ratio)
            cells.append(cell + f"{ratio:.2f})")
        print(f"| {d} | {truth:g} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nlargest excursion to the wrong side: {worst:.1f} standard errors")
    pooled = ", ".join(
        f"{name} {sum(values) / len(values):.2f} ({len(values)})" for name, values in ratios.items() if values
    )
    print(f"reported standard error over spread, mean over unsaturated encoders (their number): {pooled}")


if __name__ == "__main__":
    main()
