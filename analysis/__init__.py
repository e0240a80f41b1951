"""What a code says about its image: bounds on mutual information, and the analyses built on them."""

from analysis.bounds import (
    Bound,
    gaussian_marginal,
    index_code,
    infonce,
    leave_one_out,
    product_marginal,
    rate,
)

__all__ = ["Bound", "gaussian_marginal", "index_code", "infonce", "leave_one_out", "product_marginal", "rate"]
