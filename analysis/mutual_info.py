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
- *R − R_m*: how much of the rate, at least, is not information;
- *InfoNCE*: the lower bound, which cannot exceed log N;
- *MSE*: of a reconstruction from a sampled code, in squared units of normalised pixels;
- *−ELBO*: P·MSE/2σ² + rate, nats an image, less the constant that depends on σ alone; on clean images, what an
  encoder's model of the world costs there;
- beside every VAE the *linear VAE* (`vae.linear`) with as many latents, fitted on inputs as it saw them. A VAE whose
  −ELBO on held-out inputs like its own is more than two paired standard errors above is *under-trained*, and no claim
  about augmentations rests on it (of an augmentation: where most of its VAEs are);
- *active units*: latents whose posterior means vary over the images with variance above 0.01;
- *overfitting*: −ELBO of test less that of training inputs, both like the encoder's own; and by how much −ELBO fell
  over the last fifth of the training (`vae.curve`);
- *−ELBO less the baseline's*, of the same seed and images: by how much A's model codes real images worse;
- with ``--shared``, *I(Z_A;Z_X)* itself, Z_X the code of x by B (`analysis.two_encoders`).

``--decoder-scales 1 0.3 0.1`` repeats all of it at each scale and draws the rate-distortion plane (Alemi et al. 2018,
arXiv 1711.00464): a conclusion about augmentations holds at the scales at which it was seen.

Own-augmented inputs are mixtures of disjoint pairs of test images (N/2 mixtures of N images, λ per sample), so that
they are independent, jittered and flipped as in training.
"""

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from analysis import bounds
from analysis.bound import ALL, ESTIMATORS, Bound, Estimator, standard_error
from analysis.conclusions import (
    conclusions,
    difference_conclusions,
    profile_conclusions,
    published_conclusions,
    scale_conclusions,
    shared_conclusions,
    trained_conclusions,
)
from analysis.decomposition import decompose
from analysis.estimate import bound_posterior
from analysis.joining import check_joinable, latest
from analysis.measure import measure, measure_pair
from analysis.table import (
    LINEAR,
    decomposition_text,
    mostly_under_trained,
    networks_of,
    shared_table,
    summarise,
    text_table,
    training_table,
)
from analysis.two_encoders import SINGLE_BOUNDS
from figures import Result, in_usual_order, publish, save
from figures.tables import headlines
from store import (
    MOST_SEEDS,
    BadInput,
    Run,
    evidence,
    in_range,
    positive,
    provenance,
    slug,
    write_atomically,
    write_json,
)
from store.command_line import Options, command, json_document, refuse_beside
from store.registry import known_as
from store.runs import now
from training import DataOptions, ImageData, generator, load, resolve_device, use_threads
from training.arrays import read_arrays
from training.devices import describe
from training.mixing import identity_of
from training.once import all_once
from vae.curve import POINT
from vae.encode import encode, load_vae, reconstruct, squared_errors
from vae.inputs import Inputs
from vae.linear import LinearVAE, fit_linear
from vae.nets import VAE
from vae.posterior import DiagonalGaussian
from vae.train import SCALES, Settings, active_units, normalisation, train, vae_run

__all__ = [
    "Config",
    "Result",
    "as_run",
    "draw",
    "joined",
    "linear_rows_of",
    "networks",
    "over_seeds",
    "own_inputs",
    "read_posterior",
    "run",
    "text_of",
    "worse_than",
]

VERSION = 5
"""Raised when the analysis of the same VAEs gives another result."""

PROGRAM = "python -m analysis.mutual_info"

DRAWS = 50_000
"""Inputs on which a linear VAE is fitted."""


FURTHER = {"decoder_scale": None, "heavy_tailed": None, "under_trained": None, "fitted_on": None}
"""Fields of every row that only some have something in."""


@dataclass(frozen=True)
class Config:
    """Bound the mutual information between images and the codes of VAEs trained under each augmentation.

    With no option: the digits, four augmentations, three seeds. With --posterior: your own encoder. How the bounds do
    on encoders of known information: python -m analysis.ground_truth.
    """

    augmentations: tuple[str, ...] = ("none", "mixup", "cutmix", "fmix")
    """none, mixup, cutmix, fmix, fmix-reference, package.module:NAME, FILE.py:NAME, or hybrids such as fmix+mixup"""
    seeds: int = 3
    """how many VAEs per augmentation: seeds 1 to SEEDS"""
    first_seed: int = 1
    """the first of them, where those before it have been analysed: seeds FIRST_SEED to FIRST_SEED + SEEDS - 1"""
    bounds: tuple[Estimator, ...] = ALL
    """which bounds on I(Z;X) to compute; mixture_marginal is fitted at length, flow_marginal needs mixinfo[flows]"""
    inputs: tuple[Literal["clean", "own-augmented"], ...] = ("clean",)
    """score each encoder on clean test images, on test images mixed as in its own training, or on both"""
    decoder_scales: tuple[float, ...] = ()
    """train and bound at each of these --decoder-scale: 1 0.3 0.1, say; draws the rate-distortion plane and says what
    changes with the scale"""
    shared: bool = False
    """also bound I(Z_A;Z_X), what an encoder's code shares with the baseline's code of the same image"""
    decomposition: bool = False
    """also divide the rate into index-code MI, total correlation and dimension-wise KL; about a minute more a VAE at
    10,000 images"""
    noise: tuple[float, ...] = ()
    """also bound the codes with noise of NOISE times each dimension's standard deviation: 0.5 1 2 4, say; where
    information falls below log N, the bounds meet and the noised codes can be compared"""
    reconstruction_scale: float = 0.1
    """standard deviation of the decoder's noise in x̂, in units of normalised pixels"""
    posterior: Path | None = None
    """bound this encoder instead of training any: an .npz with mean and log_var (N, d), optionally codes (N, d); or the
    directory of a VAE's run, which then encodes the test images of --data"""
    posterior_b: Path | None = None
    """a second encoder of the same images, in the same way: bounds I(Z_A;Z_B)"""
    smoke: bool = False
    """one seed, two epochs, watermarked: shows that everything works, and nothing else"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        positive("--seeds", self.seeds, MOST_SEEDS)
        positive("--first-seed", self.first_seed)
        for name in ("augmentations", "bounds", "inputs"):
            values = getattr(self, name)
            if not values or len({slug(known_as(each)) for each in values}) != len(values):
                raise BadInput(f"--{name}", " ".join(values) or "nothing", "one or more different names")
        for option, values in (("--noise", self.noise), ("--decoder-scales", self.decoder_scales)):
            if len(set(values)) != len(values):
                raise BadInput(option, " ".join(map(str, values)), "different numbers")
            for value in values:
                in_range(option, value, *SCALES)
        if self.decoder_scales and self.settings.decoder_scale != Settings().decoder_scale:
            raise BadInput(
                "--decoder-scale", f"{self.settings.decoder_scale} beside --decoder-scales", "one of the two"
            )
        if self.posterior_b is not None and self.posterior is None:
            raise BadInput("--posterior-b", self.posterior_b, "--posterior, the first encoder")
        if self.posterior is not None:
            grid = ("augmentations", "seeds", "first_seed", "inputs", "decoder_scales", "shared", "settings")
            refuse_beside(self, "--posterior", *grid, "reconstruction_scale")
        if "flow_marginal" in self.bounds and importlib.util.find_spec("zuko") is None:
            raise BadInput("--bounds", "flow_marginal without the package zuko", "pip install 'mixinfo[flows]'")
        in_range("--reconstruction-scale", self.reconstruction_scale, 0, SCALES[1])
        for augmentation in self.augmentations:
            self.settings.mixer(augmentation, "--augmentations")

    def by_scale(self) -> dict[float, "Config"]:
        """The same job at each decoder scale, one after the other."""
        scales = self.decoder_scales or (self.settings.decoder_scale,)
        return {
            scale: replace(self, decoder_scales=(), settings=replace(self.settings, decoder_scale=scale))
            for scale in scales
        }


def run(config: Config) -> Result:
    """Do the main job; print as it goes, unless ``--json -`` claims standard output."""
    if config.posterior is not None:
        return _run_posterior(config)
    config = as_run(config)
    data = load(config.data, download=not config.execution.dry_run)
    _check_size(config, data)
    if config.execution.dry_run:
        return _dry_run(config, data)
    parts = config.by_scale()
    analyses = {scale: _analysis_run(part, data) for scale, part in parts.items()}
    missing = {scale: part for scale, part in parts.items() if not _stands(analyses[scale], part, data)}
    for found in (analyses[scale] for scale in parts if scale not in missing):
        config.execution.say(f"reused {found.result()['vaes']} VAEs and their analysis, {found.path}")
    # no lock while training, so that a second process with the same command can take half of the VAEs
    trained = {scale: _train_all(part, data) for scale, part in missing.items()}
    fitted: dict[str, LinearVAE] = {}
    for scale, part in missing.items():
        with analyses[scale].lock():
            if not _stands(analyses[scale], part, data):
                _analyse(part, data, analyses[scale], *trained[scale], fitted)
    return _report(config, data, {scale: each.result() for scale, each in analyses.items()})


def as_run(config: Config) -> Config:
    """The configuration as it is run: with ``--smoke``, one seed and two epochs."""
    return replace(config, seeds=1, settings=replace(config.settings, epochs=2)) if config.smoke else config


def _stands(analysis: Run, config: Config, data: ImageData) -> bool:
    """Whether the analysis is there, is complete, and is of the VAEs that are in the store now."""
    if analysis.status != "done" or config.execution.force:
        return False
    record = analysis.result()
    runs = [vae_run(data, *which, config.settings, config.execution) for which in networks(config)]
    return not record["failures"] and all(
        each.result()["files"] == record["inputs_sha256"].get(each.name) for each in runs if each.status == "done"
    )


def _check_size(config: Config, data: ImageData) -> None:
    shortest = len(data.test_images) // 2 if "own-augmented" in config.inputs else len(data.test_images)
    if shortest < 2:
        raise BadInput("--data", f"{len(data.test_images)} test images", "at least 2 (4 with own-augmented inputs)")


def _baseline_seed(config: Config, augmentation: str, seed: int) -> int | None:
    """The seed of VAE B, whose reconstructions A encodes; None where there is no other baseline."""
    if augmentation != "none":
        return seed
    return config.first_seed + (seed - config.first_seed + 1) % config.seeds if config.seeds > 1 else None


def networks(config: Config) -> list[tuple[str, int]]:
    """Augmentation and seed of every VAE, the baselines that reconstructions need included."""
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    wanted = [(augmentation, seed) for seed in seeds for augmentation in config.augmentations]
    baselines = [("none", seed) for seed in seeds if "none" not in config.augmentations]
    return baselines + wanted


def _analysis_run(config: Config, data: ImageData) -> Run:
    identity = {
        "version": VERSION,
        "config": config.settings.resolved(data)
        | _sources(config.augmentations)
        | {
            "augmentations": [known_as(augmentation) for augmentation in config.augmentations],
            "seeds": config.seeds,
            "first_seed": config.first_seed,
            "bounds": list(config.bounds),
            "inputs": list(config.inputs),
            "noise": list(config.noise),
            "shared": config.shared,
            "decomposition": config.decomposition,
            "reconstruction_scale": config.reconstruction_scale,
            "smoke": config.smoke,
        },
        "seed": None,
        "data": data.identity,
    }
    return Run(config.execution.store, "mutual-info", f"{data.name.lower()}-table-1", identity)


def _sources(augmentations: Sequence[str]) -> dict[str, Any]:
    """Of those augmentations that are not built in, the hashes of their sources; nothing where all are."""
    found = (identity_of(augmentation) for augmentation in augmentations)
    sources = {each["augmentation"]: each["augmentation_source"] for each in found if "augmentation_source" in each}
    return {"augmentation_sources": sources} if sources else {}


def _dry_run(config: Config, data: ImageData) -> Result:
    runs, analyses = [], []
    for part in config.by_scale().values():
        runs += [vae_run(data, *which, part.settings, part.execution) for which in networks(part)]
        analyses.append(_analysis_run(part, data))
    for each in [*runs, *analyses]:
        config.execution.say(f"{each.status:<8} {each.path}")
    waiting = sum(each.status != "done" for each in runs)
    config.execution.say(f"{len(runs) - waiting} VAEs to reuse, {waiting} to train")
    return Result([])


def _train_all(config: Config, data: ImageData) -> tuple[dict[tuple[str, int], Run], list[str]]:
    """Train what is missing; the runs by augmentation and seed, and why others failed."""
    options = config.execution

    def summary(record: dict[str, Any]) -> str:
        metrics = record["metrics"]
        rate, mse, seconds = (metrics[key] for key in ("test_rate", "test_mse", "seconds"))
        return f"rate {rate:7.2f} nats   MSE {mse:.4f}   {seconds:.0f} s"

    return all_once(
        networks(config), lambda which: vae_run(data, *which, config.settings, options),
        lambda which: train(data, *which, config.settings, options), options, summary,
    )  # fmt: skip


def _analyse(
    config: Config,
    data: ImageData,
    analysis: Run,
    runs: dict[tuple[str, int], Run],
    failures: list[str],
    fitted: dict[str, LinearVAE],
) -> None:
    device, threads = resolve_device(config.execution.device), use_threads(config.execution.threads)
    origin, started = provenance(describe(device), threads), now()
    analysis.begin()
    data = data.to(device)
    rows: list[dict[str, Any]] = []
    codes = _Codes(config, data, runs, device, fitted)
    wanted = [which for which in networks(config) if which[0] in config.augmentations and which in runs]
    partial = []
    for augmentation, seed in tqdm(wanted, desc="bounds", unit="VAE", disable=None, leave=False):
        # an interrupted analysis goes on with the next VAE
        file = analysis.path / f"rows-{slug(known_as(augmentation))}-seed{seed}.json"
        partial.append(file)
        weights = runs[augmentation, seed].result()["files"]
        found = None if config.execution.force or not file.exists() else json.loads(file.read_text("utf-8"))
        if found is None or found["weights"] != weights:
            found = {"weights": weights, "rows": _rows_of_vae(config, codes, augmentation, seed, analysis.path)}
            write_json(file, found)
        rows += found["rows"]
    if rows and "clean" in config.inputs:
        rows += _linear_of_clean(codes)
    if not rows:
        raise SystemExit(f"{PROGRAM}: every VAE failed:\n" + "\n".join(failures))
    analysis.finish(
        metrics={"headline": over_seeds(rows)}, started=started, origin=origin, rows=rows, failures=failures,
        vaes=len(runs), inputs_sha256={each.name: each.result()["files"] for each in runs.values()},
        images={"train": len(data.train_images), "test": len(data.test_images)},
    )  # fmt: skip
    for file in partial:
        file.unlink()


def own_inputs(settings: Settings, data: ImageData, augmentation: str) -> Inputs:
    """Inputs as VAEs of an augmentation saw them, λ and mask drawn per sample: a batch's mixtures are independent.

    Args:
        settings: of the training.
        data: on its device.
        augmentation: a mixer's name.
    """
    units = normalisation(data, settings.resolved(data))
    mean, std = (each.to(data.train_images.device).view(1, -1, 1, 1) for each in units)
    return replace(settings, scope="sample").inputs(augmentation, data, lambda images: (images - mean) / std)


class _Codes:
    """What a VAE says of the clean images; of the baselines, which others are compared with, kept.

    Args:
        config: of the analysis.
        data: on the device.
        runs: of the VAEs, by augmentation and seed.
        device: where they compute.
        fitted: linear VAEs by augmentation, of whatever decoder scale; missing ones are added.
    """

    def __init__(
        self,
        config: Config,
        data: ImageData,
        runs: dict[tuple[str, int], Run],
        device: torch.device,
        fitted: dict[str, LinearVAE],
    ) -> None:
        self.config, self.data, self.runs, self.device, self.fitted = config, data, runs, device, fitted
        self.known: dict[tuple[str, int], tuple[DiagonalGaussian, DiagonalGaussian]] = {}
        self.elbos: dict[tuple[str, int], Tensor] = {}
        self.bounded: dict[tuple[str, int], tuple[list[Bound], list[dict[str, Any]]]] = {}

    def vae(self, augmentation: str, seed: int) -> VAE:
        return load_vae(self.runs[augmentation, seed], self.device)

    def measured(self, augmentation: str, seed: int) -> tuple[list[Bound], list[dict[str, Any]]]:
        """Bounds and rows of the clean images, once: a baseline's are wanted of other VAEs too."""
        which = augmentation, seed
        if which not in self.bounded:
            posterior, fit = self.clean(*which)
            where: dict[str, Any] = {"inputs": "clean", "augmentation": known_as(augmentation), "seed": seed}
            self.bounded[which] = measure(posterior, self.config.bounds, fit=fit, noise=self.config.noise, **where)
        return self.bounded[which]

    def upper(self, augmentation: str, seed: int) -> list[Bound]:
        """Upper bounds on I(Z;X) of the clean images, as far as they were asked for."""
        if "clean" in self.config.inputs:
            return [bound for bound in self.measured(augmentation, seed)[0] if bound.estimator in SINGLE_BOUNDS]
        posterior, fit = self.clean(augmentation, seed)
        return bound_posterior(posterior, [name for name in SINGLE_BOUNDS if name in self.config.bounds], fit=fit)

    def clean(self, augmentation: str, seed: int) -> tuple[DiagonalGaussian, DiagonalGaussian]:
        """Of the test images and of the training images."""
        if (augmentation, seed) in self.known:
            return self.known[augmentation, seed]
        vae = self.vae(augmentation, seed)
        found = encode(vae, self.data.test_images), encode(vae, self.data.train_images)
        if augmentation == "none":
            self.known[augmentation, seed] = found
        return found

    def own(self, augmentation: str) -> Inputs:
        """Inputs as the VAEs of an augmentation saw them, in the units of all."""
        return own_inputs(self.config.settings, self.data, augmentation)

    def errors(self, augmentation: str, seed: int) -> tuple[Tensor, Tensor]:
        """Squared error and −ELBO of every clean test image, (N,) each."""
        stream = generator(self.device, seed, "reconstruction")
        errors = squared_errors(self.vae(augmentation, seed), self.data.test_images, stream)
        elbos = _elbos(errors, self.clean(augmentation, seed)[0], self.config.settings.decoder_scale)
        if augmentation == "none":
            self.elbos[augmentation, seed] = elbos
        return errors, elbos

    def baseline(self, seed: int) -> Tensor | None:
        """−ELBO under the baseline of a seed of every clean test image, (N,); None where there is none."""
        if ("none", seed) not in self.runs:
            return None
        return self.elbos["none", seed] if ("none", seed) in self.elbos else self.errors("none", seed)[1]

    def linear(self, augmentation: str) -> LinearVAE:
        """The linear VAE of inputs as the VAEs of an augmentation saw them: its axes are the same at every scale."""
        settings = self.config.settings
        if augmentation not in self.fitted:
            inputs = self.own(augmentation).draws(self.data.train_images, generator(self.device, 1, "linear"), DRAWS)
            latents = settings.resolved(self.data)["latents"]
            self.fitted[augmentation] = fit_linear(inputs, latents, settings.decoder_scale)
        return replace(self.fitted[augmentation], scale=settings.decoder_scale)


def _rows_of_vae(
    config: Config, codes: _Codes, augmentation: str, seed: int, directory: Path
) -> list[dict[str, Any]]:  # fmt: skip
    """Every number of one VAE; its posteriors are kept in ``directory``."""
    rows, name = [], known_as(augmentation)
    data, vae, own = codes.data, codes.vae(augmentation, seed), codes.own(augmentation)
    device, scale = data.test_images.device, config.settings.decoder_scale
    mixed = own.mixtures(data.test_images, generator(device, seed, "test"))
    clean, of_mixed = codes.clean(augmentation, seed), encode(vae, mixed)
    for inputs in config.inputs:
        where: dict[str, Any] = {"inputs": inputs, "augmentation": name, "seed": seed}
        if inputs == "clean":
            posterior = clean[0]
            rows += codes.measured(augmentation, seed)[1]
        else:
            posterior = of_mixed
            fit = encode(vae, own.mixtures(data.train_images, generator(device, seed, "fit")))
            rows += measure(posterior, config.bounds, fit=fit, noise=config.noise, **where)[1]
        stem = f"{slug(name)}-seed{seed}-{inputs}"
        if config.decomposition:
            parts = decompose(posterior)
            rows += parts.rows(**where)
            with write_atomically(directory / f"dimensions-{stem}.csv") as temporary:
                parts.dimensions.to_csv(temporary)
        rows.append(_measured("active units", "active_units", active_units(posterior), None, **where))
        with write_atomically(directory / f"posterior-{stem}.npz") as temporary:
            arrays = {"mean": posterior.mean.float().numpy(), "log_var": posterior.log_var.float().numpy()}
            with open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
    where = {"inputs": "clean", "augmentation": name, "seed": seed}
    other = "none", _baseline_seed(config, augmentation, seed) or 0
    if other in codes.runs:
        bound = bounds.rate(encode(vae, data.test_images, _reconstruction(config, codes.vae(*other), device, seed)))
        rows.append(bound.row(**where) | {"quantity": "I(Z;X̂)", "estimator": "rate_reconstruction"})
        if config.shared:
            (a, fit_a), (b, fit_b) = clean, codes.clean(*other)
            upper = codes.upper(augmentation, seed), codes.upper(*other)
            rows += measure_pair(
                a, b, fit=(fit_a, fit_b), noise=config.noise, upper=upper, quantity="I(Z_A;Z_X)", **where
            )[1]  # fmt: skip
    pixels = mixed[0].numel()
    errors, elbos = codes.errors(augmentation, seed)
    rows += _elbo_rows(errors / pixels, elbos, **where)
    baseline = codes.baseline(seed) if augmentation != "none" else None
    if baseline is not None:
        rows.append(_mean_row("−ELBO less the baseline's", "negative_elbo_excess", elbos - baseline, "nats", **where))
    where |= {"inputs": "own-augmented"}
    errors = squared_errors(vae, mixed, generator(device, seed, "own reconstruction"))
    elbos = _elbos(errors, of_mixed, scale)
    rows += _elbo_rows(errors / pixels, elbos, **where)
    rows += _training_rows(codes.runs[augmentation, seed].result(), **where)
    linear = codes.linear(augmentation)
    poor = worse_than(elbos, linear.negative_elbo(mixed))
    rows = [row | {"under_trained": poor} for row in rows]
    return rows + linear_rows_of(linear, mixed, **where | {"augmentation": LINEAR, "fitted_on": name})


def _training_rows(record: Mapping[str, Any], **where: Any) -> list[dict[str, Any]]:
    """What a VAE's record says of its training; nothing where it is older than that."""
    metrics, rows = record["metrics"], []
    if metrics.get("overfitting") is not None:
        over = metrics["overfitting"]
        row = _measured("−ELBO of test less training inputs", "overfitting", over["value"], "nats", **where)
        rows.append(row | {"standard_error": over["standard_error"], "n": over["n"]})
    if metrics.get("last_fall") is not None:
        rows.append(_measured("fall of −ELBO over the last fifth", "last_fall", metrics["last_fall"], "nats", **where))
    return rows


def _elbos(errors: Tensor, posterior: DiagonalGaussian, scale: float) -> Tensor:
    """−ELBO of every image, (N,) nats, less the constant in σ: squared error / 2σ² + KL to the prior."""
    return errors / (2 * scale**2) + posterior.kl_to_standard_normal()


def worse_than(elbos: Tensor, linear: Tensor) -> bool:
    """Whether a VAE's −ELBO exceeds the linear VAE's of the same images by more than two paired standard errors.

    Args:
        elbos: (N,), nats.
        linear: (N,), nats, of the same images in the same order.
    """
    excess = elbos - linear
    return bool(excess.mean() > 2 * standard_error(excess))


def _mean_row(quantity: str, name: str, values: Tensor, units: str, **where: Any) -> dict[str, Any]:
    """The mean over images of something that bounds nothing, with its standard error, as a row."""
    row = _measured(quantity, name, float(values.mean()), units, **where)
    return row | {"standard_error": standard_error(values), "n": len(values)}


def _elbo_rows(errors: Tensor, elbos: Tensor, **where: Any) -> list[dict[str, Any]]:
    """MSE and −ELBO from their values of every image, (N,) each."""
    return [
        _mean_row("MSE", "mse", errors, "squared normalised pixels", **where),
        _mean_row("−ELBO", "negative_elbo", elbos, "nats", **where),
    ]


def linear_rows_of(linear: LinearVAE, images: Tensor, **where: Any) -> list[dict[str, Any]]:
    """Rate, R_m (its Gaussian fitted in ten folds), MSE and −ELBO of a linear VAE on normalised images."""
    posterior, errors = linear.encode(images), linear.squared_error(images)
    rows = [bound.row(**where) for bound in bound_posterior(posterior, ("rate", "gaussian_marginal"))]
    rows += _elbo_rows(errors / images[0].numel(), _elbos(errors, posterior, linear.scale), **where)
    return [row | where for row in rows]


def _linear_of_clean(codes: _Codes) -> list[dict[str, Any]]:
    """The linear VAE that was fitted on the baseline's inputs, on clean test images; it has no seeds."""
    own = codes.own("none")
    images = own.normalise(codes.data.test_images.float() / 255)
    where = {"inputs": "clean", "augmentation": LINEAR, "seed": 1, "fitted_on": "none"}
    return linear_rows_of(codes.linear("none"), images, **where)


def over_seeds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The headline rows, means over seeds, each marked under-trained where most of its augmentation's VAEs are."""
    flags = mostly_under_trained(rows)
    return [row | {"under_trained": flags.get(row["augmentation"])} for row in headlines(rows)]


def _reconstruction(config: Config, baseline: VAE, device: torch.device, seed: int) -> Callable[[Tensor], Tensor]:
    """x̂ from normalised x: decoded from a sampled code of the baseline VAE, with the decoder's noise."""
    stream = generator(device, seed, "x̂")

    def reconstruction(images: Tensor) -> Tensor:
        mean = reconstruct(baseline, images, stream)
        return mean + config.reconstruction_scale * torch.randn(mean.shape, device=device, generator=stream)

    return reconstruction


def _measured(quantity: str, name: str, value: float, units: str | None, **where: Any) -> dict[str, Any]:
    """A number that is not a bound, as a row."""
    empty = {"standard_error": None, "direction": None, "cap": None, "saturated": None, "n": None, "k": None}
    return {"quantity": quantity, "estimator": name, "value": value} | empty | {"noise": None} | where | {
        "units": units
    }  # fmt: skip


def _report(config: Config, data: ImageData, records: Mapping[float, dict[str, Any]]) -> Result:
    """Print and write tables, figures and the JSON document."""
    first = next(iter(records.values()))
    name, watermark = first["data"]["name"], "SMOKE RUN" if config.smoke else None
    settings = first["config"] | {"data": name, "train_images": first["images"]["train"]}
    rows = [
        FURTHER | row | {"decoder_scale": scale}
        for scale, record in records.items() for row in record["metrics"]["headline"] + record["rows"]
    ]  # fmt: skip
    failures = [failure for record in records.values() for failure in record["failures"]]
    about = {"title": "", "data": name, "watermark": watermark, "conclusions": "", "settings": settings}
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures}
    trained = _trained(config, data)
    about["curves"] = [where | point for where, each in trained for point in each.curve(POINT)]
    about["title"] = _title(document)
    text, about["conclusions"] = text_of(document)
    directory = config.execution.out / f"table-1-{slug(name.lower())}{'-smoke' if config.smoke else ''}"
    files = draw(document, directory)
    result = Result(rows, pd.concat(_tables(document).values(), ignore_index=True), text, files, failures)
    return publish(result, PROGRAM, config, directory, about, evidence(trained))


def _trained(config: Config, data: ImageData) -> list[tuple[dict[str, Any], Run]]:
    """The VAEs behind an analysis that are there, and what tells each from the others."""
    return [
        ({"augmentation": known_as(augmentation), "seed": seed, "decoder_scale": scale}, each)
        for scale, part in config.by_scale().items()
        for augmentation, seed in networks(part)
        if (each := vae_run(data, augmentation, seed, part.settings, part.execution)).status == "done"
    ]


def _tables(document: Mapping[str, Any]) -> dict[float, pd.DataFrame]:
    """A document's rows over seeds, by decoder scale."""
    rows: dict[float, list[dict[str, Any]]] = {}
    for row in document["results"]:
        if row["seed"] is not None:
            rows.setdefault(row["decoder_scale"], []).append(row)
    return {scale: summarise(each + _missing_excess(each)).assign(decoder_scale=scale) for scale, each in rows.items()}


def _missing_excess(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """−ELBO on clean images less the baseline's of the same seed, where a document has the two and not the difference.

    Without a standard error: the images' own values are not in documents.
    """
    if any(row["estimator"] == "negative_elbo_excess" for row in rows):
        return []
    found = [row for row in rows if (row["estimator"], row["inputs"]) == ("negative_elbo", "clean")]
    baseline = {row["seed"]: row["value"] for row in found if row["augmentation"] == "none"}
    return [
        row | {"estimator": "negative_elbo_excess", "value": row["value"] - baseline[row["seed"]]}
        | {"standard_error": None}
        for row in found
        if row["augmentation"] not in ("none", LINEAR) and row["seed"] in baseline
    ]  # fmt: skip


def _head(document: Mapping[str, Any], scale: float) -> str:
    settings, seeds = document["about"]["settings"], document["about"]["settings"]["seeds"]
    return (
        f"Table 1 on {settings['data']}: {seeds} seed{'s' if seeds > 1 else ''}, {settings['train_images']:,} training "
        f"images, {settings['epochs']} epochs, decoder scale {scale:g}"
    )


def _title(document: Mapping[str, Any]) -> str:
    settings, scales = document["about"]["settings"], list(_tables(document))
    if len(scales) == 1:
        return _head(document, scales[0])
    return f"{settings['data']}: {settings['seeds']} seeds, {settings['train_images']:,} training images"


def text_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """The tables and sentences of a document, and the sentences alone: a function of its numbers.

    Args:
        document: with ``config``, ``results`` and ``about``, as this job writes it.
    """
    config, about = document["config"], document["about"]
    tables = _tables(document)
    parts = (
        [f"{about['watermark']}: two epochs, one seed. The numbers below mean nothing."] if about["watermark"] else []
    )
    said: list[str] = []
    for scale, table in tables.items():
        sentences = [f"At decoder scale {scale:g}."] if len(tables) > 1 else []
        settings = about["settings"] | {"decoder_scale": scale}
        sentences += _sentences(config, table, settings, alone=len(tables) < 2)
        parts += [*_text_tables(config, table, _head(document, scale)), *sentences]
        said += sentences
    if len(tables) > 1:
        said.append(scale_conclusions(tables))
        parts.append(said[-1])
    return tuple("\n\n".join(part for part in each if part) for each in (parts, said))  # type: ignore[return-value]


def joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One document of several that measured the same with other seeds or augmentations.

    Args:
        documents: of this job, of networks that differ in seed and augmentation alone. Of what is in two of them, the
            numbers of the later count.

    Returns:
        The document, its text remade; the figures are `draw`'s.

    Raises:
        BadInput: documents of other settings, data or versions of the analysis.
    """
    check_joinable(documents)
    first = documents[0]
    rows = latest((row for each in documents for row in each["results"] if row["seed"] is not None), ROW_KEYS)
    points = latest((point for each in documents for point in each["about"]["curves"]), (*NETWORK_KEYS, "step"))
    runs = latest((run for each in documents for run in each["runs"]), NETWORK_KEYS)
    settings = first["about"]["settings"]
    names = in_usual_order(known_as(name) for each in documents for name in each["config"]["augmentations"])
    seeds = sorted({row["seed"] for row in rows if row["augmentation"] in names})
    changed = {"augmentations": names, "seeds": len(seeds), "first_seed": seeds[0]}
    results = []
    for scale in dict.fromkeys(row["decoder_scale"] for row in rows):
        own = sorted(
            (row for row in rows if row["decoder_scale"] == scale),
            key=lambda row: names.index(row["augmentation"]) if row["augmentation"] in names else len(names),
        )
        results += [row | {"decoder_scale": scale} for row in over_seeds(own)] + own
    about = first["about"] | {"settings": settings | changed, "curves": points}
    whole = dict(first) | {
        "config": first["config"] | changed, "results": results, "about": about, "runs": runs,
        "failures": [failure for each in documents for failure in each["failures"]],
    }  # fmt: skip
    about["title"] = _title(whole)
    whole["text"], about["conclusions"] = text_of(whole)
    return whole


NETWORK_KEYS = ("decoder_scale", "augmentation", "seed")
"""What tells one VAE of a document from the others."""

ROW_KEYS = (*NETWORK_KEYS, "inputs", "quantity", "estimator", "noise", "fitted_on")
"""What tells one number of a document from the others."""


def draw(document: Mapping[str, Any], directory: Path) -> list[Path]:
    """Draw the figures of a document's numbers, with the numbers behind each; return the files."""
    # matplotlib is slow to import
    from analysis.figures import draw_noise_profile, draw_rate_distortion, draw_table_1, draw_training

    def drawn_of(table: pd.DataFrame, names: Sequence[str]) -> bool:
        return bool(networks_of(table)["estimator"].isin(names).any())

    tables, watermark = _tables(document), document["about"]["watermark"]
    curves = pd.DataFrame(document["about"].get("curves", []))
    files: list[Path] = []
    for scale, table in tables.items():
        head, suffix = _head(document, scale), f"-scale-{scale:g}" if len(tables) > 1 else ""
        if drawn_of(table, ("rate", "gaussian_marginal", "infonce")):
            figure, behind = draw_table_1(_without_noise(table), head)
            files += save(figure, directory / f"table-1{suffix}", behind, watermark=watermark)
        if document["config"]["noise"] and drawn_of(table, ("gaussian_marginal", "infonce")):
            figure, behind = draw_noise_profile(networks_of(table), head.removeprefix("Table 1 on "))
            files += save(figure, directory / f"noise-profile{suffix}", behind, watermark=watermark)
        if len(curves):
            chosen = curves[curves["decoder_scale"] == scale]
            figure = draw_training(chosen, _without_noise(table), head.removeprefix("Table 1 on "))
            files += save(figure, directory / f"training{suffix}", chosen, watermark=watermark)
    together = _without_noise(pd.concat(tables.values(), ignore_index=True))
    if len(tables) > 1 and drawn_of(together, ("rate", "gaussian_marginal")):
        figure, behind = draw_rate_distortion(together, _title(document))
        files += save(figure, directory / "rate-distortion", behind, watermark=watermark)
    return files


def _without_noise(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["noise"].isna()]


def _text_tables(config: Mapping[str, Any], everything: pd.DataFrame, head: str) -> list[str]:
    """The tables at one decoder scale."""
    table = _without_noise(everything)
    parts = []
    for inputs in config["inputs"]:
        parts.append(text_table(table[table["inputs"] == inputs], f"{head}; {inputs} test images"))
    parts.append(training_table(table))
    if config["shared"] and (everything["estimator"] == "critic").any():
        parts.append(shared_table(everything))
    if config["decomposition"]:
        parts.append(decomposition_text(networks_of(table)))
    return parts


def _sentences(
    config: Mapping[str, Any], everything: pd.DataFrame, settings: dict[str, Any], alone: bool
) -> list[str]:  # fmt: skip
    """What the numbers at one decoder scale allow one to say."""
    # a VAE's own-augmented −ELBO is always there: the bounds on these inputs only when they were asked for
    chosen = everything[everything["inputs"].isin(config["inputs"])]
    parts = [trained_conclusions(everything), conclusions(chosen, settings), difference_conclusions(chosen)]
    if config["noise"]:
        parts.append(profile_conclusions(chosen))
    if config["shared"] and (everything["estimator"] == "critic").any():
        parts.append(shared_conclusions(everything))
    if alone or settings["decoder_scale"] == Settings().decoder_scale:
        parts.append(published_conclusions(_without_noise(everything), settings))
    return [part for part in parts if part]


def read_posterior(path: Path, argument: str = "--posterior") -> tuple[DiagonalGaussian, Tensor | None]:
    """An encoder's output from an ``.npz``: ``mean`` and ``log_var`` (N, d), optionally ``codes`` (N, d).

    Raises:
        BadInput: a missing or damaged file, missing arrays, pickled objects, other types than floats of 16 to 64 bits.
    """
    needed = "an .npz with floating-point arrays mean and log_var (N, d), optionally codes (N, d)"
    arrays = read_arrays(argument, path, ("mean", "log_var", "codes"), needed)
    for key in ("mean", "log_var"):
        if key not in arrays:
            raise BadInput(argument, f"{path} without {key}", needed)
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.dtype.itemsize > 8:
            raise BadInput(argument, f"{key} of type {getattr(array, 'dtype', type(array).__name__)} in {path}", needed)
        # half precision, and the other order of bytes, are what they say
        arrays[key] = array.astype(np.float32 if array.dtype.itemsize < 8 else np.float64)
    tensors = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()}
    return DiagonalGaussian(tensors["mean"], tensors["log_var"]), tensors.get("codes")


def _posterior_of(config: Config, path: Path, argument: str) -> tuple[DiagonalGaussian, Tensor | None]:
    """What an encoder says: from its file, or, of the test images, from a VAE's run."""
    if not path.is_dir():
        return read_posterior(path, argument)
    device = resolve_device(config.execution.device)
    vae = load_vae(path, device, argument)
    images = load(config.data, download=not config.execution.dry_run).test_images.to(device)
    if tuple(images.shape[1:]) != vae.shape:
        expected, got = ("×".join(map(str, shape)) for shape in (vae.shape, images.shape[1:]))
        raise BadInput(argument, f"{path}, a VAE for images of {expected}", f"one for the data's, of {got}")
    return encode(vae, images), None


def _run_posterior(config: Config) -> Result:
    assert config.posterior is not None
    use_threads(config.execution.threads)
    posterior, codes = _posterior_of(config, config.posterior, "--posterior")
    second = None if config.posterior_b is None else _posterior_of(config, config.posterior_b, "--posterior-b")
    if config.execution.dry_run:
        config.execution.say(f"would bound {config.posterior}" + (f" with {config.posterior_b}" if second else ""))
        return Result([])
    if second is not None:
        found, rows = measure_pair(posterior, second[0], codes=(codes, second[1]), noise=config.noise)
    else:
        found, rows = measure(posterior, config.bounds, codes=codes, noise=config.noise)
    lines = [repr(bound) for bound in found]
    if config.decomposition and second is None:
        parts = decompose(posterior, codes)
        rows += parts.rows()
        lines.append(repr(parts))
    if not active_units(posterior.double()):
        lines.append("The code has collapsed: no dimension's posterior mean varies over the images.")
    if config.noise:
        lines += ["", *_profile_lines(rows)]
    text = "\n".join(lines)
    config.execution.say(text)
    rows = [FURTHER | row for row in rows]
    config.execution.write(json_document(PROGRAM, config, rows))
    return Result(rows, pd.DataFrame(rows), text)


def _profile_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A line per noise level: every estimator's value there."""
    frame = pd.DataFrame(rows).dropna(subset="noise")
    signs = {"upper": "≤", "lower": "≥", "estimate": "≈"}
    lines = []
    for level, own in frame.groupby("noise", sort=False):
        numbers = [
            f"{signs[row['direction']]} {row['value']:.3f} ± {row['standard_error']:.3f} "
            f"({ESTIMATORS[row['estimator']]})"
            for row in own.to_dict("records")
        ]
        lines.append(f"with noise s = {level:g}: {', '.join(numbers)}")
    return lines


if __name__ == "__main__":
    command(Config, run, PROGRAM)
