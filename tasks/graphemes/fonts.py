"""Debian's Bengali fonts, and which graphemes each of them shapes.

Pillow shapes by raqm and HarfBuzz, which say nothing of glyphs; so what a font lacks is seen from what it draws:

- a character that it lacks is drawn, without shaping, as one that no font has;
- consonants that it cannot join are drawn as they are with a zero width non-joiner between them, which keeps them
  apart;
- a letter where a sign should be is seen from the width: a vowel sign makes a grapheme with a consonant form wider by
  about as much as one without, and not by `ODD` ems more (fonts with tables of the older kind draw ক্র্যু as ক and র);
- of two graphemes that look the same to the pixel, none can be told.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from store import BadInput
from tasks.graphemes.distortion import EM
from tasks.graphemes.script import FORMS, HASANTA, VOWELS, Form, characters, written

__all__ = ["DEBIAN", "HELD_OUT", "Signs", "debian", "lacking", "of_folder", "shaped"]

ROOT = Path("/usr/share/fonts/truetype")
"""Where Debian's packages put fonts."""

DEBIAN = {
    "Ani": ("fonts-beng-extra", "fonts-beng-extra/Ani.ttf"),
    "Jamrul": ("fonts-beng-extra", "fonts-beng-extra/JamrulNormal.ttf"),
    "Likhan": ("fonts-beng-extra", "fonts-beng-extra/LikhanNormal.ttf"),
    "Mukti": ("fonts-beng-extra", "fonts-beng-extra/Mukti.ttf"),
    "Mukti Bold": ("fonts-beng-extra", "fonts-beng-extra/Muktibold.ttf"),
    "Lohit Bengali": ("fonts-lohit-beng-bengali", "lohit-bengali/Lohit-Bengali.ttf"),
}
"""Fonts by name, each with its package and its file. Mitra Mono, the sixth in ``fonts-beng-extra``, is not among them:
it puts signs beside letters instead of above or below."""

HELD_OUT = "Lohit Bengali"
"""The font that networks are scored on, the only one of its package."""

NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"

NO_CHARACTER = "\U0010fffe"
"""What is no character, and will never be one."""

ODD = 0.36
"""Ems. Over the 24 consonants and Debian's six fonts, graphemes that are shaped as they should be reach 0.31, and those
that are not have 0.43 at least (looked at)."""


class Signs(NamedTuple):
    """What a font draws.

    Args:
        font: its name.
        drawn: (H, W) uint8, ink bright on 0, by the indices of root, vowel and consonant form; those alone that it
            shapes.
        refused: how many it does not shape.
    """

    font: str
    drawn: dict[tuple[int, int, int], np.ndarray]
    refused: int


def debian() -> dict[str, Path]:
    """Files of Debian's fonts by name.

    Raises:
        BadInput: one is not there; it says which package has it.
    """
    for name, (package, file) in DEBIAN.items():
        if not (ROOT / file).is_file():
            raise BadInput(
                "--data",
                f"the font {name}, which is not under {ROOT}",
                f"what `apt-get install {package}` gets, or NAME:FOLDER with fonts of your own",
            )
    return {name: ROOT / file for name, (_, file) in DEBIAN.items()}


def of_folder(path: Path) -> dict[str, Path]:
    """The fonts in a folder, .ttf and .otf, by their files' names.

    Raises:
        BadInput: fewer than two.
    """
    files = sorted(file for file in path.glob("*") if file.suffix.lower() in (".ttf", ".otf"))
    if len(files) < 2:
        raise BadInput("--data", f"{path} with {len(files)} fonts", "a folder with two fonts at least, .ttf or .otf")
    return {file.stem: file for file in files}


def lacking(file: Path, of_roots: Sequence[str]) -> list[str]:
    """Characters of the graphemes of these roots that a font does not have, as ``U+09CE``.

    Raises:
        BadInput: no font, or a Pillow that cannot shape.
    """
    font = _font(file, "BASIC")
    nothing = _mask(font, NO_CHARACTER)
    return [f"U+{ord(one):04X}" for one in characters(tuple(of_roots)) if _mask(font, one) == nothing]


def shaped(name: str, file: Path, of_roots: Sequence[str], forms: Sequence[Form] = FORMS) -> Signs:
    """What a font draws of all graphemes of these roots and consonant forms.

    Args:
        name: of the font.
        file: of it; it has all their characters (`lacking`).
        of_roots: written out.
        forms: of consonants.

    Raises:
        BadInput: no font, or a Pillow that cannot shape.
    """
    font = _font(file, "RAQM")
    drawn: dict[tuple[int, int, int], np.ndarray] = {}
    for i, root in enumerate(of_roots):
        alone = [font.getlength(written(root, vowel, FORMS[0])) for vowel in VOWELS]
        for k, form in enumerate(forms):
            if not _joins(font, written(root, "", form)):
                continue
            widths = [font.getlength(written(root, vowel, form)) for vowel in VOWELS]
            for j, vowel in enumerate(VOWELS):
                wider = (widths[j] - widths[0]) - (alone[j] - alone[0])
                if abs(wider) <= ODD * EM:
                    drawn[i, j, k] = _array(font, written(root, vowel, form))
    looks = {which: (sign.shape, sign.tobytes()) for which, sign in drawn.items()}
    alike = Counter(looks.values())
    kept = {which: sign for which, sign in drawn.items() if alike[looks[which]] == 1}
    return Signs(name, kept, len(of_roots) * len(VOWELS) * len(forms) - len(kept))


def _joins(font: Any, text: str) -> bool:
    """Whether a font joins all consonants of a text that are to be joined."""
    joined = _mask(font, text)
    places = [place + 1 for place, character in enumerate(text) if character == HASANTA]
    return all(joined != _mask(font, text[:place] + NON_JOINER + text[place:]) for place in places)


@functools.lru_cache(maxsize=32)
def _font(file: Path, layout: str) -> Any:
    """A font at `EM` pixels, that shapes (``RAQM``) or draws character by character (``BASIC``)."""
    from PIL import ImageFont, features

    if not features.check("raqm"):
        raise BadInput("--data", "a Pillow without raqm, which shapes graphemes", "what `pip install pillow` gets")
    try:
        return ImageFont.truetype(str(file), EM, layout_engine=ImageFont.Layout[layout])
    except OSError as problem:
        raise BadInput("--data", f"{file}, which cannot be read ({problem})", "a font, .ttf or .otf") from None


def _mask(font: Any, text: str) -> tuple[tuple[int, int], bytes]:
    """The size of a text, and its pixels."""
    mask = font.getmask(text)
    return mask.size, bytes(mask)


def _array(font: Any, text: str) -> np.ndarray:
    """A text's pixels, (H, W) uint8."""
    (width, height), pixels = _mask(font, text)
    return np.frombuffer(pixels, np.uint8).reshape(height, width)
