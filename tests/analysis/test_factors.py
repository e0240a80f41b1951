"""What codes keep of known factors: against codes of which it is known."""

import math

import pandas as pd
import pytest
import torch
from torch.nn.functional import one_hot

from analysis.bounds import Encoded
from analysis.mutual_info import Config, run
from analysis.mutual_info.factors import (
    certified_factors,
    draw_factors,
    factor_conclusions,
    factor_rows,
    factor_table,
    factors_of,
)
from analysis.mutual_info.table import summarise
from tasks import Component, DataOptions, Image, InMemory, Task
from tasks.components import rows_of
from vae.posterior import DiagonalGaussian
from vae.train import Settings

COMPONENTS = (Component("root", 4), Component("vowel", 3))


@pytest.fixture(scope="module")
def data() -> Task:
    """1,200 images of which every combination of root and vowel is there equally often."""
    classes = torch.stack([torch.arange(1200) % 4, torch.arange(1200) // 4 % 3], 1)
    split = InMemory(torch.zeros(1200, 1, 8, 8, dtype=torch.uint8), rows_of(classes, COMPONENTS))
    return Task("made", split, {"test": split}, Image(1, 8, 8, False), 7, components=COMPONENTS)


def encoded(data: Task, separation: float, seed: int = 0) -> Encoded:
    """A code that tells roots apart, by so much, and says nothing of vowels."""
    roots = data.test.targets[:, :4]
    stream = torch.Generator().manual_seed(seed)
    noise = 0.3 * torch.randn(len(roots), 4, generator=stream, dtype=torch.double)
    mean = separation * one_hot(roots.argmax(1), 4).double() + noise
    return Encoded(DiagonalGaussian(mean, torch.zeros_like(mean)))


def bounds(rows: list[dict], factor: str, level: float | None = None) -> tuple[float, float]:
    chosen = {row["estimator"]: row for row in rows if row["noise"] == level}
    low, high = chosen[f"{factor}_gaussian_classifier"], chosen[f"{factor}_kernel_mixture"]
    assert (low["direction"], high["direction"]) == ("lower", "upper")
    assert low["quantity"] == high["quantity"] == f"I(Z;{factor})"
    return low["value"], high["value"]


def test_a_factor_that_a_code_tells_is_log_k_and_one_that_it_does_not_is_nothing(data):
    rows = factor_rows(encoded(data, 30.0), data, inputs="clean", augmentation="none", seed=1)
    low, high = bounds(rows, "root")
    assert low == pytest.approx(math.log(4), abs=1e-3)
    assert high == pytest.approx(math.log(4), abs=1e-3)
    low, high = bounds(rows, "vowel")
    assert -0.05 < low < 0.01  # a decoder of other images can only be worse than the prior
    assert 0 < high < 0.1
    caps = [row["cap"] for row in rows if row["estimator"].startswith("vowel")]
    assert caps == pytest.approx([math.log(3)] * 2, abs=1e-3)


def test_what_is_between_the_bounds_is_the_information_by_integration(data):
    # four unit Gaussians, as far apart as 3 along an axis each, with the spread of their means: I by Monte Carlo
    code = encoded(data, 3.0)
    rows = factor_rows(code, data, noise=(0.5,), inputs="clean", augmentation="none", seed=1)
    low, high = bounds(rows, "root")
    stream, variance = torch.Generator().manual_seed(3), 1 + 0.3**2
    labels = torch.arange(200_000) % 4
    draws = 3 * one_hot(labels, 4).double()
    draws += variance**0.5 * torch.randn(len(labels), 4, generator=stream, dtype=torch.double)
    distances = torch.cdist(draws, 3 * torch.eye(4, dtype=torch.double)).square()
    truth = math.log(4) + float((-distances / (2 * variance)).log_softmax(1).gather(1, labels[:, None]).mean())
    # within four standard errors over 1,200 images, 0.02 nats each: sound code fails once in 10^4
    assert low < truth + 0.06
    assert high > truth - 0.06
    assert high - low < 0.12
    assert bounds(rows, "root", 0.5)[1] < high  # data processing


def test_data_without_components_have_no_factors(data):
    whole = Task("plain", data.train, data.tests, data.modality, 7)
    assert factor_rows(encoded(data, 1.0), whole, inputs="clean", augmentation="none", seed=1) == []
    assert factor_table(pd.DataFrame({"estimator": ["rate"], "augmentation": ["none"]}), "") is None
    assert factor_conclusions(pd.DataFrame({"estimator": ["rate"], "augmentation": ["none"]})) == ""


def test_codes_that_keep_more_of_a_factor_are_certified_and_of_the_other_they_are_not(data):
    rows = []
    for seed in (1, 2, 3):
        for augmentation, separation in (("none", 30.0), ("mixup", 1.0)):
            where = {"inputs": "clean", "augmentation": augmentation, "seed": seed}
            rows += factor_rows(encoded(data, separation, seed), data, **where)
    table = summarise([row | {"under_trained": False, "fitted_on": None} for row in rows])
    assert certified_factors(table) == [("root", 0.0, "none", "mixup")]
    said = factor_conclusions(table)
    assert "of the root without noise, baseline above MixUp" in said
    assert "vowel without" not in said
    shown = factor_table(table, "what is kept")
    assert factors_of(table) == ["root", "vowel"]
    assert [len(line) for line in shown.lines] == [3, 3]
    _, numbers = draw_factors(table, "what is kept")
    assert len(numbers) == 2 * 2 * 2  # augmentations, factors, sides
    poor = summarise([row | {"under_trained": row["augmentation"] == "mixup", "fitted_on": None} for row in rows])
    assert certified_factors(poor) == []  # nothing is claimed of under-trained codes


def test_the_main_job_says_what_codes_keep_of_graphemes(options):
    settings = Settings(epochs=1)
    data = DataOptions("made-up-graphemes", train_images=128)
    result = run(Config(("none",), 1, noise=(1.0,), data=data, settings=settings, execution=options))
    factors = {row["quantity"] for row in result.rows} & {"I(Z;shape)", "I(Z;above)", "I(Z;below)"}
    assert len(factors) == 3
    assert any(file.name == "factors.png" for file in result.files)
