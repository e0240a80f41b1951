"""The largest learning rate at which the reference preset trains.

    python benchmarks/reference_learning_rate.py --data fashion-mnist npz:cifar10_jpeg.npz \\
        --names Fashion-MNIST "CIFAR-10 (JPEG)" --out results/reference-preset

From 5e-2, as published, downward by factors of 2, each data set plain and under FMix, is trained for the first
``--steps`` of the preset's own schedule of 100 epochs; nothing drops before epoch 40. A network *trains* when it gets
there (a loss that is not finite, or above 1,000 times the first, ends a run, here as in every training) and its
−ELBO on clean test images is below the empty code's by more than two paired standard errors. −ELBO is
P·MSE/2 + rate in nats an image, of one sampled code each, at decoder scale 1 and without the constant; P counts pixels
and channels. The empty code has rate 0 and decodes to the training images' mean image (with its mirror image, as
training flips), the best constant. At every learning rate all networks are first tried for 100 steps. Where none
diverges they are trained, until one does not; the first learning rate at which all train is the answer.

Beside them stands the linear VAE, which needs no training: probabilistic PCA with as many latents (Tipping & Bishop
1999; Lucas et al. 2019, arXiv 1911.02469), fitted on 20,000 training images and their mirror images.

``--out`` gets ``ladder.json``, ``ladder.csv`` and ``conclusions.txt``. What is in ``ladder.json`` is not run again.
"""

import argparse
import itertools
import json
import math
import platform
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from store import Run, write_json
from store.command_line import Options
from tasks import DataOptions, Task, load
from training import Diverged, fit, generator, use_threads
from vae.encode import BATCH
from vae.nets import VAE, vae_of
from vae.train import Settings, normalisation, objective, vae_run

LADDER = tuple(5e-2 / 2**rung for rung in range(7))
AUGMENTATIONS = ("none", "fmix")
TRIED = 100
"""Steps after which a learning rate is given up where a network has diverged."""


class _Enough(Exception):
    """All the steps that were wanted have been made."""


def negative_elbo(vae: VAE, images: Tensor, seed: int) -> dict[str, Tensor]:
    """−ELBO, rate and squared error (mean over pixels) of every uint8 image, float64, of one sampled code each."""
    stream = generator("cpu", seed, "reconstruction")
    rates, errors = [], []
    with torch.no_grad():
        for batch in images.split(BATCH):
            target = vae.normalise(batch.float() / 255)
            posterior = vae.encode(target)
            rates.append(posterior.kl_to_standard_normal().double())
            errors.append((vae.decode(posterior.sample(stream)) - target).square().flatten(1).double().mean(1))
    rate, mse = torch.cat(rates), torch.cat(errors)
    return {"negative_elbo": images[0].numel() * mse / 2 + rate, "rate": rate, "mse": mse}


def normalised(data: Task, images: Tensor, settings: Settings) -> Tensor:
    """(N, P) float32, in the preset's units."""
    mean, std = normalisation(data, settings.resolved(data))
    return ((images.float() / 255 - mean[:, None, None]) / std[:, None, None]).flatten(1)


def empty_code(data: Task, settings: Settings) -> Tensor:
    """(M,): −ELBO of the test images where the code carries nothing."""
    mean = data.train.inputs.double().mean(0)
    mean = normalised(data, ((mean + mean.flip(-1)) / 2)[None], settings)
    return (normalised(data, data.test.inputs, settings) - mean).double().square().sum(1) / 2


def linear_vae(data: Task, settings: Settings) -> dict[str, float]:
    """Mean −ELBO, rate and squared error of the test images under probabilistic PCA at noise of scale 1.

    Expectations over codes, not samples: with eigenvalue λ > 1 of an axis on which an image less the mean is c, the
    posterior is N(c·√(1 − 1/λ)/√λ, 1/λ), what is decoded c·(1 − 1/λ), and the code's noise adds 1 − 1/λ.
    """
    chosen = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:20_000]
    images = data.train.inputs[chosen]
    inputs = torch.cat([normalised(data, each, settings) for each in (images, images.flip(-1))])
    mean = inputs.mean(0)
    inputs -= mean
    eigenvalues, axes = torch.linalg.eigh((inputs.T @ inputs / len(inputs)).double())
    latents = settings.resolved(data)["latents"]
    on, axes = eigenvalues.flip(0)[:latents], axes.flip(1)[:, :latents]
    axes, on = axes[:, on > 1], on[on > 1]
    test = (normalised(data, data.test.inputs, settings) - mean).double()
    along = test @ axes
    rate = 0.5 * (along.square() * (1 - 1 / on) / on + 1 / on - 1 + on.log()).sum(1)
    squares = test.square().sum(1) - along.square().sum(1) + (along / on).square().sum(1) + (1 - 1 / on).sum()
    return {
        "negative_elbo": float((squares / 2 + rate).mean()), "rate": float(rate.mean()),
        "mse": float(squares.mean() / test.shape[1]), "active": len(on),
    }  # fmt: skip


def one(data: Task, augmentation: str, seed: int, learning_rate: float, steps: int) -> dict[str, Any]:
    """The row of one network."""
    settings = Settings(preset="reference", learning_rate=learning_rate)
    with TemporaryDirectory() as store:
        run: Run = vae_run(data, augmentation, seed, settings, Options(store=Path(store)))
        run.begin()
        config = run.identity["config"]
        torch.manual_seed(seed)
        vae = vae_of(config, *normalisation(data, config))
        whole = config["epochs"] * (len(data.train) // config["batch_size"])
        losses = objective(vae, data, settings.pipeline(augmentation, data, vae.enter), config, whole)
        history: list[Tensor] = []

        def noted(indices: Tensor, stream: torch.Generator, step: int) -> dict[str, Tensor]:
            if step == steps:
                raise _Enough
            values = losses(indices, stream, step)
            history.append(values["loss"].detach())
            return values

        started = time.perf_counter()
        ended = None
        try:
            fit(
                run, vae, torch.optim.Adam(vae.parameters(), lr=learning_rate, fused=True), noted,
                images=len(data.train), batch_size=config["batch_size"], epochs=config["epochs"], seed=seed,
                learning_rate=lambda _: learning_rate, device=torch.device("cpu"), checkpoint_seconds=math.inf,
            )  # fmt: skip
        except Diverged as problem:
            ended = str(problem)
        except _Enough:
            pass
    seconds = time.perf_counter() - started
    empty = empty_code(data, settings)
    row: dict[str, Any] = {
        "data": data.name, "training_images": len(data.train), "augmentation": augmentation, "seed": seed,
        "learning_rate": learning_rate, "wanted_steps": steps, "steps": len(history), "diverged": ended,
        "first_loss": float(history[0]), "last_losses_mean": _finite(torch.stack(history[-100:]).mean()),
        "largest_loss": _finite(torch.stack(history).max()), "milliseconds_a_step": 1000 * seconds / len(history),
        "empty_negative_elbo": float(empty.mean()),
    }  # fmt: skip
    found = {} if ended or steps <= TRIED else negative_elbo(vae.eval(), data.test.inputs, seed)
    row |= {name: _finite(found[name].mean()) if found else None for name in ("negative_elbo", "rate", "mse")}
    gain = (found["negative_elbo"] - empty) if found else None
    error = None if gain is None else _finite(gain.std() / len(gain) ** 0.5)
    row["below_empty"] = None if gain is None else _finite(-gain.mean())
    row["standard_error"] = error
    below = row["below_empty"] is not None and error is not None and row["below_empty"] > 2 * error
    row["trains"] = False if ended else below if found else None
    return row


def _finite(value: Tensor) -> float | None:
    return float(value) if math.isfinite(value) else None


def conclusions(rows: list[dict[str, Any]], linear: dict[str, dict[str, float]]) -> str:
    """What came of it, in sentences."""
    sentences = []
    for rate in sorted({row["learning_rate"] for row in rows}, reverse=True):
        own = [row for row in rows if row["learning_rate"] == rate]
        tried = [row for row in own if row["wanted_steps"] == TRIED]
        ended = [row["steps"] for row in tried if row["diverged"]]
        said = f"Learning rate {rate:g}: {len(ended)} of {len(tried)} networks diverge within {TRIED} steps"
        said += f" (after {min(ended)} to {max(ended)})" if ended else ""
        whole = [row for row in own if row["wanted_steps"] > TRIED]
        if whole:
            steps = whole[0]["wanted_steps"]
            late = [row["steps"] for row in whole if row["diverged"]]
            said += f"; of {len(whole)} trained for {steps:,} steps, {sum(row['trains'] for row in whole)} train"
            said += f", {len(late)} diverge (after {min(late):,} to {max(late):,} steps)" if late else ""
            empty = [row for row in whole if not row["diverged"] and not row["trains"]]
            said += f", {len(empty)} end no better than the empty code on test images" if empty else ""
        sentences.append(said + ".")
    for name, found in linear.items():
        known = [row["empty_negative_elbo"] for row in rows if row["data"] == name]
        if not known:
            continue
        sentences.append(
            f"{name}, in the preset's units: −ELBO of the empty code {known[0]:.0f}, of the linear VAE "
            f"{found['negative_elbo']:.0f} (rate {found['rate']:.1f}, MSE {found['mse']:.3f}) nats an image."
        )
    return "\n".join(sentences) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--train-images", type=int, default=50_000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    threads = use_threads(1)
    loaded = [
        load(DataOptions(data=data, data_name=name, train_images=options.train_images))
        for data, name in zip(options.data, options.names, strict=True)
    ]
    path = options.out / "ladder.json"
    options.out.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {"runs": [], "linear_vae": {}}
    rows: list[dict[str, Any]] = known["runs"]
    linear = known["linear_vae"]
    for data in loaded:
        linear[data.name] = linear.get(data.name) or linear_vae(data, Settings(preset="reference"))

    def tried(data: Task, augmentation: str, seed: int, rate: float, steps: int) -> dict[str, Any]:
        which = {"augmentation": augmentation, "seed": seed, "learning_rate": rate, "wanted_steps": steps}
        for row in rows:
            if row["data"] == data.name and which.items() <= row.items():
                return row
        rows.append(one(data, augmentation, seed, rate, steps))
        print(json.dumps(rows[-1]), flush=True)
        write()
        return rows[-1]

    def write() -> None:
        about = {
            "steps": options.steps, "threads": threads, "torch": torch.__version__, "machine": platform.machine(),
            "settings": Settings(preset="reference").resolved(loaded[0]), "linear_vae": linear, "runs": rows,
        }  # fmt: skip
        write_json(path, about)
        pd.DataFrame(rows).to_csv(options.out / "ladder.csv", index=False)
        (options.out / "conclusions.txt").write_text(conclusions(rows, linear))

    cells = list(itertools.product(range(1, options.seeds + 1), AUGMENTATIONS, loaded))
    for rate in LADDER:
        short = [tried(data, augmentation, seed, rate, TRIED) for seed, augmentation, data in cells]
        if any(row["diverged"] for row in short):
            continue
        if all(tried(data, augmentation, seed, rate, options.steps)["trains"] for seed, augmentation, data in cells):
            print(f"{rate:g}")
            return


if __name__ == "__main__":
    main()
