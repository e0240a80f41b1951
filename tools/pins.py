"""Compare the pinned versions with the package index: ``python tools/pins.py [--write]``.

The pins are those of ``constraints.txt``, with the hashes of all files of each release, and of
``constraints-torch.txt``, without. One line is printed for each pin that is behind the newest release for this Python,
withdrawn, missing from the index, or whose hashes are not the index's. The exit status is 1 if any is more than behind,
2 if the index cannot be read. ``--write`` puts the index's hashes into ``constraints.txt``.
"""

import argparse
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.error import HTTPError

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
JSON = "application/vnd.pypi.simple.v1+json"
PYTHON = ".".join(map(str, sys.version_info[:3]))
TLS = ssl.create_default_context()  # once: reading the certificates takes longer than an answer


class Unreadable(Exception):
    """A constraints file or an index that cannot be read, said in one line."""


@dataclass(frozen=True)
class Pin:
    """A requirement ``NAME==VERSION`` of a constraints file, as it stands there, and the hashes that follow it."""

    text: str
    name: str
    version: Version
    hashes: frozenset[str]

    def __str__(self) -> str:
        return " \\\n    ".join([self.text, *(f"--hash={each}" for each in sorted(self.hashes))])


@dataclass(frozen=True)
class File:
    """A file of an index that pip can install."""

    version: Version
    hash: str
    requires_python: str
    yanked: bool | str


def read_pins(path: Path) -> list[str | Pin]:
    """The lines of a constraints file: its pins, and its comments as they are."""
    lines = path.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return [line if not line or line.startswith("#") else _pin(line, path.name) for line in lines]


def _pin(line: str, file: str) -> Pin:
    text, *hashes = re.split(r"\s+--hash=", line.strip())
    try:
        requirement = Requirement(text)
        (specifier,) = requirement.specifier
        if specifier.operator != "==":
            raise ValueError
        return Pin(text, requirement.name, Version(specifier.version), frozenset(hashes))
    except ValueError:
        raise Unreadable(f"{file}: got {text!r}; needs NAME==VERSION") from None


def index_address() -> str:
    """The address of the index that pip takes packages from: its environment's, its configuration's, or PyPI's."""
    if address := os.environ.get("PIP_INDEX_URL"):
        return address
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True, check=False)
    return configured.stdout.strip() or "https://pypi.org/simple"


def read_index(index: str, name: str) -> list[File]:
    """The files that an index has of a project, by its JSON (PEP 691); none of a project that it does not have.

    Raises:
        Unreadable: no answer, or one that says something else.
    """
    address = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    try:
        request = urllib.request.Request(address, headers={"Accept": JSON})
        with urllib.request.urlopen(request, timeout=30, context=TLS) as answer:
            return [file for entry in json.load(answer)["files"] if (file := _file(entry))]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as problem:
        if isinstance(problem, HTTPError) and problem.code == 404:
            return []
        # an address may begin with a name and a password, and the other errors' texts have it whole
        got = problem if isinstance(problem, OSError) else type(problem).__name__
        place = index.rpartition("@")[2]
        raise Unreadable(f"the index {place}: got {got}; needs the files of {name} in JSON (PEP 691)") from None


def _file(entry: dict) -> File | None:
    name = entry["filename"]
    try:
        version = (parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name))[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None  # eggs, installers
    hash = f"sha256:{entry['hashes']['sha256']}"
    return File(version, hash, entry.get("requires-python") or "", entry.get("yanked", False))


def compare(pin: Pin, files: Sequence[File], hashed: bool) -> dict[str, str]:
    """What there is to say of a pin, by its kind: behind, withdrawn, missing, hashes."""
    release = _release(pin, files)
    if not release:
        return {"missing": "not in the index"}
    said = {}
    newest = max(SpecifierSet().filter({file.version for file in files if _suits(file)}), default=pin.version)
    if newest > pin.version:
        said["behind"] = f"behind {newest}"
    if reasons := [file.yanked for file in release if file.yanked]:
        said["withdrawn"] = "withdrawn" + (f" ({reasons[0]!r})" if isinstance(reasons[0], str) else "")
    hashes = {file.hash for file in release}
    if hashed and pin.hashes != hashes:
        of_none, without = len(pin.hashes - hashes), len(hashes - pin.hashes)
        said["hashes"] = f"hashes differ: {of_none} of no file in the index, {without} of its files without"
    return said


def _release(pin: Pin, files: Sequence[File]) -> list[File]:
    return [file for file in files if file.version == pin.version]


def _suits(file: File) -> bool:
    try:
        return not file.yanked and PYTHON in SpecifierSet(file.requires_python)
    except InvalidSpecifier:
        return True  # to pip too


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what there is to say of the pins, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the index's hashes into constraints.txt")
    write = parser.parse_args(arguments).write
    path = ROOT / "constraints.txt"
    try:
        lines, torch = read_pins(path), read_pins(ROOT / "constraints-torch.txt")
        pins = [line for line in lines + torch if isinstance(line, Pin)]
        index = index_address()
        with ThreadPoolExecutor(8) as pool:
            files = dict(zip(pins, pool.map(lambda pin: read_index(index, pin.name), pins), strict=True))
    except Unreadable as problem:
        print(problem, file=sys.stderr)
        return 2
    kinds = Counter(behind=0, withdrawn=0, missing=0, hashes=0)
    for pin in pins:
        if said := compare(pin, files[pin], hashed=pin in lines):
            print(f"{pin.name} {pin.version}: {', '.join(said.values())}")
            kinds.update(said.keys())
    if write:
        path.write_text("".join(f"{_rewritten(line, files)}\n" for line in lines), encoding="utf-8")
    print(
        f"{len(pins)} pins: {kinds['behind']} behind, {kinds['withdrawn']} withdrawn, {kinds['missing']} missing,"
        f" {kinds['hashes']} with other hashes" + write * " before, and the index's now"
    )
    return int(kinds["withdrawn"] + kinds["missing"] + (0 if write else kinds["hashes"]) > 0)


def _rewritten(line: str | Pin, files: dict[Pin, list[File]]) -> str | Pin:
    if not isinstance(line, Pin):
        return line
    return replace(line, hashes=frozenset(file.hash for file in _release(line, files[line])) or line.hashes)


if __name__ == "__main__":
    sys.exit(main())
