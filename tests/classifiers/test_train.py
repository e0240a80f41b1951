import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from classifiers import train as trainer
from classifiers.load import load_run, logits_of
from classifiers.presets import AUGMENTATIONS, PRESETS
from classifiers.train import Config, Settings, classifier_run, from_preset, run, train
from store import BadInput
from store.command_line import command, parse
from tasks import DataOptions, InMemory, Task, image_task, load
from tasks.metrics import metrics_of, scores
from training.distributed import Ranks
from training.mixing import in_turn
from training.reuse import Failed
from training.views import pipeline
from training.views.policies import BatchPolicy

FAST = Settings(epochs=2, width=4, batch_size=256)
CPU = torch.device("cpu")
SIZES = {"cifar10": (3, 32, 10), "cifar100": (3, 32, 100), "fashion-mnist": (1, 28, 10)}
NARROW = {"preact-resnet18": 2, "wide-resnet-28-10": 1, "densenet-bc-190-40": 2, "pyramidnet-272-200": 4}


@pytest.fixture(scope="module")
def digits():
    return load(DataOptions())


def noise_images(name: str, count: int) -> Task:
    channels, side, classes = SIZES[name]
    stream = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2 * count, channels, side, side), generator=stream, dtype=torch.uint8)
    labels = torch.arange(2 * count) % classes
    labels[-1] = classes - 1
    return image_task(name, (images[:count], labels[:count]), (images[count:], labels[count:]))


# in a quick run each network on each data set under one of the augmentations, all of which have their turn
OF_IMAGES = [name for name, preset in PRESETS.items() if preset.data in SIZES]
ROWS = [OF_IMAGES[place : place + len(AUGMENTATIONS)] for place in range(0, len(OF_IMAGES), len(AUGMENTATIONS))]
FEW = {row[place % len(AUGMENTATIONS)] for place, row in enumerate(ROWS)}


@pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=() if name in FEW else pytest.mark.endurance) for name in OF_IMAGES]
)
def test_every_preset_takes_a_training_step(preset, options):
    config = from_preset(preset)
    data = noise_images(config.data.data, 2)
    settings = replace(config.settings, width=NARROW[config.settings.network], epochs=1, batch_size=2)
    metrics = train(data, config.augmentation, 1, settings, options).result()["metrics"]
    assert metrics["n"] == 2
    assert np.isfinite(metrics["cross_entropy"])


def test_presets_have_the_published_settings():
    assert len(OF_IMAGES) == 10 * len(AUGMENTATIONS)

    def resolved(preset: str):
        config = from_preset(preset)
        return config.settings.resolved(noise_images(config.data.data, 256), CPU, Ranks())

    usual = resolved("cifar10-preact-resnet18-fmix")
    assert (usual["epochs"], usual["batch_size"], usual["learning_rate"], usual["momentum"]) == (200, 128, 0.1, 0.9)
    assert (usual["weight_decay"], usual["milestones"], usual["crop"], usual["flip"]) == (1e-4, [0.5, 0.75], 4, True)
    assert (usual["width"], usual["alpha"], usual["decay_power"]) == (64, 1.0, 3.0)
    assert resolved("fashion-mnist-preact-resnet18-none")["flip"]
    dense = resolved("cifar100-densenet-bc-190-40-none")
    assert (dense["epochs"], dense["batch_size"]) == (300, 32)
    assert [share * 300 for share in dense["milestones"]] == [100, 150, 225]
    pyramid = resolved("cifar10-pyramidnet-272-200-fmix")
    assert (pyramid["epochs"], pyramid["batch_size"], pyramid["schedule"]) == (1800, 64, "cosine")


def test_a_preset_is_a_starting_point_for_the_command_line():
    arguments = ["--preset", "cifar10-preact-resnet18-fmix+mixup", "--data", "digits", "--epochs", "3"]
    config = parse(Config, "classifiers.train", arguments, from_preset)
    assert (config.augmentation, config.data.data, config.settings.epochs) == ("fmix+mixup", "digits", 3)
    assert parse(Config, "classifiers.train", [], from_preset) == Config()
    with pytest.raises(BadInput, match="--preset: got 'cifar10-fmix'; needs one of cifar10-preact-resnet18-AUG"):
        from_preset("cifar10-fmix")


@pytest.mark.parametrize("augmentation", ["none", "fmix"])
def test_digits_are_learnt(digits, options, augmentation):
    one = train(digits, augmentation, 1, Settings(epochs=12, width=8), options)
    assert one.result()["metrics"]["accuracy"] > 0.93


def test_what_a_run_keeps_is_what_its_weights_say(digits, options):
    one = train(digits, "cutmix", 1, FAST, options)
    record = one.result()
    with np.load(one.path / "logits.npz") as kept:
        logits, labels = kept["logits"], kept["labels"]
    assert logits.shape == (360, 10)
    np.testing.assert_array_equal(labels, digits.test.targets)
    assert record["metrics"]["accuracy"] == pytest.approx((logits.argmax(1) == labels).mean())
    assert record["scored"] == "test"
    classifier = load_run(one.path, CPU, digits)
    torch.testing.assert_close(torch.from_numpy(logits), logits_of(classifier, digits.test.inputs), rtol=0, atol=0)
    # nothing of a better epoch is kept, and no accuracy of mixed batches is reported
    assert set(record["metrics"]["last_epoch"]) == {"loss"}
    rows = [json.loads(line) for line in (one.path / "log.jsonl").read_text().splitlines()]
    assert [sorted(row) for row in rows if "epoch" in row] == [["epoch", "loss", "lr", "step"]] * 2
    assert [sorted(row["watched"]) for row in rows if "watched" in row] == [
        ["accuracy", "cross_entropy", "training_accuracy", "training_cross_entropy"]
    ] * 2


def test_a_finished_run_is_reused_and_force_repeats_it_to_the_bit(digits, options):
    one = train(digits, "fmix+mixup", 1, FAST, options)
    before, weights = one.result(), load_file(one.weights)
    train(digits, "fmix+mixup", 1, FAST, options)
    assert one.result() == before
    train(digits, "fmix+mixup", 1, FAST, replace(options, force=True))
    again = load_file(one.weights)
    assert all(torch.equal(value, again[name]) for name, value in weights.items())


def test_what_changes_the_result_changes_the_run(digits, options, tmp_path):
    policy = tmp_path / "policy.txt"
    policy.write_text("[[('Invert', 0.5, 0.5)]]")

    def path(augmentation="fmix", seed=1, ranks=None, **settings):
        return classifier_run(digits, augmentation, seed, replace(FAST, **settings), options, ranks).path

    paths = [
        path(), path("cutmix"), path(seed=2), path(alpha=0.5), path(scope="batch"), path(epochs=3), path(width=8),
        path(policy="autoaugment"), path(policy=f"file:{policy}"), path(objective="relative-entropy"),
        path(objective="relative-entropy", smoothing=0.1), path(targets="independent"), path(schedule="cosine"),
        path(momentum=0.5), path(ranks=Ranks(0, 2)), path(network="wide-resnet-28-10"),
    ]  # fmt: skip
    assert len(set(paths)) == len(paths)
    assert path(smoothing=0.5) == path(compile=True) == path(schedule="step") == path()
    renamed = tmp_path / "elsewhere.txt"
    renamed.write_text(policy.read_text())
    assert path(policy=f"file:{renamed}") == path(policy=f"file:{policy}")


def patterned(name: str, channels: int, side: int, mirrored: bool = True) -> Task:
    images = torch.arange(256 * channels * side**2).remainder(251).to(torch.uint8).view(256, channels, side, side)
    labels = torch.arange(256) % 10
    return image_task(name, (images[:192], labels[:192]), (images[192:], labels[192:]), mirrored=mirrored)


@pytest.mark.parametrize(
    ("data", "settings", "augmentation", "seed", "expected"),
    [
        (("digits", 1, 8, False), {}, "fmix", 1, "538eea08acd6"),
        (("MNIST", 1, 28, False), {}, "fmix", 1, "8577983b3bf6"),
        (("Fashion-MNIST", 1, 28), {}, "fmix", 1, "a74e9247e3e0"),
        (("CIFAR-10", 3, 32), {}, "fmix", 1, "1cd9d8d15485"),
        (("CIFAR-10 (JPEG)", 3, 32), {}, "fmix", 1, "f32ab9ee5bab"),
        (("CIFAR-10", 3, 32), {"policy": "autoaugment"}, "none", 2, "b051124f3f69"),
        (("CIFAR-10", 3, 32), {"policy": "randaugment"}, "none", 2, "792d7eb65b06"),
        (("CIFAR-10", 3, 32), {"policy": "trivialaugment"}, "none", 2, "a600ecfc0180"),
        (("CIFAR-10", 3, 32), {"network": "pyramidnet-272-200"}, "none", 2, "932c872d7319"),
        (("CIFAR-10", 3, 32), {"objective": "relative-entropy"}, "none", 2, "3f2691946f96"),
        (("CIFAR-10", 3, 32), {"flip": False}, "none", 2, "f9485eab3810"),
    ],
)
def test_runs_of_release_0_1_0_are_found_where_their_results_stand(
    options, data, settings, augmentation, seed, expected
):
    assert classifier_run(patterned(*data), augmentation, seed, Settings(**settings), options).hash == expected


def test_runs_of_release_0_1_0_are_not_found_where_their_results_have_changed(options, tmp_path):
    policy = tmp_path / "policy.txt"
    policy.write_text("[[('Invert', 0.5, 0.5)]]")
    run = classifier_run(patterned("CIFAR-10", 3, 32), "none", 2, Settings(policy=f"file:{policy}"), options)
    assert run.identity["version"] == 2
    assert run.hash != "42225b3bf2b5"
    run = classifier_run(patterned("SVHN", 3, 32, mirrored=False), "fmix", 1, Settings(), options)
    assert run.identity["version"] == 1
    assert run.hash != "f705387c2970"


@pytest.mark.parametrize("mirrored", [False, True])
def test_images_are_flipped_where_the_data_say_so_whatever_they_are_called(options, mirrored):
    for name in ("digits", "MNIST", "CIFAR-10"):
        config = Settings().resolved(patterned(name, 1, 16, mirrored), CPU, Ranks())
        assert config["flip"] == mirrored
    assert Settings(flip=True).resolved(patterned("digits", 1, 8, False), CPU, Ranks())["flip"]


@pytest.mark.parametrize("listed", [True, False])
def test_a_list_comes_before_crop_and_flip_and_a_named_policy_after(digits, options, tmp_path, monkeypatch, listed):
    order = []

    def spied(name, real):
        def spy(*arguments):
            order.append(name)
            return real(*arguments)

        return spy

    monkeypatch.setattr(pipeline, "random_crop", spied("crop", pipeline.random_crop))
    monkeypatch.setattr(pipeline, "random_flip", spied("flip", pipeline.random_flip))
    monkeypatch.setattr(BatchPolicy, "__call__", spied("policy", BatchPolicy.__call__))
    path = tmp_path / "policy.txt"
    path.write_text("[[('Invert', 1, 0)]]")
    policy = f"file:{path}" if listed else "trivialaugment"
    train(digits, "none", 1, replace(FAST, epochs=1, flip=True, policy=policy), options)
    assert order[:3] == (["policy", "crop", "flip"] if listed else ["crop", "flip", "policy"])


def test_a_policy_that_changes_while_a_command_runs_is_the_one_that_was_read(digits, options, tmp_path, monkeypatch):
    path = tmp_path / "policy.txt"
    path.write_text("[[('Invert', 1, 0)]]")
    reads = []
    real = Path.read_text

    def spy(self, *arguments, **named):
        reads.extend([self] * (self == path))
        return real(self, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", spy)
    settings = replace(FAST, policy=f"file:{path}", epochs=1)
    before = classifier_run(digits, "none", 1, settings, options)
    path.write_text("[[('Solarize', 1, 0.5)]]")
    run = train(digits, "none", 1, settings, options)
    assert (run.path, len(reads)) == (before.path, 1)
    weights = run.weights.read_bytes()
    # the same as of the file that was read, and another run than of the file that is there now
    now = train(digits, "none", 1, replace(FAST, policy=f"file:{path}", epochs=1), options)
    assert now.path != run.path
    assert now.weights.read_bytes() != weights
    path.write_text("[[ ('Invert', 1.0, 0.0) ]]")
    again = replace(FAST, policy=f"file:{path}", epochs=1)
    assert train(digits, "none", 1, again, replace(options, force=True)).path == run.path
    assert run.weights.read_bytes() == weights


def test_the_learning_rate_drops_where_it_should(digits, options, monkeypatch):
    rates = {}
    real = trainer.fit

    def spy(*arguments, learning_rate, **named):
        steps = range(30 * 22)
        rates["now"] = [learning_rate(step) for step in steps]
        return real(*arguments, learning_rate=learning_rate, **named | {"epochs": 1})

    monkeypatch.setattr(trainer, "fit", spy)
    train(digits, "none", 1, Settings(width=2), options)
    assert [len(list(group)) for group in _runs(rates["now"])] == [330, 165, 165]
    assert rates["now"][-1] == pytest.approx(0.001)
    train(digits, "none", 1, Settings(width=2, schedule="cosine"), options)
    assert rates["now"][330] == pytest.approx(0.05)
    assert rates["now"][-1] < 1e-5


def _runs(values):
    import itertools

    return [list(group) for _, group in itertools.groupby(values, key=lambda value: round(value, 9))]


def test_hybrids_alternate_by_batch():
    mixer = Settings().mixer("fmix+cutmix")
    assert [type(in_turn(mixer, step)).__name__ for step in range(3)] == ["FMix", "CutMix", "FMix"]


def test_a_diverged_run_is_recorded_and_not_retried_unasked(digits, options):
    settings = replace(FAST, learning_rate=1e9)
    with pytest.raises(Failed, match=r"the loss became|weights are not finite"):
        train(digits, "none", 1, settings, options)
    with pytest.raises(Failed, match="recorded; --force tries again"):
        train(digits, "none", 1, settings, options)


def test_policies_train(digits, options):
    for policy in ("autoaugment", "randaugment", "trivialaugment"):
        settings = replace(FAST, policy=policy, epochs=1)
        first = train(digits, "fmix", 1, settings, options)
        weights = first.weights.read_bytes()
        train(digits, "fmix", 1, settings, replace(options, force=True))
        assert first.weights.read_bytes() == weights  # the draws are the step's own


@pytest.mark.parametrize("objective", ["cross-entropy", "binary-cross-entropy", "relative-entropy"])
def test_every_objective_learns_from_every_kind_of_target(digits, options, objective):
    settings = Settings(epochs=4, width=8, objective=objective)
    rows = torch.nn.functional.one_hot(digits.train.targets, 10) * 50.0 + (objective != "binary-cross-entropy")
    if objective == "binary-cross-entropy":
        rows = rows.clamp(0, 1)
    soft = replace(digits, train=InMemory(digits.train.inputs, rows), digest="")
    for data in (digits, soft):
        metrics = train(data, "mixup", 1, settings, options).result()["metrics"]
        assert metrics["accuracy"] > 0.5, metrics


@pytest.mark.parametrize("rows", ["train", "test"])
def test_indices_and_rows_are_each_scored_as_what_they_are(digits, options, rows):
    splits = {"train": digits.train.only(torch.arange(200)), "test": digits.test}
    labels = torch.nn.functional.one_hot(splits[rows].targets, 10).float()
    splits[rows] = InMemory(splits[rows].inputs, labels)
    task = replace(digits, train=splits["train"], tests={"test": splits["test"]}, digest="")
    run = train(task, "none", 1, replace(FAST, objective="binary-cross-entropy", batch_size=64), options)
    logits = {name: logits_of(load_run(run.path, CPU), split.inputs) for name, split in splits.items()}
    last, record = run.result()["curve"][-1], run.result()["metrics"]
    for name, prefix in (("test", ""), ("train", "training_")):
        expected = scores(logits[name], splits[name].targets, metrics_of(splits[name].targets, several=True))
        assert last[f"{prefix}accuracy"] == pytest.approx(expected["accuracy"])
        assert last[f"{prefix}cross_entropy"] == pytest.approx(expected["cross_entropy"], rel=1e-5)
    assert ("mean_average_precision" in record) == (rows == "test")


def test_several_labels_an_image(options):
    stream = torch.Generator().manual_seed(0)
    labels = (torch.rand(400, 2, generator=stream) < 0.5).float()
    images = torch.randint(0, 60, (400, 1, 8, 8), generator=stream, dtype=torch.uint8)
    images[:, :, :4] += (labels[:, 0].view(-1, 1, 1, 1) * 150).to(torch.uint8)
    images[:, :, :, :4] += (labels[:, 1].view(-1, 1, 1, 1) * 45).to(torch.uint8)
    data = image_task("pairs", (images[:300], labels[:300]), (images[300:], labels[300:]))
    settings = Settings(epochs=8, width=4, objective="binary-cross-entropy", crop=0, flip=False)
    metrics = train(data, "cutmix", 1, settings, options).result()["metrics"]
    assert metrics["mean_average_precision"] > 0.9
    assert metrics["accuracy"] > 0.8


def test_a_network_of_ones_own_trains(digits, options, tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text(
        "from torch import nn\ndef make(classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    one = train(digits, "mixup", 1, Settings("mynet:make", epochs=5), options)
    assert one.result()["metrics"]["accuracy"] > 0.7
    assert load_run(one.path, CPU).layer("1").out_features == 10


def test_folds_score_on_held_out_training_images(options):
    data = load(DataOptions(folds=5, fold=2))
    one = train(data, "none", 1, FAST, options)
    assert one.result()["scored"] == "validation fold 2 of 5"
    assert one.result()["metrics"]["n"] == len(data.test)


def test_dry_run_trains_nothing(options, capsys):
    run(Config(settings=FAST, execution=replace(options, dry_run=True)))
    assert ": new" in capsys.readouterr().out
    assert not options.store.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--augmentation", "cutout"], "--augmentation: got 'cutout'; needs one of none, mixup"),
        (["--preset", "cifar10"], "--preset: got 'cifar10'; needs one of"),
        (["--network", "resnet"], "--network: got 'resnet'; needs one of preact-resnet18"),
        (["--network", "torchvision:resnet1000"], "--network: got torchvision:resnet1000; needs"),
        (["--network", "torchvision:alexnet"], "--network: got torchvision:alexnet for images of 1×8×8"),
        (["--network", "no.such:thing"], "--network: got no.such:thing (No module named 'no'"),
        (["--network", "math:thing"], "--network: got math:thing; needs something that math has"),
        (["--network", "math:pi"], "--network: got math:pi, a float; needs a callable"),
        (["--network", "torchvision:resnet18", "--width", "3"], "--width: got 3 with torchvision:resnet18; needs"),
        (["--width", "0"], "--width: got 0"),
        (["--seed", "0"], "--seed: got 0"),
        (["--epochs", "0"], "--epochs: got 0"),
        (["--batch-size", "1"], "--batch-size: got 1"),
        (["--batch-size", "5000"], "--batch-size: got 5000"),
        (["--learning-rate", "nan"], "--learning-rate: got nan"),
        (["--momentum", "1"], "--momentum: got 1"),
        (["--weight-decay", "-1"], "--weight-decay: got -1"),
        (["--milestones", "100", "150"], "--milestones: got 100.0 150.0; needs shares between 0 and 1"),
        (["--crop", "-1"], "--crop: got -1"),
        (["--smoothing", "0"], "--smoothing: got 0"),
        (["--policy", "autoaugmnt"], "--policy: got 'autoaugmnt'"),
        (["--policy", "file:nowhere"], "--policy: got nowhere, where there is no file"),
        (["--fraction", "0"], "--fraction: got 0"),
        (["--folds", "5"], "--fold: got None; needs --folds and --fold together"),
        (["--folds", "5", "--fold", "6"], "--fold: got 6; needs an integer from 1 to 5"),
        (["--targets", "reformulated", "--augmentation", "cutmix"], "--targets: got \"reformulated\" with CutMix"),
        (["--checkpoint-seconds", "-1"], "--checkpoint-seconds: got -1"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_exit_2_and_nothing_written(arguments, words, tmp_path, capsys):
    arguments = [*arguments, "--device", "cpu", "--store", str(tmp_path / "runs")]
    with pytest.raises(SystemExit) as stop:
        command(Config, run, "python -m classifiers.train", arguments, from_preset)
    error = capsys.readouterr().err
    assert stop.value.code == 2, error
    assert error.count("\n") == 1
    assert words in error
    assert not list((tmp_path / "runs").rglob("*.json"))


def test_another_source_of_a_foreign_network_is_another_run(digits, options, tmp_path, monkeypatch):
    def hash_of(activation: str) -> str:
        text = f"""from torch import nn

def make(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.{activation}(), nn.Linear(4, classes))
"""
        (tmp_path / f"{activation}.py").write_text(text)
        sys.modules.pop("nets_of_mine", None)
        spec = importlib.util.spec_from_file_location("nets_of_mine", tmp_path / f"{activation}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "nets_of_mine", module)
        spec.loader.exec_module(module)
        before = torch.get_rng_state()
        run = classifier_run(digits, "none", 1, Settings("nets_of_mine:make", epochs=1), options)
        assert torch.equal(before, torch.get_rng_state())
        return run.hash

    assert hash_of("ReLU") == hash_of("ReLU") != hash_of("Tanh")
