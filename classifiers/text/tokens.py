"""Tokens of texts: a tokenizer of Hugging Face's ``tokenizers``, and splits of token ids.

Words are what their ``BertPreTokenizer`` takes apart, runs of letters and digits and every sign of punctuation on its
own; the vocabulary are the most frequent words of the training texts, and all others are one, ``[UNK]``. A pretrained
transformer has a tokenizer of its own.
"""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from store import BadInput
from tasks.task import Ragged, Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "TOKENIZER",
    "UNKNOWN",
    "check_package",
    "read_tokenizer",
    "say_of",
    "tokens_of",
    "vocabulary_of",
    "word_tokenizer",
]

TOKENIZER = "tokenizer.json"
"""The file with a tokenizer in a run's directory."""

UNKNOWN = "[UNK]"
"""The word that stands for all that are not in the vocabulary."""

AT_ONCE = 1000
"""Texts that are tokenised together, on all cores."""

NEEDED = "the packages for texts: pip install 'mixinfo[text]'"


def word_tokenizer(texts: Sequence[str], size: int, cased: bool) -> "Tokenizer":
    """The tokenizer whose vocabulary are the most frequent words of some texts.

    Args:
        texts: of training.
        size: of the vocabulary, the unknown word among it.
        cased: whether upper and lower case are told apart.

    Raises:
        BadInput: the package ``tokenizers`` is missing.
    """
    made = _package()
    tokenizer = made.Tokenizer(made.models.WordLevel(unk_token=UNKNOWN))
    if not cased:
        tokenizer.normalizer = made.normalizers.Lowercase()
    tokenizer.pre_tokenizer = made.pre_tokenizers.BertPreTokenizer()
    trainer = made.trainers.WordLevelTrainer(vocab_size=size, special_tokens=[UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(map(_speakable, texts), trainer)
    return tokenizer


def read_tokenizer(path: Path, argument: str = "--tokenizer") -> "Tokenizer":
    """The tokenizer in a file, as ``tokenizers`` has written it.

    Raises:
        BadInput: no such file, another file, or the package is missing.
    """
    needed = f"a {TOKENIZER} of the package tokenizers"
    if not path.is_file():
        raise BadInput(argument, f"{path}, where there is no file", needed)
    made = _package()
    try:
        return made.Tokenizer.from_file(str(path))
    except Exception as problem:  # a bare Exception of Rust's
        raise BadInput(argument, f"{path} ({str(problem).splitlines()[0][:120]})", needed) from None


def vocabulary_of(tokenizer: "Tokenizer") -> list[str]:
    """The tokens by their ids; nothing for an id that has none."""
    by_id = {number: token for token, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    return [by_id.get(number, "") for number in range(max(by_id, default=-1) + 1)]


def tokens_of(tokenizer: "Tokenizer", split: Texts, longest: int) -> tuple[Ragged, int, int]:
    """Texts as token ids.

    Args:
        tokenizer: theirs.
        split: of texts.
        longest: how many tokens of a text are taken at most.

    Returns:
        The split; how many texts were longer; and how many had no token of their own. Where a tokenizer adds none to
        them, these are one unknown word.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=longest)
    ids: list[torch.Tensor] = []
    unknown = _unknown(tokenizer)
    cut = empty = 0
    for batch in _portions(split.inputs):
        for encoding in tokenizer.encode_batch(list(map(_speakable, batch))):
            cut += bool(encoding.overflowing)
            these = encoding.ids
            if not any(not special for special in encoding.special_tokens_mask):
                empty += 1
                these = these or [unknown]
            ids.append(torch.tensor(these, dtype=torch.int32))
    starts = torch.tensor([0, *map(len, ids)]).cumsum(0)
    return Ragged(torch.cat(ids), starts, split.targets), cut, empty


def say_of(name: str, cut: int, empty: int, count: int, longest: int) -> None:
    """Say on standard error how many texts of a split were cut, and how many are empty."""
    if cut:
        print(f"{cut:,} of {count:,} {name} texts are longer than {longest} tokens and cut there", file=sys.stderr)
    if empty:
        print(f"{empty:,} of {count:,} {name} texts have no words", file=sys.stderr)


def _unknown(tokenizer: "Tokenizer") -> int:
    """The id of the unknown word, or of the first token where there is none."""
    named = (tokenizer.token_to_id(token) for token in (UNKNOWN, "<unk>", "[PAD]", "<pad>"))
    return next((number for number in named if number is not None), 0)


def _portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), AT_ONCE):
        yield texts[start : start + AT_ONCE]


def _speakable(text: str) -> str:
    """The text without halves of surrogate pairs, which are no characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def check_package() -> None:
    """Refuse texts where the packages for them are not installed.

    Raises:
        BadInput: ``tokenizers`` is missing.
    """
    if importlib.util.find_spec("tokenizers") is None:
        raise BadInput("--data", "texts, without the package tokenizers", NEEDED)


def _package() -> Any:
    check_package()
    import tokenizers
    import tokenizers.models
    import tokenizers.normalizers
    import tokenizers.pre_tokenizers
    import tokenizers.trainers

    return tokenizers
