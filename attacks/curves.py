"""The two curves of a sweep: accuracy against perturbation size, as published and robust.

**As published**: every attack runs at every ε to its last step, as plain Foolbox calls do. Its last iterate is judged,
so an image broken on the way may be whole again; misclassified images stay in and may be repaired; the curve need not
fall. What is saved is exact: gradients for the images alone; ε = 0 from the clean pass; the gradient at the clean image
once for all ε; DeepFool, whose path does not depend on ε, once, and on images that are not yet broken.

**Robust**: an image that is misclassified is broken at 0, and one that is broken at some ε is broken at every larger
one. Every iterate is judged, and a broken image leaves the batch at once. A broken image's perturbed copy is judged
again in another forward pass, and only if that agrees is it counted: a robust accuracy is an upper bound on the
accuracy under the strongest attack.

References: Rauber et al. 2020 (Foolbox); Goodfellow et al. 2015, arXiv 1412.6572 (FGSM); Kurakin et al. 2017, arXiv
1607.02533 (BIM); Madry et al. 2018, arXiv 1706.06083 (PGD); Moosavi-Dezfooli et al. 2016, arXiv 1511.04599 (DeepFool).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from attacks.foolbox_attacks import (
    Attack,
    BaseGradientDescent,
    DeepFoolAttack,
    clip_to,
    drawn_per_image,
    eager,
    plain_verdicts,
)
from classifiers.load import finite

__all__ = ["Images", "Seen", "as_published", "deepfool", "robust"]


@dataclass(frozen=True)
class Images:
    """A batch under attack.

    Args:
        x: (B, C, H, W) in [0, 1].
        labels: (B,) int64.
        numbers: of the images in their data set, for their random streams.
        wrong: (B,) bool, misclassified as they are.
        gradient: (B, C, H, W) of the summed cross entropy at x.
    """

    x: Tensor
    labels: Tensor
    numbers: Sequence[int]
    wrong: Tensor
    gradient: Tensor

    @classmethod
    def under(cls, model: nn.Module, x: Tensor, labels: Tensor, numbers: Sequence[int]) -> "Images":
        """The batch with its clean pass."""
        logits, gradient = value_and_gradient(model, x, labels)
        return cls(x, labels, numbers, logits.argmax(1) != labels, gradient)

    def only(self, chosen: Tensor) -> "Images":
        """Those of a mask (B,)."""
        numbers = [number for number, kept in zip(self.numbers, chosen.tolist(), strict=True) if kept]
        return Images(self.x[chosen], self.labels[chosen], numbers, self.wrong[chosen], self.gradient[chosen])


@dataclass
class Seen:
    """What the attacks did, for the checks.

    Args:
        excess: largest perturbation beyond its ε.
        lowest, highest: of perturbed pixels.
        unconfirmed: images that an attack's own forward pass found broken and another did not.
        broken: images that were found broken.
        not_finite: perturbed images with NaN or infinities.
    """

    excess: float = 0.0
    lowest: float = 0.0
    highest: float = 1.0
    unconfirmed: int = 0
    broken: int = 0
    not_finite: int = 0

    @classmethod
    def together(cls, batches: Sequence[Mapping[str, Any]]) -> "Seen":
        """The notes of several batches, each a mapping from the names of the attributes."""
        return cls(
            max(float(notes["excess"]) for notes in batches),
            min(float(notes["lowest"]) for notes in batches),
            max(float(notes["highest"]) for notes in batches),
            sum(int(notes["unconfirmed"]) for notes in batches),
            sum(int(notes["broken"]) for notes in batches),
            sum(int(notes["not_finite"]) for notes in batches),
        )

    def look_at(self, x0: Tensor, x: Tensor, epsilon: float) -> None:
        """Note the perturbation's size and range."""
        if not len(x):
            return
        self.not_finite += int((~torch.isfinite(x)).flatten(1).any(1).sum())
        self.excess = max(self.excess, float((x - x0).abs().max()) - epsilon)
        self.lowest, self.highest = min(self.lowest, float(x.min())), max(self.highest, float(x.max()))


def value_and_gradient(model: nn.Module, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, K), and the gradient (B, C, H, W) of the summed cross entropy with respect to the images alone."""
    x = x.detach().requires_grad_()
    logits = finite(model(x), "a network")
    (gradient,) = torch.autograd.grad(cross_entropy(logits, labels, reduction="sum"), x)
    return logits.detach(), gradient


@torch.no_grad()
def broken_by(model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """(B,) bool: misclassified."""
    return finite(model(x), "a network").argmax(1) != labels


def _step(attack: BaseGradientDescent, optimizer, x: Tensor, x0: Tensor, gradient: Tensor, epsilon: float) -> Tensor:  # type: ignore[no-untyped-def]
    """One step up the loss, projected to the ball and to [0, 1], by Foolbox's own parts."""
    direction = attack.normalize(eager(gradient), x=eager(x), bounds=(0, 1))  # type: ignore[arg-type]
    moved = eager(x) + optimizer(direction)
    return attack.project(moved, eager(x0), epsilon).clip(0, 1).raw


def _begin(attack: BaseGradientDescent, x0: Tensor, epsilon: float):  # type: ignore[no-untyped-def]
    stepsize = attack.rel_stepsize * epsilon if attack.abs_stepsize is None else attack.abs_stepsize
    start = attack.get_random_start(eager(x0), epsilon).clip(0, 1).raw if attack.random_start else x0
    return start, attack.get_optimizer(eager(x0), stepsize)


def as_published(
    model: nn.Module, attack: Attack, name: str, images: Images, epsilons: Sequence[float], seed: int, seen: Seen
) -> Tensor:
    """Which images are broken at each ε by plain Foolbox calls: (E, B) bool."""
    if isinstance(attack, DeepFoolAttack):
        return _clipped(model, attack, images, deepfool(model, attack, images), epsilons, seen)
    verdicts = []
    for epsilon in epsilons:
        if epsilon == 0:
            verdicts.append(images.wrong)
            continue
        with drawn_per_image(seed, f"{name}/{epsilon!r}", images.numbers):
            if not isinstance(attack, BaseGradientDescent):
                verdicts.append(plain_verdicts(model, attack, images.x, images.labels, epsilon))
                continue
            x, optimizer = _begin(attack, images.x, epsilon)
        for step in range(attack.steps):
            known = step == 0 and not attack.random_start
            gradient = images.gradient if known else value_and_gradient(model, x, images.labels)[1]
            x = _step(attack, optimizer, x, images.x, gradient, epsilon)
        x = clip_to(attack, images.x, x, epsilon)
        seen.look_at(images.x, x, epsilon)
        verdicts.append(broken_by(model, x, images.labels))
    return torch.stack(verdicts)


def robust(
    model: nn.Module, attack: Attack, name: str, images: Images, epsilons: Sequence[float], seed: int, seen: Seen
) -> Tensor:
    """Which images are broken at each ε or below: (E, B) bool.

    Args:
        model: in evaluation mode, parameters without gradients.
        attack: an attack of Foolbox's.
        name: of the attack, for its random streams.
        images: the batch.
        epsilons: ascending.
        seed: of the random streams.
        seen: notes for the checks.
    """
    broken = images.wrong.clone()
    if isinstance(attack, DeepFoolAttack):
        verdicts = _clipped(model, attack, images, deepfool(model, attack, images), epsilons, seen)
        return (verdicts | broken).cummax(0).values
    rows: list[Tensor] = []
    for epsilon in epsilons:
        alive = ~broken
        if epsilon > 0 and alive.any():
            some = images.only(alive)
            if isinstance(attack, BaseGradientDescent):
                hit = _descend(model, attack, name, some, epsilon, seed, seen)
            else:
                with drawn_per_image(seed, f"{name}/{epsilon!r}", some.numbers):
                    hit = plain_verdicts(model, attack, some.x, some.labels, epsilon)
            broken = broken.clone()
            broken[alive] = hit
        rows.append(broken)
    return torch.stack(rows)


def _descend(
    model: nn.Module, attack: BaseGradientDescent, name: str, images: Images, epsilon: float, seed: int, seen: Seen
) -> Tensor:
    """Gradient descent that judges every iterate and lets go of what is broken: (B,) bool."""
    with drawn_per_image(seed, f"{name}/{epsilon!r}", images.numbers):
        x, optimizer = _begin(attack, images.x, epsilon)
    at = torch.arange(len(images.x), device=x.device)
    x0, labels = images.x, images.labels
    perturbed: list[Tensor] = []
    where: list[Tensor] = []
    for step in range(attack.steps + 1):
        if step == 0 and not attack.random_start:
            gradient, hit = images.gradient, torch.zeros(len(x), dtype=torch.bool, device=x.device)
        elif step < attack.steps:
            logits, gradient = value_and_gradient(model, x, labels)
            hit = logits.argmax(1) != labels
        else:
            hit = broken_by(model, x, labels)
        if hit.any():
            perturbed.append(x[hit])
            where.append(at[hit])
            x, x0, labels, at = x[~hit], x0[~hit], labels[~hit], at[~hit]
            if step < attack.steps:
                gradient = gradient[~hit]
        if step == attack.steps or not len(x):
            break
        x = _step(attack, optimizer, x, x0, gradient, epsilon)
    result = torch.zeros(len(images.x), dtype=torch.bool, device=images.x.device)
    seen.look_at(x0, x, epsilon)
    if perturbed:
        hits = torch.cat(where)
        candidates = clip_to(attack, images.x[hits], torch.cat(perturbed), epsilon)
        seen.look_at(images.x[hits], candidates, epsilon)
        confirmed = broken_by(model, candidates, images.labels[hits])
        seen.broken += len(hits)
        seen.unconfirmed += int((~confirmed).sum())
        result[hits] = confirmed
    return result


def _clipped(
    model: nn.Module, attack: Attack, images: Images, x: Tensor, epsilons: Sequence[float], seen: Seen
) -> Tensor:
    """Verdicts (E, B) on a smallest perturbation cut to each ε."""
    verdicts = []
    for epsilon in epsilons:
        if epsilon == 0:
            verdicts.append(images.wrong)
            continue
        cut = clip_to(attack, images.x, x, epsilon)
        seen.look_at(images.x, cut, epsilon)
        verdicts.append(broken_by(model, cut, images.labels))
    return torch.stack(verdicts)


def deepfool(model: nn.Module, attack: DeepFoolAttack, images: Images) -> Tensor:
    """DeepFool's perturbed images (B, C, H, W): Foolbox's steps on the images that are not broken yet.

    Foolbox repeats the forward pass for each candidate class and goes on with all images until the last is broken; here
    there is one forward pass a step, and a broken image, which Foolbox would leave where it is, leaves.
    """
    result = images.x.clone()
    if attack.loss != "logits":
        raise ValueError("DeepFool on logits only")
    at = torch.arange(len(images.x), device=result.device)
    x0, labels = images.x, images.labels
    x, total = x0, torch.zeros_like(x0)
    classes: Tensor | None = None
    for _ in range(attack.steps):
        leaf = x.detach().requires_grad_()
        logits = model(leaf)
        if classes is None:  # the most likely classes of the clean image, most likely first, for all steps
            classes = logits.argsort(1).flip(1)
            classes = classes[:, : min(attack.candidates or classes.shape[1], classes.shape[1])]
        alive = logits.argmax(1) == labels
        if not alive.any():
            break
        difference = logits.gather(1, classes[:, 1:]) - logits.gather(1, classes[:, :1])
        gradients = []
        count = difference.shape[1]
        for k in range(count):
            (gradient,) = torch.autograd.grad(difference[:, k].sum(), leaf, retain_graph=k < count - 1)
            gradients.append(gradient)
        gradient = torch.stack(gradients, 1)
        distances = attack.get_distances(eager(difference.detach()), eager(gradient)).raw
        best = distances.argmin(1)
        rows = torch.arange(len(x), device=x.device)
        step = attack.get_perturbations(eager(distances[rows, best] + 1e-4), eager(gradient[rows, best])).raw
        total = total + step
        moved = (x0 + (1.0 + attack.overshoot) * total).clamp(0, 1)
        x = torch.where(alive.view(-1, 1, 1, 1), moved, x)
        result[at] = x
        x, x0, labels, at, total, classes = (tensor[alive] for tensor in (x, x0, labels, at, total, classes))
    return result
