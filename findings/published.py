"""Published numbers and statements, and how ours stand to them.

They are read from ``findings/published.toml``, the one place where they are written; a job that prints ours puts them
beside, and the report shows all of them. What is not in that file is not quoted anywhere.
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import pandas as pd

from figures.style import label
from findings.comparisons import (
    LEVEL,
    LOOK_LEVEL,
    Comparison,
    Difference,
    Equivalence,
    Summary,
    compare_augmentations,
    equivalence,
)
from findings.components import Components
from findings.sentences import p_value, seeds_needed, the
from findings.table import plus_minus

__all__ = [
    "Claim",
    "Measure",
    "Published",
    "beside",
    "claims",
    "claims_sentence",
    "compared",
    "in_manner",
    "margin_of",
    "measures",
    "published",
]

Verdict = Literal["agrees", "differs", "not distinguishable", "not comparable", "not run"]


@dataclass(frozen=True)
class Measure:
    """What is measured.

    Args:
        name: in words.
        units: of differences.
        digits: after the point.
        claim: how it is said that one augmentation is above another, with ``{above}`` and ``{below}``.
        margin: a difference of two augmentations within it counts as none; None where no margin is stated.
        relative: whether the margin is a share of the mean over augmentations.
        items: what networks are scored on where it is judged.
    """

    name: str
    units: str
    digits: int
    claim: str = "{above} is above {below}"
    margin: float | None = None
    relative: bool = False
    items: str = "images"


OTHERWISE = {
    "data": "{} instead of {}",
    "train_images": "{:,} instead of {:,} training images",
    "epochs": "{} instead of {} epochs",
    "decoder_scale": "decoder scale {:g} instead of {:g}",
    "preset": "the {} instead of the {} settings",
    "normalisation": "units of the data's own mean and standard deviation instead of the reference code's",
    "network": "{} instead of {}",
    "width": "width {} instead of {}",
    "policy": "policy {} instead of {}",
}
"""How it is said that a setting is ours instead of the published one."""


@dataclass(frozen=True)
class Published:
    """A published number.

    Args:
        where: in the source.
        measure: of `measures`.
        augmentation: whose it is.
        mean: over trials.
        margin: the largest difference that counts as agreement, fixed before anything was compared.
        source: its title.
        link: its address.
        setting: with which it was measured; on anything else ours are not comparable.
        command: that repeats it.
        std: over trials; None where the source gives none.
        n: how many trials.
        note: what the number is, where its published name says something else.
    """

    where: str
    measure: str
    augmentation: str
    mean: float
    margin: float
    source: str
    link: str
    setting: Mapping[str, Any]
    command: str
    std: float | None = None
    n: int | None = None
    note: str = ""

    def stands_beside(self, augmentation: str) -> bool:
        """Published FMix was very likely measured with the reference code's masks, and stands beside both spectra."""
        return augmentation == self.augmentation or (self.augmentation, augmentation) == ("fmix", "fmix-reference")

    def otherwise(self, settings: Mapping[str, Any]) -> list[str]:
        """In what our settings differ from the published ones, in words."""
        return [
            OTHERWISE[key].format(settings.get(key), value)
            for key, value in self.setting.items()
            if settings.get(key) != value
        ]

    def equivalence(self, ours: Summary, looks: bool = False) -> Equivalence | None:
        """Two one-sided tests within the margin; None without spread on both sides.

        Args:
            ours: what was measured here.
            looks: whether its seeds were added until all was decided.
        """
        if self.std is None or self.n is None:
            return None
        return equivalence(ours, (self.mean, self.std, self.n), self.margin, LOOK_LEVEL if looks else LEVEL)

    def verdict(self, ours: Summary | None, settings: Mapping[str, Any], looks: bool = False) -> Verdict:
        """How ours stands to it; ``settings`` are those ours was measured with."""
        if ours is None:
            return "not run"
        if self.otherwise(settings):
            return "not comparable"
        test = self.equivalence(ours, looks)
        return "not distinguishable" if test is None else test.verdict

    def __str__(self) -> str:
        return plus_minus(self.mean, self.std, _decimals(self.mean, self.std))


def _decimals(*values: float | None) -> int:
    """As many as the source has."""
    texts = [str(value) for value in values if value is not None]
    return max(len(text.partition(".")[2]) if not text.endswith(".0") else 0 for text in texts)


@dataclass(frozen=True)
class Claim:
    """An ordering that the paper states: in ``measure``, ``above`` is larger than ``below``; or is not, if denied."""

    where: str
    measure: str
    above: str
    below: str
    source: str
    denied: bool = False

    def verdict(self, pair: Difference | None) -> str | None:
        """Whether it holds here; None where the two have not been compared.

        What `Difference.withheld` says where nothing may be claimed of the two. A denied ordering that is not found is
        only not contradicted, unless the two are shown to be equal within the margin: then it holds.

        Args:
            pair: the two, as part of the family that is shown.
        """
        if pair is None:
            return None
        if pair.withheld:
            return pair.withheld
        if not pair.claimed and pair.equal:
            return "holds" if self.denied else "are equal"
        if not pair.claimed:
            return "is not contradicted" if self.denied else "cannot be told"
        if self.denied:
            return "is contradicted" if pair.higher == self.above else "holds"
        return "holds" if pair.higher == self.above else "is reversed"

    def __str__(self) -> str:
        return measures()[self.measure].claim.format(above=the(self.above), below=the(self.below))


@functools.cache
def _file() -> dict[str, Any]:
    return tomllib.loads(resources.files("findings").joinpath("published.toml").read_text(encoding="utf-8"))


@functools.cache
def measures() -> dict[str, Measure]:
    """All of them by name."""
    return {name: Measure(**entry) for name, entry in _file()["measure"].items()}


def margin_of(measure: str | None, table: pd.DataFrame) -> float | None:
    """Within which two augmentations count as equal in a measure; None where no margin is stated for it.

    Args:
        measure: of `measures`, or another name.
        table: one row per augmentation, with ``mean``.
    """
    stated = measures().get(measure or "")
    if stated is None or stated.margin is None:
        return None
    return stated.margin * abs(float(table["mean"].mean())) if stated.relative else stated.margin


def in_manner(
    table: pd.DataFrame, config: Mapping[str, Any], measure: str | None = None, items: str = "images"
) -> pd.DataFrame:
    """A table of `compare_augmentations` with ``looks`` and ``margin``, as an analysis's configuration has them.

    Args:
        table: one row per augmentation.
        config: a document's: ``until`` and ``margin``, as far as it has them.
        measure: whose margin it is where the configuration states none.
        items: what networks are scored on.
    """
    margin = margin_of(measure, table) if config.get("margin") is None else config["margin"]
    return table.assign(looks=config.get("until") is not None, margin=margin, items=items)


def compared(
    measure: str,
    table: pd.DataFrame,
    components: Components | None,
    config: Mapping[str, Any],
    items: str = "images",
) -> Comparison | None:
    """`compare_augmentations` of a table `in_manner`."""
    return compare_augmentations(in_manner(table, config, measure, items), components)


@functools.cache
def published(measure: str | None = None) -> tuple[Published, ...]:
    """The published values of a measure, or all of them."""
    file, values = _file(), []
    for entry in file["value"]:
        if measure in (None, entry["measure"]):
            source, setting = file["source"][entry["source"]], file["setting"][entry["setting"]]
            more = {"source": source["title"], "link": source["link"], "setting": setting}
            values.append(Published(**entry | more))
    return tuple(values)


@functools.cache
def claims(measure: str | None = None) -> tuple[Claim, ...]:
    """What the paper says of a measure, or all of it."""
    return tuple(Claim(**entry) for entry in _file()["claim"] if measure in (None, entry["measure"]))


def beside(ours: Mapping[tuple[str, str], Summary], settings: Mapping[str, Any], looks: bool = False) -> str:
    """How our numbers stand to published ones, as a paragraph; empty where none is published.

    Args:
        ours: by measure and augmentation.
        settings: with which they were measured: ``data``, ``train_images``, ``epochs`` and what else a published
            value's setting names.
        looks: whether seeds were added until all was decided.
    """
    sentences, differences = [], []
    for (measure, augmentation), (mean, std, n) in ours.items():
        measured = measures()[measure]
        for value in published(measure):
            if not value.stands_beside(augmentation) or not _same_kind(value, settings):
                continue
            test = value.equivalence((mean, std, n), looks)
            trials = f" ({value.n} trials)" if value.n else ""
            here = plus_minus(mean, None if test is None else std, measured.digits)
            sentence = f"{label(augmentation)}'s {measured.name}: published {value}{trials}, here {here}"
            if test is not None:
                digits = measured.digits
                difference, low, high = (f"{value:+.{digits}f}" for value in (test.difference, test.low, test.high))
                sentence += f" ({n} seeds); difference {difference} ({low} to {high}), margin {value.margin:g} "
                sentence += f"{measured.units}: {value.verdict((mean, std, n), settings, looks)}"
            differences += [word for word in value.otherwise(settings) if word not in differences]
            sentences.append(sentence + ".")
    if sentences and differences:
        sentences.append(f"Not comparable because of {', '.join(differences)}.")
    return "Beside the paper. " + " ".join(sentences) if sentences else ""


def _same_kind(value: Published, settings: Mapping[str, Any]) -> bool:
    """An accuracy of another network or of ImageNet is another number, not the same one at another scale."""
    return value.setting.get("network") == settings.get("network") and value.setting["data"] != "ImageNet"


def _verdict_in_words(verdict: str, pair: Difference, replicates: str) -> str:
    """A verdict with its p-value, and what would decide where nothing does."""
    if pair.withheld:
        return f"no verdict, {verdict} ({p_value(pair.p)})"
    if pair.equal and not pair.claimed:
        equal = f"equal within ±{pair.margin:.2g} here ({p_value(pair.p_equal)})"
        return equal if verdict == "are equal" else f"{verdict}, {equal}"
    needs = f"; {seeds_needed(pair)} would" if verdict == "cannot be told" and replicates == "seeds" else ""
    return f"{verdict} here ({p_value(pair.p)}{needs})"


def claims_sentence(measure: str, comparison: Comparison, replicates: str = "seeds") -> str:
    """What becomes of the paper's statements about a measure, as an item of a list; empty where nothing is compared.

    Args:
        measure: of `measures`.
        comparison: of all pairs.
        replicates: what seeds are called: only of these can there be more.
    """
    sentences = []
    for claim in claims(measure):
        pair = comparison.between(claim.above, claim.below)
        verdict = claim.verdict(pair)
        if verdict and pair:
            sentences.append(f"{claim}: {_verdict_in_words(verdict, pair, replicates)}")
    return f"- Of the paper's statements, {'; '.join(sentences)}." if sentences else ""
