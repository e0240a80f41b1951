r"""Upper bounds on I(X;Z) by densities of q(z) richer than one Gaussian.

For every density m chosen without the scored images (Barber & Agakov 2003; Alemi et al. 2017),

.. math:: I(X;Z) = E_i KL(q(z|x_i) \,\|\, m) - KL(q(z) \,\|\, m) \;\le\; E_i KL(q(z|x_i) \,\|\, m),

so that what a better m takes off the bound was never information. Here m is a Gaussian mixture or a spline flow, fitted
to codes of other images; nothing is assumed of q(z), and a fit that fails leaves a looser bound, not a wrong one.

The divergence from such an m has no closed form, that from the Gaussian g of `analysis.bounds.gaussian_marginal` has:

.. math:: E_{q(z|x_i)} \log \frac{q(z|x_i)}{m(z)}
          = KL(q(z|x_i) \,\|\, g) + E_{q(z|x_i)} \log \frac{g(z)}{m(z)},

and only the last term, which vanishes as m approaches g, is estimated from the image's one code.

Three precautions make the bounds finite and rarely looser than g's. The density fitted is mixed with a little of g, so
that no code adds more than log 1000 = 6.9 nats to what g alone would give it. Both fits start from g: it is the mixture
with one component, and the flow before its first step. And how far to leave it is chosen by the likelihood of a fifth
of the *fitted* images, held out.

Every epoch and every step of a fit draws its codes afresh. The noise of an encoder is known and need not be learned
from one sample of it: with 64 dimensions and a few thousand images, a mixture fitted to one code per image is no better
than g.

References:
    Barber & Agakov 2003; Alemi et al. 2017, arXiv 1612.00410 (variational marginal); Dempster, Laird & Rubin 1977 (EM);
    Cappé & Moulines 2009, arXiv 0712.4273 (EM with fresh draws); Friedman 1989 (shrunken covariances); Durkan et al.
    2019, arXiv 1906.04032 (neural spline flows).
"""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from analysis.bounds.bound import Bound, mean_of
from analysis.bounds.encoded import Encoded, as_encoded, shuffled
from analysis.bounds.estimators import estimator
from analysis.bounds.gaussian import aggregate, kl_to_gaussian, log_gaussian
from training.seeds import generator
from vae.posterior import DiagonalGaussian

__all__ = ["LogDensity", "fitted_marginal", "gaussian_marginal", "held_out", "rate", "with_floor"]

LogDensity = Callable[[Tensor], Tensor]
"""(n, d) codes to (n,) nats."""


FLOOR = 1e-3
"""Share of the Gaussian in every density."""


FEW = 20
"""Images to fit below which nothing can be held out, and m is the Gaussian."""


@estimator(
    "rate",
    label="rate",
    column="rate on x",
    direction="upper",
    unasked=True,
    closed_form=True,
    far_above=True,
    ink=("#7f7f7f", "D"),
)
def rate(encoded: Encoded | DiagonalGaussian) -> Bound:
    r"""Upper bound by the prior: :math:`E_i KL(q(z|x_i) \| \mathcal{N}(0, I))`; the paper's "mutual information".

    Exceeds I(X;Z) by :math:`KL(q(z) \| \mathcal{N}(0, I))`.
    """
    return mean_of("rate", as_encoded(encoded).posterior.kl_to_standard_normal())


@estimator(
    "gaussian_marginal",
    label="R_m",
    column="R_m",
    direction="upper",
    unasked=True,
    closed_form=True,
    noised=True,
    far_above=True,
    ink=("#0072B2", "<"),
)
def gaussian_marginal(encoded: Encoded | DiagonalGaussian) -> Bound:
    r"""Upper bound by a Gaussian fitted to q(z): :math:`R_m = E_i KL(q(z|x_i) \| m)`.

    m has the mean of the posterior means, and their covariance plus the mean posterior variance; the covariance is
    shrunk towards its diagonal as far as its sampling error asks for (Schäfer & Strimmer 2005), which vanishes as the
    number of images grows. Any m chosen without the scored images gives an upper bound; a worse one a looser bound.
    Without ``fit``, every tenth of the scored images is scored by the Gaussian of the other nine.
    """
    return mean_of("gaussian_marginal", as_encoded(encoded).kl_to_marginals)


def fitted_marginal(name: str, encoded: Encoded, learn: Callable[[DiagonalGaussian], LogDensity]) -> Bound:
    """The bound by a density that ``learn`` fits to the posterior of other images: ``fit``, or the other half.

    Args:
        name: of the estimator.
        encoded: of the scored images.
        learn: from a posterior to the logarithm of a density.
    """
    posterior, codes = encoded.posterior, encoded.codes
    values = torch.empty(len(posterior), dtype=torch.float64)
    for scored, other in _halves(encoded):
        gaussian = aggregate(other)
        log_normal = log_gaussian(codes[scored], *gaussian)
        log_density = learn(other)(codes[scored]) if len(other) >= FEW else log_normal
        values[scored] = kl_to_gaussian(posterior[scored], *gaussian) + log_normal - log_density
    return mean_of(name, values)


def _halves(encoded: Encoded) -> Iterator[tuple[Tensor, DiagonalGaussian]]:
    """Indices of scored images, and the posterior of the images to fit on: ``fit``, or the other half."""
    if encoded.fit is not None:
        yield torch.arange(len(encoded)), encoded.fit
        return
    one, other = shuffled(len(encoded)).tensor_split(2)
    yield one, encoded.posterior[other]
    yield other, encoded.posterior[one]


def held_out(fit: DiagonalGaussian, seed: int) -> tuple[DiagonalGaussian, Tensor]:
    """Four fifths of the images to learn from, and a code of each of the others to judge by."""
    learn, held = shuffled(len(fit)).split([len(fit) - len(fit) // 5, len(fit) // 5])
    return fit[learn], fit[held].sample(generator("cpu", seed, "marginal", "held out"))


def with_floor(log_density: Tensor, log_gaussian: Tensor) -> Tensor:
    """The logarithm of a density mixed with a little of the Gaussian, (n,)."""
    return torch.logaddexp(log_density + math.log1p(-FLOOR), log_gaussian + math.log(FLOOR))
