"""Mixers by name, as the command lines of both trainers ask for them: msda's, and other people's.

A name is one of `msda.MIXERS`; an entry point of the group ``mixinfo.mixers`` that another package declares;
``package.module:NAME`` or ``FILE.py:NAME``; or several of these joined by ``+``, which take turns. What NAME stands for
in somebody else's code is

- a mixer: a callable ``(images, *, generator, partner) -> msda.Mixed``; what has a parameter ``generator`` is one;
- or something that makes a mixer, a class or a function, called with those of `OPTIONS` that its signature has.

It is tried on a small batch when it is asked for, and on items like those that it is to mix (`check_mixes`), so that
what is no mixer of them is refused before anything is trained.
"""

import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from msda import MIXERS, Alternate, Mixed, Mixer, OptionError, get_mixer
from store import BadInput
from store.registry import Registry, called, known_as, source_hash

__all__ = ["AUGMENTATIONS", "OPTIONS", "check_mixes", "check_unchanged", "identity_of", "in_turn", "mixer_named"]

AUGMENTATIONS = Registry(
    "augmentation",
    "mixinfo.mixers",
    MIXERS,
    forms=("several joined by +",),
    ours=("msda", "torch"),
    aliases={"baseline": "none", "erm": "none", "identity": "none", "plain": "none", "standard": "none"}
    | {"vanilla": "none", "mix": "mixup", "inputmixup": "mixup"},
)

OPTIONS = ("alpha", "decay_power", "max_soft", "scope", "targets", "target_alpha")
"""What makes a mixer may have parameters of these names, and gets what the command line says for them."""

NEEDED = "a mixer, (images, *, generator, partner) -> msda.Mixed, or what makes one"

MAKERS_NEEDED = f"{NEEDED} from {', '.join(OPTIONS)}"

MAKERS = (type, functools.partial, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
"""What may make a mixer; of another callable nothing is known but that it is called with images."""

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

TRIED = ((4, 3, 8, 8), (4, 3, 8), (4, 3, 8, 8, 8))
"""Shapes of batches, of images, texts and volumes, of which a mixer of somebody else's has to mix one at least."""


def mixer_named(augmentation: str, argument: str = "--augmentation", **options: Any) -> Mixer:
    """The mixer of a name, or of several joined by ``+``; complaints name the option of the command line.

    Args:
        augmentation: see the module's text.
        argument: what a wrong name is blamed on.
        options: of `OPTIONS`; each goes to those mixers that have it.

    Raises:
        BadInput: an unknown augmentation, options out of range, or code of somebody else's that makes no mixer.
    """
    names = augmentation.split("+")
    for name in names:
        AUGMENTATIONS.check(name, argument)
    mixers = [_ours(name, options) if name in MIXERS else _theirs(name, argument, options) for name in names]
    return mixers[0] if len(mixers) == 1 else Alternate(*mixers)


def _ours(name: str, options: Mapping[str, Any]) -> Mixer:
    try:
        return get_mixer(name, **options)
    except OptionError as problem:
        raise BadInput(f"--{problem.option.replace('_', '-')}", problem.got, problem.needed) from None


def _theirs(name: str, argument: str, options: Mapping[str, Any]) -> Mixer:
    mixer = AUGMENTATIONS.get(name, argument)
    name = known_as(name)
    if not callable(mixer):
        raise BadInput(argument, f"{name}, a {type(mixer).__name__}", NEEDED)
    # a module's own signature says nothing; its forward's does
    asked = mixer.forward if isinstance(mixer, nn.Module) else mixer
    parameters = called(lambda: inspect.signature(asked).parameters, name, argument, NEEDED)
    if isinstance(mixer, type) or "generator" not in parameters:
        if not isinstance(mixer, MAKERS):
            got = f"{name}, a {type(mixer).__name__} that takes neither generator nor partner"
            raise BadInput(argument, got, NEEDED)
        needed = [each.name for each in parameters.values() if each.default is each.empty and each.kind in POSITIONAL]
        unknown = next((each for each in needed if each not in OPTIONS), None)
        if unknown and not isinstance(mixer, type):
            got = f"{name}, which takes {unknown}, and neither generator nor partner"
            raise BadInput(argument, got, MAKERS_NEEDED)
        # what a partial has settled stays settled
        settled = mixer.keywords if isinstance(mixer, functools.partial) else {}
        fitting = {key: value for key, value in options.items() if key in parameters and key not in settled}
        mixer = called(lambda: mixer(**fitting), name, argument, MAKERS_NEEDED)
    try:
        _try(mixer, name, TRIED[0], argument)
    except BadInput:
        if not any(_mixes(mixer, name, shape) for shape in TRIED[1:]):
            raise
    return mixer


def _mixes(mixer: Mixer, name: str, shape: tuple[int, ...]) -> bool:
    try:
        _try(mixer, name, shape, "")
    except BadInput:
        return False
    return True


def check_mixes(
    augmentation: str, mixer: Mixer, shape: tuple[int, ...], items: str, argument: str = "--augmentation"
) -> None:
    """Refuse a mixer of somebody else's that does not mix items of this shape, before anything is trained.

    Args:
        augmentation: its name, or several joined by ``+``.
        mixer: of that name.
        shape: (C, …) of the items.
        items: what they are called.
        argument: what is blamed.

    Raises:
        BadInput: it does not.
    """
    names = augmentation.split("+")
    mixers = mixer.mixers if isinstance(mixer, Alternate) and len(names) > 1 else (mixer,)
    for name, one in zip(names, mixers, strict=True):
        if name not in MIXERS:
            _try(one, known_as(name), (4, *shape), argument, items)


def _try(mixer: Mixer, name: str, shape: tuple[int, ...], argument: str, items: str = "images") -> None:
    """Refuse what does not mix a small batch: in one way for one seed of its generator, whom with whom as it is told.

    Raises:
        BadInput: blaming ``argument``.
    """
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    partner = torch.tensor([1, 0, 3, 2])
    words = f"{name} for {items} of shape {shape}"

    def mixed(seed: int, partner: Tensor | None = None) -> Mixed:
        stream = torch.Generator().manual_seed(1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            batch = called(
                lambda: in_turn(mixer, 0)(images.clone(), generator=stream, partner=partner), words, argument, NEEDED
            )
        if not isinstance(batch, Mixed):
            raise BadInput(argument, f"{words}, which returns a {type(batch).__name__}", "a msda.Mixed")
        if problem := _unlike(batch, images):
            raise BadInput(argument, f"{words}, {problem}", "a mixed batch like the one given, and weights from 0 to 1")
        return batch

    if not torch.equal(mixed(1).images, mixed(2).images):
        got = f"{words}, which mixes them in two ways with one seed of its generator"
        raise BadInput(argument, got, "a mixer that draws from the generator it is given")
    if not torch.equal(mixed(1, partner).partner, partner):
        raise BadInput(argument, f"{words}, which takes other partners than it is given", "a mixer that takes these")


def _unlike(mixed: Mixed, images: Tensor) -> str:
    """In what a mixed batch is not like the images it is of; nothing where it is."""
    batch = (len(images),)
    parts = (
        ("images", mixed.images, tuple(images.shape)),
        ("weights", mixed.weight, batch),
        ("target weights", mixed.target_weight, batch),
    )
    for name, values, shape in parts:
        if not isinstance(values, Tensor) or not values.is_floating_point():
            return f"whose {name} are {getattr(values, 'dtype', type(values).__name__)}"
        if tuple(values.shape) != shape:
            return f"whose {name} have shape {tuple(values.shape)}"
        if not values.isfinite().all():
            return f"whose {name} are not finite"
        if shape == batch and not ((values >= 0) & (values <= 1)).all():
            return f"whose {name} are not from 0 to 1"
    partner = mixed.partner
    if not isinstance(partner, Tensor) or partner.dtype != torch.int64 or tuple(partner.shape) != batch:
        return "whose partners are no int64 tensor (4,)"
    return "" if ((partner >= 0) & (partner < len(images))).all() else "whose partners are not in the batch"


def identity_of(augmentation: str) -> dict[str, str]:
    """What an augmentation adds to the configuration in a run's identity.

    Args:
        augmentation: a mixer's name, or several joined by ``+``.

    Returns:
        ``augmentation``, a file without its directories; and where a part is not built in ``augmentation_source``, by
        which a changed mixer is another run.

    Raises:
        BadInput: code of somebody else's that cannot be loaded.
    """
    sources = [AUGMENTATIONS.source(name, "--augmentation") for name in augmentation.split("+")]
    foreign = [source for source in sources if source is not None]
    hashed = {"augmentation_source": source_hash("\n".join(foreign))} if foreign else {}
    return {"augmentation": known_as(augmentation)} | hashed


def check_unchanged(augmentation: str, config: Mapping[str, Any]) -> None:
    """Refuse to train under a mixer whose file has changed since a run's identity was made of it.

    Raises:
        BadInput: it has.
    """
    if any(config.get(key) != value for key, value in identity_of(augmentation).items()):
        got = f"{known_as(augmentation)}, whose source has changed meanwhile"
        raise BadInput("--augmentation", got, "the same command again")


def in_turn(mixer: Mixer, turn: int) -> Mixer:
    """The mixer whose turn it is, so that a step depends on its number and not on the steps before it."""
    while isinstance(mixer, Alternate):
        mixers = mixer.mixers
        mixer, turn = mixers[turn % len(mixers)], turn // len(mixers)
    return mixer
