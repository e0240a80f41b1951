"""Which device and how many threads."""

import torch

from store import BadInput

__all__ = ["describe", "resolve_device", "use_threads"]


def resolve_device(name: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        BadInput: that GPU is not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= (gpus := torch.cuda.device_count()):
        needed = f"cpu, or cuda:0 to cuda:{gpus - 1}" if gpus else "cpu: no CUDA GPU is here"
        raise BadInput("--device", repr(name), needed)
    return device


ONE_PER_CORE = torch.get_num_threads()


def use_threads(threads: int | None) -> int:
    """Compute with this many CPU threads, one per core when None; return the number."""
    torch.set_num_threads(threads or ONE_PER_CORE)
    return torch.get_num_threads()


def describe(device: torch.device) -> str:
    """The device in words, as records name it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
