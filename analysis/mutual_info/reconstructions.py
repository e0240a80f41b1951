"""Test images, or other items, above what the VAEs of every augmentation make of them.

Spectrograms are drawn with the lowest mel at the bottom, volumes as their means along depth.

A picture of networks and not of numbers: a document that is made again from its numbers keeps the one it has. A
reconstruction is decoded from the mean of an image's posterior, so that it is the same every time; the MSE of the table
is that of a sampled code.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from analysis.mutual_info.document import observed
from figures import label, save, style
from figures.mosaic import first_of_classes, lay_out
from figures.panels import wrapped
from store import BadInput, Run
from store.command_line import Options
from tasks import Task
from tasks.task import Sound, Volume
from vae.encode import load_vae
from vae.nets import VAE
from vae.train import Settings

__all__ = ["draw_reconstructions", "reconstructed", "save_reconstructions"]

IMAGES = 8


@torch.no_grad()
def reconstructed(vae: VAE, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Reconstructions in values in [0, 1], (B, C, …), and the squared error of each, (B,).

    The error is the mean over an image's pixels, in squared units of normalised pixels, as in the table.

    Args:
        vae: in evaluation mode, on the CPU.
        images: or other items, as a data set has them.
    """
    target = vae.enter(images)
    decoded = vae.likelihood.mean(vae.decode(vae.encode(target).mean))
    errors = (decoded - target).square().double().flatten(1).mean(1)
    return (decoded * vae.pixel_std + vae.pixel_mean).float().numpy(), errors.numpy()


def picture_of(values: np.ndarray, task: Task) -> np.ndarray:
    """What is drawn of items, (B, C, H, W): of a spectrogram high frequencies above, of a volume its mean along depth.

    Args:
        values: (B, C, …) in [0, 1].
        task: whose items they are.
    """
    if isinstance(task.modality, Sound):
        return values[:, :, ::-1]
    return values.mean(2) if isinstance(task.modality, Volume) else values


def draw_reconstructions(
    images: np.ndarray, reconstructions: Mapping[str, np.ndarray], title: str, items: str = "images"
) -> Figure:
    """Images in one row, and their reconstructions in another for each augmentation.

    Args:
        images: (B, C, H, W), pixels in [0, 1].
        reconstructions: likewise, by augmentation; what is beyond the pixels' range is drawn at its end.
        title: above the figure.
        items: what they are called.
    """
    rows = [images, *reconstructions.values()]
    height, width = images.shape[2:]
    with style():
        figure = Figure(figsize=(7.2, 0.72 * len(rows) * height / width + 0.7))
        axes = figure.subplots()
        lay_out(axes, {(column, row): image for row, line in enumerate(rows) for column, image in enumerate(line)})
        axes.set_yticks(np.arange(len(rows)) + 0.5, [f"test {items}", *map(label, reconstructions)])
        axes.set_title(wrapped(title), fontsize=10)
    return figure


def save_reconstructions(
    trained: Sequence[tuple[dict[str, Any], Run]],
    augmentations: Sequence[str],
    settings: Settings,
    task: Task,
    about: Mapping[str, Any],
    directory: Path,
    options: Options,
) -> list[Path]:
    """Draw the reconstructions by the first seed's VAE of every augmentation, at decoder scale 1 or at the first.

    Args:
        trained: the VAEs that are there, with ``augmentation``, ``seed`` and ``decoder_scale`` of each.
        augmentations: in the order of their rows.
        settings: of the training.
        task: whose test items they are: the first of each class, and more where the classes are few.
        about: of the document.
        directory: where the picture goes.
        options: of the job.

    Returns:
        The files; none where there is no VAE whose weights can be read.
    """
    scales = [where["decoder_scale"] for where, _ in trained]
    scale = Settings.decoder_scale if Settings.decoder_scale in scales else next(iter(scales), Settings.decoder_scale)
    chosen: dict[str, tuple[int, Run]] = {}
    for where, run in trained:
        if where["decoder_scale"] == scale:
            chosen.setdefault(where["augmentation"], (where["seed"], run))
    targets = task.test.targets.cpu()
    numbers = first_of_classes((targets.argmax(1) if targets.ndim == 2 else targets).numpy(), IMAGES)
    images = task.test.inputs.cpu()[numbers]
    reconstructions, rows = {}, []
    for name in augmentations:
        if name not in chosen:
            continue
        seed, run = chosen[name]
        try:
            vae = load_vae(run, torch.device("cpu"), network=settings.network)
        except BadInput as problem:  # the numbers of an analysis outlive the weights
            options.say(f"no reconstructions by {run.name}: {problem}")
            continue
        reconstructions[name], errors = reconstructed(vae, images)
        rows += [
            {"augmentation": name, "seed": seed, "image": int(number), "mse": error}
            for number, error in zip(numbers, errors, strict=True)
        ]
    if not rows:
        return []
    how = about["settings"]
    title = (
        f"Reconstructions on {about['data']}, by the first VAE of each augmentation: {how['train_images']:,} training "
        f"{task.items}, {how['epochs']} epochs, {observed(how, scale)}"
    )
    if isinstance(task.modality, Sound):
        title += "; frequency upwards, time to the right"
    elif isinstance(task.modality, Volume):
        title += "; means along depth"
    shown = {name: picture_of(values, task) for name, values in reconstructions.items()}
    figure = draw_reconstructions(picture_of(task.values(images).numpy(), task), shown, title, task.items)
    return save(figure, directory / "reconstructions", pd.DataFrame(rows), watermark=about["watermark"])
