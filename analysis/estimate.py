"""Several bounds of one posterior, what they share computed once."""

from collections.abc import Callable, Sequence

from torch import Tensor

from analysis import bounds
from analysis.bound import ALL, Bound
from vae.posterior import DiagonalGaussian

__all__ = ["bound_posterior"]

WITHOUT_CODES = {"rate", "gaussian_marginal"}
"""Estimators in closed form, which posteriors too narrow for a float64 code have too."""


def bound_posterior(
    posterior: DiagonalGaussian,
    estimators: Sequence[str] = ALL,
    *,
    codes: Tensor | None = None,
    fit: DiagonalGaussian | None = None,
) -> list[Bound]:
    """Several bounds of one posterior, the all-pairs pass shared.

    Args:
        posterior: of N images unseen in training.
        estimators: of `analysis.bound.ALL` and `analysis.bound.OPTIONAL`.
        codes: (N, d), one per image; sampled from seed 0 when not given.
        fit: the posterior of other images, for the fitted marginals; folds of the scored images when not given.

    Example:
        >>> import torch
        >>> q = DiagonalGaussian(torch.randn(500, 2), torch.zeros(500, 2) - 1)
        >>> [bound.estimator for bound in bound_posterior(q, ("rate", "infonce"))]
        ['rate', 'infonce']
    """
    posterior = bounds.check_posterior(posterior)
    if codes is not None:
        bounds.check_codes(posterior, codes)
    elif not set(estimators) <= WITHOUT_CODES:
        codes = bounds.sample_codes(posterior)
    shares = {"infonce", "infonce_controlled", "leave_one_out", "index_code"}
    pairs = bounds.compare(posterior, codes) if shares & set(estimators) else None
    how = {
        "rate": lambda: bounds.rate(posterior),
        "gaussian_marginal": lambda: bounds.gaussian_marginal(posterior, fit),
        "product_marginal": lambda: bounds.product_marginal(posterior, codes),
        "mixture_marginal": lambda: _fitted("mixture_marginal")(posterior, codes, fit=fit),
        "flow_marginal": lambda: _fitted("flow_marginal")(posterior, codes, fit=fit),
        "infonce": lambda: bounds.infonce(posterior, codes, pairs=pairs),
        "infonce_controlled": lambda: bounds.infonce_controlled(posterior, codes, fit=fit, pairs=pairs),
        "leave_one_out": lambda: bounds.leave_one_out(posterior, codes, pairs=pairs),
        "index_code": lambda: bounds.index_code(posterior, codes, pairs=pairs),
    }
    return [how[estimator]() for estimator in estimators]


def _fitted(name: str) -> Callable[..., Bound]:
    # scikit-learn takes two seconds to import, which `--help` need not
    from analysis import marginals

    return getattr(marginals, name)
