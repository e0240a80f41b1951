"""What a code says about its image: bounds on mutual information, and the analyses built on them."""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and os.path.exists(sys.path[0]) and os.path.samefile(sys.path[0], "."):
    sys.path.append(sys.path.pop(0))

from analysis.bounds import (
    Bound,
    Encoded,
    EncodedPair,
    bounds_of,
    decompose,
    estimator,
    gaussian_marginal,
    index_code,
    infonce,
    infonce_controlled,
    leave_one_out,
    mixture_marginal,
    product_marginal,
    rate,
)

__all__ = [
    "Bound",
    "Encoded",
    "EncodedPair",
    "bounds_of",
    "decompose",
    "estimator",
    "gaussian_marginal",
    "index_code",
    "infonce",
    "infonce_controlled",
    "leave_one_out",
    "mixture_marginal",
    "product_marginal",
    "rate",
]
