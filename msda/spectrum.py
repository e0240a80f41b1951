r"""Low-frequency Gaussian images, the grey images whose level sets are FMix masks.

Only the order of an image's pixels is used, so images are given up to a positive factor and an additive constant: the
frequency zero is left at 0 and amplitudes are relative to the lowest frequency.

**Isotropic**, the text of the paper: complex Gaussian noise :math:`\varepsilon` on the full grid of sample frequencies
:math:`f` (cycles per pixel), divided by :math:`|f|^\delta`; the real part of its inverse DFT,

.. math:: g(x) = \operatorname{Re} \sum_{k \neq 0} |f_k|^{-\delta} \varepsilon_k e^{2 \pi i f_k \cdot x}.

:math:`g` is a real stationary Gaussian field, so half of the frequencies carry all of it. Drawing only the half
:math:`k \geq 0` of the last axis and taking a complex-to-real inverse counts every interior frequency twice, with its
conjugate, but those with :math:`k = 0` or :math:`k = W / 2` once, as a real part: these alone are multiplied by
:math:`\sqrt 2`. The law is that of filtering real white noise, at one transform instead of two.

**Reference**, the code behind the published results. It draws noise :math:`n` of shape :math:`(H, P, 2)`,
:math:`P = W/2 + 1`, for the frequencies of a half spectrum with the amplitude
:math:`s(f) = \max(|f|, 1/\max_j S_j)^{-\delta}`, but pairs real and imaginary parts along the wrong axis: rows 0 and 1
of the *first* axis become the real and imaginary part of

.. math:: A_{k c} = s_{0 k} n_{0 k c} + i\, s_{1 k} n_{1 k c}, \qquad k = 0, \dots, P - 1, \quad c \in \{0, 1\},

which the inverse transform reads as an :math:`H \times (W/2 + 1)` half spectrum, zeros elsewhere. So :math:`k` runs
over non-negative frequencies of the first axis only, and the last axis holds frequencies 0 and 1 alone:

.. math:: u_c(y) = \sum_k A_{k c} e^{2 \pi i k y / H}, \qquad
          g(y, x) = \operatorname{Re} u_0(y) + 2 \operatorname{Re}\bigl(u_1(y) e^{2 \pi i x / W}\bigr).

One inverse FFT of two columns and a product with three waves along :math:`x` make the image. In one dimension both rows
are single numbers, the image is one cosine and the mask one circular interval. In three, the grid of rows is
:math:`D \times P` with :math:`P` taken from the middle axis, and is padded or cropped to :math:`H \times W`.

References: Harris et al. (2020), arXiv 2002.12047, Sec. 4; its published code for the reference spectrum.
"""

import functools
import math

import torch
from torch import Tensor

__all__ = ["SPECTRA", "isotropic_images", "reference_images"]

# Pixels transformed at once on a CPU: enough that the calls cost little, few enough that they stay in the cache.
CHUNK_PIXELS = 2**17


def isotropic_images(
    count: int,
    spatial: tuple[int, ...],
    decay_power: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Independent real Gaussian images whose amplitude falls as ``1 / |f|^δ`` in every direction.

    Args:
        count: number of images B.
        spatial: their shape S, one to three sizes.
        decay_power: δ ≥ 0; 0 gives white noise, larger values smoother images.
        generator: source of the noise; the global one if None.
        device: where to draw.
        dtype: float32 or float64.

    Returns:
        Tensor `(B, *S)`, each image up to a positive factor.

    Source: Harris et al. (2020), arXiv 2002.12047, Sec. 4.
    """
    device = torch.device("cpu" if device is None else device)
    # dynamo does not trace a cache; what the function computes is constant in the graph
    build = _isotropic_amplitude.__wrapped__ if torch.compiler.is_compiling() else _isotropic_amplitude
    amplitude = build(tuple(spatial), float(decay_power), device, dtype)
    step = count
    if device.type == "cpu" and not torch.compiler.is_compiling():
        step = max(1, CHUNK_PIXELS // math.prod(spatial))
    if step >= count:
        return _filtered_noise(count, spatial, amplitude, generator)
    images = torch.empty(count, *spatial, device=device, dtype=dtype)
    for chunk in images.split(step):
        chunk.copy_(_filtered_noise(len(chunk), spatial, amplitude, generator))
    return images


def reference_images(
    count: int,
    spatial: tuple[int, ...],
    decay_power: float,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Independent images with the law of the reference code: at most one wave along the last axis.

    Arguments, returns and units as for :func:`isotropic_images`.

    Source: the published code of Harris et al. (2020), arXiv 2002.12047.
    """
    device = torch.device("cpu" if device is None else device)
    build = _reference_factors.__wrapped__ if torch.compiler.is_compiling() else _reference_factors
    amplitude, waves = build(tuple(spatial), float(decay_power), device, dtype)
    # (B, c, *grid, 2): the last axis is the row of the noise, read as real and imaginary part
    noise = torch.randn(count, *amplitude.shape, generator=generator, device=device, dtype=dtype)
    noise *= amplitude
    columns = torch.view_as_complex(noise)
    if len(spatial) > 1:
        columns = torch.fft.ifftn(columns, s=spatial[:-1], dim=tuple(range(2, len(spatial) + 1)), norm="forward")
    still, moving = columns.unbind(1)
    # (B, *leading, 3) @ (3, W) -> (B, *S)
    parts = torch.stack([torch.view_as_real(still)[..., 0], *torch.view_as_real(moving).unbind(-1)], -1)
    return (parts.reshape(-1, 3) @ waves).view(count, *spatial)


SPECTRA = {"isotropic": isotropic_images, "reference": reference_images}


def _filtered_noise(
    count: int, spatial: tuple[int, ...], amplitude: Tensor, generator: torch.Generator | None
) -> Tensor:
    # the halved axis comes first and moves to its place at the end: an inverse leaves its axis innermost in memory
    half = torch.randn(count, *amplitude.shape, generator=generator, device=amplitude.device, dtype=amplitude.dtype)
    half *= amplitude
    spectrum = torch.view_as_complex(half)
    if len(spatial) > 1:
        spectrum = torch.fft.ifftn(spectrum, dim=tuple(range(2, len(spatial) + 1)))
    # irfft takes the real part at frequency zero and at the Nyquist frequency, as documented and as the law asks
    return torch.fft.irfft(spectrum, n=spatial[-1], dim=1).movedim(1, -1)


@functools.lru_cache(maxsize=32)
def _isotropic_amplitude(
    spatial: tuple[int, ...], decay_power: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    # (W // 2 + 1, *S[:-1], 2), the same for real and imaginary part
    axes = [torch.fft.rfftfreq(spatial[-1], dtype=torch.float64)]
    axes += [torch.fft.fftfreq(size, dtype=torch.float64) for size in spatial[:-1]]
    amplitude = _decay(_magnitude(axes) * max(spatial), decay_power)
    amplitude[(0,) * len(spatial)] = 0
    amplitude[0] *= math.sqrt(2)
    if spatial[-1] % 2 == 0:
        amplitude[-1] *= math.sqrt(2)
    return amplitude.unsqueeze(-1).repeat_interleave(2, -1).to(device, dtype)


@functools.lru_cache(maxsize=32)
def _reference_factors(
    spatial: tuple[int, ...], decay_power: float, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    # amplitude (c, *grid, 2) of the two rows, the same for both columns c; waves (3, W) for Re u0, Re u1, Im u1
    rows = torch.fft.fftfreq(spatial[0], dtype=torch.float64)[:2]
    if len(spatial) == 1:
        axes = []
    else:
        middle = torch.fft.fftfreq(spatial[1], dtype=torch.float64)
        axes = [middle[: spatial[1] // 2 + 1 + spatial[1] % 2]]
        if len(spatial) == 3:
            axes = [torch.fft.fftfreq(spatial[2], dtype=torch.float64), *axes]
    # a first axis of one pixel has no row 1; its row 0 stands in
    grid = torch.stack([_magnitude([row.expand(1), *axes])[0] for row in (rows[0], rows[-1])], -1)
    amplitude = _decay((grid * max(spatial)).clamp(min=1), decay_power).expand(2, *grid.shape).contiguous()
    size = spatial[-1]
    angle = 2 * math.pi * torch.arange(size, dtype=torch.float64) / size
    # frequency 1 stands for its conjugate too, unless it is the Nyquist frequency or does not exist
    times = {1: 0, 2: 1}.get(size, 2)
    waves = torch.stack([torch.ones_like(angle), times * angle.cos(), -times * angle.sin()])
    return amplitude.to(device, dtype), waves.to(device, dtype)


def _magnitude(axes: list[Tensor]) -> Tensor:
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()


def _decay(frequency: Tensor, decay_power: float) -> Tensor:
    # relative to the lowest frequency, so that no power overflows; frequency zero is the caller's
    return frequency.clamp(min=1) ** -decay_power
