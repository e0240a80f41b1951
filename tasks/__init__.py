"""Data sets as tasks: their splits, what their items are, what is asked of them; and metrics of what is answered.

Items are images, texts, clips of sound, or shapes in three dimensions.

Example:
    >>> load(DataOptions("digits"))
    digits: 1,437 training and 360 test images, 1×8×8, 10 classes
"""

from tasks.at_hand import images_of
from tasks.loading import DataOptions, load, some_of
from tasks.metrics import Metric
from tasks.task import (
    Component,
    Image,
    InMemory,
    Sound,
    Task,
    Text,
    Texts,
    Volume,
    image_task,
    pixels,
    text_task,
)

__all__ = [
    "Component",
    "DataOptions",
    "Image",
    "InMemory",
    "Metric",
    "Sound",
    "Task",
    "Text",
    "Texts",
    "Volume",
    "image_task",
    "images_of",
    "load",
    "pixels",
    "some_of",
    "text_task",
]
