"""Every number of one VAE, and of the linear VAEs beside it, as rows."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from analysis.bounds import Bound, Encoded, EncodedPair, bounds_of, decompose, profile_of_pair, rate
from analysis.bounds.bound import standard_error
from analysis.bounds.estimators import ESTIMATORS
from analysis.bounds.tightened import Labels, tightened_profile
from analysis.mutual_info.factors import factor_rows
from analysis.mutual_info.table import RECONSTRUCTION
from findings.row import row
from findings.under_trained import LINEAR
from store import Run, slug, write_atomically
from store.registry import known_as
from tasks import Sound, Task
from training import Pipeline, generator
from vae.encode import BATCH, encode, errors, load_vae, reconstruct
from vae.likelihood import Bernoulli
from vae.linear import LinearVAE, draws_of, fit_linear
from vae.nets import VAE
from vae.posterior import DiagonalGaussian
from vae.train import Settings, active_units, normalisation, squared_units

if TYPE_CHECKING:
    from analysis.mutual_info import Config

__all__ = ["linear_rows_of", "own_inputs", "worse_than"]

DRAWS = 50_000
"""Inputs on which a linear VAE is fitted; fewer where they are large."""


def baseline_seed(config: "Config", augmentation: str, seed: int) -> int | None:
    """The seed of VAE B, whose reconstructions A encodes; None where there is no other baseline."""
    if augmentation != "none":
        return seed
    return config.first_seed + (seed - config.first_seed + 1) % config.seeds if config.seeds > 1 else None


Units: TypeAlias = tuple[Tensor, Tensor]
"""Mean and standard deviation of values, which broadcast over items."""


def units_of(settings: Settings, data: Task) -> Units:
    """What is taken from values in [0, 1] and what they are then divided by; of sound, it takes all training clips."""
    mean, std = (
        unit.view(1, -1, *[1] * (len(data.shape) - 1)) for unit in normalisation(data, settings.resolved(data))
    )
    return mean, std


def own_inputs(settings: Settings, data: Task, augmentation: str, units: Units | None = None) -> Pipeline:
    """Inputs as VAEs of an augmentation saw them, λ and mask drawn per sample: a batch's mixtures are independent.

    Args:
        settings: of the training.
        data: on its device.
        augmentation: a mixer's name.
        units: `units_of` the two, where they are known.
    """
    mean, std = (statistic.to(data.train.device) for statistic in units or units_of(settings, data))
    return replace(settings, scope="sample").pipeline(augmentation, data, lambda raw: (data.values(raw) - mean) / std)


def labels_of(data: Task) -> Labels | None:
    """The classes of test and training items; None where items have soft or several labels."""
    scored, fit = (split.targets.cpu() for split in (data.test, data.train))
    return Labels(scored, fit) if scored.ndim == fit.ndim == 1 else None


class Codes:
    """What a VAE says of the clean images, or other items; of the baselines, which others are compared with, kept.

    Args:
        config: of the analysis.
        data: on the device.
        runs: of the VAEs, by augmentation and seed.
        device: where they compute.
        fitted: linear VAEs by augmentation, of whatever decoder scale; missing ones are added.
    """

    def __init__(
        self,
        config: "Config",
        data: Task,
        runs: dict[tuple[str, int], Run],
        device: torch.device,
        fitted: dict[str, LinearVAE],
    ) -> None:
        self.config, self.data, self.runs, self.device, self.fitted = config, data, runs, device, fitted
        self.known: dict[tuple[str, int], tuple[DiagonalGaussian, DiagonalGaussian]] = {}
        self.elbos: dict[tuple[str, int], Tensor] = {}
        self.bounded: dict[tuple[str, int], tuple[list[Bound], list[dict[str, Any]]]] = {}

    def vae(self, augmentation: str, seed: int) -> VAE:
        return load_vae(self.runs[augmentation, seed], self.device, network=self.config.settings.network)

    def measured(self, augmentation: str, seed: int) -> tuple[list[Bound], list[dict[str, Any]]]:
        """Bounds and rows of the clean images, once: a baseline's are wanted of other VAEs too."""
        key = augmentation, seed
        if key not in self.bounded:
            posterior, fit = self.clean(*key)
            where: dict[str, Any] = {"inputs": "clean", "augmentation": known_as(augmentation), "seed": seed}
            encoded, asked, noise = Encoded(posterior, fit=fit), self.config.estimators, self.config.noise
            labels = labels_of(self.data)
            bounds, rows = tightened_profile(encoded, asked, noise=noise, labels=labels, **where)
            self.bounded[key] = bounds, rows + factor_rows(encoded, self.data, noise=noise, **where)
        return self.bounded[key]

    def upper(self, augmentation: str, seed: int) -> list[Bound]:
        """Upper bounds on I(Z;X) of the clean images, as far as they were asked for."""
        if "clean" in self.config.inputs:
            return self.measured(augmentation, seed)[0]
        posterior, fit = self.clean(augmentation, seed)
        upper = [name for name in self.config.estimators if ESTIMATORS[name].far_above]
        return bounds_of(Encoded(posterior, fit=fit), upper)

    def clean(self, augmentation: str, seed: int) -> tuple[DiagonalGaussian, DiagonalGaussian]:
        """The posteriors of the test images and of the training images."""
        if (augmentation, seed) in self.known:
            return self.known[augmentation, seed]
        vae = self.vae(augmentation, seed)
        posteriors = encode(vae, self.data.test.inputs), encode(vae, self.data.train.inputs)
        if augmentation == "none":
            self.known[augmentation, seed] = posteriors
        return posteriors

    def pipeline(self, augmentation: str) -> Pipeline:
        """Inputs as the VAEs of an augmentation saw them, in the units of all."""
        return own_inputs(self.config.settings, self.data, augmentation, self.units)

    def errors(self, augmentation: str, seed: int) -> tuple[Tensor, Tensor]:
        """Squared error and −ELBO of every clean test image, (N,) each."""
        stream = generator(self.device, seed, "reconstruction")
        squares, distortion = errors(self.vae(augmentation, seed), self.data.test.inputs, stream)
        elbos = distortion + self.clean(augmentation, seed)[0].kl_to_standard_normal()
        if augmentation == "none":
            self.elbos[augmentation, seed] = elbos
        return squares, elbos

    def baseline(self, seed: int) -> Tensor | None:
        """−ELBO under the baseline of a seed of every clean test image, (N,); None where there is none."""
        if ("none", seed) not in self.runs:
            return None
        return self.elbos["none", seed] if ("none", seed) in self.elbos else self.errors("none", seed)[1]

    def linear(self, augmentation: str) -> LinearVAE:
        """The linear VAE of inputs as the VAEs of an augmentation saw them: its axes are the same at every scale."""
        settings = self.config.settings
        if augmentation not in self.fitted:
            stream, heard = generator(self.device, 1, "linear"), isinstance(self.data.modality, Sound)
            count = draws_of(self.data.shape, DRAWS, heard)
            inputs = self.pipeline(augmentation).draws(self.data.train.inputs, stream, count)
            latents = settings.resolved(self.data)["latents"]
            self.fitted[augmentation] = fit_linear(inputs, latents, settings.decoder_scale)
        bernoulli = Bernoulli(*self.units) if settings.likelihood_for(self.data) == "bernoulli" else None
        return replace(self.fitted[augmentation], scale=settings.decoder_scale, bernoulli=bernoulli)

    @functools.cached_property
    def units(self) -> Units:
        """`units_of` the VAEs."""
        return units_of(self.config.settings, self.data)

    def squared(self) -> str:
        """The units of squared errors, in words."""
        return squared_units(self.config.settings.resolved(self.data))


def rows_of_vae(config: "Config", codes: Codes, augmentation: str, seed: int, directory: Path) -> list[dict[str, Any]]:
    """Every number of one VAE; its posteriors are kept in ``directory``."""
    name = known_as(augmentation)
    rows: list[dict[str, Any]] = []
    data, vae, pipeline = codes.data, codes.vae(augmentation, seed), codes.pipeline(augmentation)
    device = data.test.device
    mixed = pipeline.mixtures(data.test.inputs, generator(device, seed, "test"))
    clean, of_mixed = codes.clean(augmentation, seed), encode(vae, mixed)
    for inputs in config.inputs:
        where: dict[str, Any] = {"inputs": inputs, "augmentation": name, "seed": seed}
        if inputs == "clean":
            posterior = clean[0]
            rows += codes.measured(augmentation, seed)[1]
        else:
            posterior = of_mixed
            fit = encode(vae, pipeline.mixtures(data.train.inputs, generator(device, seed, "fit")))
            rows += tightened_profile(Encoded(posterior, fit=fit), config.estimators, noise=config.noise, **where)[1]
        stem = f"{slug(name)}-seed{seed}-{inputs}"
        if config.decomposition:
            parts = decompose(posterior)
            rows += parts.rows(**where)
            with write_atomically(directory / f"dimensions-{stem}.csv") as temporary:
                parts.dimensions.to_csv(temporary)
        rows.append(row("active units", "active_units", active_units(posterior), units=None, **where))
        with write_atomically(directory / f"posterior-{stem}.npz") as temporary:
            arrays = {"mean": posterior.mean.float().numpy(), "log_var": posterior.log_var.float().numpy()}
            with open(temporary, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
    where = {"inputs": "clean", "augmentation": name, "seed": seed}
    other = "none", baseline_seed(config, augmentation, seed) or 0
    if other in codes.runs:
        bound = rate(encode(vae, data.test.inputs, _reconstruction(config, codes.vae(*other), device, seed)))
        rows.append(bound.row(**where) | {"quantity": "I(Z;X̂)", "estimator": RECONSTRUCTION})
        if config.shared:
            (a, fit_a), (b, fit_b) = clean, codes.clean(*other)
            upper = [*codes.upper(augmentation, seed), *codes.upper(*other)]
            pair = EncodedPair(Encoded(a, fit=fit_a), Encoded(b, fit=fit_b), upper, "I(Z_A;Z_X)")
            rows += profile_of_pair(pair, noise=config.noise, **where)[1]
    pixels, units = mixed[0].numel(), codes.squared()
    squares, elbos = codes.errors(augmentation, seed)
    rows += _elbo_rows(squares / pixels, elbos, units, **where)
    baseline = codes.baseline(seed) if augmentation != "none" else None
    if baseline is not None:
        rows.append(_mean_row("−ELBO less the baseline's", "negative_elbo_excess", elbos - baseline, "nats", **where))
    where |= {"inputs": "own-augmented"}
    squares, distortion = errors(vae, mixed, generator(device, seed, "own reconstruction"))
    elbos = distortion + of_mixed.kl_to_standard_normal()
    rows += _elbo_rows(squares / pixels, elbos, units, **where)
    rows += _training_rows(codes.runs[augmentation, seed].result(), **where)
    linear = codes.linear(augmentation)
    poor = worse_than(elbos, linear.negative_elbo(mixed))
    rows = [one | {"under_trained": poor} for one in rows]
    return rows + linear_rows_of(linear, mixed, units, **where | {"augmentation": LINEAR, "fitted_on": name})


def _training_rows(record: Mapping[str, Any], **where: Any) -> list[dict[str, Any]]:
    """What a VAE's record says of its training; nothing where it is older than that."""
    metrics, rows = record["metrics"], []
    if metrics.get("overfitting") is not None:
        over = metrics["overfitting"]
        rows.append(row("−ELBO of test less training inputs", "overfitting", units="nats", **over, **where))
    if metrics.get("last_fall") is not None:
        fall = metrics["last_fall"]
        rows.append(row("fall of −ELBO over the last fifth", "last_fall", fall, units="nats", **where))
    return rows


def worse_than(elbos: Tensor, linear: Tensor) -> bool:
    """Whether a VAE's −ELBO exceeds the linear VAE's of the same images by more than two paired standard errors.

    Args:
        elbos: (N,), nats.
        linear: (N,), nats, of the same images in the same order.
    """
    excess = elbos - linear
    return bool(excess.mean() > 2 * standard_error(excess))


def _mean_row(quantity: str, name: str, values: Tensor, units: str, **where: Any) -> dict[str, Any]:
    """The mean over images of something that bounds nothing, with its standard error, as a row."""
    error = standard_error(values)
    return row(quantity, name, float(values.mean()), units=units, standard_error=error, n=len(values), **where)


def _elbo_rows(squares: Tensor, elbos: Tensor, units: str, **where: Any) -> list[dict[str, Any]]:
    """MSE, in these units, and −ELBO from their values of every image, (N,) each."""
    return [
        _mean_row("MSE", "mse", squares, units, **where),
        _mean_row("−ELBO", "negative_elbo", elbos, "nats", **where),
    ]


def linear_rows_of(
    linear: LinearVAE, images: Tensor, units: str = "squared normalised pixels", **where: Any
) -> list[dict[str, Any]]:
    """Rate, R_m (its Gaussian fitted in ten folds), MSE and −ELBO of a linear VAE on normalised images (N, C, …).

    Args:
        linear: the linear VAE.
        images: or other items.
        units: of the MSE, in words.
        where: further fields of the rows.
    """
    rows = [bound.row(**where) for bound in bounds_of(linear.encode(images), ("rate", "gaussian_marginal"))]
    return rows + _elbo_rows(
        linear.squared_error(images) / images[0].numel(), linear.negative_elbo(images), units, **where
    )


def linear_of_clean(codes: Codes) -> list[dict[str, Any]]:
    """The linear VAE that was fitted on the baseline's inputs, on clean test images; it has no seeds."""
    pipeline = codes.pipeline("none")
    images = torch.cat([pipeline.enter(batch) for batch in codes.data.test.inputs.split(BATCH)])
    where = {"inputs": "clean", "augmentation": LINEAR, "seed": 1, "fitted_on": "none"}
    return linear_rows_of(codes.linear("none"), images, codes.squared(), **where)


def _reconstruction(config: "Config", baseline: VAE, device: torch.device, seed: int) -> Callable[[Tensor], Tensor]:
    """x̂ from normalised x: the mean decoded from a sampled code of the baseline VAE, with Gaussian noise."""
    stream = generator(device, seed, "x̂")

    def reconstruction(images: Tensor) -> Tensor:
        mean = reconstruct(baseline, images, stream)
        return mean + config.reconstruction_scale * torch.randn(mean.shape, device=device, generator=stream)

    return reconstruction
