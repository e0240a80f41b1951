"""Train one VAE under one augmentation: ``python -m vae.train --augmentation fmix``.

The objective is the negative ELBO in nats per image,

    E_q(z|x) [‖x − decode(z)‖² / 2σ² + D log σ√(2π)] + KL(q(z|x) ‖ N(0, I)),

with x the jittered, flipped and mixed image, normalised per channel, and σ the decoder scale. With the Bernoulli
likelihood, the usual one of volumes, the cross-entropy of its values stands in place of the squared error and the
constant (`vae.likelihood`). Sound is seen as log-mel spectrograms, and neither jittered nor flipped.

By default the network is `vae.nets.own`'s, which starts as the linear VAE of its own inputs; Adam at 2e-3 (3% of
it for the linear maps), a tenth of the steps warming up, then half a cosine down to nothing.

``--preset reference`` is the reference code's network (`vae.nets.reference`), objective, batches, epochs and drops of
the learning rate, with one λ and mask a batch, its FMix spectrum, and its normalisation of colour images: less
(.4914, .4822, .4465), over (.2023, .1994, .2010). These divisors are not CIFAR-10's standard deviations, about
(.247, .243, .262): in the units that they make, the data have 1.5 times the variance, and every published rate and
squared error is in them. Nothing is published of VAEs on grey images, which keep their own mean and standard
deviation. One setting is not the published one: the learning rate is 1.25e-2 instead of 5e-2, at which this
network diverges from scratch. It is the largest of 5e-2, 2.5e-2, 1.25e-2, … at which every network trained for 2,000
steps to a −ELBO below the empty code's, on Fashion-MNIST and CIFAR-10 (JPEG), plain and under FMix, with two seeds
(``results/reference-preset``). The reference code starts some of its networks from earlier weights, which were never
published.

Deviations of the default settings from the reference preset's, beside network and learning rate:

- images are normalised by their own mean and standard deviation;
- log-variances in (−10, 10) by a scaled tanh instead of free, so that no variance overflows; where the decoder scale σ
  is below 1, in ±(10 − 2 log σ), for the smaller the scale, the finer the code;
- λ, mask and partner drawn per sample instead of once per batch, and FMix's spectrum isotropic as the paper's text
  has it; ``fmix-reference`` is the reference code's spectrum;
- batch, hidden layer and number of latents suit small images by default under 16 pixels;
- digits are not flipped: their mirror images are no digits.

Shared with it: colour jitter 0.05 and flips in every mode, the baseline included; the augmented image is the target;
Adam, batch 128. Batches are always full, and every run is seeded, which the reference code does not do.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from findings.row import row
from msda import Mixer
from store import BadInput, Run, in_range, positive, provenance
from store.command_line import Options, command, json_document
from store.options import Records
from store.registry import known_as, source_hash
from store.runs import now
from tasks import DataOptions, Task, load
from tasks.loading import TASKS
from tasks.task import Image, Sound, Text, Volume
from training import Diverged, Pipeline, fit, generator
from training.devices import describe, resolve_device, use_threads
from training.grid import Trainer
from training.job import Job, Step, loaded
from training.mixing import check_mixes, check_unchanged, identity_of, mixer_named
from training.reuse import Failed, once
from training.views import flipped, jittered
from training.weights import write_weights
from vae.curve import FLAT, WATCHED, last_fall, negative_elbo, steps_to_watch
from vae.encode import encode, errors
from vae.linear import draws_of, fit_linear
from vae.nets import NETWORKS, VAE, adapted_network, vae_of
from vae.posterior import DiagonalGaussian

__all__ = [
    "Config",
    "Settings",
    "active_units",
    "normalisation",
    "overfitting",
    "run",
    "squared_units",
    "step_of",
    "train",
    "vae_run",
]

PROGRAM = "python -m vae.train"

VERSION = 2
"""Raised when training the same configuration gives another result."""

LINEAR_DRAWS = 50_000
"""Inputs on which the linear VAE that our network starts from is fitted; fewer where they are large."""

REFERENCE_MEAN = (0.4914, 0.4822, 0.4465)
"""What the reference code takes from the channels of every image, in [0, 1]."""

REFERENCE_STD = (0.2023, 0.1994, 0.2010)
"""What it divides them by: the units of the published rates and errors."""

SCALES = 1e-6, 1e6
"""Least and largest of what a standard deviation may be, in units of normalised pixels or of a code's."""

REFERENCE_LEARNING_RATE = 1.25e-2
"""The largest at which all trained, of 5e-2 (as published), 2.5e-2, 1.25e-2, …: ``results/reference-preset``."""


@dataclass(frozen=True)
class Settings:
    """How a VAE is trained. ``None`` means the preset's value, which may depend on the image size."""

    preset: Literal["default", "reference"] = "default"
    """reference: the reference code's network, normalisation and settings (free log-variance, scope batch, its FMix
    spectrum), but learning rate 1.25e-2: at 5e-2, as published, it diverges"""
    network: str | None = None
    """residual, reference, or package.module:factory or FILE.py:factory, called with those of shape=, channels=,
    latents=, width= and hidden= that it has: it makes a module with encode(images) -> DiagonalGaussian and
    decode(codes) (None: residual; reference with its preset)"""
    epochs: int | None = None
    """passes over the training items (None: 25; reference 100)"""
    batch_size: int | None = None
    """items a step (None: 128; 64 for images under 16 pixels)"""
    learning_rate: float | None = None
    """Adam's, at its largest (None: 2e-3; reference 1.25e-2)"""
    kl_warm_up: float = 0.0
    """the KL term counts in full only after this share of the training, linearly from 0"""
    width: int = 32
    """channels of the convolutions, of the reference network's first"""
    hidden: int | None = None
    """units of the hidden layer (None: 256; 128 for images under 16 pixels)"""
    latents: int | None = None
    """dimensions of the code (None: 64; 16 for images under 16 pixels)"""
    decoder_scale: float = 1.0
    """standard deviation of p(x|z), in units of normalised pixels: the smaller, the more the code is paid to carry"""
    likelihood: Literal["gaussian", "bernoulli"] | None = None
    """p(x|z): Gaussian noise of decoder_scale, or every pixel or voxel 0 or 1 (None: gaussian; of volumes bernoulli)"""
    jitter: float = 0.05
    """strength of the colour jitter of images"""
    flip: bool | None = None
    """mirror half of the images (None: except digits, mnist, kmnist and svhn), or of the shapes (None: not)"""
    alpha: float = 1.0
    """λ is drawn from Beta(alpha, alpha)"""
    decay_power: float = 3.0
    """FMix's δ: the larger, the larger the regions"""
    max_soft: float = 0.0
    """FMix's largest share of soft mask pixels, 0 to 0.5"""
    scope: Literal["batch", "sample"] | None = None
    """one λ and mask a batch, or one a sample (None: sample; reference batch)"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: forward pass in bfloat16: faster on GPUs and on CPUs with AVX-512 BF16 or AMX, slower elsewhere"""

    def __post_init__(self) -> None:
        if self.network is not None:
            NETWORKS.check(self.network, "--network")
        positive("--width", self.width)
        for name in ("epochs", "batch_size", "hidden", "latents"):
            if getattr(self, name) is not None:
                positive(f"--{name.replace('_', '-')}", getattr(self, name))
        if self.batch_size is not None and self.batch_size < 2:
            raise BadInput("--batch-size", self.batch_size, "an integer of at least 2: mixing takes two images")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise BadInput("--learning-rate", self.learning_rate, "a number above 0")
        in_range("--decoder-scale", self.decoder_scale, *SCALES)
        if not 0 <= self.kl_warm_up < 1:
            raise BadInput("--kl-warm-up", self.kl_warm_up, "a number from 0 to below 1")
        if not 0 <= self.jitter <= 0.5:
            raise BadInput("--jitter", self.jitter, "a number from 0 to 0.5")
        self.mixer("fmix")  # the mixers check alpha, decay_power and max_soft

    def mixer(self, augmentation: str, argument: str = "--augmentation") -> Mixer:
        """The mixer of an augmentation's name under these settings; ``argument`` is what a wrong name is blamed on.

        Raises:
            BadInput: an unknown augmentation, or parameters out of range.
        """
        scope = self.scope or ("batch" if self.preset == "reference" else "sample")
        if self.preset == "reference":
            parts = ("fmix-reference" if name == "fmix" else name for name in augmentation.split("+"))
            augmentation = "+".join(parts)
        return mixer_named(
            augmentation, argument, alpha=self.alpha, decay_power=self.decay_power, max_soft=self.max_soft, scope=scope
        )

    def pipeline(self, augmentation: str, task: Task, enter: Callable[[Tensor], Tensor]) -> Pipeline:
        """What a VAE of an augmentation sees; ``enter`` gives raw items its units (`VAE.enter`)."""
        config = self.resolved(task)
        views = [jittered(config["jitter"])] if config["jitter"] else []
        views += [flipped] if config["flip"] else []
        return Pipeline(views, enter, self.mixer(augmentation))

    def resolved(self, task: Task) -> dict[str, Any]:
        """Every setting with its value for these items: what a run's identity holds.

        Raises:
            BadInput: settings that do not suit them.
        """
        self._check(task)
        tiny = small(task)
        reference = self.preset == "reference"
        usual = {
            "epochs": 25,
            "batch_size": 64 if tiny else 128,
            "learning_rate": 2e-3,
            "hidden": 128 if tiny else 256,
            "latents": 16 if tiny else 64,
            "flip": task.modality.mirrored,
            "scope": "sample",
        }
        if reference:
            usual |= {"epochs": 100, "batch_size": 128, "learning_rate": REFERENCE_LEARNING_RATE, "scope": "batch"}
            usual |= {"hidden": 256, "latents": 64, "flip": True}
        values = dataclasses.asdict(self)
        values |= {name: value for name, value in usual.items() if values[name] is None}
        if values["batch_size"] > len(task.train):
            raise BadInput("--batch-size", values["batch_size"], f"at most the {len(task.train)} training {task.items}")
        bound = None if reference else 10 - 2 * min(0.0, math.log(self.decoder_scale))
        network = self.network or ("reference" if reference else "residual")
        values |= {"network": known_as(network), "shape": list(task.shape), "log_var_bound": bound}
        if network not in NETWORKS.built_in:
            source = NETWORKS.source(network, "--network") or ""
            sizes = values["latents"], values["width"], values["hidden"]
            dimensions = _dimensions(network, source, task.shape, *sizes)
            values |= {"source": source_hash(source), "latents_asked": values["latents"], "latents": dimensions}
            values["log_var_bound"] = None
        if reference:
            values["normalisation"] = "reference" if task.shape[0] == len(REFERENCE_MEAN) else "data"
        if isinstance(task.modality, Sound):
            values["rate"] = task.modality.rate
        if not isinstance(task.modality, Image):
            values["jitter"] = 0.0
        values["likelihood"] = self.likelihood_for(task)
        # what all VAEs were trained with before there was a choice identifies nothing
        if values["likelihood"] == "gaussian" and not isinstance(task.modality, Volume):
            del values["likelihood"]
        return values

    def likelihood_for(self, task: Task) -> str:
        """The likelihood's name: what is asked for, or what is usual for such items."""
        return self.likelihood or ("bernoulli" if isinstance(task.modality, Volume) else "gaussian")

    def _check(self, task: Task) -> None:
        """Refuse items that there are no VAEs of, and settings that do not suit them."""
        if isinstance(task.modality, Text):
            raise BadInput("--data", f"{task.name}, whose items are {task.items}", "images, clips of sound, or volumes")
        if not isinstance(task.modality, Image):
            for option, value in (("--preset", self.preset), ("--network", self.network)):
                if value == "reference":
                    raise BadInput(option, f"reference for {task.items}", "images: its network is for images only")
            if self.jitter not in (0, Settings.jitter):
                raise BadInput("--jitter", self.jitter, f"images: {task.items} have no colours")
        if isinstance(task.modality, Sound) and self.flip:
            raise BadInput("--flip", self.flip, f"images or volumes: {task.items} are not mirrored")
        if self.likelihood_for(task) == "bernoulli" and self.decoder_scale != Settings.decoder_scale:
            needed = "1: a Bernoulli likelihood has no scale (--likelihood gaussian has one)"
            raise BadInput("--decoder-scale", self.decoder_scale, needed)


@dataclass(frozen=True)
class Config:
    """Train one VAE under one augmentation and record its rate and reconstruction error on the test images.

    A run's directory in the store comes out, with weights, learning curve and record; what is there already is reused.
    """

    augmentation: str = "none"
    """none, mixup, cutmix, fmix, fmix-reference, package.module:NAME, FILE.py:NAME, or a hybrid such as fmix+mixup"""
    seed: int = 1
    """seed of initialisation, order and augmentation"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        positive("--seed", self.seed)
        self.settings.mixer(self.augmentation)


@functools.lru_cache(maxsize=16)
def _dimensions(network: str, source: str, shape: tuple[int, ...], latents: int, width: int, hidden: int) -> int:
    """Of the code of somebody else's network, which may have another number than it was asked for.

    Args:
        network: its name.
        source: its text, with which it may change.
        shape: (C, …) of the items.
        latents, width, hidden: what it is asked for.
    """
    config = {"shape": shape, "latents": latents, "width": width, "hidden": hidden}
    with torch.random.fork_rng(devices=[]):
        return adapted_network(config, network)[1]


def small(task: Task) -> bool:
    """Whether items are under 16 pixels a side, for which the reference network is too deep."""
    return min(task.shape[1:]) < 16


def vae_run(task: Task, augmentation: str, seed: int, settings: Settings, options: Options) -> Run:
    """The run directory of a VAE, trained or not."""
    config = settings.resolved(task) | identity_of(augmentation)
    check_mixes(augmentation, settings.mixer(augmentation), task.shape, task.items)
    identity = {
        "version": VERSION,
        "config": config,
        "seed": seed,
        "data": task.identity,
    }
    return Run(options.store, "vae", f"{task.name.lower()}-{known_as(augmentation)}-seed{seed}", identity)


def active_units(posterior: DiagonalGaussian) -> int:
    """How many latents' posterior means vary over the images with variance above 0.01 (Burda et al. 2016)."""
    if len(posterior) < 2:
        return 0
    return int((posterior.mean.var(0) > 0.01).sum())


def normalisation(task: Task, config: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """What is taken from pixels in [0, 1] and what they are then divided by, (C,) each."""
    if config.get("normalisation") == "reference":
        return torch.tensor(REFERENCE_MEAN), torch.tensor(REFERENCE_STD)
    return task.statistics()


def objective(
    vae: VAE, task: Task, pipeline: Pipeline, config: Mapping[str, Any], steps: int
) -> Callable[[Tensor, torch.Generator, int], dict[str, Tensor]]:
    """What `training.fit` minimises: from the batch's indices, a generator and the step to the loss, rate and MSE.

    Args:
        vae: in training mode.
        task: on its device.
        pipeline: what the VAE sees.
        config: a run's, with every setting.
        steps: of the whole training; the KL term is warmed up over a share of them.
    """
    pixels, likelihood = math.prod(task.shape), vae.likelihood
    constant = likelihood.constant(pixels)
    warm_up = config["kl_warm_up"] * steps

    kind = task.train.device.type
    half = torch.autocast(kind, torch.bfloat16) if config["precision"] == "bf16" else nullcontext()

    def losses(indices: Tensor, stream: torch.Generator, step: int) -> dict[str, Tensor]:
        target = pipeline(task.train.batch(indices)[0], stream, step).images
        with half:
            posterior = vae.encode(target)
            posterior = DiagonalGaussian(posterior.mean.float(), posterior.log_var.float())
            output = vae.decode(posterior.sample(stream))
        squares, lost = likelihood.errors(target, output.float())
        rate = posterior.kl_to_standard_normal().mean()
        distortion = likelihood.nats(lost.mean()) + constant
        weight = min(1.0, step / warm_up) if warm_up else 1.0
        return {"loss": distortion + weight * rate, "rate": rate, "mse": squares.detach().mean() / pixels}

    return losses


def train(task: Task, augmentation: str, seed: int, settings: Settings, options: Options) -> Run:
    """Train the VAE, or find it trained; return its run.

    Args:
        task: anywhere; moved to the device.
        augmentation: a mixer's name.
        seed: at least 1.
        settings: how.
        options: where; ``force`` trains again what is there.

    Raises:
        Failed: the run diverged, now or when it was last tried.
        Interrupted: a signal arrived; the checkpoint is written.
        BadInput: a damaged checkpoint or an unsuitable configuration.
    """
    run = vae_run(task, augmentation, seed, settings, options)
    device = resolve_device(options.device)
    return once(run, options, lambda: _train(run, task, augmentation, seed, settings, options, device))


def _train(
    run: Run,
    task: Task,
    augmentation: str,
    seed: int,
    settings: Settings,
    options: Options,
    device: torch.device,
) -> None:
    # a second thread slows down what is too small to be divided
    threads = use_threads(options.threads or (1 if small(task) else None))
    task = task.to(device)
    config = run.identity["config"]
    origin, started = provenance(describe(device), threads), now()
    run.begin()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = vae_of(config, *normalisation(task, config), settings.network).to(device)
    epochs = config["epochs"]
    steps, peak = epochs * (len(task.train) // config["batch_size"]), config["learning_rate"]
    pipeline = settings.pipeline(augmentation, task, vae.enter)
    check_unchanged(augmentation, config)
    if not run.resume.exists():
        single = replace(settings, scope="sample").pipeline(augmentation, task, vae.enter)
        count = draws_of(task.shape, LINEAR_DRAWS, isinstance(task.modality, Sound))
        if count < LINEAR_DRAWS:
            options.say(f"it starts from the principal axes of {count:,} draws of its inputs")
        draws = single.draws(task.train.inputs, generator(device, seed, "linear start"), count)
        vae.start(lambda: fit_linear(draws, config["latents"], config["decoder_scale"]))
    held_out = pipeline.each_once(task.test.inputs, generator(device, seed, "curve"), WATCHED)

    def watch(_: int) -> dict[str, float]:
        elbo, rate, mse = negative_elbo(vae, held_out, seed)
        return {"negative_elbo": float(elbo.mean()), "rate": float(rate.mean()), "mse": float(mse.mean())}

    try:
        trained = fit(
            run,
            vae,
            torch.optim.Adam(vae.parameter_groups(), lr=peak, fused=True),
            objective(vae, task, pipeline, config, steps),
            images=len(task.train),
            batch_size=config["batch_size"],
            epochs=epochs,
            seed=seed,
            learning_rate=lambda step: peak * vae.schedule(step / steps),
            device=device,
            checkpoint_seconds=options.checkpoint_seconds,
            label=run.name,
            watch=watch,
            watched=steps_to_watch(steps),
        )
    except Diverged as problem:
        run.fail(str(problem), started=started, origin=origin)
        raise Failed(f"{run.path}: {problem} (recorded; a smaller --learning-rate may help)") from None

    vae.eval()
    write_weights(run.path, vae)
    posterior = encode(vae, task.test.inputs)
    curve = [{"step": row["step"]} | row["watched"] for row in run.logged() if "watched" in row]
    metrics = {
        "test_rate": float(posterior.kl_to_standard_normal().mean()),
        "test_mse": mean_squared_error(vae, task.test.inputs, seed),
        "active_units": active_units(posterior),
        "last_fall": last_fall(curve),
        "overfitting": overfitting(vae, task, pipeline, seed),
        "images_per_second": trained.pop("images_per_second"),
        "seconds": trained.pop("seconds"),
        "last_epoch": trained,
    }
    run.finish(metrics=metrics, started=started, origin=origin, curve=curve, training_images=len(task.train))


def overfitting(vae: VAE, task: Task, pipeline: Pipeline, seed: int) -> dict[str, Any]:
    """−ELBO of test inputs less that of training inputs, both like the VAE's own, in nats, with its standard error.

    Args:
        vae: in evaluation mode.
        task: on its device; as many training images as there are test images, at random.
        pipeline: what the VAE sees.
        seed: of the choice, the mixing and the codes.
    """
    count = len(task.test)
    test, training = (
        negative_elbo(vae, pipeline.each_once(images, generator(images.device, seed, "curve"), count), seed)[0]
        for images in (task.test.inputs, task.train.inputs)
    )
    error = math.sqrt(sum(float(losses.var()) / len(losses) for losses in (test, training)))
    return {"value": float(test.mean() - training.mean()), "standard_error": error, "n": len(test)}


def mean_squared_error(vae: VAE, images: Tensor, seed: int) -> float:
    """Mean over raw images, channels and pixels of the squared error of one reconstruction from a sampled code.

    In squared units of normalised pixels; of sound and volumes, over the values of spectrograms, and over voxels.
    """
    stream = generator(images.device, seed, "reconstruction")
    return float(errors(vae, images, stream)[0].sum() / (len(images) * math.prod(vae.shape)))


def run(config: Config) -> Run:
    """Train the VAE that ``config`` describes and say what came of it."""
    options = config.execution
    task = load(config.data, download=not options.dry_run)
    planned = vae_run(task, config.augmentation, config.seed, config.settings, options)
    if options.dry_run:
        options.say(f"{planned.path}: {planned.status}")
        return planned
    trained = train(task, config.augmentation, config.seed, config.settings, options)
    metrics = trained.result()["metrics"]
    options.say(
        f"{'trained' if trained.fresh else 'reused'}: rate {metrics['test_rate']:.2f} nats, "
        f"MSE {metrics['test_mse']:.4f}, {metrics['active_units']} of {trained.identity['config']['latents']} units "
        f"active{'' if metrics['active_units'] else ' (collapsed: the code carries nothing)'}"
    )
    fall = metrics.get("last_fall")
    if fall is not None:
        over = metrics["overfitting"]
        flat = "flat" if fall < FLAT else "not flat"
        options.say(
            f"−ELBO fell by {fall:.2f} nats over the last fifth of the steps ({flat}); "
            f"on test {task.items} it is {over['value']:.1f} ± {over['standard_error']:.1f} nats more than on training "
            f"{task.items}"
        )
    options.say(str(trained.path))
    options.write(json_document(PROGRAM, config, rows_of(trained.result())))
    return trained


def squared_units(config: Mapping[str, Any]) -> str:
    """The units of a VAE's squared error, in words.

    Args:
        config: a run's, with every setting.
    """
    what = "values" if "rate" in config else "voxels" if len(config.get("shape", ())) > 3 else "pixels"
    return f"squared normalised {what}"


def rows_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rate and squared error on the clean test items, from a run's record, as rows of a document."""
    metrics, config = record["metrics"], record["config"]
    where = {"inputs": "clean", "augmentation": config["augmentation"], "seed": record["seed"]}
    where |= {"decoder_scale": config["decoder_scale"]}
    return [
        row("I(Z;X)", "rate", metrics["test_rate"], direction="upper", units="nats", **where),
        row("MSE", "mse", metrics["test_mse"], units=squared_units(config), **where),
    ]


def step_of(config: Config) -> Step:
    """The step of a grid that trains the network of a configuration."""
    task = loaded(config.data, not config.execution.dry_run)
    run = vae_run(task, config.augmentation, config.seed, config.settings, config.execution)
    work = run.identity["config"]["epochs"] * len(task.train)
    return Step(f"{run.name} {run.hash}", "vae", "vae.train:run", (config,), run=run, work=work)


def _summary(record: dict[str, Any]) -> str:
    rate, mse, seconds = (record["metrics"][key] for key in ("test_rate", "test_mse", "seconds"))
    return f"rate {rate:7.2f} nats   MSE {mse:.4f}   {seconds:.0f} s"


TRAINER = Trainer("VAE", vae_run, train, _summary)
"""What trains VAEs, for grids of them."""

JOB = Job(PROGRAM, lambda config, _: [step_of(config)])


RECORDS = Records("vae", TASKS, load)
"""What ``--config`` takes beside files with options."""

EXAMPLES = (
    "--augmentation fmix --data fashion-mnist",
    "--preset reference --data cifar10 --augmentation cutmix --seed 2",
    "--config runs/vae/digits-none-seed1-e1163fdfc65a --latents 32",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, records=RECORDS, examples=EXAMPLES)
