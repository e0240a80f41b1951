"""Every check passes where attacks work and says so where they do not."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from attacks.checks import check_model, check_steps, check_verdicts
from attacks.curves import Images, Seen
from attacks.sentences import mean_over_sizes, sweep_conclusions

ATTACKS = ("fgsm", "bim", "pgd", "noise", "deepfool")
EPSILONS = (0.0, 0.1, 0.5)


def verdicts(broken: dict[str, tuple[float, ...]], n: int = 100) -> np.ndarray:
    """(A, E, N) from shares of broken images."""
    rows = [[np.arange(n) < share * n for share in broken[name]] for name in ATTACKS]
    return np.array(rows)


USUAL = {
    "fgsm": (0.1, 0.5, 0.9), "bim": (0.1, 0.6, 1.0), "pgd": (0.1, 0.6, 1.0), "noise": (0.1, 0.2, 0.3),
    "deepfool": (0.1, 0.6, 1.0),
}  # fmt: skip


def found(change=None, published=None, zero=0, seen=None) -> dict[str, str]:
    shares = USUAL | (change or {})
    wrong = np.arange(100) < 10
    checks = check_verdicts(published, verdicts(shares), ATTACKS, EPSILONS, wrong, zero, seen or Seen())
    return {check.name: check.verdict for check in checks}


def test_a_sweep_as_it_should_be_passes():
    assert set(found(published=verdicts(USUAL)).values()) == {"pass"}


@pytest.mark.parametrize(
    ("name", "verdict", "arguments"),
    [
        ("accuracy at ε = 0", "fail", {"change": {name: (0.2, *USUAL[name][1:]) for name in ATTACKS}}),
        ("accuracy at ε = 0", "fail", {"published": verdicts(USUAL | {"noise": (0.0, 0.2, 0.3)})}),
        ("perturbed images within", "fail", {"seen": Seen(excess=0.01)}),
        ("perturbed images within", "fail", {"seen": Seen(lowest=-0.1)}),
        ("perturbed images within", "fail", {"seen": Seen(highest=1.1)}),
        ("perturbed images within", "fail", {"seen": Seen(not_finite=1)}),
        ("gradients are not zero", "warn", {"zero": 10}),
        ("gradients are not zero", "fail", {"zero": 60}),
        ("broken images are broken", "warn", {"seen": Seen(unconfirmed=5, broken=100)}),
        ("iterative attacks reach 0", "warn", {"change": {"pgd": (0.1, 0.6, 0.98)}}),
        ("iterative attacks are not weaker", "warn", {"change": {"fgsm": (0.1, 0.7, 0.9)}}),
        ("noise is weaker", "warn", {"change": {"noise": (0.1, 0.7, 0.3)}}),
        ("PGD is not far weaker", "warn", {"change": {"deepfool": (0.1, 0.7, 1.0)}}),
    ],
)
def test_what_is_odd_is_said(name, verdict, arguments):
    checks = found(**arguments)
    assert [each for key, each in checks.items() if key.startswith(name)] == [verdict]
    others = [each for key, each in checks.items() if not key.startswith(name)]
    assert set(others) == {"pass"}


class Probabilities(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :3].softmax(1)


def test_models_that_are_odd():
    x = torch.rand(4, 1, 8, 8)
    good = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    assert {check.verdict for check in check_model(good, x)} == {"pass"}
    training = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3)).train()
    assert [check.verdict for check in check_model(training, x)] == ["fail", "warn", "pass", "pass"]
    assert [check.verdict for check in check_model(Probabilities().eval(), x)] == ["pass", "pass", "pass", "fail"]


def test_a_network_whose_images_depend_on_their_batch_is_said():
    x = torch.rand(16, 1, 8, 8) * torch.rand(16, 1, 1, 1)
    layers = [nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 3)]

    class Both(nn.Module):
        """Of a batch of one there are no statistics: it is normalised with itself."""

        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*layers)

        def forward(self, x):
            return self.layers(x if len(x) > 1 else torch.cat([x, x]))[: len(x)]

    assert [check.verdict for check in check_model(Both().eval(), x)] == ["pass", "pass", "fail", "pass"]
    half = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    rounded = torch.autocast("cpu", torch.bfloat16)(half.forward)
    half.forward = rounded
    assert {check.verdict for check in check_model(half, x)} == {"pass"}


class Margin(nn.Module):
    """Broken when the pixels, 0.5 each, have lost ``share`` of what ε = 0.1 allows."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.margin = share * 0.1 * 64

    def forward(self, x):
        score = x.flatten(1).sum(1) - 32 + self.margin
        return torch.stack([torch.zeros_like(score), score], 1)


@pytest.mark.parametrize(("share", "verdict"), [(0.3, "pass"), (0.95, "warn")])
def test_steps_that_matter_are_said(share, verdict):
    # 40 steps of ε / 30 cannot cross the whole ball, which is 2ε wide, from a random start; 80 can
    x, labels = torch.full((5, 1, 8, 8), 0.5), torch.ones(5, dtype=torch.long)
    model = Margin(share)
    check = check_steps(model, Images.under(model, x, labels, range(5)), 0.1, 1)
    assert check.verdict == verdict, check.found


def rows_of(values: dict[str, dict[str, tuple[float, ...]]]) -> pd.DataFrame:
    return pd.DataFrame(
        {"curve": "robust", "estimator": attack, "augmentation": name, "seed": seed, "epsilon": epsilon,
         "value": 90.0 if epsilon == 0 else value, "n": 1_000_000}
        for attack, by in values.items() for name, seeds in by.items() for seed, value in enumerate(seeds, 1)
        for epsilon in (0.0, 0.1, 0.2)
    )  # fmt: skip


def test_words_of_a_sweep():
    table = rows_of(
        {
            "noise": {"none": (50, 51, 52), "mixup": (70, 71, 72), "cutmix": (70, 71, 69)},
            "deepfool": {"none": (30, 31, 32), "mixup": (20, 21, 22), "cutmix": (10, 11, 12)},
            "worst case": {"none": (30, 31, 32), "mixup": (20, 21, 22), "cutmix": (10, 11, 12)},
        }
    )
    means = mean_over_sizes(table, "robust")
    assert means[means["estimator"] == "noise"]["mean"].tolist() == [51, 71, 70]  # without ε = 0
    text = sweep_conclusions(table, "robust", {}, [])
    assert "MixUp is above the baseline by 20.00 points (p < 0.001)" in text
    assert "MixUp is more robust to uniform noise than CutMix: cannot be told here (p = " in text
    assert "MixUp is more robust to DeepFool than the baseline: is reversed here (p < 0.001); MixUp is more" in text
    assert "MixUp is not more robust in the worst case than the baseline: holds here (p < 0.001)" in text
    assert "Without any attack the accuracy on the 1,000,000 images is 90.0% (the baseline)" in text
