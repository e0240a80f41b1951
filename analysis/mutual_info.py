"""Table 1: what the codes of VAEs trained under each augmentation say about the images.

``python -m analysis.mutual_info`` trains the VAEs that are missing, reuses those that are there, encodes images unseen
in training, and bounds I(Z;X) from both sides. ``--posterior FILE.npz`` does the same for anyone's encoder.

What is reported, for encoder A and images x of the test set:

- *rate on x*: the paper's first column; an upper bound on I(Z_A; X);
- *rate on x̂*: the paper's second column, exactly as published: A encodes reconstructions x̂ by a baseline VAE B
  (sampled with the decoder's noise). The paper calls it a lower bound on I(Z_A; Z_X); that argument needs Z_A encoded
  from x, while here it is encoded from x̂, so it is the rate of another variable and bounds nothing about x. B has A's
  seed; for the baseline itself, the next seed;
- *R_m*: the tighter upper bound, by a Gaussian fitted to the codes of the training images; the headline;
- *InfoNCE*: the lower bound, which cannot exceed log N;
- *MSE*: of a reconstruction from a sampled code, in squared units of normalised pixels.

Own-augmented inputs are mixtures of disjoint pairs of test images (N/2 mixtures of N images, λ per sample), so that
they are independent, jittered and flipped as in training.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from analysis import bounds
from analysis.bounds import ALL, Estimator, bound_posterior
from analysis.conclusions import conclusions, profile_conclusions
from analysis.figures import draw_noise_profile, draw_table_1
from analysis.noise import aggregate_variance, relative_to_prior, with_noise
from analysis.table import summarise, text_table
from figures import save
from store import BadInput, Run, positive, provenance, slug, write_atomically, write_json
from store.command_line import Options, command, json_document
from store.runs import now
from training import DataOptions, ImageData, generator, load, resolve_device, use_threads
from training.data import read_arrays
from training.devices import describe
from vae.encode import encode, load_vae, reconstruct
from vae.model import VAE
from vae.posterior import DiagonalGaussian
from vae.train import Failed, Settings, active_units, augmented, in_turn, mean_squared_error, train, vae_run

__all__ = ["Config", "Result", "read_posterior", "run"]

VERSION = 1
"""Raised when the analysis of the same VAEs gives another result."""

PROGRAM = "python -m analysis.mutual_info"


@dataclass(frozen=True)
class Config:
    """Bound the mutual information between images and the codes of VAEs trained under each augmentation.

    With no option: the digits, four augmentations, three seeds. With --posterior: your own encoder.
    """

    augmentations: tuple[str, ...] = ("none", "mixup", "cutmix", "fmix")
    """none, mixup, cutmix, fmix, fmix-reference, or hybrids such as fmix+mixup"""
    seeds: int = 3
    """how many VAEs per augmentation: seeds 1 to SEEDS"""
    bounds: tuple[Estimator, ...] = ALL
    """which bounds to compute"""
    inputs: tuple[Literal["clean", "own-augmented"], ...] = ("clean",)
    """score each encoder on clean test images, on test images mixed as in its own training, or on both"""
    noise: tuple[float, ...] = ()
    """also bound the codes with noise of NOISE times each dimension's standard deviation: 0.5 1 2 4, say; where
    information falls below log N, the bounds meet and the noised codes can be compared"""
    reconstruction_scale: float = 0.1
    """standard deviation of the decoder's noise in x̂, in units of normalised pixels"""
    posterior: Path | None = None
    """bound this encoder instead of training any: an .npz with mean and log_var (N, d), optionally codes (N, d)"""
    smoke: bool = False
    """one seed, two epochs, watermarked: shows that everything works, and nothing else"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        positive("--seeds", self.seeds)
        for name in ("augmentations", "bounds", "inputs"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise BadInput(f"--{name}", " ".join(values) or "nothing", "one or more different names")
        if any(not 0 < level < math.inf for level in self.noise) or len(set(self.noise)) != len(self.noise):
            raise BadInput("--noise", " ".join(map(str, self.noise)), "different numbers above 0")
        if not 0 <= self.reconstruction_scale < math.inf:
            raise BadInput("--reconstruction-scale", self.reconstruction_scale, "a number of at least 0")
        for augmentation in self.augmentations:
            self.settings.mixer(augmentation, "--augmentations")


@dataclass(frozen=True)
class Result:
    """What the main job found.

    Args:
        rows: one per bound, as in the ``--json`` document.
        table: one row per augmentation and kind of inputs, mean and standard deviation over seeds.
        text: the table and what may be concluded from it, as printed.
        files: what was written.
        failures: why VAEs are missing from the table.
    """

    rows: list[dict[str, Any]]
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    text: str = ""
    files: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """0, or 1 when a VAE failed."""
        return int(bool(self.failures))

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{self.text}</pre>"


def run(config: Config) -> Result:
    """Do the main job; print as it goes, unless ``--json -`` claims standard output."""
    if config.posterior is not None:
        return _run_posterior(config)
    if config.smoke:
        config = replace(config, seeds=1, settings=replace(config.settings, epochs=2))
    data = load(config.data)
    _check_size(config, data)
    if config.execution.dry_run:
        return _dry_run(config, data)

    analysis = _analysis_run(config, data)
    if _stands(analysis, config, data):
        config.execution.say(f"reused {analysis.result()['vaes']} VAEs and their analysis, {analysis.path}")
        return _report(config, analysis.result())
    # no lock while training, so that a second process with the same command can take half of the VAEs
    runs, failures = _train_all(config, data)
    with analysis.lock():
        if not _stands(analysis, config, data):
            _analyse(config, data, analysis, runs, failures)
    return _report(config, analysis.result())


def _stands(analysis: Run, config: Config, data: ImageData) -> bool:
    """Whether the analysis is there, is complete, and is of the VAEs that are in the store now."""
    if analysis.status != "done" or config.execution.force:
        return False
    record = analysis.result()
    runs = [vae_run(data, *which, config.settings, config.execution) for which in _needed(config)]
    return not record["failures"] and all(
        each.result()["files"] == record["inputs_sha256"].get(each.name) for each in runs if each.status == "done"
    )


def _check_size(config: Config, data: ImageData) -> None:
    shortest = len(data.test_images) // 2 if "own-augmented" in config.inputs else len(data.test_images)
    if shortest < 2:
        raise BadInput("--data", f"{len(data.test_images)} test images", "at least 2 (4 with own-augmented inputs)")


def _baseline_seed(augmentation: str, seed: int, seeds: int) -> int | None:
    """The seed of VAE B, whose reconstructions A encodes; None where there is no other baseline."""
    if augmentation != "none":
        return seed
    return seed % seeds + 1 if seeds > 1 else None


def _needed(config: Config) -> list[tuple[str, int]]:
    """Augmentation and seed of every VAE, the baselines that reconstructions need included."""
    seeds = range(1, config.seeds + 1)
    wanted = [(augmentation, seed) for seed in seeds for augmentation in config.augmentations]
    baselines = [("none", seed) for seed in seeds if "none" not in config.augmentations]
    return baselines + wanted


def _analysis_run(config: Config, data: ImageData) -> Run:
    identity = {
        "version": VERSION,
        "config": config.settings.resolved(data)
        | {
            "augmentations": list(config.augmentations),
            "seeds": config.seeds,
            "bounds": list(config.bounds),
            "inputs": list(config.inputs),
            "noise": list(config.noise),
            "reconstruction_scale": config.reconstruction_scale,
            "smoke": config.smoke,
        },
        "seed": None,
        "data": data.identity,
    }
    return Run(config.execution.store, "mutual-info", f"{data.name.lower()}-table-1", identity)


def _dry_run(config: Config, data: ImageData) -> Result:
    runs = [vae_run(data, *which, config.settings, config.execution) for which in _needed(config)]
    for each in [*runs, _analysis_run(config, data)]:
        config.execution.say(f"{each.status:<8} {each.path}")
    waiting = sum(each.status != "done" for each in runs)
    config.execution.say(f"{len(runs) - waiting} VAEs to reuse, {waiting} to train")
    return Result([])


def _train_all(config: Config, data: ImageData) -> tuple[dict[tuple[str, int], Run], list[str]]:
    """Train what is missing; the runs by augmentation and seed, and why others failed."""
    runs, failures = {}, []
    needed = _needed(config)
    reused = 0
    # VAEs that another process is training come last: two processes with the same command share the work
    waiting = [(which, False) for which in needed]
    while waiting:
        which, may_wait = waiting.pop(0)
        each = vae_run(data, *which, config.settings, config.execution)
        if not may_wait and each.busy():
            waiting.append((which, True))
            continue
        done = each.status == "done" and not config.execution.force
        try:
            runs[which] = train(data, *which, config.settings, config.execution)
        except Failed as failure:
            failures.append(str(failure))
            config.execution.say(f"failed   {failure}")
            continue
        if done:
            reused += 1
        else:
            metrics = runs[which].result()["metrics"]
            count = f"{len(runs) + len(failures)}/{len(needed)}"
            config.execution.say(
                f"trained  {count:<7}{each.name:<34} rate {metrics['test_rate']:7.2f} nats   "
                f"MSE {metrics['test_mse']:.4f}   {metrics['seconds']:.0f} s",
            )
    if reused:
        config.execution.say(f"reused {reused} VAEs")
    return runs, failures


def _analyse(
    config: Config, data: ImageData, analysis: Run, runs: dict[tuple[str, int], Run], failures: list[str]
) -> None:  # fmt: skip
    device, threads = resolve_device(config.execution.device), use_threads(config.execution.threads)
    origin, started = provenance(describe(device), threads), now()
    analysis.begin()
    data = data.to(device)
    rows: list[dict[str, Any]] = []
    wanted = [which for which in _needed(config) if which[0] in config.augmentations and which in runs]
    for augmentation, seed in tqdm(wanted, desc="bounds", unit="VAE", disable=None, leave=False):
        baseline = _baseline_seed(augmentation, seed, config.seeds)
        other = runs.get(("none", baseline)) if baseline else None
        vae = load_vae(runs[augmentation, seed], device)
        reconstruct_with = load_vae(other, device) if other else None
        rows += _rows_of_vae(config, data, augmentation, seed, vae, reconstruct_with, analysis.path)
    if not rows:
        raise SystemExit(f"{PROGRAM}: every VAE failed:\n" + "\n".join(failures))
    analysis.finish(
        metrics={"headline": headlines(rows)}, started=started, origin=origin, rows=rows, failures=failures,
        vaes=len(runs), inputs_sha256={each.name: each.result()["files"] for each in runs.values()},
    )  # fmt: skip


def _rows_of_vae(
    config: Config, data: ImageData, augmentation: str, seed: int, vae: VAE, baseline: VAE | None, directory: Path
) -> list[dict[str, Any]]:  # fmt: skip
    """Every number of one VAE; its posteriors are kept in ``directory``."""
    rows = []
    for inputs in config.inputs:
        if inputs == "clean":
            scored, others = data.test_images, data.train_images
        else:
            own = _OwnAugmentation(config, data, augmentation, vae)
            scored = own.mixtures(data.test_images, generator(data.test_images.device, seed, "test"))
            others = own.mixtures(data.train_images, generator(data.test_images.device, seed, "fit"))
        posterior = encode(vae, scored)
        fit = encode(vae, others) if "gaussian_marginal" in config.bounds or config.noise else None
        where = {"inputs": inputs, "augmentation": augmentation, "seed": seed}
        rows += [bound.row(**where) for bound in bound_posterior(posterior, config.bounds, fit=fit)]
        for level in config.noise:
            assert fit is not None
            rows += _rows_with_noise(config, posterior, fit, level, **where)
        rows.append(_measured("active units", "active_units", active_units(posterior), None, **where))
        with write_atomically(directory / f"posterior-{augmentation}-seed{seed}-{inputs}.npz") as temporary:
            arrays = {"mean": posterior.mean.float().numpy(), "log_var": posterior.log_var.float().numpy()}
            with open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
    where = {"inputs": "clean", "augmentation": augmentation, "seed": seed}
    if baseline is not None:
        stream = generator(data.test_images.device, seed, "x̂")

        def reconstruction(images: Tensor) -> Tensor:
            mean = reconstruct(baseline, images, stream)
            noise = torch.randn(mean.shape, device=mean.device, generator=stream)
            return mean + config.reconstruction_scale * noise

        bound = bounds.rate(encode(vae, data.test_images, reconstruction))
        rows.append(
            bound.row(**where) | {"quantity": "I(Z;X̂)", "estimator": "rate_reconstruction"}
        )  # fmt: skip
    error = mean_squared_error(vae, data.test_images, seed)
    rows.append(_measured("MSE", "mse", error, "squared normalised pixels", **where))
    return rows


def _rows_with_noise(
    config: Config, posterior: DiagonalGaussian, fit: DiagonalGaussian, level: float, **where: Any
) -> list[dict[str, Any]]:  # fmt: skip
    """The bounds of the code with noise of ``level`` times the standard deviations of q(z) on the images of ``fit``."""
    variance = aggregate_variance(fit)
    noisy, noisy_fit = with_noise(posterior, level, variance), with_noise(fit, level, variance)
    wanted = [name for name in ("gaussian_marginal", "infonce", "leave_one_out") if name in config.bounds]
    found = bound_posterior(noisy, wanted, fit=noisy_fit)
    if "rate" in config.bounds:
        found.append(bounds.rate(relative_to_prior(posterior, level, variance)))
    return [bound.row(**where, noise=level) for bound in found]


def _measured(quantity: str, name: str, value: float, units: str | None, **where: Any) -> dict[str, Any]:
    """A number that is not a bound, as a row."""
    empty = {"standard_error": None, "direction": None, "cap": None, "saturated": None, "n": None, "k": None}
    return {"quantity": quantity, "estimator": name, "value": value} | empty | {"noise": None} | where | {
        "units": units
    }  # fmt: skip


@dataclass(frozen=True)
class _OwnAugmentation:
    """Images as an encoder saw them in training, from disjoint parents."""

    config: Config
    data: ImageData
    augmentation: str
    vae: VAE

    def mixtures(self, images: Tensor, stream: torch.Generator) -> Tensor:
        """N/2 normalised mixtures of N uint8 images: image i with image N/2 + i, each with its own λ."""
        half = len(images) // 2
        # one λ for a whole batch would make its mixtures dependent
        settings = replace(self.config.settings, scope="sample")
        mixer = settings.mixer(self.augmentation)
        resolved = settings.resolved(self.data)
        parts = []
        for turn, first in enumerate(torch.arange(half, device=images.device).split(500)):
            parents = augmented(self.vae, images[torch.cat([first, first + half])], resolved, stream)
            count = len(first)
            partner = torch.arange(2 * count, device=images.device).roll(count)
            parts.append(in_turn(mixer, turn)(parents, generator=stream, partner=partner).images[:count])
        return torch.cat(parts)


def headlines(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per estimator, augmentation, inputs and noise: the mean over seeds, with the standard error of that mean.

    With one seed the standard error is the seed's own, over images.
    """
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = (row["inputs"], row["augmentation"], row["estimator"], row["noise"])
        grouped.setdefault(key, []).append(row)
    result = []
    for same in grouped.values():
        values = np.array([row["value"] for row in same])
        error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else same[0]["standard_error"]
        saturated = None if same[0]["saturated"] is None else any(row["saturated"] for row in same)
        result.append(
            same[0]
            | {"value": float(values.mean()), "standard_error": error, "saturated": saturated, "seed": None}
        )  # fmt: skip
    return result


def _report(config: Config, record: dict[str, Any]) -> Result:
    """Print and write the table, the figure and the JSON document."""
    rows = record["metrics"]["headline"] + record["rows"]
    everything = summarise(record["rows"])
    table = everything[everything["noise"].isna()]
    settings = record["config"]
    name = record["data"]["name"]
    watermark = "SMOKE RUN" if config.smoke else None
    head = (
        f"Table 1 on {name}: {settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}, "
        f"{settings['epochs']} epochs, decoder scale {settings['decoder_scale']:g}"
    )
    parts = []
    for inputs in config.inputs:
        chosen = table[table["inputs"] == inputs]
        parts.append(text_table(chosen, f"{head}; {inputs} test images"))
    if watermark:
        parts.insert(0, f"{watermark}: two epochs, one seed. The numbers below mean nothing.")
    parts.append(conclusions(table, settings))
    if settings["noise"]:
        parts.append(profile_conclusions(everything))
    text = "\n\n".join(parts)
    config.execution.say("\n" + text + "\n")
    for failure in record["failures"]:
        config.execution.say(f"missing from the table: {failure}")

    directory = config.execution.out / f"table-1-{slug(name.lower())}{'-smoke' if config.smoke else ''}"
    document = json_document(PROGRAM, config, rows)
    figure, behind = draw_table_1(table, head)
    files = save(figure, directory / "table-1", behind, watermark=watermark)
    if settings["noise"]:
        figure, behind = draw_noise_profile(everything, head.removeprefix("Table 1 on "))
        files += save(figure, directory / "noise-profile", behind, watermark=watermark)
    with write_atomically(directory / "rows.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    write_json(directory / "result.json", document)
    files += [directory / "rows.csv", directory / "result.json"]
    config.execution.write(document)
    for file in files:
        config.execution.say(str(file))
    return Result(rows, everything, text, files, record["failures"])


def read_posterior(path: Path) -> tuple[DiagonalGaussian, Tensor | None]:
    """An encoder's output from an ``.npz``: ``mean`` and ``log_var`` (N, d), optionally ``codes`` (N, d).

    Raises:
        BadInput: a missing or damaged file, missing arrays, pickled objects, other types than float32 and float64.
    """
    needed = "an .npz with float32 or float64 arrays mean and log_var (N, d), optionally codes (N, d)"
    arrays = read_arrays("--posterior", path, ("mean", "log_var", "codes"), needed)
    for key in ("mean", "log_var"):
        if key not in arrays:
            raise BadInput("--posterior", f"{path} without {key}", needed)
    for key, array in arrays.items():
        if array.dtype not in (np.float32, np.float64):
            raise BadInput("--posterior", f"{key} of type {array.dtype} in {path}", needed)
    tensors = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()}
    return DiagonalGaussian(tensors["mean"], tensors["log_var"]), tensors.get("codes")


def _run_posterior(config: Config) -> Result:
    assert config.posterior is not None
    posterior, codes = read_posterior(config.posterior)
    use_threads(config.execution.threads)
    if config.execution.dry_run:
        config.execution.say(f"would bound {config.posterior}")
        return Result([])
    found = bound_posterior(posterior, config.bounds, codes=codes)
    text = "\n".join(repr(bound) for bound in found)
    if not active_units(posterior.double()):
        text += "\nThe code has collapsed: no dimension's posterior mean varies over the images."
    config.execution.say(text)
    rows = [bound.row() for bound in found]
    config.execution.write(json_document(PROGRAM, config, rows))
    return Result(rows, pd.DataFrame(rows), text)


if __name__ == "__main__":
    command(Config, run, PROGRAM)
