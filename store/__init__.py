"""Run directories, their records and locks, and the one wrapper around every command line.

Nothing here imports torch: the store can be listed, verified and reported on machines that have none.
"""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and os.path.exists(sys.path[0]) and os.path.samefile(sys.path[0], "."):
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
    slug,
    write_json,
)

__all__ = [
    "MOST_SEEDS",
    "SCHEMA",
    "BadInput",
    "Run",
    "below",
    "digest_of",
    "evidence",
    "in_range",
    "list_runs",
    "positive",
    "provenance",
    "read_record",
    "slug",
    "write_atomically",
    "write_json",
]
