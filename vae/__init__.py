"""Variational autoencoders: the model, its diagonal-Gaussian posterior, and training under an augmentation."""

from vae.nets import VAE
from vae.posterior import DiagonalGaussian

__all__ = ["VAE", "DiagonalGaussian"]
