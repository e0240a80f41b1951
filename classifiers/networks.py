"""Networks by name: the paper's, torchvision's, timm's, or the user's own.

``preact-resnet18``, ``wide-resnet-28-10``, ``densenet-bc-190-40`` and ``pyramidnet-272-200`` are ours, and of shapes in
three dimensions ``voxel-cnn``;
``torchvision:resnet101`` and ``timm:seresnext50_32x4d`` are those packages', with random weights; and
``package.module:NAME``, ``FILE.py:NAME`` or an entry point of the group ``mixinfo.networks`` is any callable that makes
a network. One that is not ours is tried on an image first.
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from classifiers.nets import DenseNet, PreActResNet, PyramidNet, VoxelCNN, WideResNet
from store import BadInput, positive
from store.registry import Registry, called, known_as, module_known_as, text_of

__all__ = [
    "FACTORIES",
    "NETWORKS",
    "OF_TEXTS",
    "THEIRS",
    "TRANSFORMER",
    "build",
    "known_name",
    "network_known_as",
    "network_of_factory",
    "source_of",
    "theirs",
]


@dataclass(frozen=True)
class Architecture:
    """One of our networks.

    Args:
        make: (channels, classes, **{width: int}) -> network.
        width: what the class calls its width.
        usual: the published width.
        smallest: pixels that the network's halvings need.
        sides: 2 of images, 3 of volumes.
    """

    make: Callable[..., nn.Module]
    width: str
    usual: int
    smallest: int
    sides: int = 2


NETWORKS = {
    "preact-resnet18": Architecture(PreActResNet, "width", 64, 8),
    "wide-resnet-28-10": Architecture(WideResNet, "widen", 10, 4),
    "densenet-bc-190-40": Architecture(DenseNet, "growth", 40, 4),
    "pyramidnet-272-200": Architecture(PyramidNet, "widening", 200, 4),
    "voxel-cnn": Architecture(VoxelCNN, "width", 16, 4, sides=3),
}

BUILT_IN = ("classifiers", "torch", "torchvision", "timm")
"""Packages whose networks are known by name and weights."""

THEIRS = ("torchvision", "timm")
"""Packages whose networks of images are made by their own names."""

OF_TEXTS = ("text-cnn", "text-lstm", "bert")
"""Our networks of texts, which `classifiers.text` makes; bert is a small one that begins with random weights."""

TRANSFORMER = "transformers:"
"""What the name of a pretrained transformer, of texts, begins with; its folder follows."""

FACTORIES = Registry(
    "network",
    "mixinfo.networks",
    NETWORKS | dict.fromkeys(OF_TEXTS),
    forms=(*(f"{package}:NAME" for package in THEIRS), f"{TRANSFORMER}FOLDER"),
    ours=BUILT_IN,
    aliases=dict.fromkeys(("resnet18", "resnet", "prn18", "preresnet18", "preactresnet"), "preact-resnet18")
    | dict.fromkeys(("wrn", "wrn2810", "wideresnet", "wideresnet28"), "wide-resnet-28-10")
    | dict.fromkeys(("densenet", "densenetbc", "densenetbc190", "densenet190"), "densenet-bc-190-40")
    | dict.fromkeys(("pyramidnet", "pyramidnet272", "pyramid"), "pyramidnet-272-200")
    | {name: f"torchvision:{name}" for name in ("resnet34", "resnet50", "resnet101", "resnet152", "densenet121")},
)


def known_name(name: str, argument: str) -> None:
    """Refuse what cannot be a network's name, before anything is loaded.

    Raises:
        BadInput: blaming ``argument``.
    """
    FACTORIES.check(name, argument)


def theirs(name: str) -> bool:
    """Whether a network is somebody else's factory's, of which the name says nothing."""
    return name not in (*NETWORKS, *OF_TEXTS) and not name.startswith((*(f"{one}:" for one in THEIRS), TRANSFORMER))


def network_known_as(name: str) -> str:
    """A network's name as records and tables hold it: a file or a folder without the directories it lies in."""
    if name.startswith(TRANSFORMER):
        return TRANSFORMER + Path(name.removeprefix(TRANSFORMER)).name
    return known_as(name)


def source_of(network: nn.Module, name: str = "") -> str:
    """The source text that decides, beside its weights, what a network computes.

    Args:
        network: of any origin.
        name: by which `build` makes it.

    Returns:
        ``name``, and the texts of the modules that define the factory and the classes of the network's parts, without
        those of `BUILT_IN`; nothing where all is built in. A text that cannot be had, of a notebook's cell or of
        compiled code, is left out: what the network computes is compared besides (`classifiers.grid.run_of_function`).
    """
    modules = {type(module).__module__ for module in network.modules()}
    if name and name not in NETWORKS and name.partition(":")[0] not in THEIRS:
        modules.add(FACTORIES.module(name, "--network"))
    foreign = {module_known_as(module): module for module in modules if module.partition(".")[0] not in BUILT_IN}
    texts = (f"{shown}\n{text_of(foreign[shown])}" for shown in sorted(foreign))
    return "\n".join([known_as(name), *texts]) if foreign else ""


def build(
    name: str, shape: tuple[int, ...], classes: int, width: int | None = None, argument: str = "--network"
) -> nn.Module:
    """A network with random weights from torch's global generator.

    Args:
        name: see the module's text.
        shape: (C, H, W) of images or spectrograms, or (C, D, H, W) of volumes.
        classes: number of logits.
        width: of our own networks: channels of the first stage, widening factor, growth rate or widening (None: the
            published one).
        argument: what mistakes are blamed on.

    Returns:
        A module from (B, C, …) to logits (B, classes).

    Raises:
        BadInput: no such network or factory, a package that is missing, images too small for it, or another number of
            logits.
    """
    known_name(name, argument)
    if width is not None:
        positive("--width", width)
    if name in OF_TEXTS or name.startswith(TRANSFORMER):
        raise BadInput(argument, f"{name} for images", f"a network of images: {', '.join(NETWORKS)}")
    if name in NETWORKS:
        architecture = NETWORKS[name]
        if architecture.sides != len(shape) - 1:
            suitable = [known for known, one in NETWORKS.items() if one.sides == len(shape) - 1]
            got = f"{name} for items of {'×'.join(map(str, shape[1:]))}"
            raise BadInput(argument, got, f"one for {len(shape) - 1} dimensions: {', '.join(suitable)}")
        if min(shape[1:]) < architecture.smallest:
            size = "×".join(map(str, shape[1:]))
            raise BadInput(argument, f"{name} for images of {size} pixels", f"at least {architecture.smallest} pixels")
        return architecture.make(shape[0], classes, **{architecture.width: width or architecture.usual})
    if width is not None:
        raise BadInput("--width", f"{width} with {name}", f"one of our networks: {', '.join(NETWORKS)}")
    source, _, model = name.partition(":")
    if source == "torchvision":
        network = _torchvision(model, classes, argument)
    elif source == "timm":
        network = _timm(model, shape[0], classes, argument)
    else:
        network = network_of_factory(name, shape[0], classes, argument)
    _try(network, name, shape, classes, argument)
    return network


def _torchvision(name: str, classes: int, argument: str) -> nn.Module:
    from torchvision import models

    try:
        return models.get_model(name, weights=None, num_classes=classes)
    except ValueError:
        raise BadInput(argument, f"torchvision:{name}", "a classifier of torchvision.models.list_models()") from None


def _timm(name: str, channels: int, classes: int, argument: str) -> nn.Module:
    try:
        import timm
    except ImportError:
        raise BadInput(argument, f"timm:{name}", "the package timm (pip install timm)") from None
    if not timm.is_model(name):
        raise BadInput(argument, f"timm:{name}", "a name that timm.list_models() lists")
    return timm.create_model(name, pretrained=False, in_chans=channels, num_classes=classes)


def network_of_factory(name: str, channels: int, classes: int, argument: str) -> nn.Module:
    """The network that somebody else's factory makes.

    Args:
        name: ``package.module:NAME``, ``FILE.py:NAME`` or an entry point's.
        channels: offered to it, if it has a parameter of this name.
        classes: likewise.
        argument: what mistakes are blamed on.

    Raises:
        BadInput: no such factory, or one that makes something else.
    """
    factory = FACTORIES.get(name, argument)
    if isinstance(factory, nn.Module):  # at hand, and left as it is
        return copy.deepcopy(factory)
    if not callable(factory):
        raise BadInput(argument, f"{name}, a {type(factory).__name__}", "a callable that makes a network")

    def make() -> object:  # a factory takes what it has parameters for
        known = inspect.signature(factory).parameters
        offered = (("channels", channels), ("classes", classes))
        return factory(**{key: value for key, value in offered if key in known})

    network = called(make, name, argument, "a factory that channels= and classes= are enough for")
    if not isinstance(network, nn.Module):
        raise BadInput(argument, f"{name}, which makes a {type(network).__name__}", "a torch.nn.Module")
    return network


@torch.no_grad()
def _try(network: nn.Module, name: str, shape: tuple[int, ...], classes: int, argument: str) -> None:
    """Put one black image through a network that is not ours."""
    training = network.training
    image = "×".join(map(str, shape))
    try:
        needed = "a network for images of this size"
        logits = called(
            lambda: network.eval()(torch.zeros(1, *shape)), f"{name} for images of {image}", argument, needed
        )
    finally:
        network.train(training)
    output = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if output != (1, classes):
        raise BadInput(argument, f"{name}, whose output for an image is {output}", f"logits of shape (1, {classes})")
