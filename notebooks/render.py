"""Execute the notebooks and render them: ``python notebooks/render.py [--smoke] [--markdown] [NAME …]``.

Each is a script in jupytext's percent format, which Jupyter opens as a notebook. Rendered to HTML they lie in
``out/notebooks``; with ``--markdown --out docs/tours`` they are pages in docs/, which a repository's web site shows.
"""

import argparse
import base64
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat import NotebookNode
from PIL import Image

from reports.page import reduced

HERE = Path(__file__).resolve().parent


def write_html(notebook: NotebookNode, stem: Path) -> Path:
    """One file with everything inside."""
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    path = stem.with_suffix(".html")
    path.write_text(page, encoding="utf-8")
    return path


def write_markdown(notebook: NotebookNode, stem: Path) -> Path:
    """A page with its pictures beside it, those inside of HTML too, which a repository's web site does not show."""
    page, resources = MarkdownExporter().from_notebook_node(notebook)
    pictures = dict(resources["outputs"])

    def taken_out(found: re.Match[str]) -> str:
        name = f"inside-{len(pictures)}.png"
        pictures[name] = base64.b64decode(found[1])
        return f'src="{name}"'

    page = re.sub(r'src="data:image/png;base64,([^"]+)"', taken_out, page)
    page = re.sub(r"<style[^>]*>.*?</style>|\x1b\[[0-9;]*m", "", page, flags=re.DOTALL)
    for number, (name, content) in enumerate(pictures.items(), 1):
        if name.endswith(".png"):
            target = f"{stem.name}-{number}.png"
            page = page.replace(name, target)
            with Image.open(io.BytesIO(content)) as picture:
                small = reduced(picture)
            small.save(stem.parent / target, optimize=True)
    path = stem.with_suffix(".md")
    path.write_text("\n".join(line.rstrip() for line in page.splitlines()).strip() + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Render all notebooks, or those whose names are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the beginning of a notebook's name (default: all)")
    parser.add_argument("--smoke", action="store_true", help="a quick check that everything runs")
    parser.add_argument("--markdown", action="store_true", help="pages of Markdown, with their pictures beside them")
    parser.add_argument("--out", type=Path, default=Path("out/notebooks"), help="where the pages go")
    options = parser.parse_args()
    scripts = sorted(HERE.glob("[0-9]-*.py"))
    if options.names:
        scripts = [script for script in scripts if script.name.startswith(tuple(options.names))]
    if not scripts:
        parser.error(f"no notebook begins with {' or '.join(options.names)}")
    options.out.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # a page needs no moving bar
    with tempfile.TemporaryDirectory() as scratch:
        if options.smoke:
            os.environ |= {"SMOKE": "1", "STORE": f"{scratch}/runs", "OUT": f"{scratch}/out"}
        for script in scripts:
            start = time.perf_counter()
            notebook = jupytext.read(script)
            # sockets in the file system: nothing listens on the network
            kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{scratch}/kernel")
            client = NotebookClient(notebook, km=kernel, timeout=1200, resources={"metadata": {"path": "."}})
            try:
                client.execute()
            except CellExecutionError as failure:
                sys.exit(f"{script.name}: {failure}")
            path = (write_markdown if options.markdown else write_html)(notebook, options.out / script.stem)
            print(f"{path}   {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
