"""Run directories, their records and locks, and the one wrapper around every command line.

Nothing here imports torch: the store can be listed, verified and reported on machines that have none.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from store import Options, Run, list_runs, provenance
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     options = Options(store=Path(directory))
    ...     run = Run(options.store, "example", "half of a number", {"config": {"number": 5}, "seed": 1})
    ...     before = run.status
    ...     with run.lock():
    ...         run.begin()
    ...         record = run.finish(metrics={"half": 2.5}, started="now", origin=provenance("cpu", threads=1))
    ...     again = Run(options.store, "example", "half of a number", {"config": {"number": 5}, "seed": 1})
    ...     print(before, again.status, again.result()["metrics"], len(list_runs(options.store)))
    new done {'half': 2.5} 1
"""

import os
import sys
from typing import TYPE_CHECKING, Any

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

from store.bad_input import MOST_SEEDS, BadInput, in_range, positive
from store.places import below, write_atomically
from store.runs import (
    SCHEMA,
    Run,
    digest_of,
    evidence,
    list_runs,
    provenance,
    read_record,
    recorded_file,
    slug,
    write_json,
)

if TYPE_CHECKING:
    from store.command_line import Options, command

__all__ = [
    "MOST_SEEDS",
    "SCHEMA",
    "BadInput",
    "Options",
    "Run",
    "below",
    "command",
    "digest_of",
    "evidence",
    "in_range",
    "list_runs",
    "positive",
    "provenance",
    "read_record",
    "recorded_file",
    "slug",
    "write_atomically",
    "write_json",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'store' has no attribute {name!r}")
    from store import command_line  # imports tyro, of which runs need nothing

    return getattr(command_line, name)
