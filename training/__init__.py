"""What a network sees in training, and the training loop that VAEs and classifiers share."""

from training.devices import resolve_device, use_threads
from training.loop import Diverged, Interrupted, fit
from training.seeds import generator
from training.views import Pipeline, colour_jitter, random_crop, random_flip

__all__ = [
    "Diverged",
    "Interrupted",
    "Pipeline",
    "colour_jitter",
    "fit",
    "generator",
    "random_crop",
    "random_flip",
    "resolve_device",
    "use_threads",
]
