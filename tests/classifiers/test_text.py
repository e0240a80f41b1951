"""Networks of texts, their tokens and vectors, and how texts are mixed, against slow and obvious twins."""

import math

import pytest
import torch

from classifiers.text.networks import LSTM, TextNetwork, WordCNN, Words
from classifiers.text.tokens import UNKNOWN, tokens_of, vocabulary_of, word_tokenizer
from classifiers.text.vectors import vectors_of
from msda import CutMix, FMix, MixUp, NoMix
from store import BadInput
from tasks.task import NOTHING, Ragged, Texts
from training.batches import by_length
from training.views.text import mixing_ids, weighing_words

pytest.importorskip("tokenizers")

LENGTHS = (7, 3, 5, 1, 7, 2)


def ragged(lengths=LENGTHS, vocabulary=20, seed=0):
    stream = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocabulary, (sum(lengths),), generator=stream, dtype=torch.int32)
    return Ragged(ids, torch.tensor([0, *lengths]).cumsum(0), torch.arange(len(lengths)) % 2)


def network(body, classes=2, vocabulary=20, dimensions=6, **more):
    torch.manual_seed(1)
    outputs = 1 if classes == 2 else classes
    words = Words(torch.randn(vocabulary, dimensions), learned=True)
    return TextNetwork(words, body(dimensions + 1, outputs, 16, **more), classes).double().eval()


def test_a_batch_holds_the_texts_and_nothing_after_them():
    split = ragged()
    ids, targets = split.batch(torch.tensor([1, 0]))
    assert ids.shape == (2, 7)
    assert targets.tolist() == [1, 0]
    assert ids[0, :3].tolist() == split.ids[7:10].tolist()
    assert (ids[0, 3:] == NOTHING).all()
    assert ids[1].tolist() == split.ids[:7].tolist()


def test_batches_of_a_split_hold_every_text_once(monkeypatch):
    monkeypatch.setattr("tasks.task.WORDS", 12)
    batches = list(ragged().in_batches())
    assert sorted(torch.cat([indices for indices, _ in batches]).tolist()) == list(range(6))
    for indices, ids in batches:
        assert ids.numel() <= 12
        assert torch.equal(ids, ragged().batch(indices)[0])


@pytest.mark.parametrize("body", [WordCNN, LSTM])
@pytest.mark.parametrize("classes", [2, 3])
def test_logits_do_not_depend_on_the_texts_beside(body, classes):
    net, split = network(body, classes), ragged()
    together = net(net.embed(split.batch(torch.arange(6))[0]))
    alone = torch.cat([net(net.embed(split.batch(torch.tensor([place]))[0])) for place in range(6)])
    torch.testing.assert_close(together, alone)
    assert together.shape == (6, classes)


@pytest.mark.parametrize("body", [WordCNN, LSTM])
def test_counted_pads_are_words_of_zeros(body):
    net, split = network(body, pads="counted"), ragged()
    ids = split.batch(torch.tensor([0, 1]))[0]
    embedded = net.embed(ids)
    full = embedded.clone()
    full[:, -1] = 1  # as if every place had a word
    ignoring = network(body)
    torch.testing.assert_close(net(embedded), ignoring(full))
    assert not torch.allclose(net(embedded)[1], ignoring(embedded)[1])


def test_the_cnn_is_the_reference_codes():
    net, split = network(WordCNN), ragged()
    body = net.body
    for place in range(6):
        x = net.embed(split.batch(torch.tensor([place]))[0])[:, :-1]
        for convolution in body.convolutions:
            x = convolution(x).relu()
        expected = body.head(torch.cat([x.mean(2), x.amax(2), x[:, :, -1]], 1))
        logits = net(net.embed(split.batch(torch.tensor([place]))[0]))
        torch.testing.assert_close(logits, torch.cat([torch.zeros(1, 1).double(), expected], 1))


def test_the_lstm_is_torchs():
    net, split = network(LSTM), ragged()
    for place in range(6):
        x = net.embed(split.batch(torch.tensor([place]))[0])[:, :-1]
        states = net.body.lstm(x.mT)[0]
        expected = net.body.head(torch.cat([states.mean(1), states.amax(1), states[:, -1]], 1))
        logits = net(net.embed(split.batch(torch.tensor([place]))[0]))
        torch.testing.assert_close(logits[:, 1:], expected)


def test_one_output_is_the_binary_cross_entropys():
    net, split = network(WordCNN), ragged()
    logits = net(net.embed(split.batch(torch.arange(6))[0]))
    z, labels = logits[:, 1] - logits[:, 0], split.targets
    binary = torch.nn.functional.binary_cross_entropy_with_logits(z, labels.double())
    torch.testing.assert_close(torch.nn.functional.cross_entropy(logits, labels), binary)


def test_vectors_are_learned_or_stay():
    for learned in (True, False):
        net = network(WordCNN)
        net.words = Words(torch.randn(20, 6).double(), learned)
        before = net.words.weight.clone()
        optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
        net(net.embed(ragged().batch(torch.arange(6))[0])).square().sum().backward()
        optimiser.step()
        assert torch.equal(before, net.words.weight) != learned
        assert "words.weight" in net.state_dict()


@pytest.mark.parametrize("mixer", [CutMix(), FMix(), NoMix()])
def test_hard_masks_on_ids_are_those_on_vectors(mixer):
    net, ids = network(WordCNN).float(), ragged().batch(torch.arange(6))[0]  # of another type masks are drawn otherwise
    for seed in range(20):
        on_ids = mixing_ids(mixer, net.embed, True)(ids, generator=torch.Generator().manual_seed(seed))
        on_vectors = weighing_words(mixer)(net.embed(ids), generator=torch.Generator().manual_seed(seed))
        assert torch.equal(on_ids.partner, on_vectors.partner)
        torch.testing.assert_close(on_ids.images, on_vectors.images)
        torch.testing.assert_close(on_ids.weight, on_vectors.weight, check_dtype=False)


def test_weights_over_words_count_words():
    lengths, ids = torch.tensor(LENGTHS), ragged().batch(torch.arange(6))[0]
    there = (ids != NOTHING).double()
    for seed in range(20):
        mixed = mixing_ids(FMix(), lambda taken: taken, True)(ids, generator=torch.Generator().manual_seed(seed))
        for text, partner in enumerate(mixed.partner.tolist()):
            own = [place for place in range(7) if mixed.mask[text, 0, place] == 1 and place < lengths[text]]
            foreign = [place for place in range(7) if mixed.mask[text, 0, place] == 0 and place < lengths[partner]]
            words = len(own) + len(foreign)
            assert (mixed.images[text] != NOTHING).sum() == words
            expected = len(own) / words if words else float(mixed.mask[text].mean())
            assert float(mixed.weight[text]) == pytest.approx(expected)
            assert mixed.target_weight is mixed.weight
        level = weighing_words(MixUp())(there[:, None].repeat(1, 2, 1), generator=torch.Generator().manual_seed(seed))
        plain = MixUp()(there[:, None].repeat(1, 2, 1), generator=torch.Generator().manual_seed(seed)).weight
        own, others = plain * lengths, (1 - plain) * lengths[level.partner]
        torch.testing.assert_close(level.weight, own / (own + others))


def test_other_targets_keep_their_weights():
    embedded = torch.rand(6, 4, 7).double()
    for options in ({"targets": "independent"}, {"targets": "reformulated"}, {"target_alpha": 0.3}):
        mixed = weighing_words(FMix(**options))(embedded, generator=torch.Generator().manual_seed(1))
        plain = FMix(**options)(embedded, generator=torch.Generator().manual_seed(1))
        assert torch.equal(mixed.target_weight, plain.target_weight)


def test_a_text_of_one_length_has_the_masks_weight():
    embedded = torch.cat([torch.rand(8, 3, 11), torch.ones(8, 1, 11)], 1)
    for mixer in (MixUp(), CutMix(), FMix()):
        ours = weighing_words(mixer)(embedded, generator=torch.Generator().manual_seed(2))
        plain = mixer(embedded, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(ours.weight, plain.weight)


@pytest.mark.parametrize("mixer", [MixUp(), FMix(max_soft=0.5)])
def test_ids_take_masks_of_0_and_1_alone(mixer):
    ids = ragged((9, 9, 9, 9)).batch(torch.arange(4))[0]

    def many():  # a soft mask may be hard by chance
        for seed in range(20):
            mixing_ids(mixer, lambda taken: taken, True)(ids, generator=torch.Generator().manual_seed(seed))

    with pytest.raises(ValueError, match="mask"):
        many()


def test_a_mixed_text_is_as_long_as_its_last_word():
    net, split = network(LSTM), ragged((7, 2))
    ids = split.batch(torch.arange(2))[0]
    embedded = net.embed(ids)
    half = weighing_words(MixUp())(embedded, partner=torch.tensor([1, 0])).images
    longer = torch.cat([half, torch.zeros(2, 7, 4)], 2).double()
    torch.testing.assert_close(net(half), net(longer))


def test_batches_have_texts_of_similar_length():
    lengths = torch.randint(1, 400, (1000,), generator=torch.Generator().manual_seed(0))
    order = by_length(lengths, 8)(torch.Generator().manual_seed(1))
    assert sorted(order.tolist()) == list(range(1000))
    spread = [int(lengths[batch].max() - lengths[batch].min()) for batch in order.split(8)]
    assert max(spread) < 40  # of 800 sorted texts eight neighbours
    assert torch.equal(order, by_length(lengths, 8)(torch.Generator().manual_seed(1)))
    other = by_length(lengths, 8)(torch.Generator().manual_seed(2))
    assert not torch.equal(order, other)
    # no length comes first: the mean length of the first half is that of the second within four standard errors
    halves = [torch.tensor([lengths[batch].double().mean() for batch in half.split(8)]) for half in order.split(504)]
    error = math.hypot(*(float(half.std() / len(half) ** 0.5) for half in halves))
    assert abs(float(halves[0].mean() - halves[1].mean())) < 4 * error


def test_what_is_left_over_is_any_text():
    lengths = torch.arange(10)
    left = {int(by_length(lengths, 4)(torch.Generator().manual_seed(seed))[8:].max()) for seed in range(200)}
    assert left == set(range(1, 10))


TEXTS = ("The film is good, good!", "the FILM was bad", "", "  ", "zebra", "good 电影 \ud800")


def test_words_are_the_most_frequent_ones():
    tokenizer = word_tokenizer(TEXTS[:2], 4, cased=False)
    assert vocabulary_of(tokenizer)[0] == UNKNOWN
    assert set(vocabulary_of(tokenizer)) == {UNKNOWN, "the", "film", "good"}
    cased = word_tokenizer(TEXTS[:2], 30, cased=True)
    assert {"The", "the", "FILM", "film"} <= set(vocabulary_of(cased))


def test_texts_become_tokens_and_odd_ones_are_counted():
    tokenizer = word_tokenizer(TEXTS[:2], 30, cased=False)
    split, cut, empty = tokens_of(tokenizer, Texts(TEXTS, torch.zeros(6).long()), longest=5)
    assert (cut, empty) == (1, 2)
    words = vocabulary_of(tokenizer)
    read = [[words[number] for number in split.ids[a:b]] for a, b in zip(split.starts, split.starts[1:], strict=False)]
    assert read[0] == ["the", "film", "is", "good", ","]
    assert read[1] == ["the", "film", "was", "bad"]
    assert read[2:5] == [[UNKNOWN]] * 3
    assert read[5][0] == "good"
    assert set(read[5][1:]) == {UNKNOWN}


def test_a_vocabulary_is_the_same_in_another_process(tmp_path):
    import subprocess
    import sys

    made = (
        "from classifiers.text.tokens import word_tokenizer; "
        "print(word_tokenizer(['a b c d e f g h', 'h g f a', 'x y z a'], 8, False).to_str())"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout for _ in "ab"
    )
    assert first == second


def vec_file(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_vectors_from_texts_and_arrays(tmp_path):
    import numpy as np

    words = [UNKNOWN, "good", "new york", "absent"]
    expected = torch.tensor([[0.0, 0, 0], [1, 2, 3], [0.5, -1, 2], [0, 0, 0]])
    lines = ["good 1 2 3", "new york 0.5 -1 2", "other 7 7 7"]
    files = [
        vec_file(tmp_path / "fasttext.vec", ["3 3", *lines]),
        vec_file(tmp_path / "glove.txt", lines),
    ]
    array = tmp_path / "array" / "rows.npy"
    array.parent.mkdir()
    np.save(array, np.array([[1, 2, 3], [0.5, -1, 2], [7, 7, 7]], dtype=np.float32))
    vec_file(array.with_suffix(".txt"), ["good", "new york", "other"])
    for file in (*files, str(array)):
        vectors, known = vectors_of(file, words)
        torch.testing.assert_close(vectors, expected)
        assert known == 2


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["good 1 2", "bad 1"], "line 2 with 1 numbers"),
        (["2 2", "good 1 2 3"], "line 2 with 3 numbers"),
        (["good 1 x"], "line 1 with something that is no number"),
        (["good 1 nan"], "numbers that are not finite"),
        (["other 1 2"], "none of 3 words"),
    ],
)
def test_wrong_vectors_are_refused_in_a_line(tmp_path, lines, complaint):
    with pytest.raises(BadInput, match=complaint):
        vectors_of(vec_file(tmp_path / "a.vec", lines), [UNKNOWN, "good", "bad"])
