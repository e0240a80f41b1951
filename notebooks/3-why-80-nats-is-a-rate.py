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
# # Bounds against known truths, and why 80 nats is a rate
#
# You will see every bound on encoders whose mutual information is known, what saturation looks like, and why about 80
# nats measured on 10,000 images cannot be called mutual information. Takes half a minute.

# %%
import math
import os
from pathlib import Path

import pandas as pd

from analysis import bounds_of, ground_truth, with_noise
from store import Options

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)
n = 500 if smoke else 4000

# %% [markdown]
# ## An encoder with 3 nats, and one with 70
#
# Linear-Gaussian encoders in 64 dimensions, whose information is exactly what we ask for.

# %%
estimators = ("rate", "gaussian_marginal", "infonce", "leave_one_out")
few = ground_truth.linear_gaussian(n, 64, 3.0, seed=1)
for bound in bounds_of(few, estimators):
    display(bound)

# %%
many = ground_truth.linear_gaussian(n, 64, 70.0, seed=1)
for bound in bounds_of(many, estimators):
    display(bound)

# %% [markdown]
# At 70 nats, InfoNCE says only log N, and says that it is saturated: a contrastive bound compares a code with the
# posteriors of N images, and at best it finds the right one. Leave-one-out loses its image and becomes useless.

# %%
f"log N = {math.log(n):.2f} nats; of 10,000 images {math.log(10_000):.2f}"

# %% [markdown]
# ## A rate is not mutual information
#
# Shift every code by 0.3 in each dimension. Nothing about the images has changed, but the rate has: it also counts
# how far the codes are from the prior. R_m, whose marginal is fitted, does not move.

# %%
rows = []
for shift in (0.0, 0.3, 1.0):
    posterior = ground_truth.linear_gaussian(n, 64, 40.0, seed=1, shift=shift)
    for bound in bounds_of(posterior, ("rate", "gaussian_marginal")):
        rows.append({"shift": shift, "estimator": bound.estimator, "nats": bound.value, "error": bound.standard_error})
pd.DataFrame(rows).pivot(index="shift", columns="estimator", values="nats").round(2)

# %% [markdown]
# So "I = 83.7" cannot be said of a rate of 83.7; "I ≤ 83.7 (rate)" can. And no distribution-free bound from N images
# can confirm more than about log N with confidence (McAllester and Stratos 2020).
#
# ## Noise brings the information down to where it can be measured
#
# The encoder of 70 nats, with noise of s in every dimension.

# %%
rows = []
for level in (1.0, 2.0, 3.0, 4.0):
    for bound in bounds_of(with_noise(many, level), ("gaussian_marginal", "infonce")):
        rows.append({"s": level, "bound": f"{bound.estimator} ({bound.direction})", "nats": bound.value})
pd.DataFrame(rows).pivot(index="s", columns="bound", values="nats").round(2)

# %% [markdown]
# ## The page of ground truths
#
# The same for heteroscedastic and clustered encoders and for pairs, over replicates: how often the limits lie on the
# side that they promise. `python -m analysis.ground_truth` runs all of them.

# %%
ground_truth.run(
    ground_truth.Config(
        ("gaussian-d2-i1", "gaussian-d64-i20", "heteroscedastic-d2", "mixture"),
        n=300 if smoke else 1000,
        seeds=2 if smoke else 5,
        execution=options,
    )
)
