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
# # What layers keep of an image
#
# A network's features without noise determine the image they came from; with noise of a stated size their information
# is finite, and has two sides. You will bound what features say of the label, and of the image beyond it: of principal
# components first, then of the layers of two classifiers. `docs/plane.md` says how to read the pictures. Takes two
# minutes.

# %%
import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from analysis import representations
from classifiers import train
from store import Options
from tasks import DataOptions

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)

# %% [markdown]
# ## Features of anybody's
#
# The noise has the scale of the training features: at s = 1 as much variance as they have. Every bound has a direction
# and an error; * is one that is too close to the most it can show.

# %%
digits = load_digits()
pixels, labels = digits.data / 16, digits.target
components = PCA(8).fit(pixels[:900])
features = components.transform(pixels)
table = representations.information(
    features[900:], labels[900:], features[:900], labels[:900], noise=(0.25, 0.5, 1.0, 2.0)
)
print(representations.table_of(table[table["split"] == "test"]))

# %% [markdown]
# At s = 0.25 the components say nearly all of what they can of the label, and more than three nats of the single digit
# beyond it; at s = 2 little of either. The chain rule holds for the truth behind these numbers: I(T;X) = I(T;Y) +
# I(T;X|Y).
#
# ## Layers of two classifiers
#
# Trained without augmentation and with MixUp. The plane has a panel a layer, and a band a network; along it runs the
# noise. Where at the same I(T;Y) one band is below the other, that network keeps less of the single image.

# %%
result = representations.run(
    representations.Config(
        ("none", "mixup"),
        seeds=1,
        layers=("conv1", "stage2", "in:classify"),
        noise=(1.0, 2.0, 4.0) if smoke else (0.5, 0.71, 1.0, 1.41, 2.0, 2.83, 4.0, 5.66, 8.0),
        data=DataOptions(train_images=300 if smoke else None),
        settings=train.Settings(epochs=1 if smoke else 12, width=4 if smoke else 8, schedule="cosine"),
        execution=options,
    )
)
result

# %% [markdown]
# One seed says something of these two networks, and nothing of augmentations: those have seeds as replicates.
#
# ## Two views of the same images
#
# What the codes of two sets of features share, from both sides, with a critic that is fitted on other images.

# %%
folder = options.out / "views"
folder.mkdir(parents=True, exist_ok=True)
for name, chosen in (("left", slice(0, 4)), ("right", slice(4, 8))):
    np.savez(folder / f"{name}.npz", features=features[900:, chosen], labels=labels[900:])
left, right = (folder / f"{name}.npz" for name in ("left", "right"))
views = representations.run(features=left, features_b=right, noise=[0.5, 1.0], out=options.out, quiet=True)
shared = views.table[views.table["quantity"] == "I(T_A;T_B)"]
shared.pivot_table(index=["direction", "estimator"], columns="noise", values="value").round(2)
