"""Nothing is written, replaced or deleted outside the store and the output, nor what is not ours."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock
from matplotlib.figure import Figure

import store.__main__ as program
from figures import save
from findings import Result
from findings.document import publish
from store import BadInput, Run, below, write_atomically, write_json
from store.command_line import Options, command, parse
from store.keeping import garbage
from tasks import DataOptions
from training.reuse import once

ROOT = Path(__file__).parents[2]

MOUNTS = (
    shutil.which("unshare")
    and not subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode
)
"""Whether this user may mount in a name space of its own, so that no other process sees it."""


def everything(directory: Path) -> dict[str, bytes]:
    """What is in a directory, byte for byte."""
    return {path.as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def gc(root: Path, *more: str) -> None:
    with pytest.raises(SystemExit) as stop:
        command(program.Config, program.run, "python -m store", ["gc", "--store", str(root), "--delete", *more])
    assert stop.value.code == 0


def a_run(root: Path, **identity) -> Run:
    return Run(root, "vae", "digits-seed1", {"seed": 1} | identity)


@pytest.fixture
def outside(tmp_path):
    """A directory of somebody else's, whose files are called as ours are."""
    directory = tmp_path / "outside"
    directory.mkdir()
    for name in ("thesis.tex", ".config.json.0123abcd.tmp", "resume.pt", "result.json", "weights.safetensors"):
        (directory / name).write_text("precious")
    return directory


# --json FILE


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    Options(json=str(pipe)).write({"results": []})
    reader.join(timeout=30)
    assert json.loads(read[0]) == {"results": []}
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_is_written_into_and_stays_a_device(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.write_text("a container may make devices and not open them")
    except PermissionError:
        pytest.skip("needs the right to make devices")
    Options(json=str(device)).write({"results": []})
    assert stat.S_ISCHR(device.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [device]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_stays_a_link(tmp_path, there):
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json"
    if there:
        real.write_text("old")
    link.symlink_to(real)
    Options(json=str(link)).write({"results": [1]})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"results": [1]}
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "elsewhere", real, link])


def test_another_name_of_the_same_file_keeps_the_old_content(tmp_path):
    (tmp_path / "kept").write_text("old")
    os.link(tmp_path / "kept", tmp_path / "file")
    with write_atomically(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "kept").read_text() == "old"
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("name", ["directory", "link-to-directory", "loop", "nowhere/x.json", "file/x.json", ""])
def test_what_no_document_can_be_written_to_is_refused_before_the_work(tmp_path, name):
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link-to-directory").symlink_to(tmp_path / "directory")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(BadInput, match="--json: got "):
        Options(json=str(tmp_path / name) if name else "")


@pytest.mark.parametrize("option", ["--store", "--out", "--json"])
@pytest.mark.parametrize("value", ["", "~root/x"])
@pytest.mark.parametrize("joined", [True, False])
def test_nothing_and_somebody_elses_home_are_refused(option, value, joined, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [f"{option}={value}"] if joined else [option, value]
    with pytest.raises(SystemExit) as stop:
        command(Options, lambda options: pytest.fail("ran"), "python -m test", arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert option in error
    assert not list(tmp_path.iterdir())


def test_a_home_that_the_shell_left_is_written_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for arguments, found in (
        (["--store=~/x", "--out", "~"], {"store": tmp_path / "x", "out": tmp_path}),
        (["--json", "~/a~b.json"], {"json": str(tmp_path / "a~b.json")}),
        (["--out", "a/~/b"], {"out": Path("a/~/b")}),
    ):
        options = parse(Options, "python -m test", arguments)
        assert {name: getattr(options, name) for name in found} == found
    options = parse(DataOptions, "python -m test", ["--data=npz:~/d.npz", "--data-root", "~/d", "--data-name", "~5"])
    assert (options.data, options.data_root, options.data_name) == (f"npz:{tmp_path}/d.npz", tmp_path / "d", "~5")


def test_a_home_in_a_script_is_refused(tmp_path):
    with pytest.raises(BadInput, match="--out: got '~/x'; needs a path with the home directory written out"):
        Options(out=Path("~/x"))
    Options(out=tmp_path / "~" / "x", store=Path(), json=None)  # no home, and the working directory, which is meant


# store gc


def test_gc_follows_no_link_out_of_the_store(tmp_path, outside):
    proj = outside / "proj"
    proj.mkdir()
    for name in (".notes.tmp", ".result.json.0123abcd.tmp", "result.json", "resume.pt"):
        (proj / name).write_text("{}")
    root = tmp_path / "store"
    (root / "vae").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    (root / "vae" / "x-0123456789ab").symlink_to(outside)
    before = everything(outside)
    gc(root, "--failed")
    assert everything(outside) == before


def test_gc_deletes_nothing_of_other_programs(tmp_path, outside):
    """Not where the layout is by chance ours, nor under another's record, nor in a mock home directory."""
    foreign = {"thesis": {"not": "ours"}, "x-0123456789ab": {"schema": 1, "kind": "classifier"}, "notes-y": {}}
    for name, record in foreign.items():
        directory = tmp_path / "vae" / name
        directory.mkdir(parents=True)
        for file in ("failure.json", "thesis.tex", "resume.pt", ".resume.pt.0123abcd.tmp", ".lock"):
            (directory / file).write_text(json.dumps(record))
    own_kind = tmp_path / "vae" / "thesis-of-mine"  # a record of ours that somebody has put elsewhere
    own_kind.mkdir()
    write_json(own_kind / "failure.json", {"schema": 1, "kind": "vae"})
    (own_kind / "resume.pt").write_text("precious")
    before = everything(tmp_path)
    gc(tmp_path, "--failed")
    assert everything(tmp_path) == before


def test_gc_deletes_in_a_failed_run_what_bears_our_names(tmp_path, outside):
    run = a_run(tmp_path / "store")
    run.begin()
    run.resume.write_bytes(b"x")
    run.fail("diverged", started="", origin={}, keep_checkpoint=True)
    for name in (".batch-100-00001.npz", "posterior-fmix+mixup-seed1-clean.npz", ".weights.safetensors.0123abcd.tmp"):
        (run.path / name).write_bytes(b"x")
    (run.path / "thesis.tex").write_text("precious")
    (run.path / ".notes.tmp").write_text("precious")
    (run.path / "new\nline").write_text("precious")
    (run.path / "logits.npz").symlink_to(outside / "thesis.tex")
    (run.path / "sums.npz").mkdir()
    before = everything(outside)
    gc(tmp_path / "store", "--failed")
    left = {path.name for path in run.path.iterdir()}
    assert left == {"thesis.tex", ".notes.tmp", "new\nline", "logits.npz", "sums.npz"}
    assert everything(outside) == before


def test_gc_waits_for_no_pipe(tmp_path):
    run = a_run(tmp_path)
    run.begin()
    os.mkfifo(run.path / "result.json")
    assert garbage(tmp_path) == []


# a run's directory


@pytest.mark.parametrize("what", ["the run", "its kind"])
@pytest.mark.parametrize("force", [False, True])
def test_a_run_whose_directory_is_a_link_is_refused_and_nothing_is_touched(tmp_path, outside, what, force):
    root = tmp_path / "store"
    run = a_run(root)
    if what == "the run":
        run.path.parent.mkdir(parents=True)
        run.path.symlink_to(outside)
    else:
        root.mkdir()
        (root / "vae").symlink_to(outside)
    before = everything(tmp_path)
    with pytest.raises(BadInput, match=r"a link to .*outside; needs no link here"):
        once(run, Options(store=root, force=force), lambda: pytest.fail("worked"))
    assert everything(tmp_path) == before
    for act in (run.begin, run.forget):
        with pytest.raises(BadInput, match="a link"):
            act()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["log.jsonl", "resume.pt", ".lock", "weights.safetensors", "config.json"])
@pytest.mark.parametrize("there", [False, True])
def test_a_link_among_a_runs_files_is_refused(tmp_path, outside, name, there):
    root = tmp_path / "store"
    run = a_run(root)
    run.path.mkdir(parents=True)
    (run.path / name).symlink_to(outside / ("thesis.tex" if there else "made"))
    before = everything(tmp_path)
    for force in (False, True):
        with pytest.raises(BadInput, match=f"{name}: got a link to "):
            once(run, Options(store=root, force=force), lambda: pytest.fail("worked"))
    assert everything(tmp_path) == before
    assert not (outside / "made").exists()


def test_a_pipe_among_a_runs_files_is_refused_and_not_waited_for(tmp_path):
    run = a_run(tmp_path)
    run.path.mkdir(parents=True)
    os.mkfifo(run.path / "log.jsonl")
    with pytest.raises(BadInput, match="a device, a pipe or a socket"), run.lock():
        pass


def test_a_log_with_another_name_elsewhere_is_not_written_to_there(tmp_path):
    run = a_run(tmp_path / "store")
    run.begin()
    run.log({"step": 1})
    os.link(run.path / "log.jsonl", tmp_path / "backup.jsonl")  # as `cp --link` makes them
    run.rewind_log(1)  # as every training begins
    run.log({"step": 2})
    assert (tmp_path / "backup.jsonl").read_text() == '{"step": 1}\n'


def test_forcing_a_run_leaves_the_files_of_others(tmp_path):
    run = a_run(tmp_path)
    run.begin()
    run.weights.write_bytes(b"x")
    (run.path / "thesis.tex").write_text("precious")
    run.forget()
    assert [path.name for path in run.path.iterdir()] == ["thesis.tex"]


def test_a_store_that_is_a_link_is_a_store(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "real")
    run = a_run(tmp_path / "store")
    with run.lock():
        run.begin()
    assert a_run(tmp_path / "real").status == "partial"
    write_atomically_beside = run.path / ".config.json.0123abcd.tmp"
    write_atomically_beside.write_bytes(b"half")
    gc(tmp_path / "store")
    assert not write_atomically_beside.exists()


@pytest.mark.parametrize("path", ["a/../../x", "../x", "a/.."])
def test_a_path_that_climbs_is_refused(tmp_path, path):
    with pytest.raises(BadInput, match="leads out of"):
        below(tmp_path / path, tmp_path)
    with pytest.raises(BadInput, match="leads out of"):
        below(Path("/elsewhere"), tmp_path)


READER = """
import sys
from pathlib import Path
from store import Run
from store.command_line import Options
from tasks import DataOptions
from training.reuse import once
run = Run(Path(sys.argv[1]), "vae", "digits-seed1", {"seed": 1})
print(once(run, Options(), lambda: 1 / 0).fresh, run.busy())
"""


def finished(root: Path) -> Run:
    run = a_run(root)
    with run.lock():
        run.begin()
        run.finish(metrics={}, started="", origin={})
    return run


@pytest.mark.skipif(not MOUNTS, reason="needs the right to mount")
def test_a_finished_run_in_a_store_that_is_mounted_to_be_read_is_reused(tmp_path):
    finished(tmp_path / "store")
    script = f'mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path} && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", READER, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "False False\n", done.stderr


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_only_a_finished_run_is_reused_without_its_lock(tmp_path, monkeypatch, number):
    def refuse(*_arguments, **_named):
        raise OSError(number, "refused")

    run, other = finished(tmp_path), a_run(tmp_path, more=1)
    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert not once(run, Options(), lambda: pytest.fail("worked")).fresh
    assert not run.busy()
    with pytest.raises(OSError, match="refused"):
        once(other, Options(), lambda: pytest.fail("worked"))


# --out


def test_figures_and_documents_are_not_written_through_links(tmp_path, outside):
    out, data = tmp_path / "out", pd.DataFrame({"x": [1]})
    out.mkdir()
    (out / "job").symlink_to(outside)
    before = everything(tmp_path)
    result, about = Result([{"value": 1.0}]), {"title": "t"}
    with pytest.raises(BadInput, match="job: got a link to"):
        save(Figure(), out / "job" / "figure", data)
    with pytest.raises(BadInput, match="job: got a link to"):
        publish(result, "python -m test", Config(out), out / "job", about, [])
    assert everything(tmp_path) == before
    (out / "job").unlink()
    (out / "job").mkdir()
    (out / "job" / "rows.csv").symlink_to(outside / "thesis.tex")
    (out / "job" / "figure.svg").symlink_to(outside / "made")
    with pytest.raises(BadInput, match=r"figure\.svg: got a link to"):
        save(Figure(), out / "job" / "figure", data)
    with pytest.raises(BadInput, match=r"rows\.csv: got a link to"):
        publish(result, "python -m test", Config(out), out / "job", about, [])
    assert everything(outside) == {path: content for path, content in before.items() if "/outside/" in path}


class Config:
    """The configuration of a job, as far as a document needs it."""

    def __init__(self, out: Path) -> None:
        self.execution = Options(out=out, quiet=True)


def test_a_directory_of_its_own_may_lie_anywhere(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real")
    data = pd.DataFrame({"x": [1]})
    for stem in (tmp_path / "out" / "job" / "a", Path("b"), Path("../c"), Path("../new/d")):
        assert all(path.is_file() for path in save(Figure(), stem, data))


def worked(store, *, finish, uid=None, groups=()) -> str:
    """Work on a run in a process of its own, under a umask that keeps all to oneself, as another user if asked.

    Forked, because Python itself may be where no other user can read it. What the run was before, or the error.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.umask(0o077)
            if uid is not None:
                os.setgroups(groups)
                os.setgid(uid)
                os.setuid(uid)
            run = Run(store, "toy", "toy-seed1", {"seed": 1}, {})
            with run.lock():
                said = run.status
                if said != "done":
                    run.begin()
                    run.log({"step": 1})
                    if finish:
                        run.finish(metrics={}, started="2026-01-01T00:00:00+00:00", origin={})
        except BaseException as problem:
            said = type(problem).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_what_comes_into_a_groups_directory_is_the_groups_under_any_umask(tmp_path):
    store, own = tmp_path / "shared", tmp_path / "own"
    store.mkdir()
    own.mkdir()
    store.chmod(0o2770)
    for directory in (store, own):
        assert worked(directory, finish=True) == "new"
    for path in store.rglob("*"):
        wanted = 0o2770 if path.is_dir() else 0o660
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    for path in own.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.skipif(os.geteuid() != 0, reason="needs several users, whom only root can be")
def test_two_users_of_a_group_go_on_with_each_others_runs(tmp_path):
    store = tmp_path / "shared"
    store.mkdir()
    os.chown(store, 0, 4321)
    store.chmod(0o2770)
    for directory in (tmp_path, *tmp_path.parents):  # pytest's directories are their owner's
        if stat.S_IMODE(directory.stat().st_mode) == 0o700:
            directory.chmod(0o711)
    assert worked(store, finish=False, uid=12001, groups=[4321]) == "new"
    assert worked(store, finish=True, uid=12002, groups=[4321]) == "partial"
    assert worked(store, finish=True, uid=12001, groups=[4321]) == "done"
    assert worked(store, finish=True, uid=12003) == "PermissionError"
