"""Classifiers of texts from end to end: trained, resumed, loaded, refused."""

import json
import math
import signal
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from classifiers.load import kept_logits, load_run
from classifiers.presets import PRESETS
from classifiers.text import TextSettings, load_text_run
from classifiers.train import Config, Settings, classifier_run, from_preset, learning_rate_of, pipeline_of, run, train
from store import BadInput
from tasks import DataOptions, Task, load
from tasks.task import NOTHING, text_task
from training.distributed import Ranks
from training.loop import Interrupted

pytest.importorskip("transformers")

CPU = torch.device("cpu")
FAST = Settings("text-cnn", width=8, epochs=2, batch_size=32, learning_rate=1e-2, text=TextSettings(dimensions=8))


@pytest.fixture(scope="module")
def sentences() -> Task:
    task = load(DataOptions("made-up-sentences"))
    return replace(task, train=task.train.only(torch.arange(128)), digest="")


def with_labels(task: Task, labels, **more) -> Task:
    """The same texts with other labels."""
    count = len(task.train)
    train, test = task.train.inputs, task.test.inputs
    return text_task("relabelled", (train, labels[:count]), (test, labels[count : count + len(test)]), **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small transformer as transformers saves one: configuration, weights, tokenizer."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    path = tmp_path_factory.mktemp("pretrained") / "tiny-bert"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "film", "is", "was", "a", "joy", "dull", "##s", "not", "."]
    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(path)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=40, **sizes)
    transformers.BertModel(config).save_pretrained(path)
    return path


@pytest.mark.parametrize("network", ["text-cnn", "text-lstm", "bert"])
@pytest.mark.parametrize("augmentation", ["none", "mixup", "fmix"])
def test_networks_learn_and_are_loaded_again(network, augmentation, sentences, options):
    settings = replace(FAST, network=network, epochs=1)
    if network == "bert":
        settings = replace(settings, width=64, text=TextSettings())
    trained = train(sentences, augmentation, 1, settings, options)
    record = trained.result()
    assert (record["items"], record["several"]) == ("texts", False)
    assert {"accuracy", "cross_entropy", "roc_auc", "n"} <= record["metrics"].keys()
    assert "tokenizer.json" in record["files"]
    classifier = load_text_run(trained.path, CPU)
    logits, labels = kept_logits(trained)
    torch.testing.assert_close(classifier.of_texts(sentences.test.inputs), logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(labels, sentences.test.targets)
    one_by_one = torch.cat([classifier.of_texts([text]) for text in sentences.test.inputs[:20]])
    torch.testing.assert_close(one_by_one, logits[:20], rtol=1e-4, atol=1e-5)
    with pytest.raises(BadInput, match="a classifier of texts"):
        load_run(trained.path, CPU)


@pytest.mark.parametrize("network", ["text-cnn", "text-lstm"])
def test_made_up_sentences_are_learnt(network, options):
    settings = replace(FAST, network=network, width=16, epochs=8)
    trained = train(load(DataOptions("made-up-sentences")), "none", 1, settings, options)
    assert trained.result()["metrics"]["accuracy"] > 0.85


@pytest.mark.parametrize("network", ["text-cnn", "text-lstm"])
def test_a_resumed_run_is_the_uninterrupted_one_to_the_bit(network, sentences, options, tmp_path, monkeypatch):
    settings = replace(FAST, network=network)
    whole = train(sentences, "fmix", 1, settings, replace(options, store=tmp_path / "whole"))
    again, steps = replace(options, store=tmp_path / "again"), []
    forward = torch.nn.functional.embedding

    def interrupting(*arguments):
        steps.append(1)
        if len(steps) == 6:
            signal.raise_signal(signal.SIGTERM)
        return forward(*arguments)

    monkeypatch.setattr("classifiers.text.networks.functional.embedding", interrupting)
    with pytest.raises(Interrupted):
        train(sentences, "fmix", 1, settings, again)
    monkeypatch.undo()
    resumed = train(sentences, "fmix", 1, settings, again)
    for file in ("weights.safetensors", "logits.npz", "tokenizer.json"):
        assert (whole.path / file).read_bytes() == (resumed.path / file).read_bytes()
    assert whole.result()["curve"] == resumed.result()["curve"]


def test_several_labels_are_scored_by_the_area(sentences, options):
    texts = (*sentences.train.inputs, *sentences.test.inputs)
    labels = torch.tensor([[float(word in text) for word in ("film", "not", "was")] for text in texts])
    task = with_labels(sentences, labels, several=True)
    trained = train(task, "fmix", 1, replace(FAST, epochs=4), options)
    record = trained.result()
    assert record["config"]["objective"] == "binary-cross-entropy"
    assert record["several"]
    assert record["metrics"]["roc_auc"] > 0.6
    logits, targets = kept_logits(trained)
    expected = binary_cross_entropy_with_logits(logits.double(), targets.double(), reduction="none").sum(1).mean()
    assert record["metrics"]["cross_entropy"] == pytest.approx(float(expected))


@pytest.mark.parametrize("kind", ["five classes", "soft rows"])
def test_five_classes_by_index_or_by_rows(kind, sentences, options):
    lengths = torch.tensor([len(text) for text in (*sentences.train.inputs, *sentences.test.inputs)])
    labels = (lengths // 8).clamp(max=6) - 2
    labels = labels.clamp(min=0)
    if kind == "soft rows":
        labels = torch.nn.functional.one_hot(labels, 5).float() * 0.9 + 0.02
    task = with_labels(sentences, labels, classes=5)
    metrics = train(task, "mixup", 1, FAST, options).result()["metrics"]
    assert "roc_auc" not in metrics
    assert 0 <= metrics["accuracy"] <= 1


def test_masks_on_ids_train_the_very_network_that_masks_on_vectors_do(sentences, options):
    settings = replace(FAST, text=replace(FAST.text, mixed_at="ids"))
    on_ids = kept_logits(train(sentences, "fmix", 1, settings, options))[0]
    on_vectors = kept_logits(train(sentences, "fmix", 1, FAST, options))[0]
    torch.testing.assert_close(on_ids, on_vectors, rtol=1e-4, atol=1e-4)


def test_a_pretrained_transformer_is_loaded_trained_and_found_without_its_folder(folder, sentences, options, tmp_path):
    settings = Settings(
        f"transformers:{folder}", epochs=1, batch_size=32, text=TextSettings(mixed_at="ids", longest=20)
    )
    trained = train(sentences, "fmix", 1, settings, options)
    assert trained.result()["config"]["network"] == "transformers:tiny-bert"
    logits = kept_logits(trained)[0]
    classifier = load_text_run(trained.path, CPU)  # which does not look at the folder
    torch.testing.assert_close(classifier.of_texts(sentences.test.inputs), logits, rtol=1e-4, atol=1e-5)
    moved = tmp_path / "elsewhere" / "tiny-bert"
    moved.parent.mkdir()
    folder.rename(moved)
    try:
        same = replace(settings, network=f"transformers:{moved}")
        assert classifier_run(sentences, "fmix", 1, same, options).path == trained.path
    finally:
        moved.rename(folder)


def test_a_transformers_first_step_begins_with_its_own_weights(folder, sentences):
    import transformers

    from classifiers.text.classifier import text_classifier

    classifier = text_classifier(f"transformers:{folder}", sentences, TextSettings(longest=20), None).eval()
    model = transformers.AutoModel.from_pretrained(folder).eval()
    ids = torch.tensor([[2, 4, 5, 6, 9, 3], [2, 10, 3, NOTHING, NOTHING, NOTHING]])
    for row in ids:
        alone = row[row != NOTHING][None]
        states = model(input_ids=alone, output_hidden_states=True).hidden_states
        z = classifier.network.body.head(torch.stack(states).mean(0).mean(1))
        expected = torch.cat([torch.zeros(1, 1), z], 1)
        torch.testing.assert_close(classifier(alone), expected, rtol=1e-4, atol=1e-5)
    together = classifier(ids)
    torch.testing.assert_close(together[1:], classifier(ids[1:, :3]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("preset", [name for name, row in PRESETS.items() if row.network in ("text-cnn", "text-lstm")])
def test_every_preset_of_texts_takes_a_training_step(preset, sentences, options):
    config = from_preset(preset)
    task = replace(sentences, train=sentences.train.only(torch.arange(8)), digest="")
    settings = replace(config.settings, width=2, epochs=1, batch_size=8)
    assert math.isfinite(train(task, config.augmentation, 1, settings, options).result()["metrics"]["cross_entropy"])


def test_the_learning_rate_warms_up():
    config = {"epochs": 4, "learning_rate": 0.5, "schedule": "step", "milestones": [0.5], "warm_up": 0.5}
    rates = [learning_rate_of(config, 10)(step) for step in (0, 1, 4, 5, 19, 20)]
    assert rates == pytest.approx([0.1, 0.2, 0.5, 0.5, 0.5, 0.05])


def test_published_settings_of_texts(sentences):
    settings = Settings("text-cnn").resolved(replace(sentences, train=sentences.train), CPU, Ranks())
    assert (settings["optimizer"], settings["learning_rate"], settings["weight_decay"]) == ("adam", 1e-4, 0.0)
    assert (settings["batch_size"], settings["epochs"], settings["milestones"], settings["width"]) == (64, 10, [], 128)
    assert "momentum" not in settings
    preset = from_preset("imdb-text-lstm-mixup")
    assert (preset.settings.alpha, preset.settings.scope, preset.settings.network) == (0.2, "batch", "text-lstm")
    assert from_preset("toxic-text-cnn-fmix").settings.alpha == 1.0
    assert from_preset("toxic-bert-base-cased-fmix").settings.text.mixed_at == "ids"


@pytest.mark.parametrize(
    ("changes", "text", "augmentation", "complaint"),
    [
        ({"network": "preact-resnet18"}, {}, "none", "--network: got preact-resnet18 for texts"),
        ({"network": "torchvision:resnet18"}, {}, "none", "a network of texts: text-cnn"),
        ({}, {"mixed_at": "ids"}, "mixup", "masks of 0 and 1"),
        ({"flip": True}, {}, "none", "--flip"),
        ({"policy": "autoaugment"}, {}, "none", "--policy"),
        ({"network": "bert"}, {"pads": "counted"}, "none", "--pads"),
        ({"network": "transformers:nowhere"}, {}, "none", "transformers:nowhere, where there is no config.json"),
        ({"network": "bert"}, {"dimensions": 9}, "none", "--dimensions"),
        ({"network": "bert"}, {"learn_vectors": False}, "none", "--learn-vectors"),
        ({"network": "bert"}, {"longest": 600}, "none", "at most the 512 tokens"),
        ({"warm_up": 3.0}, {}, "none", "--warm-up: got 3.0; needs at most the 2 epochs"),
        ({"max_soft": 0.01}, {"mixed_at": "ids"}, "fmix", "--max-soft"),
        ({"objective": "binary-cross-entropy"}, {}, "none", "--objective"),
        ({"batch_size": 500}, {}, "none", "128 training texts"),
        ({}, {"vectors": "nothing.vec"}, "none", "nothing.vec, where there is no file"),
    ],
)
def test_what_does_not_suit_texts_is_refused_before_training(
    changes, text, augmentation, complaint, sentences, options
):
    settings = replace(FAST, text=TextSettings(**text), **changes)
    with pytest.raises(BadInput, match=complaint):
        train(sentences, augmentation, 1, settings, options)
    # nothing half-written: a directory there may be, but no run that was begun
    assert not list(options.store.rglob("config.json"))


def test_what_is_asked_of_texts_is_refused_for_images(options):
    with pytest.raises(BadInput, match="--vocabulary: got 9; needs --data of texts"):
        train(load(DataOptions("digits")), "none", 1, Settings(text=TextSettings(vocabulary=9)), options)


def test_several_labels_and_one_class_are_refused_what_does_not_suit_them(sentences, options):
    texts = (*sentences.train.inputs, *sentences.test.inputs)
    several = with_labels(sentences, torch.ones(len(texts), 3), several=True)
    with pytest.raises(BadInput, match="--objective: got cross-entropy for several labels a text"):
        train(several, "none", 1, replace(FAST, objective="cross-entropy"), options)
    with pytest.raises(BadInput, match="texts of one class"):
        train(with_labels(sentences, torch.zeros(len(texts)).long()), "none", 1, FAST, options)


def test_another_optimiser_has_rates_of_its_own(sentences):
    digits = load(DataOptions("digits"))
    rates = [
        (config["learning_rate"], config["weight_decay"])
        for task, optimizer in ((digits, "adam"), (digits, "sgd"), (sentences, "sgd"), (sentences, "adam"))
        for config in [Settings(optimizer=optimizer, batch_size=64).resolved(task, CPU, Ranks())]
    ]
    assert rates == [(1e-3, 0.0), (0.1, 1e-4), (0.1, 1e-4), (1e-4, 0.0)]
    asked = Settings(optimizer="sgd", batch_size=64).resolved(digits, CPU, Ranks())
    assert asked == Settings(batch_size=64).resolved(digits, CPU, Ranks())  # the usual one by its name is the same run


def test_half_precision_and_few_tokens_of_a_folder(folder, sentences, options, tmp_path):
    import shutil

    import transformers

    half = tmp_path / "half"
    shutil.copytree(folder, half)
    transformers.BertModel.from_pretrained(folder).half().save_pretrained(half)
    settings = Settings(f"transformers:{half}", epochs=1, batch_size=32)
    trained = train(sentences, "mixup", 1, settings, options)
    assert trained.result()["config"]["text"]["longest"] == 40  # as many as it takes
    with pytest.raises(BadInput, match="--longest: got 2; needs at least 3: the tokenizer adds 2"):
        train(sentences, "none", 1, replace(settings, text=TextSettings(longest=2)), options)


def test_strings_are_classified_from_python(sentences, options, capsys):
    classifier = load_text_run(train(sentences, "none", 1, FAST, options).path, CPU).train()
    assert classifier.of_texts([]).shape == (0, 2)
    assert classifier.training
    with pytest.raises(BadInput, match="a list of texts"):
        classifier.of_texts("one text")
    capsys.readouterr()
    classifier.of_texts(["", "word " * 500])
    said = capsys.readouterr().err
    assert "1 of 2 given texts have no words" in said
    assert "1 of 2 given texts are longer than 400 tokens" in said


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_run_without_its_tokenizer_is_refused_in_a_line(damage, sentences, options):
    trained = train(sentences, "none", 1, FAST, options)
    tokenizer = trained.path / "tokenizer.json"
    tokenizer.unlink() if damage == "missing" else tokenizer.write_text("{}")
    got = "no file" if damage == "missing" else "a file whose hash is not the recorded one"
    with pytest.raises(BadInput, match=rf"tokenizer\.json: got {got}; needs the tokenizer this run wrote"):
        load_text_run(trained.path, CPU)


def test_a_body_of_ones_own_is_found_from_elsewhere(sentences, options, tmp_path, monkeypatch):
    file = tmp_path / "nets.py"
    file.write_text(
        "from classifiers.text import WordCNN\ndef net(channels, classes):\n    return WordCNN(channels, classes, 8)\n"
    )
    trained = train(sentences, "none", 1, replace(FAST, network=f"{file}:net", width=None), options)
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(BadInput, match=r"--model: got nets\.py:net"):
        load_text_run(trained.path, CPU)
    classifier = load_text_run(trained.path, CPU, network=f"{file}:net")
    torch.testing.assert_close(
        classifier.of_texts(sentences.test.inputs), kept_logits(trained)[0], rtol=1e-4, atol=1e-5
    )


def test_longer_texts_than_a_transformer_takes_are_refused(folder, sentences, options):
    settings = Settings(f"transformers:{folder}", text=TextSettings(longest=41))
    with pytest.raises(BadInput, match="at most the 40 tokens"):
        train(sentences, "none", 1, settings, options)


def test_empty_unknown_and_long_texts_are_read_and_counted(options, capsys):
    train_texts = ["good film", "bad film", "", "   "] * 16
    test_texts = ["", "电影", "zebra zebra", "good " * 500, "\x00", "bad"]
    labels = torch.tensor([1, 0, 1, 0] * 16)
    task = text_task("odd", (train_texts, labels), (test_texts, torch.tensor([0, 1, 0, 1, 0, 1])))
    metrics = train(task, "fmix", 1, replace(FAST, batch_size=16), options).result()["metrics"]
    assert metrics["n"] == 6
    said = capsys.readouterr().err
    assert "32 of 64 training texts have no words" in said
    assert "1 of 6 test texts are longer than 400 tokens" in said


def test_the_command_says_texts(options, capsys):
    run(
        Config(
            data=DataOptions("made-up-sentences", train_images=64),
            settings=FAST,
            execution=replace(options, quiet=False),
        )
    )
    out = capsys.readouterr().out
    assert "on the 240 test texts after the last epoch" in out


def test_somebody_elses_body_takes_embedded_words(sentences, options, tmp_path):
    file = tmp_path / "bag.py"
    file.write_text(
        "import torch\n"
        "class Bag(torch.nn.Module):\n"
        "    def __init__(self, channels, classes):\n"
        "        super().__init__()\n"
        "        self.linear = torch.nn.Linear(channels - 1, classes)\n"
        "    def forward(self, x):\n"
        "        return self.linear(x[:, :-1].sum(2) / x[:, -1:].sum(2).clamp(min=1))\n"
    )
    settings = replace(FAST, network=f"{file}:Bag", width=None, epochs=20)
    first = train(sentences, "none", 1, settings, options)
    assert first.result()["curve"][-1]["training_accuracy"] > 0.7
    file.write_text(file.read_text() + "# changed\n")
    assert classifier_run(sentences, "none", 1, settings, options).path != first.path


def test_a_hybrid_takes_turns_on_texts(sentences, options):
    from classifiers.text.classifier import text_classifier

    config = FAST.resolved(sentences, CPU, Ranks()) | {"augmentation": "fmix+mixup"}
    classifier = text_classifier("text-cnn", sentences, FAST.text, 8)
    pipeline = pipeline_of(classifier, FAST, config, 1)
    ids = torch.randint(0, 9, (8, 12))
    kinds = [pipeline(ids, torch.Generator().manual_seed(1), turn).mask is None for turn in range(4)]
    assert kinds == [False, True, False, True]


def test_records_of_runs_are_read_back_as_options(sentences, options):
    trained = train(sentences, "none", 1, FAST, options)
    config = json.loads((trained.path / "result.json").read_text())["config"]
    assert config["text"]["mixed_weights"] == "words"
    assert config["text"]["longest"] == 400
