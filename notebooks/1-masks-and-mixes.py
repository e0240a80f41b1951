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
# # Masks and mixes, in one, two and three dimensions
#
# You will see what MixUp, CutMix and FMix do to photographs, how FMix's masks depend on δ, that the reference code
# draws other masks than the paper describes, and the same masks on a signal and in a volume. Takes ten seconds.

# %%
import matplotlib.pyplot as plt
import torch

from msda import CutMix, FMix, MixUp
from reports import draw_masks, mask_statistics, photographs

# %matplotlib inline

# %% [markdown]
# ## What the augmentations do
#
# Two photographs, λ held at one half. In the last row the masks are drawn as the published code draws them: their
# grey images hold at most one wave along the last axis, and only positive frequencies along the first.

# %%
figure, statistics = draw_masks()
figure

# %% [markdown]
# The numbers that tell the two apart: changes between 0 and 1 along either axis of masks of 32×32 pixels.

# %%
statistics

# %% [markdown]
# ## δ sets how large the regions are
#
# A mask's grey image has amplitudes that fall as 1/frequency^δ.

# %%
plot, panels = plt.subplots(2, 6, figsize=(9, 3.2))
for line, spectrum in zip(panels, ("isotropic", "reference"), strict=True):
    for axes, delta in zip(line, (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), strict=True):
        half = FMix(alpha=1e6, decay_power=delta, spectrum=spectrum)  # λ = 0.5
        mask = half.masks(1, (64, 64), generator=torch.Generator().manual_seed(3))
        axes.imshow(mask[0, 0], cmap="gray", vmin=0, vmax=1)
        axes.set(title=f"δ = {delta:g}", xticks=[], yticks=[])
    line[0].set_ylabel(spectrum)
plt.show()

# %% [markdown]
# ## A batch
#
# The weight is the exact mean of the mask that was used. It is the share of the sample's *own* image, and the loss is
# mixed with it.

# %%
images = photographs(32).repeat(4, 1, 1, 1)
for mixer in (MixUp(), CutMix(), FMix()):
    mixed = mixer(images, generator=torch.Generator().manual_seed(0))
    print(type(mixer).__name__, mixed, mixed.weight.numpy().round(2), sep="\n  ")

# %%
labels = torch.arange(8) % 2
mixed = FMix()(images, generator=torch.Generator().manual_seed(0))
mixed.soft_targets(labels, num_classes=2)

# %% [markdown]
# ## Signals and volumes
#
# The same mixer takes (B, C, length), (B, C, height, width) and (B, C, depth, height, width).

# %%
masks = FMix().masks(5, (200,), generator=torch.Generator().manual_seed(1))
plot, axes = plt.subplots(figsize=(9, 1.6))
axes.imshow(masks[:, 0], aspect="auto", cmap="gray", interpolation="nearest")
axes.set(title="five masks for signals of length 200", yticks=[])
plt.show()

# %%
volume = FMix().masks(1, (24, 24, 24), generator=torch.Generator().manual_seed(5))[0, 0]
plot, panels = plt.subplots(1, 6, figsize=(9, 1.9))
for axes, depth in zip(panels, range(0, 24, 4), strict=True):
    axes.imshow(volume[depth], cmap="gray", vmin=0, vmax=1)
    axes.set(title=f"depth {depth}", xticks=[], yticks=[])
plt.show()

# %% [markdown]
# More masks, smaller errors:

# %%
mask_statistics(count=1000, size=64)
