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
# # Attack curves, and how to read the checks
#
# You will attack two small classifiers at several ε, compare the curve as published with the robust one, and read the
# checks that say whether the attacks did their work. Takes a minute and a half on a CPU.

# %%
import os
from pathlib import Path

from attacks import sweep
from classifiers import train
from store import Options

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)
settings = train.Settings(epochs=1, width=4) if smoke else train.Settings(epochs=10)

# %% [markdown]
# ## The sweep
#
# Two curves. *As published*: every attack's last iterate at every ε, misclassified images stay in, and may even be
# repaired. *Robust*: what is broken at an ε stays broken at a larger one, and every iterate counts.

# %%
result = sweep.run(
    sweep.Config(
        ("none", "mixup"),
        seeds=1 if smoke else 2,
        images=8 if smoke else 40,
        epsilons=(0.0, 0.003, 0.01, 0.03, 0.1, 0.3),
        settings=settings,
        execution=options,
    )
)
result

# %% [markdown]
# ## Reading the checks
#
# - **accuracy at ε = 0 is the clean accuracy**, **evaluation mode**, **deterministic**, **outputs are logits**: if
#   one of these fails, nothing else means anything.
# - **gradients are not zero**: an attack by gradients cannot work on a network that hides them.
# - **iterative attacks are not weaker than FGSM**, **twice the steps change PGD by at most half a point**: if these
#   warn, the attack has not converged, and the curve is above the truth. The published PGD's steps are too small to
#   cross a ball of radius ε from a random start.
# - **noise is weaker than gradients**, **PGD is not far weaker than DeepFool**: attacks of different kinds should
#   agree.
#
# The rows behind the figure, for your own analysis:

# %%
result.table[["augmentation", "seed", "curve", "estimator", "epsilon", "value", "low", "high"]].head(12)
