"""The layers of one classifier, measured once and kept: bounds, and what each test image says of four of them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.bounds.stretches import HERE, Workers
from analysis.representations.descriptive import PARTS, affinity, diversity, linear_probe, outputs_of, spectrum_rows
from analysis.representations.features import FEWEST, INPUT, Features, features_of, tenth
from analysis.representations.profile import HEADLINES, profiles_of
from classifiers.curve import KEPT, epochs_of, weights_at
from classifiers.grid import Subject, once_of_function
from classifiers.load import Classifier, load_run, logits_of
from classifiers.train import pipeline_of
from store import BadInput, Run, provenance, read_record, slug, write_atomically
from store.registry import known_as
from store.runs import now
from tasks import InMemory, Task, some_of
from tasks.task import Sound, Volume, only_images
from training import generator
from training.devices import describe
from training.mixing import identity_of
from training.progress import under_way
from training.reuse import Failed
from training.views.pipeline import Pipeline

if TYPE_CHECKING:
    from analysis.representations import Config

__all__ = ["OTHERS", "check_images", "images_of", "layers_of", "measured", "run_of"]

VERSION = 1
"""Raised when the same features give other bounds."""

MIXING = ("alpha", "decay_power", "max_soft", "scope", "targets", "target_alpha")
"""Settings of mixers, under which affinity and diversity are measured."""

OTHERS = Sound, Volume
"""What items may be beside images."""

SMOKED = 200
"""Images of a smoke run."""


def layers_of(config: "Config", classifier: Classifier) -> tuple[str, ...]:
    """The layers that are measured: those asked for, or the network's own usual ones.

    Usual are the first convolution, every stage (a sequence of blocks), and what the last linear layer takes.

    Raises:
        BadInput: there is no such layer, or none were asked for, and the network has nothing of the kind.
    """
    if config.layers:
        for layer in config.layers:
            classifier.layer(layer.removeprefix(INPUT))
        return config.layers
    network = classifier.network
    stages = [name for name, module in network.named_children() if isinstance(module, nn.Sequential)]
    first = [name for name, module in network.named_children() if isinstance(module, nn.Conv2d | nn.Conv3d)][:1]
    last = [f"{INPUT}{name}" for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1:]
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
    as many training images, NaN where there are none but the scored ones.
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
    test, train, aside = _split(config, task)
    splits = {"test": test.to(device), "training": train.to(device)}
    labels = {split: images.targets.cpu().numpy() for split, images in splits.items()}
    rows: list[dict[str, Any]] = []
    scores, trained = [], []
    layers = layers_of(config, subject.classifier)
    epochs = [*_epochs(config, subject), None]
    with under_way(run.name, len(epochs) * len(layers)) as line:
        for epoch in epochs:
            classifier = subject.classifier
            if epoch is not None:
                assert subject.trained is not None
                name = None if subject.network[0] is None else config.settings.network
                classifier = load_run(subject.trained, device, task, weights_at(epoch), name)
            features = {
                split: features_of(classifier, layers, images.inputs, config.pool) for split, images in splits.items()
            }
            for layer in layers:
                given = Features(
                    features["test"][layer].numpy(),
                    labels["test"],
                    features["training"][layer].numpy(),
                    None if aside else labels["training"],
                )
                with _blamed(layer, subject):
                    found = profiles_of(given, config.noise, config.noise_shape, every=epoch is None, workers=workers)
                    if epoch is None:
                        rows += _descriptive(given.features, given.labels, layer=layer, split="test")
                where: dict[str, Any] = {"layer": layer, "noise_shape": config.noise_shape, "epoch": epoch}
                for split, profile in found.items():
                    only = None if split == "test" and epoch is None else HEADLINES
                    rows += profile.rows(only, split=split, **where)
                if epoch is None:
                    scores.append(found["test"].scores())
                    unknown = np.full(scores[-1].shape[:2], np.nan)
                    trained.append(unknown if aside else found["training"].scores().mean(-1))
                line.advance()
    rows += _of_outputs(subject.classifier, splits["test"].inputs, labels["test"])
    rows += _of_mixing(config, subject, task.to(device), len(test))
    run.begin()  # only now: features that are refused leave nothing
    with write_atomically(run.path / "scores.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, scores=np.stack(scores), training=np.stack(trained))
    run.finish(metrics={"seconds": time.perf_counter() - start}, started=started, origin=origin, rows=rows)


@contextmanager
def _blamed(layer: str, subject: Subject) -> Iterator[None]:
    """What a layer's features are refused for, with its name; of a grid, it costs this network alone.

    Raises:
        Failed: in a grid.
        BadInput: of the one network of ``--model``.
    """
    try:
        yield
    except BadInput as mistake:
        problem = BadInput("--layers", f"{layer}, whose {mistake.argument} are {mistake.got}", mistake.needed)
        if subject.network[0] is None:
            raise problem from None
        raise Failed(f"{subject.name}: {problem}") from None


def check_images(config: "Config", task: Task) -> None:
    """Refuse, before anything is trained, images of which nothing can be said.

    Raises:
        BadInput: fewer than 20, of one class, or one alone of its class.
    """
    only_images(task, "representations", OTHERS)
    option = "--data" if images_of(config, task) is None else "--images"
    test, train, aside = _split(config, task)
    for words, split in (("test", test),) if aside else (("test", test), ("training", train)):
        counts = split.targets.bincount()
        if words == "test" and len(split) < FEWEST:
            raise BadInput(option, f"{len(split)} {words} {task.items}", f"at least {FEWEST}")
        if words == "test" and int((counts > 0).sum()) < 2:
            raise BadInput(option, f"{words} {task.items} of one class", "two classes or more")
        if (alone := (counts == 1).nonzero()).numel():
            raise BadInput(
                option,
                f"one {words} {task.items.removesuffix('s')} of class {int(alone[0])}",
                "at least 2 of each class, or none",
            )


def _split(config: "Config", task: Task) -> tuple[InMemory, InMemory, bool]:
    """The scored test images, and training images, which scale the noise, of each class as many or all there are.

    The third says whether these are no training images: where the images are at hand and both at once, every tenth is
    set aside to scale the noise, as of features from a file.
    """
    chosen = some_of(task.test, images_of(config, task))
    same = task.train.inputs.shape == task.test.inputs.shape and torch.equal(task.train.inputs, task.test.inputs)
    if same:
        aside, scored = tenth(len(chosen))
        return task.test.only(chosen[scored].sort().values), task.test.only(chosen[aside].sort().values), True
    return task.test.only(chosen), task.train.only(_as_many(task.train.targets, task.test.targets[chosen])), False


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
