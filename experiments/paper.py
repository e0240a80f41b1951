"""The paper's tables and figures: each is a function that yields the configurations of jobs.

Your own is a function like these in a file of your own, ``my.py:ablation``, or in a module, ``my.grids:ablation``: it
gets a `Scale` and yields any of the jobs' configurations (``analysis.accuracy.Config`` and its like, or a trainer's).
"""

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis import ablation, accuracy, human_uncertainty, mutual_info, representations
from attacks import sweep
from classifiers.networks import TRANSFORMER, network_known_as
from classifiers.presets import (
    GRAPHEMES,
    MASKS,
    ONE_A_BATCH,
    SE_RESNEXT,
    SOUND_ALPHAS,
    TEXT_AUGMENTATIONS,
    read_as,
    settings_of_texts,
)
from classifiers.text import TextSettings
from classifiers.train import Settings
from gradcam import sums
from reports import build
from store import BadInput, slug
from store.command_line import Options
from store.registry import Registry, called
from tasks import DataOptions
from vae.train import Settings as VaeSettings

__all__ = ["EXPERIMENTS", "Experiment", "Scale", "configurations", "experiment_named"]


@dataclass(frozen=True)
class Scale:
    """How large the networks of an experiment are, and on what they are trained.

    Args:
        data: the images; of texts, how many are trained on, and where they are looked for.
        seeds: per augmentation.
        smoke: the smallest that runs at all.
        classifier: how classifiers are trained.
        vae: how VAEs are trained.
        images: of the test images, how many are attacked and looked into (None: all).
        human: counts and labels of CIFAR-10H (None: downloaded).
        texts: data sets of texts, for Table 5.
        vectors: of words, for it (None: random ones, which are learned).
        transformer: the folder of a pretrained one, for it (None: without).
        graphemes: the data set of Table 4.
        sound: the first data set of Table 7.
        shapes: the second one.
        execution: where.
    """

    data: DataOptions = field(default_factory=lambda: DataOptions("cifar10"))
    seeds: int = 5
    smoke: bool = False
    classifier: Settings = field(default_factory=Settings)
    vae: VaeSettings = field(default_factory=lambda: VaeSettings(preset="reference"))
    images: int | None = None
    human: Path | None = None
    texts: tuple[str, ...] = ()
    vectors: str | None = None
    transformer: Path | None = None
    graphemes: str | None = None
    sound: str | None = None
    shapes: str | None = None
    execution: Options = field(default_factory=Options)

    def named(self, option: str, made_up: str, needed: str) -> DataOptions:
        """The data set that an option names, in place of the images; a made-up one in a smoke run.

        Raises:
            BadInput: none is named.
        """
        data = getattr(self, option.removeprefix("--")) or (made_up if self.smoke else None)
        if data is None:
            raise BadInput(option, "nothing", needed)
        return replace(self.data, data=data, data_name=None)

    def inside(self, folder: str) -> Options:
        """Where, with a folder of its own for documents that would lie on each other."""
        return replace(self.execution, out=self.execution.out / folder)

    @property
    def classifiers(self) -> dict[str, Any]:
        """What all jobs on classifiers have in common."""
        return {
            "seeds": self.seeds,
            "smoke": self.smoke,
            "data": self.data,
            "settings": self.classifier,
            "execution": self.execution,
        }


Experiment = Callable[[Scale], Iterable[Any]]

FOUR = ("none", "mixup", "cutmix", "fmix")


def table_1(scale: Scale) -> Iterable[Any]:
    """Table 1: VAEs under every augmentation, and their information."""
    yield mutual_info.Config(
        (*FOUR, "fmix-reference"),
        scale.seeds,
        inputs=("clean", "own-augmented"),
        noise=(0.5, 1.0, 2.0, 4.0),
        smoke=scale.smoke,
        data=scale.data,
        settings=scale.vae,
        execution=scale.execution,
    )


def table_2_preact_resnet18(scale: Scale) -> Iterable[Any]:
    """Table 2's rows of PreAct-ResNet18, and the hybrids."""
    hybrids = ("fmix+mixup", "cutmix+mixup", "fmix+cutmix")
    yield accuracy.Config((*FOUR, "fmix-reference", *hybrids), **scale.classifiers)


def table_4(scale: Scale) -> Iterable[Any]:
    """Table 4: graphemes, with a network for each of their questions and, beside the paper, with one for all three."""
    needed = "bengali:FOLDER, bengali-printed or other data with several questions an item"
    data = scale.named("--graphemes", "made-up-graphemes", needed)
    if scale.smoke:
        settings = replace(scale.classifier, **ONE_A_BATCH)
    else:
        published = {"network": SE_RESNEXT, "width": None} | GRAPHEMES
        asked = {name: value for name in ("epochs",) if (value := getattr(scale.classifier, name)) is not None}
        settings = replace(scale.classifier, **published | asked)
    for folder, apart in (("one-network-each", True), ("one-network", False)):
        more = {"data": data, "settings": settings, "execution": scale.inside(folder)}
        yield accuracy.Config(MASKS, apart=apart, **scale.classifiers | more)


def table_5(scale: Scale) -> Iterable[Any]:
    """Table 5: texts, with a convolutional and a recurrent network, and with BERT; without MixUp, as in the paper.

    In a smoke run the texts are made-up sentences, and BERT is a small one.
    """
    texts = scale.texts or (("made-up-sentences",) if scale.smoke else ())
    if not texts:
        needed = "toxic:FOLDER, imdb:FOLDER, yelp-2:FOLDER, yelp-5:FOLDER or other texts"
        raise BadInput("--texts", "nothing for Table 5", needed)
    small = replace(scale.classifier, width=None)
    on_words = TextSettings(vectors=scale.vectors)
    networks: dict[str, tuple[tuple[str, ...], Settings, TextSettings]] = {
        "text-cnn": (TEXT_AUGMENTATIONS, scale.classifier, on_words),
        "text-lstm": (TEXT_AUGMENTATIONS, scale.classifier, on_words),
    }
    if scale.smoke or scale.transformer is not None:
        name = f"{TRANSFORMER}{scale.transformer}" if scale.transformer else "bert"
        networks[name] = (
            tuple(one for one in TEXT_AUGMENTATIONS if one != "mixup"),
            small,
            TextSettings(mixed_at="ids"),
        )
    for data in texts:
        for network, (augmentations, settings, text) in networks.items():
            read = replace(text, **read_as(data)) if text == on_words else text
            settings = replace(settings, network=network, text=read, **settings_of_texts(data))
            execution = replace(scale.execution, out=scale.execution.out / slug(network_known_as(network)))
            # of what is asked for of the data, all but the name holds for texts too
            more = {"data": replace(scale.data, data=data, data_name=None), "settings": settings}
            more["execution"] = execution
            yield accuracy.Config(augmentations, **scale.classifiers | more)


def table_7(scale: Scale) -> Iterable[Any]:
    """Table 7: commands, with α = 1 and 0.2, and shapes, on the same voxels under every augmentation."""
    if scale.sound is not None or scale.smoke:
        data = scale.named("--sound", "made-up-sounds", "")
        for alpha in SOUND_ALPHAS:
            settings = replace(scale.classifier, alpha=alpha, **ONE_A_BATCH)
            more = {"data": data, "settings": settings, "execution": scale.inside(f"alpha-{alpha}")}
            yield accuracy.Config(MASKS, **scale.classifiers | more)
    elif scale.shapes is None:
        raise BadInput(
            "--sound", "nothing, nor --shapes", "commands:FOLDER or other sound, modelnet10:FOLDER or others"
        )
    if scale.shapes is not None or scale.smoke:
        data = scale.named("--shapes", "made-up-shapes", "")
        yield accuracy.Config(
            MASKS, **scale.classifiers | {"data": data, "settings": replace(scale.classifier, **ONE_A_BATCH)}
        )


def table_6(scale: Scale) -> Iterable[Any]:
    """Table 6: divergence from CIFAR-10H."""
    yield human_uncertainty.Config(FOUR, human=scale.human, **scale.classifiers)


def grad_cam(scale: Scale) -> Iterable[Any]:
    """Figure 4, and the sums in the text."""
    yield sums.Config(FOUR, **scale.classifiers)


def information_plane(scale: Scale) -> Iterable[Any]:
    """What the classifiers' layers keep of label and image: the paper's thesis, where it is about classifiers."""
    yield representations.Config(FOUR, images=scale.images, checkpoints=True, **scale.classifiers)


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
    """All of them, and the report; Table 6 where there are human labels of images, and Tables 4, 5 and 7 where there
    are graphemes, texts, and sound or shapes."""
    for experiment in (table_1, table_2_preact_resnet18, grad_cam, information_plane, figure_1, figure_3, figure_6):
        yield from experiment(scale)
    if scale.human is not None or scale.data.data == "cifar10" or scale.smoke:
        yield from table_6(scale)
    if scale.texts or (scale.smoke and importlib.util.find_spec("tokenizers") is not None):
        yield from table_5(scale)
    if scale.graphemes is not None or scale.smoke:
        yield from table_4(scale)
    if scale.sound is not None or scale.shapes is not None or scale.smoke:
        yield from table_7(scale)
    yield build.Config((scale.execution.out,), execution=scale.execution)


EXPERIMENTS: dict[str, Experiment] = {
    experiment.__name__.replace("_", "-"): experiment
    for experiment in (
        table_1,
        table_2_preact_resnet18,
        table_4,
        table_5,
        table_6,
        table_7,
        grad_cam,
        information_plane,
        figure_1,
        figure_3,
        figure_6,
        paper,
    )
}
"""The paper's experiments by the name of what they make."""

_NAMED = Registry(
    "experiment",
    "mixinfo.experiments",
    EXPERIMENTS,
    aliases={"all": "paper", "table2": "table-2-preact-resnet18", "figure4": "grad-cam", "figure5": "figure-1"}
    | {
        "accuracy": "table-2-preact-resnet18",
        "texts": "table-5",
        "graphemes": "table-4",
        "sound": "table-7",
        "shapes": "table-7",
        "mutualinfo": "table-1",
        "attacks": "figure-1",
        "ablation": "figure-3",
    },
)


def configurations(name: str, scale: Scale) -> list[Any]:
    """What an experiment yields at a scale.

    Raises:
        BadInput: no such experiment, or one of a user's that fails or yields nothing.
    """
    experiment = experiment_named(name)
    needed = "a function of a Scale that yields configurations"
    configs = called(lambda: list(experiment(scale)), name, "EXPERIMENT", needed)
    if not configs:
        raise BadInput("EXPERIMENT", f"{name}, which yields nothing", "at least one configuration")
    return configs


def experiment_named(name: str) -> Experiment:
    """One of `EXPERIMENTS`, or a function by a name of its own: ``my.py:ablation``, ``my.grids:ablation``.

    Raises:
        BadInput: no such experiment, file, module or function; a file that does not run.
    """
    experiment = _NAMED.get(name, "EXPERIMENT")
    if not callable(experiment):
        raise BadInput("EXPERIMENT", f"{name}, a {type(experiment).__name__}", "a function of a Scale")
    return experiment
