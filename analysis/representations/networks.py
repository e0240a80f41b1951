"""The layers of one classifier, measured once and kept: bounds, and what each test image says of four of them."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from analysis.bounds.channel import channel
from analysis.bounds.stretches import HERE, Workers
from analysis.representations.descriptive import PARTS, affinity, diversity, linear_probe, outputs_of, spectrum_rows
from analysis.representations.features import features_of
from analysis.representations.profile import HEADLINES, Profile, profile_of
from classifiers.curve import KEPT, epochs_of, weights_at
from classifiers.grid import Subject, once_of_function
from classifiers.load import Classifier, load_run, logits_of
from classifiers.train import pipeline_of
from store import BadInput, Run, provenance, read_record, slug, write_atomically
from store.registry import known_as
from store.runs import now
from tasks import Task, some_of
from training import generator
from training.devices import describe
from training.mixing import identity_of
from training.views.pipeline import Pipeline

if TYPE_CHECKING:
    from analysis.representations import Config

__all__ = ["images_of", "layers_of", "measured", "run_of"]

VERSION = 1
"""Raised when the same features give other bounds."""

MIXING = ("alpha", "decay_power", "max_soft", "scope", "targets", "target_alpha")
"""Settings of mixers, under which affinity and diversity are measured."""

SMOKED = 200
"""Images of a smoke run."""


def layers_of(config: "Config", classifier: Classifier) -> tuple[str, ...]:
    """The layers that are measured: those asked for, or the network's own usual ones.

    Usual are the first convolution, every stage (a sequence of blocks), and what the last linear layer takes.

    Raises:
        BadInput: none were asked for, and the network has nothing of the kind.
    """
    if config.layers:
        return config.layers
    network = classifier.network
    stages = [name for name, module in network.named_children() if isinstance(module, nn.Sequential)]
    first = [name for name, module in network.named_children() if isinstance(module, nn.Conv2d)][:1]
    last = [f"in:{name}" for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1:]
    if not first + stages + last:
        raise BadInput("--layers", "nothing", "names of layers of the network")
    return tuple(first + stages + last)


def images_of(config: "Config", task: Task) -> int | None:
    """How many test images are scored; None for all."""
    if not config.smoke:
        return config.images
    return min(config.images or SMOKED, SMOKED, len(task.test))


def _epochs(config: "Config", subject: Subject) -> list[int]:
    """After which epochs the weights were kept, if they are to be looked at."""
    if not config.checkpoints or subject.trained is None:
        return []
    record = read_record(subject.trained / "result.json")
    kept = {weights_at(epoch): epoch for epoch in epochs_of(KEPT, record["config"]["epochs"])}
    return [epoch for name, epoch in kept.items() if name in record["files"]]


def _to_mix(config: "Config", subject: Subject) -> tuple[str, ...]:
    """The augmentations that a network is measured under: all of the grid those trained without; others their own."""
    name, _ = subject.network
    if name == "none":
        return tuple(one for one in config.augmentations if one != "none")
    return () if name is None else (next(one for one in config.augmentations if known_as(one) == name),)


def run_of(config: "Config", subject: Subject, task: Task) -> Run:
    """Where a classifier's bounds are kept."""
    identity = {
        "version": VERSION,
        "config": {
            "classifier": subject.classifier.digest(),
            "layers": list(layers_of(config, subject.classifier)),
            "pool": config.pool,
            "noise": list(config.noise),
            "noise_shape": config.noise_shape,
            "images": len(some_of(task.test, images_of(config, task))),
            "epochs": _epochs(config, subject),
            "mixed": [identity_of(name) for name in _to_mix(config, subject)],
            "mixing": {option: getattr(config.settings, option) for option in MIXING},
        },
        "seed": None,
        "data": task.identity,
    }
    return Run(config.execution.store, "representations", f"{slug(subject.name)}-layers", identity)


def measured(config: "Config", subject: Subject, task: Task, workers: Workers = HERE) -> Run:
    """Bound what one classifier's layers keep, or find it bounded; return the run.

    Its record has the ``rows``; ``scores.npz`` holds ``scores`` (layers, levels, headlines, N) of the test images, as
    `analysis.representations.profile.Profile.scores` has them, ``training`` (layers, levels, headlines), the bounds on
    as many training images, and ``images``.
    """
    return once_of_function(
        run_of(config, subject, task),
        subject.classifier,
        task,
        config.execution,
        lambda run: _measure(config, subject, task, run, workers),
    )


def _measure(config: "Config", subject: Subject, task: Task, run: Run, workers: Workers) -> None:
    device = subject.classifier.pixel_mean.device
    origin, started, start = provenance(describe(device), torch.get_num_threads()), now(), time.perf_counter()
    chosen = some_of(task.test, images_of(config, task))
    training = _as_many(task.train.targets, task.test.targets[chosen])
    run.begin()
    rows: list[dict[str, Any]] = []
    scores, trained = [], []
    layers = layers_of(config, subject.classifier)
    epochs = [*_epochs(config, subject), None]
    with tqdm(total=len(epochs) * len(layers), desc=run.name[:60], unit="layer", disable=None, leave=False) as bar:
        for epoch in epochs:
            classifier = subject.classifier
            if epoch is not None:
                assert subject.trained is not None
                classifier = load_run(subject.trained, device, task, weights_at(epoch), config.settings.network)
            test = task.test.only(chosen).to(device)
            train = task.train.only(training).to(device)
            features = {
                split: features_of(classifier, layers, images.inputs, config.pool)
                for split, images in (("test", test), ("training", train))
            }
            labels = {"test": test.targets.cpu().numpy(), "training": train.targets.cpu().numpy()}
            for layer in layers:
                of_layer = {split: features[split][layer].numpy() for split in features}
                where: dict[str, Any] = {"layer": layer, "noise_shape": config.noise_shape, "epoch": epoch}
                found = _both(config, of_layer, labels, epoch is None, workers)
                for split, profile in found.items():
                    only = None if split == "test" and epoch is None else HEADLINES
                    rows += profile.rows(only, split=split, **where)
                if epoch is None:
                    rows += _descriptive(of_layer["test"], labels["test"], layer=layer, split="test")
                    scores.append(found["test"].scores())
                    trained.append(found["training"].scores().mean(-1))
                bar.update()
    rows += _of_outputs(subject.classifier, test.inputs, labels["test"])
    rows += _of_mixing(config, subject, task.to(device), len(chosen))
    with write_atomically(run.path / "scores.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, scores=np.stack(scores), training=np.stack(trained), images=chosen.numpy())
    run.finish(metrics={"seconds": time.perf_counter() - start}, started=started, origin=origin, rows=rows)


def _descriptive(features: np.ndarray, labels: np.ndarray, **where: Any) -> list[dict[str, Any]]:
    """Ranks of a layer's features, and what a linear probe reads from them, all without noise."""
    return [*spectrum_rows(features, labels, **where), linear_probe(features, labels).row(**where)]


def _of_outputs(classifier: Classifier, images: Tensor, labels: np.ndarray) -> list[dict[str, Any]]:
    """I(X;Ŷ) and I(X;Ŷ|Y); nothing where every class has too few images for a fifth of them to set a temperature."""
    if np.bincount(labels).max() < PARTS:
        return []
    outputs = outputs_of(logits_of(classifier, images), labels)
    return [bound.row(split="test") for bound in outputs.bounds]


def _of_mixing(config: "Config", subject: Subject, task: Task, images: int) -> list[dict[str, Any]]:
    """Affinity of every augmentation for a network trained without, and a network's own diversity."""
    classifier, (name, seed) = subject.classifier, subject.network
    rows = []
    for mixed in _to_mix(config, subject) if name == "none" else ():
        pipeline = Pipeline((), classifier.enter, config.settings.mixer(mixed))
        rows += affinity(classifier, task, pipeline, 1, images=images, scored_on=known_as(mixed))
    if name is not None and subject.trained is not None:
        trained = read_record(subject.trained / "result.json")["config"]
        own = trained | {"augmentation": next(one for one in config.augmentations if known_as(one) == name)}
        pipeline = pipeline_of(classifier, config.settings, own, seed)
        rows += diversity(classifier, task, pipeline, 1, images=min(images, len(task.train)))
    return rows


def _as_many(targets: Tensor, scored: Tensor) -> Tensor:
    """Indices of training images, of each class as many as are scored, or all there are; the same ones every time."""
    order = torch.randperm(len(targets), generator=generator("cpu", 0, "representations"))
    shuffled = targets.cpu()[order]
    counts = scored.bincount().tolist()
    parts = [order[(shuffled == label).nonzero()[:count, 0]] for label, count in enumerate(counts)]
    return torch.cat(parts).sort().values


def _both(
    config: "Config",
    features: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    every: bool,
    workers: Workers,
) -> dict[str, Profile]:
    """The profiles of a layer on training images and, spliced where these say, on test images.

    Args:
        config: levels and shape of the noise.
        features: (N, d) and (M, d) by ``test`` and ``training``; the noise has the scale of the latter.
        labels: of both.
        every: on test images all bounds, and not the headlines alone.
        workers: who compares images with each other.
    """
    noisy = channel(features["training"], config.noise_shape)
    trained = profile_of(features["training"], labels["training"], noisy, config.noise, every=False, workers=workers)
    scored = profile_of(
        features["test"], labels["test"], noisy, config.noise, trained.noise, every=every, workers=workers
    )
    return {"test": scored, "training": trained}
