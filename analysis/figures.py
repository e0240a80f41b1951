"""The figures of the information analyses."""

import math
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.table import LINEAR, name_of, networks_of, under_trained
from figures import colour, in_usual_order, label, style

__all__ = [
    "draw_ground_truth",
    "draw_human_uncertainty",
    "draw_learning_curves",
    "draw_noise_profile",
    "draw_rate_distortion",
    "draw_table_1",
    "draw_training",
]


def _wrapped(title: str) -> str:
    """In lines that a figure 7.2 inches wide can hold."""
    return textwrap.fill(title, 66)


def _on_one_kind_of_inputs(table: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """The rows on clean inputs, or where these estimators have none there, on the inputs on which they have."""
    kinds = list(table[table["estimator"].isin(estimators)]["inputs"])
    inputs = "clean" if "clean" in kinds or not kinds else kinds[0]
    return table[table["inputs"] == inputs]


def draw_table_1(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Bars between the lower and the upper bound on I(Z;X), one per augmentation, with the rate and the log N cap.

    Args:
        table: `analysis.table.summarise`'s rows; clean inputs are drawn, or whatever inputs there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it: augmentation, and mean and standard deviation of each bound.
    """
    chosen = _on_one_kind_of_inputs(table, ("rate", "gaussian_marginal", "infonce"))
    shown = chosen[chosen["estimator"].isin(["rate", "gaussian_marginal", "infonce"])]
    behind = shown[["inputs", "augmentation", "estimator", "mean", "std", "seeds", "cap", "saturated", "n"]]
    names = list(dict.fromkeys(shown["augmentation"]))
    values = {key: rows.set_index("augmentation") for key, rows in shown.groupby("estimator")}
    with style():
        figure = Figure(figsize=(7.2, 0.7 * len(names) + 1.7))
        axes = figure.subplots()
        upper, lower, rate = (values.get(key) for key in ("gaussian_marginal", "infonce", "rate"))
        cap = float(lower["cap"].max()) if lower is not None else math.nan
        for position, name in enumerate(names):
            ink = colour(name)
            if upper is not None and lower is not None and name in lower.index.intersection(upper.index):
                low, high = lower["mean"][name], upper["mean"][name]
                axes.barh(position, high - low, left=low, height=0.62, color=ink, alpha=0.28, linewidth=0)
            # one lane each: where bounds nearly meet, their marks must not hide each other
            for lane, bound, marker, face in (
                (-0.17, rate, "D", "white"), (0.0, upper, "<", ink), (0.17, lower, ">", ink),
            ):  # fmt: skip
                if bound is not None and name in bound.index:
                    axes.errorbar(
                        bound["mean"][name], position + lane, xerr=np.nan_to_num(bound["std"][name]), fmt=marker,
                        color=ink, markerfacecolor=face, markersize=6, capsize=2, elinewidth=1.2,
                    )  # fmt: skip
        if not math.isnan(cap):
            axes.axvline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            inward = cap > 0.5 * axes.get_xlim()[1]  # outside the axes, the words would squeeze them
            axes.annotate(
                f"log N = {cap:.2f}, InfoNCE’s ceiling", (cap, 1), (-3 if inward else 3, -2),
                xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
                ha="right" if inward else "left", fontsize=8.5,
            )  # fmt: skip
        active = chosen[chosen["estimator"] == "active_units"].set_index("augmentation")["mean"]
        collapsed = {name for name in names if name in active.index and active[name] < 1}
        poor = under_trained(chosen)
        ticks = [name_of(name, poor) + ("\n(code collapsed)" if name in collapsed else "") for name in names]
        axes.set_yticks(range(len(names)), ticks)
        axes.set_ylim(len(names) - 0.4, -0.75)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("nats")
        axes.set_title(_wrapped(title), fontsize=10)
        grey = "#444444"
        handles = [
            axes.plot([], [], "D", color=grey, markerfacecolor="white", label="rate, the published column")[0],
            axes.plot([], [], "<", color=grey, label="R_m: I(Z;X) is at most this")[0],
            axes.plot([], [], ">", color=grey, label="InfoNCE: I(Z;X) is at least this")[0],
            Patch(color=grey, alpha=0.28, linewidth=0, label="between the bounds; bars: ± s.d. over seeds"),
        ]
        if poor:
            handles += axes.plot([], [], " ", label="‡ under-trained: worse than the linear VAE")
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5)
    return figure, behind


def _log_ticks(axes: Axes, values: Iterable[float]) -> None:
    """A logarithmic axis with its ticks at values that were measured, the largest first, where they do not overlap."""
    shown: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not shown or value <= shown[-1] / 1.9:
            shown.append(value)
    axes.set_xscale("log")
    axes.set_xticks(shown, [f"{value:,.0f}" for value in shown])
    axes.set_xticks([], minor=True)


def draw_training(curves: pd.DataFrame, table: pd.DataFrame, title: str) -> Figure:
    """−ELBO, rate and squared error of held-out inputs over the steps of training, a line per VAE.

    Args:
        curves: ``augmentation``, ``seed``, ``step``, ``negative_elbo``, ``rate``, ``mse``: inputs like the VAE's own.
        table: `analysis.table.summarise`'s rows, for the linear VAEs of the same inputs.
        title: above the figure.
    """
    words = {"negative_elbo": "−ELBO, nats", "rate": "rate, nats", "mse": "MSE, squared normalised pixels"}
    names = list(dict.fromkeys(curves["augmentation"]))
    linear = table[(table["inputs"] == "own-augmented") & table["augmentation"].str.startswith(LINEAR)]
    level = linear.set_index(["augmentation", "estimator"])["mean"]
    with style():
        figure = Figure(figsize=(9.6, 3.6))
        for axes, (quantity, word) in zip(figure.subplots(1, 3), words.items(), strict=True):
            # the start is off the scale of everything after it
            later = curves[curves["step"] > 0]
            for (augmentation, _), own in later.groupby(["augmentation", "seed"], sort=False):
                axes.plot(
                    own["step"], own[quantity], "o-", color=colour(str(augmentation)), markersize=3, linewidth=1.2
                )
            for name in names:
                if (f"{LINEAR} on {name}", quantity) in level.index:
                    axes.axhline(level[f"{LINEAR} on {name}", quantity], color=colour(name), linewidth=1, linestyle=":")
            _log_ticks(axes, later["step"])
            axes.set_xlabel("step")
            axes.set_title(word, fontsize=9.5)
        figure.suptitle(_wrapped(title), fontsize=10, x=0.01, ha="left")
        handles = [axes.plot([], [], "o-", color=colour(name), label=label(name))[0] for name in names]
        handles += axes.plot([], [], ":", color="#444444", label="linear VAE of the same inputs")
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def draw_human_uncertainty(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """KL(human ‖ model) of each augmentation as it is, and after one temperature.

    Args:
        table: `analysis.table.summarise`'s rows.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    lanes = {
        "kl_human_model": (-0.2, "o", "as it is"),
        "kl_human_model_label_temperature": (0.0, "s", "after a temperature fitted to the true labels"),
        "kl_human_model_temperature_scaled": (0.2, "D", "after a temperature fitted to the humans: the least"),
    }
    behind = table[table["estimator"].isin(lanes)][["augmentation", "estimator", "mean", "std", "seeds", "n"]]
    names = list(dict.fromkeys(behind["augmentation"]))
    with style():
        figure = Figure(figsize=(7.2, 0.55 * len(names) + 2.0))
        axes = figure.subplots()
        for estimator, (lane, marker, _) in lanes.items():
            rows = behind[behind["estimator"] == estimator].set_index("augmentation")
            for position, name in enumerate(names):
                axes.errorbar(
                    rows["mean"][name], position + lane, xerr=np.nan_to_num(rows["std"][name]), fmt=marker,
                    color=colour(name), markerfacecolor="white" if lane else colour(name), capsize=2, elinewidth=1.2,
                )  # fmt: skip
        axes.set_yticks(range(len(names)), [label(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("KL(human‖model) in nats, mean ± standard deviation over seeds")
        axes.set_title(_wrapped(title), fontsize=10)
        grey = "#444444"
        handles = [
            axes.plot([], [], marker, color=grey, markerfacecolor="white" if lane else grey, label=words)[0]
            for lane, marker, words in lanes.values()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=1, fontsize=8.5)
    return figure, behind


def draw_ablation(table: pd.DataFrame, vary: str, scored: str, title: str) -> Figure:
    """Accuracy against the values of one option, a line per augmentation.

    Args:
        table: ``augmentation``, ``setting``, ``mean``, ``std`` in per cent.
        vary: ``"fraction"``, ``"alpha"`` or ``"decay-power"``.
        scored: on which images.
        title: above the figure.
    """
    words = {"fraction": "share of the training images", "alpha": "α", "decay-power": "decay power δ"}
    with style():
        figure = Figure(figsize=(7.0, 3.6))
        axes = figure.subplots()
        names = list(dict.fromkeys(table["augmentation"]))
        ticks = sorted(table["setting"].unique())
        for place, augmentation in enumerate(names):
            own = table[table["augmentation"] == augmentation].sort_values("setting")
            # side by side, so that error bars do not hide each other
            positions = [ticks.index(value) + 0.08 * (place - (len(names) - 1) / 2) for value in own["setting"]]
            axes.errorbar(
                positions, own["mean"], yerr=own["std"].fillna(0), fmt="o-", color=colour(augmentation),
                label=label(augmentation), capsize=3, markersize=4,
            )  # fmt: skip
        axes.set_xticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
        axes.set_xlabel(words[vary])
        axes.set_ylabel(f"{scored} accuracy, %")
        axes.set_title(_wrapped(title), fontsize=10)
        figure.legend(loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def draw_learning_curves(curves: pd.DataFrame, title: str) -> Figure:
    """Accuracy on scored and training images, and the loss that is minimised, over the epochs, a line per classifier.

    Args:
        curves: ``augmentation``, ``seed``, ``epoch``, ``accuracy`` and ``training_accuracy``, shares, and ``loss``.
        title: above the figure.
    """
    words = {
        "accuracy": "accuracy on scored images, %", "training_accuracy": "on training images, as they are, %",
        "loss": "training loss, augmented images, nats",
    }  # fmt: skip
    names = in_usual_order(curves["augmentation"])
    with style():
        figure = Figure(figsize=(9.6, 3.4))
        for axes, (quantity, word) in zip(figure.subplots(1, 3), words.items(), strict=True):
            for (augmentation, _), own in curves.groupby(["augmentation", "seed"], sort=False):
                values = own[quantity] * (1 if quantity == "loss" else 100)
                axes.plot(own["epoch"], values, "o-", color=colour(str(augmentation)), markersize=3, linewidth=1.1)
            _log_ticks(axes, curves["epoch"])
            axes.set_xlabel("epochs")
            axes.set_title(word, fontsize=9.5)
        figure.suptitle(textwrap.fill(title, 100), fontsize=10, x=0.01, ha="left")
        handles = [axes.plot([], [], "o-", color=colour(name), label=label(name))[0] for name in names]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


ESTIMATOR_INKS = {
    "rate": ("#7f7f7f", "D", "rate (upper)"),
    "gaussian_marginal": ("#0072B2", "<", "R_m (upper)"),
    "product_marginal": ("#009E73", "v", "product marginal (upper)"),
    "leave_one_out": ("#CC79A7", "s", "leave-one-out (upper)"),
    "infonce": ("#D55E00", ">", "InfoNCE (lower)"),
}
"""Colour, marker and name of each estimator of I(Z;X)."""

PAIR_INKS = {
    "data_processing": ("#009E73", "v", "data processing (upper)"),
    "three_term_upper": ("#0072B2", "<", "three terms (upper)"),
    "three_term_lower": ("#D55E00", ">", "three terms (lower)"),
    "critic": ("#E69F00", "^", "held-out critic (lower)"),
    "three_term_gaussian": ("#7f7f7f", "o", "three Gaussian terms (estimate)"),
}
"""The same of I(Z_A;Z_B)."""


def draw_ground_truth(table: pd.DataFrame, n: int, seeds: int) -> Figure:
    """Estimates against known information, with InfoNCE's ceiling; and the error on every task.

    Args:
        table: `analysis.ground_truth.summarise`'s rows; tasks of pairs of encoders come last.
        n: images per encoder.
        seeds: replicates.
    """
    tasks = list(dict.fromkeys(table["task"]))
    ceiling = math.log(n)
    with style():
        figure = Figure(figsize=(11, max(4.6, 0.23 * len(tasks) + 1.6)))
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        curve = table[table["task"].str.startswith("gaussian-d64-")]
        limit = 1.25 * max(12.0, float(curve["truth"].clip(upper=20).max())) if len(curve) else 12.0
        left.plot([0, limit], [0, limit], color="black", linewidth=1)
        left.annotate("truth", (limit, limit), (-4, -12), textcoords="offset points", ha="right", fontsize=8.5)
        left.axhline(ceiling, color="black", linewidth=1, linestyle=(0, (4, 3)))
        left.annotate(
            f"log N = {ceiling:.2f}, InfoNCE’s ceiling", (limit, ceiling), (-2, 3), textcoords="offset points",
            ha="right", fontsize=8.5,
        )  # fmt: skip
        for estimator, (ink, marker, name) in ESTIMATOR_INKS.items():
            chosen = curve[(curve["estimator"] == estimator) & (curve["truth"] <= limit)].sort_values("truth")
            left.errorbar(
                chosen["truth"], chosen["mean"], chosen["spread"], fmt=marker + "-", color=ink, label=name,
                markersize=5, linewidth=1, capsize=2,
            )  # fmt: skip
        left.set(xlim=(0, limit), ylim=(0, 1.25 * limit), xlabel="true I(Z;X), nats", ylabel="estimate, nats")
        left.set_title(f"Linear-Gaussian encoders, d = 64, N = {n:,}", fontsize=10)

        right.axvline(0, color="black", linewidth=1)
        pairs = set(table[table["quantity"] == "I(Z_A;Z_B)"]["task"])
        for position, task in enumerate(tasks):
            rows = table[table["task"] == task].set_index("estimator")
            for estimator, (ink, marker, _) in (PAIR_INKS if task in pairs else ESTIMATOR_INKS).items():
                if estimator in rows.index and rows["failed"][estimator] < 1:
                    flagged = max(rows["saturated"][estimator], rows["heavy_tailed"][estimator]) > 0.5
                    face = "white" if flagged else ink
                    right.errorbar(
                        rows["bias"][estimator], position, xerr=rows["spread"][estimator], fmt=marker, color=ink,
                        markerfacecolor=face, markersize=4.5, linewidth=1,
                    )  # fmt: skip
        if pairs and len(pairs) < len(tasks):
            right.axhline(len(tasks) - len(pairs) - 0.5, color="black", linewidth=0.6)
        labels = [f"{task} ({table[table['task'] == task]['truth'].iloc[0]:.3g})" for task in tasks]
        right.set_yticks(range(len(tasks)), labels, fontsize=8)
        right.set_ylim(len(tasks) - 0.4, -0.6)
        right.set_xscale("symlog", linthresh=0.1, linscale=0.6)
        ticks = [-10, -1, -0.1, 0, 0.1, 1, 10, 100, 1000, 100_000]
        right.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
        right.set_xlim(-200, 3 * max(100.0, float(table["bias"].max())))
        right.set_xlabel("estimate − truth, nats (hollow: flagged as saturated or heavy-tailed)")
        right.set_title("Every encoder (true nats): right of 0 holds for ≤, left for ≥", fontsize=10)
        handles, names = left.get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower left", ncols=2, fontsize=8.5, title_fontsize=8.5,
            title=f"of I(Z;X); mean and standard deviation over {seeds} replicates",
        )  # fmt: skip
        if pairs:
            marks = [
                right.plot([], [], marker, color=ink, markersize=5, label=name)[0]
                for ink, marker, name in PAIR_INKS.values()
            ]
            figure.legend(
                handles=marks, loc="outside lower right", ncols=2, fontsize=8.5, title_fontsize=8.5,
                title="of I(Z_A;Z_B), what two encoders share (the tasks named pair-…)",
            )  # fmt: skip
    return figure


def draw_noise_profile(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Both bounds against the noise level, a band per augmentation, with the log N ceiling.

    Args:
        table: `analysis.table.summarise`'s rows, with noise; clean inputs are drawn, or whatever inputs there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    chosen = _on_one_kind_of_inputs(table, ("gaussian_marginal", "infonce"))
    chosen = chosen[chosen["estimator"].isin(["gaussian_marginal", "infonce"])]
    behind = chosen.assign(noise=chosen["noise"].fillna(0.0))
    behind = behind[["inputs", "augmentation", "noise", "estimator", "mean", "std", "seeds", "cap", "saturated", "n"]]
    levels = sorted(behind["noise"].unique())
    places = dict(zip(levels, range(len(levels)), strict=True))
    names = list(dict.fromkeys(behind["augmentation"]))
    poor = under_trained(chosen)
    with style():
        figure = Figure(figsize=(7.2, 4.4))
        axes = figure.subplots()
        for number, name in enumerate(names):
            ink, drawn = colour(name), False
            for estimator, marker in (("gaussian_marginal", "v"), ("infonce", "^")):
                rows = behind[(behind["augmentation"] == name) & (behind["estimator"] == estimator)].sort_values(
                    "noise"
                )
                if not len(rows):
                    continue
                # side by side, so that augmentations that agree do not hide each other
                x = [places[level] + 0.09 * (number - (len(names) - 1) / 2) for level in rows["noise"]]
                axes.errorbar(
                    x, rows["mean"], np.nan_to_num(rows["std"]), fmt=marker, color=ink, markersize=5, capsize=2,
                    linewidth=1, label=None if drawn else name_of(name, poor),
                )  # fmt: skip
                drawn = True
            both = behind[behind["augmentation"] == name].pivot(index="noise", columns="estimator", values="mean")
            if {"infonce", "gaussian_marginal"} <= set(both):
                x = [places[level] + 0.09 * (number - (len(names) - 1) / 2) for level in both.index]
                axes.vlines(x, both["infonce"], both["gaussian_marginal"], color=ink, linewidth=5, alpha=0.3)
        cap = behind["cap"].max()
        if not math.isnan(cap):
            axes.axhline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"log N = {cap:.2f}, InfoNCE’s ceiling", (1, cap), (-2, 3), xycoords=("axes fraction", "data"),
                textcoords="offset points", ha="right", fontsize=8.5,
            )  # fmt: skip
        axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("noise s, in standard deviations of each dimension of the code")
        axes.set_ylabel("I(Z + noise; X), nats")
        axes.set_title(_wrapped(f"Noise profile: {title}"), fontsize=10)
        if poor:
            axes.plot([], [], " ", label="‡ under-trained")
        figure.legend(
            loc="outside lower center", ncols=min(len(names), 5), fontsize=8.5,
            title="▼ at most (R_m)   ▲ at least (InfoNCE); bars: ± s.d. over seeds", title_fontsize=8.5,
        )  # fmt: skip
    return figure, behind


def draw_rate_distortion(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """The rate-distortion plane: rate and R_m against squared error over decoder scales, a curve per augmentation.

    Args:
        table: `analysis.table.summarise`'s rows without noise, with ``decoder_scale``; clean inputs are drawn, or
            whatever inputs there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    table = _on_one_kind_of_inputs(table, ("rate", "gaussian_marginal"))
    chosen = table[table["estimator"].isin(["rate", "gaussian_marginal"])]
    errors = table[table["estimator"] == "mse"].set_index(["augmentation", "decoder_scale"])
    at = pd.MultiIndex.from_frame(chosen[["augmentation", "decoder_scale"]])
    behind = chosen.assign(mse=errors["mean"].reindex(at).values, mse_std=errors["std"].reindex(at).values)
    behind = behind[
        [
            "inputs", "augmentation", "decoder_scale", "estimator", "mean", "std", "mse", "mse_std", "seeds", "n",
            "under_trained",
        ]
    ]  # fmt: skip
    names = list(dict.fromkeys(behind["augmentation"]))
    poor = behind[[flag is True for flag in behind["under_trained"]]]
    with style():
        figure = Figure(figsize=(7.2, 4.8))
        axes = figure.subplots()
        for name in names:
            for estimator, marker, line in (("rate", "D", "-"), ("gaussian_marginal", "v", (0, (3, 2)))):
                rows = behind[(behind["augmentation"] == name) & (behind["estimator"] == estimator)]
                rows = rows.sort_values("decoder_scale")
                axes.errorbar(
                    rows["mse"], rows["mean"], np.nan_to_num(rows["std"]), np.nan_to_num(rows["mse_std"]),
                    marker=marker, linestyle=line, color=colour(name), markersize=5, capsize=2, elinewidth=1,
                    linewidth=1.3, markerfacecolor="white" if estimator == "rate" else colour(name),
                    label=name_of(name) if estimator == "rate" else None,
                )  # fmt: skip
        if len(poor):
            axes.plot(
                poor["mse"], poor["mean"], "x", color="black", markersize=9, markeredgewidth=1.2, zorder=5,
                label="under-trained",
            )  # fmt: skip
        for scale, rows in networks_of(behind).groupby("decoder_scale"):
            axes.annotate(
                f"decoder scale {scale:g}", (rows["mse"].max(), rows["mean"].max()), (4, 5),
                textcoords="offset points", fontsize=8.5, color="#444444",
            )  # fmt: skip
        axes.set_yscale("log")
        low, high = behind["mean"].min() / 1.5, behind["mean"].max() * 1.6
        ticks = [tick for power in range(-3, 5) for tick in (10**power, 2 * 10**power, 5 * 10**power)]
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
        axes.set_yticks([], minor=True)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(low, high)
        least, most = behind["mse"].min(), behind["mse"].max()
        spread = max(most - least, 0.1 * most)
        axes.set_xlim(max(0.0, least - 0.2 * spread), most + 0.45 * spread)
        axes.set_xlabel("squared error of a reconstruction, normalised pixels")
        axes.set_ylabel("nats")
        axes.set_title(_wrapped(f"Rate-distortion plane: {title}"), fontsize=10)
        figure.legend(
            loc="outside lower center", ncols=min(len(names) + bool(len(poor)), 4), fontsize=8.5,
            title="◇ rate   ▼ R_m, which I(Z;X) does not exceed; bars: ± s.d. over seeds", title_fontsize=8.5,
        )  # fmt: skip
    return figure, behind
