"""What was found: rows, means over seeds, comparisons, sentences, and the documents that hold them."""

from findings.document import Document, Result, publish, read_document, read_documents
from findings.over_seeds import headlines, of_networks, over_seeds

__all__ = [
    "Document",
    "Result",
    "headlines",
    "of_networks",
    "over_seeds",
    "publish",
    "read_document",
    "read_documents",
]
