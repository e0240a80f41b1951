"""The numbers, and the sentences that rest on them, of README.md, results/README.md and docs/, from the records.

A page has blocks between ``<!-- computed: NAME -->`` and ``<!-- end -->``; what stands between is what `BLOCKS` makes
of the records, and tests compare the two, so that no sentence can drift from its number. Prose outside the blocks holds
no measured number.

    .venv/bin/python results/pages.py      # write the blocks
"""

import functools
import importlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import reports.verdicts
from analysis import accuracy
from analysis.accuracy.section import metric_of
from analysis.representations.dominance import Dominance, statements
from classifiers.presets import MASKS, TEXT_AUGMENTATIONS
from figures import in_usual_order, label
from findings.decisions import WORDS, Decision, decide
from findings.document import read_documents
from findings.over_seeds import over_seeds
from findings.power import MOST_SEEDS_SAID
from findings.published import measures, published
from findings.sentences import enumerated, p_value, the
from findings.table import plus_minus
from reports.verdicts import Judged, judged
from results import first_figure
from results.short_report import ShortReport
from store import write_atomically
from tasks.metrics import ACCURACY

RESULTS = Path(__file__).parent
PAGES = {
    name: RESULTS.parent / name
    for name in (
        "README.md",
        "results/README.md",
        "docs/report.md",
        "docs/running.md",
        "docs/deviations.md",
        "docs/texts.md",
        "docs/other-items.md",
    )
}
TABLES = ("table-1-cifar-10-jpeg", "table-1-fashion-mnist", "table-1-digits", "scales/table-1-fashion-mnist")
AUGMENTATIONS = ("none", "mixup", "cutmix", "fmix", "fmix-reference")
NAMES = {
    "fashion-mnist": "Fashion-MNIST",
    "cifar-10-jpeg": "CIFAR-10 (JPEG)",
}


@functools.cache
def rows(folder: str) -> pd.DataFrame:
    """The rows of a document, one a network and number."""
    document = json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(document["results"])
    return frame[frame["seed"].notna()]


def over(folder: str, estimator: str, **where: Any) -> pd.DataFrame:
    """One number over seeds, by augmentation (`findings.over_seeds.over_seeds`); on clean images, without noise."""
    chosen = rows(folder)
    for key, value in ({"estimator": estimator, "inputs": "clean", "noise": None} | where).items():
        chosen = chosen[chosen[key].isna() if value is None else chosen[key] == value]
    return over_seeds(chosen, ("augmentation",)).set_index("augmentation")


def cell(table: pd.DataFrame, augmentation: str, digits: int) -> str:
    """Mean ± standard deviation; nothing where there is none."""
    if augmentation not in table.index:
        return ""
    return plus_minus(table["mean"][augmentation], table["std"][augmentation], digits)


def table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table, the first column to the left."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(each) + " |" for each in (head, rule, *lines))


@functools.cache
def verdicts() -> list[Judged]:
    """Every statement of the paper on every data set, those on images and those on texts judged as a family each."""
    return judged(read_documents([RESULTS])[0])


def families(those: str) -> str:
    """How many statements are judged together.

    Args:
        those: what they are called, ``"tests"``, say.
    """
    return reports.verdicts.in_families([each.pair for each in verdicts() if not each.pair.withheld], those)


@functools.cache
def statements_told() -> pd.DataFrame:
    """The same with those about layers, as the report's table has them, where they have been measured."""
    numbers = reports.verdicts.claims_table(read_documents([RESULTS])[0]).numbers
    return numbers[numbers["verdict"] != "not run"]


def signed(each: Judged) -> str:
    """The difference with its interval, in the direction of the statement."""
    digits = measures()[each.claim.measure].digits
    low, high = each.limits
    text = f"{each.sign * each.pair.value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
    return text.replace("-", "−")


@functools.cache
def settings_of(folder: str) -> dict[str, Any]:
    """With which a document's networks were trained."""
    return json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))["about"]["settings"]


def scale_of(folder: str) -> str:
    """The size of a document of `analysis.mutual_info`, in words."""
    settings = settings_of(folder)
    images = rows(folder).loc[lambda frame: frame["estimator"].eq("rate") & frame["inputs"].eq("clean"), "n"].max()
    ours = "" if settings.get("network") else ", the network of 0.1.0"
    return (
        f"{settings['train_images']:,} training and {images:,.0f} test images, {settings['epochs']} epochs, "
        f"{settings['seeds']} seeds{ours}"
    )


def rate_is_no_information() -> str:
    """How much of a rate is not information, at least."""
    said = []
    for folder in ("table-1-cifar-10-jpeg", "table-1-fashion-mnist"):
        rate, mixture = over(folder, "rate")["mean"], over(folder, "mixture_marginal")["mean"]
        over_it = (rate - mixture).dropna()
        shares = (over_it / rate).dropna()
        said.append(
            f"on {NAMES[folder.removeprefix('table-1-')]} by {over_it.min():.1f} to {over_it.max():.1f} nats, "
            f"{100 * shares.min():.0f} to {100 * shares.max():.0f}% of themselves"
        )
    return (
        "The rates of our VAEs exceed an upper bound on the information, by a fitted mixture, "
        f"{enumerated(said)} (means over seeds): that much is no information."
    )


def answer() -> str:
    """What Table 1 says at its size: the paper's question, answered as far as it is measured."""
    folder = "table-1-cifar-10-jpeg"
    names = [name for name in AUGMENTATIONS if name in over(folder, "rate").index]

    def each(estimator: str, digits: int = 1) -> str:
        found = over(folder, estimator)
        order = found["mean"].sort_values(ascending=False).index
        return ", ".join(f"{the(name)} {cell(found, name, digits)}" for name in order if name in names)

    fmix, fmix_hat = (
        next(str(value) for value in published(measure) if value.augmentation == "fmix")
        for measure in ("rate", "rate_reconstruction")
    )
    linear = json.loads((RESULTS / "reference-preset" / "ladder.json").read_text(encoding="utf-8"))["linear_vae"]
    bounds = {name: over(folder, name)["mean"] for name in ("rate", "gaussian_marginal", "mixture_marginal", "infonce")}
    share = 1 - (bounds["mixture_marginal"] / bounds["rate"])[names]
    elbo = own_elbo(folder)
    gains = elbo["linear"] - elbo["mean"]
    low, high = (over(folder, name)["mean"] for name in ("critic", "data_processing"))
    parts = [
        f"At the size of Table 1, but on CIFAR-10 (JPEG) and with our own VAE ({scale_of(folder)}, σ = 1), whose −ELBO "
        f"on held-out inputs like its own is below the linear VAE's by {gains.min():.1f} to {gains.max():.1f} nats:",
        f"- **Rates**, in nats, mean ± standard deviation over seeds: on x {each('rate')}; on x̂ "
        f"{each('rate_reconstruction')}. Published for FMix: {fmix} and {fmix_hat}: of this size, but in the reference "
        "code's units, in which the images have half as much variance again and a code more to carry (the linear VAE's "
        f"rate is {linear['CIFAR-10 (JPEG)']['rate']:.1f} there and {over(folder, 'rate')['mean']['linear-vae']:.1f} "
        "here). Whether the published rates come out in those units is not measured yet.",
        f"- **How much of it is information**: at most {each('gaussian_marginal')} by R_m, {each('mixture_marginal')} "
        f"by a mixture: at least {100 * share.min():.1f} to {100 * share.max():.1f}% of the rates is none. From below, "
        f"no bound says more than log N, {bounds['infonce'].max():.2f} nats.",
        f"- **What it costs on real images**: −ELBO on clean test images {each('negative_elbo')}; the linear VAE "
        f"{over(folder, 'negative_elbo')['mean']['linear-vae']:.1f}.",
        "- **What is shared with the baseline's code**, I(Z_A;Z_X): at most "
        + ", ".join(f"{the(name)} {high[name]:.1f}" for name in names)
        + f" by data processing; at least {low.min():.2f} by a critic, which is within a nat of all that it can show.",
    ]
    told = difference(folder, "none", "fmix")
    if told:
        parts.append(f"- **FMix and the baseline**: {told}")
    orderings = [
        f"{each.claim}: {each.in_words}, {signed(each)} nats"
        for each in verdicts()
        if each.claim.measure == "rate" and each.document.directory == RESULTS / folder
    ]
    missing = {"none", "mixup", "cutmix", "fmix"} - set(names)
    if orderings:
        parts.append("- **The paper's orderings**: " + "; ".join(orderings) + ".")
    if missing:
        still = enumerated([the(name) for name in AUGMENTATIONS if name in missing])
        parts.append(f"- The paper's three orderings of rates need {still}, which are being trained.")
    return "\n".join(parts)


def summary() -> str:
    """What became of the paper's statements, counted."""
    found = Counter(each.verdict for each in verdicts())
    words = {
        "holds": ("holds", "hold"), "is reversed": ("is reversed", "are reversed"),
        "is contradicted": ("is contradicted", "are contradicted"),
        "are equal": ("is of two that are equal within the margin", "are of two that are equal within the margin"),
        "cannot be told": ("cannot be told",) * 2,
        "is not contradicted": ("is not contradicted", "are not contradicted"),
        "under-trained": ("gets no verdict, because a VAE is worse than a linear model of its data",
                          "get no verdict, because a VAE is worse than a linear model of its data"),
        "images not in the interval": ("gets none, because the draw of the images is not in the interval",
                                       "get none, because the draw of the images is not in the interval"),
    }  # fmt: skip
    said = [f"{found[verdict]} {each[found[verdict] > 1]}" for verdict, each in words.items() if found[verdict]]
    seeds = sorted({each.pair.seeds for each in verdicts()})
    return (
        f"Of {len(verdicts())} statements of the paper on a data set or size, but for those on layers, at the scale of "
        f"a CPU, with {seeds[0]} to {seeds[-1]} networks an augmentation, {enumerated(said)} ({families('tests')}, "
        "Holm's correction, 5%)."
    )


def regimes_table() -> str:
    """What became of the statements, by what they were measured on."""
    lines = []
    for on, here in statements_told().groupby("data", sort=False):
        verdict, needed = here["verdict"], here["seeds_needed"].astype(float)
        told = verdict.isin(["holds", "is reversed", "is contradicted", "differs between layers"])
        undecided = verdict.isin(["cannot be told", "is not contradicted"])
        enough = needed.fillna(math.inf) <= MOST_SEEDS_SAID
        counts = [told, verdict.eq("are equal"), undecided & enough, undecided & ~enough]
        counts.append(~(told | undecided | verdict.eq("are equal")))
        seeds = sorted(set(here["seeds"].astype(int)))
        shown = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        lines.append([str(on), shown, str(len(here)), *(str(int(count.sum())) for count in counts)])
    head = ["measured on", "seeds", "statements", "told", "equal", "more seeds would tell"]
    return table([*head, "no number of seeds up to 1,000 would", "no verdict"], lines)


def decided_sentences() -> str:
    """What came of adding seeds until all was decided: a line an analysis and regime."""
    subjects = {
        accuracy.PROGRAM: "accuracies", "python -m gradcam.sums": "Grad-CAM sums", "python -m attacks.sweep": "attacks",
        "python -m analysis.representations": "what layers keep", "python -m analysis.mutual_info": "rates",
    }  # fmt: skip
    lines = []
    for document in sorted(read_documents([RESULTS])[0], key=lambda one: (one.on, one.program)):
        if document.config.get("until") is None:
            continue
        module: Any = importlib.import_module(document.program.removeprefix("python -m "))
        whole = json.loads((document.directory / "result.json").read_text(encoding="utf-8"))
        counts = Counter(one.verdict for one in decisions_of(module, whole))
        said = [f"{counts[verdict]} {words}" for verdict, words in WORDS.items() if counts[verdict]]
        seeds = document.config["seeds"]
        link = f"[{subjects[document.program]}]({document.directory.relative_to(RESULTS)}/conclusions.txt)"
        lines.append(f"- {document.on}, {link}, {seeds} seeds: {enumerated(said)}.")
    return "\n".join(lines)


def decisions_of(module: Any, document: dict[str, Any]) -> list[Decision]:
    """What became of every pair of augmentations in a document, by the analysis that wrote it."""
    if hasattr(module, "comparisons"):
        return decide(module.comparisons(document), document["config"])
    return list(module.until_decided_of(document))


def claims_table() -> str:
    """Every statement with its verdict."""
    lines = []
    for each in verdicts():
        p = "" if each.pair.withheld else ("< 0.001" if each.p < 0.001 else f"{each.p:.3f}")
        verdict = f"**{each.in_words}**" if each.pair.claimed or each.pair.equal else each.in_words
        images = f"{each.pair.images:,}" if each.pair.images else ""
        lines.append([str(each.claim), each.on, verdict, signed(each), str(each.pair.seeds), images, p])
    head = ["the paper says", "measured on", "verdict", "difference (simultaneous 95%)", "seeds", "images", "p"]
    return table(head, lines)


def published_table() -> str:
    """Published numbers that have one of ours beside them."""
    lines = []
    for measure, digits, folder in (
        ("rate", 2, "table-1-cifar-10-jpeg"), ("rate_reconstruction", 2, "table-1-cifar-10-jpeg"),
        ("mse", 3, "table-1-cifar-10-jpeg"), (ACCURACY.name, 2, "accuracy-cifar-10-jpeg"),
    ):  # fmt: skip
        ours = over(folder, measure)
        for each in published(measure):
            mine = cell(ours, each.augmentation, digits)
            if mine and each.setting["data"] == "CIFAR-10" and each.setting.get("network") != "pyramidnet-272-200":
                lines.append([f"{label(each.augmentation)}, {measures()[measure].name}", str(each), mine])
    sums = over("gradcam-cifar-10-jpeg", "gradcam_normalised", layer="conv1", classes="predicted")
    for each in published("gradcam_normalised"):
        lines.append(
            [
                f"{label(each.augmentation)}, {measures()[each.measure].name}",
                str(each),
                cell(sums, each.augmentation, 0),
            ]
        )
    return table(["published, CIFAR-10, full size", "published", "ours, CIFAR-10 (JPEG): not comparable"], lines)


def information_table() -> str:
    """The bounds on Fashion-MNIST and CIFAR-10 (JPEG)."""
    shown = (
        ("rate", 2), ("rate_reconstruction", 2), ("gaussian_marginal", 2), ("mixture_marginal", 2), ("infonce", 2),
        ("mse", 4), ("negative_elbo", 1),
    )  # fmt: skip
    lines = []
    for folder in ("table-1-cifar-10-jpeg", "table-1-fashion-mnist"):
        lines.append([f"**{NAMES[folder.removeprefix('table-1-')]}**: {scale_of(folder)}", *[""] * len(shown)])
        lines += _lines(folder, shown)
    head = [
        "", "rate on x (I ≤)", "rate on x̂ †", "R_m (I ≤)", "mixture (I ≤)", "InfoNCE (I ≥, cap 9.21)", "MSE", "−ELBO",
    ]  # fmt: skip
    return table(head, lines)


def digits_table() -> str:
    """The bounds on the digits."""
    shown = (("rate", 2), ("gaussian_marginal", 2), ("infonce", 2), ("mse", 4), ("negative_elbo", 1))
    head = ["digits", "rate on x (I ≤)", "R_m (I ≤)", "InfoNCE (I ≥, cap 5.89)", "MSE", "−ELBO"]
    return table(head, _lines("table-1-digits", shown))


def _lines(folder: str, shown: tuple[tuple[str, int], ...]) -> list[list[str]]:
    frame, lines = rows(folder), []
    for augmentation in (*AUGMENTATIONS, "linear-vae"):
        if augmentation not in set(frame["augmentation"]):
            continue
        own = frame[frame["augmentation"] == augmentation]
        mark = " ‡" if own["under_trained"].eq(True).mean() > 0.5 else ""
        line = [label(augmentation) + mark]
        for estimator, digits in shown:
            chosen = own[(own["estimator"] == estimator) & own["noise"].isna() & (own["inputs"] == "clean")]
            text = cell(over(folder, estimator), augmentation, digits)
            line.append(text + (" *" if text and chosen["saturated"].eq(True).any() else ""))
        lines.append(line)
    return lines


def of_earlier_networks() -> pd.DataFrame:
    """The linear VAE beside VAEs of 0.1.0 that no later ones have replaced, on clean images."""
    frame = pd.read_csv(RESULTS / "linear-vae" / "linear-vae.csv")
    replaced = {
        (name, scale)
        for folder in TABLES for name in [settings_of(folder)["data"]] if settings_of(folder).get("network")
        for scale in rows(folder)["decoder_scale"].unique()
    }  # fmt: skip
    return frame[[pair not in replaced for pair in zip(frame["data"], frame["decoder_scale"], strict=True)]]


def linear_table() -> str:
    """The linear VAE beside every recorded VAE."""
    lines = []
    for folder in TABLES:
        settings = settings_of(folder)
        if not settings.get("network"):
            continue
        for scale in rows(folder)["decoder_scale"].unique():
            ours = own_elbo(folder, scale)
            for name, row in ours.iterrows():
                lines.append(
                    [settings["data"], f"{scale:g}", label(name), "its own", f"{row['linear']:,.1f}",
                     plus_minus(row["mean"], row["std"], (",.1f", ",.1f")),
                     f"{row['mean'] - row['linear']:+,.1f}".replace("-", "−")]
                )  # fmt: skip
    earlier = of_earlier_networks().sort_values(["data", "decoder_scale"], ascending=[True, False], kind="stable")
    for row in earlier.to_dict("records"):
        lines.append(
            [
                row["data"], f"{row['decoder_scale']:g}", label(row["augmentation"]), "clean (0.1.0)",
                f"{row['linear_negative_elbo_clean']:,.1f}",
                plus_minus(row["vae_negative_elbo"], row["vae_negative_elbo_std"], (",.1f", ",.1f")),
                f"{row['worse_by']:+,.1f}".replace("-", "−"),
            ]
        )  # fmt: skip
    head = ["data", "σ", "trained on", "scored on", "linear VAE", "VAE", "VAE less linear VAE"]
    return table(head, lines)


def difference(folder: str, *names: str) -> str:
    """What a document says of the difference between two augmentations' rates on clean images; nothing if not told."""
    for line in conclusions_of(folder, "Differences between augmentations (").split("\n"):
        if " exceeds " in line and all(f"{the(name)}'s".lower() in line.lower() for name in names):
            return line.removeprefix("- ")
    return ""


def own_elbo(folder: str, scale: float = 1.0) -> pd.DataFrame:
    """−ELBO on held-out inputs like a VAE's own, by augmentation: mean and std over seeds, and the linear VAE's."""
    frame = rows(folder)
    chosen = (frame["estimator"] == "negative_elbo") & (frame["inputs"] == "own-augmented")
    frame = frame[chosen & (frame["decoder_scale"] == scale)]
    ours = over_seeds(frame[frame["fitted_on"].isna()], ("augmentation",)).set_index("augmentation")
    return ours[["mean", "std"]].assign(linear=frame[frame["fitted_on"].notna()].groupby("fitted_on")["value"].mean())


def linear_sentence() -> str:
    """Where the recorded VAEs stand to the linear one."""
    said = []
    for folder in TABLES:
        if settings_of(folder).get("network"):
            for scale in rows(folder)["decoder_scale"].unique():
                ours = own_elbo(folder, scale)
                gains = ours["linear"] - ours["mean"]
                said.append(
                    f"{settings_of(folder)['data']} at {scale:g} (by {gains.min():,.1f} to {gains.max():,.1f} nats)"
                )
    earlier = of_earlier_networks()
    plain = earlier[earlier["augmentation"] == "none"].set_index(["data", "decoder_scale"])["worse_by"]
    worse = [
        f"{name} at {scale:g} (by {value:,.0f} nats an image)" for (name, scale), value in plain.items() if value > 0
    ]
    sentences = (
        [f"Our VAE codes inputs like its own better than the linear VAE does on {enumerated(said)}."] if said else []
    )
    if worse:
        sentences.append(
            f"Of the networks of 0.1.0, which stand here where nothing has replaced them, the baseline's code clean "
            f"images worse than the linear VAE on {enumerated(worse)}: no claim about augmentations rests on them."
        )
    return " ".join(sentences)


def noise_sentence() -> str:
    """Where the bounds meet with noise on Fashion-MNIST."""
    low, high = (over("table-1-fashion-mnist", name, noise=1.0)["mean"] for name in ("infonce", "gaussian_marginal"))
    said = "; ".join(f"{the(name)} {low[name]:.2f} to {high[name]:.2f}" for name in AUGMENTATIONS)
    return f"At s = 1, the bounds put the noised codes of Fashion-MNIST, in nats (means over three seeds), at: {said}."


def class_wise() -> pd.DataFrame:
    """Upper bounds of the same VAEs: a line a network and level of noise, a column an estimator."""
    frame = pd.read_csv(RESULTS / "class-wise-vaes" / "class-wise-vaes.csv")
    where = ["data", "noise", "augmentation", "seed"]
    return frame.pivot(index=where, columns="estimator", values="value").sort_index()


def class_wise_table() -> str:
    """Bounds by class and spliced beside R_m and the mixture, means over networks."""
    heads = {
        "gaussian_marginal": "R_m", "mixture_marginal": "mixture", "gaussian_by_class": "R_m by class + I(Z;Y)",
        "leave_one_out": "leave-one-out", "leave_one_out_by_class": "leave-one-out by class + I(Z;Y)",
        "gaussian_spliced": "R_m, spliced", "infonce": "InfoNCE (I ≥)", "gaussian_classifier": "I(Z;Y) ≥",
        "kernel_mixture": "I(Z;Y) ≤",
    }  # fmt: skip
    lines = []
    for (name, level), networks in class_wise().groupby(level=["data", "noise"]):
        means = networks[list(heads)].mean(skipna=False)
        shown = ["" if math.isnan(value) else f"{value:.2f}" for value in means]
        lines.append([f"{name}, {len(networks)} VAEs", f"{level:g}", *shown])
    return table(["", "s", *heads.values()], lines)


def class_wise_sentence() -> str:
    """By how much each of the bounds is below R_m of the same network."""
    words = {"gaussian_by_class": "by class", "gaussian_spliced": "spliced", "mixture_marginal": "by the mixture"}
    frame, said = class_wise(), []
    for name, of_data in frame.groupby(level="data"):
        plain, noised = (
            of_data[(of_data.index.get_level_values("noise") > 0) == noisy] for noisy in (False, True)
        )  # fmt: skip
        parts = []
        for estimator, word in words.items():
            gains = plain["gaussian_marginal"] - plain[estimator]
            part = f"{word} {_signed_range(gains)}"
            gains = (noised["gaussian_marginal"] - noised[estimator]).dropna()
            if len(gains):
                part += f" ({_signed_range(gains)} with noise)"
            parts.append(part)
        said.append(f"on {name} {enumerated(parts)}")
    return f"Below R_m of the same VAE, in nats: {'; '.join(said)}."


def _signed_range(values: pd.Series) -> str:
    """From the least to the largest; what rounds to none has no sign."""
    ends = [f"{round(value, 2) + 0.0:.2f}".replace("-", "−") for value in (values.min(), values.max())]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def shared_sentence() -> str:
    """What codes share with the baseline's on Fashion-MNIST."""
    low, high = (over("table-1-fashion-mnist", name)["mean"] for name in ("critic", "data_processing"))
    said = "; ".join(f"{the(name)} {low[name]:.2f} to {high[name]:.2f}" for name in ("mixup", "cutmix", "fmix"))
    return (
        f"On Fashion-MNIST, in nats, between the held-out critic and data processing: {said}; the ceiling, what two "
        f"baselines of different seeds share, is {low['none']:.2f} to {high['none']:.2f}."
    )


def conclusions_of(folder: str, *starts: str) -> str:
    """The blocks of a document's own sentences, paragraphs with their lists, that begin with these words."""
    text = json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))["about"]["conclusions"]
    chosen = [block for block in text.split("\n\n") if block.startswith(starts)]
    missing = [start for start in starts if not any(block.startswith(start) for block in chosen)]
    if missing:
        raise ValueError(f"{folder} says nothing that starts with {missing}")
    return "\n".join(chosen)


def regimes() -> list[str]:
    """Folders of accuracies in every regime that there is."""
    kinds = ("small-data/", "all-data/", "")
    folders = [f"{kind}accuracy-{name}" for name in ("cifar-10-jpeg", "fashion-mnist") for kind in kinds]
    return [folder for folder in folders if (RESULTS / folder / "result.json").is_file()]


def accuracy_table() -> str:
    """Accuracies in every regime, and on training images where they are known."""
    names = [*AUGMENTATIONS, "fmix+mixup"]
    quoted = {
        each.augmentation: str(each)
        for each in published(ACCURACY.name)
        if each.setting["network"] == "preact-resnet18"
    }
    columns: dict[str, pd.DataFrame] = {}
    digits = {}
    for folder in regimes():
        settings = settings_of(folder)
        on = f"{settings['data']}, {settings['train_images']:,} images × {settings['epochs']} epochs"
        for estimator, words, places in ((ACCURACY.name, "", 2), ("training_accuracy", ": on training images", 1)):
            if rows(folder)["estimator"].eq(estimator).any():
                columns[on + words], digits[on + words] = over(folder, estimator), places
    lines = [
        [label(name), *(cell(columns[on], name, digits[on]) for on in columns), quoted.get(name, "")] for name in names
    ]  # fmt: skip
    return table(["", *columns, "published, CIFAR-10, full size"], lines)


def accuracy_sentences() -> str:
    """Whether augmentations pay, by regime; of records that are older than the question, the differences."""
    said = []
    for folder in regimes():
        conclusions = json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))["about"]["conclusions"]
        start = next(start for start in ("Does it pay?", "The accuracies are", "Accuracy") if start in conclusions)
        said.append(f"On {settings_of(folder)['data']}: " + conclusions_of(folder, start))
    return "\n\n".join(said)


def layers_sentence(folder: str = "representations-digits") -> str:
    """What came of the paper's statements about what layers keep, and the family in which it did."""
    document = json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))
    tested = [Dominance(**one) for one in document["dominance"]]
    said = [f"{claim}: {verdict}" for claim, verdict, _ in statements(tested)]
    seeds, shape = min(one.seeds for one in tested), document["config"]["noise_shape"]
    n = max(row["n"] or 0 for row in document["results"])
    claimed, family = (sum(map(of, tested)) for of in (lambda one: one.claimed, lambda one: one.noise_less is not None))
    layers = enumerated(list(dict.fromkeys(str(one.layer) for one in tested)))
    return (
        f"On {document['about']['data']} ({seeds} seeds, {n:,} test images, {shape} noise): {'; '.join(said)}. "
        f"{claimed} of {family} tests are decided: ordered pairs, 50, 75 and 90% of H(Y), layers {layers}; Holm's "
        "correction over all of them, 5%."
    )


def layers_by_noise() -> str:
    """The same with the other shapes of noise."""
    kinds = ("per-dimension", "whitened")
    return "\n".join(f"- {layers_sentence(f'representations-digits-{kind}')}" for kind in kinds)


def layers_at_equal_loss() -> str:
    """Where each augmentation's training ends, and what the baseline keeps at the same training loss, on its way."""
    curves = pd.read_csv(RESULTS / "representations-digits-epochs" / "epochs.csv").sort_values("training_loss")
    baseline = curves[curves["augmentation"] == "none"]
    said = []
    for name in [name for name in in_usual_order(curves["augmentation"].unique()) if name != "none"]:
        last = curves[curves["augmentation"] == name].sort_values("epoch").iloc[-1]
        low, high = (
            np.interp(np.log(last["training_loss"]), np.log(baseline["training_loss"]), baseline[side])
            for side in ("low", "high")
        )
        said.append(
            f"{the(name)} {last['low']:.2f} to {last['high']:.2f}, the baseline at that loss "
            f"({last['training_loss']:.2f}) {low:.2f} to {high:.2f}"
        )
    end = baseline.sort_values("epoch").iloc[-1]
    return (
        f"I(T;X|Y) at {enumerated(list(curves['layer'].unique()))} where I(T;Y) is three quarters of H(Y), nats, where "
        f"training ends: {'; '.join(said)}. Its own end is {end['low']:.2f} to {end['high']:.2f} at a loss of "
        f"{end['training_loss']:.4f}."
    )


def human_sentence() -> str:
    """KL to human labels."""
    kl, after = (
        over("human-uncertainty-cifar-10-jpeg", name)
        for name in ("kl_human_model", "kl_human_model_temperature_scaled")
    )
    accuracy = over("human-uncertainty-cifar-10-jpeg", ACCURACY.name)["mean"]
    said = ", ".join(f"{the(name)} {cell(kl, name, 3)}" for name in kl.index)
    drop = 1 - (after["mean"] / kl["mean"])
    return (
        f"KL(human ‖ model), nats over {rows('human-uncertainty-cifar-10-jpeg')['n'].max():,.0f} images, three seeds: "
        f"{said}. One fitted temperature takes off {100 * drop.min():.0f} to {100 * drop.max():.0f}% of it. These "
        f"networks are right in {accuracy.min():.0f} to {accuracy.max():.0f}% of the images, and a network that is "
        "wrong is far from humans: only networks of like accuracy can be compared for their uncertainty."
    )


def gradcam_table() -> str:
    """Normalised sums at the first convolution."""
    ours = over("gradcam-cifar-10-jpeg", "gradcam_normalised", layer="conv1", classes="predicted")
    quoted = {each.augmentation: str(each) for each in published("gradcam_normalised")}
    lines = [[label(name), cell(ours, name, 0), quoted.get(name, "")] for name in ours.index]
    return table(["", "normalised sum, pixels of 1,024", "published (full size, CIFAR-10, 5 repeats)"], lines)


def attacks_table() -> str:
    """Mean accuracy over ε under noise, DeepFool and the worst case, with its share of clean accuracy."""
    lines = []
    for name in ("cifar-10-jpeg", "fashion-mnist"):
        frame = rows(f"attacks-{name}")
        frame = frame[frame["curve"] == "robust"]
        clean = (
            frame[(frame["epsilon"] == 0) & (frame["estimator"] == "worst case")]
            .set_index(["augmentation", "seed"])["value"]
            .sort_index()
        )
        attacked = (
            frame[frame["epsilon"] > 0].groupby(["estimator", "augmentation", "seed"], sort=False)["value"].mean()
        ).sort_index()
        lines.append([f"**{NAMES[name]}**", *[""] * 5])
        for augmentation in dict.fromkeys(frame["augmentation"]):
            cells = [
                clean[augmentation],
                *(attacked[kind, augmentation] for kind in ("noise", "deepfool", "worst case")),
            ]
            cells.append(100 * attacked["worst case", augmentation] / clean[augmentation])
            lines.append([label(augmentation), *(plus_minus(each.mean(), each.std(), 1) for each in cells)])
    head = [
        "mean accuracy over ε above 0, robust, in %",
        "clean",
        "noise",
        "DeepFool",
        "worst case",
        "worst case, % of clean",
    ]
    return table(head, lines)


def reference_preset() -> str:
    """At which learning rates the reference code's VAE has trained."""
    frame = pd.read_csv(RESULTS / "reference-preset" / "ladder.csv")
    frame = frame[frame["learning_rate"].notna()]
    said = []
    for rate, own in frame.groupby("learning_rate", sort=False):
        short, long = (own[own["wanted_steps"].eq(own["wanted_steps"].min()) == first] for first in (True, False))
        gone = int(short["diverged"].notna().sum())
        text = f"at {rate:g}, {gone or 'none'} of {len(short)} networks diverge{'s' if gone == 1 else ''} within "
        text += f"{int(short['wanted_steps'].min()):,} steps"
        if len(long):
            steps, trained = int(long["wanted_steps"].max()), int(long["trains"].eq(True).sum())
            text += f", and of {len(long)} taken to {steps:,} steps {trained} have a −ELBO below the empty code's"
        said.append(text)
    return (
        "The reference code's VAE from scratch, on Fashion-MNIST and CIFAR-10 (JPEG), plain and under FMix, two seeds: "
        + "; ".join(said) + "."
    )  # fmt: skip


def durations() -> str:
    """Seconds that runs of the committed records took, each on one thread."""
    lines, cifar = [], "table-1-cifar-10-jpeg"
    for words, kind, folders in (
        (f"a VAE, {scale_of(cifar)}", "vae", (cifar,)),
        ("a PreAct-ResNet18 of width 16, 10,000 images, 10 epochs", "classifier",
         ("accuracy-fashion-mnist", "accuracy-cifar-10-jpeg")),
        ("its attacks, 200 images, both curves", "attacks", ("attacks-fashion-mnist", "attacks-cifar-10-jpeg")),
    ):  # fmt: skip
        seconds = []
        for folder in folders:
            document = json.loads((RESULTS / folder / "result.json").read_text(encoding="utf-8"))
            records = [each["record"] for each in document["runs"] if not each["record"]["name"].endswith("autoattack")]
            seconds += [record["metrics"]["seconds"] for record in records if record["kind"] == kind]
        lines.append([words, f"{min(seconds):.0f} to {max(seconds):.0f}"])
    return table(["one core of an ordinary CPU, measured", "seconds"], lines)


@functools.cache
def short_report() -> ShortReport:
    """What ``docs/report.md`` is made of."""
    return ShortReport(RESULTS)


def first_figure_numbers() -> pd.DataFrame:
    """What the README's figure shows."""
    folder = first_figure.FOLDER
    chosen = rows(folder).loc[lambda frame: frame["inputs"].eq("clean") & frame["noise"].isna()]
    rate, mixture = (
        chosen[chosen["estimator"] == name].set_index(["augmentation", "seed"]) for name in ("rate", "mixture_marginal")
    )
    less = (rate["value"] - mixture["value"]).dropna()
    images = np.hypot(rate["standard_error"], mixture["standard_error"]).dropna()  # as if drawn anew, which is too much
    less_over = (
        pd.DataFrame({"value": less, "images": images})
        .groupby("augmentation")
        .agg(mean=("value", "mean"), std=("value", "std"), seeds=("value", "size"), images=("images", "mean"))
    )
    over_all = over_seeds(chosen, ("augmentation", "estimator"))
    orders = [
        each for each in verdicts() if each.claim.measure == "rate" and each.document.directory == RESULTS / folder
    ]
    return first_figure.numbers(over_all, less_over, orders)


def first_figure_block() -> str:
    """The README's figure, with what it shows in words."""
    shown = first_figure_numbers()
    bars, orders = (shown[shown["panel"] == panel] for panel in ("bounds", "orders"))
    values = bars.pivot(index="estimator", columns="name", values="value")
    shares = 100 * values.loc["no information"] / values.loc["rate"]
    held = Counter(orders["verdict"])
    margin = f"equal within ±{orders['margin'].max():.2g} nats"
    said = {
        "holds": ("holds", "hold"),
        "is reversed": ("is reversed", "are reversed"),
        "are equal": (f"is of rates {margin}", f"are of rates {margin}"),
        "cannot be told": ("cannot be told",) * 2,
    }
    counts = [(held[verdict], one, several) for verdict, (one, several) in said.items() if held[verdict]]
    counted = enumerated([f"{count} {several if count > 1 else one}" for count, one, several in counts])
    words = "bars of four augmentations on CIFAR-10 (JPEG), and intervals of three differences between their rates"
    return (
        f"![{first_figure.title(shown)}: {words}](docs/rates.png)\n\n"
        f"*CIFAR-10 (JPEG), {bars['seeds'].min():.0f} VAEs an augmentation, {orders['images'].max():,.0f} test images: "
        f"at least {shares.min():.0f} to {shares.max():.0f}% of a rate is no information. Of the paper's {len(orders)} "
        f"orders of rates, {counted} (simultaneous 95% intervals).*"
    )


def found() -> str:
    """The paper's statements that are decided, an item each, and how many are not."""
    lines = []
    for each in verdicts():
        if each.verdict not in ("holds", "is reversed", "is contradicted", "are equal"):
            continue
        units = measures()[each.claim.measure].units
        images = f", {each.pair.images:,} {each.pair.items}" if each.pair.images else ""
        lines.append(
            f"- {each.claim.where}: {each.claim}. On {each.on}: **{each.in_words}**, {signed(each)} {units} "
            f"({each.pair.seeds} seeds{images}, {p_value(each.p)})."
        )
    numbers = statements_told()
    layers = numbers[numbers["difference"].isna() & numbers["verdict"].isin(["holds", "is reversed"])]
    for row in layers.to_dict("records"):
        lines.append(
            f"- {row['where']}: {row['claim']}. On {row['data']}: **{row['verdict']}**, shown by bounds at "
            f"`{row['layers']}` ({row['seeds']} seeds, {row['images']:,} images, {p_value(row['p'])})."
        )
    open_ones = len(numbers) - len(lines)
    others = len(numbers) - len(verdicts())
    lines.append(
        f"- {open_ones} more cannot be told yet, or are not contradicted. All are judged as {families('tests')}, and "
        f"the {others} about layers in families of their own; an analysis, which judges its own pairs alone, may tell "
        "more in its own text."
    )
    return "\n".join(lines)


def compared_in(folder: str, augmentations: Sequence[str], linear: bool) -> str:
    """What has been measured of other items than images: a line for every document in a folder of this one, and what
    its own pairs allow one to say.

    Args:
        folder: of documents of accuracies, and of human uncertainty.
        augmentations: the columns.
        linear: whether a linear model stands beside networks.
    """
    lines, said = [], []
    for path in sorted((RESULTS / folder).glob("*/accuracy-*/result.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        place, settings = str(path.parent.relative_to(RESULTS)), document["about"]["settings"]
        metric = metric_of(settings)
        values = over(place, metric.name)
        scale = f"{settings['train_images']:,} × {settings['epochs']}"
        more = " (weighed by the mask)" if settings.get("text", {}).get("mixed_weights") == "mask" else ""
        more += f" (α = {settings['alpha']:g})" if settings.get("items") == "clips" else ""
        more += " (one for each question)" if settings.get("apart") else ""
        name = f"{settings['data']}, {settings['network'].removeprefix('transformers:')}{more}"
        cells = [cell(values, one, metric.places) for one in augmentations]
        beside = [f"{document['about']['linear']['value']:.{metric.places}f}"] if linear else []
        lines.append([name, scale, f"{metric.label}, %", *beside, *cells, str(int(values["seeds"].max()))])
        pays = next(block for block in document["about"]["conclusions"].split("\n\n") if block)
        said.append(f"- {name}. {' '.join(pays.split())}")
    for path in sorted((RESULTS / folder).glob("*/human-uncertainty-*/result.json")):
        about = json.loads(path.read_text(encoding="utf-8"))["about"]
        name = f"{about['data']}, {about['settings']['network']}, against its raters"
        said.append(f"- {name}. {' '.join(about['bottom_line'].split())}")
    head = [
        "",
        "items × epochs",
        "",
        *(["linear model of words"] if linear else []),
        *map(label, augmentations),
        "seeds",
    ]
    return "\n\n".join(part for part in (table(head, lines) if lines else "", "\n".join(said)) if part)


def texts_table() -> str:
    """What has been measured of texts."""
    return compared_in("texts", TEXT_AUGMENTATIONS, linear=True)


def other_items_table() -> str:
    """What has been measured of sound, shapes and graphemes, and of what codes keep of known factors."""
    found = compared_in("modalities", MASKS, linear=False)
    for path in sorted((RESULTS / "modalities").glob("*/table-1-*/result.json")):
        about = json.loads(path.read_text(encoding="utf-8"))["about"]
        blocks = [block for block in about["conclusions"].split("\n\n") if block.startswith("Of known factors")]
        found += "".join(f"\n- {about['data']}, VAEs. {' '.join(block.split())}" for block in blocks)
    return found.removeprefix("\n")


BLOCKS: dict[str, Callable[[], str]] = {
    "answer": answer,
    "rate is no information": rate_is_no_information,
    "summary": summary,
    "first figure": first_figure_block,
    "found": found,
    "report answer": lambda: short_report().answer(),
    "report matrix": lambda: short_report().matrix(),
    "report differences": lambda: short_report().differences(),
    "durations": durations,
    "reference preset": reference_preset,
    "claims": claims_table,
    "regimes": regimes_table,
    "decided": decided_sentences,
    "published": published_table,
    "information": information_table,
    "digits": digits_table,
    "linear": linear_table,
    "linear in words": linear_sentence,
    "noise": noise_sentence,
    "by class": class_wise_table,
    "by class in words": class_wise_sentence,
    "shared": shared_sentence,
    "cost on real images": lambda: conclusions_of("table-1-fashion-mnist", "How VAEs code real images"),
    "rates on Fashion-MNIST": lambda: conclusions_of("table-1-fashion-mnist", "Differences between"),
    "rates on digits": lambda: conclusions_of("table-1-digits", "Differences between"),
    "accuracy": accuracy_table,
    "accuracy in words": accuracy_sentences,
    "layers": layers_sentence,
    "layers in full": lambda: conclusions_of("representations-digits", "Less of"),
    "layers by noise": layers_by_noise,
    "layers at equal loss": layers_at_equal_loss,
    "spectra": lambda: conclusions_of("accuracy-digits", "FMix's masks"),
    "human": human_sentence,
    "grad-cam": gradcam_table,
    "attacks": attacks_table,
    "texts": texts_table,
    "other items": other_items_table,
}
"""What every block holds."""

BLOCK = re.compile(r"(<!-- computed: (?P<name>[^>]+) -->\n)(?P<text>(?:(?!<!--).)*)(<!-- end -->)", re.DOTALL)


def computed(page: str) -> str:
    """A page with its blocks computed anew."""
    return BLOCK.sub(lambda found: found[1] + BLOCKS[found["name"]]() + "\n" + found[4], page)


def main() -> None:
    """Write the pages, and their pictures."""
    first_figure.write(first_figure_numbers(), RESULTS.parent / "docs")
    for path in PAGES.values():
        text = computed(path.read_text(encoding="utf-8"))
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    short_report().write(RESULTS.parent / "docs" / "report")


if __name__ == "__main__":
    main()
