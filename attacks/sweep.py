"""Accuracy under attack over perturbation sizes: ``python -m attacks.sweep``.

The published sweep: FGSM, BIM, PGD, uniform noise and DeepFool in the l∞ norm, Foolbox's defaults, at fourteen ε in
units of pixels in [0, 1], the normalisation inside the model; *worst case* is the per-image OR over attacks. Two curves
(`attacks.curves`), as published and robust, and checks that say whether the attacks did their work (`attacks.checks`).

Without ``--model``, classifiers are trained, or found trained, under each augmentation, and compared. A sweep is a run
of the store: its verdicts (``verdicts.npz``) are kept, and an interrupted one goes on with the next batch.
"""

import base64
import importlib.util
import itertools
import math
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from scipy import stats

from attacks.attacked import IMAGES, attacked_by, compared, draw_attacked, gradient_attack, sizes_shown
from attacks.checks import Check, check_autoattack, check_model, check_steps, check_verdicts
from attacks.curves import Images, Seen, as_published, robust
from attacks.figures import NAMES, draw_sweep
from attacks.foolbox_attacks import attack_named
from attacks.section import SECTIONS
from attacks.sentences import (
    SAID,
    SHARE,
    WORST,
    attacks_compared,
    bottom_line,
    measure_of,
    share_scores,
    summary_table,
    survival,
    sweep_conclusions,
)
from classifiers.grid import (
    Analysed,
    ModelGrid,
    analyse,
    grid_steps,
    of_model,
    once_of_function,
    trained_classifier,
    who,
)
from classifiers.load import Classifier
from figures import label, save
from figures.mosaic import first_of_classes
from findings import Result, publish
from findings.bottom_line import SMOKE
from findings.comparisons import Comparison
from findings.components import components
from findings.decisions import decide, decisions_sentence, in_short
from findings.over_seeds import headlines, of_networks
from findings.row import row
from findings.text import Tabular, Text
from store import BadInput, Run, evidence, positive, provenance, slug, write_atomically
from store.command_line import command, json_document
from store.runs import now
from tasks import Task, load, pixels, some_of
from training.devices import describe
from training.grid import Which
from training.job import Job
from training.live import asked_from_python
from training.progress import under_way
from training.reuse import once
from training.until import until_decided

__all__ = ["Config", "autoattack", "comparisons", "look", "part", "run", "sweep", "text_of"]

PROGRAM = "python -m attacks.sweep"

VERSION = 1
"""Raised when the same sweep gives another result."""

EPSILONS = (0.0, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.1, 0.3, 0.5, 1.0)

LARGEST = 1e6
"""Of perturbations: in any norm of any image of pixels in [0, 1] there is none above it."""

KEPT = 24_000
"""Characters of verdicts that a document carries at most: all of twelve classifiers on some thousand images."""

CURVES = {"published": as_published, "robust": robust}


@dataclass(frozen=True)
class Config(ModelGrid):
    """Attack classifiers at every perturbation size and say how much of their accuracy is left.

    A figure and a table of accuracy over ε for each attack, the checks that the attacks did their work, and result.json
    come out, in OUT/attacks-DATA; classifiers and verdicts on every image stay in the store.
    """

    attacks: tuple[str, ...] = ("fgsm", "bim", "pgd", "noise", "deepfool")
    """fgsm, bim, pgd, noise, deepfool, repeated-noise, or a class of foolbox.attacks"""
    epsilons: tuple[float, ...] = EPSILONS
    """perturbation sizes, ascending, in units of pixels in [0, 1]"""
    curves: tuple[Literal["published", "robust"], ...] = ("published", "robust")
    """published: as plain Foolbox calls; robust: broken images stay broken, every iterate is judged"""
    images: int | None = None
    """attack this many test images, the same ones every time (None: all)"""
    attack_batch_size: int = 100
    """images at once; bounds the memory and changes no result"""
    attack_seed: int = 1
    """of the attacks' random numbers"""
    autoattack: int = 0
    """check the sweep's worst case on this many images with AutoAttack, which needs mixinfo[autoattack]"""
    smoke: bool = field(default=False, kw_only=True)
    """one seed, two epochs, ten images, watermarked: shows that everything works, and nothing else"""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("--attack-batch-size", self.attack_batch_size)
        if self.images is not None:
            positive("--images", self.images)
        for name in self.attacks:
            attack_named(name)
        if self.autoattack < 0:
            raise BadInput("--autoattack", self.autoattack, "an integer of at least 0")
        if self.autoattack and importlib.util.find_spec("pyautoattack") is None:
            raise BadInput("--autoattack", self.autoattack, "the package pyautoattack (mixinfo[autoattack])")
        if self.autoattack and "robust" not in self.curves:
            raise BadInput("--autoattack", f"{self.autoattack} without the robust curve", "--curves robust")
        for option, values in (("attacks", self.attacks), ("curves", self.curves)):
            if not values or len(set(values)) != len(values):
                raise BadInput(f"--{option}", " ".join(values) or "nothing", "one or more different names")
        sizes = self.epsilons
        if not sizes or not all(0 <= size <= LARGEST for size in sizes) or list(sizes) != sorted(set(sizes)):
            needed = f"different numbers from 0 to {LARGEST:g}, ascending"
            raise BadInput("--epsilons", " ".join(map(str, sizes)) or "nothing", needed)
        if self.attack_seed < 0:
            raise BadInput("--attack-seed", self.attack_seed, "an integer of at least 0")

    def smoked(self) -> Self:
        """The configuration as it is done: with ``--smoke``, one seed, two epochs and ten images."""
        small = super().smoked()
        return replace(small, images=min(self.images or 10, 10)) if self.smoke else small


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Sweep one classifier or several; print as it goes, unless ``--json -`` claims standard output.

    Example:
        >>> from attacks import sweep
        >>> sweep.run(network, images, labels, attacks=["fgsm"], epsilons=[0, 0.03])  # doctest: +SKIP
    """
    return until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    config = config.smoked()
    options = config.execution
    task = load(config.data, download=not options.dry_run)
    some_of(task.test, config.images)  # refuses what cannot be
    analysed = analyse(
        config,
        task,
        lambda subject: _run(config, subject.classifier, task, subject.name),
        lambda subject: sweep(config, subject.classifier, task, subject.name),
        "swept",
        "sweep",
    )
    if analysed is None:
        return Result([])
    outside = {}
    if config.autoattack:
        for network, swept in analysed.runs.items():
            outside[network] = autoattack(config, analysed.classifier(network), task, swept)
            options.say(f"checked  {len(outside)}/{len(analysed.runs)}   {outside[network].name}")
    return _report(config, task, analysed, outside)


def _run(config: Config, classifier: Classifier, task: Task, name: str) -> Run:
    identity = {
        "version": VERSION,
        "config": {
            "classifier": classifier.digest(),
            "attacks": list(config.attacks),
            "epsilons": list(config.epsilons),
            "curves": list(config.curves),
            "images": len(some_of(task.test, config.images)),
        },
        "seed": config.attack_seed,
        "data": task.identity,
    }
    return Run(config.execution.store, "attacks", f"{slug(name)}-sweep", identity)


def sweep(config: Config, classifier: Classifier, task: Task, name: str) -> Run:
    """Attack one classifier, or find it attacked; return the run, with ``verdicts.npz`` and the checks.

    Args:
        config: attacks, ε, curves, images.
        classifier: in evaluation mode, on its device.
        task: whose test images are attacked.
        name: of the classifier, for people.
    """
    return once_of_function(
        _run(config, classifier, task, name),
        classifier,
        task,
        config.execution,
        lambda run: _sweep(config, classifier.requires_grad_(False), task, run),
    )


def part(config: Config, augmentation: str, seed: int) -> Run:
    """Sweep one classifier of the grid, which has been trained, or is trained now."""
    config = config.smoked()
    subject, task = trained_classifier(config, augmentation, seed)
    return sweep(config, subject.classifier, task, subject.name)


def autoattack(config: Config, classifier: Classifier, task: Task, swept: Run) -> Run:
    """Compare the worst case of a sweep with AutoAttack on some of its images, or find it compared.

    Args:
        config: whose ``autoattack`` is the number of images.
        classifier: that was swept.
        task: whose test images are attacked.
        swept: with its verdicts.

    Returns:
        A run whose result has one check.
    """
    identity = {"version": VERSION, "config": {"sweep": swept.hash, "images": config.autoattack}, "seed": None}
    run = Run(config.execution.store, "attacks", f"{swept.name}-autoattack", identity | {"data": task.identity})

    def work() -> None:
        device = classifier.pixel_mean.device
        origin, started, start = provenance(describe(device), torch.get_num_threads()), now(), time.perf_counter()
        run.begin()
        with np.load(swept.path / "verdicts.npz") as kept:
            worst, chosen = np.any(kept["robust"], 0), kept["images"][: config.autoattack]
        middle = _half(worst)
        checks = []
        if config.epsilons[middle] > 0:
            broken = torch.from_numpy(worst[middle, : config.autoattack]).to(device)
            images = _images(classifier.requires_grad_(False), task, torch.from_numpy(chosen))
            checks = [check_autoattack(classifier, images, broken, config.epsilons[middle], config.attack_seed)]
        run.finish(
            metrics={"seconds": time.perf_counter() - start},
            started=started,
            origin=origin,
            checks=[asdict(check) for check in checks],
        )

    return once(run, config.execution, work)


def _images(classifier: Classifier, task: Task, some: torch.Tensor) -> Images:
    device = classifier.pixel_mean.device
    split = task.test.only(some).to(device)
    x, labels = pixels(split.inputs), split.targets
    return Images.under(classifier, x, labels, some.tolist())


def _sweep(config: Config, classifier: Classifier, task: Task, run: Run) -> None:
    device, chosen = classifier.pixel_mean.device, some_of(task.test, config.images)
    origin, started = provenance(describe(device), torch.get_num_threads()), now()
    checks = check_model(classifier, pixels(task.test.inputs[chosen[:50]].to(device)))
    if any(check.verdict == "fail" for check in checks):
        failed = next(check for check in checks if check.verdict == "fail")
        raise BadInput("--model", f"a model that fails “{failed.name}” ({failed.found})", "logits in evaluation mode")
    run.begin()
    batches = []
    seconds = 0.0
    with under_way(run.name, len(chosen)) as line:
        for number, some in enumerate(chosen.split(config.attack_batch_size)):
            file = run.path / f".batch-{config.attack_batch_size}-{number:05d}.npz"
            if not file.exists():
                _attack(config, classifier, task, some, file)
            with np.load(file) as kept:
                batches.append(dict(kept))
            seconds += float(batches[-1]["seconds"])
            line.advance(len(some))
    verdicts = {name: np.concatenate([batch[name] for batch in batches], -1) for name in (*config.curves, "wrong")}
    seen = Seen.together(batches)
    zero = int(sum(batch["zero_gradients"] for batch in batches))
    if "robust" in verdicts:
        checks += check_verdicts(
            verdicts.get("published"),
            verdicts["robust"],
            config.attacks,
            config.epsilons,
            verdicts["wrong"],
            zero,
            seen,
        )

        if "pgd" in config.attacks:
            middle = _half(verdicts["robust"][list(config.attacks).index("pgd")])
            if config.epsilons[middle] > 0:
                first = _images(classifier, task, chosen[:100])
                checks.append(check_steps(classifier, first, config.epsilons[middle], config.attack_seed))
    with write_atomically(run.path / "verdicts.npz") as temporary, open(temporary, "wb") as kept_file:
        arrays: dict[str, Any] = {"images": chosen.numpy(), "epsilons": np.array(config.epsilons)} | verdicts
        np.savez_compressed(kept_file, **arrays)
    run.finish(
        metrics={"seconds": seconds, "clean_accuracy": 100 * (1 - float(verdicts["wrong"].mean()))},
        started=started,
        origin=origin,
        checks=[asdict(check) for check in checks],
    )
    for file in run.path.glob(".batch-*.npz"):
        file.unlink()


def _half(broken: np.ndarray) -> int:
    """At which ε about half of what was right is broken, where an attack's strength matters most; broken is (E, N)."""
    left = 1 - broken.mean(1)
    return int(np.abs(left - left[0] / 2).argmin())


def _attack(config: Config, classifier: Classifier, task: Task, some: torch.Tensor, file: Path) -> None:
    """Attack one batch and write its verdicts."""
    start = time.perf_counter()
    images, seen = _images(classifier, task, some), Seen()
    arrays: dict[str, Any] = {"wrong": images.wrong.cpu().numpy()}
    for curve in config.curves:
        arrays[curve] = np.stack(
            [
                CURVES[curve](classifier, attack_named(name), name, images, config.epsilons, config.attack_seed, seen)
                .cpu()
                .numpy()
                for name in config.attacks
            ]
        )
    arrays |= asdict(seen) | {
        "zero_gradients": int((images.gradient.flatten(1) == 0).all(1).sum()),
        "seconds": time.perf_counter() - start,
    }
    with write_atomically(file) as temporary, open(temporary, "wb") as opened:
        np.savez(opened, **arrays)


def interval(broken: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of an accuracy in per cent."""
    bounds = stats.binomtest(n - broken, n).proportion_ci(0.95, "wilson")
    return 100 * bounds.low, 100 * bounds.high


def _rows(config: Config, swept: Run, augmentation: str | None, seed: int | None) -> list[dict[str, Any]]:
    rows = []
    network = {"inputs": "clean", "augmentation": augmentation, "seed": seed}
    with np.load(swept.path / "verdicts.npz") as kept:
        for curve in config.curves:
            verdicts = kept[curve]
            for name, broken in [*zip(config.attacks, verdicts, strict=True), (WORST, verdicts.any(0))]:
                for epsilon, at in zip(config.epsilons, broken, strict=True):
                    n, share = len(at), 1 - at.mean()
                    low, high = interval(int(at.sum()), n)
                    where = network | {"curve": curve, "epsilon": epsilon, "low": low, "high": high, "n": n}
                    where |= {"standard_error": 100 * math.sqrt(share * (1 - share) / n)}
                    rows.append(row("accuracy under attack", name, 100 * float(share), units="%", **where))
    return rows


def _report(config: Config, task: Task, analysed: Analysed, outside: dict[Which, Run]) -> Result:
    rows = list(itertools.chain.from_iterable(_rows(config, run, *network) for network, run in analysed.runs.items()))
    head = f"Accuracy under attack on {task.name}: {who(config)}, {rows[0]['n']:,} test images"
    checked = evidence(({"augmentation": one, "seed": seed}, compared) for (one, seed), compared in outside.items())
    watermark = "SMOKE RUN" if config.smoke else None
    about = {"title": head, "data": task.name, "settings": analysed.settings(), "watermark": watermark}
    runs, more = analysed.evidence() + checked, _kept(config, analysed.runs)
    document = (
        json_document(PROGRAM, config, rows) | {"about": about, "runs": runs, "failures": analysed.failures} | more
    )
    text, about["conclusions"] = text_of(document)
    directory = config.execution.out / f"attacks-{slug(task.name.lower())}{of_model(config)}"
    table = pd.DataFrame(rows)
    figure, plotted = draw_sweep(table, head)
    files = save(figure, directory / "attacks", plotted, watermark=watermark)
    files += _save_attacked(config, task, analysed, directory / "attacked", watermark)
    rows = headlines(rows, ("augmentation", "curve", "estimator", "epsilon")) + rows
    decisions = decide(comparisons(document), document["config"])
    result = Result(rows, table, text, files, analysed.failures, decisions)
    return publish(result, PROGRAM, config, directory, about, runs, more)


def _save_attacked(config: Config, task: Task, analysed: Analysed, stem: Path, watermark: str | None) -> list[Path]:
    """Draw attacked images that are right as they are; no files where there is none, or no attack along gradients."""
    attack, sizes, networks = gradient_attack(config.attacks), sizes_shown(config.epsilons), compared(analysed.runs)
    wrong = []
    for network in networks:
        with np.load(analysed.runs[network].path / "verdicts.npz") as kept:
            wrong.append(kept["wrong"])
    right = some_of(task.test, config.images)[~np.any(wrong, 0)]
    if attack is None or not sizes or not len(right):
        return []
    classes = task.test.targets.cpu()
    chosen = right[first_of_classes(classes[right].numpy(), IMAGES)]
    attacked = {}
    for network in networks:
        classifier = analysed.classifier(network).requires_grad_(False)
        images = _images(classifier, task, chosen)
        attacked[network] = attacked_by(attack, classifier, images, sizes, config.attack_seed)
    head = f"{task.name} under {NAMES.get(attack, attack)}: {who(config)}; above an image what is said, bold if wrong"
    figure, plotted = draw_attacked(attacked, attack, chosen.numpy(), classes[chosen].numpy(), head)
    return save(figure, stem, plotted, watermark=watermark)


def _kept(config: Config, runs: Mapping[Which, Run]) -> dict[str, Any]:
    """What a document keeps of the verdicts of each image.

    ``components`` of the variance of each mean over ε above 0, and, as far as they fit into `KEPT` characters,
    ``verdicts``: of each classifier, for each attack and image, at which of the ascending ε the robust curve has it
    broken first, the number of ε for never, as base64 of zlib's compression of bytes (attacks, images).
    """
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    verdicts, size = [], 0
    for (augmentation, seed), run in runs.items():
        with np.load(run.path / "verdicts.npz") as kept:
            for curve in config.curves:
                broken, wrong = kept[curve], kept["wrong"]
                left = dict(zip(config.attacks, survival(broken, config.epsilons), strict=True))
                left[WORST] = survival(broken.any(0), config.epsilons)
                left[SHARE] = share_scores(left[WORST], wrong)
                for attack, by_image in left.items():
                    scores.setdefault(measure_of(attack, curve), {}).setdefault(augmentation, []).append(by_image)
                if curve == "robust":
                    first = (~broken).sum(1).astype(np.uint8)  # who is whole at an ε is whole at all smaller ones
                    packed = base64.b64encode(zlib.compress(first.tobytes(), 9)).decode("ascii")
                    size += len(packed)
                    verdicts.append({"augmentation": augmentation, "seed": seed, "broken": packed})
    parts = {
        measure: components({name: np.stack(of_seeds) for name, of_seeds in of.items()})
        for measure, of in scores.items()
    }
    more: dict[str, Any] = {
        "components": {measure: variances.as_json() for measure, variances in parts.items() if variances is not None}
    }
    return more | ({"verdicts": verdicts} if 0 < size <= KEPT else {})


def comparisons(document: Mapping[str, Any]) -> dict[str, Comparison | None]:
    """What ``--until decided`` is about: accuracies of a document's augmentations under the attacks that the paper's
    text speaks of, by the robust curve where there is one."""
    config = document["config"]
    curve = "robust" if "robust" in config["curves"] else config["curves"][0]
    table = of_networks(document["results"])
    found = attacks_compared(table, curve, document.get("components") or {}, config)
    return {SAID[attack]: comparison for attack, comparison in found.items()}


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of a sweep's document, made again from its rows, its runs and its variance components.

    Returns:
        The whole text, and its sentences without the tables.
    """
    config, head, runs = document["config"], document["about"]["title"], document["runs"]
    table = of_networks(document["results"])
    parts = document.get("components") or {}
    tables = [_text_table(table, curve, head) for curve in config["curves"]]
    words = []
    decisions = decide(comparisons(document), config)
    if table["augmentation"].notna().any():
        tables = [replace(summary_table(table, curve, runs), caption=head) for curve in config["curves"]] + tables
        words = [sweep_conclusions(table, curve, parts, runs, config) for curve in config["curves"]]
        words.append(decisions_sentence(decisions, config))
    checks: dict[Which, list[Check]] = {}
    for run in runs:
        for check in run["record"].get("checks", ()):
            checks.setdefault((run["augmentation"], run["seed"]), []).append(Check(**check))
    conclusions = "\n\n".join(paragraph for paragraph in [*words, _checks_text(checks)] if paragraph)
    curve = "robust" if "robust" in config["curves"] else config["curves"][0]
    failed = [check.name for of_network in checks.values() for check in of_network if check.verdict == "fail"]
    line = SMOKE
    if not document["about"]["watermark"]:
        line = bottom_line(table, curve, parts, runs, config, [*dict.fromkeys(failed)], in_short(decisions, config))
    return Text(line, [*tables, conclusions]), conclusions


def _text_table(table: pd.DataFrame, curve: str, head: str) -> Tabular:
    """Accuracy in per cent by attack and augmentation at every ε, means over seeds."""
    titles = {
        "published": "as published: the last iterate of every attack, misclassified images stay in",
        "robust": "robust: broken images stay broken, every iterate is judged",
    }
    chosen = table[table["curve"] == curve].fillna({"augmentation": "the model"})
    means = chosen.pivot_table(
        index=["estimator", "augmentation"], columns="epsilon", values="value", sort=False, dropna=False
    ).dropna(how="all")
    means = means[sorted(means.columns)]
    lines = []
    for place, line in means.iterrows():
        attack, augmentation = map(str, place)  # type: ignore[call-overload]
        lines.append([attack, label(augmentation), *(f"{value:.1f}" for value in line)])
    sizes = ["attack", "ε →", *(f"{epsilon:g}" for epsilon in means.columns)]
    return Tabular([sizes], lines, f"{head}\n{titles[curve]}; mean over seeds, %", keys=2)


def _checks_text(checks: dict[Which, list[Check]]) -> str:
    """Every check once: how many classifiers pass, and what is wrong with the others."""
    names = list(dict.fromkeys(check.name for of_network in checks.values() for check in of_network))
    lines = ["Checks"]
    for name in names:
        by_network = {
            network: check for network, of_network in checks.items() for check in of_network if check.name == name
        }
        bad = {network: check for network, check in by_network.items() if check.verdict != "pass"}
        worst = "fail" if any(check.verdict == "fail" for check in bad.values()) else "warn" if bad else "pass"
        shown = next(iter((bad or by_network).items()))
        who = "" if shown[0][0] is None else f" ({label(shown[0][0])}, seed {shown[0][1]})"
        count = f"{len(by_network) - len(bad)} of {len(by_network)}: " if len(by_network) > 1 else ""
        lines.append(f"- {worst}: {name}: {count}{shown[1].found}{who}")
    return "\n".join(lines)


JOB = Job(PROGRAM, lambda config, _: grid_steps(config, "attacks"), SECTIONS)


EXAMPLES = (
    "--data cifar10 --augmentations none fmix --images 1000",
    "--model torchvision:resnet18 --weights resnet18.pt --attacks pgd deepfool --epsilons 0 0.01 0.03",
    "--model runs/classifier/digits-preact-resnet18-none-seed1-0f70a61d6b0e --autoattack 100",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
