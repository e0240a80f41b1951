"""The README's figure: how much of the rates of Table 1 is shown to be information, and what became of their order.

From the committed record of CIFAR-10 (JPEG), by `results/pages.py`, which writes it to ``docs/rates.png`` with its
numbers beside it.
"""

import math
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from figures import colour, label, save, style
from findings.power import limit
from reports.verdicts import Judged

__all__ = ["FOLDER", "draw", "numbers", "title", "write"]

FOLDER = "table-1-cifar-10-jpeg"

NAMES = ("none", "mixup", "cutmix", "fmix")

SHOWN = ("infonce", "rate")
"""A lower bound, and the rate, an upper one."""

LEVEL = 0.05
"""At which all shares of rates together are shown to be no information."""


def numbers(over: pd.DataFrame, less: pd.DataFrame, orders: list[Judged]) -> pd.DataFrame:
    """What the figure shows, a line for every bar and interval, in nats.

    Args:
        over: ``augmentation``, ``estimator``, ``mean``, ``cap`` and ``seeds``, over seeds, on clean images.
        less: by augmentation, ``mean`` and ``std`` over ``seeds`` of the rate less the bound by a fitted mixture, the
            tightest upper bound that every network has, and its standard error over ``images``.
        orders: the paper's statements about rates on these data.
    """
    chosen = over[over["estimator"].isin(list(SHOWN)) & over["augmentation"].isin(NAMES)]
    bars = [
        {"panel": "bounds", "name": row["augmentation"], "estimator": row["estimator"], "value": row["mean"]}
        | {"seeds": row["seeds"], "cap": row["cap"]}
        for row in chosen.sort_values(["augmentation", "estimator"]).to_dict("records")
    ]
    for name, row in less.loc[list(NAMES)].iterrows():
        seeds = int(row["seeds"])
        error = limit(LEVEL / len(NAMES), float(row["std"]) / math.sqrt(seeds), seeds - 1, float(row["images"]))
        bars.append(
            {"panel": "bounds", "name": name, "estimator": "no information", "value": max(row["mean"] - error, 0.0)}
            | {"seeds": seeds}
        )
    pairs = [
        {"panel": "orders", "name": each.claim.above, "below": each.claim.below, "verdict": each.verdict}
        | {"value": each.sign * each.pair.value, "low": each.limits[0], "high": each.limits[1]}
        | {"margin": each.pair.margin, "seeds": each.pair.seeds, "images": each.pair.images}
        for each in orders
    ]
    return pd.DataFrame(bars + pairs)


def title(shown: pd.DataFrame) -> str:
    """The finding, in a sentence: of the largest rate, what is shown to be information and what is shown not to be."""
    bars = shown[shown["panel"] == "bounds"].pivot(index="name", columns="estimator", values="value")
    name = bars["rate"].idxmax()
    rate, low, none = bars.loc[name, ["rate", "infonce", "no information"]]
    whose = f"{label(str(name))}'s rate of {rate:.1f} nats"
    return f"Of {whose}, {low:.1f} are shown to be information and {none:.1f} to be none"


def draw(shown: pd.DataFrame) -> Figure:
    """Rates with what of them is information, could be and is not; beside it the paper's orders of them."""
    bars = shown[shown["panel"] == "bounds"].pivot(index="name", columns="estimator", values="value")
    orders = shown[shown["panel"] == "orders"].reset_index(drop=True)
    with style():
        figure = Figure(figsize=(10.5, 3.6))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        for place, name in enumerate(NAMES):
            low, rate = (bars[key][name] for key in SHOWN)
            high = rate - bars["no information"][name]
            ink = colour(name)
            left.barh(place, low, color=ink, height=0.6)
            left.barh(place, high - low, left=low, color=ink, alpha=0.3, height=0.6)
            left.barh(place, rate - high, left=high, color="none", edgecolor=ink, hatch="////", height=0.6)
            left.annotate(f"{rate:.1f}", (rate, place), (4, 0), textcoords="offset points", va="center")
        left.set_yticks(range(len(NAMES)), [label(name) for name in NAMES])
        left.set_xlim(0, 1.09 * bars["rate"].max())
        left.set_title("What codes of a VAE say about an image: bounds on I(Z;X)", fontsize=9.5)
        kinds = {
            "shown to be information: log N, all that InfoNCE can show of N images": {"facecolor": "#555555"},
            "may be information or not": {"facecolor": "#555555", "alpha": 0.3},
            "shown to be none, by a fitted mixture": {"facecolor": "none", "edgecolor": "#555555", "hatch": "////"},
        }
        handles = [Patch(label=words, **look) for words, look in kinds.items()]  # type: ignore[arg-type]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, fontsize=8.5)
        margin = orders["margin"].max()
        right.axvspan(-margin, margin, color="#000000", alpha=0.07, linewidth=0)
        right.axvline(0, color="#000000", linewidth=0.8)
        for place, pair in orders.iterrows():
            error = [[pair["value"] - pair["low"]], [pair["high"] - pair["value"]]]
            right.errorbar(pair["value"], place, xerr=error, fmt="o", color=colour(pair["name"]), capsize=4)
            words = {"are equal": "equal within the grey margin"}.get(pair["verdict"], pair["verdict"])
            right.annotate(words, (pair["value"], place), (0, 9), textcoords="offset points", ha="center", fontsize=8.5)
        right.set_yticks(
            range(len(orders)),
            [f"{label(a)} − {label(b)}" for a, b in zip(orders["name"], orders["below"], strict=True)],
        )
        for axes in (left, right):
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
            axes.set_xlabel("nats")
        right.set_ylim(len(orders) - 0.5, -0.7)
        right.set_title("Is the first rate above the second?", fontsize=9.5)
        figure.suptitle(title(shown), fontsize=12, fontweight="bold", x=0.01, ha="left")
    return figure


def write(shown: pd.DataFrame, directory: Path) -> None:
    """Write ``rates.png`` and ``rates.csv``."""
    _, drawn, _ = save(draw(shown), directory / "rates", shown)
    drawn.unlink()  # the README shows the PNG alone
