"""Augmentation policies of the AutoAugment family, one draw per image.

torchvision's AutoAugment (the CIFAR-10 policy), RandAugment and TrivialAugment by name, or a list of sub-policies from
a file, the form in which Fast AutoAugment published its results. torchvision draws from torch's global generator and
once for a whole batch, so each image is transformed on its own, under a seed of its own step.

References: Cubuk et al. 2019, arXiv 1805.09501 and 1909.13719; Müller & Hutter 2021, arXiv 2103.10158; Lim et al. 2019,
arXiv 1905.00397.
"""

import ast
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as image_functional

from store import BadInput

__all__ = ["Policy", "SubPolicies", "policy_named"]

Policy = Callable[[Tensor], Tensor]
"""From one image (C, H, W) uint8 to another, drawing from torch's global generator."""

NAMED: dict[str, Callable[[], Policy]] = {
    "autoaugment": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
}

RANGES: dict[str, tuple[float, float]] = {
    "ShearX": (0, 0.3), "ShearY": (0, 0.3), "TranslateX": (0, 0.45), "TranslateY": (0, 0.45), "Rotate": (0, 30),
    "AutoContrast": (0, 1), "Invert": (0, 1), "Equalize": (0, 1), "Solarize": (0, 256), "Posterize": (4, 8),
    "Contrast": (0.1, 1.9), "Color": (0.1, 1.9), "Brightness": (0.1, 1.9), "Sharpness": (0.1, 1.9), "Cutout": (0, 0.2),
}  # fmt: skip
"""What magnitudes 0 and 1 mean: tangents, shares of the side, degrees (these with a random sign), thresholds, bits,
factors, and again a share of the side (Lim et al. 2019, after Cubuk et al. 2019)."""

SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")


def _apply(name: str, magnitude: float, image: Tensor) -> Tensor:
    """One operation on an image (C, H, W) uint8."""
    low, high = RANGES[name]
    value = low + magnitude * (high - low)
    height, width = image.shape[1:]
    if name in SIGNED:
        value *= 1 if torch.rand(()) < 0.5 else -1
        moved: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
        degrees = float(torch.rad2deg(torch.atan(torch.tensor(value))))
        changes: dict[str, dict[str, Any]] = {
            "ShearX": {"shear": [degrees, 0.0]},
            "ShearY": {"shear": [0.0, degrees]},
            "TranslateX": {"translate": [round(value * width), 0]},
            "TranslateY": {"translate": [0, round(value * height)]},
            "Rotate": {"angle": value},
        }
        moved |= changes[name]
        return image_functional.affine(image, **moved)
    if name == "Cutout":
        side = round(value * min(height, width))
        top, left = (int(torch.randint(-side // 2, size - side // 2 + 1, ())) for size in (height, width))
        image = image.clone()
        image[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 125
        return image
    if name == "Color" and image.shape[0] == 1:
        return image
    operations: dict[str, Callable[[], Tensor]] = {
        "AutoContrast": lambda: image_functional.autocontrast(image),
        "Invert": lambda: image_functional.invert(image),
        "Equalize": lambda: image_functional.equalize(image),
        "Solarize": lambda: image_functional.solarize(image, min(value, 255.0)),
        "Posterize": lambda: image_functional.posterize(image, round(value)),
        "Contrast": lambda: image_functional.adjust_contrast(image, value),
        "Color": lambda: image_functional.adjust_saturation(image, value),
        "Brightness": lambda: image_functional.adjust_brightness(image, value),
        "Sharpness": lambda: image_functional.adjust_sharpness(image, value),
    }
    return operations[name]()


class SubPolicies:
    """One sub-policy, drawn at random, for each image; each of its operations happens with its own probability.

    Args:
        policies: lists of (name, probability, magnitude), both in [0, 1]; names as in `RANGES`.
    """

    def __init__(self, policies: list[list[tuple[str, float, float]]]) -> None:
        self.policies = policies

    def __call__(self, image: Tensor) -> Tensor:
        """(C, H, W) uint8 to the same."""
        chosen = self.policies[int(torch.randint(len(self.policies), ()))]
        for name, probability, magnitude in chosen:
            if torch.rand(()) < probability:
                image = _apply(name, magnitude, image)
        return image


def _read(path: Path) -> list[list[tuple[str, float, float]]]:
    needed = 'a list of lists of ("ShearX", probability, magnitude), both in [0, 1]'
    if not path.is_file():
        raise BadInput("--policy", f"{path}, where there is no file", needed)
    try:
        policies = ast.literal_eval(path.read_text(encoding="utf-8"))  # lists of Python or of JSON; runs nothing
    except (ValueError, SyntaxError, UnicodeDecodeError, MemoryError, RecursionError) as problem:
        raise BadInput("--policy", f"{path}, which is no list ({str(problem)[:80]})", needed) from None
    if not isinstance(policies, list | tuple) or not policies:
        raise BadInput("--policy", f"{path}, which is no list, or an empty one", needed)
    for number, policy in enumerate(policies, 1):
        if not isinstance(policy, list | tuple):
            raise BadInput("--policy", f"{path}, sub-policy {number}: {policy!r:.60}", needed)
        for operation in policy:
            if not (isinstance(operation, list | tuple) and len(operation) == 3 and operation[0] in RANGES):
                known = ", ".join(RANGES)
                raise BadInput(
                    "--policy", f"{path}, sub-policy {number}: {operation!r:.60}", f"{needed}; one of {known}"
                )
            if not all(isinstance(each, int | float) and 0 <= each <= 1 for each in operation[1:]):
                raise BadInput("--policy", f"{path}, sub-policy {number}: {operation!r:.60}", "numbers from 0 to 1")
    return [[(name, float(p), float(m)) for name, p, m in policy] for policy in policies]


def policy_named(name: str) -> tuple[Callable[[Tensor, int], Tensor] | None, str]:
    """A policy for batches, and what identifies it.

    Args:
        name: none, autoaugment, randaugment, trivialaugment, or file:PATH.

    Returns:
        (images (B, C, H, W) uint8, seed) -> the same shape, or None for ``none``; and the name, in which a file stands
        by the hash of its content.

    Raises:
        BadInput: an unknown name or an unsuitable file.
    """
    if name == "none":
        return None, name
    if name.startswith("file:"):
        policies = _read(Path(name.removeprefix("file:")))
        policy: Policy = SubPolicies(policies)
        name = f"file:{hashlib.sha256(repr(policies).encode()).hexdigest()[:12]}"
    elif name in NAMED:
        policy = NAMED[name]()
    else:
        raise BadInput("--policy", repr(name), f"none, {', '.join(NAMED)}, or file:PATH")

    def batched(images: Tensor, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return torch.stack([policy(image) for image in images])

    return batched, name
