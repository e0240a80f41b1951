"""Test accuracy of classifiers trained under each augmentation: ``python -m analysis.accuracy``.

Trains the classifiers that are missing, reuses those that are there, and compares the accuracies of their last epoch on
the clean test images, seeds being the replicates (`figures.comparisons`). Their logits stay in their runs, where the
analyses of what classifiers perceive find them.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from analysis.bound import standard_error
from analysis.table import summarise
from classifiers.grid import Which, check_grid, say_grid, settings_of, smoked, train_grid
from classifiers.scores import correct, cross_entropies
from classifiers.train import Settings
from figures import Result, label, publish, save
from figures.comparisons import Comparison, compare_augmentations
from figures.components import Components, components
from figures.published import beside, published
from figures.seeds import draw_seeds
from figures.tables import headlines, of_networks, ruled
from figures.words import ADDED, as_paragraph, the, told_apart
from store import BadInput, Run, evidence, slug
from store.command_line import Options, command, json_document
from training import DataOptions, load

__all__ = [
    "Config", "accuracy_components", "accuracy_conclusions", "accuracy_rows", "run", "text_of", "verdicts_of",
]  # fmt: skip

PROGRAM = "python -m analysis.accuracy"


@dataclass(frozen=True)
class Config:
    """Compare the test accuracies of classifiers trained under each augmentation."""

    augmentations: tuple[str, ...] = ("none", "mixup", "cutmix", "fmix")
    """none, mixup, cutmix, fmix, fmix-reference, or hybrids such as fmix+mixup"""
    seeds: int = 3
    """how many classifiers per augmentation: seeds 1 to SEEDS"""
    smoke: bool = False
    """one seed, two epochs, watermarked: shows that everything works, and nothing else"""
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        check_grid(self.augmentations, self.seeds, self.settings)


def run(config: Config) -> Result:
    """Train what is missing and compare; print as it goes, unless ``--json -`` claims standard output."""
    config = smoked(config)
    data, options = load(config.data), config.execution
    if data.test_labels.ndim == 2 and config.settings.objective == "binary-cross-entropy":
        raise BadInput("--data", "several labels an image", "one class an image, or soft labels")
    grid = (data, config.augmentations, config.seeds, config.settings, options)
    if options.dry_run:
        say_grid(*grid)
        return Result([])
    trained, failures = train_grid(*grid)
    rows = [row for (augmentation, seed), each in trained.items() for row in accuracy_rows(each, augmentation, seed)]
    return _report(config, trained, rows, failures)


def _logits(trained: Run) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K) of the scored images in float64, and their classes (N,)."""
    with np.load(trained.path / "logits.npz") as kept:
        logits, labels = torch.from_numpy(kept["logits"]).double(), torch.from_numpy(kept["labels"])
    return logits, labels


def verdicts_of(trained: Run) -> np.ndarray:
    """Whether one classifier is right about each of the scored images, (N,) bool, in their order."""
    return correct(*_logits(trained)).numpy()


def accuracy_components(verdicts: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any] | None:
    """Variance components of an accuracy in per cent, as a document carries them.

    Args:
        verdicts: by augmentation, (N,) of each seed, on the same images.
    """
    found = components({name: 100.0 * np.stack(each) for name, each in verdicts.items()})
    return None if found is None else found.as_json()


def accuracy_rows(trained: Run, augmentation: str, seed: int) -> list[dict[str, Any]]:
    """Accuracy in per cent and cross entropy of one classifier from its logits, with their errors over images."""
    scored = "test" if trained.result()["scored"] == "test" else "validation"
    logits, labels = _logits(trained)
    return [
        {
            "quantity": quantity, "estimator": name, "value": float(values.mean()),
            "standard_error": standard_error(values) if len(values) > 1 else None, "direction": None, "cap": None,
            "saturated": None, "n": len(values), "k": None, "noise": None, "inputs": "clean",
            "augmentation": augmentation, "seed": seed, "units": units,
        }
        for quantity, name, values, units in (
            (f"{scored} accuracy", "accuracy", 100 * correct(logits, labels).double(), "%"),
            (f"{scored} cross entropy", "cross_entropy", cross_entropies(logits, labels), "nats"),
        )
    ]  # fmt: skip


def _report(config: Config, trained: dict[Which, Run], rows: list[dict[str, Any]], failures: list[str]) -> Result:
    """Print and write table, figure, sentences and the JSON document."""
    settings = settings_of(next(iter(trained.values())))
    options, name = config.execution, settings["data"]
    watermark = "SMOKE RUN" if config.smoke else None
    width = f" of width {settings['width']}" if settings["width"] else ""
    head = (
        f"Accuracy on {name}: {settings['network']}{width}, {settings['train_images']:,} training images, "
        f"{settings['epochs']} epochs, {config.seeds} seed{'s' if config.seeds > 1 else ''}"
    )
    about = {"title": head, "data": name, "settings": settings, "watermark": watermark}
    more = _kept(trained)
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures} | more
    text, about["conclusions"] = text_of(document)
    directory = options.out / f"accuracy-{slug(name.lower())}{'-smoke' if config.smoke else ''}"
    behind = pd.DataFrame(row for row in rows if row["estimator"] == "accuracy")
    behind = behind[["augmentation", "seed", "value", "standard_error", "n"]]
    figure = draw_seeds(behind, f"{settings['scored']} accuracy in %", head)
    files = save(figure, directory / "accuracy", behind, watermark=watermark)
    table = summarise(rows)
    rows = headlines(rows) + rows
    result = Result(rows, table, text, files, failures)
    behind_it = evidence(({"augmentation": one, "seed": seed}, each) for (one, seed), each in trained.items())
    return publish(result, PROGRAM, config, directory, about, behind_it, more)


def _kept(trained: Mapping[Which, Run]) -> dict[str, Any]:
    """What a document keeps of the verdicts of each image.

    ``components`` of the variance of ``accuracy``, and ``verdicts``: of each classifier, ``right`` about each of
    ``images`` scored images, as base64 of bits, the first image in the highest bit of the first byte.
    """
    by_augmentation: dict[str, list[np.ndarray]] = {}
    verdicts = []
    for (augmentation, seed), each in trained.items():
        right = verdicts_of(each)
        by_augmentation.setdefault(augmentation, []).append(right)
        packed = base64.b64encode(np.packbits(right).tobytes()).decode("ascii")
        verdicts.append({"augmentation": augmentation, "seed": seed, "images": len(right), "right": packed})
    found = accuracy_components(by_augmentation)
    return {"components": {} if found is None else {"accuracy": found}, "verdicts": verdicts}


def text_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """The text of a document of accuracies, made again from its rows and its variance components.

    Returns:
        The whole text, and its sentences without the table.
    """
    about = document["about"]
    settings, watermark = about["settings"], about["watermark"]
    table = summarise(of_networks(document["results"]))
    parts = [f"{watermark}: two epochs, one seed. The numbers below mean nothing."] if watermark else []
    found = Components.from_json((document.get("components") or {}).get("accuracy"))
    conclusions = accuracy_conclusions(table, settings, found)
    parts += [_text_table(table, about["title"], settings), conclusions]
    return "\n\n".join(part for part in parts if part), conclusions


def _text_table(table: pd.DataFrame, head: str, settings: dict[str, Any]) -> str:
    """The table for a terminal: mean ± standard deviation over seeds, published values beside ours."""
    quoted = {
        str(name): str(each)
        for name in table["augmentation"]
        for each in published("accuracy")
        if each.augmentation == name and each.setting["network"] == settings["network"]
    }
    cells = [["augmentation", "accuracy", "cross entropy"], ["", "%", "nats"]]
    if quoted:
        cells[0].append("published ‡")
        cells[1].append("CIFAR-10, %")
    for augmentation, own in table.groupby("augmentation", sort=False):
        by = own.set_index("estimator")
        line = [label(str(augmentation))]
        for name, digits in (("accuracy", 2), ("cross_entropy", 3)):
            std = by["std"][name]
            line.append(f"{by['mean'][name]:.{digits}f}" + ("" if pd.isna(std) else f" ± {std:.{digits}f}"))
        if quoted:
            line.append(quoted.get(str(augmentation), ""))
        cells.append(line)
    n = int(table["n"].max())
    notes = [f"of the last epoch, on the {n:,} {settings['scored']} images; mean ± standard deviation over seeds"]
    if quoted:
        notes.append("‡ width 64, 50,000 images, 200 epochs, 5 trials")
    return "\n".join([head, *ruled(cells), *notes])


def accuracy_conclusions(
    table: pd.DataFrame, settings: dict[str, Any], parts: Components | None = None
) -> str:  # fmt: skip
    """What the accuracies allow one to say.

    Args:
        table: `analysis.table.summarise`'s rows of ``accuracy``, in per cent.
        settings: of the runs, with ``data``, ``train_images`` and ``scored``.
        parts: variance components of the accuracy; without, the images' errors of both are added in full.
    """
    accuracy = table[table["estimator"] == "accuracy"]
    found = compare_augmentations(accuracy, parts)
    means = accuracy.set_index("augmentation")["mean"].sort_values()
    if found is None:
        if len(means) < 2:
            return ""
        listed = " < ".join(f"{the(str(name))} {value:.2f}" for name, value in means.items())
        return as_paragraph(f"The accuracies are {listed}%. With one seed each, no difference can be claimed.")
    lines = told_apart(found, "Accuracy", "points", 2)
    if parts is None:
        lines.append(as_paragraph(ADDED))
    ours = {
        ("accuracy", row["augmentation"]): (float(row["mean"]), float(row["std"]), int(row["seeds"]))
        for row in accuracy.to_dict("records")
    }
    said = ["\n".join(lines), _spectra(found, accuracy), beside(ours, settings)]
    return "\n\n".join(part for part in said if part)


def _spectra(found: Comparison, accuracy: pd.DataFrame) -> str:
    """Whether FMix's masks as described and as published code draws them differ in accuracy."""
    each = found.between("fmix", "fmix-reference")
    if each is None:
        return ""
    rows = accuracy.set_index("augmentation")
    values = " and ".join(
        f"{rows['mean'][name]:.2f} ± {rows['std'][name]:.2f}% (n = {rows['seeds'][name]})"
        for name in ("fmix", "fmix-reference")
    )
    verdict = "they differ" if each.claimed else "they are not told apart"
    sign = 1 if each.higher == "fmix" else -1
    low, high = sorted((sign * each.low, sign * each.high))
    return as_paragraph(
        f"FMix's masks as the paper describes them and as the reference code draws them: {values}; difference "
        f"{sign * each.value:+.2f} points ({low:+.2f} to {high:+.2f}, simultaneous 95%): {verdict}."
    )


if __name__ == "__main__":
    command(Config, run, PROGRAM)
