"""Test images, and what an attack makes of them: which of them a picture shows, and the picture.

An attacked image is the last iterate of the attack at an ε, with the random numbers that the sweep had: the one that
the curve as published judges. The robust curve, which judges every iterate, may count an image as broken whose last
iterate is whole.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from attacks.curves import Images, Seen, as_published
from attacks.foolbox_attacks import BaseGradientDescent, DeepFoolAttack, attack_named
from classifiers.load import Classifier
from figures import label, style
from figures.mosaic import lay_out
from training.grid import Which

__all__ = ["IMAGES", "Attacked", "attacked_by", "compared", "draw_attacked", "gradient_attack", "sizes_shown"]

IMAGES = 6


class Attacked(NamedTuple):
    """Images under a classifier's attack.

    Args:
        said: by ε, the class that the classifier says, (B,); 0 stands for the images as they are.
        images: by ε, (B, C, H, W) in [0, 1]; likewise.
    """

    said: dict[float, np.ndarray]
    images: dict[float, np.ndarray]


@dataclass
class _Ends(Seen):
    """What an attack ends at, by ε, of what it lets the checks look at."""

    images: dict[float, Tensor] = field(default_factory=dict)

    def look_at(self, x0: Tensor, x: Tensor, epsilon: float) -> None:
        """Keep the perturbed images."""
        self.images[epsilon] = x


def gradient_attack(names: Sequence[str]) -> str | None:
    """PGD, or of the attacks along gradients the one of most steps; None where there is no such attack."""
    attacks = {name: attack_named(name) for name in names}
    steps = {
        name: attack.steps
        for name, attack in attacks.items()
        if isinstance(attack, BaseGradientDescent | DeepFoolAttack)
    }
    return "pgd" if "pgd" in steps else max(steps, key=lambda name: steps[name], default=None)


def sizes_shown(epsilons: Sequence[float]) -> list[float]:
    """A small and a larger one of the ε above 0: that in their middle, and that at three quarters of them.

    Example:
        >>> sizes_shown((0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.1, 0.3, 0.5, 1.0))
        [0.01, 0.1]
        >>> sizes_shown((0.0, 0.1)), sizes_shown((0.0,))
        ([0.1], [])
    """
    sizes = [epsilon for epsilon in epsilons if epsilon > 0]
    last = len(sizes) - 1
    return list(dict.fromkeys(sizes[place] for place in (last // 2, -(-3 * last // 4)))) if sizes else []


def compared(networks: Iterable[Which]) -> list[Which]:
    """The first seed of the baseline, or of the first augmentation without one, and of the first other augmentation."""
    firsts: dict[str, Which] = {}
    for network in networks:
        firsts.setdefault(network[0], network)
    return sorted(firsts.values(), key=lambda network: network[0] != "none")[:2]


def attacked_by(name: str, classifier: Classifier, images: Images, epsilons: Sequence[float], seed: int) -> Attacked:
    """Images as an attack leaves them at each ε.

    Args:
        name: of an attack along gradients (`gradient_attack`).
        classifier: in evaluation mode, parameters without gradients.
        images: the batch.
        epsilons: above 0, ascending.
        seed: the sweep's.
    """
    ends = _Ends()
    as_published(classifier, attack_named(name), name, images, epsilons, seed, ends)
    found = {0.0: images.x} | ends.images
    with torch.no_grad():
        said = {epsilon: classifier(x).argmax(1).cpu().numpy() for epsilon, x in found.items()}
    return Attacked(said, {epsilon: x.cpu().numpy() for epsilon, x in found.items()})


def _change(network: Attacked, epsilon: float) -> tuple[np.ndarray, float]:
    """What an attack has added, (B, C, H, W), and the factor by which its largest part becomes a half."""
    change = network.images[epsilon] - network.images[0.0]
    return change, 0.5 / (float(np.abs(change).max()) or 1.0)


def _numbers(networks: Mapping[Which, Attacked], attack: str, images: np.ndarray, classes: np.ndarray) -> pd.DataFrame:
    rows = []
    for (augmentation, seed), network in networks.items():
        for epsilon, said in network.said.items():
            change, factor = _change(network, epsilon)
            rows.append(
                pd.DataFrame(
                    {
                        "augmentation": augmentation or "model",
                        "seed": seed,
                        "attack": attack,
                        "epsilon": epsilon,
                        "image": images,
                        "class": classes,
                        "said": said,
                        "largest_change": np.abs(change).reshape(len(change), -1).max(1),
                        "factor": factor if epsilon else np.nan,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def draw_attacked(
    networks: Mapping[Which, Attacked], attack: str, images: np.ndarray, classes: np.ndarray, title: str
) -> tuple[Figure, pd.DataFrame]:
    """Images, and of each network the attacked ones with the class that it says, each beside what the attack added.

    Args:
        networks: by augmentation and seed, the same images under the attack of each.
        attack: its name.
        images: (B,), their numbers in the data set.
        classes: (B,), the images' own.
        title: above the figure.

    Returns:
        The figure, and a row for every image of every network at every ε: what is said, the largest change of a pixel,
        and the factor by which changes are drawn larger.
    """
    clean = next(iter(networks.values())).images[0.0]
    columns: list[tuple[float, str, np.ndarray, np.ndarray | None]] = [(0.0, "clean", clean, classes)]
    names, place = [], 1.0
    for (augmentation, _), network in networks.items():
        place += 0.3
        names.append((place, label(augmentation or "model")))
        for epsilon in network.images:
            if epsilon == 0:
                continue
            change, factor = _change(network, epsilon)
            columns.append((place, f"ε = {epsilon:g}", network.images[epsilon], network.said[epsilon]))
            columns.append((place + 1, f"change\n× {factor:.3g}", 0.5 + factor * change, None))
            place += 2
    height, width = clean.shape[2:]
    word = 0.26 * width / height  # a line of text, in heights of an image
    tops = np.arange(len(clean)) * (1 + word)
    with style():
        inches = max(0.78 * place + 0.2, 5.0)  # a title, which may be a path, needs some
        figure = Figure(figsize=(inches, 0.78 * (tops[-1] + 1 + 4.4 * word) * height / width + 0.6))
        axes = figure.subplots()
        lay_out(axes, {(x, top): shown[row] for x, _, shown, _ in columns for row, top in enumerate(tops)})
        axes.set_ylim(tops[-1] + 1, -4.4 * word)
        axes.set_anchor("W")
        for x, name in names:
            axes.text(x + 0.03, -3.2 * word, name, va="bottom", fontsize=9.5, fontweight="bold")
        for x, words, _, said in columns:
            axes.text(x + 0.5, -1.2 * word, words, ha="center", va="bottom", fontsize=8.5)
            for top, own, answer in zip(tops, classes, said if said is not None else (), strict=False):
                weight = "normal" if answer == own else "bold"
                axes.text(x + 0.5, top, f"{answer}", ha="center", va="bottom", fontsize=9, fontweight=weight)
        axes.set_title(textwrap.fill(title, int(11.5 * inches)), fontsize=10)
    return figure, _numbers(networks, attack, images, classes)
