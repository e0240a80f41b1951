"""VAEs of sound and of volumes: what they see, what identifies them, and that they beat the linear VAE."""

import math
from dataclasses import replace

import pytest
import torch

from store import BadInput
from store.command_line import Options
from tasks.task import text_task
from tests.made import SOLIDS, TONES
from training import generator
from training.views import random_flip
from vae.curve import negative_elbo
from vae.encode import encode, errors, load_vae
from vae.likelihood import Bernoulli
from vae.linear import fit_linear
from vae.train import Config as TrainConfig
from vae.train import Settings, mean_squared_error, normalisation, run, squared_units, train, vae_run

CPU = torch.device("cpu")
FAST = Settings(epochs=4, width=8, hidden=16, latents=6, batch_size=40)
TEXTS = text_task("few", (["a", "b"], torch.arange(2)), (["c"], torch.tensor([0])))


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr("vae.train.LINEAR_DRAWS", 1_000)


def test_what_identifies_a_vae_of_sound_and_of_volumes():
    of_sound, of_volumes = (vae_run(task, "none", 1, FAST, Options()).identity["config"] for task in (TONES, SOLIDS))
    assert (of_sound["rate"], of_sound["jitter"], of_sound["flip"], of_sound["shape"]) == (
        16_000,
        0,
        False,
        [1, 32, 9],
    )
    assert "likelihood" not in of_sound
    assert (of_volumes["likelihood"], of_volumes["jitter"], of_volumes["shape"]) == ("bernoulli", 0, [1, 8, 8, 8])
    assert "rate" not in of_volumes
    gaussian = replace(FAST, likelihood="gaussian")
    assert vae_run(TONES, "none", 1, gaussian, Options()).hash == vae_run(TONES, "none", 1, FAST, Options()).hash
    # a record says what its likelihood is wherever another is the usual one
    assert vae_run(SOLIDS, "none", 1, gaussian, Options()).identity["config"]["likelihood"] == "gaussian"
    assert vae_run(SOLIDS, "none", 1, replace(FAST, jitter=0), Options()).hash == (
        vae_run(SOLIDS, "none", 1, FAST, Options()).hash
    )
    assert [squared_units(config).split()[-1] for config in (of_sound, of_volumes)] == ["values", "voxels"]


@pytest.mark.parametrize(
    ("task", "settings", "words"),
    [
        (TEXTS, {}, "--data: got few, whose items are texts; needs images, clips of sound, or volumes"),
        (TONES, {"jitter": 0.1}, "--jitter: got 0.1; needs images: clips have no colours"),
        (TONES, {"flip": True}, "--flip: got True; needs images or volumes: clips are not mirrored"),
        (TONES, {"preset": "reference"}, "--preset: got reference for clips; needs images"),
        (SOLIDS, {"network": "reference"}, "--network: got reference for shapes; needs images"),
        (SOLIDS, {"decoder_scale": 0.3}, "--decoder-scale: got 0.3; needs 1: a Bernoulli likelihood has no scale"),
        (SOLIDS, {"batch_size": 500}, "--batch-size: got 500; needs at most the 240 training shapes"),
    ],
)
def test_what_does_not_suit_the_items_is_one_line(task, settings, words):
    with pytest.raises(BadInput) as refused:
        Settings(**settings).resolved(task)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("task", [TONES, SOLIDS], ids=["sound", "volumes"])
def test_a_trained_vae_beats_the_linear_one_and_is_loaded_as_it_was(task, options, few_draws):
    settings = replace(FAST, epochs=12, width=16, hidden=32, batch_size=20)
    trained = train(task, "none", 1, settings, options)
    metrics, vae = trained.result()["metrics"], load_vae(trained, CPU)
    config = trained.identity["config"]
    own = settings.pipeline("none", task, vae.enter)
    held_out = own.each_once(task.test.inputs, generator("cpu", 1, "curve"), 2000)
    linear = fit_linear(own.draws(task.train.inputs, generator("cpu", 1, "linear"), 1_000), config["latents"], 1.0)
    if task is SOLIDS:
        alone = (1, -1, 1, 1, 1)
        bernoulli = Bernoulli(*(unit.view(alone) for unit in normalisation(task, config)))
        linear = replace(linear, bernoulli=bernoulli)
    excess = negative_elbo(vae, held_out, 1)[0] - linear.negative_elbo(held_out)
    assert float(excess.mean()) < -5 * float(excess.std()) / math.sqrt(len(excess))
    # at the start it is the linear VAE, but for the noise of the codes
    start = trained.result()["curve"][0]["negative_elbo"]
    assert start == pytest.approx(float(linear.negative_elbo(held_out).mean()), rel=0.05)
    # a record says what the loaded network says of raw items
    assert float(encode(vae, task.test.inputs).kl_to_standard_normal().mean()) == pytest.approx(metrics["test_rate"])
    by_hand = vae.normalise(task.values(task.test.inputs))
    squares = errors(vae, by_hand, generator("cpu", 1, "reconstruction"))[0]
    assert metrics["test_mse"] == pytest.approx(float(squares.mean()) / math.prod(task.shape), rel=1e-5)
    assert mean_squared_error(vae, task.test.inputs, 1) == pytest.approx(metrics["test_mse"])
    assert metrics["test_mse"] < 0.6  # the best constant: about 1


def test_the_loss_that_is_minimised_is_that_of_the_curve(options, few_draws):
    from vae.train import objective

    trained = train(SOLIDS, "none", 1, FAST, options)
    vae, config = load_vae(trained, CPU), trained.identity["config"]
    pipeline = FAST.pipeline("none", SOLIDS, vae.enter)
    losses = [
        objective(vae, SOLIDS, pipeline, config, 10)(torch.arange(240), torch.Generator().manual_seed(seed), 10)
        for seed in range(40)
    ]
    found = negative_elbo(vae, vae.enter(SOLIDS.train.inputs), 1)
    drawn = torch.stack([loss["loss"].detach() for loss in losses])
    assert float(losses[0]["rate"].detach()) == pytest.approx(float(found[1].mean()), rel=1e-5)
    assert float(drawn.mean()) == pytest.approx(float(found[0].mean()), abs=5 * float(drawn.std()))


def test_volumes_are_mirrored_one_by_one_and_images_as_before():
    volumes = torch.arange(64 * 24).view(64, 2, 3, 2, 2)
    seen = random_flip(volumes, torch.Generator().manual_seed(0))
    turned = [torch.equal(one, other.flip(-1)) for one, other in zip(seen, volumes, strict=True)]
    as_they_are = [torch.equal(one, other) for one, other in zip(seen, volumes, strict=True)]
    assert all(one != other for one, other in zip(turned, as_they_are, strict=True))
    assert 16 < sum(turned) < 48  # 99.99% of coins
    heads = torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(0)) < 0.5
    assert turned == heads.flatten().tolist()


def test_the_command_says_how_many_draws_large_volumes_start_from(options, capsys, monkeypatch):
    from tests.made import solids

    large = replace(SOLIDS, train=solids(12, 1, 14), tests={"test": solids(6, 2, 14)}, digest="")
    large = replace(large, modality=large.modality._replace(depth=14, height=14, width=14))
    monkeypatch.setattr("vae.linear.DRAWS", 24)
    monkeypatch.setattr("vae.train.load", lambda *_, **__: large)
    run(TrainConfig(settings=replace(FAST, epochs=1, batch_size=6), execution=options))
    said = capsys.readouterr().out
    assert "it starts from the principal axes of 24 draws of its inputs" in said
    assert "nats more than on training shapes" in said


FLAT = """
import math
from torch import nn
from vae import DiagonalGaussian

class Flat(nn.Module):
    def __init__(self, shape, latents):
        super().__init__()
        self.shape, size = shape, math.prod(shape)
        self.down, self.up = nn.Linear(size, 2 * latents), nn.Linear(latents, size)

    def encode(self, volumes):
        return DiagonalGaussian(*self.down(volumes.flatten(1)).chunk(2, 1))

    def decode(self, codes):
        return self.up(codes).view(-1, *self.shape)
"""


def test_somebody_elses_network_takes_volumes_and_its_output_stands_for_log_odds(options, tmp_path):
    (tmp_path / "flat.py").write_text(FLAT)
    network = f"{tmp_path / 'flat.py'}:Flat"
    trained = train(SOLIDS, "none", 1, replace(FAST, network=network), options)
    vae = load_vae(trained, CPU, network=network)
    codes = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    mean = vae.likelihood.mean(vae.decode(codes)) * vae.pixel_std + vae.pixel_mean
    assert mean.shape == (3, 1, 8, 8, 8)
    assert 0 < float(mean.detach().min()) < float(mean.detach().max()) < 1
