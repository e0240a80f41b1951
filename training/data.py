"""Data sets, whole, as uint8 tensors.

A data set is named by a word: ``digits`` (8×8, inside scikit-learn), a data set of torchvision's (`TORCHVISION`,
downloaded where a network is there), ``folder:PATH`` or ``npz:PATH``; or a function that loads it is, by
``package.module:NAME``, ``FILE.py:NAME`` or an entry point of the group ``mixinfo.tasks``. The function has no
arguments, or ``root`` and ``download``, and returns

- an `ImageData`, which keeps its own name;
- or the four arrays of an ``npz:PATH``, NumPy's or torch's, as a mapping of these names or a tuple in this order:
  train_images, train_labels, test_images, test_labels; images N×H×W×C uint8 with C 1 or 3. NAME is its name.

Whatever its source, it becomes an `ImageData` that lives on the device as uint8; batches are indexed there, and no
worker process is involved.

Parts of a data set are the same ones every time: a fraction is stratified and holds every smaller fraction; the
validation tenths of cross-validation are stratified and disjoint.
"""

import gzip
import hashlib
import inspect
import math
import os
import sys
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from store.places import given
from store.registry import Registry, called
from training.arrays import open_archive, read_images

__all__ = ["TORCHVISION", "DataOptions", "ImageData", "load", "some_test_images"]

TORCHVISION = {
    "mnist": ("MNIST", "MNIST"),
    "fashion-mnist": ("FashionMNIST", "Fashion-MNIST"),
    "kmnist": ("KMNIST", "KMNIST"),
    "cifar10": ("CIFAR10", "CIFAR-10"),
    "cifar100": ("CIFAR100", "CIFAR-100"),
    "svhn": ("SVHN", "SVHN"),
    "stl10": ("STL10", "STL-10"),
}
"""Our word, torchvision's class, and the name that tables print."""

TASKS = Registry(
    "data set", "mixinfo.tasks", {word: word for word in ("digits", *TORCHVISION)}, forms=("folder:PATH", "npz:PATH")
)

NOT_MIRRORED = ("digits", "mnist", "kmnist", "svhn")
"""Words of data sets of digits and characters, whose mirror images are none or others."""

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the IDX files."""


TENTHS = 10
"""Parts of a training set of which cross-validation holds out one, the paper's 10%."""


@dataclass(frozen=True)
class DataOptions:
    """Which images."""

    data: str = "digits"
    """digits, mnist, fashion-mnist, kmnist, cifar10, cifar100, svhn, stl10, folder:PATH (PATH/train/CLASS/*.png and
    PATH/test/CLASS/*.png), npz:PATH (train_images, train_labels, test_images, test_labels; N×H×W×C uint8; labels are
    class indices, or N×K rows of soft or multiple labels), or package.module:NAME or FILE.py:NAME, a function that
    returns these four arrays or an ImageData"""
    data_name: str | None = None
    """the data set's name in tables, for example "CIFAR-10 (JPEG)" (None: its usual name)"""
    data_root: Path = Path("data")
    """where torchvision keeps its downloads"""
    train_images: int | None = None
    """train on this many images, the same ones every time (None: all)"""
    fraction: float = 1.0
    """train on this share of every class; a larger fraction holds all images of a smaller one"""
    folds: int | None = None
    """cross-validation: hold out a tenth of the training images and score on it, leaving the test images alone; up to
    10 disjoint tenths (None: score on the test images)"""
    fold: int | None = None
    """which tenth is held out, from 1 to FOLDS"""

    def __post_init__(self) -> None:
        given("--data-root", self.data_root)
        if self.train_images is not None and self.train_images < 2:
            raise BadInput("--train-images", self.train_images, "an integer of at least 2")
        if not 0 < self.fraction <= 1:
            raise BadInput("--fraction", self.fraction, "a number above 0 and at most 1")
        if self.folds is not None and not 2 <= self.folds <= TENTHS:
            raise BadInput("--folds", self.folds, f"an integer from 2 to {TENTHS}")
        if (self.fold is None) != (self.folds is None):
            raise BadInput("--fold", self.fold, "--folds and --fold together, or neither")
        if self.folds is not None and self.fold is not None and not 1 <= self.fold <= self.folds:
            raise BadInput("--fold", self.fold, f"an integer from 1 to {self.folds}")


@dataclass(frozen=True)
class ImageData:
    """A data set with its test split.

    Args:
        name: as tables print it.
        train_images: (N, C, H, W) uint8.
        train_labels: (N,) int64 class indices, or (N, K) float32 rows: soft (human, say) or multiple labels.
        test_images: (M, C, H, W) uint8.
        test_labels: (M,) or (M, K), likewise.
        digest: SHA-256 of the content of all four; identifies the data in a run's identity.
        scored: which images the test split holds: ``"test"``, or a validation fold.
        mirrored: whether an image's mirror image is one of the same class, so that training may flip it. A fact of the
            data set, which the name that tables print does not change.
        known_classes: how many there are at least, where not every class has an image.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    digest: str = ""
    scored: str = "test"
    mirrored: bool = True
    known_classes: int = 0

    def __post_init__(self) -> None:
        if not self.digest:
            sha = hashlib.sha256()
            for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
                sha.update(str((tuple(array.shape), array.dtype)).encode())
                sha.update(array.contiguous().numpy().data)
            object.__setattr__(self, "digest", sha.hexdigest())

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.shape))
        counts = f"{len(self.train_images):,} training and {len(self.test_images):,} test images"
        return f"{self.name}: {counts}, {shape}, {self.classes} classes"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return tuple(self.train_images.shape[1:])  # type: ignore[return-value]

    @property
    def classes(self) -> int:
        """Number of classes: one more than the largest index, or the columns of the rows."""
        labels = (self.train_labels, self.test_labels)
        found = (each.shape[1] if each.ndim == 2 else int(each.max()) + 1 for each in labels)
        return max(self.known_classes, *found)

    @property
    def identity(self) -> dict[str, str]:
        """Name and content, as a run's identity carries them."""
        scored = {} if self.scored == "test" else {"scored": self.scored}
        return {"name": self.name, "sha256": self.digest} | scored

    def train_on(self, chosen: Tensor) -> "ImageData":
        """The same data with the training images of these indices only."""
        return replace(self, train_images=self.train_images[chosen], train_labels=self.train_labels[chosen], digest="")

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation per channel, (C,) each, of the training pixels in [0, 1].

        Computed from a histogram: exact, and no float copy of the data set. A channel that is the same everywhere has
        no spread to divide by: its standard deviation is given as 1, so that it becomes 0.
        """
        levels = torch.arange(256, dtype=torch.float64) / 255
        counts = torch.zeros(self.shape[0], 256, dtype=torch.float64)
        for some in self.train_images.split(max(2**25 // math.prod(self.shape), 1)):
            channels = some.transpose(0, 1).flatten(1).cpu()
            counts += torch.stack([torch.bincount(channel, minlength=256) for channel in channels])
        counts /= counts.sum(1, keepdim=True)
        mean = counts @ levels
        constant = counts.count_nonzero(1) == 1
        std = torch.where(constant, 1.0, (counts @ levels.square() - mean.square()).sqrt())
        return mean.float(), std.float()

    def to(self, device: torch.device) -> "ImageData":
        """The same data on ``device``."""
        arrays = ("train_images", "train_labels", "test_images", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in arrays})


def load(options: DataOptions, *, download: bool = True) -> ImageData:
    """Load the data set that ``options`` names, on the CPU; download it if it is not there and may be.

    Raises:
        BadInput: an unknown name, a missing or unsuitable file, or a download that failed.
    """
    word, _, path = options.data.partition(":")
    if word == "digits":
        data = _digits()
    elif word == "npz" and path:
        data = _npz(Path(path))
    elif word == "folder" and path:
        data = _folder(Path(path))
    elif word == "fashion-mnist" and DEBIAN_FASHION_MNIST.is_dir():
        data = read_idx(DEBIAN_FASHION_MNIST, "Fashion-MNIST")
    elif options.data in TORCHVISION:
        data = _torchvision(options.data, options.data_root, download)
    else:
        data = _theirs(options, download)
    data = replace(data, mirrored=data.mirrored and options.data not in NOT_MIRRORED)
    if (
        not data.known_classes
        and data.train_labels.ndim == 1
        and (missing := data.classes - len(data.train_labels.unique()))
    ):
        print(f"{options.data}: {missing} of {data.classes} classes have no training image", file=sys.stderr)
    if options.data_name:
        data = replace(data, name=options.data_name)
    if options.fold is not None:
        data = _fold(data, options.fold, options.folds)
    if options.fraction < 1:
        data = data.train_on(_stratified(data.train_labels, 0, options.fraction))
    if options.train_images is not None:
        if options.train_images > len(data.train_images):
            raise BadInput("--train-images", options.train_images, f"at most the {len(data.train_images)} there are")
        chosen = torch.randperm(len(data.train_images), generator=torch.Generator().manual_seed(0))
        data = data.train_on(chosen[: options.train_images])
    return data


def some_test_images(data: ImageData, count: int | None, argument: str = "--images") -> Tensor:
    """Indices of ``count`` test images, the same ones every time, in the data's order; of all for None.

    Raises:
        BadInput: there are not so many, or an image has no one class.
    """
    if data.test_labels.ndim != 1:
        raise BadInput("--data", "rows of labels", "one class an image")
    everything = torch.arange(len(data.test_images))
    if count is None:
        return everything
    if count > len(everything):
        raise BadInput(argument, count, f"at most the {len(everything)} there are")
    return torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))[:count].sort().values


def _stratified(labels: Tensor, start: float, stop: float) -> Tensor:
    """Indices of the images between two shares of every class, each class in an order that is always the same.

    Rows count for their largest class. Disjoint intervals give disjoint sets; a class too small for its share from 0
    gives one image.
    """
    classes = labels.argmax(1) if labels.ndim == 2 else labels
    order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))
    chosen = []
    for number in classes.unique():
        own = order[classes[order] == number]
        first, last = round(start * len(own)), round(stop * len(own))
        chosen.append(own[first : max(last, 1) if start == 0 else last])
    return torch.cat(chosen).sort().values


def _fold(data: ImageData, fold: int, folds: int | None) -> ImageData:
    held_out = _stratified(data.train_labels, (fold - 1) / TENTHS, fold / TENTHS)
    if len(held_out) in (0, len(data.train_labels)):
        raise BadInput("--folds", folds, f"more than the {len(data.train_labels)} training images there are")
    rest = torch.ones(len(data.train_labels), dtype=torch.bool)
    rest[held_out] = False
    return replace(
        data.train_on(rest),
        test_images=data.train_images[held_out],
        test_labels=data.train_labels[held_out],
        digest="",
        scored=f"validation fold {fold} of {folds}",
    )


def _digits() -> ImageData:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    train, test = train_test_split(np.arange(len(images)), test_size=360, stratify=labels, random_state=0)
    return _from_arrays("digits", images[train], labels[train], images[test], labels[test])


def _from_arrays(name: str, train_images, train_labels, test_images, test_labels) -> ImageData:  # type: ignore[no-untyped-def]
    """From arrays N×H×W×C."""
    _one_kind(np.asarray(train_labels), np.asarray(test_labels))

    def images(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array.transpose(0, 3, 1, 2).copy())

    return ImageData(name, images(train_images), _as_labels(train_labels), images(test_images), _as_labels(test_labels))


def _as_labels(array: np.ndarray) -> Tensor:
    """Rows as float32, indices as int64."""
    return torch.from_numpy(np.asarray(array).astype(np.float32 if np.ndim(array) == 2 else np.int64))


KEYS = ("train_images", "train_labels", "test_images", "test_labels")
"""Arrays of a data set."""


def _theirs(options: DataOptions, download: bool) -> ImageData:
    """What a function of somebody else's loads, as an `ImageData` whose digest is of the content."""
    name, needed = options.data, f"a function that returns an ImageData or {', '.join(KEYS)}"
    function = TASKS.get(name, "--data")
    if isinstance(function, ImageData):
        return function
    if not callable(function):
        raise BadInput("--data", f"{name}, a {type(function).__name__}", needed)

    def make() -> object:  # it takes what it has parameters for
        known = inspect.signature(function).parameters
        offered = (("root", options.data_root), ("download", download))
        return function(**{key: value for key, value in offered if key in known})

    found = called(make, name, "--data", needed)
    if isinstance(found, ImageData):
        return _checked(found, name)
    if isinstance(found, tuple | list) and len(found) == len(KEYS):
        found = dict(zip(KEYS, found, strict=True))
    if not isinstance(found, Mapping):
        raise BadInput("--data", f"{name}, which returns a {type(found).__name__}", needed)
    held = {key: found[key] for key in KEYS if key in found}
    arrays = called(lambda: {key: _array(held[key]) for key in held}, name, "--data", needed)
    _check_arrays(arrays, name, needed)
    train, test = (_labels(arrays[key], key) for key in ("train_labels", "test_labels"))
    return _from_arrays(name.rpartition(":")[2], arrays["train_images"], train, arrays["test_images"], test)


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _checked(data: ImageData, name: str) -> ImageData:
    """An `ImageData` of somebody else's, with labels as ours have them and a digest of its content.

    Raises:
        BadInput: what is no data set of images in uint8, or its labels are none.
    """
    parts = []
    for part in ("train", "test"):
        images, labels = (getattr(data, f"{part}_{kind}") for kind in ("images", "labels"))
        for kind, value in (("images", images), ("labels", labels)):
            if not isinstance(value, Tensor):
                raise BadInput("--data", f"{name}, {part}_{kind} of type {type(value).__name__}", "a torch.Tensor")
        if images.dtype != torch.uint8 or images.ndim != 4 or not images.numel():
            got = f"{name}, {part}_images {tuple(images.shape)} {images.dtype}"
            raise BadInput("--data", got, "N×C×H×W torch.uint8 in an ImageData, of at least one image")
        if labels.shape[:1] != images.shape[:1] or labels.ndim not in (1, 2):
            got = f"{name}, {part}_labels {tuple(labels.shape)}"
            raise BadInput("--data", got, f"one label or row for each of {len(images)} images")
        parts += [images.cpu(), _labels(labels.cpu().numpy(), f"{part}_labels")]
    if parts[0].shape[1:] != parts[2].shape[1:]:
        words = " and of ".join("×".join(map(str, each.shape[1:])) for each in (parts[0], parts[2]))
        raise BadInput("--data", f"{name}, training and test images of {words}", "images of one shape")
    _one_kind(parts[1], parts[3])
    return ImageData(
        str(data.name), parts[0], _as_labels(parts[1]), parts[2], _as_labels(parts[3]), mirrored=bool(data.mirrored)
    )


def _npz(path: Path) -> ImageData:
    needed = f"an .npz with arrays {', '.join(KEYS)}"
    with open_archive("--data", path, KEYS, needed) as members:
        _check_arrays(members, str(path), needed)
        train, test = (_labels(members[key].read(), key) for key in ("train_labels", "test_labels"))
        _one_kind(train, test)
        return ImageData(
            path.stem,
            read_images(members["train_images"]),
            _as_labels(train),
            read_images(members["test_images"]),
            _as_labels(test),
        )


def _check_arrays(members: Mapping[str, Any], name: str, needed: str) -> None:
    """Refuse arrays that are missing, of another type, or of shapes that do not fit each other."""
    if missing := [key for key in KEYS if key not in members]:
        raise BadInput("--data", f"{name} without {', '.join(missing)}", needed)
    for part in ("train", "test"):
        images, labels = members[f"{part}_images"], members[f"{part}_labels"]
        if len(images.shape) != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
            raise BadInput("--data", f"{part}_images {images.shape} {images.dtype}", "N×H×W×C uint8 with C 1 or 3")
        if not math.prod(images.shape):
            raise BadInput("--data", f"{part}_images {images.shape}", "at least one image, of at least one pixel")
        if labels.shape[:1] != images.shape[:1] or len(labels.shape) > 2:
            raise BadInput(
                "--data", f"{part}_labels {labels.shape}", f"one label or row for each of {images.shape[0]} images"
            )
    shapes = [members[key].shape[1:] for key in ("train_images", "test_images")]
    if shapes[0] != shapes[1]:
        words = " and of ".join("×".join(map(str, shape)) for shape in shapes)
        raise BadInput("--data", f"training and test images of {words}", "images of one shape")


MOST_CLASSES = 100_000
"""More, and a label is no class."""


def _labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Class indices (N,), or rows (N, K), as they are; a column of indices (N, 1) is taken as indices.

    Raises:
        BadInput: anything else, blaming ``name``: complex or infinite numbers, fractions, rows of nothing.
    """
    needed = "class indices from 0, or rows N×K of numbers from 0"
    if labels.dtype.kind not in "biuf" or not np.isfinite(labels).all() or not (labels >= 0).all():
        raise BadInput("--data", f"{name} with negative, infinite or non-numeric values", needed)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 1:
        if labels.max() >= MOST_CLASSES:
            raise BadInput("--data", f"{name} up to {labels.max():g}", f"classes from 0 to {MOST_CLASSES - 1:,}")
        if not (labels == labels.astype(np.int64)).all():
            raise BadInput("--data", f"{name} with fractions", needed)
        return labels
    if not labels.shape[1] or not labels.any(1).all():
        raise BadInput("--data", f"{name} with rows of nothing", "rows N×K with something in each")
    return labels


def _one_kind(train: np.ndarray, test: np.ndarray) -> None:
    """Refuse training and test labels that are not of the same classes, as far as their shapes tell."""
    kinds = [labels.shape[1] if labels.ndim == 2 else None for labels in (train, test)]
    if kinds[0] is not None and kinds[1] is not None and kinds[0] != kinds[1]:
        raise BadInput("--data", f"label rows of {kinds[0]} and {kinds[1]} columns", "the same number")
    for width, other in ((kinds[0], test), (kinds[1], train)):
        if width is not None and other.ndim == 1 and other.max() >= width:
            raise BadInput("--data", f"rows of {width} labels beside indices up to {other.max()}", "the same classes")


def _folder(path: Path) -> ImageData:
    arrays = []
    classes: list[list[str]] = []
    for part in ("train", "test"):
        if not (path / part).is_dir():
            raise BadInput("--data", f"folder:{path} without {part}/", "PATH/train/CLASS/ and PATH/test/CLASS/")
        files, names = _image_files(path / part)
        images = [_picture(file) for file, _ in files]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            raise BadInput("--data", f"{path / part} with image sizes {sorted(shapes)[:3]}…", "images of one size")
        arrays += [np.stack(images), np.array([target for _, target in files])]
        classes.append(names)
    if classes[0] != classes[1] or arrays[0].shape[1:] != arrays[2].shape[1:]:
        raise BadInput("--data", f"folder:{path}", "the same classes and image size in train/ and test/")
    return _from_arrays(path.name, *arrays)


SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Of the files in a folder that are images; torchvision's."""


def _image_files(folder: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """The images under every class's folder, in the order of their paths, with their classes, and the classes' names.

    Hidden files and folders are no images. What is left out because of its suffix is counted, on standard error. A
    link to a folder that it lies in is not followed.

    Raises:
        BadInput: a class without images, or no class.
    """
    needed = f"images ({' '.join(SUFFIXES)}) under every {folder}/CLASS/"
    names = sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not names:
        raise BadInput("--data", f"folder:{folder.parent} (couldn't find any class folder in {folder})", needed)
    files: list[tuple[Path, int]] = []
    left_out = 0
    for target, name in enumerate(names):
        found, seen = [], set()
        for parent, inner, entries in os.walk(folder / name, followlinks=True):
            real = os.path.realpath(parent)
            if real in seen:
                inner.clear()
                continue
            seen.add(real)
            inner[:] = sorted(each for each in inner if not each.startswith("."))
            for entry in sorted(entries):
                if not entry.startswith("."):
                    found.append(Path(parent) / entry)
        images = [file for file in found if file.suffix.lower() in SUFFIXES]
        left_out += len(found) - len(images)
        if not images:
            raise BadInput("--data", f"folder:{folder.parent} (found no image for the class {name})", needed)
        files += [(file, target) for file in sorted(images)]
    if left_out:
        print(f"{folder}: {left_out} files that are no images by their suffix are left out", file=sys.stderr)
    return files, names


MOST_PIXELS = 50_000_000
"""Of one image in a folder."""


def _picture(file: Path) -> np.ndarray:
    """One image file as H×W×3 bytes, upright: grey ones with three equal channels, transparent ones over black.

    Raises:
        BadInput: no regular file, no whole image, one of more than eight bits a channel or of several frames.
    """
    from PIL import Image, ImageOps

    if not file.is_file():
        raise BadInput("--data", f"{file}, which is no file", "an image")
    try:
        with Image.open(file) as image:
            if image.width * image.height > MOST_PIXELS:
                raise BadInput("--data", f"{file} of {image.width}×{image.height} pixels", "smaller images")
            if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA", "CMYK", "YCbCr", "La", "RGBa"):
                raise BadInput("--data", f"{file} of mode {image.mode}", "an image of eight bits a channel")
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise BadInput("--data", f"{file} of {frames} frames", "an image of one")
            upright = ImageOps.exif_transpose(image)
            if "A" in upright.mode.upper() or "transparency" in upright.info:
                opaque = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", opaque.size, (0, 0, 0, 255)), opaque)
            return np.asarray(upright.convert("RGB"))
    except BadInput:
        raise
    except Exception as problem:  # Pillow's decoders raise whatever their formats make of damage
        reason = " ".join(str(problem).split())[:100] or type(problem).__name__
        raise BadInput("--data", f"{file}, which cannot be read ({reason})", "an image") from None


def read_idx(directory: Path, name: str) -> ImageData:
    """The four IDX ``.gz`` files of the MNIST family.

    Raises:
        BadInput: a file is missing, truncated or not IDX.
    """
    arrays = []
    for part in ("train", "t10k"):
        for content, dimensions in (("images", 3), ("labels", 1)):
            path = directory / f"{part}-{content}-idx{dimensions}-ubyte.gz"
            try:
                raw = gzip.decompress(path.read_bytes())
                if raw[:4] != bytes((0, 0, 8, dimensions)):
                    raise ValueError("not an IDX file of bytes")
                shape = np.frombuffer(raw, ">i4", dimensions, 4)
                arrays.append(np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape))
            except (OSError, EOFError, ValueError) as error:
                raise BadInput("--data", f"{path} ({error})", f"the IDX files of {name}") from None
    train_images, train_labels, test_images, test_labels = arrays
    return _from_arrays(name, train_images[..., None], train_labels, test_images[..., None], test_labels)


def _torchvision(word: str, root: Path, download: bool) -> ImageData:
    import torchvision.datasets

    kind, name = TORCHVISION[word]
    splits = kind in ("SVHN", "STL10")

    def part(train: bool, download: bool):  # type: ignore[no-untyped-def]
        which = {"split": "train" if train else "test"} if splits else {"train": train}
        return getattr(torchvision.datasets, kind)(root=str(root), download=download, **which)

    try:
        train, test = part(True, False), part(False, False)
    except RuntimeError:
        if not download:
            needed = f"{name} there: the same command without --dry-run downloads it"
            raise BadInput("--data", f"{word!r}, which is not under {root}", needed) from None
        print(f"downloading {name} to {root}", file=sys.stderr)
        try:
            train, test = part(True, True), part(False, True)
        except (urllib.error.URLError, RuntimeError, OSError) as error:
            if getattr(error, "errno", None):
                raise
            raise BadInput(
                "--data",
                f"{word!r}, which is not under {root} and cannot be downloaded ({error})",
                "a network connection, or torchvision's files under --data-root",
            ) from None

    def arrays(dataset) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
        images = np.asarray(dataset.data)
        if images.ndim == 3:
            images = images[..., None]
        elif splits:
            images = images.transpose(0, 2, 3, 1)
        return images, np.asarray(dataset.labels if splits else dataset.targets)

    return _from_arrays(name, *arrays(train), *arrays(test))
