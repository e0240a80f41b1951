r"""A mixed batch, and the losses that go with it.

The image of sample i is :math:`m_i x_i + (1 - m_i) x_{p(i)}` with its partner p(i); its weight is the share
:math:`\lambda_i` of its own image, the exact mean of :math:`m_i`. The target is mixed likewise,
:math:`\lambda_i t_i + (1 - \lambda_i) t_{p(i)}`, or with another *target weight* where a mixer is asked for one. Cross
entropy and binary cross entropy are linear in the target, so mixing targets and mixing losses are the same.

References: Zhang et al. (2017), arXiv 1710.09412; Harris et al. (2020), arXiv 2002.12047, Sec. 2, App. A.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Mixed"]


@dataclass(frozen=True, eq=False)
class Mixed:
    """A batch after mixing.

    Targets may be class indices `(B,)` of an integer type, or one-hot, soft or multi-hot rows `(B, K)` of any type.

    Attributes:
        images: mixed images `(B, C, *S)`.
        partner: index in the batch of each sample's partner, `(B,)`, int64.
        weight: share of each sample's own image, `(B,)`; float64 for float64 images, else float32.
        mask: share of each pixel that is the sample's own, `(B, 1, *S)`; None where no mask was used.
        target_weight: share of each sample's own target, `(B,)`; `weight` unless given.
    """

    images: Tensor
    partner: Tensor
    weight: Tensor
    mask: Tensor | None = None
    target_weight: Tensor = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.images.shape[1:]))
        masks = "no masks" if self.mask is None else "masks"
        low, high = float(self.weight.min()), float(self.weight.max())
        return f"{len(self.images)} mixed images of {shape}, {masks}, weights {low:.2f} to {high:.2f}"

    def __post_init__(self) -> None:
        if self.target_weight is None:
            object.__setattr__(self, "target_weight", self.weight)

    def soft_targets(self, targets: Tensor, num_classes: int | None = None) -> Tensor:
        """Mix the targets: own row times the target weight, plus the partner's row times the rest.

        Args:
            targets: `(B,)` indices or `(B, K)` rows.
            num_classes: K, needed for indices only.

        Returns:
            Rows `(B, K)` in the dtype of the weight.

        Raises:
            ValueError: if the targets' shape does not fit the batch, or `num_classes` is missing or another than K.
            TypeError: if `(B,)` targets are not integers.
        """
        self._check_targets(targets)
        if targets.ndim == 1:
            if num_classes is None:
                raise ValueError("num_classes is None with index targets; they need it to become soft")
            rows = _one_hot(targets, num_classes, self.target_weight.dtype)
        else:
            if num_classes is not None and num_classes != targets.shape[1]:
                raise ValueError(f"targets have {targets.shape[1]} columns; num_classes says {num_classes}")
            rows = targets.to(self.target_weight.dtype)
        return rows.index_select(0, self.partner).lerp_(rows, self.target_weight.unsqueeze(1))

    def take(self, ids: Tensor) -> Tensor:
        """Mix what are no numbers, token ids, by the mask that mixed the images: each is the own one or the partner's.

        Args:
            ids: `(B, *S)` of any type, of the mask's sizes.

        Returns:
            `(B, *S)`, of the same type.

        Raises:
            ValueError: if the batch was mixed without a mask, the mask has other values than 0 and 1, or shapes differ.
        """
        if self.mask is None:
            if not bool((self.weight == 1).all()):
                raise ValueError("a batch mixed without a mask; ids need a mask of 0 and 1, as CutMix and FMix have")
            return ids
        mask = self.mask.squeeze(1)
        if mask.shape != ids.shape:
            raise ValueError(f"ids of shape {tuple(ids.shape)}; the mask is {tuple(mask.shape)}")
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise ValueError("a mask between 0 and 1; ids need one of 0 and 1: max_soft=0")
        return torch.where(mask == 1, ids, ids.index_select(0, self.partner))

    def cross_entropy(self, logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Cross entropy of the mixed targets, in nats.

        For indices this is the target weight times the loss against the own label, plus the rest times the loss
        against the partner's.

        Args:
            logits: `(B, K)`.
            targets: `(B,)` indices or `(B, K)` rows; rows are used as they are, not normalised.
            reduction: `"mean"` over samples, `"sum"` or `"none"`.

        Returns:
            A scalar, or `(B,)` for `"none"`.

        Raises:
            ValueError: if a shape does not fit the batch or the reduction is unknown.
            TypeError: if `(B,)` targets are not integers.
        """
        self._check_targets(targets)
        if logits.ndim != 2:
            raise ValueError(f"logits of shape {tuple(logits.shape)}; cross entropy needs (B, K)")
        self._check_logits(logits, targets)
        weight = self.target_weight.to(logits.dtype)
        if targets.ndim == 1:
            # log p(own), log p(partner's): one softmax, no one-hot rows
            classes = torch.stack([targets, targets.index_select(0, self.partner)], 1).long()
            log_own, log_partner = logits.log_softmax(1).gather(1, classes).unbind(1)
            loss = -torch.where(weight == 1, log_own, torch.lerp(log_partner, log_own, weight))
        else:
            loss = -(self.soft_targets(targets).to(logits.dtype) * logits.log_softmax(1)).sum(1)
        return _reduce(loss, reduction)

    def binary_cross_entropy(self, logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Binary cross entropy of the mixed targets with logits, in nats.

        Args:
            logits: `(B, K)`, or `(B,)` for one binary label a sample.
            targets: of the shape of the logits, values in [0, 1]; or `(B,)` indices for logits `(B, K)`.
            reduction: `"mean"` over samples and classes, `"sum"` or `"none"`.

        Returns:
            A scalar, or the shape of the logits for `"none"`.

        Raises:
            ValueError: if a shape does not fit the batch or the reduction is unknown.
            TypeError: if `(B,)` targets for logits `(B, K)` are not integers.
        """
        if logits.ndim not in (1, 2):
            raise ValueError(f"logits of shape {tuple(logits.shape)}; binary cross entropy needs (B,) or (B, K)")
        if logits.ndim == 1:
            if targets.shape != logits.shape:
                raise ValueError(f"targets of shape {tuple(targets.shape)}; logits of shape {tuple(logits.shape)}")
            logits, targets, squeeze = logits.unsqueeze(1), targets.unsqueeze(1), True
        else:
            squeeze = False
        self._check_targets(targets)
        self._check_logits(logits, targets)
        rows = self.soft_targets(targets, logits.shape[1]).to(logits.dtype)
        loss = functional.binary_cross_entropy_with_logits(logits, rows, reduction="none")
        return _reduce(loss.squeeze(1) if squeeze else loss, reduction)

    def _check_targets(self, targets: Tensor) -> None:
        batch = self.weight.shape[0]
        if targets.ndim not in (1, 2):
            raise ValueError(f"targets of shape {tuple(targets.shape)}; need (B,) indices or (B, K) rows")
        if targets.shape[0] != batch:
            raise ValueError(f"{targets.shape[0]} targets for a batch of {batch}")
        if targets.ndim == 1 and (targets.is_floating_point() or targets.dtype == torch.bool or targets.is_complex()):
            raise TypeError(f"index targets of type {targets.dtype}; need integers")

    def _check_logits(self, logits: Tensor, targets: Tensor) -> None:
        batch = self.weight.shape[0]
        if logits.shape[0] != batch:
            raise ValueError(f"{logits.shape[0]} rows of logits for a batch of {batch}")
        if targets.ndim == 2 and targets.shape != logits.shape:
            raise ValueError(f"targets of shape {tuple(targets.shape)}; logits of shape {tuple(logits.shape)}")


def _one_hot(indices: Tensor, num_classes: int, dtype: torch.dtype) -> Tensor:
    # functional.one_hot looks at the values, which waits for the device
    rows = torch.zeros(indices.shape[0], num_classes, dtype=dtype, device=indices.device)
    return rows.scatter_(1, indices.long().unsqueeze(1), 1)


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f'reduction {reduction!r}; need "mean", "sum" or "none"')
