"""Execute the notebooks and render them to HTML: ``python notebooks/render.py [--smoke] [NAME …]``.

Each is a script in jupytext's percent format, which Jupyter opens as a notebook. Rendered, they lie in
``out/notebooks``.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Render all notebooks, or those whose names are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the beginning of a notebook's name (default: all)")
    parser.add_argument("--smoke", action="store_true", help="a quick check that everything runs")
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
            page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
            (options.out / f"{script.stem}.html").write_text(page, encoding="utf-8")
            print(f"{options.out / script.stem}.html   {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
