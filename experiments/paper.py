"""The paper's tables and figures: each is a function that yields the configurations of jobs.

Your own is a function like these in a file of your own, ``my.py:ablation``: it gets a `Scale` and yields any of the
jobs' configurations (``analysis.accuracy.Config`` and its like, or a trainer's).
"""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis import ablation, accuracy, human_uncertainty, mutual_info
from attacks import sweep
from classifiers.train import Settings
from gradcam import sums
from reports import build
from store import BadInput
from store.command_line import Options
from training import DataOptions
from vae.train import Settings as VaeSettings

__all__ = ["EXPERIMENTS", "Experiment", "Scale", "configurations", "experiment_named"]


@dataclass(frozen=True)
class Scale:
    """How large the networks of an experiment are, and on what they are trained.

    Args:
        data: the images.
        seeds: per augmentation.
        smoke: the smallest that runs at all.
        classifier: how classifiers are trained.
        vae: how VAEs are trained.
        images: of the test images, how many are attacked (None: all).
        human: counts and labels of CIFAR-10H (None: downloaded).
        execution: where.
    """

    data: DataOptions = field(default_factory=lambda: DataOptions("cifar10"))
    seeds: int = 5
    smoke: bool = False
    classifier: Settings = field(default_factory=Settings)
    vae: VaeSettings = field(default_factory=lambda: VaeSettings(preset="reference"))
    images: int | None = None
    human: Path | None = None
    execution: Options = field(default_factory=Options)

    @property
    def classifiers(self) -> dict[str, Any]:
        """What all jobs on classifiers have in common."""
        return {
            "seeds": self.seeds, "smoke": self.smoke, "data": self.data, "settings": self.classifier,
            "execution": self.execution,
        }  # fmt: skip


Experiment = Callable[[Scale], Iterable[Any]]

FOUR = ("none", "mixup", "cutmix", "fmix")


def table_1(scale: Scale) -> Iterable[Any]:
    """Table 1: VAEs under every augmentation, and their information."""
    yield mutual_info.Config(
        (*FOUR, "fmix-reference"), scale.seeds, inputs=("clean", "own-augmented"), noise=(0.5, 1.0, 2.0, 4.0),
        smoke=scale.smoke, data=scale.data, settings=scale.vae, execution=scale.execution,
    )  # fmt: skip


def table_2_preact_resnet18(scale: Scale) -> Iterable[Any]:
    """Table 2's rows of PreAct-ResNet18, and the hybrids."""
    hybrids = ("fmix+mixup", "cutmix+mixup", "fmix+cutmix")
    yield accuracy.Config((*FOUR, "fmix-reference", *hybrids), **scale.classifiers)


def table_6(scale: Scale) -> Iterable[Any]:
    """Table 6: divergence from CIFAR-10H."""
    yield human_uncertainty.Config(FOUR, human=scale.human, **scale.classifiers)


def grad_cam(scale: Scale) -> Iterable[Any]:
    """Figure 4, and the sums in the text."""
    yield sums.Config(FOUR, **scale.classifiers)


def figure_1(scale: Scale) -> Iterable[Any]:
    """Figures 1 and 5: attacks."""
    yield sweep.Config(FOUR, images=scale.images, **scale.classifiers)


def figure_3(scale: Scale) -> Iterable[Any]:
    """Figure 3: the size of the training set."""
    yield ablation.Config("fraction", **scale.classifiers)


def figure_6(scale: Scale) -> Iterable[Any]:
    """Figure 6: α and δ, over five folds."""
    yield ablation.Config("alpha", cross_validate=5, **scale.classifiers)
    yield ablation.Config("decay-power", cross_validate=5, **scale.classifiers)


def paper(scale: Scale) -> Iterable[Any]:
    """All of them, and the report; Table 6 where there are human labels of the images."""
    for experiment in (table_1, table_2_preact_resnet18, grad_cam, figure_1, figure_3, figure_6):
        yield from experiment(scale)
    if scale.human is not None or scale.data.data == "cifar10" or scale.smoke:
        yield from table_6(scale)
    yield build.Config((scale.execution.out,), execution=scale.execution)


EXPERIMENTS: dict[str, Experiment] = {
    each.__name__.replace("_", "-"): each
    for each in (table_1, table_2_preact_resnet18, table_6, grad_cam, figure_1, figure_3, figure_6, paper)
}
"""By the name of what they make."""


def configurations(name: str, scale: Scale) -> list[Any]:
    """What an experiment yields at a scale.

    Raises:
        BadInput: no such experiment, or one of a user's that fails or yields nothing.
    """
    experiment, needed = experiment_named(name), "a function of a Scale that yields configurations"
    try:
        found = list(experiment(scale))
    except BadInput:
        raise
    except (Exception, SystemExit) as problem:  # whatever somebody else's function does
        raise BadInput("EXPERIMENT", f"{name}, which ends in {type(problem).__name__}: {problem}", needed) from None
    if not found:
        raise BadInput("EXPERIMENT", f"{name}, which yields nothing", "at least one configuration")
    return found


def experiment_named(name: str) -> Experiment:
    """One of `EXPERIMENTS`, or a function of a file: ``my.py:ablation``.

    Raises:
        BadInput: no such experiment, file or function; a file that does not run.
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    needed = f"one of {', '.join(EXPERIMENTS)}, or FILE.py:FUNCTION"
    path, separator, function = name.partition(".py:")
    if not separator:
        raise BadInput("EXPERIMENT", repr(name), needed)
    file = Path(f"{path}.py")
    spec = importlib.util.spec_from_file_location(f"experiment_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise BadInput("EXPERIMENT", f"{file}, where there is no file", needed)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:
        raise BadInput("EXPERIMENT", f"{file}, which fails with {type(problem).__name__}: {problem}", needed) from None
    found = getattr(module, function, None)
    if not callable(found):
        known = [each for each in vars(module) if not each.startswith("_") and callable(getattr(module, each))]
        raise BadInput("EXPERIMENT", f"{file} without a function {function!r}", f"one of {', '.join(known) or 'none'}")
    return found
