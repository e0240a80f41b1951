"""Train one classifier under one augmentation: ``python -m classifiers.train --augmentation fmix``.

Published settings for images: SGD with momentum 0.9, learning rate 0.1, weight decay 1e-4, batch 128, 200 epochs with
the learning rate ×0.1 at 100 and 150, random crop (padding 4) and flip; DenseNet and PyramidNet have their own
(`RECIPES`). ``--preset cifar10-preact-resnet18-fmix`` is a row of the paper's tables. For texts (``text-cnn``,
``text-lstm``): Adam with learning rate 1e-4, without weight decay, batch 64 of similar lengths, 10 epochs, the rate the
same throughout, as the reference code has them for Toxic Comments; for IMDb and Yelp, none are known.

Deviations from them:

- λ, mask and partner are drawn per sample; ``--scope batch`` draws one λ and mask a batch, as the reference code does;
- FMix's spectrum is isotropic, as the paper's text has it; ``fmix-reference`` is the reference code's;
- batches are always full, and every run is seeded;
- on a CUDA GPU the forward pass is in bfloat16 (``--precision fp32`` otherwise);
- images under 16 pixels: a narrow network, batch 64, 30 epochs, crop padding 1; digits and characters are not flipped;
- texts: labels are weighed over words; networks, and a transformer's mean, see where a shorter text of a batch has
  ended; words are the 30,000 most frequent ones, in lower case (IMDb's and Yelp's presets keep upper case), taken apart
  by another tokenizer, with stop words and all signs and without an ``EOS``; texts are cut after 400 words; vectors of
  words may be of another kind and size, and are learned where they are random; the binary cross entropy of several
  labels is summed over them, which Adam does not mind; a transformer's learning rate, which is not known, is 5e-5, for
  3 epochs of batches of 32, after a linear warm-up over the first tenth of an epoch.

The accuracy reported is that of the weights after the last epoch on the clean test items (or on the validation fold
that was held out), never the best over epochs. Accuracy on mixed training batches is not reported: they have no one
right answer.

A run keeps weights (the last, and those after a sixteenth, an eighth, a quarter and half of the epochs), the logits of
the scored images with their labels (``logits.npz``), and its record with the learning curve (`classifiers.curve`).
"""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from classifiers.curve import (
    KEPT,
    curve_of,
    epochs_of,
    scores_of_watched,
    watched_epochs,
    watched_items,
    weights_at,
)
from classifiers.load import Classifier, finite, logits_of_split
from classifiers.networks import (
    FACTORIES,
    build,
    known_name,
    network_known_as,
    source_of,
    theirs,
)
from classifiers.objectives import OBJECTIVES
from classifiers.presets import preset_named
from classifiers.recipes import BY_OPTIMIZER, tiny, usual_network, usual_settings
from classifiers.text.classifier import TextClassifier, check_network, text_classifier, tokenised, write_files
from classifiers.text.settings import TextSettings
from classifiers.text.tokens import check_package
from findings.row import row
from msda import Alternate, Mixer
from store import BadInput, Run, positive, provenance, write_atomically
from store.command_line import Options, command, json_document
from store.options import Records
from store.registry import called, source_hash
from store.runs import now
from tasks import DataOptions, Task, load
from tasks.loading import TASKS
from tasks.metrics import TABULATED, headline, metrics_of, of_components, scores
from tasks.task import Component, Image, Sound, Text, Volume
from training import Diverged, Pipeline, fit
from training.batches import by_length
from training.devices import describe, resolve_device, use_threads
from training.distributed import Ranks, join
from training.grid import Trainer
from training.job import Job, Step, loaded
from training.mixing import check_mixes, check_unchanged, identity_of, in_turn, mixer_named
from training.reuse import Failed, once
from training.seeds import derive
from training.views import View, cropped, flipped, heard
from training.views.policies import LISTED, BatchPolicy, policy_named
from training.views.text import mixing_ids, weighing_words
from training.weights import write_weights

__all__ = [
    "TRAINER",
    "Config",
    "Settings",
    "classifier_run",
    "from_preset",
    "headline_of",
    "objective",
    "optimiser",
    "pipeline_of",
    "run",
    "step_of",
    "train",
    "version_of",
]


PROGRAM = "python -m classifiers.train"

SPECTROGRAMS = torch.tensor([0.5]), torch.tensor([1.0])
"""What is taken from spectrograms in [0, 1], and what they are divided by: the reference code's are in [−½, ½]."""

AnyClassifier: TypeAlias = Classifier | TextClassifier
"""A classifier of images, or of texts."""


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained. ``None`` means the published value, which depends on the network."""

    network: str | None = None
    """of images: preact-resnet18, wide-resnet-28-10, densenet-bc-190-40, pyramidnet-272-200, torchvision:resnet50,
    timm:seresnext50_32x4d; of shapes: voxel-cnn; of texts: text-cnn, text-lstm, bert (small, random weights),
    transformers:FOLDER (pretrained); or package.module:NAME or FILE.py:NAME, called with channels= and classes= if it
    takes them (None: preact-resnet18; text-cnn, voxel-cnn)"""
    width: int | None = None
    """of our networks: channels of the first stage, widening factor, growth rate, widening (None: 64, 10, 40, 200; the
    first is 16 for images under 16 pixels); of text-cnn, text-lstm and bert channels, units, and hidden size (128)"""
    epochs: int | None = None
    """passes over the training items (None: 200; densenet 300, pyramidnet 1800; 30 for images under 16 pixels; 10 for
    texts, 3 of a transformer)"""
    batch_size: int | None = None
    """items a step, over all processes (None: 128; densenet 32, pyramidnet 64; 64 for images under 16 pixels and for
    texts, 32 of a transformer)"""
    optimizer: Literal["sgd", "adam"] | None = None
    """SGD with momentum, or Adam (None: sgd for images, adam for texts)"""
    learning_rate: float | None = None
    """at the start (None: 0.1; 1e-4 for texts, 5e-5 of a transformer; with another optimiser than theirs 0.1 of SGD and
    1e-3 of Adam)"""
    momentum: float = 0.9
    """SGD's"""
    weight_decay: float | None = None
    """of all parameters (None: 1e-4 with SGD, 0 with Adam)"""
    warm_up: float | None = None
    """epochs over which the learning rate rises from 0 (None: 0; 0.1 of a transformer)"""
    schedule: Literal["step", "cosine"] | None = None
    """step: the learning rate ×0.1 at each milestone; cosine: to 0 along half a wave (None: step; pyramidnet cosine)"""
    milestones: tuple[float, ...] | None = None
    """shares of the training at which the learning rate drops (None: 1/2 and 3/4; densenet 1/3, 1/2 and 3/4; none for
    texts)"""
    crop: int | None = None
    """pixels by which images are shifted at most, filled with black (None: 4; 1 for images under 16 pixels)"""
    flip: bool | None = None
    """mirror half of the images (None: except digits, mnist, kmnist and svhn), or of the shapes (None: not)"""
    distort: bool | None = None
    """of sound: change loudness, speed and time of half of the clips each, as the reference code does (None: yes)"""
    policy: str = "none"
    """none, autoaugment (its CIFAR-10 policy), randaugment, trivialaugment, package.module:NAME or FILE.py:NAME, from
    one image to another, or file:PATH, a list of sub-policies of ("ShearX", probability, level), as Fast AutoAugment
    published its own; after crop and flip, a list before them"""
    alpha: float = 1.0
    """λ is drawn from Beta(alpha, alpha)"""
    decay_power: float = 3.0
    """FMix's δ: the larger, the larger the regions"""
    max_soft: float = 0.0
    """FMix's largest share of soft mask pixels, 0 to 0.5"""
    scope: Literal["batch", "sample"] = "sample"
    """one λ and mask a batch, as the reference code draws them, or one a sample"""
    targets: Literal["mixed", "independent", "reformulated"] = "mixed"
    """mixed: as the items; independent: by another draw (Liang et al. 2018); reformulated: not, λ ~ Beta(α + 1, α)"""
    target_alpha: float | None = None
    """the targets' λ follows Beta of this, taken from the items' λ or, for independent, drawn (None: as the items)"""
    objective: Literal["cross-entropy", "binary-cross-entropy", "relative-entropy"] | None = None
    """binary for several labels an item; relative: D(output ‖ target), see --smoothing (None: cross-entropy; binary
    where the data say that labels are several)"""
    smoothing: float = 0.01
    """share of the uniform distribution in the targets of relative-entropy, without which it is infinite"""
    precision: Literal["fp32", "bf16"] | None = None
    """bf16: forward pass in bfloat16; slower on CPUs without AVX-512 BF16 or AMX (None: bf16 on CUDA, else fp32)"""
    compile: bool | None = None
    """torch.compile the network (None: on CUDA, for images)"""
    text: TextSettings = field(default_factory=TextSettings)

    def __post_init__(self) -> None:
        if self.network is not None:
            known_name(self.network, "--network")
        for name in ("width", "epochs", "batch_size"):
            if getattr(self, name) is not None:
                positive(f"--{name.replace('_', '-')}", getattr(self, name))
        if self.batch_size is not None and self.batch_size < 2:
            raise BadInput("--batch-size", self.batch_size, "an integer of at least 2: mixing takes two items")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise BadInput("--learning-rate", self.learning_rate, "a number above 0")
        if not 0 <= self.momentum < 1:
            raise BadInput("--momentum", self.momentum, "a number from 0 to below 1")
        if self.weight_decay is not None and not 0 <= self.weight_decay < math.inf:
            raise BadInput("--weight-decay", self.weight_decay, "a number of at least 0")
        if self.warm_up is not None and not 0 <= self.warm_up < math.inf:
            raise BadInput("--warm-up", self.warm_up, "a number of epochs, at least 0")
        if not all(0 < share < 1 for share in self.milestones or ()):
            raise BadInput("--milestones", " ".join(map(str, self.milestones or ())), "shares between 0 and 1")
        if self.crop is not None and self.crop < 0:
            raise BadInput("--crop", self.crop, "an integer of at least 0")
        if not 0 < self.smoothing < 1:
            raise BadInput("--smoothing", self.smoothing, "a number between 0 and 1")
        self.mixer("fmix")  # the mixers check their options
        self.parsed_policy  # noqa: B018 (refuses an unsuitable one)

    def __getstate__(self) -> dict[str, Any]:
        # somebody else's policy is of a module that another process has not imported: it is read there again
        return {key: value for key, value in vars(self).items() if key != "parsed_policy"}

    @functools.cached_property
    def parsed_policy(self) -> BatchPolicy:
        """The policy, read once: what identifies a run is what it is trained with, though the file changes meanwhile.

        Raises:
            BadInput: an unknown name or an unsuitable file.
        """
        return policy_named(self.policy)

    def mixer(self, augmentation: str, argument: str = "--augmentation") -> Mixer:
        """The mixer of an augmentation's name under these settings; ``argument`` is what a wrong name is blamed on.

        Raises:
            BadInput: an unknown augmentation, or options out of range or not for it.
        """
        return mixer_named(
            augmentation,
            argument,
            alpha=self.alpha,
            decay_power=self.decay_power,
            max_soft=self.max_soft,
            scope=self.scope,
            targets=self.targets,
            target_alpha=self.target_alpha,
        )

    def network_for(self, task: Task) -> str:
        """The network's name: what is asked for, or what is usual for such items."""
        return self.network or usual_network(task)

    def resolved(self, task: Task, device: torch.device, ranks: Ranks) -> dict[str, Any]:
        """Every setting with its value for these items: what a run's identity holds."""
        network = self.network_for(task)
        values = dataclasses.asdict(self) | {
            "network": network_known_as(network),
            "policy": self.parsed_policy.identity,
            "objective": self.objective or ("binary-cross-entropy" if task.several else "cross-entropy"),
        }
        usual: dict[str, Any] = {"precision": "bf16" if device.type == "cuda" else "fp32"}
        usual |= usual_settings(task, network)
        self._refuse_unsuitable(task)
        more: dict[str, Any] = {"classes": task.classes}
        if isinstance(task.modality, Text):
            values["text"] = self.text.resolved(network)
            more["several"] = task.several
        else:
            del values["text"]
            more = {"shape": list(task.shape)} | more
        if isinstance(task.modality, Sound):
            more["rate"] = task.modality.rate
            usual["distort"] = True
        else:
            del values["distort"]
        if task.components:
            more["components"] = {component.name: component.classes for component in task.components}
        if self.optimizer not in (None, usual["optimizer"]):
            usual |= BY_OPTIMIZER[self.optimizer]
        values |= {name: value for name, value in usual.items() if values[name] is None}
        values["milestones"] = list(values["milestones"]) if values["schedule"] == "step" else []
        del values["compile"]
        if values["objective"] != "relative-entropy":
            del values["smoothing"]
        if values["optimizer"] == "adam":
            del values["momentum"]
        # what networks were trained with before there was a choice identifies nothing
        for name, only in (("optimizer", "sgd"), ("warm_up", 0.0)):
            if values[name] == only:
                del values[name]
        self._check(values, task, ranks)
        if ranks.world > 1:
            values["processes"] = ranks.world
        return values | more

    def _refuse_unsuitable(self, task: Task) -> None:
        """Refuse what is asked for and does nothing to such items, but would make another run."""
        if not isinstance(task.modality, Text):
            self.text.refuse()
        only = {
            "--crop": (self.crop, Image | Volume, "images or shapes", "neither moved nor painted"),
            "--flip": (self.flip, Image | Volume, "images or shapes", "not mirrored"),
            "--policy": (self.policy if self.policy != "none" else None, Image, "images", "not painted"),
            "--distort": (self.distort, Sound, "clips of sound", "not heard"),
        }
        for option, (value, suitable, kinds, why) in only.items():
            if value and not isinstance(task.modality, suitable):
                raise BadInput(option, value, f"{kinds}: {task.items} are {why}")

    def _check(self, values: Mapping[str, Any], task: Task, ranks: Ranks) -> None:
        """Refuse settings that do not suit the items."""
        if isinstance(task.modality, Image | Volume) and values["crop"] > min(task.shape[1:]):
            needed = f"at most the {min(task.shape[1:])} pixels of the shortest side"
            raise BadInput("--crop", values["crop"], needed)
        if values["batch_size"] > len(task.train):
            raise BadInput("--batch-size", values["batch_size"], f"at most the {len(task.train)} training {task.items}")
        if values["batch_size"] % ranks.world or values["batch_size"] < 2 * ranks.world:
            needed = f"a multiple of {ranks.world} processes, 2 {task.items} for each"
            raise BadInput("--batch-size", values["batch_size"], needed)
        if values.get("warm_up", 0.0) > values["epochs"]:
            raise BadInput("--warm-up", values["warm_up"], f"at most the {values['epochs']} epochs of training")
        if task.components and values["objective"] != "cross-entropy":
            got = f"{values['objective']} for {len(task.components)} questions an item"
            raise BadInput("--objective", got, "cross-entropy, whose sum over them is minimised")
        if isinstance(task.modality, Text):
            self._check_texts(values, task, ranks)

    def _check_texts(self, values: Mapping[str, Any], task: Task, ranks: Ranks) -> None:
        if ranks.world > 1:
            needed = "one process: vectors of words are not shared"
            raise BadInput("--data", f"texts, on {ranks.world} processes", needed)
        if task.classes < 2 and not task.several:
            raise BadInput("--data", f"{task.name}, texts of one class", "two classes or more")
        if task.several != (values["objective"] == "binary-cross-entropy"):
            labels = "several labels" if task.several else "one class"
            needed = "binary-cross-entropy" if task.several else "cross-entropy, which of two classes is the binary one"
            raise BadInput("--objective", f"{values['objective']} for {labels} a text", needed)
        if values["text"]["mixed_at"] == "ids" and self.max_soft > 0:
            raise BadInput("--max-soft", f"{self.max_soft} with --mixed-at ids", "0: ids are one or the other")


@dataclass(frozen=True)
class Config:
    """Train one classifier under one augmentation and score it on the clean test images.

    A run's directory in the store comes out, with weights, logits of the test images, learning curve and record; what
    is there already is reused.
    """

    preset: str | None = None
    """a row of the paper's tables, cifar10-preact-resnet18-fmix, say: sets --data, --network and --augmentation, which
    may be given as well and then count"""
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


def from_preset(preset: str | None) -> Config:
    """The configuration of a row of the paper's tables; ``dataclasses.replace`` changes it.

    Raises:
        BadInput: no such row.

    Example:
        >>> from_preset("cifar10-preact-resnet18-fmix").augmentation
        'fmix'
    """
    if preset is None:
        return Config()
    row = preset_named(preset)
    settings = Settings(row.network, text=TextSettings(**row.text), **row.settings)
    return Config(preset, row.augmentation, data=DataOptions(row.data, component=row.component), settings=settings)


def version_of(config: Mapping[str, Any]) -> int:
    """The version of the results of a configuration, raised for those configurations alone whose result has changed.

    Version 2: policies from files with Fast AutoAugment's levels, before crop and flip.

    Args:
        config: every setting with its value, as `Settings.resolved` gives them.
    """
    return 2 if config["policy"].startswith(LISTED) else 1


def classifier_run(
    task: Task, augmentation: str, seed: int, settings: Settings, options: Options, ranks: Ranks | None = None
) -> Run:
    """The run directory of a classifier, trained or not."""
    resolved = settings.resolved(task, resolve_device(options.device), ranks or Ranks())
    identity: dict[str, Any] = {
        "version": version_of(resolved),
        "config": resolved | identity_of(augmentation),
        "seed": seed,
        "data": task.identity,
    }
    wanted = settings.network_for(task)
    if isinstance(task.modality, Text):
        check_network(wanted)
        check_package()
        _mixer_of_texts(settings, resolved["text"], augmentation, lambda ids: ids)  # refuses what cannot mix them
        if (text := FACTORIES.source(wanted, "--network") if theirs(wanted) else None) is not None:
            identity["config"]["source"] = source_hash(text)
    else:
        check_mixes(augmentation, settings.mixer(augmentation), task.shape, task.items)
    if not isinstance(task.modality, Text) and theirs(wanted):
        # of a network that is not built in the name says nothing: another source makes another run
        with torch.random.fork_rng(devices=[]):
            source = source_of(build(wanted, task.shape, task.classes, settings.width), wanted)
        identity["config"]["source"] = source_hash(source)
    network, name = resolved["network"].replace(":", "-"), identity["config"]["augmentation"]
    return Run(options.store, "classifier", f"{task.name.lower()}-{network}-{name}-seed{seed}", identity)


def pipeline_of(
    classifier: AnyClassifier, settings: Settings, config: Mapping[str, Any], seed: int, ranks: Ranks | None = None
) -> Pipeline:
    """What a classifier sees in training: of images policy, crop, flip and mixing, of clips other loudness, speed and
    time and mixing, of texts mixing.

    Args:
        classifier: whose normalisation is applied, or whose vectors of tokens are taken.
        settings: whose mixer and policy are applied.
        config: a run's, with every setting and the augmentation.
        seed: of policies.
        ranks: the processes that train together.
    """
    if "text" in config:
        mixer = _mixer_of_texts(settings, config["text"], config["augmentation"], classifier.enter)
        return Pipeline([], (lambda ids: ids) if config["text"]["mixed_at"] == "ids" else classifier.enter, mixer)
    purpose, policy = (ranks or Ranks()).purpose, settings.parsed_policy

    def transformed(raw: Tensor, _: torch.Generator, step: int) -> Tensor:
        return policy(raw, derive(seed, "policy", step, *purpose))

    mixer = settings.mixer(config["augmentation"])
    if "rate" in config:
        return Pipeline([heard] if config["distort"] else [], classifier.enter, mixer)
    moved: list[View] = [cropped(config["crop"])] if config["crop"] else []
    moved += [flipped] if config["flip"] else []
    # Fast AutoAugment transforms what crop and flip then move, AutoAugment what they have moved
    views = [transformed, *moved] if config["policy"].startswith(LISTED) else [*moved, transformed]
    return Pipeline(views, classifier.enter, mixer)


def _mixer_of_texts(
    settings: Settings, text: Mapping[str, Any], augmentation: str, enter: Callable[[Tensor], Tensor]
) -> Mixer:
    """The mixer of an augmentation for texts, tried on some: of embedded ones, or of token ids, which it embeds.

    Raises:
        BadInput: it does not mix token ids, or texts at all.
    """
    mixer, over_words = settings.mixer(augmentation), text["mixed_weights"] == "words"
    if text["mixed_at"] == "ids":
        tried, mixer = mixing_ids(mixer, lambda ids: ids, over_words), mixing_ids(mixer, enter, over_words)
        batch, needed = torch.arange(32).view(4, 8), "masks of 0 and 1, of cutmix or fmix; or --mixed-at embeddings"
    else:
        tried = mixer = weighing_words(mixer) if over_words else mixer
        batch, needed = torch.ones(4, 3, 8), "a mixer of batches (B, C, L)"
    got = f"{augmentation} for texts mixed at {text['mixed_at']}"
    for turn in range(len(tried.mixers) if isinstance(tried, Alternate) else 1):
        one = functools.partial(in_turn(tried, turn), batch, generator=torch.Generator().manual_seed(1))
        mixed = called(one, got, "--augmentation", needed)
        if mixed.images.shape != batch.shape:
            shape = "×".join(map(str, mixed.images.shape))
            raise BadInput("--augmentation", f"{got}, which makes {shape} of {len(batch)} of them", needed)
    return mixer


def objective(
    pipeline: Pipeline,
    task: Task,
    config: Mapping[str, Any],
    seed: int,
    forward: Callable[[Tensor], Tensor],
    ranks: Ranks | None = None,
) -> Callable[[Tensor, torch.Generator, int], dict[str, Tensor]]:
    """What `training.fit` minimises: from the batch's indices, a generator and the step to the loss.

    Args:
        pipeline: what the classifier sees.
        task: on its device.
        config: a run's, with every setting.
        seed: of layers that draw for themselves.
        forward: from mixed images to logits: the network, compiled or not.
        ranks: the processes that train together.
    """
    purpose = (ranks or Ranks()).purpose
    loss_of, smoothing = OBJECTIVES[config["objective"]], config.get("smoothing", 0.0)
    sizes = [component.classes for component in task.components]
    kind = task.train.device.type
    half = torch.autocast(kind, torch.bfloat16) if config["precision"] == "bf16" else nullcontext()

    def losses(indices: Tensor, stream: torch.Generator, step: int) -> dict[str, Tensor]:
        # layers that draw for themselves, ShakeDrop and dropout, do so from the global generator
        torch.manual_seed(derive(seed, "network", step, *purpose))
        raw, targets = task.train.batch(indices)
        mixed = pipeline(raw, stream, step)
        with half:
            logits = forward(mixed.images)
        if not sizes:
            return {"loss": loss_of(mixed, logits.float(), targets, smoothing)}
        blocks = zip(logits.float().split(sizes, 1), targets.split(sizes, 1), strict=True)
        return {"loss": torch.stack([loss_of(mixed, block, rows, smoothing) for block, rows in blocks]).sum()}

    return losses


def optimiser(classifier: AnyClassifier, config: Mapping[str, Any]) -> torch.optim.Optimizer:
    """SGD or Adam, as published, for the classifier's network.

    Args:
        classifier: whose parameters are trained.
        config: a run's, with every setting.
    """
    parameters, rate, decay = classifier.network.parameters(), config["learning_rate"], config["weight_decay"]
    if config.get("optimizer") == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(parameters, lr=rate, momentum=config["momentum"], weight_decay=decay, fused=True)


def learning_rate_of(config: Mapping[str, Any], per_epoch: int) -> Callable[[int], float]:
    """The learning rate at every step.

    Args:
        config: a run's, with every setting.
        per_epoch: steps of an epoch.
    """
    steps, warm_up = config["epochs"] * per_epoch, config.get("warm_up", 0.0) * per_epoch

    def learning_rate(step: int) -> float:
        rate = config["learning_rate"] * (min(1.0, (step + 1) / warm_up) if warm_up else 1.0)
        if config["schedule"] == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        return rate * 0.1 ** sum(step >= share * steps for share in config["milestones"])

    return learning_rate


def train(task: Task, augmentation: str, seed: int, settings: Settings, options: Options) -> Run:
    """Train the classifier, or find it trained; return its run. Under ``torchrun``, all processes call this.

    Args:
        task: on the CPU; moved to the device.
        augmentation: a mixer's name.
        seed: at least 1.
        settings: how.
        options: where; ``force`` trains again what is there.

    Raises:
        Failed: the run diverged, now or when it was last tried.
        Interrupted: a signal arrived; the checkpoint is written.
        BadInput: a damaged checkpoint or an unsuitable configuration.
    """
    with join(resolve_device(options.device)) as (ranks, device):
        run = classifier_run(task, augmentation, seed, settings, options, ranks)
        return once(
            run, options, lambda: _train(run, task, augmentation, seed, settings, options, device, ranks), ranks
        )


def _train(
    run: Run,
    task: Task,
    augmentation: str,
    seed: int,
    settings: Settings,
    options: Options,
    device: torch.device,
    ranks: Ranks,
) -> None:
    # the names of the identity are without directories, in which files are looked for
    config = run.identity["config"] | {"augmentation": augmentation}
    texts = isinstance(task.modality, Text)
    # a second thread slows down what is too small to be divided
    threads = use_threads(options.threads or (1 if tiny(task) or ranks.world > 1 else None))
    origin, started = provenance(describe(device), threads), now()
    classifier: AnyClassifier
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if texts:
            classifier = text_classifier(settings.network_for(task), task, settings.text, config["width"])
            task = tokenised(task, classifier.tokenizer, classifier.longest)
        else:
            network = build(settings.network_for(task), task.shape, task.classes, config["width"])
            units = SPECTROGRAMS if isinstance(task.modality, Sound) else task.statistics()
            classifier = Classifier(network, *units, task.classes, values=task.values)
    classifier = classifier.to(device)
    if ranks.main:
        run.begin()
    task = task.to(device)
    compiled = settings.compile if settings.compile is not None else not texts and device.type == "cuda"
    forward: Any = DistributedDataParallel(classifier.network) if ranks.world > 1 else classifier.network
    forward = torch.compile(forward) if compiled else forward
    pipeline = pipeline_of(classifier, settings, config, seed, ranks)
    losses = objective(pipeline, task, config, seed, forward, ranks)
    check_unchanged(augmentation, run.identity["config"])
    per_epoch, several = len(task.train) // config["batch_size"], config["objective"] == "binary-cross-entropy"
    watched = watched_items(task)
    kept = {epoch * per_epoch: epoch for epoch in epochs_of(KEPT, config["epochs"]) if epoch < config["epochs"]}

    def watch(step: int) -> dict[str, float]:
        if step in kept:
            write_weights(run.path, classifier, weights_at(kept[step]))
        return scores_of_watched(classifier, watched, several, task.components)

    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            trained = fit(
                run,
                classifier,
                optimiser(classifier, config),
                losses,
                images=len(task.train),
                batch_size=config["batch_size"],
                epochs=config["epochs"],
                seed=seed,
                learning_rate=learning_rate_of(config, per_epoch),
                device=device,
                checkpoint_seconds=options.checkpoint_seconds,
                label=run.name,
                ranks=ranks,
                watch=watch,
                watched=[epoch * per_epoch for epoch in watched_epochs(task, config["epochs"])],
                order=by_length(task.train.lengths, config["batch_size"]) if texts else None,
            )
    except Diverged as problem:
        if ranks.main:
            run.fail(str(problem), started=started, origin=origin)
        raise Failed(f"{run.path}: {problem} (recorded; a smaller --learning-rate may help)") from None
    if not ranks.main:
        return

    classifier.eval()
    write_weights(run.path, classifier)
    more: dict[str, Any] = {}
    if isinstance(classifier, TextClassifier):
        write_files(run.path, classifier)
    if not isinstance(task.modality, Image):
        more = {"items": task.items, "several": task.several}
    if others := [name for name in task.tests if name != task.scored]:
        more["further"] = {name: _scores_on(classifier, task, name, several, run) for name in others}
    if task.component:
        more["component"] = task.component
    if task.metrics:
        more["more_metrics"] = list(task.metrics)
    logits = finite(logits_of_split(classifier, task.test), run.name, str(run.path), task.items).cpu()
    with write_atomically(run.path / "logits.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, logits=logits.numpy(), labels=task.test.targets.cpu().numpy())
    run.finish(
        metrics=scores(
            logits,
            task.test.targets,
            metrics_of(task.test.targets, several, task.classes, task.components, task.metrics),
        )
        | {
            "images_per_second": trained.pop("images_per_second"),
            "seconds": trained.pop("seconds"),
            "last_epoch": trained,
        },
        started=started,
        origin=origin,
        scored=task.scored,
        training_images=len(task.train),
        curve=curve_of(run.logged()),
        **more,
    )


def _scores_on(classifier: AnyClassifier, task: Task, name: str, several: bool, run: Run) -> dict[str, float | int]:
    """The metrics on a further test part of a task, as a run's record has them."""
    split = task.tests[name]
    logits = finite(logits_of_split(classifier, split), run.name, str(run.path), task.items).cpu()
    return scores(
        logits, split.targets, metrics_of(split.targets, several, task.classes, task.components, task.metrics)
    )


def run(config: Config) -> Run:
    """Train the classifier that ``config`` describes and say what came of it."""
    task = load(config.data, download=not config.execution.dry_run)
    arguments = (task, config.augmentation, config.seed, config.settings, config.execution)
    options = config.execution
    if options.dry_run:
        planned = classifier_run(*arguments)
        options.say(f"{planned.path}: {planned.status}")
        return planned
    trained = train(*arguments)
    if int(os.environ.get("RANK", "0")) == 0:
        record = trained.result()
        metrics = record["metrics"]
        options.say(
            f"{'trained' if trained.fresh else 'reused'}: {headline_of(record)} on the "
            f"{metrics['n']:,} {record['scored']} {record.get('items', 'images')} after the last epoch, "
            f"cross entropy {metrics['cross_entropy']:.3f} nats"
        )
        options.say(str(trained.path))
        options.write(json_document(PROGRAM, config, rows_of(record)))
    return trained


def rows_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shares (accuracy, ROC-AUC, recalls) in per cent and cross entropy on the scored items, as rows of a document."""
    components = [Component(*one) for one in record["config"].get("components", {}).items()]
    known = TABULATED | {metric.name: metric for metric in of_components(components)}
    metrics, scored = record["metrics"], "test" if record["scored"] == "test" else "validation"
    network = {"augmentation": record["config"]["augmentation"], "seed": record["seed"]}
    return [
        row(
            f"{scored} {metric.label}",
            name,
            metric.factor * metrics[name],
            units=metric.unit,
            n=metrics["n"],
            inputs="clean",
            **network,
        )
        for name, metric in known.items()
        if name in metrics
    ]


def headline_of(record: Mapping[str, Any]) -> str:
    """The headline of a run's record in words: ``accuracy 93.21%``."""
    metric, value = headline(record["metrics"], record.get("several", False))
    return f"{metric.label} {metric.factor * value:.{metric.places}f}{metric.unit or ''}"


def step_of(config: Config) -> Step:
    """The step of a grid that trains the network of a configuration."""
    task = loaded(config.data, not config.execution.dry_run)
    run = classifier_run(task, config.augmentation, config.seed, config.settings, config.execution)
    work = run.identity["config"]["epochs"] * len(task.train)
    return Step(f"{run.name} {run.hash}", "classifier", "classifiers.train:run", (config,), run=run, work=work)


def _summary(record: dict[str, Any]) -> str:
    return f"{headline_of(record)}   {record['metrics']['seconds']:.0f} s"


TRAINER = Trainer("classifier", classifier_run, train, _summary)
"""What trains classifiers, for grids of them."""

JOB = Job(PROGRAM, lambda config, _: [step_of(config)])


RECORDS = Records("classifier", TASKS, load)
"""What ``--config`` takes beside files with options."""

EXAMPLES = (
    "--augmentation fmix --data fashion-mnist --epochs 30",
    "--preset cifar10-preact-resnet18-fmix --seed 2 --device cuda",
    "--network torchvision:resnet18 --data folder:photos --learning-rate 0.05",
    "--config runs/classifier/digits-preact-resnet18-none-seed1-0f70a61d6b0e --augmentation fmix",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, presets=from_preset, records=RECORDS, examples=EXAMPLES)
