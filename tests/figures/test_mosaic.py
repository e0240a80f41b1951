import numpy as np
from matplotlib.figure import Figure

from figures.mosaic import first_of_classes, lay_out


def test_every_class_comes_once_before_any_comes_twice():
    classes = np.array([3, 1, 1, 0, 3, 1])
    assert first_of_classes(classes, 8).tolist() == [3, 1, 0, 2, 4, 5]
    assert first_of_classes(classes, 2).tolist() == [3, 1]
    assert first_of_classes(classes[:0], 2).tolist() == []


def test_images_lie_in_their_cells_unscaled_and_upright():
    rng = np.random.default_rng(0)
    images = {(0.0, 0.0): rng.random((3, 4, 6)), (2.3, 1.2): rng.normal(size=(3, 4, 6))}
    axes = Figure().subplots()
    lay_out(axes, images)
    for shown, ((column, row), image) in zip(axes.get_images(), images.items(), strict=True):
        left, right, bottom, top = shown.get_extent()
        assert column < left < right < column + 1
        assert row < top < bottom < row + 1
        np.testing.assert_array_equal(shown.get_array(), image.clip(0, 1).transpose(1, 2, 0))
    assert axes.get_aspect() == 4 / 6
    grey = Figure().subplots()
    lay_out(grey, {(0, 0): np.zeros((1, 8, 8))})
    assert grey.get_images()[0].get_clim() == (0, 1)  # an image that is dark all over stays so
