"""VAEs whose networks are somebody else's."""

import dataclasses
from pathlib import Path

import pytest
import torch

from analysis import mutual_info
from store import BadInput
from store.command_line import Options
from tasks import DataOptions, load
from vae.encode import encode, load_vae
from vae.train import Config, Settings, run, vae_run

NETWORKS = """
from torch import nn

from vae import DiagonalGaussian


class Maps(nn.Module):  # as diffusers' autoencoders are: latents (B, C, H, W), and an object for the distribution
    def __init__(self, channels, latents):
        super().__init__()
        self.down = nn.Conv2d(channels, 2 * latents, 4, 4)
        self.up = nn.ConvTranspose2d(latents, channels, 4, 4)

    def encode(self, images):
        mean, log_var = self.down(images).chunk(2, 1)
        return DiagonalGaussian(mean.flatten(1), log_var.flatten(1))

    def decode(self, codes):
        return self.up(codes.unflatten(1, (-1, 2, 2)))


def maps(channels, latents):
    return Maps(channels, latents)


class Unflattened(Maps):
    def encode(self, images):
        mean, log_var = self.down(images).chunk(2, 1)
        return DiagonalGaussian(mean, log_var)


class Tuples(Maps):
    def encode(self, images):
        return self.down(images).chunk(2, 1)


class Small(Maps):
    def decode(self, codes):
        return super().decode(codes)[..., 1:]


def no_module(latents):
    return latents


def raises(latents):
    raise KeyError("depth")
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "vaes.py"
    path.write_text(NETWORKS)
    return path


@pytest.fixture
def options(tmp_path) -> Options:
    return Options(device="cpu", threads=1, store=tmp_path / "runs", out=tmp_path / "out", quiet=True)


def test_it_is_trained_found_again_and_encodes(file, options):
    config = Config(settings=Settings(network=f"{file}:maps", latents=4, epochs=1), execution=options)
    trained = run(config)
    record = trained.result()["config"]
    # the code has 4 channels of 2×2 positions, and the record the file's name without its place
    assert (record["network"], record["latents"], record["latents_asked"]) == ("vaes.py:maps", 16, 4)
    assert trained.fresh
    assert not run(config).fresh
    vae = load_vae(trained, torch.device("cpu"), network=config.settings.network)
    posterior = encode(vae, load(DataOptions()).test.inputs[:3])
    assert posterior.mean.shape == (3, 16)


def test_another_source_is_another_run(file, options):
    data, settings = load(DataOptions()), Settings(network=f"{file}:maps")
    before = vae_run(data, "none", 1, settings, options).hash
    file.write_text(NETWORKS + "\n# another\n")
    assert vae_run(data, "none", 1, settings, options).hash != before
    usual, named = (vae_run(data, "none", 1, each, options).hash for each in (Settings(), Settings(network="residual")))
    assert usual == named


def test_its_information_is_bounded_beside_the_linear_vae(file, options):
    settings = Settings(network=f"{file}:maps", latents=4, epochs=2)
    config = mutual_info.Config(("none",), seeds=1, settings=settings, execution=options)
    found = mutual_info.run(config)
    rows = {(row["augmentation"], row["estimator"]): row for row in found.rows if row["inputs"] == "clean"}
    assert rows["none", "gaussian_marginal"]["value"] < rows["none", "rate"]["value"] + 1
    assert ("linear-vae", "negative_elbo") in rows
    assert not found.failures


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Unflattened", r"whose posterior is \(2, 16, 2, 2\) and \(2, 16, 2, 2\); needs mean and log_var \(B, d\)"),
        ("Tuples", r"whose encode returns a tuple; needs a module with encode\(images\) -> DiagonalGaussian"),
        ("Small", r"whose decode returns \(2, 1, 8, 7\); needs images \(2, 1, 8, 8\)"),
        ("no_module", "which makes a int"),
        ("raises", "which ends in KeyError: 'depth'"),
        ("nothing", "needs something that vaes.py has"),
    ],
)
def test_what_is_no_vae_is_one_line(file, options, name, words):
    with pytest.raises(BadInput, match=words):
        vae_run(load(DataOptions()), "none", 1, Settings(network=f"{file}:{name}"), options)


def test_names_that_lead_nowhere_are_refused_at_once():
    with pytest.raises(
        BadInput, match=r"--network: got 'residul'; needs one of residual, reference, .*perhaps residual"
    ):
        Settings(network="residul")
    assert dataclasses.replace(Settings(), network="reference").network == "reference"
