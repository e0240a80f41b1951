"""The report's tables show what the records hold."""

from dataclasses import replace

from analysis.table import UNDER_TRAINED
from reports.documents import read_document
from reports.sections import _information
from results.remake import RESULTS


def test_under_trained_vaes_and_the_linear_one_stand_in_the_reports_table():
    document = read_document(RESULTS / "scales" / "table-1-fashion-mnist" / "result.json", "scales")
    table = _information(document)
    names = [(line[0].text, line[1].text) for line in table.lines]
    assert ("baseline", "1") in names  # better than the linear VAE at this scale, and worse at the others
    assert {("baseline ‡", "0.3"), ("baseline ‡", "0.1")} <= set(names)
    assert [name for name, _ in names].count("linear VAE") == 3
    assert UNDER_TRAINED in table.notes
    assert r"\ddag{}" in table.latex()
    place = list(table.head).index("−ELBO")
    cells = {name: line[place].text for name, line in zip(names, table.lines, strict=True)}
    assert cells["linear VAE", "1"] == "92.1"
    assert cells["baseline", "1"].startswith("78.4 ± ")
    # older records have no such field
    older = [{key: row[key] for key in row if key != "under_trained"} for row in document.results]
    plain = _information(replace(document, results=older))
    assert not any("‡" in line[0].text for line in plain.lines)
    assert UNDER_TRAINED not in plain.notes
