"""Handwritten graphemes of Bengali.AI's with three components each, as Kaggle publishes them (Alam et al. 2021).

Its page says, of the competition bengaliai-cv19: "train.csv - image_id: the foreign key for the parquet files;
grapheme_root: the first of the three target classes; vowel_diacritic: the second target class; consonant_diacritic:
the third target class; grapheme: the complete character. Provided for informational purposes only, you should not need
to use this. […] (train/test).parquet - Each parquet file contains tens of thousands of 137x236 grayscale images. The
images have been provided in the parquet format for I/O and space efficiency. Each row in the parquet files contains an
image_id column, and the flattened image." Columns of pixels are called 0 to 32331; paper is bright. What the labels
stand for is in ``class_map.csv``, which nothing here needs. The parquet files of the test part have no labels.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from store import BadInput
from tasks.components import rows_of
from tasks.graphemes.crop import cropped
from tasks.parts import stratified
from tasks.task import LEVELS, Component, Image, InMemory, Task
from tasks.text.files import columns_of, csv_rows, folder_with, table

__all__ = ["COMPONENTS", "bengali"]

COMPONENTS = (Component("root", 168), Component("vowel", 11), Component("consonant", 7))
"""What each grapheme is asked for."""

COLUMNS = ("grapheme_root", "vowel_diacritic", "consonant_diacritic")
"""The columns of their labels."""

FILES = tuple(f"train_image_data_{number}.parquet" for number in range(4))
"""Tables of images."""

HEIGHT, WIDTH = 137, 236
"""Of the images as they are published, in pixels."""

SIZE = 64
"""Height and width of the images as networks see them, the paper's."""

HELD_OUT = 0.2
"""The share of every grapheme that is held out, as large as each of the paper's folds."""

LINES = 35
"""Lines of pixels whose columns are read at once: a quarter, lest a row group is in memory twice."""

TOGETHER = 1000
"""Images that are cropped at once."""

NEEDED = f"train.csv and {FILES[0]} to {FILES[-1][-9:]} of https://www.kaggle.com/c/bengaliai-cv19/data"


def bengali(path: Path) -> Task:
    """Handwritten graphemes, cropped to their ink and stretched to 64×64 (`tasks.graphemes.crop`).

    There are no labels but for the training part, of which a fifth is held out: of every combination of the three
    labels its share. At most one row group of one file is in memory at a time, in 32,332 bytes an image.

    Raises:
        BadInput: another folder, or one in which images and labels do not belong together.
    """
    root = folder_with(path, "train.csv")
    places, labels = _labels(root)
    inputs = torch.empty(len(labels), 1, SIZE, SIZE, dtype=torch.uint8)
    there = torch.zeros(len(labels), dtype=torch.bool)
    without_ink = 0
    for name in FILES:
        for where, images, names in _images(root / name):
            rows = torch.tensor([_place(places, one, where) for one in names])
            if there[rows].any() or len(rows.unique()) < len(rows):
                raise BadInput("--data", f"{where}, with an image_id that comes twice", NEEDED)
            inputs[rows], blank = cropped(LEVELS - images, SIZE)
            there[rows] = True
            without_ink += int(blank.sum())
    if not there.all():
        first = list(places)[int((~there).nonzero()[0])]
        got = f"{root / 'train.csv'} with labels of {int((~there).sum()):,} images that no file has, {first} the first"
        raise BadInput("--data", got, NEEDED)
    if without_ink:
        print(f"bengali:{path}: {without_ink:,} images have no ink, and are kept", file=sys.stderr)
    targets = rows_of(labels, COMPONENTS)
    whole = InMemory(inputs, targets)
    train, test = (
        whole.only(stratified(targets, start, stop, components=True))
        for start, stop in ((0, 1 - HELD_OUT), (1 - HELD_OUT, 1))
    )
    if not len(train) or not len(test):
        raise BadInput("--data", f"bengali:{path} with {len(labels)} images", "enough to hold a fifth of them out")
    modality = Image(1, SIZE, SIZE, mirrored=False)
    return Task("Bengali.AI", train, {"test": test}, modality, targets.shape[1], components=COMPONENTS)


def _labels(root: Path) -> tuple[dict[str, int], torch.Tensor]:
    """Places of images by their id, and the class indices (N, 3) at these places."""
    file = str(root / "train.csv")
    rows = columns_of(
        csv_rows(table(root, "train.csv", NEEDED), file), file, dict.fromkeys(("image_id", *COLUMNS), "--data")
    )
    places: dict[str, int] = {}
    labels: list[list[int]] = []
    for line, (name, *written) in rows:
        for component, column, label in zip(COMPONENTS, COLUMNS, written, strict=True):
            if not (label.isascii() and label.isdigit() and int(label) < component.classes):
                got = f"{file}, line {line:,}, with the {column} {label[:40]!r}"
                raise BadInput("--data", got, f"a whole number from 0 to {component.classes - 1}")
        if places.setdefault(name, len(places)) != len(labels):
            raise BadInput("--data", f"{file}, line {line:,}, with the image_id {name[:40]!r} again", NEEDED)
        labels.append([int(label) for label in written])
    if not labels:
        raise BadInput("--data", f"{file}, which has no labels", NEEDED)
    return places, torch.tensor(labels)


def _place(places: dict[str, int], name: object, where: str) -> int:
    if name not in places:
        raise BadInput(
            "--data", f"{where}, with the image_id {str(name)[:40]!r}, which train.csv does not have", NEEDED
        )
    return places[str(name)]


def _images(file: Path) -> Iterator[tuple[str, torch.Tensor, list[Any]]]:
    """Some images at a time: where they are, for messages; (N, 137, 236) uint8 as they are; and their ids."""
    try:
        import pyarrow as arrow  # type: ignore[import-untyped]
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    except ImportError:
        raise BadInput("--data", f"{file}, without the package pyarrow", "pip install 'mixinfo[text]'") from None
    if not file.is_file():
        raise BadInput("--data", f"{file.parent} without {file.name}", NEEDED)
    pixels = [str(number) for number in range(HEIGHT * WIDTH)]
    try:
        with parquet.ParquetFile(file) as opened:
            types = dict(zip(opened.schema_arrow.names, opened.schema_arrow.types, strict=True))
            _check_columns(types, pixels, str(file), arrow.uint8())
            for group in range(opened.num_row_groups):
                names = opened.read_row_group(group, columns=["image_id"]).column(0).to_pylist()
                images = np.empty((len(names), HEIGHT * WIDTH), np.uint8)
                for start in range(0, len(pixels), LINES * WIDTH):
                    some = pixels[start : start + LINES * WIDTH]
                    read = opened.read_row_group(group, columns=some)
                    if any(column.null_count for column in read.columns):
                        raise BadInput("--data", f"{file} with pixels that are missing", NEEDED)
                    images[:, start : start + len(some)] = np.stack([read[name].to_numpy() for name in some], 1)
                whole = torch.from_numpy(images).view(-1, HEIGHT, WIDTH)
                for start in range(0, len(names), TOGETHER):
                    yield str(file), whole[start : start + TOGETHER], names[start : start + TOGETHER]
    except (arrow.ArrowException, OSError) as problem:
        reason = " ".join(str(problem).split())[:100]
        raise BadInput("--data", f"{file}, which cannot be read ({reason})", NEEDED) from None


def _check_columns(types: dict[str, Any], pixels: list[str], file: str, wanted: Any) -> None:
    """Refuse a table that lacks a column, or whose pixels are of another type."""
    if missing := [name for name in ("image_id", *pixels) if name not in types]:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise BadInput("--data", f"{file} without the column {missing[0]}{more}", NEEDED)
    if other := [name for name in pixels if types[name] != wanted]:
        raise BadInput("--data", f"{file}, whose column {other[0]} is of {types[other[0]]}", f"uint8, as in {NEEDED}")
