"""Sums of Grad-CAM maps over the test set: ``python -m gradcam.sums``.

The paper reports, for PreAct-ResNet18 on CIFAR-10, 146 ± 5 without augmentation, 162 ± 3 with MixUp and 131 ± 6 with
CutMix. Its recipe as far as it can be known: the predicted class, ReLU, each map divided by its own maximum, summed
over pixels, mean over the test set, mean ± standard deviation over training seeds. Of the layer it says, for Figure 4
only, that it is the first convolution, whose maps have the images' own size; that is the default here. Maps of
other layers have sums of the published size too, so that the size does not say which layer it was. Raw and ReLU sums,
the true class and other layers stand beside it.

Without ``--model``, classifiers are trained, or found trained, under each augmentation, and compared.
"""

import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch

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
from figures.panels import draw_seeds
from findings import Result, publish
from findings.bottom_line import SMOKE, behind, found_sentence, paragraph, undecided_sentence
from findings.comparisons import Comparison
from findings.components import Components, components
from findings.decisions import decide, decisions_sentence, in_short
from findings.over_seeds import headlines, of_networks, over_seeds
from findings.published import claims_sentence, compared
from findings.row import row
from findings.sentences import ADDED, enumerated, the, told_apart
from findings.table import plus_minus
from findings.text import Tabular, Text
from gradcam.figures import draw_maps
from gradcam.maps import KINDS, check_layer, grad_cam, normalised, sums
from gradcam.section import SECTIONS
from store import BadInput, Run, positive, provenance, slug, write_atomically
from store.command_line import command, json_document
from store.runs import now
from tasks import Task, load, pixels, some_of
from training.devices import describe
from training.job import Job
from training.live import asked_from_python
from training.progress import under_way
from training.until import until_decided

__all__ = ["Config", "comparisons", "look", "part", "run", "sums_conclusions", "sums_of", "text_of"]

PROGRAM = "python -m gradcam.sums"

VERSION = 1
"""Raised when the same maps give other sums."""

BATCH = 100


@dataclass(frozen=True)
class Config(ModelGrid):
    """Sum the Grad-CAM maps of classifiers over the test images.

    A figure and a table of the sums, pictures of maps, the sentences that they allow, and result.json come out, in
    OUT/gradcam-DATA; classifiers and sums stay in the store.
    """

    layers: tuple[str, ...] = ("conv1",)
    """layers of the network by name; the first is the one that conclusions speak of"""
    classes: tuple[Literal["predicted", "true"], ...] = ("predicted", "true")
    """whose logit is explained"""
    images: int | None = None
    """this many test images, the same ones every time (None: all)"""
    smoke: bool = field(default=False, kw_only=True)
    """one seed, two epochs, ten images, watermarked: shows that everything works, and nothing else"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.images is not None:
            positive("--images", self.images)
        for option in ("layers", "classes"):
            values = getattr(self, option)
            if not values or len(set(values)) != len(values):
                raise BadInput(f"--{option}", " ".join(values) or "nothing", "one or more different names")

    def smoked(self) -> Self:
        """The configuration as it is done: with ``--smoke``, one seed, two epochs and ten images."""
        small = super().smoked()
        return replace(small, images=min(self.images or 10, 10)) if self.smoke else small


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Sum the maps of one classifier or several; print as it goes, unless ``--json -`` claims standard output.

    Example:
        >>> from gradcam import sums
        >>> sums.run(network, images, labels, layers=["stage4"])  # doctest: +SKIP
    """
    return until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    config = config.smoked()
    task = load(config.data, download=not config.execution.dry_run)
    some_of(task.test, config.images)  # refuses what cannot be
    analysed = analyse(
        config,
        task,
        lambda subject: _run(config, subject.classifier, task, subject.name),
        lambda subject: sums_of(config, subject.classifier, task, subject.name),
        "summed",
        "Grad-CAM run",
    )
    return Result([]) if analysed is None else _report(config, task, analysed)


def _run(config: Config, classifier: Classifier, task: Task, name: str) -> Run:
    identity = {
        "version": VERSION,
        "config": {
            "classifier": classifier.digest(),
            "layers": list(config.layers),
            "classes": list(config.classes),
            "images": len(some_of(task.test, config.images)),
        },
        "seed": None,
        "data": task.identity,
    }
    return Run(config.execution.store, "gradcam", f"{slug(name)}-sums", identity)


def sums_of(config: Config, classifier: Classifier, task: Task, name: str) -> Run:
    """Sum one classifier's maps, or find them summed; return the run, with ``sums.npz``.

    ``sums.npz`` holds ``sums`` (layers, classes, kinds, N), in the order of the configuration and of `KINDS`.
    """
    device = classifier.pixel_mean.device
    for layer in config.layers:
        check_layer(classifier, layer, pixels(task.test.inputs[:2].to(device)))
    return once_of_function(
        _run(config, classifier, task, name),
        classifier,
        task,
        config.execution,
        lambda run: _sum(config, classifier, task, run),
    )


def part(config: Config, augmentation: str, seed: int) -> Run:
    """Sum the maps of one classifier of the grid, which has been trained, or is trained now."""
    config = config.smoked()
    subject, task = trained_classifier(config, augmentation, seed)
    return sums_of(config, subject.classifier, task, subject.name)


def _sum(config: Config, classifier: Classifier, task: Task, run: Run) -> None:
    device, chosen = classifier.pixel_mean.device, some_of(task.test, config.images)
    origin, started, start = provenance(describe(device), torch.get_num_threads()), now(), time.perf_counter()
    run.begin()
    parts = []
    batches = chosen.split(BATCH)
    with under_way(run.name, len(batches)) as line:
        for some in batches:
            split = task.test.only(some).to(device)
            x, labels = pixels(split.inputs), split.targets
            with torch.no_grad():
                wanted = {"predicted": classifier(x).argmax(1), "true": labels}
            map_sums = [
                torch.stack(
                    [
                        sums(grad_cam(classifier, classifier.layer(layer), x, wanted[classes]))
                        for classes in config.classes
                    ]
                )
                for layer in config.layers
            ]
            parts.append(torch.stack(map_sums).cpu())
            line.advance()
    with write_atomically(run.path / "sums.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, sums=torch.cat(parts, -1).numpy(), images=chosen.numpy())
    run.finish(metrics={"seconds": time.perf_counter() - start}, started=started, origin=origin)


def _rows(config: Config, run: Run, augmentation: str | None, seed: int | None) -> list[dict[str, Any]]:
    with np.load(run.path / "sums.npz") as kept:
        map_sums = kept["sums"]
    rows = []
    for layer, by_layer in zip(config.layers, map_sums, strict=True):
        for classes, by_class in zip(config.classes, by_layer, strict=True):
            for kind, values in zip(KINDS, by_class, strict=True):
                good = values[np.isfinite(values)]
                if not len(good):
                    continue
                error = good.std(ddof=1) / math.sqrt(len(good)) if len(good) > 1 else 0.0
                where = {"inputs": "clean", "augmentation": augmentation, "seed": seed, "layer": layer}
                where |= {"classes": classes, "empty": len(values) - len(good), "n": len(good)}
                quantity, name = f"{kind} sum of Grad-CAM", f"gradcam_{kind}"
                rows.append(row(quantity, name, good.mean(), units=None, standard_error=error, **where))
    return rows


def _report(config: Config, task: Task, analysed: Analysed) -> Result:
    rows = list(itertools.chain.from_iterable(_rows(config, run, *network) for network, run in analysed.runs.items()))
    table = pd.DataFrame(rows).fillna({"augmentation": "model"})
    n = len(some_of(task.test, config.images))
    head = f"Sums of Grad-CAM maps on {task.name}: {who(config)}, {n:,} test images"
    watermark = "SMOKE RUN" if config.smoke else None
    about = {"title": head, "data": task.name, "settings": analysed.settings(), "watermark": watermark}
    more = {"components": _components(config, analysed)}
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": analysed.failures} | more
    text, about["conclusions"] = text_of(document)
    directory = config.execution.out / f"gradcam-{slug(task.name.lower())}{of_model(config)}"
    plotted = table[
        (table["estimator"] == "gradcam_normalised")
        & (table["layer"] == config.layers[0])
        & (table["classes"] == config.classes[0])
    ][["augmentation", "seed", "value", "n", "empty"]]
    figure = draw_seeds(plotted, "normalised sum in pixels", head)
    files = save(figure, directory / "gradcam-sums", plotted, watermark=watermark)
    figure, plotted = draw_maps(*_examples(config, task, analysed), f"Grad-CAM at {config.layers[0]}, {task.name}")
    files += save(figure, directory / "gradcam-maps", plotted, watermark=watermark)
    rows = headlines(rows, ("augmentation", "layer", "classes", "estimator")) + rows
    decisions = decide(comparisons(document), document["config"])
    result = Result(rows, table, text, files, analysed.failures, decisions)
    return publish(result, PROGRAM, config, directory, about, analysed.evidence(), more)


def _components(config: Config, analysed: Analysed) -> dict[str, Any]:
    """Of the variance of the normalised sum at the first layer, for the first class; of images without empty maps."""
    sums: dict[str, list[np.ndarray]] = {}
    for (augmentation, _), run in analysed.runs.items():
        with np.load(run.path / "sums.npz") as kept:
            sums.setdefault(augmentation, []).append(kept["sums"][0, 0, KINDS.index("normalised")])
    parts = components({name: np.stack(of_seeds) for name, of_seeds in sums.items()})
    return {} if parts is None else {"gradcam_normalised": parts.as_json()}


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of a document of sums, made again from its rows and its variance components.

    Returns:
        The whole text, and its sentences without the table.
    """
    table = of_networks(document["results"]).fillna({"augmentation": "model"})
    conclusions = sums_conclusions(document, table)
    shown = _text_table(document["config"], table, document["about"]["title"])
    line = SMOKE if document["about"]["watermark"] else _bottom_line(document, table)
    return Text(line, [shown, conclusions]), conclusions


def _bottom_line(document: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Whose maps are spread wider, by how much, and what would decide the rest."""
    config, comparison = document["config"], _compared(document, table)
    where = f"at {config['layers'][0]}, {config['classes'][0]} class"
    if comparison is None:
        rows = _normalised(config, table)
        values = enumerated(
            [
                f"{value:.1f} pixels ({the(str(name))})"
                for name, value in rows.groupby("augmentation", sort=False)["value"].mean().items()
            ]
        )
        n = behind(max(int(rows["seed"].nunique()), 1), int(rows["n"].max()))
        alone = (
            "Nothing is compared."
            if rows["augmentation"].nunique() < 2
            else ("Nothing is decided: with one seed each no difference can be claimed, several seeds would tell.")
        )
        return f"The normalised sum {where}, is {values} ({n}). {alone}"
    until = in_short(decide({"Grad-CAM sum": comparison}, config), config)
    return paragraph(
        [
            found_sentence(comparison, f"In the normalised sum {where}", "pixels", 1),
            undecided_sentence(comparison, "in how widely maps are spread"),
            until,
        ]
    )


def _examples(config: Config, task: Task, analysed: Analysed) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The first test image of up to six classes, (B, C, H, W), and normalised maps (B, H, W) of seed 1."""
    firsts = [int((task.test.targets == number).nonzero()[0]) for number in task.test.targets.unique()[:6]]
    images = pixels(task.test.inputs[firsts])
    maps = {}
    for augmentation, seed in analysed.runs:
        if seed not in (1, None):
            continue
        classifier = analysed.classifier((augmentation, seed))
        x = images.to(classifier.pixel_mean.device)
        with torch.no_grad():
            predicted = classifier(x).argmax(1)
        mapped = normalised(grad_cam(classifier, classifier.layer(config.layers[0]), x, predicted))
        maps[augmentation or "model"] = mapped.float().cpu().numpy()
    return images.numpy(), maps


def _text_table(config: Mapping[str, Any], table: pd.DataFrame, caption: str) -> Tabular:
    lines = []
    names = list(dict.fromkeys(table["augmentation"]))
    for place in itertools.product(config["layers"], config["classes"], names):
        of_place = (table["layer"] == place[0]) & (table["classes"] == place[1]) & (table["augmentation"] == place[2])
        rows = table[of_place]
        line = [label(str(place[2])), place[0], place[1]]
        for kind in KINDS:
            values = rows[rows["estimator"] == f"gradcam_{kind}"]["value"]
            line.append(plus_minus(values.mean(), values.std(), (".4g", ".2g")))
        line.append(str(int(rows[rows["estimator"] == "gradcam_normalised"]["empty"].sum())))
        lines.append(line)
    note = (
        "Over the image's pixels; mean ± standard deviation over seeds of the mean over images. Normalised: positive "
        "part over its own maximum, how spread a map is; raw and ReLU sums grow with the scale of the logits. Empty "
        "maps have no positive part."
    )
    return Tabular([["augmentation", "layer", "class", *KINDS, "empty maps"]], lines, caption, [note], keys=3)


def sums_conclusions(document: Mapping[str, Any], table: pd.DataFrame) -> str:
    """Which augmentations differ in the normalised sum, and the published order.

    Args:
        document: whose first layer and class are spoken of.
        table: its rows of networks.
    """
    config = document["config"]
    comparison = _compared(document, table)
    if comparison is None:
        return ""
    subject = f"Normalised sum at {config['layers'][0]}, {config['classes'][0]} class"
    lines = told_apart(comparison, subject, "pixels", 1)
    if statements := claims_sentence("gradcam_normalised", comparison):
        lines.append(statements)
    notes = "" if "gradcam_normalised" in (document.get("components") or {}) else f"{ADDED} "
    _, height, width = document["about"]["settings"]["shape"]
    notes += (
        f"The sum is at most the {height * width} pixels of an image. It says how spread the maps are, not what they "
        "show, and networks of other accuracy or another layer give other sums: a sum of the published size does not "
        "say which layer was used."
    )
    until = decisions_sentence(decide({"Grad-CAM sum": comparison}, config), config)
    return "\n".join([*lines, notes]) + (f"\n\n{until}" if until else "")


def _compared(document: Mapping[str, Any], table: pd.DataFrame) -> Comparison | None:
    """The normalised sums of all pairs of augmentations, at the first layer, for the first class."""
    config = document["config"]
    chosen = _normalised(config, table)
    parts = Components.from_json((document.get("components") or {}).get("gradcam_normalised"))
    return compared("gradcam_normalised", over_seeds(chosen, ("augmentation",)), parts, config)


def _normalised(config: Mapping[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """The normalised sums at the first layer, for the first class."""
    of_place = (table["layer"] == config["layers"][0]) & (table["classes"] == config["classes"][0])
    return table[(table["estimator"] == "gradcam_normalised") & of_place]


def comparisons(document: Mapping[str, Any]) -> dict[str, Comparison | None]:
    """What ``--until decided`` is about: the normalised sums of a document's augmentations."""
    return {"Grad-CAM sum": _compared(document, of_networks(document["results"]))}


JOB = Job(PROGRAM, lambda config, _: grid_steps(config, "gradcam"), SECTIONS)


EXAMPLES = (
    "--data fashion-mnist --layers conv1 stage4",
    "--model torchvision:resnet18 --weights resnet18.pt --layers layer4",
)

if __name__ == "__main__":
    command(Config, run, PROGRAM, examples=EXAMPLES)
