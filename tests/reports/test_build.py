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
    page, runs = Page(text), Page((report.page.parent / "runs.html").read_text())
    ids = {file: [attributes["id"] for _, attributes in each.tags if "id" in attributes]
           for file, each in (("index.html", page), ("runs.html", runs))}  # fmt: skip
    assert all(len(names) == len(set(names)) for names in ids.values())
    for here, each in (("index.html", page), ("runs.html", runs)):
        for address in each.all("a", "href"):
            file, _, anchor = address.partition("#")
            if address.startswith("https://"):
                continue
            assert not anchor or anchor in ids[file or here], address
            assert not file or (report.page.parent / file).is_file(), address
    assert len([address for address in page.all("a", "href") if address.startswith("runs.html#group-")]) > 30
    pictures = page.all("img", "alt")
    assert all(len(words) > 40 for words in pictures)
    of_jobs = {file.stem for file in report.files if file.suffix == ".png"}
    assert len(pictures) == len(of_jobs)
    assert len([name for name in of_jobs if not name.startswith(("differences-", "finding-"))]) == 14
    assert not page.all("script", "src")
    assert not re.search(r'(src|href)="(?!data:|#|https://|runs\.html#|exhibits/)', text)
    for title in ("Mutual information", "Robustness", "Size of the training set"):
        assert title in page.words
    assert text.count("Not run.") == 6  # no ground truth, layers, texts, graphemes, sound or shapes, humans
    assert len(text) < 5_000_000


def test_every_number_leads_to_the_runs_behind_it(report):
    text, runs = report.page.read_text(), (report.page.parent / "runs.html").read_text()
    table = text[text.index('id="accuracy"') :]
    group = re.search(r'<th scope="row">MixUp</th>\s*<td class="">\s*<a href="runs.html#(.*?)">', table)[1]
    opened = runs[runs.index(f'id="{group}"') :]
    opened = opened[: opened.index("</section>")]
    assert re.findall(r"classifier: (\S+)</a>", opened) == [
        "digits-preact-resnet18-mixup-seed1",
        "digits-preact-resnet18-mixup-seed2",
    ]
    run_id = re.search(r'href="#(run-\d+)"', opened)[1]
    record = runs[runs.index(f'id="{run_id}"') :]
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
    page = report.page.read_text()
    assert 'class="watermark" role="note">SMOKE RUN' in page
    assert "<h3>No result (SMOKE RUN" in page  # it is folded, under a heading that says so
    rate = report.published[report.published["measure"] == "rate"]
    assert rate["verdict"].tolist() == ["not run"]


def test_twice_the_same_bytes(measured, report, options):
    again = build(options, measured / "out")
    for name in ("index.html", "runs.html"):
        assert (report.page.parent / name).read_bytes() == (again.page.parent / name).read_bytes()
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
    assert wicked not in text
    assert text.count("<script") == 1  # the page's own
    assert "&lt;script&gt;" in text


def test_what_it_means_is_cut_and_the_rest_is_folded(made_up, quick_masks, options, tmp_path):
    made_up({"fmix": (3.0, 4.0)}, conclusions="One.\n- A.\n- B.\nTwo.\n\n- C.\n\nThree.\nFour.")
    page = build(options, tmp_path / "results").page.read_text().replace("\n", "")
    first = "<p>One.</p><ul><li>A.</li><li>B.</li></ul><p>Two.</p><ul><li>C.</li></ul>"
    assert f"<h4>What it means</h4>{first}<details><summary>In detail</summary>{first}" in page
    assert f"{first}<p>Three.</p><p>Four.</p></details>" in page
    assert "<ul></ul>" not in page


def test_a_documents_own_bottom_line_goes_first(made_up, quick_masks, options, tmp_path):
    made_up({"fmix": (3.0, 4.0)}, conclusions="One. Two.", bottom_line="It is so.")
    page = build(options, tmp_path / "results").page.read_text().replace("\n", "")
    assert "<h4>What it means</h4><p>It is so.</p><details><summary>In detail</summary><p>One. Two.</p>" in page


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


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """The report of the records that come with the toolkit."""
    root = tmp_path_factory.mktemp("committed")
    options = Options(device="cpu", threads=1, store=root / "runs", out=root / "out")
    return run(Config((ROOT / "results",), options))


def test_the_records_that_come_with_the_toolkit(committed):
    report = committed
    assert len(report.documents) >= 12
    assert report.damaged == []
    assert report.exit_status == 0
    for name in ("index.html", "runs.html"):
        page = report.page.parent / name
        assert page.stat().st_size < 5_000_000
        text = page.read_text()
        assert "/work" not in text
        assert not re.search(r"(?<![\w./-])/(home|root|tmp)/", text)
    headings = re.findall(r"<h3>(.*?)</h3>", report.page.read_text())
    assert len(headings) == len(set(headings))
    assert "What layers keep on digits: preact-resnet18, 8 seeds, 360 test images; 300 images × 100 epochs" in headings
    assert "agrees" not in set(report.published["verdict"])  # nothing has been run at the paper's scale


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    api = pytest.importorskip("playwright.sync_api")
    from shutil import which

    chromium = which("chromium") or which("chromium-browser") or which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


UNFOLD = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_real_browser(width, scheme, report, browser):
    """No message on the console, nothing broken, and the page no wider than the screen, folded or not."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for name in ("index.html", "runs.html"):
        page.goto((report.page.parent / name).as_uri())
        for _ in range(2):
            root = "document.documentElement"
            assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), name
            assert page.evaluate("[...document.images].every(each => each.complete && each.naturalWidth)"), name
            images = "[...document.images].map(each => each.getBoundingClientRect())"
            inside = f"{images}.every(box => box.left >= 0 && box.right <= innerWidth)"
            assert page.evaluate(inside), f"{name}: a figure is cut"
            page.evaluate(UNFOLD)
    assert said == []
    page.context.close()


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_committed_records_in_a_browser(width, committed, browser):
    """The page is no wider than the screen, and on a wide one no column of the statements' table is cut."""
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    page.goto(committed.page.as_uri())
    page.evaluate(UNFOLD)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    for key in ("tables", "matrix") if width == 1440 else ("matrix",):
        scroll = page.locator(f"#{key} .scroll").first
        assert scroll.evaluate("each => each.scrollWidth <= each.clientWidth"), key
    page.context.close()


def test_a_number_leads_to_its_run_in_a_browser(report, browser):
    page = browser.new_page()
    page.goto(report.page.as_uri())
    page.locator("#accuracy details", has=page.locator("table")).first.evaluate("each => each.open = true")
    page.locator("#accuracy td a").first.click()
    assert "runs.html#group-" in page.url
    page.locator("section:target li a").first.click()
    assert page.locator("details:target pre").is_visible()
    page.close()


def test_tables_are_sorted_and_filtered_in_a_browser(report, browser):
    page = browser.new_page()
    page.goto(report.page.as_uri())
    page.evaluate(UNFOLD)
    table = page.locator("#accuracy table").first
    head = table.locator("th").nth(1)
    assert head.get_attribute("aria-sort") is None

    def shown():
        return table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()

    for way in ("ascending", "descending"):
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == way
        numbers = [float(text.split()[0]) for text in shown()]
        assert len(numbers) == 2
        assert numbers == sorted(numbers, reverse=way == "descending")
    names = table.locator("th").first
    names.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    assert table.locator("tbody th").all_inner_texts() == ["baseline", "MixUp"]
    page.locator("#accuracy").get_by_label("augmentation").first.select_option("MixUp")
    assert table.locator("tbody th:visible").all_inner_texts() == ["MixUp"]
    statements = page.locator("#tables table").first
    page.locator("#tables").get_by_label("augmentation").first.select_option("CutMix")
    said = statements.locator("tbody th:visible").all_inner_texts()
    assert said
    assert all("CutMix" in text for text in said)
    assert page.locator("#tables [role=status]").first.inner_text().startswith(f"{len(said)} of ")
    hidden = statements.locator("tbody tr[hidden]").first.get_attribute("id")
    page.goto(f"{report.page.as_uri()}#{hidden}")  # an address leads to a line that is filtered out, too
    assert page.locator(f"#{hidden}").is_visible()
    page.close()


def test_without_scripts_everything_is_there(report, browser):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 768, "height": 900})
    page = context.new_page()
    page.goto(report.page.as_uri())
    assert page.locator("main select, main button").count() == 0
    assert page.locator("section").count() == len(Page(report.page.read_text()).all("section", "id"))
    assert page.locator("main img").count() == report.page.read_text().count("<img ")
    page.get_by_role("navigation").get_by_role("link", name="All statements").click()
    page.locator("#tables summary").first.click()
    assert page.locator("#tables tbody tr").first.is_visible()
    page.locator(".matrix a").first.click()
    assert page.locator("tr:target").is_visible()
    context.close()


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


@pytest.mark.parametrize(
    "where",
    ["report", "report/exhibits", "report/index.html", "report/runs.html", "report/exhibits/figure-2.png"],
)
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
