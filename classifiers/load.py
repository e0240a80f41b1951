"""Load any classifier: the one place where a name becomes a network with weights.

A `Classifier` takes images in [0, 1] and has its normalisation inside, so that attacks and attributions are in pixel
units whatever it was trained with.
"""

import hashlib
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from classifiers.networks import NETWORKS, build, known_name, source_of
from classifiers.text.classifier import TextClassifier
from store import BadInput, Run, read_record, recorded_file
from store.bad_input import perhaps
from tasks import Task, pixels
from tasks.task import InMemory, Ragged, Sound, values_of
from training.weights import WEIGHTS, read_weights

__all__ = [
    "Classifier",
    "ModelOptions",
    "finite",
    "fixed_logits",
    "in_batches",
    "kept_logits",
    "load_classifier",
    "load_run",
    "logits_of",
    "logits_of_split",
]

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation per channel with which torchvision's and most of timm's weights were trained."""

PIXELS = 1000 * 32 * 32
"""Of images that are classified at once: their maps, of many channels, are in memory together."""

NARROW = 16
"""Input channels below which a strided 1×1 convolution is done as one of every stride-th pixel.

oneDNN's gradient for the weights of such a convolution of channels-last images writes past the end of its workspace
(its issue 6035): wrong gradients, or a crash. Below how many channels depends on the processor's vectors: 8 or 16.
"""


def _slice_first(network: nn.Module) -> None:
    """Turn narrow strided 1×1 convolutions into convolutions of every stride-th pixel: the same numbers."""
    for module in network.modules():
        if not isinstance(module, nn.Conv2d) or set(module.kernel_size) != {1} or set(module.stride) == {1}:
            continue
        if module.in_channels // module.groups < NARROW and module.padding in ((0, 0), "valid"):
            rows, columns = module.stride
            module.stride = 1, 1
            module.register_forward_pre_hook(lambda _, inputs, r=rows, c=columns: (inputs[0][..., ::r, ::c],))


class Classifier(nn.Module):
    """A network of images, of sound as spectrograms, or of volumes, with its normalisation inside.

    Args:
        network: from normalised images (B, C, H, W), or volumes (B, C, D, H, W), to logits (B, K).
        mean, std: (C,) each, of pixels in [0, 1]; 0 and 1 leave images as they are.
        classes: K.
        name: by which `classifiers.networks.build` makes the network; nothing where something else has made it.
        values: from items as a data set has them to what is in [0, 1], and leaves that as it is.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Tensor,
        std: Tensor,
        classes: int,
        name: str = "",
        values: Callable[[Tensor], Tensor] = pixels,
    ) -> None:
        super().__init__()
        self.name = name
        self.values = values
        self.network = network
        if all(parameter.ndim < 5 for parameter in network.parameters()):  # networks of volumes order their own
            network.to(memory_format=torch.channels_last)  # faster convolutions, on CPUs too
        _slice_first(self.network)
        self.classes = classes
        self.register_buffer("pixel_mean", mean.view(-1, 1, 1).clone())
        self.register_buffer("pixel_std", std.view(-1, 1, 1).clone())

    def normalise(self, images: Tensor) -> Tensor:
        """(B, C, …) in [0, 1] to what the network takes."""
        sides = (1,) * (images.ndim - 2)
        return (images - self.pixel_mean.view(-1, *sides)) / self.pixel_std.view(-1, *sides)

    def enter(self, raw: Tensor) -> Tensor:
        """Items as a data set has them, images (B, C, H, W) uint8, say, or in [0, 1]: normalised, as they are mixed."""
        return self.normalise(self.values(raw))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, …) in [0, 1] to logits (B, K).

        Raises:
            BadInput: logits that are no numbers: an argmax makes a class of them, and an attack cannot move them.
        """
        return finite(self.network(self.normalise(images)), self.name or "a network")

    def digest(self) -> str:
        """Of all parameters and buffers, and of the source of a network that is not built in (`source_of`).

        By it an analysis of this classifier is found again.
        """
        sha = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            sha.update(name.encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            sha.update(flat.view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
        sha.update(source_of(self.network, self.name).encode())
        return sha.hexdigest()[:16]

    def layer(self, name: str) -> nn.Module:
        """A layer of the network by its name, ``conv1`` or ``stage4.1``, say.

        Raises:
            BadInput: no such layer.
        """
        try:
            if not name:
                raise AttributeError
            return self.network.get_submodule(name)
        except AttributeError:
            layers = [known for known, _ in self.network.named_modules() if known]
            needed = f"a layer of the network: {', '.join(layers[:8])}, …{perhaps(name, layers)}"
            raise BadInput("--layers", repr(name), needed) from None


def finite(logits: Tensor, name: str, argument: str = "--model", items: str = "images") -> Tensor:
    """The logits (N, K) themselves, if all are numbers.

    Args:
        logits: of a batch.
        name: of what they are from.
        argument: what is blamed.
        items: what they are of.

    Raises:
        BadInput: NaN or an infinity among them.
    """
    if not torch.isfinite(logits).all():
        wrong = (~torch.isfinite(logits)).flatten(1).any(1)
        affected = f"{int(wrong.sum())} {items}, the first {int(wrong.nonzero()[0])} of {len(wrong)}"
        raise BadInput(argument, f"{name} with logits that are not finite for {affected}", "logits that are numbers")
    return logits


@dataclass(frozen=True)
class ModelOptions:
    """Which classifier."""

    model: str | None = None
    """a run's directory under the store, preact-resnet18 (or another of our networks), torchvision:resnet101,
    timm:seresnext50_32x4d, or package.module:NAME or FILE.py:NAME, called with channels= and classes= if it takes
    them"""
    weights: str | None = None
    """a .safetensors file or a state dict saved by torch; pretrained: what torchvision or timm offer; random: none; of
    a run, weights-epoch-N.safetensors: those after an epoch that it kept (None: what the run or the factory has)"""
    model_width: int | None = None
    """width of one of our own networks, when the weights are a file's (None: the published one)"""
    normalisation: Literal["auto", "imagenet", "data", "none"] = "auto"
    """what is done to pixels in [0, 1] first: ImageNet's or the training images' (data) mean is taken off, and the rest
    divided by their standard deviation (auto: a run's own; for torchvision and timm what their published weights were
    trained with; data for our networks; none for a factory)"""

    def __post_init__(self) -> None:
        given = [
            option
            for option, there in (
                ("--weights", self.weights is not None),
                ("--model-width", self.model_width is not None),
                ("--normalisation", self.normalisation != "auto"),
            )
            if there
        ]
        if given and self.model is None:
            raise BadInput(given[0], "a value without --model", "--model, the classifier that it is about")


def load_classifier(options: ModelOptions, task: Task, device: torch.device) -> Classifier:
    """The classifier that ``options`` names, for the images of ``task``, in evaluation mode.

    Raises:
        BadInput: no such classifier, weights that do not fit, or another number of classes or channels than the data's.
    """
    if not options.model:
        raise BadInput("--model", "nothing", "a run's directory, a network's name, package.module:NAME or FILE.py:NAME")
    path = Path(options.model)
    if path.is_dir():
        return load_run(path, device, task, options.weights)
    if path.name != options.model and ":" not in options.model:  # a path, and no name of a network
        needed = "a run's directory, a network's name, package.module:NAME or FILE.py:NAME"
        raise BadInput("--model", f"{options.model}, where there is no directory", needed)
    known_name(options.model, "--model")
    source = options.model.partition(":")[0]
    theirs = source in ("torchvision", "timm")
    factory = options.model not in NETWORKS and not theirs
    if options.weights is None and not factory:
        raise BadInput("--weights", "nothing", f"a file of weights for {options.model}, pretrained, or random")
    if options.weights == "pretrained" and not theirs:
        raise BadInput("--weights", f"pretrained with {options.model}", "torchvision:NAME or timm:NAME, or a file")
    kind = options.normalisation
    if kind == "auto":
        kind = "imagenet" if theirs else "none" if factory else "data"
    if kind == "imagenet" and task.shape[0] != 3:
        raise BadInput("--normalisation", f"imagenet for {task.shape[0]}-channel images", "data or none")
    imagenet = _trained_with(options.model) if options.normalisation == "auto" and theirs else IMAGENET
    network = build(options.model, task.shape, task.classes, options.model_width, "--model")
    if options.weights == "pretrained":
        state = _pretrained(options.model, task)
        _fill(network, state, options.model)
    elif options.weights not in (None, "random"):
        _fill(network, _state(Path(str(options.weights))), str(options.weights))
    if kind == "data":
        mean, std = task.statistics()
    elif kind == "imagenet":
        mean, std = map(torch.tensor, imagenet)
    else:
        mean, std = torch.zeros(task.shape[0]), torch.ones(task.shape[0])
    values = values_of(task.modality.rate if isinstance(task.modality, Sound) else None)
    classifier = Classifier(network, mean, std, task.classes, options.model, values)
    return _tried(classifier.to(device).eval(), task.shape)


def load_run(
    directory: Path,
    device: torch.device,
    task: Task | None = None,
    weights: str | None = None,
    network: str | None = None,
) -> Classifier:
    """The classifier that a finished run has trained, in evaluation mode.

    Args:
        directory: of a run of kind ``classifier``, in a store or copied out of one.
        device: where to put it.
        task: of the images it is to be used on, if they are to be checked.
        weights: a file in the directory: weights after an earlier epoch; those after the last by default.
        network: the network's name, where the record's, a file without its directories, does not lead to the file.

    Raises:
        BadInput: not such a directory; no such weights; its weights are missing, truncated or not those of the record;
            or it does not suit the data.
    """
    needed = "the directory of a finished run of classifiers.train"
    if not (directory / "result.json").is_file():
        raise BadInput("--model", f"{directory}, which holds no finished run", needed)
    record = read_record(directory / "result.json")
    if record.get("kind") != "classifier":
        raise BadInput("--model", f"{directory}, a run of kind {record.get('kind')}", needed)
    if isinstance(record.get("config"), dict) and "text" in record["config"]:
        raise BadInput(
            "--model",
            f"{directory}, a classifier of texts",
            "one of images; classifiers.load_text_run loads those",
        )
    if not _names_a_network(record):
        raise BadInput("--model", f"{directory}, whose record does not say which network it is", needed)
    config = record["config"]
    shape, classes = tuple(config["shape"]), config["classes"]
    if task is not None and (kind := _kind(shape, config.get("rate"))) != (of_data := _kind_of(task)):
        raise BadInput("--model", f"{directory}, a classifier of {kind}", f"one of {of_data}, as the data are")
    if task is not None and (task.shape[0] != shape[0] or task.classes != classes):
        raise BadInput(
            "--model",
            f"{directory}, for {classes} classes and {shape[0]} channels",
            f"the data's {task.classes} classes and {task.shape[0]} channels",
        )
    kept = [name for name in record["files"] if name.endswith(".safetensors")]
    if weights is not None and weights not in kept:
        raise BadInput("--weights", f"{weights} with the run {directory}", f"one of its files: {', '.join(kept)}")
    state = read_weights(directory, record, weights or WEIGHTS)
    name = network or config["network"]
    built = build(name, shape, classes, config["width"], str(directory))
    try:
        values = values_of(config.get("rate"))
        classifier = Classifier(built, state["pixel_mean"], state["pixel_std"], classes, name, values)
        classifier.load_state_dict(state)
    except (KeyError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise BadInput("--model", f"{directory}, whose weights are not the network's ({reason})", needed) from None
    return _tried(classifier.to(device).eval(), shape)


def _kind(shape: tuple[int, ...], rate: int | None) -> str:
    """What a run's network takes, in words."""
    if rate is not None:
        return f"clips of sound at {rate:,} samples a second"
    return "shapes in three dimensions" if len(shape) == 4 else "images"


def _kind_of(task: Task) -> str:
    """What the items of a task are, likewise."""
    return _kind(task.shape, task.modality.rate if isinstance(task.modality, Sound) else None)


def _names_a_network(record: Mapping[str, Any]) -> bool:
    """Whether a record has what a network is built from, of the right types."""
    config, files = record.get("config"), record.get("files")
    if not isinstance(config, dict) or not isinstance(files, dict):
        return False
    shape, sizes = config.get("shape"), [config.get("classes"), config.get("width") or 1]
    if not isinstance(shape, list) or len(shape) not in (3, 4) or not isinstance(config.get("network"), str):
        return False
    sizes.append(config.get("rate", 1))
    return all(type(size) is int and size > 0 for size in (*shape, *sizes))


def _tried(classifier: Classifier, shape: tuple[int, ...]) -> Classifier:
    """The classifier, which has been tried on `fixed_logits`' images.

    Raises:
        BadInput: its logits are not finite.
    """
    try:
        fixed_logits(classifier, shape)
    except RuntimeError:  # a network that calls `view` takes maps in the usual order of memory only
        classifier.network.to(memory_format=torch.contiguous_format)
        fixed_logits(classifier, shape)
    return classifier


def _trained_with(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels with which a network's published weights were trained, by their metadata.

    ImageNet's where there are no such weights, or they say nothing.
    """
    source, _, architecture = name.partition(":")
    if source == "torchvision":
        from torchvision import models

        try:
            transforms = models.get_model_weights(architecture).DEFAULT.transforms()
            return tuple(transforms.mean), tuple(transforms.std)
        except (AttributeError, ValueError):
            return IMAGENET
    import timm

    metadata = timm.get_pretrained_cfg(architecture)
    mean, std = (getattr(metadata, kind, None) for kind in ("mean", "std"))
    return (tuple(mean), tuple(std)) if mean and std and len(mean) == len(std) == 3 else IMAGENET


def _pretrained(name: str, task: Task) -> dict[str, Tensor]:
    """What torchvision or timm offer for a network; downloaded where a network connection is there."""
    source, _, architecture = name.partition(":")
    try:
        if source == "torchvision":
            from torchvision import models

            return models.get_model_weights(architecture).DEFAULT.get_state_dict(progress=True, check_hash=True)
        import timm

        return timm.create_model(architecture, pretrained=True, in_chans=task.shape[0]).state_dict()
    except (OSError, RuntimeError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise BadInput(
            "--weights",
            f"pretrained weights of {name}, which cannot be had ({reason})",
            "a network connection, or a file",
        ) from None


NESTS = ("state_dict", "model", "model_state_dict", "net", "weights")
"""Where training scripts commonly keep a state dict."""


def _state(path: Path) -> dict[str, Tensor]:
    """The tensors in a file; nothing in it is executed."""
    needed = "a .safetensors file, or a state dict saved by torch.save"
    if not path.is_file():
        raise BadInput("--weights", f"{path}, where there is no file", needed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about what is refused below
            state: Any = (
                load_safetensors(path.read_bytes())
                if path.suffix == ".safetensors"
                else torch.load(path, map_location="cpu", weights_only=True)
            )
    except Exception as problem:  # a damaged pickle can raise anything
        reason = str(problem).splitlines()[0][:120] if str(problem) else type(problem).__name__
        raise BadInput("--weights", f"{path}, which cannot be loaded ({reason})", needed) from None
    if isinstance(state, dict):
        there = [nest for nest in NESTS if isinstance(state.get(nest), dict)]
        others = [key for key in state if "ema" in str(key).split("_") and isinstance(state[key], dict)]
        if there and others:
            print(f"{path}: {there[0]} is taken; {', '.join(map(str, others))} is there too", file=sys.stderr)
        for nest in there[:1]:
            state = state[nest]
            state = state["state_dict"] if isinstance(state.get("state_dict"), dict) else state
    named = isinstance(state, dict) and all(isinstance(key, str) for key in state)
    if not named or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadInput("--weights", f"{path}, which holds something else", needed)
    # DataParallel, DistributedDataParallel and torch.compile put a word before every name
    wrappers = ("module.", "_orig_mod.")
    state.pop("n_averaged", None)  # how many an averaged model (torch.optim.swa_utils) is the mean of
    while state and any(all(key.startswith(wrapper) for key in state) for wrapper in wrappers):
        state = {key.partition(".")[2]: value for key, value in state.items()}
    return state


def _fill(network: nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Put the weights into the network, all of them or none."""
    expected = network.state_dict()
    # BatchNorm counts its batches since PyTorch 0.4.1; the count decides nothing with a fixed momentum
    counted = {key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}
    state = counted | state
    for key in expected:
        if key in state and expected[key].shape != state[key].shape:
            raise BadInput(
                "--weights",
                f"{name}, where {key} is {tuple(state[key].shape)}",
                f"{tuple(expected[key].shape)}, as the network for these images and classes has it",
            )
    missing, extra = [key for key in expected if key not in state], [key for key in state if key not in expected]
    if missing or extra:
        differences = [f"without {missing[0]} and {len(missing) - 1} more"] if missing else []
        differences += [f"with {extra[0]} and {len(extra) - 1} more"] if extra else []
        raise BadInput("--weights", f"{name}, {', '.join(differences)}", "the weights of this network")
    parameters = dict(network.named_parameters())
    for key in expected:  # a buffer may be infinite: a mask, say
        value = state[key]
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise BadInput("--weights", f"{name}, where {key} is no plain tensor", "weights that are numbers")
        if value.is_complex() or expected[key].is_floating_point() != value.is_floating_point():
            got = f"{name}, where {key} is of type {str(value.dtype).removeprefix('torch.')}"
            raise BadInput(
                "--weights", got, str(expected[key].dtype).removeprefix("torch.") + ", or another of its kind"
            )
        if key.endswith("running_var") and (value < 0).any():
            raise BadInput("--weights", f"{name}, where {key} is negative", "variances")
        if value.isnan().any() or (key in parameters and not value.isfinite().all()):
            raise BadInput("--weights", f"{name}, where {key} is not finite", "weights that are numbers")
    network.load_state_dict(state)


@torch.no_grad()
def logits_of(classifier: Classifier, images: Tensor) -> Tensor:
    """Logits (N, K), float32 on the images' device, of items as a data set has them, images (N, C, H, W) uint8, say.

    The classifier must be in evaluation mode, so that an image's logits do not depend on its batch.
    """
    return torch.cat([classifier(classifier.values(batch)).float() for batch in in_batches(images)])


def in_batches(images: Tensor) -> tuple[Tensor, ...]:
    """Items (N, …) a thousand at once, or fewer where images or volumes are of more than 32×32 pixels a channel."""
    return images.split(min(1000, max(1, PIXELS // images[0, 0].numel())))


@torch.no_grad()
def logits_of_split(classifier: Classifier | TextClassifier, split: InMemory | Ragged) -> Tensor:
    """Logits (N, K), float32 on the split's device, of the items of a split, in their order, finite or not.

    The classifier must be in evaluation mode, so that an item's logits do not depend on its batch (but where a network
    of texts counts pads).
    """
    if isinstance(split, InMemory):
        batches = (classifier.enter(batch) for batch in in_batches(split.inputs))
        return torch.cat([classifier.network(batch).float() for batch in batches])
    logits = torch.empty(len(split), classifier.classes, device=split.device)
    for indices, ids in split.in_batches():
        logits[indices] = classifier.network(classifier.enter(ids)).float()
    return logits


def kept_logits(run: Run) -> tuple[Tensor, Tensor]:
    """Logits (N, K) of the scored images and their labels, as the run that trained a classifier has kept them.

    Raises:
        BadInput: the file is missing, or not the one that the record names.
    """
    with np.load(recorded_file(run.path, run.result(), "logits.npz", "logits"), allow_pickle=False) as kept:
        return torch.from_numpy(kept["logits"]), torch.from_numpy(kept["labels"])


@torch.no_grad()
def fixed_logits(classifier: Classifier, shape: tuple[int, ...]) -> Tensor:
    """Logits (8, K), float32 on the CPU, of eight images that are always the same: what a classifier computes.

    The images are uniform noise, of a brightness each. A network that draws random numbers draws the same every time.

    Args:
        classifier: in evaluation mode, on its device.
        shape: (C, …) of the images.
    """
    device = classifier.pixel_mean.device
    noise = torch.rand(8, *shape, generator=torch.Generator().manual_seed(0))
    images = noise * torch.linspace(1 / 8, 1, 8).view(8, *[1] * len(shape))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        return classifier(images.to(device)).float().cpu()
