"""Every block of code on the README and on the pages in docs/ runs as it stands there."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import experiments.run
from mixinfo.__main__ import COMMANDS
from msda import MixUp
from store.command_line import parse
from tests.calls import ROOT, called

README = ROOT / "README.md"
OWN = ROOT / "docs" / "own.md"
TEXTS = ROOT / "docs" / "texts.md"
OTHERS = ROOT / "docs" / "other-items.md"
MODULES = {module: module for module, _ in COMMANDS.values()} | {name: module for name, (module, _) in COMMANDS.items()}
"""Modules of commands, by their own names and by mixinfo's."""


def blocks(page: Path, *kinds: str) -> list[str]:
    found = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind in kinds]


def command_lines(page: Path) -> list[str]:
    """What a page types, without the output, comments and the prompt."""
    lines = "".join(blocks(page, "sh", "console")).replace("\\\n", " ").splitlines()
    typed = [line.partition("  #")[0].removeprefix("$ ").strip() for line in lines]
    return [line for line in typed if line]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    torch.manual_seed(0)
    return tmp_path


def test_the_readme_runs_when_it_is_pasted(here):
    names: dict = {}
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), names)
    accuracy = (names["network"](names["images"][1600:] / 255).argmax(1) == names["labels"][1600:]).float().mean()
    assert accuracy > 0.5  # it has learned
    bounds = names["bounds"]
    assert {"I(T;Y)", "I(T;X|Y)", "I(T;X)"} == set(bounds["quantity"])
    assert np.isfinite(bounds["value"]).all()
    written = {path.parent.name for path in (here / "out").rglob("result.json")}
    assert written == {"accuracy-digits", "attacks-images-Sequential", "gradcam-images-Sequential"}


def test_the_page_on_texts_runs_when_it_is_pasted(here, capsys):
    pytest.importorskip("tokenizers")
    names: dict = {}
    for block in blocks(TEXTS, "python"):
        exec(compile(block, "texts.md", "exec"), names)
    praise = names["classifier"].of_texts(["The book was clever!", "That shop is dull."]).softmax(1)[:, 1]
    assert praise[0] > 0.5 > praise[1]
    assert "tensor(" in capsys.readouterr().out


def test_the_page_on_other_items_runs_when_it_is_pasted(here):
    names: dict = {}
    for block in blocks(OTHERS, "python"):
        exec(compile(block, "other-items.md", "exec"), names)
    assert {row["n"] for row in names["result"].rows if row["estimator"] == "accuracy"} == {30}
    assert (here / "out" / "accuracy-mine" / "result.json").is_file()


LINKED = [README, ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", [page for page in LINKED if "api" not in page.parts], ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [each for each in targets if ":" not in each and not (page.parent / each.partition("#")[0]).exists()]
    assert missing == []


NETS = """
import torch
from torch import nn


def make(channels=1, classes=10):
    layers = [("layer1", nn.Conv2d(channels, 4, 3)), ("relu", nn.ReLU()), ("layer4", nn.Conv2d(4, 4, 3))]
    layers += [("pool", nn.AdaptiveAvgPool2d(2)), ("flat", nn.Flatten()), ("out", nn.Linear(16, classes))]
    return nn.Sequential(__import__("collections").OrderedDict(layers))
"""

VAE = """
from torch import nn
from vae import DiagonalGaussian


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 6), nn.Linear(3, 64)

    def encode(self, images):
        return DiagonalGaussian(*self.encoder(images.flatten(1)).chunk(2, 1))

    def decode(self, codes):
        return self.decoder(codes).unflatten(1, (1, 8, 8))
"""


@pytest.mark.endurance
def test_all_that_can_be_ones_own_runs(here):
    random = np.random.default_rng(0)
    (here / "mypackage").mkdir()
    (here / "mypackage" / "nets.py").write_text(NETS)
    make = importlib.import_module("mypackage.nets").make
    from safetensors.torch import save_file

    save_file(make(3, 10).state_dict(), here / "weights.safetensors")
    np.savez(here / "encoder.npz", mean=random.normal(size=(300, 4)), log_var=random.normal(size=(300, 4)))
    np.savez(here / "features.npz", features=random.normal(size=(300, 4)), labels=np.arange(300) % 3)
    pixels, labels = random.integers(0, 256, (300, 12, 12, 3), dtype=np.uint8), np.arange(300) % 10
    arrays = {"train_images": pixels, "train_labels": labels, "test_images": pixels, "test_labels": labels}
    np.savez(here / "mine.npz", **arrays)
    tensor, classes = torch.from_numpy(pixels[:40]).permute(0, 3, 1, 2), torch.from_numpy(labels[:40])
    network, vae = make(3, 10), {}
    exec(VAE, vae)
    names = {
        "loader": [(tensor[:20] / 255, classes[:20])], "model": network, "network": network, "images": tensor,
        "labels": classes, "optimiser": torch.optim.SGD(network.parameters(), 0.1), "MyMix": MixUp,
        "dataset": TensorDataset(tensor / 255, classes), "my_vae": vae["Linear"],
    }  # fmt: skip
    for block in blocks(OWN, "python"):
        names |= {"images": tensor, "labels": classes}  # a loop has taken the names
        exec(compile(block, "own.md", "exec"), names)


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name)
def test_what_a_page_types_is_known(page, here):
    (mixes,) = (block for block in blocks(OWN, "python") if block.startswith("# mixes.py"))
    (here / "mixes.py").write_text(mixes)
    (here / "nets.py").write_text(NETS)
    (here / "my.py").write_text(
        "from analysis import accuracy\n\ndef grid(scale):\n    yield accuracy.Config(seeds=1)\n"
    )
    (here / "sets.py").write_text(
        "import numpy\ndef mine():\n    x = numpy.zeros((80, 8, 8, 1), 'uint8')\n    y = numpy.arange(80) % 2\n"
        "    return {'train_images': x, 'train_labels': y, 'test_images': x, 'test_labels': y}\n"
    )
    (here / "reviews.csv").write_text("text,label\n" + "".join(f"review {n},{'ab'[n % 2]}\n" for n in range(200)))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    tried = 0
    for line in command_lines(page):
        words = shlex.split(line)
        if words[0] == "make":
            assert set(words[1:]) <= targets, line
            tried += 1
        elif words[0] == "mixinfo" or words[:2] == ["python", "-m"]:
            name, *options = words[1:] if words[0] == "mixinfo" else words[2:]
            if name.startswith("-"):
                continue
            module = MODULES[name]
            tried += 1
            if module == "experiments.run":  # a dry run of a whole grid looks at all of its data
                parse(experiments.run.Config, line, options)
                continue
            dry = [] if module in ("store", "reports.build") else ["--dry-run"]
            ended = called("store.__main__" if module == "store" else module, *options, *dry)
            assert ended.status in (0, "returned"), (line, ended)
    assert tried >= {"README.md": 4, "running.md": 6, "own.md": 1}.get(page.name, 0)
