import json
import os
import pickle
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from store import BadInput, Run, list_runs, write_atomically, write_json
from store.runs import now


def a_run(store: Path, **identity) -> Run:
    return Run(store, "vae", "digits-fmix-seed1", {"version": 1, "seed": 1} | identity)


def test_the_hash_depends_on_the_identity_and_on_nothing_else(tmp_path):
    one = Run(tmp_path / "a", "vae", "x", {"a": 1, "b": [1, 2]})
    assert Run(tmp_path / "b", "vae", "other name", {"b": [1, 2], "a": 1}).hash == one.hash
    assert Run(tmp_path / "a", "vae", "x", {"a": 2, "b": [1, 2]}).hash != one.hash
    assert Run(tmp_path / "a", "classifier", "x", {"a": 1, "b": [1, 2]}).hash != one.hash


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "<script>alert(1)</script>", "/absolute", "ε ø 漢", "a/b\\c", ".."]
)
def test_a_name_never_leaves_its_directory(tmp_path, name):
    path = Run(tmp_path, "vae", name, {}).path
    assert path.parent == tmp_path / "vae"
    assert not set(path.name) & set("<>/\\ .")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})

    def killed_in_the_middle():
        with write_atomically(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        killed_in_the_middle()
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_records_hold_finite_numbers_only(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_run_goes_from_new_to_done(tmp_path):
    run = a_run(tmp_path)
    assert run.status == "new"
    with run.lock():
        run.begin()
        assert run.status == "partial"
        run.resume.write_bytes(b"checkpoint")
        run.weights.write_bytes(b"weights")
        run.finish(metrics={"rate": 1.5}, started="2026-01-01", origin={"device": "CPU"})
    assert run.status == "done"
    assert not run.resume.exists()
    record = run.result()
    assert record["metrics"] == {"rate": 1.5}
    assert record["hash"] == run.hash
    assert record["seed"] == 1
    assert len(record["files"]["weights.safetensors"]) == 64


def test_a_failure_is_recorded_and_forgotten_on_demand(tmp_path):
    run = a_run(tmp_path)
    run.begin()
    run.fail("the loss became nan", started="2026-01-01", origin={})
    assert run.status == "failed"
    assert run.failure()["error"] == "the loss became nan"
    run.forget()
    assert run.status == "new"


def test_another_schema_is_refused(tmp_path):
    run = a_run(tmp_path)
    write_json(run.path / "result.json", {"schema": 99})
    with pytest.raises(BadInput, match=r"result\.json: got schema version 99; needs schema version 1"):
        run.result()


def test_the_log_is_rewound_to_the_checkpoint(tmp_path):
    run = a_run(tmp_path)
    run.begin()
    for step in (10, 20, 30):
        run.log({"step": step})
    with open(run.path / "log.jsonl", "a") as log:
        log.write('{"step": 4')  # cut short by a kill
    run.rewind_log(20)
    assert (run.path / "log.jsonl").read_text() == '{"step": 10}\n{"step": 20}\n'


HOLDER = """
    import sys, time
    from pathlib import Path
    from store import Run
    run = Run(Path(sys.argv[1]), "vae", "digits-fmix-seed1", {"version": 1, "seed": 1})
    with run.lock():
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
        (run.path / "done-by-holder").touch()
"""


@pytest.fixture
def holder(tmp_path):
    processes = []

    def start(seconds: float) -> subprocess.Popen:
        program = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path), str(seconds)]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_waits_and_says_so(tmp_path, holder):
    holder(1.0)
    run = a_run(tmp_path)
    assert run.busy()
    said = []
    with run.lock(said.append):
        assert (run.path / "done-by-holder").exists()
    assert said == [f"{run.path} is being worked on by another process; waiting for it"]


def test_a_killed_process_holds_nothing(tmp_path, holder):
    process = holder(60.0)
    run = a_run(tmp_path)
    assert run.busy()
    process.kill()
    process.wait()
    start = time.monotonic()
    with run.lock():
        assert time.monotonic() - start < 5
    assert not run.busy()


def test_listing_survives_damage(tmp_path):
    good = a_run(tmp_path)
    good.begin()
    good.finish(metrics={}, started="", origin={})
    bad = a_run(tmp_path, seed=2)
    bad.path.mkdir(parents=True)
    (bad.path / "result.json").write_text("{trunc")
    os.makedirs(tmp_path / "vae" / "an empty directory")
    rows = list_runs(tmp_path)
    assert sorted(row["status"] for row in rows) == ["done", "unreadable"]


def test_what_was_half_written_is_removed_when_a_run_goes_on(tmp_path):
    run = a_run(tmp_path)
    run.path.mkdir(parents=True)
    (run.path / ".resume.pt.0123abcd.tmp").write_bytes(b"half")
    (run.path / "resume.pt").write_bytes(b"whole")
    with run.lock():
        run.begin()
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "config.json", "resume.pt"]


def test_a_run_whose_directory_was_taken_away_is_not_done(tmp_path):
    run = Run(tmp_path, "vae", "digits-none-seed1", {"seed": 1})
    run.begin()
    (run.path / "config.json").unlink()
    with pytest.raises(BadInput, match="got a directory that was emptied while the run was under way"):
        run.finish(metrics={}, started="", origin={})
    assert run.status == "new"


@pytest.mark.parametrize("key", ["config", "seed", "metrics", "files"])
def test_a_record_that_is_not_of_the_run_is_refused(tmp_path, key):
    run = Run(tmp_path, "vae", "digits-none-seed1", {"config": {"width": 32, "places": (0.5, 0.75)}, "seed": 1})
    run.begin()
    run.finish(metrics={"rate": 1.0}, started="", origin={})
    assert run.result()["metrics"] == {"rate": 1.0}
    path = run.path / "result.json"
    record = json.loads(path.read_text())
    del record[key]
    path.write_text(json.dumps(record))
    with pytest.raises(BadInput, match=f"a record with another {key} than this run's"):
        run.result()


def test_a_record_that_lacks_something_says_so(tmp_path):
    run = Run(tmp_path, "toy", "toy-seed1", {"seed": 1})
    with run.lock():
        run.begin()
        run.finish(metrics={"loss": 1.0}, started=now(), origin={})
    record = run.result()
    assert record == json.loads((run.path / "result.json").read_text())
    assert pickle.loads(pickle.dumps(record)) == record
    assert record.get("curve") is None
    for missing, inside in (("curve", record), ("accuracy", record["metrics"])):
        with pytest.raises(BadInput, match=rf"result\.json: got a record without '{missing}'"):
            inside[missing]
