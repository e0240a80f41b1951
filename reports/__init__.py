"""The report: published values, ours beside them, verdicts, and the page that shows them.

The page is made by a module, with `Config` and `run`: ``from reports import build``.

Example:
    >>> from reports import mask_statistics
    >>> masks = mask_statistics(count=200, size=32).set_index("spectrum")
    >>> bool(masks["at most two changes in every row"]["reference"] > 0.5)  # one wave along the last axis
    True
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

if TYPE_CHECKING:
    from reports.figure_2 import draw_masks, mask_statistics, photographs

__all__ = ["draw_masks", "mask_statistics", "photographs"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'reports' has no attribute {name!r}")
    from reports import figure_2  # imports torch, scikit-learn and Matplotlib, which are slow

    return getattr(figure_2, name)
