"""Data sets on the device, seeded augmentation, and the training loop that VAEs and classifiers share."""

from training.augment import colour_jitter, random_crop, random_flip
from training.data import DataOptions, ImageData, load
from training.devices import resolve_device, use_threads
from training.loop import Diverged, Interrupted, fit
from training.seeds import generator

__all__ = [
    "DataOptions",
    "Diverged",
    "ImageData",
    "Interrupted",
    "colour_jitter",
    "fit",
    "generator",
    "load",
    "random_crop",
    "random_flip",
    "resolve_device",
    "use_threads",
]
