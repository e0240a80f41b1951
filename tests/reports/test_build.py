import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from reports.build import Config, run
from store import BadInput, digest_of
from store.command_line import Options, command
from tests.calls import ROOT, called


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag, attribute):
        return [attributes[attribute] for name, attributes in self.tags if name == tag and attribute in attributes]


def build(options, *results):
    return run(Config(tuple(results), replace(options, store=Path(results[0]).parent / "runs")))


@pytest.fixture(scope="module")
def report(measured, tmp_path_factory):
    """The report of the real jobs, to be read."""
    root = tmp_path_factory.mktemp("report")
    return build(Options(device="cpu", threads=1, out=root / "out"), measured / "out")


def test_the_page_from_real_jobs(report):
    text = report.page.read_text()
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    opened = page.all("button", "popovertarget")
    assert len(opened) > 30
    assert set(opened) <= set(ids)
    assert {address[1:] for address in page.all("a", "href") if address.startswith("#")} <= set(ids)
    pictures = page.all("img", "alt")
    assert len(pictures) == 13
    assert all(len(words) > 40 for words in pictures)
    assert not page.all("script", "src")
    assert not re.search(r'(src|href)="(?!data:|#|https://)', text)
    for title in ("Mutual information", "Robustness", "Size of the training set"):
        assert title in page.words
    assert text.count("Not run.") == 3  # no ground truth, no layers, no humans
    assert len(text) < 5_000_000


def test_every_number_opens_the_runs_behind_it(report):
    text = report.page.read_text()
    table = text[text.index('id="accuracy"') :]
    group = re.search(
        r'<th scope="row">MixUp</th>\s*<td class="">\s*<button type="button" popovertarget="(.*?)">', table
    )[1]
    opened = text[text.index(f'id="{group}"') :]
    opened = opened[: opened.index("</div>")]
    assert re.findall(r"classifier: (\S+)</button>", opened) == [
        "digits-preact-resnet18-mixup-seed1",
        "digits-preact-resnet18-mixup-seed2",
    ]
    run_id = re.search(r'popovertarget="(run-\d+)"', opened)[1]
    record = text[text.index(f'id="{run_id}"') :]
    record = record[record.index("<pre>") + 5 : record.index("</pre>")]
    record = json.loads(record.replace("&#34;", '"').replace("&gt;", ">").replace("&#39;", "'"))
    assert record["files"].keys() == {"weights.safetensors", "weights-epoch-1.safetensors", "logits.npz"}
    assert record["config"]["augmentation"] == "mixup"


def test_one_model_has_one_number_and_no_spread(measured, report):
    (stem,) = {file.stem for file in report.files if file.suffix == ".tex" and "-mixup-seed1-" in file.name}
    numbers = pd.read_csv(report.page.parent / "exhibits" / f"{stem}.csv")
    assert (numbers["seeds"] == 1).all()
    assert numbers["std"].isna().all()
    chosen = pd.read_csv(measured / "out" / stem.removesuffix("-table") / "gradcam-sums.csv")
    assert numbers.loc[numbers["estimator"] == "gradcam_normalised", "mean"].item() == pytest.approx(
        chosen["value"].item()
    )


def test_how_vaes_were_trained_stands_beside_their_bounds(measured, report):
    assert "How the VAEs were trained" in report.page.read_text()
    numbers = pd.read_csv(report.page.parent / "exhibits" / "table-1-digits-smoke-further.csv")
    document = json.loads((measured / "out" / "table-1-digits-smoke" / "result.json").read_text())
    rows = [row for row in document["results"] if row["seed"] and row["inputs"] == "own-augmented"]
    for estimator, place in (("negative_elbo", "augmentation"), ("linear", "fitted_on")):
        found = numbers[numbers["estimator"] == estimator].set_index("augmentation")["mean"].to_dict()
        expected = {
            row[place]: row["value"] for row in rows
            if row["estimator"] == "negative_elbo" and (row["fitted_on"] is None) == (place == "augmentation")
        }  # fmt: skip
        assert found == pytest.approx(expected)


def test_ablations_have_their_sections_and_statements(report):
    claims = report.claims
    chosen = claims[claims["where"] == "Figure 6"].set_index("claim")
    assert chosen.loc["δ = 3 is more accurate than δ = 1", "data"] == "digits"
    assert chosen.loc["δ = 3 is more accurate than δ = 2", "verdict"] == "not run"
    chosen = claims[claims["claim"] == "FMix+MixUp is more accurate than the baseline"]
    assert chosen["data"].tolist() == ["digits, 0.1 of the images", "digits, 0.2 of the images"]


def test_the_exhibits_are_files_of_their_own(measured, report):
    names = {file.name for file in report.files}
    for stem in (
        "accuracy-digits",
        "attacks-digits",
        "gradcam-digits-gradcam-maps",
        "figure-2",
        "table-1-digits-smoke",
    ):
        assert {f"{stem}.png", f"{stem}.svg", f"{stem}.csv"} <= names, stem
    for stem in ("accuracy-digits", "attacks-digits", "gradcam-digits", "table-1-digits-smoke"):
        assert {f"{stem}-table.csv", f"{stem}-table.tex"} <= names, stem
    assert {"published-values.csv", "published-values.tex", "statements.csv", "statements.tex"} <= names
    tex = (report.page.parent / "exhibits" / "accuracy-digits-table.tex").read_text()
    assert r"accuracy, \%" in tex
    assert r"$\pm$" in tex
    assert tex.startswith(r"\begin{tabular}{lrrrr}")
    numbers = pd.read_csv(report.page.parent / "exhibits" / "accuracy-digits-table.csv")
    document = json.loads((measured / "out" / "accuracy-digits" / "result.json").read_text())
    expected = [row["value"] for row in document["results"] if row["seed"] and row["estimator"] == "accuracy"]
    chosen = numbers[numbers["estimator"] == "accuracy"]
    assert chosen["mean"].mean() == pytest.approx(sum(expected) / 4)


def test_a_smoke_run_is_watermarked_and_claims_nothing(report):
    assert 'class="watermark" role="note">SMOKE RUN' in report.page.read_text()
    rate = report.published[report.published["measure"] == "rate"]
    assert rate["verdict"].tolist() == ["not run"]


def test_twice_the_same_bytes(measured, report, options):
    again = build(options, measured / "out")
    assert report.page.read_bytes() == again.page.read_bytes()
    assert [file.name for file in report.files] == [file.name for file in again.files]
    for one, other in zip(report.files, again.files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.parametrize(
    ("fmix", "verdict"),
    [((83.5, 83.9, 83.2), "agrees"), ((78.0, 78.5, 77.9), "differs"), ((80.0, 84.0, 88.0), "not distinguishable")],
)
def test_verdicts_at_the_papers_scale(fmix, verdict, made_up, quick_masks, options, tmp_path):
    made_up({"none": (80.0, 80.2, 79.9), "mixup": (78.0, 78.1, 77.9), "fmix": fmix})
    report = build(options, tmp_path / "results")
    rate = report.published[report.published["measure"] == "rate"].iloc[0]
    assert rate["verdict"] == verdict
    assert rate["n"] == 3
    claims = report.claims.set_index("claim")["verdict"]
    assert claims["the rate of CutMix is above that of the baseline"] == "not run"
    if verdict != "not distinguishable":
        assert claims["the rate of the baseline is above that of MixUp"] == "holds"


def test_the_closest_settings_stand_beside(made_up, quick_masks, options, tmp_path):
    made_up({"fmix": (83.5, 83.9, 83.2)}, "close")
    far = {"data": "CIFAR-10", "train_images": 10, "epochs": 1, "decoder_scale": 1.0, "preset": "reference"}
    made_up({"fmix": (1.0, 1.1, 1.2)}, "far", title="Another", settings=far, data="digits")
    report = build(options, tmp_path / "results")
    assert report.published["verdict"].iloc[0] == "agrees"


def test_one_data_set_gives_one_verdict(made_up, quick_masks, options, tmp_path):
    rates = {"none": (80.0, 80.2, 79.9), "mixup": (78.0, 78.1, 77.9)}
    made_up(rates, "one")
    made_up(rates | {"cutmix": (81.0, 81.1, 80.9)}, "two", data="CIFAR-10 again")
    made_up(rates | {"cutmix": (81.0, 81.1, 80.9), "fmix": (83.0, 83.1, 82.9)}, "three", data="CIFAR-10 again")
    claims = build(options, tmp_path / "results").claims
    chosen = claims[claims["claim"] == "the rate of the baseline is above that of MixUp"]
    assert sorted(chosen["data"]) == ["CIFAR-10", "CIFAR-10 again"]


def test_a_later_directory_takes_the_place_of_an_earlier_one(made_up, quick_masks, options, tmp_path):
    first = made_up({"fmix": (83.5, 83.9, 83.2)}, "one")
    first.parent.rename(tmp_path / "earlier")
    made_up({"fmix": (90.0, 90.1, 90.2)}, "one")
    report = build(options, tmp_path / "earlier", tmp_path / "results")
    assert len(report.documents) == 1
    assert report.published["ours"].iloc[0] == pytest.approx(90.1)


def test_names_are_escaped(made_up, quick_masks, options, tmp_path):
    wicked = '<script>alert("x")</script>'
    made_up({wicked: (1.0, 2.0), "fmix": (3.0, 4.0)}, title=wicked, conclusions=f"- {wicked}", data=wicked)
    text = build(options, tmp_path / "results").page.read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_paragraphs_and_lists_are_the_lines_of_the_conclusions(made_up, options, tmp_path):
    made_up({"fmix": (3.0, 4.0)}, conclusions="One.\n- A.\n- B.\nTwo.\n\n- C.\n\nThree.\nFour.")
    page = build(options, tmp_path / "results").page.read_text()
    expected = "<p>One.</p><ul><li>A.</li><li>B.</li></ul><p>Two.</p><ul><li>C.</li></ul><p>Three.</p><p>Four.</p>"
    assert f"<h4>What it means</h4>{expected}" in page.replace("\n", "")
    assert "<ul></ul>" not in page.replace("\n", "")


def test_another_figure_than_was_measured_is_refused(measured, quick_masks, options, tmp_path):
    from shutil import copytree

    copied = tmp_path / "copied"
    copytree(measured / "out", copied)
    (copied / "accuracy-digits" / "accuracy.png").write_bytes(b"other")
    report = build(options, copied)
    assert report.exit_status == 1
    assert "accuracy.png: got another file; needs the file that" in str(report.damaged[0])
    assert len(report.damaged) == 1
    assert not any(each.program == "python -m analysis.accuracy" for each in report.documents)
    assert (options.out / "report" / "index.html").exists()


@pytest.mark.parametrize("text", ["{", '{"schema": 1, "results": '])
def test_damaged_documents_are_one_line(text, tmp_path, capsys):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "result.json").write_text(text)
    arguments = ["--results", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m reports.build", arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "result.json: got a file that is not JSON" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_directory_of_results_is_one_line(options, tmp_path):
    with pytest.raises(BadInput, match=r"--results: got .*nowhere; needs directories, one of which is there"):
        run(Config((tmp_path / "nowhere",), options))
    assert not options.out.exists()


def test_documents_of_another_version_are_left_out_and_said(made_up, quick_masks, options, tmp_path, capsys):
    made_up({"fmix": (83.5, 83.9, 83.2)})
    (tmp_path / "results" / "old").mkdir()
    for text in ("[]", '{"schema": 1, "results": []}', '{"schema": 0}'):
        (tmp_path / "results" / "old" / "result.json").write_text(text)
        report = build(options, tmp_path / "results")
        assert len(report.documents) == 1
        assert "left out: " in capsys.readouterr().out


def test_a_dry_run_says_what_is_there(measured, options, capsys):
    assert run(Config((measured / "out",), replace(options, dry_run=True))) is None
    said = capsys.readouterr().out
    assert "Grad-CAM: " in said
    assert "Human uncertainty: nothing" in said
    assert not options.out.exists()


def test_the_records_that_come_with_the_toolkit(options):
    report = build(options, ROOT / "results")
    assert len(report.documents) >= 12
    assert report.damaged == []
    assert report.exit_status == 0
    assert report.page.stat().st_size < 5_000_000
    text = report.page.read_text()
    assert "/work" not in text
    assert not re.search(r"(?<![\w./-])/(home|root|tmp)/", text)
    assert "agrees" not in set(report.published["verdict"])  # nothing has been run at the paper's scale


def test_in_a_real_browser(report):
    """Headless Chromium: no message on the console, nothing broken or too wide, and a number opens its runs."""
    api = pytest.importorskip("playwright.sync_api")
    from shutil import which

    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width in (360, 768, 1440):
            for scheme in ("light", "dark"):
                page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
                said = []
                page.on("console", lambda message, said=said: said.append(message.text))
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                page.goto(report.page.as_uri())
                where = f"{width} {scheme}"
                assert said == [], where
                root = "document.documentElement"
                assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), where
                assert page.evaluate("[...document.images].every(each => each.complete && each.naturalWidth)"), where
        button = page.locator("#accuracy td button").first
        button.press("Enter")
        opened = page.locator(":popover-open")
        assert opened.count() == 1
        opened.locator("li button").first.press("Enter")
        assert page.locator(":popover-open pre").count() == 1
        page.keyboard.press("Escape")
        assert page.locator(":popover-open pre").count() == 0
        browser.close()


def test_the_command_line(measured, quick_masks, tmp_path):
    ended = called("reports.build", "--results", str(measured / "out"), "--out", str(tmp_path), "--json", "-")
    assert ended.status == 0, ended
    document = json.loads(ended.out)
    assert {row["verdict"] for row in document["results"]} >= {"not run"}
    assert str(tmp_path / "report" / "index.html") in ended.err


@pytest.mark.parametrize(
    "name", ["d/../../../../x.png", "../../escaped.png", "/absolute/x.png", "..", "", "a\\x.png", "new\nline.png"]
)
def test_a_document_whose_files_are_paths_is_refused_and_writes_nothing(name, made_up, options, tmp_path, capsys):
    directory = made_up({"fmix": (83.5, 83.9, 83.2)})
    picture = tmp_path / "results" / "x.png"
    picture.write_bytes(b"picture")
    found = json.loads((directory / "result.json").read_text())
    found["files"] = {name: digest_of(picture)}
    (directory / "result.json").write_text(json.dumps(found))
    before = sorted(tmp_path.rglob("*"))
    arguments = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out" / "of" / "it")]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m reports.build", arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "result.json: got a file called" in error
    assert "needs names of files beside it, without directories" in error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("where", ["report", "report/exhibits", "report/index.html", "report/exhibits/figure-2.png"])
def test_a_report_is_not_written_through_links(where, made_up, quick_masks, options, tmp_path):
    made_up({"fmix": (83.5, 83.9, 83.2)})
    outside = tmp_path / "outside"
    outside.mkdir()
    link = options.out / where
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / "made" if link.suffix else outside)
    with pytest.raises(BadInput, match="got a link to"):
        build(options, tmp_path / "results")
    assert list(outside.iterdir()) == []
    assert [path for path in options.out.rglob("*") if path.is_file()] == []
