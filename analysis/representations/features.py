"""Features of images: from a file, or of a classifier's layers."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from analysis.bounds.encoded import shuffled
from classifiers.load import Classifier, in_batches
from store import BadInput
from tasks.arrays import Member, open_archive

__all__ = ["FEWEST", "Features", "Pool", "features_of", "read_features", "tenth"]

FEWEST = 20
"""Images of which anything can be said."""

INPUT = "in:"
"""Before the name of a layer: what it takes, and not what it gives."""

SLAB = 2**23
"""Bytes of a file that are read at once."""

Pool = Literal["mean", "max", "tokens", "first", "flatten"]
"""How what a layer gives of an image becomes a row. An output (B, C) is taken as it is.

- ``mean`` and ``max``: channels are axis 1, over whose positions, all later axes, it is taken: the maps (B, C, H, W) of
  a convolution, in one dimension (B, C, L);
- ``tokens``: channels are the last axis, and the mean is over all between it and the first: the tokens (B, T, C) of a
  transformer, maps (B, H, W, C) of one with windows;
- ``first``: token 0 of (B, T, C), the class token where there is one;
- ``flatten``: all of it.

Nothing in its shape tells (B, C, L) from (B, T, C): under ``mean`` a transformer's channels would be averaged, and its
tokens kept. So it is said, not guessed.
"""

PAIRS = ("features", "labels"), ("training_features", "training_labels")
"""Arrays of a file, those of the same images together; the first two have to be there."""

NEEDED = "an .npz with features (N, d) and labels (N,), optionally training_features (M, d) and training_labels (M,)"


@dataclass(frozen=True)
class Features:
    """Features of images and their labels.

    Args:
        features: (N, d) float64, of images that were not trained on.
        labels: (N,) integers.
        training: (M, d) float64, of training images; None without.
        training_labels: (M,) integers; None without.
    """

    features: np.ndarray
    labels: np.ndarray
    training: np.ndarray | None = None
    training_labels: np.ndarray | None = None


@dataclass(frozen=True)
class _Source:
    """An array of a file, of which only the header has been read.

    Args:
        argument: the option that names the file.
        path: of the file.
        name: of the array.
        array: in an archive, or mapped.
    """

    argument: str
    path: Path
    name: str
    array: Member | np.ndarray

    @property
    def count(self) -> int:
        """Rows."""
        return self.array.shape[0]

    def check(self) -> None:
        """Refuse an array of another shape or type.

        Raises:
            BadInput: one line.
        """
        of_labels = self.name.endswith("labels")
        needed = "integers (N,)" if of_labels else "real numbers (N, d)"
        shape, dtype = self.array.shape, self.array.dtype
        if dtype.kind not in ("iub" if of_labels else "fiu"):
            raise BadInput(self.argument, f"{self.path} with {self.name} of type {dtype}", needed)
        if len(shape) != (1 if of_labels else 2) or 0 in shape:
            raise BadInput(self.argument, f"{self.path} with {self.name} of shape {shape}", needed)

    def rows(self, chosen: np.ndarray) -> np.ndarray:
        """Some rows, features as float64; chosen are their numbers, ascending.

        Raises:
            BadInput: NaN or infinities among them.
        """
        kept = self.array.dtype if self.name.endswith("labels") else np.dtype(np.float64)
        rows = np.empty((len(chosen), *self.array.shape[1:]), kept)
        with np.errstate(over="ignore"):  # of wider types than float64, refused below
            for start, block in self._blocks():
                first, last = np.searchsorted(chosen, (start, start + len(block)))
                rows[first:last] = block[chosen[first:last] - start]
        if bad := int(rows.size - np.isfinite(rows).sum()):
            got = f"{self.path} with {bad:,} NaN or infinite values in {self.name}"
            raise BadInput(self.argument, got, "finite numbers")
        return rows

    def _blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """The number of a row, and the rows from it on, one slab after the other."""
        array = self.array
        if isinstance(array, Member) and array.fortran:
            array = array.read()
        count, width = self.count, math.prod(array.shape[1:])
        at_once = max(SLAB // (width * array.dtype.itemsize), 1)
        if isinstance(array, np.ndarray):
            for start in range(0, count, at_once):
                yield start, array[start : start + at_once]
            return
        with array.open() as stream:
            for start in range(0, count, at_once):
                size = min(at_once, count - start)
                raw = stream.read(size * width * array.dtype.itemsize)
                yield start, np.frombuffer(raw, array.dtype).reshape(size, *array.shape[1:])


def read_features(path: Path, labels_path: Path | None = None, images: int | None = None) -> Features:
    """Features and labels from a file; a fault of it is one line.

    Only the rows that are used become float64; of the others no more than a slab is in memory at a time.

    Args:
        path: an ``.npz`` with ``features`` (N, d) and ``labels`` (N,), optionally ``training_features`` (M, d) and
            ``training_labels`` (M,); or an ``.npy`` of features.
        labels_path: an ``.npy`` of labels: of an ``.npy`` of features, or of an ``.npz`` that has none.
        images: take so many, at random, the same ones every time and in the file's order, and of training images so
            many at most; all for None.

    Raises:
        BadInput: blaming ``--features``, ``--labels`` or ``--images``: no such file, another kind of file, arrays of
            other shapes or types, NaN or infinities, fewer than 20 images, images of one class, features that are the
            same for all of them, labels that are not as many, or fewer images than asked for.
    """
    with _sources(path, labels_path) as sources:
        for source in sources.values():
            source.check()
        shapes = [sources[name].array.shape for name in ("features", "training_features") if name in sources]
        if len({shape[1] for shape in shapes}) > 1:
            got = f"{path} with training_features in {shapes[1][1]} dimensions"
            raise BadInput("--features", got, f"the {shapes[0][1]} of the features")
        read: dict[str, np.ndarray] = {}
        for names in PAIRS:
            together = [sources[name] for name in names if name in sources]
            for source in together[1:]:
                if source.count != together[0].count:
                    got = f"{source.path} with {source.count:,} {source.name.replace('_', ' ')}"
                    raise BadInput(source.argument, got, f"one for each of the {together[0].count:,} images")
            for source in together:
                read[source.name] = source.rows(_chosen(source, images))
    for name in ("features", "training_features"):
        if name in read and not (read[name] != read[name][0]).any():
            raise BadInput("--features", f"{path} with {name} that are the same for all images", "features that vary")
    if not (read["labels"] != read["labels"][0]).any():
        blamed = sources["labels"]
        raise BadInput(blamed.argument, f"{blamed.path} with one class, {read['labels'][0]}", "two classes or more")
    return Features(read["features"], read["labels"], read.get("training_features"), read.get("training_labels"))


@contextmanager
def _sources(path: Path, labels_path: Path | None) -> Iterator[dict[str, _Source]]:
    """The arrays of the files by name, not yet read; features and labels are among them.

    Raises:
        BadInput: they are not, or in both files, or not to be read.
    """
    of_labels = {} if labels_path is None else {"labels": _mapped("--labels", labels_path, "labels")}
    if path.suffix == ".npy":
        if not of_labels:
            raise BadInput("--labels", "nothing", f"an .npy of the labels (N,) of {path}")
        yield {"features": _mapped("--features", path, "features"), **of_labels}
        return
    if path.suffix != ".npz":
        raise BadInput("--features", path, f"{NEEDED}; or an .npy of features, with --labels")
    with open_archive("--features", path, (*PAIRS[0], *PAIRS[1]), NEEDED) as members:
        if of_labels and "labels" in members:
            raise BadInput("--labels", labels_path, f"the labels in {path} or these, not both")
        sources = {name: _Source("--features", path, name, member) for name, member in members.items()} | of_labels
        for name in PAIRS[0]:
            if name not in sources:
                raise BadInput("--features", f"{path} without {name}", NEEDED)
        yield sources


def _mapped(argument: str, path: Path, name: str) -> _Source:
    """The array of an ``.npy``, not yet read.

    Raises:
        BadInput: blaming ``argument``: no such file, or none of an array of numbers.
    """
    if not path.is_file():
        raise BadInput(argument, f"{path}, where there is no file", f"an .npy of {name}")
    try:
        return _Source(argument, path, name, np.lib.format.open_memmap(path, mode="r"))
    except Exception as problem:  # NumPy raises half a dozen types for damaged headers
        reason = " ".join(str(problem).split())[:100]
        raise BadInput(argument, f"{path}, which cannot be read ({reason})", f"an .npy of {name}") from None


def _chosen(source: _Source, images: int | None) -> np.ndarray:
    """The numbers of the rows that are used, ascending, as `tasks.some_of` chooses them.

    Raises:
        BadInput: there are not so many images, or too few.
    """
    training = source.name in PAIRS[1]
    if not training and images is not None and not FEWEST <= images <= source.count:
        raise BadInput("--images", images, f"from {FEWEST} to the {source.count:,} images that {source.path} has")
    if not training and source.count < FEWEST:
        raise BadInput(source.argument, f"{source.path} with {source.count} images", f"at least {FEWEST}")
    return shuffled(source.count)[:images].sort().values.numpy()


def tenth(n: int) -> tuple[Tensor, Tensor]:
    """The numbers of a tenth of n images, at least two, to scale the noise by, and of the others, which are scored.

    Both are in a fixed random order.
    """
    count = max(2, n // 10)
    return shuffled(n).split([count, n - count])[:2]


@torch.no_grad()
def features_of(
    classifier: Classifier, layers: Sequence[str], images: Tensor, pool: Pool = "mean"
) -> dict[str, Tensor]:
    """What layers give of images, each (N, d) float32 on the CPU, as the classifier computes it, in one pass.

    Args:
        classifier: in evaluation mode.
        layers: their names in the network; ``in:NAME`` is what the layer NAME takes, its first argument.
        images: (N, C, H, W) uint8, or pixels in [0, 1], or other items, on the classifier's device.
        pool: of outputs with more axes than (B, d).

    Raises:
        BadInput: no such layer, one that is not used once, whose output is no tensor of a row an image, or one of
            which there is no such pool.
    """
    found: dict[str, Tensor] = {}
    seen: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    modules = {layer: classifier.layer(layer.removeprefix(INPUT)) for layer in seen}

    def watch(layer: str, module: nn.Module) -> RemovableHandle:
        # a later layer may overwrite the output in place: what is kept is a copy
        def note(output: object) -> None:
            seen[layer].append(_pooled(output, layer, pool, len(batch)).to("cpu", torch.float32, copy=True))

        if layer.startswith(INPUT):
            return module.register_forward_pre_hook(lambda _, inputs: note(inputs[0] if inputs else inputs))
        return module.register_forward_hook(lambda _, inputs, output: note(output))

    handles = [watch(layer, module) for layer, module in modules.items()]
    try:
        start = 0
        for batch in in_batches(images):
            classifier(classifier.values(batch))
            for layer, outputs in seen.items():
                if len(outputs) != 1:
                    raise BadInput("--layers", f"{layer}, used {len(outputs)} times", "a layer that is used once")
                rows = outputs.pop()
                if layer not in found:
                    found[layer] = torch.empty(len(images), rows.shape[1])
                found[layer][start : start + len(rows)] = rows
            start += len(batch)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _pooled(output: object, layer: str, pool: Pool, count: int) -> Tensor:
    """(B, d) of a layer's output for a batch of ``count`` images.

    Raises:
        BadInput: it is no tensor with a row an image, or has too few axes for the pool, or too many.
    """
    if not isinstance(output, Tensor) or output.ndim < 2 or len(output) != count or output.is_complex():
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise BadInput("--layers", f"{layer}, which gives {shape}", "a layer with a tensor (B, d) or maps")
    if not output.is_floating_point():
        output = output.float()
    if output.ndim == 2:
        return output
    if pool == "mean":
        return output.flatten(2).mean(2)
    if pool == "max":
        return output.flatten(2).amax(2)
    if pool == "tokens":
        return output.flatten(1, -2).mean(1)
    if pool == "first":
        if output.ndim != 3:
            raise BadInput("--pool", f"first of {layer}, whose output is {tuple(output.shape)}", "tokens (B, T, C)")
        return output[:, 0]
    return output.flatten(1)
