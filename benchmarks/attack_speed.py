"""How much faster the two curves are than the plain double loop over attacks and ε.

    python benchmarks/attack_speed.py --model runs/classifier/RUN --data fashion-mnist --images 40

The plain loop calls Foolbox for every attack and every ε on the same batch of the same trained classifier, as its users
do. All three are timed in one run, and what they find is compared.
"""

import argparse
import time
import warnings
from pathlib import Path

import torch

from attacks.curves import Images, Seen, as_published, robust
from attacks.foolbox_attacks import attack_named, drawn_per_image, plain_verdicts
from attacks.sweep import EPSILONS
from classifiers.load import load_run
from tasks import DataOptions, load
from training import resolve_device

ATTACKS = ("fgsm", "bim", "pgd", "noise", "deepfool")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    data = load(DataOptions(options.data))
    classifier = load_run(options.model, device, data)
    x = data.test.inputs[: options.images].to(device).float() / 255
    labels, numbers = data.test.targets[: options.images].to(device), list(range(options.images))
    print(
        f"{options.model.name}, {options.images} images, {len(EPSILONS)} ε, {device.type}, {options.threads} threads\n"
    )
    print("| attack | plain, s | as published, s | ratio | robust, s | ratio |\n|---|---:|---:|---:|---:|---:|")
    totals = [0.0, 0.0, 0.0]
    for name in ATTACKS:
        times, found = [], []
        for kind in ("plain", "published", "robust"):
            classifier.requires_grad_(kind == "plain")
            start = time.perf_counter()
            if kind == "plain":
                rows = []
                for epsilon in EPSILONS:
                    with warnings.catch_warnings(), drawn_per_image(1, f"{name}/{epsilon!r}", numbers):
                        warnings.simplefilter("ignore")
                        rows.append(plain_verdicts(classifier, attack_named(name), x, labels, epsilon))
                found.append(torch.stack(rows))
            else:
                curve = as_published if kind == "published" else robust
                images = Images.under(classifier, x, labels, numbers)
                found.append(curve(classifier, attack_named(name), name, images, EPSILONS, 1, Seen()))
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        different = int((found[0] != found[1]).sum())
        note = f" ({different} verdicts differ)" if different else ""
        totals = [total + each for total, each in zip(totals, times, strict=True)]
        plain, published, best = times
        print(
            f"| {name}{note} | {plain:.1f} | {published:.1f} | {plain / published:.1f} | {best:.1f} "
            f"| {plain / best:.1f} |", flush=True,
        )  # fmt: skip
    plain, published, best = totals
    ratios = plain / published, plain / best
    print(f"| **all** | {plain:.1f} | {published:.1f} | **{ratios[0]:.1f}** | {best:.1f} | **{ratios[1]:.1f}** |")


if __name__ == "__main__":
    main()
