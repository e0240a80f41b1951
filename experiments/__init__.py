"""The paper's tables and figures as grids of runs, here or on a cluster."""

import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))
