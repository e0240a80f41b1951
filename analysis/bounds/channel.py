r"""The noisy channel that gives a deterministic representation a finite information.

The features f(X) of a network without noise have an I(f(X);X) that is infinite, or that only counts images (Goldfeld et
al. 2019, arXiv 1810.05728). Measured is therefore the code of a stated channel,

.. math:: T_s = f(X) + s\, \mathcal{N}(0, \Sigma),

f in evaluation mode, Σ frozen from features of training images. Units of noise are not comparable between networks;
there are three choices of Σ:

- ``isotropic``: σ² times the identity, :math:`d\sigma^2 = \operatorname{tr} \operatorname{Cov} f`. Invariant to
  rotations, shifts and one scale of the features;
- ``per-dimension``: the variance of each dimension. Invariant to shifts and a scale for each dimension;
- ``whitened``: all of Cov f. Invariant to every invertible affine map; R_m is then about
  :math:`\tfrac d2 \log(1 + s^{-2})` for every network.

Codes are kept in units of the noise along its own axes, where its covariance is :math:`s^2 I`: an invertible map, which
changes no information. So they are a `DiagonalGaussian`, to which every bound on an encoder applies.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from store import BadInput
from vae.posterior import DiagonalGaussian

__all__ = ["SHAPES", "Channel", "as_matrix", "channel"]

SHAPES = ("isotropic", "per-dimension", "whitened")
"""Of the noise, the headline first."""


@dataclass(frozen=True)
class Channel:
    """Gaussian noise for features in d dimensions.

    Args:
        shape: of the noise, one of `SHAPES`.
        centre: (d,), subtracted from features.
        scale: (d,), by which they are divided.
        axes: (d, d), whose columns they are then multiplied with; None for the identity.

    Example:
        >>> features = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
        >>> channel(features, "isotropic").posterior(features, 0.5)
        posterior of 2 images in 2 dimensions
    """

    shape: str
    centre: Tensor
    scale: Tensor
    axes: Tensor | None = None

    def posterior(self, features: Tensor | np.ndarray, level: float) -> DiagonalGaussian:
        """The density of the code of each image, in units of the noise: mean (N, d), variance s².

        Args:
            features: (N, d) of any real type.
            level: s > 0.

        Raises:
            BadInput: features of another shape or not finite; a level that leaves a code without noise.
        """
        if not 0 < level < math.inf:
            raise BadInput("level", level, "a number above 0: a code without noise has no density")
        features = as_matrix(features)
        if features.shape[1] != len(self.centre):
            raise BadInput("features", f"{features.shape[1]} dimensions", f"the {len(self.centre)} of the channel")
        mean = (features - self.centre) / self.scale
        if self.axes is not None:
            mean = mean @ self.axes
        return DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(level)))


def channel(features: Tensor | np.ndarray, shape: str = "isotropic") -> Channel:
    """The channel whose noise has the scale of these features.

    A dimension in which they are constant, or a direction, has no scale of its own: its noise has the mean variance
    of the others, so that scored images may differ there. With more dimensions than images there are many such
    directions, and with hardly fewer the smallest variances of the whitened channel are far below the population's.

    Args:
        features: (N, d) of any real type, of training images.
        shape: of the noise.

    Raises:
        BadInput: an unknown shape; features that are not finite, or the same for all images.
    """
    if shape not in SHAPES:
        raise BadInput("noise_shape", repr(shape), f"one of {', '.join(SHAPES)}")
    features = as_matrix(features)
    if len(features) < 2:
        raise BadInput("features", f"{len(features)} image", "at least 2 images to scale the noise by")
    # a constant's mean may be rounded, and its variance then not zero
    varies = features.amax(0) > features.amin(0)
    if not bool(varies.any()):
        raise BadInput("features", "the same for all images", "features that vary, to scale the noise by")
    centre, variance = features.mean(0), features.var(0, correction=0)
    if shape == "isotropic":
        return Channel(shape, centre, variance[varies].sum().div(len(variance)).sqrt().expand_as(variance))
    scale = torch.where(varies, variance, variance[varies].mean()).sqrt()
    if shape == "per-dimension":
        return Channel(shape, centre, scale)
    unit = (features - centre) / scale
    variances, axes = torch.linalg.eigh(unit.T @ unit / len(unit))
    rounding = len(variances) * torch.finfo(torch.float64).eps * variances.max()
    return Channel(shape, centre, scale, axes / torch.where(variances > rounding, variances, 1.0).sqrt())


def as_matrix(features: Tensor | np.ndarray) -> Tensor:
    """Features (N, d) in float64, on the CPU.

    Raises:
        BadInput: another shape than (N, d), or NaN and infinities.
    """
    array = torch.as_tensor(features)
    if array.ndim != 2 or 0 in array.shape:
        raise BadInput("features", f"an array {tuple(array.shape)}", "one (N, d), a row an image")
    array = array.detach().double().cpu()
    if bad := int((~torch.isfinite(array)).sum()):
        raise BadInput("features", f"{bad} NaN or infinite values", "finite numbers")
    return array
