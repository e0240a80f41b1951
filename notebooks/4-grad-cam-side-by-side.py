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
# # Grad-CAM side by side
#
# You will train small classifiers under three augmentations, look at what each finds important in the same images,
# and sum the maps as the FMix paper does. Takes a minute and a half on a CPU.

# %%
import os
from pathlib import Path

from classifiers import load_run, train
from gradcam import grad_cam, normalised, sums
from store import Options
from tasks import DataOptions, load, pixels
from training import resolve_device

smoke = "SMOKE" in os.environ  # a quick check that everything runs
options = Options(store=Path(os.environ.get("STORE", "runs")), out=Path(os.environ.get("OUT", "out")), quiet=True)
settings = train.Settings(epochs=1, width=4) if smoke else train.Settings(epochs=10)

# %% [markdown]
# ## The sums
#
# The paper reports 146 ± 5 pixels for the baseline, 162 ± 3 for MixUp and 131 ± 6 for CutMix, of CIFAR-10's 1,024.
# Digits have 64, so sizes cannot be compared; what the number is can be seen: how spread out the maps are.

# %%
result = sums.run(
    sums.Config(
        ("none", "mixup", "cutmix"),
        seeds=1 if smoke else 2,
        images=50 if smoke else None,
        layers=("conv1", "stage2.1"),
        settings=settings,
        execution=options,
    )
)
result

# %% [markdown]
# The raw and ReLU sums grow with the scale of the logits; the normalised one does not. At another layer the order can
# be another one.
#
# ## One map by hand

# %%
data, device = load(DataOptions("digits")), resolve_device("auto")
run = train.run(train.Config("mixup", seed=1, settings=settings, execution=options))
classifier = load_run(run.path, device, data)
x = pixels(data.test.inputs[:4].to(device))
maps = normalised(grad_cam(classifier, classifier.layer("conv1"), x, classifier(x).argmax(1)))
maps.shape, maps.sum((1, 2))
