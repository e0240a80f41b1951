r"""Mixers: each call mixes a batch with a permutation of itself.

:math:`\tilde x_i = m_i x_i + (1 - m_i) x_{p(i)}`, where the mask :math:`m_i` is

- one number λ for **MixUp** (interpolation),
- 0 in a box and 1 elsewhere for **CutMix**,
- a level set of a low-frequency image for **FMix**,
- whatever a function of your own draws for **MaskMixer**,

and λ ~ Beta(α, α). The **weight** is the exact mean of the mask that was used, after rounding and clipping. **Scope**
`"sample"` draws a mask for each sample, `"batch"` one for all; the partner is one permutation of the batch either way.

**Targets** are mixed by the weight (`targets="mixed"`), or

- with `target_alpha` β, by the weight taken from Beta(α, α) to Beta(β, β) (App. F.3 of the paper),
- `"independent"`: by a fresh draw from Beta(β, β), β = α unless `target_alpha` is given (App. A),
- `"reformulated"`: not at all. λ ~ Beta(α + 1, α) and the own target counts alone. Swapping the roles of a pair turns
  λ into 1 − λ, so for masks whose law is unchanged by taking complements
  :math:`E[\lambda\,\ell(t) + (1 - \lambda)\,\ell(t')] = 2\,E[\lambda\,\ell(t)]`, and :math:`2 \lambda` times the
  density of Beta(α, α) is the density of Beta(α + 1, α): the loss is the same in expectation. The complement of a
  CutMix mask is not a CutMix mask, so CutMix has no such form.

With a salience prior, targets are mixed by the prior's mass on the mask, in the role of the weight.

On a CUDA device no mixer waits for the device at α = 1, but MaskMixer, which looks at its masks. With the global
generator a call can be compiled with `torch.compile(fullgraph=True)`; dynamo takes no `torch.Generator` as argument.

References: Zhang et al. (2017), arXiv 1710.09412 (MixUp); Yun et al. (2019), arXiv 1905.04899 (CutMix); Harris et al.
(2020), arXiv 2002.12047 (FMix, alternation); Liang et al. (2018), arXiv 1809.07142 (independent targets).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from msda.beta import sample_beta, transfer_beta
from msda.mask import box_masks, grey_masks, salience_prior
from msda.mixed import Mixed
from msda.spectrum import SPECTRA

__all__ = ["MIXERS", "Alternate", "CutMix", "FMix", "MaskMixer", "MixUp", "Mixer", "NoMix", "OptionError", "get_mixer"]

SCOPES = ("sample", "batch")
TARGETS = ("mixed", "independent", "reformulated")


class OptionError(ValueError):
    """An option of a mixer that is out of its range or unknown.

    Args:
        option: its name.
        got: its value, and what is wrong with it.
        needed: what it needs instead.
    """

    def __init__(self, option: str, got: object, needed: str):
        super().__init__(option, got, needed)
        self.option, self.got, self.needed = option, got, needed

    def __str__(self) -> str:
        return f"{self.option} {self.got}; need {self.needed}"


class Mixer(Protocol):
    """What every mixer is: a call from a batch of images to a :class:`~msda.mixed.Mixed` batch."""

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Mix `images`; see the mixers for the arguments."""


@dataclass(frozen=True)
class NoMix:
    """The baseline: images stay as they are, weight 1, no mask. A batch of one is allowed."""

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Wrap `images` `(B, C, *S)` unchanged; each sample is its own partner unless `partner` is given.

        Raises:
            TypeError: if images are not a floating-point tensor.
            ValueError: if their shape is not `(B, C, *S)` with one to three sizes in S, or a part of it is empty.
        """
        _check(images, generator, partner, smallest=1)
        if partner is None:
            partner = torch.arange(images.shape[0], device=images.device)
        return Mixed(images, partner, torch.ones(images.shape[0], device=images.device, dtype=_precision(images)))


@dataclass(frozen=True)
class MixUp:
    """Interpolation of whole images with λ ~ Beta(α, α).

    Args:
        alpha: α > 0.
        scope: `"sample"` or `"batch"`.
        targets: `"mixed"`, `"independent"` or `"reformulated"`, see :mod:`msda.mixers`.
        target_alpha: β > 0 of the targets' law, or None.

    Raises:
        ValueError: if an option is out of its range.

    Source: Zhang et al. (2017), arXiv 1710.09412.
    """

    alpha: float = 1.0
    scope: str = "sample"
    targets: str = "mixed"
    target_alpha: float | None = None

    def __post_init__(self) -> None:
        _check_options(self.alpha, self.scope, self.targets, self.target_alpha)

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Mix a batch.

        Args:
            images: `(B, C, *S)`, floating point, B ≥ 2, one to three sizes in S.
            generator: source of randomness on the images' device; the global one if None.
            partner: `(B,)` int64, each sample's partner; a random permutation if None.

        Returns:
            The mixed batch; `mask` is None.

        Raises:
            TypeError: if images or partner have the wrong type.
            ValueError: if a shape or device does not fit, or the batch has fewer than two samples.
        """
        _check(images, generator, partner)
        batch = images.shape[0]
        partner = _permutation(images, generator) if partner is None else partner
        count = 1 if self.scope == "batch" else batch
        level = sample_beta(count, *_law(self), generator=generator, device=images.device)
        # rounded to the images' precision first: the weight is the one that was used
        used = level.to(images.dtype)
        mixed = _blend(images, partner, used.view(-1, *[1] * (images.ndim - 1)))
        weight = used.to(_precision(images)).expand(batch)
        return Mixed(mixed, partner, weight, None, _target_weight(self, weight, generator))


@dataclass(frozen=True)
class CutMix:
    """A box of the partner pasted in, of share 1 − λ before clipping to the image, λ ~ Beta(α, α).

    The weight is one minus the share pasted, about 0.68 on average at α = 1 in two dimensions.

    Args:
        alpha: α > 0.
        scope: `"sample"` or `"batch"`.
        targets: `"mixed"` or `"independent"`, see :mod:`msda.mixers`.
        target_alpha: β > 0 of the targets' law, or None. The λ sent through the laws is the one before clipping.

    Raises:
        ValueError: if an option is out of its range.

    Source: Yun et al. (2019), arXiv 1905.04899.
    """

    alpha: float = 1.0
    scope: str = "sample"
    targets: str = "mixed"
    target_alpha: float | None = None

    def __post_init__(self) -> None:
        _check_options(self.alpha, self.scope, self.targets, self.target_alpha)
        if self.targets == "reformulated":
            raise OptionError("targets", '"reformulated" with CutMix', "masks whose complements have the same law")

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Mix a batch; arguments and errors as for :meth:`MixUp.__call__`, with a mask `(B, 1, *S)`."""
        _check(images, generator, partner)
        batch, spatial = images.shape[0], tuple(images.shape[2:])
        partner = _permutation(images, generator) if partner is None else partner
        count = 1 if self.scope == "batch" else batch
        level = sample_beta(count, self.alpha, self.alpha, generator=generator, device=images.device)
        mask = box_masks(level, spatial, generator=generator, dtype=images.dtype).unsqueeze(1)
        return _mixed_by(self, images, partner, mask, level, generator)


@dataclass(frozen=True)
class FMix:
    """Binary masks from level sets of low-frequency Gaussian images, mean λ ~ Beta(α, α).

    Args:
        alpha: α > 0.
        decay_power: δ ≥ 0; amplitudes fall as ``1 / |f|^δ``.
        spectrum: `"isotropic"` (the paper's text) or `"reference"` (its code), see :mod:`msda.spectrum`.
        scope: `"sample"` or `"batch"`.
        max_soft: largest share of non-binary pixels, in [0, 0.5].
        salience_std: standard deviation of a centred Gaussian prior in units of each side, by whose mass λ is
            measured; None for equal mass per pixel.
        targets: `"mixed"`, `"independent"` or `"reformulated"`, see :mod:`msda.mixers`.
        target_alpha: β > 0 of the targets' law, or None. The λ sent through the laws is the mask's own.

    Raises:
        ValueError: if an option is out of its range.

    Source: Harris et al. (2020), arXiv 2002.12047.
    """

    alpha: float = 1.0
    decay_power: float = 3.0
    spectrum: str = "isotropic"
    scope: str = "sample"
    max_soft: float = 0.0
    salience_std: float | None = None
    targets: str = "mixed"
    target_alpha: float | None = None

    def __post_init__(self) -> None:
        _check_options(self.alpha, self.scope, self.targets, self.target_alpha)
        if not (math.isfinite(self.decay_power) and self.decay_power >= 0):
            raise OptionError("decay_power", self.decay_power, "a finite number of at least 0")
        if self.spectrum not in SPECTRA:
            raise OptionError("spectrum", repr(self.spectrum), f"one of {', '.join(SPECTRA)}")
        if not 0 <= self.max_soft <= 0.5:
            raise OptionError("max_soft", self.max_soft, "a number from 0 to 0.5")
        if self.salience_std is not None and not (math.isfinite(self.salience_std) and self.salience_std > 0):
            raise OptionError("salience_std", self.salience_std, "a finite number above 0")

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Mix a batch; arguments and errors as for :meth:`MixUp.__call__`, with a mask `(B, 1, *S)`."""
        _check(images, generator, partner)
        batch, spatial = images.shape[0], tuple(images.shape[2:])
        partner = _permutation(images, generator) if partner is None else partner
        mask = self.masks(
            1 if self.scope == "batch" else batch,
            spatial,
            generator=generator,
            device=images.device,
            dtype=_precision(images),
        )
        mask = mask.to(images.dtype)
        weight = _mean(mask, _precision(images)).expand(batch)
        mixed = _blend(images, partner, mask)
        mass = weight if self.salience_std is None else self._salience(mask).to(weight.dtype).expand(batch)
        target_weight = _target_weight(self, mass, generator)
        return Mixed(mixed, partner, weight, mask.expand(batch, 1, *spatial), target_weight)

    def masks(
        self,
        count: int,
        spatial: tuple[int, ...],
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Draw independent masks `(count, 1, *spatial)` with these options; `dtype` is float32 or float64."""
        a, b = _law(self)
        return grey_masks(
            count,
            spatial,
            a=a,
            b=b,
            decay_power=self.decay_power,
            spectrum=self.spectrum,
            max_soft=self.max_soft,
            salience_std=self.salience_std,
            generator=generator,
            device=device,
            dtype=dtype,
        ).unsqueeze(1)

    def _salience(self, mask: Tensor) -> Tensor:
        assert self.salience_std is not None
        prior = salience_prior(tuple(mask.shape[2:]), self.salience_std, device=mask.device)
        return (mask.flatten(1).to(prior.dtype) @ prior.flatten()).clamp(0, 1)


@dataclass(frozen=True)
class MaskMixer:
    """Masks of your own: a function draws them given λ ~ Beta(α, α), and the rest is as for the other mixers.

    The weight is the exact mean of the mask that was used, whether or not the function has aimed at λ.

    Args:
        function: from λ `(N,)` float64 on the images' device, the shape S of a mask, and `generator=`, the source of
            randomness on that device or None, to N independent masks in [0, 1], `(N, *S)` or `(N, 1, *S)`, of a
            floating-point type or bool: the share of each pixel that is the sample's own. N is 1 for scope `"batch"`.
        alpha: α > 0.
        scope: `"sample"` or `"batch"`.
        targets: `"mixed"`, `"independent"` or `"reformulated"`, see :mod:`msda.mixers`.
        target_alpha: β > 0 of the targets' law, or None. The λ sent through the laws is the one that the function got.
        symmetric: whether the complement of a mask at λ has the law of a mask at 1 − λ, which `"reformulated"` takes.

    Raises:
        ValueError: if an option is out of its range.

    Example:
        Whole columns, each the sample's own with probability λ:

        >>> def columns(level, spatial, generator):
        ...     place = torch.rand(len(level), 1, spatial[-1], generator=generator, device=level.device)
        ...     return (place < level.view(-1, 1, 1)).expand(-1, *spatial)
        >>> mixed = MaskMixer(columns)(torch.rand(4, 3, 8, 8))
        >>> torch.equal(mixed.weight, mixed.mask.flatten(1).mean(1))
        True
    """

    function: Callable[..., Tensor]
    alpha: float = 1.0
    scope: str = "sample"
    targets: str = "mixed"
    target_alpha: float | None = None
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise OptionError("function", repr(self.function), "a function that draws masks")
        _check_options(self.alpha, self.scope, self.targets, self.target_alpha)
        if self.targets == "reformulated" and not self.symmetric:
            raise OptionError("targets", '"reformulated"', "symmetric masks, whose complements have the same law")

    def __call__(
        self, images: Tensor, *, generator: torch.Generator | None = None, partner: Tensor | None = None
    ) -> Mixed:
        """Mix a batch; arguments and errors as for :meth:`MixUp.__call__`, with a mask `(B, 1, *S)`.

        Raises:
            ValueError: if the function's masks have another shape or type, or values outside [0, 1].
        """
        _check(images, generator, partner)
        batch, spatial = images.shape[0], tuple(images.shape[2:])
        partner = _permutation(images, generator) if partner is None else partner
        count = 1 if self.scope == "batch" else batch
        level = sample_beta(count, *_law(self), generator=generator, device=images.device)
        drawn = self.function(level, spatial, generator=generator)
        mask = _check_masks(drawn, (count, *spatial), images.device).to(images.dtype)
        return _mixed_by(self, images, partner, mask, level, generator)


@dataclass(init=False)
class Alternate:
    """Mixers that take turns, one batch each: the hybrids of the paper.

    The turn is state: a call without `turn` uses mixer `turn` modulo their number and adds one. For a loop without
    state, or to resume, set the attribute or give `turn` with the call, which leaves the attribute alone. Copies, as in
    the workers of a DataLoader, count for themselves.

    Attributes:
        mixers: the mixers in their order.
        turn: number of the next batch, ≥ 0.

    Source: Harris et al. (2020), arXiv 2002.12047, Sec. 5.
    """

    mixers: tuple[Mixer, ...]
    turn: int = field(default=0)

    def __init__(self, *mixers: Mixer, turn: int = 0) -> None:
        if not mixers:
            raise ValueError("no mixers to alternate; need at least one")
        for mixer in mixers:
            if not callable(mixer):
                raise TypeError(f"mixer of type {type(mixer).__name__}; need a mixer")
        self.mixers = mixers
        self.turn = _check_turn(turn)

    def __call__(
        self,
        images: Tensor,
        *,
        generator: torch.Generator | None = None,
        partner: Tensor | None = None,
        turn: int | None = None,
    ) -> Mixed:
        """Mix a batch with the mixer whose turn it is; arguments and errors as for its own call.

        `turn`, if given, decides in place of the attribute, which then stays.
        """
        index = self.turn if turn is None else _check_turn(turn)
        mixed = self.mixers[index % len(self.mixers)](images, generator=generator, partner=partner)
        if turn is None:
            self.turn = index + 1
        return mixed


MIXERS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "none": (NoMix, {}),
    "mixup": (MixUp, {}),
    "cutmix": (CutMix, {}),
    "fmix": (FMix, {"spectrum": "isotropic"}),
    "fmix-reference": (FMix, {"spectrum": "reference"}),
}
"""What each name stands for: a class, and the options that the name settles."""


def get_mixer(name: str, **options: Any) -> Mixer:
    """Build a mixer by name.

    Args:
        name: `none`, `mixup`, `cutmix`, `fmix`, `fmix-reference`, or several joined by `+`, which take turns.
        options: options of the mixers; each goes to those that have it.

    Returns:
        The mixer; an :class:`Alternate` for several names.

    Raises:
        ValueError: if a name is unknown, no mixer has such an option, or a value is out of range.
    """
    names = name.split("+")
    for single in names:
        if single not in MIXERS:
            raise OptionError("mixer", repr(single), f"one of {', '.join(MIXERS)}, or several joined by +")
    known = {option.name for kind, _ in MIXERS.values() for option in fields(kind)} - {"spectrum"}
    for option in options:
        if option not in known:
            raise OptionError("mixer", f"option {option!r}", f"one of {', '.join(sorted(known))}")
    mixers: list[Mixer] = []
    for single in names:
        kind, settled = MIXERS[single]
        fitting = {option.name for option in fields(kind)}
        mixers.append(kind(**settled, **{key: value for key, value in options.items() if key in fitting}))
    return mixers[0] if len(mixers) == 1 else Alternate(*mixers)


def _check(images: Tensor, generator: torch.Generator | None, partner: Tensor | None, smallest: int = 2) -> None:
    if not isinstance(images, Tensor):
        raise TypeError(f"images of type {type(images).__name__}; need a torch.Tensor")
    if not images.is_floating_point():
        raise TypeError(f"images of type {images.dtype}; need a floating-point type")
    if not 3 <= images.ndim <= 5:
        raise ValueError(f"images of shape {tuple(images.shape)}; need (B, C, *S) with one to three sizes in S")
    if 0 in images.shape:
        raise ValueError(f"images of shape {tuple(images.shape)}; need at least one of everything")
    if images.shape[0] < smallest:
        raise ValueError(f"a batch of {images.shape[0]}; need at least {smallest} samples to mix")
    if generator is not None and generator.device.type != images.device.type:
        raise ValueError(f"generator on {generator.device}; need one on the images' device, {images.device}")
    if partner is not None:
        if not isinstance(partner, Tensor) or partner.dtype != torch.int64:
            kind = partner.dtype if isinstance(partner, Tensor) else type(partner).__name__
            raise TypeError(f"partner of type {kind}; need an int64 tensor")
        if partner.shape != images.shape[:1]:
            raise ValueError(f"partner of shape {tuple(partner.shape)}; need ({images.shape[0]},)")
        if partner.device != images.device:
            raise ValueError(f"partner on {partner.device}; need the images' device, {images.device}")


def _check_options(alpha: float, scope: str, targets: str, target_alpha: float | None) -> None:
    if not (math.isfinite(alpha) and alpha > 0):
        raise OptionError("alpha", alpha, "a finite number above 0")
    if scope not in SCOPES:
        raise OptionError("scope", repr(scope), f"one of {', '.join(SCOPES)}")
    if targets not in TARGETS:
        raise OptionError("targets", repr(targets), f"one of {', '.join(TARGETS)}")
    if target_alpha is not None:
        if not (math.isfinite(target_alpha) and target_alpha > 0):
            raise OptionError("target_alpha", target_alpha, "a finite number above 0")
        if targets == "reformulated":
            raise OptionError("target_alpha", f'{target_alpha} with targets "reformulated"', "None")


def _check_masks(masks: Tensor, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Masks of somebody else's function as (N, 1, *S), if they are masks of the shape (N, *S) or (N, 1, *S)."""
    if not isinstance(masks, Tensor) or not (masks.is_floating_point() or masks.dtype == torch.bool):
        kind = masks.dtype if isinstance(masks, Tensor) else type(masks).__name__
        raise ValueError(f"masks of type {kind}; need a tensor of a floating-point type or bool")
    if tuple(masks.shape) == shape:
        masks = masks.unsqueeze(1)
    if tuple(masks.shape) != (shape[0], 1, *shape[1:]):
        raise ValueError(f"masks of shape {tuple(masks.shape)}; need {shape}")
    if masks.device != device:
        raise ValueError(f"masks on {masks.device}; need the images' device, {device}")
    if not torch.compiler.is_compiling() and not ((masks >= 0) & (masks <= 1)).all():
        raise ValueError(f"masks from {float(masks.min()):g} to {float(masks.max()):g}; need values from 0 to 1")
    return masks


def _check_turn(turn: int) -> int:
    if isinstance(turn, bool) or not isinstance(turn, int):
        raise TypeError(f"turn of type {type(turn).__name__}; need an int")
    if turn < 0:
        raise ValueError(f"turn {turn}; need at least 0")
    return turn


def _law(mixer: MixUp | FMix | MaskMixer) -> tuple[float, float]:
    return (mixer.alpha + (mixer.targets == "reformulated"), mixer.alpha)


def _precision(images: Tensor) -> torch.dtype:
    # half types carry masks of 0 and 1, but not their mean
    return torch.float64 if images.dtype == torch.float64 else torch.float32


def _permutation(images: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randperm(images.shape[0], generator=generator, device=images.device)


def _blend(images: Tensor, partner: Tensor, mask: Tensor) -> Tensor:
    # m x + (1 - m) x' == x' + m (x - x')
    return images.index_select(0, partner).lerp_(images, mask)


def _mean(mask: Tensor, dtype: torch.dtype) -> Tensor:
    return mask.flatten(1).to(dtype).mean(1)


def _mixed_by(
    mixer: CutMix | MaskMixer,
    images: Tensor,
    partner: Tensor,
    mask: Tensor,
    level: Tensor,
    generator: torch.Generator | None,
) -> Mixed:
    # mask (N, 1, *S) drawn for λ = level (N,), N = B or 1
    batch, spatial = images.shape[0], images.shape[2:]
    weight = target_weight = _mean(mask, _precision(images)).expand(batch)
    if mixer.targets != "mixed" or mixer.target_alpha is not None:
        target_weight = _target_weight(mixer, level.to(weight.dtype).expand(batch), generator)
    return Mixed(_blend(images, partner, mask), partner, weight, mask.expand(batch, 1, *spatial), target_weight)


def _target_weight(
    mixer: MixUp | CutMix | FMix | MaskMixer, weight: Tensor, generator: torch.Generator | None
) -> Tensor:
    # weight (B,): the λ that would weigh the targets if nothing else were asked for
    if mixer.targets == "reformulated":
        return torch.ones_like(weight)
    if mixer.targets == "independent":
        alpha = mixer.alpha if mixer.target_alpha is None else mixer.target_alpha
        count = 1 if mixer.scope == "batch" else weight.shape[0]
        drawn = sample_beta(count, alpha, alpha, generator=generator, device=weight.device)
        return drawn.to(weight.dtype).expand_as(weight)
    if mixer.target_alpha is not None:
        return transfer_beta(weight, mixer.alpha, mixer.target_alpha)
    return weight
