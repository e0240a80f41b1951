"""The figures of Table 1: bounds, training, the noise profile, the rate-distortion plane."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.mutual_info.table import name_of
from figures import colour, label, style
from figures.panels import log_ticks, wrapped
from findings.under_trained import LINEAR, networks_of, under_trained

__all__ = ["draw_noise_profile", "draw_rate_distortion", "draw_table_1", "draw_training"]


def _on_one_kind_of_inputs(table: pd.DataFrame, estimators: Sequence[str]) -> pd.DataFrame:
    """The rows on clean inputs, or where these estimators have none there, on the inputs on which they have."""
    kinds = list(table[table["estimator"].isin(estimators)]["inputs"])
    inputs = "clean" if "clean" in kinds or not kinds else kinds[0]
    return table[table["inputs"] == inputs]


def draw_table_1(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Bars between the lower and the upper bound on I(Z;X), one per augmentation, with the rate and the log N cap.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows; clean inputs are drawn, or whatever inputs there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it: augmentation, and mean and standard deviation of each bound.
    """
    chosen = _on_one_kind_of_inputs(table, ("rate", "gaussian_marginal", "infonce"))
    shown = chosen[chosen["estimator"].isin(["rate", "gaussian_marginal", "infonce"])]
    numbers = shown[["inputs", "augmentation", "estimator", "mean", "std", "seeds", "cap", "saturated", "n"]]
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
                (-0.17, rate, "D", "white"),
                (0.0, upper, "<", ink),
                (0.17, lower, ">", ink),
            ):
                if bound is not None and name in bound.index:
                    axes.errorbar(
                        bound["mean"][name],
                        position + lane,
                        xerr=np.nan_to_num(bound["std"][name]),
                        fmt=marker,
                        color=ink,
                        markerfacecolor=face,
                        markersize=6,
                        capsize=2,
                        elinewidth=1.2,
                    )
        if not math.isnan(cap):
            axes.axvline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            inward = cap > 0.5 * axes.get_xlim()[1]  # outside the axes, the words would squeeze them
            axes.annotate(
                f"log N = {cap:.2f}, InfoNCE’s ceiling",
                (cap, 1),
                (-3 if inward else 3, -2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                ha="right" if inward else "left",
                fontsize=8.5,
            )
        active = chosen[chosen["estimator"] == "active_units"].set_index("augmentation")["mean"]
        collapsed = {name for name in names if name in active.index and active[name] < 1}
        poor = under_trained(chosen)
        ticks = [name_of(name, poor) + ("\n(code collapsed)" if name in collapsed else "") for name in names]
        axes.set_yticks(range(len(names)), ticks)
        axes.set_ylim(len(names) - 0.4, -0.75)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("nats")
        axes.set_title(wrapped(title), fontsize=10)
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
    return figure, numbers


def draw_training(
    curves: pd.DataFrame, table: pd.DataFrame, title: str, units: str = "squared normalised pixels"
) -> Figure:
    """−ELBO, rate and squared error of held-out inputs over the steps of training, a line per VAE.

    Args:
        curves: ``augmentation``, ``seed``, ``step``, ``negative_elbo``, ``rate``, ``mse``: inputs like the VAE's own.
        table: `analysis.mutual_info.table.summarise`'s rows, for the linear VAEs of the same inputs.
        title: above the figure.
        units: of the squared error, in words.
    """
    words = {"negative_elbo": "−ELBO, nats", "rate": "rate, nats", "mse": f"MSE, {units}"}
    names = list(dict.fromkeys(curves["augmentation"]))
    linear = table[(table["inputs"] == "own-augmented") & table["augmentation"].str.startswith(LINEAR)]
    level = linear.set_index(["augmentation", "estimator"])["mean"]
    with style():
        figure = Figure(figsize=(9.6, 3.6))
        for axes, (quantity, word) in zip(figure.subplots(1, 3), words.items(), strict=True):
            # the start is off the scale of everything after it
            later = curves[curves["step"] > 0]
            for (augmentation, _), steps in later.groupby(["augmentation", "seed"], sort=False):
                axes.plot(
                    steps["step"], steps[quantity], "o-", color=colour(str(augmentation)), markersize=3, linewidth=1.2
                )
            for name in names:
                if (f"{LINEAR} on {name}", quantity) in level.index:
                    axes.axhline(level[f"{LINEAR} on {name}", quantity], color=colour(name), linewidth=1, linestyle=":")
            log_ticks(axes, later["step"])
            axes.set_xlabel("step")
            axes.set_title(word, fontsize=9.5)
        figure.suptitle(wrapped(title), fontsize=10, x=0.01, ha="left")
        handles = [axes.plot([], [], "o-", color=colour(name), label=label(name))[0] for name in names]
        handles += axes.plot([], [], ":", color="#444444", label="linear VAE of the same inputs")
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def draw_noise_profile(table: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Both bounds against the noise level, a band per augmentation, with the log N ceiling.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows, with noise; clean inputs are drawn, or whatever inputs
            there are.
        title: above the figure.

    Returns:
        The figure, and the numbers in it.
    """
    chosen = _on_one_kind_of_inputs(table, ("gaussian_marginal", "infonce"))
    chosen = chosen[chosen["estimator"].isin(["gaussian_marginal", "infonce"])]
    numbers = chosen.assign(noise=chosen["noise"].fillna(0.0))
    numbers = numbers[["inputs", "augmentation", "noise", "estimator", "mean", "std", "seeds", "cap", "saturated", "n"]]
    levels = sorted(numbers["noise"].unique())
    places = dict(zip(levels, range(len(levels)), strict=True))
    names = list(dict.fromkeys(numbers["augmentation"]))
    poor = under_trained(chosen)
    with style():
        figure = Figure(figsize=(7.2, 4.4))
        axes = figure.subplots()
        for number, name in enumerate(names):
            ink, drawn = colour(name), False
            for estimator, marker in (("gaussian_marginal", "v"), ("infonce", "^")):
                rows = numbers[(numbers["augmentation"] == name) & (numbers["estimator"] == estimator)].sort_values(
                    "noise"
                )
                if not len(rows):
                    continue
                # side by side, so that augmentations that agree do not hide each other
                x = [places[level] + 0.09 * (number - (len(names) - 1) / 2) for level in rows["noise"]]
                axes.errorbar(
                    x,
                    rows["mean"],
                    np.nan_to_num(rows["std"]),
                    fmt=marker,
                    color=ink,
                    markersize=5,
                    capsize=2,
                    linewidth=1,
                    label=None if drawn else name_of(name, poor),
                )
                drawn = True
            both = numbers[numbers["augmentation"] == name].pivot(index="noise", columns="estimator", values="mean")
            if {"infonce", "gaussian_marginal"} <= set(both):
                x = [places[level] + 0.09 * (number - (len(names) - 1) / 2) for level in both.index]
                axes.vlines(x, both["infonce"], both["gaussian_marginal"], color=ink, linewidth=5, alpha=0.3)
        cap = numbers["cap"].max()
        if not math.isnan(cap):
            axes.axhline(cap, color="black", linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"log N = {cap:.2f}, InfoNCE’s ceiling",
                (1, cap),
                (-2, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                fontsize=8.5,
            )
        axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel("noise s, in standard deviations of each dimension of the code")
        axes.set_ylabel("I(Z + noise; X), nats")
        axes.set_title(wrapped(f"Noise profile: {title}"), fontsize=10)
        if poor:
            axes.plot([], [], " ", label="‡ under-trained")
        figure.legend(
            loc="outside lower center",
            ncols=min(len(names), 5),
            fontsize=8.5,
            title="▼ at most (R_m)   ▲ at least (InfoNCE); bars: ± s.d. over seeds",
            title_fontsize=8.5,
        )
    return figure, numbers


def draw_rate_distortion(
    table: pd.DataFrame, title: str, units: str = "squared normalised pixels"
) -> tuple[Figure, pd.DataFrame]:
    """The rate-distortion plane: rate and R_m against squared error over decoder scales, a curve per augmentation.

    Args:
        table: `analysis.mutual_info.table.summarise`'s rows without noise, with ``decoder_scale``; clean inputs are
            drawn, or whatever inputs there are.
        title: above the figure.
        units: of the squared error, in words.

    Returns:
        The figure, and the numbers in it.
    """
    table = _on_one_kind_of_inputs(table, ("rate", "gaussian_marginal"))
    chosen = table[table["estimator"].isin(["rate", "gaussian_marginal"])]
    errors = table[table["estimator"] == "mse"].set_index(["augmentation", "decoder_scale"])
    at = pd.MultiIndex.from_frame(chosen[["augmentation", "decoder_scale"]])
    numbers = chosen.assign(mse=errors["mean"].reindex(at).values, mse_std=errors["std"].reindex(at).values)
    numbers = numbers[
        [
            "inputs",
            "augmentation",
            "decoder_scale",
            "estimator",
            "mean",
            "std",
            "mse",
            "mse_std",
            "seeds",
            "n",
            "under_trained",
        ]
    ]
    names = list(dict.fromkeys(numbers["augmentation"]))
    poor = numbers[[flag is True for flag in numbers["under_trained"]]]
    with style():
        figure = Figure(figsize=(7.2, 4.8))
        axes = figure.subplots()
        for name in names:
            for estimator, marker, line in (("rate", "D", "-"), ("gaussian_marginal", "v", (0, (3, 2)))):
                rows = numbers[(numbers["augmentation"] == name) & (numbers["estimator"] == estimator)]
                rows = rows.sort_values("decoder_scale")
                axes.errorbar(
                    rows["mse"],
                    rows["mean"],
                    np.nan_to_num(rows["std"]),
                    np.nan_to_num(rows["mse_std"]),
                    marker=marker,
                    linestyle=line,
                    color=colour(name),
                    markersize=5,
                    capsize=2,
                    elinewidth=1,
                    linewidth=1.3,
                    markerfacecolor="white" if estimator == "rate" else colour(name),
                    label=name_of(name) if estimator == "rate" else None,
                )
        if len(poor):
            axes.plot(
                poor["mse"],
                poor["mean"],
                "x",
                color="black",
                markersize=9,
                markeredgewidth=1.2,
                zorder=5,
                label="under-trained",
            )
        for scale, rows in networks_of(numbers).groupby("decoder_scale"):
            axes.annotate(
                f"decoder scale {scale:g}",
                (rows["mse"].max(), rows["mean"].max()),
                (4, 5),
                textcoords="offset points",
                fontsize=8.5,
                color="#444444",
            )
        axes.set_yscale("log")
        low, high = numbers["mean"].min() / 1.5, numbers["mean"].max() * 1.6
        ticks = [tick for power in range(-3, 5) for tick in (10**power, 2 * 10**power, 5 * 10**power)]
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
        axes.set_yticks([], minor=True)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(low, high)
        least, most = numbers["mse"].min(), numbers["mse"].max()
        spread = max(most - least, 0.1 * most)
        axes.set_xlim(max(0.0, least - 0.2 * spread), most + 0.45 * spread)
        axes.set_xlabel(f"squared error of a reconstruction, {units.removeprefix('squared ')}")
        axes.set_ylabel("nats")
        axes.set_title(wrapped(f"Rate-distortion plane: {title}"), fontsize=10)
        figure.legend(
            loc="outside lower center",
            ncols=min(len(names) + bool(len(poor)), 4),
            fontsize=8.5,
            title="◇ rate   ▼ R_m, which I(Z;X) does not exceed; bars: ± s.d. over seeds",
            title_fontsize=8.5,
        )
    return figure, numbers
