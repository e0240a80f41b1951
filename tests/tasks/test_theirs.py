"""Data sets of other people's by name: what a function may return, and what is refused."""

from pathlib import Path

import pytest
import torch

from store import BadInput
from tasks import DataOptions, load
from tests.cases import distribution

SETS = """
import numpy as np
import torch
from dataclasses import replace
from pathlib import Path
from tasks import image_task
from tasks.task import text_task

rng = np.random.default_rng(0)
KEYS = ("train_images", "train_labels", "test_images", "test_labels")
arrays = {
    "train_images": rng.integers(0, 256, (12, 9, 8, 3)).astype(np.uint8), "train_labels": np.arange(12) % 3,
    "test_images": rng.integers(0, 256, (6, 9, 8, 3)).astype(np.uint8), "test_labels": np.arange(6) % 3,
}
tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
data = [arrays[key] for key in KEYS]


def mapping():
    return arrays


def several():
    return tuple(data)


def torchs():
    return tensors


def shapes():
    return [torch.from_numpy(each.transpose(0, 3, 1, 2).copy()) if each.ndim == 4 else each for each in data]


def whole(root, download=True):
    images = [tensors[key].permute(0, 3, 1, 2) for key in KEYS[::2]]
    train, test = (images[0], tensors["train_labels"]), (images[1], tensors["test_labels"])
    task = image_task(f"in {root.name}, {download}", train, test, mirrored=False)
    return replace(task, digest="mine")


def tagged(**more):
    images = [tensors[key].permute(0, 3, 1, 2) for key in KEYS[::2]]
    labels = [(torch.arange(len(each))[:, None] % torch.tensor([2, 3]) == 0).float() for each in images]
    task = image_task("tagged", (images[0], labels[0]), (images[1], labels[1]))
    return replace(task, **{"several": True} | more)


def untold():
    return tagged(several=False)


def one_each():
    return replace(whole(Path("x")), several=True)


def more_classes():
    return tagged(classes=3)


def texts():
    labels = torch.eye(2)
    return replace(text_task("texts", (["a", "b"], labels), (["a", "b"], labels), several=True), classes=3)


def shares():
    task = tagged()
    return replace(task, train=type(task.train)(task.train.inputs, task.train.targets / 2))


def changed(**more):
    return lambda: arrays | more


one_column = changed(train_labels=arrays["train_labels"][:, None])
floats = changed(train_images=arrays["train_images"] / 255)
short = changed(train_labels=arrays["train_labels"][:5])
negative = changed(train_labels=arrays["train_labels"] - 1)
other = changed(test_images=arrays["test_images"][:, :5])
ragged = changed(train_images=[[1], [2, 3]])
words = changed(train_labels=["a"] * 12)


def missing():
    return {key: arrays[key] for key in KEYS[:3]}


def nothing():
    pass


def three():
    return data[:3]


def needs(path):
    return data


def raises():
    raise KeyError("depth")


def leaves():
    raise SystemExit(0)


def no_tensors():
    return image_task("x", data[:2], data[2:])


def half():
    arrays = [tensors[key].float() if "images" in key else tensors[key] for key in KEYS]
    return image_task("x", arrays[:2], arrays[2:])


def turned():
    images = [tensors[key].permute(0, 3, 1, 2) for key in KEYS[::2]]
    return image_task("x", (images[0], tensors["train_labels"]), (images[1].mT, tensors["test_labels"]))


def labelled():
    images = [tensors[key].permute(0, 3, 1, 2) for key in KEYS[::2]]
    return image_task("x", (images[0], tensors["train_labels"].float() + 0.5), (images[1], tensors["test_labels"]))


def without(**parts):
    return lambda: replace(mapped(), **parts)


def mapped():
    images = [tensors[key].permute(0, 3, 1, 2) for key in KEYS[::2]]
    return image_task("x", (images[0], tensors["train_labels"]), (images[1], tensors["test_labels"]))


no_tests = without(tests={}, digest="x")
no_mapping = without(tests=[1], digest="x")
no_split = without(tests={"test": 3}, digest="x")
no_modality = without(modality=None)
no_train = without(train=None, digest="x")
no_classes = without(classes="many")


def gap():
    task = mapped()
    return replace(task, train=replace(task.train, targets=task.train.targets.where(task.train.targets < 2, 3)))


def tested_on_train():
    task = mapped()
    return replace(task, tests={"train": task.train})


value = 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sets.py").write_text(SETS)
    return tmp_path


@pytest.mark.parametrize("name", ["mapping", "several", "torchs", "one_column"])
def test_four_arrays_of_whatever_kind_are_a_data_set(here, name):
    data = load(DataOptions(f"sets.py:{name}"))
    assert data.name == name
    assert data.shape == (3, 9, 8)
    assert (data.classes, len(data.train), len(data.test)) == (3, 12, 6)
    assert data.train.inputs.dtype == torch.uint8
    assert data.train.targets.tolist() == [0, 1, 2] * 4
    assert data.modality.mirrored
    assert data.digest == load(DataOptions("sets.py:mapping")).digest


def test_an_image_data_keeps_its_name_and_gets_a_digest_of_its_content(here):
    data = load(DataOptions(f"{here}/sets.py:whole", data_root=Path("some/root")), download=False)
    assert data.name == "in root, False"
    assert data.digest == load(DataOptions("sets.py:mapping")).digest
    assert not data.modality.mirrored
    assert load(DataOptions("sets.py:whole", data_name="mine")).identity["name"] == "mine"
    assert len(load(DataOptions("sets.py:whole", train_images=5)).train) == 5


def test_what_the_scored_images_are_called_is_a_tasks_own(here):
    task = load(DataOptions("sets.py:tested_on_train"))
    assert (task.scored, len(task.test), len(task.train)) == ("train", 12, 12)
    assert task.identity["scored"] == "train"


def test_images_may_have_several_labels_or_none(here):
    task = load(DataOptions("sets.py:tagged"))
    assert (task.several, task.classes) == (True, 2)
    assert task.train.targets.tolist() == [[1, 1], [0, 0], [1, 0], [0, 1], [1, 0], [0, 0]] * 2
    assert len(load(DataOptions("sets.py:tagged", fraction=0.5)).train) == 6


def test_classes_without_a_training_image_are_said(here, capsys):
    load(DataOptions("sets.py:gap"))
    assert capsys.readouterr().err == "sets.py:gap: 1 of 4 classes have no training image\n"


def test_modules_and_entry_points(here):
    distribution(here, "mixinfo.tasks", theirs="sets_of_test:mapping")
    (here / "sets_of_test.py").write_text(SETS)
    names = ("sets_of_test:mapping", "theirs", "sets.py:mapping")
    one, registered, file = (load(DataOptions(name)) for name in names)
    assert one.digest == registered.digest == file.digest
    assert registered.name == "theirs"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "digitz",
            "got 'digitz'; needs one of digits, mnist, .*, folder:PATH, npz:PATH, package.module:NAME or FILE.py:",
        ),
        ("npz:", "got 'npz:'; needs one of digits"),
        ("sets.py:value", "sets.py:value, a int; needs a function that returns a tasks.Task or train_images"),
        ("sets.py:absent", "something that sets.py has"),
        ("sets.py:shapes", r"train_images \(12, 3, 9, 8\) uint8; needs N×H×W×C uint8 with C 1 or 3"),
        ("sets.py:floats", "float64; needs N×H×W×C uint8"),
        ("sets.py:short", r"train_labels \(5,\); needs one label or row for each of 12 images"),
        ("sets.py:negative", "train_labels with negative"),
        ("sets.py:other", "training and test images of 9×8×3 and of 5×8×3; needs images of one shape"),
        ("sets.py:ragged", "which ends in ValueError"),
        ("sets.py:words", "non-numeric values"),
        ("sets.py:missing", "sets.py:missing without test_labels"),
        ("sets.py:nothing", "which returns a NoneType"),
        ("sets.py:three", "which returns a list"),
        ("sets.py:needs", "which ends in TypeError"),
        ("sets.py:raises", "which ends in KeyError: 'depth'"),
        ("sets.py:leaves", "which ends in SystemExit"),
        ("sets.py:no_tensors", "which ends in AttributeError"),
        ("sets.py:half", r"train_images \(12, 9, 8, 3\) torch.float32; needs N×C×H×W torch.uint8"),
        ("sets.py:turned", "training and test images of 3×9×8 and of 3×8×9"),
        ("sets.py:no_tests", "a Task whose tests hold nothing; needs one InMemory at least"),
        ("sets.py:no_mapping", "a Task whose tests is a list"),
        ("sets.py:no_split", "a Task whose tests hold 'test'; needs one InMemory"),
        ("sets.py:no_modality", "a Task whose modality is a NoneType; needs an Image"),
        ("sets.py:no_train", "a Task whose train is a NoneType"),
        ("sets.py:no_classes", "a Task whose classes is a str; needs an integer"),
        ("sets.py:labelled", "train_labels with fractions"),
        (
            "sets.py:untold",
            "train_labels with rows of nothing; needs rows N×K with something in each, or, of several labels or none "
            "each, a Task with several=True$",
        ),
        ("sets.py:one_each", "train_labels that are not 0 and 1 in rows; needs rows N×K of 0 and 1, of several labels"),
        ("sets.py:shares", "train_labels that are not 0 and 1 in rows"),
        ("sets.py:more_classes", "a Task of 3 classes with label rows of 2 columns; needs a column for each class"),
        ("sets.py:texts", "a Task of 3 classes with label rows of 2 columns; needs a column for each class"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(here, name, words):
    with pytest.raises(BadInput, match=f"^--data: .*{words}".replace("--data: .*got", "--data: got")) as mistake:
        load(DataOptions(name))
    assert "\n" not in str(mistake.value)
