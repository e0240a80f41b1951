"""What a code says about its image: bounds on mutual information, and the analyses built on them."""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and os.path.exists(sys.path[0]) and os.path.samefile(sys.path[0], "."):
    sys.path.append(sys.path.pop(0))

from analysis.bound import Bound
from analysis.bounds import (
    gaussian_marginal,
    index_code,
    infonce,
    infonce_controlled,
    leave_one_out,
    product_marginal,
    rate,
)
from analysis.two_encoders import bound_pair

__all__ = [
    "Bound",
    "bound_pair",
    "gaussian_marginal",
    "index_code",
    "infonce",
    "infonce_controlled",
    "leave_one_out",
    "product_marginal",
    "rate",
]
