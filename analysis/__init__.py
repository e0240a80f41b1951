"""What a code says about its image: bounds on mutual information, and the analyses built on them.

An analysis is a module, with `Config` and `run`: ``from analysis import mutual_info``.

Example:
    >>> from analysis import Encoded, bounds_of, ground_truth
    >>> posterior = ground_truth.linear_gaussian(1000, 8, information=3.0, seed=1)
    >>> for bound in bounds_of(Encoded(posterior), ("rate", "gaussian_marginal", "infonce")):
    ...     print(bound)
    I(Z;X) ≤ 3.012 ± 0.035 nats (rate, n = 1,000)
    I(Z;X) ≤ 3.015 ± 0.035 nats (R_m, n = 1,000)
    I(Z;X) ≥ 2.958 ± 0.063 nats (InfoNCE, n = 1,000, cap 6.91)
"""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

from analysis.bounds import (
    Bound,
    Encoded,
    EncodedPair,
    aggregate_variance,
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
    relative_to_prior,
    with_noise,
)

__all__ = [
    "Bound",
    "Encoded",
    "EncodedPair",
    "aggregate_variance",
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
    "relative_to_prior",
    "with_noise",
]
