"""The linear VAE beside every recorded VAE: ``results/linear-vae/linear-vae.csv``, and the points in the documents.

The documents of 0.1.0 hold rate and squared error of every VAE on clean images. Added to them are the −ELBO that
follows, the linear VAE's numbers on the same images, and, for the baselines alone, whether they are under-trained: the
other VAEs' errors on inputs like their own were not recorded, so that their flag stays null.

    .venv/bin/python results/linear.py              # CIFAR10_JPEG as for results/measure; about ten minutes on one core
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from analysis.mutual_info import DRAWS, OwnAugmentation, linear_rows_of, over_seeds
from analysis.table import LINEAR
from store import write_atomically
from store.command_line import as_text
from training import DataOptions, ImageData, generator, load, use_threads
from vae.linear import linear_vae, moments
from vae.train import Settings, normalisation

RESULTS = Path(__file__).parent
CIFAR10_JPEG = os.environ.get("CIFAR10_JPEG", "data/cifar10_jpeg/cifar10_jpeg.npz")
AUGMENTATIONS = ("none", "mixup", "cutmix", "fmix", "fmix-reference")
SCALES = (1.0, 0.3, 0.1)


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every document of `analysis.mutual_info`."""
    for path in sorted(RESULTS.rglob("result.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["command"] == "python -m analysis.mutual_info":
            yield path, document


def inputs_of(document: dict[str, Any]) -> tuple[ImageData, Settings]:
    """The data and settings of a document's VAEs."""
    options = dict(document["config"]["data"])
    if "cifar10_jpeg" in options["data"]:
        options["data"] = f"npz:{CIFAR10_JPEG}"
    return load(DataOptions(**options)), Settings(**document["config"]["settings"])


def linear_rows(data: ImageData, settings: Settings) -> list[dict[str, Any]]:
    """Rows of linear VAEs fitted on the inputs of every augmentation, on clean images and on inputs of that kind."""
    rows = []
    cpu = torch.device("cpu")
    for augmentation in AUGMENTATIONS:
        own = OwnAugmentation(settings, data, augmentation, normalisation(data, settings.resolved(data)))
        of = moments(own.draws(data.train_images, generator(cpu, 1, "linear"), DRAWS))
        kinds = {
            "clean": own.normalised(data.test_images),
            "own-augmented": own.mixtures(data.test_images, generator(cpu, 1, "test")),
        }
        for scale in SCALES:
            linear = linear_vae(of, settings.resolved(data)["latents"], scale)
            for inputs, images in kinds.items():
                where = {"inputs": inputs, "augmentation": LINEAR, "seed": 1, "fitted_on": augmentation}
                rows += [row | {"decoder_scale": scale} for row in linear_rows_of(linear, images, **where)]
        print(data.name, augmentation, flush=True)
    return rows


def complete(document: dict[str, Any], linear: list[dict[str, Any]]) -> None:
    """Add to a document what its records allow."""
    rows = [row for row in document["results"] if row["seed"] is not None and row["augmentation"] != LINEAR]
    rows = [row for row in rows if row["estimator"] != "negative_elbo"]
    pixels = int(torch.tensor(document["about"]["settings"]["shape"]).prod())
    by = {
        (row["augmentation"], row["seed"], row["decoder_scale"], row["estimator"]): row["value"]
        for row in rows if row["inputs"] == "clean" and row["noise"] is None
    }  # fmt: skip
    beside = {
        row["decoder_scale"]: row
        for row in linear
        if (row["inputs"], row["fitted_on"], row["estimator"]) == ("clean", "none", "negative_elbo")
    }
    template = {"quantity": "−ELBO", "estimator": "negative_elbo", "standard_error": None, "direction": None}
    template |= {
        "cap": None,
        "saturated": None,
        "n": None,
        "k": None,
        "noise": None,
        "inputs": "clean",
        "units": "nats",
    }
    poor: dict[tuple[str, int, float], bool] = {}
    for (augmentation, seed, scale, estimator), mse in list(by.items()):
        if estimator != "mse":
            continue
        value = pixels * mse / (2 * scale**2) + by[augmentation, seed, scale, "rate"]
        where = {"augmentation": augmentation, "seed": seed, "decoder_scale": scale}
        rows.append(template | {"value": value} | where)
        if augmentation == "none":
            # the VAE's own error over images is not recorded: twice the sum of two errors like the linear VAE's
            poor[augmentation, seed, scale] = value - beside[scale]["value"] > 4 * beside[scale]["standard_error"]
    for row in rows:
        row["under_trained"] = poor.get((row["augmentation"], row["seed"], row["decoder_scale"]))
    scales = dict.fromkeys(row["decoder_scale"] for row in rows)
    rows += [
        row for row in linear
        if row["inputs"] == "clean" and row["fitted_on"] == "none" and row["decoder_scale"] in scales
    ]  # fmt: skip
    per_scale = [[row for row in rows if row["decoder_scale"] == scale] for scale in scales]
    document["results"] = [row for own in per_scale for row in over_seeds(own) + own]


def main() -> None:
    """Fit, complete the documents, and write the table."""
    use_threads(1)
    known: dict[str, list[dict[str, Any]]] = {}
    table = []
    for path, document in documents():
        name = document["about"]["data"]
        if name not in known:
            data, settings = inputs_of(document)
            known[name] = linear_rows(data, replace(settings, decoder_scale=1.0))
        complete(document, known[name])
        with write_atomically(path) as temporary:
            temporary.write_text(as_text(document) + "\n", encoding="utf-8")
        if "mixture" not in path.parts:
            table += [row | {"data": name, "networks": path.parent.parent.name == "scales"}
                      for row in document["results"] if row["seed"] is not None]  # fmt: skip
    frame = pd.DataFrame(table)
    frame = frame[(frame["inputs"] == "clean") & frame["noise"].isna() & (frame["augmentation"] != LINEAR)]
    # scale 1 was trained once, and stands in two documents
    frame = frame.drop_duplicates(["data", "decoder_scale", "augmentation", "seed", "estimator"])
    index = ["data", "decoder_scale", "augmentation"]
    shown = ["rate", "mse", "negative_elbo"]
    found = frame[frame["estimator"].isin(shown)].groupby([*index, "estimator"], sort=False)["value"]
    vaes = found.agg(["mean", "std", "size"]).unstack("estimator")
    linear = pd.DataFrame(
        [row | {"data": name} for name, rows in known.items() for row in rows if row["estimator"] in shown]
    ).rename(columns={"fitted_on": "fitted"})
    lines = []
    for (name, scale, augmentation), row in vaes.iterrows():
        mine = linear[
            (linear["data"] == name) & (linear["decoder_scale"] == scale) & (linear["fitted"] == augmentation)
        ]
        line = {"data": name, "decoder_scale": scale, "augmentation": augmentation, "seeds": row["size", "rate"]}
        for inputs in ("clean", "own-augmented"):
            for each in mine[mine["inputs"] == inputs].to_dict("records"):
                line[f"linear_{each['estimator']}_{inputs}"] = each["value"]
                if each["estimator"] == "negative_elbo":
                    line[f"linear_negative_elbo_error_{inputs}"] = each["standard_error"]
        line |= {f"vae_{key}": row["mean", key] for key in shown} | {f"vae_{key}_std": row["std", key] for key in shown}
        line["worse_by"] = line["vae_negative_elbo"] - line["linear_negative_elbo_clean"]
        lines.append(line)
    directory = RESULTS / "linear-vae"
    directory.mkdir(exist_ok=True)
    with write_atomically(directory / "linear-vae.csv") as temporary:
        pd.DataFrame(lines).to_csv(temporary, index=False)
    print(pd.DataFrame(lines).to_string())


if __name__ == "__main__":
    main()
