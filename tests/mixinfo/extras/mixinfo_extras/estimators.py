"""An estimator: the mean of two upper bounds is one."""

from analysis.bounds import combine, estimator, gaussian_marginal, rate


@estimator("mean_upper", label="mean of two", direction="upper", column="mean upper")
def mean_upper(encoded):
    """Half the rate and half R_m."""
    return combine("mean_upper", [(0.5, rate(encoded)), (0.5, gaussian_marginal(encoded))], "upper", "I(Z;X)")
