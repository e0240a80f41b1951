import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import pins

ROOT = Path(__file__).resolve().parents[2]
A, B, C = ("sha256:" + digit * 64 for digit in "abc")


def entry(filename, digest=A, **more):
    return {"filename": filename, "url": f"/files/{filename}", "hashes": {"sha256": digest[7:]}} | more


@pytest.fixture
def index(monkeypatch):
    """An index on this machine, to be filled in: what it answers by path, a list of a project's files or any bytes."""
    answers = {}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            content = answers.get(self.path)
            if content is None:
                return self.send_error(404)
            is_project = isinstance(content, list)
            self.send_response(200)
            self.send_header("Content-Type", pins.JSON if is_project else "application/octet-stream")
            self.end_headers()
            listed = {"meta": {"api-version": "1.0"}, "name": "any", "files": content}
            return self.wfile.write(json.dumps(listed).encode() if is_project else content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("no_proxy", "*")
    yield answers
    server.shutdown()
    server.server_close()


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    """A function that writes the two files of pins."""
    monkeypatch.setattr(pins, "ROOT", tmp_path)

    def write(lines, torch=""):
        (tmp_path / "constraints.txt").write_text(lines, encoding="utf-8")
        (tmp_path / "constraints-torch.txt").write_text(torch, encoding="utf-8")
        return tmp_path / "constraints.txt"

    return write


def test_what_is_said_of_pins(index, pinned, capsys):
    index["/simple/up-to-date/"] = [
        entry("up_to_date-1.0-py3-none-any.whl"),
        entry("up_to_date-1.0.tar.gz", B),
        entry("up_to_date-1.0-py3.9.egg", C),  # which pip does not install
        entry("up_to_date-2.0rc1.tar.gz"),
        entry("up_to_date-3.0.tar.gz", yanked="broken"),
        entry("up_to_date-4.0.tar.gz", **{"requires-python": ">=4"}),
    ]
    index["/simple/always-new/"] = [entry("always_new-1.0b1.tar.gz"), entry("always_new-1.0b2.tar.gz")]
    index["/simple/behind/"] = [
        entry("behind-1.0.tar.gz"),
        entry("behind-1.10.tar.gz", **{"requires-python": ">=3.6.*"}),  # which pip takes for none
        entry("behind-1.9.zip"),
    ]
    index["/simple/withdrawn/"] = [entry("withdrawn-1.0.tar.gz", yanked="lost\nits key"), entry("withdrawn-1.1.tar.gz")]
    index["/simple/unexplained/"] = [entry("unexplained-1.0.tar.gz", yanked=True)]
    index["/simple/another/"] = [entry("another-1.1.tar.gz")]
    index["/simple/differs/"] = [entry("differs-1.0.tar.gz", B), entry("differs-1.0-py3-none-any.whl", C)]
    index["/simple/torch/"] = [entry("torch-1.0-py3-none-any.whl"), entry("torch-1.1-py3-none-any.whl")]
    pinned(
        "# a comment\n"
        f"up_to.date==1.0 ; sys_platform == 'win32' \\\n    --hash={A} \\\n    --hash={B}\n"
        f"Always_New==1.0b2 --hash={A}\n"
        f"behind==1.0 --hash={A}\n"
        f"withdrawn==1.0 --hash={A}\n"
        f"unexplained==1.0 --hash={A}\n"
        f"another==1.0 --hash={A}\n"
        f"nowhere==1.0 --hash={A}\n"
        f"differs==1.0 --hash={A} --hash={B}\n",
        torch="torch==1.0\n",
    )
    assert pins.main([]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "behind 1.0: behind 1.10",
        r"withdrawn 1.0: behind 1.1, withdrawn ('lost\nits key')",
        "unexplained 1.0: withdrawn",
        "another 1.0: not in the index",
        "nowhere 1.0: not in the index",
        "differs 1.0: hashes differ: 1 of no file in the index, 1 of its files without",
        "torch 1.0: behind 1.1",
        "9 pins: 3 behind, 2 withdrawn, 2 missing, 1 with other hashes",
    ]


def test_a_pin_that_is_only_behind_is_no_fault(index, pinned, capsys):
    index["/simple/some/"] = [entry("some-1.0.tar.gz"), entry("some-1.1.tar.gz")]
    pinned(f"some==1.0 --hash={A}\n")
    assert pins.main([]) == 0
    assert capsys.readouterr().out == (
        "some 1.0: behind 1.1\n1 pins: 1 behind, 0 withdrawn, 0 missing, 0 with other hashes\n"
    )


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"files": [{}]}', b'{"files": 1}', b"\xff"])
def test_an_index_of_another_kind_is_one_line(index, pinned, capsys, answer):
    index["/simple/some/"] = answer
    before = pinned(f"some==1.0 --hash={A}\n").read_bytes()
    assert pins.main(["--write"]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert re.fullmatch(r"the index http://\S+: got \w+; needs the files of some in JSON \(PEP 691\)\n", printed.err)
    assert (pins.ROOT / "constraints.txt").read_bytes() == before


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/simple", "http://me:secret@127.0.0.1:1/simple", "nowhere"])
def test_an_index_that_cannot_be_reached_is_one_line(pinned, monkeypatch, capsys, address):
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("no_proxy", "*")
    pinned(f"some==1.0 --hash={A}\n")
    assert pins.main([]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    assert re.fullmatch(r"the index \S+: got .+; needs the files of some in JSON \(PEP 691\)\n", printed.err)
    assert "secret" not in printed.err


@pytest.mark.parametrize("line", ["some>=1.0", "some", "some==1.0,<2", "some==1.*", "some==one", "--pre"])
def test_a_line_that_pins_nothing_is_refused(pinned, capsys, line):
    pinned(f"{line}\n")
    assert pins.main([]) == 2
    assert capsys.readouterr().err == f"constraints.txt: got {line!r}; needs NAME==VERSION\n"


def test_pip_installs_what_has_the_hashes_written_and_nothing_else(index, pinned, tmp_path):
    wheel = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some\nVersion: 1.0\n")
        archive.writestr("some-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("some-1.0.dist-info/RECORD", "")
    index[f"/files/{wheel.name}"] = wheel.read_bytes()
    own = "sha256:" + hashlib.sha256(wheel.read_bytes()).hexdigest()
    index["/simple/some/"] = [entry(wheel.name, own), entry("some-1.0-cp311-cp311-win_arm64.whl", B)]
    path = pinned(f'# kept\n\nsome==1.0 ; python_version > "3" \\\n    --hash={A}\ngone==1.0 --hash={C}\n')

    def install():
        command = f"{sys.executable} -m pip install --dry-run --no-deps --no-cache-dir --target {tmp_path / 'site'}"
        command += f" --require-hashes --requirement {path}"
        return subprocess.run(command.split(), capture_output=True, text=True, check=False)

    assert pins.main(["--write"]) == 1  # for the pin that is gone, which stays as it was
    both = " \\\n".join(f"    --hash={each}" for each in sorted([own, B]))
    rest = f"gone==1.0 \\\n    --hash={C}\n"
    assert path.read_text(encoding="utf-8") == f'# kept\n\nsome==1.0 ; python_version > "3" \\\n{both}\n{rest}'
    path.write_text(path.read_text(encoding="utf-8").removesuffix(rest), encoding="utf-8")
    assert pins.main([]) == 0
    assert "Would install some-1.0" in install().stdout
    path.write_text(path.read_text(encoding="utf-8").replace(own, A), encoding="utf-8")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in install().stderr


def test_every_pin_but_the_pair_has_hashes():
    hashed, torch = (
        [line for line in pins.read_pins(ROOT / name) if isinstance(line, pins.Pin)]
        for name in ("constraints.txt", "constraints-torch.txt")
    )
    assert [pin.name for pin in torch] == ["torch", "torchvision"]
    for pin in hashed:
        assert pin.hashes, pin.name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in pin.hashes), pin.name
    names = [canonicalize_name(pin.name) for pin in hashed]
    assert len(set(names)) == len(names)


@pytest.mark.skipif(Path(sys.prefix) != ROOT / ".venv", reason="not the environment of make install")
def test_all_that_is_installed_is_what_is_pinned():
    """What has no pin, or a pin that does not fit the rest, pip has taken without looking at a hash."""
    pinned = {
        canonicalize_name(line.name): line.version
        for name in ("constraints.txt", "constraints-torch.txt")
        for line in pins.read_pins(ROOT / name)
        if isinstance(line, pins.Pin)
    }
    seen, wanted = set(), [("mixinfo", "dev"), ("hatchling", ""), ("editables", "")]
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                below = canonicalize_name(needed.name)
                wanted += [(below, each) for each in ["", *needed.extras]]
    of_cuda = re.compile(r"nvidia-|cuda-|triton$")
    for name in {name for name, _ in seen if name != "mixinfo" and not of_cuda.match(name)}:
        version = Version(importlib.metadata.version(name)).public  # of torch 2.15.0+cpu, 2.15.0
        assert name in pinned, name
        assert Version(version) == pinned[name], name
