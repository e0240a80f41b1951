"""How every estimator does on encoders whose mutual information is known: ``python -m analysis.ground_truth``.

Draws the encoders of `analysis.ground_truth.encoders`, those with labels of `analysis.ground_truth.classes` among them,
over several seeds and prints, for every estimator, its bias, its spread, and how often its intervals hold.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import tyro

from analysis.bounds.estimators import INFORMATION, SHARED, check_estimators, described, unasked
from analysis.ground_truth.encoders import (
    TASKS,
    Task,
    gaussian_pair,
    heteroscedastic,
    heteroscedastic_information,
    linear_gaussian,
    mixture,
    mixture_information,
)
from analysis.ground_truth.figures import draw_ground_truth, draw_with_labels
from analysis.ground_truth.section import SECTIONS
from analysis.ground_truth.sentences import head_of, text_of
from figures import save
from findings import Result, publish
from findings.row import row
from store import MOST_SEEDS, BadInput, positive, write_atomically
from store.bad_input import perhaps
from store.command_line import Options
from training import use_threads
from training.job import Job, document_step
from training.live import asked_from_python
from training.progress import stage

__all__ = [
    "TASKS",
    "Config",
    "Task",
    "gaussian_pair",
    "heteroscedastic",
    "heteroscedastic_information",
    "linear_gaussian",
    "mixture",
    "mixture_information",
    "run",
    "text_of",
]

MOST = 1_000_000
"""Images per encoder: pairs of them are taken."""


PROGRAM = "python -m analysis.ground_truth"


@dataclass(frozen=True)
class Config:
    """Check every estimator against encoders whose mutual information is known.

    A table and figures of bias, spread and coverage, the sentences that they allow, and result.json come out, in
    OUT/ground-truth. Nothing is trained.
    """

    tasks: tuple[str, ...] = tuple(TASKS)
    """which encoders"""
    n: int = 2000
    """images per encoder"""
    seeds: int = 20
    """replicates: seeds 1 to SEEDS, other images and codes each"""
    bounds: Annotated[tuple[str, ...], tyro.conf.arg(help=described("which estimators of I(Z;X)"))] = unasked()
    execution: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        positive("--seeds", self.seeds, MOST_SEEDS)
        if self.seeds < 2:
            raise BadInput("--seeds", self.seeds, "at least 2: a spread over replicates is reported")
        if not 4 <= self.n <= MOST:
            raise BadInput("--n", self.n, f"an integer from 4 to {MOST:,}")
        for task in self.tasks:
            if task not in TASKS:
                raise BadInput("--tasks", repr(task), f"some of {', '.join(TASKS)}{perhaps(task, TASKS)}")
        check_estimators(self.bounds, "--bounds")
        if not self.tasks:
            raise BadInput("--tasks", "nothing", f"some of {', '.join(TASKS)}")


def _one(task: Task, n: int, seed: int, bounds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every estimator on one replicate; one that fails is a row that says so."""
    truths, known = task.truths(), task.estimators(bounds)

    def complete(row: dict[str, Any], error: str | None = None) -> dict[str, Any]:
        truth, truth_error = truths[row["quantity"]]
        return row | {"task": task.name, "truth": truth, "truth_error": truth_error, "error": error}

    rows: list[dict[str, Any]] = []
    try:
        estimates = task.bounds(n, seed, tuple(estimator for _, estimator in known))
        rows = [complete(bound.row(seed=seed)) for bound in estimates]
    except Exception:  # one of them failed: find out which, and keep the others
        for quantity, estimator in known:
            try:
                (bound,) = task.bounds(n, seed, (estimator,))
                rows.append(complete(bound.row(seed=seed)))
            except Exception as failure:
                failed = row(quantity, estimator, None, units="nats", inputs="clean", seed=seed, heavy_tailed=None)
                rows.append(complete(failed, f"{type(failure).__name__}: {failure}"))
    return rows


def summarise(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per task, quantity and estimator.

    Columns: ``truth``; ``mean``, ``bias`` and ``spread`` (standard deviation) over seeds; ``reported`` (mean standard
    error); ``holds``, the share of replicates in which the 97.5% confidence limit lies on the side that the direction
    promises; ``covers``, the share in which ± 1.96 standard errors hold the truth, meaningful for a tight bound only;
    ``saturated``, ``heavy_tailed`` and ``failed``, shares of replicates; ``holds_unflagged``, ``holds`` among the
    replicates that are not flagged as heavy-tailed.
    """
    frame = pd.DataFrame(rows)
    for column in ("value", "standard_error", "truth"):
        frame[column] = pd.to_numeric(frame[column])
    margin = 1.96 * (frame["standard_error"] ** 2 + frame["truth_error"] ** 2) ** 0.5 + 1e-9
    excess = frame["value"] - frame["truth"]
    failed = frame["error"].notna()
    promised = (excess.where(frame["direction"] == "lower", -excess) <= margin).astype(float)
    frame["holds"] = promised.where(~failed & (frame["direction"] != "estimate"))  # an estimate promises no side
    frame["covers"] = (excess.abs() <= margin).astype(float).where(~failed)
    frame["failed"] = failed
    for flag in ("saturated", "heavy_tailed"):
        frame[flag] = frame[flag].eq(True)
    frame["holds_unflagged"] = frame["holds"].where(~frame["heavy_tailed"])
    grouped = frame.groupby(["task", "estimator", "quantity"], sort=False)
    table = grouped.agg(
        direction=("direction", "first"),
        cap=("cap", "first"),
        truth=("truth", "first"),
        mean=("value", "mean"),
        spread=("value", "std"),
        reported=("standard_error", "mean"),
        holds=("holds", "mean"),
        covers=("covers", "mean"),
        saturated=("saturated", "mean"),
        heavy_tailed=("heavy_tailed", "mean"),
        holds_unflagged=("holds_unflagged", "mean"),
        failed=("failed", "mean"),
    ).reset_index()
    table.insert(6, "bias", table["mean"] - table["truth"])
    return table


@asked_from_python(Config)
def run(config: Config) -> Result:
    """Check the estimators and write table, figure and document."""
    use_threads(config.execution.threads)
    if config.execution.dry_run:
        print(f"would draw {config.seeds} replicates of {len(config.tasks)} encoders with {config.n:,} images each")
        return Result([])
    names = check_estimators(config.bounds, "--bounds")
    rows: list[dict[str, Any]] = []
    work = [(TASKS[name], seed) for name in config.tasks for seed in range(1, config.seeds + 1)]
    with stage("replicates", len(work), config.execution.quiet) as settle:
        for task, seed in work:
            rows += _one(task, config.n, seed, names)
            settle(True)
    table = summarise(rows)
    directory = config.execution.out / "ground-truth"
    without = table["quantity"].isin((INFORMATION, SHARED))
    files: list[Path] = []
    for name, draw, drawn in (
        ("ground-truth", draw_ground_truth, table[without]),
        ("with-labels", draw_with_labels, table[~without]),
    ):
        if len(drawn):
            files += save(draw(drawn, config.n, config.seeds), directory / name, drawn)
    with write_atomically(directory / "replicates.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    files.append(directory / "replicates.csv")
    means = _means(rows, table, config.seeds)
    text, conclusions = text_of({"config": {"seeds": config.seeds, "n": config.n}, "results": means})
    about: dict[str, Any] = {
        "title": f"Ground truths: {head_of(config.seeds, config.n)}",
        "data": "encoders of known information",
        "settings": {},
        "conclusions": conclusions,
        "watermark": None,
    }
    result = publish(Result(means, table, text, files), PROGRAM, config, directory, about, [])
    return replace(result, rows=rows)


def _means(rows: list[dict[str, Any]], table: pd.DataFrame, seeds: int) -> list[dict[str, Any]]:
    """One row per task, quantity and estimator: the mean over replicates, its error, and what else the table says."""
    first = {(row["task"], row["quantity"], row["estimator"]): row for row in reversed(rows)}
    means = []
    for line in table.astype(object).where(table.notna(), None).to_dict("records"):
        replicate = first[line["task"], line["quantity"], line["estimator"]]
        error = None if line["spread"] is None else line["spread"] / math.sqrt(seeds * (1 - line["failed"]))
        columns = ("truth", "bias", "spread", "reported", "holds", "covers", "holds_unflagged", "failed")
        more = {key: line[key] for key in columns} | {"heavy_tailed_share": line["heavy_tailed"]}
        flags = {flag: bool(line[flag] > 0.5) for flag in ("saturated", "heavy_tailed")}
        numbers = {"value": line["mean"], "standard_error": error, "seed": None} | flags
        means.append({key: replicate[key] for key in replicate if key not in ("error", "truth_error")} | numbers | more)
    return means


JOB = Job(PROGRAM, lambda config, _: document_step(config), SECTIONS)
