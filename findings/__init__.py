"""What was found: rows, means over seeds, comparisons, sentences, and the documents that hold them.

Each idea has a module of its own: `findings.row`, `findings.over_seeds`, `findings.comparisons`.

Example:
    >>> from findings import Result
    >>> from findings.over_seeds import over_seeds
    >>> from findings.row import row
    >>> result = Result(
    ...     [
    ...         row("accuracy", "accuracy", value, units="%", inputs="clean", augmentation=augmentation, seed=seed)
    ...         for augmentation, values in {"none": (94.0, 95.0), "fmix": (96.0, 98.0)}.items()
    ...         for seed, value in enumerate(values, start=1)
    ...     ]
    ... )
    >>> print(over_seeds(result.rows)[["augmentation", "mean", "std", "seeds"]].round(2).to_string(index=False))
    augmentation  mean  std  seeds
            none  94.5 0.71      2
            fmix  97.0 1.41      2
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findings.document import Document, Result, publish, read_document, read_documents

__all__ = ["Document", "Result", "publish", "read_document", "read_documents"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'findings' has no attribute {name!r}")
    from findings import document  # imports pandas, which is slow, and of which a trainer's --help needs nothing

    return getattr(document, name)
