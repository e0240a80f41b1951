r"""Bounds on the mutual information I(X;Z) of an encoder whose density is known.

:math:`q(z|x)` is a diagonal Gaussian, known exactly; x is drawn from a population of images unseen in training;
:math:`q(z) = E_x q(z|x)` is *not* assumed to be Gaussian, nor close to the prior. With K independent images and one
code each,

.. math::

   E_i \log \frac{q(z_i|x_i)}{\frac1K \sum_j q(z_i|x_j)}
   \;\le\; I(X;Z) \;\le\;
   E_i KL(q(z|x_i) \,\|\, m) \quad\text{for every density } m \text{ chosen without } x_i,

in expectation over the images and codes. The left side (InfoNCE) cannot exceed log K. The right side is the *rate*
when m is the prior; it is tightest when m is q(z) itself. So a large rate is not a large information: it is
:math:`I(X;Z) + KL(q(z) \| \mathcal{N}(0, I))`.

Every estimator takes an encoder's output, an `Encoded` (or a `vae.posterior.DiagonalGaussian` alone, or of two encoders
an `EncodedPair`), and returns a `Bound`, in nats. Standard errors are over images: what would change if other images
had been drawn, the codes with them, the encoder staying as it is.

References:
    Kingma & Welling 2014, arXiv 1312.6114 (rate); Barber & Agakov 2003 (marginal bound); Hoffman & Johnson 2016
    (index-code MI); van den Oord et al. 2018, arXiv 1807.03748 (InfoNCE); Poole et al. 2019, arXiv 1905.06922
    (leave-one-out); Schäfer & Strimmer 2005 (shrinkage).
"""

# in the order of tables, for each module enters its estimators
from analysis.bounds import fitted, product, mixture, flow, contrastive, shared  # noqa: F401  # isort: skip
from analysis.bounds.bound import Bound, combine, mean_of
from analysis.bounds.contrastive import index_code, infonce, infonce_controlled, leave_one_out
from analysis.bounds.decomposition import Decomposition, decompose, gap
from analysis.bounds.encoded import Encoded, bounds_of, sample_codes
from analysis.bounds.estimators import ESTIMATORS, Estimator, check_estimators, estimator, names_of
from analysis.bounds.fitted import gaussian_marginal, rate
from analysis.bounds.flow import flow_marginal
from analysis.bounds.mixture import mixture_marginal
from analysis.bounds.noise import aggregate_variance, relative_to_prior, with_noise
from analysis.bounds.product import product_marginal
from analysis.bounds.profiles import profile, profile_of_pair
from analysis.bounds.shared import (
    EncodedPair,
    critic,
    data_processing,
    three_term_gaussian,
    three_term_lower,
    three_term_upper,
)

__all__ = [
    "ESTIMATORS",
    "Bound",
    "Decomposition",
    "Encoded",
    "EncodedPair",
    "Estimator",
    "aggregate_variance",
    "bounds_of",
    "check_estimators",
    "combine",
    "critic",
    "data_processing",
    "decompose",
    "estimator",
    "flow_marginal",
    "gap",
    "gaussian_marginal",
    "index_code",
    "infonce",
    "infonce_controlled",
    "leave_one_out",
    "mean_of",
    "mixture_marginal",
    "names_of",
    "product_marginal",
    "profile",
    "profile_of_pair",
    "rate",
    "relative_to_prior",
    "sample_codes",
    "three_term_gaussian",
    "three_term_lower",
    "three_term_upper",
    "with_noise",
]
