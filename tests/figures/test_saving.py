import pandas as pd
from matplotlib.figure import Figure

from figures import COLOURS, label, save, style
from figures.style import RESERVE, colour


def draw() -> Figure:
    with style():
        figure = Figure()
        figure.subplots().plot([0, 1], [0, 1], color=COLOURS["fmix"], label=label("fmix"))
    return figure


def test_picture_and_numbers_are_saved_together_and_reproducibly(tmp_path):
    data = pd.DataFrame({"x": [0, 1], "y": [0.1, 0.2]})
    paths = save(draw(), tmp_path / "new" / "a", data)
    again = save(draw(), tmp_path / "new" / "b", data)
    assert [path.name for path in paths] == ["a.png", "a.svg", "a.csv"]
    for first, second in zip(paths, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(paths[2]), data)


def test_a_watermark_is_in_the_picture(tmp_path):
    data = pd.DataFrame({"x": [0]})
    _, svg, _ = save(draw(), tmp_path / "a", data, watermark="SMOKE RUN")
    assert "SMOKE RUN" in svg.read_text()


def test_every_augmentation_has_its_own_colour():
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_other_peoples_augmentations_have_colours_of_their_own_and_short_names():
    assert len(set(RESERVE) | set(COLOURS.values())) == len(RESERVE) + len(COLOURS)
    names = ("mixes.py:ResizeMix", "my.mixes:ResizeMix", "resizemix", "fmix+resizemix")
    assert {colour(name) for name in names} <= set(RESERVE)
    assert colour("mixes.py:ResizeMix") == "#6A3D9A"  # the same in every process
    assert label("my.mixes:ResizeMix+mixup") == "ResizeMix+MixUp"
    assert {colour(name) for name in ("the model", "mixup+none", "linear VAE on my mixes")} == {"#000000"}
