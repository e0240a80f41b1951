import json

import pytest

import store.__main__ as program
from store import Run
from store.command_line import command
from store.keeping import frame, garbage, verify
from store.runs import now, provenance


@pytest.fixture
def runs(tmp_path):
    """One finished run, one failed, one under way."""
    made = {}
    for name in ("done", "failed", "partial"):
        run = made[name] = Run(tmp_path / "runs", "vae", name, {"config": {"name": name}, "seed": 1, "data": {}})
        run.path.mkdir(parents=True)
        run.begin()
        run.weights.write_bytes(name.encode())
        run.resume.write_bytes(b"checkpoint")
    origin = provenance("cpu", 1)
    made["done"].finish(metrics={"seconds": 2.0}, started=now(), origin=origin)
    made["failed"].fail("diverged", started=now(), origin=origin, keep_checkpoint=True)
    return made


def status_of(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        command(program.Config, program.run, "python -m store", [str(each) for each in arguments])
    out = capsys.readouterr()
    return stop.value.code, out.out, out.err


def test_a_changed_and_a_missing_file_are_found(runs, tmp_path, capsys):
    arguments = ["verify", "--store", tmp_path / "runs"]
    assert status_of(capsys, *arguments) == (0, "", "1 of 1 runs are what was written\n")
    runs["done"].weights.write_bytes(b"other")
    code, out, error = status_of(capsys, *arguments)
    assert (code, error) == (1, "0 of 1 runs are what was written\n")
    assert "weights.safetensors is not what was written" in out
    runs["done"].weights.unlink()
    assert verify(tmp_path / "runs")[0]["found"] == "weights.safetensors is missing"
    (runs["done"].path / "result.json").write_text("{")
    assert "not JSON" in verify(tmp_path / "runs")[0]["found"]


def test_a_record_that_names_a_file_elsewhere_reads_nothing_there(runs, tmp_path):
    path = runs["done"].path / "result.json"
    record = json.loads(path.read_text())
    secret = tmp_path / "secret"
    secret.write_text("secret")
    path.write_text(json.dumps(record | {"files": {"../../../secret": "0" * 64}}))
    assert verify(tmp_path / "runs")[0]["found"] == "../../../secret is missing"


def test_what_nothing_needs_is_deleted_and_nothing_else(runs, tmp_path, capsys):
    left = runs["partial"].path / ".config.json.0123abcd.tmp"
    left.write_bytes(b"half")
    runs["done"].resume.write_bytes(b"left behind")
    before = {path for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    code, out, error = status_of(capsys, "gc", "--store", tmp_path / "runs")
    assert code == 0
    assert "2 files" in error
    assert "can be deleted" in error
    assert "half written" in out
    assert {path for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before | set()
    status_of(capsys, "gc", "--store", tmp_path / "runs", "--delete")
    after = {path for path in (tmp_path / "runs").rglob("*") if path.is_file() and path.name != ".lock"}
    assert before - after == {left, runs["done"].resume}
    assert runs["partial"].resume.exists()
    status_of(capsys, "gc", "--store", tmp_path / "runs", "--failed", "--delete")
    assert [run.status for run in runs.values()] == ["done", "new", "partial"]


def test_a_run_that_is_worked_on_is_left_alone(runs, tmp_path):
    left = runs["partial"].path / ".config.json.0123abcd.tmp"
    left.write_bytes(b"half")
    with runs["partial"].lock():
        assert [row["path"] for row in garbage(tmp_path / "runs")] == []
    assert [row["path"] for row in garbage(tmp_path / "runs")] == [left.as_posix()]


def test_as_a_data_frame(runs, tmp_path):
    table = frame(tmp_path / "runs").set_index("name")
    assert table["status"].to_dict() == {"done": "done", "failed": "failed", "partial": "partial"}
    assert table.loc["done", "seconds"] == 2.0


def test_a_failed_run_can_be_tried_again_from_its_checkpoint(runs):
    assert runs["failed"].status == "failed"
    runs["failed"].retry()
    assert runs["failed"].status == "partial"
    assert runs["failed"].resume.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--delete"], "--delete: got with list; needs gc"),
        (["show", "nothing"], "'nothing', which matches no run"),
        (["tidy"], "ACTION"),
    ],
)
def test_mistakes_are_one_line(arguments, words, tmp_path, runs, capsys):
    code, _, error = status_of(capsys, *arguments, "--store", tmp_path / "runs")
    assert code == 2
    assert words.lower() in error.lower()
    assert error.count("\n") == 1
