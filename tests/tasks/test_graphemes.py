"""Graphemes: a small copy of what Kaggle publishes, what fonts shape, and what is drawn of it."""

import csv
import importlib
import itertools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from PIL import features

from store import BadInput
from tasks.components import indices_of
from tasks.graphemes import BUILT_IN, PRINTED, PUBLISHED
from tasks.graphemes.bengali import FILES, HEIGHT, WIDTH, bengali
from tasks.graphemes.crop import INK, cropped
from tasks.graphemes.distortion import EM, SHEET, _distorted, _field, _numbers, _on_sheet, distorted
from tasks.graphemes.fonts import DEBIAN, ROOT, _font, lacking, shaped
from tasks.graphemes.made_up import made_up_graphemes
from tasks.graphemes.printed import FACTORS, printed, printed_factors
from tasks.graphemes.script import FORMS, HASANTA, MOST_ROOTS, VOWELS, characters, roots, written

# cropping


def slow_crop(image: np.ndarray, size: int) -> np.ndarray:
    """What the paper's code does to one image (``bengali_transforms`` in its ``datasets/datasets.py``), by Pillow."""
    pixels = image.astype(np.float32) / 255
    dark = pixels > 5 / 255
    down, across = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    box = pixels[down[0] : down[-1] + 1, across[0] : across[-1] + 1] if len(down) else pixels
    return 255 * np.asarray(Picture.fromarray(box).resize((size, size), Picture.Resampling.BILINEAR))


def strokes(count: int, height: int, width: int) -> np.ndarray:
    """Images (N, H, W) uint8 of bright boxes at any place, with grey edges."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, height, width), np.uint8)
    for image in images:
        top, left = rng.integers(0, height - 12), rng.integers(0, width - 12)
        part = image[top : top + rng.integers(1, 60), left : left + rng.integers(1, 90)]
        part[:] = rng.integers(0, 256, part.shape)
        part[0, 0] = part[-1, -1] = 200
    return images


@pytest.mark.parametrize("size", [64, 32])
def test_images_are_cropped_and_stretched_as_the_papers_code_does(size):
    images = strokes(40, HEIGHT, WIDTH)
    squares, blank = cropped(torch.from_numpy(images), size)
    assert squares.shape == (40, 1, size, size)
    assert not blank.any()
    slow = np.stack([slow_crop(image, size) for image in images])
    assert np.abs(squares[:, 0].numpy() - slow).max() <= 0.501  # rounded to whole levels, and nothing else


def test_the_box_is_of_what_is_above_the_level_of_paper():
    image = torch.zeros(1, 20, 30, dtype=torch.uint8)
    image[0, 5:9, 10:14] = 100
    alone = cropped(image, 8)[0]
    assert (alone == 100).all()
    image[0, 0, 0] = INK
    assert torch.equal(cropped(image, 8)[0], alone)
    image[0, 0, 0] = INK + 1  # a speck is ink as well
    assert not torch.equal(cropped(image, 8)[0], alone)


def test_an_image_without_ink_stays_without_and_is_told():
    images = torch.zeros(3, 20, 30, dtype=torch.uint8)
    images[0], images[1, 4, 4] = INK, 255
    squares, blank = cropped(images, 8)
    assert blank.tolist() == [True, False, True]
    assert squares.flatten(1).amax(1).tolist() == [INK, 255, 0]


# Bengali.AI's

HEADER = ["image_id", "grapheme_root", "vowel_diacritic", "consonant_diacritic", "grapheme"]


def labels_of(number: int) -> list[int]:
    """Of the first two and the last the true ones of the set: "Train_0,15,9,5,ক্ট্রো", "Train_1,159,0,0,হ"."""
    return [[15, 9, 5], [159, 0, 0], [22, 3, 5], [167, 10, 6]][number % 4]


def handwritten(number: int) -> np.ndarray:
    """An image as it is published, paper bright: a dark box whose place and size its number tells."""
    image = np.full((HEIGHT, WIDTH), 251, np.uint8)  # paper is not quite white
    image[10 + number : 50 + number, 20 + 2 * number : 120] = 30 + number
    return image


def write_images(file: Path, numbers, change=lambda table: table, groups_of: int = 6) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pixels = np.stack([handwritten(number).reshape(-1) for number in numbers])
    columns = {"image_id": [f"Train_{number}" for number in numbers]}
    columns |= {str(place): pixels[:, place] for place in range(HEIGHT * WIDTH)}
    fast = {"use_dictionary": False, "write_statistics": False}
    parquet.write_table(change(arrow.table(columns)), file, row_group_size=groups_of, **fast)


def write_labels(folder: Path, rows) -> None:
    with open(folder / "train.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def usual_rows(count: int) -> list[list]:
    return [[f"Train_{number}", *labels_of(number), "ক্ট্রো"] for number in range(count)]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The folder that Kaggle's archive unpacks to, with 24 images, some of which its tables have in another order."""
    folder = tmp_path_factory.mktemp("kaggle") / "bengaliai-cv19"
    folder.mkdir()
    write_labels(folder, usual_rows(24))
    (folder / "class_map.csv").write_text("component_type,label,component\ngrapheme_root,0,ং\n", "utf-8")
    for place, name in enumerate(FILES):
        numbers = list(range(6 * place, 6 * place + 6))
        # of the second file, two groups of rows, one shorter than the other
        write_images(folder / name, numbers[::-1] if place == 2 else numbers, groups_of=4 if place == 1 else 6)
    (folder / "test_image_data_0.parquet").write_bytes(b"no labels: it is not read")
    return folder


def test_bengali_ai_is_read_as_it_is_published(published, capsys):
    task = bengali(published.parent)  # as the archive unpacks
    assert [component.name for component in task.components] == ["root", "vowel", "consonant"]
    assert (task.name, task.classes, task.shape, task.modality.mirrored) == ("Bengali.AI", 186, (1, 64, 64), False)
    assert (len(task.train), len(task.test)) == (19, 5)
    seen = set()
    for split in (task.train, task.test):
        for image, labels in zip(split.inputs, indices_of(split.targets, task.components).tolist(), strict=True):
            number = 255 - int(image.max()) - 30  # ink is bright now
            assert (image == image.max()).all()  # the box alone is left, without paper
            assert labels == labels_of(number)
            seen.add(number)
    assert seen == set(range(24))
    assert not capsys.readouterr().err


@pytest.fixture
def one_file(tmp_path, monkeypatch) -> Path:
    """A folder with one table of six images instead of four."""
    monkeypatch.setattr(importlib.import_module("tasks.graphemes.bengali"), "FILES", FILES[:1])
    write_labels(tmp_path, usual_rows(6))
    return tmp_path


def refused(words: str, folder: Path) -> None:
    with pytest.raises(BadInput, match=words) as problem:
        bengali(folder)
    assert "\n" not in str(problem.value)
    assert str(problem.value).startswith("--data: got ")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["Train_6", 168, 0, 0, ""], "line 8, with the grapheme_root '168'; needs a whole number from 0 to 167"),
        (["Train_6", 0, 11, 0, ""], "line 8, with the vowel_diacritic '11'; needs a whole number from 0 to 10"),
        (["Train_6", 0, 0, -1, ""], "line 8, with the consonant_diacritic '-1'; needs a whole number from 0 to 6"),
        (["Train_6", "ক", 0, 0, ""], "line 8, with the grapheme_root 'ক'"),
        (["Train_6", "", 0, 0, ""], "line 8, with the grapheme_root ''"),
        (["Train_2", 0, 0, 0, ""], "line 8, with the image_id 'Train_2' again"),
    ],
)
def test_labels_outside_their_component_are_refused(one_file, row, words):
    write_labels(one_file, [*usual_rows(6), row])
    refused(words, one_file)


def test_folders_that_lack_something_are_refused(one_file):
    refused(
        r"without train_image_data_0.parquet; needs train.csv and train_image_data_0.parquet to 3.parquet", one_file
    )
    (one_file / "train.csv").write_text("image_id,grapheme_root,vowel_diacritic\nTrain_0,1,1\n")
    refused("'consonant_diacritic', which .*train.csv does not have", one_file)
    write_labels(one_file, [])
    refused("train.csv, which has no labels", one_file)
    (one_file / "train.csv").unlink()
    refused("without train.csv; needs", one_file)


def test_images_and_labels_that_do_not_belong_together_are_refused(one_file):
    write_images(one_file / FILES[0], range(6))
    write_labels(one_file, usual_rows(8))
    refused("train.csv with labels of 2 images that no file has, Train_6 the first", one_file)
    write_labels(one_file, usual_rows(5))
    refused("with the image_id 'Train_5', which train.csv does not have", one_file)
    write_labels(one_file, usual_rows(6))
    write_images(one_file / FILES[0], [0, 1, 2, 3, 4, 4])
    refused("with an image_id that comes twice", one_file)
    raw = (one_file / FILES[0]).read_bytes()
    (one_file / FILES[0]).write_bytes(raw[: len(raw) // 2])
    refused("train_image_data_0.parquet, which cannot be read", one_file)


def test_tables_of_other_columns_are_refused(one_file):
    arrow = pytest.importorskip("pyarrow")
    write_images(one_file / FILES[0], range(6), lambda table: table.drop(["image_id", "7"]))
    refused("without the column image_id and 1 more", one_file)

    def wider(table):
        return table.set_column(5, "4", table["4"].cast(arrow.int64()))

    write_images(one_file / FILES[0], range(6), wider)
    refused("whose column 4 is of int64; needs uint8", one_file)

    def missing(table):
        return table.set_column(5, "4", arrow.array([None] * 6, arrow.uint8()))

    write_images(one_file / FILES[0], range(6), missing)
    refused("with pixels that are missing", one_file)


def test_without_pyarrow_it_is_said_in_a_line(one_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused("without the package pyarrow; needs pip install", one_file)


# distortions


def test_an_image_is_the_same_one_whatever_is_made_beside_it():
    signs = list(strokes(40, 30, 40))
    names = [f"image {number}" for number in range(40)]
    all_of_them = distorted(signs, names, 16)
    assert all_of_them.shape == (40, 1, 16, 16)
    assert torch.equal(distorted(signs[::-1], names[::-1], 16), all_of_them.flip(0))
    for place in (0, 15, 16, 39):
        assert torch.equal(distorted([signs[place]], [names[place]], 16)[0], all_of_them[place])
    others = distorted([signs[0]] * 30, names[:30], 16)
    assert len(others.unique(dim=0)) == 30  # each name has another image of the same sign
    assert distorted([], [], 16).shape == (0, 1, 16, 16)


def test_numbers_that_are_nought_change_nothing():
    sheets = torch.stack([_on_sheet(sign, EM) for sign in strokes(3, 40, 60)])
    assert sheets.shape[1:] == tuple(EM * ems for ems in SHEET)
    same = _distorted(sheets, torch.zeros(3, len(_numbers("any")), dtype=torch.float64), EM)
    assert (same - 255 * sheets).abs().max() <= 1


@pytest.mark.parametrize("sign", [1, -1])
def test_strokes_grow_towards_the_largest_of_nine_pixels_or_shrink_towards_the_smallest(sign):
    sheet = _on_sheet(strokes(1, 40, 60)[0], EM)
    numbers = torch.zeros(1, len(_numbers("any")), dtype=torch.float64)
    numbers[0, 2] = sign * 100
    drawn = _distorted(sheet[None], numbers, EM)[0].double() / 255
    height, width = sheet.shape
    for y, x in itertools.product(range(20, height - 20, 3), range(20, width - 20, 3)):
        nine = sheet[y - 1 : y + 2, x - 1 : x + 2]
        extreme = float(nine.max() if sign > 0 else nine.min())
        assert float(drawn[y, x]) == pytest.approx(float(sheet[y, x]) * 0.4 + 0.6 * extreme, abs=0.005)


def test_fields_have_the_variance_that_is_said():
    # the mean square of 400 fields of 20 cosines, within 5 standard errors (0.02): sound code fails once in 10^6
    coefficients = torch.randn(400, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fields = _field(coefficients, 40, 60)
    squares = fields.square().mean((1, 2))
    assert abs(float(squares.mean()) - 1) < 5 * float(squares.std()) / 20
    y, x, slow = 7, 33, 0.0
    for j, k in itertools.product(range(4), range(5)):
        slow += float(coefficients[3, j, k]) * np.cos(np.pi * j * (y + 0.5) / 40) * np.cos(np.pi * k * (x + 0.5) / 60)
    assert float(fields[3, y, x]) == pytest.approx(slow / np.sqrt(2.5 * 3), rel=1e-9)


def test_a_sign_that_is_too_large_is_made_smaller():
    sheet = _on_sheet(np.full((4 * EM, EM), 255, np.uint8), EM)
    down, across = (sheet.amax(axis).nonzero()[:, 0] for axis in (1, 0))
    assert 2 * EM - 2 * round(EM / 3) - 1 <= len(down) <= 2 * EM - 2 * round(EM / 3)
    assert len(across) == pytest.approx(len(down) / 4, abs=1)


# made-up ones


def test_made_up_graphemes_need_no_file_and_have_every_combination_equally_often():
    task = made_up_graphemes()
    assert (len(task.train), len(task.test), task.classes, task.shape) == (600, 180, 12, (1, 16, 16))
    for split, each in ((task.train, 10), (task.test, 3)):
        assert split.targets.unique(dim=0, return_counts=True)[1].tolist() == [each] * 60
    everything = torch.cat([task.train.inputs, task.test.inputs])
    assert len(everything.unique(dim=0)) == 780
    assert task.digest == made_up_graphemes().digest


@pytest.mark.parametrize("place", range(3))
def test_made_up_graphemes_can_be_told(place):
    task = made_up_graphemes()
    train, test = (
        (split.inputs.flatten(1).float() / 255, indices_of(split.targets, task.components)[:, place])
        for split in (task.train, task.test)
    )
    nearest = train[1][torch.cdist(test[0], train[0]).argmin(1)]
    chance = 1 / task.components[place].classes
    assert float((nearest == test[1]).float().mean()) > chance + 0.3


# the script


def test_roots_are_different_and_end_in_no_sign_that_is_a_consonant_form():
    assert len(set(roots())) == len(roots()) == MOST_ROOTS
    assert roots(24) == roots()[:24]
    assert all(len(root) == 1 for root in roots(24))
    for root in roots():
        assert not root.startswith("র")
        assert not root.endswith((f"{HASANTA}র", f"{HASANTA}য"))


def test_graphemes_are_written_in_the_order_of_unicode():
    assert written("ক", "ি", FORMS[3]) == "র্ক্যি"
    assert written("ক", "ৌ", FORMS[1]) == "কৌঁ"
    every = [written(*parts) for parts in itertools.product(roots(), VOWELS, FORMS)]
    assert len(set(every)) == len(every)
    assert (len(VOWELS), len(FORMS)) == (11, 7)  # Bengali.AI's
    assert set("".join(every)) < set(characters(roots()))


# fonts

needs_fonts = pytest.mark.skipif(
    not all((ROOT / file).is_file() for _, file in DEBIAN.values()) or not features.check("raqm"),
    reason="Debian's fonts-beng-extra and fonts-lohit-beng-bengali, or Pillow's raqm, are not there",
)


def file_of(name: str) -> Path:
    return ROOT / DEBIAN[name][1]


@needs_fonts
def test_debians_fonts_have_every_character_and_shape_all_but_some_they_are_known_for():
    refused_of = {}
    for name in DEBIAN:
        assert not lacking(file_of(name), roots())
        refused_of[name] = shaped(name, file_of(name), roots(3)).refused
    # below u, uu and vocalic r, fonts with tables of the older kind do not join ra-phala with ya-phala
    assert refused_of == {"Ani": 9, "Jamrul": 9, "Likhan": 9, "Mukti": 0, "Mukti Bold": 0, "Lohit Bengali": 0}
    drawn = shaped("Ani", file_of("Ani"), roots(3)).drawn
    assert {which for which in itertools.product(range(3), range(11), range(7)) if which not in drawn} == set(
        itertools.product(range(3), (4, 5, 6), (6,))
    )


@needs_fonts
def test_what_a_font_does_not_join_is_left_out():
    # ফ্ট is no conjunct of Mukti's, which writes ফ with a hasanta; of ক্ক it has one
    signs = shaped("Mukti", file_of("Mukti"), ["ফ্ট", "ক্ক"])
    assert {root for root, _, _ in signs.drawn} == {1}
    assert signs.refused >= 77


@needs_fonts
def test_graphemes_that_look_alike_are_left_out():
    signs = shaped("Mukti", file_of("Mukti"), ["ক", "খ", "ক"])
    assert {root for root, _, _ in signs.drawn} == {1}
    assert signs.refused == 2 * 77


@needs_fonts
def test_printed_graphemes_are_scored_on_a_font_that_is_in_no_training_image(capsys):
    task = printed(of_roots=2)
    assert capsys.readouterr().err.splitlines() == [
        f"printed graphemes: 6 of 154 graphemes that the font {font} does not shape are left out"
        for font in ("Ani", "Jamrul", "Likhan")
    ]
    assert (len(task.train), len(task.test)) == (5 * 154 - 18, 154)
    assert (task.classes, task.shape, task.modality.mirrored) == (20, (1, 32, 32), False)
    assert task.test.targets.unique(dim=0).shape[0] == 154
    assert sorted(set(task.train.targets.unique(dim=0, return_counts=True)[1].tolist())) == [2, 5]
    assert task.name == "printed Bengali graphemes (2 roots)"


@needs_fonts
def test_factors_are_independent_and_known_of_every_image():
    task = printed_factors(of_roots=2)
    sizes = {component.name: component.classes for component in task.components}
    assert sizes == {"root": 2, "vowel": 11, "consonant": len(FACTORS), "font": 6}
    for split in (task.train, task.test):
        combinations, counts = split.targets.unique(dim=0, return_counts=True)
        assert len(combinations) == 2 * 11 * 6 * 6
        assert counts.tolist() == [1] * len(combinations)
    assert torch.equal(task.train.targets, task.test.targets)
    assert not (task.train.inputs == task.test.inputs).flatten(1).all(1).any()  # other renderings


@needs_fonts
def test_a_font_without_a_glyph_is_named_and_left_out(tmp_path, capsys):
    matplotlib = pytest.importorskip("matplotlib")
    without = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    for file in (file_of("Mukti"), file_of("Lohit Bengali"), without):
        shutil.copy(file, tmp_path)
    task = printed(tmp_path, of_roots=2)
    assert len(task.train) == len(task.test) == 154
    line = capsys.readouterr().err
    assert line.startswith("printed graphemes: the font DejaVuSans is left out: it has no U+0981, U+0995, U+0996, ")
    assert line.count("\n") == 1
    (tmp_path / "Mukti.ttf").unlink()
    with pytest.raises(BadInput, match="2 fonts of which 1 can shape these graphemes; needs two at least"):
        printed(tmp_path, of_roots=2)
    (tmp_path / "broken.otf").write_bytes(b"no font")
    with pytest.raises(BadInput, match=r"broken.otf, which cannot be read .*; needs a font, .ttf or .otf"):
        printed(tmp_path, of_roots=2)


@needs_fonts
def test_a_font_that_does_not_shape_every_factor_is_left_out(tmp_path, capsys):
    for name in ("Mukti", "Lohit Bengali", "Ani"):
        shutil.copy(file_of(name), tmp_path)
    assert printed_factors(tmp_path, of_roots=2).components[3].classes == 3
    assert not capsys.readouterr().err


def test_fonts_that_are_not_there_are_refused_with_the_package_that_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.graphemes.fonts.ROOT", tmp_path)
    for word, load_it in PRINTED.items():
        with pytest.raises(BadInput) as problem:
            load_it()
        line = (
            f"--data: got the font Ani, which is not under {tmp_path}; needs what `apt-get install fonts-beng-extra` "
        )
        assert str(problem.value) == line + "gets, or NAME:FOLDER with fonts of your own", word
        with pytest.raises(BadInput, match="with 0 fonts; needs a folder with two fonts at least"):
            load_it(tmp_path)


@needs_fonts
def test_a_pillow_that_cannot_shape_is_refused(monkeypatch):
    monkeypatch.setattr(features, "check", lambda _: False)
    monkeypatch.setattr("tasks.graphemes.fonts._font", _font.__wrapped__)
    with pytest.raises(BadInput, match="a Pillow without raqm"):
        printed(of_roots=2)


@pytest.mark.parametrize("count", [1, MOST_ROOTS + 1])
def test_as_many_roots_as_there_are(count):
    with pytest.raises(BadInput, match=f"of_roots: got {count}; needs an integer from 2 to {MOST_ROOTS}"):
        printed(of_roots=count)


def test_every_word_is_a_function():
    assert list(PUBLISHED) == ["bengali"]
    assert list(BUILT_IN) == ["made-up-graphemes"]
    assert all(callable(function) for function in (PUBLISHED | PRINTED | BUILT_IN).values())
