"""``--posterior``: the information of anyone's encoder."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from analysis.bounds import Encoded, EncodedPair, decompose, profile_of_pair
from analysis.bounds.bound import Bound
from analysis.bounds.estimators import label_of, sign_of
from analysis.bounds.tightened import OF_LABEL, Labels, of_labels, tightened_profile
from findings.comparisons import CONFIDENCE
from findings.power import t_above
from findings.text import Text
from store import BadInput
from tasks import load
from tasks.arrays import read_arrays
from training import resolve_device, use_threads
from vae.encode import encode, load_vae
from vae.posterior import DiagonalGaussian
from vae.train import active_units

if TYPE_CHECKING:
    from analysis.mutual_info import Config

__all__ = ["read_posterior"]


def read_posterior(path: Path, argument: str = "--posterior") -> tuple[DiagonalGaussian, Tensor | None]:
    """An encoder's output from an ``.npz``: ``mean`` and ``log_var`` (N, d), optionally ``codes`` (N, d).

    Raises:
        BadInput: a missing or damaged file, missing arrays, pickled objects, other types than floats of 16 to 64 bits.
    """
    needed = "an .npz with floating-point arrays mean and log_var (N, d), optionally codes (N, d)"
    arrays = read_arrays(argument, path, ("mean", "log_var", "codes"), needed)
    for key in ("mean", "log_var"):
        if key not in arrays:
            raise BadInput(argument, f"{path} without {key}", needed)
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.dtype.itemsize > 8:
            raise BadInput(argument, f"{key} of type {getattr(array, 'dtype', type(array).__name__)} in {path}", needed)
        # half precision, and the other order of bytes, are what they say
        arrays[key] = array.astype(np.float32 if array.dtype.itemsize < 8 else np.float64)
    tensors = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()}
    return DiagonalGaussian(tensors["mean"], tensors["log_var"]), tensors.get("codes")


def _posterior_of(config: "Config", path: Path, argument: str) -> tuple[DiagonalGaussian, Tensor | None]:
    """What an encoder says: from its file, or, of the test images, from a VAE's run."""
    if not path.is_dir():
        return read_posterior(path, argument)
    device = resolve_device(config.execution.device)
    vae = load_vae(path, device, argument)
    task = load(config.data, download=not config.execution.dry_run)
    if task.shape != vae.shape:
        expected, got = ("×".join(map(str, shape)) for shape in (vae.shape, task.shape))
        raise BadInput(argument, f"{path}, a VAE for {task.items} of {expected}", f"one for the data's, of {got}")
    return encode(vae, task.test.inputs.to(device)), None


def _labels_of(config: "Config", path: Path) -> Labels:
    """The classes of the images that an encoder has seen: from its file, or of the test images."""
    if path.is_dir():
        return Labels(load(config.data, download=not config.execution.dry_run).test.targets)
    needed = "labels (N,), whole numbers, for bounds with class labels"
    arrays = read_arrays("--posterior", path, ("labels",), needed)
    if "labels" not in arrays:
        raise BadInput("--posterior", f"{path} without labels", needed)
    return Labels(arrays["labels"])


def bound_encoder(config: "Config") -> tuple[list[dict[str, Any]], Text] | None:
    """Rows and text of the encoder, or the two, that ``--posterior`` names; None in a dry run."""
    assert config.posterior is not None
    use_threads(config.execution.threads)
    posterior, codes = _posterior_of(config, config.posterior, "--posterior")
    second = None if config.posterior_b is None else _posterior_of(config, config.posterior_b, "--posterior-b")
    labels = _labels_of(config, config.posterior) if of_labels(config.estimators) and second is None else None
    if config.execution.dry_run:
        config.execution.say(f"would bound {config.posterior}" + (f" with {config.posterior_b}" if second else ""))
        return None
    if second is not None:
        pair = EncodedPair(Encoded(posterior, codes), Encoded(*second))
        bounds, rows = profile_of_pair(pair, noise=config.noise)
    else:
        encoded = Encoded(posterior, codes)
        try:
            bounds, rows = tightened_profile(encoded, config.estimators, noise=config.noise, labels=labels)
        except BadInput as mistake:
            if mistake.argument != "labels":
                raise
            option = "--data" if config.posterior.is_dir() else "--posterior"
            raise BadInput(option, f"labels: {mistake.got}", mistake.needed) from None
    bounds = sorted(bounds, key=lambda bound: bound.saturated or bool(bound.heavy_tailed))  # what says least, last
    lines = [repr(bound) for bound in bounds]
    if config.decomposition and second is None:
        parts = decompose(encoded)
        rows += parts.rows()
        lines.append(repr(parts))
    if not active_units(posterior.double()):
        lines.append("The code has collapsed: no dimension's posterior mean varies over the images.")
    if config.noise:
        lines += ["", *_profile_lines(rows)]
    return rows, Text(bottom_line(bounds), ["\n".join(lines)])


def bottom_line(bounds: Sequence[Bound]) -> str:
    """Between which limits the information lies that is bounded from both sides, the first quantity of the bounds."""
    sides = {
        side: [bound for bound in bounds if bound.direction == side and bound.quantity == bounds[0].quantity]
        for side in ("lower", "upper")
    }
    tried = sum(len(of_side) for of_side in sides.values())
    z = float(t_above((1 - CONFIDENCE) / max(tried, 1), math.inf))
    low = max((bound.value - z * bound.standard_error for bound in sides["lower"]), default=0.0)
    high = min((bound.value + z * bound.standard_error for bound in sides["upper"]), default=math.inf)
    about = f"({CONFIDENCE:.0%}, n = {bounds[0].n:,})"
    name, low = bounds[0].quantity, max(low, 0.0)
    if not sides["upper"]:
        return f"{name} is at least {low:.2f} nats {about}."
    if not sides["lower"]:
        return f"{name} is at most {high:.2f} nats {about}."
    line = f"{name} lies between {low:.2f} and {high:.2f} nats {about}."
    if all(bound.saturated for bound in sides["lower"]):
        caps = max(bound.cap for bound in sides["lower"] if bound.cap is not None)
        line += f" The lower bounds are saturated, within a nat of {caps:.2f}: only more images show more."
    return line


def _profile_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A line per noise level: every estimator's value there."""
    frame = pd.DataFrame(rows).dropna(subset="noise")
    lines = []
    for level, of_level in frame.groupby("noise", sort=False):
        numbers = [
            (f"{OF_LABEL} " if row["quantity"] == OF_LABEL else "")
            + f"{sign_of(row['direction'])} {row['value']:.3f} ± {row['standard_error']:.3f} "
            f"({label_of(row['estimator'])})"
            for row in of_level.to_dict("records")
        ]
        lines.append(f"with noise s = {level:g}: {', '.join(numbers)}")
    return lines
