"""The two curves against plain Foolbox calls, image by image."""

import warnings

import pytest
import torch

from attacks.curves import Images, Seen, as_published, deepfool, robust
from attacks.foolbox_attacks import ATTACKS, attack_named, drawn_per_image, eager, plain_verdicts
from classifiers.load import load_run
from classifiers.train import Settings, train
from store import BadInput
from store.command_line import Options
from tasks import DataOptions, load

EPSILONS = (0.0, 0.01, 0.05, 0.3, 1.0)
DETERMINISTIC = ("fgsm", "bim", "deepfool")
RANDOM = ("pgd", "noise", "repeated-noise")


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """A trained classifier of digits and 8 of its test images, some of them misclassified."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    data = load(DataOptions())
    options = Options(device="cpu", threads=1, store=tmp_path_factory.mktemp("store"))
    one = train(data, "none", 1, Settings(epochs=5, width=4), options)
    classifier = load_run(one.path, torch.device("cpu")).requires_grad_(False)
    x, labels = data.test.inputs.float() / 255, data.test.targets
    wrong = classifier(x).argmax(1) != labels
    chosen = torch.cat([wrong.nonzero()[:3, 0], (~wrong).nonzero()[:5, 0]])
    torch.set_num_threads(before)
    return classifier, x[chosen], labels[chosen], chosen.tolist()


def batch(victim) -> Images:
    model, x, labels, numbers = victim
    return Images.under(model, x, labels, numbers)


def curve(function, victim, name, epsilons=EPSILONS, seen=None):
    return function(victim[0], attack_named(name), name, batch(victim), epsilons, 1, seen or Seen())


def plain(victim, name) -> torch.Tensor:
    """The slow, obvious way: a call for every ε and every image."""
    model, x, labels, numbers = victim
    rows = []
    for epsilon in EPSILONS:
        row = []
        for i, number in enumerate(numbers):
            with drawn_per_image(1, f"{name}/{epsilon!r}", [number]):
                row.append(plain_verdicts(model, attack_named(name), x[i : i + 1], labels[i : i + 1], epsilon))
        rows.append(torch.cat(row))
    return torch.stack(rows)


@pytest.mark.parametrize("name", [*DETERMINISTIC, *RANDOM])
def test_as_published_is_plain_foolbox_image_by_image(victim, name):
    found = curve(as_published, victim, name)
    assert torch.equal(found, plain(victim, name))
    assert found[0].sum() == 3  # the misclassified


@pytest.mark.parametrize("name", ATTACKS)
def test_robust_is_never_above_as_published_made_monotone(victim, name):
    published, found = curve(as_published, victim, name), curve(robust, victim, name)
    monotone = (published | published[0]).cummax(0).values
    assert (found | ~monotone).all()  # broken as published, broken here
    assert (found[1:] | ~found[:-1]).all()  # broken images stay broken
    if name in ("fgsm", "noise", "deepfool", "repeated-noise"):  # no iterate but the last, or a smallest perturbation
        assert torch.equal(found, monotone)


@pytest.mark.parametrize("name", ["bim", "pgd"])
def test_iterates_are_judged_on_the_way(victim, name):
    # the slow way: run with fewer steps and the same step size, and look at every end
    model, x, labels, numbers = victim
    most = 10
    expected = torch.zeros(len(EPSILONS), len(x), dtype=torch.bool)
    expected |= batch(victim).wrong
    for row, epsilon in enumerate(EPSILONS[1:], 1):
        for steps in range(1, most + 1):
            attack = attack_named(name)
            attack.steps = steps
            with drawn_per_image(1, f"{name}/{epsilon!r}", numbers):
                expected[row] |= plain_verdicts(model, attack, x, labels, epsilon)
        if attack.random_start:
            attack.steps = 0
            with drawn_per_image(1, f"{name}/{epsilon!r}", numbers):
                expected[row] |= plain_verdicts(model, attack, x, labels, epsilon)
    attack = attack_named(name)
    attack.steps = most
    found = robust(model, attack, name, batch(victim), EPSILONS, 1, Seen())
    assert torch.equal(found, expected.cummax(0).values)


@pytest.mark.parametrize("function", [as_published, robust])
@pytest.mark.parametrize("name", ATTACKS)
def test_results_do_not_depend_on_the_batch(victim, function, name):
    model, x, labels, numbers = victim
    whole = curve(function, victim, name)
    parts = []
    for i in torch.arange(len(x)).split(5):
        some = Images.under(model, x[i], labels[i], [numbers[j] for j in i.tolist()])
        parts.append(function(model, attack_named(name), name, some, EPSILONS, 1, Seen()))
    assert torch.equal(torch.cat(parts, 1), whole)


def test_seeds_and_purposes_differ(victim):
    _, x, _, numbers = victim
    attack = attack_named("noise")
    starts = []
    for seed, purpose in ((1, "noise/0.1"), (1, "noise/0.3"), (2, "noise/0.1")):
        with drawn_per_image(seed, purpose, numbers):
            starts.append(attack.sample_noise(eager(x)).raw)
    assert not torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    assert not torch.equal(starts[0][0], starts[0][1])
    assert abs(float(starts[0].mean())) < 4 / (3 * x.numel()) ** 0.5  # uniform on [-1, 1]: 6 in 100,000 fail


def test_perturbations_stay_within_bounds(victim):
    for function in (as_published, robust):
        seen = Seen()
        for name in ("fgsm", "bim", "pgd", "deepfool"):
            curve(function, victim, name, seen=seen)
        assert seen.excess < 1e-6
        assert seen.lowest >= 0
        assert seen.highest <= 1
        assert seen.not_finite == 0
        assert seen.unconfirmed <= 0.01 * max(seen.broken, 1)


def test_deepfools_perturbations_are_foolboxes(victim):
    import foolbox

    model, x, labels, _ = victim
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = attack_named("deepfool").run(foolbox.PyTorchModel(model, (0, 1), "cpu"), x, labels)
    ours = deepfool(model, attack_named("deepfool"), batch(victim))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_other_attacks_of_foolboxes_by_name(victim):
    found = curve(as_published, victim, "L2FastGradientAttack", (0.0, 0.1, 1.0))
    assert found.shape == (3, 8)
    assert found[2].sum() >= found[0].sum()
    for name in ("pdg", "LinfProjectedGradientDescent"):
        with pytest.raises(
            BadInput, match=f"--attacks: got '{name}'; needs one of fgsm, .*near: .*(pgd|ProjectedGrad)"
        ):
            attack_named(name)
