"""Descriptions of Debian packages and six rare tags of theirs: ``debtags`` and ``debtags:FILE``.

The lists of packages that apt keeps have, for about half of them, tags that people have given (debtags). A stanza of
``apt-cache dumpavail`` has the fields of deb822(5): "Tag: game::strategy, interface::graphical, …", folded over lines
that begin with a space, and "Description:", whose first line is the one-line description, the text here. Packages
without a tag are left out: nobody has looked at them. A tag that a package has not been given may still be true of it.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import torch

from store import BadInput
from tasks.task import Task
from tasks.text.files import content, decoded
from tasks.text.splits import split_task

__all__ = ["TAGS", "debtags"]

TAGS = (
    "interface::x11",
    "interface::commandline",
    "uitoolkit::gtk",
    "works-with::text",
    "use::gameplaying",
    "network::client",
)
"""The labels, in this order: between a tenth and a sixtieth of the tagged packages have each."""

NEEDED = "lists of packages as apt-get update gets them on Debian, or debtags:FILE of what apt-cache dumpavail prints"


def debtags(path: Path | None = None) -> Task:
    """One-line descriptions of packages with six labels each, of which a fifth is held out.

    Args:
        path: of a file with what ``apt-cache dumpavail`` has printed; None asks it now.

    Raises:
        BadInput: no apt here or no such file, or no tagged package in its lists.
    """
    source = f"debtags:{path}" if path else "debtags"
    raw = content(path, NEEDED) if path else _dumpavail()
    texts, rows = [], []
    for text, tags in _tagged(decoded(raw, source)):
        texts.append(text)
        rows.append([float(tag in tags) for tag in TAGS])
    if not texts:
        raise BadInput("--data", f"{source} without a tagged package", NEEDED)
    return split_task("Debian package tags", source, texts, torch.tensor(rows), several=True)


def _dumpavail() -> bytes:
    """What apt knows of every package."""
    try:
        return subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as problem:
        raise BadInput("--data", f"debtags ({problem})", NEEDED) from None


def _tagged(dump: str) -> Iterator[tuple[str, set[str]]]:
    """Descriptions and tags of the packages that have both."""
    for stanza in dump.replace("\r\n", "\n").split("\n\n"):
        fields: dict[str, list[str]] = {}
        values: list[str] = []
        for line in stanza.split("\n"):
            if line[:1] in (" ", "\t"):
                values.append(line)
            elif line:
                key, _, value = line.partition(":")
                values = fields.setdefault("Description" if key == "Description-en" else key, [value])
        if "Tag" in fields and "Description" in fields:
            yield fields["Description"][0].strip(), {tag.strip() for tag in " ".join(fields["Tag"]).split(",")}
