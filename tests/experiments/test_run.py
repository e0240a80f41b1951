import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analysis import accuracy
from classifiers.train import Settings
from experiments.paper import EXPERIMENTS, Scale
from experiments.run import Config, run
from experiments.steps import execute, particulars, seconds_of, steps_of
from store import BadInput, Run, list_runs
from store.command_line import command
from tasks import DataOptions
from tests.calls import ROOT, wait_for, workers_of
from training.job import Step

FAST = Settings(epochs=2, width=2)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_its_steps_in_order(name, options):
    scale = Scale(DataOptions("digits"), 2, classifier=FAST, human=Path("human.npz"), execution=options)
    scale = replace(scale, texts=("made-up-sentences",), sound="made-up-sounds", shapes="made-up-shapes")
    scale = replace(scale, classifier=replace(FAST, batch_size=32), graphemes="made-up-graphemes")
    steps = steps_of(EXPERIMENTS[name](scale))
    seen = set()
    for step in steps:
        assert set(step.needs) <= seen, step.name
        assert step.name not in seen
        seen.add(step.name)
        assert step.status == "new"
    assert steps[-1].kind == "document"
    assert all(step.needs for step in steps if step.kind == "document")
    assert not options.store.exists()


def test_what_is_asked_of_the_data_holds_for_texts(options):
    data = DataOptions("digits", data_name="images of mine", data_root=options.store, train_images=100)
    scale = Scale(data, texts=("made-up-sentences", "rotten-tomatoes"), classifier=FAST, execution=options)
    asked = [config.data for config in EXPERIMENTS["table-5"](scale)]
    assert asked == [
        DataOptions(name, data_root=options.store, train_images=100)
        for name in ("made-up-sentences", "rotten-tomatoes")
        for _ in ("text-cnn", "text-lstm")
    ]


def test_table_4_is_of_a_network_for_each_question_and_of_one_for_all(options):
    scale = Scale(DataOptions("digits"), 2, True, FAST, execution=options)
    apart, together = EXPERIMENTS["table-4"](scale)
    assert [config.apart for config in (apart, together)] == [True, False]
    assert {config.data.data for config in (apart, together)} == {"made-up-graphemes"}
    networks = [step for step in steps_of([apart, together]) if step.kind == "classifier"]
    assert len(networks) == 4 * (3 + 1)
    published, _ = EXPERIMENTS["table-4"](
        replace(scale, smoke=False, graphemes="bengali:folder", classifier=Settings())
    )
    wanted = {"network": "timm:legacy_seresnext50_32x4d", "epochs": 100, "batch_size": 512, "scope": "batch", "crop": 0}
    assert {key: getattr(published.settings, key) for key in wanted} == wanted
    with pytest.raises(BadInput, match="--graphemes: got nothing; needs bengali:FOLDER, bengali-printed"):
        list(EXPERIMENTS["table-4"](replace(scale, smoke=False)))


def test_table_7_is_of_sound_with_two_alphas_and_of_shapes(options):
    scale = Scale(DataOptions("digits"), 2, classifier=FAST, sound="commands:folder", execution=options)
    assert [config.settings.alpha for config in EXPERIMENTS["table-7"](scale)] == [1.0, 0.2]
    scale = replace(scale, sound=None, shapes="cad-parts:file")
    (shapes,) = EXPERIMENTS["table-7"](scale)
    assert (shapes.data.data, shapes.settings.scope) == ("cad-parts:file", "batch")
    with pytest.raises(BadInput, match="--sound: got nothing, nor --shapes; needs commands:FOLDER or other sound"):
        list(EXPERIMENTS["table-7"](replace(scale, shapes=None)))
    smoke = list(EXPERIMENTS["table-7"](replace(scale, smoke=True, shapes=None)))
    assert [config.data.data for config in smoke] == ["made-up-sounds", "made-up-sounds", "made-up-shapes"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "grad-cam",
            "--data: got made-up sentences, whose items are texts; needs images: there are no runs of gradcam",
        ),
        ("figure-1", "needs images: there are no runs of attacks of others"),
        ("information-plane", "needs images, clips of sound, volumes: there are no runs of representations of others"),
        ("table-1", "--data: got made-up sentences, whose items are texts; needs images"),
        ("table-6", "--human: got nothing for --data made-up-sentences; needs an .npz with counts of its test texts"),
    ],
)
def test_what_there_is_not_of_texts_is_refused_before_anything_is_trained(name, words, options):
    scale = Scale(DataOptions("made-up-sentences"), 1, classifier=Settings(epochs=1), execution=options)
    with pytest.raises(BadInput, match=words):
        steps_of(EXPERIMENTS[name](scale))


def test_jobs_share_their_networks(options):
    scale = Scale(DataOptions("digits"), 2, classifier=FAST, human=Path("human.npz"), execution=options)
    counts = {
        name: sum(step.kind == "classifier" for step in steps_of(EXPERIMENTS[name](scale)))
        for name in ("table-2-preact-resnet18", "table-6", "grad-cam", "figure-1", "figure-3", "figure-6", "paper")
    }
    assert counts["table-2-preact-resnet18"] == 8 * 2
    assert counts["table-6"] == counts["grad-cam"] == counts["figure-1"] == 4 * 2
    assert counts["figure-3"] == 5 * 4 * 2
    # α = 1 of FMix is δ = 3 of FMix
    assert counts["figure-6"] == 5 * (4 * 3 + 5 - 1)
    # the whole training set with α = 1 is in Table 2: none, MixUp, FMix and FMix+MixUp
    assert counts["paper"] == 16 + (counts["figure-3"] - 4 * 2) + counts["figure-6"]


def test_networks_of_one_name_are_told_by_what_differs(options):
    scale = Scale(DataOptions("digits"), 2, classifier=FAST, execution=options)
    steps = steps_of(EXPERIMENTS["figure-3"](scale))
    words = particulars(steps)
    networks = [step for step in steps if step.kind == "classifier"]
    assert words == {step.name: f"fraction {step.arguments[0].data.fraction}" for step in networks}
    assert particulars(steps_of(EXPERIMENTS["table-6"](replace(scale, smoke=True)))) == {}
    several = particulars(steps_of(EXPERIMENTS["figure-6"](scale)))
    told = [(step.run.name, several[step.name]) for step in steps_of(EXPERIMENTS["figure-6"](scale)) if step.run]
    assert len(told) == len(set(told))  # no two alike
    assert ("digits-preact-resnet18-fmix-seed1", "fold 2, alpha 1.0, decay power 4.0") in told


def test_a_grid_runs_to_the_end_and_is_found_again(grid, options, capsys):
    config = Config(f"{grid}:small", seeds=1, workers=2, execution=options)
    found = run(config)
    assert found.exit_status == 0
    assert [step.kind for step in found.steps].count("classifier") == 2
    assert (options.out / "accuracy-digits" / "result.json").is_file()
    assert (options.out / "gradcam-digits" / "result.json").is_file()
    assert {row["kind"] for row in list_runs(options.store)} == {"classifier", "gradcam"}
    logs = list((options.out / "logs").rglob("*.log"))
    assert len(logs) == len(found.steps)
    printed = capsys.readouterr()
    assert "accuracy" not in printed.out.replace("analysis.accuracy", "")  # the workers speak to their logs
    before = {path: path.read_bytes() for path in options.store.rglob("result.json")}
    again = run(replace(config, workers=1))
    assert {outcome.fresh for name, outcome in again.outcomes.items() if name.startswith("digits")} == {False}
    assert {path: path.read_bytes() for path in options.store.rglob("result.json")} == before
    assert run(replace(config, execution=replace(options, dry_run=True))) is None
    said = capsys.readouterr().out
    assert "6 steps: 2 done, 4 to do" in said


def test_a_failed_network_stops_no_other(grid, options, in_this_process, capsys):
    config = Config(f"{grid}:wrong", workers=1, execution=options)
    found = run(config)
    assert found.exit_status == 1
    words = {
        (step.kind, step.arguments[0].__class__.__module__): found.outcomes[step.name].status for step in found.steps
    }
    assert words["document", "analysis.accuracy"] == "done"
    assert words["gradcam", "gradcam.sums"] == "skipped"
    assert words["document", "gradcam.sums"] == "skipped"
    failed = [row for row in list_runs(options.store) if row["status"] == "failed"]
    assert len(failed) == 1
    assert "the loss became" in failed[0]["record"]["error"]
    capsys.readouterr()
    assert run(config).exit_status == 1
    assert "--retry-failed tries again" in capsys.readouterr().out
    again = run(replace(config, retry_failed=True))
    assert "the loss became" in next(each.words for each in again.outcomes.values() if each.status == "failed")


def test_an_unforeseen_error_is_recorded_with_its_traceback(options, monkeypatch, tmp_path):
    import classifiers.train as trainer

    (step, _) = steps_of([accuracy.Config(("none",), 1, settings=FAST, execution=options)])

    def broken(*arguments, **more):
        raise RuntimeError("out of something")

    monkeypatch.setattr(trainer, "fit", broken)
    outcome = execute(step, tmp_path / "log")
    assert (outcome.status, outcome.words) == ("failed", "RuntimeError: out of something")
    record = step.run.failure()
    assert record["error"] == "RuntimeError: out of something"
    assert "broken" in record["traceback"]
    assert "Traceback" in (tmp_path / "log").read_text()


def test_what_the_surroundings_did_is_not_recorded(options, monkeypatch, tmp_path):
    import classifiers.train as trainer

    (step, _) = steps_of([accuracy.Config(("none",), 1, settings=FAST, execution=options)])

    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "fit", full)
    outcome = execute(step, tmp_path / "log")
    assert "No space left on device" in outcome.words
    assert step.status == "partial"


def test_a_damaged_checkpoint_fails_and_a_retry_starts_anew(options, tmp_path):
    (step, _) = steps_of([accuracy.Config(("none",), 1, settings=FAST, execution=options)])
    step.run.path.mkdir(parents=True)
    step.run.begin()
    step.run.resume.write_bytes(b"PK\x03\x04 cut short")
    outcome = execute(step, tmp_path / "log")
    assert outcome.status == "failed"
    assert "cannot be loaded" in outcome.words
    assert step.status == "failed"
    step.run.retry()
    assert execute(step, tmp_path / "log").status == "done"


def test_the_time_is_told_from_past_runs(options):
    (step, _) = steps_of([accuracy.Config(("none",), 1, settings=FAST, execution=options)])
    assert seconds_of(options.store)(step) is None
    execute(step)
    assert seconds_of(options.store)(step) == 0.0  # it is done
    (other, _) = steps_of([accuracy.Config(("mixup",), 1, settings=FAST, execution=options)])
    assert seconds_of(options.store)(other) == pytest.approx(step.run.result()["metrics"]["seconds"])


def start(grid: Path, options) -> subprocess.Popen:
    command_line = [
        sys.executable, "-m", "experiments.run", f"{grid}:one", "--workers", "1", "--store", str(options.store),
        "--out", str(options.out), "--checkpoint-seconds", "0.05", "--threads", "1",
    ]  # fmt: skip
    return subprocess.Popen(command_line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_killed_worker_is_replaced(grid, options):
    grid.write_text(grid.read_text().replace("epochs=2", "epochs=10"))
    process = start(grid, options)
    wait_for(lambda: list(options.store.glob("classifier/*/resume.pt")), process)
    for worker in workers_of(process.pid):
        os.kill(worker, signal.SIGKILL)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert "failed" not in out
    assert {row["status"] for row in list_runs(options.store)} == {"done"}


def test_an_interrupted_grid_goes_on(grid, options, in_this_process):
    grid.write_text(grid.read_text().replace("epochs=2", "epochs=10"))
    process = start(grid, options)
    wait_for(lambda: list(options.store.glob("classifier/*/resume.pt")), process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "SIGINT: checkpoints written, the same command goes on" in error
    assert "Traceback" not in error
    assert not workers_of(process.pid)
    assert any(row["status"] == "partial" for row in list_runs(options.store))
    assert run(Config(f"{grid}:one", execution=replace(options, json=str(options.out / "grid.json")))).exit_status == 0
    rows = json.loads((options.out / "grid.json").read_text())["results"]
    assert {row["status"] for row in rows} == {"done"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table-9"], "EXPERIMENT: got 'table-9'; needs one of table-1"),
        (["nowhere.py:grid"], "nowhere.py, where there is no file"),
        (["{grid}:missing"], "my.py:missing; needs something that my.py has"),
        (["table1"], "perhaps table-1?"),
        (["no.such.module:grid"], "(No module named 'no'); needs package.module:NAME"),
        (["{grid}:nothing"], "which yields nothing"),
        (["{grid}:other"], "a configuration of type Scale"),
        (["table-1", "--workers", "0"], "--workers: got 0"),
        (["table-1", "--workers", "2", "--ray", "local"], "--workers: got 2 beside --ray"),
        (["table-1", "--ray", ""], "--ray: got ''; needs local, auto"),
        (["table-1", "--ray", "nonsense"], "--ray: got 'nonsense'; needs local, auto"),
        (["table-1", "--ray", "127.0.0.1"], "HOST:PORT"),
        (["table-1", "--ray", "ray://10.0.0.1:10001"], "HOST:PORT"),
        (["table-1", "--ray", "head:0"], "port 0; needs a port from 1 to 65535"),
        (["table-1", "--ray", "head:٣"], "HOST:PORT"),
        (["table-1", "--ray", "a b:6379"], "HOST:PORT"),
        (["table-1", "--seeds", "0"], "--seeds: got 0"),
    ],
)
def test_mistakes_are_one_line_exit_2_and_nothing_written(arguments, words, grid, tmp_path, capsys):
    arguments = [each.format(grid=grid) for each in arguments]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m experiments.run", [*arguments, "--store", str(tmp_path / "runs")])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_an_experiment_that_fails_is_one_line(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(BadInput, match="which ends in ZeroDivisionError"):
        Config(f"{tmp_path / 'bad.py'}:grid")


def test_a_step_is_the_same_wherever_it_is_done(options, tmp_path):
    (step, _) = steps_of([accuracy.Config(("none",), 1, settings=FAST, execution=options)])
    moved = step.on(replace(options, store=tmp_path / "elsewhere"))
    assert isinstance(moved, Step)
    assert moved.run.hash == step.run.hash
    assert moved.run.path.parent == tmp_path / "elsewhere" / "classifier"
    assert isinstance(moved.run, Run)


def test_seeds_are_added_for_what_is_open_alone(options, tmp_path, capsys):
    grid = tmp_path / "own.py"
    grid.write_text(
        "from analysis import accuracy\nfrom classifiers.train import Settings\nfrom gradcam import sums\n"
        "from tasks import DataOptions\n\n\n"
        "def both(scale):\n"
        "    small = {'data': DataOptions('digits', train_images=60), 'execution': scale.execution}\n"
        "    small['settings'] = Settings(epochs=1, width=2, batch_size=60)\n"
        "    # within a margin of all that an accuracy can be the two are equal at once\n"
        "    yield accuracy.Config(('none', 'mixup'), margin=100.0, **small)\n"
        "    yield sums.Config(('none', 'mixup'), images=8, margin=1e-9, **small)\n"
        "    yield accuracy.Config(('none',), **small)\n"
        "    yield sums.Config(('none', 'mixup'), 1, images=9, **small)\n"
    )
    config = Config(f"{grid}:both", until="decided", workers=1, execution=options)
    assert run(replace(config, execution=replace(options, dry_run=True))) is None
    assert "that is with 3 seeds; with as many as there may be, as far as it is open, " in capsys.readouterr().out
    found = run(config)
    assert found.exit_status == 0
    said = capsys.readouterr().out
    looks = [int(line.split()[1]) for line in said.splitlines() if line.startswith("after ") and "analyses" in line]
    still = [int(line.split()[3]) for line in said.splitlines() if line.startswith("after ") and "analyses" in line]
    assert looks == [3, 5, 8, 12, 20][: len(looks)]
    assert all(number == 1 for number in still[:-1])  # the sums; the accuracies were decided at once
    assert still[-1] == 0 or looks[-1] == 20
    documents = [step for step in found.steps if step.kind == "document"]
    asked = [(type(one.arguments[0]).__module__, int(one.arguments[0].seeds)) for one in documents]
    assert sorted(asked) == sorted(
        [("analysis.accuracy", 3), ("analysis.accuracy", 3), ("gradcam.sums", 1)] + [("gradcam.sums", n) for n in looks]
    )
    trained = {step.arguments[0].seed for step in found.steps if step.kind == "classifier"}
    assert trained == set(range(1, max(looks) + 1))


@pytest.mark.parametrize(
    ("options_given", "complaint"),
    [
        ({"until": "decided", "seeds": 3}, "--seeds: got 3 beside --until decided"),
        ({"most": 8}, "--most: got 8; needs --until decided"),
        ({"until": "decided", "smoke": True}, "--smoke: got beside --until decided"),
    ],
)
def test_a_grid_refuses_what_does_not_go_with_adding_seeds(options_given, complaint):
    with pytest.raises(BadInput) as refused:
        Config("table-1", **options_given)
    assert str(refused.value).startswith(complaint)
