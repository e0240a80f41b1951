"""Variational autoencoders: the model, its diagonal-Gaussian posterior, and training under an augmentation.

A trainer is a module, with `Config` and `run`: ``from vae import train``.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from mixinfo import DataOptions, Options, load
    >>> from vae import encode, load_vae, train
    >>> with tempfile.TemporaryDirectory() as store:
    ...     options = Options(store=Path(store), device="cpu", quiet=True)
    ...     run = train.run(train.Config("fmix", settings=train.Settings(epochs=1), execution=options))
    ...     vae = load_vae(run, torch.device("cpu"))
    >>> posterior = encode(vae, load(DataOptions("digits")).test.inputs)
    >>> posterior
    posterior of 360 images in 16 dimensions
    >>> rate = posterior.kl_to_standard_normal()  # nats, of every image
    >>> bool((rate > 0).all())
    True
"""

import os
import sys

# `python -m` looks into the working directory first, where a training.py is somebody else's. It comes last instead,
# and on PYTHONPATH it stays where it is.
if (
    sys.argv[0] == "-m"
    and os.path.exists(sys.path[0])
    and os.path.samefile(sys.path[0], ".")
    and os.path.realpath(sys.path[0]) != os.path.realpath(sys.path[-1])
):
    sys.path.append(sys.path.pop(0))

from vae.encode import encode, load_vae
from vae.nets import VAE
from vae.posterior import DiagonalGaussian

__all__ = ["VAE", "DiagonalGaussian", "encode", "load_vae"]
