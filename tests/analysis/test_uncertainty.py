"""Every number against its definition or an independent implementation."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from analysis.bounds.bound import standard_error
from analysis.human_uncertainty.measures import (
    FEWEST,
    at_matched_accuracy,
    calibration_error,
    cross_fitted,
    fit_temperature,
    measures,
    per_image,
    plug_in_bias,
)
from findings.comparisons import compare_augmentations
from findings.components import components
from tasks.metrics import distributions


@pytest.fixture
def batch():
    stream = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(300, 6, generator=stream, dtype=torch.float64)
    labels = torch.randint(6, (300,), generator=stream)
    counts = torch.randint(0, 4, (300, 6), generator=stream)
    counts[torch.arange(300), labels] += 20
    return logits, counts, labels


def test_divergences_against_scipy(batch):
    logits, counts, _ = batch
    found = per_image(logits, counts)
    p, h = logits.softmax(1).numpy(), distributions(counts).numpy()
    smoothed = (counts.numpy() + 0.5) / (counts.numpy() + 0.5).sum(1, keepdims=True)
    for i in range(20):
        assert found["kl_human_model"][i] == pytest.approx(rel_entr(h[i], p[i]).sum())
        assert found["kl_model_human_smoothed"][i] == pytest.approx(rel_entr(p[i], smoothed[i]).sum())
        assert found["js"][i] == pytest.approx(jensenshannon(h[i], p[i]) ** 2)
        assert found["entropy"][i] == pytest.approx(stats.entropy(p[i]))
        assert found["soft_cross_entropy"][i] == pytest.approx(stats.entropy(h[i]) + rel_entr(h[i], p[i]).sum())


def test_closed_forms():
    counts = torch.tensor([[50, 0, 0], [25, 25, 0]])
    uniform = per_image(torch.zeros(2, 3), counts)
    assert uniform["kl_human_model"].tolist() == pytest.approx([math.log(3), math.log(3) - math.log(2)])
    right = per_image(torch.tensor([[800.0, 0, 0], [400.0, 400.0, -400.0]]), counts)
    assert right["kl_human_model"].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert right["js"].tolist() == pytest.approx([0, 0], abs=1e-12)
    # probabilities that underflow: the divergence is the difference of logits, and Jensen-Shannon its maximum, log 2
    wrong = per_image(torch.tensor([[0.0, 2000.0, 0.0]]), counts[:1])
    assert float(wrong["kl_human_model"]) == pytest.approx(2000)
    assert float(wrong["js"]) == pytest.approx(math.log(2))


def excess(h, votes: int, images: int):
    """Counts (images, K) drawn from distributions (images, K), and by how much they raise the KL of some model."""
    stream = torch.Generator().manual_seed(0)
    draws = torch.multinomial(h, votes, replacement=True, generator=stream)
    counts = torch.nn.functional.one_hot(draws, h.shape[1]).sum(1)
    logits = torch.randn(h.shape, generator=stream, dtype=torch.float64)
    truth = torch.from_numpy(rel_entr(h.numpy(), logits.softmax(1).numpy()).sum(1))
    found = per_image(logits, counts)["kl_human_model"] - truth
    return counts, float(found.mean()), float(found.std()) / math.sqrt(images)


def test_the_bias_where_every_class_is_chosen_is_millers():
    h = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).expand(4000, 3)
    counts, found, error = excess(h, 50, 4000)
    bias = plug_in_bias(counts)
    assert bias.chosen == pytest.approx(0.02, rel=0.01)
    assert bias.every == pytest.approx(2 / 100)
    assert (bias.shown, bias.classes) == (pytest.approx(3, rel=0.01), 3)
    assert bias.redrawn == pytest.approx(0.02, abs=0.002)
    # 4 standard errors, of which 6 in 100,000 are more, and the second order
    assert abs(found - bias.chosen) < 4 * error + 0.001


def test_the_bias_with_rare_classes_is_nearer_that_of_redrawn_votes():
    # 9 votes in 10 for one class of 10 and the others shared out evenly, thinly for most images: few are ever chosen
    thin = torch.tensor([0.002, 0.01, 0.1], dtype=torch.float64).repeat_interleave(2000)[:, None]
    h = torch.cat([1 - thin, (thin / 9).expand(-1, 9)], 1)
    counts, found, error = excess(h, 50, 6000)
    bias = plug_in_bias(counts)
    assert 1 < bias.shown < 3
    assert bias.chosen < bias.redrawn < bias.every
    assert found - bias.chosen > 8 * error
    assert abs(found - bias.redrawn) < abs(found - bias.chosen) / 2
    assert abs(found - bias.redrawn) < abs(found - bias.every) / 2


def test_the_bias_of_redrawn_votes_against_votes_drawn_anew():
    # the slow way: add to the counts what makes redrawn votes show as many classes, and redraw them 200 times
    counts = torch.tensor([[18, 2, 0, 0], [20, 0, 0, 0], [10, 8, 2, 0], [29, 1, 0, 0]])
    rng = np.random.default_rng(0)
    bias = plug_in_bias(counts)
    assert bias.shown == 2

    def redrawn(added: float, times: int):
        shown, excess = [], []
        for row in counts.numpy():
            h = (row + added) / (row + added).sum()
            drawn = rng.multinomial(row.sum(), h, size=times)
            shown.append((drawn > 0).sum(1).mean())
            excess.append(stats.entropy(h) - stats.entropy(drawn / row.sum(), axis=1))
        excess = np.mean(excess, 0)
        return np.mean(shown), excess.mean(), excess.std() / math.sqrt(times)

    grid = np.linspace(0, 0.5, 26)
    added = grid[np.argmin([abs(redrawn(each, 4000)[0] - 2) for each in grid])]
    low, high = (redrawn(added + step, 20_000) for step in (-0.02, 0.02))
    assert low[1] - 4 * low[2] < bias.redrawn < high[1] + 4 * high[2]
    assert bias.chosen < bias.redrawn


def test_votes_of_one_class_alone_have_a_bias_only_if_others_could_be_chosen():
    bias = plug_in_bias(torch.tensor([[50, 0, 0]] * 5))
    assert (bias.chosen, bias.redrawn) == (0, pytest.approx(0, abs=1e-9))
    assert bias.every == pytest.approx(2 / 100)


def test_temperature_is_the_minimum_and_recovers_a_known_one(batch):
    logits, _, _ = batch
    rows = (logits / 2.5).softmax(1)
    assert fit_temperature(logits, rows) == pytest.approx(2.5, rel=1e-4)
    scaled, temperature = cross_fitted(logits, rows)
    assert temperature == pytest.approx(2.5, rel=1e-4)
    torch.testing.assert_close(scaled, logits / 2.5, rtol=1e-3, atol=1e-3)
    for other in (1.0, 2.0, 3.0):
        loss = [-(rows * (logits / t).log_softmax(1)).sum(1).mean() for t in (2.5, other)]
        assert loss[0] < loss[1]


def test_a_temperature_is_fitted_to_the_other_half(batch):
    logits, _, labels = batch
    rows = torch.nn.functional.one_hot(labels, 6).double()
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    first, second = order[:150], order[150:]
    scaled, _ = cross_fitted(logits, rows)
    torch.testing.assert_close(scaled[first], logits[first] / fit_temperature(logits[second], rows[second]))
    torch.testing.assert_close(scaled[second], logits[second] / fit_temperature(logits[first], rows[first]))


def test_calibration_error_by_hand():
    confidence = torch.tensor([0.95, 0.95, 0.55, 0.55], dtype=torch.float64)
    right = torch.tensor([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert calibration_error(torch.ones(3).double(), torch.ones(3).bool()) == 0
    # the slow way
    stream = torch.Generator().manual_seed(0)
    confidence = torch.rand(500, generator=stream, dtype=torch.float64)
    right = torch.rand(500, generator=stream) < confidence
    slow = 0.0
    for lower in range(15):
        inside = (confidence > lower / 15) & (confidence <= (lower + 1) / 15)
        if inside.any():
            slow += float(inside.double().mean() * (right[inside].double().mean() - confidence[inside].mean()).abs())
    assert calibration_error(confidence, right) == pytest.approx(slow)


def test_measures_and_their_errors(batch):
    logits, counts, labels = batch
    found = {each.estimator: each for each in measures(logits, counts, labels)}
    kl = per_image(logits, counts)["kl_human_model"]
    assert found["kl_human_model"].value == pytest.approx(float(kl.mean()))
    assert found["kl_human_model"].standard_error == pytest.approx(float(kl.std()) / math.sqrt(300))
    assert found["accuracy"].value == pytest.approx(100 * float((logits.argmax(1) == labels).double().mean()))
    y = torch.nn.functional.one_hot(labels, 6)
    assert found["brier"].value == pytest.approx(float((logits.softmax(1) - y).square().sum(1).mean()))
    assert found["kl_human_model_temperature_scaled"].value < found["kl_human_model"].value
    # second choice: only images with one that is nobody else's
    agree, n = 0, 0
    for z, c in zip(logits, counts, strict=True):
        human = c.sort(descending=True)
        if human.values[1] > human.values[2]:
            n += 1
            agree += int(z.argsort(descending=True)[1] == human.indices[1])
    assert found["second_best_agreement"].n == n
    assert found["second_best_agreement"].value == pytest.approx(100 * agree / n)
    assert 0 < found["ece"].standard_error < 0.1
    names = {"kl_human_model", "js", "soft_cross_entropy", "ece", "accuracy", "entropy",
             "kl_human_model_temperature_scaled"}  # fmt: skip
    assert names <= set(found)


def test_one_image_has_no_standard_error():
    logits, counts = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[30, 15, 5]])
    found = {each.estimator: each for each in measures(logits, counts, torch.tensor([0]))}
    assert found["kl_human_model"].standard_error is None
    assert found["accuracy"].value == 100


def test_over_confidence_is_what_temperature_removes():
    # a model whose distribution is the humans', sharpened: as it is it diverges, at its own temperature not at all
    stream = torch.Generator().manual_seed(0)
    truth = torch.randn(400, 5, generator=stream, dtype=torch.float64)
    counts = (truth.softmax(1) * 10_000).round().long()
    found = {each.estimator: each for each in measures(5 * truth, counts, truth.argmax(1))}
    assert found["kl_human_model"].value > 0.5
    assert found["kl_human_model_temperature_scaled"].value < 1e-4
    assert found["temperature"].value == pytest.approx(5, rel=0.01)
    # true labels ask for more confidence than humans have: that temperature removes less
    assert found["kl_human_model_label_temperature"].value > 0.1


def networks(offsets, images: int, stream: torch.Generator, *, alike: float = 0.5, steep=2.0):
    """Divergences and verdicts of networks on the same images: right with a margin above 0, and nearer as it grows.

    Args:
        offsets: of the margins, by network.
        images: how many.
        stream: of the draws.
        alike: share of the noise of the margins that all networks have in common.
        steep: how steeply divergences fall, of all networks or of each.
    """
    hard, common = torch.randn(2, images, generator=stream, dtype=torch.float64)
    nats, right = {}, {}
    slopes = np.broadcast_to(steep, len(offsets))
    for (which, offset), slope in zip(offsets.items(), slopes, strict=True):
        own = torch.randn(images, generator=stream, dtype=torch.float64)
        margin = offset - hard + 0.6 * (alike**0.5 * common + (1 - alike) ** 0.5 * own)
        nats[which], right[which] = torch.nn.functional.softplus(-slope * margin), margin > 0
    return nats, right


def test_matched_divergences_by_hand():
    offsets = {("none", 1): 2.0, ("none", 2): 1.9, ("fmix", 1): 1.0}
    nats, right = networks(offsets, 400, torch.Generator().manual_seed(0))
    scores = at_matched_accuracy(nats, right)
    q = float(np.mean([float(each.double().mean()) for each in right.values()]))
    for which, is_right in right.items():
        by_hand = q * float(nats[which][is_right].mean()) + (1 - q) * float(nats[which][~is_right].mean())
        assert float(scores[which].mean()) == pytest.approx(by_hand)
    # a network of that very accuracy is where it was: nothing is weighed otherwise
    same = dict.fromkeys((("a", 1), ("b", 1)), right["none", 1])
    alike = at_matched_accuracy(dict.fromkeys(same, nats["none", 1]), same)
    assert float(alike["a", 1].mean()) == pytest.approx(float(nats["none", 1].mean()))


def test_standard_errors_at_matched_accuracy_against_the_jackknife():
    nats, right = networks({("none", 1): 2.0, ("fmix", 1): 1.0}, 400, torch.Generator().manual_seed(1))

    def difference(kept: torch.Tensor) -> float:
        scores = at_matched_accuracy(
            {which: each[kept] for which, each in nats.items()}, {which: each[kept] for which, each in right.items()}
        )
        return float(scores["none", 1].mean() - scores["fmix", 1].mean())

    images = torch.arange(400)
    left_out = np.array([difference(images != i) for i in range(400)])
    jackknife = math.sqrt(399 / 400 * float(((left_out - left_out.mean()) ** 2).sum()))
    scores = at_matched_accuracy(nats, right)
    assert standard_error(scores["none", 1] - scores["fmix", 1]) == pytest.approx(jackknife, rel=0.02)


@pytest.mark.parametrize(
    ("offsets", "alike", "steep"),
    [((1.8, 1.8), 0.95, 2.0), ((1.6, 1.0), 0.5, 2.0), ((1.6, 1.0), 0.5, (4.0, 1.0))],
)
def test_standard_errors_at_matched_accuracy_are_those_of_images_drawn_anew(offsets, alike, steep):
    # 800 times: their spread is known to 1 / √1600 of it, or 2.5%; the limits are four of these, and wrong in 6 of
    # 100,000 such tests
    stream, times = torch.Generator().manual_seed(0), 800
    both = dict(zip((("a", 1), ("b", 1)), offsets, strict=True))
    found, errors, plain = [], [], []
    for _ in range(times):
        nats, right = networks(both, 500, stream, alike=alike, steep=steep)
        scores = at_matched_accuracy(nats, right)
        q = torch.stack([*right.values()]).double().mean()
        weighed = {
            which: nats[which] * torch.where(each, q / each.double().mean(), (1 - q) / (1 - each.double().mean()))
            for which, each in right.items()
        }
        found.append(float(scores["a", 1].mean() - scores["b", 1].mean()))
        errors.append(standard_error(scores["a", 1] - scores["b", 1]) ** 2)
        plain.append(standard_error(weighed["a", 1] - weighed["b", 1]) ** 2)
        assert float(weighed["a", 1].mean() - weighed["b", 1].mean()) == pytest.approx(found[-1])
    spread = np.std(found, ddof=1)
    assert math.sqrt(np.mean(errors)) == pytest.approx(spread, rel=0.1)
    if alike > 0.9:  # right on nearly the same images: why the plain weighted divergences will not do
        assert math.sqrt(np.mean(plain)) < 0.8 * spread


def test_accuracies_alone_make_no_difference_at_matched_accuracy():
    # divergences depend on the verdict alone, and the accuracies differ: as they are, the augmentations nearly always
    # do, at matched accuracy in 5% of all cases: of 300, more than 26 in 3 of 1,000 such tests
    rng, claims, before = np.random.default_rng(0), 0, 0
    stream = torch.Generator().manual_seed(0)
    for _ in range(300):
        offsets = {
            (name, seed): offset + 0.02 * rng.standard_normal()
            for name, offset in (("none", 1.6), ("fmix", 1.0))
            for seed in (1, 2, 3)
        }
        _, right = networks(offsets, 400, stream)
        # what is right is near the humans, what is wrong is far, whatever the network
        nats = {
            which: torch.where(each, 0.1, 3.0) * torch.empty(400, dtype=torch.float64).exponential_(generator=stream)
            for which, each in right.items()
        }
        claims += claimed(at_matched_accuracy(nats, right))
        before += claimed(nats)
    assert before > 270
    assert claims <= 26


def claimed(scores) -> bool:
    """Whether the two augmentations are told apart, as documents tell them."""
    tables = {
        name: np.stack([each.numpy() for (one, _), each in scores.items() if one == name]) for name in ("none", "fmix")
    }
    lines = [
        {"augmentation": name, "mean": table.mean(), "std": table.mean(1).std(ddof=1), "seeds": len(table)}
        for name, table in tables.items()
    ]
    comparison = compare_augmentations(pd.DataFrame(lines), components(tables))
    return bool(comparison.found())


def test_networks_with_few_right_or_wrong_images_are_not_matched():
    right = {
        ("none", 1): torch.arange(100) >= FEWEST,
        ("none", 2): torch.arange(100) >= FEWEST - 1,
        ("fmix", 1): torch.arange(100) < FEWEST,
        ("fmix", 2): torch.arange(100) < 0,
    }
    nats = {which: torch.ones(100, dtype=torch.float64) for which in right}
    scores = at_matched_accuracy(nats, right)
    assert set(scores) == {("none", 1), ("fmix", 1)}
    assert at_matched_accuracy(nats, {which: right[which] for which in (("none", 1), ("fmix", 2))}) == {}
