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
# # Train a VAE under an augmentation and bound its information
#
# You will train two small VAEs on scanned digits, without augmentation and under FMix, and see what can be said of
# the information in their codes: an upper bound, a lower bound that cannot exceed log N, and how noise closes the
# gap. Takes a minute on a CPU.

# %%
import os
from pathlib import Path

import pandas as pd

from analysis import Encoded, aggregate_variance, bounds_of, mutual_info, relative_to_prior, with_noise
from store import Options
from tasks import DataOptions, load
from training import resolve_device
from vae import encode, load_vae, train

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)
settings = train.Settings(epochs=2 if smoke else None)

# %%
data = load(DataOptions("digits"))
data

# %% [markdown]
# ## Train
#
# A run lies in the store under what it *is*: training it again finds it. Interrupt the kernel, run the cell again,
# and it goes on from its checkpoint.

# %%
run = train.run(train.Config("fmix", seed=1, settings=settings, execution=options))
run.result()["metrics"]

# %% [markdown]
# ## Bound
#
# The posterior of the test images is a diagonal Gaussian per image, known exactly: the bounds need nothing else.

# %%
vae = load_vae(run, resolve_device("auto"))
posterior, fit = encode(vae, data.test.inputs), encode(vae, data.train.inputs)
posterior

# %%
for bound in bounds_of(Encoded(posterior, fit=fit), ("rate", "gaussian_marginal", "infonce")):
    display(bound)

# %% [markdown]
# Every line has a direction, an error over images, and where it applies a cap. The rate is what the FMix paper's
# Table 1 prints; it is an upper bound, and R_m a tighter one.
#
# ## With noise, the bounds meet
#
# Noise of s times each dimension's standard deviation lowers the information of the code. Where it falls below log N,
# the lower bound reaches the upper one.

# %%
rows, variance = [], aggregate_variance(fit)
for level in (0.5, 1.0, 2.0):
    noised, fitted = with_noise(posterior, level, variance), with_noise(fit, level, variance)
    for bound in bounds_of(Encoded(noised, fit=fitted), ("gaussian_marginal", "infonce")):
        rows.append(bound.row(noise=level))
table = pd.DataFrame(rows)[["noise", "estimator", "direction", "value", "standard_error", "saturated"]]
table

# %% [markdown]
# Against the prior that fits the noised channel, the rate stays a bound too:

# %%
bounds_of(relative_to_prior(posterior, 1.0, variance), ("rate",))[0]

# %% [markdown]
# ## All of it at once
#
# `python -m analysis.mutual_info` in a terminal; the same function here. Seeds are what a difference between
# augmentations has to exceed.

# %%
mutual_info.run(
    mutual_info.Config(
        ("none", "fmix"), seeds=1 if smoke else 2, noise=(1.0,), smoke=smoke, settings=settings, execution=options
    )
)
