"""How fast classifiers train: the loop against a bare one, the cost of each mixer, the share of the device's own rate.

    python benchmarks/classifier_speed.py                       # CPU: PreAct-ResNet18 of width 16
    python benchmarks/classifier_speed.py --width 64 --steps 500 --device cuda

The *bare loop* is forward, backward and optimiser step on batches that were augmented and mixed beforehand; the ratio
is what everything else costs (indexing, crop, flip, mixing, checks, progress), median over rounds in which the two
alternate. *Precision* is a step of the bare loop in single precision over one with a bfloat16 forward pass, at widths
16, 32 and 64, alternating. *Mixer* is a mixer's own time on a batch as a share of its training step. *Rate*, on a GPU,
is the arithmetic of the network's convolutions and products (forward and backward) over time, as a share of what a
large matrix product reaches there in bfloat16.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from classifiers.load import Classifier
from classifiers.networks import build
from classifiers.objectives import cross_entropy
from classifiers.train import Settings, train
from msda import NoMix
from store.command_line import Options
from tasks import Task, image_task
from training import generator, resolve_device
from training.mixing import in_turn
from training.views import Pipeline, cropped, flipped

AUGMENTATIONS = ("none", "mixup", "cutmix", "fmix", "fmix-reference", "fmix+mixup")


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds_of(work, device: torch.device, repeats: int) -> float:  # type: ignore[no-untyped-def]
    """Median time of one call."""
    times = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matrix_rate(device: torch.device) -> float:
    """Operations a second of a large matrix product in bfloat16."""
    side = 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: a @ b, device, 10)


def noise_images(count: int, side: int) -> Task:
    stream = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, side, side), generator=stream, dtype=torch.uint8)
    labels = torch.arange(count) % 10
    return image_task("noise", (images, labels), (images[:10], labels[:10]))


def bare_loop(
    data: Task, settings: Settings, device: torch.device, steps: int, precision: torch.dtype
) -> float:  # fmt: skip
    """Seconds a step of forward, backward and step on prepared batches."""
    torch.manual_seed(1)
    network = build(settings.network, data.shape, data.classes, settings.width)
    classifier = Classifier(network, *data.statistics(), data.classes).to(device).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, fused=True)
    size = settings.batch_size or 128
    batches = []
    for step in range(min(steps, 50)):
        stream = generator(device, 1, "step", step)
        chosen = torch.randint(len(data.train), (size,))
        pipeline = Pipeline([cropped(4), flipped], classifier.enter, settings.mixer("fmix"))
        split = data.train.only(chosen).to(device)
        batches.append((pipeline(split.inputs, stream, step), split.targets))
    forward = torch.compile(network) if device.type == "cuda" else network
    half = torch.autocast(device.type, torch.bfloat16) if precision == torch.bfloat16 else nullcontext()

    def step_on(number: int) -> None:
        mixed, labels = batches[number % len(batches)]
        with half:
            logits = forward(mixed.images)
        loss = cross_entropy(mixed, logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for number in range(3):
        step_on(number)
    wait(device)
    start = time.perf_counter()
    for number in range(steps):
        step_on(number)
    wait(device)
    return (time.perf_counter() - start) / steps


def our_loop(data: Task, settings: Settings, augmentation: str, options: Options, steps: int) -> float:
    """Seconds a step of the product's training, from its own record."""
    if options.device == "cuda":  # compile first, outside the time
        train(data, augmentation, 2, replace(settings, epochs=1), options)
    metrics = train(data, augmentation, 1, settings, options).result()["metrics"]
    return metrics["seconds"] / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="preact-resnet18")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    precision = torch.bfloat16 if device.type == "cuda" else torch.float32
    size, steps = arguments.batch_size, arguments.steps
    per_epoch = min(steps, 390)
    epochs = max(1, steps // per_epoch)
    steps = per_epoch * epochs
    data = noise_images(per_epoch * size, arguments.side)
    settings = Settings(arguments.network, width=arguments.width, batch_size=size, epochs=epochs)

    with tempfile.TemporaryDirectory() as store:
        options = Options(device.type, arguments.threads, Path(store), force=True)
        ours: dict[str, list[float]] = {augmentation: [] for augmentation in AUGMENTATIONS}
        bare: list[float] = []
        for _ in range(arguments.rounds):
            bare.append(bare_loop(data, settings, device, steps, precision))
            for augmentation in AUGMENTATIONS:
                ours[augmentation].append(our_loop(data, settings, augmentation, options, steps))
    ratios = sorted(mine / other for mine, other in zip(ours["fmix"], bare, strict=True))
    print(
        f"{arguments.network} of width {arguments.width}, batch {size} of {arguments.side}×{arguments.side}, "
        f"{device.type}, {str(precision).removeprefix('torch.')}, {steps} steps, {arguments.rounds} rounds\n"
    )
    images = torch.randn(size, 3, arguments.side, arguments.side, device=device)
    stream = generator(device, 0, "benchmark")
    print("| augmentation | images/s | ms a step | mixer, ms | mixer's share |\n|---|---:|---:|---:|---:|")
    nothing = seconds_of(lambda: NoMix()(images, generator=stream), device, 50)
    for augmentation in AUGMENTATIONS:
        step = statistics.median(ours[augmentation])
        mixer = settings.mixer(augmentation)
        parts = [in_turn(mixer, turn) for turn in range(len(getattr(mixer, "mixers", [mixer])))]
        each = [seconds_of(lambda part=part: part(images, generator=stream), device, 50) for part in parts]
        mean = max(statistics.mean(each) - (nothing if augmentation != "none" else 0), 0)
        print(f"| {augmentation} | {size / step:,.0f} | {step * 1e3:.2f} | {mean * 1e3:.3f} | {mean / step:.1%} |")
    middle, step = statistics.median(ratios), statistics.median(ours["fmix"])
    print(f"\nloop over bare loop with fmix: {middle:.3f} (rounds {ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"200 epochs of 50,000 images: {200 * 50_000 / size * step / 60:.1f} min")
    print("\n| width | fp32, images/s | bf16, images/s | bf16's speed over fp32's |\n|---:|---:|---:|---:|")
    for width in (16, 32, 64):
        wide, few = replace(settings, width=width), max(3, steps // 4)
        times = [
            [bare_loop(data, wide, device, few, kind) for kind in (torch.float32, torch.bfloat16)]
            for _ in range(arguments.rounds)
        ]  # fmt: skip
        single, half = (statistics.median(each) for each in zip(*times, strict=True))
        ratio = statistics.median(a / b for a, b in times)
        print(f"| {width} | {size / single:,.0f} | {size / half:,.0f} | {ratio:.2f} |")
    if device.type == "cuda":
        network = build(arguments.network, data.shape, 10, arguments.width).to(device)
        with FlopCounterMode(display=False) as counter:
            network(images).sum().backward()
        rate, ceiling = counter.get_total_flops() / step, matrix_rate(device)
        print(f"rate: {rate / 1e12:.0f} of {ceiling / 1e12:.0f} Tflop/s, {rate / ceiling:.1%}")


if __name__ == "__main__":
    main()
