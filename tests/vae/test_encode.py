"""A VAE is loaded by its run or its path, today's and those of earlier versions."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from analysis import mutual_info
from store import BadInput
from tasks import DataOptions, load
from vae.encode import encode, load_vae
from vae.train import mean_squared_error

EARLIER = sorted((Path(__file__).parent / "fixtures").iterdir())
"""Runs of digits' VAEs, as versions before this one wrote them: every one stays loadable."""

CPU = torch.device("cpu")


@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.name)
def test_an_earlier_versions_network_says_what_its_record_says(path, tmp_path):
    data = load(DataOptions())
    moved = shutil.copytree(path, tmp_path / "elsewhere")
    metrics = json.loads((path / "result.json").read_text(encoding="utf-8"))["metrics"]
    vae = load_vae(moved, CPU)
    rate = encode(vae, data.test.inputs).kl_to_standard_normal().mean()
    assert float(rate) == pytest.approx(metrics["test_rate"], rel=1e-4)
    assert mean_squared_error(vae, data.test.inputs, 1) == pytest.approx(metrics["test_mse"], rel=1e-4)
    result = mutual_info.run(mutual_info.Config(posterior=moved, bounds=("rate", "gaussian_marginal")))
    assert result.rows[0]["value"] == pytest.approx(metrics["test_rate"], rel=1e-4)


def changed(path: Path, **values) -> Path:
    record = json.loads((path / "result.json").read_text(encoding="utf-8"))
    record |= values
    (path / "result.json").write_text(json.dumps(record), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "classifier"}, "a run of kind classifier; needs the directory of a finished run of vae.train"),
        (
            {"config": {"shape": [1, 8, 8]}},
            "the mirrored network of 0.1.0; needs a run whose network is one of",
        ),
    ],
)
def test_what_is_no_run_of_ours_is_one_line(values, words, tmp_path):
    path = changed(shutil.copytree(EARLIER[0], tmp_path / "run"), **values)
    with pytest.raises(BadInput, match=words):
        load_vae(path, CPU)
    with pytest.raises(BadInput, match=r"--posterior: got .*, which holds no finished run; needs the directory"):
        load_vae(tmp_path, CPU)


def test_a_vae_of_other_images_is_refused_before_it_encodes(images_npz):
    config = mutual_info.Config(posterior=EARLIER[0], data=DataOptions(data=f"npz:{images_npz}"))
    with pytest.raises(BadInput, match=r"--posterior: got .*, a VAE for images of 1×8×8; needs one for the data's"):
        mutual_info.run(config)
