# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Bring your own data, encoder and classifier
#
# You will hand the toolkit images in an `.npz`, the output of an encoder that it has never seen, and a classifier of
# your own, and get the same analyses. Takes half a minute.

# %%
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from analysis import accuracy, mutual_info
from attacks import sweep
from classifiers import ModelOptions, train
from gradcam import sums
from store import Options
from tasks import DataOptions, load

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Your images
#
# Four arrays: images N×H×W×C in uint8, labels as class indices or as rows of soft labels. A folder of pictures
# (`folder:PATH`) and the data sets that torchvision knows by name work too.

# %%
digits = load_digits()
pixels = (digits.images * 15.9).astype(np.uint8)[..., None]
np.savez(
    folder / "mine.npz",
    train_images=pixels[:1400],
    train_labels=digits.target[:1400],
    test_images=pixels[1400:],
    test_labels=digits.target[1400:],
)
mine = DataOptions(f"npz:{folder / 'mine.npz'}", data_name="my digits")
load(mine)

# %%
accuracy.run(
    accuracy.Config(
        ("none", "fmix"),
        seeds=1 if smoke else 2,
        data=mine,
        settings=train.Settings(epochs=1 if smoke else 4, width=4),
        execution=options,
    )
)

# %% [markdown]
# ## Your encoder
#
# What it says of images that it was not trained on: mean and log-variance of each posterior. Here principal
# components with noise of a fixed size stand for it.

# %%
flat = digits.images.reshape(len(digits.images), -1) / 16
centred = flat - flat.mean(0)
_, _, directions = np.linalg.svd(centred, full_matrices=False)
mean = centred @ directions[:8].T
np.savez(folder / "encoder.npz", mean=mean, log_var=np.full_like(mean, np.log(0.05)))
mutual_info.run(mutual_info.Config(posterior=folder / "encoder.npz", noise=(1.0, 2.0), execution=options))

# %% [markdown]
# ## Your classifier
#
# Any function that returns a `torch.nn.Module` from images in [0, 1] to logits. Its weights come from a file, or as
# here from the function itself.

# %%
(folder / "mynets.py").write_text(
    """
from torch import nn

def make(channels, classes):
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, classes)
    )
"""
)
sys.path.insert(0, str(folder))
model = ModelOptions("mynets:make")

# %%
sums.run(sums.Config(model=model, layers=("0",), images=100, data=mine, execution=options))

# %%
sweep.run(
    sweep.Config(
        model=model, images=8, attacks=("fgsm", "noise"), epsilons=(0.0, 0.01, 0.1), data=mine, execution=options
    )
)

# %% [markdown]
# ## What is at hand
#
# A live network with tensors, arrays or a `Dataset` does as well, and so do mixers in place of names. What has no name
# cannot be found again: nothing of it is kept in the store, and the result says so.

# %%
network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
sweep.run(network, pixels[:60], digits.target[:60], attacks=["fgsm"], epsilons=[0.0, 0.05], out=folder, quiet=True)
