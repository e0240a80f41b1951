"""Descriptive measures, against closed forms, hand counts and loops over all pairs."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from analysis.bounds.channel import channel
from analysis.bounds.contrastive import index_code
from analysis.bounds.encoded import Encoded
from analysis.bounds.labelled import LABEL, Labelled, gaussian_classifier
from analysis.bounds.outputs import output_bounds
from analysis.representations.descriptive import (
    FEATURES,
    INDEX,
    affinity,
    diversity,
    linear_probe,
    outputs_of,
    pairwise_distances,
    spectra_of_classes,
    spectrum,
    spectrum_rows,
)
from classifiers import Classifier
from classifiers.train import Settings, pipeline_of
from msda import FMix, Mixed, MixUp, NoMix
from store import BadInput
from tasks import Task, image_task
from training import Pipeline
from vae.posterior import DiagonalGaussian


def clusters(n: int, d: int = 4, apart: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) of variance 1 about a centre for each of three classes, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 3)
    return apart * np.eye(d)[labels] + rng.normal(size=(n, d)), labels


def with_spectrum(values: tuple[float, ...], n: int = 40) -> torch.Tensor:
    """Features (n, len(values)) with these standard deviations along axes turned at random."""
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(np.c_[np.ones(n), rng.normal(size=(n, len(values)))])[0][:, 1:]
    axes = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return torch.from_numpy(math.sqrt(n) * columns * values @ axes)


def test_a_known_spectrum():
    values = (4.0, 2.0, 1.0, 1.0)
    found = spectrum(with_spectrum(values) + 100)
    assert found.singular_values.tolist() == pytest.approx(values)
    # shares 1/2, 1/4, 1/8, 1/8: 1.75 bits
    assert found.effective_rank == pytest.approx(2**1.75)
    assert found.participation_ratio == pytest.approx((16 + 4 + 1 + 1) ** 2 / (256 + 16 + 1 + 1))


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (20, 20)])
def test_the_singular_values_are_those_of_a_decomposition(shape):
    features = np.random.default_rng(0).normal(size=shape)
    expected = np.linalg.svd((features - features.mean(0)) / math.sqrt(shape[0]), compute_uv=False)
    found = spectrum(features)
    np.testing.assert_allclose(found.singular_values, expected, atol=1e-7)
    shares = expected / expected.sum()
    assert found.effective_rank == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares if p > 1e-12)))


def test_ranks_see_neither_place_nor_scale_nor_rotation():
    features, _ = clusters(100)
    turned = features @ np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    plain, moved = spectrum(features), spectrum(1e-100 * turned)
    assert moved.effective_rank == pytest.approx(plain.effective_rank)
    assert moved.participation_ratio == pytest.approx(plain.participation_ratio)
    equal = spectrum(with_spectrum((3.0,) * 6))
    assert equal.effective_rank == pytest.approx(6)
    assert equal.participation_ratio == pytest.approx(6)
    line = spectrum(with_spectrum((3.0, 0.0, 0.0)))
    assert line.effective_rank == line.participation_ratio == pytest.approx(1)
    nothing = spectrum(np.ones((30, 3)))
    assert nothing.effective_rank == nothing.participation_ratio == 0


def test_classes_have_their_own_means():
    features, labels = clusters(300, apart=50.0)
    found = spectra_of_classes(features.astype(np.float32), labels + 5)
    assert list(found) == [5, 6, 7]
    for name, of_class in found.items():
        own = features[labels + 5 == name]
        expected = np.linalg.svd((own - own.mean(0)) / math.sqrt(len(own)), compute_uv=False)
        np.testing.assert_allclose(of_class.singular_values, expected, rtol=1e-4)
    rows = {row["estimator"]: row for row in spectrum_rows(features, labels, layer="mine")}
    mean = np.mean([of_class.effective_rank for of_class in found.values()])
    assert rows["class_effective_rank"]["value"] == pytest.approx(mean)
    # three centres far apart are a plane; about them every direction is alike
    assert rows["participation_ratio"]["value"] == pytest.approx(2, abs=0.1)
    assert rows["class_participation_ratio"]["value"] == pytest.approx(4, abs=0.2)
    assert {row["layer"] for row in rows.values()} == {"mine"}
    assert {(row["direction"], row["standard_error"], row["n"]) for row in rows.values()} == {(None, None, 300)}


@pytest.mark.parametrize("level", [0.3, 1.0, 3.0])
def test_pairwise_distances_are_a_loop_over_pairs(level):
    features, _ = clusters(70)
    posterior = channel(features, "per-dimension").posterior(features, level)
    mean, n = posterior.mean.numpy() / level, 70
    for bound, factor in zip(pairwise_distances(posterior), (1 / 8, 1 / 2), strict=True):

        def value(kept, factor=factor):
            terms = [np.log(np.exp(-factor * ((kept - a) ** 2).sum(1)).mean()) for a in kept]
            return -np.mean(terms)

        assert bound.value == pytest.approx(value(mean))
        left_out = [value(np.delete(mean, k, 0)) for k in range(n)]
        jackknife = math.sqrt((n - 1) / n * np.square(left_out - np.mean(left_out)).sum())
        assert bound.standard_error == pytest.approx(jackknife, rel=0.05)
        assert bound.quantity == INDEX
        assert bound.cap == math.log(n)


def test_pairwise_distances_hold_the_index_information():
    features, _ = clusters(400)
    for level in (0.25, 0.5, 1.0, 2.0):
        posterior = channel(features).posterior(features, level)
        lower, upper = pairwise_distances(posterior)
        draws = []
        for seed in range(5):
            codes = posterior.sample(torch.Generator().manual_seed(seed))
            draws.append(index_code(Encoded(posterior, codes)).value)
        assert lower.direction == "lower"
        assert upper.direction == "upper"
        assert lower.value - 0.02 < np.mean(draws) < upper.value + 0.02 < math.log(400) + 0.02
    with pytest.raises(ValueError, match="the same noise for all images"):
        pairwise_distances(DiagonalGaussian(torch.zeros(5, 1), torch.arange(5.0)[:, None]))


def test_the_probe_of_classes_that_are_apart_knows_them():
    features, labels = clusters(600, apart=40.0)
    bound = linear_probe(features.astype(np.float16), labels + 7)
    assert bound.quantity == FEATURES
    assert bound.direction == "lower"
    assert bound.cap == pytest.approx(math.log(3))
    assert math.log(3) - 0.01 < bound.value <= bound.cap
    assert bound.influence.shape == (600,)
    # some 36 images lie on one side of what is learnt of a label that is noise in one of ten
    rng = np.random.default_rng(0)
    wrong = np.where(rng.random(600) < 0.1, (labels + 1) % 3, labels)
    noisy = linear_probe(features, wrong)
    truth = math.log(3) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert noisy.value == pytest.approx(truth, abs=4 * noisy.standard_error)


def test_the_probe_of_labels_that_are_independent_knows_nothing():
    values = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        values.append(linear_probe(rng.normal(size=(300, 20)), rng.integers(0, 3, 300)).value)
    # a lower bound on 0 in expectation, and not far below it
    assert -0.05 < np.mean(values) < 2 * np.std(values) / math.sqrt(10)


def test_the_probe_of_gaussian_classes_is_near_the_truth_and_below_it():
    features, labels = clusters(3000)
    noisy = channel(clusters(3000, seed=1)[0]).posterior(features, 0.5)
    labelled = Labelled(noisy, labels)
    probe, gaussian = linear_probe(labelled.codes, labels, quantity=LABEL), gaussian_classifier(labelled)
    assert probe.quantity == LABEL
    # with one covariance the best decoder is linear
    assert probe.value == pytest.approx(gaussian.value, abs=0.01)
    assert probe.standard_error == pytest.approx(gaussian.standard_error, rel=0.2)
    assert not probe.heavy_tailed


def test_the_standard_error_of_the_probe_is_its_spread(monkeypatch):
    monkeypatch.setattr("analysis.representations.descriptive.STRENGTHS", (0.1,))
    found = [linear_probe(*clusters(200, seed=seed)) for seed in range(60)]
    spread = np.std([bound.value for bound in found], ddof=1)
    assert np.mean([bound.standard_error for bound in found]) == pytest.approx(spread, rel=0.3)


def test_the_probe_is_a_loop_over_folds_by_hand(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr("analysis.representations.descriptive.STRENGTHS", (0.1,))
    features, labels = clusters(60)
    labels = np.where(np.arange(60) < 15, 0, labels)  # classes of different sizes
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0)).numpy()
    folds = [[np.array_split(order[labels[order] == y], 5)[f] for y in range(3)] for f in range(5)]
    total = 0.0
    for parts in folds:
        scored = np.concatenate(parts)
        others = np.setdiff1d(np.arange(60), scored)
        centre, scale = features[others].mean(0), features[others].std(0)
        fitted = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(
            (features[others] - centre) / scale, labels[others]
        )
        share = fitted.predict_proba((features - centre) / scale)
        for y, images in enumerate(parts):
            prior = (labels == y).mean()
            terms = [math.log(0.999 * share[i, y] / prior + 0.001) for i in images]
            total += prior * np.mean(terms) / 5
    assert linear_probe(features, labels).value == pytest.approx(total, abs=1e-3)


def test_the_probe_of_hardly_any_images_and_of_one_class():
    features, labels = clusters(6)
    assert linear_probe(features, labels).value < math.log(3)
    alone = linear_probe(features, 0 * labels)
    assert (alone.value, alone.standard_error, alone.cap) == (0, 0, 0)
    for change, words in (
        ((features, labels[:-1]), "labels: got shape"),
        ((np.where(features > 1, np.inf, features), labels), "NaN or infinite values"),
        ((features[:, 0], labels), "features: got an array"),
    ):
        with pytest.raises(BadInput, match=words):
            linear_probe(*change)


def test_outputs_of_logits_that_know_the_class():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 4
    logits = 3 * np.eye(4)[labels] + rng.normal(size=(1000, 4))
    found = outputs_of(7 * logits, labels)
    assert found.n == 200
    assert {bound.n for bound in found.bounds} == {800}
    assert {bound.quantity for bound in found.bounds} == {"I(X;Ŷ)", "I(X;Ŷ|Y)"}
    # seven times the logits have seven times the temperature, and the same answers
    plain = outputs_of(torch.from_numpy(logits).float(), torch.from_numpy(labels))
    assert found.temperature == pytest.approx(7 * plain.temperature, rel=1e-4)
    assert [each.value for each in found.bounds] == pytest.approx([each.value for each in plain.bounds], abs=1e-4)
    # logits log p of classes drawn from p have temperature 1
    share = rng.dirichlet(np.ones(3), 20_000)
    drawn = (rng.random((20_000, 1)) > share.cumsum(1)).sum(1)
    own = outputs_of(np.log(share), drawn)
    assert own.temperature == pytest.approx(1, abs=0.05)
    exact = output_bounds(np.log(share), drawn)
    assert own.bounds[0].value == pytest.approx(exact[0].value, abs=0.03)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z, y: (z[:, :2], y), r"labels: got classes 0 to 2 with logits \(60, 2\)"),
        (lambda z, y: (z, y - 1), "labels: got classes -1 to 1"),
        (lambda z, y: (z[:12], y[:12]), "fewer than 5 images of every class"),
        (lambda z, y: (np.where(z > 1, np.nan, z), y), "logits: got NaN"),
    ],
)
def test_outputs_that_cannot_be_bounded_are_one_line(change, words):
    logits, labels = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    with pytest.raises(BadInput, match=words):
        outputs_of(*change(logits, labels))


def halves(n: int, classes: int = 2, seed: int = 0) -> Task:
    """Images whose pixels are as bright as their class, nearly."""
    rng = np.random.default_rng(seed)

    def images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = rng.integers(0, classes, count)
        pixels = 30 + 180 * labels[:, None, None, None] / (classes - 1) + rng.integers(-30, 30, (count, 1, 8, 8))
        return torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels)

    return image_task("halves", images(n), images(n))


class Brightness(nn.Module):
    """Logits that are linear in the mean pixel."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, images):
        level = images.mean((1, 2, 3))[:, None]
        return -8 * (level - torch.linspace(0, 1, self.classes)).square()


def clean_network(classes: int = 2) -> Classifier:
    return Classifier(Brightness(classes), torch.zeros(1), torch.ones(1), classes).eval()


def by_name(rows: list[dict]) -> dict[str, dict]:
    return {row["estimator"]: row for row in rows}


def test_affinity_of_no_augmentation_is_none_from_clean():
    task, classifier = halves(120), clean_network()
    rows = by_name(affinity(classifier, task, Pipeline((), classifier.enter, NoMix()), 1, augmentation="none"))
    for name in ("affinity_kl_difference", "affinity_accuracy_difference"):
        assert (rows[name]["value"], rows[name]["standard_error"]) == (0, 0)
    assert rows["affinity_ratio"]["value"] == 1
    assert rows["affinity_kl"]["value"] == rows["clean_kl"]["value"]
    logits = classifier(task.test.inputs.float() / 255)
    expected = nn.functional.cross_entropy(logits.double(), task.test.targets)
    assert rows["clean_kl"]["value"] == pytest.approx(float(expected))
    assert rows["clean_accuracy"]["value"] == rows["affinity_accuracy"]["value"] == 100
    assert {row["augmentation"] for row in rows.values()} == {"none"}
    assert {name for name, row in rows.items() if row["inputs"] == "clean"} == {"clean_kl", "clean_accuracy"}


class Quarter:
    """A mixer with weight 1/4 for everybody."""

    def __call__(self, images, *, generator=None, partner=None):
        assert torch.equal(partner[partner], torch.arange(len(images)))
        return Mixed((images + 3 * images[partner]) / 4, partner, torch.full((len(images),), 0.25))


@pytest.mark.parametrize("rows_of_labels", [False, True])
def test_affinity_and_diversity_by_hand(rows_of_labels):
    task, classifier = halves(31, 3), clean_network(3)
    if rows_of_labels:  # counts, of which each is divided by its sum
        soft = [
            replace(split, targets=5 * nn.functional.one_hot(split.targets, 3).float() + torch.tensor([0.0, 1, 2]))
            for split in (task.train, task.test)
        ]
        task = replace(task, train=soft[0], tests={"test": soft[1]})
    pipeline = Pipeline((), classifier.enter, Quarter())
    order = torch.randperm(31, generator=torch.Generator().manual_seed(0))[:30]
    pairs = [(int(a), int(b)) for a, b in zip(order[:15], order[15:], strict=True)]
    for split, found, names in (
        (task.test, affinity(classifier, task, pipeline, 1), ("affinity_kl", "affinity_accuracy")),
        (task.train, diversity(classifier, task, pipeline, 1), ("diversity", None)),
    ):
        left, right, cross = [], [], []
        for one, other in [*pairs, *((b, a) for a, b in pairs)]:
            image = (split.inputs[one] + 3.0 * split.inputs[other]) / (4 * 255)
            targets = [
                split.targets[each] / split.targets[each].sum()
                if rows_of_labels
                else nn.functional.one_hot(split.targets[each], 3).float()
                for each in (one, other)
            ]
            target = ((targets[0] + 3 * targets[1]) / 4).tolist()
            p = classifier.network(image[None].float())[0].double().softmax(0).tolist()
            left.append(sum(t * math.log(t / q) for t, q in zip(target, p, strict=True) if t))
            cross.append(-sum(t * math.log(q) for t, q in zip(target, p, strict=True)))
            right.append(100.0 * (np.argmax(p) == np.argmax(target)))
        rows = by_name(found)
        assert rows[names[0]]["value"] == pytest.approx(np.mean(left), rel=1e-5)
        of_pairs = np.reshape(left, (2, 15)).mean(0)
        assert rows[names[0]]["standard_error"] == pytest.approx(of_pairs.std(ddof=1) / math.sqrt(15), rel=1e-4)
        assert rows[names[0]]["n"] == 30
        if names[1]:
            assert rows[names[1]]["value"] == pytest.approx(np.mean(right))
        else:
            assert rows["training_cross_entropy"]["value"] == pytest.approx(np.mean(cross), rel=1e-5)
            assert rows["diversity"]["inputs"] == "own-augmented"


def test_the_error_of_affinity_is_its_spread_over_images():
    classifier = clean_network(3)
    mixers = {"mixup": MixUp(), "fmix": FMix()}
    for mixer in mixers.values():
        pipeline = Pipeline((), classifier.enter, mixer)
        found = [by_name(affinity(classifier, halves(60, 3, seed), pipeline, seed)) for seed in range(80)]
        for name in ("affinity_kl", "affinity_kl_difference", "affinity_accuracy"):
            spread = np.std([rows[name]["value"] for rows in found], ddof=1)
            assert np.mean([rows[name]["standard_error"] for rows in found]) == pytest.approx(spread, rel=0.3)


def test_a_seed_is_a_mixing_and_images_are_some_of_them():
    task, classifier = halves(300, 3), clean_network(3)
    settings = Settings(crop=1, flip=False)
    config = {"crop": 1, "flip": False, "policy": "none", "augmentation": "fmix+mixup"}
    pipeline = pipeline_of(classifier, settings, config, 1)
    once, again, other = (diversity(classifier, task, pipeline, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert {row["n"] for row in once} == {300}
    some = diversity(classifier, task, pipeline, 1, images=101, augmentation="fmix+mixup", seed=7)
    assert {(row["n"], row["augmentation"], row["seed"]) for row in some} == {(100, "fmix+mixup", 7)}
    with pytest.raises(BadInput, match="at least 4"):
        affinity(classifier, task, pipeline, 1, images=3)
