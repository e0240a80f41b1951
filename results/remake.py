"""Remake the text and the figures of every committed document from its numbers: when words or rules change, not when
networks do.

    .venv/bin/python results/remake.py [NAME …]      # folders in results/; all of them without a name
"""

import importlib
import json
import sys
from pathlib import Path

from findings.document import write_conclusions
from store import digest_of, write_atomically
from store.command_line import as_text

RESULTS = Path(__file__).parent


def remake(path: Path) -> bool:
    """Remake one document in place; False where its program does not know how."""
    document = json.loads(path.read_text(encoding="utf-8"))
    module = importlib.import_module(document["command"].removeprefix("python -m "))
    if not hasattr(module, "text_of"):
        return False
    text, conclusions = module.text_of(document)
    document["text"] = text
    document["about"] |= {"conclusions": conclusions, "bottom_line": text.bottom_line}
    if hasattr(module, "draw"):
        files = module.draw(document, path.parent)
        document["files"] = {file.name: digest_of(file) for file in files}
    write_conclusions(path.parent / "conclusions.txt", text)
    with write_atomically(path) as temporary:
        temporary.write_text(as_text(document) + "\n", encoding="utf-8")
    return True


def main() -> None:
    """Remake the documents that the command line names."""
    folders = [RESULTS / name for name in sys.argv[1:]] or [RESULTS]
    for path in sorted(path for folder in folders for path in folder.rglob("result.json")):
        print("remade" if remake(path) else "left as it is", path.parent.relative_to(RESULTS))


if __name__ == "__main__":
    main()
