"""Which versions are at work, from what the packages declare: nothing of them is imported for it."""

import importlib.metadata
import platform

__all__ = ["versions_line"]


def versions_line() -> str:
    """Versions of this toolkit, of torch and of Python, in a line."""
    versions = (f"{package} {importlib.metadata.version(package)}" for package in ("mixinfo", "torch"))
    return ", ".join([*versions, f"Python {platform.python_version()}"])
