r"""What a representation keeps of an image and of its label, from both sides: ``python -m analysis.representations``.

A deterministic feature f(X) has infinite or constant information (Goldfeld et al. 2019, arXiv 1810.05728). What is
bounded is the code of a stated channel, :math:`T_s = f(X) + s \cdot N(0, \Sigma)`, Σ frozen from training images
(`analysis.bounds.channel`): what it says of the label, I(T;Y), of the image beyond the label, I(T;X|Y), and their sum,
I(T;X), each from below and above (`analysis.bounds.labelled`), at every level s of the noise.

Units of noise are not comparable between networks: two representations are compared at equal I(T;Y), s eliminated
(`analysis.representations.dominance`), in the *information plane* of I(T;X|Y) over I(T;Y). Without ``--model`` or
``--features``, classifiers are trained, or found trained, under each augmentation, and compared.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from torch import Tensor

from analysis.bounds.labelled import LABEL
from analysis.bounds.stretches import HERE, Workers
from analysis.representations.descriptive import linear_probe, spectrum_rows
from analysis.representations.dominance import Dominance, Measured, dominances
from analysis.representations.features import FEWEST, Features, Pool, read_features, tenth
from analysis.representations.figures import draw_epochs, draw_layers, draw_plane
from analysis.representations.networks import OTHERS, check_images, images_of, measured, run_of
from analysis.representations.profile import HEADLINES, profiles_of
from analysis.representations.section import SECTIONS
from analysis.representations.sentences import items_of, table_of, text_of, until_decided_of
from analysis.representations.views import shared
from classifiers.grid import Analysed, ModelGrid, analyse, grid_steps, of_model, trained_classifier, who
from figures import save
from findings import Result, publish
from findings.over_seeds import headlines
from findings.row import row
from store import BadInput, Run, digest_of, in_range, positive, read_record, slug
from store.command_line import json_document, refuse_beside
from tasks import Task, load, some_of
from training import use_threads
from training.clusters import check_address
from training.job import Job
from training.live import asked_from_python
from training.until import until_decided

__all__ = ["Config", "information", "look", "part", "run", "table_of", "text_of"]

PROGRAM = "python -m analysis.representations"

NOISE = (0.25, 0.354, 0.5, 0.707, 1.0, 1.41, 2.0, 2.83, 4.0, 5.66, 8.0, 11.3, 16.0)
"""The usual levels, in units of the channel, each about √2 of the one before."""

LEVELS = 1e-6, 1e6
"""Of the noise, the least and the most."""

Shape = Literal["isotropic", "per-dimension", "whitened"]

KEPT = (*HEADLINES, "infonce", "class_spliced_total")
"""Of a grid's networks, what its document says at every level of noise; the rest is in the record of each."""

KEYS = ("layer", "augmentation", "scored_on", "split", "epoch", "noise", "estimator")
"""What tells one number of a document from the others, but for seeds."""


@dataclass(frozen=True)
class Config(ModelGrid):
    """Bound what layers of classifiers, or features from a file, say of labels and images, over a profile of noise.

    Figures and tables of I(T;Y), I(T;X|Y) and I(T;X) from both sides, the sentences that they allow, and result.json
    come out, in OUT/representations-DATA; the classifiers stay in the store.
    """

    features: Path | None = None
    """instead of classifiers: an .npz with features (N, d) and labels (N,) of images not trained on, optionally
    training_features and training_labels, which scale the noise; without, every tenth image does, and the others are
    scored. Or an .npy of features"""
    labels: Path | None = None
    """an .npy of labels (N,), with features that are an .npy"""
    features_b: Path | None = None
    """with --features: those of another network, of the same images in the same order: what the two share is bounded
    too"""
    layers: tuple[str, ...] = ()
    """layers of the network by name, in:NAME for what the layer NAME takes (nothing: the first convolution, every stage
    and what the last linear layer takes)"""
    pool: Pool = "mean"
    """how maps become a row: the mean over positions, max, flatten; tokens (mean over tokens) or first of a
    transformer"""
    noise: tuple[float, ...] = NOISE
    """levels s of the noise, ascending"""
    noise_shape: Shape = "isotropic"
    """isotropic: the same in all directions, its sum of variances that of the features; per-dimension: each dimension's
    variance; whitened: the covariance of the features"""
    images: int | None = None
    """this many test images, the same ones every time (None: all), and as many training images"""
    checkpoints: bool = False
    """also measure the weights that trainings kept on the way"""
    ray: str | None = None
    """where images are compared with each other: local, auto (a running cluster of this machine), or HOST:PORT of a
    cluster's head (None: in this process); of more than 20,000 images, stretches of them are tasks"""
    workers: int | None = None
    """of --ray local (None: one for each core)"""
    smoke: bool = field(default=False, kw_only=True)
    """one seed, two epochs, at most 200 images, watermarked: shows that everything works, and nothing else"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images is not None:
            positive("--images", self.images)
        if self.features is not None:
            if self.model.model is not None:
                raise BadInput("--features", f"{self.features} and --model", "one of them")
            others = ("augmentations", "seeds", "until", "margin", "settings", "data", "layers", "pool", "checkpoints")
            refuse_beside(self, "--features", *others, "smoke")
        for option, value in (("--labels", self.labels), ("--features-b", self.features_b)):
            if value is not None and self.features is None:
                raise BadInput(option, value, "--features, to which it belongs")
        if self.ray is not None:
            check_address(self.ray)
        if self.workers is not None:
            positive("--workers", self.workers)
            if self.ray != "local":
                raise BadInput("--workers", f"{self.workers} without --ray local", "both, or neither")
        if self.checkpoints and self.model.model is not None and self.directory is None:
            raise BadInput("--checkpoints", f"with {self.model.model}", "a training run's directory, which keeps some")
        if len(set(self.layers)) != len(self.layers):
            raise BadInput("--layers", " ".join(self.layers), "different names")
        if not self.noise or list(self.noise) != sorted(set(self.noise)):
            raise BadInput("--noise", " ".join(map(str, self.noise)) or "nothing", "different numbers, ascending")
        for level in self.noise:  # without noise it is infinite
            in_range("--noise", level, *LEVELS)

    @property
    def directory(self) -> Path | None:
        """Of the training run that ``--model`` names, if it does."""
        return Path(self.model.model) if self.model.model and Path(self.model.model).is_dir() else None

    def smoked(self) -> Self:
        """The configuration as it is done: with ``--smoke``, one seed, two epochs and few levels of noise."""
        small = super().smoked()
        return replace(small, noise=small.noise[::4]) if self.smoke else small


def information(
    features: Tensor | np.ndarray,
    labels: Tensor | np.ndarray,
    training: Tensor | np.ndarray | None = None,
    training_labels: Tensor | np.ndarray | None = None,
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
        training_labels: (M,), by which the spliced bound's level is chosen; without, it is not spliced.
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
    more = (None if array is None else np.asarray(array) for array in (training, training_labels))
    given = Features(np.asarray(features), np.asarray(labels), *more)
    return pd.DataFrame(_rows(given, noise, noise_shape, layer))


def _rows(
    given: Features, noise: Sequence[float], noise_shape: Shape, layer: str | None = None, workers: Workers = HERE
) -> list[dict[str, Any]]:
    """Every bound of features at every level; of training images the headlines, where they have labels."""
    features, labels = given.features, given.labels
    if len(labels) != len(features):
        raise BadInput("labels", f"{len(labels)}", f"one for each of the {len(features)} images")
    if len(features) < FEWEST:
        raise BadInput("features", f"{len(features)} images", f"at least {FEWEST}")
    if given.training is None:
        if given.training_labels is not None:
            raise BadInput("training labels", "those of images without features", "training features, too")
        some, others = (numbers.numpy() for numbers in tenth(len(features)))
        given = Features(features[others], labels[others], features[some])
    found = profiles_of(given, noise, noise_shape, workers=workers)
    where = {"noise_shape": noise_shape, "layer": layer}
    if "training" not in found:
        return found["test"].rows(**where)
    return found["test"].rows(split="test", **where) + found["training"].rows(split="training", **where)


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Bound what representations keep; print as it goes, unless ``--json -`` claims standard output.

    Example:
        >>> from analysis import representations
        >>> representations.run(network, images, labels, layers=["stage4"])  # doctest: +SKIP
    """
    return _of_file(config) if config.features is not None else until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    config = config.smoked()
    options = config.execution
    task = load(config.data, download=not options.dry_run)
    check_images(config, task)
    with _workers(config) as workers:
        analysed = analyse(
            config,
            task,
            lambda subject: run_of(config, subject, task),
            lambda subject: measured(config, subject, task, workers),
            "measured",
            "layer measurement",
            OTHERS,
        )
    return Result([]) if analysed is None else _report(config, task, analysed)


@contextmanager
def _workers(config: Config) -> Iterator[Workers]:
    """Who compares images with each other: this process, or a cluster."""
    if config.ray is None or config.execution.dry_run:
        yield HERE
        return
    from analysis.bounds.on_ray import RayWorkers  # Ray is another package, and slow to import

    use_threads(config.execution.threads)
    with RayWorkers(config.ray, config.workers) as workers:
        yield workers


def part(config: Config, augmentation: str, seed: int) -> Run:
    """Measure one classifier of the grid, which has been trained, or is trained now."""
    config = config.smoked()
    return measured(config, *trained_classifier(config, augmentation, seed))


def _of_file(config: Config) -> Result:
    assert config.features is not None
    options = config.execution
    use_threads(options.threads)
    if options.dry_run:
        options.say(f"would bound {config.features}")
        return Result([])
    given = read_features(config.features, config.labels, config.images)
    other = None if config.features_b is None else _of_the_same(config, given)
    try:
        with _workers(config) as workers:
            rows = _rows(given, config.noise, config.noise_shape, workers=workers)
        rows += [*spectrum_rows(given.features, given.labels), linear_probe(given.features, given.labels).row()]
        if other is not None:
            views = (given.features, other.features, given.training, other.training)
            rows += shared(*views, noise=config.noise, noise_shape=config.noise_shape)
    except BadInput as mistake:  # of arrays: the option that brought them is to blame
        if mistake.argument.startswith("--"):
            raise
        raise BadInput("--features", f"{mistake.argument}: {mistake.got}", mistake.needed) from None
    name = slug(config.features.stem)
    title = f"What {name} keeps"
    if config.features_b is not None:
        title += f" (A), and what it shares with {slug(config.features_b.stem)} (B)"
    about: dict[str, Any] = {"title": title + _manner(config), "data": name, "settings": {}, "watermark": None}
    return _published(config, rows, about, f"features-{name}", [], [], {})


def _of_the_same(config: Config, given: Features) -> Features:
    """Other features of the same images.

    Raises:
        BadInput: blaming ``--features-b``, as `read_features`, or for other images.
    """
    assert config.features_b is not None
    try:
        other = read_features(config.features_b, config.labels, config.images)
    except BadInput as mistake:
        blamed = "--features-b" if mistake.argument == "--features" else mistake.argument
        raise BadInput(blamed, mistake.got, mistake.needed) from None
    needed = f"features of the {len(given.labels):,} images of {config.features}, in the same order"
    if len(other.labels) != len(given.labels):
        raise BadInput("--features-b", f"{config.features_b} with {len(other.labels):,} images", needed)
    if (other.labels != given.labels).any():
        raise BadInput("--features-b", f"{config.features_b}, whose labels are others", needed)
    return other


def _report(config: Config, task: Task, analysed: Analysed) -> Result:
    rows = []
    for (augmentation, seed), run in analysed.runs.items():
        where = {"augmentation": augmentation, "seed": seed}
        rows += [one | where for one in run.result()["rows"]]
        trained = analysed.trained.get((augmentation, seed))
        directory = trained.path if trained is not None else config.directory
        rows += [] if directory is None else _training_losses(directory, where)
    n = len(some_of(task.test, images_of(config, task)))
    title = f"What layers keep on {task.name}: {who(config)}, {n:,} test {task.items}{_manner(config)}"
    watermark = "SMOKE RUN" if config.smoke else None
    items = {} if task.items == "images" else {"items": task.items}
    about = {"title": title, "data": task.name, "settings": analysed.settings() | items, "watermark": watermark}
    found = _dominances(config, analysed, rows)
    kind = "-epochs" if config.checkpoints else ""
    folder = f"representations-{slug(task.name.lower())}{kind}{of_model(config)}"
    more = {"dominance": [one.as_json() for one in found]}
    return _published(config, rows, about, folder, analysed.failures, analysed.evidence(), more)


def _manner(config: Config) -> str:
    """The end of a title: the shape of the noise, where it is not the usual one, and whether epochs are looked at."""
    return ("" if config.noise_shape == "isotropic" else f", {config.noise_shape} noise") + (
        ", over the epochs" if config.checkpoints else ""
    )


def _training_losses(trained: Path, where: dict[str, Any]) -> list[dict[str, Any]]:
    """The cross entropy of training images over the epochs of a training run, by which epochs are compared."""
    return [
        row(
            "cross entropy of training images",
            "training_loss",
            point["training_cross_entropy"],
            units="nats",
            inputs="clean",
            epoch=point["epoch"],
            **where,
        )
        for point in read_record(trained / "result.json").get("curve") or ()
    ]


def _dominances(config: Config, analysed: Analysed, rows: Sequence[dict[str, Any]]) -> list[Dominance]:
    """Every ordered pair of augmentations, from what each image says of the bounds of their networks."""
    of_layers: dict[str, dict[str, list[tuple[np.ndarray, np.ndarray]]]] = {}
    seeds = Counter(augmentation for augmentation, _ in analysed.runs)
    for (augmentation, _), run in analysed.runs.items():
        if seeds[augmentation] < min(2, max(seeds.values())):
            continue  # what is left of one that has lost its other seeds is no replicate beside others
        layers = run.identity["config"]["layers"]
        path = run.path / "scores.npz"
        if not path.is_file() or digest_of(path) != run.result()["files"][path.name]:
            raise BadInput(str(path), "another file than its run wrote", "that file; --force makes it again")
        with np.load(path) as kept:
            for layer, training, scores in zip(layers, kept["training"], kept["scores"], strict=True):
                of_layers.setdefault(layer, {}).setdefault(augmentation, []).append((training, scores))
    if len(analysed.runs) < 2:
        return []
    entropy = next(one["cap"] for one in rows if one["quantity"] == LABEL)
    networks: dict[str | None, dict[str, Measured]] = {
        layer: {
            name: Measured(np.mean([one for one, _ in seeds], 0), np.stack([one for _, one in seeds]))
            for name, seeds in by_name.items()
        }
        for layer, by_name in of_layers.items()
    }
    return dominances(networks, config.noise, entropy, None if config.until is None else config.most)


def _is_kept(one: dict[str, Any]) -> bool:
    """Whether a row of a network goes into the document of a grid, which would be of many megabytes with all of them.

    Earlier epochs are in their figure's numbers.
    """
    return one["noise"] is None or (one["estimator"] in KEPT and one.get("epoch") is None)


def _published(
    config: Config,
    rows: list[dict[str, Any]],
    about: dict[str, Any],
    folder: str,
    failures: list[str],
    runs: list[dict[str, Any]],
    more: dict[str, Any],
) -> Result:
    """The document: over seeds where there are seeds, with the plane and what else the rows show."""
    networks = pd.DataFrame(rows)
    if "augmentation" in networks and networks["augmentation"].notna().any():
        rows = headlines([dict.fromkeys(KEYS) | one for one in rows if _is_kept(one)], KEYS)
    document = json_document(PROGRAM, config, rows) | {"about": about, "runs": runs, "failures": failures} | more
    text, about["conclusions"] = text_of(document)
    kind = "" if config.noise_shape == "isotropic" else f"-{config.noise_shape}"
    directory = config.execution.out / f"{folder}{kind}"
    files = []
    title, items = about["title"], items_of(document)
    pictures = {
        "plane": draw_plane(networks, title),
        "layers": draw_layers(networks, title, items),
        "epochs": draw_epochs(networks, title, items),
    }
    for name, drawn in pictures.items():
        if drawn is not None:
            files += save(drawn[0], directory / name, drawn[1], watermark=about["watermark"])
    result = Result(rows, pd.DataFrame(rows), text, files, failures, until_decided_of(document))
    return publish(result, PROGRAM, config, directory, about, runs, more)


JOB = Job(PROGRAM, lambda config, _: grid_steps(config, "representations", OTHERS), SECTIONS)
