"""Data sets as tasks: their splits, what their items are, what is asked of them; and metrics of what is answered.

Items are images or texts.

Example:
    >>> load(DataOptions("digits"))
    digits: 1,437 training and 360 test images, 1×8×8, 10 classes
"""

from tasks.at_hand import images_of
from tasks.loading import DataOptions, load, some_of
from tasks.metrics import Metric
from tasks.task import Image, InMemory, Task, Text, Texts, image_task, pixels, text_task

__all__ = [
    "DataOptions",
    "Image",
    "InMemory",
    "Metric",
    "Task",
    "Text",
    "Texts",
    "image_task",
    "images_of",
    "load",
    "pixels",
    "some_of",
    "text_task",
]
