"""Printed graphemes: ``bengali-printed`` and its like, rendered from Debian's Bengali fonts.

A stand-in for handwriting (`tasks.graphemes.bengali`) with a font as the writer, whose components are known and
independent: every combination of root, vowel and consonant form is there once for every font, as far as fonts shape it.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from store import BadInput
from tasks.components import rows_of
from tasks.graphemes.distortion import distorted
from tasks.graphemes.fonts import HELD_OUT, Signs, debian, lacking, of_folder, shaped
from tasks.graphemes.script import FORMS, LEAST_ROOTS, MOST_ROOTS, VOWELS, Form, roots, written
from tasks.task import Component, Image, InMemory, Task

__all__ = ["FACTORS", "printed", "printed_factors"]

ROOTS = 24
"""Roots of the small sets: consonants alone."""

FACTORS = FORMS[:-1]
"""Consonant forms of the set whose components are independent: all but ra-phala with ya-phala, which three of Debian's
fonts do not shape below the signs of u and of vocalic r."""


def printed(path: Path | None = None, *, of_roots: int = ROOTS, size: int = 32) -> Task:
    """Printed graphemes with three components, scored on a font that is in no training image.

    What a font cannot shape is left out, and counted on standard error.

    Args:
        path: of a folder with fonts of one's own; None for Debian's.
        of_roots: how many roots there are, consonants before conjuncts.
        size: height and width of the images.

    Raises:
        BadInput: a font is missing, or all but one cannot shape graphemes.
    """
    written_roots = _roots(of_roots)
    signs = _kept(path, written_roots, FORMS, whole=False)
    names = [one.font for one in signs]
    held_out = HELD_OUT if HELD_OUT in names else names[-1]
    sides = [[one for one in signs if (one.font == held_out) == out] for out in (False, True)]
    train, test = (_rendered(side, written_roots, FORMS, size, "printed") for side in sides)
    components = (Component("root", of_roots), Component("vowel", len(VOWELS)), Component("consonant", len(FORMS)))
    return _task("printed Bengali graphemes", of_roots, (train, test), components)


def printed_factors(path: Path | None = None, *, of_roots: int = ROOTS, size: int = 32) -> Task:
    """Printed graphemes with four components, the font being one, of which every combination is there equally often.

    Training and test images are other renderings of the same combinations: one of each in either part. So the
    components are independent, uniform, and known of every image. Their consonant forms are `FACTORS`.

    Args:
        path: of a folder with fonts of one's own; None for Debian's.
        of_roots: how many roots there are, consonants before conjuncts.
        size: height and width of the images.

    Raises:
        BadInput: a font is missing, or all but one cannot shape every grapheme.
    """
    written_roots = _roots(of_roots)
    signs = _kept(path, written_roots, FACTORS, whole=True)
    splits = [_rendered(signs, written_roots, FACTORS, size, part) for part in ("train", "test")]
    sizes = {"root": of_roots, "vowel": len(VOWELS), "consonant": len(FACTORS), "font": len(signs)}
    components = tuple(Component(name, classes) for name, classes in sizes.items())
    return _task("printed Bengali graphemes and fonts", of_roots, splits, components)


def _roots(count: int) -> tuple[str, ...]:
    if not LEAST_ROOTS <= count <= MOST_ROOTS:
        raise BadInput("of_roots", count, f"an integer from {LEAST_ROOTS} to {MOST_ROOTS}")
    return roots(count)


def _kept(path: Path | None, of_roots: Sequence[str], forms: Sequence[Form], whole: bool) -> list[Signs]:
    """What each font draws; fonts without a character, or that shape not everything where ``whole``, are left out."""
    files: Mapping[str, Path] = debian() if path is None else of_folder(path)
    kept = []
    for name, file in files.items():
        if lacks := lacking(file, of_roots):
            more = ", …" * (len(lacks) > 5)
            _say(f"the font {name} is left out: it has no {', '.join(lacks[:5])}{more} ({len(lacks)} characters)")
            continue
        signs = shaped(name, file, of_roots, forms)
        count = f"{signs.refused:,} of {len(signs.drawn) + signs.refused:,} graphemes"
        if not signs.drawn or (whole and signs.refused):
            _say(f"the font {name} is left out: it does not shape {count}")
            continue
        if signs.refused:
            _say(f"{count} that the font {name} does not shape are left out")
        kept.append(signs)
    if len(kept) < 2:
        got = f"{len(files)} fonts of which {len(kept)} can shape these graphemes"
        raise BadInput("--data", got, "two at least, Debian's fonts-beng-extra and fonts-lohit-beng-bengali, say")
    return kept


def _say(line: str) -> None:
    print(f"printed graphemes: {line}", file=sys.stderr)


def _rendered(
    fonts: Sequence[Signs], of_roots: Sequence[str], forms: Sequence[Form], size: int, part: str
) -> tuple[Tensor, Tensor]:
    """Images (N, 1, S, S) of everything that fonts draw, and indices (N, 4) of root, vowel, consonant form and font."""
    images, indices = [], []
    for number, signs in enumerate(fonts):
        names = [f"{part} {signs.font} {written(of_roots[i], VOWELS[j], forms[k])}" for i, j, k in signs.drawn]
        images.append(distorted(list(signs.drawn.values()), names, size))
        indices.append(torch.tensor([(*which, number) for which in signs.drawn]))
    return torch.cat(images), torch.cat(indices)


def _task(name: str, of_roots: int, sides: Sequence[tuple[Tensor, Tensor]], components: tuple[Component, ...]) -> Task:
    splits = [InMemory(images, rows_of(indices[:, : len(components)], components)) for images, indices in sides]
    size = splits[0].inputs.shape[-1]
    return Task(
        f"{name} ({of_roots} roots)" if of_roots != ROOTS else name,
        splits[0],
        {"test": splits[1]},
        Image(1, size, size, mirrored=False),
        sum(component.classes for component in components),
        components=components,
    )
