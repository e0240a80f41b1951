"""A data set: a bright dot in one of four corners, in noise."""

import numpy as np


def dots():
    """Images (N, 8, 8, 1) uint8 and their corners, 240 for training and 80 for testing."""
    draws = np.random.default_rng(1)
    images = draws.integers(0, 60, (320, 8, 8, 1), dtype=np.uint8)
    corners = draws.integers(0, 4, 320)
    images[np.arange(320), 1 + 5 * (corners // 2), 1 + 5 * (corners % 2)] = 250
    return images[:240], corners[:240], images[240:], corners[240:]
