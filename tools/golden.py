"""What every command says at its smallest, on the embedded data: taken before the structure changes, and after.

    .venv/bin/python tools/golden.py DIRECTORY [NAME …]      # of `COMMANDS`; then: diff -r BEFORE/golden AFTER/golden

Each command runs in a process of its own, one thread, with its store in DIRECTORY. ``DIRECTORY/golden`` then holds its
standard output, its document, its tables and its page without what differs from one time to the next (times, places,
the commit), and its figures' hashes. On one machine two runs of one commit agree to the last bit, trained weights
included; between machines they need not.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SMALL = ("--threads", "1", "--device", "cpu")
TIMES = ("seconds", "images_per_second", "started", "ended", "end", "command", "mixinfo", "execution")
"""Keys of what may differ; the store and the command line name places."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "mutual-info": (
        "analysis.mutual_info", "--smoke", "--inputs", "clean", "own-augmented", "--noise", "1", "--shared",
        "--decomposition", "--bounds", "rate", "gaussian_marginal", "product_marginal", "mixture_marginal",
        "flow_marginal", "infonce", "infonce_controlled", "leave_one_out", "index_code",
    ),
    "scales": (
        "analysis.mutual_info", "--smoke", "--augmentations", "none", "fmix", "--decoder-scales", "1", "0.3",
        "--bounds", "rate", "gaussian_marginal", "infonce",
    ),
    "reference": ("analysis.mutual_info", "--smoke", "--augmentations", "none", "--preset", "reference"),
    "posterior": ("analysis.mutual_info", "--posterior", "{a}", "--noise", "0.5", "2", "--decomposition"),
    "pair": ("analysis.mutual_info", "--posterior", "{a}", "--posterior-b", "{b}", "--noise", "1"),
    "ground-truth": (
        "analysis.ground_truth", "--n", "200", "--seeds", "2", "--bounds", "rate", "gaussian_marginal",
        "product_marginal", "mixture_marginal", "infonce", "infonce_controlled", "leave_one_out", "index_code",
    ),
    "accuracy": ("analysis.accuracy", "--epochs", "2", "--width", "2", "--seeds", "2"),
    "fraction": ("analysis.ablation", "--smoke", "--width", "2"),
    "decay-power": ("analysis.ablation", "--vary", "decay-power", "--smoke", "--width", "2", "--cross-validate", "2"),
    "human": ("analysis.human_uncertainty", "--data", "digits", "--smoke", "--width", "2"),
    "attacks": (
        "attacks.sweep", "--epochs", "2", "--width", "2", "--seeds", "2", "--images", "10", "--epsilons", "0", "0.1",
        "--augmentations", "none", "mixup",
    ),
    "gradcam": ("gradcam.sums", "--epochs", "2", "--width", "2", "--seeds", "2", "--images", "20"),
    "vae": ("vae.train", "--augmentation", "fmix", "--epochs", "1", "--json", "-"),
    "classifier": ("classifiers.train", "--augmentation", "cutmix", "--epochs", "1", "--width", "2", "--json", "-"),
    "grid": ("experiments.run", "table-6", "--smoke", "--workers", "1"),
    "page": ("reports.build", "--results", "{out}"),
    "committed-page": ("reports.build", "--results", "{results}"),
}  # fmt: skip
"""By name, the arguments of each command, in an order in which the page comes last."""


def without_times(value: Any) -> Any:
    """A document without what differs from one time to the next."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [without_times(each) for each in value]
    return without_places(value) if isinstance(value, str) else value


def without_places(text: str) -> str:
    """A text without times, commits, and the directory of this run."""
    text = text.replace(str(Path(sys.argv[1]).resolve()), "DIRECTORY")
    text = re.sub(r"\b\d+(\.\d+)? s\b", "… s", text)
    text = re.sub(r"\d{4}-\d\d-\d\d(T[\d:]+(\+00:00|Z)?)?", "DATE", text)
    text = re.sub(r'("|&#34;)(seconds|images_per_second)\1: [\d.e+-]+', r"\1\2\1: …", text)
    return re.sub(r"commit [0-9a-f]{12}", "commit …", text)


def posteriors(directory: Path) -> dict[str, str]:
    """Two encoders of the same images, from one seed."""
    draws, paths = np.random.default_rng(1), {}
    shared = draws.normal(size=(400, 3))
    for name in ("a", "b"):
        path = directory / f"{name}.npz"
        np.savez(path, mean=shared + 0.3 * draws.normal(size=(400, 3)), log_var=np.full((400, 3), -1.5))
        paths[name] = str(path)
    return paths


def golden(directory: Path) -> Iterator[tuple[str, str]]:
    """Run everything; yield names of files and their texts."""
    directory.mkdir(parents=True)
    home = Path(__file__).resolve().parent.parent
    places = posteriors(directory) | {"out": str(directory / "out"), "results": str(home / "results")}
    for name in sys.argv[2:] or COMMANDS:
        module, *rest = COMMANDS[name]
        out = directory / ("page" if module == "reports.build" else "out") / name
        arguments = [each.format(**places) for each in rest] + list(SMALL)
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments, "--store", str(directory / "store"), "--out", str(out)],
            cwd=directory, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(home)},
        )  # fmt: skip
        print(f"{name}: exit {done.returncode}", flush=True)
        yield f"{name}.txt", without_places(done.stdout + f"\nexit {done.returncode}\n" + done.stderr)
        for path in sorted(out.rglob("*")) if out.is_dir() else ():
            own = f"{name}/{'-'.join(path.relative_to(out).parts)}"
            if path.name == "result.json":
                document = without_times(json.loads(path.read_text("utf-8")))
                document["files"] = {each: sha for each, sha in document["files"].items() if not each.endswith(".svg")}
                yield own, json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True)
            elif path.suffix in (".txt", ".csv", ".html", ".tex"):
                yield own, without_places(path.read_text("utf-8"))


def main() -> None:
    """Write the outputs below a new directory."""
    directory = Path(sys.argv[1]).resolve()
    for name, text in golden(directory):
        path = directory / "golden" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
