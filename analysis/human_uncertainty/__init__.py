"""Divergence of classifiers from human label uncertainty: ``python -m analysis.human_uncertainty``.

For CIFAR-10's test images, humans' labels (CIFAR-10H) say how uncertain each image is; where data come with the votes
of several raters for each item (`tasks.task.Task`), as some texts do, these do. The paper's Table 6 compares networks
trained under each augmentation by KL(human ‖ model) and finds masking augmentations closest to humans. Most of
that number is over-confidence, which a single temperature removes, and mistakes, of which networks make more or fewer
(`analysis.human_uncertainty.measures`): it is told before and after a temperature, as it is and at matched accuracy.
Without ``--model`` or ``--logits``, classifiers are trained, or found trained, under each augmentation.
"""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from analysis.bounds.bound import standard_error
from analysis.human_uncertainty.figures import draw_human_uncertainty
from analysis.human_uncertainty.labels import check_order, cifar10h, credit, made_up, read_human, votes_of
from analysis.human_uncertainty.measures import (
    FEWEST,
    Measure,
    at_matched_accuracy,
    cross_fitted,
    measures,
    per_image,
    plug_in_bias,
)
from analysis.human_uncertainty.section import OF_RATERS, SECTIONS
from classifiers.grid import ModelGrid, grid_steps, settings_of
from classifiers.load import finite, kept_logits, load_classifier, logits_of
from classifiers.text import load_text_run
from figures import label, save
from findings import Result, publish
from findings.bottom_line import SMOKE, behind, found_sentence, paragraph, undecided_sentence
from findings.comparisons import Comparison, Difference
from findings.components import Components, components
from findings.decisions import decide, decisions_sentence, in_short
from findings.over_seeds import headlines, of_networks, over_seeds
from findings.published import claims_sentence, compared
from findings.row import row
from findings.sentences import ADDED, enumerated, said_of, the, told_apart
from findings.table import plus_minus
from findings.text import Tabular, Text, printed
from store import BadInput, Run, evidence, slug
from store.command_line import json_document, refuse_beside
from tasks import DataOptions, Task, load
from tasks.metrics import ACCURACY, correct, distributions
from training import resolve_device, use_threads
from training.grid import Which
from training.job import Job, Step, loaded
from training.live import asked_from_python
from training.until import until_decided

__all__ = ["Config", "comparisons", "look", "run", "text_of", "uncertainty_conclusions"]

PROGRAM = "python -m analysis.human_uncertainty"

SHOWN = {
    "kl_human_model": ("KL(h‖p)", "nats", 3), "kl_human_model_temperature_scaled": ("T to humans", "nats", 3),
    "kl_human_model_label_temperature": ("T to labels", "nats", 3), "js": ("JS", "nats", 3),
    "entropy": ("entropy", "nats", 3), "ece": ("ECE", "", 3), ACCURACY.name: ("accuracy", "%", 2),
    "second_best_agreement": ("2nd choice", "%", 1),
}  # fmt: skip
"""Estimators in the printed table: head, unit, digits."""


COMPARED = {
    "kl_human_model": "KL(human‖model)",
    "kl_human_model_temperature_scaled": "KL(human‖model) after a temperature fitted to the humans",
    "kl_human_model_matched": "KL(human‖model) at matched accuracy",
    "kl_human_model_temperature_scaled_matched": (
        "KL(human‖model) at matched accuracy after a temperature fitted to the humans"
    ),
}
"""What augmentations are compared by, before and after temperature, as they are and at matched accuracy."""

MATCHED = {
    "kl_human_model_matched": "KL(human‖model) at matched accuracy",
    "kl_human_model_temperature_scaled_matched": "KL(human‖model), temperature fitted to humans, at matched accuracy",
}
"""Estimators at matched accuracy and their quantities; of each, the name without the end is that as it is."""


@dataclass(frozen=True)
class Config(ModelGrid):
    """Measure how far classifiers' outputs are from the distribution of human labels.

    A table and a figure of divergences and calibration, the sentences that they allow, and result.json come out, in
    OUT/human-uncertainty-DATA; the classifiers stay in the store.
    """

    human: Path | None = None
    """human labels of the scored images, in their order: an .npz with counts (N×K) and optionally labels (N) (None:
    the votes that the data come with, or CIFAR-10H, downloaded)"""
    logits: Path | None = None
    """measure these instead of any classifier: an .npy of logits (N×K)"""
    data: DataOptions = field(default_factory=lambda: DataOptions("cifar10"), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.logits is not None and self.model.model is not None:
            raise BadInput("--logits", f"{self.logits} and --model", "one of them")
        if self.logits is not None:
            refuse_beside(self, "--logits", "augmentations", "seeds", "until", "margin", "settings")


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Measure and compare; print as it goes, unless ``--json -`` claims standard output."""
    return _run_logits(config) if config.logits is not None else until_decided(config, look)


def look(config: Config) -> Result:
    """Do it with as many seeds as the configuration has: all of the job, or one look of ``--until decided``."""
    options = config.execution
    data = load(config.data, download=not options.dry_run)
    if data.several:
        raise BadInput("--data", f"{data.name}, with several labels each", "one class each")
    whose = _whose(config, data)
    config = config.smoked()
    if options.dry_run and config.model.model is None:
        config.say(data)
        return Result([])
    labels = _classes(data)
    counts, human_labels = _human(config, data, whose)
    if whose != "raters":  # whose votes lie beside the items
        check_order(counts, human_labels, labels)
    if counts.shape[1] != data.classes:
        raise BadInput("--human", f"counts of {counts.shape[1]} classes", f"the data's {data.classes}")
    if config.model.model is not None:
        use_threads(options.threads)
        logits = _logits_of_model(config, data)
        return _report_one(config, measures(logits, counts, labels), counts, config.model.model, whose, data.items)
    plan = config.plan(data)
    plan.say("their distance from humans", options)
    with plan.progress("", options):
        trained, failures = config.train(data)
    rows: list[dict[str, Any]] = []
    right: dict[Which, Tensor] = {}
    nats: dict[str, dict[Which, Tensor]] = {name.removesuffix("_matched"): {} for name in MATCHED}
    for which, classifier in trained.items():
        logits = finite(kept_logits(classifier)[0], classifier.name, str(classifier.path / "logits.npz"))
        rows += [_row(measure, *which) for measure in measures(logits, counts, labels)]
        scaled, _ = cross_fitted(logits, distributions(counts))
        right[which] = correct(logits, labels)
        for name, these in zip(nats, (logits, scaled), strict=True):
            nats[name][which] = per_image(these, counts)["kl_human_model"]
    scores = nats | {name: at_matched_accuracy(nats[name.removesuffix("_matched")], right) for name in MATCHED}
    for name, quantity in MATCHED.items():
        for which, these in scores[name].items():
            value, error = float(these.mean()), standard_error(these)
            rows.append(_row(Measure(name, quantity, value, error, len(these), "nats"), *which))
    more = {"components": _components(scores), "matched": _matched(right, [*scores[next(iter(MATCHED))]])}
    return _report(config, trained, rows, counts, whose, failures, more)


def _logits_of_model(config: Config, task: Task) -> Tensor:
    """Logits (N, K) of the scored items by the classifier that ``--model`` names: of texts, one that a run has trained.

    Raises:
        BadInput: no such classifier, or one of other classes.
    """
    device, name = resolve_device(config.execution.device), str(config.model.model)
    if task.items != "texts":
        return logits_of(load_classifier(config.model, task, device), task.test.inputs.to(device)).cpu()
    if not Path(name).is_dir():
        raise BadInput("--model", f"{name} for texts", "the directory of a run of classifiers.train, trained on texts")
    classifier = load_text_run(Path(name), device, config.model.weights)
    if classifier.classes != task.classes:
        raise BadInput("--model", f"{name}, for {classifier.classes} classes", f"the data's {task.classes} classes")
    return finite(classifier.of_texts(task.test.inputs), name)


def _components(scores: Mapping[str, Mapping[Which, Tensor]]) -> dict[str, Any]:
    """Of the variance of every divergence, by its estimator."""
    parts = {}
    for name, by_network in scores.items():
        by_augmentation: dict[str, list[np.ndarray]] = {}
        for (augmentation, _), these in by_network.items():
            by_augmentation.setdefault(augmentation, []).append(these.numpy())
        parts[name] = components({one: np.stack(of_seeds) for one, of_seeds in by_augmentation.items()})
    return {name: variance.as_json() for name, variance in parts.items() if variance is not None}


def _matched(right: Mapping[Which, Tensor], matched: Sequence[Which]) -> dict[str, Any] | None:
    """What a document says of matched accuracy: it, in per cent, and the networks without; None of a single network."""
    if len(right) < 2:
        return None
    accuracies = [float(right[which].double().mean()) for which in matched]
    accuracy = ACCURACY.factor * sum(accuracies) / len(accuracies) if accuracies else None
    return {"accuracy": accuracy, "without": [[*which] for which in right if which not in matched]}


Whose = Literal["file", "raters", "cifar10h", "made-up"]
"""Whose labels the human ones are: those in a file, those of the data's own raters, CIFAR-10H's, or, in a smoke run of
the grid, which says so, nobody's."""


def _whose(config: Config, task: Task | None) -> Whose:
    """Whose labels the human ones are.

    Raises:
        BadInput: there are none.
    """
    if config.human is not None:
        return "file"
    if task is not None and task.votes is not None:
        return "raters"
    if config.data.data == "cifar10":
        return "cifar10h"
    if config.smoke and config.model.model is None and config.logits is None:
        return "made-up"
    items = "images" if task is None else task.items
    needed = f"an .npz with counts of its test {items}, or data that come with votes"
    raise BadInput("--human", f"nothing for --data {config.data.data}", needed)


def _human(config: Config, task: Task | None, whose: Whose) -> tuple[Tensor, Tensor | None]:
    """How often humans chose each class of each item, (N, K), and the true classes (N,), where it is known."""
    if config.human is not None:
        return read_human(config.human)
    if task is None or whose == "cifar10h":
        return cifar10h(config.data.data_root, download=not config.execution.dry_run), None
    labels = _classes(task)
    return votes_of(task) if whose == "raters" else made_up(labels, task.classes), labels


def _classes(task: Task) -> Tensor:
    """The class of each scored item, (N,); of soft labels the most likely one."""
    targets: Tensor = task.test.targets
    return targets if targets.ndim == 1 else targets.argmax(1)


def _run_logits(config: Config) -> Result:
    path, needed = config.logits, "an .npy of logits (N×K), floating point"
    assert path is not None
    if not path.is_file():
        raise BadInput("--logits", f"{path}, where there is no file", needed)
    try:
        array = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (ValueError, EOFError, OSError) as problem:
        raise BadInput("--logits", f"{path}, which cannot be read ({str(problem)[:80]})", needed) from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or not np.issubdtype(array.dtype, np.floating):
        kind = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else "an archive"
        raise BadInput("--logits", f"{path}, {kind}", needed)
    logits = finite(torch.from_numpy(array.astype(np.float64)), str(path), "--logits")
    if (logits >= 0).all() and torch.allclose(logits.sum(1), torch.ones(len(logits), dtype=torch.float64), atol=1e-3):
        raise BadInput("--logits", f"{path}, whose rows are probabilities", "logits (their logarithms will do)")
    known = config.human is not None or config.data.data == "cifar10"
    task = None if known else load(config.data, download=not config.execution.dry_run)
    whose = _whose(config, task)
    counts, labels = _human(config, task, whose)
    if counts.shape != logits.shape:
        raise BadInput(
            "--logits", f"{path}, {tuple(logits.shape)}", f"logits of shape {tuple(counts.shape)}, as counts"
        )
    if labels is None:
        config.execution.say("no labels in --human: the humans' most frequent class stands for the true one")
        labels = counts.argmax(1)
    items = "images" if task is None else task.items
    return _report_one(config, measures(logits, counts, labels), counts, str(path), whose, items)


def _row(measure: Measure, augmentation: str | None, seed: int | None) -> dict[str, Any]:
    return row(**asdict(measure), inputs="clean", augmentation=augmentation, seed=seed)


def _report_one(config: Config, measured: list[Measure], counts: Tensor, name: str, whose: Whose, items: str) -> Result:
    """One classifier: a line per number, and the document."""
    rows = [_row(measure, None, None) for measure in measured]
    lines = []
    for measure in measured:
        error = "" if measure.standard_error is None else f" ± {measure.standard_error:.4f}"
        units = f" {measure.units}" if measure.units else ""
        lines.append(f"{measure.quantity}: {measure.value:.4f}{error}{units} (n = {measure.n:,})")
    lines.append(f"{name}; errors are standard errors over {items}. {_bias(counts, whose, items)}")
    kl = next(measure for measure in measured if measure.estimator == "kl_human_model")
    text = Text(
        f"Humans are {kl.value:.3f} ± {kl.standard_error or 0:.3f} nats from {name}, by {kl.quantity} "
        f"(± standard error, n = {kl.n:,}); compared with nothing, nothing is decided.",
        ["\n".join(lines)],
    )
    config.execution.say(printed(text, sys.stderr if config.execution.json == "-" else sys.stdout))
    config.execution.write(json_document(PROGRAM, config, rows))
    return Result(rows, pd.DataFrame(rows), text)


def _bias(counts: Tensor, whose: Whose, items: str) -> str:
    bias = plug_in_bias(counts)
    votes = float(counts.sum(1).double().mean())
    one = items.removesuffix("s")
    each = f"an {one}" if one[0] in "aeiou" else f"a {one}"
    given = f"the labels of {votes:.0f} raters {each}" if whose == "raters" else f"{votes:.0f} human labels {each}"
    return (
        f"With {given}, every KL is too large, by the same for all models: by about "
        f"{bias.redrawn:.4f} nats if labels given anew would show as many classes as these do, {bias.shown:.1f} {each};"
        f" by {bias.chosen:.4f} if only the classes that were chosen could be; and by {bias.every:.4f} if any of "
        f"the {bias.classes} could be for every {one}."
    )


AGAINST: dict[Whose, str] = {"raters": OF_RATERS, "made-up": ", against made-up votes"}
"""What a title says of whose labels the human ones are, where it is not what a reader takes them for."""


def _report(
    config: Config,
    trained: dict[Which, Run],
    rows: list[dict[str, Any]],
    counts: Tensor,
    whose: Whose,
    failures: list[str],
    more: dict[str, Any],
) -> Result:
    settings = settings_of(next(iter(trained.values())))
    name, items = settings["data"], _items(settings)
    width = f" of width {settings['width']}" if settings["width"] else ""
    head = (
        f"Human uncertainty on {name}: {settings['network']}{width}, {settings['train_images']:,} training {items}, "
        f"{settings['epochs']} epochs, {config.seeds} seed{'s' if config.seeds > 1 else ''}{AGAINST.get(whose, '')}"
    )
    watermark = "SMOKE RUN" if config.smoke else None
    about = {"title": head, "data": name, "settings": settings, "watermark": watermark}
    more |= {"human": f"{_bias(counts, whose, items)} {credit(counts)}".strip()}
    document = json_document(PROGRAM, config, rows) | {"about": about, "failures": failures} | more
    text, about["conclusions"] = text_of(document)
    directory = config.execution.out / f"human-uncertainty-{slug(name.lower())}{'-smoke' if config.smoke else ''}"
    table = over_seeds(rows)
    figure, numbers = draw_human_uncertainty(table, head)
    files = save(figure, directory / "human-uncertainty", numbers, watermark=watermark)
    rows = headlines(rows) + rows
    decisions = decide(comparisons(document), document["config"])
    result = Result(rows, table, text, files, failures, decisions)
    networks = evidence(
        ({"augmentation": one, "seed": seed}, classifier) for (one, seed), classifier in trained.items()
    )
    return publish(result, PROGRAM, config, directory, about, networks, more)


def text_of(document: Mapping[str, Any]) -> tuple[Text, str]:
    """The text of a document of divergences, made again from its rows and its variance components.

    Of the human labels it carries what has to be said in ``human``, and of matched accuracy, what its rows do not hold,
    in ``matched``; nothing is said of what an older document lacks.

    Returns:
        The whole text, and its sentences without the table.
    """
    table = over_seeds(of_networks(document["results"]))
    config, matched, items = document["config"], document.get("matched"), _items(document["about"].get("settings", {}))
    conclusions = uncertainty_conclusions(table, document.get("components"), matched, config, items)
    found = comparisons(document)
    decisions = decide(found, config)
    conclusions = "\n\n".join(block for block in (conclusions, decisions_sentence(decisions, config)) if block)
    notes = [_at_matched(table, matched, items) if matched else "", document.get("human") or ""]
    about = document["about"]
    shown = _text_table(table, about["title"], " ".join(filter(None, notes)), items)
    line = SMOKE if about.get("watermark") else _bottom_line(table, found, in_short(decisions, config), items)
    if "made-up votes" in about["title"]:
        line = f"The votes are made up, and no human's. {line}"
    return Text(line, [shown, conclusions]), conclusions


def _items(settings: Mapping[str, Any]) -> str:
    """What is classified, in words."""
    return str(settings.get("items", "images"))


def _bottom_line(table: pd.DataFrame, found: Mapping[str, Comparison | None], until: str, items: str) -> str:
    """Who is closer to humans, as classifiers are and at matched accuracy after a temperature, where that is known."""
    known = {name: comparison for name, comparison in found.items() if comparison is not None}
    if not known:
        chosen = table[table["estimator"] == "kl_human_model"]
        values = enumerated(
            [
                f"{mean:.3f} nats from {the(str(name))}"
                for name, mean in zip(chosen["augmentation"], chosen["mean"], strict=True)
            ]
        )
        n = behind(int(chosen["seeds"].min()), int(chosen["n"].min()), items=items)
        alone = "" if len(chosen) < 2 else "With one seed each, no difference can be claimed: several seeds would tell."
        return paragraph([f"Humans are, by KL(human‖model), {values} ({n}).", alone, until])

    def closer(pair: Difference, value: str) -> str:
        return f"{the(pair.lower)} is closer to humans than {the(pair.higher)} by {value}"

    sentences = []
    chosen_ones = list(known.items())
    for name, comparison in [chosen_ones[0], *chosen_ones[-1:]] if len(known) > 1 else chosen_ones:
        sentences.append(found_sentence(comparison, f"In {name}", "nats", 3, closer))
        sentences.append(undecided_sentence(comparison, f"in {name}"))
    return paragraph([*sorted(filter(None, sentences), key=_undecided), until])


def _undecided(sentence: str) -> bool:
    return not sentence.startswith("In ")


def _text_table(table: pd.DataFrame, caption: str, further: str, items: str) -> Tabular:
    # where nobody has chosen a second class, there is no second choice to agree with
    shown = {name: column for name, column in SHOWN.items() if (table["estimator"] == name).any()}
    head = [["augmentation", *(name for name, _, _ in shown.values())], ["", *(unit for _, unit, _ in shown.values())]]
    lines = []
    for augmentation, rows in table.groupby("augmentation", sort=False):
        by = rows.set_index("estimator")
        line = [label(str(augmentation))]
        for estimator, (_, _, digits) in shown.items():
            line.append(plus_minus(by["mean"][estimator], by["std"][estimator], digits))
        lines.append(line)
    note = (
        "Mean ± standard deviation over seeds. KL(h‖p) is KL(human‖model), and beside it what is left after one "
        "temperature, fitted to the humans' labels or to the true ones. "
        f"All {int(table['n'].max()):,} test {items}. {further}".strip()
    )
    return Tabular(head, lines, caption, [note])


def comparisons(document: Mapping[str, Any]) -> dict[str, Comparison | None]:
    """What ``--until decided`` is about: the divergences from humans, before and after temperature."""
    table, parts = over_seeds(of_networks(document["results"])), document.get("components") or {}
    return {
        name: compared(
            estimator,
            table[table["estimator"] == estimator],
            Components.from_json(parts.get(estimator)),
            document["config"],
            _items(document["about"].get("settings", {})),
        )
        for estimator, name in COMPARED.items()
    }


def _at_matched(table: pd.DataFrame, matched: Mapping[str, Any], items: str) -> str:
    """The divergences at matched accuracy, which have no room in the table, and which networks have none."""
    if matched["accuracy"] is None:
        return (
            f"No KL(h‖p) at matched accuracy: it takes two networks that are right and wrong on {FEWEST} {items} each."
        )
    values = [
        ", ".join(
            f"{plus_minus(row['mean'], row['std'], 3)} ({the(str(row['augmentation']))})"
            for row in table[table["estimator"] == estimator].to_dict("records")
        )
        for estimator in MATCHED
    ]
    said = (
        f"At matched accuracy, as if every network were right on {_share(matched)} of the {items}, KL(h‖p) in nats is "
        f"{values[0]}; after T to humans it is {values[1]}."
    )
    if matched["without"]:
        named = ", ".join(f"{the(augmentation)} of seed {seed}" for augmentation, seed in matched["without"])
        said += f" That is without {named}: right or wrong on fewer than {FEWEST} {items}."
    return said


def _share(matched: Mapping[str, Any]) -> str:
    return f"{matched['accuracy']:.1f}%"


def uncertainty_conclusions(
    table: pd.DataFrame,
    parts: Mapping[str, Any] | None = None,
    matched: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    items: str = "images",
) -> str:
    """What the divergences allow one to say, before and after temperature, as they are and at matched accuracy.

    Args:
        table: `findings.over_seeds.over_seeds`' lines.
        parts: a document's variance components, by estimator; without, the images' errors are added in full.
        matched: what it says of matched accuracy; without, nothing is said of it.
        config: a document's, by which augmentations are compared (`findings.published.compared`).
        items: what is classified; the paper's statements are about images.
    """
    lines = []
    for estimator, name in COMPARED.items():
        chosen = table[table["estimator"] == estimator]
        variance = Components.from_json((parts or {}).get(estimator))
        comparison = compared(estimator, chosen, variance, config or {}, items)
        if comparison is None:
            continue
        lines += told_apart(comparison, name, "nats", 3, "{lower} is closer to humans than {higher} by {value}")
        if items == "images" and (statements := claims_sentence(estimator, comparison)):
            lines.append(statements)
    if lines:
        if not parts:
            lines.append(said_of(items, ADDED))
        lines.append(_confounds(table, matched, items))
    return "\n".join(lines)


def _confounds(table: pd.DataFrame, matched: Mapping[str, Any] | None, items: str) -> str:
    """What else than the likeness of uncertainties the divergence holds: confidence, and being wrong."""
    means = table.pivot_table(index="augmentation", columns="estimator", values="mean", sort=False)
    before, after = means["kl_human_model"], means["kl_human_model_temperature_scaled"]
    removed = ", ".join(f"{share:.0%} ({the(str(name))})" for name, share in (1 - after / before).items())
    right = ", ".join(f"{value:.1f}% ({the(str(name))})" for name, value in means[ACCURACY.name].items())
    if matched is None or matched["accuracy"] is None:
        last = "Only networks of like accuracy can be compared for their uncertainty."
    else:
        last = (
            "Only networks of like accuracy can be compared for their uncertainty, or, at matched accuracy, networks "
            f"that count as right on {_share(matched)} of the {items} each: as many mistakes, though not the same ones."
        )
    return (
        f"What the divergence holds besides: confidence, of which one temperature removes {removed}; and mistakes, "
        f"for a network is far from humans wherever it is wrong, and the accuracies are {right}. {last}"
    )


def _steps(config: Config, _: Sequence[Step]) -> Iterator[Step]:
    if config.logits is None:
        _whose(config, loaded(config.data, not config.execution.dry_run))  # refused before networks are trained
    yield from grid_steps(config)


JOB = Job(PROGRAM, _steps, SECTIONS)
