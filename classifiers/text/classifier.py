"""Classifiers of texts: a tokenizer and a network, made anew, or as a run has left them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from classifiers.networks import NETWORKS, OF_TEXTS, THEIRS, network_of_factory
from classifiers.text.networks import HIDDEN, LSTM, Pads, TextNetwork, WordCNN, Words
from classifiers.text.settings import WORDS, TextSettings, folder_of
from classifiers.text.tokens import (
    TOKENIZER,
    read_tokenizer,
    say_of,
    tokens_of,
    vocabulary_of,
    word_tokenizer,
)
from classifiers.text.transformers import (
    Transformer,
    read_config,
    transformer,
    transformer_config,
    transformer_tokenizer,
)
from classifiers.text.vectors import vectors_of
from store import BadInput, read_record, recorded_file, write_atomically
from tasks import Task
from tasks.task import Texts
from training.weights import WEIGHTS, read_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TextClassifier", "check_network", "load_text_run", "text_classifier", "tokenised", "write_files"]

TRANSFORMER = "transformer.json"
"""The file with a transformer's configuration in a run's directory."""

FILES = (TOKENIZER, TRANSFORMER)
"""What a run has beside the weights."""

BODIES: dict[str, Any] = {"text-cnn": WordCNN, "text-lstm": LSTM}
"""Our networks on vectors of words, by name."""


class TextClassifier(nn.Module):
    """A network of texts with its tokenizer.

    Args:
        network: whose ``embed`` takes token ids to where texts are mixed.
        tokenizer: of texts.
        longest: how many tokens of a text it takes.
        classes: K.
        name: by which the network is made.
    """

    def __init__(self, network: TextNetwork, tokenizer: "Tokenizer", longest: int, classes: int, name: str) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer
        self.longest = longest
        self.classes = classes
        self.name = name

    def enter(self, ids: Tensor) -> Tensor:
        """Token ids (B, L) to embedded tokens (B, E + 1, L), as they are mixed (`classifiers.text.networks`)."""
        return self.network.embed(ids)

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids (B, L), `tasks.task.NOTHING` beyond a text's end, to logits (B, K)."""
        logits: Tensor = self.network(self.enter(ids))
        return logits

    @torch.no_grad()
    def of_texts(self, texts: Sequence[str]) -> Tensor:
        """Logits (N, K), float32 on the CPU, of texts as they are written; says how many are cut, and how many empty.

        Raises:
            BadInput: one string, which is no list of texts.
        """
        if isinstance(texts, str):
            raise BadInput("texts", repr(texts[:40]), "a list of texts")
        logits = torch.zeros(len(texts), self.classes)
        if not len(texts):
            return logits
        split, cut, empty = tokens_of(self.tokenizer, Texts(tuple(texts), torch.zeros(len(texts))), self.longest)
        say_of("given", cut, empty, len(texts), self.longest)
        split = split.to(next(self.network.parameters()).device)
        training = self.training
        self.eval()
        for indices, ids in split.in_batches():
            logits[indices.cpu()] = self(ids).float().cpu()
        self.train(training)
        return logits


def tokenised(task: Task, tokenizer: "Tokenizer", longest: int) -> Task:
    """The task with texts as token ids; says on standard error how many are cut, and how many are empty."""
    splits = {}
    for name, split in (("training", task.train), *task.tests.items()):
        splits[name], cut, empty = tokens_of(tokenizer, split, longest)
        say_of(name, cut, empty, len(split), longest)
    train = splits.pop("training")
    return replace(task, train=train, tests=splits)


def check_network(name: str) -> None:
    """Refuse networks of images.

    Raises:
        BadInput: it is one.
    """
    if name in NETWORKS or name.partition(":")[0] in THEIRS:
        needed = f"a network of texts: {', '.join(OF_TEXTS)} or transformers:FOLDER"
        raise BadInput("--network", f"{name} for texts", needed)


def text_classifier(name: str, task: Task, settings: TextSettings, width: int | None) -> TextClassifier:
    """A classifier for the texts of a task, with random weights from torch's global generator, or pretrained ones.

    Args:
        name: of the network.
        task: of texts as they are written, whose training texts make the vocabulary.
        settings: how texts are read.
        width: of the network (None: the reference code's).

    Raises:
        BadInput: no such network, folder or vectors, or a package that is missing.
    """
    check_network(name)
    config, folder = settings.resolved(name), folder_of(name)
    if folder is not None:
        tokenizer = transformer_tokenizer(folder)
    elif settings.tokenizer in WORDS:
        tokenizer = word_tokenizer(task.train.inputs, settings.vocabulary, settings.tokenizer == "cased-words")
    else:
        tokenizer = read_tokenizer(Path(settings.tokenizer))
    words = vocabulary_of(tokenizer)
    special = tokenizer.num_special_tokens_to_add(False)
    if config["longest"] <= special:
        needed = f"at least {special + 1}: the tokenizer adds {special} to every text"
        raise BadInput("--longest", config["longest"], needed)
    outputs = _outputs(task.classes, task.several)
    if folder is not None or name == "bert":
        hugging = transformer_config(folder, len(words), width, config["longest"])
        network = _of_transformer(transformer(hugging, folder), outputs, task.classes)
        rows = len(network.words.weight)  # type: ignore[arg-type]
        if len(words) > rows:
            got = f"{name}, whose tokenizer has {len(words):,} tokens"
            raise BadInput("--network", got, f"at most its {rows:,} vectors")
    else:
        if settings.vectors is None:
            vectors = torch.randn(len(words), config["dimensions"]) / 10
        else:
            vectors, known = vectors_of(settings.vectors, words)
            print(f"{known:,} of {len(words):,} words have vectors, the others zeros", file=sys.stderr)
        body = _body(name, vectors.shape[1], outputs, task.classes, width, config["pads"])
        network = TextNetwork(Words(vectors, config["learn_vectors"]), body, task.classes)
    return TextClassifier(network, tokenizer, config["longest"], task.classes, name)


def _outputs(classes: int, several: bool) -> int:
    """Of the last layer: one for two classes."""
    return 1 if classes == 2 and not several else classes


def _body(
    name: str, dimensions: int, outputs: int, classes: int, width: int | None, pads: Pads, argument: str = "--network"
) -> nn.Module:
    if name in BODIES:
        return BODIES[name](dimensions + 1, outputs, width or HIDDEN, pads)
    if width is not None:
        raise BadInput("--width", f"{width} with {name}", f"one of our networks: {', '.join(OF_TEXTS)}")
    return network_of_factory(name, dimensions + 1, classes, argument)


def _of_transformer(model: nn.Module, outputs: int, classes: int) -> TextNetwork:
    """A transformer taken apart where its texts are mixed: its vectors of tokens, and the rest."""
    vectors = model.get_input_embeddings()  # type: ignore[operator]
    model.set_input_embeddings(nn.Identity())  # type: ignore[operator]
    return TextNetwork(vectors, Transformer(model, outputs), classes)


def write_files(directory: Path, classifier: TextClassifier) -> None:
    """Write what is needed beside the weights to have the classifier again: its tokenizer, a transformer's sizes."""
    with write_atomically(directory / TOKENIZER) as temporary:
        temporary.write_text(classifier.tokenizer.to_str(), encoding="utf-8")
    if isinstance(classifier.network.body, Transformer):
        with write_atomically(directory / TRANSFORMER) as temporary:
            temporary.write_text(classifier.network.body.model.config.to_json_string(), encoding="utf-8")  # type: ignore[union-attr, operator]


def load_text_run(
    directory: Path, device: torch.device, weights: str | None = None, network: str | None = None
) -> TextClassifier:
    """The classifier of texts that a finished run has trained, in evaluation mode.

    Args:
        directory: of a run of kind ``classifier`` that was trained on texts.
        device: where to put it.
        weights: a file in the directory: those after an earlier epoch; those after the last by default.
        network: the network's name, where the record's, a file without its directories, does not lead to the file.

    Raises:
        BadInput: not such a directory, or its files are missing or not those of the record.
    """
    needed = "the directory of a finished run of classifiers.train, trained on texts"
    if not (directory / "result.json").is_file():
        raise BadInput("--model", f"{directory}, which holds no finished run", needed)
    record = read_record(directory / "result.json")
    config = record.get("config")
    if record.get("kind") != "classifier" or not isinstance(config, dict) or not isinstance(config.get("text"), dict):
        raise BadInput("--model", f"{directory}, a run of something else", needed)
    for file in FILES:
        if file in record["files"]:
            recorded_file(directory, record, file, file.removesuffix(".json"))
    state = read_weights(directory, record, weights or WEIGHTS)
    tokenizer, text = read_tokenizer(directory / TOKENIZER, "--model"), config["text"]
    outputs, classes = _outputs(config["classes"], config["several"]), config["classes"]
    if TRANSFORMER in record["files"]:
        built = _of_transformer(transformer(read_config(directory / TRANSFORMER)), outputs, classes)
    else:
        vectors, name = torch.zeros_like(state["network.words.weight"]), network or config["network"]
        body = _body(name, vectors.shape[1], outputs, classes, config["width"], text["pads"], "--model")
        built = TextNetwork(Words(vectors, text["learn_vectors"]), body, classes)
    classifier = TextClassifier(built, tokenizer, text["longest"], classes, network or config["network"])
    try:
        classifier.load_state_dict(state)
    except RuntimeError as problem:
        reason = " ".join(str(problem).split())[:120]
        raise BadInput("--model", f"{directory}, whose weights are not the network's ({reason})", needed) from None
    return classifier.to(device).eval()
