"""Variational autoencoders: the model, its diagonal-Gaussian posterior, and training under an augmentation."""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead.
if sys.argv[0] == "-m" and os.path.exists(sys.path[0]) and os.path.samefile(sys.path[0], "."):
    sys.path.append(sys.path.pop(0))

from vae.nets import VAE
from vae.posterior import DiagonalGaussian

__all__ = ["VAE", "DiagonalGaussian"]
