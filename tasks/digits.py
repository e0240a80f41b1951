"""The digits inside scikit-learn, 8×8 grey images: the data set that needs no download."""

import numpy as np

from tasks.labels import of_arrays
from tasks.task import Task

__all__ = ["digits"]


def digits() -> Task:
    """1,437 training and 360 test images, always the same ones."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    train, test = train_test_split(np.arange(len(images)), test_size=360, stratify=labels, random_state=0)
    return of_arrays("digits", (images[train], labels[train]), (images[test], labels[test]), mirrored=False)
