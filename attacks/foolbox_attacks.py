"""Foolbox's attacks by name: the one place that imports Foolbox.

Foolbox (Rauber et al. 2020, "Foolbox Native", JOSS 5(53)) is no longer maintained; it is pinned, and what is to be
replaced is replaced here. Its attacks draw random numbers for a whole batch at once, which would make a result depend
on the batch; `drawn_per_image` gives every image its own stream instead.
"""

import difflib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import eagerpy
import torch
from torch import Tensor, nn

from store import BadInput
from store.bad_input import perhaps
from training.seeds import derive

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # names of SciPy's that moved
    import foolbox
    from foolbox.attacks.base import Attack
    from foolbox.attacks.deepfool import DeepFoolAttack
    from foolbox.attacks.gradient_descent_base import BaseGradientDescent

__all__ = [
    "ATTACKS",
    "Attack",
    "BaseGradientDescent",
    "DeepFoolAttack",
    "attack_named",
    "clip_to",
    "drawn_per_image",
    "eager",
    "plain_verdicts",
]

ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "fgsm": ("LinfFastGradientAttack", {}),
    "bim": ("LinfBasicIterativeAttack", {"steps": 10, "rel_stepsize": 0.2}),
    "pgd": ("LinfProjectedGradientDescentAttack", {"steps": 40, "rel_stepsize": 1 / 30, "random_start": True}),
    "noise": ("LinfAdditiveUniformNoiseAttack", {}),
    "deepfool": ("LinfDeepFoolAttack", {"steps": 50, "candidates": 10, "overshoot": 0.02, "loss": "logits"}),
    "repeated-noise": ("LinfRepeatedAdditiveUniformNoiseAttack", {"repeats": 100}),
}
"""Names, Foolbox's classes, and their options: the published sweep's, spelt out."""


ALIASES = {
    "autoattack": "--autoattack 1000",
    "carliniwagner": "L2CarliniWagnerAttack",
    "cw": "L2CarliniWagnerAttack",
    "fgm": "L2FastGradientAttack",
    "ifgsm": "bim",
    "linfpgd": "pgd",
    "uniform": "noise",
}
"""What attacks are called elsewhere."""

NO_NORM = "has no norm in which ε is counted"
LEAVES = "keeps moments of every image, while the robust curve lets broken images leave"

CANNOT = {
    "BinarizationRefinementAttack": "starts from another attack's images",
    "BinarySearchContrastReductionAttack": NO_NORM,
    "DatasetAttack": "takes its images from others that it must be fed",
    "GaussianBlurAttack": NO_NORM,
    "GenAttack": "needs a target class",
    "InversionAttack": NO_NORM,
    "L0BrendelBethgeAttack": "needs numba",
    "L0FMNAttack": "has a norm that Foolbox cannot take the largest of",
    "L1BrendelBethgeAttack": "needs numba",
    "L2AdamProjectedGradientDescentAttack": LEAVES,
    "L2BrendelBethgeAttack": "needs numba",
    "LinearSearchBlendedUniformNoiseAttack": NO_NORM,
    "LinearSearchContrastReductionAttack": NO_NORM,
    "LinfAdamBasicIterativeAttack": LEAVES,
    "LinfAdamProjectedGradientDescentAttack": LEAVES,
    "LinfinityBrendelBethgeAttack": "needs numba",
    "L1AdamProjectedGradientDescentAttack": LEAVES,
    "L1AdamBasicIterativeAttack": LEAVES,
    "L2AdamBasicIterativeAttack": LEAVES,
    "PointwiseAttack": NO_NORM,
    "SparseL1DescentAttack": "has a norm of its own",
}
"""Classes of Foolbox's that make no curve over ε, and why."""


def attack_named(name: str) -> Attack:
    """An attack of `ATTACKS`, or any class of ``foolbox.attacks`` with its defaults that both curves can be made of.

    Raises:
        BadInput: no such attack, and the nearest names; or one that cannot make a curve.
    """
    if name in ATTACKS:
        kind, options = ATTACKS[name]
        return getattr(foolbox.attacks, kind)(**options)
    known = [kind for kind in dir(foolbox.attacks) if kind.endswith("Attack")]
    if name not in known:
        near = difflib.get_close_matches(name.lower(), [*ATTACKS, *(kind.lower() for kind in known)], 3, 0.4)
        nearest = [kind for kind in [*ATTACKS, *known] if kind.lower() in near] or list(ATTACKS)
        needed = f"one of {', '.join(ATTACKS)}, or a class of Foolbox's; near: {', '.join(nearest)}"
        raise BadInput("--attacks", repr(name), needed + perhaps(name, [*ATTACKS, *known], ALIASES))
    if name in CANNOT:
        raise BadInput("--attacks", f"{name}, which {CANNOT[name]}", f"a curve over ε: {', '.join(ATTACKS)}, say")
    try:
        return getattr(foolbox.attacks, name)()
    except TypeError as problem:
        raise BadInput("--attacks", f"{name}, which needs options ({problem})", "an attack that needs none") from None


def eager(tensor: Tensor) -> Any:
    """A tensor as Foolbox's attacks take it."""
    return eagerpy.astensor(tensor)


def clip_to(attack: Attack, x0: Tensor, x: Tensor, epsilon: float) -> Tensor:
    """The perturbed images with perturbations cut to ε in the attack's norm, as Foolbox does before it judges."""
    return attack.distance.clip_perturbation(x0, x, epsilon)  # type: ignore[attr-defined]


@contextmanager
def drawn_per_image(seed: int, purpose: str, images: Sequence[int]) -> Iterator[None]:
    """Let an attack's random numbers come from one stream per image, whatever batch it is in.

    Holds for attacks that draw through eagerpy with the batch first and keep all images to the end.

    Args:
        seed: the sweep's.
        purpose: attack and ε.
        images: the number of each image in its data set, in the order of the batch.
    """
    streams = [torch.Generator().manual_seed(derive(seed, "attack", purpose, image)) for image in images]
    kind = eagerpy.PyTorchTensor
    before = kind.uniform, kind.normal

    def rows(shape: Any, draw: Any, like: Tensor) -> Any:
        shape = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if shape[0] != len(streams):
            raise BadInput(
                "--attacks", f"an attack that draws {shape} numbers at once", "one that draws for each image"
            )
        drawn = torch.stack([draw(shape[1:], stream) for stream in streams])
        return kind(drawn.to(like.device, like.dtype))

    def uniform(self: Any, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
        return rows(shape, lambda size, stream: torch.rand(size, generator=stream) * (high - low) + low, self.raw)

    def normal(self: Any, shape: Any, mean: float = 0.0, stddev: float = 1.0) -> Any:
        return rows(shape, lambda size, stream: torch.randn(size, generator=stream) * stddev + mean, self.raw)

    kind.uniform, kind.normal = uniform, normal  # type: ignore[method-assign]
    try:
        yield
    finally:
        kind.uniform, kind.normal = before  # type: ignore[method-assign]


def plain_verdicts(model: nn.Module, attack: Attack, x: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Which images Foolbox breaks at ε when called as its users call it: (B,) bool.

    Args:
        model: from images (B, C, H, W) in [0, 1] to logits, in evaluation mode.
        attack: any.
        x: (B, C, H, W).
        labels: (B,).
        epsilon: in units of pixels.
    """
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
    return attack(wrapped, x, labels, epsilons=[epsilon])[2][0]
