"""Reports of people who do this job, each with what is right; each stands for a kind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from analysis.human_uncertainty.measures import fit_temperature
from classifiers.load import ModelOptions, in_batches, load_classifier, load_run
from msda import FMix
from msda.adapters import MixTransform
from store import BadInput
from tasks import DataOptions, load
from tests.calls import called
from tests.cases import arrays

COMMON = ("--store", "runs", "--out", "out", "--device", "cpu", "--threads", "1", "--quiet")
SWEEP = (*COMMON, "--images", "12", "--attacks", "fgsm", "--epsilons", "0", "0.01", "--data", "npz:d.npz", "--model")
TRAIN = (*COMMON, "--epochs", "1", "--batch-size", "16")
FEW = {"classifiers.train": (*TRAIN, "--width", "4"), "vae.train": TRAIN}


@pytest.mark.parametrize(
    ("network", "status", "words"),
    [
        ("view", 0, ""),
        ("half", 0, ""),
        ("no_numbers", 2, "with logits that are not finite"),
        ("batches", 2, "a model that fails “an image alone is as in a batch”"),
        ("segmentation", 2, "whose output for an image is (1, 4, 16, 16)"),
        ("other_names", 2, "which ends in TypeError"),
        ("raises", 2, "which ends in KeyError: 'depth'"),
        ("recurses", 2, "which ends in RecursionError"),
        ("absent", 2, "something that nets has"),
    ],
)
def test_other_peoples_networks_are_swept_or_refused(here, network, status, words):
    ended = called("attacks.sweep", *SWEEP, f"nets:{network}")
    assert ended.status == status, ended
    assert words in ended.line
    assert ended.err.count("\n") == bool(words)


@pytest.mark.parametrize("name", ["builtins:exit", "sys:exit"])
def test_a_factory_that_leaves_is_not_done(here, name):
    ended = called("attacks.sweep", *SWEEP, name)
    assert ended.status == 2
    assert "which ends in SystemExit" in ended.line


def test_a_module_that_fails_when_it_is_imported_is_one_line(here, monkeypatch):
    monkeypatch.syspath_prepend(str(here))
    (here / "broken_nets.py").write_text("1 / 0\n")
    (here / "leaving_nets.py").write_text("raise SystemExit('bye')\n")
    assert "which ends in ZeroDivisionError: division by zero" in called("attacks.sweep", *SWEEP, "broken_nets:a").line
    assert "which ends in SystemExit: bye" in called("attacks.sweep", *SWEEP, "leaving_nets:a").line


def test_parts_of_a_users_file_are_trained_with(here):
    own = ("--data", "parts.py:images", "--augmentation", "fmix+parts.py:Columns", "--network", "parts.py:net")
    assert called("classifiers.train", *TRAIN, *own).status == 0
    (run,) = (here / "runs").glob("*/*fmix+parts_py-Columns*/result.json")
    record = json.loads(run.read_text())
    assert record["config"]["augmentation"] == "fmix+parts.py:Columns"
    assert record["data"]["name"] == "images"


@pytest.mark.parametrize(
    ("module", "option", "value", "words"),
    [
        ("classifiers.train", "--augmentation", "parts.py:nan", "whose images are not finite"),
        ("classifiers.train", "--augmentation", "fails.py:x", "which ends in ZeroDivisionError"),
        ("classifiers.train", "--augmentation", "nowhere.py:x", "nowhere.py, where there is no file"),
        ("classifiers.train", "--augmentation", "none+parts.py:columns", "needs something that parts.py has"),
        ("vae.train", "--augmentation", "parts.py:net", "which takes channels, and neither generator nor partner"),
        ("vae.train", "--augmentation", "fmx", "; perhaps fmix?"),
        ("analysis.accuracy", "--augmentations", "no.such:Mix", "(No module named 'no'); needs package.module:NAME"),
        ("analysis.mutual_info", "--augmentations", "parts.py:nan", "--augmentations: got parts.py:nan for images"),
        ("analysis.accuracy", "--data", "parts.py:net", "--data: got parts.py:net, which ends in TypeError"),
        ("vae.train", "--data", "parts.py:nan", "which ends in TypeError"),
        ("attacks.sweep", "--model", "parts.py:images", "which makes a tuple; needs a torch.nn.Module"),
        ("gradcam.sums", "--model", "parts.py:nets", "something that parts.py has; perhaps net?"),
        ("attacks.sweep", "--model", "fails.py:x", "which ends in ZeroDivisionError"),
    ],
)
def test_parts_that_are_none_are_one_line(here, module, option, value, words):
    ended = called(module, "--data", "npz:d.npz", option, value, "--store", "runs")
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1
    assert words in ended.line
    assert not list(here.glob("runs/*"))


def test_autoattack_fits_the_number_of_classes(here):
    pytest.importorskip("pyautoattack")
    for classes in (2, 3, 4):
        np.savez("few.npz", **arrays(classes))
        ended = called(
            "attacks.sweep", *COMMON, "--attacks", "fgsm", "--epsilons", "0.00001", "--images", "6", "--autoattack",
            "6", "--data", "npz:few.npz", "--model", "nets:plain",
        )  # fmt: skip
        assert ended.status == 0, (classes, ended)


def test_a_layer_that_returns_a_tuple_is_refused(here):
    ended = called(
        "gradcam.sums", *COMMON, "--images", "8", "--data", "npz:d.npz", "--model", "nets:tuples", "--layers", "pair"
    )
    assert ended.status == 2
    assert "a layer that returns a tuple; needs a layer that is used once and returns a tensor" in ended.line


def changed(**changes):
    made = arrays()
    return made | {key: change(made[key]) for key, change in changes.items()}


WRONG = {
    "complex": (changed(train_labels=lambda y: y.astype(complex)), "non-numeric"),
    "infinite": (changed(train_labels=lambda y: np.full((len(y), 4), np.inf)), "infinite"),
    "nothing": (changed(train_labels=lambda y: np.zeros((len(y), 4))), "none each, a Task with several=True"),
    "no-columns": (changed(train_labels=lambda y: np.zeros((len(y), 0))), "rows of nothing"),
    "huge": (changed(train_labels=lambda y: np.full(len(y), 2**40)), "up to 1.09951e+12; needs classes from 0"),
    "far": (changed(train_labels=lambda y: np.full(len(y), 1e300)), "up to 1e+300"),
    "fractions": (changed(train_labels=lambda y: y + 0.5), "fractions"),
    "columns": (changed(train_labels=lambda y: np.eye(4)[y], test_labels=lambda y: np.eye(7)[y]), "4 and 7 columns"),
    "outside": (changed(train_labels=lambda y: np.eye(4)[y], test_labels=lambda y: y + 4), "indices up to 7"),
    "other-size": (changed(test_images=lambda x: x[:, :12, :12]), "16×16×3 and of 12×12×3"),
    "other-channels": (changed(test_images=lambda x: x[..., :1]), "16×16×3 and of 16×16×1"),
    "empty": (changed(test_images=lambda x: x[:0], test_labels=lambda y: y[:0]), "at least one image"),
    "no-pixels": (changed(train_images=lambda x: x[:, :0], test_images=lambda x: x[:, :0]), "at least one pixel"),
    "floats": (changed(train_images=lambda x: x / 255), "uint8"),
}  # fmt: skip


@pytest.mark.parametrize("trainer", list(FEW))
@pytest.mark.parametrize("name", list(WRONG))
def test_data_that_cannot_be_are_one_line(here, name, trainer):
    made, words = WRONG[name]
    np.savez("wrong.npz", **made)
    ended = called(trainer, *FEW[trainer], "--data", "npz:wrong.npz")
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1
    assert words in ended.line
    assert not (here / "runs").exists()


@pytest.mark.parametrize("trainer", list(FEW))
def test_a_column_of_indices_and_a_constant_channel_are_as_they_should_be(here, few_draws, trainer):
    column = changed(
        train_labels=lambda y: y[:, None].astype(np.uint8), test_labels=lambda y: y[:, None].astype(np.uint8)
    )
    np.savez("column.npz", **column)
    assert torch.equal(load(DataOptions("npz:column.npz")).train.targets, load(DataOptions("npz:d.npz")).train.targets)
    blank = arrays()
    for part in ("train", "test"):
        blank[f"{part}_images"][..., 2] = 0
    np.savez("blank.npz", **blank)
    for name in ("column", "blank"):
        assert called(trainer, *FEW[trainer], "--data", f"npz:{name}.npz").status == 0


def test_classes_without_images_are_said(here, capsys):
    np.savez("gap.npz", **changed(train_labels=lambda y: np.where(y == 3, 255, y)))
    assert load(DataOptions("npz:gap.npz")).classes == 256
    assert "npz:gap.npz: 252 of 256 classes have no training image" in capsys.readouterr().err


@pytest.fixture
def folder(here):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("a", "b"):
            (here / "pictures" / part / name).mkdir(parents=True)
            for number in range(2):
                image = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
                image.save(here / "pictures" / part / name / f"{number}.png")
    return here / "pictures"


def read(folder):
    return load(DataOptions(f"folder:{folder}"))


def test_files_that_are_no_images_are_named(folder):
    odd = folder / "train" / "a" / "z.png"
    sixteen = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16))

    def animated():
        frames = [Image.new("L", (8, 8), shade) for shade in (0, 90, 200)]
        frames[0].save(odd.with_suffix(".webp"), save_all=True, append_images=frames[1:])

    for make, words in (
        (lambda: odd.write_bytes(b""), "cannot be read"),
        (lambda: odd.write_text("<svg></svg>"), "cannot be read"),
        (lambda: odd.symlink_to("/etc/passwd"), "cannot be read"),
        (lambda: odd.write_bytes((folder / "train/a/0.png").read_bytes()[:60]), "cannot be read"),
        (lambda: sixteen.save(odd), "of mode I;16"),
        (lambda: Image.new("1", (9000, 9000)).save(odd), "of 9000×9000 pixels"),
        (lambda: odd.symlink_to(folder / "nowhere.png"), "which is no file"),
        (animated, "of 3 frames"),
    ):
        make()
        with pytest.raises(BadInput, match=r"--data: got .*z\.(png|webp).*" + words):
            read(folder)
        for file in folder.rglob("z.*"):
            file.unlink()


def test_a_pipe_among_images_does_not_hang(folder):
    import os

    os.mkfifo(folder / "train" / "a" / "z.png")
    with pytest.raises(BadInput, match="which is no file"):
        read(folder)


def test_hidden_files_loops_and_other_suffixes_are_no_images(folder, capsys):
    plain = read(folder)
    (folder / "train" / "a" / "._0.png").write_bytes(b"resource fork")
    (folder / "train" / "a" / "loop").symlink_to(folder / "train" / "a")
    (folder / ".git").mkdir()
    (folder / "train" / ".cache").mkdir()
    (folder / "train" / "b" / "notes.gif").write_bytes(b"GIF89a")
    assert read(folder).digest == plain.digest
    assert "1 files that are no images by their suffix are left out" in capsys.readouterr().err


def test_pictures_are_upright_and_transparent_ones_over_black(folder):
    image = np.zeros((8, 8, 4), np.uint8)
    image[..., 0], image[:4, :, 3] = 200, 255
    Image.fromarray(image).save(folder / "train" / "a" / "0.png")
    turned = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    exif = Image.Exif()
    exif[274] = 3  # upside down
    turned.save(folder / "train" / "a" / "1.png", exif=exif)
    images = read(folder).train.inputs
    assert images[0, 0, :4].eq(200).all()
    assert images[0, :, 4:].eq(0).all()
    assert images[1].permute(1, 2, 0).numpy().tolist() == np.asarray(turned)[::-1, ::-1].tolist()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.full((40, 4), np.inf), "counts up to inf"),
        (np.full((40, 4), 1e300), "counts up to 1e+300"),
        (np.full((40, 4), 2**63 - 1), "counts up to 9.22e+18"),
        (np.full((40, 4), 1 + 1j), "complex128"),
        (np.full((40, 4), np.nan), "negative or fractional"),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_counts_that_are_no_counts_are_refused(here, counts, words, kind):
    np.savez("h.npz", counts=counts) if kind == "npz" else np.save("h.npy", counts)
    ended = called(
        "analysis.human_uncertainty", *COMMON, "--data", "npz:d.npz", "--human", f"h.{kind}", "--model", "nets:plain"
    )
    assert ended.status == 2
    assert words in ended.line


def test_counts_as_they_are_published_are_read(here):
    np.save("h.npy", np.eye(4, dtype=np.int64)[arrays()["test_labels"]] * 50)
    ended = called(
        "analysis.human_uncertainty", *COMMON, "--data", "npz:d.npz", "--human", "h.npy", "--model", "nets:plain"
    )
    assert ended.status == 0, ended


def test_a_temperature_does_not_depend_on_the_logits_unit():
    rng = np.random.default_rng(0)
    base = torch.from_numpy(rng.normal(size=(500, 10)))
    rows = base.softmax(1)
    for factor in (1.0, 1000.0, 1e-4):
        assert fit_temperature(base * factor, rows) == pytest.approx(factor, rel=1e-3)
    assert fit_temperature(torch.zeros(5, 3), rows[:5, :3]) > 0


def test_a_networks_normalisation_is_that_of_its_published_weights(here):
    data = load(DataOptions("npz:d.npz"))
    pytest.importorskip("timm")

    def mean(name, **options):
        model = load_classifier(ModelOptions(name, "random", **options), data, torch.device("cpu"))
        return model.pixel_mean.flatten().tolist()

    imagenet = pytest.approx([0.485, 0.456, 0.406])
    assert mean("timm:resnetv2_50x1_bit") == pytest.approx([0.5, 0.5, 0.5])
    assert mean("timm:resnetv2_50x1_bit", normalisation="imagenet") == imagenet
    assert mean("torchvision:resnet18") == imagenet


def test_a_transform_takes_a_column_of_indices_and_refuses_other_rows():
    images = torch.rand(4, 3, 8, 8)
    mix = MixTransform(FMix(), num_classes=4)
    torch.manual_seed(0)
    column = mix(images, torch.tensor([[0], [1], [2], [3]]))
    torch.manual_seed(0)
    plain = mix(images, torch.tensor([0, 1, 2, 3]))
    assert torch.equal(column[1], plain[1])
    with pytest.raises(ValueError, match=r"labels of shape \(4, 4\); need rows of 10 or indices"):
        MixTransform(FMix(), num_classes=10)(images, torch.eye(4))


def test_options_of_a_model_need_a_model(here):
    ended = called("attacks.sweep", *COMMON, "--data", "npz:d.npz", "--weights", "nowhere.pt", "--dry-run")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "--weights: got a value without --model" in ended.line


LARGE = "1" + "0" * 18


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--seed", "1" + "0" * 40), ("--seed", "1_0"), ("--seed", "٣"), ("--threads", LARGE), ("--width", LARGE),
        ("--width", "1000000000"), ("--crop", LARGE), ("--epochs", LARGE), ("--device", "cuda:" + "9" * 20),
        ("--device", "cuda:٣"), ("--store", "x" * 300), ("--store", "y/" * 2040), ("--store", "\udcff"),
        ("--data-name", "\udcff"), ("--store", ""), ("--out", ""), ("--json", ""), ("--json", "."),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_one_line(here, option, value):
    ended = called("classifiers.train", *FEW["classifiers.train"], "--data", "npz:d.npz", option, value)
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1
    assert len(ended.line) < 700


def test_a_store_that_is_a_dangling_or_circular_link_is_one_line(here):
    (here / "dangling").symlink_to(here / "nowhere")
    (here / "circle").symlink_to(here / "circle")
    for name in ("dangling", "circle"):
        ended = called("vae.train", *TRAIN, "--data", "npz:d.npz", "--store", name)
        assert (ended.status, ended.err.count("\n")) == (2, 1), ended


@pytest.mark.parametrize("number", [10**18, 10**7])
def test_a_grid_of_absurd_size_is_refused_at_once(here, number):
    for module in ("analysis.mutual_info", "analysis.accuracy", "analysis.ground_truth", "experiments.run"):
        more = ("table-1",) if module == "experiments.run" else ()
        ended = called(module, *more, "--seeds", str(number), "--dry-run")
        assert ended.status == 2
        assert "at most 10,000" in ended.line


@pytest.mark.parametrize("trainer", list(FEW))
def test_trainers_write_json_and_are_quiet_when_asked(here, few_draws, trainer):
    arguments = [word for word in FEW[trainer] if word != "--quiet"]
    ended = called(trainer, *arguments, "--data", "npz:d.npz", "--json", "-")
    document = json.loads(ended.out)
    assert ended.status == 0
    assert document["command"] == f"python -m {trainer}"
    assert {row["estimator"] for row in document["results"]} in ({"rate", "mse"}, {"accuracy", "cross_entropy"})
    fields = {"quantity", "estimator", "value", "standard_error", "direction", "cap", "saturated", "n", "k", "noise",
              "inputs", "augmentation", "seed", "units"}  # fmt: skip
    assert all(fields <= set(row) for row in document["results"])
    assert "reused" in called(trainer, *arguments, "--data", "npz:d.npz").out
    assert called(trainer, *arguments, "--quiet", "--data", "npz:d.npz").out == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("def grid(scale):\n    raise KeyError('x')", "which ends in KeyError"),
        ("def grid(scale):\n    return None", "which ends in TypeError"),
        ("def grid(scale):\n    return 5", "which ends in TypeError"),
        ("def grid():\n    return []", "which ends in TypeError"),
        ("def grid(scale):\n    return []", "which yields nothing"),
        ("def grid(scale):\n    return [3]", "a configuration of type int"),
        ("class grid:\n    pass", "which ends in TypeError"),
        ("def grid(scale):\n    return grid(scale)", "which ends in RecursionError"),
        ("import sys\ndef grid(scale):\n    sys.exit(0)", "which ends in SystemExit"),
        ("import sys\nsys.exit('bye')", "which ends in SystemExit: bye"),
        ("raise SystemExit(0)", "which ends in SystemExit"),
        ("1 / 0", "which ends in ZeroDivisionError"),
        ("grid = 3", "my.py:grid, a int; needs a function of a Scale"),
        ("gird = 3", "something that my.py has; perhaps gird?"),
    ],
)
def test_grids_of_users_that_fail_are_one_line(here, body, words):
    (here / "my.py").write_text(body + "\n")
    ended = called("experiments.run", "my.py:grid", "--data", "npz:d.npz", "--dry-run")
    assert ended.status == 2, ended
    assert ended.err.count("\n") == 1
    assert words in ended.line


def test_terminals_that_are_not_unicode_get_their_results(here):
    np.savez("ok.npz", mean=np.random.default_rng(0).normal(size=(50, 2)), log_var=np.zeros((50, 2)))
    root = Path(__file__).parents[2]
    command = ["analysis.mutual_info", "--posterior", "ok.npz", "--bounds", "rate"]

    def spoken(*more):
        environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(root)}
        return subprocess.run(
            [sys.executable, "-m", *command, *more], capture_output=True, env=environment, check=False
        )

    plain = spoken()
    assert plain.returncode == 0
    assert rb"I(Z;X) \u2264 " in plain.stdout
    document = spoken("--json", "-").stdout
    assert document.isascii()
    assert json.loads(document)["results"] == json.loads(called(*command, "--json", "-").out)["results"]
    wrong = spoken("--seeds", "x")
    assert wrong.returncode == 2
    assert b"--seeds: got 'x'; needs an integer" in wrong.stderr


def test_state_dicts_as_people_keep_them_are_read(here, capsys):
    data = load(DataOptions("npz:d.npz"))
    import nets

    plain = nets.plain(3, 4)
    state, images = plain.state_dict(), torch.rand(2, 3, 16, 16)
    averaged = torch.optim.swa_utils.AveragedModel(plain).state_dict()
    kept = (
        {"model_state_dict": state}, {"net": state}, {"model": {"state_dict": state}}, averaged,
        {"state_dict": state, "state_dict_ema": {key: 2 * value for key, value in state.items()}},
    )  # fmt: skip
    for content in kept:
        torch.save(content, "kept.pt")
        model = load_classifier(ModelOptions("nets:plain", "kept.pt"), data, torch.device("cpu"))
        torch.testing.assert_close(model(images), plain(images))
    assert "kept.pt: state_dict is taken; state_dict_ema is there too" in capsys.readouterr().err


def test_a_state_dict_from_before_batches_were_counted_is_filled(here):
    data = load(DataOptions("npz:d.npz"))
    ended = called("classifiers.train", *FEW["classifiers.train"], "--data", "npz:d.npz")
    assert ended.status == 0
    run = next((here / "runs" / "classifier").iterdir())
    trained = load_run(run, torch.device("cpu"))
    old = {key: value for key, value in trained.network.state_dict().items() if "num_batches" not in key}
    torch.save(old, "old.pt")
    model = load_classifier(ModelOptions("preact-resnet18", "old.pt", 4), data, torch.device("cpu"))
    images = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(model.network(images), trained.network(images))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: {3: next(iter(state.values()))}, "holds something else"),
        (lambda state: state | {"fc.bias": state["fc.bias"].to("meta")}, "no plain tensor"),
        (lambda state: state | {"fc.weight": state["fc.weight"].to_sparse()}, "no plain tensor"),
        (lambda state: state | {"fc.bias": state["fc.bias"] + 0j}, "fc.bias is of type complex64"),
        (lambda state: state | {"fc.bias": state["fc.bias"].long()}, "fc.bias is of type int64; needs float32"),
        (lambda state: state | {"fc.bias": state["fc.bias"] * float("nan")}, "fc.bias is not finite"),
    ],
)
def test_weights_that_are_none_are_one_line(here, change, words):
    import nets

    torch.save(change(nets.plain(3, 4).state_dict()), "w.pt")
    ended = called("attacks.sweep", *SWEEP, "nets:plain", "--weights", "w.pt")
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert words in ended.line


def test_posteriors_of_other_floats_are_what_they_say(here):
    mean = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    found = []
    for number, kind in enumerate(("<f4", ">f4", ">f8", "<f2")):
        np.savez(f"q{number}.npz", mean=mean.astype(kind), log_var=np.zeros((50, 2), kind))
        ended = called("analysis.mutual_info", "--posterior", f"q{number}.npz", "--bounds", "rate", "--json", "-")
        found.append(json.loads(ended.out)["results"][0]["value"])
    assert found == pytest.approx(found[:1] * 4, rel=1e-3)
    np.savez("long.npz", mean=mean.astype(np.longdouble), log_var=np.zeros((50, 2)))
    assert "mean of type float128" in called("analysis.mutual_info", "--posterior", "long.npz").line


def test_large_images_are_classified_fewer_at_a_time():
    assert [len(batch) for batch in in_batches(torch.zeros(2500, 1, 8, 8))] == [1000, 1000, 500]
    assert {len(batch) for batch in in_batches(torch.zeros(50, 3, 224, 224).byte())} <= {20, 10}
    assert [len(batch) for batch in in_batches(torch.zeros(2, 1, 2000, 2000).byte())] == [1, 1]


COMMANDS = ("analysis", "attacks", "classifiers", "experiments", "gradcam", "reports", "store", "vae")


@pytest.mark.parametrize(
    ("own", "command", "words"),
    [
        ("experiments", "experiments.run mine.py:grid --dry-run", "which yields nothing"),
        ("analysis", "analysis.mutual_info --posterior nowhere.npz", "where there is no file"),
    ],
)
def test_a_working_directory_may_have_modules_of_our_names(tmp_path, own, command, words):
    """All but the command's own package, which Python looks for in the working directory before anything of ours.

    What comes after the working directory, and after ours, stays behind ours.
    """
    root, behind = Path(__file__).parents[2], tmp_path / "behind"
    behind.mkdir()
    for name in {*COMMANDS, "figures", "msda", "training"} - {own}:
        for directory in (tmp_path, behind):
            (directory / f"{name}.py").write_text("raise SystemExit('not ours')\n")
    (tmp_path / "mine.py").write_text("from neighbour import grid\n")
    (tmp_path / "neighbour.py").write_text("def grid(scale):\n    return []\n")
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{behind}"}
    whole = [sys.executable, "-m", *command.split()]
    ended = subprocess.run(whole, capture_output=True, env=environment, cwd=tmp_path, text=True, check=False)
    assert words in ended.stderr, ended


def test_a_working_directory_that_is_gone_is_no_matter(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "gone").mkdir()
    command = f"cd gone && rmdir ../gone && {sys.executable} -m store list --store {tmp_path}/runs"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_packages_with_commands_put_the_working_directory_last():
    root = Path(__file__).parents[2]
    texts = [(root / name / "__init__.py").read_text().split('"""', 2)[2] for name in COMMANDS]
    imports, begins = zip(*(text.partition("append")[0].split("\n\n# `python -m`") for text in texts), strict=True)
    assert len(set(begins)) == 1, "each package with a command begins by putting the working directory last"
    assert {line for text in imports for line in text.split("\n") if line} <= {
        "import importlib", "import os", "import sys", "from typing import TYPE_CHECKING, Any",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "option", "more", "words"),
    [
        ("analysis.human_uncertainty", "--logits", ("--seeds", "5"), "--seeds: got 5 beside --logits"),
        ("analysis.human_uncertainty", "--model", ("--width", "8"), "--width: got 8 beside --model"),
        ("attacks.sweep", "--model", ("--augmentations", "none"), "--augmentations: got none beside --model"),
        ("gradcam.sums", "--model", ("--epochs", "3"), "--epochs: got 3 beside --model"),
        ("analysis.mutual_info", "--posterior", ("--shared",), "--shared: got True beside --posterior"),
    ],
)
def test_options_that_mean_nothing_are_refused(here, module, option, more, words):
    data = () if module == "analysis.mutual_info" else ("--data", "npz:d.npz")
    human = ("--human", "h.npz") if module == "analysis.human_uncertainty" else ()
    ended = called(module, option, "x", *data, *human, *more)
    assert (ended.status, ended.err.count("\n")) == (2, 1), ended
    assert words in ended.line


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("classifiers.train --data cifar10", "--data: got 'cifar10', which is not under data; needs CIFAR-10 there"),
        ("experiments.run table-1", "--data: got 'cifar10', which is not under data"),
        ("experiments.run table-1 --smoke", ""),
        ("experiments.run table-1 --smoke --data-root elsewhere", ""),
        ("analysis.mutual_info --data svhn", "--data: got 'svhn', which is not under data"),
        ("classifiers.train --data-root ~root/x", "--data-root: got '~root/x'; needs a path with the home directory"),
    ],
)
def test_a_dry_run_downloads_nothing(here, monkeypatch, command, words):
    def download(*_, **__):
        raise AssertionError("a dry run asks the network")

    monkeypatch.setattr("urllib.request.urlopen", download)
    module, *arguments = command.split()
    before = set(here.iterdir())
    ended = called(module, *arguments, "--dry-run")
    assert ended.status == (2 if words else 0), ended
    assert words in ended.line
    assert set(here.iterdir()) == before
