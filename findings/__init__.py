"""What was found: rows, means over seeds, comparisons, sentences, and the documents that hold them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from findings.document import Document, Result, publish, read_document, read_documents

__all__ = ["Document", "Result", "publish", "read_document", "read_documents"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'findings' has no attribute {name!r}")
    from findings import document  # imports pandas, which is slow, and of which a trainer's --help needs nothing

    return getattr(document, name)
