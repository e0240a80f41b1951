"""Tables 4 and 7 on data that can be made: grids for `experiments.run`.

    python -m experiments.run results/modalities.py:first --sound commands-espeak:FILE --shapes cad-parts:FILE \
        --store DIRECTORY --out DIRECTORY

The sound is what ``python -m tasks.sound.speak`` has written (espeak-ng and flite), the shapes are CAD parts of
Debian's package kicad-packages3d (``python -m tasks.shapes.pack``), the graphemes are rendered from Debian's fonts.
They stand in for the paper's data, and networks are small: directions may be compared, cells may not. One λ and mask a
batch, as the reference code draws them, but for graphemes, whose batches are few.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from analysis import accuracy, mutual_info
from classifiers.presets import MASKS, ONE_A_BATCH, SOUND_ALPHAS
from classifiers.train import Settings
from experiments.paper import Scale
from store import BadInput
from tasks import DataOptions

SEEDS = 3


def _compared(
    scale: Scale,
    folder: str,
    data: str,
    settings: Settings,
    augmentations: tuple[str, ...] = MASKS,
    apart: bool = False,
) -> Iterator[Any]:
    """One comparison, whose documents lie in a folder."""
    yield accuracy.Config(
        augmentations,
        SEEDS,
        apart=apart,
        data=DataOptions(data),
        settings=settings,
        execution=replace(scale.execution, out=scale.execution.out / folder),
    )


def _named(scale: Scale, option: str, needed: str) -> str:
    """The data set that an option names."""
    data = getattr(scale, option.removeprefix("--"))
    if data is None:
        raise BadInput(option, "nothing", needed)
    return str(data)


def graphemes(scale: Scale) -> Iterator[Any]:
    """Printed graphemes with a held-out font: one network for root, vowel and consonant."""
    settings = Settings(width=8, epochs=10, crop=0, schedule="cosine")
    yield from _compared(scale, "one-network", "bengali-printed", settings)


def graphemes_apart(scale: Scale) -> Iterator[Any]:
    """The same with a network for each, as in the paper."""
    settings = Settings(width=8, epochs=10, crop=0, schedule="cosine")
    yield from _compared(scale, "one-network-each", "bengali-printed", settings, apart=True)


def factors(scale: Scale) -> Iterator[Any]:
    """What VAEs' codes keep of root, vowel, consonant and font, all combinations of which are equally frequent."""
    yield mutual_info.Config(
        MASKS,
        SEEDS,
        noise=(0.5, 1.0, 2.0, 4.0),
        data=DataOptions("bengali-printed-factors"),
        execution=replace(scale.execution, out=scale.execution.out / "factors"),
    )


def sound(scale: Scale) -> Iterator[Any]:
    """Spoken commands, α = 1 and 0.2, with held-out voices."""
    for alpha in SOUND_ALPHAS:
        settings = Settings(width=8, epochs=20, alpha=alpha, **ONE_A_BATCH)
        yield from _compared(scale, f"alpha-{alpha}", _named(scale, "--sound", "commands-espeak:FILE"), settings)


def shapes(scale: Scale) -> Iterator[Any]:
    """CAD parts with families held out."""
    data = _named(scale, "--shapes", "cad-parts:FILE")
    yield from _compared(scale, "voxel-cnn", data, Settings(width=8, epochs=30, **ONE_A_BATCH))


def first(scale: Scale) -> Iterator[Any]:
    """All of them, the shorter ones first."""
    for grid in (factors, graphemes, shapes, sound, graphemes_apart):
        yield from grid(scale)
