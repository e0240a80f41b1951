"""Table 1 at the paper's size and beside it, row by row: one command that begins, or goes on where it was stopped.

    results/campaign DIRECTORY [--rows first 2 3 …] [--workers 2] [--dry-run]

DIRECTORY, outside the work tree, holds ``checkout``, a clone at the commit at which the campaign began, ``store``, with
its runs, and ``out``. One worker trains and analyses the blocks of the rows in order; the others train ahead of it, one
thread each. A block that is done is put into its folder here in ``results/``, joined with what there is of the same
settings, and is to be committed: the store may be gone the next time. CIFAR10_JPEG is an .npz of the images.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from analysis import mutual_info
from results.remake import remake
from store import write_atomically
from store.command_line import as_text, parse
from training import ImageData, generator, load, use_threads
from vae.linear import fit_linear
from vae.nets import vae_of
from vae.train import normalisation, objective, vae_run

RESULTS = Path(__file__).parent
MEASURED = 200
"""Steps that an estimate rests on."""

CIFAR = ("--data", "npz:{cifar}", "--data-name", "CIFAR-10 (JPEG)")
FASHION = ("--data", "fashion-mnist")
INPUTS = ("--inputs", "clean", "own-augmented")
BOUNDS = (
    "--bounds", "rate", "gaussian_marginal", "product_marginal", "mixture_marginal", "infonce", "infonce_controlled",
    "leave_one_out", "index_code",
)  # fmt: skip
ALL = (*INPUTS, *BOUNDS, "--shared", "--noise", "1", "2", "4")
SCALES = (*INPUTS, "--bounds", "rate", "gaussian_marginal", "mixture_marginal", "infonce", "--decoder-scales")
"""A document of many networks stays under a megabyte without noise and pairs."""
FIVE = ("none", "mixup", "cutmix", "fmix", "fmix-reference")


@dataclass(frozen=True)
class Block:
    """Networks that are trained and analysed together, and what for.

    Args:
        row: of the campaign's table.
        folder: in ``results/``, into which the document's own goes.
        arguments: of ``python -m analysis.mutual_info``.
        joins: the document joins the one that is there.
    """

    row: str
    folder: str
    arguments: tuple[str, ...]
    joins: bool = False


def block(
    row: str, folder: str, data: Sequence[str], names: Sequence[str], seeds: int, *what: str, first: int = 1,
    joins: bool = False,
) -> Block:  # fmt: skip
    """A block of seeds ``first`` to ``first + seeds − 1`` of augmentations, and what is wanted of them."""
    arguments = (*data, "--augmentations", *names, "--seeds", str(seeds), "--first-seed", str(first), *what)
    return Block(row, folder, arguments, joins)


REFERENCE = (*ALL, "--preset", "reference")
BLOCKS = (
    block("first", "", CIFAR, ("none", "fmix"), 3, *ALL),
    block("2", "", CIFAR, ("mixup", "cutmix"), 3, *ALL, joins=True),
    block("2", "", CIFAR, ("none", "mixup", "cutmix", "fmix"), 2, *ALL, first=4, joins=True),
    block("3", "", CIFAR, ("fmix-reference",), 3, *ALL, joins=True),
    block("3", "reference-units", CIFAR, ("fmix",), 1, *REFERENCE),
    block("3", "reference-units", CIFAR, ("none",), 1, *REFERENCE, joins=True),
    block("digits", "", (), FIVE, 3, *INPUTS, *BOUNDS, "--shared", "--noise", "0.5", "1", "2", "4"),
    block("digits", "scales", (), FIVE, 10, *SCALES, "1", "0.3", "0.1"),
    block("4", "", FASHION, FIVE, 5, *ALL),
    block("5", "scales", FASHION, ("none", "mixup", "cutmix", "fmix"), 2, *SCALES, "1", "0.3", "0.1"),
    block("5", "scales", CIFAR, ("none", "fmix"), 1, *SCALES, "1", "0.3", "0.1"),
)
"""The rows in order; each block is a stopping point."""


@dataclass(frozen=True)
class Campaign:
    """Where a campaign is done.

    Args:
        directory: outside the work tree.
        workers: processes, of one thread each.
    """

    directory: Path
    workers: int

    @property
    def checkout(self) -> Path:
        """The clone."""
        return self.directory / "checkout"

    def begin(self) -> str:
        """Clone the work tree's commit, unless there is a clone; return the commit."""
        if not self.checkout.exists():
            git("clone", "--quiet", str(RESULTS.parent), str(self.checkout))
        return git("-C", str(self.checkout), "rev-parse", "--short", "HEAD")

    def arguments(self, which: Block) -> list[str]:
        """The command line of a block."""
        cifar = Path(os.environ.get("CIFAR10_JPEG", "data/cifar10_jpeg/cifar10_jpeg.npz")).resolve()
        own = [each.format(cifar=cifar) for each in which.arguments]
        out = self.directory / "out" / which.row / which.folder
        return [*own, "--threads", "1", "--store", str(self.directory / "store"), "--out", str(out)]

    def config(self, which: Block) -> mutual_info.Config:
        """The configuration of a block."""
        return parse(mutual_info.Config, mutual_info.PROGRAM, self.arguments(which))

    def analyse(self, which: Block) -> Path:
        """Train what is missing of a block and analyse it; return its document."""
        subprocess.run(
            [sys.executable, "-m", "analysis.mutual_info", *self.arguments(which)], cwd=self.checkout, check=True
        )
        return max(self.config(which).execution.out.glob("*/result.json"), key=lambda path: path.stat().st_mtime)

    def ahead(self, blocks: Sequence[Block]) -> list[subprocess.Popen[bytes]]:
        """Processes that train the networks of blocks, besides the one that analyses them."""
        commands = [shlex.join(each) + " >/dev/null || true" for one in blocks for each in self.trainings(one)]
        others = self.workers - 1
        return [
            subprocess.Popen(["bash", "-c", "\n".join(commands[worker::others])], cwd=self.checkout, process_group=0)
            for worker in range(others)
        ]

    def trainings(self, which: Block) -> Iterator[list[str]]:
        """The commands that train a block's networks, from the end that the analysing process does not begin at."""
        config = self.config(which)
        data = list(which.arguments[: which.arguments.index("--augmentations")])
        data = [each.format(cifar=config.data.data.removeprefix("npz:")) for each in data]
        preset = ["--preset", config.settings.preset]
        for scale, part in config.by_scale().items():
            for augmentation, seed in reversed(mutual_info.networks(part)):
                yield [
                    sys.executable, "-m", "vae.train", *data, *preset, "--augmentation", augmentation,
                    "--seed", str(seed), "--decoder-scale", str(scale), "--threads", "1",
                    "--store", str(self.directory / "store"),
                ]  # fmt: skip


def git(*words: str) -> str:
    """What a git command says."""
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def seconds_a_step(config: mutual_info.Config, data: ImageData, augmentation: str) -> float:
    """Measured over `MEASURED` steps of one network, from its start."""
    resolved = vae_run(data, augmentation, 1, config.settings, config.execution).identity["config"]
    vae = vae_of(resolved, *normalisation(data, resolved))
    inputs = config.settings.inputs(augmentation, data, vae.normalise)
    stream = generator("cpu", 1, "estimate")
    vae.start(lambda: fit_linear(inputs.draws(data.train_images, stream, 1000), resolved["latents"], 1.0))
    losses = objective(vae, data, inputs, resolved, MEASURED)
    optimiser = torch.optim.Adam(vae.parameter_groups(), lr=1e-6, fused=True)
    started = time.perf_counter()
    for step in range(MEASURED):
        chosen = torch.randint(len(data.train_images), (resolved["batch_size"],), generator=stream)
        loss = losses(chosen, stream, step)["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return (time.perf_counter() - started) / MEASURED


def estimate(campaign: Campaign, which: Block) -> str:
    """What is missing of a block, and the core-hours of training that it will take."""
    config = campaign.config(which)
    data = load(config.data)
    parts = [replace(part, decoder_scales=()) for part in config.by_scale().values()]
    missing = [
        (part, name)
        for part in parts
        for name, seed in mutual_info.networks(part)
        if vae_run(data, name, seed, part.settings, part.execution).status != "done"
    ]
    seeds = f"{config.seeds} seeds from {config.first_seed}"
    what = f"row {which.row}, {data.name}, {' '.join(config.augmentations)}, {seeds}"
    if not missing:
        return f"{what}: nothing to train"
    part, name = missing[-1]
    resolved = part.settings.resolved(data)
    steps = resolved["epochs"] * (len(data.train_images) // resolved["batch_size"])
    hours = len(missing) * steps * seconds_a_step(part, data, name) / 3600
    return f"{what}: {len(missing)} VAEs of {steps:,} steps to train, {hours:.1f} core-hours by {MEASURED} steps"


def record(which: Block, document: Path) -> Path:
    """Put a block's document into ``results/``, joined with what is there of the same settings; return its path."""
    own: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    path = RESULTS / which.folder / document.parent.name / "result.json"
    if which.joins:
        own = mutual_info.joined([json.loads(path.read_text(encoding="utf-8")), own])
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_text(as_text(own) + "\n", encoding="utf-8")
    remake(path)
    return path


def main() -> None:
    """Go through the blocks of the rows that were asked for."""
    rows = list(dict.fromkeys(each.row for each in BLOCKS))
    parser = argparse.ArgumentParser(
        prog="results/campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, help="outside the work tree")
    parser.add_argument("--rows", nargs="+", choices=rows, default=rows, help="in their order; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of one thread each")
    parser.add_argument("--dry-run", action="store_true", help="only say what is missing, and what it will take")
    options = parser.parse_args()
    use_threads(1)
    campaign = Campaign(options.directory.resolve(), max(1, options.workers))
    chosen = [each for each in BLOCKS if each.row in options.rows]
    if options.dry_run:
        for each in chosen:
            print(estimate(campaign, each), flush=True)
        return
    print(f"at {campaign.begin()}, in {campaign.directory}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    others = campaign.ahead(chosen)
    try:
        for each in chosen:
            print(estimate(campaign, each), flush=True)
            path = record(each, campaign.analyse(each))
            print(f"row {each.row}: {path.relative_to(RESULTS.parent)}, to be committed", flush=True)
    except subprocess.CalledProcessError as stopped:
        sys.exit(f"results/campaign: the analysis ended with {stopped.returncode}; the same command goes on")
    finally:
        for other in others:
            os.killpg(other.pid, 15)


if __name__ == "__main__":
    main()
