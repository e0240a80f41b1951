"""What a code says about its image: bounds on mutual information, and the analyses built on them."""

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
