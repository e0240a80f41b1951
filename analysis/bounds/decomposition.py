r"""What a rate is made of.

.. math::
   \hat R = I_N + KL(q_N(z) \,\|\, p(z)), \qquad
   KL(q_N(z) \,\|\, p(z)) = TC + \sum_d KL(q_N(z_d) \,\|\, p(z_d)),

with :math:`q_N` the mixture of the N scored posteriors, p the standard normal, :math:`I_N` the index-code information
and TC the total correlation :math:`KL(q_N(z) \,\|\, \prod_d q_N(z_d))`.

These are identities of the *empirical* :math:`q_N`. They describe these N images: once :math:`I_N` is saturated, what
is called KL and total correlation here is mostly the difference between q_N and q(z), and grows with the rate and
falls with N. `gap` says something of q(z) itself.

References: Hoffman & Johnson 2016 (the first line); Chen et al. 2018, arXiv 1802.04942 (the second); Burda et al. 2016
(active units).
"""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from analysis.bounds.bound import Bound, combine
from analysis.bounds.contrastive import index_code
from analysis.bounds.encoded import Encoded, as_encoded
from analysis.bounds.estimators import derived
from analysis.bounds.product import log_marginals
from findings.row import row
from vae.posterior import DiagonalGaussian

__all__ = ["Decomposition", "decompose", "gap"]


@dataclass(frozen=True)
class Decomposition:
    """The parts of a rate, in nats; ``rate = index_code + total_correlation + dimensions["kl"].sum()`` exactly.

    Args:
        rate: :math:`\\hat R`.
        index_code: :math:`I_N`, at most log N.
        total_correlation: of :math:`q_N`.
        dimensions: one row per dimension: ``rate``, the mean KL of its posteriors to the prior; ``kl``, that of their
            mixture; ``variance_of_means``; ``active`` (above 0.01).
        saturated: whether :math:`I_N` is within a nat of log N; then the other parts are artefacts of N.
        n: images.
    """

    rate: float
    index_code: float
    total_correlation: float
    dimensions: pd.DataFrame
    saturated: bool
    n: int

    @property
    def marginal_kl(self) -> float:
        """KL(q_N(z) ‖ p(z))."""
        return self.rate - self.index_code

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        """The parts as rows of the ``--json`` document; descriptive, so without direction and error."""
        parts = {
            "marginal_kl": ("KL(q_N(z)‖p(z))", self.marginal_kl),
            "total_correlation": ("TC(q_N)", self.total_correlation),
            "dimensionwise_kl": ("Σ KL(q_N(z_d)‖p(z_d))", float(self.dimensions["kl"].sum())),
        }
        known: dict[str, Any] = {"inputs": "clean", "saturated": self.saturated, "n": self.n, "k": self.n} | where
        return [
            row(quantity, name, value, units="nats", heavy_tailed=None, **known)
            for name, (quantity, value) in parts.items()
        ]

    def __repr__(self) -> str:
        note = " (I_N is saturated: the other parts are mostly artefacts of N)" if self.saturated else ""
        return (
            f"rate {self.rate:.2f} = I_N {self.index_code:.2f} + TC {self.total_correlation:.2f} + dimension-wise KL "
            f"{self.dimensions['kl'].sum():.2f} nats, {self.dimensions['active'].sum()} of {len(self.dimensions)} "
            f"units active{note}"
        )


def decompose(encoded: Encoded | DiagonalGaussian) -> Decomposition:
    """Divide the rate of N images into its parts; takes N² d exponentials.

    Args:
        encoded: of N images.
    """
    encoded = as_encoded(encoded)
    posterior, codes = encoded.posterior, encoded.codes
    mean, variance = posterior.mean, posterior.log_var.exp()
    n = len(codes)
    index = index_code(encoded)
    others, _ = log_marginals(codes, mean, variance)
    conditional = -0.5 * ((codes - mean).square() / variance + posterior.log_var + math.log(2 * math.pi))
    # log q_N(z_id), its own image included
    log_marginal = torch.logaddexp(others + math.log(n - 1), conditional) - math.log(n)
    prior = -0.5 * (mean.square() + variance + math.log(2 * math.pi))  # E log p(z_id), exact
    kl = (log_marginal - prior).mean(0)
    rate = 0.5 * (mean.square() + variance - posterior.log_var - 1).mean(0)
    spread = mean.var(0)
    dimensions = pd.DataFrame(
        {"rate": rate, "kl": kl, "variance_of_means": spread, "active": spread > 0.01},
        index=pd.RangeIndex(len(rate), name="dimension"),
    )
    total = float(rate.sum())
    return Decomposition(total, index.value, total - index.value - float(kl.sum()), dimensions, index.saturated, n)


def gap(rate: Bound, marginal: Bound) -> Bound:
    """R − R_m: at least this much of the rate is KL(q(z) ‖ p(z)) and not information.

    A lower bound in expectation, since R = I + KL(q(z) ‖ p(z)) and I ≤ R_m; from the same images, so that its error is
    that of the differences. Differences of it between encoders bound nothing.

    Args:
        rate: `analysis.bounds.rate`.
        marginal: `analysis.bounds.gaussian_marginal` on the same images.
    """
    return combine("rate_gap", [(1.0, rate), (-1.0, marginal)], "lower", "KL(q(z)‖p(z))")


derived("rate_gap", "R − R_m", "lower", quantity="KL(q(z)‖p(z))", column="R − R_m")
