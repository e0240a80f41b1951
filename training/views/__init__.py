"""Views: what is done to raw items before they are mixed, and the pipeline that does it."""

from training.views.images import colour_jitter, random_crop, random_flip
from training.views.pipeline import Pipeline, View, cropped, flipped, jittered
from training.views.sound import heard
from training.views.volumes import random_shift

__all__ = [
    "Pipeline",
    "View",
    "colour_jitter",
    "cropped",
    "flipped",
    "heard",
    "jittered",
    "random_crop",
    "random_flip",
    "random_shift",
]
