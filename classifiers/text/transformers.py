"""Transformers of the package ``transformers`` as classifiers of texts.

Tokens are mixed before positions are added to their vectors, which the rest of a transformer then takes. The logits
are linear in the mean over all its layers, the first vectors among them, and over all tokens that are there; the
reference code takes the mean over the pads too. Dropout is left out, as there.

Source: Devlin et al. (2019), arXiv 1810.04805; Harris et al. (2020), arXiv 2002.12047, Table 5, and the reference code.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from classifiers.text.vectors import digest_once
from store import BadInput

__all__ = [
    "MOST_TOKENS",
    "Transformer",
    "digests_of",
    "positions_of",
    "read_config",
    "transformer",
    "transformer_config",
    "transformer_tokenizer",
]

MOST_TOKENS = 512
"""Of a text, that a small BERT takes."""

NEEDED = (
    "a folder with config.json, model.safetensors and a tokenizer, as save_pretrained of transformers' AutoModel and "
    "AutoTokenizer writes it"
)

DECIDING = re.compile(r"config\.json|.*\.safetensors|.*\.bin|.*\.model|tokenizer.*\.json|vocab\.\w+|merges\.txt")
"""Files of a folder that decide what a transformer and its tokenizer do."""


def digests_of(folder: Path) -> dict[str, str]:
    """By what a pretrained transformer identifies a run: SHA-256 of those of its files that decide what it does."""
    files = (file for file in sorted(folder.iterdir()) if DECIDING.fullmatch(file.name))
    return {file.name: digest_once(file) for file in files}


def positions_of(folder: Path) -> int:
    """How many tokens of a text a pretrained transformer takes.

    Raises:
        BadInput: no such folder, or it has no configuration.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        most = int(config.get("max_position_embeddings", MOST_TOKENS))
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        missing = "where there is no config.json"
        words = missing if isinstance(problem, OSError) else f"whose config.json cannot be read ({_reason(problem)})"
        got = f"transformers:{folder}, {words}"
        raise BadInput("--network", got, NEEDED) from None
    # RoBERTa and what follows it count positions from one after the pad's
    offset = "roberta" in str(config.get("model_type", "")) or config.get("model_type") == "camembert"
    return most - (int(config.get("pad_token_id", 1)) + 1 if offset else 0)


class Transformer(nn.Module):
    """A transformer of the package ``transformers`` without its first vectors, and a linear layer.

    Args:
        model: one of its ``AutoModel``'s, an encoder.
        outputs: of the linear layer.
    """

    def __init__(self, model: nn.Module, outputs: int) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Linear(int(model.config.hidden_size), outputs)  # type: ignore[union-attr, arg-type]

    def forward(self, embedded: Tensor) -> Tensor:
        """(B, E + 1, L) to (B, outputs)."""
        there = embedded[:, -1] > 0
        states = self.model(
            inputs_embeds=embedded[:, :-1].mT, attention_mask=there.long(), output_hidden_states=True
        ).hidden_states
        mean = torch.stack(states).mean(0)
        weights = there.to(mean.dtype) / there.sum(1, keepdim=True)
        return self.head((mean * weights.unsqueeze(2)).sum(1))


SMALL = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
"""The small BERT that begins with random weights."""


def transformer_config(folder: Path | None, vocabulary: int, width: int | None, longest: int) -> Any:
    """The configuration of a transformer of ``transformers``.

    Args:
        folder: of a pretrained one; None for a small BERT.
        vocabulary: of a small BERT, how many tokens there are.
        width: of a small BERT, its hidden size, a multiple of 64.
        longest: of a small BERT, how many tokens a text may have.

    Raises:
        BadInput: no such folder, or the package is missing.
    """
    transformers = _package()
    if folder is None:
        size = width or SMALL["hidden_size"]
        if size % 64:
            raise BadInput("--width", size, "a multiple of 64 of bert's")
        sizes = SMALL | {"hidden_size": size, "num_attention_heads": size // 64, "intermediate_size": 4 * size}
        return transformers.BertConfig(vocab_size=vocabulary, max_position_embeddings=max(longest, 2), **sizes)
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as problem:  # whatever it makes of another file
        raise BadInput("--network", f"transformers:{folder} ({_reason(problem)})", NEEDED) from None


def read_config(path: Path) -> Any:
    """The configuration of a transformer in a file.

    Raises:
        BadInput: it is none's, or the package is missing.
    """
    transformers = _package()
    try:
        return transformers.AutoConfig.for_model(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise BadInput("--model", f"{path} ({_reason(problem)})", "a configuration of transformers") from None


def transformer(config: Any, folder: Path | None = None) -> nn.Module:
    """A transformer in single precision, without dropout, with random weights or those of a folder.

    Raises:
        BadInput: weights that cannot be read, or an architecture with a decoder beside its encoder.
    """
    transformers = _package()
    if getattr(config, "is_encoder_decoder", False):
        raise BadInput("--network", f"transformers:{folder}, an encoder with a decoder", "an encoder alone")
    try:
        if folder is None:
            model = transformers.AutoModel.from_config(config)
        else:
            model = transformers.AutoModel.from_pretrained(folder, config=config, local_files_only=True)
    except Exception as problem:
        raise BadInput("--network", f"transformers:{folder} ({_reason(problem)})", NEEDED) from None
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout", "dropout_prob", "dropout_p"):  # numbers that functions take
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return model.float()


def transformer_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder of ``transformers``.

    Raises:
        BadInput: it has none.
    """
    try:
        return _package().AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True).backend_tokenizer
    except BadInput:
        raise
    except Exception as problem:
        got = f"transformers:{folder}, whose tokenizer cannot be read ({_reason(problem)})"
        raise BadInput("--network", got, "tokenizer.json or vocab.txt in the folder") from None


def _reason(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:120] or type(problem).__name__


def _package() -> Any:
    try:
        import transformers
    except ImportError:
        raise BadInput("--network", "a transformer, without its package", "pip install 'mixinfo[text]'") from None
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers
