"""Files of texts as they lie on a disk: found, uncompressed, decoded, and cut into the rows of a table.

Nothing is unpacked to the disk, and nothing is guessed: what is in another encoding or no table is refused with the
place where that shows.
"""

import codecs
import csv
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from store import BadInput
from store.bad_input import perhaps

__all__ = ["COMPRESSED", "FAULTS", "columns_of", "content", "csv_rows", "decoded", "folder_with", "table", "there"]

COMPRESSED = (".gz", ".zip")
"""Suffixes of files that hold another one."""

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line with its end, as a file that is opened with ``newline=""`` has it; Unicode's other separators end none.

An `io.StringIO` of the whole text would take four bytes for each character of it.
"""

LARGEST_FIELD = 2**31 - 1
"""Characters that one field of a table may have; Python's own limit is 131,072."""

FAULTS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)
"""What damaged or locked archives raise."""


def content(path: Path, needed: str) -> bytes:
    """What a file holds, uncompressed if it ends in .gz, or in .zip and holds one file.

    Args:
        path: of the file.
        needed: in its place, for messages.

    Raises:
        BadInput: no file there, or a damaged archive.
    """
    if not path.is_file():
        raise BadInput("--data", f"{path}, where there is no file", needed)
    try:
        if path.suffix == ".gz":
            return gzip.decompress(path.read_bytes())
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
                if len(names) != 1:
                    raise BadInput("--data", f"{path}, an archive of {len(names)} files", "one of a single file")
                return archive.read(names[0])
        return path.read_bytes()
    except FAULTS as problem:
        raise BadInput("--data", f"{path}, which cannot be read ({problem})", needed) from None


def folder_with(path: Path, name: str) -> Path:
    """The folder that has something of this name: ``path``, or the one folder in it that has, as archives unpack."""
    inside = [entry.parent for entry in path.glob(f"*/{name}")] if not (path / name).exists() else []
    return inside[0] if len(inside) == 1 else path


def table(folder: Path, name: str, needed: str) -> str:
    """The text of a table in UTF-8 that lies in a folder under its name, or with .gz or .zip behind it.

    Raises:
        BadInput: it is not there, or no such table.
    """
    there = [folder / (name + suffix) for suffix in ("", *COMPRESSED) if (folder / (name + suffix)).is_file()]
    if not there:
        raise BadInput("--data", f"{folder} without {name}", needed)
    return decoded(content(there[0], needed), str(there[0]))


def decoded(raw: bytes, name: str, encoding: str = "utf-8", way_out: str = "") -> str:
    """Bytes as text, without a byte-order mark.

    Args:
        raw: the bytes.
        name: where they are from, for messages.
        encoding: of the text.
        way_out: what else its user may do, for messages.

    Raises:
        BadInput: they are not in this encoding; it names the byte and its place.
    """
    shown = codecs.lookup(encoding).name
    mark = len(codecs.BOM_UTF8) if shown == "utf-8" and raw.startswith(codecs.BOM_UTF8) else 0
    try:
        return raw[mark:].decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        place = problem.start + mark
        line = raw[:place].count(b"\n") + 1
        where = f"the byte 0x{raw[place]:02x} at place {place:,} (line {line:,})"
        sixteen = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        convert = f"iconv -f {'UTF-16' if sixteen else 'LATIN1'} -t UTF-8 converts it" if shown == "utf-8" else ""
        needed = "; ".join(part for part in (f"text in {shown.upper()}", convert, way_out) if part)
        raise BadInput("--data", f"{name} with {where}, which is not {shown.upper()}", needed) from None
    except UnicodeError:  # of encodings that are for other things than files
        raise BadInput("--data", f"{name}, which is not {shown.upper()}", way_out) from None


def csv_rows(text: str, name: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, each with the number of the line that it begins at; empty lines are none.

    Raises:
        BadInput: quotes that do not end, or are not doubled in a quoted field.
    """
    csv.field_size_limit(LARGEST_FIELD)
    lines = (match[0] for match in LINE.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as problem:
        got = f"{name}, whose row at line {line:,} is not closed or quoted in another way ({problem})"
        raise BadInput("--data", got, "fields in double quotes, with quotes in them doubled") from None


def there(names: Sequence[str], place: str, wanted: Mapping[str, str]) -> None:
    """Refuse what lacks a column, or has two of its name.

    Args:
        names: of the columns that there are.
        place: where, for messages.
        wanted: columns, and what asks for each: an option, say.

    Raises:
        BadInput: blaming what asks for it; it lists the columns there are.
    """
    for name, argument in wanted.items():
        if name not in names:
            known = ", ".join(other[:40] for other in names[:20]) + ", …" * (len(names) > 20)
            needed = f"a column that is there: {known or 'there are none'}{perhaps(name, names)}"
            raise BadInput(argument, f"{name!r}, which {place} does not have", needed)
        if names.count(name) > 1:
            raise BadInput(argument, f"{name!r}, which {place} has {names.count(name)} times", "a column's own name")


def columns_of(
    rows: Iterator[tuple[int, list[str]]], name: str, wanted: Mapping[str, str]
) -> Iterator[tuple[int, list[str]]]:
    """The wanted columns (see `there`) of a table's rows, in this order, by the names in its first row.

    Raises:
        BadInput: a column that is not there, or a row of another length.
    """
    _, header = next(rows, (1, []))
    there(header, name, wanted)
    places = [header.index(column) for column in wanted]
    for line, row in rows:
        if len(row) != len(header):
            got = f"{name}, line {line:,}, with {len(row)} fields"
            raise BadInput("--data", got, f"as many as the first row has columns, {len(header)}")
        yield line, [row[place] for place in places]
