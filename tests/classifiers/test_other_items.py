"""Classifiers of sound, and of images of which several things are asked, from end to end."""

import json
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from analysis.accuracy import Config, accuracy_rows, joined, run
from classifiers.grid import settings_of
from classifiers.load import kept_logits, load_run, logits_of
from classifiers.objectives import OBJECTIVES
from classifiers.presets import COMPONENTS, MASKS, PRESETS
from classifiers.train import Settings, classifier_run, from_preset, objective, pipeline_of, train
from msda import Mixed
from store import BadInput
from tasks import DataOptions, Image, InMemory, Sound, Task, load
from tasks.components import indices_of
from tasks.log_mel import log_mel
from training import Pipeline, generator
from training.distributed import Ranks

CPU = torch.device("cpu")
FAST = Settings(width=2, epochs=2, batch_size=16, learning_rate=0.05)


@pytest.fixture(scope="module")
def tones() -> Task:
    """Two pitches, of which one says which class a clip is of."""
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 2
    time = torch.arange(4000) / 4000
    pitch = torch.where(labels == 1, 1200.0, 300.0)[:, None]
    clips = 8000 * torch.sin(2 * torch.pi * pitch * time) + 200 * torch.randn(64, 4000, generator=stream)
    clips = clips.to(torch.int16)
    parts = InMemory(clips[:48], labels[:48]), {"test": InMemory(clips[48:], labels[48:])}
    return Task("two tones", *parts, Sound(4000, 4000), 2)


@pytest.fixture(scope="module")
def graphemes() -> Task:
    return load(DataOptions("made-up-graphemes"))


@pytest.mark.parametrize("augmentation", ["none", "mixup", "cutmix", "fmix"])
def test_a_network_of_sound_learns_and_is_loaded_again(tones, options, augmentation):
    trained = train(tones, augmentation, 1, replace(FAST, width=4, epochs=8), options)
    record = trained.result()
    assert (record["items"], record["config"]["shape"], record["config"]["rate"]) == ("clips", [1, 32, 8], 4000)
    assert augmentation != "none" or record["metrics"]["accuracy"] > 0.9  # so few steps are enough for the plain
    classifier = load_run(trained.path, CPU, tones)
    logits, labels = kept_logits(trained)
    torch.testing.assert_close(logits_of(classifier, tones.test.inputs), logits)
    assert torch.equal(labels, tones.test.targets)
    # what it sees: spectrograms in [−½, ½], as the reference code has them
    entered = classifier.enter(tones.test.inputs)
    torch.testing.assert_close(entered, log_mel(tones.test.inputs, 4000) - 0.5)
    assert [point["epoch"] for point in record["curve"]] == [1, 2, 4, 5, 6, 7, 8]  # the last five, and shares


def test_clips_are_changed_in_training_unless_they_are_not_to_be(tones, options):
    changed, plain = (classifier_run(tones, "none", 1, replace(FAST, distort=one), options) for one in (None, False))
    assert changed.hash != plain.hash
    assert changed.identity["config"]["distort"] is True
    classifier = load_run(train(tones, "none", 1, FAST, options).path, CPU)
    raw, seen = tones.train.inputs[:16], {}
    for run_, distort in ((changed, True), (plain, False)):
        pipeline = pipeline_of(classifier, replace(FAST, distort=distort), run_.identity["config"], 1)
        seen[distort] = pipeline(raw, generator("cpu", 1, "x"), 0).images
    torch.testing.assert_close(seen[False], classifier.enter(raw))
    assert (seen[True] - seen[False]).flatten(1).abs().amax(1).gt(0.05).sum() > 8


@pytest.mark.parametrize("augmentation", ["none", "mixup", "cutmix", "fmix"])
def test_a_network_of_shapes_learns_and_is_loaded_again(options, augmentation):
    task = load(DataOptions("made-up-shapes", train_images=96))
    settings = Settings(width=4, epochs=2, crop=1, flip=True)
    trained = train(task, augmentation, 1, settings, options)
    record = trained.result()
    config = record["config"]
    assert (record["items"], config["shape"], config["network"]) == ("shapes", [1, 16, 16, 16], "voxel-cnn")
    assert (config["optimizer"], config["learning_rate"], config["batch_size"]) == ("adam", 1e-3, 16)
    logits, _ = kept_logits(trained)
    torch.testing.assert_close(logits_of(load_run(trained.path, CPU, task), task.test.inputs), logits)


def test_networks_for_other_dimensions_are_refused(tones, options):
    shapes = load(DataOptions("made-up-shapes"))
    needed = "needs one for 3 dimensions: voxel-cnn"
    with pytest.raises(BadInput, match=f"--network: got preact-resnet18 for items of 16×16×16; {needed}"):
        train(shapes, "none", 1, replace(FAST, network="preact-resnet18"), options)
    with pytest.raises(
        BadInput, match="--network: got voxel-cnn for items of 32×8; needs one for 2 dimensions: preact"
    ):
        train(tones, "none", 1, replace(FAST, network="voxel-cnn"), options)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (replace(FAST, crop=2), r"--crop: got 2; needs images or shapes: clips are neither moved nor painted"),
        (replace(FAST, flip=True), r"--flip: got True; needs images or shapes: clips are not mirrored"),
        (replace(FAST, policy="randaugment"), r"--policy: got randaugment; needs images: clips are not painted"),
        (replace(FAST, network="text-cnn"), r"--network: got text-cnn for images"),
    ],
)
def test_what_sound_has_not_is_refused(tones, options, settings, words):
    with pytest.raises(BadInput, match=words):
        train(tones, "none", 1, settings, options)


def test_images_are_not_heard(graphemes, options):
    with pytest.raises(BadInput, match="--distort: got True; needs clips of sound: images are not heard"):
        train(graphemes, "none", 1, replace(FAST, distort=True), options)


def test_a_network_that_is_asked_several_things_minimises_the_sum_of_their_cross_entropies(graphemes):
    stream = torch.Generator().manual_seed(0)
    _, targets = graphemes.train.batch(torch.arange(6))
    logits = torch.randn(6, graphemes.classes, generator=stream)
    partner, weight = torch.tensor([1, 2, 3, 4, 5, 0]), torch.rand(6, generator=stream)

    def mixer(images, *, generator=None, partner=None):
        return Mixed(images, torch.tensor([1, 2, 3, 4, 5, 0]), weight)

    config = {"objective": "cross-entropy", "precision": "fp32"}
    losses = objective(Pipeline([], graphemes.values, mixer), graphemes, config, 1, lambda images: logits)
    loss = losses(torch.arange(6), stream, 0)["loss"]
    classes, expected, start = indices_of(targets, graphemes.components), torch.zeros(6), 0
    for place, component in enumerate(graphemes.components):
        block, labels = logits[:, start : start + component.classes], classes[:, place]
        own, other = (cross_entropy(block, one, reduction="none") for one in (labels, labels[partner]))
        expected += weight * own + (1 - weight) * other
        start += component.classes
    torch.testing.assert_close(loss, expected.mean())


def test_other_objectives_for_several_questions_are_refused(graphemes, options):
    for name in set(OBJECTIVES) - {"cross-entropy"}:
        with pytest.raises(BadInput, match=f"--objective: got {name} for 3 questions an item; needs cross-entropy"):
            train(graphemes, "none", 1, replace(FAST, objective=name), options)


def test_networks_of_every_component_have_the_same_items():
    whole = load(DataOptions("made-up-graphemes", folds=5, fold=2, fraction=0.5, train_images=100))
    for place, component in enumerate(whole.components):
        options = DataOptions(
            "made-up-graphemes", component=component.name, folds=5, fold=2, fraction=0.5, train_images=100
        )
        alone = load(options)
        assert torch.equal(alone.train.inputs, whole.train.inputs)
        assert torch.equal(alone.test.inputs, whole.test.inputs)
        assert torch.equal(alone.test.targets, indices_of(whole.test.targets, whole.components)[:, place])
        assert (alone.classes, alone.component) == (component.classes, component.name)
    with pytest.raises(BadInput, match=r"--component: got 'shap'; needs a component of .*perhaps shape\?"):
        load(DataOptions("made-up-graphemes", component="shap"))


def test_networks_apart_are_right_where_each_of_them_is(graphemes, options):
    few = DataOptions("made-up-graphemes", train_images=64)
    quiet = replace(options, quiet=True)
    result = run(Config(("none",), 1, apart=True, data=few, settings=FAST, execution=quiet))
    by = {row["estimator"]: row["value"] for row in result.rows if row["seed"] == 1}
    right = torch.ones(len(graphemes.test), dtype=torch.bool)
    total = 0.0
    for component in graphemes.components:
        alone = load(replace(few, component=component.name))
        trained = classifier_run(alone, "none", 1, FAST, options)
        assert trained.status == "done"
        assert settings_of(trained)["more_metrics"] == ["macro_recall"]
        logits, labels = kept_logits(trained)
        found = logits.argmax(1) == labels
        right &= found
        total += float(cross_entropy(logits.double(), labels))
        assert by[f"{component.name}_accuracy"] == pytest.approx(100 * float(found.double().mean()))
        recalls = [float(found[labels == one].double().mean()) for one in labels.unique()]
        assert by[f"{component.name}_macro_recall"] == pytest.approx(100 * sum(recalls) / len(recalls))
    assert by["accuracy"] == pytest.approx(100 * float(right.double().mean()))
    assert by["cross_entropy"] == pytest.approx(total)


def test_joined_documents_of_networks_apart_keep_the_record_of_each(options):
    few = DataOptions("made-up-graphemes", train_images=64)
    for seed in (1, 2):
        config = Config(("none",), 1, first_seed=seed, apart=True, data=few, settings=FAST)
        run(replace(config, execution=replace(options, quiet=True, out=options.out / str(seed))))
    places = [options.out / str(seed) / "accuracy-made-up-graphemes-apart" / "result.json" for seed in (1, 2)]
    whole = joined([json.loads(place.read_text()) for place in places])
    assert len(whole["runs"]) == 2 * 3


def test_a_run_of_other_items_is_refused(tones, options):
    shapes = load(DataOptions("made-up-shapes"))
    eight = Task("eight", *plain_images(8), Image(1, 16, 16), 8)
    kinds = {"shapes in three dimensions": shapes, "images": eight, "clips of sound at 4,000 samples": tones}
    for kind, task in kinds.items():
        trained = train(task, "none", 1, replace(FAST, epochs=1), options)
        for other in kinds.values():
            if other is not task:
                with pytest.raises(BadInput, match=f"--model: got .*, a classifier of {kind}.*; needs one of"):
                    load_run(trained.path, CPU, other)


def plain_images(classes: int):
    split = InMemory(torch.zeros(32, 1, 16, 16, dtype=torch.uint8), torch.arange(32) % classes)
    return split, {"test": split}


def test_a_second_test_part_is_scored_too(tones, options):
    second = InMemory(tones.test.inputs[:6], 1 - tones.test.targets[:6])
    both = replace(tones, tests={**tones.tests, "other": second}, digest="")
    trained = train(both, "none", 1, replace(FAST, epochs=8), options)
    logits = logits_of(load_run(trained.path, CPU, both), second.inputs)
    right = float((logits.argmax(1) == second.targets).double().mean())
    assert trained.result()["further"]["other"]["accuracy"] == pytest.approx(right)
    (found,) = (row for row in accuracy_rows((trained,), "none", 1) if row["estimator"] == "other_accuracy")
    assert (found["value"], found["n"]) == (pytest.approx(100 * right), 6)


def test_networks_apart_need_several_questions(options):
    with pytest.raises(BadInput, match="--apart: got with digits; needs data with several questions an item"):
        run(Config(("none",), 1, apart=True, settings=FAST, execution=options))
    with pytest.raises(BadInput, match="--apart: got beside --component root; needs one of the two"):
        Config(apart=True, data=DataOptions("bengali-printed", component="root"))


def test_the_papers_settings_of_sound_and_graphemes(tones, graphemes):
    row = from_preset("commands-preact-resnet18-fmix-alpha-0.2")
    assert (row.data.data, row.settings.alpha, row.settings.scope) == ("commands:data/commands", 0.2, "batch")
    config = replace(row.settings, batch_size=16).resolved(tones, CPU, Ranks())
    assert {key: config[key] for key in ("epochs", "learning_rate", "width", "momentum", "weight_decay")} == {
        "epochs": 90, "learning_rate": 0.01, "width": 64, "momentum": 0.9, "weight_decay": 1e-4,
    }  # fmt: skip
    assert config["milestones"] == [pytest.approx(epoch / 90) for epoch in (30, 60, 80)]
    row = from_preset("bengali-root-seresnext50-cutmix")
    assert row.data.component == "root"
    config = row.settings.resolved(graphemes, CPU, Ranks())
    assert (config["batch_size"], config["epochs"], config["crop"], config["flip"]) == (512, 100, 0, False)
    assert config["network"] == "timm:legacy_seresnext50_32x4d"
    assert {f"bengali-{one}-seresnext50-{mixer}" for one in COMPONENTS for mixer in MASKS} < set(PRESETS)
