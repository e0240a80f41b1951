"""Classifiers of several augmentations and seeds, trained or found trained: what analyses compare."""

from classifiers.train import Settings, classifier_run, train
from store import BadInput, Run, positive
from store.command_line import Options
from training import ImageData
from training.once import all_once

__all__ = ["check_grid", "say_grid", "train_grid"]

Which = tuple[str, int]
"""Augmentation and seed."""


def check_grid(augmentations: tuple[str, ...], seeds: int, settings: Settings) -> None:
    """Refuse what cannot be a grid.

    Raises:
        BadInput: no seeds, no augmentation, one twice, or an unknown one.
    """
    positive("--seeds", seeds)
    if not augmentations or len(set(augmentations)) != len(augmentations):
        raise BadInput("--augmentations", " ".join(augmentations) or "nothing", "one or more different names")
    for augmentation in augmentations:
        settings.mixer(augmentation)


def _grid(augmentations: tuple[str, ...], seeds: int) -> list[Which]:
    return [(augmentation, seed) for seed in range(1, seeds + 1) for augmentation in augmentations]


def say_grid(
    data: ImageData, augmentations: tuple[str, ...], seeds: int, settings: Settings, options: Options
) -> None:  # fmt: skip
    """Say what would be trained and what would be reused (``--dry-run``)."""
    runs = [classifier_run(data, *which, settings, options) for which in _grid(augmentations, seeds)]
    for each in runs:
        options.say(f"{each.status:<8} {each.path}")
    waiting = sum(each.status != "done" for each in runs)
    options.say(f"{len(runs) - waiting} classifiers to reuse, {waiting} to train")


def train_grid(
    data: ImageData, augmentations: tuple[str, ...], seeds: int, settings: Settings, options: Options
) -> tuple[dict[Which, Run], list[str]]:
    """Train what is missing.

    Returns:
        The finished runs by augmentation and seed, a seed's augmentations together, and why others failed.

    Raises:
        SystemExit: every one failed.
    """
    needed = _grid(augmentations, seeds)
    trained, failures = all_once(
        needed, lambda which: classifier_run(data, *which, settings, options),
        lambda which: train(data, *which, settings, options), options,
        lambda record: f"accuracy {record['metrics']['accuracy']:.2%}   {record['metrics']['seconds']:.0f} s",
    )  # fmt: skip
    if not trained:
        raise SystemExit("every classifier failed:\n" + "\n".join(failures))
    return {which: trained[which] for which in needed if which in trained}, failures
