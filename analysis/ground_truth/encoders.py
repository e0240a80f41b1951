r"""Encoders whose mutual information is known.

A `Task` is a sampler that knows its truths and has a stable name; `TASKS` has them all. Of I(Z;X):

- ``gaussian-d{d}-i{I}``: :math:`z = \mu(x) + \epsilon`, both Gaussian, scaled so that :math:`q(z)` is the prior. Then
  :math:`I = -\tfrac d2 \log v` for noise of variance v, and the rate is exact too. ``staircase-i{I}`` are the five of
  Poole et al. (2019), d = 20;
- ``shifted``, ``scaled``, ``correlated``: the same with :math:`q(z) = \mathcal{N}(s, C)`:
  :math:`I = \tfrac12 \log\det C - \tfrac d2 \log v`, while the rate also counts
  :math:`KL(q(z) \| \mathcal{N}(0, I))`;
- ``heteroscedastic-d{d}``: independent dimensions, narrow at ±2 or wide at 0; q(z) has three peaks, and the truth is an
  integral;
- ``mixture``: means in clusters; q(z) is a Gaussian mixture of known density, and the truth a long Monte Carlo, with
  its error;
- ``codebook-m{M}``: M codewords far apart, :math:`I = \log M`;
- ``pareto-{a}``, ``rare``: :math:`z = \sqrt{1 - v}\, u + \sqrt v\, \epsilon` in d = 64 dimensions, u standard normal
  and part of the image, as is v with :math:`-d \ln v = T`. q(z) is the prior for every v, so that :math:`I = E\,
  KL(q(z|x) \| \mathcal{N}(0, I)) = \tfrac12 E T`. A few images decide it: T = min(sP, c) with
  :math:`P(P > p) = p^{-a}` for p ≥ 1, a scale s and the cap c = 3,200 nats (50 a dimension, beyond which float64
  cannot hold the codes), :math:`E T = s\,(1 + (1 - (c/s)^{1-a}) / (a - 1))`; or T = 480 in one image of a thousand, 0
  else. Limits from a standard error are not to be trusted here, and what to look at is whether they are flagged.

Of I(Z_A;Z_B), pairs of encoders of the same images:

- ``pair-gaussian-d{d}-i{I}``: both see the same d standard normal numbers, each with noise of its own, and every
  dimension of A correlates with that of B by ρ, :math:`I = -\tfrac d2 \log(1 - \rho^2)`;
- ``pair-partial``: each sees four numbers, two of them the same; ``pair-independent``: none;
- ``pair-codebook-m{M}``: an image is three symbols; A shows the first two, B the first and the third, without error:
  :math:`I = \log M` for M first symbols, and nothing about it is Gaussian.

Of I(T;Y), I(T;X|Y) and I(T;X), codes of images with labels, and of I(X;Ŷ) and I(X;Ŷ|Y), a classifier's answers: those
of `analysis.ground_truth.classes`.

Nothing is assumed of q(z) by the bounds; what holds here beyond a diagonal Gaussian posterior is each task's own.

References: Poole et al. 2019, arXiv 1905.06922 (staircase); Czyż et al. 2023, arXiv 2306.11078 (tasks that know their
truth).
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from scipy import integrate

from analysis.bounds import Bound, Encoded, EncodedPair, bounds_of, sample_codes
from analysis.bounds.estimators import ESTIMATORS, INFORMATION, SHARED, names_of
from analysis.bounds.labelled import IMAGE
from analysis.bounds.outputs import output_bounds
from analysis.bounds.shared import concatenated
from analysis.ground_truth.classes import ANSWERS, CLASSES, Answers, Classes, bounds_with_labels
from training import generator
from vae.posterior import DiagonalGaussian

__all__ = [
    "Task",
    "codebook",
    "codebook_pair",
    "gaussian_pair",
    "heteroscedastic",
    "heteroscedastic_information",
    "linear_gaussian",
    "mixture",
    "mixture_information",
    "of_information",
    "pareto",
    "pareto_information",
    "rare",
]

PEAKS = ((-2.0, 0.05), (0.0, 1.0), (2.0, 0.05))
"""Mean and variance of the three kinds of posterior of `heteroscedastic`."""


CLUSTERS, CLUSTER_SPREAD, CLUSTER_NOISE = 6, 0.6, 0.2
"""The ``mixture`` task: clusters in 4 dimensions, variance of the means within one, variance of the noise."""


OF_ALL = ("infonce", "leave_one_out", "gaussian_marginal")
"""Estimators of I(Z;X) that are also of I(T;X), where there are labels."""


UNEVEN_DIMENSIONS, UNEVEN_CAP = 64, 3200.0
"""Dimensions of the tasks in which a few images carry the information, and twice the most nats that one carries."""


PARETO = ((1.5, 0.5), (1.2, 0.3))
"""Indices and scales of the Pareto variables."""


RARE_SHARE, RARE_TWICE = 0.001, 480.0
"""The ``rare`` task: how many images carry information, and twice the nats that each of them does."""


PAIRS = ((2, 0.1), (4, 1), (16, 3))
"""Dimensions and information of the Gaussian pairs."""


def linear_gaussian(
    n: int, d: int, information: float, seed: int, *, shift: float = 0.0, scale: float = 1.0, correlation: float = 0.0
) -> DiagonalGaussian:
    """Posteriors of n images under a linear-Gaussian encoder with I(Z;X) = ``information`` nats exactly.

    Args:
        n: images.
        d: dimensions of the code.
        information: nats.
        seed: of the images.
        shift: added to every dimension of every code; changes the rate and not the information.
        scale: multiplies every code; likewise.
        correlation: between all dimensions of q(z), from 0 to below 1; a correlated code needs some information.

    Example:
        >>> q = linear_gaussian(10_000, 2, 3.0, 1)
        >>> abs(float(q.kl_to_standard_normal().mean()) - 3.0) < 0.05
        True
    """
    normal = torch.randn(n, d, dtype=torch.float64, generator=generator("cpu", seed, "ground truth"))
    covariance = torch.full((d, d), correlation, dtype=torch.float64).fill_diagonal_(1.0)
    log_var = (float(torch.logdet(covariance)) - 2 * information) / d
    signal = torch.linalg.cholesky(covariance - math.exp(log_var) * torch.eye(d, dtype=torch.float64))
    log_vars = torch.full((n, d), log_var + 2 * math.log(scale), dtype=torch.float64)
    return DiagonalGaussian(scale * (normal @ signal.T) + shift, log_vars)


def heteroscedastic(n: int, d: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images; each dimension of each is one of `PEAKS`, one third each."""
    kind = torch.randint(0, len(PEAKS), (n, d), generator=generator("cpu", seed, "ground truth"))
    mean, variance = torch.tensor(PEAKS, dtype=torch.float64).unbind(1)
    return DiagonalGaussian(mean[kind], variance.log()[kind])


def _conditional_entropy(variance: float) -> float:
    return 0.5 * math.log(2 * math.pi * math.e * variance)


def heteroscedastic_information(d: int) -> float:
    """I(Z;X) of `heteroscedastic` in nats, by quadrature."""

    def density(z: float) -> float:
        return sum(math.exp(-((z - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v) for m, v in PEAKS) / len(PEAKS)

    points = [mean for mean, _ in PEAKS]
    entropy, _ = integrate.quad(lambda z: -density(z) * math.log(density(z)), -9, 9, points=points, limit=400)
    conditional = sum(_conditional_entropy(variance) for _, variance in PEAKS) / len(PEAKS)
    return d * (entropy - conditional)


def _centres() -> torch.Tensor:
    return 2 * torch.randn(CLUSTERS, 4, dtype=torch.float64, generator=generator("cpu", 0, "clusters"))


def mixture(n: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images whose means are drawn from a mixture of Gaussians, all with the same noise."""
    stream = generator("cpu", seed, "ground truth")
    centre = _centres()[torch.randint(0, CLUSTERS, (n,), generator=stream)]
    means = centre + math.sqrt(CLUSTER_SPREAD) * torch.randn(n, 4, dtype=torch.float64, generator=stream)
    return DiagonalGaussian(means, torch.full_like(means, math.log(CLUSTER_NOISE)))


@functools.cache
def mixture_information(draws: int = 1_000_000) -> tuple[float, float]:
    """I(Z;X) of `mixture` in nats and its standard error: −E log q(z) over a million draws, less H(Z|X)."""
    posterior = mixture(draws, -1)
    codes = sample_codes(posterior, -1)
    total = CLUSTER_SPREAD + CLUSTER_NOISE  # q(z) is the mixture of the clusters widened by the noise
    squares = torch.stack([(codes - centre).square().sum(1) for centre in _centres()], 1)
    log_q = (-0.5 * squares / total).logsumexp(1) - math.log(CLUSTERS) - 2 * math.log(2 * math.pi * total)
    return float(-log_q.mean()) - 4 * _conditional_entropy(CLUSTER_NOISE), float(log_q.std()) / math.sqrt(draws)


def codebook(n: int, codewords: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images, each at one of the codewords, 20 standard deviations apart at least."""
    word = torch.randint(0, codewords, (n,), generator=generator("cpu", seed, "ground truth"))
    digits = torch.stack([word // 4**place % 4 for place in range(8)], 1)  # base 4: up to 65,536 codewords
    return DiagonalGaussian(20.0 * digits.double(), torch.zeros(n, 8, dtype=torch.float64))


def of_information(twice: torch.Tensor, stream: torch.Generator) -> DiagonalGaussian:
    """Posteriors of n images that each carry half of ``twice`` (n,) nats on average, with N(0, I) for q(z)."""
    log_var = (-twice / UNEVEN_DIMENSIONS)[:, None].expand(-1, UNEVEN_DIMENSIONS)
    normal = torch.randn(log_var.shape, dtype=torch.float64, generator=stream)
    return DiagonalGaussian((-torch.expm1(log_var)).sqrt() * normal, log_var.contiguous())


def pareto(n: int, scale: float, index: float, seed: int) -> DiagonalGaussian:
    """Posteriors of n images that each carry half of ``scale`` times a Pareto variable from 1 on, up to the cap."""
    stream = generator("cpu", seed, "ground truth")
    uniform = 1 - torch.rand(n, dtype=torch.float64, generator=stream)
    return of_information((scale * uniform ** (-1 / index)).clamp(max=UNEVEN_CAP), stream)


def pareto_information(scale: float, index: float) -> float:
    """I(Z;X) of `pareto` in nats."""
    cap = UNEVEN_CAP / scale
    return 0.5 * scale * (1 + (1 - cap ** (1 - index)) / (index - 1))


def rare(n: int, seed: int) -> DiagonalGaussian:
    """Posteriors of n images, one in a thousand with `RARE_TWICE` / 2 nats and the others with none."""
    stream = generator("cpu", seed, "ground truth")
    chosen = torch.rand(n, dtype=torch.float64, generator=stream) < RARE_SHARE
    return of_information(RARE_TWICE * chosen.double(), stream)


def gaussian_pair(
    n: int, d: int, information: float, seed: int, *, shared: int | None = None
) -> tuple[DiagonalGaussian, DiagonalGaussian]:
    """Posteriors of n images under two linear-Gaussian encoders with I(Z_A;Z_B) = ``information`` nats exactly.

    Args:
        n: images.
        d: dimensions of either code.
        information: nats.
        seed: of the images.
        shared: how many dimensions the encoders have in common (None: all); the others are independent.
    """
    shared = d if shared is None else shared
    stream = generator("cpu", seed, "ground truth")
    numbers = torch.randn(n, 2 * d - shared, dtype=torch.float64, generator=stream)
    # A and B each show a share r of the variance of a dimension, and so correlate by r
    r = math.sqrt(-math.expm1(-2 * information / shared)) if information else 0.5
    log_var = torch.full((n, d), math.log1p(-r), dtype=torch.float64)
    first, second = numbers[:, :d], numbers[:, d - shared :]
    return DiagonalGaussian(math.sqrt(r) * first, log_var), DiagonalGaussian(math.sqrt(r) * second, log_var)


def codebook_pair(n: int, codewords: int, seed: int) -> tuple[DiagonalGaussian, DiagonalGaussian]:
    """Posteriors of n images of three symbols; A shows the first two, B the first and the third; no two overlap."""
    stream = generator("cpu", seed, "ground truth")
    first, second, third = (torch.randint(0, count, (n,), generator=stream) for count in (codewords, 4, 4))
    pairs = (torch.stack([first // 4, first % 4, other], 1) for other in (second, third))
    noise = torch.zeros(n, 3, dtype=torch.float64)
    a, b = (DiagonalGaussian(20.0 * symbols.double(), noise) for symbols in pairs)
    return a, b


Truths = Mapping[str, tuple[float, float]]
"""By quantity its value in nats, and the standard error of that number (0 where it is in closed form)."""


def of_code(posterior: DiagonalGaussian, seed: int, estimators: tuple[str, ...]) -> list[Bound]:
    """Estimators of I(Z;X) on one code."""
    return bounds_of(Encoded(posterior, sample_codes(posterior, seed)), estimators)


def of_pair(
    posteriors: tuple[DiagonalGaussian, DiagonalGaussian], seed: int, estimators: tuple[str, ...]
) -> list[Bound]:
    """Estimators of I(Z_A;Z_B) on two codes of the same images."""
    widths = [posterior.mean.shape[1] for posterior in posteriors]
    a, b = map(Encoded, posteriors, sample_codes(concatenated(*posteriors), seed).split(widths, 1))
    return bounds_of(EncodedPair(a, b), estimators)


@dataclass(frozen=True)
class Task:
    """An encoder, a pair of encoders of the same images, or a classifier, that knows its mutual information.

    Args:
        name: stable.
        sample: (number of images, seed) -> what ``estimate`` takes: a posterior, or posteriors of both encoders.
        truths: () -> every quantity that is known.
        estimate: (what ``sample`` gave, seed, estimators) -> those estimators.
    """

    name: str
    sample: Callable[[int, int], Any]
    truths: Callable[[], Truths]
    estimate: Callable[[Any, int, tuple[str, ...]], list[Bound]] = of_code

    def estimators(self, information: tuple[str, ...]) -> list[tuple[str, str]]:
        """Each quantity with each of its estimators: ``information`` of I(Z;X), and all there are of the others."""
        named = {INFORMATION: information, SHARED: names_of(SHARED)}
        for quantity in self.truths().keys() - named.keys():
            of_quantity = [entry.name for entry in ESTIMATORS.values() if entry.quantity == quantity]
            named[quantity] = (*of_quantity, *(OF_ALL if quantity == IMAGE else ()))
        return [(quantity, name) for quantity in self.truths() for name in named[quantity]]

    def bounds(self, n: int, seed: int, estimators: tuple[str, ...]) -> list[Bound]:
        """The estimators on one replicate."""
        return self.estimate(self.sample(n, seed), seed, estimators)


def _exact(
    name: str, truth: float, sample: Callable[..., Any], *numbers: float, quantity: str = INFORMATION, **options: float
) -> Task:
    """A task whose truth is in closed form; ``sample`` takes the images, ``numbers``, the seed and ``options``."""
    estimate = of_code if quantity == INFORMATION else of_pair
    return Task(name, lambda n, seed: sample(n, *numbers, seed, **options), lambda: {quantity: (truth, 0.0)}, estimate)


def _tasks() -> list[Task]:
    return [
        *(_exact(f"gaussian-d{d}-i{i}", i, linear_gaussian, d, i) for d in (2, 16, 64) for i in (1, 3, 6, 9, 20)),
        *(_exact(f"staircase-i{i}", i, linear_gaussian, 20, i) for i in (2, 4, 6, 8, 10)),
        _exact("gaussian-d64-i70", 70, linear_gaussian, 64, 70),
        _exact("shifted", 5, linear_gaussian, 16, 5, shift=0.5),
        _exact("scaled", 5, linear_gaussian, 16, 5, scale=1.5),
        _exact("correlated", 6, linear_gaussian, 8, 6, correlation=0.6),
        Task("mixture", mixture, lambda: {INFORMATION: mixture_information()}),
        *(_exact(f"heteroscedastic-d{d}", heteroscedastic_information(d), heteroscedastic, d) for d in (2, 6)),
        *(_exact(f"codebook-m{m}", math.log(m), codebook, m) for m in (16, 4096)),
        *(_exact(f"pareto-{a}", pareto_information(scale, a), pareto, scale, a) for a, scale in PARETO),
        _exact("rare", 0.5 * RARE_SHARE * RARE_TWICE, rare),
    ]


def _pairs() -> list[Task]:
    pair = functools.partial(_exact, quantity=SHARED)
    return [
        *(pair(f"pair-gaussian-d{d}-i{i}", i, gaussian_pair, d, i) for d, i in PAIRS),
        pair("pair-partial", 0.5, gaussian_pair, 4, 0.5, shared=2),
        pair("pair-independent", 0.0, gaussian_pair, 4, 0.0, shared=0),
        pair("pair-codebook-m16", math.log(16), codebook_pair, 16),
    ]


def _with_labels() -> list[Task]:
    def of_classes(name: str, classes: Classes, level: float) -> Task:
        return Task(
            name,
            classes.profiles,
            lambda: classes.truths(level),
            lambda profiles, _, estimators: bounds_with_labels(profiles, level, estimators),
        )

    def of_answers(name: str, answers: Answers) -> Task:
        def estimate(drawn: tuple[torch.Tensor, torch.Tensor], _: int, estimators: tuple[str, ...]) -> list[Bound]:
            return [bound for bound in output_bounds(*drawn) if bound.estimator in estimators]

        return Task(name, answers.draw, answers.truths, estimate)

    return [
        *(of_classes(name, *known) for name, known in CLASSES.items()),
        *(of_answers(name, answers) for name, answers in ANSWERS.items()),
    ]


TASKS = {task.name: task for task in (*_tasks(), *_pairs(), *_with_labels())}
"""Every task by its name."""
