"""Data sets by name, whole, and the parts of them that are always the same ones.

A data set is named by a word. Images: ``digits`` (8×8, inside scikit-learn), a data set of torchvision's
(`TORCHVISION`, downloaded where a network is there), ``folder:PATH`` or ``npz:PATH``. Texts: ``csv:PATH`` or
``jsonl:PATH``, a set as it is published (`tasks.text.PUBLISHED`), or one inside a package (`tasks.text.NAMED`, also
``NAME:PATH``). Clips of sound (`tasks.sound`), shapes (`tasks.shapes`), and graphemes, of which several things are
asked (`tasks.graphemes`), are named likewise. Or a function that loads it is named, by ``package.module:NAME``,
``FILE.py:NAME`` or an entry point of the group ``mixinfo.tasks``. The function has no arguments, or ``root`` and
``download``, and returns

- a `Task` (`image_task` or `text_task` makes one of images or texts), which keeps its own name;
- or the four arrays of an ``npz:PATH``, NumPy's or torch's, as a mapping of these names or a tuple in this order:
  train_images, train_labels, test_images, test_labels; images N×H×W×C uint8 with C 1 or 3. NAME is its name;
- or a mapping of train_texts, train_labels, test_texts, test_labels, each a sequence of strings or labels as above.

Whatever its source, it becomes a `Task` whose splits live on the device, images as uint8; batches are indexed there,
and no worker process is involved.

Parts of a data set are the same ones every time: a fraction is stratified and holds every smaller fraction; the
validation tenths of cross-validation are stratified and disjoint.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from store import BadInput
from store.bad_input import perhaps
from store.places import given
from store.registry import Registry
from tasks import graphemes, shapes, sound, text
from tasks.components import one_component
from tasks.digits import digits
from tasks.folder import folder
from tasks.labels import say_missing
from tasks.npz import npz
from tasks.parts import stratified
from tasks.task import InMemory, Task
from tasks.text import TABLES, Columns
from tasks.theirs import task_of
from tasks.vision import TORCHVISION, vision

__all__ = ["TASKS", "DataOptions", "load", "some_of"]

NAMED: dict[str, Callable[..., Task]] = text.NAMED | sound.NAMED | shapes.NAMED | graphemes.PRINTED
"""Functions that find data inside packages or make it, or read it at a path, by name."""

BUILT_IN: dict[str, Callable[[], Task]] = graphemes.BUILT_IN
"""Functions that make data sets of nothing, by name."""

PUBLISHED: dict[str, Callable[[Path], Task]] = text.PUBLISHED | sound.PUBLISHED | shapes.PUBLISHED | graphemes.PUBLISHED
"""Functions that read data sets as they are published from the folder they lie in, by the word before it."""

TASKS = Registry(
    "data set",
    "mixinfo.tasks",
    {"digits": digits, **{word: functools.partial(vision, word) for word in TORCHVISION}, **NAMED, **BUILT_IN},
    forms=(*(f"{word}:FOLDER" for word in PUBLISHED), *(f"{word}:PATH" for word in (*TABLES, "folder", "npz"))),
    aliases={"fashion": "fashion-mnist", "fmnist": "fashion-mnist", "kuzushijimnist": "kmnist"}
    | {"imagefolder": "folder:PATH", "cifar": "cifar10"}
    | {word.replace("-", ""): f"{word}:FOLDER" for word in PUBLISHED}
    | {"yelp": "yelp-2:FOLDER", "aclimdb": "imdb:FOLDER", "jigsaw": "toxic:FOLDER"}
    | {"speechcommands": "commands:FOLDER", "espeak": "commands-espeak", "modelnet": "modelnet10:FOLDER"}
    | {"kicad": "cad-parts", "bengaliai": "bengali:FOLDER", "graphemes": "bengali-printed"}
    | {"tsv": "csv:PATH", "moviereviews": "imdb-half", "vadersentiment": "ratings-5"},
)
"""Functions that load data sets, by name."""

PATHS = {"folder": folder, "npz": npz, **PUBLISHED} | {
    word: reader for word, reader in NAMED.items() if not word.startswith("made-up")
}
"""Functions that read a data set at a path, by the word before it."""

TENTHS = 10
"""Parts of a training set of which cross-validation holds out one, the paper's 10%."""


@dataclass(frozen=True)
class DataOptions:
    """Which images or texts."""

    data: str = "digits"
    """images: digits, mnist, fashion-mnist, kmnist, cifar10, cifar100, svhn, stl10, folder:PATH
    (PATH/train/CLASS/*.png and PATH/test/CLASS/*.png) or npz:PATH (train_images, train_labels, test_images,
    test_labels; N×H×W×C uint8; labels are class indices, or N×K rows of soft or multiple labels); texts: csv:PATH or
    jsonl:PATH (a file, or a folder with train.* and test.*), imdb:FOLDER, yelp-2:FOLDER, yelp-5:FOLDER or toxic:FOLDER
    (as they are published), or imdb-half, rotten-tomatoes, sentences-amazon, sentences-imdb, sentences-yelp, ratings-5,
    ratings-5-raters, tweets-3, news-5 or debtags (inside packages; also NAME:PATH of the package's file), or
    made-up-sentences; sound: commands:FOLDER, commands-espeak or made-up-sounds; shapes: modelnet10:FOLDER, cad-parts
    or made-up-shapes; graphemes: bengali:FOLDER, bengali-printed, bengali-printed-factors or made-up-graphemes; or
    package.module:NAME or FILE.py:NAME, a function that returns such arrays or a Task"""
    data_name: str | None = None
    """the data set's name in tables, for example "CIFAR-10 (JPEG)" (None: its usual name)"""
    data_root: Path = Path("data")
    """where torchvision keeps its downloads, and where packages with data are looked for"""
    train_images: int | None = None
    """train on this many images or texts, the same ones every time (None: all)"""
    fraction: float = 1.0
    """train on this share of every class; a larger fraction holds all images or texts of a smaller one"""
    folds: int | None = None
    """cross-validation: hold out a tenth of the training images or texts and score on it, leaving the test part alone;
    up to 10 disjoint tenths (None: score on the test part)"""
    fold: int | None = None
    """which tenth is held out, from 1 to FOLDS"""
    component: str | None = None
    """of data with several questions an item, the one that is asked: root, vowel or consonant of graphemes (None: all,
    of one network)"""
    text_column: str = "text"
    """the column of csv:PATH, or the key of jsonl:PATH, that holds the texts"""
    label_columns: tuple[str, ...] = ("label",)
    """the column that holds the classes, whole numbers from 0 or words; or several columns of 0 or 1: several labels"""
    encoding: str = "utf-8"
    """of the file of csv:PATH or jsonl:PATH: utf-8, utf-16, latin-1, cp1252 and what else Python knows"""

    def __post_init__(self) -> None:
        given("--data-root", self.data_root)
        if self.train_images is not None and self.train_images < 2:
            raise BadInput("--train-images", self.train_images, "an integer of at least 2")
        if not 0 < self.fraction <= 1:
            raise BadInput("--fraction", self.fraction, "a number above 0 and at most 1")
        if self.folds is not None and not 2 <= self.folds <= TENTHS:
            raise BadInput("--folds", self.folds, f"an integer from 2 to {TENTHS}")
        if (self.fold is None) != (self.folds is None):
            raise BadInput("--fold", self.fold, "--folds and --fold together, or neither")
        if self.folds is not None and self.fold is not None and not 1 <= self.fold <= self.folds:
            raise BadInput("--fold", self.fold, f"an integer from 1 to {self.folds}")
        self._check_columns()

    @property
    def columns(self) -> Columns:
        """Where texts and labels are in a table."""
        return Columns(self.text_column, self.label_columns, self.encoding)

    def _check_columns(self) -> None:
        """Refuse columns and an encoding that cannot be, or that no table is there for."""
        asked = {"--text-column": self.text_column, "--label-columns": " ".join(self.label_columns)}
        asked["--encoding"] = self.encoding
        if self.data.partition(":")[0] not in TABLES:
            usual = ("text", "label", "utf-8")
            for (option, value), default in zip(asked.items(), usual, strict=True):
                if value != default:
                    raise BadInput(option, repr(value), f"--data {' or '.join(f'{word}:PATH' for word in TABLES)}")
        names = (self.text_column, *self.label_columns)
        if not self.label_columns or len(set(names)) != len(names):
            raise BadInput(
                "--label-columns", repr(asked["--label-columns"]), "one column or several, other than the texts'"
            )
        try:
            b" ".decode(self.encoding, "replace")  # of nothing, Python does not even look the name up
        except (LookupError, ValueError):
            near = perhaps(self.encoding, ("utf-8", "utf-16", "latin-1", "cp1252"))
            raise BadInput("--encoding", repr(self.encoding), f"an encoding of text that Python knows{near}") from None


def load(options: DataOptions, *, download: bool = True) -> Task:
    """Load the data set that ``options`` names, on the CPU; download it if it is not there and may be.

    Raises:
        BadInput: an unknown name, a missing or unsuitable file, or a download that failed.
    """
    word, _, path = options.data.partition(":")
    if word in TABLES and path:
        task = say_missing(TABLES[word](Path(path), options.columns), options.data)
    elif word in PATHS and path:
        task = PATHS[word](Path(path))
    else:
        task = task_of(TASKS.get(options.data, "--data"), options.data, options.data_root, download)
    if options.data_name:
        task = replace(task, name=options.data_name)
    if options.fold is not None:
        task = _fold(task, options.fold, options.folds)
    if options.fraction < 1:
        least = 0 if task.components else 1  # of combinations, which are many, one each would be more than the share
        task = task.train_on(stratified(task.train.targets, 0, options.fraction, **_kind(task), least=least))
    if options.train_images is not None:
        if options.train_images > len(task.train):
            raise BadInput("--train-images", options.train_images, f"at most the {len(task.train)} there are")
        chosen = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(0))
        task = task.train_on(chosen[: options.train_images])
    # last, so that networks of every component have the same items
    return one_component(task, options.component) if options.component is not None else task


def _kind(task: Task) -> dict[str, bool]:
    """What rows of targets are, for `stratified`."""
    return {"several": task.several, "components": bool(task.components)}


def some_of(split: InMemory, count: int | None, argument: str = "--images") -> Tensor:
    """Indices of ``count`` images, the same ones every time, in the split's order; of all for None.

    Raises:
        BadInput: there are not so many, or an image has no one class.
    """
    if split.targets.ndim != 1:
        raise BadInput("--data", "rows of labels", "one class an image")
    if count is None:
        return torch.arange(len(split))
    if count > len(split):
        raise BadInput(argument, count, f"at most the {len(split)} there are")
    return torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:count].sort().values


def _fold(task: Task, fold: int, folds: int | None) -> Task:
    """The task whose test split is a tenth of the training items, which are trained on without it.

    How people have voted is known of the test items alone, which are not scored then.
    """
    held_out = stratified(task.train.targets, (fold - 1) / TENTHS, fold / TENTHS, **_kind(task))
    if len(held_out) in (0, len(task.train)):
        raise BadInput("--folds", folds, f"more than the {len(task.train)} training {task.items} there are")
    kept = torch.ones(len(task.train), dtype=torch.bool)
    kept[held_out] = False
    tests = {f"validation fold {fold} of {folds}": task.train.only(held_out)}
    return replace(task, train=task.train.only(kept.nonzero()[:, 0]), tests=tests, digest="", votes=None)
