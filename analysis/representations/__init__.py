r"""What a representation keeps of an image and of its label, from both sides: ``python -m analysis.representations``.

A deterministic feature f(X) has infinite or constant information (Goldfeld et al. 2019, arXiv 1810.05728). What is
bounded is the code of a stated channel, :math:`T_s = f(X) + s \cdot N(0, \Sigma)`, Σ frozen from training images
(`analysis.bounds.channel`): what it says of the label, I(T;Y), of the image beyond the label, I(T;X|Y), and their sum,
I(T;X), each from below and above (`analysis.bounds.labelled`), at every level s of the noise.

Units of noise are not comparable between networks: two representations are compared at equal I(T;Y), s eliminated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from torch import Tensor

from analysis.bounds.channel import channel
from analysis.bounds.encoded import shuffled
from analysis.bounds.estimators import label_of, sign_of
from analysis.bounds.labelled import GIVEN_LABEL, IMAGE, LABEL, Labelled, labelled_bounds
from analysis.representations.features import Pool, features_of, read_features
from classifiers.load import ModelOptions, load_classifier
from findings import Result
from findings.table import ruled
from store import BadInput, in_range
from store.command_line import Options, json_document
from tasks import DataOptions, load
from training import resolve_device, use_threads

__all__ = ["Config", "information", "run", "text_of"]

PROGRAM = "python -m analysis.representations"

NOISE = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""The usual levels, in units of the channel."""

LEVELS = 1e-6, 1e6
"""Of the noise, the least and the most."""

FEWEST = 20
"""Images of which anything can be said."""

Shape = Literal["isotropic", "per-dimension", "whitened"]


@dataclass(frozen=True)
class Config:
    """Bound what the features of a trained network say of labels and of images, along a profile of noise."""

    features: Path | None = None
    """an .npz with features (N, d) and labels (N,) of images not trained on, optionally training_features (M, d), which
    scale the noise; without, every tenth image does, and the others are scored"""
    layers: tuple[str, ...] = ()
    """of --model: the layers whose outputs are the features, by name"""
    pool: Pool = "mean"
    """of maps: the mean over positions, or flatten, all of them"""
    noise: tuple[float, ...] = NOISE
    """levels s of the noise, ascending"""
    noise_shape: Shape = "isotropic"
    """isotropic: the same in all directions, its sum of variances that of the features; per-dimension: each dimension's
    variance; whitened: the covariance of the features"""
    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if (self.features is None) == (self.model.model is None):
            got = "nothing" if self.features is None else f"{self.features} and --model"
            raise BadInput("--features", got, "a file of features, or --model with --layers")
        if (self.model.model is None) != (not self.layers):
            raise BadInput("--layers", " ".join(self.layers) or "nothing", "names of layers of --model, and only there")
        if len(set(self.layers)) != len(self.layers):
            raise BadInput("--layers", " ".join(self.layers), "different names")
        if not self.noise or list(self.noise) != sorted(set(self.noise)):
            raise BadInput("--noise", " ".join(map(str, self.noise)) or "nothing", "different numbers, ascending")
        for level in self.noise:  # without noise it is infinite
            in_range("--noise", level, *LEVELS)


def information(
    features: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    training: Tensor | np.ndarray | None = None,
    *,
    noise: Sequence[float] = NOISE,
    noise_shape: Shape = "isotropic",
    layer: str | None = None,
) -> pd.DataFrame:
    """Bounds on I(T;Y), I(T;X|Y) and I(T;X) of features with noise: a line for every bound and level, in nats.

    Args:
        features: (N, d) of any real type, of images that were not trained on; N at least 20.
        labels: (N,) integers, at least two images of each class.
        training: (M, d), features of training images, which scale the noise; without, every tenth image does, in a
            fixed random order, and the others are scored.
        noise: levels s, in units of the channel.
        noise_shape: of the channel.
        layer: a name for the lines.

    Returns:
        ``quantity``, ``estimator``, ``value`` and ``standard_error`` in nats, ``direction``, ``cap``, ``saturated``,
        ``heavy_tailed``, ``noise``, and the other columns of a row.

    Raises:
        BadInput: features that are not finite or do not vary, labels that do not fit, or too few images.

    Example:
        >>> import torch
        >>> labels = torch.arange(300) % 3
        >>> features = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
        >>> features[:, 0] += 4 * labels
        >>> table = information(features, labels, noise=(1.0,))
        >>> sorted(table["quantity"].unique())
        ['I(T;X)', 'I(T;X|Y)', 'I(T;Y)']
    """
    return pd.DataFrame(_rows(np.asarray(features), np.asarray(labels), training, noise, noise_shape, layer))


def _rows(
    features: np.ndarray,
    labels: np.ndarray,
    training: Tensor | np.ndarray | None,
    noise: Sequence[float],
    noise_shape: Shape,
    layer: str | None = None,
) -> list[dict[str, Any]]:
    if len(labels) != len(features):
        raise BadInput("labels", f"{len(labels)}", f"one for each of the {len(features)} images")
    if len(features) < FEWEST:
        raise BadInput("features", f"{len(features)} images", f"at least {FEWEST}")
    if training is None:
        order = shuffled(len(features)).numpy()
        count = max(2, len(order) // 10)
        training, features, labels = features[order[:count]], features[order[count:]], labels[order[count:]]
    noisy = channel(training, noise_shape)
    rows = []
    for level in noise:
        labelled = Labelled(noisy.posterior(features, level), labels)
        where = {"noise": float(level), "noise_shape": noise_shape, "layer": layer}
        rows += [bound.row(**where) for bound in labelled_bounds(labelled)]
    return rows


def run(config: Config) -> Result:
    """Bound the information of the features; print a table for each layer, unless ``--json -`` claims the output."""
    options = config.execution
    use_threads(options.threads)
    if options.dry_run:
        options.say(f"would bound {config.features or config.model.model}")
        return Result([])
    rows: list[dict[str, Any]] = []
    try:
        if config.features is not None:
            rows = _rows(*read_features(config.features), config.noise, config.noise_shape)
        else:
            device = resolve_device(options.device)
            task = load(config.data).to(device)
            classifier = load_classifier(config.model, task, device)
            for layer in config.layers:
                scored, training = (
                    features_of(classifier, layer, split.inputs, config.pool) for split in (task.test, task.train)
                )
                labels = task.test.targets.cpu().numpy()
                rows += _rows(scored.numpy(), labels, training, config.noise, config.noise_shape, layer)
    except BadInput as mistake:  # of arrays: the option that brought them is to blame
        if mistake.argument.startswith("--"):
            raise
        option = "--features" if config.features is not None else "--layers"
        raise BadInput(option, f"{mistake.argument}: {mistake.got}", mistake.needed) from None
    table = pd.DataFrame(rows)
    result = Result(rows, table, text_of(table))
    options.say(repr(result))
    options.write(json_document(PROGRAM, config, rows))
    return result


def text_of(table: pd.DataFrame) -> str:
    """A table for each layer: a line for every bound, a column for every level of noise.

    Args:
        table: of `information`.
    """
    parts = []
    for layer, rows in table.groupby(table["layer"].fillna(""), sort=False):
        levels = list(rows["noise"].unique())
        cells = [["noise s", *(f"{level:g}" for level in levels)], [""] * (len(levels) + 1)]
        for quantity in (LABEL, GIVEN_LABEL, IMAGE):
            for name, bounds in rows[rows["quantity"] == quantity].groupby("estimator", sort=False):
                by_level = {row["noise"]: row for row in bounds.to_dict("records")}
                what = f"{quantity} {sign_of(bounds['direction'].iloc[0])} {label_of(str(name))}"
                cells.append([what, *(_shown(by_level[level]) for level in levels)])
        n, shape = int(rows["n"].max()), rows["noise_shape"].iloc[0]
        entropy = rows.loc[rows["quantity"] == LABEL, "cap"].max()
        head = f"{layer or 'features'}: {n:,} images, {shape} noise, H(Y) = {entropy:.2f} nats, log N = {np.log(n):.2f}"
        parts.append("\n".join([head, *ruled(cells)]))
    note = (
        "nats ± standard error over images, at fixed class counts; * saturated: too close to its cap to say much; "
        "† heavy-tailed: a few images decide it, and its error is too small. Every number is of features with noise."
    )
    return "\n\n".join([*parts, note])


def _shown(bound: Mapping[Any, Any]) -> str:
    marks = ("*" if bound["saturated"] else "") + ("†" if bound["heavy_tailed"] is True else "")
    return f"{bound['value']:.2f} ± {bound['standard_error']:.2f}{marks}"
