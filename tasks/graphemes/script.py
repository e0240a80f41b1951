"""How Bengali graphemes are written: a root, a vowel sign, and consonants that are signs of their own, in Unicode.

Vowels and consonant forms are the eleven and the seven of Bengali.AI's, in the order of its labels. Its roots are 168
in a table that is its own; ours are as many consonants and conjuncts that printers' fonts have, in an order of ours.
"""

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["FORMS", "HASANTA", "LEAST_ROOTS", "MOST_ROOTS", "VOWELS", "Form", "characters", "roots", "written"]

HASANTA = "\N{BENGALI SIGN VIRAMA}"
"""Between two consonants, it makes one sign of them."""

VOWELS = ("", "া", "ি", "ী", "ু", "ূ", "ৃ", "ে", "ৈ", "ো", "ৌ")
"""Vowel signs; the first is none, which is read as the vowel that every root has."""


class Form(NamedTuple):
    """What a consonant form adds to a root.

    Args:
        before: it.
        after: it.
        last: after the vowel sign.
    """

    before: str = ""
    after: str = ""
    last: str = ""


REPH, YA, RA = f"র{HASANTA}", f"{HASANTA}য", f"{HASANTA}র"

FORMS = (
    Form(),
    Form(last="\N{BENGALI SIGN CANDRABINDU}"),
    Form(before=REPH),
    Form(before=REPH, after=YA),
    Form(after=YA),
    Form(after=RA),
    Form(after=RA + YA),
)
"""Consonant forms: none, candrabindu, reph, reph with ya-phala, ya-phala, ra-phala, and ra-phala with ya-phala."""

CONSONANTS = "কখগঘচছজঝডণতথদধনপফবভমলশসহ"
"""Roots of one consonant. There is no র, of which three forms are written as those of others are, nor ট and ঠ, which
Lohit Bengali writes as থ where they have ra-phala and a u; ঙ, ঞ, ঢ, য and ষ are rare or hard to tell from others."""

CONJUNCTS = (
    "ক্ক ক্ট ক্ত ক্ব ক্ম ক্ল ক্ষ ক্স গ্ধ গ্ন গ্ব গ্ম গ্ল ঘ্ন ঙ্ক ঙ্খ ঙ্গ ঙ্ম চ্চ চ্ছ চ্ঞ জ্জ জ্ঝ জ্ঞ জ্ব "
    "ঞ্চ ঞ্ছ ঞ্জ ঞ্ঝ ট্ট ট্ব ড্ড ণ্ট ণ্ঠ ণ্ড ণ্ব ণ্ম ত্ত ত্থ ত্ন ত্ব ত্ম দ্দ দ্ধ দ্ব দ্ভ দ্ম ধ্ন ধ্ব ন্ট "
    "ন্ঠ ন্ড ন্ত ন্থ ন্দ ন্ধ ন্ন ন্ব ন্ম ন্স প্ট প্ত প্ন প্প প্ল প্স ফ্ল ব্জ ব্দ ব্ধ ব্ব ব্ল ম্ন ম্প ম্ফ "
    "ম্ব ম্ভ ম্ম ম্ল ল্ক ল্গ ল্ড ল্প ল্ব ল্ম ল্ল শ্চ শ্ছ শ্ন শ্ব শ্ম শ্ল ষ্ক ষ্ট ষ্ঠ ষ্প ষ্ফ ষ্ম স্ক স্খ "
    "স্ট স্ত স্থ স্ন স্প স্ফ স্ব স্ম স্ল হ্ন হ্ব হ্ম হ্ল ক্ষ্ম জ্জ্ব ত্ত্ব দ্দ্ব দ্ধ্ব ন্ত্ব ন্দ্ব গ্গ"
)
"""Roots of several consonants, of which none ends in a sign that is a consonant form."""

LEAST_ROOTS, MOST_ROOTS = 2, len(CONSONANTS) + len(CONJUNCTS.split())
"""How many roots a set of graphemes may have."""


def roots(count: int = MOST_ROOTS) -> tuple[str, ...]:
    """The first roots of ours, consonants before conjuncts.

    Example:
        >>> " ".join(roots(5)), len(roots())
        ('ক খ গ ঘ চ', 145)
    """
    return (*CONSONANTS, *CONJUNCTS.split())[:count]


def written(root: str, vowel: str, form: Form) -> str:
    """A grapheme in Unicode.

    Example:
        >>> written("ক", "ো", FORMS[6])
        'ক্র্যো'
    """
    return form.before + root + form.after + vowel + form.last


def characters(of_roots: tuple[str, ...]) -> Iterator[str]:
    """Every character that a font needs to write graphemes of these roots, once, in the order of Unicode.

    The signs of o and au are written as two: that of e, and what stands behind the root.
    """
    behind = "\N{BENGALI AU LENGTH MARK}"
    yield from sorted(set("".join(of_roots)) | set("".join(VOWELS)) | set("".join(map("".join, FORMS))) | {behind})
