import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from store import BadInput
from store.command_line import Options, command
from tasks import DataOptions, Task, image_task, load
from tests.calls import wait_for
from training.mixing import in_turn
from training.reuse import Failed
from vae.encode import encode, load_vae
from vae.posterior import DiagonalGaussian
from vae.train import (
    REFERENCE_LEARNING_RATE,
    Config,
    Settings,
    active_units,
    mean_squared_error,
    run,
    train,
    vae_run,
)

FAST = Settings(epochs=2, width=4, hidden=16, latents=4, batch_size=64)


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


def test_training_learns_something(digits, options):
    settings = Settings(epochs=12)
    one = train(digits, "none", 1, settings, options)
    metrics = one.result()["metrics"]
    assert metrics["active_units"] >= 1
    assert metrics["test_mse"] < 0.45  # the best constant image: 0.52


def test_a_finished_run_is_reused_and_force_repeats_it_to_the_bit(digits, options):
    one = train(digits, "fmix+mixup", 1, FAST, options)
    before, weights = one.result(), load_file(one.weights)
    train(digits, "fmix+mixup", 1, FAST, options)
    assert one.result() == before
    train(digits, "fmix+mixup", 1, FAST, replace(options, force=True))
    again = load_file(one.weights)
    assert all(torch.equal(value, again[name]) for name, value in weights.items())


def test_what_changes_the_result_changes_the_run(digits, options):
    def path(augmentation="fmix", seed=1, **settings):
        return vae_run(digits, augmentation, seed, replace(FAST, **settings), options).path

    paths = [
        path(), path("cutmix"), path(seed=2), path(alpha=0.5), path(decoder_scale=0.1), path(preset="reference"),
        path(scope="batch"), path(epochs=3),
    ]  # fmt: skip
    assert len(set(paths)) == len(paths)
    assert path(scope="sample") == path()  # the default, spelt out


@pytest.mark.parametrize(
    ("shape", "augmentation", "seed", "settings", "hexadecimal"),
    [
        ((1, 8, 8), "none", 1, {}, "5410a63cb43f"),
        ((3, 32, 32), "fmix", 2, {}, "9399f33541b7"),
        ((3, 32, 32), "mixup", 1, {"decoder_scale": 0.1, "epochs": 3}, "41ce78b27eab"),
        ((1, 28, 28), "fmix-reference", 1, {"scope": "batch"}, "c7675ef23ad4"),
    ],
)
def test_default_runs_keep_their_hashes(shape, augmentation, seed, settings, hexadecimal):
    # a hash that changes without the result orphans every network of that configuration in every store
    run = vae_run(blank(shape), augmentation, seed, Settings(**settings), Options())
    assert run.hash == hexadecimal


def blank(shape: tuple[int, int, int]) -> Task:
    images, labels = torch.zeros(200, *shape, dtype=torch.uint8), torch.zeros(200, dtype=torch.int64)
    return replace(image_task("made", (images, labels), (images[:2], labels[:2])), digest="0" * 64)


def test_the_reference_preset_says_what_network_and_units_it_has():
    colour, grey, own = (
        Settings(preset=preset).resolved(blank(shape))
        for preset, shape in (("reference", (3, 32, 32)), ("reference", (1, 28, 28)), ("default", (3, 32, 32)))
    )
    assert (colour["network"], colour["normalisation"]) == ("reference", "reference")
    assert (grey["network"], grey["normalisation"]) == ("reference", "data")
    assert own["network"] == "residual"
    assert "normalisation" not in own


def test_reference_runs_are_in_the_reference_codes_units_from_training_to_the_loaded_network(options):
    stream = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (128, 3, 16, 16), dtype=torch.uint8, generator=stream)
    labels = torch.zeros(128, dtype=torch.int64)
    data = image_task("noise", (images, labels), (images[:40], labels[:40]))
    one = train(data, "none", 1, replace(FAST, preset="reference", epochs=1), options)
    vae = load_vae(one, torch.device("cpu"))
    black = vae.normalise(torch.zeros(1, 3, 16, 16))[0, :, 0, 0]
    torch.testing.assert_close(black, torch.tensor([-0.4914 / 0.2023, -0.4822 / 0.1994, -0.4465 / 0.2010]))
    white = vae.normalise(torch.ones(1, 3, 16, 16))[0, :, 0, 0]
    torch.testing.assert_close(white - black, 1 / torch.tensor([0.2023, 0.1994, 0.2010]))
    metrics = one.result()["metrics"]
    posterior = encode(vae, data.test.inputs)
    assert metrics["test_rate"] == pytest.approx(float(posterior.kl_to_standard_normal().mean()), rel=1e-9)
    # uniform bytes have variance about 1/12, so their own units would give an error near 1
    assert metrics["test_mse"] == pytest.approx(mean_squared_error(vae, data.test.inputs, 1), rel=1e-9)
    assert metrics["test_mse"] > 1.7


def test_the_reference_preset_is_the_published_one_but_for_its_learning_rate(digits):
    resolved = Settings(preset="reference").resolved(digits)
    assert resolved["learning_rate"] == REFERENCE_LEARNING_RATE
    assert resolved["epochs"] == 100
    assert resolved["batch_size"] == 128
    assert resolved["scope"] == "batch"
    assert resolved["log_var_bound"] is None
    assert resolved["kl_warm_up"] == 0
    mixer = Settings(preset="reference").mixer("fmix+mixup")
    assert in_turn(mixer, 0).spectrum == "reference"
    assert in_turn(mixer, 3).scope == "batch"


def test_a_diverged_run_is_recorded_and_not_retried_unasked(digits, options):
    settings = replace(FAST, learning_rate=1e6)
    with pytest.raises(Failed, match="the loss became"):
        train(digits, "none", 1, settings, options)
    one = vae_run(digits, "none", 1, settings, options)
    assert one.status == "failed"
    assert "the loss became" in one.failure()["error"]
    with pytest.raises(Failed, match="recorded; --force tries again"):
        train(digits, "none", 1, settings, options)


def test_a_diverging_command_is_one_line_and_exit_3_then_and_when_it_is_repeated(tmp_path, capsys):
    arguments = ["--epochs", "1", "--learning-rate", "1e6", "--device", "cpu", "--store", str(tmp_path / "runs")]
    for words in ("a smaller --learning-rate may help", "--force tries again"):
        with pytest.raises(SystemExit) as stop:
            command(Config, run, "python -m vae.train", arguments)
        error = capsys.readouterr().err
        assert stop.value.code == 3
        assert error.count("\n") == 1
        assert "loss became" in error
        assert words in error


def test_tampered_weights_are_refused(digits, options):
    one = train(digits, "none", 1, FAST, options)
    load_vae(one, torch.device("cpu"))
    whole = one.weights.read_bytes()
    for damage in (whole[:-10], whole[:-1] + bytes([whole[-1] ^ 1])):
        one.weights.write_bytes(damage)
        with pytest.raises(BadInput, match=r"weights\.safetensors: got a file whose hash is not the recorded one"):
            load_vae(one, torch.device("cpu"))


def test_a_collapsed_code_says_so(digits, options, capsys):
    flat = DiagonalGaussian(torch.zeros(10, 3), torch.zeros(10, 3))
    assert active_units(flat) == 0
    # a decoder's noise above every eigenvalue of the images leaves nothing to code
    settings = replace(FAST, epochs=1, decoder_scale=10.0)
    run(Config(settings=settings, execution=options))
    assert "0 of 4 units active (collapsed: the code carries nothing)" in capsys.readouterr().out


def test_dry_run_trains_nothing(options, capsys):
    run(Config(settings=FAST, execution=replace(options, dry_run=True)))
    assert ": new" in capsys.readouterr().out
    assert not options.store.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--augmentation", "cutout"], "--augmentation: got 'cutout'; needs one of none, mixup"),
        (["--augmentation", "fmix+"], "''"),
        (["--seed", "0"], "--seed: got 0"),
        (["--epochs", "0"], "--epochs: got 0"),
        (["--batch-size", "1"], "--batch-size: got 1"),
        (["--batch-size", "5000"], "--batch-size: got 5000"),
        (["--alpha", "0"], "--alpha: got 0"),
        (["--alpha", "-1"], "--alpha: got -1"),
        (["--decay-power", "-0.5"], "--decay-power: got -0.5"),
        (["--max-soft", "0.6"], "--max-soft: got 0.6"),
        (["--decoder-scale", "0"], "--decoder-scale: got 0"),
        (["--learning-rate", "nan"], "--learning-rate: got nan"),
        (["--jitter", "0.7"], "--jitter: got 0.7"),
        (["--data", "nonsense"], "--data: got 'nonsense'"),
    ],
)
def test_a_mistake_is_one_line_exit_2_and_nothing_written(arguments, words, tmp_path, capsys):
    arguments = [*arguments, "--device", "cpu", "--store", str(tmp_path / "runs")]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m vae.train", arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert words in error
    assert not list((tmp_path / "runs").rglob("*.json"))


SMALL = Settings(epochs=20, width=8, hidden=32, latents=4)


def start(store):
    command = [
        sys.executable, "-m", "vae.train", "--epochs", "20", "--width", "8", "--hidden", "32", "--latents", "4",
        "--threads", "1", "--device", "cpu", "--store", str(store),
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def logged(store) -> int:
    """Lines of the log of the one run there is."""
    return sum(len(path.read_text().splitlines()) for path in store.rglob("log.jsonl"))


def test_a_kill_and_then_two_processes_one_run_and_a_signal(tmp_path, digits, options):
    store = tmp_path / "processes"
    killed = start(store)
    wait_for(lambda: logged(store) >= 2, killed)
    killed.kill()
    killed.communicate()
    assert not list(store.rglob("result.json"))  # nothing that reads as whole
    assert not list(store.rglob("weights.safetensors"))

    there = logged(store)
    first = start(store)
    wait_for(lambda: logged(store) >= there + 2, first)
    first.send_signal(signal.SIGSTOP)  # it is not to finish while the second imports
    second = start(store)
    assert "is being worked on by another process" in second.stderr.readline()
    first.send_signal(signal.SIGTERM)
    first.send_signal(signal.SIGCONT)
    out, error = first.communicate(timeout=300)
    assert first.returncode == 128 + signal.SIGTERM
    assert error.count("\n") == 1
    assert "SIGTERM at step" in error
    assert "the same command goes on" in error
    out, _ = second.communicate(timeout=300)  # takes over from the checkpoint
    assert second.returncode == 0
    assert out.startswith("trained: rate")
    stopped = next(store.rglob("weights.safetensors"))

    undisturbed = train(digits, "none", 1, SMALL, options).weights
    assert stopped.read_bytes() == undisturbed.read_bytes()
    metrics = [json.loads(path.with_name("result.json").read_text())["metrics"] for path in (stopped, undisturbed)]
    for name in ("test_rate", "test_mse", "last_epoch"):
        assert metrics[0][name] == metrics[1][name]


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_full_disk_is_one_line_and_keeps_what_was_there(tmp_path):
    # a limit on file sizes stands in for a full disk: writes fail in the same calls
    program = (
        "import resource, signal, sys, errno; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "from store import command_line; command_line._OUTSIDE[errno.EFBIG] = command_line._OUTSIDE[errno.ENOSPC];"
        "from vae.train import Config, run;"
        "command_line.command(Config, run, 'python -m vae.train', sys.argv[1:])"
    )
    arguments = ["--epochs", "1", "--device", "cpu", "--threads", "1", "--store", str(tmp_path / "runs")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "free space on the disk" in done.stderr
    assert not list((tmp_path / "runs").rglob("*.safetensors"))
    assert not list((tmp_path / "runs").rglob("*.tmp"))
