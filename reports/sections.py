"""What the report has to say about every part of the paper, whether it has been run or not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from analysis.ablation import SYMBOLS
from analysis.bounds.estimators import ESTIMATORS
from analysis.mutual_info.table import RECONSTRUCTION, UNDER_TRAINED, columns
from attacks.sentences import clean_accuracies, leads
from figures import label
from findings.document import Document
from findings.over_seeds import over_seeds
from findings.table import Cell, Column, Table, cells_over_seeds
from findings.under_trained import LINEAR, mostly_under_trained

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Args:
        key: in addresses and names of files.
        title: above it.
        paper: which tables and figures of the paper it stands for.
        program: whose documents it shows; empty for one that is made while the report is built.
        measured: what was measured.
        does_not: what the numbers do not mean.
        get: the command that makes its documents.
        cost: how long that takes.
        pictures: alternative texts by the beginning of a picture's name; the first is the section's main one.
        table: of a document.
        wanted: whether a document of the program belongs here.
        further: a second table, or None for documents that have nothing for it.
    """

    key: str
    title: str
    paper: str
    program: str
    measured: str
    does_not: str
    get: str
    cost: str
    pictures: Mapping[str, str] = field(default_factory=dict)
    table: Callable[[Document], Table] | None = None
    wanted: Callable[[Document], bool] = lambda document: True
    further: Callable[[Document], Table | None] | None = None


def _information(document: Document) -> Table:
    rows = document.rows
    chosen = rows[rows["noise"].isna() & (rows["inputs"] == "clean")]
    known = columns()
    shown = {name: Column(head, {"mse": 4, "negative_elbo": 1}.get(name, 2)) for name, (head, _) in known.items()}
    shown = {name: column for name, column in shown.items() if (chosen["estimator"] == name).any()}
    chosen = chosen[chosen["estimator"].isin(list(shown))]
    by = ("augmentation", "decoder_scale") if chosen["decoder_scale"].nunique() > 1 else ("augmentation",)
    lines, numbers = cells_over_seeds(document, chosen, shown, by)
    places = list(dict.fromkeys(chosen[list(by)].itertuples(index=False, name=None)))
    marked = False
    for place, line in zip(places, lines, strict=True):
        own = chosen[(chosen[list(by)] == list(place)).all(axis=1)]
        if mostly_under_trained(own).get(place[0]):
            line[0] = replace(line[0], text=line[0].text + " ‡")
            marked = True
    cap = chosen.loc[chosen["estimator"] == "infonce", "cap"].max()
    directions = {name: known[name][1] for name in shown}
    if not pd.isna(cap):
        directions["infonce"] += f" (cap {cap:.2f})"
    head = [*(["augmentation", "decoder scale"][: len(by)])]
    head += [f"{column.head}: {directions[name]}".removesuffix(": ") for name, column in shown.items()]
    notes = ["nats, MSE in squared normalised pixels; mean ± standard deviation over seeds; clean test images"]
    if chosen["saturated"].eq(True).any():
        notes.append("* within a nat of its cap: saturated")
    if marked:
        notes.append(UNDER_TRAINED)
    if RECONSTRUCTION in shown:
        notes.append("† published as a lower bound; it is the rate of the reconstruction x̂, another variable")
    return Table("Clean test images", head, lines, numbers, notes)


def _training(document: Document) -> Table | None:
    """How well VAEs were trained; None for documents that are older than the record of it."""
    rows = document.rows
    own = rows[rows["inputs"].eq("own-augmented") & rows["noise"].isna()]
    linear = own[own["augmentation"].eq(LINEAR) & own["estimator"].eq("negative_elbo")]
    if not own["estimator"].eq("last_fall").any():
        return None
    beside = linear.assign(augmentation=linear["fitted_on"], estimator="linear")
    active = rows[rows["estimator"].eq("active_units") & rows["inputs"].eq(document.config["inputs"][0])]
    chosen = pd.concat([own[own["augmentation"].ne(LINEAR) & own["estimator"].ne("active_units")], beside, active])
    shown = {
        "negative_elbo": Column("−ELBO, own inputs", 1), "linear": Column("the linear VAE's", 1),
        "overfitting": Column("test less training −ELBO", 1), "last_fall": Column("fall over the last fifth"),
        "active_units": Column("active units", 1),
    }  # fmt: skip
    chosen = chosen[chosen["estimator"].isin(list(shown))]
    by = ("augmentation", "decoder_scale") if chosen["decoder_scale"].nunique() > 1 else ("augmentation",)
    lines, numbers = cells_over_seeds(document, chosen, shown, by)
    head = [*(["augmentation", "decoder scale"][: len(by)]), *(column.head for column in shown.values())]
    note = (
        "nats an image, mean ± standard deviation over seeds; held-out inputs like a VAE's own, and the linear VAE "
        "fitted on such inputs. At the end of a schedule whose rate falls to nothing −ELBO hardly falls: only a run "
        "of twice the length tells whether it would have gone on"
    )
    return Table("How the VAEs were trained", head, lines, numbers, [note])


def _ground_truth(document: Document) -> Table:
    rows = document.rows
    lines = []
    chosen = [name for name in ESTIMATORS if (rows["estimator"] == name).any()]
    chosen = [name for name in chosen if (rows.loc[rows["quantity"] == "I(Z;X)", "estimator"] == name).any()]
    own = rows[rows["quantity"] == "I(Z;X)"]
    for task, block in own.groupby("task", sort=False):
        found = block.set_index("estimator")
        heavy = found["heavy_tailed"].eq(True)  # null in records that are older than the flag
        line = [Cell(str(task)), Cell(f"{float(found['truth'].iloc[0]):.2f}")]
        for name in chosen:
            there = name in found.index and not pd.isna(found["value"].get(name))
            text = f"{float(found['value'][name]):.2f} ± {float(found['standard_error'][name]):.2f}" if there else ""
            text += " †" if there and heavy[name] else ""
            line.append(Cell(text, saturated=there and bool(found["saturated"][name])))
        lines.append(line)
    signs = {"upper": "≤", "lower": "≥", "estimate": "≈"}
    directions = own.dropna(subset="direction").groupby("estimator")["direction"].first()
    head = ["encoder", "true I(Z;X)", *(f"{ESTIMATORS[name].label} (I {signs[directions[name]]})" for name in chosen)]
    notes = ["nats, mean over replicates ± its standard error; * saturated, † heavy-tailed in most replicates"]
    columns = [name for name in rows if name not in ("augmentation", "seed", "noise", "inputs", "k")]
    return Table("Encoders of one variable", head, lines, rows[columns], notes)


def _images(rows: pd.DataFrame) -> str:
    return f"{int(rows['n'].max()):,} images"


def _accuracy(document: Document) -> Table:
    shown = {
        "accuracy": Column("accuracy, %"), "cross_entropy": Column("cross entropy, nats", 3),
        "training_accuracy": Column("on training images, %", 1),
        "training_loss": Column("training loss, augmented images, nats", 3),
    }  # fmt: skip
    shown = {name: column for name, column in shown.items() if document.rows["estimator"].eq(name).any()}
    lines, numbers = cells_over_seeds(document, document.rows, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    scored = document.rows[document.rows["estimator"] == "accuracy"]
    note = f"{_images(scored)}; last epoch; mean ± standard deviation over seeds"
    return Table("Clean test images", head, lines, numbers, [note])


def _human(document: Document) -> Table:
    shown = {
        "kl_human_model": Column("KL(human‖model)", 3),
        "kl_human_model_temperature_scaled": Column("after one temperature", 3), "js": Column("Jensen–Shannon", 3),
        "entropy": Column("entropy", 3), "ece": Column("ECE", 3), "accuracy": Column("accuracy, %"),
        "second_best_agreement": Column("second choice agrees, %", 1),
    }  # fmt: skip
    lines, numbers = cells_over_seeds(document, document.rows, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    note = (
        f"{_images(document.rows)}; nats where no unit is given; mean ± standard deviation over seeds. Human labels: "
        "CIFAR-10H, CC BY-NC-SA 4.0"
    )
    return Table("Divergence from human labels, and what belongs to it", head, lines, numbers, [note])


def _sums(document: Document) -> Table:
    rows = document.rows
    rows = rows.assign(augmentation=rows["augmentation"].fillna("the model"))
    shown = {
        "gradcam_normalised": Column("normalised, pixels", 1), "gradcam_relu": Column("ReLU", 3),
        "gradcam_raw": Column("raw", 3),
    }  # fmt: skip
    chosen = rows[rows["classes"] == document.config["classes"][0]]
    lines, numbers = cells_over_seeds(document, chosen, shown, ("augmentation", "layer"))
    head = ["augmentation", "layer", *(column.head for column in shown.values())]
    note = f"mean ± standard deviation over seeds of the mean over {_images(chosen)}; empty maps are left out"
    return Table(f"Sums over pixels, {document.config['classes'][0]} class", head, lines, numbers, [note])


def _attacks(document: Document) -> Table:
    rows = document.rows
    rows = rows.assign(augmentation=rows["augmentation"].fillna("the model"), seed=rows["seed"].fillna(1))
    config = document.config
    clean = rows[(rows["epsilon"] == 0) & (rows["estimator"] == "worst case")].assign(estimator="clean")
    attacked = rows[rows["epsilon"] > 0]
    keys = ["augmentation", "curve", "estimator", "seed"]
    means = attacked.groupby(keys, sort=False)["value"].mean().reset_index()
    ratios = means[means["estimator"] == "worst case"].merge(clean[[*keys, "value"]], on=keys[:2] + keys[3:])
    ratios = ratios[ratios["value_y"] > 0]
    shares = ratios[["augmentation", "curve", "seed"]].assign(
        estimator="share", value=100 * ratios["value_x"] / ratios["value_y"]
    )
    together = pd.concat([clean[[*keys, "value"]], means, shares])
    shown = {name: Column(name, 1) for name in ("clean", *config["attacks"], "worst case")}
    shown["share"] = Column("worst case, % of clean", 1)
    lines, _ = cells_over_seeds(document, together, shown, ("augmentation", "curve"))
    points = ["curve", "estimator", "augmentation", "epsilon"]
    numbers = over_seeds(rows, points)[[*points, "mean", "std", "seeds"]]
    note = (
        f"accuracy in % on {_images(rows)}, mean over the ε above 0 of "
        f"{', '.join(f'{size:g}' for size in config['epsilons'] if size)}; mean ± standard deviation over seeds. The "
        "CSV file has every ε"
    )
    notes = [note, *_beyond(document)]
    return Table(
        "Accuracy under attack",
        ["augmentation", "curve", *(each.head for each in shown.values())],
        lines,
        numbers,
        notes,
    )


def _beyond(document: Document) -> list[str]:
    """What else belongs to a sweep's worst case: accuracy on all images, and what AutoAttack breaks beyond it."""
    everywhere, lead = clean_accuracies(document.runs), leads(document.runs)
    notes = []
    if everywhere:
        listed = ", ".join(f"{label(name)} {value:.1f}" for name, (value, _) in everywhere.items())
        notes.append(f"without any attack, on all {next(iter(everywhere.values()))[1]:,} test images, %: {listed}")
    if lead:
        listed = ", ".join(f"{label(name or 'the model')} {each[0]:.1f}" for name, each in lead.items())
        images = min(each[2] for each in lead.values())
        notes.append(
            f"points that AutoAttack breaks beyond the sweep, on {images} images, at the ε where about half is left: "
            f"{listed}"
        )
    return notes


def _ablation(document: Document) -> Table:
    rows = document.rows
    rows = rows[rows["estimator"] == "accuracy"]
    vary, values = document.config["vary"], sorted(rows["setting"].unique())
    named = rows.assign(estimator=[f"{value:g}" for value in rows["setting"]])
    shown = {f"{value:g}": Column(f"{SYMBOLS[vary]} = {value:g}") for value in values}
    lines, numbers = cells_over_seeds(document, named, shown)
    head = ["augmentation", *(column.head for column in shown.values())]
    numbers = numbers.rename(columns={"estimator": vary})
    note = f"accuracy in % on the {int(rows['n'].max()):,} {document.settings['scored']} images, last epoch; "
    note += "mean ± standard deviation"
    return Table(f"Accuracy over {SYMBOLS[vary]}", head, lines, numbers, [note])


SECTIONS = (
    Section(
        "masks", "Masks and mixed images", "Figure 2", "",
        "FMix masks drawn as the paper's text describes them, and as the reference code draws them; two photographs "
        "mixed with each, and with MixUp and CutMix, at λ = 0.5 and δ = 3.",
        "Pictures do not say whether the difference matters: the sections below compare the two spectra wherever both "
        "were run.",
        "python -m reports.build", "seconds, while the report is built",
        {
            "figure-2": "Four rows: MixUp, CutMix, FMix and FMix with the reference code's masks; in each three masks "
            "and the two photographs mixed with them. The reference masks are one band, upright or slanted to one "
            "side; the described ones have blobs of any direction.",
        },
    ),
    Section(
        "mutual-information", "Mutual information", "Table 1", "python -m analysis.mutual_info",
        "VAEs are trained on clean images and under each augmentation; the information between their codes and clean "
        "test images is bounded from above (rate, R_m) and from below (InfoNCE), with noise added to the code where "
        "that lets the bounds meet.",
        "A rate is not mutual information, but an upper bound on it; a contrastive bound cannot exceed log N. A "
        "difference between two upper bounds is no difference in information. More information is not better: a code "
        "can carry what a task does not need.",
        "make table-1 ARGS=\"--data cifar10 --preset reference --seeds 5\"",
        "one to three minutes for the digits; on two CPU cores about two hours for 12 VAEs on 50,000 images",
        {
            "table-1": "Upper and lower bounds on the information of every augmentation's codes: for each a dot for "
            "the rate, R_m and InfoNCE with its cap.",
            "noise-profile": "Bounds against the noise added to the code: upper and lower bounds meet where "
            "information falls below log N.",
            "training": "−ELBO, rate and squared error of held-out inputs over the steps of training, a line for every "
            "VAE, and the linear VAE of the same inputs.",
            "rate-distortion": "Rate and R_m against squared error at several decoder scales: a curve for every "
            "augmentation.",
        },
        _information,
        further=_training,
    ),
    Section(
        "ground-truth", "Do the bounds hold?", "—", "python -m analysis.ground_truth",
        "Every estimator on encoders, and pairs of encoders, whose mutual information is known.",
        "Encoders of known information are simpler than trained ones: a bound that is loose here can be loose there; "
        "that its direction holds is proved, and only checked here.",
        "python -m analysis.ground_truth", "six minutes on two CPU cores",
        {
            "ground-truth": "Estimated against true information for every estimator: lower bounds bend off at "
            "log N, upper bounds stay above the diagonal.",
        },
        _ground_truth,
    ),
    Section(
        "grad-cam", "Grad-CAM", "Figure 4, sums in Section 3", "python -m gradcam.sums",
        "Grad-CAM maps of the test images, their positive part divided by its own maximum and summed over pixels.",
        "The sum says how spread out a map is, not what it shows. Raw and ReLU sums grow with the scale of the "
        "logits. Another layer gives another order, and sums of the published size too.",
        "python -m gradcam.sums --data cifar10 --augmentations none mixup cutmix fmix --seeds 5",
        "a minute a classifier on a CPU (width 16, 10,000 images), besides training it",
        {
            "gradcam-sums": "Normalised Grad-CAM sums: a dot per seed and a bar for mean ± standard deviation of every "
            "augmentation.",
            "gradcam-maps": "Test images, and over each the Grad-CAM map of a classifier trained under each "
            "augmentation, on one colour scale.",
        },
        _sums,
    ),
    Section(
        "robustness", "Robustness", "Figures 1 and 5", "python -m attacks.sweep",
        "Accuracy under Foolbox's l∞ attacks over ε: as published (the last iterate, misclassified images stay in) and "
        "robust (broken images stay broken, every iterate is judged).",
        "Accuracy under five attacks is an upper bound on robustness: another attack may break more. What is wrong "
        "without any attack is wrong at every ε, so that the mean over ε is mostly clean accuracy, and the worst case "
        "stands beside it as a share of that.",
        "python -m attacks.sweep --data cifar10 --seeds 5",
        "six minutes a classifier for 200 images on one CPU core (width 16, both curves), besides training it",
        {
            "attacks": "Accuracy against ε, a panel for each attack and for the worst case, a line for every "
            "augmentation: robust curves solid, as published dashed.",
        },
        _attacks,
    ),
    Section(
        "human-uncertainty", "Human uncertainty", "Table 6", "python -m analysis.human_uncertainty",
        "KL(human ‖ model) between the labels that people gave CIFAR-10's test images (CIFAR-10H) and what classifiers "
        "say of them; before and after one temperature, fitted on other images.",
        "A small divergence need not mean a human-like notion of uncertainty: it also holds confidence, and mistakes. "
        "Only classifiers of like accuracy can be compared for their uncertainty.",
        "python -m analysis.human_uncertainty --data cifar10 --seeds 5", "seconds, besides training the classifiers",
        {
            "human-uncertainty": "KL(human‖model) before and after one temperature, a dot for every seed of every "
            "augmentation.",
        },
        _human,
    ),
    Section(
        "accuracy", "Accuracies and hybrids", "Table 2", "python -m analysis.accuracy",
        "Test accuracy of the last epoch, for classifiers trained under each augmentation, and under two in turn; what "
        "they say of training images, and the learning curves.",
        "Augmentations slow training down before they pay: where the baseline is not overfitted, few epochs show the "
        "cost alone.",
        "python -m analysis.accuracy --data cifar10 --seeds 5",
        "on a CPU three minutes a classifier of width 16 (10,000 images, 10 epochs); full size needs a GPU",
        {
            "accuracy": "Test accuracy: a dot per seed and a bar for mean ± standard deviation of every augmentation.",
            "learning-curves": "Accuracy on scored and on training images, and the training loss, over the epochs: a "
            "line for every classifier.",
        },
        _accuracy,
    ),
    Section(
        "training-size", "Size of the training set", "Figure 3", "python -m analysis.ablation",
        "Test accuracy against the share of the training images that is used, at a fixed number of epochs.",
        "At a fixed number of epochs fewer images are also fewer steps: what too few steps cost is not told from what "
        "too few images cost.",
        "python -m analysis.ablation --vary fraction --data cifar10 --seeds 5",
        "for every share and seed, as long as four classifiers on that share",
        {"ablation": "Test accuracy against the share of the training images, a line for every augmentation."},
        _ablation, lambda document: document.config["vary"] == "fraction",
    ),
    Section(
        "ablations", "Ablations of α and δ", "Figure 6", "python -m analysis.ablation",
        "Validation accuracy over five folds, a tenth of the training images held out each time, against the parameter "
        "α of λ's distribution, and against FMix's decay power δ.",
        "Folds share most of their training images: their spread is less than that of independent training sets. "
        "The best value at few epochs need not be the best at many.",
        "python -m analysis.ablation --vary decay-power --cross-validate 5 --data cifar10",
        "as long as one classifier for every value, augmentation and fold: 25 for δ, 60 for α",
        {"ablation": "Validation accuracy against the option's value, a line for every augmentation."},
        _ablation, lambda document: document.config["vary"] != "fraction",
    ),
)  # fmt: skip
"""In the order of the page."""
