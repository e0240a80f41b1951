"""Checks of a sweep: what would be odd if the attacks worked as they should.

After Carlini et al. 2019, "On Evaluating Adversarial Robustness", arXiv 1902.06705, and AutoAttack's flags (Croce &
Hein 2020, arXiv 2003.01690). A *fail* means that the numbers cannot be what they are called; a *warning*, that a
robustness may be the attack's weakness.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from attacks.curves import Images, Seen, broken_by, robust
from attacks.foolbox_attacks import attack_named, clip_to

__all__ = ["AUTOATTACK", "Check", "check_autoattack", "check_model", "check_steps", "check_verdicts", "lead_of"]

AUTOATTACK = "AutoAttack breaks hardly more than the sweep"

TOLERANCE = 0.5
"""Percentage points by which twice the steps may change PGD, and comparisons may be off."""

AGREEMENT = 5.0
"""Percentage points by which DeepFool may be below PGD before PGD is called weak."""


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        name: what was looked at.
        verdict: ``"pass"``, ``"warn"`` or ``"fail"``.
        found: in words, with the numbers.
    """

    name: str
    verdict: Literal["pass", "warn", "fail"]
    found: str


def _check(name: str, good: bool, found: str, otherwise: Literal["warn", "fail"] = "fail") -> Check:
    return Check(name, "pass" if good else otherwise, found)


ALONE = 8
"""Images that are put through a network one by one."""

ROUNDING = 1e-3
"""The share of the largest logit that another batch size may change by rounding, in half precision too."""


@torch.no_grad()
def check_model(model: nn.Module, x: Tensor) -> list[Check]:
    """Evaluation mode, determinism, images that do not depend on their batch, and that outputs are logits, finite ones.

    Args:
        model: from images in [0, 1] to logits.
        x: (B, C, H, W), a few images.
    """
    training = [name or "the network" for name, module in model.named_modules() if module.training]
    first, second = model(x), model(x)
    alone = torch.cat([model(image[None]) for image in x[:ALONE]])
    apart = float((alone - first[:ALONE]).abs().max())
    steady = bool(torch.equal(first, second))  # of what draws random numbers it is not told
    independent = not steady or apart <= ROUNDING * max(float(first[:ALONE].abs().max()), 1.0)
    wrong = int((~torch.isfinite(first)).any(1).sum())
    sums = first.sum(1)
    probabilities = bool((first >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
    return [
        _check("evaluation mode", not training, f"in training mode: {training[0]}" if training else "every layer"),
        _check(
            "deterministic",
            steady,
            f"two passes differ by at most {float((first - second).abs().max()):.1e}",
            "warn",
        ),
        _check(
            "an image alone is as in a batch", independent, f"alone and together logits differ by at most {apart:.1e}"
        ),
        _check(
            "outputs are logits",
            not probabilities and not wrong,
            f"not finite for {wrong} of {len(first)} images"
            if wrong
            else "rows sum to 1: gradients of a softmax vanish"
            if probabilities
            else "rows are no probabilities",
        ),
    ]


def check_steps(model: nn.Module, images: Images, epsilon: float, seed: int, name: str = "pgd") -> Check:
    """Whether twice the steps of PGD break more.

    Args:
        model: as in the sweep.
        images: a subset.
        epsilon: at which.
        seed: the sweep's.
        name: of the attack.
    """
    accuracies = []
    for factor in (1, 2):
        attack = attack_named(name)
        attack.steps *= factor  # type: ignore[attr-defined]
        broken = robust(model, attack, name, images, [epsilon], seed, Seen())
        accuracies.append(100 * float((~broken).double().mean()))
    once, twice = accuracies
    words = f"{once:.1f}% once, {twice:.1f}% twice, at ε = {epsilon:g} on {len(images.x)} images"
    return _check("twice the steps change PGD by at most half a point", abs(once - twice) <= TOLERANCE, words, "warn")


def check_autoattack(model: nn.Module, images: Images, broken: Tensor, epsilon: float, seed: int) -> Check:
    """Whether AutoAttack's APGD, from outside, breaks more than the whole sweep did.

    Cross entropy (5 restarts) and targeted DLR, 100 iterations each: the two parts of the standard version that leave
    little to its other two. That loss compares four logits; of three classes the untargeted one stands in its place, of
    two there is cross entropy alone.

    Args:
        model: as in the sweep.
        images: a subset.
        broken: (B,) bool, the sweep's worst case of them.
        epsilon: at which.
        seed: AutoAttack's.
    """
    from pyautoattack import AutoAttack

    with torch.no_grad():
        classes = model(images.x[:1]).shape[1]
    kinds = ["apgd-ce", *(["apgd-t"] if classes > 3 else ["apgd-dlr"] if classes == 3 else [])]
    attack = AutoAttack(model, attacks=kinds, device=images.x.device, eps=epsilon, seed=seed, version="custom")
    attack.apgd_targeted.n_target_classes = min(9, classes - 1)
    perturbed, _ = attack.run_standard_evaluation(images.x, images.labels, batch_size=len(images.x))
    perturbed = clip_to(attack_named("pgd"), images.x, perturbed.detach(), epsilon).clamp(0, 1)
    theirs = 100 * float((~(broken_by(model, perturbed, images.labels) | images.wrong)).double().mean())
    ours = 100 * float((~broken).double().mean())
    words = f"{theirs:.1f}% left by it, {ours:.1f}% by the sweep, at ε = {epsilon:g} on {len(images.x)} images"
    return _check(AUTOATTACK, theirs >= ours - AGREEMENT, words, "warn")


def lead_of(words: str) -> tuple[float, int, float] | None:
    """Points that AutoAttack breaks beyond the sweep, number of images and ε, from the words of `check_autoattack`.

    None of other words.

    Example:
        >>> lead_of("40.0% left by it, 46.0% by the sweep, at ε = 0.02 on 50 images")
        (6.0, 50, 0.02)
    """
    numbers = re.fullmatch(r"([\d.]+)% left by it, ([\d.]+)% by the sweep, at ε = (\S+) on (\d+) images", words)
    if numbers is None:
        return None
    theirs, ours, epsilon, images = numbers.groups()
    return round(float(ours) - float(theirs), 1), int(images), float(epsilon)


def check_verdicts(
    published: np.ndarray | None,
    broken: np.ndarray,
    attacks: Sequence[str],
    epsilons: Sequence[float],
    wrong: np.ndarray,
    zero_gradients: int,
    seen: Seen,
) -> list[Check]:
    """What the verdicts of a whole sweep show.

    Args:
        published: (A, E, N) bool, broken as published; None if that curve was not asked for.
        broken: (A, E, N) bool, broken in the robust sense.
        attacks: A names.
        epsilons: E sizes, ascending.
        wrong: (N,) bool, misclassified in a pass of their own.
        zero_gradients: images whose gradient is zero everywhere.
        seen: what the attacks did.
    """
    n = len(wrong)
    accuracy = {name: 100 * (1 - broken[i].mean(1)) for i, name in enumerate(attacks)}
    clean = 100 * (1 - wrong.mean())
    checks = []
    if 0 in epsilons:
        at = list(epsilons).index(0)
        both = [broken] if published is None else [broken, published]
        same = all((verdicts[:, at] == wrong).all() for verdicts in both)
        checks.append(_check("accuracy at ε = 0 is the clean accuracy", same, f"clean {clean:.2f}% of {n}"))
    inside = seen.excess <= 1e-6 and seen.lowest >= 0 and seen.highest <= 1 and not seen.not_finite
    checks.append(
        _check(
            "perturbed images within ε and [0, 1], no NaN",
            inside,
            f"excess {max(seen.excess, 0):.1e}, pixels {seen.lowest:g} to {seen.highest:g}, {seen.not_finite} NaN",
        )
    )
    checks.append(
        _check(
            "gradients are not zero",
            zero_gradients <= 0.01 * n,
            f"zero for {zero_gradients} of {n} images",
            "warn" if zero_gradients < 0.5 * n else "fail",
        )
    )
    share = seen.unconfirmed / max(seen.broken, 1)
    checks.append(
        _check(
            "broken images are broken in another pass",
            share <= 0.01,
            f"{seen.unconfirmed} of {seen.broken} were not, and count as whole",
            "warn",
        )
    )
    large = [i for i, epsilon in enumerate(epsilons) if epsilon >= 0.5]
    iterative = [name for name in ("bim", "pgd") if name in accuracy]
    if large and iterative:
        left = max(float(accuracy[name][large].max()) for name in iterative)
        checks.append(_check("iterative attacks reach 0 at ε ≥ 0.5", left == 0, f"at most {left:.1f}% left", "warn"))
    comparisons = [
        ("iterative attacks are not weaker than FGSM", "pgd" if "pgd" in accuracy else "bim", "fgsm", TOLERANCE),
        ("noise is weaker than gradients", "pgd" if "pgd" in accuracy else "bim", "noise", TOLERANCE),
        ("PGD is not far weaker than DeepFool", "pgd", "deepfool", AGREEMENT),
    ]
    for name, strong, weak, tolerance in comparisons:
        if strong in accuracy and weak in accuracy:
            gap = accuracy[strong] - accuracy[weak]
            at = int(gap.argmax())
            checks.append(
                _check(
                    name,
                    float(gap.max()) <= tolerance,
                    f"largest lead of {weak}: {max(float(gap.max()), 0):.1f} points at ε = {epsilons[at]:g}",
                    "warn",
                )
            )
    return checks
