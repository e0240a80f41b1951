r"""Masks: level sets of grey images at a random level, their softened form, and boxes.

**Level sets.** Let an image have n pixels of distinct values and :math:`\lambda \sim \mathrm{Beta}(a, b)`. A mask keeps
the highest :math:`\lfloor \lambda n \rfloor` or :math:`\lceil \lambda n \rceil` pixels, as a fair coin decides.
For :math:`a = b = 1`, :math:`r = \lceil \lambda n \rceil` is uniform on 1 to n: it is the rank of one uniformly chosen
pixel. The pixels above it number r − 1, and the coin decides for the chosen pixel itself. No sort and no comparison of
:math:`\lambda` is needed, and the law is the same. For integers a and b, :math:`\lambda` is the a-th smallest of
a + b − 1 uniform numbers, and :math:`\lambda \mapsto r` does not decrease, so the chosen pixel is the a-th highest of
a + b − 1 pixels drawn with replacement. This holds up to ties of float values, which cost a mask the tied pixels below
its level; the weight of a mask is always counted from the mask.

**Salience prior.** Pixels carry the mass of a prior in place of 1/n, and are taken in descending order of value until
their mass is λ. The pixel at which the mass crosses a uniform λ is a pixel drawn from the prior, so the rule above
stays, with the prior's draws in place of uniform ones. The prior is a centred Gaussian.

**Softening.** The ranks around the level k descend in equal steps: with h pixels either side, the pixel of rank
:math:`r = 0, \dots, n - 1` gets :math:`\mathrm{clip}(1/2 - (r + 1/2 - k) / (2 h + 1), 0, 1)`. Values at equal distances
from the level sum to 1, so the mean stays k/n. h is the largest number with 2h ≤ `max_soft` · n that fits between the
level and either end.

References: Harris et al. (2020), arXiv 2002.12047, Sec. 4, App. F.1, F.2; Yun et al. (2019), arXiv 1905.04899.
"""

import functools
import math

import torch
from torch import Tensor

from msda.beta import sample_beta
from msda.spectrum import SPECTRA

__all__ = ["box_masks", "grey_masks", "salience_prior"]

# More draws than this, and a sort is as cheap.
MAX_DRAWS = 32


def grey_masks(
    count: int,
    spatial: tuple[int, ...],
    *,
    a: float = 1.0,
    b: float = 1.0,
    decay_power: float = 3.0,
    spectrum: str = "isotropic",
    max_soft: float = 0.0,
    salience_std: float | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Independent FMix masks whose mean follows Beta(a, b) up to rounding.

    Args:
        count: number of masks B.
        spatial: their shape S, one to three sizes, n pixels in all.
        a: first parameter of the law of λ, > 0.
        b: second parameter, > 0.
        decay_power: δ ≥ 0, see :mod:`msda.spectrum`.
        spectrum: `"isotropic"` or `"reference"`.
        max_soft: largest share of non-binary pixels, in [0, 0.5].
        salience_std: standard deviation of the salience prior in units of each side; None for equal mass per pixel.
        generator: source of randomness; the global one if None.
        device: where to draw.
        dtype: float32 or float64.

    Returns:
        Masks `(B, *S)` in [0, 1]; exactly 0 or 1 where not softened. With a = b = 1 nothing waits for the device.

    Source: Harris et al. (2020), arXiv 2002.12047, Sec. 4, App. F.1, F.2.
    """
    device = torch.device("cpu" if device is None else device)
    pixels = math.prod(spatial)
    draws = a + b - 1
    sort = max_soft > 0 or draws > MAX_DRAWS or not (float(a).is_integer() and float(b).is_integer())
    if sort:
        level = sample_beta(count, a, b, generator=generator, device=device).unsqueeze(1)
        coin = torch.randint(2, (count, 1), generator=generator, device=device)
    elif salience_std is None:
        # index and coin out of one draw
        ticket = torch.randint(2 * pixels, (count, int(draws)), generator=generator, device=device)
        chosen, coin = ticket >> 1, ticket[:, :1] & 1
    else:
        uniform = torch.rand(count, int(draws), generator=generator, device=device, dtype=torch.float64)
        mass = salience_prior(spatial, salience_std, device=device).flatten().cumsum(0)
        chosen = torch.searchsorted(mass, uniform * mass[-1], right=True).clamp(max=pixels - 1)
        coin = torch.randint(2, (count, 1), generator=generator, device=device)
    grey = SPECTRA[spectrum](count, spatial, decay_power, generator=generator, device=device, dtype=dtype)
    # contiguous already, but for the transforms of some devices
    grey = grey.reshape(count, pixels)
    if sort:
        prior = None if salience_std is None else salience_prior(spatial, salience_std, device=device).flatten()
        masks = _ranked(grey, level, coin, max_soft, prior)
    else:
        masks = _threshold(grey, chosen, coin, rank=int(b))
    return masks.view(count, *spatial)


def _threshold(grey: Tensor, chosen: Tensor, coin: Tensor, rank: int) -> Tensor:
    # grey (B, n), overwritten by its masks; the level is the rank-th smallest value of the chosen pixels (B, draws)
    level = grey.gather(1, chosen)
    if chosen.shape[1] > 1:
        order = level.argsort(1)[:, rank - 1 : rank]
        chosen, level = chosen.gather(1, order), level.gather(1, order)
    return grey.gt_(level).scatter_(1, chosen, coin.to(grey.dtype))


def _ranked(grey: Tensor, level: Tensor, coin: Tensor, max_soft: float, prior: Tensor | None) -> Tensor:
    # grey (B, n), overwritten by its masks; level λ (B, 1) in float64; coin (B, 1), 0 down and 1 up; prior (n,) or None
    pixels = grey.shape[1]
    order = grey.argsort(1, descending=True)
    if prior is None:
        exact = level * pixels
        kept = torch.where(coin == 1, exact.ceil(), exact.floor())
    else:
        # the last sum is 1 but for rounding; the pixel that crosses the level is at most the last
        mass = prior[order].cumsum(1)
        kept = (mass <= level).sum(1, keepdim=True).clamp(max=pixels - 1).to(torch.float64) + coin
    half = torch.minimum(kept, pixels - kept).clamp(max=int(max_soft * pixels / 2))
    rank = torch.arange(pixels, device=grey.device, dtype=torch.float64)
    ramp = (0.5 - (rank + 0.5 - kept) / (2 * half + 1)).clamp(0, 1)
    return grey.scatter_(1, order, ramp.to(grey.dtype))


@functools.lru_cache(maxsize=32)
def _cached_prior(spatial: tuple[int, ...], std: float, device: torch.device) -> Tensor:
    log_prior = torch.zeros((), dtype=torch.float64)
    for size in spatial:
        # pixel centres, in units of the side, measured from the middle
        place = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
        log_prior = log_prior.unsqueeze(-1) - 0.5 * (place / std).square()
    return log_prior.flatten().softmax(0).view(spatial).to(device)


def salience_prior(spatial: tuple[int, ...], std: float, *, device: torch.device | str | None = None) -> Tensor:
    """Mass of a centred Gaussian at each pixel, float64, shape `spatial`, sum 1.

    `std` is the standard deviation in units of each side. Source: Harris et al. (2020), arXiv 2002.12047, App. F.1.
    """
    build = _cached_prior.__wrapped__ if torch.compiler.is_compiling() else _cached_prior
    return build(tuple(spatial), float(std), torch.device("cpu" if device is None else device))


def box_masks(
    level: Tensor,
    spatial: tuple[int, ...],
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""CutMix masks: 0 in one box per mask, 1 elsewhere.

    The box has sides :math:`(1 - \lambda)^{1/d} S_j`, a centre uniform in the image and is clipped to it; its edges are
    rounded to whole pixels. At a uniform λ in two dimensions the mean of the masks is about 0.68.

    Args:
        level: λ before clipping, `(B,)`, in [0, 1].
        spatial: shape S of a mask, d sizes.
        generator: source of the centres; the global one if None.
        dtype: of the masks.

    Returns:
        Masks `(B, *S)`.

    Source: Yun et al. (2019), arXiv 1905.04899, Sec. 3.1.
    """
    count, dims, device = level.shape[0], len(spatial), level.device
    side = (1 - level).pow(1 / dims)
    centre = torch.rand(dims, count, generator=generator, device=device, dtype=level.dtype)
    inside = []
    for axis, size in enumerate(spatial):
        first = ((centre[axis] - side / 2) * size).round().unsqueeze(1)
        last = ((centre[axis] + side / 2) * size).round().unsqueeze(1)
        pixel = torch.arange(size, device=device)
        here = ((pixel >= first) & (pixel < last)).to(dtype)
        inside.append(here.view(count, *[size if other == axis else 1 for other in range(dims)]))
    one = torch.ones((), device=device, dtype=dtype)
    # 1 - product of the axes, the last factor and the difference in one pass
    others = inside[0] if dims == 2 else one if dims == 1 else inside[0] * inside[1]
    return torch.addcmul(one, others, inside[-1], value=-1)
