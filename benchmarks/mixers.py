"""Speed of the mixers beside one mask at a time in NumPy, the floor, and other libraries' MixUp and CutMix.

    python benchmarks/mixers.py [--rounds 30] [--json PATH]

One thread, one process, δ = 3, α = 1, a mask and a weight for each sample. A case is called as often as fills a block
of some milliseconds; every round runs every case once untimed, to bring it back into the caches, then times one block.
Cases take turns in a new random order each round, so that a slow phase of the machine falls on all of them. Ratios are
medians over the rounds of the ratio within a round, with interquartile ranges.

The NumPy loops make one mask at a time and are tight: filters built beforehand, one call per step, no sort. For the
isotropic spectrum there are two. "white noise" is the algorithm as defined: a real transform of white noise, the
filter, the inverse. "half spectrum" takes the step our own code takes, noise drawn as a half spectrum, which saves a
transform. "untuned" builds its filter for every mask and sorts the pixels, as a plain script does. The floor is the
time to draw the normal numbers that a mask needs and nothing else.
"""

import argparse
import json
import platform
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import v2

from msda import get_mixer

try:
    from timm.data import Mixup
except ImportError:
    Mixup = None

DECAY_POWER = 3.0
SIZES = ((32, 128), (224, 32))  # side, batch
BLOCK_SECONDS = 0.005
GOALS = {("fmix", 32): 10, ("fmix", 224): 3, ("fmix-reference", 32): 15, ("fmix-reference", 224): 12}

Case = tuple[Callable[[], object], int]  # a call, and how many samples it handles


def numpy_threshold(grey, rng):
    level = grey.flat[rng.integers(grey.size)]
    mask = (grey >= level if rng.random() < 0.5 else grey > level).astype(np.float32)
    return mask, mask.mean()


def numpy_scale(side):
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    return frequency**-DECAY_POWER


def numpy_white_noise(side, rng):
    scale = numpy_scale(side)

    def one_mask():
        noise = np.fft.rfft2(rng.standard_normal((side, side)))
        noise *= scale
        return numpy_threshold(np.fft.irfft2(noise, s=(side, side)), rng)

    return one_mask


def numpy_half_spectrum(side, rng):
    scale = numpy_scale(side).astype(np.float32)
    scale[:, 0] *= np.sqrt(2)
    if side % 2 == 0:
        scale[:, -1] *= np.sqrt(2)

    def one_mask():
        noise = rng.standard_normal((*scale.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
        noise *= scale
        return numpy_threshold(np.fft.irfft(np.fft.ifft(noise, axis=0), n=side, axis=1), rng)

    return one_mask


def numpy_reference(side, rng):
    rows = np.fft.fftfreq(side)[:2, None]
    columns = np.fft.fftfreq(side)[: side // 2 + 1 + side % 2]
    scale = np.maximum(np.hypot(rows, columns), 1 / side)[..., None] ** -DECAY_POWER

    def one_mask():
        noise = rng.standard_normal((*scale.shape[:2], 2))
        noise *= scale
        spectrum = noise[0] + 1j * noise[1]
        grey = np.fft.irfft(np.fft.ifft(spectrum, n=side, axis=0), n=side, axis=1)
        return numpy_threshold(grey, rng)

    return one_mask


def numpy_untuned(side, rng):
    """A mask as published code makes it: filter built each time, complex transform, pixels sorted."""

    def one_mask():
        noise = rng.standard_normal((side, side // 2 + 1)) + 1j * rng.standard_normal((side, side // 2 + 1))
        grey = np.fft.irfft2(noise * numpy_scale(side), s=(side, side)).ravel()
        kept = rng.random() * side * side
        mask = np.zeros(side * side)
        mask[grey.argsort()[::-1][: int(np.ceil(kept) if rng.random() < 0.5 else np.floor(kept))]] = 1
        return mask.reshape(side, side), mask.mean()

    return one_mask


def cases(side: int, batch: int) -> dict[str, Case]:
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 3, side, side, generator=generator)
    partner = images.flip(0)
    labels = torch.randint(10, (batch,), generator=generator)
    half = side // 2 + 1

    def masks(name):
        mixer = get_mixer(name, decay_power=DECAY_POWER)

        def draw():
            drawn = mixer.masks(batch, (side, side), generator=generator)
            return drawn, drawn.flatten(1).mean(1)

        return draw

    def whole(name):
        mixer = get_mixer(name, decay_power=DECAY_POWER)
        return lambda: mixer(images, generator=generator).soft_targets(labels, 10)

    found: dict[str, Case] = {
        "numpy white noise": (numpy_white_noise(side, rng), 1),
        "numpy half spectrum": (numpy_half_spectrum(side, rng), 1),
        "numpy reference": (numpy_reference(side, rng), 1),
        "numpy untuned": (numpy_untuned(side, rng), 1),
        "masks fmix": (masks("fmix"), batch),
        "masks fmix-reference": (masks("fmix-reference"), batch),
        "floor fmix": (lambda: torch.randn(batch, half, side, 2, generator=generator), batch),
        "floor fmix-reference": (lambda: torch.randn(batch, 2, half, 2, generator=generator), batch),
        "torch.lerp of the batch": (lambda: torch.lerp(partner, images, 0.3), batch),
    }
    for name in ("mixup", "cutmix", "fmix", "fmix-reference"):
        found[f"msda {name}"] = (whole(name), batch)
    for name, kind in (("mixup", v2.MixUp), ("cutmix", v2.CutMix)):
        transform = kind(num_classes=10)
        found[f"torchvision {name}"] = (lambda transform=transform: transform(images, labels), batch)
    if Mixup is not None:
        for name, options in (("mixup", {"cutmix_alpha": 0.0}), ("cutmix", {"mixup_alpha": 0.0, "cutmix_alpha": 1.0})):
            for mode, scope in (("batch", "batch"), ("elem", "sample")):
                mix = Mixup(mode=mode, label_smoothing=0.0, num_classes=10, **options)
                # it mixes in place, so it needs a batch of its own
                buffer = images.clone()
                found[f"timm {name} ({scope})"] = (lambda mix=mix, buffer=buffer: mix(buffer, labels), batch)
    return found


def seconds(function: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        function()
    return time.perf_counter() - start


def measure(found: dict[str, Case], rounds: int) -> dict[str, np.ndarray]:
    times = {}
    for name, (function, _) in found.items():
        seconds(function, 3)
        times[name] = max(1, round(BLOCK_SECONDS / min(seconds(function, 1) for _ in range(5))))
    order = list(found)
    taken: dict[str, list[float]] = {name: [] for name in order}
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            function, samples = found[name]
            function()
            taken[name].append(seconds(function, times[name]) / times[name] / samples)
    return {name: np.array(taken[name]) for name in found}


def quartiles(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.percentile(values, [25, 50, 75])]


def spread(values: np.ndarray, digits: int = 1) -> str:
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def report(side: int, batch: int, taken: dict[str, np.ndarray]) -> None:
    print(f"\n### {side}×{side}, batch {batch}\n")
    print("| masks | beside NumPy | ratio | goal | masks/s | NumPy masks/s | µs a mask | normals alone, µs |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind in (
        ("fmix", "white noise"),
        ("fmix", "half spectrum"),
        ("fmix", "untuned"),
        ("fmix-reference", "reference"),
        ("fmix-reference", "untuned"),
    ):
        ours, theirs, floor = taken[f"masks {name}"], taken[f"numpy {kind}"], taken[f"floor {name}"]
        goal = "" if kind in ("half spectrum", "untuned") else GOALS[name, side]
        print(
            f"| {name} | {kind} | **{spread(theirs / ours)}** | {goal} | {1 / np.median(ours):,.0f} |"
            f" {1 / np.median(theirs):,.0f} | {spread(ours * 1e6, 2)} | {spread(floor * 1e6, 2)} |"
        )
    print("\n| images in, images and soft labels out | ratio to torch.lerp | µs a sample |")
    print("|---|---|---|")
    lerp = taken["torch.lerp of the batch"]
    for name, values in taken.items():
        if name.split()[0] not in ("numpy", "masks", "floor"):
            print(f"| {name} | {spread(values / lerp)} | {spread(values * 1e6, 2)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="timed rounds (default 30)")
    parser.add_argument("--json", type=Path, help="also write quartiles in seconds a sample to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, numpy {np.__version__}, {platform.machine()}, one thread")
    if Mixup is None:
        print("timm is not installed: its rows are left out")
    results = {}
    for side, batch in SIZES:
        taken = measure(cases(side, batch), arguments.rounds)
        report(side, batch, taken)
        results[f"{side}x{side}"] = {name: quartiles(values) for name, values in taken.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
