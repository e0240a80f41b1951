"""Networks worth measuring, row by row: VAEs of Table 1 and beside it, and classifiers in two regimes. One command
that begins, or goes on where it was stopped:

    results/campaign DIRECTORY [--rows first 2 3 …] [--workers 2] [--dry-run]

DIRECTORY, outside the work tree, holds ``checkout``, a clone at the commit at which the campaign began, ``store``, with
its runs, and ``out``. One worker trains and analyses the blocks of the rows in order; the others train ahead of it, one
thread each. A block that is done is put into its folder here in ``results/``, joined with what there is of the same
settings, and is to be committed: the store may be gone the next time. CIFAR10_JPEG is an .npz of the images.
"""

import argparse
import importlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from analysis import accuracy, mutual_info
from classifiers import train as classifiers
from classifiers.load import Classifier
from classifiers.networks import build
from results.remake import remake
from store import write_atomically
from store.command_line import as_text, parse
from tasks import Task, load
from training import generator, use_threads
from vae import train as vaes
from vae.linear import fit_linear
from vae.nets import vae_of

RESULTS = Path(__file__).parent
MEASURED, AT_MOST = 200, 30.0
"""Steps that an estimate rests on, and seconds after which it rests on fewer."""

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
        data: arguments that name the images.
        names: augmentations.
        seeds: how many of each.
        what: further arguments of the analysis; of one of classifiers, all of them are the trainer's too.
        first: seed.
        joins: the document joins the one that is there.
        program: the analysis.
    """

    row: str
    folder: str
    data: Sequence[str]
    names: Sequence[str]
    seeds: int
    what: Sequence[str]
    first: int = 1
    joins: bool = False
    program: str = mutual_info.PROGRAM

    @property
    def module(self) -> Any:
        """The program's."""
        return importlib.import_module(self.program.removeprefix("python -m "))

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of the analysis, with a place for the images' file."""
        seeds = ("--seeds", str(self.seeds), "--first-seed", str(self.first))
        return (*self.data, "--augmentations", *self.names, *seeds, *self.what)


REFERENCE = (*ALL, "--preset", "reference")
FOUR = ("none", "mixup", "cutmix", "fmix")
VAES = (
    Block("first", "", CIFAR, ("none", "fmix"), 3, ALL),
    Block("2", "", CIFAR, ("mixup", "cutmix"), 3, ALL, joins=True),
    Block("2", "", CIFAR, FOUR, 2, ALL, first=4, joins=True),
    Block("3", "", CIFAR, ("fmix-reference",), 3, ALL, joins=True),
    Block("3", "reference-units", CIFAR, ("fmix",), 1, REFERENCE),
    Block("3", "reference-units", CIFAR, ("none",), 1, REFERENCE, joins=True),
    Block("digits", "", (), FIVE, 3, (*INPUTS, *BOUNDS, "--shared", "--noise", "0.5", "1", "2", "4")),
    Block("digits", "scales", (), FIVE, 10, (*SCALES, "1", "0.3", "0.1")),
    Block("4", "", FASHION, FIVE, 5, ALL),
    Block("5", "scales", FASHION, FOUR, 2, (*SCALES, "1", "0.3", "0.1")),
    Block("5", "scales", CIFAR, ("none", "fmix"), 1, (*SCALES, "1", "0.3", "0.1")),
)
"""Rows of VAEs, in order."""


@dataclass(frozen=True)
class Regime:
    """How much classifiers are trained on, for how long: where networks overfit augmentation can pay.

    Args:
        name: of its rows, and its folder in ``results/``.
        data: arguments that name the images.
        training: arguments of the trainer.
    """

    name: str
    data: Sequence[str]
    training: Sequence[str]

    def block(self, names: Sequence[str], first: int, seeds: int = 1, joins: bool = True) -> Block:
        """Classifiers of some augmentations and seeds."""
        return Block(
            self.name, self.name.removeprefix("fashion-"), self.data, names, seeds, self.training, first, joins,
            accuracy.PROGRAM,
        )  # fmt: skip


def training(epochs: int) -> tuple[str, ...]:
    """Arguments of the trainer: a narrow network, and a learning rate that falls to nothing, whatever the length."""
    return ("--width", "16", "--epochs", str(epochs), "--schedule", "cosine")


FURTHER = ("fmix+mixup", "fmix-reference")
SMALL, WHOLE = (
    Regime("small-data", (*CIFAR, "--train-images", "5000"), training(200)),
    Regime("all-data", CIFAR, training(30)),
)
FASHIONS = (
    Regime("fashion-small-data", (*FASHION, "--train-images", "6000"), training(100)),
    Regime("fashion-all-data", FASHION, training(20)),
)


def classifier_blocks(*regimes: Regime) -> Iterator[Block]:
    """Blocks of regimes, in turn: a seed of four augmentations is worth committing before the next is begun."""
    for seed in (1, 2, 3):
        for regime in regimes:
            yield regime.block(FOUR, seed, joins=seed > 1)
    for regime in regimes:
        yield regime.block(FURTHER, 1, seeds=3)
    for seed in (4, 5):
        for regime in regimes:
            yield regime.block((*FOUR, *FURTHER), seed)


BLOCKS = (*VAES, *classifier_blocks(SMALL, WHOLE), *classifier_blocks(*FASHIONS))
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

    def config(self, which: Block) -> Any:
        """The configuration of a block's analysis."""
        return parse(which.module.Config, which.program, self.arguments(which))

    def analyse(self, which: Block) -> Path:
        """Train what is missing of a block and analyse it; return its document."""
        subprocess.run(
            [sys.executable, "-m", which.module.__name__, *self.arguments(which)], cwd=self.checkout, check=True
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
        arguments = self.arguments(which)
        data = arguments[: len(which.data)]
        everywhere = ["--threads", "1", "--store", str(self.directory / "store")]
        for part in parts(which, config):
            if which.program == accuracy.PROGRAM:
                how = ["classifiers.train", *data, *which.what]
            else:
                scale = str(part.settings.decoder_scale)
                how = ["vae.train", *data, "--preset", part.settings.preset, "--decoder-scale", scale]
            for augmentation, seed in reversed(part.networks()):
                own = ["--augmentation", augmentation, "--seed", str(seed)]
                yield [sys.executable, "-m", *how, *own, *everywhere]


def parts(which: Block, config: Any) -> list[Any]:
    """The configuration of an analysis at each decoder scale; of classifiers, which have none, itself."""
    return [config] if which.program == accuracy.PROGRAM else list(config.by_scale().values())


def git(*words: str) -> str:
    """What a git command says."""
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


Losses = Callable[[torch.Tensor, torch.Generator, int], dict[str, torch.Tensor]]


def of_vae(part: mutual_info.Config, data: Task, config: dict[str, Any]) -> tuple[Losses, torch.optim.Optimizer]:
    """What a VAE minimises, from its start, and an optimiser that leaves it there."""
    vae = vae_of(config, *vaes.normalisation(data, config))
    pipeline = part.settings.pipeline(config["augmentation"], data, vae.enter)
    stream = generator("cpu", 1, "estimate")
    vae.start(lambda: fit_linear(pipeline.draws(data.train.inputs, stream, 1000), config["latents"], 1.0))
    losses = vaes.objective(vae, data, pipeline, config, MEASURED)
    return losses, torch.optim.Adam(vae.parameter_groups(), lr=1e-6, fused=True)


def of_classifier(
    part: accuracy.Config, data: Task, config: dict[str, Any]
) -> tuple[Losses, torch.optim.Optimizer]:  # fmt: skip
    """What a classifier minimises, and its optimiser."""
    network = build(config["network"], data.shape, data.classes, config["width"])
    classifier = Classifier(network, *data.statistics(), data.classes).train()
    pipeline = classifiers.pipeline_of(classifier, part.settings, config, 1)
    losses = classifiers.objective(pipeline, data, config, 1, classifier.network)
    return losses, classifiers.optimiser(classifier, config)


def seconds_a_step(losses: Losses, optimiser: torch.optim.Optimizer, images: int, batch: int) -> tuple[float, int]:
    """Measured over `MEASURED` steps or `AT_MOST` seconds, and over how many."""
    stream = generator("cpu", 1, "estimate")
    started = time.perf_counter()
    for step in range(1, MEASURED + 1):
        chosen = torch.randint(images, (batch,), generator=stream)
        loss = losses(chosen, stream, step)["loss"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        taken = time.perf_counter() - started
        if taken > AT_MOST:
            break
    return taken / step, step


def estimate(campaign: Campaign, which: Block) -> str:
    """What is missing of a block, and the core-hours of training that it will take."""
    config = campaign.config(which)
    data = load(config.data)
    runs = [(part, part.run_of(data, network)) for part in parts(which, config) for network in part.networks()]
    missing = [(part, run) for part, run in runs if run.status != "done"]
    seeds = f"{config.seeds} seed{'s' if config.seeds > 1 else ''} from {config.first_seed}"
    what = f"row {which.row}, {data.name}, {' '.join(config.augmentations)}, {seeds}"
    if not missing:
        return f"{what}: nothing to train"
    part, run = missing[-1]
    resolved = run.identity["config"]
    steps = resolved["epochs"] * (len(data.train) // resolved["batch_size"])
    made = of_classifier if which.program == accuracy.PROGRAM else of_vae
    seconds, measured = seconds_a_step(*made(part, data, resolved), len(data.train), resolved["batch_size"])
    hours = len(missing) * steps * seconds / 3600
    return f"{what}: {len(missing)} networks of {steps:,} steps to train, {hours:.1f} core-hours by {measured} steps"


def record(which: Block, document: Path) -> Path:
    """Put a block's document into ``results/``, joined with what is there of the same settings; return its path."""
    own: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    path = RESULTS / which.folder / document.parent.name / "result.json"
    if which.joins:
        own = which.module.joined([json.loads(path.read_text(encoding="utf-8")), own])
    path.parent.mkdir(parents=True, exist_ok=True)
    for logits in document.parent.glob("logits-*.npz"):
        shutil.copy(logits, path.parent)
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
