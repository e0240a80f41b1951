"""What a training step of the VAE and the analysis of one VAE take.

    python benchmarks/vae_speed.py [--n 10000] [--repeats 5] [--steps 12]

One thread; interleaved runs in one process, medians of ratios. The analysis is every bound of ``analysis.mutual_info``
on the codes of a linear-Gaussian encoder, with product marginals in single precision where their rounding allows, and
in double precision throughout; how far the two are apart is printed beside. A step is of the paper's size, 128 images
of 3×32×32, in float32 and under bfloat16 autocast, which is faster where the processor multiplies bfloat16 itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from analysis import bounds
from analysis.bounds import bounds_of
from analysis.bounds.estimators import unasked
from analysis.ground_truth import linear_gaussian
from store.command_line import Options
from tasks import Task, image_task
from vae.nets import vae_of
from vae.train import Settings, normalisation, objective, vae_run


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def analysis(n: int, repeats: int) -> None:
    posterior, rounding = linear_gaussian(n, 64, 20.0, seed=0), bounds.ROUNDING
    found: dict[float, dict[str, float]] = {}
    times: dict[tuple[float, str], list[float]] = {}
    for _ in range(repeats):
        for allowed in (0.0, rounding):
            bounds.ROUNDING = allowed
            for name, asked in (("product marginal", ("product_marginal",)), ("every bound", unasked())):
                start = time.perf_counter()
                values = {each.estimator: each.value for each in bounds_of(posterior, asked)}
                times.setdefault((allowed, name), []).append(time.perf_counter() - start)
                found.setdefault(allowed, {}).update(values)
    bounds.ROUNDING = rounding
    print(f"| analysis of one VAE, N = {n:,}, d = 64 | double, s | single, s | ratio |")
    print("|---|---:|---:|---:|")
    for name in ("product marginal", "every bound"):
        slow, fast = times[0.0, name], times[rounding, name]
        ratio = statistics.median(a / b for a, b in zip(slow, fast, strict=True))
        print(f"| {name} | {statistics.median(slow):.2f} | {statistics.median(fast):.2f} | **{ratio:.1f}** |")
    apart = abs(found[0.0]["product_marginal"] - found[rounding]["product_marginal"])
    print(f"\nThe product marginal in single precision is {apart:.1e} nats from that in double.\n")


def step_of(settings: Settings, data: Task) -> Callable[[], None]:
    with TemporaryDirectory() as store:
        config = vae_run(data, "fmix", 1, settings, Options(store=Path(store))).identity["config"]
    vae = vae_of(config, *normalisation(data, config))
    losses = objective(vae, data, settings.pipeline("fmix", data, vae.enter), config, 1000)
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=True)
    indices, stream = torch.arange(128), torch.Generator().manual_seed(0)

    def step() -> None:
        loss = losses(indices, stream, 500)["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def steps(count: int, repeats: int) -> None:
    images = torch.randint(0, 256, (512, 3, 32, 32), dtype=torch.uint8)
    labels = torch.zeros(512, dtype=torch.long)
    data = image_task("noise", (images, labels), (images, labels))
    ours = Settings()
    kinds = {
        "ours, float32": step_of(ours, data),
        "ours, bfloat16": step_of(replace(ours, precision="bf16"), data),
        "reference preset, float32": step_of(Settings(preset="reference"), data),
    }
    for step in kinds.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(repeats):
        for name, step in kinds.items():
            times[name].append(seconds(lambda step=step: [step() for _ in range(count)]) / count)
    print("| a training step under FMix, 128 images | ms | float32's over it |")
    print("|---|---:|---:|")
    for name, taken in times.items():
        ratio = statistics.median(a / b for a, b in zip(times["ours, float32"], taken, strict=True))
        print(f"| {name} | {1000 * statistics.median(taken):.0f} | {ratio:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    analysis(options.n, options.repeats)
    steps(options.steps, options.repeats)


if __name__ == "__main__":
    main()
