"""A package outside the project adds its parts, one file each: built, installed beside the built toolkit, and run."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent.parent
EXTRAS = Path(__file__).resolve().parent / "extras"

pytestmark = pytest.mark.endurance


def done(*words: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, env=environment, timeout=900
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory) -> Path:
    """Where the commands of a new environment lie, with both wheels and this one's dependencies."""
    root = tmp_path_factory.mktemp("environment")
    wheels = root / "wheels"
    for source in (HOME, EXTRAS):
        how = ("--no-deps", "--no-build-isolation", "--quiet", "--no-index", "--wheel-dir")
        done(sys.executable, "-m", "pip", "wheel", *how, wheels, source, cwd=root)
    venv.create(root / "new", with_pip=False, symlinks=True)
    python = root / "new" / "bin" / "python"
    own = Path(done(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=root).strip())
    # a path in a .pth file brings the dependencies, but not this checkout, which is another .pth file's
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    how = ("--no-deps", "--no-index", "--quiet", "--ignore-installed", "--force-reinstall")
    done(sys.executable, "-m", "pip", "--python", python, "install", *how, *wheels.iterdir(), cwd=root)
    return python.parent


def test_the_installed_toolkit_is_the_wheels(scripts, tmp_path):
    place = done(scripts / "python", "-c", "import mixinfo, analysis; print(analysis.__file__)", cwd=tmp_path)
    assert place.startswith(str(scripts.parent))
    assert done(scripts / "mixinfo", "--version", cwd=tmp_path).startswith("mixinfo ")


@pytest.mark.parametrize("where", [("--workers", "2"), ("--ray", "local")], ids=["spawned", "ray"])
def test_all_parts_run_in_workers(scripts, tmp_path, where):
    if "--ray" in where:
        pytest.importorskip("ray")
    # a file of one of our rooms' names in the working directory changes nothing
    (tmp_path / "analysis.py").write_text("raise SystemExit('somebody else')\n")
    said = done(
        scripts / "mixinfo", "run", "extras", "--seeds", "2", *where, "--threads", "1", "--device", "cpu", cwd=tmp_path
    )
    assert "failed" not in said
    documents = {
        document["command"].rpartition(".")[2]: document
        for document in (json.loads(path.read_text("utf-8")) for path in tmp_path.glob("out/*/result.json"))
    }
    accuracy, information, confidence = (documents[name] for name in ("accuracy", "mutual_info", "confidence"))
    # what both ask for was trained once
    digests = [{run["record"]["hash"] for run in document["runs"]} for document in (accuracy, confidence)]
    assert digests[0] == digests[1]
    assert accuracy["about"]["data"] == "dots"
    assert {row["augmentation"] for row in accuracy["results"]} == {"none", "columns"}
    assert {run["record"]["config"]["network"] for run in accuracy["runs"]} == {"tiny"}
    assert all(run["record"]["config"]["policy"].startswith("maybe-inverted ") for run in accuracy["runs"])
    assert {"fmix+columns", "none"} <= {row["augmentation"] for row in information["results"]}
    assert "mean_upper" in {row["estimator"] for row in information["results"]}
    assert {run["record"]["config"]["network"] for run in information["runs"]} == {"flat"}
    # its command is one of ours, and finds all done
    asked = "--data dots --augmentations none columns --seeds 2 --network tiny --policy maybe-inverted --epochs 2"
    said = done(scripts / "mixinfo", "confidence", *asked.split(), "--threads", "1", "--device", "cpu", cwd=tmp_path)
    assert "reused 4 trained networks" in said
    # the report is made of them as of any other
    page = done(scripts / "mixinfo", "report", "--results", "out", cwd=tmp_path)
    assert "3 documents" in page
    assert "<h2" in (html := (tmp_path / "out" / "report" / "index.html").read_text("utf-8"))
    assert "Confidence is no accuracy." in html
