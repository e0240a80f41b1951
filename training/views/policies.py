"""Augmentation policies of the AutoAugment family, one draw per image.

torchvision's AutoAugment (the CIFAR-10 policy), RandAugment and TrivialAugment by name, or a list of sub-policies from
a file, the form in which Fast AutoAugment published its results. torchvision draws from torch's global generator and
once for a whole batch, so each image is transformed on its own, under a seed of its own step.

The operations of such lists are those of Fast AutoAugment's code, to the pixel where pixels are moved, cut out,
inverted or counted in bits, and to one level of 255 where they are stretched or blended, which is torchvision's
arithmetic instead of PIL's. A level l stands for a value linearly between the two of `RANGES`. That of ShearX, ShearY,
TranslateX, TranslateY and Rotate then changes its sign with probability one half, so that the strength is
``v |2l − 1|``, with v the largest. Shears leave the top left corner in place, rotations the middle, and what comes
from outside is black.

Deviations: grey images, which that code does not know, have no colour to change and are cut out in the luminance of its
colour; its four additional operations (CutoutAbs, Posterize2, TranslateXAbs, TranslateYAbs) are refused.

References: Cubuk et al. 2019, arXiv 1805.09501 and 1909.13719; Müller & Hutter 2021, arXiv 2103.10158; Lim et al. 2019,
arXiv 1905.00397.
"""

import ast
import functools
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as image_functional

from store import BadInput
from store.registry import Registry, called, known_as, source_hash

__all__ = ["LISTED", "BatchPolicy", "Policy", "SubPolicies", "policy_named"]

Policy = Callable[[Tensor], Tensor]
"""From one image (C, H, W) uint8 to another, drawing from torch's global generator."""

LISTED = "file:"
"""What the name of a policy from a file begins with, and its identity too."""

NAMED: dict[str, Callable[[], Policy]] = {
    "autoaugment": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
}

RANGES: dict[str, tuple[float, float]] = {
    "ShearX": (-0.3, 0.3), "ShearY": (-0.3, 0.3), "TranslateX": (-0.45, 0.45), "TranslateY": (-0.45, 0.45),
    "Rotate": (-30, 30), "AutoContrast": (0, 1), "Invert": (0, 1), "Equalize": (0, 1), "Solarize": (0, 256),
    "Posterize": (4, 8), "Contrast": (0.1, 1.9), "Color": (0.1, 1.9), "Brightness": (0.1, 1.9),
    "Sharpness": (0.1, 1.9), "Cutout": (0, 0.2),
}  # fmt: skip
"""What levels 0 and 1 mean, linearly between: tangents, shares of the side, degrees, thresholds, bits, factors, and
again a share of the side (Lim et al. 2019, after Cubuk et al. 2019). AutoContrast, Invert and Equalize have no level.
"""

MIRRORED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
"""Operations whose value changes its sign with probability one half: level 1/2 leaves the image as it is."""

CUTOUT = (125, 123, 114)
"""The colour of the square that Cutout leaves; on grey images, its luminance."""


def _moved(image: Tensor, matrix: tuple[float, float, float, float, float, float]) -> Tensor:
    """The image (C, H, W) whose pixel at (x, y) is what was at (ax + by + c, dx + ey + f), black where nothing was.

    As in PIL, coordinates are those of pixel centres, (0.5, 0.5) in the top left corner, and the nearest pixel counts.
    """
    a, b, c, d, e, f = matrix
    height, width = image.shape[1:]
    y = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    x = torch.arange(width, dtype=torch.float64)[None, :] + 0.5
    column, row = (a * x + b * y + c).floor().long(), (d * x + e * y + f).floor().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return image[:, row.clamp(0, height - 1), column.clamp(0, width - 1)] * inside


def _matrix(name: str, value: float, height: int, width: int) -> tuple[float, float, float, float, float, float]:
    """Where the pixels of an image come from under one of the operations that move them, as `_moved` takes it."""
    if name == "Rotate":  # counterclockwise, about the middle
        cos, sin = math.cos(math.radians(value)), math.sin(math.radians(value))
        x, y = width / 2, height / 2
        return cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y
    return {
        "ShearX": (1.0, value, 0.0, 0.0, 1.0, 0.0),
        "ShearY": (1.0, 0.0, 0.0, value, 1.0, 0.0),
        "TranslateX": (1.0, 0.0, value * width, 0.0, 1.0, 0.0),
        "TranslateY": (1.0, 0.0, 0.0, 0.0, 1.0, value * height),
    }[name]


def _cut_out(image: Tensor, value: float) -> Tensor:
    """A square of a share ``value`` of the width in one colour, at a random place where it may be cut off."""
    channels, height, width = image.shape
    side = value * width
    left, top = (max(float(torch.rand(())) * size - side / 2, 0) for size in (width, height))
    colour = CUTOUT if channels == 3 else (round(0.299 * CUTOUT[0] + 0.587 * CUTOUT[1] + 0.114 * CUTOUT[2]),)
    image = image.clone()
    # both ends belong to it
    rows, columns = (slice(int(start), int(int(start) + side) + 1) for start in (top, left))
    image[:, rows, columns] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    return image


def _apply(name: str, level: float, image: Tensor) -> Tensor:
    """One operation on an image (C, H, W) uint8."""
    low, high = RANGES[name]
    value = float(low + level * (high - low))  # a whole 256 would be wrapped to a byte
    if name in MIRRORED:
        value *= 1 if torch.rand(()) < 0.5 else -1
        return _moved(image, _matrix(name, value, *image.shape[1:]))
    if name == "Cutout":
        return _cut_out(image, value) if value > 0 else image
    if name == "Color" and image.shape[0] == 1:
        return image
    operations: dict[str, Callable[[], Tensor]] = {
        "AutoContrast": lambda: image_functional.autocontrast(image),
        "Invert": lambda: image_functional.invert(image),
        "Equalize": lambda: image_functional.equalize(image),
        "Solarize": lambda: torch.where(image >= value, 255 - image, image),
        "Posterize": lambda: image_functional.posterize(image, int(value)),
        "Contrast": lambda: image_functional.adjust_contrast(image, value),
        "Color": lambda: image_functional.adjust_saturation(image, value),
        "Brightness": lambda: image_functional.adjust_brightness(image, value),
        "Sharpness": lambda: image_functional.adjust_sharpness(image, value),
    }
    return operations[name]()


class SubPolicies:
    """One sub-policy, drawn at random, for each image; each of its operations happens with its own probability.

    Args:
        policies: lists of (name, probability, level), both in [0, 1]; names as in `RANGES`.
    """

    def __init__(self, policies: list[list[tuple[str, float, float]]]) -> None:
        self.policies = policies

    def __call__(self, image: Tensor) -> Tensor:
        """(C, H, W) uint8 to the same."""
        chosen = self.policies[int(torch.randint(len(self.policies), ()))]
        for name, probability, level in chosen:
            if torch.rand(()) < probability:
                image = _apply(name, level, image)
        return image


NEEDED = 'a list of lists of ("ShearX", probability, level), both in [0, 1]'


def _read(path: Path) -> tuple[SubPolicies, str]:
    """The list in a file and what identifies it: a hash of what the list says, not of how it is laid out."""
    if not path.is_file():
        raise BadInput("--policy", f"{path}, where there is no file", NEEDED)
    try:
        policies = _parsed(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as problem:
        raise BadInput("--policy", f"{path}, which is no list ({str(problem)[:80]})", NEEDED) from None
    return SubPolicies(policies), f"{LISTED}{hashlib.sha256(repr(policies).encode()).hexdigest()[:12]}"


@functools.cache
def _parsed(text: str, source: str) -> list[list[tuple[str, float, float]]]:
    """The list that a text writes down, in Python's way or JSON's; each text is taken apart once."""
    try:
        policies = ast.literal_eval(text)  # runs nothing
    except (ValueError, SyntaxError, MemoryError, RecursionError) as problem:
        raise BadInput("--policy", f"{source}, which is no list ({str(problem)[:80]})", NEEDED) from None
    if not isinstance(policies, list | tuple) or not policies:
        raise BadInput("--policy", f"{source}, which is no list, or an empty one", NEEDED)
    for number, policy in enumerate(policies, 1):
        if not isinstance(policy, list | tuple):
            raise BadInput("--policy", f"{source}, sub-policy {number}: {policy!r:.60}", NEEDED)
        for operation in policy:
            got = f"{source}, sub-policy {number}: {operation!r:.60}"
            if not (isinstance(operation, list | tuple) and len(operation) == 3 and operation[0] in RANGES):
                raise BadInput("--policy", got, f"{NEEDED}; one of {', '.join(RANGES)}")
            if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in operation[1:]):
                raise BadInput("--policy", got, "numbers from 0 to 1")
    return [[(name, float(p), float(level)) for name, p, level in policy] for policy in policies]


@dataclass(frozen=True)
class BatchPolicy:
    """A policy for batches.

    Args:
        identity: its name, in which a file stands by the hash of its content.
        policy: for one image; None leaves images as they are.
    """

    identity: str
    policy: Policy | None

    def __call__(self, images: Tensor, seed: int) -> Tensor:
        """Images (B, C, H, W) uint8 to the same, each transformed on its own, by draws that follow from ``seed``."""
        policy = self.policy
        if policy is None:
            return images
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return torch.stack([policy(image) for image in images])


def policy_named(name: str) -> BatchPolicy:
    """The policy of a name: none, autoaugment, randaugment, trivialaugment, file:PATH, which is read now, or another's.

    Another's is an entry point of the group ``mixinfo.views``, ``package.module:NAME`` or ``FILE.py:NAME``: a callable
    from one image (C, H, W) uint8 to another, which draws from torch's global generator, or a class that makes one.

    Raises:
        BadInput: an unknown name or an unsuitable file.
    """
    if name == "none":
        return BatchPolicy(name, None)
    if name.startswith(LISTED):
        policy, identity = _read(Path(name.removeprefix(LISTED)))
        return BatchPolicy(identity, policy)
    if name in NAMED:
        return BatchPolicy(name, NAMED[name]())
    return _theirs(name)


VIEWS = Registry(
    "policy",
    "mixinfo.views",
    {"none": None, **NAMED},
    forms=("file:PATH",),
    ours=("torch", "torchvision"),
    aliases={"aa": "autoaugment", "ra": "randaugment", "ta": "trivialaugment", "trivialaugmentwide": "trivialaugment"}
    | {"fastautoaugment": "file:PATH", "identity": "none"},
)
"""Policies by name."""


def _theirs(name: str) -> BatchPolicy:
    """A policy of somebody else's, from one image to another, or of a class that makes one; tried on an image."""
    needed = "a callable from an image (C, H, W) uint8 to another of its shape, or a class that makes one"
    policy = VIEWS.get(name, "--policy")
    if isinstance(policy, type):
        policy = called(policy, name, "--policy", needed)
    if not callable(policy):
        raise BadInput("--policy", f"{name}, a {type(policy).__name__}", needed)
    image = torch.arange(3 * 256, dtype=torch.int64).remainder(256).to(torch.uint8).view(3, 16, 16)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        made = called(lambda: policy(image.clone()), f"{name} on an image (3, 16, 16)", "--policy", needed)
    if not isinstance(made, Tensor) or made.dtype != torch.uint8 or made.shape != image.shape:
        kind = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
        raise BadInput("--policy", f"{name}, which makes {kind} of an image (3, 16, 16)", needed)
    return BatchPolicy(f"{known_as(name)} {source_hash(VIEWS.source(name, '--policy') or '')}", policy)
