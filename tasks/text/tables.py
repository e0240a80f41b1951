"""Anybody's texts and labels: ``csv:PATH`` and ``jsonl:PATH``, a file or a folder with train.* and test.*."""

import itertools
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from store import BadInput
from store.bad_input import perhaps
from tasks.labels import MOST_CLASSES
from tasks.task import Task, text_task
from tasks.text.files import COMPRESSED, columns_of, content, csv_rows, decoded, there
from tasks.text.splits import split_task

__all__ = ["Columns", "read_csv", "read_jsonl"]

MOST_WORDS = 1000
"""Different words of labels; more, and the column is no label."""

WHOLE = re.compile(r"[-+]?[0-9]{1,15}(\.0*)?")

LABEL = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
"""What says whether one of several labels is there."""


class Columns(NamedTuple):
    """Where in a table texts and labels are.

    Args:
        text: the column of the texts.
        labels: the column of the classes, or those of several labels, each 0 or 1.
        encoding: of the file.
    """

    text: str = "text"
    labels: tuple[str, ...] = ("label",)
    encoding: str = "utf-8"

    @property
    def wanted(self) -> dict[str, str]:
        """The columns, and the options that name them."""
        return {self.text: "--text-column"} | dict.fromkeys(self.labels, "--label-columns")


class Row(NamedTuple):
    """A text of a table.

    Args:
        file: it is in.
        line: where it begins, from 1.
        text: itself.
        labels: as they are written, one for each column of labels.
    """

    file: str
    line: int
    text: str
    labels: list[str]

    def refused(self, problem: str, needed: str) -> BadInput:
        """A mistake in this row."""
        return BadInput("--data", f"{self.file}, line {self.line:,}, with {problem}", needed)


def read_csv(path: Path, columns: Columns) -> Task:
    """The texts of a table whose first row names its columns; fields are between commas, or tabs if it ends in .tsv.

    Raises:
        BadInput: no such file, column, encoding or label.
    """
    return _read(path, columns, "csv", (".csv", ".tsv"), _csv)


def read_jsonl(path: Path, columns: Columns) -> Task:
    """The texts of a file with a JSON object on every line, whose keys are the columns.

    Raises:
        BadInput: no such file, key, encoding or label.
    """
    return _read(path, columns, "jsonl", (".jsonl", ".ndjson", ".json"), _jsonl)


Reader = Callable[[str, str, Columns], Iterator[Row]]


def _read(path: Path, columns: Columns, word: str, suffixes: tuple[str, ...], reader: Reader) -> Task:
    needed = f"a file with texts and labels, or a folder with train{suffixes[0]} and test{suffixes[0]}"

    def rows(file: Path) -> list[Row]:
        text = decoded(content(file, needed), str(file), columns.encoding, "--encoding of the file's own, latin-1, say")
        read = list(reader(text, str(file), columns))
        if not read:
            raise BadInput("--data", f"{file}, which has no texts", needed)
        return read

    name, source, several = _bare(path.resolve()).stem, f"{word}:{path}", len(columns.labels) > 1
    if not path.is_dir():
        read = rows(path)
        return split_task(name, source, [row.text for row in read], *_targets([read], columns), several=several)
    parts = [rows(_part(path, side, suffixes, needed)) for side in ("train", "test")]
    train, test = ([row.text for row in part] for part in parts)
    if both := len(set(train) & set(test)):
        print(f"{source}: {both:,} texts are both in train and in test", file=sys.stderr)
    targets = _targets(parts, columns)
    return text_task(path.resolve().name, (train, targets[0]), (test, targets[1]), several=several)


def _bare(path: Path) -> Path:
    """A path without the suffix of a compressed file."""
    return path.with_suffix("") if path.suffix in COMPRESSED else path


def _part(folder: Path, name: str, suffixes: tuple[str, ...], needed: str) -> Path:
    files = [file for file in sorted(folder.glob(f"{name}.*")) if _bare(file).name in [name + end for end in suffixes]]
    if len(files) != 1:
        there = ", ".join(file.name for file in files) or f"no {name}{suffixes[0]}"
        raise BadInput("--data", f"{folder} with {there}", needed if not files else f"one {name}.* alone")
    return files[0]


def _csv(text: str, name: str, columns: Columns) -> Iterator[Row]:
    rows = csv_rows(text, name, "\t" if _bare(Path(name)).suffix == ".tsv" else ",")
    for line, (written, *labels) in columns_of(rows, name, columns.wanted):
        yield Row(name, line, written, [label.strip() for label in labels])


def _jsonl(text: str, name: str, columns: Columns) -> Iterator[Row]:
    # not splitlines: Unicode's own line separators may stand in a string
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = Row(name, number, "", [])
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise row.refused(f"no JSON ({str(problem)[:100]})", "a JSON object on every line") from None
        if not isinstance(entry, dict):
            raise row.refused(f"a {type(entry).__name__}", "a JSON object on every line")
        there(list(entry), f"{name}, line {number:,},", columns.wanted)
        written = entry[columns.text]
        if not isinstance(written, str):
            raise row.refused(f"a {type(written).__name__} as {columns.text!r}", "a string")
        try:
            written.encode()
        except UnicodeEncodeError:
            raise row.refused("half a surrogate pair in its text", "whole characters") from None
        yield Row(name, number, written, [_in_json(entry[key], key, row) for key in columns.labels])


def _in_json(value: Any, key: str, row: Row) -> str:
    """A label as a table would have it."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, int | float | str):
        return str(value).strip()
    raise row.refused(f"a {type(value).__name__} as {key!r}", "a number or a word")


def _targets(parts: list[list[Row]], columns: Columns) -> list[Tensor]:
    """Class indices or rows of several labels of each part, by what the first one, for training, has."""
    for row in itertools.chain(*parts):
        for column, label in zip(columns.labels, row.labels, strict=True):
            if not label:
                raise row.refused(f"no label in {column!r}", "a label for every text")
    train = parts[0]
    if len(columns.labels) > 1:
        return [torch.tensor([_several(row, columns) for row in part]) for part in parts]
    if all(WHOLE.fullmatch(row.labels[0]) for row in train):
        return [torch.tensor([_index(row) for row in part]) for part in parts]
    words = sorted({row.labels[0] for row in train})
    if len(words) > MOST_WORDS:
        got = f"{columns.labels[0]!r} with {len(words):,} different words in {train[0].file}"
        raise BadInput("--label-columns", got, f"at most {MOST_WORDS:,}, or whole numbers from 0")
    numbers = {word: number for number, word in enumerate(words)}
    return [torch.tensor([_number(row, numbers) for row in part]) for part in parts]


def _several(row: Row, columns: Columns) -> list[float]:
    values = [label[:-2] if label in ("0.0", "1.0") else label.lower() for label in row.labels]
    for column, value in zip(columns.labels, values, strict=True):
        if value not in LABEL:
            raise row.refused(f"{value[:40]!r} in {column!r}", "0 or 1 in each of several columns of labels")
    return [LABEL[value] for value in values]


def _index(row: Row) -> int:
    label = row.labels[0]
    if not WHOLE.fullmatch(label) or not 0 <= int(float(label)) < MOST_CLASSES:
        needed = f"a class from 0 to {MOST_CLASSES - 1:,}, or words in every row of every part"
        raise row.refused(f"the label {label[:40]!r}", needed)
    return int(float(label))


def _number(row: Row, numbers: dict[str, int]) -> int:
    label = row.labels[0]
    if label not in numbers:
        known = ", ".join(list(numbers)[:20]) + ", …" * (len(numbers) > 20)
        raise row.refused(f"the label {label[:40]!r}", f"one of the training part's: {known}{perhaps(label, numbers)}")
    return numbers[label]
