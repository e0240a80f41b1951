"""Documents for the report's tests: of real jobs, small, and made up at the paper's scale."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis import ablation, accuracy, mutual_info
from attacks import sweep
from classifiers.load import ModelOptions
from classifiers.train import Settings
from findings import Result
from findings.document import publish
from findings.text import Text
from gradcam import sums
from store.command_line import Options

FAST = Settings(epochs=2, width=2)


@pytest.fixture(scope="session")
def measured(tmp_path_factory) -> Path:
    """A directory with the documents of real jobs on the digits."""
    root = tmp_path_factory.mktemp("measured")
    options = Options(device="cpu", threads=1, store=root / "runs", out=root / "out")
    settings = {"augmentations": ("none", "mixup"), "seeds": 2, "settings": FAST, "execution": options}
    accuracy.run(accuracy.Config(**settings))
    sums.run(sums.Config(**settings, images=10))
    sweep.run(sweep.Config(**settings, images=6, attacks=("fgsm", "noise"), epsilons=(0.0, 0.1)))
    model = ModelOptions(str(next((root / "runs" / "classifier").glob("*-mixup-seed1-*"))))
    sums.run(sums.Config(model=model, images=10, execution=options))
    values = {"seeds": 2, "settings": FAST, "execution": options}
    ablation.run(ablation.Config("decay-power", (1.0, 3.0), **values))
    ablation.run(ablation.Config("fraction", (0.1, 0.2), ("none", "fmix+mixup"), **values))
    with pytest.MonkeyPatch.context() as patch:  # as `few_draws`, which is a test's
        patch.setattr("vae.train.LINEAR_DRAWS", 2_000)
        patch.setattr("analysis.mutual_info.rows.DRAWS", 2_000)
        mutual_info.run(mutual_info.Config(("none", "fmix"), smoke=True, noise=(1.0,), execution=options))
    return root


@pytest.fixture
def made_up(tmp_path):
    """Writes a document of Table 1 at the paper's scale, with the rates it is given."""

    def write(rates: dict[str, tuple[float, ...]], name: str = "made-up", **about) -> Path:
        rows = [
            {"quantity": "I(Z;X)", "estimator": "rate", "value": value, "standard_error": 0.1, "direction": "upper",
             "cap": None, "saturated": False, "n": 100, "k": None, "noise": None, "inputs": "clean",
             "augmentation": augmentation, "seed": seed, "units": "nats", "decoder_scale": 1.0}
            for augmentation, values in rates.items() for seed, value in enumerate(values, 1)
        ]  # fmt: skip
        settings = {"data": "CIFAR-10", "train_images": 50_000, "epochs": 100, "decoder_scale": 1.0}
        settings |= {"preset": "reference", "normalisation": "reference"}
        usual = {
            "title": "Table 1 on CIFAR-10", "data": "CIFAR-10", "settings": settings,
            "conclusions": "What this says.\n- One.", "watermark": None,
        }  # fmt: skip
        options = Options(store=tmp_path / "runs", out=tmp_path / "out")
        config = replace(mutual_info.Config(), execution=options)
        directory = tmp_path / "results" / name
        text = Text(about.pop("bottom_line", ""), [])
        publish(Result(rows, text=text), mutual_info.PROGRAM, config, directory, usual | about, [])
        return directory

    return write
