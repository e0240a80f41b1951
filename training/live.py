"""Jobs asked from Python, with objects in place of names: a live network, mixers, tensors, a ``Dataset``.

A job's ``run`` takes its configuration, or keyword arguments that are its options (``seeds=5``, ``epochs=2``), in
whichever part of the configuration they lie. Where an option takes a name, an object does as well: an ``nn.Module``
(or a factory of them), a mixer, a `Task`. What has no name cannot be found again, and so nothing that is computed
with it is kept in the store; the result says so.
"""

import dataclasses
import functools
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from findings import Result
from findings.text import with_paragraph
from store import BadInput
from store.options import as_python, fitting, meant_option, option_types
from store.registry import called, forget, known_as, live
from tasks import Task, images_of, pixels

__all__ = ["asked_from_python", "configured"]

NAMED = ("augmentations", "augmentation", "network", "model", "policy", "data")
"""Options that take names, or objects."""


def asked_from_python(config: type[Any]) -> Callable[[Callable[[Any], Result]], Callable[..., Result]]:
    """Let a job's ``run`` be asked with options and objects, beside its configuration.

    Decorated, it takes

    - ``asked``: its configuration, to which what else is given are changes; a model at hand, for a job that analyses
      one, as it is, from images in [0, 1] to logits; or nothing, for the usual configuration;
    - ``images`` and ``labels``: what the model is to see (`tasks.images_of`); ``labels`` may be left out where
      ``images`` has them;
    - options of the configuration by name, values or objects.

    It raises BadInput for an unsuitable value, naming the argument and not an option of the command line, and TypeError
    for an option that the job does not have, or a model without images.

    Args:
        config: the job's configuration, a dataclass.
    """

    def decorate(job: Callable[[Any], Result]) -> Callable[..., Result]:
        @functools.wraps(job)
        def run(asked: Any = None, images: Any = None, labels: Any = None, **options: Any) -> Result:
            if isinstance(images, int):  # of some jobs an option, how many of the images
                options["images"], images = images, None
            if isinstance(asked, config) and images is None and not options:
                return job(asked)
            with _named(config, asked, options, images, labels) as (whole, nameless):
                result = job(whole)
            if not nameless:
                return result
            note = f"Nothing of this is kept in the store: {', '.join(nameless)} cannot be found again by a name."
            return replace(result, text=with_paragraph(result.text, note))

        return run

    return decorate


@contextmanager
def _named(
    config: type[Any], asked: Any, options: Mapping[str, Any], images: Any, labels: Any
) -> Iterator[tuple[Any, list[str]]]:
    """The configuration with names for objects, which hold as long as the job takes; and what the objects are."""
    options = dict(options)
    if asked is not None and not isinstance(asked, config):
        options["model"], asked = asked, None
    if images is not None:
        task = images_of(images, labels)
        classes = max(task.classes, _classes(options.get("model"), task))
        options["data"] = replace(task, classes=classes)
    elif labels is not None or ("model" in options and not isinstance(options["model"], str) and "data" not in options):
        raise TypeError("a model is analysed on images and labels: run(model, images, labels)")
    names: dict[str, Any] = {}

    def name_of(value: Any) -> str:
        if isinstance(value, str):
            return value
        name = live(value, names)
        names[name] = value
        return name

    for key in NAMED:
        if key in options:
            value = options[key]
            several = key == "augmentations" and not isinstance(value, str)
            options[key] = tuple(map(name_of, value)) if several else name_of(value)
    try:
        with _store(names) as store, _arguments():
            if store is not None:
                options["store"] = store
            shown = [
                f"the {value.items}" if isinstance(value, Task) else known_as(name) for name, value in names.items()
            ]
            yield configured(config, options, asked), shown
    finally:
        forget(names)


@torch.no_grad()
def _classes(model: Any, task: Task) -> int:
    """How many classes a model at hand tells apart, of which few images may show only some; 0 where it is not known."""
    if not isinstance(model, torch.nn.Module):
        return 0
    training, device = model.training, next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    try:
        logits = called(
            lambda: model.eval()(pixels(task.test.inputs[:1].to(device))),
            type(model).__name__,
            "model",
            f"a network for images of {'×'.join(map(str, task.shape))}",
        )
    finally:
        model.train(training)
    return int(logits.shape[-1]) if isinstance(logits, Tensor) and logits.ndim == 2 else 0


@contextmanager
def _store(names: Mapping[str, Any]) -> Iterator[Path | None]:
    if not names:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="mixinfo-") as directory:
        yield Path(directory)


@contextmanager
def _arguments() -> Iterator[None]:
    """Mistakes named as Python's caller has them: ``seeds``, not ``--seeds``."""
    try:
        yield
    except BadInput as mistake:
        if not mistake.argument.startswith("--"):
            raise
        argument = mistake.argument.removeprefix("--").replace("-", "_")
        raise BadInput(argument, mistake.got, mistake.needed) from None


def configured(config: type[Any], options: Mapping[str, Any], start: Any = None) -> Any:
    """A configuration from options by name, wherever in its parts they lie.

    Args:
        config: a dataclass, whose fields may be dataclasses.
        options: by name.
        start: what they change; the usual configuration for None.

    Raises:
        TypeError: an option that there is not.
        BadInput: what the dataclasses refuse.
    """
    known = option_types(config)
    for key in options:
        if key not in known:
            meant = meant_option(key, known).replace("-", "_")
            hint = f"; perhaps {meant}?" if meant else ""
            raise TypeError(f"{config.__module__}: no option {key!r}{hint}")
    return _changed(config, start, {key: fitting(key, known[key], value, as_python) for key, value in options.items()})


def _changed(config: type[Any], start: Any, options: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(config)
    values = {}
    for field in dataclasses.fields(config):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            part_type = typing.cast(type, hint)
            inside = {key: value for key, value in options.items() if key in option_types(part_type)}
            # a part may be made with other values than the dataclass's own
            made = field.default_factory
            usual = made() if made is not dataclasses.MISSING else None
            before = getattr(start, field.name) if start is not None else usual
            values[field.name] = _changed(part_type, before, inside)
        elif field.name in options:
            values[field.name] = options[field.name]
        elif start is not None:
            values[field.name] = getattr(start, field.name)
    return config(**values)
