"""Weights in a run's directory: written at once, read only if they are those that the record names."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from store import BadInput, recorded_file, write_atomically

__all__ = ["WEIGHTS", "read_weights", "write_weights"]

WEIGHTS = "weights.safetensors"
"""A run's weights after its last step."""


def write_weights(directory: Path, module: nn.Module, name: str = WEIGHTS) -> None:
    """Write parameters and buffers of ``module`` into a file of that name."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    with write_atomically(directory / name) as temporary:
        temporary.write_bytes(save(state))


def read_weights(directory: Path, record: dict[str, Any], name: str = WEIGHTS) -> dict[str, Tensor]:
    """The tensors of a finished run.

    Args:
        directory: the run's.
        record: its ``result.json``.
        name: of the file: the last weights, or those of an earlier epoch.

    Raises:
        BadInput: the file is missing, truncated, or not the one that the record names.
    """
    path = recorded_file(directory, record, name, "weights")
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        needed = "the weights this run wrote; train it again with --force"
        raise BadInput(str(path), f"a file that cannot be read ({error})", needed) from None
